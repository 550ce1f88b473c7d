/* SPDX-License-Identifier: Apache-2.0 */
#include "device/agent.h"

#include "base/buf.h"
#include "device/agent_flash.h"
#include "device/license.h"
#include "device/sfi_parse.h"

#include <string.h>

/* Keys and plaintext. What must be erased stays known. */
static void
forget(struct pv_agent *a)
{
	a->crypto->gcm_end(a->crypto->ctx);
	pv_dev_wipe(a->key, sizeof a->key);
	pv_dev_wipe(a->nonce, sizeof a->nonce);
	pv_dev_wipe(a->plain, sizeof a->plain);
	pv_dev_wipe(a->block, sizeof a->block);
	pv_dev_wipe(a->collect, sizeof a->collect);
	pv_dev_wipe(a->region_key, sizeof a->region_key);
	pv_dev_wipe(a->options, sizeof a->options);
	for (size_t i = 0; i < PV_AGENT_PLACES; i++)
		pv_dev_wipe(a->places[i].held, sizeof a->places[i].held);
	a->options_len = 0;
	a->last_len = 0;
	a->last_off = 0;
}

/*
 * The install fails, or is given up. Before the first area flash is as it
 * was; after it, all of flash is erased before the answer. Between two parts
 * nothing has been changed since the note: it waits on. Nothing is erased
 * while a start that finds the note would not go on erasing, nor once option
 * bytes may be in force: a chip they closed could not be filled again.
 */
static void
give_up(struct pv_agent *a)
{
	forget(a);
	if (a->paused && pv_agent_note_load(a) == PV_AGENT_NOTE_PAUSED) {
		a->state = PV_SI_STATE_PAUSED;
		return;
	}
	if (!a->mark) {
		a->n_places = 0;
		if (a->state == PV_SI_STATE_LICENSED ||
		    a->state == PV_SI_STATE_READY)
			a->state = PV_SI_STATE_IDLE;
		return;
	}
	a->state = PV_SI_STATE_BROKEN;
	if (a->committed || (!a->durable && pv_agent_mark(a) != PV_SI_OK))
		return;
	if (pv_agent_wipe(a) &&
	    pv_agent_unmark(a, PV_AGENT_NOTE_FAILED) == PV_SI_OK)
		a->state = PV_SI_STATE_FAILED;
}

/*
 * The last steps: all is programmed and compared, and where option bytes are
 * to be applied the note says so. Repeated from there after a loss of power.
 */
static uint16_t
complete(struct pv_agent *a)
{
	const struct pv_agent_store *s = a->store;
	uint16_t r;

	if (a->options_len > 0) {
		if (s->options_apply(s->ctx, a->options, a->options_len) != 0)
			return PV_SI_E_OPTIONS;
		a->committed = true;
	}
	r = pv_agent_unmark(a, PV_AGENT_NOTE_DONE);
	if (r != PV_SI_OK)
		return r;
	forget(a);
	a->state = PV_SI_STATE_DONE;
	return PV_SI_OK;
}

/* Option bytes were to be applied when the power went, or would not be. */
static void
resume(struct pv_agent *a)
{
	if (complete(a) != PV_SI_OK) {
		forget(a);
		a->state = PV_SI_STATE_BROKEN;
	}
}

/* --- license and header ------------------------------------------------------ */

static uint16_t
do_license(struct pv_agent *a, const struct pv_an_special *s)
{
	uint16_t r;

	if (a->state != PV_SI_STATE_IDLE && a->state != PV_SI_STATE_FAILED &&
	    a->state != PV_SI_STATE_DONE && a->state != PV_SI_STATE_PAUSED)
		return PV_SI_E_SEQUENCE;
	if (s->len != 64)
		return PV_SI_E_LENGTH;
	if (!a->paused) {
		forget(a);
		memset(a->erased, 0, sizeof a->erased);
		a->n_places = 0;
		a->areas = 0;
		a->areas_total = 0;
	}
	a->received = 0;
	r = pv_dev_license_open(a->config, a->crypto, s->data, s->more,
	    s->more_len, a->key, a->nonce);
	if (r == PV_SI_OK)
		a->state = PV_SI_STATE_LICENSED;
	return r;
}

