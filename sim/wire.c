/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/wire.h"

#include "device/an3155.h"

#include <stdlib.h>
#include <string.h>

#define BYTE_BITS 11 /* start, 8 data, parity, stop */

/*
 * Without latency the adapter would hand over byte by byte. A reader that got
 * the first byte of a burst gains nothing from the second alone, so within a
 * burst it is woken this often, and at its end.
 */
#define BURST_NS 250000

/* --- noise ------------------------------------------------------------------ */

/* SplitMix64: every seed gives a good sequence. */
uint64_t
pv_wire_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15U;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

/* One draw, whatever the chance, so that faults do not shift each other. */
static bool
chance(struct pv_wire *w, enum pv_wire_way way, double p)
{
	double x = (double)(pv_wire_random(&w->random[way]) >> 11) * 0x1.0p-53;

	return x < p;
}

struct damaged {
	bool lost, extra;
	uint8_t value, extra_value;
};

static struct damaged
damage(struct pv_wire *w, enum pv_wire_way way, uint8_t value)
{
	const struct pv_wire_noise *noise = &w->config.noise;
	uint64_t r = pv_wire_random(&w->random[way]);
	struct damaged d = { .value = value };

	d.lost = chance(w, way, noise->drop[way]);
	if (chance(w, way, noise->flip[way]))
		d.value = (uint8_t)(value ^ (1U << (r & 7)));
	d.extra = chance(w, way, noise->insert[way]);
	d.extra_value = (uint8_t)(r >> 8);
	/* Rates 2.5 % apart no longer understand each other, AN3155 sec. 2. */
	if (w->part_baud != 0 && w->config.baud != 0) {
		uint64_t a = w->part_baud, b = w->config.baud;

		if ((a > b ? a - b : b - a) * 40 > a)
			d.value = (uint8_t)(value ^ (1 + (r >> 16) % 255));
	}
	return d;
}

/* --- the part --------------------------------------------------------------- */

static int64_t
byte_ns(uint32_t baud)
{
	return baud == 0 ? 0 : BYTE_BITS * INT64_C(1000000000) / baud;
}

static void
spend_busy(struct pv_wire *w)
{
	int64_t busy = w->part->busy_ns(w->part->ctx);

	w->now += busy - w->busy_seen;
	w->busy_seen = busy;
}

static void
take(struct pv_wire *w, struct pv_wire_byte b)
{
	if (b.at > w->now)
		w->now = b.at;
	if (w->config.baud != 0 && !w->part->synced(w->part->ctx)) {
		if (b.value == PV_AN_SYNC && w->config.max_baud != 0 &&
		    w->config.baud > w->config.max_baud)
			b.value = 0; /* too fast to be measured */
		if (b.value == PV_AN_SYNC)
			w->part_baud = w->config.baud;
	}
	w->turned = false;
	w->part->take(w->part->ctx, b.value);
	spend_busy(w);
}

/* Whatever waits, as long as the part comes to read it by time t. */
static void
drain(struct pv_wire *w, int64_t t)
{
	while (w->n_slots > 0 && w->now <= t) {
		struct pv_wire_byte b = w->slots[0];

		w->n_slots--;
		memmove(w->slots, w->slots + 1, w->n_slots * sizeof b);
		take(w, b);
	}
}

static int64_t
byte_timeout(const struct pv_wire *w)
{
	int64_t ns = 0;

	if (w->config.baud != 0 && w->part->patience_ns != NULL)
		ns = w->part->patience_ns(w->part->ctx);
	return ns != 0 ? ns : w->config.byte_timeout_ns;
}

static void
check_timeout(struct pv_wire *w, int64_t t)
{
	int64_t limit = byte_timeout(w);

	if (limit == 0 || w->n_slots > 0 || t < w->now + limit ||
	    !w->part->mid_frame(w->part->ctx))
		return;
	w->now += limit;
	if (w->part->expired != NULL)
		w->part->expired(w->part->ctx);
	else
		w->part->reset(w->part->ctx);
	spend_busy(w);
}

static void
arrive(struct pv_wire *w, int64_t at, uint8_t value)
{
	struct pv_wire_byte b = { at, value };

	if (w->config.baud == 0) {
		check_timeout(w, at);
		if (at >= w->emptied)
			take(w, b);
		return;
	}
	drain(w, at);
	check_timeout(w, at);
	if (at <= w->deaf_until || at < w->emptied)
		return;
	if (w->n_slots == PV_WIRE_SLOTS) {
		w->part->overrun(w->part->ctx);
		return;
	}
	w->slots[w->n_slots++] = b;
	drain(w, at);
}

/* --- the host ---------------------------------------------------------------- */

/* What it was in the midst of is over, and so is what waits for it. */
static void
reset_part(struct pv_wire *w)
{
	if (w->now < w->line_free)
		w->now = w->line_free;
	w->part->reset(w->part->ctx);
	spend_busy(w);
}

void
pv_wire_send(struct pv_wire *w, int64_t t, const uint8_t *data, size_t n)
{
	int64_t step = byte_ns(w->config.baud);

	for (size_t i = 0; i < n && !w->cut; i++) {
		struct damaged d = damage(w, PV_WIRE_IN, data[i]);

		if (w->config.has_cut && w->sent >= w->config.cut) {
			w->cut = true;
			return;
		}
		if (t > w->line_free)
			w->line_free = t;
		w->line_free += step;
		w->sent++;
		if (w->config.has_cut && w->sent == w->config.cut)
			w->part->last(w->part->ctx);
		if (!d.lost)
			arrive(w, w->line_free, d.value);
		if (d.extra) {
			w->line_free += step;
			arrive(w, w->line_free, d.extra_value);
		}
		if (w->config.has_reset && w->sent == w->config.reset_at)
			reset_part(w);
		w->cut = w->config.has_cut && w->sent == w->config.cut;
	}
}

