/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames of the STM32MP UART protocol that all stages share: the sync
 * byte, a command's pair, the answers. AN5275; what each stage does with its
 * commands is in mpu_rom_uart.c, mpu_tfa_uart.c and mpu_uboot_uart.c.
 */
#include "device/mpu_stage.h"

#include "base/buf.h"

#include <string.h>

/* TF-A and U-Boot let the rest of a bad command come in before they NACK. */
#define BAD_COMMAND_US 3000U
/* TF-A waits this long for each byte of a frame. */
#define TFA_BYTE_US    20000U

/* From the ROM's last ACK until a firmware has the line: our choice. */
#define TFA_START_US   30000U
#define UBOOT_START_US 100000U

static const uint8_t rom_commands[] = { 0x00, 0x01, 0x02, 0x03, 0x21, 0x31 };
static const uint8_t ssp_commands[] = { 0x00, 0x01, 0x02, 0x03, 0x12, 0x21,
	0x31 };
static const uint8_t uboot_commands[] = { 0x00, 0x01, 0x02, 0x03, 0x11, 0x12,
	0x21, 0x31 };
#define PROTOCOL_VERSION 0x40U

static void first_byte(struct pv_mp *m);

/* --- the machine --------------------------------------------------------------- */

void
pv_mp_expect(struct pv_mp *m, size_t n, void (*step)(struct pv_mp *m))
{
	m->uart.have = 0;
	m->uart.need = n;
	m->uart.step = step;
	m->uart.timed = false;
}

void
pv_mp_expect_total(struct pv_mp *m, size_t total, void (*step)(struct pv_mp *m))
{
	m->uart.need = total;
	m->uart.step = step;
}

void
pv_mp_emit(struct pv_mp *m, const uint8_t *data, size_t len)
{
	m->port->emit(m->port->ctx, data, len);
}

void
pv_mp_emit_byte(struct pv_mp *m, uint8_t v)
{
	pv_mp_emit(m, &v, 1);
}

void
pv_mp_uart_idle(struct pv_mp *m)
{
	pv_mp_expect(m, 1, first_byte);
}

/* The word that ends a command, or one of its frames. */
static void
result(struct pv_mp *m, uint8_t v)
{
	if (m->stage != PV_MP_ROM && m->port->flush != NULL)
		m->port->flush(m->port->ctx);
	if (v == PV_MP_NACK) {
		m->uart.nacks++;
		pv_mp_note(m, "nack", 0);
	}
	if (v == PV_MP_ABORT) {
		m->uart.aborts++;
		pv_mp_note(m, "abort", 0);
	}
	pv_mp_emit_byte(m, v);
}

void
pv_mp_nack_done(struct pv_mp *m)
{
	pv_mp_uart_idle(m);
	result(m, PV_MP_NACK);
}

void
pv_mp_abort_done(struct pv_mp *m)
{
	pv_mp_uart_idle(m);
	result(m, PV_MP_ABORT);
	/* ABORT of the ROM ends serial boot; U-Boot goes on listening. */
	if (m->stage == PV_MP_ROM)
		pv_mp_enter(m, PV_MP_DEAD);
}

bool
pv_mp_ack(struct pv_mp *m)
{
	enum pv_mp_fault fault = PV_MP_FINE;

	if (m->port->fault != NULL)
		fault = m->port->fault(m->port->ctx);
	if (fault == PV_MP_SAY_NACK) {
		pv_mp_nack_done(m);
		return false;
	}
	if (fault == PV_MP_SAY_ABORT) {
		pv_mp_uart_idle(m);
		result(m, PV_MP_ABORT);
		pv_mp_enter(m, PV_MP_DEAD);
		return false;
	}
	result(m, PV_MP_ACK);
	return true;
}

void
pv_mp_ack_done(struct pv_mp *m)
{
	pv_mp_uart_idle(m);
	(void)pv_mp_ack(m);
}

void
pv_mp_nack_late(struct pv_mp *m, uint32_t us)
{
	m->port->wait_us(m->port->ctx, us);
	pv_mp_nack_done(m);
}

void
pv_mp_uart_take_over(struct pv_mp *m)
{
	if (m->link != PV_MP_UART)
		return;
	m->uart.synced = true;
	/* What the host sends meanwhile is lost. */
	m->port->wait_us(m->port->ctx,
	    m->stage == PV_MP_UBOOT ? UBOOT_START_US : TFA_START_US);
	pv_mp_nack_done(m);
}

bool
pv_mp_xor_ok(const uint8_t *p, size_t len)
{
	uint8_t x = 0;

	for (size_t i = 0; i < len; i++)
		x = (uint8_t)(x ^ p[i]);
	return x == 0;
}

/* --- Get, Get phase -------------------------------------------------------------- */

