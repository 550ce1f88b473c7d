/* SPDX-License-Identifier: Apache-2.0 */
/* A plan from inside: shared by plan.c and plain.c. */
#ifndef PV_PUSH_PLAN_H
#define PV_PUSH_PLAN_H

#include <provisor/push.h>

/* A segment of the image, by its address inside a bank. */
struct plan_piece {
	uint32_t addr, size;
	size_t segment;
	bool ram;
};

struct plan_run {
	uint32_t addr, size;
	bool ram;
};

struct plan_sector {
	struct pv_sector s;
};

/* One frame. */
struct plan_block {
	uint32_t addr, len;
	size_t sector; /* in plan->sectors; not for RAM */
	bool ram;
	bool head; /* first of its run: written last */
};

struct pv_plan {
	const struct pv_image *image;
	const struct pv_chip *chip;
	uint32_t unit;
	uint64_t bytes, padded;
	size_t n_pieces, n_runs, n_sectors, n_blocks;
	size_t cap_sectors, cap_blocks;
	struct plan_piece *pieces;
	struct plan_run *runs;
	struct plan_sector *sectors;
	struct plan_block *blocks;
};

/* What a block has to hold, padding included. */
PV_MUST_USE int pv_plan_content(const struct pv_plan *p,
    const struct plan_block *b, uint8_t *data, struct pv_error *e);

#endif
