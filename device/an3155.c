/* SPDX-License-Identifier: Apache-2.0 */
#include "device/an3155.h"

#include "base/buf.h"

#include <string.h>

static void start_command(struct pv_an *m);

/* --- the machine ----------------------------------------------------------- */

/* Collect n bytes from the start of the buffer, then go on with `step`. */
static void
expect(struct pv_an *m, size_t n, void (*step)(struct pv_an *))
{
	m->have = 0;
	m->need = n;
	m->step = step;
}

/* Keep what was collected and go on when `total` bytes are there. */
static void
expect_total(struct pv_an *m, size_t total, void (*step)(struct pv_an *))
{
	m->need = total;
	m->step = step;
}

static void
emit(struct pv_an *m, const uint8_t *data, size_t len)
{
	m->control->emit(m->control->ctx, data, len);
}

static void
emit_byte(struct pv_an *m, uint8_t v)
{
	emit(m, &v, 1);
}

static void
ack(struct pv_an *m)
{
	emit_byte(m, PV_AN_ACK);
}

/* The command ends here. */
static void
done(struct pv_an *m)
{
	expect(m, 2, start_command);
}

static void
ack_done(struct pv_an *m)
{
	ack(m);
	done(m);
}

static void
nack_done(struct pv_an *m)
{
	m->nacks++;
	emit_byte(m, PV_AN_NACK);
	done(m);
}

static void
restart(struct pv_an *m)
{
	pv_an_reset(m);
	m->control->restart(m->control->ctx);
}

/* XOR over a frame and its checksum byte is 0. AN3155 section 3. */
static bool
checksum_ok(const uint8_t *p, size_t len)
{
	uint8_t x = 0;

	for (size_t i = 0; i < len; i++)
		x = (uint8_t)(x ^ p[i]);
	return x == 0;
}

static enum pv_region
region(const struct pv_an *m, uint32_t addr, uint32_t len)
{
	return m->memory->region(m->memory->ctx, addr, len);
}

void
pv_an_init(struct pv_an *m, const struct pv_an_config *config,
    const struct pv_dev_memory *memory, const struct pv_an_control *control,
    const struct pv_an_specials *specials)
{
	memset(m, 0, sizeof *m);
	m->config = config;
	m->memory = memory;
	m->control = control;
	m->specials = specials;
	pv_an_reset(m);
}

void
pv_an_reset(struct pv_an *m)
{
	m->step = NULL;
	m->running = false;
	m->have = 0;
	m->need = 0;
	m->first_len = 0;
	memset(m->buf, 0, sizeof m->buf);
	memset(m->first, 0, sizeof m->first);
	memset(&m->special, 0, sizeof m->special);
}

void
pv_an_feed(struct pv_an *m, const uint8_t *data, size_t len)
{
	while (len > 0) {
		size_t n;

		if (m->running)
			return;
		if (m->step == NULL) {
			uint8_t b = *data++;

			len--;
			if (b == PV_AN_SYNC)
				ack_done(m);
			continue;
		}
		n = m->need - m->have;
		if (n > len)
			n = len;
		memcpy(m->buf + m->have, data, n);
		m->have += n;
		data += n;
		len -= n;
		if (m->have == m->need)
			m->step(m);
	}
}

/* --- Get, Get Version, Get ID ----------------------------------------------- */

static void
do_get(struct pv_an *m)
{
	const struct pv_an_config *c = m->config;

	emit_byte(m, (uint8_t)c->n_opcodes);
	emit_byte(m, c->version);
	emit(m, c->opcodes, c->n_opcodes);
	ack_done(m);
}

static void
do_get_version(struct pv_an *m)
{
	const uint8_t answer[3] = { m->config->version, 0, 0 };

	emit(m, answer, sizeof answer);
	ack_done(m);
}

static void
do_get_id(struct pv_an *m)
{
	uint8_t answer[3] = { 1, 0, 0 };

	pv_put_u16be(answer + 1, m->config->device_id);
	emit(m, answer, sizeof answer);
	ack_done(m);
}

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

	if (!checksum_ok(m->buf, 5)) {
		nack_done(m);
		return false;
	}
	m->addr = pv_get_u32be(m->buf);
	r = region(m, m->addr, 1);
	if (r == PV_REGION_FLASH || r == PV_REGION_RAM)
		return true;
	if (r == PV_REGION_OPTIONS && m->opcode != PV_AN_GO)
		return true;
	if (r == PV_REGION_RESERVED && m->config->version < 0x22)
		m->running = true;
	else if (m->config->version < 0x31 && m->opcode != PV_AN_GO)
		done(m);
	else
		nack_done(m);
	return false;
}

