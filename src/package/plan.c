/* SPDX-License-Identifier: Apache-2.0 */
/* Which areas a package has, and whether they fit the chip and each other. */
#include "package/plan.h"

#include "formats/smi.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A stretch of memory that an area fills, for the overlap check. */
struct place {
	uint64_t at; /* physical */
	uint64_t size;
	uint32_t unit;	  /* bytes that are programmed at a time */
	uint32_t address; /* as given */
	char type;	  /* letter of the area, or 't' for the token */
};

struct places {
	struct place *v;
	size_t n;
};

/* How the messages call it. */
static const char *
place_name(char type)
{
	switch (type) {
	case 'M':
		return "module";
	case 'K':
		return "key area";
	case 't':
		return "token";
	default:
		return "area";
	}
}

static uint32_t
write_unit(const struct pv_chip *chip)
{
	return chip->write_unit == 0 ? 1 : chip->write_unit;
}

uint64_t
pv_plan_padded(enum pv_sfi_profile profile, uint64_t size)
{
	if (profile == PV_SFI_V2)
		return (size + PV_V2_PAD_TO - 1) / PV_V2_PAD_TO * PV_V2_PAD_TO;
	return size;
}

int
pv_plan_add(struct pv_plan_areas *plan, const struct pv_sfi_pack *p,
    const struct pv_planned *area, struct pv_error *e)
{
	struct pv_planned *more;

	if (plan->n == PV_SFI_MAX_AREAS) {
		(void)pv_fail(e, PV_E_RANGE, "a package holds at most %u areas",
		    PV_SFI_MAX_AREAS);
		return pv_hint(e, "fill small gaps first (objcopy --gap-fill)");
	}
	if (plan->n == plan->cap) {
		size_t cap = plan->cap * 2 + 16;

		more = realloc(plan->v, cap * sizeof(*more));
		if (more == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		plan->v = more;
		plan->cap = cap;
	}
	plan->v[plan->n] = *area;
	plan->v[plan->n++].a.version = p->image_version;
	plan->file_size += PV_SFI_AREA + area->a.size;
	return 0;
}

void
pv_plan_release(struct pv_plan_areas *plan)
{
	free(plan->v);
	plan->v = NULL;
}

/* --- the areas ------------------------------------------------------------------ */

/*
 * Segments that share a write unit become one area: flash with ECC takes a
 * unit only once, and each area is programmed by itself. With v2 so do those
 * that the padding would reach. Anything further apart stays apart.
 */
static bool
joined(const struct pv_sfi_pack *p, uint64_t unit, size_t prefix,
    uint64_t start, uint64_t end, uint64_t next)
{
	uint64_t size = prefix + (end - start);

	return next < (end + unit - 1) / unit * unit ||
	       next < start + pv_plan_padded(p->profile, size) - prefix;
}

static int
add_run(const struct pv_sfi_pack *p, struct pv_plan_areas *plan,
    struct pv_planned *area, uint64_t start, uint64_t end, struct pv_error *e)
{
	size_t prefix = area->external != NULL ? PV_E_PREFIX : 0;
	uint64_t size = pv_plan_padded(p->profile, prefix + (end - start));

	if (start > UINT32_MAX || end > (uint64_t)UINT32_MAX + 1 ||
	    size > UINT32_MAX)
		return pv_fail(e, PV_E_RANGE,
		    "an area of %llu bytes at 0x%llx does not fit 32 bits",
		    (unsigned long long)size, (unsigned long long)start);
	area->a.type = area->external != NULL ? 'E' : 'F';
	area->a.address = (uint32_t)start;
	area->a.size = (uint32_t)size;
	area->len = size - prefix;
	return pv_plan_add(plan, p, area, e);
}

/* The F or E areas of an image. */
static int
add_image(const struct pv_sfi_pack *p, struct pv_plan_areas *plan,
    const struct pv_image *image, const struct pv_sfi_external *external,
    struct pv_error *e)
{
	size_t n = pv_image_count(image), i = 0;
	size_t prefix = external != NULL ? PV_E_PREFIX : 0;
	uint64_t unit = external != NULL ? PV_E_UNIT : write_unit(p->chip);
	int r = 0;

	while (r == 0 && i < n) {
		struct pv_planned area = { .image = image,
			.external = external };
		struct pv_segment s, next;
		uint64_t start, end;

		pv_image_segment(image, i, &s);
		start = s.addr;
		end = s.addr + s.size;
		area.first = i++;
		for (; i < n; i++) {
			pv_image_segment(image, i, &next);
			if (!joined(p, unit, prefix, start, end, next.addr))
				break;
			end = next.addr + next.size;
		}
		area.last = i;
		r = add_run(p, plan, &area, start, end, e);
	}
	return r;
}

static int
add_module(const struct pv_sfi_pack *p, struct pv_plan_areas *plan,
    const struct pv_sfi_module *m, struct pv_error *e)
{
	struct pv_planned area = { .module = m };
	struct pv_smi smi;
	int r = pv_smi_read(m->path, &smi, e);

	if (r != 0)
		return r;
	if (smi.address != m->address)
		return pv_fail(e, PV_E_RANGE,
		    "'%s' was made for 0x%08x, not for 0x%08x", m->path,
		    (unsigned int)smi.address, (unsigned int)m->address);
	if (smi.size > UINT32_MAX - PV_SMI_HEADER)
		return pv_fail(e, PV_E_RANGE,
		    "'%s' does not fit an area of 32 bits", m->path);
	area.a.type = 'M';
	area.a.address = m->address;
	area.a.size = smi.size + PV_SMI_HEADER;
	area.len = area.a.size;
	return pv_plan_add(plan, p, &area, e);
}

/* K and C: small, and known as a whole. */
static int
add_words(const struct pv_sfi_pack *p, struct pv_plan_areas *plan, char type,
    size_t words, struct pv_error *e)
{
	struct pv_planned area = { .len = words * 4 };

	area.a.type = (uint8_t)type;
	area.a.size = (uint32_t)(words * 4);
	return pv_plan_add(plan, p, &area, e);
}

static int
add_areas(
    const struct pv_sfi_pack *p, struct pv_plan_areas *plan, struct pv_error *e)
{
	int r = add_image(p, plan, p->image, NULL, e);

	for (size_t i = 0; r == 0 && i < p->n_modules; i++)
		r = add_module(p, plan, &p->modules[i], e);
	if (r == 0 && p->n_key_pairs > 0)
		r = add_words(p, plan, 'K', p->n_key_pairs * 2, e);
	for (size_t i = 0; r == 0 && i < p->n_externals; i++)
		r = add_image(
		    p, plan, p->externals[i].image, &p->externals[i], e);
	if (r == 0 && p->options != NULL)
		r = add_words(p, plan, 'C', p->n_options, e);
	return r;
}

/* --- checks --------------------------------------------------------------------- */

static int
by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return 0;
}

