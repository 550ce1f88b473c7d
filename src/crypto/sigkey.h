/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures by the algorithm of the key: ECDSA on P-256 with SHA-256, ECDSA
 * on P-384 with SHA-384 (r then s, big-endian), Ed25519, and RSASSA-PSS of
 * 2048 and 3072 bits with SHA-256. All are deterministic: ECDSA by RFC 6979,
 * PSS by a salt derived from the digest (pss.h).
 */
#ifndef PV_SIGKEY_H
#define PV_SIGKEY_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/signature.h>

struct pv_passphrase;

/* --- public keys: pubkey.c -------------------------------------------------- */

struct pv_pubkey; /* opaque */

/* From a PEM "PUBLIC KEY" or "CERTIFICATE"; another algorithm is
 * PV_E_UNSUPPORTED. */
PV_MUST_USE int pv_pubkey_read_pem(
    const char *path, struct pv_pubkey **ret_k, struct pv_error *e);
/* The same, or the public half of a private key; `pass` may be NULL. */
PV_MUST_USE int pv_pubkey_read_any(const char *path,
    const struct pv_passphrase *pass, struct pv_pubkey **ret_k,
    struct pv_error *e);
/* From a point: X then Y, or the 32 bytes of Ed25519. PV_E_VERIFY when it is
 * none of the curve. */
PV_MUST_USE int pv_pubkey_from_point(enum pv_sig_alg alg, const uint8_t *point,
    size_t len, struct pv_pubkey **ret_k, struct pv_error *e);
/* From modulus and exponent, big-endian. */
PV_MUST_USE int pv_pubkey_from_rsa(const uint8_t *n, size_t n_len,
    const uint8_t *x, size_t x_len, struct pv_pubkey **ret_k,
    struct pv_error *e);
/* From a SubjectPublicKeyInfo in DER; PV_E_MALFORMED when it is none. */
PV_MUST_USE int pv_pubkey_from_spki(const uint8_t *der, size_t len,
    struct pv_pubkey **ret_k, struct pv_error *e);
void pv_pubkey_free(struct pv_pubkey *k);
enum pv_sig_alg pv_pubkey_alg(const struct pv_pubkey *k);
/* SHA-256 of the SubjectPublicKeyInfo in DER. */
PV_MUST_USE int pv_pubkey_id(
    const struct pv_pubkey *k, uint8_t ret_id[32], struct pv_error *e);
/* The SubjectPublicKeyInfo in DER, at most PV_SPKI_MAX bytes. */
PV_MUST_USE int pv_pubkey_spki(const struct pv_pubkey *k,
    uint8_t ret_der[PV_SPKI_MAX], size_t *ret_len, struct pv_error *e);
/* RSA only: the RSAPublicKey of PKCS#1 in DER, shorter than the above. */
PV_MUST_USE int pv_pubkey_pkcs1(const struct pv_pubkey *k,
    uint8_t ret_der[PV_SPKI_MAX], size_t *ret_len, struct pv_error *e);
/* The point: 64 or 96 bytes X then Y, or the 32 of Ed25519; PV_E_UNSUPPORTED
 * for RSA. */
PV_MUST_USE int pv_pubkey_point(const struct pv_pubkey *k,
    uint8_t ret_point[96], size_t *ret_len, struct pv_error *e);
/* PV_E_VERIFY unless the signature over the message is good. */
PV_MUST_USE int pv_pubkey_verify(const struct pv_pubkey *k, const void *msg,
    size_t len, const uint8_t *sig, size_t sig_len, struct pv_error *e);
/* The same over a digest of pv_sig_alg_digest bytes; not for Ed25519. */
PV_MUST_USE int pv_pubkey_verify_digest(const struct pv_pubkey *k,
    const uint8_t *digest, size_t len, const uint8_t *sig, size_t sig_len,
    struct pv_error *e);

/* --- key pairs: sigkey.c ---------------------------------------------------- */

struct pv_sigkey; /* opaque */

/* From a PEM private key; `pass` may be NULL. */
PV_MUST_USE int pv_sigkey_read_pem(const char *path,
    const struct pv_passphrase *pass, struct pv_sigkey **ret_k,
    struct pv_error *e);
void pv_sigkey_free(struct pv_sigkey *k);
/* Its public half, borrowed. */
const struct pv_pubkey *pv_sigkey_public(const struct pv_sigkey *k);
PV_MUST_USE int pv_sigkey_sign(const struct pv_sigkey *k, const void *msg,
    size_t len, uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len,
    struct pv_error *e);
PV_MUST_USE int pv_sigkey_sign_digest(const struct pv_sigkey *k,
    const uint8_t *digest, size_t len, uint8_t ret_sig[PV_SIG_MAX],
    size_t *ret_len, struct pv_error *e);
/* The key of a file behind the interface of a token's. */
PV_MUST_USE int pv_sigkey_signer(const char *path,
    const struct pv_passphrase *pass, struct pv_message_signer *ret_signer,
    struct pv_error *e);

#endif
