/* SPDX-License-Identifier: Apache-2.0 */
/* provisor ledger: prove what happened. */
#include "cmd/ledger.h"
#include "cmd/session.h"

#include "cmd/ledger_export.h"

#include "base/hex.h"
#include "formats/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- the campaigns to look at ------------------------------------------------ */

static int
add_campaign(void *ctx, const struct pv_campaign *c)
{
	struct pv_campaigns *all = ctx;
	struct pv_campaign *grown;

	grown = realloc(all->c, (all->n + 1) * sizeof(*grown));
	if (grown == NULL)
		return PV_E_NOMEM;
	all->c = grown;
	all->c[all->n++] = *c;
	return 0;
}

int
pv_campaigns_choose(struct pv_store *store, const char *name,
    struct pv_campaigns *ret_all, struct pv_error *e)
{
	struct pv_campaign c;
	int r;

	if (name == NULL) {
		r = pv_campaign_list(store, add_campaign, ret_all, e);
		if (r == PV_E_NOMEM)
			r = pv_fail(e, r, "out of memory");
		return r;
	}
	r = pv_campaign_load(store, name, &c, e);
	if (r == 0 && add_campaign(ret_all, &c) != 0)
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
	return r;
}

void
pv_campaigns_release(struct pv_campaigns *all)
{
	free(all->c);
	all->c = NULL;
	all->n = 0;
}

/* --- verify ------------------------------------------------------------------ */

struct audit {
	struct pv_app *app;
	struct pv_store store;
	struct pv_hsm *hsm;
	char hsm_uri[PV_CAMPAIGN_URI]; /* of hsm */
	bool no_token;
	struct pv_checkpoint *since;
	bool *since_used;
	size_t n_since;
	struct pv_json *array;
	uint64_t entries;
	char tail[160]; /* what the one-campaign line ends with */
};

/* The token of a campaign; the one already open is used again. */
static int
open_token(struct audit *a, const struct pv_campaign *c, struct pv_error *e)
{
	int r;

	if (a->hsm != NULL && strcmp(a->hsm_uri, c->token_uri) == 0)
		return 0;
	pv_hsm_close(a->hsm);
	a->hsm = NULL;
	r = pv_open_campaign_token(a->app, c, &a->hsm, e);
	if (r != 0) {
		(void)pv_hint(e, "'provisor ledger verify --no-token' checks "
				 "the ledger alone");
		return r;
	}
	(void)snprintf(a->hsm_uri, sizeof(a->hsm_uri), "%s", c->token_uri);
	return 0;
}

/* With every checkpoint that is of this campaign. */
static int
verify_since(struct audit *a, const struct pv_campaign *c,
    const struct pv_campaign_io *io, struct pv_verify_report *ret_rep,
    struct pv_error *e)
{
	bool done = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->n_since; i++) {
		const struct pv_checkpoint *cp = &a->since[i];

		if (memcmp(cp->campaign_id, c->id, sizeof(c->id)) != 0)
			continue;
		r = pv_ledger_verify_since(c, io, cp, ret_rep, e);
		a->since_used[i] = true;
		done = true;
	}
	return done || r != 0 ? r : pv_ledger_verify(c, io, ret_rep, e);
}

static int
audit_campaign(struct audit *a, const struct pv_campaign *c,
    struct pv_verify_report *ret_rep, struct pv_error *e)
{
	struct pv_campaign_io io = { .store = &a->store };
	struct pv_signer signer = { 0 };
	struct pv_anchor anchor = { 0 };
	int r = 0;

	if (!a->no_token) {
		r = open_token(a, c, e);
		if (r == 0)
			r = pv_hsm_signer(a->hsm, c->signer_uri, &signer, e);
		if (r == 0)
			r = pv_open_anchor(a->hsm, c->id, &anchor, e);
		io.signer = &signer;
		io.anchor = &anchor;
	}
	if (r == 0)
		r = verify_since(a, c, &io, ret_rep, e);
	pv_anchor_release(&anchor);
	pv_signer_release(&signer);
	return r;
}

