/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Write and readout protection, option bytes: AN3155 sections 3.6 and 3.9 to
 * 3.12. After each of them the device may restart by itself, so a lost answer
 * is followed by 0x7F, never by filler, and the session begins anew.
 */
#include "boot/usart.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <string.h>

#define RESTART_MS   5000 /* a restart, option loading included */
#define OPTIONS_BASE 0x08000000U
#define CODES_MAX    256U

static uint32_t
probe_address(const struct pv_usart *u)
{
	return u->chip != NULL && u->chip->n_banks > 0
		   ? pv_chip_flash_base(u->chip)
		   : OPTIONS_BASE;
}

/* The opcode, tried again; `u->step` is set. */
static int
begin(struct pv_usart *u, enum pv_usart_op op, struct pv_error *e)
{
	unsigned attempt;
	int r;

	r = pv_us_need(u, op, e);
	if (r != 0)
		return r;
	if (pv_progress_cancelled(u->progress))
		return pv_us_fail(u, PV_E_INTERRUPTED, e, "stopped");
	for (attempt = 1;; attempt++) {
		r = pv_us_command(u, op, e);
		if (r == 0)
			return 0;
		/* The answer may be lost and the work begun: no filler. */
		if (r != PV_E_NACK && op != PV_OP_WRITE_PROTECT)
			return r;
		r = pv_us_recover(u, r, attempt, e);
		if (r == PV_E_NACK && op != PV_OP_READOUT_UNPROTECT)
			return pv_us_protected(u, e);
		if (r != 0)
			return r;
	}
}

/*
 * 0x7F until somebody answers: a restarted device takes it for its baud byte,
 * one that did not for half a pair. Then the same step again for messages.
 */
static int
again(struct pv_usart *u, const char *step, int timeout_ms, struct pv_error *e)
{
	int r;

	r = pv_usart_reconnect(u, timeout_ms, e);
	if (r == PV_E_TIMEOUT)
		(void)pv_hint(e,
		    "the device restarted and did not come back into its "
		    "bootloader: reset it with the boot pin set, then look "
		    "with 'provisor device info'");
	pv_us_step(u, step);
	return r;
}

static bool
lost(int r)
{
	return r == PV_E_TIMEOUT || r == PV_E_DEVICE;
}

/*
 * Some parts restart before the last ACK is out. A device that took 0x7F for
 * its baud byte has restarted, which only a command that was carried out does.
 */
static bool
restarted(const struct pv_usart *u)
{
	return !u->info.already_synced;
}

static void
say_lost(struct pv_usart *u, const struct pv_error *e)
{
	pv_usart_count_retry(u, u->step, 0, e != NULL ? e->msg : "");
}

/* --- write protection ---------------------------------------------------------- */

static int
check_codes(
    struct pv_usart *u, const uint8_t *codes, size_t n, struct pv_error *e)
{
	uint32_t total = u->chip != NULL ? pv_chip_sectors(u->chip) : 0;
	bool seen[CODES_MAX] = { false };
	size_t i;

	if (n == 0 || n > CODES_MAX)
		return pv_us_fail(
		    u, PV_E_RANGE, e, "%zu sectors in one list", n);
	for (i = 0; i < n; i++) {
		if (total != 0 && codes[i] >= total)
			return pv_us_fail(u, PV_E_RANGE, e,
			    "sector %u is beyond the last, %" PRIu32, codes[i],
			    total - 1);
		if (seen[codes[i]])
			return pv_us_fail(u, PV_E_RANGE, e,
			    "sector %u is named twice", codes[i]);
		seen[codes[i]] = true;
	}
	return 0;
}

int
pv_usart_write_protect(
    struct pv_usart *u, const uint8_t *codes, size_t n, struct pv_error *e)
{
	uint8_t f[1 + CODES_MAX + 1];
	unsigned attempt;
	int r;

