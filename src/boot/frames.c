/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames of AN3155 section 3: opcode pairs, checksums, ACK and NACK, each
 * under its own deadline, and messages that name step, address and answer.
 */
#include "boot/usart.h"

#include "base/buf.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Bytes dropped while waiting for quiet: an endless talker ends here. */
#define QUIET_LIMIT  8192U
#define QUIET_MAX_MS 1000
/* Busy and stray bytes skipped before one ACK. */
#define SKIP_LIMIT   64U

void
pv_us_step(struct pv_usart *u, const char *step)
{
	u->step = step;
	u->has_address = false;
}

void
pv_us_step_at(struct pv_usart *u, const char *step, uint32_t address)
{
	u->step = step;
	u->address = address;
	u->has_address = true;
}

int
pv_us_fail(
    struct pv_usart *u, int code, struct pv_error *e, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (u->has_address)
		return pv_fail(e, code, "%s at 0x%08" PRIx32 ": %s", u->step,
		    u->address, text);
	return pv_fail(e, code, "%s: %s", u->step, text);
}

int
pv_us_wrap(const struct pv_usart *u, struct pv_error *e)
{
	if (u->has_address)
		return pv_wrap(e, "%s at 0x%08" PRIx32, u->step, u->address);
	return pv_wrap(e, "%s", u->step);
}

int
pv_us_wire_ms(const struct pv_usart *u, size_t n)
{
	/* A TCP server does not tell; the slow end of what is in use. */
	uint32_t baud = u->link.baud != 0 ? u->link.baud : 9600;

	return (int)(n * 11U * 1000U / baud) + 1;
}

uint8_t
pv_us_xor(const uint8_t *data, size_t len)
{
	uint8_t x = 0;

	while (len-- > 0)
		x ^= *data++;
	return x;
}

int
pv_us_send(
    struct pv_usart *u, const uint8_t *data, size_t len, struct pv_error *e)
{
	size_t room = sizeof(u->sent) - u->n_sent;
	size_t keep = len < room ? len : room;
	int64_t deadline = pv_now_ms() + T_SEND + pv_us_wire_ms(u, len);
	int r;

	memcpy(u->sent + u->n_sent, data, keep);
	u->n_sent += keep;
	r = u->link.write(u->link.ctx, data, len, deadline, e);
	if (r != 0)
		return pv_us_wrap(u, e);
	return 0;
}

int
pv_us_byte(
    struct pv_usart *u, uint8_t *ret_b, int64_t deadline_ms, struct pv_error *e)
{
	size_t n;

	return u->link.read(u->link.ctx, ret_b, 1, &n, deadline_ms, e);
}

int
pv_us_quiet(struct pv_usart *u, int quiet_ms, struct pv_error *e)
{
	int64_t give_up = pv_now_ms() + quiet_ms + QUIET_MAX_MS;
	uint8_t junk[256];
	size_t n, total = 0;
	int r;

	while (total < QUIET_LIMIT && pv_ms_left(give_up) > 0) {
		r = u->link.read(u->link.ctx, junk, sizeof(junk), &n,
		    pv_now_ms() + quiet_ms, e);
		if (r == PV_E_TIMEOUT)
			return 0;
		if (r != 0)
			return pv_us_wrap(u, e);
		total += n;
	}
	(void)pv_us_fail(u, PV_E_DEVICE, e, "the line never falls silent");
	return pv_hint(e,
	    "is the chip in its bootloader (BOOT0 high, then reset), and is "
	    "it this port?");
}

/* Seconds for people, of a time-out. */
static int
silent(struct pv_usart *u, const char *what, int timeout_ms, struct pv_error *e)
{
	(void)pv_us_fail(u, PV_E_TIMEOUT, e, "no answer to %s for %d.%d s",
	    what, timeout_ms / 1000, timeout_ms % 1000 / 100);
	return pv_hint(
	    e, "check cable and supply; reset the chip into its bootloader");
}

int
pv_us_ack(
    struct pv_usart *u, const char *what, int timeout_ms, struct pv_error *e)
{
	int wait = timeout_ms + pv_us_wire_ms(u, u->n_sent + 1);
	int64_t deadline = pv_now_ms() + wait;
	unsigned skipped = 0;
	uint8_t b;
	int r;

	do {
		r = pv_us_byte(u, &b, deadline, e);
		if (r == PV_E_TIMEOUT)
			return silent(u, what, wait, e);
		if (r != 0)
			return pv_us_wrap(u, e);
	} while (b == BUSY && ++skipped < SKIP_LIMIT);
	if (b == ACK) {
		memmove(u->sent, u->sent + (u->n_sent - u->ahead), u->ahead);
		u->n_sent = u->ahead;
		return 0;
	}
	if (b != NACK)
		return pv_us_fail(u, PV_E_DEVICE, e,
		    "unexpected answer 0x%02x to %s", b, what);
	/*
	 * What went out behind the refused frame was taken for commands: half
	 * a pair may be left, so the device is not known to be ready.
	 */
	u->stray = u->ahead > 0;
	if (!u->stray)
		u->n_sent = 0;
	/* A second NACK is the same refusal (U8), under read protection. */
	r = pv_us_quiet(u, T_TURN, e);
	if (r != 0)
		return r;
	return pv_us_fail(u, PV_E_NACK, e, "device refused %s (NACK)", what);
}