/* --- notes of campaigns that the ledger lacks --------------------------------- */

struct strangers {
	const struct pv_campaigns *all;
	const struct audit *a;
	bool refuse;
};

/*
 * A note of "nothing yet" is of a create that was cut short: had its campaign
 * had as much as two entries, the note would say so.
 */
static bool
only_begun(const struct strangers *s, const char *hex)
{
	struct pv_anchor anchor = { 0 };
	struct pv_note note = { .seq = 1 };
	uint8_t id[16], data[PV_ANCHOR_MAX];
	size_t len = sizeof(data);
	int r = PV_E_MALFORMED;

	if (strlen(hex) == 2 * sizeof(id))
		r = pv_hex_decode(hex, id, sizeof(id), NULL);
	if (r == 0)
		r = pv_open_anchor(s->a->hsm, id, &anchor, NULL);
	if (r == 0)
		r = anchor.read(anchor.ctx, data, &len, NULL);
	if (r == 0)
		r = pv_note_decode(data, len, &note, NULL);
	pv_anchor_release(&anchor);
	return r == 0 && note.seq == 0;
}

static int
check_note(void *ctx, const char *label, struct pv_error *e)
{
	const struct strangers *s = ctx;
	const char *id = label + strlen(PV_ANCHOR_LABEL);
	char hex[33];

	for (size_t i = 0; i < s->all->n; i++) {
		pv_hex_encode(hex, s->all->c[i].id, sizeof(s->all->c[i].id));
		if (strcmp(hex, id) == 0)
			return 0;
	}
	if (only_begun(s, id)) {
		pv_say(s->a->app,
		    "token '%s' has a note of campaign %.8s..., which was "
		    "begun and not written: nothing was issued from it\n",
		    pv_hsm_token_label(s->a->hsm), id);
		return 0;
	}
	if (!s->refuse) {
		pv_say(s->a->app,
		    "token '%s' also serves campaign %.8s..., which is in "
		    "another ledger\n",
		    pv_hsm_token_label(s->a->hsm), id);
		return 0;
	}
	(void)pv_fail(e, PV_E_ROLLBACK,
	    "token '%s' has the note of campaign %.32s, which this ledger "
	    "lacks",
	    pv_hsm_token_label(s->a->hsm), id);
	return pv_hint(e,
	    "the ledger is older than the token, or entries were removed; if "
	    "another ledger uses this token too, say --shared-token");
}

/*
 * A campaign that was removed from the ledger leaves no trace in it, but its
 * note is still in the token.
 */
static int
check_strangers(struct audit *a, const struct pv_campaigns *all,
    const char *token, bool shared, struct pv_error *e)
{
	struct strangers s = { all, a, !shared };
	int r = 0;

	if (token != NULL) {
		pv_hsm_close(a->hsm);
		a->hsm = NULL;
		r = pv_open_token(a->app, token, &a->hsm, e);
	}
	if (r == 0 && a->hsm != NULL)
		r = pv_hsm_anchor_names(
		    a->hsm, PV_ANCHOR_LABEL, check_note, &s, e);
	return r;
}

static void
audit_json(struct pv_json *o, const struct pv_campaign *c,
    const struct pv_verify_report *rep)
{
	pv_json_set_str(o, "campaign", c->name);
	pv_json_set_hex(o, "campaign_id", c->id, sizeof(c->id));
	pv_json_set_u64(o, "entries", rep->entries);
	pv_json_set_u64(o, "max_licenses", c->max_licenses);
	pv_json_set_u64(o, "spent", rep->spent);
	pv_json_set_u64(o, "issued", rep->issued);
	pv_json_set_u64(o, "burnt", rep->spent - rep->issued);
	pv_json_set_u64(o, "passed", rep->passed);
	pv_json_set_u64(o, "failed", rep->failed);
	pv_json_set_u64(o, "denied", rep->denied);
	pv_json_set_u64(o, "repairs", rep->repairs);
	pv_json_set_u64(o, "packages_again", rep->packages_again);
	pv_json_set_u64(o, "clock_steps_back", rep->clock_steps);
	if (rep->clock_steps > 0) {
		pv_json_set_u64(o, "clock_step_back_at", rep->clock_step_at);
		pv_json_set_int(o, "clock_step_back_ms", rep->clock_step_ms);
	}
	pv_json_set_u64(o, "clock_unsynchronized", rep->unsynced);
	pv_json_set_hex(o, "head", rep->head, sizeof(rep->head));
	pv_json_set_bool(o, "chain", true);
	pv_json_set_bool(o, "signatures", true);
	pv_json_set_bool(o, "anchor_checked", rep->anchor_checked);
}

