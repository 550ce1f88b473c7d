/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory map a DfuSe device tells in the name of an alternate setting:
 *
 *   @Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg
 *
 * A name, then for each start address a list of COUNT*SIZE with a unit (blank
 * or B: bytes, K, M, G) and a letter a..g whose low three bits say what may be
 * done: 1 read, 2 erase, 4 write (ST UM0424 section 4.3.2, as dfu-util reads
 * it). Accepted beyond that: blanks around names and numbers, no unit.
 */
#ifndef PROVISOR_DFU_MAP_H
#define PROVISOR_DFU_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV_DFU_MAP_NAME	    64U
#define PV_DFU_MAP_SEGMENTS 32U
/* A USB string descriptor holds 126 UTF-16 units. */
#define PV_DFU_MAP_TEXT	    256U

enum pv_dfu_access {
	PV_DFU_READ = 1,
	PV_DFU_ERASE = 2,
	PV_DFU_WRITE = 4,
};

/* `count` equal pieces of `size` bytes from `base` up. */
struct pv_dfu_segment {
	uint64_t base;
	uint64_t size;
	uint32_t count;
	unsigned int access; /* of enum pv_dfu_access; 0: none was given */
};

struct pv_dfu_map {
	char name[PV_DFU_MAP_NAME]; /* without padding, masked */
	size_t n;
	struct pv_dfu_segment segments[PV_DFU_MAP_SEGMENTS];
};

/*
 * Take a string apart. Anything but the above, segments over each other, and
 * sizes that run out of the address space are PV_E_MALFORMED.
 */
PV_MUST_USE int pv_dfu_map_parse(
    const char *text, struct pv_dfu_map *ret_map, struct pv_error *e);

/* Is every byte of [addr, addr + len) mapped with all bits of `access`? */
bool pv_dfu_map_has(const struct pv_dfu_map *map, uint64_t addr, uint64_t len,
    unsigned int access);

/* The piece that holds `addr`; false when it is not in the map. */
bool pv_dfu_map_piece(const struct pv_dfu_map *map, uint64_t addr,
    uint64_t *ret_base, uint64_t *ret_size);

/* Bytes from the lowest to past the highest mapped; false when empty. */
bool pv_dfu_map_span(
    const struct pv_dfu_map *map, uint64_t *ret_base, uint64_t *ret_size);

#ifdef __cplusplus
}
#endif
#endif
