/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal text, and numbers as users type them. */
#ifndef PV_HEX_H
#define PV_HEX_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

/* Lower-case hex of `len` bytes with a terminator: dst holds 2*len + 1. */
void pv_hex_encode(char *dst, const void *data, size_t len);

/* Exactly 2*len hex digits of either case; PV_E_MALFORMED otherwise. */
PV_MUST_USE int pv_hex_decode(
    const char *hex, void *data, size_t len, struct pv_error *e);

/*
 * An unsigned number as on the command line: decimal or 0x hex, at most
 * `max`. pv_parse_size also takes a suffix K or M (1024, 1024 squared).
 * `what` names the value in the message; the code is PV_E_USAGE.
 */
PV_MUST_USE int pv_parse_u64(const char *text, uint64_t max, const char *what,
    uint64_t *ret_v, struct pv_error *e);
PV_MUST_USE int pv_parse_size(const char *text, uint64_t max, const char *what,
    uint64_t *ret_v, struct pv_error *e);

#endif