static int
audit_one(struct audit *a, const struct pv_campaign *c, struct pv_error *e)
{
	struct pv_verify_report rep;
	char head[12];
	int r;

	r = audit_campaign(a, c, &rep, e);
	if (r != 0)
		return r;
	pv_short_hex(head, rep.head);
	if (rep.anchor_checked)
		(void)snprintf(a->tail, sizeof(a->tail),
		    "chain intact, signatures valid, token anchor agrees "
		    "(%" PRIu64 ", %s)",
		    rep.entries, head);
	else
		(void)snprintf(a->tail, sizeof(a->tail),
		    "chain intact, signatures valid, token anchor NOT checked "
		    "(--no-token)");
	pv_say(a->app,
	    "campaign %s: %" PRIu64 " of %" PRIu64 " licenses issued, %" PRIu64
	    " burnt, %" PRIu64 " passed, %" PRIu64 " failed\n",
	    c->name, rep.issued, c->max_licenses, rep.spent - rep.issued,
	    rep.passed, rep.failed);
	if (rep.repairs > 0)
		pv_say(a->app,
		    "campaign %s: the token's note was repaired %" PRIu64
		    " times\n",
		    c->name, rep.repairs);
	if (rep.packages_again > 0)
		pv_say(a->app,
		    "campaign %s: %" PRIu64 " licenses are for a package that "
		    "another chip has already: its secrets are in both\n",
		    c->name, rep.packages_again);
	if (rep.clock_steps > 0)
		pv_say(a->app,
		    "campaign %s: the clock ran backwards %" PRIu64 " times, "
		    "first at entry %" PRIu64 ", by up to %.1f s; order is by "
		    "the chain, not by the clock\n",
		    c->name, rep.clock_steps, rep.clock_step_at,
		    (double)rep.clock_step_ms / 1000);
	if (rep.unsynced > 0)
		pv_say(a->app,
		    "campaign %s: %" PRIu64 " entries were written under a "
		    "clock that no time service controlled\n",
		    c->name, rep.unsynced);
	audit_json(pv_json_add_object(a->array), c, &rep);
	a->entries += rep.entries;
	return 0;
}

