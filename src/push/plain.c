/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programming a plan: erase, write, prove. Sectors that do not hold what was
 * written are erased and written once more as a whole; a write unit with
 * error correction must not be written twice.
 */
#include "push/plan.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 3U /* the first and two repairs */
/* A gap of erased bytes worth a frame of its own behind it. */
#define GAP    64U

static int
erase(struct plan_job *j, size_t n, struct pv_error *e)
{
	int64_t began = pv_now_ms();
	int r;

	if (n == 0)
		return 0;
	j->rep->step = "erase";
	j->rep->address = 0;
	pv_progress_step(j->progress, "erase");
	/* From the moment it is asked, anything may be gone. */
	j->rep->state = PV_DEVICE_PARTIAL;
	r = j->boot->erase(j->boot->ctx, j->sectors, n,
	    n == pv_chip_sectors(j->plan->chip), e);
	if (r == 0)
		j->rep->erased += n;
	j->rep->erase_ms += pv_now_ms() - began;
	return r;
}

static bool
is_blank(const uint8_t *data, size_t len, uint8_t erased)
{
	while (len-- > 0)
		if (*data++ != erased)
			return false;
	return true;
}

/*
 * The next stretch of [*from, len) that is not as erased, in whole write
 * units; gaps too short to pay for a frame stay inside. 0 at the end.
 */
static size_t
next_span(
    const uint8_t *data, size_t len, size_t unit, uint8_t erased, size_t *from)
{
	size_t at = *from, end, blank = 0;

	while (at < len && is_blank(data + at, unit, erased))
		at += unit;
	*from = at;
	for (end = at; at < len && blank < GAP; at += unit) {
		if (is_blank(data + at, unit, erased)) {
			blank += unit;
			continue;
		}
		blank = 0;
		end = at + unit;
	}
	return end - *from;
}

/* Its sector was erased in this run, so erased units need not be sent. */
static int
write_flash(
    struct plan_job *j, size_t i, const uint8_t *data, struct pv_error *e)
{
	const struct plan_block *b = &j->plan->blocks[i];
	uint8_t erased = j->plan->chip->erased;
	bool damaged = false;
	uint64_t sent = 0;
	size_t at = 0, n;
	int r;

	for (;; at += n) {
		if (!j->boot->whole_blocks)
			n = next_span(data, b->len, j->plan->unit, erased, &at);
		else
			n = at > 0 || is_blank(data, b->len, erased) ? 0
								     : b->len;
		if (n == 0)
			break;
		j->rep->state = PV_DEVICE_PARTIAL;
		r = j->boot->write(j->boot->ctx, b->addr + (uint32_t)at,
		    data + at, n, &damaged, e);
		if (r != 0)
			return r;
		sent += n;
		if (damaged)
			break;
	}
	j->state[i] = damaged ? BLOCK_BAD : BLOCK_WRITTEN;
	j->rep->written += sent;
	if (!damaged)
		j->rep->skipped += b->len - sent;
	return 0;
}

static int
write_block(struct plan_job *j, size_t i, struct pv_error *e)
{
	const struct plan_block *b = &j->plan->blocks[i];
	uint8_t data[PV_BOOT_BLOCK_MAX];
	bool damaged = false;
	int r;

	r = pv_plan_content(j->plan, b, data, e);
	if (r != 0)
		return r;
	j->rep->address = b->addr;
	if (!b->ram) {
		r = write_flash(j, i, data, e);
	} else {
		j->rep->state = PV_DEVICE_PARTIAL;
		r = j->boot->write(
		    j->boot->ctx, b->addr, data, b->len, &damaged, e);
		j->state[i] = damaged ? BLOCK_BAD : BLOCK_WRITTEN;
		j->rep->written += b->len;
	}
	if (r != 0)
		return r;
	j->done += b->len;
	pv_progress_at(j->progress, "write",
	    j->done < j->total ? j->done : j->total, j->total);
	return 0;
}

/*
 * Whole frames at once are safe between two addresses of a bank that have
 * taken a write each: so the last frame of every bank goes first.
 */
