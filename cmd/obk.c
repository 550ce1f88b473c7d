/* SPDX-License-Identifier: Apache-2.0 */
/* provisor obk: OB keys from their description, and what is in them. */
#include "cmd/cmd.h"
#include "cmd/obk.h"
#include "cmd/signing.h"

#include "base/file.h"
#include "crypto/ec.h"
#include "crypto/pem.h"
#include "image/obk.h"
#include <provisor/secret.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- keys ----------------------------------------------------------------------- */

static int
key_point(void *ctx, const char *key, uint8_t ret_point[64], struct pv_error *e)
{
	int r = 0;

	/* The description must not choose code to load. */
	if (pv_hsm_is_uri(key))
		r = pv_hsm_check_stored_uri(key, e);
	return r != 0 ? r : pv_open_point(ctx, key, ret_point, e);
}

static int
key_scalar(void *ctx, const char *key, uint8_t ret_d[32], struct pv_error *e)
{
	struct pv_passphrase pass = { ctx, pv_app_passphrase };
	struct pv_ec_key *k = NULL;
	int r;

	if (pv_hsm_is_uri(key)) {
		(void)pv_fail(e, PV_E_USAGE,
		    "the private key itself goes into the object, and '%s' "
		    "stays in its token",
		    key);
		return pv_hint(e, "give this key as a PEM file");
	}
	r = pv_ec_read_pem_pass(key, &pass, &k, e);
	if (r == 0)
		r = pv_ec_scalar(k, ret_d, e);
	pv_ec_free(k);
	return r;
}

/* --- findings -------------------------------------------------------------------- */

/* Which devices have a crypto engine that encrypts OB keys. */
static int
set_chip(struct pv_obk_lint *l, const char *chip, struct pv_error *e)
{
	static const struct {
		const char *begin;
		bool crypto;
	} rows[] = { { "stm32h563", false }, { "stm32h562", false },
		{ "stm32h503", false }, { "stm32h573", true },
		{ "stm32h533", true }, { "stm32h523", false },
		{ "stm32h7s", true }, { "stm32h7r", true } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strncasecmp(chip, rows[i].begin, strlen(rows[i].begin)) !=
		    0)
			continue;
		l->has_crypto = rows[i].crypto;
		l->no_crypto = !rows[i].crypto;
		return 0;
	}
	(void)pv_fail(e, PV_E_UNKNOWN_CHIP, "'%s' has no OB keys", chip);
	return pv_hint(e, "stm32h503, h523, h533, h562, h563, h573, h7r..., "
			  "h7s... have");
}

static void
show_findings(
    struct pv_app *app, const struct pv_obk_lint *l, struct pv_json *list)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct pv_obk_finding *f = &l->v[i];
		struct pv_json *o = pv_json_add_object(list);

		pv_json_set_str(o, "level", f->code == 0 ? "note" : "error");
		pv_json_set_str(o, "text", f->text);
		if (f->code != 0)
			pv_json_set_str(o, "error", pv_code_name(f->code));
		pv_out(app, "  %-6s %s\n", f->code == 0 ? "note" : "error",
		    f->text);
	}
}

/* --- build ----------------------------------------------------------------------- */

struct build {
	const char *out, *password_out, *chip;
	int irreversible, unlisted, dry_run;
	struct pv_obk_lint lint;
};

static int
check_output(const struct pv_obk_spec *s, struct build *b, struct pv_error *e)
{
	if (b->out == NULL) {
		b->out = s->output;
		if (b->out == NULL)
			return pv_need(e, NULL, "-o");
		if (pv_obk_outside(s, b->out)) {
			(void)pv_fail(e, PV_E_POLICY,
			    "'%s' wants to write '%s', outside of its own "
			    "folders",
			    s->path, b->out);
			return pv_hint(e, "say where with -o");
		}
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->field[i].path != NULL &&
		    strcmp(s->field[i].path, b->out) == 0)
			return pv_fail(e, PV_E_USAGE,
			    "output '%s' is one of the inputs", b->out);
	if (strcmp(b->out, s->path) == 0)
		return pv_fail(
		    e, PV_E_USAGE, "output '%s' is the description", b->out);
	return 0;
}

