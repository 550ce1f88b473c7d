/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a memory image to what will be done to the chip: runs of whole write
 * units, the frames they go in, and the sectors they touch.
 */
#include "push/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 65536U /* an image of this many pieces is no firmware */

const char *
pv_device_state_text(enum pv_device_state state)
{
	switch (state) {
	case PV_DEVICE_UNCHANGED:
		return "unchanged, safe to retry";
	case PV_DEVICE_ERASED:
		return "erased, safe to retry";
	case PV_DEVICE_PARTIAL:
		return "partly programmed, does not start, safe to retry";
	case PV_DEVICE_BROKEN:
		return "could not be erased after the failure, set it aside";
	case PV_DEVICE_UNKNOWN:
		return "not known, the last answer was lost; safe to retry";
	case PV_DEVICE_DONE:
		return "programmed and verified";
	}
	return "not known";
}

/* --- building --------------------------------------------------------------- */

static int
by_address(const void *a, const void *b)
{
	const struct plan_piece *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Segments by the address inside a bank, so that aliases meet. */
static int
collect(struct pv_plan *p, bool allow_ram, struct pv_error *e)
{
	struct pv_segment seg;
	uint32_t phys;
	size_t i;

	for (i = 0; i < p->n_pieces; i++) {
		pv_image_segment(p->image, i, &seg);
		p->pieces[i].segment = i;
		p->pieces[i].size = (uint32_t)seg.size;
		p->pieces[i].ram = false;
		if (pv_chip_in_flash(p->chip, seg.addr, seg.size, &phys)) {
			p->pieces[i].addr = phys;
		} else if (allow_ram &&
			   pv_chip_in_ram(p->chip, seg.addr, seg.size)) {
			p->pieces[i].addr = (uint32_t)seg.addr;
			p->pieces[i].ram = true;
		} else {
			return pv_fail(e, PV_E_RANGE,
			    "%s: 0x%08" PRIx64 " is not in flash of the %s",
			    seg.source, seg.addr, p->chip->title);
		}
		p->bytes += seg.size;
	}
	if (p->n_pieces > 1)
		qsort(p->pieces, p->n_pieces, sizeof(p->pieces[0]), by_address);
	for (i = 1; i < p->n_pieces; i++) {
		const struct plan_piece *a = &p->pieces[i - 1];

		if (p->pieces[i].addr - a->addr < a->size)
			return pv_fail(e, PV_E_OVERLAP,
			    "two segments claim 0x%08" PRIx32
			    " (one through an alias)",
			    p->pieces[i].addr);
	}
	return 0;
}

/* Pieces widened to whole write units; those that meet become one run. */
static int
make_runs(struct pv_plan *p, struct pv_error *e)
{
	const struct plan_piece *c;
	struct plan_run *last = NULL;
	uint64_t from, to;
	uint32_t unit;
	size_t i;

	p->runs = calloc(p->n_pieces, sizeof(*p->runs));
	if (p->runs == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (i = 0; i < p->n_pieces; i++) {
		c = &p->pieces[i];
		unit = c->ram ? 4 : p->unit;
		from = c->addr - c->addr % unit;
		to = ((uint64_t)c->addr + c->size + unit - 1) / unit * unit;
		if (last != NULL && last->ram == c->ram &&
		    from <= (uint64_t)last->addr + last->size) {
			if (to > (uint64_t)last->addr + last->size)
				last->size = (uint32_t)(to - last->addr);
			continue;
		}
		last = &p->runs[p->n_runs++];
		last->addr = (uint32_t)from;
		last->size = (uint32_t)(to - from);
		last->ram = c->ram;
	}
	return 0;
}

static int
add_sector(struct pv_plan *p, const struct pv_sector *s, struct pv_error *e)
{
	struct plan_sector *grown;

	if (p->n_sectors > 0 &&
	    p->sectors[p->n_sectors - 1].s.number == s->number)
		return 0;
	if (p->n_sectors == p->cap_sectors) {
		p->cap_sectors = p->cap_sectors * 2 + 64;
		grown =
		    realloc(p->sectors, p->cap_sectors * sizeof(*p->sectors));
		if (grown == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		p->sectors = grown;
	}
	p->sectors[p->n_sectors++] = (struct plan_sector){ .s = *s };
	return 0;
}

static int
add_block(struct pv_plan *p, const struct plan_block *b, struct pv_error *e)
{
	struct plan_block *grown;

	if (p->n_blocks == p->cap_blocks) {
		p->cap_blocks = p->cap_blocks * 2 + 256;
		grown = realloc(p->blocks, p->cap_blocks * sizeof(*p->blocks));
		if (grown == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		p->blocks = grown;
	}
	p->blocks[p->n_blocks++] = *b;
	p->padded += b->len;
	return 0;
}

/* Frames that stay inside one sector. */
static int
make_blocks(struct pv_plan *p, struct pv_error *e)
{
	const struct plan_run *run;
	struct plan_block b;
	struct pv_sector s;
	uint32_t at, left, n;
	size_t i;
	int r;

	for (i = 0; i < p->n_runs; i++) {
		run = &p->runs[i];
		for (at = 0; at < run->size; at += n) {
			b = (struct plan_block){ .addr = run->addr + at,
				.ram = run->ram,
				.head = at == 0 && !run->ram };
			n = run->size - at;
			/* Frames begin at multiples of their size. */
			left = p->block - b.addr % p->block;
			if (n > left)
				n = left;
			if (!run->ram) {
				if (!pv_chip_sector(p->chip, b.addr, &s))
					return pv_fail(e, PV_E_RANGE,
					    "0x%08" PRIx32 " is in no sector",
					    b.addr);
				left = s.base + (s.size - 1) - b.addr + 1;
				if (n > left)
					n = left;
				r = add_sector(p, &s, e);
				if (r != 0)
					return r;
				b.sector = p->n_sectors - 1;
			}
			b.len = n;
			r = add_block(p, &b, e);
			if (r != 0)
				return r;
		}
	}
	return 0;
}

int
pv_plan_new(const struct pv_image *img, const struct pv_chip *chip,
    uint32_t block, bool allow_ram, struct pv_plan **ret_plan,
    struct pv_error *e)
{
	struct pv_plan *p;
	int r;

	r = pv_image_check(img, chip, allow_ram, e);
	if (r != 0)
		return r;
	if (pv_image_count(img) == 0 || pv_image_count(img) > RUNS_MAX)
		return pv_fail(e, PV_E_MALFORMED, "image of %zu segments",
		    pv_image_count(img));
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	p->image = img;
	p->chip = chip;
	p->n_pieces = pv_image_count(img);
	/* AN3155 3.6: multiples of 4, whatever the part says. */
	p->unit = chip->write_unit < 4 ? 4 : chip->write_unit;
	p->block = block;
	if (block == 0 || block > PV_BOOT_BLOCK_MAX || block % p->unit != 0) {
		r = pv_fail(e, PV_E_UNSUPPORTED,
		    "write unit of %" PRIu32 " bytes does not divide a frame",
		    p->unit);
		goto out;
	}
	p->pieces = calloc(p->n_pieces, sizeof(*p->pieces));
	if (p->pieces == NULL) {
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	r = collect(p, allow_ram, e);
	if (r == 0)
		r = make_runs(p, e);
	if (r == 0)
		r = make_blocks(p, e);
	if (r == 0) {
		*ret_plan = p;
		p = NULL;
	}
out:
	pv_plan_free(p);
	return r;
}

void
pv_plan_free(struct pv_plan *plan)
{
	if (plan == NULL)
		return;
	free(plan->pieces);
	free(plan->runs);
	free(plan->sectors);
	free(plan->blocks);
	free(plan);
}

void
pv_plan_info(const struct pv_plan *plan, struct pv_plan_info *ret_info)
{
	*ret_info = (struct pv_plan_info){ .n_sectors = plan->n_sectors,
		.n_runs = plan->n_runs,
		.bytes = plan->bytes,
		.padded = plan->padded };
}

void
pv_plan_sector(
    const struct pv_plan *plan, size_t i, struct pv_sector *ret_sector)
{
	*ret_sector = plan->sectors[i].s;
}

void
pv_plan_run(const struct pv_plan *plan, size_t i, struct pv_range *ret_run)
{
	*ret_run = (struct pv_range){ .base = plan->runs[i].addr,
		.size = plan->runs[i].size };
}

/* --- content ----------------------------------------------------------------- */

/* The first piece that ends after addr. */
static size_t
first_piece(const struct pv_plan *p, uint32_t addr)
{
	size_t lo = 0, hi = p->n_pieces, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if ((uint64_t)p->pieces[mid].addr + p->pieces[mid].size <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int
pv_plan_content(const struct pv_plan *p, const struct plan_block *b,
    uint8_t *data, struct pv_error *e)
{
	uint64_t end = (uint64_t)b->addr + b->len, from, to;
	const struct plan_piece *c;
	size_t i;
	int r;

	memset(data, b->ram ? 0 : p->chip->erased, b->len);
	for (i = first_piece(p, b->addr); i < p->n_pieces; i++) {
		c = &p->pieces[i];
		if (c->addr >= end)
			break;
		from = c->addr > b->addr ? c->addr : b->addr;
		to = (uint64_t)c->addr + c->size;
		if (to > end)
			to = end;
		r = pv_image_read(p->image, c->segment, from - c->addr,
		    data + (from - b->addr), (size_t)(to - from), e);
		if (r != 0)
			return r;
	}
	return 0;
}