int
pv_us_ack_ahead(struct pv_usart *u, const char *what, size_t ahead,
    int timeout_ms, struct pv_error *e)
{
	int r;

	u->ahead = ahead < u->n_sent ? ahead : u->n_sent;
	r = pv_us_ack(u, what, timeout_ms, e);
	u->ahead = 0;
	return r;
}

int
pv_us_recv(struct pv_usart *u, const char *what, uint8_t *data, size_t len,
    int timeout_ms, struct pv_error *e)
{
	int wait = timeout_ms + pv_us_wire_ms(u, len);
	int64_t deadline = pv_now_ms() + wait;
	size_t got = 0, n;
	int r;

	while (got < len) {
		r = u->link.read(
		    u->link.ctx, data + got, len - got, &n, deadline, e);
		if (r == PV_E_TIMEOUT && got > 0)
			return pv_us_fail(u, PV_E_TIMEOUT, e,
			    "only %zu of %zu bytes of %s came", got, len, what);
		if (r == PV_E_TIMEOUT)
			return silent(u, what, wait, e);
		if (r != 0)
			return pv_us_wrap(u, e);
		got += n;
	}
	return 0;
}

int
pv_us_command(struct pv_usart *u, enum pv_usart_op op, struct pv_error *e)
{
	uint8_t pair[2] = { (uint8_t)op, (uint8_t) ~(unsigned)op };
	uint32_t baud = u->link.baud != 0 ? u->link.baud : 9600;
	int64_t began, took;
	char what[32];
	int r;

	(void)snprintf(what, sizeof(what), "command 0x%02x", (unsigned)op);
	u->n_sent = 0;
	u->merged = false;
	began = pv_now_us();
	r = pv_us_send(u, pair, sizeof(pair), e);
	if (r == 0)
		r = pv_us_ack(u, what, T_ANSWER, e);
	if (r != 0)
		return r;
	/* opcode, complement and ACK: 33 bit times */
	took = pv_now_us() - began - INT64_C(33000000) / baud;
	u->turns++;
	if (took > SLOW_TURN_US)
		u->slow_turns++;
	return 0;
}

void
pv_us_head(uint8_t f[HEAD], enum pv_usart_op op, uint32_t addr)
{
	f[0] = (uint8_t)op;
	f[1] = (uint8_t) ~(unsigned)op;
	pv_put_u32be(f + 2, addr);
	f[6] = pv_us_xor(f + 2, 4);
}

/*
 * Opcodes that change something, begin a frame that could, or end the
 * session; with the no-stretch twins of the I2C family, which a device may
 * know without listing them.
 */
static bool
changes(uint8_t op)
{
	static const uint8_t list[] = { 0x21, 0x31, 0x32, 0x43, 0x44, 0x45,
		0x50, 0x51, 0x63, 0x64, 0x73, 0x74, 0x82, 0x83, 0x92, 0x93 };

	return memchr(list, op, sizeof(list)) != NULL;
}

bool
pv_us_has_pair(const uint8_t *data, size_t len)
{
	size_t i;

	for (i = 0; i + 1 < len; i++)
		if ((data[i] ^ data[i + 1]) == 0xff && changes(data[i]))
			return true;
	return false;
}

int
pv_us_need(struct pv_usart *u, enum pv_usart_op op, struct pv_error *e)
{
	struct pv_error ignored = { 0 };

	if (pv_usart_has(u, op))
		return 0;
	/* The list has no checksum: a byte of it may have been damaged. */
	if (!u->listed_again) {
		u->listed_again = true;
		if (pv_us_get(u, &ignored) != 0)
			(void)pv_us_recover(u, ignored.code, 1, &ignored);
		if (pv_usart_has(u, op))
			return 0;
	}
	return pv_us_fail(u, PV_E_DEVICE, e,
	    "the bootloader has no command 0x%02x", (unsigned)op);
}

/*
 * A refusal of the opcode, while Get is answered, is read protection: only
 * Get, Get Version, Get ID and Readout Unprotect work then (U15).
 */
int
pv_us_protected(struct pv_usart *u, struct pv_error *e)
{
	(void)pv_us_fail(u, PV_E_PROTECTED, e,
	    "refused (NACK to the command): the chip is read protected");
	return pv_hint(e,
	    "protection level 1 opens only by erasing it all ('device "
	    "unprotect --read-protect'); a higher level never opens");
}

int
pv_us_address(struct pv_usart *u, uint32_t addr, struct pv_error *e)
{
	uint8_t f[5];
	int r;

	pv_put_u32be(f, addr);
	f[4] = pv_us_xor(f, 4);
	r = pv_us_send(u, f, sizeof(f), e);
	if (r != 0)
		return r;
	return pv_us_ack(u, "the address", T_ANSWER, e);
}
