/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests, the rules of polling, and the way back to idle.
 *
 * A command runs at the first GETSTATUS after its DNLOAD, which must say
 * dfuDNBUSY; a later GETSTATUS has the result (AN3156 sections 5.1 to 5.4).
 * The device says how long to wait before the next one. That is obeyed, but
 * the deadline is ours: no device makes us wait longer than its operation can
 * take.
 */
#include "boot/dfu.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define IDLE_ROUNDS 10U
#define STALLS_MAX  3U	 /* GETSTATUS refused in a row during an erase */
#define ZERO_POLLS  100U /* busy with a poll time of 0 */
#define ABSURD_MAX  1U	 /* once may be a mistake */
#define SLICE	    100

static const char *const status_names[] = { "OK", "errTARGET", "errFILE",
	"errWRITE", "errERASE", "errCHECK_ERASED", "errPROG", "errVERIFY",
	"errADDRESS", "errNOTDONE", "errFIRMWARE", "errVENDOR", "errUSBR",
	"errPOR", "errUNKNOWN", "errSTALLEDPKT" };

const char *
pv_df_status_name(uint8_t status)
{
	if (status < sizeof(status_names) / sizeof(status_names[0]))
		return status_names[status];
	return "an unknown status";
}

/* --- messages ---------------------------------------------------------------- */

void
pv_df_step(struct pv_dfu *d, const char *step)
{
	d->step = step;
	d->has_address = false;
}

void
pv_df_step_at(struct pv_dfu *d, const char *step, uint32_t address)
{
	d->step = step;
	d->address = address;
	d->has_address = true;
}

int
pv_df_wrap(struct pv_dfu *d, struct pv_error *e)
{
	if (d->has_address)
		return pv_wrap(e, "%s at 0x%08x", d->step, d->address);
	return pv_wrap(e, "%s", d->step);
}

int
pv_df_fail(struct pv_dfu *d, int code, struct pv_error *e, const char *fmt, ...)
{
	char text[192];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)pv_fail(e, code, "%s", text);
	(void)pv_df_wrap(d, e);
	return code;
}

int
pv_df_refused(struct pv_dfu *d, const struct dfu_status *s, struct pv_error *e)
{
	if (s->status == DFU_ERR_VENDOR) {
		(void)pv_df_fail(
		    d, PV_E_PROTECTED, e, "the chip is read protected");
		return pv_hint(e,
		    "'provisor device unprotect' lifts it and erases all flash "
		    "where the part permits that");
	}
	if (s->status == DFU_ERR_TARGET) {
		(void)pv_df_fail(d, PV_E_NACK, e,
		    "the device refuses this address (errTARGET)");
		return PV_E_NACK;
	}
	return pv_df_fail(d, PV_E_NACK, e, "the device refused: %s in state %u",
	    pv_df_status_name(s->status), (unsigned int)s->state);
}

/* --- requests ------------------------------------------------------------------ */

int
pv_df_request(struct pv_dfu *d, uint8_t type, uint8_t rq, uint16_t value,
    uint8_t *data, uint16_t len, uint16_t *ret_len, int timeout_ms,
    struct pv_error *e)
{
	struct pv_usb_setup s = { .type = type,
		.request = rq,
		.value = value,
		.index = d->usb->interface,
		.length = len };
	uint16_t n = 0;
	int rc;

	d->transfers++;
	rc = d->usb->control(
	    d->usb->ctx, &s, data, &n, pv_now_ms() + timeout_ms, e);
	pv_log(PV_LOG_DEBUG, "dfu request %u value %u length %u: %s %u",
	    (unsigned int)rq, (unsigned int)value, (unsigned int)len,
	    rc == 0 ? "ok" : pv_code_name(rc), (unsigned int)n);
	if (rc == 0 && n > len)
		return pv_fail(e, PV_E_INTERNAL, "USB transfer too long");
	if (rc == 0 && ret_len != NULL)
		*ret_len = n;
	return rc;
}

int
pv_df_upload(struct pv_dfu *d, uint16_t block, uint8_t *data, uint16_t len,
    uint16_t *ret_len, struct pv_error *e)
{
	return pv_df_request(d, DFU_TYPE_IN, DFU_UPLOAD, block, data, len,
	    ret_len, T_REQUEST, e);
}

