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
	uint32_t block; /* most bytes of one frame */
	uint64_t bytes, padded;
	size_t n_pieces, n_runs, n_sectors, n_blocks;
	size_t cap_sectors, cap_blocks;
	struct plan_piece *pieces;
	struct plan_run *runs;
	struct plan_sector *sectors;
	struct plan_block *blocks;
};

/* --- programming: plain.c, prove.c ------------------------------------------ */

enum block_state {
	BLOCK_TODO,
	BLOCK_WRITTEN,
	BLOCK_PROVEN,
	BLOCK_BAD,
};

struct plan_job {
	const struct pv_plan *plan;
	const struct pv_boot *boot;
	struct pv_plan_options opt;
	const struct pv_progress *progress;
	struct pv_plan_report *rep;
	uint8_t *state;		   /* enum block_state per block */
	struct pv_sector *sectors; /* to erase */
	bool *changed;		   /* per sector */
	uint64_t done, total;
	bool use_checksum; /* it agreed, or has not been asked yet */
	bool agreed;	   /* it did, so that asking is one write */
	bool no_checksum;  /* there is none to be trusted */
	/* the first difference of the last round, for the message */
	uint32_t bad_addr;
	uint8_t bad_want, bad_got;
	bool bad_known;
};

/* Prove the blocks of one kind that are written: BLOCK_PROVEN or BLOCK_BAD. */
PV_MUST_USE int pv_plan_prove(
    struct plan_job *j, bool heads, struct pv_error *e);
/* Fill in `changed`, and BLOCK_PROVEN for every block of the others. */
PV_MUST_USE int pv_plan_compare(struct plan_job *j, struct pv_error *e);

/* What a block has to hold, padding included. */
PV_MUST_USE int pv_plan_content(const struct pv_plan *p,
    const struct plan_block *b, uint8_t *data, struct pv_error *e);

#endif