static void
read_data(struct pv_an *m)
{
	uint8_t data[256];
	size_t n = (size_t)m->buf[0] + 1;

	if ((m->buf[0] ^ m->buf[1]) != 0xff) {
		nack_done(m);
		return;
	}
	/* A range that leaves its memory faults on silicon; refused here. */
	if (region(m, m->addr, (uint32_t)n) == PV_REGION_NONE ||
	    m->memory->read(m->memory->ctx, m->addr, data, n) != 0) {
		nack_done(m);
		return;
	}
	ack(m);
	emit(m, data, n);
	done(m);
}

static void
read_address(struct pv_an *m)
{
	if (!address_accepted(m))
		return;
	ack(m);
	expect(m, 2, read_data);
}

static void
go_address(struct pv_an *m)
{
	if (!address_accepted(m))
		return;
	ack(m);
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
	    region(m, m->addr, (uint32_t)len) != PV_REGION_FLASH)
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
	enum pv_region r = region(m, m->addr, 1);

	if (!checksum_ok(m->buf, n + 2)) {
		nack_done(m);
		return;
	}
	if (r == PV_REGION_OPTIONS) {
		/* Not from the area's base: ignored. Else it restarts. */
		if (m->addr != m->config->option_base ||
		    m->control->write_options(m->control->ctx, data, n) != 0) {
			ack_done(m);
			return;
		}
		ack(m);
		restart(m);
		return;
	}
	if (r == PV_REGION_FLASH)
		write_flash(m, data, n);
	else if (region(m, m->addr, (uint32_t)n) == PV_REGION_RAM)
		(void)m->memory->store(m->memory->ctx, m->addr, data, n);
	ack_done(m);
}

static void
write_length(struct pv_an *m)
{
	expect_total(m, (size_t)m->buf[0] + 3, write_data);
}

static void
write_address(struct pv_an *m)
{
	if (!address_accepted(m))
		return;
	ack(m);
	expect(m, 1, write_length);
}

/* --- Erase 0x43 ----------------------------------------------------------------- */

static void
erase_list(struct pv_an *m)
{
	size_t n = (size_t)m->buf[0] + 1;

	if (!checksum_ok(m->buf, n + 2)) {
		nack_done(m);
		return;
	}
	for (size_t i = 0; i < n; i++)
		(void)m->memory->erase(m->memory->ctx, m->buf[1 + i]);
	ack_done(m);
}

static void
erase_all(struct pv_an *m)
{
	/* FF with anything but 00 is acknowledged and erases nothing. */
	if (m->buf[1] == 0x00)
		(void)m->control->mass_erase(m->control->ctx, PV_AN_ERASE_ALL);
	ack_done(m);
}

static void
erase_count(struct pv_an *m)
{
	if (m->buf[0] == 0xff)
		expect_total(m, 2, erase_all);
	else
		expect_total(m, (size_t)m->buf[0] + 3, erase_list);
}

/* --- Extended Erase 0x44 ---------------------------------------------------------- */

static void
ext_erase_special(struct pv_an *m)
{
	uint16_t code = pv_get_u16be(m->buf);
	enum pv_an_erase what = PV_AN_ERASE_ALL;

	if (code == 0xfffe)
		what = PV_AN_ERASE_BANK1;
	else if (code == 0xfffd)
		what = PV_AN_ERASE_BANK2;
	if (!checksum_ok(m->buf, 3) || code < 0xfffd ||
	    (what != PV_AN_ERASE_ALL && !m->config->two_banks)) {
		nack_done(m);
		return;
	}
	(void)m->control->mass_erase(m->control->ctx, what);
	ack_done(m);
}

static void
ext_erase_end(struct pv_an *m)
{
	uint32_t n = m->n_pages;

	if (m->sum != m->buf[0] ||
	    (n > PV_AN_PAGES && !m->config->drop_long_list)) {
		nack_done(m);
		return;
	}
	if (n > PV_AN_PAGES)
		n = PV_AN_PAGES;
	for (uint32_t i = 0; i < n; i++)
		(void)m->memory->erase(m->memory->ctx, m->pages[i]);
	ack_done(m);
}

static void
ext_erase_page(struct pv_an *m)
{
	m->sum = (uint8_t)(m->sum ^ m->buf[0] ^ m->buf[1]);
	m->pages[m->n_pages % PV_AN_PAGES] = pv_get_u16be(m->buf);
	m->n_pages++;
	m->left--;
	if (m->left > 0)
		expect(m, 2, ext_erase_page);
	else
		expect(m, 1, ext_erase_end);
}

static void
ext_erase_count(struct pv_an *m)
{
	uint16_t code = pv_get_u16be(m->buf);

	if (code >= 0xfff0) {
		expect_total(m, 3, ext_erase_special);
		return;
	}
	m->left = (uint32_t)code + 1;
	m->n_pages = 0;
	m->sum = (uint8_t)(m->buf[0] ^ m->buf[1]);
	expect(m, 2, ext_erase_page);
}

