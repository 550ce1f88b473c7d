/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/journal.h"

#include "base/clock.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "crypto/memo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int
pv_journal_hash(
    const uint8_t *entry, size_t len, uint8_t ret_hash[32], struct pv_error *e)
{
	const struct pv_part parts[] = {
		{ PV_ENTRY_DOMAIN, sizeof(PV_ENTRY_DOMAIN) }, /* with zero */
		{ entry, len },
	};

	return pv_sha256(parts, 2, ret_hash, e);
}

/* Do the columns a store searches by say what the entry says? */
static int
check_columns(
    const struct pv_record *rec, const struct pv_entry *en, struct pv_error *e)
{
	if (memcmp(rec->campaign_id, en->campaign_id, 16) != 0 ||
	    rec->seq != en->seq || rec->kind != (uint16_t)en->kind ||
	    memcmp(rec->chip, en->body.chip, 32) != 0)
		return pv_fail(e, PV_E_VERIFY,
		    "entry %" PRIu64 ": the index of the ledger does not "
		    "match the entry",
		    rec->seq);
	return 0;
}

int
pv_journal_open(const struct pv_record *rec, const uint8_t *pub,
    struct pv_memo *memo, struct pv_entry *ret_entry, uint8_t ret_hash[32],
    struct pv_error *e)
{
	struct pv_entry en;
	uint8_t hash[32];
	int r;

	r = pv_entry_decode(rec->entry, rec->entry_len, &en, e);
	if (r != 0) {
		(void)pv_wrap(e, "entry %" PRIu64, rec->seq);
		return r;
	}
	r = check_columns(rec, &en, e);
	if (r != 0)
		return r;
	if (pub == NULL) {
		if (en.kind != PV_ENTRY_CREATE)
			return pv_fail(e, PV_E_VERIFY,
			    "entry %" PRIu64 " does not open a campaign",
			    rec->seq);
		pub = en.create.public_key;
	}
	r = pv_journal_hash(rec->entry, rec->entry_len, hash, e);
	if (r == 0)
		r = pv_memo_verify(memo, pub, hash, rec->signature, e);
	if (r != 0) {
		(void)pv_wrap(e, "signature of entry %" PRIu64, rec->seq);
		return r;
	}
	*ret_entry = en;
	memcpy(ret_hash, hash, sizeof(hash));
	return 0;
}

int
pv_journal_signed(const uint8_t pub[64], const uint8_t hash[32],
    const uint8_t signature[64], struct pv_error *e)
{
	return pv_ecdsa_verify(pub, hash, signature, e);
}

/* --- reading --------------------------------------------------------------- */

struct one {
	const uint8_t *pub;
	struct pv_memo *memo;
	struct pv_entry entry;
	uint8_t hash[32];
};

static int
take_one(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	struct one *one = ctx;

	return pv_journal_open(
	    rec, one->pub, one->memo, &one->entry, one->hash, e);
}

int
pv_journal_head(struct pv_store *store, struct pv_memo *memo,
    const struct pv_campaign *c, struct pv_head *ret_head, struct pv_error *e)
{
	struct one one = { .pub = c->public_key, .memo = memo };
	int r;

	r = store->last(store->ctx, c->id, NULL, 0, take_one, &one, e);
	if (r == PV_E_NOT_FOUND)
		return r;
	if (r == 0 && memcmp(one.entry.campaign_id, c->id, 16) != 0)
		r = pv_fail(e, PV_E_VERIFY,
		    "the last entry belongs to another campaign");
	if (r != 0)
		return pv_wrap(e, "ledger of campaign '%s'", c->name);
	ret_head->seq = one.entry.seq;
	ret_head->spent = one.entry.spent;
	ret_head->state = one.entry.state;
	memcpy(ret_head->hash, one.hash, sizeof(one.hash));
	return 0;
}

int
pv_journal_denied(struct pv_store *store, struct pv_memo *memo,
    const struct pv_campaign *c, const uint8_t chip[32], bool *ret_denied,
    struct pv_error *e)
{
	struct one one = { .pub = c->public_key, .memo = memo };
	int r;

