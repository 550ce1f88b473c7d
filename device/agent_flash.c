/* SPDX-License-Identifier: Apache-2.0 */
#include "device/agent_flash.h"

#include "base/buf.h"
#include "device/license.h"

#include <string.h>

static bool
bit(const uint8_t *map, uint32_t n)
{
	return (map[n / 8] & (1U << (n % 8))) != 0;
}

static void
set_bit(uint8_t *map, uint32_t n)
{
	map[n / 8] |= (uint8_t)(1U << (n % 8));
}

/* CRC-32, polynomial 0x04C11DB7, not reflected: for read-back only. */
static uint32_t
crc_bytes(uint32_t crc, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= (uint32_t)data[i] << 24;
		for (int k = 0; k < 8; k++)
			crc = (crc & 0x80000000U) != 0
				  ? (crc << 1) ^ 0x04c11db7U
				  : crc << 1;
	}
	return crc;
}

/* --- the note ---------------------------------------------------------------- */

/*
 * "PVIN", version 1, state; u16 length of the option bytes and the bytes, of
 * an install whose option bytes are being applied, else zero; zeros; CRC over
 * all before it; four zero bytes.
 */
#define NOTE_LEN     6U
#define NOTE_OPTIONS 8U
#define NOTE_CRC     264U
static const uint8_t note_magic[5] = { 'P', 'V', 'I', 'N', 1 };

enum pv_agent_note
pv_agent_note_state(const uint8_t note[PV_AGENT_NOTE_LEN])
{
	bool blank = note[0] == 0 || note[0] == 0xff;
	uint16_t len = pv_get_u16le(note + NOTE_LEN);

	for (size_t i = 1; i < PV_AGENT_NOTE_LEN; i++)
		if (note[i] != note[0])
			blank = false;
	if (blank)
		return PV_AGENT_NOTE_NONE;
	if (memcmp(note, note_magic, sizeof note_magic) != 0 ||
	    note[5] >= PV_AGENT_NOTE_INVALID ||
	    pv_get_u32le(note + NOTE_CRC) !=
		crc_bytes(0xffffffffU, note, NOTE_CRC))
		return PV_AGENT_NOTE_INVALID;
	if (note[5] == PV_AGENT_NOTE_APPLYING &&
	    (len == 0 || len > PV_AGENT_OPTIONS))
		return PV_AGENT_NOTE_INVALID;
	return (enum pv_agent_note)note[5];
}

static uint16_t
note_store(struct pv_agent *a, uint8_t note_state)
{
	uint8_t note[PV_AGENT_NOTE_LEN];
	uint16_t r = PV_SI_OK;

	memset(note, 0, sizeof note);
	memcpy(note, note_magic, sizeof note_magic);
	note[5] = note_state;
	if (note_state == PV_AGENT_NOTE_APPLYING) {
		pv_put_u16le(note + NOTE_LEN, (uint16_t)a->options_len);
		memcpy(note + NOTE_OPTIONS, a->options, a->options_len);
	}
	pv_put_u32le(note + NOTE_CRC, crc_bytes(0xffffffffU, note, NOTE_CRC));
	/* A failed write may have left either note: count on the worse. */
	a->durable = false;
	if (a->store->note_write(a->store->ctx, note) != 0)
		r = PV_SI_E_INTERNAL;
	pv_dev_wipe(note, sizeof note);
	return r;
}

uint16_t
pv_agent_mark(struct pv_agent *a)
{
	uint16_t r = note_store(a, PV_AGENT_NOTE_UNDER_WAY);

	a->mark = true;
	a->durable = r == PV_SI_OK;
	return r;
}

uint16_t
pv_agent_mark_applying(struct pv_agent *a)
{
	return note_store(a, PV_AGENT_NOTE_APPLYING);
}

uint16_t
pv_agent_unmark(struct pv_agent *a, uint8_t note_state)
{
	uint16_t r = note_store(a, note_state);

	if (r == PV_SI_OK) {
		a->mark = false;
		a->committed = false;
		memset(a->erased, 0, sizeof a->erased);
	}
	return r;
}

enum pv_agent_note
pv_agent_note_load(struct pv_agent *a)
{
	uint8_t note[PV_AGENT_NOTE_LEN];
	enum pv_agent_note n = PV_AGENT_NOTE_INVALID;

	if (a->store->note_read(a->store->ctx, note) == 0)
		n = pv_agent_note_state(note);
	if (n == PV_AGENT_NOTE_APPLYING) {
		a->options_len = pv_get_u16le(note + NOTE_LEN);
		memcpy(a->options, note + NOTE_OPTIONS, a->options_len);
	}
	/*
	 * A damaged note hides what an install may have left, and a part that
	 * starts half a package is worse than an empty one.
	 */
	a->mark = n == PV_AGENT_NOTE_UNDER_WAY || n == PV_AGENT_NOTE_APPLYING ||
		  n == PV_AGENT_NOTE_INVALID;
	a->durable = n == PV_AGENT_NOTE_UNDER_WAY;
	a->committed = n == PV_AGENT_NOTE_APPLYING;
	pv_dev_wipe(note, sizeof note);
	return n;
}

