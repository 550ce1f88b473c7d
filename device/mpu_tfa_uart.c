/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TF-A's commands over UART, both variants:
 * drivers/st/uart/io_programmer_uart.c (2.2) and
 * plat/st/common/stm32cubeprogrammer_uart.c (2.4, 2.8). It answers ACK to much
 * that went wrong; the error is in phase 0xFF.
 */
#include "device/mpu_stage.h"

#include "base/buf.h"

#include <string.h>

#define VERSION 0x00U /* STM32_TF_VERSION */

static uint8_t *
buffer(const struct pv_mp *m)
{
	return m->stage == PV_MP_TFA_SSP ? NULL : m->port->ddr;
}

static void
store(struct pv_mp *m, const uint8_t *data, size_t n)
{
	uint8_t *to = buffer(m);

	if (to == NULL)
		to = m->mailbox.blob;
	memcpy(to + m->received, data, n);
	m->received += (uint32_t)n;
}

/* --- Get phase ---------------------------------------------------------------- */

static void
do_phase(struct pv_mp *m)
{
	size_t n = m->phase == PV_MP_RESET ? strlen(m->text) : 0;

	pv_mp_emit_phase(m, m->phase, m->base, (const uint8_t *)m->text, n);
	pv_mp_uart_idle(m);
	if (!pv_mp_ack(m) || m->phase != PV_MP_RESET)
		return;
	if (m->stage == PV_MP_TFA_SSP)
		pv_mp_ssp_finish(m);
	else
		pv_mp_reset(m);
}

/* --- Download ------------------------------------------------------------------ */

static void
packet_data(struct pv_mp *m)
{
	size_t n = (size_t)m->uart.buf[0] + 1;

	if (!pv_mp_xor_ok(m->uart.buf, n + 2)) {
		pv_mp_nack_done(m);
		return;
	}
	store(m, m->uart.buf + 1, n);
	m->packet++;
	pv_mp_ack_done(m);
}

static void
overflow(struct pv_mp *m, uint32_t at)
{
	char text[PV_MP_TEXT] = "Download overflow at 0x";

	pv_mp_text_number(text, at, 16);
	pv_mp_text(text, "\n");
	pv_mp_error(m, text);
}

static void
packet_length(struct pv_mp *m)
{
	uint32_t n = (uint32_t)m->uart.buf[0] + 1;

	if (n > m->room - m->received) {
		/* ACK at once; the data that come are taken for commands. */
		overflow(m, m->base + m->received + n);
		pv_mp_ack_done(m);
		return;
	}
	pv_mp_expect_total(m, (size_t)n + 2, packet_data);
}

static bool
operation_taken(const struct pv_mp *m, uint8_t operation)
{
	return m->generation != PV_MP_TFA_2_2 || m->stage != PV_MP_TFA_SSP ||
	       operation == 0x00 || operation == PV_MP_SSP;
}

static void
packet_checksum(struct pv_mp *m)
{
	if (!pv_mp_xor_ok(m->uart.buf, 5) ||
	    !operation_taken(m, m->uart.buf[0]))
		pv_mp_nack_done(m);
	else if (pv_mp_ack(m))
		pv_mp_expect(m, 1, packet_length);
}

/* A wrong number is refused before the checksum byte has come. */
static void
packet_number(struct pv_mp *m)
{
	if ((pv_get_u32be(m->uart.buf) & 0xffffffU) != m->packet)
		pv_mp_nack_done(m);
	else
		pv_mp_expect_total(m, 5, packet_checksum);
}

/* --- Start ----------------------------------------------------------------------- */

static void
bad_start(struct pv_mp *m, uint32_t address)
{
	char text[PV_MP_TEXT] = "Invalid start at ";

	pv_mp_text_number(text, address, 16);
	pv_mp_text(text, ", for phase ");
	pv_mp_text_number(text, m->phase, 10);
	pv_mp_text(text, "\n");
	pv_mp_error(m, text);
}

static void
start_address(struct pv_mp *m)
{
	uint32_t address = pv_get_u32be(m->uart.buf);

	if (!pv_mp_xor_ok(m->uart.buf, 5)) {
		pv_mp_nack_done(m);
		return;
	}
	if (address != PV_MP_NONE) {
		bad_start(m, address);
		pv_mp_ack_done(m);
		return;
	}
	if (m->stage == PV_MP_TFA_SSP) {
		pv_mp_uart_idle(m);
		if (!pv_mp_ack(m))
			return;
		if (m->phase == PV_MP_SSP)
			m->phase = PV_MP_RESET; /* and no text */
		else if (!m->has_cert)
			pv_mp_ssp_finish(m); /* boot 1 */
		return;
	}
	if (m->phase != PV_MP_SSBL || !pv_mp_tfa_fip(m)) {
		pv_mp_nack_done(m);
		return;
	}
	pv_mp_uart_idle(m);
	if (pv_mp_ack(m))
		pv_mp_tfa_start(m);
}

/* --- Read partition ---------------------------------------------------------------- */

static void
read_answer(struct pv_mp *m, size_t asked)
{
	static const uint8_t zeros[PV_MP_CERT];
	size_t n = m->has_cert ? PV_MP_CERT : 0;

	pv_mp_emit(m, m->cert, n);
	for (size_t i = n; i < asked; i += sizeof zeros)
		pv_mp_emit(m, zeros,
		    asked - i < sizeof zeros ? asked - i : sizeof zeros);
	if (m->generation == PV_MP_TFA_2_2)
		pv_mp_uart_idle(m);
	else
		pv_mp_ack_done(m);
}

/* N is the number of bytes less one; TF-A takes it for the number. */
static void
read_length(struct pv_mp *m)
{
	size_t n = m->uart.buf[0];

	if ((m->uart.buf[0] ^ m->uart.buf[1]) != 0xff ||
	    (m->generation == PV_MP_TFA_2_2 && n < PV_MP_CERT)) {
		pv_mp_nack_done(m);
		return;
	}
	if (!pv_mp_ack(m))
		return;
	if (m->uart.part != PV_MP_SSP)
		pv_mp_nack_done(m);
	else
		read_answer(m, n);
}

static void
read_offset(struct pv_mp *m)
{
	const uint8_t *b = m->uart.buf;

	if (!pv_mp_xor_ok(b, 6) || pv_get_u32be(b + 1) != 0)
		pv_mp_nack_done(m);
	else if (pv_mp_ack(m))
		pv_mp_expect(m, 2, read_length);
}

static void
read_part(struct pv_mp *m)
{
	m->uart.part = m->uart.buf[0];
	if (m->uart.part != PV_MP_LAYOUT && m->uart.part != PV_MP_SSP)
		pv_mp_nack_done(m);
	else
		pv_mp_expect_total(m, 6, read_offset);
}

void
pv_mp_tfa_command(struct pv_mp *m)
{
	uint8_t id[3] = { 2 }; /* one too many */

	switch (m->uart.opcode) {
	case 0x01:
		pv_mp_emit_byte(m, VERSION);
		pv_mp_ack_done(m);
		break;
	case 0x02:
		pv_put_u16be(id + 1, m->config->chip.id);
		pv_mp_emit(m, id, sizeof id);
		pv_mp_ack_done(m);
		break;
	case 0x03:
		do_phase(m);
		break;
	case 0x12:
		pv_mp_expect(m, 1, read_part);
		break;
	case 0x21:
		pv_mp_expect(m, 5, start_address);
		break;
	default: /* 0x31 */
		pv_mp_expect(m, 4, packet_number);
		break;
	}
}
