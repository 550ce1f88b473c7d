/* SPDX-License-Identifier: Apache-2.0 */
#include <provisor/campaign.h>

#include "crypto/digest.h"
#include "crypto/ec.h"
#include "formats/ledger.h"
#include "ledger/journal.h"
#include "license/rules.h"
#include <provisor/ecies.h>

#include <inttypes.h>
#include <string.h>

/* --- finding --------------------------------------------------------------- */

struct find {
	const char *name;  /* by name, or */
	const uint8_t *id; /* by id */
	bool found;
	struct pv_campaign c;
};

static int
open_first(
    const struct pv_record *rec, struct pv_campaign *ret_c, struct pv_error *e)
{
	struct pv_entry en;
	uint8_t hash[32];
	int r;

	r = pv_journal_open(rec, NULL, NULL, &en, hash, e);
	if (r == 0 && (rec->seq != 1 || en.kind != PV_ENTRY_CREATE))
		r = pv_fail(e, PV_E_VERIFY,
		    "the first entry of a campaign does not open it");
	if (r == 0) {
		*ret_c = en.create;
		ret_c->draft = en.state == PV_STATE_DRAFT;
		ret_c->defined_by = 1;
	}
	return r;
}

static int
match_first(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	struct find *f = ctx;
	struct pv_campaign c;
	int r;

	if (f->id != NULL && memcmp(rec->campaign_id, f->id, 16) != 0)
		return 0;
	r = open_first(rec, &c, e);
	if (r != 0)
		return r;
	if (f->name != NULL && strcmp(c.name, f->name) != 0)
		return 0;
	if (f->found)
		return pv_fail(e, PV_E_VERIFY,
		    "the ledger holds two campaigns named '%s'", c.name);
	f->found = true;
	f->c = c;
	return 0;
}

struct revisions {
	struct pv_campaign *c;
	uint64_t next; /* seq expected */
};

/* The definition of a draft is its last one; it ends with the draft. */
static int
take_revision(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	struct revisions *v = ctx;
	struct pv_entry en;
	uint8_t hash[32];
	int r;

	if (rec->seq != v->next)
		return pv_fail(e, PV_E_VERIFY,
		    "campaign '%s': entry %" PRIu64 " is missing", v->c->name,
		    v->next);
	v->next++;
	r = pv_journal_open(rec, v->c->public_key, NULL, &en, hash, e);
	if (r != 0)
		return pv_wrap(e, "ledger of campaign '%s'", v->c->name);
	if (en.state != PV_STATE_DRAFT)
		return 1;
	if (en.kind != PV_ENTRY_REVISE)
		return 0;
	r = pv_rules_same_campaign(v->c, &en.create, e);
	if (r != 0)
		return pv_wrap(e, "entry %" PRIu64, en.seq);
	*v->c = en.create;
	v->c->defined_by = en.seq;
	return 0;
}

/* Where the campaign stands, from the checked head of its chain. */
static int
load_head(struct pv_store *store, struct pv_campaign *c, struct pv_error *e)
{
	struct revisions v = { .c = c, .next = 2 };
	struct pv_head head;
	int r = 0;

	if (c->draft) {
		r = store->scan(store->ctx, c->id, 2, take_revision, &v, e);
		if (r < 0)
			return r;
	}
	r = pv_journal_head(store, NULL, c, &head, e);
	if (r != 0)
		return r;
	c->draft = head.state == PV_STATE_DRAFT;
	c->issued = head.spent;
	c->closed = head.state == PV_STATE_CLOSED;
	return 0;
}

static int
load(struct pv_store *store, struct find *f, struct pv_campaign *ret_c,
    struct pv_error *e)
{
	int r;

	r = store->scan(store->ctx, NULL, 1, match_first, f, e);
	if (r != 0 || !f->found)
		return r;
	r = load_head(store, &f->c, e);
	if (r == 0)
		*ret_c = f->c;
	return r;
}

int
pv_campaign_load(struct pv_store *store, const char *name,
    struct pv_campaign *ret_c, struct pv_error *e)
{
	struct find f = { .name = name };
	int r = load(store, &f, ret_c, e);

