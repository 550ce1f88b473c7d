/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ST's formats have in common: ECDSA on P-256 with SHA-256, 64 bytes r
 * then s; made here, or elsewhere and brought back in a file.
 */
#ifndef PV_IMAGE_P256_H
#define PV_IMAGE_P256_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/signature.h>

struct pv_pubkey;

/* X then Y of a key; PV_E_UNSUPPORTED when it is not P-256. */
PV_MUST_USE int pv_p256_of_key(
    const struct pv_pubkey *k, uint8_t ret_point[64], struct pv_error *e);
/* X then Y of the signer's key; PV_E_UNSUPPORTED when it is not P-256. */
PV_MUST_USE int pv_p256_point(const struct pv_message_signer *s,
    uint8_t ret_point[64], struct pv_error *e);
/* PV_E_UNSUPPORTED when the key is not P-256. */
PV_MUST_USE int pv_p256_sign(const struct pv_message_signer *s,
    const uint8_t digest[32], uint8_t ret_sig[64], struct pv_error *e);

/*
 * A signature from a file: 64 bytes, DER, or either in base64.
 * PV_E_MALFORMED when it is none of them.
 */
PV_MUST_USE int pv_p256_read_signature(
    const char *path, uint8_t ret_sig[64], struct pv_error *e);

#endif
