/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NIST P-256: keys, ECDH, ECDSA. A public key is 64 bytes, X then Y, both
 * big-endian; a signature is 64 bytes, r then s, both big-endian.
 */
#ifndef PV_EC_H
#define PV_EC_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_EC_PUBLIC 64U
#define PV_EC_SCALAR 32U
#define PV_EC_SIG    64U

/* PV_E_VERIFY unless the point lies on the curve (and is not infinity). */
PV_MUST_USE int pv_ec_check_public(
    const uint8_t pub[PV_EC_PUBLIC], struct pv_error *e);

/*
 * PV_E_VERIFY unless the signature over a 32-byte digest is good. r or s of
 * zero or at least the group order is refused.
 */
PV_MUST_USE int pv_ecdsa_verify(const uint8_t pub[PV_EC_PUBLIC],
    const uint8_t digest[32], const uint8_t sig[PV_EC_SIG], struct pv_error *e);

/* A public key parsed once, for many signatures. */
struct pv_ec_public;
PV_MUST_USE int pv_ec_public_new(const uint8_t pub[PV_EC_PUBLIC],
    struct pv_ec_public **ret_k, struct pv_error *e);
void pv_ec_public_free(struct pv_ec_public *k);
/* As pv_ecdsa_verify. */
PV_MUST_USE int pv_ec_public_verify(struct pv_ec_public *k,
    const uint8_t digest[32], const uint8_t sig[PV_EC_SIG], struct pv_error *e);

/* A key pair held by OpenSSL. */
struct pv_ec_key; /* opaque */
PV_MUST_USE int pv_ec_generate(struct pv_ec_key **ret_k, struct pv_error *e);
/* From a 32-byte big-endian scalar. */
PV_MUST_USE int pv_ec_from_scalar(const uint8_t d[PV_EC_SCALAR],
    struct pv_ec_key **ret_k, struct pv_error *e);
/* From an unencrypted PEM file, PKCS#8 or SEC1. */
PV_MUST_USE int pv_ec_read_pem(
    const char *path, struct pv_ec_key **ret_k, struct pv_error *e);
/* The same, or an encrypted one; `pass` may be NULL. */
struct pv_passphrase;
PV_MUST_USE int pv_ec_read_pem_pass(const char *path,
    const struct pv_passphrase *pass, struct pv_ec_key **ret_k,
    struct pv_error *e);
/* PKCS#8 PEM, mode 0600. */
PV_MUST_USE int pv_ec_write_pem(
    const struct pv_ec_key *k, const char *path, struct pv_error *e);
void pv_ec_free(struct pv_ec_key *k);
PV_MUST_USE int pv_ec_public(const struct pv_ec_key *k,
    uint8_t ret_pub[PV_EC_PUBLIC], struct pv_error *e);
PV_MUST_USE int pv_ec_scalar(
    const struct pv_ec_key *k, uint8_t ret_d[PV_EC_SCALAR], struct pv_error *e);
/* Signs a digest; the nonce is RFC 6979 with SHA-256: same bytes each time. */
PV_MUST_USE int pv_ecdsa_sign(const struct pv_ec_key *k,
    const uint8_t digest[32], uint8_t ret_sig[PV_EC_SIG], struct pv_error *e);
/* Z, the X coordinate of the shared point: 32 bytes, zero-padded left. */
PV_MUST_USE int pv_ecdh(const struct pv_ec_key *k,
    const uint8_t peer[PV_EC_PUBLIC], uint8_t ret_z[32], struct pv_error *e);

/*
 * Public key files: PEM "PUBLIC KEY" or the key of a PEM "CERTIFICATE". A key
 * that is not P-256 is PV_E_UNSUPPORTED.
 */
PV_MUST_USE int pv_ec_read_public_pem(
    const char *path, uint8_t ret_pub[PV_EC_PUBLIC], struct pv_error *e);
PV_MUST_USE int pv_ec_write_public_pem(
    const char *path, const uint8_t pub[PV_EC_PUBLIC], struct pv_error *e);

#endif
