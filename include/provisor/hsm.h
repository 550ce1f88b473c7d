/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PKCS#11 tokens through p11-kit. Exactly one module is loaded per session:
 * `module-path` of the URI, else the path given, else SoftHSM2. Objects are
 * named by RFC 7512 URIs that must match exactly one object. `pin-value` in a
 * URI is refused. One login attempt per session; never a loop.
 */
#ifndef PROVISOR_HSM_H
#define PROVISOR_HSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/keystore.h>
#include <provisor/secret.h>
#include <provisor/signature.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pv_hsm; /* opaque: a module, one token, one logged-in session */

/*
 * Where the PIN comes from; called at most once per session. `token` is the
 * token's label for a prompt. PV_E_PIN when there is none to be had.
 */
typedef int (*pv_pin_fn)(void *ctx, const char *token,
    struct pv_secret **ret_pin, struct pv_error *e);

/*
 * Open the one token that `uri` names (object attributes in the URI are
 * ignored here) and log in. `module` may be NULL. Wrong PIN: PV_E_PIN; no
 * such token: PV_E_NO_TOKEN with a hint that lists those present.
 */
PV_MUST_USE int pv_hsm_open(const char *uri, const char *module, pv_pin_fn pin,
    void *pin_ctx, struct pv_hsm **ret_hsm, struct pv_error *e);
void pv_hsm_close(struct pv_hsm *hsm);

/* Label of the open token, masked for display; borrowed. */
const char *pv_hsm_token_label(const struct pv_hsm *hsm);

/* `len` bytes of the token's own random generator; zeros on failure. */
PV_MUST_USE int pv_hsm_random(
    struct pv_hsm *hsm, uint8_t *data, size_t len, struct pv_error *e);

/* Is this text a pkcs11: URI (as opposed to a file name)? */
bool pv_hsm_is_uri(const char *text);

/*
 * A URI that comes from a file (a ledger) may name tokens and objects, but not
 * code to load or files to read: with module-path, module-name or pin-source
 * it is PV_E_POLICY.
 */
PV_MUST_USE int pv_hsm_check_stored_uri(const char *uri, struct pv_error *e);

/*
 * Names of the notes in the token that begin with `prefix`; a name may come
 * more than once.
 */
PV_MUST_USE int pv_hsm_anchor_names(struct pv_hsm *hsm, const char *prefix,
    int (*each)(void *ctx, const char *label, struct pv_error *e), void *ctx,
    struct pv_error *e);

/*
 * The interfaces of keystore.h on this session. They borrow `hsm`, which must
 * outlive them. A URI that matches no object or several is PV_E_NO_KEY and
 * the message says how many.
 */
PV_MUST_USE int pv_hsm_sealer(struct pv_hsm *hsm, const char *uri,
    struct pv_sealer *ret_sealer, struct pv_error *e);
PV_MUST_USE int pv_hsm_signer(struct pv_hsm *hsm, const char *uri,
    struct pv_signer *ret_signer, struct pv_error *e);
/* Messages and digests, with a key of P-256, P-384, Ed25519 or RSA. */
PV_MUST_USE int pv_hsm_message_signer(struct pv_hsm *hsm, const char *uri,
    struct pv_message_signer *ret_signer, struct pv_error *e);
/* Image keys, with a key of P-256 (ECDH) or RSA-2048 (OAEP). */
PV_MUST_USE int pv_hsm_opener(struct pv_hsm *hsm, const char *uri,
    struct pv_opener *ret_opener, struct pv_error *e);
PV_MUST_USE int pv_hsm_wrapper(struct pv_hsm *hsm, const char *oem_key_uri,
    struct pv_wrapper *ret_wrapper, struct pv_error *e);
/*
 * The value of an AES-128 key: read when the key is not sensitive, wrapped out
 * by the token when it is extractable, else PV_E_HSM with the reason.
 */
PV_MUST_USE int pv_hsm_key_source(struct pv_hsm *hsm, const char *uri,
    struct pv_key_source *ret_key, struct pv_error *e);
/*
 * The secret steps of a license of profile `ssp` or `ecies` inside the token,
 * with an AES-128 key there. PV_E_UNSUPPORTED, and the message is the reason,
 * when this token or this key cannot: then pv_hsm_key_source and
 * pv_ecies_on_host are the other way.
 */
struct pv_ecies_profile;
PV_MUST_USE int pv_hsm_ecies(struct pv_hsm *hsm, const char *uri,
    const struct pv_ecies_profile *p, struct pv_ecies *ret_ecies,
    struct pv_error *e);
/*
 * Why licenses cannot be made wholly inside this token, by profile; NULL when
 * they can. For ssp and ecies one is tried, with session objects only; the
 * text lasts until the next call.
 */
const char *pv_hsm_resident_fault(const struct pv_hsm *hsm);
const char *pv_hsm_ecies_fault(
    struct pv_hsm *hsm, const struct pv_ecies_profile *p);
/* The note named `label` (a CKO_DATA object, application "provisor"). */
PV_MUST_USE int pv_hsm_anchor(struct pv_hsm *hsm, const char *label,
    struct pv_anchor *ret_anchor, struct pv_error *e);

/* --- key management (the `key` commands, campaign create) ---------------- */

enum pv_key_type {
	PV_KEY_AES128,
	PV_KEY_AES256,
	PV_KEY_EC_P256,
	PV_KEY_EC_P384,
	PV_KEY_ED25519,
};
PV_MUST_USE int pv_key_type_parse(
    const char *text, enum pv_key_type *ret_type, struct pv_error *e);
const char *pv_key_type_name(enum pv_key_type type);

/*
 * Make a key (pair) that stays in the token. AES keys are sensitive and
 * extractable: "wrappable by this login", which the resident license needs.
 * EC private keys are sensitive and never extractable. A label already taken
 * by a key in this token is PV_E_EXISTS. *ret_uri (may be NULL) is the new
 * key's URI, caller frees.
 */
PV_MUST_USE int pv_hsm_generate(struct pv_hsm *hsm, enum pv_key_type type,
    const char *label, char **ret_uri, struct pv_error *e);
/* Put a raw AES key (16 or 32 bytes) into the token under `label`. */
PV_MUST_USE int pv_hsm_import_aes(struct pv_hsm *hsm,
    const struct pv_secret *key, const char *label, char **ret_uri,
    struct pv_error *e);
/* Public half of an EC, Ed25519 or RSA key as SubjectPublicKeyInfo DER. */
PV_MUST_USE int pv_hsm_export_public(struct pv_hsm *hsm, const char *uri,
    uint8_t *der, size_t *len, struct pv_error *e);
/* Destroy a key: both halves of a pair. */
PV_MUST_USE int pv_hsm_destroy(
    struct pv_hsm *hsm, const char *uri, struct pv_error *e);

struct pv_key_info {
	const char *label; /* masked */
	const char *type;  /* "aes-128", "ec-p256", "rsa", ... */
	const char *uri;
	bool sensitive, extractable, local;
	bool resident; /* can serve a resident license as OEM key or signer */
	const char *why_not; /* when !resident, a short reason */
	const char
	    *ecies_why_not; /* NULL: ssp, ecies inside a token that can */
};
PV_MUST_USE int pv_hsm_list(struct pv_hsm *hsm,
    int (*each)(void *ctx, const struct pv_key_info *key), void *ctx,
    struct pv_error *e);

#ifdef __cplusplus
}
#endif
#endif
