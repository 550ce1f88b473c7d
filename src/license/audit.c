/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit of one campaign: its entries once, in order, as they stream from
 * the store. What is kept between entries: the head so far, the numbers that
 * are reserved and not settled, and 16 bytes of each chip that got a license,
 * and of its package where each has a nonce of its own.
 */
#include <provisor/campaign.h>

#include "crypto/digest.h"
#include "formats/ledger.h"
#include "ledger/journal.h"
#include "license/rules.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct open_number {
	uint64_t number;
	uint8_t chip[32];
};

struct chip16 {
	uint8_t b[16];
};

struct audit {
	struct pv_memo *memo;
	const struct pv_campaign *c;
	struct pv_campaign def; /* as its first entry says */
	struct pv_head at;	/* the last entry seen */
	int64_t time_ms;
	struct pv_verify_report rep;

	struct open_number *open;
	size_t n_open, cap_open;
	struct chip16 *chips;
	size_t n_chips, cap_chips;
	struct chip16 *packages; /* where each has a nonce of its own */
	size_t n_packages, cap_packages;
	struct chip16 *denied; /* sorted */
	size_t n_denied, cap_denied;

	/* what the token must find in the chain */
	struct pv_head anchored;
	bool anchored_seen;
	const struct pv_checkpoint *since; /* or NULL */
};

/* Room for one more element; doubles. */
static int
grow(void **array, size_t *cap, size_t n, size_t size, struct pv_error *e)
{
	size_t want = *cap == 0 ? 64 : *cap * 2;
	void *p;

	if (n < *cap)
		return 0;
	if (want > SIZE_MAX / size)
		return pv_fail(e, PV_E_NOMEM, "ledger too long");
	p = realloc(*array, want * size);
	if (p == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	*array = p;
	*cap = want;
	return 0;
}

static int
broken(struct pv_error *e, uint64_t seq, const char *what)
{
	return pv_fail(e, PV_E_VERIFY, "entry %" PRIu64 ": %s", seq, what);
}

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct chip16));
}

/* --- rules by kind ---------------------------------------------------------- */

static int
rule_reserve(struct audit *a, const struct pv_entry *en, struct pv_error *e)
{
	void *p = a->open;
	int r;

	if (en->body.number != a->at.spent + 1)
		return broken(e, en->seq, "reserves a number out of turn");
	if (en->body.number > a->def.max_licenses)
		return broken(e, en->seq,
		    "reserves a number past the limit of the campaign");
	if (a->at.state != PV_STATE_OPERATIONAL)
		return broken(e, en->seq,
		    a->at.state == PV_STATE_DRAFT
			? "reserves a number of a draft"
			: "reserves a number of a closed campaign");
	if (a->n_denied > 0 && bsearch(en->body.chip, a->denied, a->n_denied,
				   sizeof(*a->denied), by_bytes) != NULL)
		return broken(e, en->seq,
		    "reserves a number for a chip on the deny list");
	r = grow(&p, &a->cap_open, a->n_open, sizeof(*a->open), e);
	a->open = p;
	if (r != 0)
		return r;
	a->open[a->n_open].number = en->body.number;
	memcpy(a->open[a->n_open].chip, en->body.chip, 32);
	a->n_open++;
	return 0;
}

/* An issued or failed entry settles one reservation of the same chip. */
static int
rule_settle(struct audit *a, const struct pv_entry *en, struct pv_error *e)
{
	size_t i = a->n_open;

	/* The newest is the likely one. */
	while (i > 0 && a->open[i - 1].number != en->body.number)
		i--;
	if (i == 0 || memcmp(a->open[i - 1].chip, en->body.chip, 32) != 0)
		return broken(e, en->seq,
		    "settles a number that is not reserved for this chip");
	a->open[i - 1] = a->open[a->n_open - 1];
	a->n_open--;
	return 0;
}