static int
read_checkpoints(struct audit *a, char *const *paths, struct pv_error *e)
{
	size_t n = 0;
	int r = 0;

	while (paths != NULL && paths[n] != NULL)
		n++;
	if (n == 0)
		return 0;
	a->since = calloc(n, sizeof(*a->since));
	a->since_used = calloc(n, sizeof(*a->since_used));
	if (a->since == NULL || a->since_used == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (; r == 0 && a->n_since < n; a->n_since++)
		r = pv_checkpoint_read(
		    paths[a->n_since], &a->since[a->n_since], e);
	return r;
}

/* A checkpoint that no campaign answers to is itself the finding. */
static int
all_checkpoints_used(const struct audit *a, char *const *paths,
    const char *name, struct pv_error *e)
{
	for (size_t i = 0; i < a->n_since; i++) {
		const struct pv_checkpoint *cp = &a->since[i];

		if (a->since_used[i])
			continue;
		if (name != NULL)
			return pv_fail(e, PV_E_USAGE,
			    "'%s' is of campaign '%s', not of '%s'", paths[i],
			    cp->name, name);
		return pv_fail(e, PV_E_ROLLBACK,
		    "the ledger lacks campaign '%s', of which '%s' saw %" PRIu64
		    " entries",
		    cp->name, paths[i], cp->seq);
	}
	return 0;
}

static void
checkpoints_json(const struct audit *a, struct pv_json *o)
{
	struct pv_json *list;

	if (a->n_since == 0)
		return;
	list = pv_json_set_array(o, "since");
	for (size_t i = 0; i < a->n_since; i++)
		pv_checkpoint_json(pv_json_add_object(list), &a->since[i]);
}

static int
run_verify(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct audit a = { .app = app };
	char *name = NULL, *token = NULL, path[4096], **since = NULL;
	int no_token = 0, shared = 0, r;
	struct poptOption table[] = {
		{ "campaign", 0, POPT_ARG_STRING, &name, 0,
		    "this campaign only", "NAME" },
		{ "no-token", 0, POPT_ARG_NONE, &no_token, 0,
		    "check the ledger alone, not the token's note", NULL },
		{ "since", 0, POPT_ARG_ARGV, &since, 0,
		    "nothing before this checkpoint may have changed; may be "
		    "given again",
		    "CHECKPOINT" },
		{ "token", 0, POPT_ARG_STRING, &token, 0,
		    "look for notes that the ledger lacks in this token",
		    "URI" },
		{ "shared-token", 0, POPT_ARG_NONE, &shared, 0,
		    "other ledgers use the token too: name their campaigns, "
		    "do not refuse",
		    NULL },
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_campaigns all = { 0 };
	struct pv_json *o = NULL;
	const char **args;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r != 0)
		return r;
	a.no_token = no_token != 0;
	o = pv_json_new_object();
	a.array = pv_json_set_array(o, "campaigns");
	r = read_checkpoints(&a, since, e);
	if (r == 0)
		r = pv_ledger_path(app, path, sizeof(path), e);
	if (r == 0)
		r = pv_open_ledger(app, false, &a.store, e);
	if (r == 0)
		r = pv_campaigns_choose(&a.store, name, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++)
		r = audit_one(&a, &all.c[i], e);
	if (r == 0)
		r = all_checkpoints_used(&a, since, name, e);
	if (r == 0 && name == NULL && !a.no_token)
		r = check_strangers(&a, &all, token, shared != 0, e);
	if (r != 0)
		goto out;
	if (all.n == 0)
		pv_out(app, "ledger %s: no campaigns; %s\n", path,
		    a.hsm != NULL ? "the token has no note of one either"
				  : "no token was looked at (--token URI)");
	else if (all.n == 1)
		pv_out(app, "ledger %s: %" PRIu64 " entries, %s\n", path,
		    a.entries, a.tail);
	else
		pv_out(app,
		    "ledger %s: %zu campaigns, %" PRIu64 " entries, chains "
		    "intact, signatures valid, token anchors %s\n",
		    path, all.n, a.entries,
		    a.no_token ? "NOT checked (--no-token)" : "agree");
	for (size_t i = 0; i < a.n_since; i++)
		pv_out(app,
		    "checkpoint %s: nothing up to entry %" PRIu64
		    " of campaign %s changed\n",
		    since[i], a.since[i].seq, a.since[i].name);
	checkpoints_json(&a, o);
	pv_json_set_str(o, "ledger", path);
	pv_json_set_str(o, "result", "pass");
	pv_json_set_u64(o, "entries", a.entries);
	r = pv_out_json(app, o, e);
	o = NULL;
out:
	pv_json_free(o);
	pv_campaigns_release(&all);
	free(a.since);
	free(a.since_used);
	pv_hsm_close(a.hsm);
	pv_store_release(&a.store);
	return r;
}

/* --- export ------------------------------------------------------------------ */

static int
run_export(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	char *format = NULL, *name = NULL, *output = NULL;
	struct poptOption table[] = {
		{ "format", 0, POPT_ARG_STRING, &format, 0,
		    "one JSON object per line, or CSV for a spreadsheet",
		    "jsonl|csv" },
		{ "campaign", 0, POPT_ARG_STRING, &name, 0,
		    "this campaign only", "NAME" },
		{ "output", 'o', POPT_ARG_STRING, &output, 0,
		    "file to write, default standard output", "F" },
		POPT_TABLEEND,
	};
	struct pv_campaigns all = { 0 };
	struct pv_store store = { 0 };
	struct pv_export *x = NULL;
	const char **args;
	struct pv_json *o;
	int r;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r != 0)
		return r;
	if (app->json && output == NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--json prints one object: give -o for the export");
	r = pv_export_open(format, output, &x, e);
	if (r == 0)
		r = pv_open_ledger(app, false, &store, e);
	if (r == 0)
		r = pv_campaigns_choose(&store, name, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++)
		r = pv_export_campaign(x, &store, &all.c[i], e);
	if (r == 0)
		r = pv_export_finish(x, e);
	if (r == 0) {
		pv_say(
		    app, "%" PRIu64 " entries exported\n", pv_export_count(x));
		o = pv_json_new_object();
		pv_json_set_u64(o, "entries", pv_export_count(x));
		if (output != NULL)
			pv_json_set_str(o, "saved", output);
		r = pv_out_json(app, o, e);
	}
	pv_export_free(x);
	pv_campaigns_release(&all);
	pv_store_release(&store);
	return r;
}

/* --- init -------------------------------------------------------------------- */

int
pv_run_ledger_init(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption table[] = { POPT_TABLEEND };
	struct pv_store store = { 0 };
	const char **args;
	struct pv_json *o;
	char path[4096];
	int r;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r == 0)
		r = pv_ledger_path(app, path, sizeof(path), e);
	if (r == 0)
		r = pv_open_ledger_mode(app, PV_STORE_INIT, &store, e);
	pv_store_release(&store);
	if (r != 0)
		return r;
	pv_out(app, "ledger %s: ready\n", path);
	o = pv_json_new_object();
	pv_json_set_str(o, "ledger", path);
	pv_json_set_str(o, "result", "pass");
	return pv_out_json(app, o, e);
}

