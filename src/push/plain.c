/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programming a plan: erase, write, read back. Sectors that do not hold what
 * was written are erased and written once more as a whole; a write unit with
 * error correction must not be written twice.
 */
#include "push/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 3U /* the first and two repairs */

enum block_state {
	BLOCK_TODO,
	BLOCK_WRITTEN,
	BLOCK_PROVEN,
	BLOCK_BAD,
};

struct job {
	const struct pv_plan *plan;
	struct pv_usart *u;
	const struct pv_progress *progress;
	struct pv_plan_report *rep;
	uint8_t *state;	   /* enum block_state per block */
	uint32_t *numbers; /* of sectors to erase */
	uint64_t done, total;
	/* the first difference of the last round, for the message */
	uint32_t bad_addr;
	uint8_t bad_want, bad_got;
	bool bad_known;
};

static int
erase(struct job *j, size_t n, struct pv_error *e)
{
	int r;

	if (n == 0)
		return 0;
	j->rep->step = "erase";
	j->rep->address = 0;
	pv_progress_step(j->progress, "erase");
	/* From the moment it is asked, anything may be gone. */
	j->rep->state = PV_DEVICE_PARTIAL;
	r = pv_usart_erase(j->u, j->numbers, n, e);
	if (r == 0)
		j->rep->erased += n;
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

static int
write_block(struct job *j, size_t i, struct pv_error *e)
{
	const struct plan_block *b = &j->plan->blocks[i];
	uint8_t data[PV_USART_BLOCK];
	bool damaged = false;
	int r;

	r = pv_plan_content(j->plan, b, data, e);
	if (r != 0)
		return r;
	j->rep->address = b->addr;
	/* Its sector was erased in this run; the read-back proves it. */
	if (!b->ram && is_blank(data, b->len, j->plan->chip->erased)) {
		j->state[i] = BLOCK_WRITTEN;
		j->rep->skipped += b->len;
		return 0;
	}
	j->rep->state = PV_DEVICE_PARTIAL;
	r = pv_usart_write(j->u, b->addr, data, b->len, &damaged, e);
	if (r != 0)
		return r;
	j->state[i] = damaged ? BLOCK_BAD : BLOCK_WRITTEN;
	j->rep->written += b->len;
	return 0;
}

static void
note_difference(struct job *j, const struct plan_block *b, const uint8_t *want,
    const uint8_t *got)
{
	size_t k = 0;

	while (k + 1 < b->len && want[k] == got[k])
		k++;
	j->bad_addr = b->addr + (uint32_t)k;
	j->bad_want = want[k];
	j->bad_got = got[k];
	j->bad_known = true;
}

static int
prove_block(struct job *j, size_t i, struct pv_error *e)
{
	const struct plan_block *b = &j->plan->blocks[i];
	uint8_t want[PV_USART_BLOCK], got[PV_USART_BLOCK];
	int r;

	j->rep->address = b->addr;
	r = pv_plan_content(j->plan, b, want, e);
	if (r == 0)
		r = pv_usart_read(j->u, b->addr, got, b->len, e);
	if (r != 0)
		return r;
	if (memcmp(want, got, b->len) == 0) {
		j->state[i] = BLOCK_PROVEN;
		j->rep->verified += b->len;
		return 0;
	}
	if (!j->bad_known)
		note_difference(j, b, want, got);
	j->state[i] = BLOCK_BAD;
	return 0;
}

/* Write, then read back, the blocks of one kind that are still to do. */
static int
pass(struct job *j, bool heads, struct pv_error *e)
{
	const struct pv_plan *p = j->plan;
	size_t i;
	int r;

	j->rep->step = "write";
	for (i = 0; i < p->n_blocks; i++) {
		if (p->blocks[i].head != heads || j->state[i] != BLOCK_TODO)
			continue;
		r = write_block(j, i, e);
		if (r != 0)
			return r;
		j->done += p->blocks[i].len;
		pv_progress_at(j->progress, "write",
		    j->done < j->total ? j->done : j->total, j->total);
	}
	return 0;
}

static int
prove(struct job *j, bool heads, uint64_t *done, struct pv_error *e)
{
	const struct pv_plan *p = j->plan;
	size_t i;
	int r;

	j->rep->step = "verify";
	for (i = 0; i < p->n_blocks; i++) {
		if (p->blocks[i].head != heads || j->state[i] != BLOCK_WRITTEN)
			continue;
		r = prove_block(j, i, e);
		if (r != 0)
			return r;
		*done += p->blocks[i].len;
		pv_progress_at(j->progress, "verify",
		    *done < j->total ? *done : j->total, j->total);
	}
	return 0;
}

static size_t
count(const struct job *j, enum block_state s, bool heads)
{
	size_t i, n = 0;

	for (i = 0; i < j->plan->n_blocks; i++)
		if (j->plan->blocks[i].head == heads && j->state[i] == s)
			n++;
	return n;
}

/* Sectors with a bad block lose all their blocks; RAM is just rewritten. */
static int
repair(struct job *j, struct pv_error *e)
{
	const struct pv_plan *p = j->plan;
	size_t i, k, n = 0;

	for (i = 0; i < p->n_blocks; i++) {
		if (j->state[i] != BLOCK_BAD)
			continue;
		pv_usart_count_retry(j->u, "write", p->blocks[i].addr,
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
		j->numbers[n++] = p->sectors[p->blocks[i].sector].s.number;
	}
	j->rep->rewritten += (unsigned)n;
	j->bad_known = false;
	j->done = 0;
	return erase(j, n, e);
}

static int
program(struct job *j, struct pv_error *e)
{
	uint64_t verified = 0;
	unsigned round;
	int r;

	for (round = 0; round < ROUNDS; round++) {
		if (round > 0) {
			r = repair(j, e);
			if (r != 0)
				return r;
		}
		verified = j->rep->verified;
		r = pass(j, false, e);
		if (r == 0)
			r = prove(j, false, &verified, e);
		if (r != 0)
			return r;
		if (count(j, BLOCK_BAD, false) != 0)
			continue;
		r = pass(j, true, e);
		if (r == 0)
			r = prove(j, true, &verified, e);
		if (r != 0)
			return r;
		if (count(j, BLOCK_BAD, true) == 0) {
			j->rep->state = PV_DEVICE_DONE;
			return 0;
		}
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
pv_plan_program(const struct pv_plan *plan, struct pv_usart *u,
    const struct pv_progress *progress, struct pv_plan_report *ret_report,
    struct pv_error *e)
{
	struct job j = {
		.plan = plan,
		.u = u,
		.progress = progress,
		.rep = ret_report,
		.total = plan->padded,
	};
	size_t i;
	int r;

	memset(ret_report, 0, sizeof(*ret_report));
	ret_report->state = PV_DEVICE_UNCHANGED;
	ret_report->step = "erase";
	j.state = calloc(plan->n_blocks, 1);
	/* Never more bad sectors than blocks. */
	j.numbers =
	    calloc(plan->n_blocks + plan->n_sectors, sizeof(*j.numbers));
	if (j.state == NULL || j.numbers == NULL) {
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	for (i = 0; i < plan->n_sectors; i++)
		j.numbers[i] = plan->sectors[i].s.number;
	r = erase(&j, plan->n_sectors, e);
	if (r == 0)
		r = program(&j, e);
out:
	free(j.state);
	free(j.numbers);
	return r;
}

/* --- compare only ------------------------------------------------------------- */

static int
compare(const struct pv_plan *plan, struct pv_usart *u,
    const struct plan_piece *c, uint32_t at, uint32_t n, uint64_t *differing,
    struct pv_error *e)
{
	uint8_t want[PV_USART_BLOCK], got[PV_USART_BLOCK];
	uint32_t k;
	int r;

	r = pv_image_read(plan->image, c->segment, at, want, n, e);
	if (r == 0)
		r = pv_usart_read(u, c->addr + at, got, n, e);
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
pv_plan_verify(const struct pv_plan *plan, struct pv_usart *u,
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
			n = PV_USART_BLOCK - (c->addr + at) % PV_USART_BLOCK;
			if (n > c->size - at)
				n = c->size - at;
			r = compare(plan, u, c, at, n, ret_differing,
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
