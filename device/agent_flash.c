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
 * "PVIN", version 1, state, two zero bytes; one bit a sector; CRC over all
 * before it; four zero bytes.
 */
#define NOTE_MAP 8U
#define NOTE_CRC (NOTE_MAP + PV_AGENT_SECTORS / 8)
static const uint8_t note_magic[5] = { 'P', 'V', 'I', 'N', 1 };

enum pv_agent_note
pv_agent_note_state(const uint8_t note[PV_AGENT_NOTE_LEN])
{
	bool blank = note[0] == 0 || note[0] == 0xff;

	for (size_t i = 1; i < PV_AGENT_NOTE_LEN; i++)
		if (note[i] != note[0])
			blank = false;
	if (blank)
		return PV_AGENT_NOTE_NONE;
	if (memcmp(note, note_magic, sizeof note_magic) != 0 ||
	    note[5] > PV_AGENT_NOTE_FAILED ||
	    pv_get_u32le(note + NOTE_CRC) !=
		crc_bytes(0xffffffffU, note, NOTE_CRC))
		return PV_AGENT_NOTE_INVALID;
	return (enum pv_agent_note)note[5];
}

static uint16_t
note_store(struct pv_agent *a, uint8_t note_state)
{
	uint8_t note[PV_AGENT_NOTE_LEN];

	memset(note, 0, sizeof note);
	memcpy(note, note_magic, sizeof note_magic);
	note[5] = note_state;
	if (note_state == PV_AGENT_NOTE_UNDER_WAY)
		memcpy(note + NOTE_MAP, a->marked, sizeof a->marked);
	pv_put_u32le(note + NOTE_CRC, crc_bytes(0xffffffffU, note, NOTE_CRC));
	if (a->store->note_write(a->store->ctx, note) != 0)
		return PV_SI_E_INTERNAL;
	return PV_SI_OK;
}

uint16_t
pv_agent_mark(struct pv_agent *a)
{
	uint16_t r = note_store(a, PV_AGENT_NOTE_UNDER_WAY);

	/* A failed write may have left either note: count on the worse. */
	a->mark = true;
	return r;
}

uint16_t
pv_agent_unmark(struct pv_agent *a, uint8_t note_state)
{
	uint16_t r = note_store(a, note_state);

	if (r == PV_SI_OK) {
		a->mark = false;
		memset(a->marked, 0, sizeof a->marked);
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
	if (n == PV_AGENT_NOTE_UNDER_WAY)
		memcpy(a->marked, note + NOTE_MAP, sizeof a->marked);
	/*
	 * A damaged note hides what an install may have left: all sectors
	 * then, for a part that starts half a package is worse than an empty
	 * one.
	 */
	if (n == PV_AGENT_NOTE_INVALID)
		memset(a->marked, 0xff, sizeof a->marked);
	a->mark = n == PV_AGENT_NOTE_UNDER_WAY || n == PV_AGENT_NOTE_INVALID;
	return n;
}

bool
pv_agent_erase_marked(struct pv_agent *a, bool any)
{
	bool ok = true;

	for (uint32_t n = 0; n < PV_AGENT_SECTORS; n++) {
		if (!bit(a->marked, n))
			continue;
		if (a->memory->erase(a->memory->ctx, n) != 0 &&
		    (any || bit(a->erased, n)))
			ok = false;
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

static bool
mark_sectors(struct pv_agent *a, uint32_t base, uint32_t end)
{
	uint32_t at = base;

	while (at < end) {
		struct pv_dev_sector s;

		if (a->memory->sector(a->memory->ctx, at, &s) != 0 ||
		    s.number >= PV_AGENT_SECTORS || s.size == 0)
			return false;
		set_bit(a->marked, s.number);
		at = s.base + s.size;
	}
	return true;
}

uint16_t
pv_agent_area_open(struct pv_agent *a, uint32_t addr, uint32_t size)
{
	struct pv_agent_area *f;
	uint32_t at = 0, base, end;

	if (a->unit > PV_AGENT_HOLD)
		return PV_SI_E_INTERNAL;
	if (a->n_firmware == PV_AGENT_AREAS)
		return PV_SI_E_AREA_RANGE;
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
	if (!mark_sectors(a, base, end))
		return PV_SI_E_AREA_RANGE;
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