void
pv_wire_host_rate(struct pv_wire *w, uint32_t baud)
{
	w->config.baud = baud;
}

void
pv_wire_run(struct pv_wire *w, int64_t t)
{
	drain(w, t);
	check_timeout(w, t);
}

/* --- answers ------------------------------------------------------------------ */

static void
queue(struct pv_wire *w, uint8_t value)
{
	if (w->out_len == w->out_cap && w->out_head > 0) {
		memmove(w->out, w->out + w->out_head,
		    (w->out_len - w->out_head) * sizeof *w->out);
		w->out_len -= w->out_head;
		w->out_head = 0;
	}
	if (w->out_len == w->out_cap) {
		size_t cap = w->out_cap == 0 ? 1024 : 2 * w->out_cap;
		struct pv_wire_byte *out = NULL;

		if (cap <= PV_WIRE_OUT_MAX)
			out = realloc(w->out, cap * sizeof *out);
		if (out == NULL) {
			w->lost++;
			return;
		}
		w->out = out;
		w->out_cap = cap;
	}
	w->out[w->out_len++] = (struct pv_wire_byte){ w->now, value };
}

void
pv_wire_emit(struct pv_wire *w, const uint8_t *data, size_t n)
{
	uint32_t baud = w->part_baud != 0 ? w->part_baud : w->config.baud;
	int64_t step = w->config.baud == 0 ? 0 : byte_ns(baud);
	bool ack = n == 1 && data[0] == PV_AN_ACK;

	spend_busy(w);
	if (!w->turned)
		w->now += w->config.turn_ns;
	w->turned = true;
	for (size_t i = 0; i < n; i++) {
		struct damaged d = damage(w, PV_WIRE_OUT, data[i]);
		bool nack = chance(w, PV_WIRE_OUT, w->config.noise.nack);
		bool lost = chance(w, PV_WIRE_OUT, w->config.noise.lostack);

		if (ack && nack) {
			w->now += step;
			queue(w, PV_AN_NACK);
		}
		w->now += step;
		if (!d.lost && !(ack && lost))
			queue(w, d.value);
		if (d.extra) {
			w->now += step;
			queue(w, d.extra_value);
		}
	}
}

void
pv_wire_flush(struct pv_wire *w)
{
	spend_busy(w);
	w->n_slots = 0;
	w->emptied = w->now;
}

void
pv_wire_restarted(struct pv_wire *w)
{
	spend_busy(w);
	w->now += w->config.restart_ns;
	w->deaf_until = w->now;
	w->n_slots = 0;
	w->part_baud = 0;
}

/* --- the adapter ---------------------------------------------------------------- */

/* When it hands over what waits, and it is the bytes complete by then. */
static int64_t
flush_time(const struct pv_wire *w)
{
	const struct pv_wire_byte *q = w->out + w->out_head;
	size_t n = w->out_len - w->out_head;
	int64_t at;

	if (n == 0)
		return PV_WIRE_NEVER;
	at = q[0].at + w->config.latency_ns;
	if (w->config.latency_ns == 0 && at < w->flushed + BURST_NS) {
		at = w->flushed + BURST_NS;
		return at < q[n - 1].at ? at : q[n - 1].at;
	}
	if (n >= PV_WIRE_PACKET && q[PV_WIRE_PACKET - 1].at < at)
		at = q[PV_WIRE_PACKET - 1].at;
	for (size_t i = 0; w->config.event_char && i < n && q[i].at < at; i++)
		if (q[i].value == PV_AN_ACK)
			at = q[i].at;
	return at;
}

size_t
pv_wire_fetch(struct pv_wire *w, int64_t t, uint8_t *dst, size_t cap)
{
	size_t n = 0;

	for (;;) {
		int64_t at = flush_time(w);

		if (at > t || n == cap)
			return n;
		while (n < cap && w->out_head < w->out_len &&
		       w->out[w->out_head].at <= at)
			dst[n++] = w->out[w->out_head++].value;
		w->flushed = at;
		if (w->out_head == w->out_len)
			w->out_head = w->out_len = 0;
	}
}

int64_t
pv_wire_next(const struct pv_wire *w)
{
	int64_t next = flush_time(w), limit = byte_timeout(w);

	if (w->n_slots > 0 && w->now < next)
		next = w->now;
	if (limit != 0 && w->n_slots == 0 && w->part->mid_frame(w->part->ctx) &&
	    w->now + limit < next)
		next = w->now + limit;
	return next;
}

/* --- all of it ------------------------------------------------------------------- */

void
pv_wire_init(struct pv_wire *w, const struct pv_wire_config *config,
    const struct pv_wire_part *part)
{
	uint64_t seed = config->seed;

	memset(w, 0, sizeof *w);
	w->config = *config;
	w->part = part;
	w->flushed = INT64_MIN / 2;
	w->deaf_until = INT64_MIN;
	w->emptied = INT64_MIN;
	w->random[PV_WIRE_IN] = pv_wire_random(&seed);
	w->random[PV_WIRE_OUT] = pv_wire_random(&seed);
	w->busy_seen = part->busy_ns(part->ctx);
}

void
pv_wire_release(struct pv_wire *w)
{
	free(w->out);
	w->out = NULL;
	w->out_head = w->out_len = w->out_cap = 0;
}
