/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Detached signatures of packages: whether the OEM released a file, beside
 * whether it can be decrypted. The file format is in formats/signature.md.
 */
#ifndef PROVISOR_SIGNATURE_H
#define PROVISOR_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The values stand in signature files. */
enum pv_sig_alg {
	PV_SIG_ECDSA_P256 = 1, /* with SHA-256 */
	PV_SIG_ECDSA_P384 = 2, /* with SHA-384 */
	PV_SIG_ED25519 = 3,
	/* RSASSA-PSS (RFC 8017) with SHA-256, MGF1 with SHA-256, salt of 32
	 * bytes. Images only: packages are not signed with RSA. */
	PV_SIG_RSA2048_PSS = 4,
	PV_SIG_RSA3072_PSS = 5,
};
#define PV_SIG_MAX  384U /* bytes, a signature of RSA-3072 */
#define PV_SPKI_MAX 512U /* bytes, SubjectPublicKeyInfo of RSA-3072 */
/* "ecdsa-p256-sha256", "ecdsa-p384-sha384", "ed25519", "rsa-2048-pss-sha256" */
const char *pv_sig_alg_name(enum pv_sig_alg alg);
/* Bytes of the digest that is signed: 32 or 48; 0 for Ed25519, which signs
 * messages only. */
size_t pv_sig_alg_digest(enum pv_sig_alg alg);

/*
 * A key that signs, in a file or somewhere else, with its public half. ECDSA
 * signatures are r then s, big-endian. `free` ends ctx.
 */
struct pv_message_signer {
	void *ctx;
	enum pv_sig_alg alg;
	uint8_t spki[PV_SPKI_MAX]; /* SubjectPublicKeyInfo in DER */
	size_t spki_len;
	int (*sign)(void *ctx, const void *msg, size_t len,
	    uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len, struct pv_error *e);
	/* The digest is pv_sig_alg_digest(alg) bytes; PV_E_UNSUPPORTED when
	 * the algorithm signs messages only. */
	int (*sign_digest)(void *ctx, const uint8_t *digest, size_t len,
	    uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len, struct pv_error *e);
	void (*free)(void *ctx);
};
void pv_message_signer_release(struct pv_message_signer *s);

struct pv_signature {
	enum pv_sig_alg alg;
	uint64_t file_size; /* of what is signed */
	uint8_t digest[32]; /* SHA-256 of it */
	uint8_t key_id[32]; /* SHA-256 of the SubjectPublicKeyInfo */
	uint8_t sig[PV_SIG_MAX];
	size_t sig_len;
};

/*
 * Sign the package `path` with a PEM private key, into `sig_path`. A file
 * that is not a whole package is refused as `sfi inspect` refuses it.
 */
PV_MUST_USE int pv_signature_make_file(const char *path, const char *key_pem,
    const char *sig_path, struct pv_signature *ret_s, struct pv_error *e);
/* The same with a key that signs elsewhere, such as in a token. */
PV_MUST_USE int pv_signature_make(const char *path,
    const struct pv_message_signer *signer, const char *sig_path,
    struct pv_signature *ret_s, struct pv_error *e);

/*
 * Does `sig_path` hold a signature of the file `path` by the key in `pem` (a
 * public key or certificate)? PV_E_VERIFY says what differs; a file that is
 * no signature is PV_E_MALFORMED, a missing one PV_E_NOT_FOUND.
 */
PV_MUST_USE int pv_signature_check(const char *path, const char *sig_path,
    const char *pem, struct pv_signature *ret_s, struct pv_error *e);
/* The same for an open file of which SHA-256 and size are known. */
PV_MUST_USE int pv_signature_check_digest(const uint8_t digest[32],
    uint64_t file_size, const char *sig_path, const char *pem,
    struct pv_signature *ret_s, struct pv_error *e);

#ifdef __cplusplus
}
#endif
#endif
