/* SPDX-License-Identifier: Apache-2.0 */
/* U-Boot's commands over UART: cmd_stm32prog/stm32prog_serial.c. */
#include "device/mpu_stage.h"

#include "base/buf.h"

#include <string.h>

#define VERSION	    0x03U
#define OP_CURRENT  0x00U
#define PMIC_LEN    8U
#define UNSPECIFIED "Unspecified"

/* --- Get phase ---------------------------------------------------------------- */

static void
do_phase(struct pv_mp *m)
{
	const char *text = m->text[0] != '\0' ? m->text : UNSPECIFIED;
	bool reset = m->phase == PV_MP_RESET;

	pv_mp_emit_phase(m, m->phase,
	    m->phase == PV_MP_LAYOUT ? m->base : PV_MP_NONE,
	    (const uint8_t *)text, reset ? strlen(text) : 0);
	pv_mp_uart_idle(m);
	if (pv_mp_ack(m) && reset)
		pv_mp_reset(m);
}

/* --- Download ------------------------------------------------------------------ */

static int
store(struct pv_mp *m, const uint8_t *data, size_t n)
{
	struct pv_mp_uboot *u = &m->uboot;

	switch (m->uart.operation) {
	case PV_MP_OTP:
		return pv_mp_otp_write(m, u->cursor, data, n);
	case PV_MP_PMIC:
		if (u->cursor < PMIC_LEN)
			memcpy(u->pmic + u->cursor, data,
			    n < PMIC_LEN - u->cursor ? n
						     : PMIC_LEN - u->cursor);
		return 0;
	default:
		return pv_mp_uboot_write(m, data, n);
	}
}

static bool
late(const struct pv_mp *m)
{
	return m->port->now_us != NULL &&
	       m->port->now_us(m->port->ctx) - m->uart.since >
		   PV_MP_UBOOT_PACKET_US;
}

/* The number counts though the packet was not taken: it is asked for again. */
static void
refuse(struct pv_mp *m)
{
	m->packet--;
	pv_mp_nack_late(m, PV_MP_UBOOT_PACKET_US);
}

static void
packet_data(struct pv_mp *m)
{
	size_t n = (size_t)m->uart.buf[0] + 1;

	if (!pv_mp_xor_ok(m->uart.buf, n + 2) || late(m)) {
		refuse(m);
		return;
	}
	if (store(m, m->uart.buf + 1, n) != 0) {
		pv_mp_abort_done(m);
		return;
	}
	m->uboot.cursor += (uint32_t)n;
	pv_mp_ack_done(m);
}

static void
packet_length(struct pv_mp *m)
{
	if (m->port->now_us != NULL)
		m->uart.since = m->port->now_us(m->port->ctx);
	pv_mp_expect_total(m, (size_t)m->uart.buf[0] + 3, packet_data);
	m->uart.timed = true;
}

/* The header is acknowledged before its content is looked at. */
static void
packet_header(struct pv_mp *m)
{
	uint32_t number = pv_get_u32be(m->uart.buf) & 0xffffffU;
	uint8_t op = m->uart.buf[0];

	if (!pv_mp_xor_ok(m->uart.buf, 5)) {
		pv_mp_nack_done(m);
		return;
	}
	if (!pv_mp_ack(m))
		return;
	m->uart.operation = op;
	if (op != OP_CURRENT && op != PV_MP_OTP && op != PV_MP_PMIC) {
		pv_mp_nack_done(m);
		return;
	}
	if (number == 0) {
		m->packet = 0;
		m->uboot.cursor = 0;
		m->received = 0;
	} else {
		m->packet++;
	}
	if (number != m->packet) {
		m->packet--;
		pv_mp_nack_done(m);
		return;
	}
	pv_mp_expect(m, 1, packet_length);
}

/* --- Start ----------------------------------------------------------------------- */

static int
pmic_start(struct pv_mp *m)
{
	const struct pv_mp_storage *s = &m->port->storage;

	memcpy(s->pmic, m->uboot.pmic, PMIC_LEN);
	return s->pmic_burn(s->ctx);
}

