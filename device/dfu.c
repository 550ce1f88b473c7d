/* SPDX-License-Identifier: Apache-2.0 */
/* The DFU state machine and its commands; dfu.h says what it models. */
#include "device/dfu.h"

#include "base/buf.h"

#include <string.h>

/* Descriptors and standard requests are in dfu_usb.c. */
#include "device/dfu_usb.h"

enum {
	IDLE = 2,
	DNLOAD_SYNC = 3,
	DNBUSY = 4,
	DNLOAD_IDLE = 5,
	MANIFEST_SYNC = 6,
	MANIFEST = 7,
	UPLOAD_IDLE = 9,
	ERROR = 10,
};
enum {
	OK = 0x00,
	ERR_TARGET = 0x01,
	ERR_WRITE = 0x03,
	ERR_VENDOR = 0x0b,
	ERR_UNKNOWN = 0x0e,
	ERR_STALLEDPKT = 0x0f,
};
enum {
	DNLOAD = 1,
	UPLOAD = 2,
	GETSTATUS = 3,
	CLRSTATUS = 4,
	GETSTATE = 5,
	ABORT = 6,
};

#define CMD_GET	      0x00U
#define CMD_POINTER   0x21U
#define CMD_ERASE     0x41U
#define CMD_UNPROTECT 0x92U

#define POLL_LONG_MS   100U
#define POLL_ABSURD_MS 0xffffffU
#define MANIFEST_MS    50U

void
pv_dd_init(struct pv_dd *m, const struct pv_dd_config *config,
    const struct pv_dev_memory *memory, const struct pv_dd_control *control)
{
	memset(m, 0, sizeof *m);
	m->config = config;
	m->memory = memory;
	m->control = control;
	m->state = IDLE;
	/* AN3156 4.1: where reading starts when no pointer was set. */
	m->pointer = config->flash_base;
}

static enum pv_dd_end
fail(struct pv_dd *m, uint8_t status)
{
	m->state = ERROR;
	m->status = status;
	return PV_DD_STALL;
}

static enum pv_region
region(const struct pv_dd *m, uint32_t addr, uint32_t len)
{
	return m->memory->region(m->memory->ctx, addr, len);
}

static bool
open_part(const struct pv_dd *m)
{
	return m->control->lock(m->control->ctx) == PV_AN_OPEN;
}

/* --- commands --------------------------------------------------------------- */

/* Flash or option bytes, or RAM the host may use. */
static bool
addressable(const struct pv_dd *m, uint32_t addr)
{
	enum pv_region r = region(m, addr, 1);

	return r == PV_REGION_FLASH || r == PV_REGION_OPTIONS ||
	       r == PV_REGION_RAM || r == PV_REGION_OTP;
}

static uint8_t
run_pointer(struct pv_dd *m)
{
	uint32_t addr = pv_get_u32le(m->data + 1);

	if (!addressable(m, addr))
		return ERR_TARGET;
	m->pointer = addr;
	m->has_pointer = true;
	m->counts.pointers++;
	return OK;
}

static uint8_t
run_erase(struct pv_dd *m, uint64_t *us)
{
	struct pv_dev_sector s;
	uint32_t addr;

	if (!open_part(m))
		return ERR_VENDOR;
	m->erasing = true;
	if (m->len == 1) {
		m->mass = true;
		*us = m->config->mass_erase_us;
		m->counts.mass_erases++;
		(void)m->control->mass_erase(m->control->ctx);
		return OK;
	}
	addr = pv_get_u32le(m->data + 1);
	if (m->memory->sector(m->memory->ctx, addr, &s) != 0)
		return ERR_TARGET;
	*us = m->config->page_erase_us;
	m->counts.page_erases++;
	/* No error for a protected sector: AN3156 5.3. */
	(void)m->memory->erase(m->memory->ctx, s.number);
	return OK;
}

