/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The .sfi container, byte by byte as in sfi.md. decode = bytes to struct,
 * validate = meaning, encode = struct to bytes; no I/O and no cryptography.
 */
#ifndef PV_SFI_H
#define PV_SFI_H

#include <stdint.h>

#include <provisor/err.h>
#include <provisor/sfi.h>

PV_MUST_USE int pv_sfi_header_decode(const uint8_t data[PV_SFI_HEADER],
    struct pv_sfi_header *ret_h, struct pv_error *e);
void pv_sfi_header_encode(
    const struct pv_sfi_header *h, uint8_t ret_data[PV_SFI_HEADER]);
void pv_sfi_area_decode(
    const uint8_t data[PV_SFI_AREA], struct pv_sfi_area *ret_a);
void pv_sfi_area_encode(
    const struct pv_sfi_area *a, uint8_t ret_data[PV_SFI_AREA]);
/*
 * Does area number `index` (1-based) of a file with header h make sense:
 * index, total, size against `left` bytes after the area header.
 */
PV_MUST_USE int pv_sfi_area_validate(const struct pv_sfi_header *h,
    const struct pv_sfi_area *a, uint16_t index, uint64_t left,
    struct pv_error *e);

/* IV of area `index` (0 = file header). */
void pv_sfi_iv(enum pv_sfi_iv_add rule, const uint8_t nonce[PV_SFI_NONCE],
    uint16_t index, uint8_t ret_iv[PV_SFI_NONCE]);
/*
 * Walk an open file: reads the header and every area header, checks them and
 * the end of the file. *ret_h is set before the first area. `each` (or NULL)
 * gets the area and the file offset of its payload; nonzero from it stops
 * and is returned. Does I/O, so it lives in src/package/walk.c.
 */
PV_MUST_USE int pv_sfi_walk(int fd, const char *path,
    struct pv_sfi_header *ret_h, pv_sfi_each_fn each, void *ctx,
    struct pv_error *e);

#endif
