/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Special (0x50) and Extended Special (0x51): AN3155 sections 3.14 and 3.15.
 * Each packet is acknowledged on its own; the answers carry no checksum and
 * their sizes are the device's, so they are bounded by our room.
 */
#include "boot/usart.h"

#include "base/buf.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

/* size (2), data, XOR of both; then its ACK. */
static int
packet(struct pv_usart *u, const char *what, const uint8_t *data, size_t len,
    int timeout_ms, struct pv_error *e)
{
	uint8_t f[FRAME_MAX];
	struct pv_writer w;
	int r;

	pv_wr_init(&w, f, sizeof(f));
	pv_wr_u16be(&w, (uint16_t)len);
	if (len > 0)
		pv_wr_bytes(&w, data, len);
	pv_wr_u8(&w, pv_us_xor(f, w.len));
	if (!pv_wr_ok(&w))
		return pv_us_fail(
		    u, PV_E_INTERNAL, e, "%s of %zu bytes", what, len);
	r = pv_us_send(u, f, w.len, e);
	if (r != 0)
		return r;
	return pv_us_ack(u, what, timeout_ms, e);
}

/* size (2) and that many bytes, by the time of the whole operation. */
static int
answer(struct pv_usart *u, const char *what, uint8_t *data, size_t cap,
    size_t *ret_len, int64_t deadline_ms, struct pv_error *e)
{
	uint8_t size[2];
	size_t n;
	int r;

	r = pv_us_recv(u, what, size, sizeof(size), pv_ms_left(deadline_ms), e);
	if (r != 0)
		return r;
	n = pv_get_u16be(size);
	if (n > cap)
		return pv_us_fail(u, PV_E_DEVICE, e,
		    "device announces %zu bytes of %s, at most %zu are "
		    "possible",
		    n, what, cap);
	if (n > 0) {
		r = pv_us_recv(u, what, data, n, T_ANSWER, e);
		if (r != 0)
			return r;
	}
	*ret_len = n;
	return 0;
}

static int
exchange(struct pv_usart *u, struct pv_usart_special *s, struct pv_error *e)
{
	enum pv_usart_op op =
	    s->extended ? PV_OP_EXTENDED_SPECIAL : PV_OP_SPECIAL;
	int64_t deadline;
	uint8_t f[3];
	int r;

	r = pv_us_command(u, op, e);
	s->unknown = r == PV_E_NACK;
	if (r != 0)
		return r;
	pv_put_u16be(f, s->code);
	f[2] = pv_us_xor(f, 2);
	r = pv_us_send(u, f, sizeof(f), e);
	if (r == 0)
		r = pv_us_ack(u, "the subcommand", T_ANSWER, e);
	s->unknown = r == PV_E_NACK;
	if (r == 0)
		r = packet(u, "the first packet", s->data, s->len, T_ANSWER, e);
	if (r == 0 && s->extended)
		r = packet(
		    u, "the second packet", s->data2, s->len2, T_ANSWER, e);
	if (r != 0)
		return r;
	deadline = pv_now_ms() + s->timeout_ms;
	if (!s->extended)
		r = answer(u, "the answer", s->answer, sizeof(s->answer),
		    &s->answer_len, deadline, e);
	if (r == 0)
		r = answer(u, "the status", s->status, sizeof(s->status),
		    &s->status_len, deadline, e);
	if (r == 0)
		r = pv_us_ack(u, "the end of the answer", T_ANSWER, e);
	return r;
}

static int
special(struct pv_usart *u, struct pv_usart_special *s, struct pv_error *e)
{
	enum pv_usart_op op =
	    s->extended ? PV_OP_EXTENDED_SPECIAL : PV_OP_SPECIAL;
	struct pv_error again = { 0 };
	int r;

	s->answer_len = s->status_len = 0;
	s->usable = true;
	s->unknown = !pv_usart_has(u, op);
	if (s->unknown)
		return pv_us_fail(u, PV_E_DEVICE, e,
		    "the bootloader has no command 0x%02x", (unsigned)op);
	if (s->len > PV_USART_SPECIAL_MAX || s->len2 > PV_USART_EXTENDED_MAX)
		return pv_us_fail(u, PV_E_RANGE, e, "packet too long");
	r = exchange(u, s, e);
	if (r == PV_E_LINK || (s->ends_session && r != 0))
		s->usable = false;
	else if (r == PV_E_TIMEOUT || r == PV_E_DEVICE || r == PV_E_NACK)
		/* After a NACK half a pair may be pending: shake it off. */
		s->usable = pv_us_resync(u, &again) == 0;
	return r;
}

int
pv_usart_special(
    struct pv_usart *u, struct pv_usart_special *s, struct pv_error *e)
{
	char step[32];
	int r;

	(void)snprintf(step, sizeof(step), "special command 0x%04x", s->code);
	pv_us_step(u, step);
	u->installing = true;
	r = special(u, s, e);
	u->installing = false;
	pv_us_step(u, "special command");
	return r;
}
