/* SPDX-License-Identifier: Apache-2.0 */
/* provisor campaign revise, open, deny: what a signed entry changes. */
#include "cmd/campaign.h"
#include "cmd/session.h"

#include "formats/certificate.h"

#include <inttypes.h>
#include <string.h>

/* Show the campaign as the ledger has it now. */
static int
say_now(struct pv_app *app, struct pv_campaign_session *s, const char *done,
    struct pv_error *e)
{
	struct pv_campaign *c = &s->campaign;
	struct pv_json *o;
	int r;

	r = pv_campaign_load(&s->store, c->name, c, e);
	if (r != 0)
		return r;
	pv_out(app, "campaign %s: %s, %" PRIu64 " licenses, %s\n", c->name,
	    done, c->max_licenses, pv_campaign_state(c));
	o = pv_json_new_object();
	pv_campaign_json(o, c);
	return pv_out_json(app, o, e);
}

/* --- revise ----------------------------------------------------------------- */

/*
 * The session of a draft whose definition has changed: its wrapper is over
 * the new package key, so that the key is tried before it is written down.
 */
static int
revise(struct pv_app *app, const char *name, const struct pv_campaign_args *a,
    struct pv_campaign_session *s, struct pv_error *e)
{
	struct pv_campaign *c = &s->campaign;
	int r;

	r = pv_open_ledger(app, false, &s->store, e);
	if (r == 0)
		r = pv_campaign_load(&s->store, name, c, e);
	if (r == 0)
		r = pv_campaign_define(c, a, e);
	if (r == 0)
		r = pv_campaign_session_wire(app, s, e);
	/* Without a CA it was accepted so when it was created. */
	c->accept_unverified = c->n_trust == 0;
	return r == 0 ? pv_campaign_revise(c, &s->io, e) : r;
}

int
pv_run_campaign_revise(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pv_campaign_args a = { 0 };
	struct poptOption table[] = {
		PV_OPT_DEFINITION(&a),
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_campaign_session s = { 0 };
	const char **args;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &args, e);
	if (r != 0)
		return r;
	if (a.product == NULL && a.firmware == NULL && a.limit == NULL &&
	    a.key == NULL && a.nonce == NULL && a.trust == NULL)
		return pv_fail(e, PV_E_USAGE,
		    "nothing to change: give one of --product-id, "
		    "--firmware-id, --max-licenses, --key, --nonce, --trust");
	r = revise(app, args[0], &a, &s, e);
	if (r == 0)
		r = say_now(app, &s, "revised", e);
	pv_campaign_session_close(&s);
	return r;
}

/* --- open ------------------------------------------------------------------- */

int
pv_run_campaign_open(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption table[] = { PV_OPT_PIN(app), POPT_TABLEEND };
	struct pv_campaign_session s;
	const char **args;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &args, e);
	if (r != 0)
		return r;
	r = pv_campaign_session_open(app, args[0], &s, e);
	if (r != 0)
		return r;
	r = pv_campaign_open(&s.campaign, &s.io, e);
	if (r == 0)
		r = say_now(app, &s, "opened", e);
	if (r == 0)
		pv_say(app, "nothing of it can change from now on; a further "
			    "budget is a new campaign\n");
	pv_campaign_session_close(&s);
	return r;
}

/* --- deny ------------------------------------------------------------------- */

static int
deny(struct pv_app *app, struct pv_campaign_session *s, const char *path,
    const struct pv_certificate *cert, const char *reason, struct pv_error *e)
{
	const struct pv_campaign *c = &s->campaign;
	bool already = false, has = false;
	struct pv_issued l;
	struct pv_json *o;
	int r;

	/* Looked up first: a denied chip gets no answer any more. */
	r = pv_license_find(c, &s->store, cert->bytes, &l, e);
	if (r == 0)
		has = true;
	else if (r != PV_E_NOT_FOUND && r != PV_E_POLICY)
		return r;
	pv_error_clear(e);
	r = pv_campaign_deny(c, &s->io, cert->bytes, reason, &already, e);
	if (r != 0)
		return r;
	pv_out(app, "campaign %s: the chip of %s is %s the deny list\n",
	    c->name, path, already ? "already on" : "on");
	if (has)
		pv_say(app,
		    "it has license no. %" PRIu64 " since before: that one "
		    "is not taken back, but not given again\n",
		    l.number);
	o = pv_json_new_object();
	pv_json_set_str(o, "campaign", c->name);
	pv_json_set_bool(o, "denied", true);
	pv_json_set_bool(o, "already", already);
	if (has)
		pv_json_set_u64(o, "license", l.number);
	return pv_out_json(app, o, e);
}

int
pv_run_campaign_deny(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	char *certificate = NULL, *reason = NULL;
	struct poptOption table[] = {
		{ "certificate", 0, POPT_ARG_STRING, &certificate, 0,
		    "certificate of the chip, 136 bytes", "CERT" },
		{ "reason", 0, POPT_ARG_STRING, &reason, 0,
		    "why, for the record", "TEXT" },
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_campaign_session s;
	struct pv_certificate cert;
	const char **args;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &args, e);
	if (r == 0)
		r = pv_need(e, certificate, "--certificate");
	if (r == 0)
		r = pv_certificate_read(certificate, &cert, e);
	if (r == 0)
		r = pv_campaign_session_open(app, args[0], &s, e);
	if (r != 0)
		return r;
	r = deny(app, &s, certificate, &cert, reason, e);
	pv_campaign_session_close(&s);
	return r;
}