/* --- protection --------------------------------------------------------------------- */

static int
protect(
    struct pv_an *m, enum pv_an_protect what, const uint8_t *codes, size_t n)
{
	return m->control->protect(m->control->ctx, what, codes, n);
}

static void
write_protect_list(struct pv_an *m)
{
	size_t n = (size_t)m->buf[0] + 1;

	if (!checksum_ok(m->buf, n + 2)) {
		nack_done(m);
		return;
	}
	(void)protect(m, PV_AN_SET_WRITE_PROTECTION, m->buf + 1, n);
	ack_done(m);
	if (m->config->restart_on_protect)
		restart(m);
}

static void
write_protect_count(struct pv_an *m)
{
	expect_total(m, (size_t)m->buf[0] + 3, write_protect_list);
}

/*
 * 0x73, 0x82, 0x92: the two ACKs come together and the work follows, because
 * Readout Unprotect clears the RAM the bootloader works in (as OpenBL does).
 */
static void
do_protection(struct pv_an *m, enum pv_an_protect what)
{
	ack(m);
	ack_done(m);
	(void)protect(m, what, NULL, 0);
	if (what != PV_AN_CLEAR_WRITE_PROTECTION ||
	    m->config->restart_on_protect)
		restart(m);
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

	if (!checksum_ok(m->buf, 5)) {
		nack_done(m);
		return;
	}
	if (m->config->fixed_crc) {
		polynomial = 0x04c11db7U;
		crc = 0xffffffffU;
	}
	ack(m);
	while (left > 0) {
		uint32_t n = left < sizeof data ? left : (uint32_t)sizeof data;

		if (m->memory->read(m->memory->ctx, addr, data, n) != 0) {
			nack_done(m);
			return;
		}
		crc = pv_an_crc(crc, polynomial, data, n);
		addr += n;
		left -= n;
	}
	if (!m->config->short_checksum)
		ack(m);
	pv_put_u32be(answer, crc);
	answer[4] = (uint8_t)(answer[0] ^ answer[1] ^ answer[2] ^ answer[3]);
	emit(m, answer, sizeof answer);
	done(m);
}

static void
crc_polynomial(struct pv_an *m)
{
	if (!checksum_ok(m->buf, 5)) {
		nack_done(m);
		return;
	}
	m->polynomial = pv_get_u32be(m->buf);
	ack(m);
	expect(m, 5, crc_initial);
}

static void
crc_size(struct pv_an *m)
{
	enum pv_region r = PV_REGION_NONE;

	m->words = pv_get_u32be(m->buf);
	if (m->words > 0 && m->words <= UINT32_MAX / 4)
		r = region(m, m->addr, m->words * 4);
	if (!checksum_ok(m->buf, 5) ||
	    (r != PV_REGION_FLASH && r != PV_REGION_RAM)) {
		nack_done(m);
		return;
	}
	ack(m);
	expect(m, 5, crc_polynomial);
}

static void
crc_address(struct pv_an *m)
{
	enum pv_region r;

	m->addr = pv_get_u32be(m->buf);
	r = region(m, m->addr, 4);
	if (!checksum_ok(m->buf, 5) || m->addr % 4 != 0 ||
	    (r != PV_REGION_FLASH && r != PV_REGION_RAM)) {
		nack_done(m);
		return;
	}
	ack(m);
	expect(m, 5, crc_size);
}

/* --- Special, Extended Special ---------------------------------------------------------- */

static void
special_run(struct pv_an *m)
{
	struct pv_an_special *s = &m->special;
	uint8_t len[2];
	bool again;

	m->specials->run(m->specials->ctx, s);
	if (s->opcode == PV_AN_SPECIAL) {
		pv_put_u16be(len, (uint16_t)s->out_len);
		emit(m, len, 2);
		emit(m, s->out, s->out_len);
	}
	pv_put_u16be(len, (uint16_t)s->status_len);
	emit(m, len, 2);
	emit(m, s->status, s->status_len);
	again = s->restart;
	memset(s, 0, sizeof *s);
	ack_done(m);
	if (again)
		restart(m);
}

static void
special_more(struct pv_an *m)
{
	size_t n = pv_get_u16be(m->buf);

	if (!checksum_ok(m->buf, n + 3)) {
		nack_done(m);
		return;
	}
	ack(m);
	m->special.data = m->first;
	m->special.len = m->first_len;
	m->special.more = m->buf + 2;
	m->special.more_len = n;
	special_run(m);
}

static void
special_more_size(struct pv_an *m)
{
	size_t n = pv_get_u16be(m->buf);

	if (n > PV_AN_EXT_SPECIAL_MAX)
		nack_done(m);
	else
		expect_total(m, n + 3, special_more);
}