static void
say_outside(struct pv_app *app, const struct pv_obk_spec *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->field[i].path != NULL &&
		    pv_obk_outside(s, s->field[i].path))
			pv_say(app,
			    "note: field '%s' reads '%s', outside the folders "
			    "of '%s'\n",
			    s->field[i].name, s->field[i].path, s->path);
}

static int
lint_built(const struct pv_obk_spec *s, const struct pv_secret *file,
    struct pv_obk_lint *l, struct pv_error *e)
{
	struct pv_obk o;
	int r;

	if (!s->has_header)
		return 0;
	r = pv_obk_decode(pv_secret_bytes(file), pv_secret_len(file), &o, e);
	if (r == 0 && o.has_hash != s->hash &&
	    pv_obk_place(o.address, o.length) != NULL)
		r = pv_fail(e, PV_E_MALFORMED,
		    "%s %s a hash, the description "
		    "has %s",
		    pv_obk_place(o.address, o.length)->name,
		    o.has_hash ? "needs" : "has no", s->hash ? "one" : "none");
	if (r == 0)
		r = pv_obk_lint(&o, l, e);
	return r != 0 ? r : pv_obk_lint_result(l, e);
}

/* What the host tools of ST take beside the object: obk.md, "Password file". */
static int
write_password(
    const char *path, const struct pv_secret *password, struct pv_error *e)
{
	struct pv_secret *file = NULL;
	size_t len;
	uint8_t *p;
	int r;

	if (password == NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--password-out: the object has no password");
	len = pv_secret_len(password);
	r = pv_secret_new(8 + len, &file, e);
	if (r != 0)
		return r;
	p = pv_secret_data(file);
	p[3] = 0x80;
	p[4] = (uint8_t)len;
	p[5] = (uint8_t)(len >> 8);
	memcpy(p + 8, pv_secret_bytes(password), len);
	r = pv_file_write(path, 0600, p, 8 + len, e);
	pv_secret_free(file);
	return r;
}

static int
show_built(struct pv_app *app, const struct pv_obk_spec *s,
    const struct build *b, size_t len, struct pv_error *e)
{
	const struct pv_obk_place *place = NULL;
	struct pv_json *o = pv_json_new_object();

	if (s->has_header)
		place =
		    pv_obk_place(s->address, (uint32_t)(len - PV_OBK_HEADER));
	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "output", b->out);
	pv_json_set_bool(o, "dry_run", b->dry_run != 0);
	pv_json_set_u64(o, "size", len);
	if (s->has_header) {
		pv_json_set_addr(o, "destination", s->address);
		pv_json_set_bool(o, "encrypt", s->encrypt);
		pv_out(app, "%s: %zu bytes, %s, 0x%08" PRIx32 ", stored %s%s\n",
		    b->out, len,
		    place == NULL ? "unlisted destination" : place->name,
		    s->address, s->encrypt ? "encrypted" : "in clear",
		    b->dry_run ? " (not written)" : "");
	} else {
		pv_out(app, "%s: %zu bytes without header%s\n", b->out, len,
		    b->dry_run ? " (not written)" : "");
	}
	show_findings(app, &b->lint, pv_json_set_array(o, "findings"));
	return pv_out_json(app, o, e);
}

static int
build(struct pv_app *app, const struct pv_obk_spec *s, struct build *b,
    struct pv_error *e)
{
	struct pv_obk_keys keys = { app, key_point, key_scalar };
	struct pv_secret *file = NULL, *password = NULL;
	const char *const where = s->path;
	int r = check_output(s, b, e);

