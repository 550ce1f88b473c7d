/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of the STM32MP serial protocol. They go in lockstep (M1): TF-A and
 * U-Boot empty their receivers before each answer, the ROM has no FIFO.
 */
#include "boot/mpu_uart.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

/* Longest frame of all: N, data, checksum. A filler for each of its bytes. */
#define FILL_MAX (1U + MU_PACKET + 1U)

int
pv_mu_send(struct mu *m, const uint8_t *data, size_t len, struct pv_error *e)
{
	m->counters.wire += len;
	m->u.n_sent = 0;
	return pv_us_send(&m->u, data, len, e);
}

int
pv_mu_recv(struct mu *m, const char *what, uint8_t *data, size_t len,
    int timeout_ms, struct pv_error *e)
{
	int r = pv_us_recv(&m->u, what, data, len, timeout_ms, e);

	if (r == 0)
		m->counters.wire += len;
	return r;
}

static int
aborted(struct mu *m, const char *what, struct pv_error *e)
{
	m->aborted = true;
	(void)pv_us_fail(&m->u, PV_E_DEVICE, e,
	    "the device aborted after %s (0x5F): it cannot go on", what);
	e->vendor_code = ABORT;
	return pv_hint(e, "reset the chip into serial boot, then try again");
}

int
pv_mu_ack(struct mu *m, const char *what, int timeout_ms, struct pv_error *e)
{
	int wait = timeout_ms + pv_us_wire_ms(&m->u, m->u.n_sent + 1);
	uint8_t b;
	int r;

	r = pv_us_byte(&m->u, &b, pv_now_ms() + wait, e);
	if (r == PV_E_TIMEOUT) {
		(void)pv_us_fail(&m->u, r, e, "no answer to %s for %d.%d s",
		    what, wait / 1000, wait % 1000 / 100);
		return pv_hint(e,
		    "check cable, supply and boot pins; reset the chip into "
		    "serial boot");
	}
	if (r != 0)
		return pv_us_wrap(&m->u, e);
	m->counters.wire++;
	if (b == ACK)
		return 0;
	if (b == NACK)
		return pv_us_fail(
		    &m->u, PV_E_NACK, e, "device refused %s (NACK)", what);
	if (b == ABORT)
		return aborted(m, what, e);
	return pv_us_fail(
	    &m->u, PV_E_DEVICE, e, "unexpected answer 0x%02x to %s", b, what);
}

bool
pv_mu_again(
    struct mu *m, int code, unsigned int attempt, const struct pv_error *why)
{
	struct pv_error ignored = { 0 };

	if (m->aborted || attempt >= MU_TRIES ||
	    pv_progress_cancelled(m->u.progress))
		return false;
	if (code != PV_E_NACK && code != PV_E_TIMEOUT && code != PV_E_DEVICE)
		return false;
	m->counters.retries++;
	pv_log(PV_LOG_INFO, "retry: %s", why->msg);
	pv_progress_retry(m->u.progress, m->u.step,
	    m->u.has_address ? m->u.address : 0, why->msg);
	return pv_us_quiet(&m->u, T_TURN, &ignored) == 0;
}

int
pv_mu_command(struct mu *m, enum mu_op op, struct pv_error *e)
{
	uint8_t pair[2] = { (uint8_t)op, (uint8_t) ~(unsigned int)op };
	char what[32];
	int r;

	if (m->aborted)
		return aborted(m, "an earlier command", e);
	if (pv_progress_cancelled(m->u.progress))
		return pv_us_fail(&m->u, PV_E_INTERRUPTED, e, "stopped");
	(void)snprintf(what, sizeof(what), "command 0x%02x", (unsigned)op);
	for (unsigned int attempt = 1;; attempt++) {
		/* A stage that took the line over has said NACK unasked. */
		r = m->u.link.drain(m->u.link.ctx, e);
		if (r != 0)
			return pv_us_wrap(&m->u, e);
		r = pv_mu_send(m, pair, sizeof(pair), e);
		if (r == 0)
			r = pv_mu_ack(m, what, T_ANSWER, e);
		if (r == 0 || !pv_mu_again(m, r, attempt, e))
			return r;
		if (r == PV_E_TIMEOUT && (r = pv_mu_fill(m, e)) != 0)
			return r;
	}
}

int
pv_mu_word(struct mu *m, const char *what, uint32_t word, int timeout_ms,
    struct pv_error *e)
{
	uint8_t f[5];
	int r;

	pv_put_u32be(f, word);
	f[4] = pv_us_xor(f, 4);
	r = pv_mu_send(m, f, sizeof(f), e);
	return r != 0 ? r : pv_mu_ack(m, what, timeout_ms, e);
}

int
pv_mu_early(struct mu *m, int wait_ms, struct pv_error *e)
{
	uint8_t b;
	int r;

	r = pv_us_byte(&m->u, &b, pv_now_ms() + wait_ms, e);
	if (r == PV_E_TIMEOUT)
		return 0;
	if (r != 0)
		return pv_us_wrap(&m->u, e);
	m->counters.wire++;
	if (b == ABORT)
		return aborted(m, "the packet number", e);
	return pv_us_fail(&m->u, PV_E_NACK, e,
	    "device refused the packet number (0x%02x behind its ACK)", b);
}

int
pv_mu_fill(struct mu *m, struct pv_error *e)
{
	const uint8_t filler = SYNC;
	uint8_t b;
	int r;

	for (unsigned int i = 0; i < FILL_MAX; i++) {
		r = pv_mu_send(m, &filler, 1, e);
		if (r != 0)
			return r;
		r = pv_us_byte(&m->u, &b,
		    pv_now_ms() + (i == 0 ? T_MU_GAP : 1) +
			pv_us_wire_ms(&m->u, 2),
		    e);
		if (r == 0)
			return pv_us_quiet(&m->u, T_TURN, e);
		if (r != PV_E_TIMEOUT)
			return pv_us_wrap(&m->u, e);
	}
	(void)pv_us_fail(&m->u, PV_E_TIMEOUT, e,
	    "the device fell silent in the middle of a frame");
	return pv_hint(
	    e, "check cable and supply; reset the chip into serial boot");
}
