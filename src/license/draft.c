/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to a campaign besides its licenses: a draft is revised and
 * opened, chips are denied. Each is a signed entry like every other.
 */
#include <provisor/campaign.h>

#include "formats/ledger.h"
#include "ledger/journal.h"
#include "license/rules.h"

#include <string.h>

/*
 * The lock, agreement of ledger and token, and the draft as the caller
 * loaded it: a revision by somebody else in between must be looked at first.
 */
static int
begin_draft(const struct pv_campaign *c, const struct pv_campaign_io *io,
    struct pv_head *ret_head, struct pv_error *e)
{
	struct pv_campaign now;
	int r;

	r = pv_rules_begin(c, io, ret_head, e);
	if (r != 0)
		return r;
	if (ret_head->state != PV_STATE_DRAFT)
		r = pv_fail(e, PV_E_POLICY,
		    "it is %s, no draft: nothing of it can change",
		    pv_entry_state_name(ret_head->state));
	if (r == 0)
		r = pv_campaign_load_id(io->store, c->id, &now, e);
	if (r == 0 && now.defined_by != c->defined_by) {
		r = pv_fail(e, PV_E_POLICY,
		    "the draft was revised by somebody else just now");
		(void)pv_hint(
		    e, "look at it with 'provisor campaign show %s'", c->name);
	}
	if (r == 0)
		r = pv_rules_same_campaign(&now, c, e);
	if (r != 0)
		io->store->unlock(io->store->ctx);
	return r;
}

int
pv_campaign_revise(const struct pv_campaign *c, const struct pv_campaign_io *io,
    struct pv_error *e)
{
	struct pv_entry entry = { .kind = PV_ENTRY_REVISE, .create = *c };
	struct pv_head head;
	int r;

	r = pv_rules_definition(c, e);
	if (r == 0)
		r = pv_rules_try_key(c, io, e);
	if (r == 0)
		r = begin_draft(c, io, &head, e);
	if (r != 0)
		return pv_wrap(e, "revising campaign '%s'", c->name);
	r = pv_journal_append(c, io, &entry, &head, e);
	io->store->unlock(io->store->ctx);
	return r == 0 ? 0 : pv_wrap(e, "revising campaign '%s'", c->name);
}

int
pv_campaign_open(const struct pv_campaign *c, const struct pv_campaign_io *io,
    struct pv_error *e)
{
	struct pv_entry entry = { .kind = PV_ENTRY_OPEN };
	struct pv_head head;
	int r;

	/* The last chance to find a key that cannot serve. */
	r = pv_rules_try_key(c, io, e);
	if (r == 0)
		r = begin_draft(c, io, &head, e);
	if (r != 0)
		return pv_wrap(e, "opening campaign '%s'", c->name);
	r = pv_journal_append(c, io, &entry, &head, e);
	io->store->unlock(io->store->ctx);
	return r == 0 ? 0 : pv_wrap(e, "opening campaign '%s'", c->name);
}

/* --- deny list -------------------------------------------------------------- */

int
pv_rules_not_denied(const struct pv_campaign *c, struct pv_store *store,
    struct pv_memo *memo, const uint8_t chip[32], struct pv_error *e)
{
	bool denied = false;
	int r = pv_journal_denied(store, memo, c, chip, &denied, e);

	if (r != 0)
		return r;
	if (!denied)
		return 0;
	r = pv_fail(e, PV_E_POLICY,
	    "this chip is on the deny list of campaign '%s'", c->name);
	(void)pv_hint(e, "no license was spent; 'provisor ledger export' shows "
			 "who denied it and why");
	return r;
}

int
pv_campaign_deny(const struct pv_campaign *c, const struct pv_campaign_io *io,
    const uint8_t certificate[136], const char *reason, bool *ret_already,
    struct pv_error *e)
{
	struct pv_entry entry = { .kind = PV_ENTRY_DENY };
	struct pv_head head;
	bool denied = false;
	int r;

	r = pv_campaign_chip(c, certificate, entry.body.chip, e);
	if (r == 0)
		r = pv_rules_begin(c, io, &head, e);
	if (r != 0)
		return pv_wrap(e, "denying a chip");
	if (reason != NULL)
		pv_rules_text(entry.body.message, sizeof(entry.body.message),
		    reason, strlen(reason));
	r = pv_journal_denied(
	    io->store, io->memo, c, entry.body.chip, &denied, e);
	if (r == 0 && !denied)
		r = pv_journal_append(c, io, &entry, &head, e);
	io->store->unlock(io->store->ctx);
	if (r != 0)
		return pv_wrap(e, "denying a chip");
	if (ret_already != NULL)
		*ret_already = denied;
	return 0;
}

int
pv_campaign_check_denied(const struct pv_campaign *c, struct pv_store *store,
    const uint8_t certificate[136], struct pv_error *e)
{
	uint8_t chip[32];
	int r = pv_campaign_chip(c, certificate, chip, e);

	return r != 0 ? r : pv_rules_not_denied(c, store, NULL, chip, e);
}
