/* SPDX-License-Identifier: Apache-2.0 */
#include "device/an3155_steps.h"

#include "base/buf.h"

#include <string.h>

static void start_command(struct pv_an *m);

/* --- the machine ----------------------------------------------------------- */

/* Collect n bytes from the start of the buffer, then go on with `step`. */
void
pv_an_expect(struct pv_an *m, size_t n, void (*step)(struct pv_an *))
{
	m->have = 0;
	m->need = n;
	m->step = step;
}

/* Keep what was collected and go on when `total` bytes are there. */
void
pv_an_expect_total(struct pv_an *m, size_t total, void (*step)(struct pv_an *))
{
	m->need = total;
	m->step = step;
}

void
pv_an_emit(struct pv_an *m, const uint8_t *data, size_t len)
{
	m->control->emit(m->control->ctx, data, len);
}

void
pv_an_emit_byte(struct pv_an *m, uint8_t v)
{
	pv_an_emit(m, &v, 1);
}

void
pv_an_ack(struct pv_an *m)
{
	pv_an_emit_byte(m, PV_AN_ACK);
}

static void
report(struct pv_an *m, enum pv_an_end end)
{
	struct pv_an_event event = {
		.end = end,
		.opcode = m->opcode,
		.second = m->second,
		.sub = m->sub,
		.addr = m->addr,
		.count = m->count,
		.code = m->code,
	};

	if (m->control->ended != NULL)
		m->control->ended(m->control->ctx, &event);
}

/* The command ends here. */
void
pv_an_done(struct pv_an *m, enum pv_an_end end)
{
	pv_an_expect(m, 2, start_command);
	report(m, end);
}

void
pv_an_ack_done(struct pv_an *m)
{
	pv_an_ack(m);
	pv_an_done(m, PV_AN_END_OK);
}

static void
nack_end(struct pv_an *m, enum pv_an_end end)
{
	m->nacks++;
	pv_an_emit_byte(m, PV_AN_NACK);
	pv_an_done(m, end);
}

void
pv_an_nack_done(struct pv_an *m)
{
	nack_end(m, PV_AN_END_NACK);
}

void
pv_an_restart(struct pv_an *m)
{
	pv_an_reset(m);
	m->control->restart(m->control->ctx);
}

/* XOR over a frame and its checksum byte is 0. AN3155 section 3. */
bool
pv_an_checksum_ok(const uint8_t *p, size_t len)
{
	uint8_t x = 0;

	for (size_t i = 0; i < len; i++)
		x = (uint8_t)(x ^ p[i]);
	return x == 0;
}

enum pv_region
pv_an_region(const struct pv_an *m, uint32_t addr, uint32_t len)
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

bool
pv_an_mid_frame(const struct pv_an *m)
{
	return !m->running && m->step != NULL &&
	       (m->step != start_command || m->have > 0);
}

static void
sync_byte(struct pv_an *m)
{
	m->opcode = m->second = PV_AN_SYNC;
	m->addr = m->count = m->code = 0;
	m->sub = 0;
	if (m->config->stray_zero)
		pv_an_emit_byte(m, 0x00);
	pv_an_ack_done(m);
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
				sync_byte(m);
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

	pv_an_emit_byte(m, c->huge_sizes ? 0xff : (uint8_t)c->n_opcodes);
	pv_an_emit_byte(m, c->version);
	pv_an_emit(m, c->opcodes, c->n_opcodes);
	pv_an_ack_done(m);
}

static void
do_get_version(struct pv_an *m)
{
	const uint8_t answer[3] = { m->config->version, 0, 0 };

	pv_an_emit(m, answer, sizeof answer);
	pv_an_ack_done(m);
}

static void
do_get_id(struct pv_an *m)
{
	uint8_t answer[3] = { 1, 0, 0 };

	if (m->config->huge_sizes)
		answer[0] = 0xff;
	pv_put_u16be(answer + 1, m->config->device_id);
	pv_an_emit(m, answer, sizeof answer);
	pv_an_ack_done(m);
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

	if (!pv_an_checksum_ok(m->buf, n + 2)) {
		pv_an_nack_done(m);
		return;
	}
	m->count = (uint32_t)n;
	(void)protect(m, PV_AN_SET_WRITE_PROTECTION, m->buf + 1, n);
	if (m->config->restart_before_ack)
		pv_an_done(m, PV_AN_END_SILENT);
	else
		pv_an_ack_done(m);
	if (m->config->restart_on_protect || m->config->restart_before_ack)
		pv_an_restart(m);
}

static void
write_protect_count(struct pv_an *m)
{
	pv_an_expect_total(m, (size_t)m->buf[0] + 3, write_protect_list);
}

/*
 * 0x73, 0x82, 0x92: the two ACKs come together and the work follows, because
 * Readout Unprotect clears the RAM the bootloader works in (as OpenBL does).
 * AN3155 section 3.12 has the second ACK of 0x92 after the erase; a NACK then
 * says that it failed and the protection stays (section 4, V2.2).
 */