static const uint8_t *
commands(const struct pv_mp *m, size_t *ret_n)
{
	switch (m->stage) {
	case PV_MP_TFA_SSP:
		*ret_n = sizeof ssp_commands;
		return ssp_commands;
	case PV_MP_UBOOT:
		*ret_n = sizeof uboot_commands;
		return uboot_commands;
	default: /* TF-A without SSP has the commands of the ROM */
		*ret_n = sizeof rom_commands;
		return rom_commands;
	}
}

static bool
known(const struct pv_mp *m, uint8_t opcode)
{
	size_t n;
	const uint8_t *list = commands(m, &n);

	for (size_t i = 0; i < n; i++)
		if (list[i] == opcode)
			return true;
	return false;
}

static void
do_get(struct pv_mp *m)
{
	size_t n;
	const uint8_t *list = commands(m, &n);

	pv_mp_emit_byte(m, (uint8_t)n);
	pv_mp_emit_byte(m, PROTOCOL_VERSION);
	pv_mp_emit(m, list, n);
	pv_mp_ack_done(m);
}

void
pv_mp_emit_phase(struct pv_mp *m, uint8_t phase, uint32_t address,
    const uint8_t *info, size_t n)
{
	uint8_t head[7];

	head[0] = (uint8_t)(5 + n);
	head[1] = phase;
	pv_put_u32le(head + 2, address);
	head[6] = (uint8_t)n;
	pv_mp_emit(m, head, sizeof head);
	pv_mp_emit(m, info, n);
}

/* --- commands ---------------------------------------------------------------------- */

static const char *
command_name(uint8_t opcode)
{
	static const struct {
		uint8_t opcode;
		const char *name;
	} names[] = {
		{ 0x00, "get" },
		{ 0x01, "get-version" },
		{ 0x02, "get-id" },
		{ 0x03, "get-phase" },
		{ 0x11, "read-memory" },
		{ 0x12, "read-partition" },
		{ 0x21, "start" },
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].opcode == opcode)
			return names[i].name;
	return "download";
}

static void
run_command(struct pv_mp *m)
{
	m->uart.commands++;
	pv_mp_note(m, command_name(m->uart.opcode), 0);
	if (!pv_mp_ack(m))
		return;
	if (m->uart.opcode == 0x00)
		do_get(m);
	else if (m->stage == PV_MP_ROM)
		pv_mp_rom_command(m);
	else if (m->stage == PV_MP_UBOOT)
		pv_mp_uboot_command(m);
	else
		pv_mp_tfa_command(m);
}

static void
second_byte(struct pv_mp *m)
{
	m->uart.opcode = m->uart.buf[0];
	if ((m->uart.buf[0] ^ m->uart.buf[1]) == 0xff &&
	    known(m, m->uart.opcode))
		run_command(m);
	else if (m->stage == PV_MP_ROM)
		pv_mp_nack_done(m);
	else
		pv_mp_nack_late(m, BAD_COMMAND_US);
}

static void
first_byte(struct pv_mp *m)
{
	uint8_t b = m->uart.buf[0];

	if (m->stage == PV_MP_ROM) {
		/* As on microcontrollers: a second 0x7F is half a pair. */
		pv_mp_expect_total(m, 2, second_byte);
		return;
	}
	if (b == PV_MP_SYNC)
		pv_mp_ack_done(m);
	else if (known(m, b))
		pv_mp_expect_total(m, 2, second_byte);
	else
		pv_mp_nack_late(m, BAD_COMMAND_US);
}

void
pv_mp_feed(struct pv_mp *m, const uint8_t *data, size_t len)
{
	struct pv_mp_uart *u = &m->uart;

	while (len > 0 && m->stage != PV_MP_DEAD) {
		size_t n;

		if (!u->synced) {
			uint8_t b = *data++;

			len--;
			if (b == PV_MP_SYNC) {
				u->synced = true;
				pv_mp_ack_done(m);
			}
			continue;
		}
		n = u->need - u->have;
		if (n > len)
			n = len;
		memcpy(u->buf + u->have, data, n);
		u->have += n;
		data += n;
		len -= n;
		if (u->have == u->need)
			u->step(m);
	}
}

bool
pv_mp_synced(const struct pv_mp *m)
{
	return m->stage == PV_MP_DEAD || m->uart.synced;
}

uint32_t
pv_mp_patience_us(const struct pv_mp *m)
{
	const struct pv_mp_uart *u = &m->uart;

	if (u->have == 0 || m->link != PV_MP_UART)
		return 0;
	switch (m->stage) {
	case PV_MP_TFA_SSP:
	case PV_MP_TFA:
		return TFA_BYTE_US;
	case PV_MP_UBOOT:
		return u->timed ? PV_MP_UBOOT_PACKET_US : 0;
	default:
		return 0;
	}
}

void
pv_mp_expired(struct pv_mp *m)
{
	/* U-Boot asks for the same packet again. */
	if (m->uart.timed)
		m->packet--;
	pv_mp_nack_late(m,
	    m->stage == PV_MP_UBOOT ? PV_MP_UBOOT_PACKET_US : BAD_COMMAND_US);
}