	if (r == 0 && !f.found) {
		r = pv_fail(
		    e, PV_E_NOT_FOUND, "the ledger has no campaign '%s'", name);
		(void)pv_hint(e, "'provisor campaign list' shows those it has");
	}
	return r;
}

int
pv_campaign_load_id(struct pv_store *store, const uint8_t id[16],
    struct pv_campaign *ret_c, struct pv_error *e)
{
	struct find f = { .id = id };
	int r = load(store, &f, ret_c, e);

	if (r == 0 && !f.found)
		r = pv_fail(e, PV_E_NOT_FOUND,
		    "the ledger has no campaign with this id");
	return r;
}

struct list {
	struct pv_store *store;
	int (*each)(void *ctx, const struct pv_campaign *c);
	void *ctx;
};

static int
list_first(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	struct list *l = ctx;
	struct pv_campaign c;
	int r;

	r = open_first(rec, &c, e);
	if (r == 0)
		r = load_head(l->store, &c, e);
	if (r == 0)
		r = l->each(l->ctx, &c);
	return r;
}

int
pv_campaign_list(struct pv_store *store,
    int (*each)(void *ctx, const struct pv_campaign *c), void *ctx,
    struct pv_error *e)
{
	struct list l = { .store = store, .each = each, .ctx = ctx };

	return store->scan(store->ctx, NULL, 1, list_first, &l, e);
}

/* --- creating -------------------------------------------------------------- */

static bool
name_ok(const char *name)
{
	size_t n = strnlen(name, PV_CAMPAIGN_NAME);

	if (n == 0 || n == PV_CAMPAIGN_NAME)
		return false;
	return name[0] != '.' && name[0] != '-' &&
	       strspn(name,
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		   "0123456789._-") == n;
}

/* Which license serves which flow, and in its canonical spelling. */
static int
check_profile(const struct pv_campaign *c, struct pv_error *e)
{
	struct pv_ecies_profile p = { .ssp = false };
	char text[PV_ECIES_TEXT] = "resident";
	int r;

	if (c->flow != PV_FLOW_SFI && c->flow != PV_FLOW_SSP)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "only the flows 'sfi' and 'ssp' are known");
	if (pv_ecies_is(c->license_profile)) {
		r = pv_ecies_parse(c->license_profile, &p, e);
		if (r != 0)
			return r;
		pv_ecies_text(&p, text);
	}
	if (strcmp(c->license_profile, text) != 0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "license profile '%s': known are 'resident', 'ssp' and "
		    "'ecies'",
		    c->license_profile);
	if (p.ssp != (c->flow == PV_FLOW_SSP))
		return pv_fail(e, PV_E_USAGE,
		    "license profile '%s' does not serve the flow '%s'", text,
		    c->flow == PV_FLOW_SSP ? "ssp" : "sfi");
	return 0;
}

int
pv_rules_definition(const struct pv_campaign *c, struct pv_error *e)
{
	int r;

	if (!name_ok(c->name))
		return pv_fail(e, PV_E_USAGE,
		    "campaign name: 1 to %u of A-Z a-z 0-9 . _ -, not "
		    "starting with . or -",
		    PV_CAMPAIGN_NAME - 1);
	r = check_profile(c, e);
	if (r != 0)
		return r;
	if (c->max_licenses == 0)
		return pv_fail(
		    e, PV_E_USAGE, "a campaign needs at least 1 license");
	if ((c->n_trust == 0 &&
		!(c->flow == PV_FLOW_SSP && c->accept_unverified)) ||
	    c->n_trust > PV_CAMPAIGN_TRUST)
		return pv_fail(e, PV_E_USAGE,
		    "a campaign needs 1 to %u trusted CA keys, not %zu",
		    PV_CAMPAIGN_TRUST, c->n_trust);
	for (size_t i = 0; i < c->n_trust; i++) {
		r = pv_ec_check_public(c->trust[i], e);
		if (r != 0)
			return pv_wrap(e, "trusted key %zu", i + 1);
	}
	r = pv_ec_check_public(c->public_key, e);
	if (r != 0)
		return pv_wrap(e, "campaign key");
	return 0;
}

