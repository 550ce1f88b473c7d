/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cutting a package into parts that fit the RAM of the device, by the rule of
 * sfi.md, "Parts".
 */
#include "package/plan.h"

#include <stdbool.h>

struct splitter {
	const struct pv_sfi_pack *p;
	struct pv_plan_areas *out;
	uint64_t used; /* bytes of the part under way */
	bool empty;    /* it has no area but R */
	uint64_t mark; /* bytes of a P or R, header included */
};

static int
add_mark(struct splitter *s, char type, struct pv_error *e)
{
	struct pv_planned area = { 0 };

	area.a.type = (uint8_t)type;
	area.a.address = s->p->token_address;
	area.a.size = s->p->profile == PV_SFI_V2 ? PV_V2_MARK : 0;
	area.len = area.a.size;
	return pv_plan_add(s->out, s->p, &area, e);
}

/* P ends this part, R begins the next. */
static int
next_part(struct splitter *s, struct pv_error *e)
{
	int r = add_mark(s, 'P', e);

	if (r == 0)
		r = add_mark(s, 'R', e);
	s->used = PV_SFI_HEADER + s->mark;
	s->empty = true;
	return r;
}

/* Payload bytes that still fit this part, with room for a P. */
static uint64_t
room(const struct splitter *s)
{
	uint64_t taken = s->used + s->mark + PV_SFI_AREA;

	return taken < s->p->ram_size ? s->p->ram_size - taken : 0;
}

static int
add_whole(struct splitter *s, const struct pv_planned *area, struct pv_error *e)
{
	int r = pv_plan_add(s->out, s->p, area, e);

	s->used += PV_SFI_AREA + area->a.size;
	s->empty = false;
	return r;
}

static int
too_small(
    const struct splitter *s, const struct pv_planned *area, struct pv_error *e)
{
	return pv_fail(e, PV_E_RANGE,
	    "area %c of %u bytes at 0x%08x does not fit parts of %u bytes",
	    area->a.type, (unsigned int)area->a.size,
	    (unsigned int)area->a.address, (unsigned int)s->p->ram_size);
}

/*
 * An area that no part holds as a whole, in pieces that end at a write unit
 * (F) or a block (E). Each begins a part of its own; the last one leaves its
 * part open.
 */
static int
add_pieces(
    struct splitter *s, const struct pv_planned *area, struct pv_error *e)
{
	size_t prefix = area->external != NULL ? PV_E_PREFIX : 0;
	uint64_t unit =
	    area->external != NULL ? PV_E_UNIT : s->p->chip->write_unit;
	uint64_t left = area->len, at = area->a.address;
	int r = 0;

	/* An agent programs 8 bytes at a time where the part takes fewer. */
	if (unit < PV_F_UNIT)
		unit = PV_F_UNIT;
	/* v2 pads every piece: a multiple of both keeps padding out. */
	if (s->p->profile == PV_SFI_V2 && unit % PV_V2_PAD_TO != 0)
		unit = PV_V2_PAD_TO;
	while (r == 0 && left > 0) {
		struct pv_planned piece = *area;
		uint64_t most = room(s), end;

		if (most <= prefix + unit)
			return too_small(s, area, e);
		most -= prefix;
		end =
		    at + (left < most ? left : (at + most) / unit * unit - at);
		if (end <= at)
			return too_small(s, area, e);
		piece.a.address = (uint32_t)at;
		piece.len =
		    pv_plan_padded(s->p->profile, prefix + (end - at)) - prefix;
		if (piece.len > most)
			return too_small(s, area, e);
		piece.a.size = (uint32_t)(prefix + piece.len);
		left -= end - at;
		at = end;
		r = add_whole(s, &piece, e);
		if (r == 0 && left > 0)
			r = next_part(s, e);
	}
	return r;
}

static int
add_area(struct splitter *s, const struct pv_planned *area, struct pv_error *e)
{
	int r = 0;

	if (area->a.size <= room(s))
		return add_whole(s, area, e);
	if (!s->empty)
		r = next_part(s, e);
	if (r == 0 && area->a.size <= room(s))
		return add_whole(s, area, e);
	if (r == 0 && area->image == NULL)
		return too_small(s, area, e);
	return r == 0 ? add_pieces(s, area, e) : r;
}

int
pv_plan_split(const struct pv_sfi_pack *p, const struct pv_plan_areas *in,
    struct pv_plan_areas *out, struct pv_error *e)
{
	struct splitter s = { .p = p,
		.out = out,
		.used = PV_SFI_HEADER,
		.empty = true,
		.mark =
		    PV_SFI_AREA + (p->profile == PV_SFI_V2 ? PV_V2_MARK : 0) };
	bool too_large = p->ram_size != 0 && in->file_size > p->ram_size;
	bool external = false;
	int r = 0;

	if (too_large && !p->has_token) {
		(void)pv_fail(e, PV_E_USAGE,
		    "%llu bytes do not fit %u bytes of RAM in one part",
		    (unsigned long long)in->file_size,
		    (unsigned int)p->ram_size);
		return pv_hint(e, "to split it, say with --token-address where "
				  "the device notes how far it is");
	}
	for (size_t i = 0; r == 0 && i < in->n; i++) {
		const struct pv_planned *a = &in->v[i];

		/* External flash is for a part after the internal ones. */
		if (a->external != NULL && !external) {
			external = true;
			if (!s.empty)
				r = next_part(&s, e);
		}
		if (r == 0)
			r = p->ram_size != 0 && (too_large || external)
				? add_area(&s, a, e)
				: add_whole(&s, a, e);
	}
	return r;
}