static uint8_t
run_command(struct pv_dd *m, uint64_t *us)
{
	switch (m->data[0]) {
	case CMD_POINTER:
		return m->len == 5 ? run_pointer(m) : ERR_STALLEDPKT;
	case CMD_ERASE:
		if (m->len != 1 && m->len != 5)
			return ERR_STALLEDPKT;
		return run_erase(m, us);
	case CMD_UNPROTECT:
		for (size_t i = 0; m->len == 1 && i < m->config->n_commands;
		     i++) {
			if (m->config->commands[i] != CMD_UNPROTECT)
				continue;
			m->after = PV_DD_RESTARTS;
			*us = m->config->mass_erase_us;
			(void)m->control->read_unprotect(m->control->ctx);
			return OK;
		}
		return ERR_STALLEDPKT;
	default:
		return ERR_STALLEDPKT;
	}
}

static uint32_t
block_address(const struct pv_dd *m, uint16_t block, size_t len)
{
	uint32_t size =
	    m->config->by_descriptor ? m->config->transfer_size : (uint32_t)len;

	return m->pointer + (uint32_t)(block - 2U) * size;
}

static uint8_t
write_options(struct pv_dd *m, uint32_t addr)
{
	/* Not the whole block from its base: ignored, as on USART. */
	if (addr == m->config->option_base &&
	    m->len == m->config->option_size) {
		(void)m->control->write_options(
		    m->control->ctx, m->data, m->len);
		m->after = PV_DD_RESTARTS;
	}
	return OK;
}

/* A last short write unit is padded with 0xFF. */
static void
program(struct pv_dd *m, uint32_t addr)
{
	uint32_t unit = m->memory->write_unit;
	size_t len = (m->len + unit - 1) / unit * unit;

	if (addr % unit != 0 || len > sizeof m->data ||
	    region(m, addr, (uint32_t)len) != PV_REGION_FLASH)
		return;
	memset(m->data + m->len, 0xff, len - m->len);
	/* No error for a protected sector: AN3156 5.1. */
	(void)m->memory->program(m->memory->ctx, addr, m->data, len);
}

static uint8_t
run_block(struct pv_dd *m, uint64_t *us)
{
	uint32_t addr = block_address(m, m->block, m->len);

	if (!open_part(m))
		return ERR_VENDOR;
	m->counts.blocks++;
	switch (region(m, addr, (uint32_t)m->len)) {
	case PV_REGION_OPTIONS:
		return write_options(m, addr);
	case PV_REGION_RAM:
	case PV_REGION_OTP:
		return m->memory->store(
			   m->memory->ctx, addr, m->data, m->len) == 0
			   ? OK
			   : ERR_WRITE;
	case PV_REGION_FLASH:
		*us = (uint64_t)m->config->write_unit_us *
		      ((m->len + m->memory->write_unit - 1) /
			  m->memory->write_unit);
		program(m, addr);
		return OK;
	case PV_REGION_NONE:
	case PV_REGION_RESERVED:
		break;
	}
	return ERR_TARGET;
}

/* --- status ------------------------------------------------------------------ */

static uint32_t
poll_ms(const struct pv_dd *m, uint64_t now)
{
	uint64_t us = m->end_us > now ? m->end_us - now : 0;

	if (m->mass && m->config->mass_erase_long)
		return POLL_LONG_MS;
	switch (m->config->poll) {
	case PV_DD_POLL_LONG:
		return POLL_LONG_MS;
	case PV_DD_POLL_SHORT:
		return 1;
	case PV_DD_POLL_ZERO:
		return 0;
	case PV_DD_POLL_ABSURD:
		return POLL_ABSURD_MS;
	case PV_DD_POLL_RIGHT:
		break;
	}
	us = (us + 999) / 1000;
	return us > POLL_ABSURD_MS ? POLL_ABSURD_MS : (uint32_t)us;
}