	r = store->last(
	    store->ctx, c->id, chip, PV_ENTRY_DENY, take_one, &one, e);
	if (r == PV_E_NOT_FOUND) {
		pv_error_clear(e);
		*ret_denied = false;
		return 0;
	}
	if (r == 0 && (one.entry.kind != PV_ENTRY_DENY ||
			  memcmp(one.entry.campaign_id, c->id, 16) != 0 ||
			  memcmp(one.entry.body.chip, chip, 32) != 0))
		r = pv_fail(e, PV_E_VERIFY,
		    "entry %" PRIu64 " does not deny this chip", one.entry.seq);
	if (r != 0)
		return pv_wrap(e, "ledger of campaign '%s'", c->name);
	*ret_denied = true;
	return 0;
}

int
pv_journal_issued(struct pv_store *store, struct pv_memo *memo,
    const struct pv_campaign *c, const uint8_t chip[32],
    struct pv_entry *ret_entry, struct pv_error *e)
{
	struct one one = { .pub = c->public_key, .memo = memo };
	int r;

	r = store->last(
	    store->ctx, c->id, chip, PV_ENTRY_ISSUED, take_one, &one, e);
	if (r == PV_E_NOT_FOUND)
		return r;
	if (r == 0 && (one.entry.kind != PV_ENTRY_ISSUED ||
			  memcmp(one.entry.campaign_id, c->id, 16) != 0 ||
			  memcmp(one.entry.body.chip, chip, 32) != 0))
		r = pv_fail(e, PV_E_VERIFY,
		    "entry %" PRIu64 " is not the license of this chip",
		    one.entry.seq);
	if (r != 0)
		return pv_wrap(e, "ledger of campaign '%s'", c->name);
	*ret_entry = one.entry;
	return 0;
}

/* --- the two anchors --------------------------------------------------------
 * Order of writing: entry into the store, durably, then the token's note. So
 * a crash leaves the store ahead by one entry at most.
 */

int
pv_journal_anchor(const struct pv_campaign *c, struct pv_anchor *anchor,
    const struct pv_head *head, struct pv_error *e)
{
	struct pv_note note = { .seq = head->seq, .spent = head->spent };
	uint8_t data[PV_NOTE_LEN];
	int r;

	memcpy(note.campaign_id, c->id, sizeof(note.campaign_id));
	memcpy(note.hash, head->hash, sizeof(note.hash));
	pv_note_encode(&note, data);
	r = anchor->write(anchor->ctx, data, sizeof(data), e);
	if (r != 0)
		return pv_wrap(
		    e, "noting entry %" PRIu64 " in the token", head->seq);
	return 0;
}

static int
read_note(const struct pv_campaign *c, struct pv_anchor *anchor,
    struct pv_note *ret_note, struct pv_error *e)
{
	uint8_t data[PV_ANCHOR_MAX];
	size_t len = sizeof(data);
	int r;

	r = anchor->read(anchor->ctx, data, &len, e);
	if (r == PV_E_NOT_FOUND) {
		pv_error_clear(e);
		r = pv_fail(e, PV_E_ROLLBACK,
		    "the token has no note of campaign '%s': it was emptied, "
		    "replaced, or restored from a copy older than the campaign",
		    c->name);
		(void)pv_hint(e,
		    "use the token the campaign was opened with; the ledger "
		    "alone can be read with 'provisor ledger verify "
		    "--no-token'");
		return r;
	}
	if (r == 0)
		r = pv_note_decode(data, len, ret_note, e);
	if (r != 0)
		return pv_wrap(
		    e, "reading the token's note of campaign '%s'", c->name);
	if (memcmp(ret_note->campaign_id, c->id, 16) != 0)
		return pv_fail(e, PV_E_ROLLBACK,
		    "the token's note of campaign '%s' names another campaign",
		    c->name);
	return 0;
}

/* The entry the token knows, and the one after it, as the store has them. */
struct tail {
	const struct pv_campaign *c;
	uint64_t first; /* seq wanted first */
	unsigned int n;
	uint8_t hash[2][32];
	uint8_t previous[2][32];
	uint64_t spent[2];
};

static int
take_tail(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	struct tail *t = ctx;
	struct pv_entry en;
	int r;

	if (rec->seq != t->first + t->n)
		return pv_fail(e, PV_E_VERIFY, "entry %" PRIu64 " is missing",
		    t->first + t->n);
	r = pv_journal_open(rec, t->c->public_key, NULL, &en, t->hash[t->n], e);
	if (r != 0)
		return r;
	memcpy(t->previous[t->n], en.previous, 32);
	t->spent[t->n] = en.spent;
	t->n++;
	/* Two are enough: a positive value stops the scan. */
	return t->n == 2 ? 1 : 0;
}