/* Nonzero: ABORT. *ret_reset: the end was reached before. */
static int
start(struct pv_mp *m, uint32_t address, bool *ret_reset)
{
	if (address == PV_MP_OTP)
		return pv_mp_otp_start(m);
	if (address == PV_MP_PMIC)
		return pmic_start(m);
	if (address == PV_MP_RESET || address == PV_MP_END) {
		m->phase = (uint8_t)address;
		return 0;
	}
	if (address < 0x100 && address != m->phase) {
		pv_mp_error(m, "invalid received phase id");
		return -1;
	}
	if (address >= 0x100 && address != PV_MP_NONE) {
		/* A jump; what is there is no code that we run. */
		pv_mp_enter(m, PV_MP_DEAD);
		return 0;
	}
	if (m->phase == PV_MP_END || m->phase == PV_MP_RESET) {
		*ret_reset = true;
		return 0;
	}
	if (pv_mp_uboot_flush(m) != 0)
		return -1;
	if (m->uboot.layout_done)
		pv_mp_uboot_devices(m);
	return 0;
}

static void
start_address(struct pv_mp *m)
{
	uint32_t address = pv_get_u32be(m->uart.buf);
	bool reset = false;
	int r;

	if (!pv_mp_xor_ok(m->uart.buf, 5)) {
		pv_mp_nack_done(m);
		return;
	}
	r = start(m, address, &reset);
	if (m->stage == PV_MP_DEAD)
		return;
	if (r != 0) {
		pv_mp_abort_done(m);
		return;
	}
	pv_mp_uart_idle(m);
	if (pv_mp_ack(m) && reset)
		pv_mp_reset(m);
}

/* --- Read partition, Read memory --------------------------------------------------- */

static int
read_part(struct pv_mp *m, uint8_t *data, size_t len, size_t *ret_len)
{
	const struct pv_mp_storage *s = &m->port->storage;
	uint32_t at = m->uart.offset;

	switch (m->uart.part) {
	case PV_MP_OTP:
		return pv_mp_otp_read(m, at, data, len, ret_len);
	case PV_MP_PMIC:
		if (at >= PMIC_LEN)
			return -1;
		*ret_len = len < PMIC_LEN - at ? len : PMIC_LEN - at;
		memcpy(data, s->pmic + at, *ret_len);
		return 0;
	default:
		/* Not while a partition is being written. */
		if (m->phase <= PV_MP_LAST_USER && m->received > 0)
			return -1;
		return pv_mp_uboot_read(
		    m, m->uart.part, at, data, len, ret_len);
	}
}

static void
read_length(struct pv_mp *m)
{
	uint8_t data[256] = { 0 };
	size_t n = (size_t)m->uart.buf[0] + 1, have = 0;

	if ((m->uart.buf[0] ^ m->uart.buf[1]) != 0xff) {
		pv_mp_nack_done(m);
		return;
	}
	if (read_part(m, data, n, &have) != 0 || have == 0) {
		pv_mp_abort_done(m);
		return;
	}
	if (!pv_mp_ack(m))
		return;
	pv_mp_emit(m, data, n);
	pv_mp_uart_idle(m);
}

static void
read_offset(struct pv_mp *m)
{
	m->uart.part = m->uart.buf[0];
	m->uart.offset = pv_get_u32be(m->uart.buf + 1);
	if (!pv_mp_xor_ok(m->uart.buf, 6))
		pv_mp_nack_done(m);
	else if (pv_mp_ack(m))
		pv_mp_expect(m, 2, read_length);
}

static void
memory_length(struct pv_mp *m)
{
	size_t n = (size_t)m->uart.buf[0] + 1;
	uint32_t base = m->config->chip.load_address;

	if ((m->uart.buf[0] ^ m->uart.buf[1]) != 0xff) {
		pv_mp_nack_done(m);
		return;
	}
	if (!pv_mp_ack(m))
		return;
	/* SYSRAM has what the ROM loaded; other addresses read as 0. */
	for (size_t i = 0; i < n; i++) {
		uint32_t at = m->uart.offset + (uint32_t)i - base;

		pv_mp_emit_byte(
		    m, at < m->port->ram_size ? m->port->ram[at] : 0);
	}
	pv_mp_uart_idle(m);
}

static void
memory_address(struct pv_mp *m)
{
	m->uart.offset = pv_get_u32be(m->uart.buf);
	if (!pv_mp_xor_ok(m->uart.buf, 5))
		pv_mp_nack_done(m);
	else if (pv_mp_ack(m))
		pv_mp_expect(m, 2, memory_length);
}

void
pv_mp_uboot_command(struct pv_mp *m)
{
	uint8_t id[3] = { 1 };

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
	case 0x11:
		pv_mp_expect(m, 5, memory_address);
		break;
	case 0x12:
		pv_mp_expect(m, 6, read_offset);
		break;
	case 0x21:
		pv_mp_expect(m, 5, start_address);
		break;
	default: /* 0x31 */
		pv_mp_expect(m, 5, packet_header);
		break;
	}
}
