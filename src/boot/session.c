/* SPDX-License-Identifier: Apache-2.0 */
/* Beginning, restarting and ending a session: baud byte, Get, Version, ID. */
#include "boot/usart.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

/*
 * A device that just restarted answers 0x7F in a few byte times. One that had
 * its baud rate already stays silent to the first 0x7F, half a pair to it, so
 * the first wait is short; the second catches whatever was only late.
 */
#define T_SYNC_FIRST  100
#define T_SYNC_SECOND 1000
#define SYNC_JUNK     1024U /* bytes that are neither ACK nor NACK */
#define GET_PHASE     0x03  /* AN5275: STM32MP only */

/* ACK, NACK, or 0 after the time. Everything else is skipped (stray 0x00). */
static int
sync_answer(
    struct pv_usart *u, int timeout_ms, uint8_t *ret_b, struct pv_error *e)
{
	int64_t deadline = pv_now_ms() + timeout_ms + pv_us_wire_ms(u, 3);
	unsigned junk = 0;
	uint8_t b;
	int r;

	*ret_b = 0;
	while (junk++ < SYNC_JUNK) {
		r = pv_us_byte(u, &b, deadline, e);
		if (r == PV_E_TIMEOUT)
			return 0;
		if (r != 0)
			return pv_us_wrap(u, e);
		if (b == ACK || b == NACK) {
			*ret_b = b;
			return 0;
		}
	}
	(void)pv_us_fail(
	    u, PV_E_DEVICE, e, "what talks on this line is not a bootloader");
	return pv_hint(e,
	    "set the boot pin (BOOT0 high) and reset the chip; is it this "
	    "port, and its rate?");
}

/* One 0x7F and its answer. */
static int
try_sync(struct pv_usart *u, int timeout_ms, uint8_t *ret_b, struct pv_error *e)
{
	uint8_t b = SYNC;
	int r;

	r = u->link.write(u->link.ctx, &b, 1, pv_now_ms() + T_SEND, e);
	if (r != 0)
		return pv_us_wrap(u, e);
	return sync_answer(u, timeout_ms, ret_b, e);
}

int
pv_us_sync(struct pv_usart *u, int timeout_ms, struct pv_error *e)
{
	uint8_t b = 0, more = 0;
	unsigned i;
	int r;

	r = u->link.drain(u->link.ctx, e);
	if (r != 0)
		return pv_us_wrap(u, e);
	u->n_sent = 0;
	u->info.already_synced = false;
	r = try_sync(u, T_SYNC_FIRST, &b, e);
	if (r != 0)
		return r;
	if (b == 0 && pv_progress_cancelled(u->progress))
		return pv_us_fail(u, PV_E_INTERRUPTED, e, "stopped");
	if (b == 0) {
		r = try_sync(u, timeout_ms, &b, e);
		if (r != 0)
			return r;
		/*
		 * ACK: either this 0x7F set the rate, or the answer to the
		 * first one was late and this one is half a pair. More of
		 * them, until a NACK, make it certain.
		 */
		for (i = 0; b == ACK && more != NACK && i < 3; i++) {
			r = try_sync(u, T_SYNC_FIRST, &more, e);
			if (r != 0)
				return r;
		}
	}
	if (b == 0 && pv_progress_cancelled(u->progress))
		return pv_us_fail(u, PV_E_INTERRUPTED, e, "stopped");
	if (b == 0) {
		(void)pv_us_fail(u, PV_E_TIMEOUT, e,
		    "no bootloader answers (0x7F sent twice)");
		return pv_hint(e,
		    "set the boot pin (BOOT0 high) and reset the chip; check "
		    "supply, RX/TX and the port");
	}
	u->info.already_synced = b == NACK;
	u->safe_lo = u->safe_hi = 0;
	/* A NACK may come twice, and late noise may follow an ACK. */
	return b == NACK ? pv_us_quiet(u, T_TURN / 4, e) : 0;
}

int
pv_us_get(struct pv_usart *u, struct pv_error *e)
{
	uint8_t n, list[256];
	int r;

	r = pv_us_command(u, PV_OP_GET, e);
	if (r == 0)
		r = pv_us_recv(u, "the length of Get", &n, 1, T_ANSWER, e);
	if (r != 0)
		return r;
	r = pv_us_recv(u, "Get", list, n + 1U, T_ANSWER, e);
	if (r == 0)
		r = pv_us_ack(u, "Get", T_ANSWER, e);
	if (r != 0)
		return r;
	if (n == 0 || n > sizeof(u->info.opcodes))
		return pv_us_fail(
		    u, PV_E_DEVICE, e, "answer to Get lists %u commands", n);
	u->info.version = list[0];
	u->info.n_opcodes = n;
	memcpy(u->info.opcodes, list + 1, n);
	return 0;
}

static int
get_version_once(struct pv_usart *u, struct pv_error *e)
{
	uint8_t v[3];
	int r;

	r = pv_us_command(u, PV_OP_GET_VERSION, e);
	if (r == 0)
		r = pv_us_recv(u, "Get Version", v, sizeof(v), T_ANSWER, e);
	if (r == 0)
		r = pv_us_ack(u, "Get Version", T_ANSWER, e);
	if (r == 0)
		memcpy(u->info.version_bytes, v + 1, 2);
	return r;
}

