/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What does the chip hold? By Get Checksum where the device has one that can
 * be trusted, halving what differs down to a sector, else by reading back.
 */
#include "push/plan.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK  16384U /* bytes of one read */
#define AGAIN  4U     /* reads of a block that differs */
#define SPLITS 64U    /* halves waiting; 32 would do for 32-bit addresses */

/* --- a range of blocks, [from, to), one after the other in flash ------------- */

struct span {
	size_t from, to;
};

/* Blocks from `from` on without a gap that `wanted` takes. */
static struct span
next_span(const struct plan_job *j, size_t from,
    bool (*wanted)(const struct plan_job *j, size_t i))
{
	const struct plan_block *b = j->plan->blocks;
	struct span s;

	while (from < j->plan->n_blocks && !wanted(j, from))
		from++;
	s.from = s.to = from;
	while (s.to < j->plan->n_blocks && wanted(j, s.to) &&
	       (s.to == from ||
		   (b[s.to].ram == b[from].ram &&
		       b[s.to].addr == b[s.to - 1].addr + b[s.to - 1].len)))
		s.to++;
	return s;
}

static uint32_t
span_bytes(const struct plan_job *j, struct span s)
{
	const struct plan_block *b = j->plan->blocks;

	return b[s.to - 1].addr + b[s.to - 1].len - b[s.from].addr;
}

/* Does the device's checksum agree with what is to be there? */
static int
same_checksum(
    struct plan_job *j, struct span s, bool *ret_same, struct pv_error *e)
{
	const struct plan_block *b = j->plan->blocks;
	uint32_t want = PV_USART_CRC_INIT;
	bool usable = false;
	uint8_t data[PV_BOOT_BLOCK_MAX];
	size_t i;
	int r;

	for (i = s.from; i < s.to; i++) {
		r = pv_plan_content(j->plan, &b[i], data, e);
		if (r != 0)
			return r;
		want = pv_usart_crc(want, data, b[i].len);
	}
	j->rep->address = b[s.from].addr;
	r = j->boot->checksum_same(j->boot->ctx, b[s.from].addr,
	    span_bytes(j, s), want, &usable, ret_same, e);
	if (r == 0) {
		j->agreed = usable;
		j->no_checksum = !usable;
		j->use_checksum = usable;
	}
	return r;
}

static bool
may_ask(const struct plan_job *j)
{
	return j->boot->checksum_same != NULL && !j->opt.read_back &&
	       !j->no_checksum;
}

/* A boundary between two sectors near the middle; 0 inside one sector. */
static size_t
split_at(const struct plan_job *j, struct span s)
{
	const struct plan_block *b = j->plan->blocks;
	size_t mid = s.from + (s.to - s.from) / 2, k;

	for (k = mid; k > s.from; k--)
		if (b[k].sector != b[k - 1].sector)
			return k;
	for (k = mid + 1; k < s.to; k++)
		if (b[k].sector != b[k - 1].sector)
			return k;
	return 0;
}

/*
 * Call `each` for the parts of a span, as large as can be, with the verdict of
 * the checksum. A device that stops answering it ends its use.
 */
static int
by_checksum(struct plan_job *j, struct span whole,
    int (*each)(
	struct plan_job *j, struct span s, bool same, struct pv_error *e),
    struct pv_error *e)
{
	struct span todo[SPLITS] = { whole }, s;
	size_t n = 1, k;
	bool same;
	int r;

	while (n > 0) {
		s = todo[--n];
		same = false;
		r = j->use_checksum ? same_checksum(j, s, &same, e) : 0;
		if (r == PV_E_NACK || r == PV_E_TIMEOUT || r == PV_E_DEVICE) {
			j->use_checksum = false;
			j->no_checksum = true;
			pv_error_clear(e);
			r = 0;
		}
		if (r != 0)
			return r;
		k = same ? 0 : split_at(j, s);
		if (j->use_checksum && k != 0 && n + 2 <= SPLITS) {
			todo[n++] = (struct span){ k, s.to };
			todo[n++] = (struct span){ s.from, k };
			continue;
		}
		r = each(j, s, same, e);
		if (r != 0)
			return r;
	}
	return 0;
}

