/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/ledger.h"

#include "base/buf.h"
#include "formats/text.h"

#include <string.h>

#define PRODUCT_ID 8U

const char *
pv_entry_kind_name(enum pv_entry_kind kind)
{
	switch (kind) {
	case PV_ENTRY_CREATE:
		return "create";
	case PV_ENTRY_RESERVE:
		return "reserve";
	case PV_ENTRY_ISSUED:
		return "issued";
	case PV_ENTRY_FAILED:
		return "failed";
	case PV_ENTRY_RESULT:
		return "result";
	case PV_ENTRY_CLOSE:
		return "close";
	case PV_ENTRY_REVISE:
		return "revise";
	case PV_ENTRY_OPEN:
		return "open";
	case PV_ENTRY_DENY:
		return "deny";
	case PV_ENTRY_REPAIR:
		return "repair";
	}
	return "?";
}

const char *
pv_entry_state_name(enum pv_entry_state state)
{
	switch (state) {
	case PV_STATE_DRAFT:
		return "draft";
	case PV_STATE_OPERATIONAL:
		return "operational";
	case PV_STATE_CLOSED:
		return "closed";
	}
	return "?";
}

const char *
pv_entry_clock_name(enum pv_entry_clock clock)
{
	switch (clock) {
	case PV_ENTRY_CLOCK_SYSTEM:
		return "system";
	case PV_ENTRY_CLOCK_SYNCED:
		return "synchronized";
	case PV_ENTRY_CLOCK_UNSYNCED:
		return "unsynchronized";
	}
	return "?";
}

/* Does the body define a campaign? */
static bool
defines(enum pv_entry_kind kind)
{
	return kind == PV_ENTRY_CREATE || kind == PV_ENTRY_REVISE;
}

/* Is it a statement about the campaign without further words? */
static bool
bare(enum pv_entry_kind kind)
{
	return kind == PV_ENTRY_CLOSE || kind == PV_ENTRY_OPEN;
}

/* Does the body end with a text about what happened? */
static bool
worded(enum pv_entry_kind kind)
{
	return kind == PV_ENTRY_FAILED || kind == PV_ENTRY_RESULT ||
	       kind == PV_ENTRY_DENY;
}

/* --- validate --------------------------------------------------------------
 * What a whole entry must satisfy by itself, in both directions.
 */

static int
bad_text(struct pv_error *e, const char *what)
{
	return pv_fail(e, PV_E_MALFORMED,
	    "ledger entry: %s is empty, too long or holds control bytes", what);
}

/* GCM nonce of a package: formats/sfi.md; of an SSP payload: license-ssp.md. */
size_t
pv_campaign_nonce_len(enum pv_flow flow)
{
	return flow == PV_FLOW_SSP ? 16 : 12;
}

bool
pv_campaign_nonce_each(const struct pv_campaign *c)
{
	static const uint8_t none[sizeof(c->nonce)];

	return c->flow == PV_FLOW_SSP &&
	       memcmp(c->nonce, none, sizeof(none)) == 0;
}

static int
validate_create(const struct pv_campaign *c, struct pv_error *e)
{
	if (c->flow != PV_FLOW_SFI && c->flow != PV_FLOW_SSP)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "ledger entry: campaign of unknown flow %u",
		    (unsigned int)c->flow);
	if (c->n_trust == 0 && c->flow != PV_FLOW_SSP)
		return pv_fail(e, PV_E_MALFORMED,
		    "ledger entry: campaign of flow sfi with no trusted key");
	if (c->max_licenses == 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "ledger entry: campaign with a limit of 0 licenses");
	if (c->n_trust > PV_CAMPAIGN_TRUST)
		return pv_fail(e, PV_E_MALFORMED,
		    "ledger entry: %zu trusted keys, at most %u", c->n_trust,
		    PV_CAMPAIGN_TRUST);
	if (!pv_text_ok(c->name, sizeof(c->name), false))
		return bad_text(e, "campaign name");
	if (strnlen(c->product_id, sizeof(c->product_id)) != PRODUCT_ID ||
	    !pv_text_ok(c->product_id, sizeof(c->product_id), false))
		return bad_text(e, "product id");
	if (!pv_text_ok(c->firmware_id, sizeof(c->firmware_id), false))
		return bad_text(e, "firmware id");
	if (!pv_text_ok(c->license_profile, sizeof(c->license_profile), false))
		return bad_text(e, "license profile");
	if (!pv_text_ok(c->token_uri, sizeof(c->token_uri), false))
		return bad_text(e, "token URI");
	if (!pv_text_ok(c->oem_key_uri, sizeof(c->oem_key_uri), false))
		return bad_text(e, "key URI");
	if (!pv_text_ok(c->signer_uri, sizeof(c->signer_uri), false))
		return bad_text(e, "campaign key URI");
	return 0;
}