static int
write_ends(struct plan_job *j, struct pv_error *e)
{
	const struct pv_plan *p = j->plan;
	const struct pv_flash_bank *bank;
	uint64_t before;
	size_t i, k;
	int r;

	for (k = 0; k < p->chip->n_banks; k++) {
		bank = &p->chip->banks[k];
		before = j->rep->written;
		for (i = p->n_blocks; i-- > 0;) {
			if (p->blocks[i].ram || p->blocks[i].head ||
			    j->state[i] != BLOCK_TODO ||
			    p->blocks[i].addr < bank->base ||
			    p->blocks[i].addr - bank->base >= bank->size)
				continue;
			r = write_block(j, i, e);
			if (r != 0)
				return r;
			if (j->rep->written != before)
				break; /* not one that was all blank */
		}
	}
	return 0;
}

/* Write the blocks of one kind that are still to do. */
static int
write_all(struct plan_job *j, bool heads, struct pv_error *e)
{
	const struct pv_plan *p = j->plan;
	int64_t began = pv_now_ms();
	size_t i;
	int r = 0;

	j->rep->step = "write";
	if (j->opt.coalesce && !heads)
		r = write_ends(j, e);
	for (i = 0; i < p->n_blocks && r == 0; i++)
		if (p->blocks[i].head == heads && j->state[i] == BLOCK_TODO)
			r = write_block(j, i, e);
	j->rep->write_ms += pv_now_ms() - began;
	return r;
}

static size_t
count(const struct plan_job *j, enum block_state s, bool heads)
{
	size_t i, n = 0;

	for (i = 0; i < j->plan->n_blocks; i++)
		if (j->plan->blocks[i].head == heads && j->state[i] == s)
			n++;
	return n;
}

/* Sectors with a bad block lose all their blocks; RAM is just rewritten. */
static int
repair(struct plan_job *j, struct pv_error *e)
{
	const struct pv_plan *p = j->plan;
	size_t i, k, n = 0;

	for (i = 0; i < p->n_blocks; i++) {
		if (j->state[i] != BLOCK_BAD)
			continue;
		j->boot->count_retry(j->boot->ctx, "write", p->blocks[i].addr,
		    "sector does not hold what was written, writing it again");
		if (p->blocks[i].ram) {
			j->state[i] = BLOCK_TODO;
			continue;
		}
		for (k = 0; k < p->n_blocks; k++) {
			if (p->blocks[k].ram ||
			    p->blocks[k].sector != p->blocks[i].sector)
				continue;
			if (j->state[k] == BLOCK_PROVEN)
				j->rep->verified -= p->blocks[k].len;
			j->state[k] = BLOCK_TODO;
		}
		j->sectors[n++] = p->sectors[p->blocks[i].sector].s;
	}
	j->rep->rewritten += (unsigned)n;
	j->bad_known = false;
	j->done = 0;
	return erase(j, n, e);
}

/* All but the first frames of runs, then those; *ret_good when all hold. */
static int
round_once(struct plan_job *j, bool *ret_good, struct pv_error *e)
{
	bool heads;
	int k, r;

	*ret_good = false;
	for (k = 0; k < 2; k++) {
		heads = k == 1;
		r = write_all(j, heads, e);
		if (r == 0)
			r = pv_plan_prove(j, heads, e);
		if (r != 0)
			return r;
		if (count(j, BLOCK_BAD, heads) != 0)
			return 0;
	}
	*ret_good = true;
	return 0;
}

static int
program(struct plan_job *j, struct pv_error *e)
{
	bool good = false;
	unsigned n;
	int r;

	for (n = 0; n < ROUNDS; n++) {
		r = n > 0 ? repair(j, e) : 0;
		if (r == 0)
			r = round_once(j, &good, e);
		if (r != 0)
			return r;
		if (good) {
			j->rep->state = PV_DEVICE_DONE;
			return 0;
		}
	}
	if (!j->bad_known) { /* the frames themselves went wrong */
		r = pv_fail(e, PV_E_DEVICE,
		    "write at 0x%08" PRIx64
		    ": the block was damaged on the way, %u times",
		    j->rep->address, ROUNDS);
		(void)pv_hint(e, "check the cable, or take a lower baud rate");
		return r;
	}
	j->rep->address = j->bad_addr;
	(void)pv_fail(e, PV_E_VERIFY,
	    "verify at 0x%08" PRIx32
	    ": wrote 0x%02x, reads 0x%02x, after %u attempts",
	    j->bad_addr, j->bad_want, j->bad_got, ROUNDS);
	return pv_hint(e,
	    "a write-protected sector accepts writes and ignores them; else "
	    "the flash is worn or the supply is weak");
}