static void
special_data(struct pv_an *m)
{
	size_t n = pv_get_u16be(m->buf);

	if (!checksum_ok(m->buf, n + 3)) {
		nack_done(m);
		return;
	}
	ack(m);
	if (m->opcode == PV_AN_EXT_SPECIAL) {
		memcpy(m->first, m->buf + 2, n);
		m->first_len = n;
		expect(m, 2, special_more_size);
		return;
	}
	m->special.data = m->buf + 2;
	m->special.len = n;
	special_run(m);
}

static void
special_size(struct pv_an *m)
{
	size_t n = pv_get_u16be(m->buf);

	if (n > PV_AN_SPECIAL_MAX)
		nack_done(m);
	else
		expect_total(m, n + 3, special_data);
}

static void
special_sub(struct pv_an *m)
{
	uint16_t sub = pv_get_u16be(m->buf);

	if (!checksum_ok(m->buf, 3) ||
	    !m->specials->known(m->specials->ctx, m->opcode, sub,
		m->control->lock(m->control->ctx))) {
		nack_done(m);
		return;
	}
	memset(&m->special, 0, sizeof m->special);
	m->special.opcode = m->opcode;
	m->special.sub = sub;
	ack(m);
	expect(m, 2, special_size);
}

/* --- commands ------------------------------------------------------------------------------ */

static bool
listed(const struct pv_an *m, uint8_t opcode)
{
	for (size_t i = 0; i < m->config->n_opcodes; i++)
		if (m->config->opcodes[i] == opcode)
			return true;
	return false;
}

static bool
allowed(const struct pv_an *m, uint8_t opcode)
{
	bool info = opcode <= PV_AN_GET_ID;

	switch (m->control->lock(m->control->ctx)) {
	case PV_AN_OPEN:
		return true;
	case PV_AN_READ_PROTECTED:
		return info || opcode == PV_AN_READ_UNPROTECT ||
		       opcode == PV_AN_SPECIAL;
	case PV_AN_INSTALLING:
		return info || opcode == PV_AN_SPECIAL ||
		       opcode == PV_AN_EXT_SPECIAL;
	case PV_AN_LOCKED:
		return false;
	}
	return false;
}

struct row {
	uint8_t opcode;
	uint8_t need; /* bytes of the first frame after the pair */
	void (*step)(struct pv_an *m);
};

static const struct row rows[] = {
	{ PV_AN_READ, 5, read_address },
	{ PV_AN_GO, 5, go_address },
	{ PV_AN_WRITE, 5, write_address },
	{ PV_AN_ERASE, 1, erase_count },
	{ PV_AN_EXT_ERASE, 2, ext_erase_count },
	{ PV_AN_SPECIAL, 3, special_sub },
	{ PV_AN_EXT_SPECIAL, 3, special_sub },
	{ PV_AN_WRITE_PROTECT, 1, write_protect_count },
	{ PV_AN_CHECKSUM, 5, crc_address },
};

static void
run_command(struct pv_an *m)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].opcode == m->opcode) {
			ack(m);
			expect(m, rows[i].need, rows[i].step);
			return;
		}
	}
	switch (m->opcode) {
	case PV_AN_GET:
		ack(m);
		do_get(m);
		break;
	case PV_AN_GET_VERSION:
		ack(m);
		do_get_version(m);
		break;
	case PV_AN_GET_ID:
		ack(m);
		do_get_id(m);
		break;
	case PV_AN_WRITE_UNPROTECT:
		do_protection(m, PV_AN_CLEAR_WRITE_PROTECTION);
		break;
	case PV_AN_READ_PROTECT:
		do_protection(m, PV_AN_SET_READ_PROTECTION);
		break;
	case PV_AN_READ_UNPROTECT:
		do_protection(m, PV_AN_CLEAR_READ_PROTECTION);
		break;
	default: /* listed, but this interpreter has no such command */
		nack_done(m);
		break;
	}
}

static void
start_command(struct pv_an *m)
{
	uint8_t opcode = m->buf[0];

	if ((opcode ^ m->buf[1]) != 0xff || !listed(m, opcode)) {
		nack_done(m);
		return;
	}
	if ((opcode == PV_AN_SPECIAL || opcode == PV_AN_EXT_SPECIAL) &&
	    (m->specials == NULL || m->specials->known == NULL)) {
		nack_done(m);
		return;
	}
	if (!allowed(m, opcode)) {
		/* AN2606, known limitations: these three only. */
		if (m->config->double_nack &&
		    (opcode == PV_AN_READ || opcode == PV_AN_WRITE ||
			opcode == PV_AN_GO))
			emit_byte(m, PV_AN_NACK);
		nack_done(m);
		return;
	}
	m->opcode = opcode;
	m->commands++;
	run_command(m);
}