int
pv_df_dnload(struct pv_dfu *d, uint16_t block, const uint8_t *data,
    uint16_t len, struct pv_error *e)
{
	/* The one buffer type serves both directions; this one is sent. */
	uint8_t copy[PV_DFU_BLOCK];
	uint16_t sent = 0;
	int rc;

	if (len > sizeof(copy))
		return pv_fail(e, PV_E_INTERNAL, "DFU block too long");
	if (len > 0)
		memcpy(copy, data, len);
	rc = pv_df_request(
	    d, DFU_TYPE_OUT, DFU_DNLOAD, block, copy, len, &sent, T_REQUEST, e);
	if (rc == 0 && sent != len)
		return pv_fail(e, PV_E_DEVICE, "the device took %u of %u bytes",
		    (unsigned int)sent, (unsigned int)len);
	return rc;
}

int
pv_df_getstatus(struct pv_dfu *d, struct dfu_status *ret_s, int timeout_ms,
    struct pv_error *e)
{
	uint8_t b[6] = { 0 };
	uint16_t n = 0;
	int rc;

	rc = pv_df_request(
	    d, DFU_TYPE_IN, DFU_GETSTATUS, 0, b, sizeof(b), &n, timeout_ms, e);
	if (rc != 0)
		return rc;
	if (n != sizeof(b))
		return pv_fail(e, PV_E_DEVICE, "status of %u bytes, it has 6",
		    (unsigned int)n);
	ret_s->status = b[0];
	ret_s->poll_ms = (uint32_t)(b[1] | b[2] << 8 | b[3] << 16);
	ret_s->state = b[4];
	return 0;
}

int
pv_df_abort(struct pv_dfu *d, struct pv_error *e)
{
	return pv_df_request(
	    d, DFU_TYPE_OUT, DFU_ABORT, 0, NULL, 0, NULL, T_REQUEST, e);
}

/*
 * One step towards idle. CLRSTATUS belongs to the error state alone: some
 * parts stall it elsewhere. One that is busy is given the time it asks for.
 */
static int
idle_step(struct pv_dfu *d, const struct dfu_status *s, struct pv_error *e)
{
	uint32_t ms = s->poll_ms;

	switch (s->state) {
	case DFU_ERROR:
		return pv_df_request(d, DFU_TYPE_OUT, DFU_CLRSTATUS, 0, NULL, 0,
		    NULL, T_REQUEST, e);
	case DFU_DNBUSY:
	case DFU_DNLOAD_SYNC:
	case DFU_MANIFEST_SYNC:
	case DFU_MANIFEST:
		if (ms > T_MARGIN)
			ms = T_MARGIN;
		return pv_df_wait(d, (int)ms + 1, e);
	default:
		return pv_df_abort(d, e);
	}
}

int
pv_df_idle(struct pv_dfu *d, struct pv_error *e)
{
	struct pv_error last = { 0 };
	struct dfu_status s = { 0 };
	unsigned int answered = 0;
	int rc;

	d->mode = MODE_OTHER;
	for (unsigned int i = 0; i < IDLE_ROUNDS; i++) {
		pv_error_clear(&last);
		rc = pv_df_getstatus(d, &s, T_REQUEST, &last);
		if (rc == 0) {
			answered++;
			if (s.state == DFU_IDLE && s.status == DFU_OK)
				return 0;
			rc = idle_step(d, &s, &last);
		}
		if (rc == PV_E_LINK || rc == PV_E_INTERRUPTED ||
		    (rc == PV_E_TIMEOUT && answered == 0)) {
			if (e != NULL)
				*e = last;
			return pv_df_wrap(d, e);
		}
	}
	if (answered == 0 && last.code != 0) {
		if (e != NULL)
			*e = last;
		return pv_df_wrap(d, e);
	}
	(void)pv_df_fail(d, PV_E_DEVICE, e,
	    "the device does not become idle in %u rounds; state %u, %s",
	    IDLE_ROUNDS, (unsigned int)s.state, pv_df_status_name(s.status));
	return pv_hint(e, "unplug it, or reset it with the boot pin set");
}

