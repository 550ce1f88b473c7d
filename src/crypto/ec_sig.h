/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA signatures between r || s and the DER that OpenSSL takes. */
#ifndef PV_EC_SIG_H
#define PV_EC_SIG_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_EC_DER_SIG	  72U  /* longest DER form for P-256 */
#define PV_EC_DER_SIG_MAX 104U /* ... for P-384 */

/* 1 on success; *len is the room, then the length. */
int pv_ec_sig_to_der(const uint8_t sig[64], uint8_t *der, size_t *len);

/* The same with r and s of `size` bytes each, 32 or 48. */
int pv_ec_raw_sig_to_der(
    size_t size, const uint8_t *sig, uint8_t *der, size_t *len);

/*
 * The other way: minimal DER of at most `len` bytes. *ret_used is its length;
 * bytes may follow. 1 on success.
 */
int pv_ec_raw_sig_from_der(size_t size, const uint8_t *der, size_t len,
    uint8_t *ret_sig, size_t *ret_used);

/*
 * Signs a digest with a scalar, all of them `size` bytes: 32 for P-256 with
 * SHA-256, 48 for P-384 with SHA-384. The nonce is RFC 6979 with that hash.
 */
PV_MUST_USE int pv_ecdsa_sign_raw(size_t size, const uint8_t *d,
    const uint8_t *digest, uint8_t *ret_sig, struct pv_error *e);

#endif