/* --- all of flash -------------------------------------------------------------- */

#define GAP_STEP 128U /* no sector is smaller */

/*
 * The sector at *off bytes from the flash base or, where banks leave a gap,
 * the next; *off becomes the offset behind it. False at the end.
 */
static bool
next_sector(
    const struct pv_agent *a, uint32_t *off, struct pv_dev_sector *ret_s)
{
	const struct pv_agent_config *c = a->config;
	uint32_t end;

	for (; *off < c->flash_size; *off += GAP_STEP) {
		if (a->memory->sector(
			a->memory->ctx, c->flash_base + *off, ret_s) != 0)
			continue;
		end = ret_s->base - c->flash_base + ret_s->size;
		if (end <= *off)
			continue;
		*off = end;
		return true;
	}
	return false;
}

/* A sector that cannot be read counts as written. */
static bool
is_blank(const struct pv_agent *a, const struct pv_dev_sector *s)
{
	uint8_t data[128], seen = 0;
	uint32_t n;

	for (uint32_t at = 0; at < s->size && seen == 0; at += n) {
		n = s->size - at;
		if (n > sizeof data)
			n = (uint32_t)sizeof data;
		if (a->memory->read(a->memory->ctx, s->base + at, data, n) != 0)
			return false;
		for (uint32_t i = 0; i < n; i++)
			seen |= (uint8_t)(data[i] ^ a->config->erased);
	}
	pv_dev_wipe(data, sizeof data);
	return seen == 0;
}

static bool
is_locked(const struct pv_agent *a, uint32_t number)
{
	return a->memory->locked != NULL &&
	       a->memory->locked(a->memory->ctx, number);
}

uint16_t
pv_agent_wipe_check(struct pv_agent *a)
{
	struct pv_dev_sector s;
	uint32_t off = 0;

	while (next_sector(a, &off, &s))
		if (is_locked(a, s.number) && !is_blank(a, &s))
			return PV_SI_E_FLASH_LOCKED;
	return PV_SI_OK;
}

bool
pv_agent_wipe(struct pv_agent *a)
{
	struct pv_dev_sector s;
	uint32_t off = 0;
	bool ok = true;

	/* From the flash base on: the vector table goes first. */
	while (next_sector(a, &off, &s)) {
		if (is_blank(a, &s))
			continue;
		if (a->memory->erase(a->memory->ctx, s.number) != 0 ||
		    !is_blank(a, &s))
			ok = false;
		else if (s.number < PV_AGENT_SECTORS)
			set_bit(a->erased, s.number);
	}
	return ok;
}

/* --- areas --------------------------------------------------------------------- */

/* Address inside a bank: aliases show a sector at a multiple of its size. */
static bool
physical(const struct pv_agent *a, uint32_t addr, uint32_t *ret_addr)
{
	struct pv_dev_sector s;

	if (a->memory->sector(a->memory->ctx, addr, &s) != 0 || s.size == 0)
		return false;
	*ret_addr = s.base + (addr - s.base) % s.size;
	return true;
}

/* End of the whole units of an area, exclusive. */
static uint32_t
units_end(const struct pv_agent *a, uint32_t addr, uint32_t size)
{
	return (addr + size + a->unit - 1) & ~(a->unit - 1);
}

static bool
overlaps(const struct pv_agent *a, uint32_t base, uint32_t end)
{
	for (size_t i = 0; i < a->n_firmware; i++) {
		const struct pv_agent_area *f = &a->firmware[i];

		if (base < units_end(a, f->addr, f->size) && f->base < end)
			return true;
	}
	return false;
}

/* May every sector of these units be programmed? */
static uint16_t
check_sectors(const struct pv_agent *a, uint32_t base, uint32_t end)
{
	uint32_t at = base;

	while (at < end) {
		struct pv_dev_sector s;

		if (a->memory->sector(a->memory->ctx, at, &s) != 0 ||
		    s.number >= PV_AGENT_SECTORS || s.size == 0)
			return PV_SI_E_AREA_RANGE;
		if (is_locked(a, s.number))
			return PV_SI_E_FLASH_LOCKED;
		at = s.base + s.size;
	}
	return PV_SI_OK;
}