static void
start(struct pv_dd *m, uint64_t now)
{
	uint64_t us = 0;

	m->erasing = m->mass = false;
	m->after = PV_DD_STAYS;
	m->result = m->block == 0 ? run_command(m, &us) : run_block(m, &us);
	m->end_us = now + us;
	/* What is refused never becomes busy. */
	if (m->result == OK) {
		m->state = DNBUSY;
	} else {
		m->state = ERROR;
		m->status = m->result;
	}
}

static void
finish(struct pv_dd *m)
{
	if (m->after != PV_DD_STAYS)
		m->gone = m->after;
	m->state = DNLOAD_IDLE;
	m->erasing = m->mass = false;
}

static void
leave(struct pv_dd *m)
{
	m->state = MANIFEST;
	m->gone = PV_DD_RUNS;
	m->control->go(m->control->ctx, m->pointer);
}

static enum pv_dd_end
getstatus(struct pv_dd *m, uint8_t *data, size_t cap, size_t *ret_len)
{
	uint64_t now = m->control->now_us(m->control->ctx);
	uint8_t b[6] = { 0 };
	uint32_t poll = 0;

	switch (m->state) {
	case DNLOAD_SYNC:
		start(m, now);
		if (m->state == DNBUSY)
			poll = poll_ms(m, now);
		break;
	case DNBUSY:
		if (now < m->end_us ||
		    (m->mass && m->config->erase_busy_stuck)) {
			if (m->erasing && m->config->erase_stalls_status)
				return PV_DD_STALL;
			poll = poll_ms(m, now);
			break;
		}
		finish(m);
		/* It restarts instead of telling the end. */
		if (m->gone != PV_DD_STAYS)
			return PV_DD_SILENT;
		break;
	case MANIFEST_SYNC:
		leave(m);
		if (m->config->leave_early)
			return PV_DD_SILENT;
		poll = MANIFEST_MS;
		break;
	default:
		break;
	}
	b[0] = m->status;
	b[1] = (uint8_t)poll;
	b[2] = (uint8_t)(poll >> 8);
	b[3] = (uint8_t)(poll >> 16);
	b[4] = m->state;
	*ret_len = cap < sizeof b ? cap : sizeof b;
	memcpy(data, b, *ret_len);
	return PV_DD_DONE;
}

static enum pv_dd_end
clrstatus(struct pv_dd *m)
{
	if (m->state == DNBUSY && m->mass && m->config->erase_busy_stuck) {
		/* The first one ends the wait in an error. */
		m->erasing = m->mass = false;
		m->state = ERROR;
		m->status = ERR_UNKNOWN;
		return PV_DD_DONE;
	}
	if (m->state != ERROR) {
		if (m->config->clrstatus_stalls)
			return PV_DD_STALL;
		return fail(m, ERR_STALLEDPKT);
	}
	m->state = IDLE;
	m->status = OK;
	return PV_DD_DONE;
}

/* --- data ----------------------------------------------------------------------- */

static enum pv_dd_end
dnload(struct pv_dd *m, const struct pv_dd_setup *s, const uint8_t *data)
{
	if (m->state != IDLE && m->state != DNLOAD_IDLE)
		return fail(m, ERR_STALLEDPKT);
	if (s->length > m->config->transfer_size ||
	    s->length > sizeof m->data - 32U || s->value == 1)
		return fail(m, ERR_STALLEDPKT);
	if (s->length == 0) {
		m->state = MANIFEST_SYNC;
		return PV_DD_DONE;
	}
	/* A block has at least two bytes: AN3156 5.1. */
	if (s->value > 1 && s->length < 2)
		return fail(m, ERR_STALLEDPKT);
	m->block = s->value;
	m->len = s->length;
	memcpy(m->data, data, s->length);
	m->state = DNLOAD_SYNC;
	return PV_DD_DONE;
}

static enum pv_dd_end
upload_commands(struct pv_dd *m, uint8_t *data, size_t length, size_t *ret_len)
{
	size_t n = m->config->n_commands;

	*ret_len = n < length ? n : length;
	memcpy(data, m->config->commands, *ret_len);
	m->state = n < length ? IDLE : UPLOAD_IDLE;
	return PV_DD_DONE;
}

