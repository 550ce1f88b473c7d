/* SPDX-License-Identifier: Apache-2.0 */
/* AN3155: the commands that touch memory. */
#include "device/an3155_steps.h"

#include "base/buf.h"

#include <string.h>

/* --- addresses ---------------------------------------------------------------- */

/*
 * The address frame of Read, Write and Go. Before V2.2 the bootloader's own
 * RAM was not guarded and using it ended the session; before V3.1 Read and
 * Write dropped an unsupported address without a NACK. AN3155 section 4.
 */
static bool
address_accepted(struct pv_an *m)
{
	enum pv_region r;

	if (!pv_an_checksum_ok(m->buf, 5)) {
		pv_an_nack_done(m);
		return false;
	}
	m->addr = pv_get_u32be(m->buf);
	r = pv_an_region(m, m->addr, 1);
	if (r == PV_REGION_FLASH || r == PV_REGION_RAM)
		return true;
	if ((r == PV_REGION_OPTIONS || r == PV_REGION_OTP) &&
	    m->opcode != PV_AN_GO)
		return true;
	if (r == PV_REGION_RESERVED &&
	    (m->config->version < 0x22 || m->config->reserved_kills)) {
		pv_an_done(m, PV_AN_END_SILENT);
		m->running = true;
	} else if ((m->config->version < 0x31 || m->config->silent_address) &&
		   m->opcode != PV_AN_GO)
		pv_an_done(m, PV_AN_END_SILENT);
	else
		pv_an_nack_done(m);
	return false;
}

static void
read_data(struct pv_an *m)
{
	uint8_t data[256];
	size_t n = (size_t)m->buf[0] + 1;

	m->count = (uint32_t)n;
	if ((m->buf[0] ^ m->buf[1]) != 0xff) {
		pv_an_nack_done(m);
		return;
	}
	/* A range that leaves its memory faults on silicon; refused here. */
	if (pv_an_region(m, m->addr, (uint32_t)n) == PV_REGION_NONE ||
	    m->memory->read(m->memory->ctx, m->addr, data, n) != 0) {
		pv_an_nack_done(m);
		return;
	}
	pv_an_ack(m);
	pv_an_emit(m, data, n);
	pv_an_done(m, PV_AN_END_OK);
}

void
pv_an_read_address(struct pv_an *m)
{
	if (!address_accepted(m))
		return;
	pv_an_ack(m);
	pv_an_expect(m, 2, read_data);
}

void
pv_an_go_address(struct pv_an *m)
{
	if (!address_accepted(m))
		return;
	pv_an_ack_done(m);
	m->running = true;
	m->control->go(m->control->ctx, m->addr);
}

/* --- Write -------------------------------------------------------------------- */

/*
 * Flash: a last short write unit is padded with 0xFF. A start inside a write
 * unit, a range past the end and a protected sector are acknowledged and
 * write nothing: AN3155 section 3.6, only a verify tells.
 */
static void
write_flash(struct pv_an *m, const uint8_t *data, size_t n)
{
	uint32_t unit = m->memory->write_unit;
	uint8_t padded[256 + 32];
	size_t len = (n + unit - 1) / unit * unit;

	if (m->addr % unit != 0 || len > sizeof padded ||
	    pv_an_region(m, m->addr, (uint32_t)len) != PV_REGION_FLASH)
		return;
	memset(padded, 0xff, sizeof padded);
	memcpy(padded, data, n);
	(void)m->memory->program(m->memory->ctx, m->addr, padded, len);
}