/* --- waiting -------------------------------------------------------------------- */

int
pv_df_wait(struct pv_dfu *d, int ms, struct pv_error *e)
{
	int64_t until = pv_now_ms() + ms;
	int left;

	do {
		if (pv_progress_cancelled(d->progress))
			return pv_df_fail(
			    d, PV_E_INTERRUPTED, e, "interrupted");
		left = pv_ms_left(until);
		if (left > 0)
			pv_sleep_ms(left < SLICE ? left : SLICE);
	} while (pv_ms_left(until) > 0);
	return 0;
}

/* The state of one wait for the end of a command. */
struct poll {
	const struct dfu_op *op;
	int64_t deadline;
	struct dfu_status s; /* the last good answer */
	unsigned int zeros, stalls;
	bool first; /* the next wait is the first one */
};

/*
 * How long to wait now. Parts known to ask for far too much (quirk
 * poll-long) are looked at when the work is typically done, and then every
 * millisecond; for all others what they say is a minimum.
 */
static int
poll_wait(struct pv_dfu *d, struct poll *p, struct pv_error *e)
{
	int left = pv_ms_left(p->deadline);
	uint32_t ms = p->s.poll_ms;

	if (p->op->typical_ms > 0 && pv_df_quirk(d, "poll-long")) {
		if (!p->first)
			ms = 1;
		else if (ms > (uint32_t)p->op->typical_ms)
			ms = (uint32_t)p->op->typical_ms;
	}
	if (ms == 0) {
		if (++p->zeros > ZERO_POLLS)
			return pv_df_fail(d, PV_E_DEVICE, e,
			    "still busy after %u polls with a poll time of 0",
			    ZERO_POLLS);
		/* Spread over the deadline once it is clearly not quick. */
		ms = p->zeros <= 20
			 ? 1
			 : (uint32_t)p->op->deadline_ms / (ZERO_POLLS - 20) + 1;
	}
	if (ms > (uint32_t)left) {
		if (ms > (uint32_t)p->op->deadline_ms &&
		    ++d->absurd > ABSURD_MAX)
			return pv_df_fail(d, PV_E_DEVICE, e,
			    "the device asks for %u ms between polls, %u times "
			    "now",
			    ms, d->absurd);
		ms = (uint32_t)left;
	}
	p->first = false;
	return pv_df_wait(d, (int)ms, e);
}

/* GETSTATUS; an erase may stall it a few times. */
static int
poll_status(struct pv_dfu *d, struct poll *p, struct pv_error *e)
{
	int ms, rc;

	for (;;) {
		struct pv_error last = { 0 };

		rc = pv_df_getstatus(d, &p->s, T_REQUEST, &last);
		if (rc == 0) {
			p->stalls = 0;
			return 0;
		}
		if (rc != PV_E_NACK || !p->op->erase ||
		    ++p->stalls > STALLS_MAX) {
			if (e != NULL)
				*e = last;
			return pv_df_wrap(d, e);
		}
		ms = (int)(p->s.poll_ms < (uint32_t)p->op->deadline_ms
			       ? p->s.poll_ms
			       : (uint32_t)p->op->deadline_ms);
		if (ms < p->op->typical_ms)
			ms = p->op->typical_ms;
		if (ms < T_STALL_MIN)
			ms = T_STALL_MIN;
		d->retries++;
		pv_progress_retry(d->progress, d->step,
		    d->has_address ? d->address : 0,
		    "status refused while erasing");
		if ((rc = pv_df_wait(d, ms, e)) != 0)
			return rc;
	}
}

/*
 * Some parts never leave dfuDNBUSY after a large erase. CLRSTATUS twice gets
 * them out: the first is answered with an error, the second ends in idle. The
 * erase is taken as done; whether it was, the verification shows.
 */