static int
rule_issued(struct audit *a, const struct pv_entry *en, struct pv_error *e)
{
	void *p = a->chips;
	int r;

	r = rule_settle(a, en, e);
	if (r == 0)
		r = pv_rules_issued(&a->def, a->memo, en, e);
	if (r != 0)
		return r;
	if (en->body.has_package != pv_campaign_nonce_each(&a->def))
		return broken(e, en->seq,
		    en->body.has_package
			? "names a package in a campaign of one"
			: "does not name the package of its license");
	r = grow(&p, &a->cap_chips, a->n_chips, sizeof(*a->chips), e);
	a->chips = p;
	if (r != 0)
		return r;
	memcpy(a->chips[a->n_chips++].b, en->body.chip, 16);
	a->rep.issued++;
	if (!en->body.has_package)
		return 0;
	p = a->packages;
	r = grow(&p, &a->cap_packages, a->n_packages, sizeof(*a->packages), e);
	a->packages = p;
	if (r == 0)
		memcpy(a->packages[a->n_packages++].b, en->body.package, 16);
	return r;
}

/* Kept in order, so that every reservation can be looked up. */
static int
rule_deny(struct audit *a, const struct pv_entry *en, struct pv_error *e)
{
	size_t lo = 0, hi = a->n_denied;
	void *p = a->denied;
	int r;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (memcmp(a->denied[mid].b, en->body.chip, 16) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < a->n_denied && memcmp(a->denied[lo].b, en->body.chip, 16) == 0)
		return 0;
	r = grow(&p, &a->cap_denied, a->n_denied, sizeof(*a->denied), e);
	a->denied = p;
	if (r != 0)
		return r;
	memmove(&a->denied[lo + 1], &a->denied[lo],
	    (a->n_denied - lo) * sizeof(*a->denied));
	memcpy(a->denied[lo].b, en->body.chip, 16);
	a->n_denied++;
	return 0;
}

static int
rule_revise(struct audit *a, const struct pv_entry *en, struct pv_error *e)
{
	int r;

	if (a->at.state != PV_STATE_DRAFT)
		return broken(
		    e, en->seq, "revises a campaign that is no draft");
	r = pv_rules_same_campaign(&a->def, &en->create, e);
	if (r != 0)
		return broken(e, en->seq, "revises what a draft must keep");
	a->def = en->create;
	return 0;
}

static int
rules(struct audit *a, const struct pv_entry *en, struct pv_error *e)
{
	enum pv_entry_state state = a->at.state;
	int r = 0;

	if ((en->kind == PV_ENTRY_CREATE) != (en->seq == 1))
		return broken(e, en->seq,
		    en->seq == 1 ? "does not open the campaign"
				 : "opens the campaign again");
	switch (en->kind) {
	case PV_ENTRY_CREATE:
		if (!pv_ct_equal(en->create.public_key, a->c->public_key, 64))
			return broken(e, en->seq, "names another key");
		a->def = en->create;
		state = en->state == PV_STATE_DRAFT ? PV_STATE_DRAFT
						    : PV_STATE_OPERATIONAL;
		break;
	case PV_ENTRY_REVISE:
		r = rule_revise(a, en, e);
		break;
	case PV_ENTRY_OPEN:
		if (state != PV_STATE_DRAFT)
			return broken(
			    e, en->seq, "opens a campaign that is no draft");
		state = PV_STATE_OPERATIONAL;
		break;
	case PV_ENTRY_DENY:
		r = rule_deny(a, en, e);
		break;
	case PV_ENTRY_REPAIR:
		/* One entry behind is no repair: formats/ledger.md. */
		if (en->seq < 4 || en->body.number > en->seq - 3)
			return broken(
			    e, en->seq, "repairs a note that was not behind");
		a->rep.repairs++;
		break;
	case PV_ENTRY_RESERVE:
		r = rule_reserve(a, en, e);
		break;
	case PV_ENTRY_ISSUED:
		r = rule_issued(a, en, e);
		break;
	case PV_ENTRY_FAILED:
		r = rule_settle(a, en, e);
		break;
	case PV_ENTRY_RESULT:
		if (en->body.number > a->at.spent)
			return broken(e, en->seq,
			    "is the result of a number nobody reserved");
		a->rep.passed += en->body.pass ? 1 : 0;
		a->rep.failed += en->body.pass ? 0 : 1;
		break;
	case PV_ENTRY_CLOSE:
		if (state == PV_STATE_CLOSED)
			return broken(e, en->seq, "closes a closed campaign");
		state = PV_STATE_CLOSED;
		break;
	}
	if (r != 0)
		return r;
	if (en->state != state)
		return broken(e, en->seq, "states another state than its kind");
	if (en->spent != a->at.spent + (en->kind == PV_ENTRY_RESERVE ? 1 : 0))
		return broken(e, en->seq, "counts the numbers spent wrongly");
	return 0;
}