int
pv_rules_same_campaign(const struct pv_campaign *a, const struct pv_campaign *b,
    struct pv_error *e)
{
	if (memcmp(a->id, b->id, sizeof(a->id)) != 0 ||
	    !pv_ct_equal(a->public_key, b->public_key, 64) ||
	    strcmp(a->name, b->name) != 0 || a->flow != b->flow ||
	    strcmp(a->token_uri, b->token_uri) != 0 ||
	    strcmp(a->signer_uri, b->signer_uri) != 0)
		return pv_fail(e, PV_E_VERIFY,
		    "a revision changes what a draft must keep: id, name, "
		    "flow, token or campaign key");
	return 0;
}

int
pv_rules_signer(const struct pv_campaign *c, const struct pv_campaign_io *io,
    struct pv_error *e)
{
	uint8_t pub[64];
	int r;

	if (io->signer == NULL || io->anchor == NULL)
		return pv_fail(e, PV_E_INTERNAL,
		    "the token of campaign '%s' is not open", c->name);
	r = io->signer->public_key(io->signer->ctx, pub, e);
	if (r != 0)
		return pv_wrap(e, "campaign key");
	if (!pv_ct_equal(pub, c->public_key, sizeof(pub)))
		return pv_fail(e, PV_E_VERIFY,
		    "the key in the token is not the key of campaign '%s'",
		    c->name);
	return 0;
}

static int
try_wrapping(const struct pv_wrapper *wrapper, struct pv_error *e)
{
	static const uint8_t context[32] = { 0 };
	struct pv_ec_key *peer = NULL;
	uint8_t ephemeral[64], pub[64], wrapped[40];
	size_t len = sizeof(wrapped);
	int r;

	r = pv_ec_generate(&peer, e);
	if (r == 0)
		r = pv_ec_public(peer, pub, e);
	if (r == 0)
		r = wrapper->ephemeral(wrapper->ctx, ephemeral, e);
	if (r == 0)
		r = wrapper->wrap(wrapper->ctx, pub, context, wrapped, &len, e);
	if (r == 0 && len != 24)
		r = pv_fail(e, PV_E_UNSUPPORTED,
		    "an SFI package needs a 16-byte key, this one has %zu",
		    len < 8 ? 0 : len - 8);
	pv_ec_free(peer);
	return r == 0 ? 0 : pv_wrap(e, "trying the package key");
}

int
pv_rules_try_key(const struct pv_campaign *c, const struct pv_campaign_io *io,
    struct pv_error *e)
{
	struct pv_ecies_profile p;
	int r = 0;

	if (io->wrapper != NULL)
		r = try_wrapping(io->wrapper, e);
	if (r != 0 || io->ecies == NULL)
		return r;
	r = pv_ecies_parse(c->license_profile, &p, e);
	if (r == 0)
		r = pv_ecies_try(io->ecies, &p, c->nonce, e);
	return r == 0 ? 0 : pv_wrap(e, "trying the package key");
}

static int
write_first(const struct pv_campaign *c, const struct pv_campaign_io *io,
    struct pv_error *e)
{
	struct pv_entry entry = { .kind = PV_ENTRY_CREATE, .create = *c };
	struct pv_head head = { .state = PV_STATE_OPERATIONAL };
	struct find f = { .name = c->name }, old = { .id = c->after };
	static const uint8_t none[sizeof(c->after)];
	int r;

	r = io->store->scan(io->store->ctx, NULL, 1, match_first, &f, e);
	if (r == 0 && f.found)
		r = pv_fail(e, PV_E_EXISTS,
		    "the ledger already has a campaign '%s'", c->name);
	if (r == 0 && memcmp(c->after, none, sizeof(none)) != 0) {
		r = io->store->scan(
		    io->store->ctx, NULL, 1, match_first, &old, e);
		if (r == 0 && !old.found)
			r = pv_fail(e, PV_E_NOT_FOUND,
			    "the ledger has no campaign that it could follow");
	}
	/* With a note of "nothing yet" in the token, a token without a note
	 * is always a wrong token (formats/ledger.md). */
	if (r == 0)
		r = pv_journal_anchor(c, io->anchor, &head, e);
	if (r == 0)
		r = pv_journal_append(c, io, &entry, &head, e);
	return r;
}

int
pv_campaign_create(const struct pv_campaign *c, const struct pv_campaign_io *io,
    struct pv_error *e)
{
	/* One creation at a time, so that names stay unique. No campaign has
	 * the id of all zeros. */
	static const uint8_t creation[16] = { 0 };
	int r;

