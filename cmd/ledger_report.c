/* SPDX-License-Identifier: Apache-2.0 */
/* provisor ledger report: the counts of each campaign. */
#include "cmd/campaign.h"
#include "cmd/ledger.h"
#include "cmd/ledger_html.h"

#include "base/clock.h"
#include "ledger/tally.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void
counts_json(struct pv_json *o, const struct pv_tally_counts *n)
{
	pv_json_set_u64(o, "issued", n->issued);
	pv_json_set_u64(o, "passed", n->passed);
	pv_json_set_u64(o, "failed", n->failed);
}

static void
report_json(
    struct pv_json *o, const struct pv_campaign *c, const struct pv_tally *t)
{
	struct pv_json *list, *item;
	char when[PV_TIME_TEXT];

	pv_json_set_str(o, "campaign", c->name);
	pv_json_set_str(o, "state", pv_campaign_state(c));
	pv_json_set_u64(o, "max_licenses", c->max_licenses);
	counts_json(o, &t->n);
	pv_json_set_u64(o, "left", pv_minus(c->max_licenses, c->issued));
	pv_json_set_u64(o, "burnt", pv_minus(c->issued, t->n.issued));
	pv_json_set_u64(o, "denied", t->denied);
	pv_json_set_bool(o, "certificates_verified", c->n_trust != 0);
	item = pv_json_set_object(o, "failure_causes");
	for (size_t i = 0; i < t->n_causes; i++)
		pv_json_set_u64(
		    item, pv_code_name(t->causes[i].code), t->causes[i].n);
	list = pv_json_set_array(o, "stations");
	for (size_t i = 0; i < t->n_stations; i++) {
		item = pv_json_add_object(list);
		pv_json_set_str(item, "station", t->stations[i].name);
		counts_json(item, &t->stations[i].n);
	}
	list = pv_json_set_array(o, "hours");
	for (size_t i = 0; i < t->n_hours; i++) {
		item = pv_json_add_object(list);
		pv_hour_text(when, t->hours[i].hour);
		pv_json_set_str(item, "hour", when);
		counts_json(item, &t->hours[i].n);
	}
}

static void
report_text(const struct pv_app *app, const struct pv_campaign *c,
    const struct pv_tally *t)
{
	char yield[PV_YIELD_TEXT];
	bool named = t->n_stations > 1 ||
		     (t->n_stations == 1 && t->stations[0].name[0] != '\0');

	pv_yield_text(yield, &t->n);
	pv_out(app,
	    "%-20s %-11s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %6" PRIu64
	    " %8" PRIu64 " %8" PRIu64 " %8s\n",
	    c->name, pv_campaign_state(c), c->max_licenses, t->n.issued,
	    pv_minus(c->max_licenses, c->issued),
	    pv_minus(c->issued, t->n.issued), t->n.passed, t->n.failed, yield);
	for (size_t i = 0; named && i < t->n_stations; i++) {
		const struct pv_tally_station *s = &t->stations[i];

		pv_yield_text(yield, &s->n);
		pv_out(app,
		    "  %-39s %8" PRIu64 " %15s %8" PRIu64 " %8" PRIu64 " %8s\n",
		    s->name[0] == '\0' ? "(no station)" : s->name, s->n.issued,
		    "", s->n.passed, s->n.failed, yield);
	}
	for (size_t i = 0; i < t->n_causes; i++)
		pv_out(app, "  failed: %-14s %" PRIu64 "\n",
		    pv_code_name(t->causes[i].code), t->causes[i].n);
	if (c->n_trust == 0)
		pv_out(app, "  chip certificates were NOT verified\n");
	if (t->denied > 0)
		pv_out(app, "  denied chips: %" PRIu64 "\n", t->denied);
}

static int
report_all(struct pv_app *app, struct pv_store *store,
    const struct pv_campaigns *all, struct pv_html *html, struct pv_json *array,
    struct pv_error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < all->n; i++) {
		struct pv_tally t = { 0 };

		r = pv_tally_campaign(&t, store, &all->c[i], e);
		if (r == 0) {
			report_text(app, &all->c[i], &t);
			report_json(pv_json_add_object(array), &all->c[i], &t);
			if (html != NULL)
				pv_html_campaign(html, &all->c[i], &t);
		}
		pv_tally_release(&t);
	}
	return r;
}

int
pv_run_ledger_report(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	char *name = NULL, *page = NULL;
	struct poptOption table[] = {
		{ "campaign", 0, POPT_ARG_STRING, &name, 0,
		    "this campaign only", "NAME" },
		{ "html", 0, POPT_ARG_STRING, &page, 0,
		    "also write one self-contained page with charts", "F" },
		POPT_TABLEEND,
	};
	struct pv_campaigns all = { 0 };
	struct pv_store store = { 0 };
	struct pv_html *html = NULL;
	struct pv_json *o = NULL, *array;
	const char **args;
	int r;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r != 0)
		return r;
	o = pv_json_new_object();
	array = pv_json_set_array(o, "campaigns");
	r = pv_open_ledger(app, false, &store, e);
	if (r == 0)
		r = pv_campaigns_choose(&store, name, &all, e);
	if (r == 0 && page != NULL)
		r = pv_html_open(page, &html, e);
	if (r == 0)
		pv_out(app, "%-20s %-11s %8s %8s %8s %6s %8s %8s %8s\n",
		    "CAMPAIGN", "STATE", "LIMIT", "ISSUED", "LEFT", "BURNT",
		    "PASSED", "FAILED", "YIELD");
	if (r == 0)
		r = report_all(app, &store, &all, html, array, e);
	if (r == 0 && html != NULL)
		r = pv_html_finish(html, e);
	if (r == 0) {
		if (page != NULL) {
			pv_say(app, "page written to %s\n", page);
			pv_json_set_str(o, "saved", page);
		}
		pv_say(app, "not verified here: 'provisor ledger verify' "
			    "proves it\n");
		r = pv_out_json(app, o, e);
		o = NULL;
	}
	pv_json_free(o);
	pv_html_free(html);
	pv_campaigns_release(&all);
	pv_store_release(&store);
	return r;
}