/* The clock is noted and never trusted: nothing is refused for it. */
static void
note_clock(struct audit *a, const struct pv_entry *en)
{
	struct pv_verify_report *rep = &a->rep;

	if (en->clock == PV_ENTRY_CLOCK_UNSYNCED)
		rep->unsynced++;
	if (en->seq > 1 && en->time_ms < a->time_ms) {
		uint64_t back = (uint64_t)a->time_ms - (uint64_t)en->time_ms;

		if (rep->clock_steps++ == 0)
			rep->clock_step_at = en->seq;
		if (back > (uint64_t)INT64_MAX)
			back = INT64_MAX;
		if ((int64_t)back > rep->clock_step_ms)
			rep->clock_step_ms = (int64_t)back;
	}
	a->time_ms = en->time_ms;
}

/* --- against a checkpoint ---------------------------------------------------- */

static int
since_replaced(const struct pv_checkpoint *cp, struct pv_error *e)
{
	int r = pv_fail(e, PV_E_ROLLBACK,
	    "entry %" PRIu64 " is not the one of the checkpoint: what came "
	    "before it was changed, or it is another ledger",
	    cp->seq);

	(void)pv_hint(e, "the entries verify among themselves, so they were "
			 "written by someone with the campaign's key");
	return r;
}

static int
since_begin(const struct audit *a, struct pv_error *e)
{
	const struct pv_checkpoint *cp = a->since;

	if (cp == NULL)
		return 0;
	if (memcmp(cp->campaign_id, a->c->id, 16) != 0)
		return pv_fail(
		    e, PV_E_ROLLBACK, "the checkpoint is of another campaign");
	if (!pv_ct_equal(cp->public_key, a->c->public_key, 64))
		return pv_fail(e, PV_E_ROLLBACK,
		    "the campaign has another key than in the checkpoint");
	return 0;
}

static int
since_end(const struct audit *a, struct pv_error *e)
{
	const struct pv_checkpoint *cp = a->since;

	if (cp == NULL || a->at.seq >= cp->seq)
		return 0;
	return pv_fail(e, PV_E_ROLLBACK,
	    "the ledger is older than the checkpoint: it ends at entry "
	    "%" PRIu64 " (%" PRIu64 " licenses), the checkpoint is of entry "
	    "%" PRIu64 " (%" PRIu64 " licenses)",
	    a->at.seq, a->at.spent, cp->seq, cp->spent);
}

static int
audit_entry(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	struct audit *a = ctx;
	struct pv_entry en;
	uint8_t hash[32];
	int r;

	if (rec->seq != a->at.seq + 1)
		return pv_fail(e, PV_E_VERIFY, "entry %" PRIu64 " is missing",
		    a->at.seq + 1);
	r = pv_journal_open(rec, a->c->public_key, a->memo, &en, hash, e);
	if (r != 0)
		return r;
	if (memcmp(en.campaign_id, a->c->id, 16) != 0)
		return broken(e, en.seq, "belongs to another campaign");
	if (!pv_ct_equal(en.previous, a->at.hash, 32))
		return broken(
		    e, en.seq, "is not chained to the entry before it");
	r = rules(a, &en, e);
	if (r != 0)
		return r;
	note_clock(a, &en);
	a->at.seq = en.seq;
	a->at.spent = en.spent;
	a->at.state = en.state;
	memcpy(a->at.hash, hash, 32);
	a->rep.entries++;
	if (a->since != NULL && en.seq == a->since->seq &&
	    !pv_ct_equal(hash, a->since->hash, 32))
		return since_replaced(a->since, e);
	if (en.seq == a->anchored.seq)
		a->anchored_seen = pv_ct_equal(hash, a->anchored.hash, 32);
	return 0;
}

