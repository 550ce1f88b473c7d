/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What option words would do to a chip that cannot be undone, for the series
 * whose row order and field are public. Silence about a series means that
 * nothing is known, not that nothing can happen.
 */
#ifndef PV_OPTLINT_H
#define PV_OPTLINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/chip.h>

struct pv_optlint {
	bool known;	   /* the series is in the table */
	bool irreversible; /* needs --yes-irreversible */
	bool warn;	   /* may lock the owner out too */
	char field[32];	   /* "PRODUCT_STATE" */
	uint32_t value;
	char meaning[48]; /* "locked" */
	char advice[160]; /* what it does, when warn or irreversible */
};

void pv_optlint(const struct pv_chip *chip, const uint32_t *words, size_t n,
    struct pv_optlint *ret_l);

#endif