const struct pv_verb pv_verbs_ledger[] = {
	{ "ledger", "verify",
	    "[--campaign NAME] [--token URI] [--shared-token] [--no-token] "
	    "[--since CHECKPOINT]...",
	    "re-check every entry, and that ledger and token agree",
	    "provisor ledger verify", run_verify },
	{ "ledger", "anchor", "--campaign NAME [--export F]",
	    "where a campaign stands in ledger and token, as a checkpoint",
	    "provisor ledger anchor --campaign spring --export "
	    "spring-may.checkpoint",
	    pv_run_ledger_anchor },
	{ "ledger", "repair", "--campaign NAME [--yes]",
	    "bring a token that lost its last notes back to the ledger",
	    "provisor ledger repair --campaign spring --yes",
	    pv_run_ledger_repair },
	{ "ledger", "export", "[--format jsonl|csv] [--campaign NAME] [-o F]",
	    "write every entry out, oldest first",
	    "provisor ledger export --format csv -o spring.csv", run_export },
	{ "ledger", "report", "[--campaign NAME] [--html F]",
	    "licenses used and left, yield, and why chips failed",
	    "provisor ledger report --html spring.html", pv_run_ledger_report },
	{ "ledger", "merge",
	    "LEDGER... [--campaign-key PEM]... [--max-licenses N] [-o F]",
	    "join the ledgers of several sites and say what is wrong",
	    "provisor ledger merge lyon.jsonl pune.jsonl --max-licenses 5000",
	    pv_run_ledger_merge },
	{ "ledger", "init", "", "make an empty ledger, or see that it is one",
	    "provisor ledger init --ledger postgresql://db.example/provisor",
	    pv_run_ledger_init },
	{ 0 },
};
