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
is_blank(const struct pv_dev_memory *m, uint8_t erased,
    const struct pv_dev_sector *s)
{
	uint8_t data[128], seen = 0;
	uint32_t n;

	for (uint32_t at = 0; at < s->size && seen == 0; at += n) {
		n = s->size - at;
		if (n > sizeof data)
			n = (uint32_t)sizeof data;
		if (m->read(m->ctx, s->base + at, data, n) != 0)
			return false;
		for (uint32_t i = 0; i < n; i++)
			seen |= (uint8_t)(data[i] ^ erased);
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
		if (is_locked(a, s.number) &&
		    !is_blank(a->memory, a->config->erased, &s))
			return PV_SI_E_FLASH_LOCKED;
	return PV_SI_OK;
}

/* Erase a sector unless it is blank; *ret_erased: it was not. */
static bool
clear(const struct pv_dev_memory *m, uint8_t erased,
    const struct pv_dev_sector *s, bool *ret_erased)
{
	*ret_erased = !is_blank(m, erased, s);
	if (!*ret_erased)
		return true;
	return m->erase(m->ctx, s->number) == 0 && is_blank(m, erased, s);
}

/* --- kinds of places ------------------------------------------------------------ */

static const struct pv_dev_memory *
memory_of(const struct pv_agent *a, uint8_t type)
{
	return type == 'E' ? &a->config->external->memory : a->memory;
}

/* On-the-fly decryption works in blocks of 16 bytes. */
static uint32_t
unit_of(const struct pv_agent *a, uint8_t type)
{
	uint32_t unit = memory_of(a, type)->write_unit;

	return type == 'E' ? (unit < 16 ? 16 : unit) : a->unit;
}

/* Nothing starts from keys or from external flash: F and M alone. */
static bool
held_back(uint8_t type)
{
	return type == 'F' || type == 'M';
}

/* End of its whole units, exclusive. */
static uint32_t
end_of(const struct pv_agent *a, uint8_t type, uint32_t addr, uint32_t size)
{
	uint32_t unit = unit_of(a, type);

	return (addr + size + unit - 1) & ~(unit - 1);
}

static uint32_t
place_end(const struct pv_agent *a, const struct pv_agent_place *f)
{
	return end_of(a, f->type, f->addr, f->size);
}

/* --- erasing ---------------------------------------------------------------------- */

/* The sectors of an external place. */
static bool
wipe_external(const struct pv_agent *a, const struct pv_agent_place *f)
{
	const struct pv_dev_memory *m;
	uint32_t at = f->base, end;
	bool ok = true, erased;

	if (a->config->external == NULL)
		return false;
	m = memory_of(a, 'E');
	end = place_end(a, f);
	while (at < end) {
		struct pv_dev_sector s;

		if (m->sector(m->ctx, at, &s) != 0 || s.size == 0)
			return false;
		if (!clear(m, a->config->external->erased, &s, &erased))
			ok = false;
		at = s.base + s.size;
	}
	return ok;
}

bool
pv_agent_wipe(struct pv_agent *a)
{
	struct pv_dev_sector s;
	uint32_t off = 0;
	bool ok = true, erased;

	/* From the flash base on: the vector table goes first. */
	while (next_sector(a, &off, &s)) {
		if (!clear(a->memory, a->config->erased, &s, &erased))
			ok = false;
		else if (erased && s.number < PV_AGENT_SECTORS)
			set_bit(a->erased, s.number);
	}
	for (size_t i = 0; i < a->n_places; i++)
		if (a->places[i].type == 'E' &&
		    !wipe_external(a, &a->places[i]))
			ok = false;
	if (a->store->modules_forget != NULL &&
	    a->store->modules_forget(a->store->ctx) != 0)
		ok = false;
	return ok;
}

/* --- places --------------------------------------------------------------------- */

/* Address inside a bank: aliases show a sector at a multiple of its size. */
static bool
physical(
    const struct pv_agent *a, uint8_t type, uint32_t addr, uint32_t *ret_addr)
{
	const struct pv_dev_memory *m = memory_of(a, type);
	struct pv_dev_sector s;

	if (m->sector(m->ctx, addr, &s) != 0 || s.size == 0)
		return false;
	*ret_addr = s.base + (addr - s.base) % s.size;
	return true;
}

static bool
overlaps(const struct pv_agent *a, uint8_t type, uint32_t base, uint32_t end)
{
	for (size_t i = 0; i < a->n_places; i++) {
		const struct pv_agent_place *f = &a->places[i];

		if ((f->type == 'E') == (type == 'E') &&
		    base < place_end(a, f) && f->base < end)
			return true;
	}
	return false;
}

/* May every sector of these units be programmed? */
static uint16_t
check_sectors(
    const struct pv_agent *a, uint8_t type, uint32_t base, uint32_t end)
{
	const struct pv_dev_memory *m = memory_of(a, type);
	uint32_t at = base;

	while (at < end) {
		struct pv_dev_sector s;

		if (m->sector(m->ctx, at, &s) != 0 || s.size == 0)
			return PV_SI_E_AREA_RANGE;
		if (type != 'E' && s.number >= PV_AGENT_SECTORS)
			return PV_SI_E_AREA_RANGE;
		if (type != 'E' && is_locked(a, s.number))
			return PV_SI_E_FLASH_LOCKED;
		at = s.base + s.size;
	}
	return PV_SI_OK;
}

uint16_t
pv_agent_place_check(
    const struct pv_agent *a, uint8_t type, uint32_t addr, uint32_t size)
{
	const struct pv_dev_memory *m = memory_of(a, type);
	uint32_t unit = unit_of(a, type), at = 0, base, end;

	if (unit > PV_AGENT_HOLD)
		return PV_SI_E_INTERNAL;
	if (size == 0)
		return PV_SI_E_AREA_SIZE;
	if ((type == 'E' ? size > a->config->external->size
			 : size > a->config->flash_size) ||
	    !physical(a, type, addr, &at) || at > UINT32_MAX - size - unit)
		return PV_SI_E_AREA_RANGE;
	base = at & ~(unit - 1);
	end = end_of(a, type, at, size);
	if (m->region(m->ctx, base, end - base) != PV_REGION_FLASH)
		return PV_SI_E_AREA_RANGE;
	return PV_SI_OK;
}

/* An E area that goes on where the last one ended: no further place. */
static bool
continues(const struct pv_agent *a, uint8_t type, uint32_t at)
{
	const struct pv_agent_place *f;

	if (type != 'E' || a->n_places == 0)
		return false;
	f = &a->places[a->n_places - 1];
	return f->type == 'E' && at == f->addr + f->size &&
	       at == place_end(a, f);
}

uint16_t
pv_agent_place_open(
    struct pv_agent *a, uint8_t type, uint32_t addr, uint32_t size)
{
	struct pv_agent_place *f;
	uint32_t at = 0, base, end;
	uint16_t r;

	if (!physical(a, type, addr, &at))
		return PV_SI_E_AREA_RANGE;
	base = at & ~(unit_of(a, type) - 1);
	end = end_of(a, type, at, size);
	if (overlaps(a, type, base, end))
		return PV_SI_E_AREA_OVERLAP;
	r = check_sectors(a, type, base, end);
	if (r != PV_SI_OK)
		return r;
	a->data_addr = at;
	a->data_size = size;
	a->data_done = 0;
	if (continues(a, type, at)) {
		a->places[a->n_places - 1].size += size;
		return PV_SI_OK;
	}
	if (a->n_places == PV_AGENT_PLACES)
		return PV_SI_E_AREA_COUNT;
	f = &a->places[a->n_places++];
	memset(f, 0xff, sizeof *f);
	f->type = type;
	f->base = base;
	f->addr = at;
	f->size = size;
	return PV_SI_OK;
}

static uint16_t
program(struct pv_agent *a, uint8_t type, uint32_t addr, const uint8_t *data)
{
	const struct pv_dev_memory *m = memory_of(a, type);
	uint32_t unit = unit_of(a, type);
	uint8_t back[PV_AGENT_HOLD];

	/* Compared at once: a protected sector swallows bytes in silence. */
	if (m->program(m->ctx, addr, data, unit) != 0 ||
	    m->read(m->ctx, addr, back, unit) != 0 ||
	    !pv_dev_equal(back, data, unit))
		return PV_SI_E_FLASH_PROGRAM;
	return PV_SI_OK;
}

/* Has this install filled anything of the sector before? */
static bool
in_use(const struct pv_agent *a, uint8_t type, const struct pv_dev_sector *s)
{
	for (size_t i = 0; i < a->n_places; i++) {
		const struct pv_agent_place *f = &a->places[i];
		uint32_t end = place_end(a, f);

		if ((f->type == 'E') != (type == 'E'))
			continue;
		if (i == a->n_places - 1) /* what came before this area */
			end = a->data_addr & ~(unit_of(a, type) - 1);
		if (f->base < end && f->base < s->base + s->size &&
		    s->base < end)
			return true;
	}
	return false;
}

/*
 * Blank or not, a sector is erased once: what only reads as erased may be the
 * rest of an erase that was cut off.
 */
static uint16_t
enter_sector(struct pv_agent *a, uint8_t type, uint32_t base)
{
	const struct pv_dev_memory *m = memory_of(a, type);
	bool first = base == (a->data_addr & ~(unit_of(a, type) - 1));
	struct pv_dev_sector s;

	if (m->sector(m->ctx, base, &s) != 0 ||
	    (type != 'E' && s.number >= PV_AGENT_SECTORS))
		return PV_SI_E_INTERNAL;
	if (base != s.base && !first)
		return PV_SI_OK;
	if (type != 'E' && bit(a->erased, s.number))
		return PV_SI_OK;
	if (!in_use(a, type, &s) && m->erase(m->ctx, s.number) != 0)
		return PV_SI_E_FLASH_ERASE;
	if (type != 'E')
		set_bit(a->erased, s.number);
	return PV_SI_OK;
}

/* One whole unit is in a->block. */
static uint16_t
flush(struct pv_agent *a, struct pv_agent_place *f, uint32_t base)
{
	const struct pv_dev_external *x = a->config->external;
	uint32_t unit = unit_of(a, f->type);
	uint16_t r = enter_sector(a, f->type, base);

	if (r != PV_SI_OK)
		return r;
	if (f->type == 'E' && x->seal(x->ctx, a->region, a->mode, a->region_key,
				  base, a->block, unit) != 0)
		return PV_SI_E_AREA_MODE;
	f->crc = pv_agent_crc(f->crc, a->block, unit);
	if (base == f->base && held_back(f->type)) {
		memcpy(f->held, a->block, unit);
		return PV_SI_OK;
	}
	return program(a, f->type, base, a->block);
}

uint16_t
pv_agent_place_put(struct pv_agent *a, const uint8_t *data, size_t len)
{
	struct pv_agent_place *f = &a->places[a->n_places - 1];
	uint32_t unit = unit_of(a, f->type);
	uint16_t r = PV_SI_OK;

	while (len > 0) {
		uint32_t at = a->data_addr + a->data_done;
		uint32_t off = at & (unit - 1);
		uint32_t n = unit - off;

		if (n > len)
			n = (uint32_t)len;
		if (off == 0 || a->data_done == 0)
			memset(a->block, 0xff, sizeof a->block);
		memcpy(a->block + off, data, n);
		data += n;
		len -= n;
		a->data_done += n;
		if (off + n == unit || a->data_done == a->data_size)
			r = flush(a, f, at - off);
		if (r != PV_SI_OK)
			return r;
	}
	return PV_SI_OK;
}

/* --- the end ---------------------------------------------------------------------- */

/* Units that are still held back count as they will be. */
static uint16_t
verify_place(const struct pv_agent *a, const struct pv_agent_place *f)
{
	const struct pv_dev_memory *m = memory_of(a, f->type);
	uint32_t at = f->base, end = place_end(a, f), crc = 0xffffffffU, n;
	uint8_t data[128];

	if (held_back(f->type)) {
		crc = pv_agent_crc(crc, f->held, a->unit);
		at += a->unit;
	}
	for (; at < end; at += n) {
		n = end - at < sizeof data ? end - at : (uint32_t)sizeof data;
		if (m->read(m->ctx, at, data, n) != 0)
			return PV_SI_E_FLASH_PROGRAM;
		crc = pv_agent_crc(crc, data, n);
	}
	pv_dev_wipe(data, sizeof data);
	return crc == f->crc ? PV_SI_OK : PV_SI_E_FLASH_PROGRAM;
}

uint16_t
pv_agent_places_verify(struct pv_agent *a)
{
	for (size_t i = 0; i < a->n_places; i++) {
		uint16_t r = verify_place(a, &a->places[i]);

		if (r != PV_SI_OK)
			return r;
	}
	return PV_SI_OK;
}

uint16_t
pv_agent_places_release(struct pv_agent *a)
{
	/* Packages begin with the vector table: it comes last. */
	for (size_t i = a->n_places; i-- > 0;) {
		const struct pv_agent_place *f = &a->places[i];
		uint16_t r = PV_SI_OK;

		if (held_back(f->type))
			r = program(a, f->type, f->base, f->held);
		if (r != PV_SI_OK)
			return r;
	}
	return PV_SI_OK;
}

bool
pv_agent_key_read(const struct pv_agent *a, uint32_t addr, uint8_t ret_key[16])
{
	uint32_t at = 0;

	if (!physical(a, 'K', addr, &at))
		return false;
	for (size_t i = 0; i < a->n_places; i++) {
		const struct pv_agent_place *f = &a->places[i];

		if ((f->type != 'F' && f->type != 'K') || at < f->addr ||
		    f->size < 16 || at - f->addr > f->size - 16)
			continue;
		if (a->memory->read(a->memory->ctx, at, ret_key, 16) != 0)
			return false;
		for (uint32_t k = 0; k < 16 && held_back(f->type); k++)
			if (at + k - f->base < a->unit)
				ret_key[k] = f->held[at + k - f->base];
		return true;
	}
	return false;
}
