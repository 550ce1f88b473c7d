/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The .sfi container, byte by byte as in sfi.md. decode = bytes to struct,
 * validate = meaning, encode = struct to bytes; no I/O and no cryptography.
 */
#ifndef PV_SFI_H
#define PV_SFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_SFI_MAGIC	   "SFIMAGIC"
#define PV_SFI_HEADER	   28U /* bytes, tag included */
#define PV_SFI_HEADER_AAD  12U
#define PV_SFI_AREA	   30U /* bytes of an area header, tag included */
#define PV_SFI_AREA_AAD	   14U
#define PV_SFI_TAG	   16U
#define PV_SFI_NONCE	   12U
#define PV_SFI_KEY	   16U
#define PV_SFI_MAX_AREAS   65535U
#define PV_SFI_MAX_OPTIONS 128U /* bytes of a C area, our limit */

struct pv_sfi_header {
	uint16_t version; /* protocol: 1 or 2 */
	uint16_t n_areas;
	uint8_t tag[PV_SFI_TAG];
};

struct pv_sfi_area {
	uint8_t type;	  /* 'F', 'C', ...; any letter decodes */
	uint8_t version;  /* image version */
	uint16_t index;	  /* 1-based */
	uint32_t size;	  /* payload bytes */
	uint32_t address; /* 0 for 'C' */
	uint16_t total;	  /* = n_areas of the header */
	uint8_t tag[PV_SFI_TAG];
};

/* How index i is added to the nonce; sfi.md names each. */
enum pv_sfi_iv_add {
	PV_SFI_IV_BE96, /* default */
	PV_SFI_IV_LE32_HI,
	PV_SFI_IV_LE32_LO,
};

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
PV_MUST_USE int pv_sfi_iv_add_parse(
    const char *text, enum pv_sfi_iv_add *ret_rule, struct pv_error *e);

/*
 * Walk an open file: reads the header and every area header, checks them and
 * the end of the file. `each` gets the area and the file offset of its
 * payload; nonzero from it stops and is returned.
 */
PV_MUST_USE int pv_sfi_walk(int fd, const char *path,
    struct pv_sfi_header *ret_h,
    int (*each)(void *ctx, const struct pv_sfi_area *a, uint64_t payload_off,
	struct pv_error *e),
    void *ctx, struct pv_error *e);

#endif