static void
write_data(struct pv_an *m)
{
	size_t n = (size_t)m->buf[0] + 1;
	const uint8_t *data = m->buf + 1;
	enum pv_region r = pv_an_region(m, m->addr, 1);

	m->count = (uint32_t)n;
	if (!pv_an_checksum_ok(m->buf, n + 2)) {
		pv_an_nack_done(m);
		return;
	}
	if (r == PV_REGION_OPTIONS) {
		/* Not from the area's base: ignored. Else it restarts. */
		if (m->addr != m->config->option_base ||
		    m->control->write_options(m->control->ctx, data, n) != 0) {
			pv_an_ack_done(m);
			return;
		}
		if (m->config->restart_before_ack)
			pv_an_done(m, PV_AN_END_SILENT);
		else
			pv_an_ack_done(m);
		pv_an_restart(m);
		return;
	}
	if (r == PV_REGION_FLASH)
		write_flash(m, data, n);
	else if (pv_an_region(m, m->addr, (uint32_t)n) == PV_REGION_RAM ||
		 pv_an_region(m, m->addr, (uint32_t)n) == PV_REGION_OTP)
		(void)m->memory->store(m->memory->ctx, m->addr, data, n);
	pv_an_ack_done(m);
}

static void
write_length(struct pv_an *m)
{
	pv_an_expect_total(m, (size_t)m->buf[0] + 3, write_data);
}

void
pv_an_write_address(struct pv_an *m)
{
	if (!address_accepted(m))
		return;
	pv_an_ack(m);
	pv_an_expect(m, 1, write_length);
}

/* --- Erase 0x43 ----------------------------------------------------------------- */

static void
erase_list(struct pv_an *m)
{
	size_t n = (size_t)m->buf[0] + 1;

	m->count = (uint32_t)n;
	if (!pv_an_checksum_ok(m->buf, n + 2)) {
		pv_an_nack_done(m);
		return;
	}
	for (size_t i = 0; i < n; i++)
		(void)m->memory->erase(m->memory->ctx, m->buf[1 + i]);
	pv_an_ack_done(m);
}

static void
erase_all(struct pv_an *m)
{
	m->code = pv_get_u16be(m->buf);
	if (m->config->no_mass_erase) {
		pv_an_nack_done(m);
		return;
	}
	/* FF with anything but 00 is acknowledged and erases nothing. */
	if (m->buf[1] == 0x00)
		(void)m->control->mass_erase(m->control->ctx, PV_AN_ERASE_ALL);
	pv_an_ack_done(m);
}

void
pv_an_erase_count(struct pv_an *m)
{
	if (m->buf[0] == 0xff)
		pv_an_expect_total(m, 2, erase_all);
	else
		pv_an_expect_total(m, (size_t)m->buf[0] + 3, erase_list);
}

/* --- Extended Erase 0x44 ---------------------------------------------------------- */

static void
ext_erase_special(struct pv_an *m)
{
	uint16_t code = pv_get_u16be(m->buf);
	enum pv_an_erase what = PV_AN_ERASE_ALL;

	m->code = code;
	if (code == 0xfffe)
		what = PV_AN_ERASE_BANK1;
	else if (code == 0xfffd)
		what = PV_AN_ERASE_BANK2;
	if (!pv_an_checksum_ok(m->buf, 3) || code < 0xfffd ||
	    m->config->no_mass_erase ||
	    (what != PV_AN_ERASE_ALL && !m->config->two_banks)) {
		pv_an_nack_done(m);
		return;
	}
	(void)m->control->mass_erase(m->control->ctx, what);
	pv_an_ack_done(m);
}

static void
ext_erase_end(struct pv_an *m)
{
	uint32_t n = m->n_pages;

	m->count = n;
	if (m->sum != m->buf[0] ||
	    (n > PV_AN_PAGES && !m->config->drop_long_list)) {
		pv_an_nack_done(m);
		return;
	}
	if (n > PV_AN_PAGES)
		n = PV_AN_PAGES;
	for (uint32_t i = 0; i < n; i++)
		(void)m->memory->erase(m->memory->ctx, m->pages[i]);
	pv_an_ack_done(m);
}

