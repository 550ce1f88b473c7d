/* SPDX-License-Identifier: Apache-2.0 */
/* provisor sfi options: what an option-byte CSV would set, in words. */
#include "cmd/sfi.h"

#include "base/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const effects[] = {
	[PV_OPT_PLAIN] = "plain",
	[PV_OPT_WARN] = "warn",
	[PV_OPT_IRREVERSIBLE] = "irreversible",
};

/* --- for pack too --------------------------------------------------------------- */

static int
keep_setting(void *ctx, const struct pv_opt_setting *s, struct pv_error *e)
{
	struct pv_sfi_options *o = ctx;
	struct pv_opt_setting *more;

	more = realloc(o->settings, (o->n + 1) * sizeof(*more));
	if (more == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	o->settings = more;
	o->settings[o->n++] = *s;
	if (s->effect > o->worst) {
		o->worst = s->effect;
		o->worst_at = o->n - 1;
	}
	return 0;
}

/* Without a map: the first word of the families that optlint knows. */
static int
lint_only(
    struct pv_sfi_options *o, const struct pv_chip *chip, struct pv_error *e)
{
	struct pv_opt_setting s = { .row = 0, .row_name = o->rows.names[0] };

	pv_optlint(chip, o->rows.values, o->rows.n, &o->lint);
	if (!o->lint.known)
		return 0;
	s.field = o->lint.field;
	s.value = o->lint.value;
	s.effect = o->lint.irreversible ? PV_OPT_IRREVERSIBLE
		   : o->lint.warn	? PV_OPT_WARN
					: PV_OPT_PLAIN;
	s.advice = o->lint.advice[0] == '\0' ? NULL : o->lint.advice;
	(void)snprintf(s.text, sizeof(s.text), "%s", o->lint.meaning);
	return keep_setting(o, &s, e);
}

int
pv_sfi_options_load(struct pv_app *app, const struct pv_chip *chip,
    const char *path, struct pv_sfi_options *o, struct pv_error *e)
{
	const char *const *dirs = (const char *const *)app->chip_dirs;
	uint8_t *text = NULL;
	size_t len = 0;
	int r = pv_optmap_load(dirs, chip, &o->map, e);

	if (r == 0)
		r = pv_file_read(path, PV_OPTCSV_MAX, &text, &len, e);
	if (r != 0)
		return r;
	r = pv_optcsv_decode((const char *)text, len, &o->rows, e);
	free(text);
	if (r == 0 && o->map != NULL)
		r = pv_optmap_check(o->map, &o->rows, e);
	else if (r == 0)
		r = pv_optcsv_validate(&o->rows, chip->option_words, e);
	if (r != 0)
		return pv_wrap(e, "'%s'", path);
	if (o->map != NULL)
		return pv_optmap_explain(
		    o->map, o->rows.values, o->rows.n, keep_setting, o, e);
	return lint_only(o, chip, e);
}

void
pv_sfi_options_release(struct pv_sfi_options *o)
{
	free(o->settings);
	pv_optmap_free(o->map);
}

void
pv_sfi_options_json(
    const struct pv_sfi_options *o, const char *path, struct pv_json *root)
{
	struct pv_json *list, *s;

	pv_json_set_str(root, "file", path);
	pv_json_set_int(root, "words", (int64_t)o->rows.n);
	pv_json_set_bool(root, "known", o->map != NULL);
	pv_json_set_bool(root, "irreversible", o->worst == PV_OPT_IRREVERSIBLE);
	list = pv_json_set_array(root, "settings");
	for (size_t i = 0; i < o->n; i++) {
		const struct pv_opt_setting *t = &o->settings[i];

		s = pv_json_add_object(list);
		pv_json_set_int(s, "row", (int64_t)t->row);
		pv_json_set_str(s, "register", t->row_name);
		pv_json_set_str(s, "field", t->field);
		pv_json_set_addr(s, "value", t->value);
		pv_json_set_str(s, "meaning", t->text);
		pv_json_set_str(s, "effect", effects[t->effect]);
		if (t->advice != NULL)
			pv_json_set_str(s, "advice", t->advice);
	}
}

void
pv_sfi_options_say(struct pv_app *app, const struct pv_sfi_options *o)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct pv_opt_setting *t = &o->settings[i];

		if (t->effect == PV_OPT_IRREVERSIBLE)
			pv_say(app, "irreversible: %s %s: %s\n", t->field,
			    t->text, t->advice);
		else if (t->effect == PV_OPT_WARN)
			pv_say(app, "note: %s 0x%02" PRIX32 " (%s): %s\n",
			    t->field, t->value, t->text, t->advice);
	}
}