static uint16_t
do_header(struct pv_agent *a, const struct pv_an_special *s)
{
	const struct pv_agent_crypto *c = a->crypto;
	uint8_t tag[16], iv[12], package[32];
	uint16_t total = 0;

	if (a->state != PV_SI_STATE_LICENSED)
		return PV_SI_E_SEQUENCE;
	if (s->len != PV_DEV_SFI_HEADER)
		return PV_SI_E_LENGTH;
	if (!pv_dev_sfi_header(s->data, s->len, &total, tag))
		return PV_SI_E_HEADER_FORMAT;
	pv_dev_sfi_iv(a->config->iv_add, a->nonce, 0, iv);
	if (c->gcm_begin(c->ctx, a->key, iv, s->data, PV_DEV_SFI_HEADER_AAD) !=
	    0)
		return PV_SI_E_INTERNAL;
	if (c->gcm_check(c->ctx, tag) != 0)
		return PV_SI_E_HEADER_TAG;
	if (total > PV_AGENT_AREAS)
		return PV_SI_E_AREA_COUNT;
	if (c->sha256(c->ctx, s->data, s->len, package) != 0)
		return PV_SI_E_INTERNAL;
	if (a->paused && memcmp(package, a->package, sizeof package) != 0)
		return PV_SI_E_PACKAGE;
	if (!a->paused) {
		memcpy(a->package, package, sizeof package);
		memcpy(a->chain, package, sizeof package);
		a->areas_total = total;
	}
	a->state = PV_SI_STATE_READY;
	return PV_SI_OK;
}

/* --- areas --------------------------------------------------------------------- */

/* A look at an area that will come; nothing is changed. */
static uint16_t
do_check(const struct pv_agent *a, const struct pv_an_special *s)
{
	struct pv_dev_sfi_area area;

	if (a->state != PV_SI_STATE_READY || a->mark)
		return PV_SI_E_SEQUENCE;
	if (!pv_dev_sfi_area(s->data, s->len, &area))
		return PV_SI_E_LENGTH;
	if (area.index == 0 || area.index > a->areas_total ||
	    area.total != a->areas_total)
		return PV_SI_E_AREA_ORDER;
	return pv_agent_area_check(a, &area);
}

/*
 * The first area: the chip's old content goes, all of it. An area's header is
 * authenticated with its last byte only, so where the area says it lies must
 * not decide what of an older image is left.
 */
static uint16_t
clear_flash(struct pv_agent *a)
{
	uint16_t r = pv_agent_wipe_check(a);

	if (r == PV_SI_OK)
		r = pv_agent_mark(a);
	if (r == PV_SI_OK && !pv_agent_wipe(a))
		r = PV_SI_E_FLASH_ERASE;
	return r;
}

/* What the next start must know before flash is touched. */
static uint16_t
prepare(struct pv_agent *a)
{
	if (!a->mark)
		return clear_flash(a);
	if (!a->paused && a->area_type != 'E')
		return PV_SI_OK;
	a->paused = false;
	return pv_agent_mark(a);
}

static uint16_t
do_area_begin(struct pv_agent *a, const struct pv_an_special *s)
{
	const struct pv_agent_crypto *c = a->crypto;
	struct pv_dev_sfi_area area;
	uint8_t iv[12];
	uint16_t r;

	if (a->state != PV_SI_STATE_READY)
		return PV_SI_E_SEQUENCE;
	if (!pv_dev_sfi_area(s->data, s->len, &area))
		return PV_SI_E_LENGTH;
	if (a->areas == a->areas_total || area.index != a->areas + 1 ||
	    area.total != a->areas_total)
		return PV_SI_E_AREA_ORDER;
	memcpy(a->area_header, s->data, sizeof a->area_header);
	r = pv_agent_area_check(a, &area);
	if (r == PV_SI_OK)
		r = pv_agent_area_begin(a, &area);
	if (r == PV_SI_OK)
		r = prepare(a);
	if (r != PV_SI_OK)
		return r;
	a->state = PV_SI_STATE_AREA;
	pv_dev_sfi_iv(a->config->iv_add, a->nonce, area.index, iv);
	if (c->gcm_begin(c->ctx, a->key, iv, s->data, PV_DEV_SFI_AREA_AAD) != 0)
		return PV_SI_E_INTERNAL;
	return PV_SI_OK;
}