int
pv_plan_program_with(const struct pv_plan *plan, const struct pv_boot *boot,
    const struct pv_plan_options *opt, const struct pv_progress *progress,
    struct pv_plan_report *ret_report, struct pv_error *e)
{
	struct plan_job j = {
		.plan = plan,
		.boot = boot,
		.progress = progress,
		.rep = ret_report,
		.total = plan->padded,
	};
	size_t i, n = 0;
	int r = 0;

	if (opt != NULL)
		j.opt = *opt;
	memset(ret_report, 0, sizeof(*ret_report));
	ret_report->state = PV_DEVICE_UNCHANGED;
	ret_report->step = "erase";
	j.state = calloc(plan->n_blocks, 1);
	/* Never more bad sectors than blocks. */
	j.sectors =
	    calloc(plan->n_blocks + plan->n_sectors, sizeof(*j.sectors));
	j.changed = calloc(plan->n_sectors + 1, sizeof(*j.changed));
	if (j.state == NULL || j.sectors == NULL || j.changed == NULL) {
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	if (j.opt.only_changed)
		r = pv_plan_compare(&j, e);
	for (i = 0; i < plan->n_sectors; i++)
		if (!j.opt.only_changed || j.changed[i])
			j.sectors[n++] = plan->sectors[i].s;
	ret_report->kept = plan->n_sectors - n;
	if (r == 0)
		r = erase(&j, n, e);
	if (r == 0)
		r = program(&j, e);
out:
	free(j.state);
	free(j.sectors);
	free(j.changed);
	return r;
}

int
pv_plan_program(const struct pv_plan *plan, const struct pv_boot *boot,
    const struct pv_progress *progress, struct pv_plan_report *ret_report,
    struct pv_error *e)
{
	return pv_plan_program_with(plan, boot, NULL, progress, ret_report, e);
}

/* --- compare only ------------------------------------------------------------- */

static int
compare(const struct pv_plan *plan, const struct pv_boot *boot,
    const struct plan_piece *c, uint32_t at, uint32_t n, uint64_t *differing,
    struct pv_error *e)
{
	uint8_t want[PV_BOOT_BLOCK_MAX], got[PV_BOOT_BLOCK_MAX];
	uint32_t k;
	int r;

	r = pv_image_read(plan->image, c->segment, at, want, n, e);
	if (r == 0)
		r = boot->read(boot->ctx, c->addr + at, got, n, e);
	if (r != 0)
		return r;
	for (k = 0; k < n; k++) {
		if (want[k] == got[k])
			continue;
		if ((*differing)++ == 0)
			(void)pv_fail(e, PV_E_VERIFY,
			    "0x%08" PRIx32 " holds 0x%02x, the file has 0x%02x",
			    c->addr + at + k, got[k], want[k]);
	}
	return 0;
}

int
pv_plan_verify(const struct pv_plan *plan, const struct pv_boot *boot,
    const struct pv_progress *progress, uint64_t *ret_differing,
    struct pv_error *e)
{
	struct pv_error first = { 0 }, other = { 0 };
	const struct plan_piece *c;
	uint64_t done = 0;
	uint32_t at, n;
	size_t i;
	int r;

	*ret_differing = 0;
	for (i = 0; i < plan->n_pieces; i++) {
		c = &plan->pieces[i];
		for (at = 0; at < c->size; at += n) {
			n = plan->block - (c->addr + at) % plan->block;
			if (n > c->size - at)
				n = c->size - at;
			r = compare(plan, boot, c, at, n, ret_differing,
			    *ret_differing == 0 ? &first : &other);
			if (r != 0) {
				if (e != NULL)
					*e =
					    *ret_differing == 0 ? first : other;
				return r;
			}
			done += n;
			pv_progress_at(progress, "verify", done, plan->bytes);
		}
	}
	if (*ret_differing == 0)
		return 0;
	return pv_fail(e, PV_E_VERIFY, "%.180s (%" PRIu64 " bytes differ)",
	    first.msg, *ret_differing);
}
