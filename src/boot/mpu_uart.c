/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An STM32MP session over a serial line: synchronizing, what a stage says of
 * itself, and waiting for the next one (formats/mpu-boot.md, section 2).
 */
#include "boot/mpu_uart.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define T_LOOK	  100  /* ms; one 0x7F */
#define T_CONNECT 2000 /* ms; until a stage answers at the beginning */
#define NO_START  0xffffffffU

/* --- questions ------------------------------------------------------------------ */

static int
get_once(struct mu *m, struct pv_error *e)
{
	uint8_t n, list[256];
	int r;

	r = pv_mu_command(m, MU_GET, e);
	if (r == 0)
		r = pv_mu_recv(m, "the length of Get", &n, 1, T_ANSWER, e);
	if (r == 0)
		r = pv_mu_recv(m, "Get", list, n + 1U, T_ANSWER, e);
	if (r == 0)
		r = pv_mu_ack(m, "Get", T_ANSWER, e);
	if (r != 0)
		return r;
	if (n == 0 || n > sizeof(m->info.opcodes))
		return pv_us_fail(&m->u, PV_E_DEVICE, e,
		    "answer to Get lists %u commands", n);
	m->info.protocol = list[0];
	m->info.n_opcodes = n;
	memcpy(m->info.opcodes, list + 1, n);
	return 0;
}

/* One byte or three, then ACK: read until it, with a short gap (M4). */
static int
get_version_once(struct mu *m, struct pv_error *e)
{
	uint8_t v[sizeof(m->info.version) + 1];
	size_t n = 0;
	int r;

	r = pv_mu_command(m, MU_GET_VERSION, e);
	while (r == 0) {
		r = pv_mu_recv(m, "Get Version", v + n, 1,
		    n == 0 ? T_ANSWER : T_MU_GAP, e);
		if (r == 0 && n > 0 && v[n] == ACK)
			break;
		if (r == 0 && ++n == sizeof(v))
			r = pv_us_fail(&m->u, PV_E_DEVICE, e,
			    "answer to Get Version does not end");
	}
	if (r != 0)
		return r;
	m->info.n_version = n;
	memcpy(m->info.version, v, n);
	return 0;
}

/* TF-A's SSP stage counts one byte too many: two bytes are meant (M4). */
static int
get_id_once(struct mu *m, struct pv_error *e)
{
	uint8_t id[3];
	int r;

	r = pv_mu_command(m, MU_GET_ID, e);
	if (r == 0)
		r = pv_mu_recv(m, "Get ID", id, sizeof(id), T_ANSWER, e);
	if (r == 0)
		r = pv_mu_ack(m, "Get ID", T_ANSWER, e);
	if (r == 0)
		m->info.chip = pv_get_u16be(id + 1);
	return r;
}

/*
 * N, phase, address, X, X bytes. A device that says phase 0xff resets, so
 * that a missing ACK behind it means nothing.
 */
static int
get_phase_once(struct mu *m, struct pv_mpu_phase *ret_phase, struct pv_error *e)
{
	struct pv_mpu_phase p = { 0 };
	uint8_t n, b[256];
	size_t text;
	int r;

	r = pv_mu_command(m, MU_GET_PHASE, e);
	if (r == 0)
		r = pv_mu_recv(
		    m, "the length of Get Phase", &n, 1, T_ANSWER, e);
	if (r == 0)
		r = pv_mu_recv(m, "Get Phase", b, n + 1U, T_ANSWER, e);
	if (r != 0)
		return r;
	if (n < 5 || n != 5U + b[5])
		return pv_us_fail(&m->u, PV_E_DEVICE, e,
		    "answer to Get Phase of %u bytes, with %u of text", n + 1U,
		    n < 5 ? 0U : b[5]);
	p.id = b[0];
	p.address = pv_get_u32le(b + 1);
	text = b[5];
	r = pv_mu_ack(m, "Get Phase", T_ANSWER, e);
	if (r != 0 && p.id != PV_MPU_RESET)
		return r;
	pv_error_clear(e);
	if (p.id == PV_MPU_RESET)
		pv_mpu_text(p.text, b + 6, text);
	p.stage = pv_mpu_stage_of(&m->info, p.id, 0);
	m->stage = p.stage;
	*ret_phase = p;
	return 0;
}

static int
ask(struct mu *m, int (*once)(struct mu *m, struct pv_error *e),
    struct pv_error *e)
{
	int r;

	for (unsigned int attempt = 1;; attempt++) {
		r = once(m, e);
		if (r == 0 || !pv_mu_again(m, r, attempt, e))
			return r;
		pv_error_clear(e);
	}
}

static int
identify(struct mu *m, struct pv_error *e)
{
	int r;

	memset(&m->info, 0, sizeof(m->info));
	m->stage = PV_MPU_STAGE_UNKNOWN;
	r = ask(m, get_once, e);
	if (r != 0)
		return r;
	if (memchr(m->info.opcodes, MU_GET_PHASE, m->info.n_opcodes) == NULL) {
		(void)pv_us_fail(&m->u, PV_E_UNSUPPORTED, e,
		    "the device has no Get Phase: it is no STM32MP");
		return pv_hint(
		    e, "microcontrollers take .sfi packages and images");
	}
	r = ask(m, get_version_once, e);
	if (r == 0)
		r = ask(m, get_id_once, e);
	if (r == 0)
		pv_log(PV_LOG_DEBUG, "STM32MP 0x%03x, %zu commands",
		    m->info.chip, m->info.n_opcodes);
	return r;
}

