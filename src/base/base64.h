/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648), strict. */
#ifndef PV_BASE64_H
#define PV_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

/* Characters that `len` bytes take, without a terminator. */
#define PV_BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* With padding and a terminator: dst holds PV_BASE64_LEN(len) + 1. */
void pv_base64_encode(char *dst, const void *data, size_t len);

/*
 * The whole text, with padding; line ends are passed over. PV_E_MALFORMED for
 * any other character, bits that are not zero behind the last byte, or more
 * than `cap` bytes. *ret_len is the length.
 */
PV_MUST_USE int pv_base64_decode(const char *text, size_t text_len,
    uint8_t *dst, size_t cap, size_t *ret_len, struct pv_error *e);

#endif
