/* SPDX-License-Identifier: Apache-2.0 */
/* AES-ECB of short data, AES key wrap (RFC 3394), ANSI X9.63 derivation. */
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

#endif