	pv_us_step(u, "write protect");
	r = check_codes(u, codes, n, e);
	if (r != 0)
		return r;
	f[0] = (uint8_t)(n - 1);
	memcpy(f + 1, codes, n);
	f[1 + n] = pv_us_xor(f, 1 + n);
	for (attempt = 1;; attempt++) {
		r = begin(u, PV_OP_WRITE_PROTECT, e);
		if (r == 0)
			r = pv_us_send(u, f, n + 2, e);
		if (r == 0)
			r = pv_us_ack(u, "the sector list", T_PAGE, e);
		if (r == 0)
			return again(u, "write protect", RESTART_MS, e);
		if ((!lost(r) && r != PV_E_NACK) || attempt == ATTEMPTS)
			return r;
		/* The whole set again: the last one counts. */
		say_lost(u, e);
		r = again(u, "write protect", RESTART_MS, e);
		if (r != 0 || restarted(u))
			return r;
	}
}

int
pv_usart_write_unprotect(struct pv_usart *u, struct pv_error *e)
{
	unsigned attempt;
	int r;

	for (attempt = 1;; attempt++) {
		pv_us_step(u, "write unprotect");
		r = begin(u, PV_OP_WRITE_UNPROTECT, e);
		if (r == 0)
			r = pv_us_ack(u, "its end", T_PAGE, e);
		if (r == 0)
			return again(u, "write unprotect", RESTART_MS, e);
		if (!lost(r) || attempt == ATTEMPTS)
			return r;
		say_lost(u, e);
		r = again(u, "write unprotect", RESTART_MS, e);
		if (r != 0 || restarted(u))
			return r;
	}
}

/* --- readout protection --------------------------------------------------------- */

/* Is it as it should be now? `on` is what was asked for. */
static int
proven(struct pv_usart *u, const char *step, bool on, bool *ret_done,
    struct pv_error *e)
{
	bool now = false;
	int r;

	r = pv_usart_probe_protection(u, probe_address(u), &now, e);
	pv_us_step(u, step);
	*ret_done = r == 0 && now == on;
	return r;
}

static int
readout(struct pv_usart *u, enum pv_usart_op op, bool on, int work_ms,
    struct pv_error *e)
{
	const char *step = on ? "readout protect" : "readout unprotect";
	bool done = false;
	unsigned attempt;
	int r;

	for (attempt = 1; attempt <= ATTEMPTS; attempt++) {
		pv_us_step(u, step);
		r = begin(u, op, e);
		if (r == 0)
			r = pv_us_ack(u, "its end", work_ms, e);
		if (r == PV_E_NACK && !on)
			return pv_us_fail(u, PV_E_NACK, e,
			    "refused, or the erase failed: protection is "
			    "still on");
		if (r != 0 && !lost(r))
			return r;
		if (r != 0)
			say_lost(u, e);
		/*
		 * OpenBL sends both ACKs before it erases: then the erase is
		 * what keeps it silent now.
		 */
		r = again(u, step, work_ms + RESTART_MS, e);
		if (r == 0)
			r = proven(u, step, on, &done, e);
		if (r != 0 || done)
			return r;
	}
	return pv_us_fail(u, PV_E_VERIFY, e,
	    "acknowledged, but the chip is %s read protected",
	    on ? "not" : "still");
}

int
pv_usart_readout_protect(struct pv_usart *u, struct pv_error *e)
{
	return readout(u, PV_OP_READOUT_PROTECT, true, T_PAGE, e);
}

int
pv_usart_readout_unprotect(struct pv_usart *u, struct pv_error *e)
{
	return readout(u, PV_OP_READOUT_UNPROTECT, false, pv_us_mass_ms(u), e);
}

/* --- option bytes --------------------------------------------------------------- */

static int
check_area(struct pv_usart *u, size_t len, struct pv_error *e)
{
	const struct pv_chip *c = u->chip;

	if (c == NULL || !c->has_option_area || c->option_area.size == 0) {
		(void)pv_us_fail(u, PV_E_UNSUPPORTED, e,
		    "no option area is known for this chip");
		return pv_hint(e,
		    "add 'option_bytes' with base and size to its chip "
		    "description");
	}
	if (len != c->option_area.size || len > PV_USART_BLOCK ||
	    len % 4 != 0 || c->option_area.base % 4 != 0)
		return pv_us_fail(u, PV_E_UNSUPPORTED, e,
		    "%zu option bytes do not go into one frame from the base "
		    "of the area",
		    len);
	return 0;
}

