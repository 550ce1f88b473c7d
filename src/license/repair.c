/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token whose note fell behind: SoftHSM2 does not sync its files, so a power
 * cut can take several notes with it. formats/ledger.md, section 4.
 */
#include <provisor/campaign.h>

#include "formats/ledger.h"
#include "ledger/journal.h"
#include "license/rules.h"

#include <string.h>

/* Under the lock. */
static int
repair(const struct pv_campaign *c, const struct pv_campaign_io *io, bool apply,
    struct pv_repair *ret_r, struct pv_error *e)
{
	struct pv_entry entry = { .kind = PV_ENTRY_REPAIR };
	struct pv_campaign_io alone = *io;
	struct pv_verify_report rep;
	struct pv_head head;
	int r;

	r = pv_journal_head(io->store, io->memo, c, &head, e);
	if (r == 0)
		r = pv_journal_noted(
		    c, io->store, io->anchor, &head, &ret_r->noted, e);
	if (r != 0)
		return r;
	ret_r->head = head.seq;
	ret_r->needed = head.seq - ret_r->noted > 1;
	/* One entry behind is what every command puts right by itself. */
	if (!ret_r->needed)
		return pv_journal_agree(c, io->store, io->anchor, &head, e);
	alone.anchor = NULL;
	r = pv_ledger_verify(c, &alone, &rep, e);
	if (r == 0 && memcmp(rep.head, head.hash, sizeof(rep.head)) != 0)
		r = pv_fail(e, PV_E_ROLLBACK,
		    "the ledger changed while it was audited");
	if (r != 0 || !apply)
		return r;
	entry.body.number = ret_r->noted;
	return pv_journal_append(c, io, &entry, &head, e);
}

int
pv_campaign_repair(const struct pv_campaign *c, const struct pv_campaign_io *io,
    bool apply, struct pv_repair *ret_r, struct pv_error *e)
{
	struct pv_repair done = { 0 };
	int r;

	r = pv_rules_signer(c, io, e);
	if (r == 0)
		r = io->store->lock(
		    io->store->ctx, c->id, PV_JOURNAL_WAIT_MS, e);
	if (r != 0)
		return pv_wrap(e, "repairing campaign '%s'", c->name);
	r = repair(c, io, apply, &done, e);
	io->store->unlock(io->store->ctx);
	if (r != 0)
		return pv_wrap(e, "repairing campaign '%s'", c->name);
	*ret_r = done;
	return 0;
}