static int
get_id_once(struct pv_usart *u, struct pv_error *e)
{
	uint8_t n, id[2];
	int r;

	r = pv_us_command(u, PV_OP_GET_ID, e);
	if (r == 0)
		r = pv_us_recv(u, "the length of Get ID", &n, 1, T_ANSWER, e);
	if (r != 0)
		return r;
	if (n != 1)
		return pv_us_fail(
		    u, PV_E_DEVICE, e, "answer to Get ID has length %u", n);
	r = pv_us_recv(u, "Get ID", id, sizeof(id), T_ANSWER, e);
	if (r == 0)
		r = pv_us_ack(u, "Get ID", T_ANSWER, e);
	if (r == 0)
		u->info.device_id = pv_get_u16be(id);
	return r;
}

static int
identify(struct pv_usart *u, struct pv_error *e)
{
	static int (*const ask[])(struct pv_usart *, struct pv_error *) = {
		pv_us_get,
		get_version_once,
		get_id_once,
	};
	unsigned attempt;
	size_t i;
	int r;

	for (i = 0; i < sizeof(ask) / sizeof(ask[0]); i++) {
		/* AN3155 knows no Get Phase; the rest differs, too. */
		if (i == 1 && memchr(u->info.opcodes, GET_PHASE,
				  u->info.n_opcodes) != NULL) {
			(void)pv_us_fail(u, PV_E_UNSUPPORTED, e,
			    "the chip is an STM32MP (it has Get Phase)");
			return pv_hint(e,
			    "it takes .ssp packages and FlashLayouts: "
			    "'provisor push'; 'provisor device info' shows its "
			    "stage");
		}
		if (i == 1 && !pv_usart_has(u, PV_OP_GET_VERSION))
			continue;
		for (attempt = 1;; attempt++) {
			r = ask[i](u, e);
			if (r == 0)
				break;
			r = pv_us_recover(u, r, attempt, e);
			if (r != 0)
				return r;
		}
	}
	pv_log(PV_LOG_DEBUG, "bootloader %u.%u, device 0x%03x, %zu commands",
	    u->info.version >> 4, u->info.version & 15U, u->info.device_id,
	    u->info.n_opcodes);
	return 0;
}

int
pv_us_reset(struct pv_usart *u, struct pv_error *e)
{
	int r;

	r = pv_reset_run(u->opt.reset, &u->link, e);
	if (r != 0)
		return pv_us_wrap(u, e);
	u->counters.resets++;
	pv_log(PV_LOG_DEBUG, "%s: reset by the reset sequence", u->step);
	return pv_us_sync(u, T_SYNC_SECOND, e);
}

int
pv_usart_open(const struct pv_link *link, const struct pv_progress *progress,
    struct pv_usart **ret_u, struct pv_error *e)
{
	return pv_usart_open_with(link, progress, NULL, ret_u, e);
}

int
pv_usart_open_with(const struct pv_link *link,
    const struct pv_progress *progress, const struct pv_usart_options *opt,
    struct pv_usart **ret_u, struct pv_error *e)
{
	struct pv_usart *u;
	int r;

	u = calloc(1, sizeof(*u));
	if (u == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	u->link = *link;
	u->progress = progress;
	if (opt != NULL)
		u->opt = *opt;
	if (u->opt.reset != NULL) {
		u->reset = *u->opt.reset;
		u->opt.reset = u->reset.n > 0 ? &u->reset : NULL;
	}
	pv_us_step(u, "connect");
	pv_progress_step(progress, "connect");
	r = u->opt.reset != NULL ? pv_us_reset(u, e)
				 : pv_us_sync(u, T_SYNC_SECOND, e);
	if (r == 0)
		r = identify(u, e);
	if (r != 0) {
		free(u);
		return r;
	}
	*ret_u = u;
	return 0;
}

void
pv_usart_free(struct pv_usart *u)
{
	free(u);
}

const struct pv_usart_info *
pv_usart_info(const struct pv_usart *u)
{
	return &u->info;
}

bool
pv_usart_has(const struct pv_usart *u, enum pv_usart_op op)
{
	return memchr(u->info.opcodes, (int)op, u->info.n_opcodes) != NULL;
}

unsigned
pv_usart_retries(const struct pv_usart *u)
{
	return u->retries;
}

const struct pv_usart_counters *
pv_usart_counters(const struct pv_usart *u)
{
	return &u->counters;
}

void
pv_usart_count_retry(
    struct pv_usart *u, const char *step, uint64_t address, const char *text)
{
	u->retries++;
	pv_log(PV_LOG_INFO, "retry: %s", text);
	pv_progress_retry(u->progress, step, address, text);
}

void
pv_usart_set_chip(struct pv_usart *u, const struct pv_chip *chip)
{
	u->chip = chip;
}

int
pv_usart_reconnect(struct pv_usart *u, int timeout_ms, struct pv_error *e)
{
	int64_t deadline = pv_now_ms() + timeout_ms;
	uint16_t id = u->info.device_id;
	int r;

	pv_us_step(u, "reconnect");
	do {
		r = pv_us_sync(u, T_SYNC_FIRST, e);
	} while (r == PV_E_TIMEOUT && pv_ms_left(deadline) > 0 &&
		 !pv_progress_cancelled(u->progress));
	if (r == 0)
		r = identify(u, e);
	if (r == 0 && u->info.device_id != id)
		r = pv_us_fail(u, PV_E_DEVICE, e,
		    "another chip answers: 0x%03x was 0x%03x",
		    u->info.device_id, id);
	return r;
}