	if (r == 0)
		r = pv_obk_build(s, &keys, &file, &password, e);
	if (r == 0)
		r = lint_built(s, file, &b->lint, e);
	if (r == PV_E_IRREVERSIBLE)
		(void)pv_hint(e, "--yes-irreversible builds it all the same");
	if (r == PV_E_POLICY && s->has_header &&
	    pv_obk_place(s->address, 0) == NULL)
		(void)pv_hint(e, "--unlisted takes destinations that are not "
				 "known here");
	if (r != 0) {
		r = pv_wrap(e, "'%s'", where);
		goto out;
	}
	say_outside(app, s);
	if (b->dry_run == 0) {
		if (b->password_out != NULL)
			r = write_password(b->password_out, password, e);
		/* 0600: it may hold a private key, and a hash of a password. */
		if (r == 0)
			r = pv_file_write(b->out, 0600, pv_secret_bytes(file),
			    pv_secret_len(file), e);
	}
	if (r == 0)
		r = show_built(app, s, b, pv_secret_len(file), e);
out:
	pv_secret_free(file);
	pv_secret_free(password);
	return r;
}

typedef int (*spec_fn)(
    const char *path, struct pv_obk_spec *ret_s, struct pv_error *e);

static int
run_build_from(struct pv_app *app, int argc, const char **argv, spec_fn read,
    struct pv_error *e)
{
	struct build b = { 0 };
	struct poptOption table[] = {
		{ "output", 'o', POPT_ARG_STRING, &b.out, 0,
		    "file to write (default: what the description says)",
		    "FILE" },
		{ "chip", 0, POPT_ARG_STRING, &b.chip, 0,
		    "check for this device, such as stm32h573", "CHIP" },
		{ "password-out", 0, POPT_ARG_STRING, &b.password_out, 0,
		    "also write the password as ST's host tools take it",
		    "FILE" },
		{ "unlisted", 0, POPT_ARG_NONE, &b.unlisted, 0,
		    "take a destination that is not known here", NULL },
		{ "yes-irreversible", 0, POPT_ARG_NONE, &b.irreversible, 0,
		    "build what cannot be taken back on a device", NULL },
		{ "dry-run", 0, POPT_ARG_NONE, &b.dry_run, 0,
		    "check everything, write nothing", NULL },
		PV_OPT_PASSPHRASE(app),
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_obk_spec s;
	const char **args = NULL;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r != 0)
		return r;
	b.lint.allow_irreversible = b.irreversible != 0;
	b.lint.allow_unlisted = b.unlisted != 0;
	if (b.chip != NULL && (r = set_chip(&b.lint, b.chip, e)) != 0)
		return r;
	r = read(args[0], &s, e);
	if (r != 0)
		return r;
	r = build(app, &s, &b, e);
	pv_obk_spec_release(&s);
	return r;
}

static int
run_build(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	return run_build_from(app, argc, argv, pv_obk_spec_from_xml, e);
}

static int
run_from_json(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	return run_build_from(app, argc, argv, pv_obk_spec_from_json, e);
}

/* --- lint, inspect ----------------------------------------------------------------- */

int
pv_obk_load(const char *path, uint8_t **ret_data, size_t *ret_len,
    struct pv_obk *ret_o, struct pv_error *e)
{
	uint8_t *data = NULL;
	size_t len = 0;
	int r = pv_file_read(path, PV_OBK_MAX, &data, &len, e);

	if (r != 0)
		return r;
	r = pv_obk_decode(data, len, ret_o, e);
	if (r != 0) {
		pv_wipe(data, len);
		free(data);
		return pv_wrap(e, "'%s'", path);
	}
	*ret_data = data;
	*ret_len = len;
	return 0;
}

static int
lint_file(struct pv_app *app, const char *path, struct pv_obk_lint *l,
    struct pv_json *list, uint32_t *ret_address, struct pv_error *e)
{
	const struct pv_obk_place *place;
	struct pv_json *o;
	uint8_t *data = NULL;
	size_t len = 0;
	struct pv_obk obk;
	int r = pv_obk_load(path, &data, &len, &obk, e);