static int
one_license_per_chip(struct audit *a, struct pv_error *e)
{
	if (a->n_chips > 1)
		qsort(a->chips, a->n_chips, sizeof(*a->chips), by_bytes);
	for (size_t i = 1; i < a->n_chips; i++) {
		const uint8_t *b = a->chips[i].b;

		if (by_bytes(&a->chips[i - 1], &a->chips[i]) == 0)
			return pv_fail(e, PV_E_VERIFY,
			    "two licenses went to one chip "
			    "(%02x%02x%02x%02x...)",
			    b[0], b[1], b[2], b[3]);
	}
	return 0;
}

/* Nothing forbids it, but what was made for one device is in two then. */
static void
count_packages(struct audit *a)
{
	if (a->n_packages > 1)
		qsort(
		    a->packages, a->n_packages, sizeof(*a->packages), by_bytes);
	for (size_t i = 1; i < a->n_packages; i++)
		if (by_bytes(&a->packages[i - 1], &a->packages[i]) == 0)
			a->rep.packages_again++;
}

/*
 * Compare ledger and token at one moment, under the lock but only for that
 * moment; the scan that follows must then contain the head seen here.
 */
static int
check_anchor(
    struct audit *a, const struct pv_campaign_io *io, struct pv_error *e)
{
	struct pv_store *store = io->store;
	int r;

	r = store->lock(store->ctx, a->c->id, PV_JOURNAL_WAIT_MS, e);
	if (r != 0)
		return r;
	r = pv_journal_head(store, a->memo, a->c, &a->anchored, e);
	if (r == 0)
		r = pv_journal_compare(
		    a->c, store, io->anchor, &a->anchored, e);
	store->unlock(store->ctx);
	return r;
}

int
pv_ledger_verify(const struct pv_campaign *c, const struct pv_campaign_io *io,
    struct pv_verify_report *ret_report, struct pv_error *e)
{
	return pv_ledger_verify_since(c, io, NULL, ret_report, e);
}

int
pv_ledger_verify_since(const struct pv_campaign *c,
    const struct pv_campaign_io *io, const struct pv_checkpoint *since,
    struct pv_verify_report *ret_report, struct pv_error *e)
{
	struct audit a = { .c = c, .time_ms = INT64_MIN, .since = since };
	uint8_t pub[64];
	int r = since_begin(&a, e);

	if (r == 0)
		r = pv_memo_new(&a.memo, e);
	if (r == 0 && io->signer != NULL) {
		r = io->signer->public_key(io->signer->ctx, pub, e);
		if (r == 0 && !pv_ct_equal(pub, c->public_key, sizeof(pub)))
			r = pv_fail(e, PV_E_VERIFY,
			    "the key in the token is not the key of the "
			    "campaign");
	}
	if (r == 0 && io->anchor != NULL)
		r = check_anchor(&a, io, e);
	if (r == 0)
		r = io->store->scan(
		    io->store->ctx, c->id, 1, audit_entry, &a, e);
	if (r == 0 && a.rep.entries == 0)
		r = pv_fail(e, PV_E_NOT_FOUND, "the campaign has no entries");
	if (r == 0)
		r = since_end(&a, e);
	if (r == 0)
		r = one_license_per_chip(&a, e);
	if (r == 0 && io->anchor != NULL && !a.anchored_seen)
		r = pv_fail(e, PV_E_ROLLBACK,
		    "the ledger changed under the audit: entry %" PRIu64
		    " is not the one the token has noted",
		    a.anchored.seq);
	if (r == 0) {
		count_packages(&a);
		a.rep.spent = a.at.spent;
		a.rep.denied = a.n_denied;
		a.rep.anchor_checked = io->anchor != NULL;
		memcpy(a.rep.head, a.at.hash, 32);
		*ret_report = a.rep;
	} else {
		(void)pv_wrap(e, "campaign '%s'", c->name);
	}
	pv_memo_free(a.memo);
	free(a.open);
	free(a.chips);
	free(a.packages);
	free(a.denied);
	return r;
}
