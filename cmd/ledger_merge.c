/* SPDX-License-Identifier: Apache-2.0 */
/* provisor ledger merge: the ledgers of several sites side by side. */
#include "cmd/ledger.h"
#include "cmd/ledger_export.h"

#include "base/hex.h"
#include "crypto/ec.h"
#include "formats/ledger.h"
#include "ledger/merge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Longest line of an export: an entry in hex and its fields again. */
#define LINE_CAP 65536U
#define KEYS_MAX 64U

struct merging {
	struct pv_app *app;
	struct pv_merge *m;
	struct pv_json *findings;
	uint8_t keys[KEYS_MAX][64];
	size_t n_keys;
	uint64_t limit;
	unsigned int site;
	uint64_t records; /* of this site */
};

/* --- one site ------------------------------------------------------------------ */

static int
add(struct merging *g, const uint8_t *entry, size_t len,
    const uint8_t signature[64], struct pv_error *e)
{
	g->records++;
	return pv_merge_add(g->m, g->site, entry, len, signature, e);
}

/* Only the signed bytes count; the rest of the line is there to be read. */
static int
add_line(struct merging *g, const char *line, size_t len, struct pv_error *e)
{
	uint8_t entry[PV_ENTRY_MAX], signature[64];
	const char *hex, *sig;
	struct pv_json *root = NULL;
	size_t n;
	int r;

	r = pv_json_parse(line, len, &root, e);
	if (r == 0)
		r = pv_json_str(root, "entry", &hex, e);
	if (r == 0)
		r = pv_json_str(root, "signature", &sig, e);
	if (r == 0) {
		n = strlen(hex) / 2;
		if (n > sizeof(entry))
			r = pv_fail(e, PV_E_MALFORMED,
			    "'entry' has %zu bytes, at most %zu", n,
			    sizeof(entry));
		else
			r = pv_hex_decode(hex, entry, n, e);
	}
	if (r == 0)
		r = pv_hex_decode(sig, signature, sizeof(signature), e);
	if (r == 0)
		r = add(g, entry, n, signature, e);
	pv_json_free(root);
	return r;
}