/* --- prove what was written ---------------------------------------------------- */

static void
note_difference(struct plan_job *j, const struct plan_block *b,
    const uint8_t *want, const uint8_t *got)
{
	size_t k = 0;

	if (j->bad_known)
		return;
	while (k + 1 < b->len && want[k] == got[k])
		k++;
	j->bad_addr = b->addr + (uint32_t)k;
	j->bad_want = want[k];
	j->bad_got = got[k];
	j->bad_known = true;
}

static void
progress(struct plan_job *j)
{
	uint64_t done = j->rep->verified;

	pv_progress_at(
	    j->progress, "verify", done < j->total ? done : j->total, j->total);
}

/*
 * A block that read differently, read again: what travels back has no checksum
 * on a serial line. It is wrong when two reads in a row say the same.
 */
static int
look_again(struct plan_job *j, size_t i, const uint8_t *want, uint8_t *got,
    bool *ret_same, struct pv_error *e)
{
	const struct plan_block *b = &j->plan->blocks[i];
	uint8_t before[PV_BOOT_BLOCK_MAX];
	unsigned n;
	int r;

	*ret_same = false;
	for (n = 0; n < AGAIN; n++) {
		memcpy(before, got, b->len);
		r = j->boot->read(j->boot->ctx, b->addr, got, b->len, e);
		if (r != 0)
			return r;
		*ret_same = memcmp(want, got, b->len) == 0;
		if (*ret_same)
			j->boot->count_retry(j->boot->ctx, "verify", b->addr,
			    "a block read differently was read again");
		if (*ret_same || memcmp(before, got, b->len) == 0)
			return 0;
	}
	return 0;
}

static int
judge_block(struct plan_job *j, size_t i, uint8_t *got, struct pv_error *e)
{
	const struct plan_block *b = &j->plan->blocks[i];
	uint8_t want[PV_BOOT_BLOCK_MAX];
	bool same;
	int r;

	r = pv_plan_content(j->plan, b, want, e);
	if (r != 0)
		return r;
	same = memcmp(want, got, b->len) == 0;
	if (!same)
		r = look_again(j, i, want, got, &same, e);
	if (r != 0)
		return r;
	if (same) {
		j->state[i] = BLOCK_PROVEN;
		j->rep->verified += b->len;
		return 0;
	}
	note_difference(j, b, want, got);
	j->state[i] = BLOCK_BAD;
	return 0;
}

/* Read a span in pieces and judge its blocks one by one. */
static int
prove_read(struct plan_job *j, struct span s, struct pv_error *e)
{
	const struct plan_block *b = j->plan->blocks;
	uint8_t got[CHUNK];
	size_t i, end;
	uint32_t at;
	int r;

	for (i = s.from; i < s.to; i = end) {
		for (end = i + 1; end < s.to; end++)
			if (span_bytes(j, (struct span){ i, end + 1 }) > CHUNK)
				break;
		j->rep->address = b[i].addr;
		r = j->boot->read(j->boot->ctx, b[i].addr, got,
		    span_bytes(j, (struct span){ i, end }), e);
		for (at = 0; r == 0 && i < end; at += b[i++].len)
			r = judge_block(j, i, got + at, e);
		if (r != 0)
			return r;
		progress(j);
	}
	return 0;
}

static int
judge_span(struct plan_job *j, struct span s, bool same, struct pv_error *e)
{
	size_t i;

	if (!same) /* which blocks, and what do they hold? */
		return prove_read(j, s, e);
	for (i = s.from; i < s.to; i++) {
		j->state[i] = BLOCK_PROVEN;
		j->rep->verified += j->plan->blocks[i].len;
	}
	j->rep->by_checksum = true;
	progress(j);
	return 0;
}

static bool
written_body(const struct plan_job *j, size_t i)
{
	return !j->plan->blocks[i].head && j->state[i] == BLOCK_WRITTEN;
}