static uint16_t
do_area_data(struct pv_agent *a, const struct pv_an_special *s)
{
	struct pv_reader r;
	uint16_t index, code = PV_SI_OK;
	uint32_t off, len = (uint32_t)s->more_len;

	if (a->state != PV_SI_STATE_AREA)
		return PV_SI_E_SEQUENCE;
	pv_rd_init(&r, s->data, s->len);
	index = pv_rd_u16le(&r);
	off = pv_rd_u32le(&r);
	if (!pv_rd_finish(&r) || len == 0 || len > sizeof a->plain)
		return PV_SI_E_LENGTH;
	if (index != a->areas + 1)
		return PV_SI_E_AREA_ORDER;
	/* Our answer got lost and the host repeats itself. */
	if (a->last_len != 0 && off == a->last_off && len == a->last_len)
		return PV_SI_OK;
	if (off != a->received)
		return PV_SI_E_AREA_ORDER;
	if (len > a->area_size - a->received)
		return PV_SI_E_AREA_SIZE;
	if (a->crypto->gcm_update(a->crypto->ctx, s->more, a->plain, len) != 0)
		return PV_SI_E_INTERNAL;
	code = pv_agent_area_put(a, a->plain, len);
	pv_dev_wipe(a->plain, len);
	if (code != PV_SI_OK)
		return code;
	a->last_off = off;
	a->last_len = len;
	a->received += len;
	return PV_SI_OK;
}

/* The chain names what was installed, tags included. */
static uint16_t
extend_chain(struct pv_agent *a)
{
	uint8_t both[sizeof a->chain + sizeof a->area_header];

	memcpy(both, a->chain, sizeof a->chain);
	memcpy(both + sizeof a->chain, a->area_header, sizeof a->area_header);
	if (a->crypto->sha256(a->crypto->ctx, both, sizeof both, a->chain) != 0)
		return PV_SI_E_INTERNAL;
	return PV_SI_OK;
}

/* The end of a part: from this note on the next start waits for the rest. */
static uint16_t
pause_here(struct pv_agent *a)
{
	uint16_t r = pv_agent_mark_paused(a);

	if (r != PV_SI_OK)
		return r;
	forget(a);
	if (pv_agent_note_load(a) != PV_AGENT_NOTE_PAUSED)
		return PV_SI_E_INTERNAL;
	a->state = PV_SI_STATE_PAUSED;
	return PV_SI_OK;
}

static uint16_t
do_area_end(struct pv_agent *a, const struct pv_an_special *s)
{
	const struct pv_agent_crypto *c = a->crypto;
	uint16_t index, r;

	if (s->len != 2)
		return PV_SI_E_LENGTH;
	index = pv_get_u16le(s->data);
	/* Our answer got lost and the host repeats itself. */
	if (a->state == PV_SI_STATE_READY && a->areas > 0 && index == a->areas)
		return PV_SI_OK;
	if (a->state != PV_SI_STATE_AREA)
		return PV_SI_E_SEQUENCE;
	if (index != a->areas + 1)
		return PV_SI_E_AREA_ORDER;
	if (a->received != a->area_size)
		return PV_SI_E_AREA_SIZE;
	if (c->gcm_check(c->ctx, a->area_header + PV_DEV_SFI_AREA_AAD) != 0)
		return PV_SI_E_AREA_TAG;
	r = pv_agent_area_end(a);
	if (r == PV_SI_OK)
		r = extend_chain(a);
	if (r != PV_SI_OK)
		return r;
	a->areas++;
	if (a->area_type == 'P')
		return pause_here(a);
	a->state = PV_SI_STATE_READY;
	return PV_SI_OK;
}

static uint16_t
do_finish(struct pv_agent *a)
{
	uint16_t r;

	if (a->state != PV_SI_STATE_READY)
		return PV_SI_E_SEQUENCE;
	if (a->areas != a->areas_total)
		return PV_SI_E_INCOMPLETE;
	r = pv_agent_places_verify(a);
	if (r == PV_SI_OK)
		r = pv_agent_places_release(a);
	/* From this note on the install is finished, whatever happens. */
	if (r == PV_SI_OK && a->options_len > 0)
		r = pv_agent_mark_applying(a);
	return r == PV_SI_OK ? complete(a) : r;
}

static uint16_t
do_abort(struct pv_agent *a)
{
	if (!a->committed) {
		a->paused = false; /* no longer waited for */
		give_up(a);
		return a->state == PV_SI_STATE_BROKEN ? PV_SI_E_FLASH_ERASE
						      : PV_SI_OK;
	}
	/* Broken, with only the last steps to be done: those again. */
	switch (pv_agent_note_load(a)) {
	case PV_AGENT_NOTE_APPLYING:
		resume(a);
		break;
	case PV_AGENT_NOTE_DONE:
		a->state = PV_SI_STATE_DONE;
		break;
	default: /* it cannot be read: the next start sees */
		a->mark = true;
		break;
	}
	a->committed = a->state == PV_SI_STATE_BROKEN;
	return a->committed ? PV_SI_E_OPTIONS : PV_SI_OK;
}

