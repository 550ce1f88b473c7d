/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MCUboot images and ST's variants: reading, signing, verifying, encrypting.
 * The bytes are formats/mcuboot.h; keys come through keystore.h and
 * signature.h.
 */
#ifndef PV_IMAGE_MCUBOOT_H
#define PV_IMAGE_MCUBOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/mcuboot.h"

struct pv_image;

/* --- flavors: mcuboot_flavor.c ----------------------------------------------- */

struct pv_mcuboot_flavor {
	const char *name;
	uint32_t magic;
	bool st;	   /* rules of ST's fork */
	bool primary_only; /* unless the option says so as well */
	uint32_t align;	   /* without --align */
	const char *summary;
};
/* Ended by a row without name; the first is upstream MCUboot. */
extern const struct pv_mcuboot_flavor pv_mcuboot_flavors[];
/* PV_E_USAGE lists them. NULL gives upstream. */
PV_MUST_USE int pv_mcuboot_flavor_find(const char *name,
    const struct pv_mcuboot_flavor **ret_f, struct pv_error *e);
/* The flavor to read an image by, when none was named: by its magic. */
const struct pv_mcuboot_flavor *pv_mcuboot_flavor_guess(
    const struct pv_mcuboot_header *h);

/* --- reading: mcuboot_read.c --------------------------------------------------- */

struct pv_mcuboot_file {
	const char *path;
	struct pv_image *img;
	uint64_t base; /* address of the first byte of a HEX file, else 0 */
	bool hex;
	uint64_t size; /* from the first byte to the last */
	struct pv_mcuboot_header h;
	uint64_t areas_at; /* where the payload ends */
	uint8_t *areas;
	struct pv_mcuboot_tlvs t; /* borrows areas */
	bool has_trailer;	  /* a magic is at the end of the file */
};

/*
 * Open a signed image, raw or as Intel HEX, and decode all but the payload.
 * What lies in no record of a HEX file reads as 0xff.
 */
PV_MUST_USE int pv_mcuboot_open(
    const char *path, struct pv_mcuboot_file *ret_f, struct pv_error *e);
void pv_mcuboot_close(struct pv_mcuboot_file *f);
PV_MUST_USE int pv_mcuboot_read(const struct pv_mcuboot_file *f, uint64_t off,
    void *data, size_t len, struct pv_error *e);

/* A file of firmware as one run of bytes: raw, or records joined with `fill`. */
PV_MUST_USE int pv_mcuboot_load(const char *path, uint8_t fill,
    struct pv_image **ret_img, uint64_t *ret_base, uint64_t *ret_size,
    bool *ret_records, struct pv_error *e);

#endif
