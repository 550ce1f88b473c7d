/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FlashLayout files (.tsv): what goes where on an STM32MP board, as in
 * flashlayout.md. decode = text to struct, validate = meaning, encode = struct
 * to text; no I/O.
 */
#ifndef PV_FLASHLAYOUT_H
#define PV_FLASHLAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_LAYOUT_MAX	  (256U << 10) /* bytes: the alternate setting's size */
#define PV_LAYOUT_LINES	  0xf0U
#define PV_LAYOUT_DEVICES 5U
#define PV_LAYOUT_ID_MAX  0xf0U
#define PV_LAYOUT_NAME	  17U	/* with its terminator */
#define PV_LAYOUT_FILE	  1024U /* path, with its terminator */
#define PV_LAYOUT_COUNT	  255U	/* n of Binary(n) */

enum pv_layout_type {
	PV_LAYOUT_BINARY,
	PV_LAYOUT_FIP,
	PV_LAYOUT_FWU_MDATA,
	PV_LAYOUT_ENV,
	PV_LAYOUT_SYSTEM,
	PV_LAYOUT_FILESYSTEM,
	PV_LAYOUT_ESP,
	PV_LAYOUT_RAWIMAGE,
};

enum pv_layout_target {
	PV_LAYOUT_NONE,
	PV_LAYOUT_MMC,
	PV_LAYOUT_NOR,
	PV_LAYOUT_NAND,
	PV_LAYOUT_SPI_NAND,
	PV_LAYOUT_RAM,
};

struct pv_layout_line {
	unsigned int line;	   /* in the text, from 1 */
	bool select, empty, erase; /* P, E, D */
	uint8_t id;
	char name[PV_LAYOUT_NAME];
	enum pv_layout_type type;
	unsigned int count; /* 1, or n of Binary(n) */
	enum pv_layout_target target;
	unsigned int device;	/* digit behind the target */
	unsigned int boot_area; /* 1, 2: of an eMMC; 0: offset counts */
	uint64_t offset;
	bool has_file;		   /* the seventh column is there */
	char file[PV_LAYOUT_FILE]; /* "": none */
};

struct pv_layout {
	size_t n;
	struct pv_layout_line lines[PV_LAYOUT_LINES]; /* in text order */
	/* Where the text is when a v1 STM32 header is around it. */
	size_t text_at, text_len;
};

/* Does it look like one: an STM32 header or a comment or a first column? */
bool pv_layout_detect(const uint8_t *data, size_t len);

/*
 * Text to struct, and pv_layout_validate. Messages begin with the line.
 * PV_E_MALFORMED, PV_E_RANGE, PV_E_UNSUPPORTED (a v2 header around it). A
 * large struct: allocate it.
 */
PV_MUST_USE int pv_layout_decode(const uint8_t *data, size_t len,
    struct pv_layout *ret_l, struct pv_error *e);
/*
 * Meaning: ids once, files where something is written, targets, at most
 * PV_LAYOUT_DEVICES devices, no two lines at one place.
 */
PV_MUST_USE int pv_layout_validate(
    const struct pv_layout *l, struct pv_error *e);
/* Canonical text, one tab between columns; *len is the room, then length. */
PV_MUST_USE int pv_layout_encode(
    const struct pv_layout *l, char *dst, size_t *len, struct pv_error *e);

/* The line with this id, or NULL. */
const struct pv_layout_line *pv_layout_find(
    const struct pv_layout *l, uint8_t id);
/* "mmc0 boot1", "nor0 0x00080000", "none"; dst has PV_LAYOUT_PLACE. */
#define PV_LAYOUT_PLACE 40U
void pv_layout_place(
    const struct pv_layout_line *line, char dst[PV_LAYOUT_PLACE]);
const char *pv_layout_type_name(enum pv_layout_type type);

#endif