static enum pv_dd_end
upload(struct pv_dd *m, const struct pv_dd_setup *s, uint8_t *data,
    size_t *ret_len)
{
	uint32_t addr, n = s->length;

	if (m->state != IDLE && m->state != UPLOAD_IDLE)
		return fail(m, ERR_STALLEDPKT);
	if (s->length > m->config->transfer_size || s->value == 1)
		return fail(m, ERR_STALLEDPKT);
	if (s->value == 0)
		return upload_commands(m, data, s->length, ret_len);
	if (s->length < 2)
		return fail(m, ERR_STALLEDPKT);
	if (!open_part(m))
		return fail(m, ERR_VENDOR);
	addr = block_address(m, s->value, s->length);
	if (!addressable(m, addr)) {
		if (m->config->overread_hangs)
			m->gone = PV_DD_HANGS;
		if (m->config->overread_hangs)
			return PV_DD_SILENT;
		return fail(m, ERR_TARGET);
	}
	/* Past the end of the memory: as much as there is. */
	while (n > 0 && region(m, addr, n) == PV_REGION_NONE)
		n--;
	if (n < s->length && m->config->overread_hangs) {
		m->gone = PV_DD_HANGS;
		return PV_DD_SILENT;
	}
	if (n == 0 || m->memory->read(m->memory->ctx, addr, data, n) != 0)
		return fail(m, ERR_TARGET);
	*ret_len = n;
	m->state = n < s->length ? IDLE : UPLOAD_IDLE;
	return PV_DD_DONE;
}

/* --- requests ----------------------------------------------------------------------- */

static enum pv_dd_end
abort_transfer(struct pv_dd *m)
{
	switch (m->state) {
	case IDLE:
	case DNLOAD_SYNC:
	case DNLOAD_IDLE:
	case MANIFEST_SYNC:
	case UPLOAD_IDLE:
		m->state = IDLE;
		return PV_DD_DONE;
	default:
		return fail(m, ERR_STALLEDPKT);
	}
}

static enum pv_dd_end
class_request(struct pv_dd *m, const struct pv_dd_setup *s, uint8_t *data,
    size_t *ret_len)
{
	bool in = (s->type & 0x80U) != 0;

	switch (s->request) {
	case DNLOAD:
		m->counts.dnload++;
		*ret_len = s->length;
		return in ? fail(m, ERR_STALLEDPKT) : dnload(m, s, data);
	case UPLOAD:
		m->counts.upload++;
		return in ? upload(m, s, data, ret_len)
			  : fail(m, ERR_STALLEDPKT);
	case GETSTATUS:
		m->counts.getstatus++;
		return in ? getstatus(m, data, s->length, ret_len)
			  : PV_DD_STALL;
	case CLRSTATUS:
		m->counts.other++;
		return clrstatus(m);
	case GETSTATE:
		m->counts.other++;
		if (!in || s->length < 1)
			return PV_DD_STALL;
		data[0] = m->state;
		*ret_len = 1;
		return PV_DD_DONE;
	case ABORT:
		m->counts.other++;
		return abort_transfer(m);
	default: /* DETACH has no meaning here: AN3156 2 */
		m->counts.other++;
		return PV_DD_STALL;
	}
}

enum pv_dd_end
pv_dd_transfer(struct pv_dd *m, const struct pv_dd_setup *s, uint8_t *data,
    size_t *ret_len)
{
	enum pv_dd_end end;

	*ret_len = 0;
	m->counts.transfers++;
	if (m->gone != PV_DD_STAYS)
		return PV_DD_SILENT;
	if ((s->type & 0x60U) == 0x20U) {
		end = class_request(m, s, data, ret_len);
	} else {
		m->counts.other++;
		end = pv_dd_standard(m, s, data, ret_len);
	}
	if (end != PV_DD_DONE)
		*ret_len = 0;
	if (end == PV_DD_STALL)
		m->counts.stalls++;
	return end;
}