static int
validate(const struct pv_entry *en, struct pv_error *e)
{
	const struct pv_entry_body *b = &en->body;

	if (en->seq == 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "ledger entry: number 0, they start at 1");
	if (en->state != PV_STATE_DRAFT && en->state != PV_STATE_OPERATIONAL &&
	    en->state != PV_STATE_CLOSED)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "ledger entry: unknown campaign state %u",
		    (unsigned int)en->state);
	if (en->clock != PV_ENTRY_CLOCK_SYSTEM &&
	    en->clock != PV_ENTRY_CLOCK_SYNCED &&
	    en->clock != PV_ENTRY_CLOCK_UNSYNCED)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "ledger entry: unknown clock source %u",
		    (unsigned int)en->clock);
	if (!pv_text_ok(en->station, sizeof(en->station), true))
		return bad_text(e, "station");
	if (!pv_text_ok(en->operator_id, sizeof(en->operator_id), true))
		return bad_text(e, "operator");
	switch (en->kind) {
	case PV_ENTRY_CREATE:
	case PV_ENTRY_REVISE:
		return validate_create(&en->create, e);
	case PV_ENTRY_RESERVE:
	case PV_ENTRY_ISSUED:
	case PV_ENTRY_FAILED:
		if (b->number == 0)
			return pv_fail(e, PV_E_MALFORMED,
			    "ledger entry: license number 0");
		break;
	case PV_ENTRY_RESULT:
	case PV_ENTRY_CLOSE:
	case PV_ENTRY_OPEN:
	case PV_ENTRY_DENY:
	case PV_ENTRY_REPAIR:
		break;
	default:
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "ledger entry: unknown kind %u", (unsigned int)en->kind);
	}
	if (en->kind == PV_ENTRY_ISSUED &&
	    (b->license_len == 0 || b->license_len > PV_ENTRY_LICENSE))
		return pv_fail(e, PV_E_MALFORMED,
		    "ledger entry: license of %zu bytes, 1 to %u allowed",
		    b->license_len, PV_ENTRY_LICENSE);
	if (worded(en->kind) &&
	    !pv_text_ok(b->message, sizeof(b->message), true))
		return bad_text(e, "message");
	return 0;
}

/* --- decode ---------------------------------------------------------------- */

static bool
follows(const struct pv_campaign *c)
{
	static const uint8_t none[sizeof(c->after)];

	return memcmp(c->after, none, sizeof(none)) != 0;
}

static void
read_create(
    struct pv_reader *r, const struct pv_entry *en, struct pv_campaign *c)
{
	memcpy(c->id, en->campaign_id, sizeof(c->id));
	c->flow = (enum pv_flow)pv_rd_u8(r);
	c->n_trust = pv_rd_u8(r);
	pv_rd_bytes(r, c->product_id, PRODUCT_ID);
	c->max_licenses = pv_rd_u64le(r);
	pv_rd_bytes(r, c->nonce, pv_campaign_nonce_len(c->flow));
	pv_rd_bytes(r, c->public_key, sizeof(c->public_key));
	for (size_t i = 0; i < c->n_trust && i < PV_CAMPAIGN_TRUST; i++)
		pv_rd_bytes(r, c->trust[i], sizeof(c->trust[i]));
	pv_rd_text8(r, c->name, sizeof(c->name));
	pv_rd_text8(r, c->firmware_id, sizeof(c->firmware_id));
	pv_rd_text8(r, c->license_profile, sizeof(c->license_profile));
	pv_rd_text16(r, c->token_uri, sizeof(c->token_uri));
	pv_rd_text16(r, c->oem_key_uri, sizeof(c->oem_key_uri));
	pv_rd_text16(r, c->signer_uri, sizeof(c->signer_uri));
	/* A campaign that follows none ends here; zeros would be a second
	 * way to say so. */
	if (r->left == 0)
		return;
	pv_rd_bytes(r, c->after, sizeof(c->after));
	if (!follows(c))
		r->bad = true;
}

