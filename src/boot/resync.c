/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recovery after a lost or damaged byte, without a reset line: filler bytes
 * that end whatever frame the device is in the middle of in a NACK, and that
 * no frame can accept.
 *
 * The filler is one repeated byte X. Two equal bytes are never a command
 * pair. Every frame that consists of X alone has an odd number of bytes when
 * X is even, so its XOR is X, not 0: refused. A frame that lost one byte
 * would be accepted only if X were that byte: so X is chosen to occur nowhere
 * in what was not yet acknowledged. 0xFF 0x00 and 0x00 0xFF are never used:
 * after a lost ACK of the erase command FF 00 is "erase everything".
 */
#include "boot/usart.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define FILLER_MAX     2100U /* the longest list is 1033 bytes, 0x44 */
#define FILLER_MS      4000
#define SINGLES	       24U /* bytes sent one by one before bursts */
#define ACKS_MAX       8U
#define SINGLES_AFTER  4U
#define BURST	       64U
#define SYNC_ANSWER_MS 300

/*
 * The smallest even value from 2 up that was not sent. A long packet may hold
 * them all: then the one sent least often, which is wrong only if exactly
 * that byte was lost, and that packet's own authentication tag decides.
 */
static uint8_t
choose_filler(const struct pv_usart *u)
{
	size_t count[256] = { 0 };
	unsigned v, best = 2;
	size_t i;

	for (i = 0; i < u->n_sent; i++)
		count[u->sent[i]]++;
	for (v = 2; v < 256; v += 2) {
		/* With half a pair left over it must not make a command. */
		if (pv_usart_has(u, (enum pv_usart_op)(0xffU - v)))
			continue;
		if (count[v] == 0)
			return (uint8_t)v;
		if (count[v] < count[best])
			best = v;
	}
	return (uint8_t)best;
}

/*
 * Listen one turn-around: was the last thing heard a NACK? An ACK to filler
 * means that a damaged frame was accepted (R5).
 */
static int
listen_nack(struct pv_usart *u, int wait_ms, bool *ret_nack, bool *ret_ack,
    struct pv_error *e)
{
	int64_t deadline = pv_now_ms() + wait_ms;
	unsigned n = 0;
	uint8_t b;
	int r;

	*ret_nack = *ret_ack = false;
	for (;;) {
		r = pv_us_byte(u, &b, deadline, e);
		if (r == PV_E_TIMEOUT)
			return 0;
		if (r != 0)
			return pv_us_wrap(u, e);
		if (b == ACK)
			u->accepted = *ret_ack = true;
		*ret_nack = b == NACK;
		if (*ret_nack) /* no need to wait; let a second one pass */
			deadline = pv_now_ms() + 2;
		if (++n > FILLER_MAX)
			return 0;
	}
}

/*
 * Feed filler until a NACK answers a byte sent alone: first byte by byte, then,
 * for a device inside a long list or packet, in bursts. After a burst that was
 * answered NACK only single bytes tell whether half a pair is left over.
 */
static int
feed(struct pv_usart *u, uint8_t x, bool *ret_ready, struct pv_error *e)
{
	int64_t deadline = pv_now_ms() + FILLER_MS;
	unsigned singles = SINGLES;
	uint8_t burst[BURST];
	size_t sent = 0, n;
	bool nack, ack;
	unsigned acks = 0;
	int r;

	*ret_ready = false;
	memset(burst, x, sizeof(burst));
	while (sent < FILLER_MAX && pv_ms_left(deadline) > 0) {
		n = singles > 0 ? 1 : BURST;
		r = u->link.write(u->link.ctx, burst, n,
		    pv_now_ms() + T_SEND + pv_us_wire_ms(u, n), e);
		if (r != 0)
			return pv_us_wrap(u, e);
		sent += n;
		r = listen_nack(
		    u, T_TURN + pv_us_wire_ms(u, n + 1), &nack, &ack, e);
		if (r != 0)
			return r;
		if (nack && n == 1) {
			*ret_ready = true;
			return 0;
		}
		/* A bootloader accepts filler once, by bad luck. */
		acks = ack ? acks + 1 : 0;
		if (acks == ACKS_MAX)
			return 0;
		if (nack)
			singles = SINGLES_AFTER;
		else if (singles > 0)
			singles--;
	}
	return 0;
}

int
pv_us_resync(struct pv_usart *u, struct pv_error *e)
{
	uint8_t x, sync = SYNC, b;
	bool ready;
	int64_t deadline;
	int r;

	u->accepted = false;
	r = pv_us_quiet(u, T_TURN + pv_us_wire_ms(u, 2), e);
	if (r != 0)
		return r;
	/* The only certain way, inside a data frame too (R2). */
	if (u->opt.reset != NULL && !u->installing)
		return pv_us_reset(u, e);
	x = choose_filler(u);
	pv_log(
	    PV_LOG_DEBUG, "%s: resynchronizing with filler 0x%02x", u->step, x);
	r = feed(u, x, &ready, e);
	if (r != 0)
		return r;
	u->n_sent = 0;
	if (ready)
		return 0;
	/* It may have restarted: then it waits for its baud byte. */
	r = u->link.write(u->link.ctx, &sync, 1, pv_now_ms() + T_SEND, e);
	deadline = pv_now_ms() + SYNC_ANSWER_MS;
	while (r == 0) {
		r = pv_us_byte(u, &b, deadline, e);
		if (r == 0 && (b == ACK || b == NACK))
			return pv_us_quiet(u, T_TURN, e);
	}
	if (r != PV_E_TIMEOUT)
		return pv_us_wrap(u, e);
	if (u->opt.reset != NULL)
		return pv_us_reset(u, e);
	(void)pv_us_fail(u, PV_E_TIMEOUT, e,
	    "the device stopped answering and does not come back");
	return pv_hint(e,
	    "check cable and supply; reset the chip into its bootloader, then "
	    "try again");
}

int
pv_us_recover(
    struct pv_usart *u, int code, unsigned attempt, struct pv_error *e)
{
	struct pv_error first = { 0 }, second = { 0 };
	int r = 0;

	if (code != PV_E_TIMEOUT && code != PV_E_NACK && code != PV_E_DEVICE)
		return code;
	if (pv_progress_cancelled(u->progress))
		return pv_fail(e, PV_E_INTERRUPTED, "%s: stopped", u->step);
	if (e != NULL)
		first = *e;
	if (u->merged) {
		pv_log(PV_LOG_INFO,
		    "%s: one frame at a time from here on, after: %s", u->step,
		    first.msg);
		u->opt.lockstep = true;
		u->counters.fallbacks++;
	}
	/*
	 * A NACK leaves the device waiting for a command; but if a stray byte
	 * made half a pair, every following pair would be off by one.
	 */
	if (code != PV_E_NACK || attempt > 1 || u->stray)
		r = pv_us_resync(u, &second);
	u->merged = u->stray = false;
	if (r == 0 && attempt < ATTEMPTS) {
		pv_usart_count_retry(
		    u, u->step, u->has_address ? u->address : 0, first.msg);
		pv_error_clear(e);
		return 0;
	}
	/* What failed first says more than how the resync failed. */
	if (e != NULL)
		*e = r == PV_E_LINK ? second : first;
	if (attempt > 1 && e != NULL) {
		size_t n = strlen(e->msg);

		(void)snprintf(e->msg + n, sizeof(e->msg) - n,
		    ", %u times in a row", attempt);
	}
	if (r == PV_E_LINK)
		return r;
	if (r != 0 && e != NULL && e->hint[0] == '\0')
		memcpy(e->hint, second.hint, sizeof(e->hint));
	return code;
}