uint16_t
pv_agent_area_open(struct pv_agent *a, uint32_t addr, uint32_t size)
{
	struct pv_agent_area *f;
	uint32_t at = 0, base, end;
	uint16_t r;

	if (a->unit > PV_AGENT_HOLD)
		return PV_SI_E_INTERNAL;
	if (a->n_firmware == PV_AGENT_AREAS)
		return PV_SI_E_AREA_COUNT;
	if (size == 0)
		return PV_SI_E_AREA_SIZE;
	if (size > a->config->flash_size || !physical(a, addr, &at) ||
	    at > UINT32_MAX - size - a->unit)
		return PV_SI_E_AREA_RANGE;
	base = at & ~(a->unit - 1);
	end = units_end(a, at, size);
	if (a->memory->region(a->memory->ctx, base, end - base) !=
	    PV_REGION_FLASH)
		return PV_SI_E_AREA_RANGE;
	if (overlaps(a, base, end))
		return PV_SI_E_AREA_OVERLAP;
	r = check_sectors(a, base, end);
	if (r != PV_SI_OK)
		return r;
	f = &a->firmware[a->n_firmware++];
	memset(f, 0xff, sizeof *f);
	f->base = base;
	f->addr = at;
	f->size = size;
	a->area_addr = at;
	return PV_SI_OK;
}

static uint16_t
program(struct pv_agent *a, uint32_t addr, const uint8_t *data)
{
	const struct pv_dev_memory *m = a->memory;
	uint8_t back[PV_AGENT_HOLD];

	/* Compared at once: a protected sector swallows bytes in silence. */
	if (m->program(m->ctx, addr, data, a->unit) != 0 ||
	    m->read(m->ctx, addr, back, a->unit) != 0 ||
	    !pv_dev_equal(back, data, a->unit))
		return PV_SI_E_FLASH_PROGRAM;
	return PV_SI_OK;
}

/* One whole unit is in a->block. */
static uint16_t
flush(struct pv_agent *a, struct pv_agent_area *f, uint32_t base)
{
	struct pv_dev_sector s;

	if (a->memory->sector(a->memory->ctx, base, &s) != 0 ||
	    s.number >= PV_AGENT_SECTORS)
		return PV_SI_E_INTERNAL;
	/*
	 * Blank or not, erased once: what only reads as erased may be the rest
	 * of an erase that was cut off.
	 */
	if (!bit(a->erased, s.number)) {
		if (a->memory->erase(a->memory->ctx, s.number) != 0)
			return PV_SI_E_FLASH_ERASE;
		set_bit(a->erased, s.number);
	}
	if (base == f->base) {
		memcpy(f->held, a->block, a->unit);
		return PV_SI_OK;
	}
	return program(a, base, a->block);
}

uint16_t
pv_agent_area_put(struct pv_agent *a, const uint8_t *data, size_t len)
{
	struct pv_agent_area *f = &a->firmware[a->n_firmware - 1];
	uint32_t got = a->received;
	uint16_t r = PV_SI_OK;

	f->crc = crc_bytes(f->crc, data, len);
	while (len > 0) {
		uint32_t at = f->addr + got;
		uint32_t off = at & (a->unit - 1);
		uint32_t n = a->unit - off;

		if (n > len)
			n = (uint32_t)len;
		if (off == 0 || got == 0)
			memset(a->block, 0xff, sizeof a->block);
		memcpy(a->block + off, data, n);
		data += n;
		len -= n;
		got += n;
		if (off + n == a->unit || got == f->size)
			r = flush(a, f, at - off);
		if (r != PV_SI_OK)
			return r;
	}
	return PV_SI_OK;
}

/* The first unit is still held back, the rest is read from flash. */
static uint16_t
verify_area(struct pv_agent *a, const struct pv_agent_area *f)
{
	uint32_t skip = f->addr - f->base, n = a->unit - skip;
	uint32_t at = f->addr, left = f->size, crc = 0xffffffffU;
	uint8_t data[128];

	if (n > left)
		n = left;
	crc = crc_bytes(crc, f->held + skip, n);
	at += n;
	left -= n;
	while (left > 0) {
		n = left < sizeof data ? left : (uint32_t)sizeof data;
		if (a->memory->read(a->memory->ctx, at, data, n) != 0)
			return PV_SI_E_FLASH_PROGRAM;
		crc = crc_bytes(crc, data, n);
		at += n;
		left -= n;
	}
	pv_dev_wipe(data, sizeof data);
	return crc == f->crc ? PV_SI_OK : PV_SI_E_FLASH_PROGRAM;
}

uint16_t
pv_agent_areas_verify(struct pv_agent *a)
{
	for (size_t i = 0; i < a->n_firmware; i++) {
		uint16_t r = verify_area(a, &a->firmware[i]);

		if (r != PV_SI_OK)
			return r;
	}
	return PV_SI_OK;
}

uint16_t
pv_agent_areas_release(struct pv_agent *a)
{
	/* Packages begin with the vector table: it comes last. */
	for (size_t i = a->n_firmware; i-- > 0;) {
		const struct pv_agent_area *f = &a->firmware[i];
		uint16_t r = program(a, f->base, f->held);

		if (r != PV_SI_OK)
			return r;
	}
	return PV_SI_OK;
}