	r = pv_rules_definition(c, e);
	if (r == 0)
		r = pv_rules_signer(c, io, e);
	if (r == 0)
		r = pv_rules_try_key(c, io, e);
	if (r == 0)
		r = io->store->lock(
		    io->store->ctx, creation, PV_JOURNAL_WAIT_MS, e);
	if (r != 0)
		return pv_wrap(e, "campaign '%s'", c->name);
	r = write_first(c, io, e);
	io->store->unlock(io->store->ctx);
	if (r != 0)
		return pv_wrap(e, "creating campaign '%s'", c->name);
	return 0;
}

/* --- recording and closing -------------------------------------------------- */

int
pv_rules_begin(const struct pv_campaign *c, const struct pv_campaign_io *io,
    struct pv_head *ret_head, struct pv_error *e)
{
	struct pv_head head;
	int r;

	r = pv_rules_signer(c, io, e);
	if (r == 0)
		r = io->store->lock(
		    io->store->ctx, c->id, PV_JOURNAL_WAIT_MS, e);
	if (r != 0)
		return r;
	r = pv_journal_head(io->store, io->memo, c, &head, e);
	if (r == 0)
		r = pv_journal_agree(c, io->store, io->anchor, &head, e);
	if (r != 0) {
		io->store->unlock(io->store->ctx);
		return r;
	}
	*ret_head = head;
	return 0;
}

int
pv_campaign_agree(const struct pv_campaign *c, const struct pv_campaign_io *io,
    struct pv_error *e)
{
	struct pv_head head;
	int r = pv_rules_begin(c, io, &head, e);

	if (r == 0)
		io->store->unlock(io->store->ctx);
	return r;
}

/* A result for a license must be for the license this chip has. */
static int
check_outcome(const struct pv_campaign *c, const struct pv_campaign_io *io,
    const struct pv_outcome *o, struct pv_error *e)
{
	struct pv_entry issued;
	int r;

	if (o->number == 0)
		return 0;
	r = pv_journal_issued(io->store, io->memo, c, o->chip, &issued, e);
	if (r == PV_E_NOT_FOUND || (r == 0 && issued.body.number != o->number))
		return pv_fail(e, PV_E_VERIFY,
		    "campaign '%s' did not issue license no. %" PRIu64
		    " to this chip",
		    c->name, o->number);
	return r;
}

int
pv_campaign_record(const struct pv_campaign *c, const struct pv_campaign_io *io,
    const struct pv_outcome *outcome, struct pv_error *e)
{
	struct pv_entry entry = { .kind = PV_ENTRY_RESULT };
	struct pv_head head;
	int r;

	/* An older ledger lacks licenses: that is the fault to name first. */
	r = pv_rules_begin(c, io, &head, e);
	if (r != 0)
		return pv_wrap(e, "recording the result");
	r = check_outcome(c, io, outcome, e);
	if (r != 0) {
		io->store->unlock(io->store->ctx);
		return pv_wrap(e, "recording the result");
	}
	entry.body.number = outcome->number;
	memcpy(entry.body.chip, outcome->chip, sizeof(entry.body.chip));
	entry.body.pass = outcome->pass;
	entry.body.code = outcome->code;
	pv_rules_text(entry.body.message, sizeof(entry.body.message),
	    outcome->message, sizeof(outcome->message));
	r = pv_journal_append(c, io, &entry, &head, e);
	io->store->unlock(io->store->ctx);
	return r == 0 ? 0 : pv_wrap(e, "recording the result");
}

int
pv_campaign_close(const struct pv_campaign *c, const struct pv_campaign_io *io,
    struct pv_error *e)
{
	struct pv_entry entry = { .kind = PV_ENTRY_CLOSE };
	struct pv_head head;
	int r;

	r = pv_rules_begin(c, io, &head, e);
	if (r != 0)
		return pv_wrap(e, "closing campaign '%s'", c->name);
	if (head.state == PV_STATE_CLOSED)
		r = pv_fail(
		    e, PV_E_CLOSED, "campaign '%s' is already closed", c->name);
	else
		r = pv_journal_append(c, io, &entry, &head, e);
	io->store->unlock(io->store->ctx);
	return r;
}
