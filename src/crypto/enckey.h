/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that image keys are encrypted to: P-256 and X25519 (ECDH), RSA-2048
 * (OAEP with SHA-256, MGF1 with SHA-256, empty label).
 */
#ifndef PV_ENCKEY_H
#define PV_ENCKEY_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/keystore.h>

struct pv_passphrase;
struct pv_enckey; /* opaque: a public key */

/*
 * From a PEM public key, certificate or private key, of which only the public
 * half is used. Another kind of key is PV_E_UNSUPPORTED. `pass` may be NULL.
 */
PV_MUST_USE int pv_enckey_read(const char *path,
    const struct pv_passphrase *pass, struct pv_enckey **ret_k,
    struct pv_error *e);
/* From a SubjectPublicKeyInfo. */
PV_MUST_USE int pv_enckey_from_spki(const uint8_t *der, size_t len,
    struct pv_enckey **ret_k, struct pv_error *e);
void pv_enckey_free(struct pv_enckey *k);
enum pv_enc_kind pv_enckey_kind(const struct pv_enckey *k);
/* SHA-256 of the SubjectPublicKeyInfo. */
PV_MUST_USE int pv_enckey_id(
    const struct pv_enckey *k, uint8_t ret_id[32], struct pv_error *e);

/*
 * ECDH with an ephemeral key whose private half is `scalar` (big-endian for
 * P-256, as it is for X25519): gives its public half, 65 bytes that begin with
 * 0x04 or 32, and Z. A scalar that is none of P-256 is PV_E_RANGE.
 */
PV_MUST_USE int pv_enckey_agree(const struct pv_enckey *k,
    const uint8_t scalar[32], uint8_t ret_pub[65], size_t *ret_len,
    uint8_t ret_z[32], struct pv_error *e);
/* RSA-OAEP of at most 190 bytes; `seed` is 32 random bytes. */
PV_MUST_USE int pv_enckey_oaep(const struct pv_enckey *k,
    const uint8_t seed[32], const uint8_t *msg, size_t len,
    uint8_t ret_out[256], struct pv_error *e);

/* What raw RSA gave, to the message; PV_E_VERIFY when the padding is wrong. The
 * padding is looked at as a whole, so that time says nothing about where. */
PV_MUST_USE int pv_oaep_decode(
    const uint8_t em[256], uint8_t *ret_msg, size_t *len, struct pv_error *e);

/* The private key of a PEM file. */
PV_MUST_USE int pv_opener_read(const char *path,
    const struct pv_passphrase *pass, struct pv_opener *ret_o,
    struct pv_error *e);

#endif
