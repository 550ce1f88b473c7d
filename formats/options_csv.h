/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option-byte CSV of SFI: rows `register,value`, and the C area made of
 * it. The rules of the text are in sfi.md, "Option-byte CSV".
 */
#ifndef PV_OPTIONS_CSV_H
#define PV_OPTIONS_CSV_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/sfi.h>

#define PV_OPTCSV_ROWS (PV_SFI_MAX_OPTIONS / 4U)
#define PV_OPTCSV_NAME 64U   /* with terminator */
#define PV_OPTCSV_LINE 256U  /* bytes of a line without its end */
#define PV_OPTCSV_MAX  8192U /* bytes of the file */

struct pv_optcsv {
	size_t n;
	char names[PV_OPTCSV_ROWS][PV_OPTCSV_NAME];
	uint32_t values[PV_OPTCSV_ROWS];
};

/*
 * Parse `len` bytes of text. Messages name the line; the caller adds the
 * file. PV_E_MALFORMED, or PV_E_RANGE for a value above 32 bits.
 */
PV_MUST_USE int pv_optcsv_decode(
    const char *text, size_t len, struct pv_optcsv *ret_o, struct pv_error *e);

/* Does the number of rows fit a chip with `words` option words (0: unknown)? */
PV_MUST_USE int pv_optcsv_validate(
    const struct pv_optcsv *o, uint32_t words, struct pv_error *e);

/*
 * As text with LF line ends that pv_optcsv_decode reads back to the same
 * rows. PV_E_USAGE when it does not fit `cap` bytes; *ret_len is without the
 * terminator.
 */
PV_MUST_USE int pv_optcsv_encode(const struct pv_optcsv *o, char *dst,
    size_t cap, size_t *ret_len, struct pv_error *e);

/* The C payload: every value as u32 little-endian, in row order. */
void pv_optcsv_payload(const uint32_t *values, size_t n,
    uint8_t ret_data[PV_SFI_MAX_OPTIONS], size_t *ret_len);

/* Rows WORD_0, WORD_1, ... of a C payload: the names are not in a package.
 * PV_E_MALFORMED unless 4, 8, ... PV_SFI_MAX_OPTIONS bytes. */
PV_MUST_USE int pv_optcsv_from_payload(const uint8_t *data, size_t len,
    struct pv_optcsv *ret_o, struct pv_error *e);

#endif
