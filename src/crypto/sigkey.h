/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures over messages, by the algorithm of the key: ECDSA on P-256 with
 * SHA-256, ECDSA on P-384 with SHA-384 (r then s, big-endian), Ed25519. All
 * are deterministic, ECDSA by RFC 6979.
 */
#ifndef PV_SIGKEY_H
#define PV_SIGKEY_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/signature.h>

/* --- public keys ---------------------------------------------------------- */

struct pv_pubkey; /* opaque */

/* From a PEM "PUBLIC KEY" or "CERTIFICATE"; another algorithm is
 * PV_E_UNSUPPORTED. */
PV_MUST_USE int pv_pubkey_read_pem(
    const char *path, struct pv_pubkey **ret_k, struct pv_error *e);
/* From a point: X then Y, or the 32 bytes of Ed25519. PV_E_VERIFY when it is
 * none of the curve. */
PV_MUST_USE int pv_pubkey_from_point(enum pv_sig_alg alg, const uint8_t *point,
    size_t len, struct pv_pubkey **ret_k, struct pv_error *e);
void pv_pubkey_free(struct pv_pubkey *k);
enum pv_sig_alg pv_pubkey_alg(const struct pv_pubkey *k);
/* SHA-256 of the SubjectPublicKeyInfo in DER. */
PV_MUST_USE int pv_pubkey_id(
    const struct pv_pubkey *k, uint8_t ret_id[32], struct pv_error *e);
/* PV_E_VERIFY unless the signature over the message is good. */
PV_MUST_USE int pv_pubkey_verify(const struct pv_pubkey *k, const void *msg,
    size_t len, const uint8_t *sig, size_t sig_len, struct pv_error *e);

/* --- key pairs ------------------------------------------------------------ */

struct pv_sigkey; /* opaque */

/* From an unencrypted PEM private key. */
PV_MUST_USE int pv_sigkey_read_pem(
    const char *path, struct pv_sigkey **ret_k, struct pv_error *e);
void pv_sigkey_free(struct pv_sigkey *k);
/* Its public half, borrowed. */
const struct pv_pubkey *pv_sigkey_public(const struct pv_sigkey *k);
PV_MUST_USE int pv_sigkey_sign(const struct pv_sigkey *k, const void *msg,
    size_t len, uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len,
    struct pv_error *e);

#endif
