/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent must know after a loss of power; secure-install.md, "Note". */
#include "device/agent_flash.h"

#include "base/buf.h"
#include "device/license.h"

#include <string.h>

static const uint8_t magic[5] = { 'P', 'V', 'I', 'N', 2 };

#define AT_STATE   5U
#define AT_OPTIONS 6U /* u16 length */
#define AT_CRC	   8U
#define AT_BYTES   12U /* of the option bytes */
#define AT_PACKAGE (AT_BYTES + PV_AGENT_OPTIONS)
#define AT_CHAIN   (AT_PACKAGE + 32U)
#define AT_AREAS   (AT_CHAIN + 32U)
#define AT_TOTAL   (AT_AREAS + 2U)
#define AT_COUNT   (AT_TOTAL + 2U)
#define AT_TOKEN   (AT_COUNT + 4U)
#define AT_PLACES  (AT_TOKEN + 4U)
#define PLACE_LEN  (20U + PV_AGENT_HOLD)

_Static_assert(AT_PLACES + PV_AGENT_PLACES * PLACE_LEN == PV_AGENT_NOTE_LEN,
    "length of the note");

uint32_t
pv_agent_crc(uint32_t crc, const uint8_t *data, size_t len)
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

/* Over all of the note but the CRC itself. */
static uint32_t
note_crc(const uint8_t note[PV_AGENT_NOTE_LEN])
{
	uint32_t crc = pv_agent_crc(0xffffffffU, note, AT_CRC);

	return pv_agent_crc(
	    crc, note + AT_CRC + 4, PV_AGENT_NOTE_LEN - AT_CRC - 4);
}

enum pv_agent_note
pv_agent_note_state(const uint8_t note[PV_AGENT_NOTE_LEN])
{
	bool blank = note[0] == 0 || note[0] == 0xff;
	uint16_t len = pv_get_u16le(note + AT_OPTIONS);

	for (size_t i = 1; i < PV_AGENT_NOTE_LEN && blank; i++)
		blank = note[i] == note[0];
	if (blank)
		return PV_AGENT_NOTE_NONE;
	if (memcmp(note, magic, sizeof magic) != 0 ||
	    note[AT_STATE] >= PV_AGENT_NOTE_INVALID ||
	    pv_get_u32le(note + AT_CRC) != note_crc(note) ||
	    pv_get_u16le(note + AT_COUNT) > PV_AGENT_PLACES)
		return PV_AGENT_NOTE_INVALID;
	if (note[AT_STATE] == PV_AGENT_NOTE_APPLYING &&
	    (len == 0 || len > PV_AGENT_OPTIONS))
		return PV_AGENT_NOTE_INVALID;
	return (enum pv_agent_note)note[AT_STATE];
}

static void
put_places(const struct pv_agent *a, uint8_t *note)
{
	uint8_t *p = note + AT_PLACES;

	pv_put_u16le(note + AT_COUNT, (uint16_t)a->n_places);
	for (size_t i = 0; i < a->n_places; i++, p += PLACE_LEN) {
		const struct pv_agent_place *f = &a->places[i];

		p[0] = f->type;
		pv_put_u32le(p + 4, f->base);
		pv_put_u32le(p + 8, f->addr);
		pv_put_u32le(p + 12, f->size);
		pv_put_u32le(p + 16, f->crc);
		memcpy(p + 20, f->held, sizeof f->held);
	}
}

static void
get_places(struct pv_agent *a)
{
	const uint8_t *p = a->note + AT_PLACES;

	a->n_places = pv_get_u16le(a->note + AT_COUNT);
	for (size_t i = 0; i < a->n_places; i++, p += PLACE_LEN) {
		struct pv_agent_place *f = &a->places[i];

		f->type = p[0];
		f->base = pv_get_u32le(p + 4);
		f->addr = pv_get_u32le(p + 8);
		f->size = pv_get_u32le(p + 12);
		f->crc = pv_get_u32le(p + 16);
		memcpy(f->held, p + 20, sizeof f->held);
	}
}

