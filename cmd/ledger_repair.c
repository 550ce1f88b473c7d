/* SPDX-License-Identifier: Apache-2.0 */
/* provisor ledger repair: a token that lost its last notes. */
#include "cmd/ledger.h"
#include "cmd/session.h"

#include <inttypes.h>
#include <string.h>

/* The session without the agreement of ledger and token, which is missing. */
static int
open_session(struct pv_app *app, const char *name,
    struct pv_campaign_session *s, struct pv_error *e)
{
	const struct pv_campaign *c = &s->campaign;
	int r;

	r = pv_open_ledger(app, false, &s->store, e);
	if (r == 0)
		r = pv_campaign_load(&s->store, name, &s->campaign, e);
	if (r == 0)
		r = pv_open_campaign_token(app, c, &s->hsm, e);
	if (r == 0)
		r = pv_hsm_signer(s->hsm, c->signer_uri, &s->signer, e);
	if (r == 0)
		r = pv_open_anchor(s->hsm, c->id, &s->anchor, e);
	if (r != 0)
		return r;
	s->io.store = &s->store;
	s->io.signer = &s->signer;
	s->io.anchor = &s->anchor;
	pv_io_who(app, &s->io);
	return 0;
}

static int
report(struct pv_app *app, const struct pv_campaign *c,
    const struct pv_repair *rep, bool applied, struct pv_error *e)
{
	struct pv_json *o;

	if (!rep->needed)
		pv_out(app,
		    "campaign %s: ledger and token agree, nothing to repair\n",
		    c->name);
	else
		pv_out(app,
		    "campaign %s: the token had noted entry %" PRIu64
		    ", now it has the ledger's %" PRIu64
		    " and the entry that says so\n",
		    c->name, rep->noted, rep->head);
	o = pv_json_new_object();
	pv_json_set_str(o, "campaign", c->name);
	pv_json_set_bool(o, "repaired", applied && rep->needed);
	pv_json_set_u64(o, "noted", rep->noted);
	pv_json_set_u64(o, "head", rep->head);
	return pv_out_json(app, o, e);
}

int
pv_run_ledger_repair(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	char *campaign = NULL;
	int yes = 0, r;
	struct poptOption table[] = {
		{ "campaign", 0, POPT_ARG_STRING, &campaign, 0,
		    "the campaign whose note fell behind", "NAME" },
		{ "yes", 0, POPT_ARG_NONE, &yes, 0,
		    "write; without it nothing is changed", NULL },
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_campaign_session s = { 0 };
	struct pv_repair rep = { 0 };
	const char **args;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r == 0)
		r = pv_need(e, campaign, "--campaign");
	if (r != 0)
		return r;
	r = open_session(app, campaign, &s, e);
	if (r == 0)
		r = pv_campaign_repair(&s.campaign, &s.io, yes != 0, &rep, e);
	if (r == 0 && rep.needed && !yes) {
		(void)pv_fail(e, PV_E_IRREVERSIBLE,
		    "the token has noted entry %" PRIu64
		    ", the ledger goes on from it to entry %" PRIu64,
		    rep.noted, rep.head);
		r = pv_hint(e,
		    "nothing was changed. After a power cut repeat with "
		    "--yes; if the token was put back from a copy, first be "
		    "sure that no other ledger was used with it");
	}
	if (r == 0)
		r = report(app, &s.campaign, &rep, yes != 0, e);
	pv_campaign_session_close(&s);
	return r;
}
