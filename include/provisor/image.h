/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Firmware as one sparse memory image: segments sorted by address that never
 * overlap. Readers exist for ELF32 ARM, Intel HEX, S-record, DfuSe, UF2 and raw
 * files; the data of a raw, ELF or DfuSe file stays on disk and is read when
 * asked for, that of the others beyond a few MiB goes to an unlinked temporary
 * file (TMPDIR), so a large image costs no memory.
 */
#ifndef PROVISOR_IMAGE_H
#define PROVISOR_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/chip.h>
#include <provisor/err.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pv_firmware_kind {
	PV_FIRMWARE_RAW,
	PV_FIRMWARE_ELF,
	PV_FIRMWARE_IHEX,
	PV_FIRMWARE_SREC,
	PV_FIRMWARE_DFUSE,
	PV_FIRMWARE_UF2,
};

struct pv_image; /* opaque */

PV_MUST_USE int pv_image_new(struct pv_image **ret_img, struct pv_error *e);
void pv_image_free(struct pv_image *img);

/*
 * Add a file; its kind is found by content. `text` is what the user typed:
 * FILE or FILE@ADDR. A raw file needs the address (PV_E_USAGE without); the
 * others refuse one. Overlap with what is there already: PV_E_OVERLAP,
 * naming both sources and the address. Empty input: PV_E_MALFORMED.
 */
PV_MUST_USE int pv_image_add_file(
    struct pv_image *img, const char *text, struct pv_error *e);

/* Add bytes (copied). `source` names them in messages. */
PV_MUST_USE int pv_image_add(struct pv_image *img, uint64_t addr,
    const void *data, size_t len, const char *source, struct pv_error *e);

/*
 * Join segments that lie at most `gap` bytes apart; a gap reads as `fill`. A
 * gap of 0 joins those that touch. Replaces an earlier merge; what is added
 * later is not merged until this is called again.
 */
PV_MUST_USE int pv_image_merge(
    struct pv_image *img, uint64_t gap, uint8_t fill, struct pv_error *e);

/*
 * One segment. `source` is borrowed: the path as typed, for ELF files with
 * the number readelf -l gives the program header: "app.elf segment 0"; of
 * several merged ones: "app.elf segment 0 and 2 more".
 */
struct pv_segment {
	uint64_t addr;
	uint64_t size; /* bytes, at least 1 */
	const char *source;
};

size_t pv_image_count(const struct pv_image *img);
/* i < count */
void pv_image_segment(
    const struct pv_image *img, size_t i, struct pv_segment *ret_seg);
/* Sum of the segment sizes. */
uint64_t pv_image_size(const struct pv_image *img);

/* Copy `len` bytes at `off` of segment i; both inside the segment. */
PV_MUST_USE int pv_image_read(const struct pv_image *img, size_t i,
    uint64_t off, void *data, size_t len, struct pv_error *e);

/* Entry point of an ELF or start record, if any. */
bool pv_image_entry(const struct pv_image *img, uint64_t *ret_addr);

/* Family id of UF2 files, if they gave one (all of them the same). */
bool pv_image_family(const struct pv_image *img, uint32_t *ret_family);

/*
 * Every segment must lie in flash of the chip (and RAM when allow_ram):
 * PV_E_RANGE names source and address.
 */
PV_MUST_USE int pv_image_check(const struct pv_image *img,
    const struct pv_chip *chip, bool allow_ram, struct pv_error *e);

/* Kind by content: ELF, DfuSe or UF2 magic, ':' or 'S' records, else raw. */
PV_MUST_USE int pv_firmware_detect(
    const char *path, enum pv_firmware_kind *ret_kind, struct pv_error *e);
const char *pv_firmware_kind_name(enum pv_firmware_kind kind);

#ifdef __cplusplus
}
#endif
#endif
