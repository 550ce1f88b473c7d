/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DfuSe files (.dfu), byte by byte as in dfuse.md. decode = bytes to struct,
 * validate = meaning, encode = struct to bytes; no I/O.
 */
#ifndef PV_DFUSE_H
#define PV_DFUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_DFUSE_PREFIX	  11U
#define PV_DFUSE_TARGET	  274U
#define PV_DFUSE_ELEMENT  8U
#define PV_DFUSE_SUFFIX	  16U
#define PV_DFUSE_NAME	  255U
#define PV_DFUSE_TARGETS  255U	      /* the count is one byte */
#define PV_DFUSE_ELEMENTS 4096U	      /* of all targets together, our limit */
#define PV_DFUSE_MAX	  (64U << 20) /* bytes of a file in memory */

struct pv_dfuse_element {
	uint32_t addr;
	uint32_t size;
	const uint8_t *data; /* borrowed; NULL: decoded from a source */
	uint64_t offset;     /* of the data in the file; not encoded */
};

struct pv_dfuse_target {
	uint8_t alternate;
	uint32_t named;		     /* nonzero: the name counts */
	uint8_t name[PV_DFUSE_NAME]; /* whole field; text ends at a 0 */
	size_t first, count;	     /* in the array of elements */
};

struct pv_dfuse {
	uint16_t device; /* bcdDevice, 0xffff: any */
	uint16_t product;
	uint16_t vendor;
	size_t n_targets;
	struct pv_dfuse_target *targets; /* owned */
	size_t n_elements;
	struct pv_dfuse_element *elements; /* owned; data is not */
	/*
	 * The prefix gives another file size than the file has. Old versions of
	 * a common packing tool wrote that: worth a warning, not an error.
	 */
	bool size_wrong;
	uint32_t size_field; /* as found */
};

/* Do these bytes begin like a DfuSe file? */
bool pv_dfuse_detect(const void *data, size_t len);

/*
 * Take a file apart. Element data stays where it is, so `data` must outlive
 * *ret_d. Lengths that do not fit, a wrong CRC, bytes left over:
 * PV_E_MALFORMED; another version: PV_E_UNSUPPORTED.
 */
PV_MUST_USE int pv_dfuse_decode(const uint8_t *data, size_t len,
    struct pv_dfuse *ret_d, struct pv_error *e);
/*
 * The same from a file that is not in memory: `read` gives `n` bytes at `off`,
 * both inside `size`. Only headers are kept, the elements have no data; the
 * whole is read once for the CRC.
 */
struct pv_dfuse_source {
	int (*read)(
	    void *ctx, uint64_t off, void *dst, size_t n, struct pv_error *e);
	void *ctx;
	uint64_t size; /* bytes; at most 4 GiB */
};

PV_MUST_USE int pv_dfuse_decode_source(const struct pv_dfuse_source *src,
    struct pv_dfuse *ret_d, struct pv_error *e);
/*
 * Meaning: at least one byte to write, elements inside 32-bit addresses and,
 * within a target, not over each other.
 */
PV_MUST_USE int pv_dfuse_validate(const struct pv_dfuse *d, struct pv_error *e);
/*
 * The file as fresh memory, sizes and CRC computed; every element needs its
 * data. Caller frees.
 */
PV_MUST_USE int pv_dfuse_encode(const struct pv_dfuse *d, uint8_t **ret_data,
    size_t *ret_len, struct pv_error *e);
/* Frees the arrays and empties the struct. */
void pv_dfuse_release(struct pv_dfuse *d);

/* CRC of a DFU suffix; start with 0xffffffff. */
uint32_t pv_dfuse_crc(uint32_t crc, const uint8_t *data, size_t len);

#endif
