/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of hsm/ only. */
#ifndef PV_HSM_INT_H
#define PV_HSM_INT_H

#include <provisor/hsm.h>

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names that PKCS#11 3.0 added and older headers lack. */
#define PV_CKR_AEAD_DECRYPT_FAILED 0x35UL

#define PV_P256_COORD 32U

struct pv_hsm {
	CK_FUNCTION_LIST_PTR f;
	bool initialized;
	char *module; /* path as loaded */
	CK_INFO library;
	CK_SLOT_INFO slot_info;
	CK_TOKEN_INFO token;
	CK_SLOT_ID slot;
	bool has_session;
	CK_SESSION_HANDLE session;
	bool label_shared; /* another token here has the same label */
	char label[33];	   /* as in the token, blanks at the end removed */
	char shown[40];	   /* masked for display */
	CK_MECHANISM_TYPE *mechs;
	CK_ULONG n_mechs;
	char ecies_why[288]; /* of pv_hsm_ecies_fault */
};

/* --- rv.c ------------------------------------------------------------------ */

/* "CKR_PIN_INCORRECT"; an unknown code gives NULL. */
const char *pv_ckr_name(CK_RV rv);

/*
 * Record a failed call: "CONTEXT: CKR_NAME". The pv_code follows from rv: PIN
 * trouble is PV_E_PIN, everything else PV_E_HSM; a token that went away gets
 * a hint. Returns the code.
 */
int pv_ck_fail(struct pv_error *e, CK_RV rv, const char *fmt, ...)
    PV_PRINTF(3, 4);

/* The token or its session is gone; no further call can succeed. */
bool pv_ck_gone(CK_RV rv);

/* --- uri.c ----------------------------------------------------------------- */

/*
 * Parse; refuses pin-value, module-name and attributes p11-kit does not know.
 * Free with p11_kit_uri_free.
 */
PV_MUST_USE int pv_uri_parse(
    const char *text, P11KitUri **ret_uri, struct pv_error *e);

/* File named by pin-source, borrowed from uri; NULL when there is none. */
PV_MUST_USE int pv_uri_pin_file(
    P11KitUri *uri, const char **ret_path, struct pv_error *e);

/*
 * URI of an object of the open token, in fresh memory. `id` may be NULL: the
 * label alone tells the key apart.
 */
PV_MUST_USE int pv_uri_make(const struct pv_hsm *hsm, const char *label,
    const uint8_t *id, size_t id_len, char **ret_uri, struct pv_error *e);

/* --- template.c: attribute lists ------------------------------------------- */

#define PV_TPL_MAX 24U
struct pv_tpl {
	CK_ATTRIBUTE a[PV_TPL_MAX];
	CK_ULONG n;
	union {
		CK_ULONG number;
		CK_BBOOL flag;
	} store[PV_TPL_MAX];
};
void pv_tpl_init(struct pv_tpl *t);
void pv_tpl_bool(struct pv_tpl *t, CK_ATTRIBUTE_TYPE type, bool v);
void pv_tpl_ulong(struct pv_tpl *t, CK_ATTRIBUTE_TYPE type, CK_ULONG v);
/* The bytes are borrowed until the template has been used. */
void pv_tpl_bytes(
    struct pv_tpl *t, CK_ATTRIBUTE_TYPE type, const void *data, size_t len);

/* PKCS#11 takes non-const pointers to what it only reads. */
CK_BYTE_PTR pv_ck_bytes(const void *data);
CK_ATTRIBUTE_PTR pv_tpl_attributes(const struct pv_tpl *t);

/* An attribute that is absent or unreadable gives `dflt`. */
bool pv_attr_bool(const struct pv_hsm *hsm, CK_OBJECT_HANDLE obj,
    CK_ATTRIBUTE_TYPE type, bool dflt);
CK_ULONG pv_attr_ulong(const struct pv_hsm *hsm, CK_OBJECT_HANDLE obj,
    CK_ATTRIBUTE_TYPE type, CK_ULONG dflt);
/* *len: room, then length. Returns the CK_RV. */
CK_RV pv_attr_bytes(const struct pv_hsm *hsm, CK_OBJECT_HANDLE obj,
    CK_ATTRIBUTE_TYPE type, void *data, size_t *len);
/* Text attribute, terminated, cut to the room; empty when absent. */
void pv_attr_text(const struct pv_hsm *hsm, CK_OBJECT_HANDLE obj,
    CK_ATTRIBUTE_TYPE type, char *dst, size_t cap);

/* --- find.c ---------------------------------------------------------------- */

/* At most `max` handles; *ret_n == max may mean there are more. */
PV_MUST_USE int pv_find(const struct pv_hsm *hsm, const struct pv_tpl *t,
    CK_OBJECT_HANDLE *ret_objs, size_t max, size_t *ret_n, struct pv_error *e);

/* Every token object of class `cls` that the URI's object attributes match. */
PV_MUST_USE int pv_find_uri(const struct pv_hsm *hsm, P11KitUri *uri,
    CK_OBJECT_CLASS cls, CK_OBJECT_HANDLE *ret_objs, size_t max, size_t *ret_n,
    struct pv_error *e);

/* Does the URI's token part name the open token? PV_E_NO_KEY otherwise. */
PV_MUST_USE int pv_find_check_token(const struct pv_hsm *hsm, P11KitUri *uri,
    const char *text, struct pv_error *e);

/* Exactly one key object of class `cls`, or PV_E_NO_KEY with the count. */
PV_MUST_USE int pv_find_key(const struct pv_hsm *hsm, const char *text,
    CK_OBJECT_CLASS cls, CK_OBJECT_HANDLE *ret_obj, struct pv_error *e);