static int
add_flash(struct places *l, const struct pv_chip *chip, char type,
    uint32_t address, uint64_t size, struct pv_error *e)
{
	uint32_t physical = 0;

	if (!pv_chip_in_flash(chip, address, size, &physical))
		return pv_fail(e, PV_E_RANGE,
		    "%s at 0x%08x with %llu bytes%s does not fit the flash "
		    "of %s",
		    place_name(type), (unsigned int)address,
		    (unsigned long long)size,
		    type == 'F' ? ", padding included," : "", chip->name);
	l->v[l->n++] = (struct place){ physical, size,
		type == 't' ? 1 : write_unit(chip), address, type };
	return 0;
}

/* AN5054 section 2.3: external flash is seen at 0x7xxxxxxx or 0x9xxxxxxx. */
static int
add_external(struct places *l, const struct pv_chip *chip,
    const struct pv_planned *area, struct pv_error *e)
{
	uint32_t top = area->a.address >> 28;
	uint64_t end = area->a.address + area->len;

	if (chip->external.size == 0)
		return pv_fail(e, PV_E_RANGE,
		    "area at 0x%08x: %s has no external flash",
		    (unsigned int)area->a.address, chip->name);
	if ((top != 0x7 && top != 0x9) || (end - 1) >> 28 != top)
		return pv_fail(e, PV_E_RANGE,
		    "area at 0x%08x with %llu bytes is not in external flash, "
		    "at 0x70000000 or 0x90000000",
		    (unsigned int)area->a.address,
		    (unsigned long long)area->len);
	l->v[l->n++] = (struct place){ area->a.address, area->len, PV_E_UNIT,
		area->a.address, 'E' };
	return 0;
}