static int
ledger_older(const struct pv_campaign *c, const struct pv_note *note,
    const struct pv_head *head, struct pv_error *e)
{
	int r = pv_fail(e, PV_E_ROLLBACK,
	    "the ledger of campaign '%s' is an older copy: it ends at entry "
	    "%" PRIu64 " (%" PRIu64 " licenses), the token has noted entry "
	    "%" PRIu64 " (%" PRIu64 " licenses)",
	    c->name, head->seq, head->spent, note->seq, note->spent);

	(void)pv_hint(
	    e, "put the newest ledger back; nothing is issued from an old one");
	return r;
}

static int
token_older(const struct pv_campaign *c, const struct pv_note *note,
    const struct pv_head *head, struct pv_error *e)
{
	int r = pv_fail(e, PV_E_ROLLBACK,
	    "the token is an older copy: it has noted entry %" PRIu64
	    " (%" PRIu64 " licenses) of campaign '%s', the ledger ends at "
	    "entry %" PRIu64 " (%" PRIu64 " licenses)",
	    note->seq, note->spent, c->name, head->seq, head->spent);

	(void)pv_hint(e,
	    "use the token as it was last used, not a copy; after a power cut "
	    "'provisor ledger repair --campaign %s' can go on",
	    c->name);
	return r;
}

static int
ledger_replaced(
    const struct pv_campaign *c, const struct pv_note *note, struct pv_error *e)
{
	int r = pv_fail(e, PV_E_ROLLBACK,
	    "the ledger of campaign '%s' was replaced: its entry %" PRIu64
	    " is not the one the token has noted",
	    c->name, note->seq);

	(void)pv_hint(e,
	    "two copies of the ledger were used with one token, or the file "
	    "was changed; find the copy the token agrees with");
	return r;
}

/* *ret_behind: the token lacks exactly the last entry. */
static int
compare(const struct pv_campaign *c, struct pv_store *store,
    struct pv_anchor *anchor, const struct pv_head *head, bool *ret_behind,
    struct pv_error *e)
{
	static const uint8_t zero[32];
	struct pv_note note = { 0 };
	struct tail t = { .c = c };
	int r;

	*ret_behind = false;
	r = read_note(c, anchor, &note, e);
	if (r != 0)
		return r;
	if (note.seq > head->seq)
		return ledger_older(c, &note, head, e);
	if (note.seq == head->seq) {
		if (!pv_ct_equal(note.hash, head->hash, 32) ||
		    note.spent != head->spent)
			return ledger_replaced(c, &note, e);
		return 0;
	}
	if (head->seq - note.seq > 1)
		return token_older(c, &note, head, e);
	/* The store is ahead by one: is that entry chained to the noted? */
	t.first = note.seq == 0 ? 1 : note.seq;
	r = store->scan(store->ctx, c->id, t.first, take_tail, &t, e);
	if (r < 0)
		return pv_wrap(e, "ledger of campaign '%s'", c->name);
	if (note.seq == 0) {
		if (t.n < 1 || !pv_ct_equal(t.previous[0], zero, 32) ||
		    !pv_ct_equal(t.hash[0], head->hash, 32))
			return ledger_replaced(c, &note, e);
	} else if (t.n != 2 || !pv_ct_equal(t.hash[0], note.hash, 32) ||
		   t.spent[0] != note.spent ||
		   !pv_ct_equal(t.previous[1], note.hash, 32) ||
		   !pv_ct_equal(t.hash[1], head->hash, 32)) {
		return ledger_replaced(c, &note, e);
	}
	*ret_behind = true;
	return 0;
}

int
pv_journal_compare(const struct pv_campaign *c, struct pv_store *store,
    struct pv_anchor *anchor, const struct pv_head *head, struct pv_error *e)
{
	bool behind;

	return compare(c, store, anchor, head, &behind, e);
}

int
pv_journal_agree(const struct pv_campaign *c, struct pv_store *store,
    struct pv_anchor *anchor, const struct pv_head *head, struct pv_error *e)
{
	bool behind;
	int r;

	r = compare(c, store, anchor, head, &behind, e);
	if (r != 0 || !behind)
		return r;
	return pv_journal_anchor(c, anchor, head, e);
}