static void
read_body(struct pv_reader *r, struct pv_entry *en)
{
	struct pv_entry_body *b = &en->body;
	uint8_t flag;

	if (defines(en->kind)) {
		read_create(r, en, &en->create);
		return;
	}
	if (bare(en->kind))
		return;
	if (en->kind != PV_ENTRY_DENY)
		b->number = pv_rd_u64le(r);
	if (en->kind == PV_ENTRY_REPAIR)
		return;
	pv_rd_bytes(r, b->chip, sizeof(b->chip));
	if (en->kind == PV_ENTRY_ISSUED) {
		b->license_len = pv_rd_u16le(r);
		if (b->license_len > sizeof(b->license))
			return; /* validate() refuses it by name */
		pv_rd_bytes(r, b->license, b->license_len);
		b->has_package = r->left != 0;
		if (b->has_package)
			pv_rd_bytes(r, b->package, sizeof(b->package));
	}
	if (en->kind == PV_ENTRY_RESULT) {
		flag = pv_rd_u8(r);
		if (flag > 1)
			r->bad = true;
		b->pass = flag != 0;
	}
	if (en->kind == PV_ENTRY_FAILED || en->kind == PV_ENTRY_RESULT)
		b->code = (int32_t)pv_rd_u32le(r);
	if (worded(en->kind))
		pv_rd_text8(r, b->message, sizeof(b->message));
}

int
pv_entry_decode(const uint8_t *data, size_t len, struct pv_entry *ret_entry,
    struct pv_error *e)
{
	struct pv_entry en = { 0 };
	uint8_t magic[4];
	uint16_t version, body_len;
	struct pv_reader r;
	int ret;

	if (len > PV_ENTRY_MAX)
		return pv_fail(e, PV_E_MALFORMED,
		    "ledger entry: %zu bytes, at most %u", len, PV_ENTRY_MAX);
	pv_rd_init(&r, data, len);
	pv_rd_bytes(&r, magic, sizeof(magic));
	if (!pv_rd_ok(&r) || memcmp(magic, PV_ENTRY_MAGIC, 4) != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "ledger entry: does not start with '%s'", PV_ENTRY_MAGIC);
	version = pv_rd_u16le(&r);
	if (!pv_rd_ok(&r) || version != PV_ENTRY_VERSION)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "ledger entry: version %u, this program knows version %u",
		    (unsigned int)version, PV_ENTRY_VERSION);
	en.kind = (enum pv_entry_kind)pv_rd_u16le(&r);
	pv_rd_bytes(&r, en.campaign_id, sizeof(en.campaign_id));
	en.seq = pv_rd_u64le(&r);
	pv_rd_bytes(&r, en.previous, sizeof(en.previous));
	en.spent = pv_rd_u64le(&r);
	en.time_ms = (int64_t)pv_rd_u64le(&r);
	en.state = (enum pv_entry_state)pv_rd_u8(&r);
	en.clock = (enum pv_entry_clock)pv_rd_u8(&r);
	body_len = pv_rd_u16le(&r);
	pv_rd_text8(&r, en.station, sizeof(en.station));
	pv_rd_text8(&r, en.operator_id, sizeof(en.operator_id));
	if (!pv_rd_ok(&r) || body_len != r.left)
		return pv_fail(e, PV_E_MALFORMED,
		    "ledger entry: %zu bytes do not match its lengths", len);
	read_body(&r, &en);
	ret = validate(&en, e);
	if (ret != 0)
		return ret;
	if (!pv_rd_finish(&r))
		return pv_fail(e, PV_E_MALFORMED,
		    "ledger entry: the body of kind '%s' does not fit its "
		    "length %u",
		    pv_entry_kind_name(en.kind), (unsigned int)body_len);
	*ret_entry = en;
	return 0;
}

/* --- encode ---------------------------------------------------------------- */

static void
write_create(struct pv_writer *w, const struct pv_campaign *c)
{
	pv_wr_u8(w, (uint8_t)c->flow);
	pv_wr_u8(w, (uint8_t)c->n_trust);
	pv_wr_bytes(w, c->product_id, PRODUCT_ID);
	pv_wr_u64le(w, c->max_licenses);
	pv_wr_bytes(w, c->nonce, pv_campaign_nonce_len(c->flow));
	pv_wr_bytes(w, c->public_key, sizeof(c->public_key));
	for (size_t i = 0; i < c->n_trust; i++)
		pv_wr_bytes(w, c->trust[i], sizeof(c->trust[i]));
	pv_wr_text8(w, c->name);
	pv_wr_text8(w, c->firmware_id);
	pv_wr_text8(w, c->license_profile);
	pv_wr_text16(w, c->token_uri);
	pv_wr_text16(w, c->oem_key_uri);
	pv_wr_text16(w, c->signer_uri);
	if (follows(c))
		pv_wr_bytes(w, c->after, sizeof(c->after));
}

