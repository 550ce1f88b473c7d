/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by mcuboot_plan.c and mcuboot_sign.c only. */
#ifndef PV_IMAGE_MCUBOOT_PLAN_H
#define PV_IMAGE_MCUBOOT_PLAN_H

#include "image/mcuboot.h"

/* Everything of an image that is known before its bytes are read. */
struct pv_mcuboot_plan {
	const struct pv_mcuboot_params *p;
	struct pv_image *img;
	uint64_t skip;	  /* bytes of the input before the payload */
	uint64_t given;	  /* bytes of payload in the input */
	uint64_t payload; /* with the zeros behind them */
	uint64_t base;	  /* address of the header, for HEX */
	uint8_t fill;	  /* of the header behind its 32 bytes */
	unsigned int bits;
	enum pv_mcuboot_sig_form form;
	/* The header as it is hashed, and as it is written: with ST's
	 * PRIMARY_ONLY the flag of encryption comes afterwards. */
	struct pv_mcuboot_header hashed, written;
	uint8_t *protect;
	size_t protect_len;
	struct pv_mcuboot_layout layout;
	uint64_t trailer; /* bytes */
};

PV_MUST_USE int pv_mcuboot_plan(const struct pv_mcuboot_params *p,
    const char *in, struct pv_mcuboot_plan *ret_plan, struct pv_error *e);
void pv_mcuboot_plan_release(struct pv_mcuboot_plan *pl);

/* Which options and keys go together; the bits of the image's hash. */
PV_MUST_USE int pv_mcuboot_check_params(const struct pv_mcuboot_params *p,
    unsigned int *ret_bits, struct pv_error *e);

/* Does an image of `used` bytes fit its slot together with the trailer? */
PV_MUST_USE int pv_mcuboot_plan_fits(
    const struct pv_mcuboot_plan *pl, uint64_t used, struct pv_error *e);

#endif