/* --- the verb -------------------------------------------------------------------- */

static void
show_settings(struct pv_app *app, const struct pv_sfi_options *o)
{
	size_t last = SIZE_MAX;

	for (size_t i = 0; i < o->n; i++) {
		const struct pv_opt_setting *t = &o->settings[i];
		bool fresh = t->row != last;

		if (fresh)
			pv_out(app, "%-14s 0x%08" PRIx32 "\n", t->row_name,
			    o->rows.values[t->row]);
		last = t->row;
		pv_out(app, "  %-15s 0x%02" PRIx32 "%s%s%s\n", t->field,
		    t->value, t->text[0] == '\0' ? "" : "  ", t->text,
		    t->effect == PV_OPT_IRREVERSIBLE ? "  IRREVERSIBLE"
		    : t->effect == PV_OPT_WARN	     ? "  CAUTION"
						     : "");
	}
}

static int
explain(struct pv_app *app, const struct pv_chip *chip, const char *csv,
    struct pv_error *e)
{
	struct pv_sfi_options o = { 0 };
	struct pv_json *root;
	int r = pv_sfi_options_load(app, chip, csv, &o, e);

	if (r == 0) {
		show_settings(app, &o);
		if (o.map == NULL)
			pv_say(app,
			    "note: the fields of %s are not described here, "
			    "only the number of words is checked\n",
			    chip->title);
		pv_sfi_options_say(app, &o);
		root = pv_json_new_object();
		pv_json_set_str(root, "chip", chip->name);
		pv_sfi_options_json(&o, csv, root);
		r = pv_out_json(app, root, e);
	}
	pv_sfi_options_release(&o);
	return r;
}

static int
list_rows(struct pv_app *app, const struct pv_chip *chip, struct pv_error *e)
{
	const char *const *dirs = (const char *const *)app->chip_dirs;
	struct pv_json *root, *list;
	struct pv_optmap *m = NULL;
	int r = pv_optmap_load(dirs, chip, &m, e);

	if (r != 0)
		return r;
	root = pv_json_new_object();
	pv_json_set_str(root, "chip", chip->name);
	pv_json_set_int(root, "words", chip->option_words);
	list = pv_json_set_array(root, "rows");
	for (size_t i = 0; m != NULL && i < pv_optmap_rows(m); i++) {
		pv_json_add_str(list, pv_optmap_row_name(m, i));
		pv_out(app, "%s\n", pv_optmap_row_name(m, i));
	}
	if (m == NULL)
		pv_say(app, "the rows of %s are not described here\n",
		    chip->title);
	pv_optmap_free(m);
	return pv_out_json(app, root, e);
}

int
pv_cmd_sfi_options(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *name = NULL, *csv = NULL, **args = NULL;
	struct poptOption table[] = {
		{ "chip", 0, POPT_ARG_STRING, &name, 0,
		    "the part, such as stm32h563", "C" },
		{ "explain", 0, POPT_ARG_STRING, &csv, 0,
		    "say what this file would set (default: list the rows)",
		    "CSV" },
		POPT_TABLEEND,
	};
	struct pv_chip *chip = NULL;
	int r = pv_options(app, table, argc, argv, 0, 0, &args, e);

	if (r != 0)
		return r;
	if (pv_need(e, name, "--chip") != 0)
		return PV_E_USAGE;
	r = pv_chip_load((const char *const *)app->chip_dirs, name, &chip, e);
	if (r == 0)
		r = csv != NULL ? explain(app, chip, csv, e)
				: list_rows(app, chip, e);
	pv_chip_free(chip);
	return r;
}
