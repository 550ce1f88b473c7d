/* SPDX-License-Identifier: Apache-2.0 */
/* AES-ECB of short data, AES-CTR, AES key wrap (RFC 3394), HMAC, HKDF, ANSI X9.63
 * derivation. */
#ifndef PV_KDF_H
#define PV_KDF_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

/* AES-128/256-ECB encryption of len bytes, a multiple of 16. */
PV_MUST_USE int pv_aes_ecb(const uint8_t *key, size_t key_len,
    const uint8_t *in, size_t len, uint8_t *out, struct pv_error *e);

/* RFC 3394 with the default IV: in len (multiple of 8, 16..) to len + 8. */
PV_MUST_USE int pv_aes_wrap(const uint8_t *kek, size_t kek_len,
    const uint8_t *in, size_t len, uint8_t *out, struct pv_error *e);
/* len (24..) to len - 8; PV_E_VERIFY when the integrity check fails. */
PV_MUST_USE int pv_aes_unwrap(const uint8_t *kek, size_t kek_len,
    const uint8_t *in, size_t len, uint8_t *out, struct pv_error *e);

/*
 * ANSI X9.63 key derivation with SHA-256 (SEC 1 section 3.6.1): block i =
 * SHA-256(z || BE32(i) || info), i = 1, 2, ...; out_len is at most 8160.
 */
PV_MUST_USE int pv_x963_sha256(const uint8_t *z, size_t z_len, const void *info,
    size_t info_len, uint8_t *out, size_t out_len, struct pv_error *e);

/* HMAC (RFC 2104) with SHA-256 or SHA-512, bits / 8 bytes. */
PV_MUST_USE int pv_hmac(unsigned int bits, const uint8_t *key, size_t key_len,
    const void *data, size_t len, uint8_t *ret_mac, struct pv_error *e);
/*
 * HKDF (RFC 5869) with the same hashes and a salt of zeros of the hash's
 * length; out_len is at most 255 times that.
 */
PV_MUST_USE int pv_hkdf(unsigned int bits, const uint8_t *ikm, size_t ikm_len,
    const void *info, size_t info_len, uint8_t *out, size_t out_len,
    struct pv_error *e);

/* AES-CTR as a stream: key of 16 or 32 bytes, initial counter block (NULL:
 * zeros), big-endian increment of all 128 bits. */
struct pv_ctr; /* opaque */
PV_MUST_USE int pv_ctr_new(const uint8_t *key, size_t key_len,
    const uint8_t block[16], struct pv_ctr **ret_c, struct pv_error *e);
/* out may equal in. */
PV_MUST_USE int pv_ctr_update(struct pv_ctr *c, const uint8_t *in, uint8_t *out,
    size_t len, struct pv_error *e);
void pv_ctr_free(struct pv_ctr *c); /* wipes */

#endif