/* --- answers --------------------------------------------------------------------- */

static void
put_status(const struct pv_agent *a, uint16_t result, uint16_t index,
    uint8_t status[PV_SI_STATUS_LEN])
{
	status[0] = a->state;
	status[1] = 0;
	pv_put_u16le(status + 2, result);
	pv_put_u16le(status + 4, index);
	pv_put_u16le(status + 6, 0);
}

static uint32_t
takes(const struct pv_agent *a)
{
	uint32_t what = 0;

	if (a->crypto->random != NULL)
		what |= PV_SI_TAKES_KEYS;
	if (a->store->module_keep != NULL && a->store->modules_forget != NULL)
		what |= PV_SI_TAKES_MODULES;
	return what;
}

static void
put_info(const struct pv_agent *a, struct pv_an_special *s)
{
	const struct pv_agent_config *c = a->config;
	struct pv_writer w;

	pv_wr_init(&w, s->out, sizeof s->out);
	pv_wr_u16le(&w, PV_SI_VERSION);
	pv_wr_u16le(&w, c->device_id);
	pv_wr_bytes(&w, c->certificate, 8);
	pv_wr_u8(&w, a->state);
	pv_wr_u8(&w, c->campaign_hash != NULL ? 1 : 0);
	pv_wr_u16le(&w, PV_SI_DATA_MAX);
	pv_wr_u32le(&w, c->flash_base);
	pv_wr_u32le(&w, c->flash_size);
	pv_wr_u32le(&w, a->memory->write_unit);
	pv_wr_u32le(&w, c->option_bytes);
	pv_wr_u32le(&w, c->external != NULL ? c->external->base : 0);
	pv_wr_u32le(&w, c->external != NULL ? c->external->size : 0);
	pv_wr_u32le(&w, takes(a));
	pv_wr_u16le(&w, PV_AGENT_PLACES);
	pv_wr_u16le(&w, PV_AGENT_AREAS);
	s->out_len = w.len;
}

static uint16_t
put_certificate(const struct pv_agent *a, struct pv_an_special *s)
{
	uint16_t off, len;

	if (s->len != 4)
		return PV_SI_E_LENGTH;
	off = pv_get_u16le(s->data);
	len = pv_get_u16le(s->data + 2);
	if (len == 0 || len > PV_SI_CERT_CHUNK || off > PV_AGENT_CERT ||
	    len > PV_AGENT_CERT - off)
		return PV_SI_E_LENGTH;
	memcpy(s->out, a->config->certificate + off, len);
	s->out_len = len;
	return PV_SI_OK;
}

static void
put_report(const struct pv_agent *a, struct pv_an_special *s)
{
	struct pv_writer w;

	pv_wr_init(&w, s->out, sizeof s->out);
	pv_wr_bytes(&w, a->last_status, sizeof a->last_status);
	pv_wr_u16le(&w, a->areas);
	pv_wr_u16le(&w, a->areas_total);
	pv_wr_u32le(&w, a->state == PV_SI_STATE_AREA ? a->received : 0);
	s->out_len = w.len;
}

static void
put_pause(const struct pv_agent *a, struct pv_an_special *s)
{
	static const uint8_t none[sizeof a->chain];
	struct pv_writer w;

	pv_wr_init(&w, s->out, sizeof s->out);
	pv_wr_u16le(&w, a->paused ? a->areas : 0);
	pv_wr_u16le(&w, a->paused ? a->areas_total : 0);
	pv_wr_bytes(&w, a->paused ? a->chain : none, sizeof a->chain);
	s->out_len = w.len;
}

/* --- entry points ------------------------------------------------------------------ */

