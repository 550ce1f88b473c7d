/* SPDX-License-Identifier: Apache-2.0 */
/* The ROM's commands over UART; answers as the trace of an MP135 has them. */
#include "device/mpu_stage.h"

#include "base/buf.h"

#include <string.h>

#define OP_CURRENT 0x00U

static void
packet_data(struct pv_mp *m)
{
	size_t n = (size_t)m->uart.buf[0] + 1;

	if (!pv_mp_xor_ok(m->uart.buf, n + 2)) {
		pv_mp_nack_done(m);
		return;
	}
	if (n > m->room - m->received) {
		pv_mp_abort_done(m);
		return;
	}
	memcpy(m->port->ram + m->received, m->uart.buf + 1, n);
	m->received += (uint32_t)n;
	m->packet++;
	pv_mp_ack_done(m);
}

static void
packet_length(struct pv_mp *m)
{
	pv_mp_expect_total(m, (size_t)m->uart.buf[0] + 3, packet_data);
}

static void
packet_header(struct pv_mp *m)
{
	const uint8_t *b = m->uart.buf;
	uint32_t number = pv_get_u32be(b) & 0xffffffU;

	if (!pv_mp_xor_ok(b, 5) || b[0] != OP_CURRENT) {
		pv_mp_nack_done(m);
		return;
	}
	if (number == 0) { /* from the start again */
		m->packet = 0;
		m->received = 0;
	}
	if (number != m->packet)
		pv_mp_nack_done(m);
	else if (pv_mp_ack(m))
		pv_mp_expect(m, 1, packet_length);
}

static void
start_address(struct pv_mp *m)
{
	uint32_t address = pv_get_u32be(m->uart.buf);

	if (!pv_mp_xor_ok(m->uart.buf, 5) ||
	    (address != PV_MP_NONE && address != m->base)) {
		pv_mp_nack_done(m);
		return;
	}
	/*
	 * The ACK says that the frame was right. Of an image it refuses the
	 * ROM tells nothing: it stays silent until a reset. By the quirk
	 * rom-abort it says ABORT in place of the ACK.
	 */
	if (m->config->rom_abort) {
		struct pv_mp_image im;

		if (pv_mp_image_parse(m->port->ram, m->received,
			m->config->chip.header_major, &im) != NULL) {
			pv_mp_abort_done(m);
			return;
		}
	}
	pv_mp_uart_idle(m);
	if (!pv_mp_ack(m))
		return;
	if (!pv_mp_rom_start(m))
		pv_mp_enter(m, PV_MP_DEAD);
}

void
pv_mp_rom_command(struct pv_mp *m)
{
	static const uint8_t version[] = { 0x10, 0x00, 0x00 };
	static const uint8_t info[] = { 0x00 };
	uint8_t id[3] = { 1 };

	switch (m->uart.opcode) {
	case 0x01:
		pv_mp_emit(m, version, sizeof version);
		break;
	case 0x02:
		pv_put_u16be(id + 1, m->config->chip.id);
		pv_mp_emit(m, id, sizeof id);
		break;
	case 0x03:
		pv_mp_emit_phase(m, m->phase, m->base, info, sizeof info);
		break;
	case 0x21:
		pv_mp_expect(m, 5, start_address);
		return;
	default: /* 0x31 */
		pv_mp_expect(m, 5, packet_header);
		return;
	}
	pv_mp_ack_done(m);
}