static int
collect(const struct pv_sfi_pack *p, const struct pv_plan_areas *plan,
    struct places *l, struct pv_error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->n; i++) {
		const struct pv_planned *a = &plan->v[i];

		if (a->a.type == 'E')
			r = add_external(l, p->chip, a, e);
		else if (a->a.type == 'F')
			r = add_flash(l, p->chip, 'F', a->a.address, a->len, e);
		else if (a->a.type == 'M')
			r = add_flash(l, p->chip, 'M', a->a.address,
			    a->len - PV_SMI_HEADER, e);
	}
	for (size_t i = 0; r == 0 && i < p->n_key_pairs; i++)
		r = add_flash(l, p->chip, 'K', p->key_pairs[i].address,
		    p->key_pairs[i].size, e);
	if (r == 0 && p->has_token)
		r = add_flash(l, p->chip, 't', p->token_address, PV_V2_MARK, e);
	return r;
}

/* Two neighbours. A unit is programmed, or encrypted, once and by one area. */
static int
check_pair(
    const struct place *low, const struct place *high, struct pv_error *e)
{
	bool over = high->at - low->at < low->size;
	uint32_t unit = low->unit < high->unit ? low->unit : high->unit;
	uint64_t at = over ? high->at : high->at / unit * unit;

	if (!over && (low->size == 0 || low->at + low->size <= at))
		return 0;
	(void)pv_fail(e, PV_E_OVERLAP,
	    "%s at 0x%08x (%llu bytes) and %s at 0x%08x (%llu bytes) %s "
	    "0x%08llx",
	    place_name(low->type), (unsigned int)low->address,
	    (unsigned long long)low->size, place_name(high->type),
	    (unsigned int)high->address, (unsigned long long)high->size,
	    over		? "overlap in flash at"
	    : high->type == 'E' ? "share the block at"
				: "share the write unit at",
	    (unsigned long long)at);
	if (over)
		return PV_E_OVERLAP;
	return pv_hint(
	    e, "begin the second one at a multiple of %u bytes", unit);
}

/* Everything where it belongs, nothing over anything else. */
static int
check_places(const struct pv_sfi_pack *p, const struct pv_plan_areas *plan,
    struct pv_error *e)
{
	struct places l = {
		calloc(plan->n + p->n_key_pairs + 1, sizeof(struct place)), 0
	};
	int r;

	if (l.v == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = collect(p, plan, &l, e);
	if (r == 0)
		qsort(l.v, l.n, sizeof(*l.v), by_place);
	for (size_t i = 1; r == 0 && i < l.n; i++)
		r = check_pair(&l.v[i - 1], &l.v[i], e);
	free(l.v);
	return r;
}

static int
check_options(const struct pv_sfi_pack *p, struct pv_error *e)
{
	size_t words = p->n_options;

	if (p->options == NULL)
		return 0;
	if (words == 0 || words > PV_SFI_MAX_OPTIONS / 4)
		return pv_fail(e, PV_E_RANGE,
		    "%zu option words, at least 1 and at most %u", words,
		    PV_SFI_MAX_OPTIONS / 4);
	if (p->chip->option_words != 0 && words != p->chip->option_words)
		return pv_fail(e, PV_E_MALFORMED, "%zu option words, %s has %u",
		    words, p->chip->name, (unsigned int)p->chip->option_words);
	return 0;
}

/* Physical address in flash, or a value that is none. */
static uint64_t
physical(const struct pv_chip *chip, uint64_t addr)
{
	uint32_t at = 0;

	return pv_chip_in_flash(chip, addr, 1, &at) ? at : UINT64_MAX;
}

static bool
covers(uint64_t base, uint64_t size, uint64_t at, uint64_t len)
{
	return at >= base && at - base <= size && size - (at - base) >= len;
}

/* Somebody must put the key of a region where the device looks for it. */
static int
check_key(const struct pv_sfi_pack *p, const struct pv_sfi_external *x,
    struct pv_error *e)
{
	uint64_t key = physical(p->chip, x->key_address);

