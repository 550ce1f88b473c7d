/* SPDX-License-Identifier: Apache-2.0 */
/* The areas of a package before it is written: plan.c and split.c. */
#ifndef PV_PLAN_AREAS_H
#define PV_PLAN_AREAS_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/sfi.h>

/* Profile v2 pads F and E payloads to this, with this byte (sfi.md). */
#define PV_V2_PAD_TO   16U
#define PV_V2_PAD_BYTE 0xFF
/* An E payload begins with region, mode and key address. */
#define PV_E_PREFIX    12U
/* Bytes of a P or R payload with v2; none with v1. */
#define PV_V2_MARK     32U
/* On-the-fly decryption works on blocks of 16 bytes. */
#define PV_F_UNIT      8U /* bytes: pieces of F end at a multiple */
#define PV_E_UNIT      16U

/*
 * One area: its header without the tag, and where the payload comes from. F
 * and E: bytes from `addr` to `addr + len` of the segments first .. last - 1,
 * gaps and what is behind them filled.
 */
struct pv_planned {
	struct pv_sfi_area a;
	const struct pv_image *image; /* F, E */
	size_t first, last;
	uint64_t len;				/* payload without prefix */
	const struct pv_sfi_external *external; /* E */
	const struct pv_sfi_module *module;	/* M */
};

struct pv_plan_areas {
	struct pv_sfi_header header;
	struct pv_planned *v;
	size_t n, cap;
	uint64_t file_size;
};

uint64_t pv_plan_padded(enum pv_sfi_profile profile, uint64_t size);
/* Appends; sets version, not index and total. */
PV_MUST_USE int pv_plan_add(struct pv_plan_areas *plan,
    const struct pv_sfi_pack *p, const struct pv_planned *area,
    struct pv_error *e);
/* Everything but the tags. pv_plan_release after a failure too. */
PV_MUST_USE int pv_plan_make(const struct pv_sfi_pack *p,
    struct pv_plan_areas *plan, struct pv_error *e);
void pv_plan_release(struct pv_plan_areas *plan);

/* split.c: cut `in` into parts, into an empty plan. */
PV_MUST_USE int pv_plan_split(const struct pv_sfi_pack *p,
    const struct pv_plan_areas *in, struct pv_plan_areas *out,
    struct pv_error *e);

#endif