int
pv_usart_read_options(
    struct pv_usart *u, uint8_t *data, size_t len, struct pv_error *e)
{
	uint8_t twice[PV_USART_BLOCK] = { 0 };
	unsigned attempt;
	int r;

	pv_us_step(u, "options");
	r = check_area(u, len, e);
	/* Read data has no checksum, and these bytes are written back. */
	for (attempt = 1; r == 0 && attempt <= ATTEMPTS; attempt++) {
		r = pv_usart_read(u, u->chip->option_area.base, data, len, e);
		if (r == 0)
			r = pv_usart_read(
			    u, u->chip->option_area.base, twice, len, e);
		if (r != 0 || memcmp(data, twice, len) == 0)
			return r;
	}
	return r != 0 ? r
		      : pv_us_fail(u, PV_E_DEVICE, e,
			    "two reads of the option bytes never agree");
}

/* One frame from the base of the area, in lockstep. */
static int
options_once(struct pv_usart *u, const uint8_t *data, size_t len,
    bool *ret_sent, struct pv_error *e)
{
	uint8_t f[1 + PV_USART_BLOCK + 1];
	int r;

	*ret_sent = false;
	pv_us_step_at(u, "options", u->chip->option_area.base);
	r = pv_us_command(u, PV_OP_WRITE, e);
	if (r == 0)
		r = pv_us_address(u, u->chip->option_area.base, e);
	if (r != 0)
		return r;
	f[0] = (uint8_t)(len - 1);
	memcpy(f + 1, data, len);
	f[1 + len] = pv_us_xor(f, 1 + len);
	*ret_sent = true;
	r = pv_us_send(u, f, len + 2, e);
	return r != 0 ? r : pv_us_ack(u, "the option bytes", T_PAGE, e);
}

static int
read_back(struct pv_usart *u, const uint8_t *data, size_t len, uint8_t *now,
    bool *ret_same, bool *ret_protected, struct pv_error *e)
{
	int r;

	r = pv_usart_read_options(u, now, len, e);
	*ret_protected = r == PV_E_PROTECTED;
	if (*ret_protected)
		pv_error_clear(e);
	*ret_same = r == 0 && memcmp(now, data, len) == 0;
	return *ret_protected ? 0 : r;
}

int
pv_usart_write_options(struct pv_usart *u, const uint8_t *data, size_t len,
    bool *ret_protected, struct pv_error *e)
{
	uint8_t now[PV_USART_BLOCK] = { 0 };
	bool sent, same = false;
	unsigned attempt;
	size_t i = 0;
	int r;

	*ret_protected = false;
	pv_us_step(u, "options");
	r = check_area(u, len, e);
	if (r == 0)
		r = pv_us_need(u, PV_OP_WRITE, e);
	for (attempt = 1; r == 0 && attempt <= ATTEMPTS; attempt++) {
		r = options_once(u, data, len, &sent, e);
		if (r != 0 && !sent) {
			r = pv_us_recover(u, r, attempt, e);
			continue;
		}
		if (r != 0 && !lost(r) && r != PV_E_NACK)
			return r;
		if (r != 0)
			say_lost(u, e);
		r = again(u, "options", RESTART_MS, e);
		if (r == 0)
			r = read_back(
			    u, data, len, now, &same, ret_protected, e);
		if (r != 0 || same || *ret_protected)
			return r;
	}
	if (r != 0)
		return r;
	while (i + 1 < len && now[i] == data[i])
		i++;
	(void)pv_us_fail(u, PV_E_VERIFY, e,
	    "wrote 0x%02x to 0x%08" PRIx32 ", reads 0x%02x", data[i],
	    u->chip->option_area.base + (uint32_t)i, now[i]);
	return pv_hint(e,
	    "reserved bits keep their value, and some parts want each word's "
	    "complement beside it: see the reference manual");
}
