/* SPDX-License-Identifier: Apache-2.0 */
/* provisor sfi pack */
#include "cmd/sfi.h"

#include "base/file.h"
#include "base/hex.h"
#include "crypto/rand.h"
#include <provisor/image.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What was typed. */
struct args {
	const char *chip;
	const char **firmware;
	const char *options;
	const char *key;
	const char *nonce;
	const char *version;
	const char *profile;
	const char *iv_add;
	const char *out;
	int yes;
	int dry_run;
};

struct job {
	struct pv_app *app;
	struct args a;
	struct pv_chip *chip;
	struct pv_image *image;
	struct pv_sfi_options options;
	struct pv_sfi_pack pack;
	struct pv_sfi_info plan;
	char *nonce_path; /* where a fresh nonce goes */
	bool nonce_replaced;
	struct pv_json *areas; /* with --json: the array to fill */
	size_t segment;	       /* the next one to show */
};

/* --- inputs ------------------------------------------------------------------ */

static bool
same_file(const char *a, const char *b)
{
	struct stat x, y;

	return a != NULL && b != NULL && stat(a, &x) == 0 && stat(b, &y) == 0 &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Is `text` (FILE or FILE@ADDR) the file `path`? */
static bool
same_firmware(const char *text, const char *path)
{
	const char *at = strrchr(text, '@');
	char *cut;
	bool same = same_file(text, path);

	if (same || at == NULL)
		return same;
	cut = strndup(text, (size_t)(at - text));
	same = same_file(cut, path);
	free(cut);
	return same;
}

/* An output that would replace one of its own inputs. */
static int
check_output(const struct job *j, const char *path, struct pv_error *e)
{
	bool same = same_file(j->a.options, path) ||
		    same_file(j->a.key, path) || same_file(j->a.nonce, path);

	for (size_t i = 0; !same && j->a.firmware[i] != NULL; i++)
		same = same_firmware(j->a.firmware[i], path);
	if (same)
		return pv_fail(
		    e, PV_E_USAGE, "output '%s' is one of the inputs", path);
	return 0;
}

static int
load_options(struct job *j, struct pv_error *e)
{
	int r;

	if (j->a.options == NULL)
		return 0;
	r = pv_sfi_options_load(j->app, j->chip, j->a.options, &j->options, e);
	j->pack.options = j->options.rows.values;
	j->pack.n_options = j->options.rows.n;
	return r;
}

static int
load_inputs(struct job *j, struct pv_error *e)
{
	const char *const *dirs = (const char *const *)j->app->chip_dirs;
	int r = pv_chip_load(dirs, j->a.chip, &j->chip, e);

	if (r == 0)
		r = pv_image_new(&j->image, e);
	for (size_t i = 0; r == 0 && j->a.firmware[i] != NULL; i++)
		r = pv_image_add_file(j->image, j->a.firmware[i], e);
	if (r == 0)
		r = load_options(j, e);
	j->pack.chip = j->chip;
	j->pack.image = j->image;
	return r;
}

static int
load_nonce(struct job *j, struct pv_error *e)
{
	struct stat st;
	size_t cap;

	if (j->a.nonce != NULL)
		return pv_file_read_exact(
		    j->a.nonce, j->pack.nonce, PV_SFI_NONCE, e);
	cap = strlen(j->a.out) + sizeof(".nonce");
	j->nonce_path = malloc(cap);
	if (j->nonce_path == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	(void)snprintf(j->nonce_path, cap, "%s.nonce", j->a.out);
	j->nonce_replaced = stat(j->nonce_path, &st) == 0;
	j->pack.nonce_path = j->nonce_path;
	if (check_output(j, j->nonce_path, e) != 0)
		return PV_E_USAGE;
	return pv_random(j->pack.nonce, PV_SFI_NONCE, e);
}

static int
parse_args(struct job *j, int argc, const char **argv, struct pv_error *e)
{
	struct args *a = &j->a;
	struct poptOption table[] = {
		{ "chip", 0, POPT_ARG_STRING, &a->chip, 0,
		    "the part, such as stm32h563", "C" },
		{ "firmware", 0, POPT_ARG_ARGV, &a->firmware, 0,
		    "ELF, Intel HEX, S-record, or raw with @ADDR; repeatable",
		    "FILE[@ADDR]" },
		{ "option-bytes", 0, POPT_ARG_STRING, &a->options, 0,
		    "rows register,value for the C area", "CSV" },
		{ "key", 0, POPT_ARG_STRING, &a->key, 0,
		    "file of 16 bytes, or pkcs11: URI of an AES key", "KEY" },
		{ "nonce", 0, POPT_ARG_STRING, &a->nonce, 0,
		    "file of 12 bytes (default: a fresh one in F.sfi.nonce)",
		    "FILE" },
		{ "image-version", 0, POPT_ARG_STRING, &a->version, 0,
		    "0 to 255, part of every area", "N" },
		{ "profile", 0, POPT_ARG_STRING, &a->profile, 0,
		    "v1 (default), or v2, a hypothesis: see provisor-sfi(5)",
		    "v1|v2" },
		{ "iv-add", 0, POPT_ARG_STRING, &a->iv_add, 0,
		    "be96 (default), le32-hi or le32-lo", "RULE" },
		{ "yes-irreversible", 0, POPT_ARG_NONE, &a->yes, 0,
		    "allow option bytes that lock the chip for ever", NULL },
		{ "dry-run", 0, POPT_ARG_NONE, &a->dry_run, 0,
		    "show the areas, write nothing, use no key", NULL },
		{ "output", 'o', POPT_ARG_STRING, &a->out, 0,
		    "the package to write", "F.sfi" },
		PV_OPT_PIN(j->app),
		POPT_TABLEEND,
	};
	uint64_t version = 0;
	const char **rest = NULL;
	int r = pv_options(j->app, table, argc, argv, 0, 0, &rest, e);

	if (r != 0)
		return r;
	if (pv_need(e, a->chip, "--chip") != 0 ||
	    pv_need(e, a->firmware, "--firmware") != 0 ||
	    pv_need(e, a->version, "--image-version") != 0 ||
	    pv_need(e, a->out, "-o") != 0 ||
	    (!a->dry_run && pv_need(e, a->key, "--key") != 0) ||
	    pv_parse_u64(a->version, 255, "--image-version", &version, e) != 0)
		return PV_E_USAGE;
	j->pack.image_version = (uint8_t)version;
	j->pack.profile = PV_SFI_V1;
	if (a->profile != NULL)
		r = pv_sfi_profile_parse(a->profile, &j->pack.profile, e);
	if (r == 0 && a->iv_add != NULL)
		r = pv_sfi_iv_add_parse(a->iv_add, &j->pack.iv_add, e);
	return r;
}

/* --- what was made ------------------------------------------------------------- */

/*
 * "prod.csv: PRODUCT_STATE 0x17 (provisioning)": the setting with the gravest
 * effect, or the life-cycle state, which is in the first word.
 */
static void
option_text(const struct job *j, char *dst, size_t cap)
{
	const struct pv_sfi_options *o = &j->options;
	const struct pv_opt_setting *s = NULL;

	for (size_t i = 0; i < o->n; i++) {
		if (strcmp(o->settings[i].field, "PRODUCT_STATE") == 0 ||
		    strcmp(o->settings[i].field, "RDP") == 0)
			s = &o->settings[i];
	}
	if (o->worst == PV_OPT_IRREVERSIBLE)
		s = &o->settings[o->worst_at];
	if (s != NULL)
		(void)snprintf(dst, cap, "%s: %s 0x%02X (%s)", j->a.options,
		    s->field, (unsigned int)s->value, s->text);
	else
		(void)snprintf(dst, cap, "%s", j->a.options);
}

/* The segments of an F area; areas come in the order of the segments. */
static void
firmware_text(struct job *j, const struct pv_sfi_area *a, char *dst, size_t cap)
{
	uint64_t end = (uint64_t)a->address + a->size;
	size_t first = j->segment, n = pv_image_count(j->image), more;
	struct pv_segment s;

	while (j->segment < n) {
		pv_image_segment(j->image, j->segment, &s);
		if (s.addr >= end)
			break;
		j->segment++;
	}
	pv_image_segment(j->image, first, &s);
	more = j->segment - first - 1;
	if (more == 0)
		(void)snprintf(dst, cap, "%s", s.source);
	else
		(void)snprintf(dst, cap, "%s and %zu more", s.source, more);
}

/* The line above the areas. */
static void
show_title(const struct job *j)
{
	char number[PV_GROUPED];
	unsigned int n = j->plan.header.n_areas;

	pv_out(j->app,
	    "%s: %s%u area%s, %s bytes, image version %u, profile %s\n",
	    j->a.out, j->a.dry_run ? "would hold " : "", n, n == 1 ? "" : "s",
	    pv_sfi_grouped(number, j->plan.file_size),
	    (unsigned int)j->pack.image_version,
	    j->pack.profile == PV_SFI_V2 ? "v2" : "v1");
}

static int
show_area(
    void *ctx, const struct pv_sfi_area *a, uint64_t at, struct pv_error *e)
{
	struct job *j = ctx;
	char number[PV_GROUPED], text[512];
	struct pv_json *o;

	(void)at;
	(void)e;
	if (a->index == 1)
		show_title(j);
	if (a->type == 'C') {
		option_text(j, text, sizeof(text));
	} else {
		firmware_text(j, a, text, sizeof(text));
	}
	if (j->areas != NULL) {
		o = pv_json_add_object(j->areas);
		pv_sfi_area_json(o, a, !j->a.dry_run);
		pv_json_set_str(
		    o, "source", a->type == 'C' ? j->a.options : text);
	} else if (a->type == 'C') {
		pv_out(j->app, "%3u %c  %-10s %11s  %s\n",
		    (unsigned int)a->index, a->type, "-",
		    pv_sfi_grouped(number, a->size), text);
	} else {
		pv_out(j->app, "%3u %c  0x%08x %11s  %s\n",
		    (unsigned int)a->index, a->type, (unsigned int)a->address,
		    pv_sfi_grouped(number, a->size), text);
	}
	return 0;
}

static void
show_notes(struct job *j)
{
	pv_sfi_options_say(j->app, &j->options);
	if (j->pack.profile == PV_SFI_V2)
		pv_say(j->app,
		    "note: profile v2 is deduced from tool logs only, see "
		    "provisor-sfi(5)\n");
}

static void
show_nonce(struct job *j)
{
	struct stat st;
	char *beside;
	size_t cap = strlen(j->a.out) + sizeof(".nonce");

	if (j->nonce_path != NULL) {
		pv_out(j->app,
		    "nonce: written to %s%s (keep it with the campaign, never "
		    "use it for other content)\n",
		    j->nonce_path,
		    j->nonce_replaced ? ", in place of an older one" : "");
		return;
	}
	/* A nonce beside the package that is not its own misleads. */
	beside = malloc(cap);
	if (beside == NULL)
		return;
	(void)snprintf(beside, cap, "%s.nonce", j->a.out);
	if (stat(beside, &st) == 0 && !same_file(beside, j->a.nonce))
		pv_say(j->app,
		    "note: %s lies beside the package, which was made with "
		    "%s\n",
		    beside, j->a.nonce);
	free(beside);
}

static struct pv_json *
make_json(struct job *j)
{
	struct pv_json *root = pv_json_new_object(), *o;

	pv_json_set_str(root, "file", j->a.out);
	pv_json_set_bool(root, "dry_run", j->a.dry_run != 0);
	pv_json_set_str(root, "chip", j->chip->name);
	pv_json_set_str(
	    root, "profile", j->pack.profile == PV_SFI_V2 ? "v2" : "v1");
	pv_json_set_str(root, "iv_add", pv_sfi_iv_add_name(j->pack.iv_add));
	pv_json_set_int(root, "image_version", j->pack.image_version);
	j->areas = pv_json_set_array(root, "areas");
	if (j->a.options != NULL) {
		o = pv_json_set_object(root, "option_bytes");
		pv_sfi_options_json(&j->options, j->a.options, o);
	}
	return root;
}

static void
finish_json(const struct job *j, struct pv_json *root)
{
	struct pv_json *o;

	pv_json_set_int(root, "protocol_version", j->plan.header.version);
	pv_json_set_int(root, "file_size", (int64_t)j->plan.file_size);
	if (j->a.dry_run)
		return;
	pv_json_set_hex(root, "header_tag", j->plan.header.tag, PV_SFI_TAG);
	o = pv_json_set_object(root, "nonce");
	pv_json_set_str(
	    o, "file", j->nonce_path != NULL ? j->nonce_path : j->a.nonce);
	pv_json_set_bool(o, "fresh", j->nonce_path != NULL);
	pv_json_set_bool(o, "replaced", j->nonce_replaced);
}

static int
check_reversible(const struct job *j, struct pv_error *e)
{
	const struct pv_opt_setting *s;

	if (j->options.worst != PV_OPT_IRREVERSIBLE || j->a.yes)
		return 0;
	s = &j->options.settings[j->options.worst_at];
	(void)pv_fail(e, PV_E_IRREVERSIBLE, "'%s': %s %s: %s", j->a.options,
	    s->field, s->text, s->advice);
	return pv_hint(e, "add --yes-irreversible if every chip that gets this "
			  "package shall stay so");
}

static int
seal(struct job *j, struct pv_error *e)
{
	struct pv_sealer sealer = { 0 };
	struct pv_hsm *hsm = NULL;
	char record[4096];
	int r;

	r = check_reversible(j, e);
	if (r == 0)
		r = load_nonce(j, e);
	if (r == 0)
		r = check_output(j, j->a.out, e);
	if (r == 0)
		r = pv_home_path(j->app, "nonces", record, sizeof(record), e);
	if (r == 0)
		r = pv_open_sealer(j->app, j->a.key, &sealer, &hsm, e);
	if (r != 0)
		return r;
	j->pack.sealer = &sealer;
	j->pack.record_dir = record;
	j->pack.progress = &j->app->progress;
	r = pv_sfi_pack(&j->pack, j->a.out, &j->plan, show_area, j, e);
	pv_sealer_release(&sealer);
	pv_hsm_close(hsm);
	return r;
}

static int
pack(struct job *j, struct pv_error *e)
{
	struct pv_json *root = NULL;
	int r = load_inputs(j, e);

	if (r == 0)
		r = pv_sfi_plan(&j->pack, &j->plan, NULL, NULL, e);
	if (r != 0)
		return r;
	if (j->app->json)
		root = make_json(j);
	if (j->a.dry_run)
		r = pv_sfi_plan(&j->pack, &j->plan, show_area, j, e);
	else
		r = seal(j, e);
	if (r != 0) {
		pv_json_free(root);
		return r;
	}
	show_notes(j);
	if (!j->a.dry_run)
		show_nonce(j);
	if (root == NULL)
		return 0;
	finish_json(j, root);
	return pv_out_json(j->app, root, e);
}

int
pv_cmd_sfi_pack(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct job j = { .app = app };
	int r = parse_args(&j, argc, argv, e);

	if (r == 0)
		r = pack(&j, e);
	pv_sfi_options_release(&j.options);
	free(j.nonce_path);
	pv_image_free(j.image);
	pv_chip_free(j.chip);
	return r;
}
