/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One block of a UF2 file, byte by byte as in uf2.md. decode = bytes to
 * struct, validate = meaning, encode = struct to bytes; no I/O.
 */
#ifndef PV_UF2_H
#define PV_UF2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_UF2_BLOCK 512U
#define PV_UF2_DATA  476U /* room for data, checksum and tags */
#define PV_UF2_MD5   24U  /* at the end of it, when the flag says so */

#define PV_UF2_NOT_FLASH 0x00000001U /* comment; not to be written */
#define PV_UF2_CONTAINER 0x00001000U /* a file of a file system, not memory */
#define PV_UF2_FAMILY	 0x00002000U /* the family field is a family id */
#define PV_UF2_HAS_MD5	 0x00004000U
#define PV_UF2_TAGS	 0x00008000U /* tags follow the data */

struct pv_uf2_block {
	uint32_t flags;
	uint32_t addr;
	uint32_t size; /* bytes of data that count */
	uint32_t number;
	uint32_t count;
	uint32_t family; /* or the size of the file in a container */
	uint8_t data[PV_UF2_DATA];
};

/* Do these bytes (at least 8 of them) begin like a UF2 file? */
bool pv_uf2_detect(const void *data, size_t len);

/* `raw` has PV_UF2_BLOCK bytes. Wrong magic number: PV_E_MALFORMED. */
PV_MUST_USE int pv_uf2_decode(
    const uint8_t *raw, struct pv_uf2_block *ret_b, struct pv_error *e);
/*
 * Meaning of one block: sizes and numbers that fit, PV_E_MALFORMED; an address
 * past 32 bits, PV_E_RANGE; a file container, PV_E_UNSUPPORTED.
 */
PV_MUST_USE int pv_uf2_validate(
    const struct pv_uf2_block *b, struct pv_error *e);
void pv_uf2_encode(const struct pv_uf2_block *b, uint8_t *raw);

#endif