static bool
written_head(const struct plan_job *j, size_t i)
{
	return j->plan->blocks[i].head && j->state[i] == BLOCK_WRITTEN;
}

int
pv_plan_prove(struct plan_job *j, bool heads, struct pv_error *e)
{
	bool (*wanted)(const struct plan_job *, size_t) =
	    heads ? written_head : written_body;
	int64_t began = pv_now_ms();
	struct span s;
	int r = 0;

	j->rep->step = "verify";
	j->use_checksum = may_ask(j);
	s = next_span(j, 0, wanted);
	while (r == 0 && s.from < s.to) {
		/* One frame is read sooner than a first checksum comes. */
		if (j->use_checksum && !j->plan->blocks[s.from].ram &&
		    (j->agreed || s.to - s.from > 1))
			r = by_checksum(j, s, judge_span, e);
		else
			r = prove_read(j, s, e);
		s = next_span(j, s.to, wanted);
	}
	j->rep->verify_ms += pv_now_ms() - began;
	return r;
}

/* --- compare before anything is erased ------------------------------------------ */

/* Up to the first difference of each sector. */
static int
compare_read(struct plan_job *j, struct span s, struct pv_error *e)
{
	const struct plan_block *b = j->plan->blocks;
	uint8_t want[PV_BOOT_BLOCK_MAX], got[PV_BOOT_BLOCK_MAX];
	size_t i;
	int r;

	for (i = s.from; i < s.to; i++) {
		if (j->changed[b[i].sector])
			continue;
		j->rep->address = b[i].addr;
		r = pv_plan_content(j->plan, &b[i], want, e);
		if (r == 0)
			r = j->boot->read(
			    j->boot->ctx, b[i].addr, got, b[i].len, e);
		if (r != 0)
			return r;
		if (memcmp(want, got, b[i].len) != 0)
			j->changed[b[i].sector] = true;
	}
	return 0;
}

static int
note_span(struct plan_job *j, struct span s, bool same, struct pv_error *e)
{
	size_t i;

	if (same)
		return 0;
	/* The device said so for this one sector; else look. */
	if (!j->use_checksum)
		return compare_read(j, s, e);
	for (i = s.from; i < s.to; i++)
		j->changed[j->plan->blocks[i].sector] = true;
	return 0;
}

static bool
in_flash(const struct plan_job *j, size_t i)
{
	return !j->plan->blocks[i].ram;
}

/*
 * A stretch whose later part changes must not be startable meanwhile: its
 * first frame goes last, so the sector of that frame changes too.
 */
static void
change_heads(struct plan_job *j)
{
	const struct plan_block *b = j->plan->blocks;
	bool more = true;
	size_t i, head = 0;

	while (more) {
		more = false;
		for (i = 0; i < j->plan->n_blocks; i++) {
			if (b[i].ram)
				continue;
			if (b[i].head)
				head = i;
			if (j->changed[b[i].sector] &&
			    !j->changed[b[head].sector])
				more = j->changed[b[head].sector] = true;
		}
	}
}

int
pv_plan_compare(struct plan_job *j, struct pv_error *e)
{
	const struct plan_block *b = j->plan->blocks;
	int64_t began = pv_now_ms();
	struct span s;
	size_t i;
	int r = 0;

	j->rep->step = "compare";
	pv_progress_step(j->progress, "compare");
	j->use_checksum = may_ask(j);
	s = next_span(j, 0, in_flash);
	while (r == 0 && s.from < s.to) {
		r = j->use_checksum ? by_checksum(j, s, note_span, e)
				    : compare_read(j, s, e);
		s = next_span(j, s.to, in_flash);
	}
	j->rep->compare_ms = pv_now_ms() - began;
	if (r != 0)
		return r;
	change_heads(j);
	for (i = 0; i < j->plan->n_blocks; i++) {
		if (b[i].ram || j->changed[b[i].sector])
			continue;
		j->state[i] = BLOCK_PROVEN;
		j->rep->verified += b[i].len;
		j->rep->kept_bytes += b[i].len;
		j->rep->by_checksum = j->use_checksum;
	}
	return 0;
}