	if (x->region > 7)
		return pv_fail(e, PV_E_RANGE, "region %u: regions are 0 to 7",
		    (unsigned int)x->region);
	if (x->mode > 3)
		return pv_fail(e, PV_E_RANGE,
		    "region mode %u: modes are 0 to 3", (unsigned int)x->mode);
	if (!pv_chip_in_flash(p->chip, x->key_address, PV_SFI_KEY_BYTES, NULL))
		return pv_fail(e, PV_E_RANGE,
		    "the key of region %u at 0x%08x is not in the flash of %s",
		    (unsigned int)x->region, (unsigned int)x->key_address,
		    p->chip->name);
	for (size_t i = 0; i < p->n_key_pairs; i++) {
		if (covers(physical(p->chip, p->key_pairs[i].address),
			p->key_pairs[i].size, key, PV_SFI_KEY_BYTES))
			return 0;
	}
	for (size_t i = 0; i < pv_image_count(p->image); i++) {
		struct pv_segment s;

		pv_image_segment(p->image, i, &s);
		if (covers(physical(p->chip, s.addr), s.size, key,
			PV_SFI_KEY_BYTES))
			return 0;
	}
	(void)pv_fail(e, PV_E_MALFORMED,
	    "the key of region %u at 0x%08x is neither in a key area nor in "
	    "the firmware",
	    (unsigned int)x->region, (unsigned int)x->key_address);
	return pv_hint(e, "add a row 0x10,0x%08x with --key-area",
	    (unsigned int)x->key_address);
}

static int
check_inputs(const struct pv_sfi_pack *p, struct pv_error *e)
{
	int r = check_options(p, e);

	if (r == 0 && pv_image_count(p->image) == 0)
		r = pv_fail(e, PV_E_MALFORMED, "no firmware to pack");
	if (r == 0)
		r = pv_image_check(p->image, p->chip, false, e);
	for (size_t i = 0; r == 0 && i < p->n_externals; i++)
		r = check_key(p, &p->externals[i], e);
	if (r == 0 && p->n_externals > 0 && !p->has_token) {
		(void)pv_fail(
		    e, PV_E_USAGE, "external flash needs --token-address");
		return pv_hint(e, "the device restarts between its parts, and "
				  "notes there how far it is");
	}
	return r;
}

int
pv_plan_make(
    const struct pv_sfi_pack *p, struct pv_plan_areas *plan, struct pv_error *e)
{
	struct pv_plan_areas whole = { .file_size = PV_SFI_HEADER };
	int r;

	memset(plan, 0, sizeof(*plan));
	plan->header.version = (uint16_t)p->profile;
	plan->file_size = PV_SFI_HEADER;
	r = check_inputs(p, e);
	if (r == 0)
		r = add_areas(p, &whole, e);
	if (r == 0)
		r = check_places(p, &whole, e);
	if (r == 0)
		r = pv_plan_split(p, &whole, plan, e);
	pv_plan_release(&whole);
	plan->header.n_areas = (uint16_t)plan->n;
	for (size_t i = 0; i < plan->n; i++) {
		plan->v[i].a.index = (uint16_t)(i + 1);
		plan->v[i].a.total = plan->header.n_areas;
	}
	return r;
}