static void
ext_erase_page(struct pv_an *m)
{
	m->sum = (uint8_t)(m->sum ^ m->buf[0] ^ m->buf[1]);
	m->pages[m->n_pages % PV_AN_PAGES] = pv_get_u16be(m->buf);
	m->n_pages++;
	m->left--;
	if (m->left > 0)
		pv_an_expect(m, 2, ext_erase_page);
	else
		pv_an_expect(m, 1, ext_erase_end);
}

void
pv_an_ext_erase_count(struct pv_an *m)
{
	uint16_t code = pv_get_u16be(m->buf);

	if (code >= 0xfff0) {
		pv_an_expect_total(m, 3, ext_erase_special);
		return;
	}
	m->left = (uint32_t)code + 1;
	m->n_pages = 0;
	m->sum = (uint8_t)(m->buf[0] ^ m->buf[1]);
	pv_an_expect(m, 2, ext_erase_page);
}

/* --- Get Checksum --------------------------------------------------------------------- */

uint32_t
pv_an_crc(uint32_t crc, uint32_t polynomial, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i + 4 <= len; i += 4) {
		crc ^= pv_get_u32le(data + i);
		for (int bit = 0; bit < 32; bit++)
			crc = (crc & 0x80000000U) != 0 ? (crc << 1) ^ polynomial
						       : crc << 1;
	}
	return crc;
}

static void
crc_initial(struct pv_an *m)
{
	uint32_t crc = pv_get_u32be(m->buf), polynomial = m->polynomial;
	uint32_t addr = m->addr, left = m->words * 4;
	uint8_t data[256], answer[5];

	if (!pv_an_checksum_ok(m->buf, 5)) {
		pv_an_nack_done(m);
		return;
	}
	if (m->config->fixed_crc) {
		polynomial = 0x04c11db7U;
		crc = 0xffffffffU;
	}
	pv_an_ack(m);
	while (left > 0) {
		uint32_t n = left < sizeof data ? left : (uint32_t)sizeof data;

		if (m->memory->read(m->memory->ctx, addr, data, n) != 0) {
			pv_an_nack_done(m);
			return;
		}
		crc = pv_an_crc(crc, polynomial, data, n);
		addr += n;
		left -= n;
	}
	if (!m->config->short_checksum)
		pv_an_ack(m);
	pv_put_u32be(answer, crc);
	answer[4] = (uint8_t)(answer[0] ^ answer[1] ^ answer[2] ^ answer[3]);
	pv_an_emit(m, answer, sizeof answer);
	pv_an_done(m, PV_AN_END_OK);
}

static void
crc_polynomial(struct pv_an *m)
{
	if (!pv_an_checksum_ok(m->buf, 5)) {
		pv_an_nack_done(m);
		return;
	}
	m->polynomial = pv_get_u32be(m->buf);
	pv_an_ack(m);
	pv_an_expect(m, 5, crc_initial);
}

static void
crc_size(struct pv_an *m)
{
	enum pv_region r = PV_REGION_NONE;

	m->words = m->count = pv_get_u32be(m->buf);
	if (m->words > 0 && m->words <= UINT32_MAX / 4)
		r = pv_an_region(m, m->addr, m->words * 4);
	if (!pv_an_checksum_ok(m->buf, 5) ||
	    (r != PV_REGION_FLASH && r != PV_REGION_RAM)) {
		pv_an_nack_done(m);
		return;
	}
	pv_an_ack(m);
	pv_an_expect(m, 5, crc_polynomial);
}

void
pv_an_crc_address(struct pv_an *m)
{
	enum pv_region r;

	m->addr = pv_get_u32be(m->buf);
	r = pv_an_region(m, m->addr, 4);
	if (!pv_an_checksum_ok(m->buf, 5) || m->addr % 4 != 0 ||
	    (r != PV_REGION_FLASH && r != PV_REGION_RAM)) {
		pv_an_nack_done(m);
		return;
	}
	pv_an_ack(m);
	pv_an_expect(m, 5, crc_size);
}
