/* SPDX-License-Identifier: Apache-2.0 */
/* AES-128-CBC without padding (NIST SP 800-38A), AES-CMAC (SP 800-38B). */
#ifndef PV_CBC_H
#define PV_CBC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

/* len is a multiple of 16; out may equal in. */
PV_MUST_USE int pv_aes128_cbc(const uint8_t key[16], bool decrypt,
    const uint8_t iv[16], const uint8_t *in, size_t len, uint8_t *out,
    struct pv_error *e);

/* key_len is 16 or 32. */
PV_MUST_USE int pv_aes_cmac(const uint8_t *key, size_t key_len,
    const uint8_t *msg, size_t len, uint8_t ret_mac[16], struct pv_error *e);

#endif