static void
write_body(struct pv_writer *w, const struct pv_entry *en)
{
	const struct pv_entry_body *b = &en->body;

	if (defines(en->kind)) {
		write_create(w, &en->create);
		return;
	}
	if (bare(en->kind))
		return;
	if (en->kind != PV_ENTRY_DENY)
		pv_wr_u64le(w, b->number);
	if (en->kind == PV_ENTRY_REPAIR)
		return;
	pv_wr_bytes(w, b->chip, sizeof(b->chip));
	if (en->kind == PV_ENTRY_ISSUED) {
		pv_wr_u16le(w, (uint16_t)b->license_len);
		pv_wr_bytes(w, b->license, b->license_len);
		if (b->has_package)
			pv_wr_bytes(w, b->package, sizeof(b->package));
	}
	if (en->kind == PV_ENTRY_RESULT)
		pv_wr_u8(w, b->pass ? 1 : 0);
	if (en->kind == PV_ENTRY_FAILED || en->kind == PV_ENTRY_RESULT)
		pv_wr_u32le(w, (uint32_t)b->code);
	if (worded(en->kind))
		pv_wr_text8(w, b->message);
}

int
pv_entry_encode(const struct pv_entry *entry, uint8_t *data, size_t *len,
    struct pv_error *e)
{
	uint8_t body[PV_ENTRY_MAX];
	struct pv_writer w, bw;
	int ret;

	ret = validate(entry, e);
	if (ret != 0)
		return ret;
	pv_wr_init(&bw, body, sizeof(body));
	write_body(&bw, entry);
	pv_wr_init(&w, data, *len < PV_ENTRY_MAX ? *len : PV_ENTRY_MAX);
	pv_wr_bytes(&w, PV_ENTRY_MAGIC, 4);
	pv_wr_u16le(&w, PV_ENTRY_VERSION);
	pv_wr_u16le(&w, (uint16_t)entry->kind);
	pv_wr_bytes(&w, entry->campaign_id, sizeof(entry->campaign_id));
	pv_wr_u64le(&w, entry->seq);
	pv_wr_bytes(&w, entry->previous, sizeof(entry->previous));
	pv_wr_u64le(&w, entry->spent);
	pv_wr_u64le(&w, (uint64_t)entry->time_ms);
	pv_wr_u8(&w, (uint8_t)entry->state);
	pv_wr_u8(&w, (uint8_t)entry->clock);
	pv_wr_u16le(&w, (uint16_t)bw.len);
	pv_wr_text8(&w, entry->station);
	pv_wr_text8(&w, entry->operator_id);
	pv_wr_bytes(&w, body, bw.len);
	if (!pv_wr_ok(&bw) || !pv_wr_ok(&w))
		return pv_fail(e, PV_E_INTERNAL,
		    "ledger entry does not fit %zu bytes", *len);
	*len = w.len;
	return 0;
}

/* --- the token's note -------------------------------------------------------
 * Starts with the big-endian sequence number: a token that holds two notes
 * after a power cut is resolved by the highest first eight bytes, without
 * knowing this format.
 */

int
pv_note_decode(const uint8_t *data, size_t len, struct pv_note *ret_note,
    struct pv_error *e)
{
	struct pv_note n = { 0 };
	struct pv_reader r;
	uint8_t magic[4];
	uint16_t version, zero;

	pv_rd_init(&r, data, len);
	n.seq = (uint64_t)pv_rd_u32be(&r) << 32;
	n.seq |= pv_rd_u32be(&r);
	pv_rd_bytes(&r, magic, sizeof(magic));
	version = pv_rd_u16le(&r);
	zero = pv_rd_u16le(&r);
	pv_rd_bytes(&r, n.campaign_id, sizeof(n.campaign_id));
	n.spent = pv_rd_u64le(&r);
	pv_rd_bytes(&r, n.hash, sizeof(n.hash));
	if (!pv_rd_ok(&r) || memcmp(magic, PV_NOTE_MAGIC, 4) != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "the token's note of the campaign is not one (%zu bytes)",
		    len);
	if (version != 1 || zero != 0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "the token's note of the campaign has version %u, this "
		    "program knows version 1",
		    (unsigned int)version);
	if (!pv_rd_finish(&r))
		return pv_fail(e, PV_E_MALFORMED,
		    "the token's note of the campaign has %zu bytes, not %u",
		    len, PV_NOTE_LEN);
	*ret_note = n;
	return 0;
}

void
pv_note_encode(const struct pv_note *note, uint8_t ret_data[PV_NOTE_LEN])
{
	struct pv_writer w;

	pv_wr_init(&w, ret_data, PV_NOTE_LEN);
	pv_wr_u32be(&w, (uint32_t)(note->seq >> 32));
	pv_wr_u32be(&w, (uint32_t)note->seq);
	pv_wr_bytes(&w, PV_NOTE_MAGIC, 4);
	pv_wr_u16le(&w, 1);
	pv_wr_u16le(&w, 0);
	pv_wr_bytes(&w, note->campaign_id, sizeof(note->campaign_id));
	pv_wr_u64le(&w, note->spent);
	pv_wr_bytes(&w, note->hash, sizeof(note->hash));
}