static void
do_protection(struct pv_an *m, enum pv_an_protect what)
{
	bool work_first = what == PV_AN_CLEAR_READ_PROTECTION
			      ? m->config->erase_before_ack
			      : what == PV_AN_CLEAR_WRITE_PROTECTION &&
				    m->config->restart_before_ack;

	pv_an_ack(m);
	if (!work_first) {
		pv_an_ack_done(m);
		(void)protect(m, what, NULL, 0);
	} else if (protect(m, what, NULL, 0) != 0) {
		pv_an_nack_done(m);
		return;
	} else if (what == PV_AN_CLEAR_WRITE_PROTECTION) {
		pv_an_done(m, PV_AN_END_SILENT);
	} else {
		pv_an_ack_done(m);
	}
	if (what != PV_AN_CLEAR_WRITE_PROTECTION ||
	    m->config->restart_on_protect || m->config->restart_before_ack)
		pv_an_restart(m);
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
		pv_put_u16be(
		    len, m->config->huge_sizes ? 0xffff : (uint16_t)s->out_len);
		pv_an_emit(m, len, 2);
		pv_an_emit(m, s->out, s->out_len);
	}
	pv_put_u16be(
	    len, m->config->huge_sizes ? 0xffff : (uint16_t)s->status_len);
	pv_an_emit(m, len, 2);
	pv_an_emit(m, s->status, s->status_len);
	again = s->restart;
	memset(s, 0, sizeof *s);
	pv_an_ack_done(m);
	if (again)
		pv_an_restart(m);
}

static void
special_more(struct pv_an *m)
{
	size_t n = pv_get_u16be(m->buf);

	if (!pv_an_checksum_ok(m->buf, n + 3)) {
		pv_an_nack_done(m);
		return;
	}
	pv_an_ack(m);
	m->special.data = m->first;
	m->special.len = m->first_len;
	m->special.more = m->buf + 2;
	m->special.more_len = n;
	m->count += (uint32_t)n;
	special_run(m);
}

static void
special_more_size(struct pv_an *m)
{
	size_t n = pv_get_u16be(m->buf);

	if (n > PV_AN_EXT_SPECIAL_MAX)
		pv_an_nack_done(m);
	else
		pv_an_expect_total(m, n + 3, special_more);
}

static void
special_data(struct pv_an *m)
{
	size_t n = pv_get_u16be(m->buf);

	if (!pv_an_checksum_ok(m->buf, n + 3)) {
		pv_an_nack_done(m);
		return;
	}
	m->count = (uint32_t)n;
	/* AN3155 section 3.15 reads as one ACK for both packets of 0x51. */
	if (m->opcode != PV_AN_EXT_SPECIAL || !m->config->special_one_ack)
		pv_an_ack(m);
	if (m->opcode == PV_AN_EXT_SPECIAL) {
		memcpy(m->first, m->buf + 2, n);
		m->first_len = n;
		pv_an_expect(m, 2, special_more_size);
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
		pv_an_nack_done(m);
	else
		pv_an_expect_total(m, n + 3, special_data);
}

static void
special_sub(struct pv_an *m)
{
	uint16_t sub = pv_get_u16be(m->buf);

	m->sub = sub;
	if (!pv_an_checksum_ok(m->buf, 3) ||
	    !m->specials->known(m->specials->ctx, m->opcode, sub,
		m->control->lock(m->control->ctx))) {
		pv_an_nack_done(m);
		return;
	}
	memset(&m->special, 0, sizeof m->special);
	m->special.opcode = m->opcode;
	m->special.sub = sub;
	pv_an_ack(m);
	pv_an_expect(m, 2, special_size);
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
		       opcode == PV_AN_EXT_SPECIAL ||
		       opcode == PV_AN_WRITE_UNPROTECT ||
		       opcode == PV_AN_READ_UNPROTECT;
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
	{ PV_AN_READ, 5, pv_an_read_address },
	{ PV_AN_GO, 5, pv_an_go_address },
	{ PV_AN_WRITE, 5, pv_an_write_address },
	{ PV_AN_ERASE, 1, pv_an_erase_count },
	{ PV_AN_EXT_ERASE, 2, pv_an_ext_erase_count },
	{ PV_AN_SPECIAL, 3, special_sub },
	{ PV_AN_EXT_SPECIAL, 3, special_sub },
	{ PV_AN_WRITE_PROTECT, 1, write_protect_count },
	{ PV_AN_CHECKSUM, 5, pv_an_crc_address },
};

static void
run_command(struct pv_an *m)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].opcode == m->opcode) {
			pv_an_ack(m);
			pv_an_expect(m, rows[i].need, rows[i].step);
			return;
		}
	}
	switch (m->opcode) {
	case PV_AN_GET:
		pv_an_ack(m);
		do_get(m);
		break;
	case PV_AN_GET_VERSION:
		pv_an_ack(m);
		do_get_version(m);
		break;
	case PV_AN_GET_ID:
		pv_an_ack(m);
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
		pv_an_nack_done(m);
		break;
	}
}

static void
start_command(struct pv_an *m)
{
	uint8_t opcode = m->buf[0];

	m->opcode = opcode;
	m->second = m->buf[1];
	m->addr = m->count = m->code = 0;
	m->sub = 0;
	if ((opcode ^ m->buf[1]) != 0xff || !listed(m, opcode)) {
		nack_end(m, PV_AN_END_BAD_PAIR);
		return;
	}
	if ((opcode == PV_AN_SPECIAL || opcode == PV_AN_EXT_SPECIAL) &&
	    (m->specials == NULL || m->specials->known == NULL)) {
		pv_an_nack_done(m);
		return;
	}
	if (m->config->refuses_all) {
		pv_an_nack_done(m);
		return;
	}
	if (!allowed(m, opcode)) {
		/* AN2606, known limitations: these three only. */
		if (m->config->double_nack &&
		    (opcode == PV_AN_READ || opcode == PV_AN_WRITE ||
			opcode == PV_AN_GO))
			pv_an_emit_byte(m, PV_AN_NACK);
		pv_an_nack_done(m);
		return;
	}
	m->commands++;
	run_command(m);
}
