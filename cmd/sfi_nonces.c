/* SPDX-License-Identifier: Apache-2.0 */
/* provisor sfi nonces: look at the reuse record, carry it elsewhere. */
#include "cmd/sfi.h"

#include "package/nonces.h"

#include <string.h>

struct shown {
	struct pv_app *app;
	struct pv_json *keys; /* with --json */
	size_t n_keys, n_ivs;
};

static int
show_key(void *ctx, const char *key_hex, size_t n_ivs, struct pv_error *e)
{
	struct shown *s = ctx;
	char number[PV_GROUPED];
	struct pv_json *o;

	(void)e;
	s->n_keys++;
	s->n_ivs += n_ivs;
	if (s->keys != NULL) {
		o = pv_json_add_object(s->keys);
		pv_json_set_str(o, "key_id", key_hex);
		pv_json_set_int(o, "ivs", (int64_t)n_ivs);
	}
	pv_out(s->app, "%s  %s IVs\n", key_hex, pv_sfi_grouped(number, n_ivs));
	return 0;
}

static int
finish(
    struct shown *s, struct pv_json *root, const char *file, struct pv_error *e)
{
	pv_json_set_str(root, "result", "ok");
	if (file != NULL)
		pv_json_set_str(root, "file", file);
	pv_json_set_int(root, "n_keys", (int64_t)s->n_keys);
	pv_json_set_int(root, "n_ivs", (int64_t)s->n_ivs);
	return pv_out_json(s->app, root, e);
}

static int
list(struct pv_app *app, const char *dir, const char *file, struct pv_error *e)
{
	struct pv_json *root = pv_json_new_object();
	struct shown s = { .app = app };
	int r;

	s.keys = pv_json_set_array(root, "keys");
	r = file == NULL ? pv_nonces_list(dir, show_key, &s, e)
			 : pv_nonces_export(dir, file, show_key, &s, e);
	if (r != 0) {
		pv_json_free(root);
		return r;
	}
	if (s.n_keys == 0)
		pv_say(app, "no key has been used in '%s'\n", app->home);
	if (file != NULL)
		pv_say(app, "written to %s\n", file);
	return finish(&s, root, file, e);
}

static int
import(
    struct pv_app *app, const char *dir, const char *file, struct pv_error *e)
{
	struct pv_nonces_merge m;
	struct pv_json *o;
	char number[PV_GROUPED];
	int r = pv_nonces_import(dir, file, &m, e);

	if (r != 0)
		return r;
	pv_out(app, "%s: %zu key%s, %s new IVs\n", file, m.n_keys,
	    m.n_keys == 1 ? "" : "s", pv_sfi_grouped(number, m.n_added));
	o = pv_json_new_object();
	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "file", file);
	pv_json_set_int(o, "n_keys", (int64_t)m.n_keys);
	pv_json_set_int(o, "n_ivs", (int64_t)m.n_ivs);
	pv_json_set_int(o, "n_added", (int64_t)m.n_added);
	return pv_out_json(app, o, e);
}

int
pv_cmd_sfi_nonces(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *out = NULL, **args = NULL;
	struct poptOption table[] = {
		{ "output", 'o', POPT_ARG_STRING, &out, 0,
		    "the file to export to", "FILE" },
		POPT_TABLEEND,
	};
	char dir[4096];
	int r = pv_options(app, table, argc, argv, 1, 2, &args, e);

	if (r != 0)
		return r;
	r = pv_home_path(app, "nonces", dir, sizeof(dir), e);
	if (r != 0)
		return r;
	if (strcmp(args[0], "import") == 0) {
		if (out != NULL || args[1] == NULL)
			return pv_fail(e, PV_E_USAGE,
			    "'import' takes the file to read, and no -o");
		return import(app, dir, args[1], e);
	}
	if (strcmp(args[0], "list") != 0 && strcmp(args[0], "export") != 0)
		return pv_fail(e, PV_E_USAGE,
		    "'%s' is none of list, export, import", args[0]);
	if (args[1] != NULL)
		return pv_fail(
		    e, PV_E_USAGE, "'%s' takes no argument", args[0]);
	if (strcmp(args[0], "list") == 0)
		return out == NULL
			   ? list(app, dir, NULL, e)
			   : pv_fail(e, PV_E_USAGE, "'list' takes no -o");
	if (pv_need(e, out, "-o") != 0)
		return PV_E_USAGE;
	return list(app, dir, out, e);
}