/* --- the line --------------------------------------------------------------------- */

/*
 * 0x7F until something answers. ACK: synchronized. NACK: a stage that took the
 * line over, or a ROM that was synchronized before and took two of these for a
 * command; both listen now (M3).
 */
static int
synchronize(struct mu *m, int timeout_ms, struct pv_error *e)
{
	int64_t deadline = pv_now_ms() + timeout_ms, until;
	const uint8_t sync = SYNC;
	uint8_t b = 0;
	int r;

	do {
		if (pv_progress_cancelled(m->u.progress))
			return pv_us_fail(
			    &m->u, PV_E_INTERRUPTED, e, "stopped");
		r = pv_mu_send(m, &sync, 1, e);
		until = pv_now_ms() + T_LOOK + pv_us_wire_ms(&m->u, 3);
		while (r == 0) {
			r = pv_us_byte(&m->u, &b, until, e);
			if (r == 0 && (b == ACK || b == NACK))
				return pv_us_quiet(&m->u, T_TURN / 4, e);
		}
		if (r != PV_E_TIMEOUT)
			return pv_us_wrap(&m->u, e);
	} while (pv_ms_left(deadline) > 0);
	(void)pv_us_fail(&m->u, PV_E_TIMEOUT, e,
	    "nobody answers on the line (0x7F for %d s)",
	    (timeout_ms + 999) / 1000);
	return pv_hint(e,
	    "set the boot pins to serial boot and reset the chip; check "
	    "supply, RX/TX and the port");
}

static int
connect(struct mu *m, struct pv_error *e)
{
	int r;

	pv_us_step(&m->u, "connect");
	pv_progress_step(m->u.progress, "connect");
	r = m->u.link.drain(m->u.link.ctx, e);
	if (r == 0 && m->u.opt.reset != NULL)
		r = pv_reset_run(m->u.opt.reset, &m->u.link, e);
	if (r != 0)
		return pv_us_wrap(&m->u, e);
	r = synchronize(m, T_CONNECT, e);
	return r != 0 ? r : identify(m, e);
}

/* --- the session ------------------------------------------------------------------ */

static const struct pv_mpu_info *
uart_info(void *ctx)
{
	return &((struct mu *)ctx)->info;
}

static const struct pv_mpu_counters *
uart_counters(void *ctx)
{
	return &((struct mu *)ctx)->counters;
}

static int
uart_phase(void *ctx, struct pv_mpu_phase *ret_phase, struct pv_error *e)
{
	struct mu *m = ctx;
	int r;

	if (m->heard) {
		m->heard = false;
		*ret_phase = m->last;
		return 0;
	}
	pv_us_step(&m->u, "phase");
	for (unsigned int attempt = 1;; attempt++) {
		r = get_phase_once(m, ret_phase, e);
		if (r == 0 || !pv_mu_again(m, r, attempt, e))
			return r;
	}
}

static int
uart_leave(void *ctx, struct pv_error *e)
{
	struct mu *m = ctx;

	pv_us_step(&m->u, "leave");
	return pv_mu_start(m, NO_START, T_MU_WORK, e);
}

static int
uart_next(void *ctx, int timeout_ms, bool *ret_restarted, struct pv_error *e)
{
	struct mu *m = ctx;
	struct pv_mpu_phase phase = { 0 };
	uint16_t chip = m->info.chip;
	int r;

	pv_us_step(&m->u, "wait");
	m->aborted = false;
	m->heard = false;
	r = synchronize(m, timeout_ms, e);
	if (r == 0)
		r = identify(m, e);
	if (r != 0)
		return r;
	if (m->info.chip != chip && chip != 0)
		return pv_us_fail(&m->u, PV_E_DEVICE, e,
		    "another chip answers: 0x%03x was 0x%03x", m->info.chip,
		    chip);
	/* The ROM lists neither of the read commands. */
	*ret_restarted = false;
	if (m->info.n_opcodes > 6)
		return 0;
	r = uart_phase(m, &phase, e);
	m->heard = r == 0 && phase.id == PV_MPU_RESET;
	if (m->heard)
		m->last = phase;
	*ret_restarted = r == 0 && phase.stage == PV_MPU_STAGE_ROM;
	if (*ret_restarted)
		m->counters.restarts++;
	return r;
}

static void
uart_free(void *ctx)
{
	free(ctx);
}

int
pv_mpu_uart_open(const struct pv_link *link, const struct pv_progress *progress,
    const struct pv_reset *reset, struct pv_mpu *ret_m, struct pv_error *e)
{
	struct mu *m = calloc(1, sizeof(*m));
	int r;

	if (m == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	m->u.link = *link;
	m->u.progress = progress;
	if (reset != NULL && reset->n > 0) {
		m->u.reset = *reset;
		m->u.opt.reset = &m->u.reset;
	}
	r = connect(m, e);
	if (r != 0) {
		free(m);
		return r;
	}
	*ret_m = (struct pv_mpu){
		.ctx = m,
		.info = uart_info,
		.counters = uart_counters,
		.phase = uart_phase,
		.download = pv_mu_download,
		.read = pv_mu_read,
		.leave = uart_leave,
		.next = uart_next,
		.free = uart_free,
	};
	return 0;
}