static int
unstick(struct pv_dfu *d, struct pv_error *e)
{
	struct dfu_status s;

	for (int i = 0; i < 2; i++) {
		(void)pv_df_request(d, DFU_TYPE_OUT, DFU_CLRSTATUS, 0, NULL, 0,
		    NULL, T_REQUEST, NULL);
		if (pv_df_getstatus(d, &s, T_REQUEST, NULL) == 0 &&
		    s.state == DFU_IDLE)
			break;
	}
	pv_progress_note(
	    d->progress, "the device stayed busy after an erase; went on");
	return pv_df_idle(d, e);
}

static int
poll_end(struct pv_dfu *d, struct poll *p, struct pv_error *e)
{
	int rc;

	if ((rc = poll_status(d, p, e)) != 0)
		return rc;
	if (p->s.state != DFU_DNBUSY) {
		if (p->s.status != DFU_OK || p->s.state == DFU_ERROR)
			return pv_df_refused(d, &p->s, e);
		return pv_df_fail(d, PV_E_DEVICE, e,
		    "the device did not start the command (state %u)",
		    (unsigned int)p->s.state);
	}
	while (p->s.state == DFU_DNBUSY) {
		if (pv_ms_left(p->deadline) == 0) {
			if (p->op->erase && pv_df_quirk(d, "erase-busy-stuck"))
				return unstick(d, e);
			(void)pv_df_fail(d, PV_E_TIMEOUT, e,
			    "the device is still busy after %d ms",
			    p->op->deadline_ms);
			return pv_hint(e,
			    "a chip description with its times (--chip) gives "
			    "it longer");
		}
		if ((rc = poll_wait(d, p, e)) != 0)
			return rc;
		if ((rc = poll_status(d, p, e)) != 0)
			return rc;
	}
	if (p->s.status != DFU_OK || p->s.state == DFU_ERROR)
		return pv_df_refused(d, &p->s, e);
	if (p->s.state != DFU_DNLOAD_IDLE)
		return pv_df_fail(d, PV_E_DEVICE, e,
		    "the device is in state %u after the command",
		    (unsigned int)p->s.state);
	return 0;
}

int
pv_df_run(struct pv_dfu *d, uint16_t block, const uint8_t *data, uint16_t len,
    const struct dfu_op *op, struct pv_error *e)
{
	struct poll p = { .op = op, .first = true };
	struct dfu_status s;
	int rc;

	if (pv_progress_cancelled(d->progress))
		return pv_df_fail(d, PV_E_INTERRUPTED, e, "interrupted");
	rc = pv_df_dnload(d, block, data, len, e);
	if (rc == PV_E_NACK) {
		/* Why, the status says. */
		if (pv_df_getstatus(d, &s, T_REQUEST, NULL) == 0 &&
		    s.status != DFU_OK)
			return pv_df_refused(d, &s, e);
	}
	if (rc != 0)
		return pv_df_wrap(d, e);
	p.deadline = pv_now_ms() + op->deadline_ms;
	return poll_end(d, &p, e);
}

/* --- again ------------------------------------------------------------------------ */

int
pv_df_again(
    struct pv_dfu *d, int code, unsigned int attempt, struct pv_error *e)
{
	struct pv_error kept = { 0 }, other = { 0 };
	int rc;

	d->mode = MODE_OTHER;
	if (e != NULL)
		kept = *e;
	if (code == PV_E_LINK || code == PV_E_INTERRUPTED)
		return code;
	rc = pv_df_idle(d, &other);
	/* A protected chip, or an address it does not have, stays refused. */
	if (code == PV_E_PROTECTED || code == PV_E_RANGE)
		return code;
	if (rc == 0 && attempt < ATTEMPTS) {
		d->retries++;
		pv_progress_retry(d->progress, d->step,
		    d->has_address ? d->address : 0, kept.msg);
		pv_error_clear(e);
		return 0;
	}
	if (rc == PV_E_LINK || rc == PV_E_INTERRUPTED) {
		if (e != NULL)
			*e = other;
		return rc;
	}
	if (e != NULL) {
		char more[32];
		size_t n = strlen(e->msg);

		(void)snprintf(
		    more, sizeof(more), ", after %u attempts", attempt);
		if (attempt > 1)
			(void)snprintf(
			    e->msg + n, sizeof(e->msg) - n, "%s", more);
	}
	return code;
}