int
pv_journal_noted(const struct pv_campaign *c, struct pv_store *store,
    struct pv_anchor *anchor, const struct pv_head *head, uint64_t *ret_seq,
    struct pv_error *e)
{
	struct pv_note note = { 0 };
	struct tail t = { .c = c };
	int r;

	r = read_note(c, anchor, &note, e);
	if (r != 0)
		return r;
	if (note.seq > head->seq)
		return ledger_older(c, &note, head, e);
	*ret_seq = note.seq;
	if (note.seq == 0)
		return 0;
	t.first = note.seq;
	r = store->scan(store->ctx, c->id, t.first, take_tail, &t, e);
	if (r < 0)
		return pv_wrap(e, "ledger of campaign '%s'", c->name);
	if (t.n == 0 || !pv_ct_equal(t.hash[0], note.hash, 32) ||
	    t.spent[0] != note.spent)
		return ledger_replaced(c, &note, e);
	return 0;
}

/* --- appending ------------------------------------------------------------- */

static enum pv_entry_clock
clock_source(void)
{
	int synced = pv_wall_synced();

	if (synced < 0)
		return PV_ENTRY_CLOCK_SYSTEM;
	return synced > 0 ? PV_ENTRY_CLOCK_SYNCED : PV_ENTRY_CLOCK_UNSYNCED;
}

static void
fill(const struct pv_campaign *c, const struct pv_campaign_io *io,
    const struct pv_head *head, struct pv_entry *entry)
{
	memcpy(entry->campaign_id, c->id, sizeof(entry->campaign_id));
	entry->seq = head->seq + 1;
	memcpy(entry->previous, head->hash, sizeof(entry->previous));
	entry->spent = head->spent + (entry->kind == PV_ENTRY_RESERVE ? 1 : 0);
	entry->time_ms = pv_wall_ms();
	entry->clock = clock_source();
	entry->state = head->state;
	if (entry->kind == PV_ENTRY_CREATE)
		entry->state = c->draft ? PV_STATE_DRAFT : PV_STATE_OPERATIONAL;
	if (entry->kind == PV_ENTRY_OPEN)
		entry->state = PV_STATE_OPERATIONAL;
	if (entry->kind == PV_ENTRY_CLOSE)
		entry->state = PV_STATE_CLOSED;
	if (io->station != NULL)
		(void)snprintf(
		    entry->station, sizeof(entry->station), "%s", io->station);
	if (io->operator_id != NULL)
		(void)snprintf(entry->operator_id, sizeof(entry->operator_id),
		    "%s", io->operator_id);
}

int
pv_journal_append(const struct pv_campaign *c, const struct pv_campaign_io *io,
    struct pv_entry *entry, struct pv_head *head, struct pv_error *e)
{
	uint8_t data[PV_ENTRY_MAX];
	struct pv_record rec = { .entry = data, .entry_len = sizeof(data) };
	struct pv_head next;
	int r;

	fill(c, io, head, entry);
	r = pv_entry_encode(entry, data, &rec.entry_len, e);
	if (r != 0)
		return r;
	next.seq = entry->seq;
	next.spent = entry->spent;
	next.state = entry->state;
	r = pv_journal_hash(data, rec.entry_len, next.hash, e);
	if (r != 0)
		return r;
	r = io->signer->sign(io->signer->ctx, next.hash, rec.signature, e);
	if (r != 0)
		return pv_wrap(e, "signing ledger entry %" PRIu64, entry->seq);
	/* A bad signature in the chain could never be taken out again. */
	r = pv_memo_verify(
	    io->memo, c->public_key, next.hash, rec.signature, e);
	if (r != 0)
		return pv_wrap(e,
		    "the token's signature of ledger entry %" PRIu64,
		    entry->seq);
	memcpy(rec.campaign_id, c->id, sizeof(rec.campaign_id));
	rec.seq = entry->seq;
	rec.kind = (uint16_t)entry->kind;
	memcpy(rec.chip, entry->body.chip, sizeof(rec.chip));
	r = io->store->append(io->store->ctx, &rec, e);
	if (r != 0)
		return pv_wrap(e, "writing ledger entry %" PRIu64, entry->seq);
	r = pv_journal_anchor(c, io->anchor, &next, e);
	if (r != 0)
		return r;
	*head = next;
	return 0;
}