bool
pv_agent_known(void *ctx, uint8_t opcode, uint16_t sub, enum pv_an_lock lock)
{
	bool reads = sub == PV_SI_INFO || sub == PV_SI_CERTIFICATE ||
		     sub == PV_SI_STATUS;

	(void)ctx;
	if (opcode == PV_AN_EXT_SPECIAL)
		return sub == PV_SI_LICENSE || sub == PV_SI_AREA_DATA;
	/* Under read protection nothing is installed, but it may be asked. */
	if (reads || lock == PV_AN_READ_PROTECTED)
		return reads;
	return sub == PV_SI_HEADER || sub == PV_SI_CHECK ||
	       sub == PV_SI_AREA_BEGIN || sub == PV_SI_AREA_END ||
	       sub == PV_SI_FINISH || sub == PV_SI_ABORT || sub == PV_SI_PAUSE;
}

/* Subcommands that change something: one status, and the rules of failure. */
static uint16_t
act(struct pv_agent *a, const struct pv_an_special *s)
{
	switch (s->sub) {
	case PV_SI_LICENSE:
		return do_license(a, s);
	case PV_SI_HEADER:
		return do_header(a, s);
	case PV_SI_CHECK:
		return do_check(a, s);
	case PV_SI_AREA_BEGIN:
		return do_area_begin(a, s);
	case PV_SI_AREA_DATA:
		return do_area_data(a, s);
	case PV_SI_AREA_END:
		return do_area_end(a, s);
	case PV_SI_FINISH:
		return do_finish(a);
	default:
		return PV_SI_E_SEQUENCE;
	}
}

static void
run_action(struct pv_agent *a, struct pv_an_special *s)
{
	bool inside = a->state == PV_SI_STATE_AREA;
	uint16_t result = PV_SI_OK, next = (uint16_t)(a->areas + 1U);
	uint16_t index = inside ? next : 0;

	if (s->sub == PV_SI_ABORT) {
		result = do_abort(a);
	} else {
		result = act(a, s);
		if (s->sub == PV_SI_AREA_BEGIN)
			index = next;
		if (result != PV_SI_OK)
			give_up(a);
	}
	put_status(a, result, index, a->last_status);
	memcpy(s->status, a->last_status, sizeof a->last_status);
	s->status_len = PV_SI_STATUS_LEN;
	/* At the end of a part, and of the package. */
	s->restart =
	    result == PV_SI_OK &&
	    (s->sub == PV_SI_FINISH ||
		(s->sub == PV_SI_AREA_END && a->state == PV_SI_STATE_PAUSED));
}

void
pv_agent_run(void *ctx, struct pv_an_special *s)
{
	struct pv_agent *a = ctx;
	uint16_t result = PV_SI_OK;

	switch (s->sub) {
	case PV_SI_INFO:
		put_info(a, s);
		break;
	case PV_SI_CERTIFICATE:
		result = put_certificate(a, s);
		break;
	case PV_SI_STATUS:
		put_report(a, s);
		break;
	case PV_SI_PAUSE:
		put_pause(a, s);
		break;
	default:
		run_action(a, s);
		return;
	}
	put_status(a, result, 0, s->status);
	s->status_len = PV_SI_STATUS_LEN;
}

bool
pv_agent_installing(const struct pv_agent *a)
{
	return a->mark;
}

void
pv_agent_init(struct pv_agent *a, const struct pv_agent_config *config,
    const struct pv_dev_memory *memory, const struct pv_agent_crypto *crypto,
    const struct pv_agent_store *store)
{
	memset(a, 0, sizeof *a);
	a->config = config;
	a->memory = memory;
	a->crypto = crypto;
	a->store = store;
	/* Initial stack pointer and reset vector are 8 bytes: at least those. */
	a->unit = memory->write_unit < 8 ? 8 : memory->write_unit;
	switch (pv_agent_note_load(a)) {
	case PV_AGENT_NOTE_NONE:
		a->state = PV_SI_STATE_IDLE;
		break;
	case PV_AGENT_NOTE_DONE:
		a->state = PV_SI_STATE_DONE;
		break;
	case PV_AGENT_NOTE_FAILED:
		a->state = PV_SI_STATE_FAILED;
		break;
	case PV_AGENT_NOTE_UNDER_WAY:
	case PV_AGENT_NOTE_INVALID:
		give_up(a);
		break;
	case PV_AGENT_NOTE_APPLYING:
		resume(a);
		break;
	case PV_AGENT_NOTE_PAUSED:
		a->state = PV_SI_STATE_PAUSED;
		/* Erased meanwhile, or damaged: the rest is of no use. */
		a->paused = pv_agent_places_verify(a) == PV_SI_OK;
		if (!a->paused)
			give_up(a);
		break;
	}
	put_status(a, PV_SI_OK, 0, a->last_status);
}