static int
add_export(struct merging *g, FILE *f, struct pv_error *e)
{
	char *line = malloc(LINE_CAP);
	uint64_t at = 0;
	int r = 0;

	if (line == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	while (r == 0 && fgets(line, LINE_CAP, f) != NULL) {
		size_t len = strlen(line);

		at++;
		if (len > 0 && line[len - 1] != '\n' && !feof(f))
			r = pv_fail(e, PV_E_MALFORMED,
			    "longer than %u bytes, or not text", LINE_CAP - 1);
		else
			r = add_line(g, line, len, e);
		if (r != 0)
			(void)pv_wrap(e, "line %" PRIu64, at);
	}
	if (r == 0 && ferror(f) != 0)
		r = pv_fail_errno(e, PV_E_IO, errno, "reading");
	free(line);
	return r;
}

static int
add_record(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	return add(ctx, rec->entry, rec->entry_len, rec->signature, e);
}

struct ids {
	uint8_t (*id)[16];
	size_t n;
};

static int
take_id(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	struct ids *ids = ctx;
	void *p = realloc(ids->id, (ids->n + 1) * sizeof(*ids->id));

	if (p == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	ids->id = p;
	memcpy(ids->id[ids->n++], rec->campaign_id, 16);
	return 0;
}

static int
add_store(struct merging *g, const char *location, struct pv_error *e)
{
	struct pv_store store = { 0 };
	struct ids ids = { 0 };
	int r;

	r = pv_store_open(location, PV_STORE_READ, &store, e);
	if (r == 0)
		r = store.scan(store.ctx, NULL, 1, take_id, &ids, e);
	for (size_t i = 0; r == 0 && i < ids.n; i++)
		r = store.scan(store.ctx, ids.id[i], 1, add_record, g, e);
	free(ids.id);
	pv_store_release(&store);
	return r;
}

/* An export of JSON lines, or a ledger itself. */
static int
add_site(struct merging *g, const char *location, struct pv_error *e)
{
	int c, r;
	FILE *f;

	g->site++;
	g->records = 0;
	if (pv_store_is_url(location)) {
		r = add_store(g, location, e);
	} else {
		f = fopen(location, "rb");
		if (f == NULL)
			return pv_fail_errno(
			    e, PV_E_NOT_FOUND, errno, "opening '%s'", location);
		/* A SQLite file begins with an 'S', a line with a brace. */
		c = getc(f);
		(void)ungetc(c, f);
		r = c == 'S' ? add_store(g, location, e) : add_export(g, f, e);
		(void)fclose(f);
	}
	if (r != 0)
		return pv_wrap(e, "'%s'", location);
	pv_say(g->app, "site %u: %s, %" PRIu64 " entries\n", g->site, location,
	    g->records);
	return 0;
}

/* --- together -------------------------------------------------------------------- */

static void
show_finding(void *ctx, const struct pv_finding *f)
{
	static const uint8_t none[32];
	struct merging *g = ctx;
	struct pv_json *o = pv_json_add_object(g->findings);
	char hex[65] = "";

	if (memcmp(f->chip, none, sizeof(none)) != 0)
		pv_hex_encode(hex, f->chip, sizeof(f->chip));
	pv_out(g->app, "%-15s %s%s%s%s%.16s\n", pv_finding_name(f->kind),
	    f->campaign, f->campaign[0] == '\0' ? "" : ": ", f->message,
	    hex[0] == '\0' ? "" : ", chip ", hex);
	pv_json_set_str(o, "kind", pv_finding_name(f->kind));
	pv_json_set_str(o, "campaign", f->campaign);
	pv_json_set_str(o, "message", f->message);
	if (hex[0] != '\0')
		pv_json_set_str(o, "chip", hex);
}

static int
write_joined(struct merging *g, const char *path, struct pv_error *e)
{
	struct pv_campaigns all = { 0 };
	struct pv_export *x = NULL;
	struct pv_store store;
	int r;

	pv_merge_store(g->m, &store);
	r = pv_export_open("jsonl", path, &x, e);
	if (r == 0)
		r = pv_campaigns_choose(&store, NULL, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++)
		r = pv_export_campaign(x, &store, &all.c[i], e);
	if (r == 0)
		r = pv_export_finish(x, e);
	pv_export_free(x);
	pv_campaigns_release(&all);
	return r == 0 ? 0 : pv_wrap(e, "joined ledger '%s'", path);
}

static int
read_keys(struct merging *g, char *const *paths, struct pv_error *e)
{
	for (; paths != NULL && *paths != NULL; paths++) {
		int r;

		if (g->n_keys == KEYS_MAX)
			return pv_fail(e, PV_E_USAGE,
			    "--campaign-key: at most %u times", KEYS_MAX);
		r = pv_ec_read_public_pem(*paths, g->keys[g->n_keys], e);
		if (r != 0)
			return pv_wrap(e, "--campaign-key");
		g->n_keys++;
	}
	return 0;
}

static void
totals(const struct pv_app *app, const struct pv_merge_totals *t,
    struct pv_json *o)
{
	pv_out(app,
	    "%" PRIu64 " campaigns, %" PRIu64 " entries, %" PRIu64
	    " licenses for %" PRIu64 " chips, %" PRIu64 " passed, %" PRIu64
	    " failed: %" PRIu64 " findings\n",
	    t->campaigns, t->entries, t->licenses, t->chips, t->passed,
	    t->failed, t->findings);
	pv_json_set_str(o, "result", t->findings == 0 ? "pass" : "fail");
	pv_json_set_u64(o, "campaigns", t->campaigns);
	pv_json_set_u64(o, "records", t->records);
	pv_json_set_u64(o, "entries", t->entries);
	pv_json_set_u64(o, "licenses", t->licenses);
	pv_json_set_u64(o, "chips", t->chips);
	pv_json_set_u64(o, "passed", t->passed);
	pv_json_set_u64(o, "failed", t->failed);
}

static int
merge(struct merging *g, const char *const *sites, const char *output,
    struct pv_json *o, struct pv_error *e)
{
	struct pv_merge_totals t;
	int r = 0;

	for (; r == 0 && *sites != NULL; sites++)
		r = add_site(g, *sites, e);
	if (r == 0)
		r = pv_merge_join(
		    g->m, g->keys, g->n_keys, g->limit, show_finding, g, &t, e);
	if (r != 0)
		return r;
	totals(g->app, &t, o);
	if (output != NULL) {
		r = write_joined(g, output, e);
		if (r != 0)
			return r;
		pv_json_set_str(o, "saved", output);
	}
	if (t.findings == 0)
		return 0;
	return pv_fail(e, PV_E_VERIFY,
	    "%" PRIu64 " findings in the joined ledgers", t.findings);
}

int
pv_run_ledger_merge(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	char *output = NULL, *limit = NULL, **keys = NULL;
	struct poptOption table[] = {
		{ "campaign-key", 0, POPT_ARG_ARGV, &keys, 0,
		    "accept only campaigns of this public key; may be given "
		    "again",
		    "PEM" },
		{ "max-licenses", 0, POPT_ARG_STRING, &limit, 0,
		    "how many licenses all sites together may have issued",
		    "N" },
		{ "output", 'o', POPT_ARG_STRING, &output, 0,
		    "write the joined entries as one export", "F" },
		POPT_TABLEEND,
	};
	struct merging g = { .app = app };
	struct pv_json *o = NULL;
	const char **args;
	int r, shown;

	r = pv_options(app, table, argc, argv, 1, 1024, &args, e);
	if (r == 0)
		r = read_keys(&g, keys, e);
	if (r == 0 && limit != NULL)
		r = pv_parse_u64(
		    limit, UINT64_MAX, "--max-licenses", &g.limit, e);
	if (r == 0)
		r = pv_merge_new(&g.m, e);
	if (r != 0)
		return r;
	o = pv_json_new_object();
	g.findings = pv_json_set_array(o, "findings");
	r = merge(&g, args, output, o, e);
	if (r == 0 || r == PV_E_VERIFY) {
		shown = pv_out_json(app, o, r == 0 ? e : NULL);
		r = r == 0 ? shown : r;
		o = NULL;
	}
	pv_json_free(o);
	pv_merge_free(g.m);
	return r;
}