static bool
reachable(const struct pv_agent *a)
{
	for (size_t i = 0; i < a->n_places; i++)
		if (a->places[i].type == 'E' && a->config->external == NULL)
			return false;
	return true;
}

static uint16_t
note_store(struct pv_agent *a, uint8_t state)
{
	uint8_t *note = a->note;
	uint16_t r = PV_SI_OK;

	memset(note, 0, sizeof a->note);
	memcpy(note, magic, sizeof magic);
	note[AT_STATE] = state;
	if (state == PV_AGENT_NOTE_APPLYING) {
		pv_put_u16le(note + AT_OPTIONS, (uint16_t)a->options_len);
		memcpy(note + AT_BYTES, a->options, a->options_len);
	}
	/* Where to erase; the rest of it matters to a pause only. */
	if (state == PV_AGENT_NOTE_UNDER_WAY || state == PV_AGENT_NOTE_PAUSED) {
		memcpy(note + AT_PACKAGE, a->package, sizeof a->package);
		memcpy(note + AT_CHAIN, a->chain, sizeof a->chain);
		pv_put_u16le(note + AT_AREAS, a->areas);
		pv_put_u16le(note + AT_TOTAL, a->areas_total);
		pv_put_u32le(note + AT_TOKEN, a->token);
		put_places(a, note);
	}
	pv_put_u32le(note + AT_CRC, note_crc(note));
	/* A failed write may have left either note: count on the worse. */
	a->durable = false;
	if (a->store->note_write(a->store->ctx, note) != 0)
		r = PV_SI_E_INTERNAL;
	pv_dev_wipe(a->note, sizeof a->note);
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
pv_agent_mark_paused(struct pv_agent *a)
{
	return note_store(a, PV_AGENT_NOTE_PAUSED);
}

uint16_t
pv_agent_unmark(struct pv_agent *a, uint8_t note_state)
{
	uint16_t r = note_store(a, note_state);

	if (r == PV_SI_OK) {
		a->mark = false;
		a->committed = false;
		a->n_places = 0;
		memset(a->erased, 0, sizeof a->erased);
	}
	return r;
}

enum pv_agent_note
pv_agent_note_load(struct pv_agent *a)
{
	enum pv_agent_note n = PV_AGENT_NOTE_INVALID;

	if (a->store->note_read(a->store->ctx, a->note) == 0)
		n = pv_agent_note_state(a->note);
	if (n == PV_AGENT_NOTE_APPLYING) {
		a->options_len = pv_get_u16le(a->note + AT_OPTIONS);
		memcpy(a->options, a->note + AT_BYTES, a->options_len);
	}
	if (n == PV_AGENT_NOTE_UNDER_WAY || n == PV_AGENT_NOTE_PAUSED) {
		memcpy(a->package, a->note + AT_PACKAGE, sizeof a->package);
		memcpy(a->chain, a->note + AT_CHAIN, sizeof a->chain);
		a->areas = pv_get_u16le(a->note + AT_AREAS);
		a->areas_total = pv_get_u16le(a->note + AT_TOTAL);
		a->token = pv_get_u32le(a->note + AT_TOKEN);
		get_places(a);
		/* Of a flash that is not there any more nothing is known. */
		if (!reachable(a)) {
			a->n_places = 0;
			n = PV_AGENT_NOTE_INVALID;
		}
	}
	/*
	 * A damaged note hides what an install may have left, and a part that
	 * starts half a package is worse than an empty one.
	 */
	a->mark = n != PV_AGENT_NOTE_NONE && n != PV_AGENT_NOTE_DONE &&
		  n != PV_AGENT_NOTE_FAILED;
	a->durable = n == PV_AGENT_NOTE_UNDER_WAY;
	a->committed = n == PV_AGENT_NOTE_APPLYING;
	a->paused = n == PV_AGENT_NOTE_PAUSED;
	pv_dev_wipe(a->note, sizeof a->note);
	return n;
}