	if (r != 0)
		return r;
	l->n = 0;
	r = pv_obk_lint(&obk, l, e);
	if (r == 0) {
		place = pv_obk_place(obk.address, obk.length);
		*ret_address = obk.address;
		pv_out(app, "%s: %s\n", path,
		    place == NULL ? "unlisted destination" : place->name);
		o = pv_json_add_object(list);
		pv_json_set_str(o, "file", path);
		show_findings(app, l, pv_json_set_array(o, "findings"));
	}
	pv_wipe(data, len);
	free(data);
	return r;
}

#define LINT_FILES 32

static int
lint_files(struct pv_app *app, const char **args, struct pv_obk_lint *l,
    struct pv_error *e)
{
	struct pv_json *root = pv_json_new_object();
	struct pv_json *list = pv_json_set_array(root, "files");
	uint32_t addresses[LINT_FILES];
	struct pv_error first = { 0 };
	size_t n = 0;
	int r = 0;

	for (; r == 0 && args[n] != NULL; n++) {
		r = lint_file(app, args[n], l, list, &addresses[n], e);
		if (r == 0 && first.code == 0 &&
		    pv_obk_lint_result(l, &first) != 0)
			(void)pv_wrap(&first, "'%s'", args[n]);
	}
	if (r != 0) {
		pv_json_free(root);
		return r;
	}
	l->n = 0;
	pv_obk_lint_set(addresses, n, l);
	show_findings(app, l, pv_json_set_array(root, "findings"));
	if (first.code == 0 && pv_obk_lint_result(l, &first) == 0)
		first.code = 0;
	pv_json_set_str(root, "result", first.code == 0 ? "ok" : "fail");
	pv_json_set_int(root, "code", pv_exit_code(first.code));
	r = pv_out_json(app, root, e);
	if (r == 0 && first.code != 0) {
		*e = first;
		return first.code;
	}
	return r;
}

static int
run_lint(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *chip = NULL, **args = NULL;
	int irreversible = 0;
	struct poptOption table[] = {
		{ "chip", 0, POPT_ARG_STRING, &chip, 0,
		    "check for this device, such as stm32h573", "CHIP" },
		{ "yes-irreversible", 0, POPT_ARG_NONE, &irreversible, 0,
		    "what cannot be taken back on a device is meant so", NULL },
		POPT_TABLEEND,
	};
	struct pv_obk_lint l = { 0 };
	int r = pv_options(app, table, argc, argv, 1, LINT_FILES, &args, e);

	if (r != 0)
		return r;
	l.allow_irreversible = irreversible != 0;
	if (chip != NULL && (r = set_chip(&l, chip, e)) != 0)
		return r;
	return lint_files(app, args, &l, e);
}

static int
run_inspect(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption table[] = { POPT_TABLEEND };
	const char **args = NULL;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	return r != 0 ? r : pv_obk_inspect_file(app, args[0], e);
}

const struct pv_verb pv_verbs_obk[] = {
	{ "obk", "build", "FILE.xml [-o FILE.obk]",
	    "make OB keys from a description of TrustedPackageCreator",
	    "provisor obk build STiRoT_Config.xml -o STiRoT_Config.obk",
	    run_build },
	{ "obk", "from-json", "FILE.json [-o FILE.obk]",
	    "make OB keys from a description in JSON",
	    "provisor obk from-json da.json -o DA_Config.obk", run_from_json },
	{ "obk", "inspect", "FILE.obk",
	    "show each field of OB keys; private keys are left out",
	    "provisor obk inspect STiRoT_Config.obk", run_inspect },
	{ "obk", "lint", "[--chip CHIP] FILE.obk ...",
	    "say what would brick a device or weaken it",
	    "provisor obk lint --chip stm32h573 DA_Config.obk "
	    "STiRoT_Config.obk",
	    run_lint },
	{ 0 },
};