/* Why several matches are refused, or none was found. */
int pv_find_fail_count(const struct pv_hsm *hsm, const char *text,
    const char *what, size_t n, size_t max, struct pv_error *e);

/* --- ec_point.c: curves and points ------------------------------------------ */

#define PV_EC_POINT_MAX	 256U
#define PV_EC_PARAMS_MAX 64U

struct pv_curve {
	const char *name;      /* "ec-p256" */
	const uint8_t *params; /* DER of CKA_EC_PARAMS */
	size_t params_len;
	size_t coord; /* bytes of a coordinate */
	bool edwards; /* the point is `coord` bytes, no prefix */
};
const struct pv_curve *pv_curve_by_params(const uint8_t *params, size_t len);
const struct pv_curve *pv_curve_by_name(const char *name);

/* Length of a point: 2 * coord, or coord for Edwards curves. */
size_t pv_curve_point_len(const struct pv_curve *c);

/*
 * CKA_EC_POINT to X, Y (or the Edwards point): a DER OCTET STRING around the
 * point as PKCS#11 wants it, or the bare point as some modules give it.
 * PV_E_MALFORMED otherwise. out holds pv_curve_point_len bytes.
 */
PV_MUST_USE int pv_ec_point_parse(const struct pv_curve *c, const uint8_t *data,
    size_t len, uint8_t *out, struct pv_error *e);

/* Curve of a key object, NULL when it is no EC key or an unknown curve. */
const struct pv_curve *pv_key_curve(
    const struct pv_hsm *hsm, CK_OBJECT_HANDLE obj);
/* Read and parse CKA_EC_POINT of an object. */
PV_MUST_USE int pv_key_point(const struct pv_hsm *hsm, CK_OBJECT_HANDLE obj,
    const struct pv_curve *c, uint8_t *out, struct pv_error *e);
/* Point of a pair: from the public half with the same id, else of itself. */
PV_MUST_USE int pv_pair_point(const struct pv_hsm *hsm, CK_OBJECT_HANDLE priv,
    const struct pv_curve *c, uint8_t *out, struct pv_error *e);

/* --- public.c --------------------------------------------------------------- */

struct pv_pubkey;

/* The public key of an object; of a private one, from its public half. PV_E_NO_KEY
 * for a kind of key that does not sign here. */
PV_MUST_USE int pv_key_public(const struct pv_hsm *hsm, const char *uri,
    CK_OBJECT_HANDLE obj, bool is_private, struct pv_pubkey **ret_k,
    struct pv_error *e);

/* --- ephemeral.c: keys that live as long as one license ----------------------- */

/* Session objects that hold a secret must not outlive their use. */
void pv_session_key_destroy(const struct pv_hsm *hsm, CK_OBJECT_HANDLE *obj);

/*
 * A secret key of the session that may do one thing. Sensitive ones never
 * leave; the others may be read.
 */
void pv_session_key_template(struct pv_tpl *t, CK_KEY_TYPE type, CK_ULONG len,
    bool sensitive, CK_ATTRIBUTE_TYPE use);

/* A key pair on P-256 that only derives; its public half is out at once. */
PV_MUST_USE int pv_ephemeral_make(const struct pv_hsm *hsm,
    CK_OBJECT_HANDLE *ret_priv, uint8_t ret_pub[64], struct pv_error *e);

struct pv_ecdh {
	CK_ULONG kdf;	     /* CKD_NULL, CKD_SHA256_KDF */
	const uint8_t *info; /* SharedInfo of the kdf */
	size_t info_len;
	const struct pv_tpl *t; /* of the new key */
};
/*
 * CKM_ECDH1_DERIVE. *der_point: how this module wants the peer's point; it is
 * corrected when the other way worked.
 */
CK_RV pv_ephemeral_derive(const struct pv_hsm *hsm, CK_OBJECT_HANDLE priv,
    const uint8_t peer[64], const struct pv_ecdh *how, bool *der_point,
    CK_OBJECT_HANDLE *ret_obj);

/* --- resident.c, token.c ------------------------------------------------------------------ */

bool pv_hsm_has(const struct pv_hsm *hsm, CK_MECHANISM_TYPE mech);

/* A mechanism that something needs, and what to say when it is missing. */
struct pv_needed {
	CK_MECHANISM_TYPE mechanism;
	const char *fault;
};
#define PV_NEEDED(mech)                                 \
	{                                               \
		mech, "the token does not offer " #mech \
	}
/* The fault of the first that is missing, or NULL. */
const char *pv_hsm_lacks(
    const struct pv_hsm *hsm, const struct pv_needed *needed, size_t n);

/* NULL when the key can serve a resident license; else the reason. */
const char *pv_resident_oem_fault(
    const struct pv_hsm *hsm, CK_OBJECT_HANDLE secret_key);
const char *pv_resident_signer_fault(
    const struct pv_hsm *hsm, CK_OBJECT_HANDLE private_key);

/* NULL when the key can serve `ssp` and `ecies` inside a token that can. */
const char *pv_ecies_oem_fault(
    const struct pv_hsm *hsm, CK_OBJECT_HANDLE secret_key);

/* NULL when the value of the key can be had for `ssp` and `ecies`. */
const char *pv_key_bytes_fault(
    const struct pv_hsm *hsm, CK_OBJECT_HANDLE secret_key);

/*
 * What to do about a mechanism that is missing; falls back to `otherwise`. p11-kit's
 * remoting passes on only the mechanisms whose parameters it knows.
 */
int pv_hint_mechanism(
    const struct pv_hsm *hsm, const char *otherwise, struct pv_error *e);

/* Open a further session on the token; it shares the login. */
PV_MUST_USE int pv_hsm_session(const struct pv_hsm *hsm,
    CK_SESSION_HANDLE *ret_session, struct pv_error *e);

#endif
