/* SPDX-License-Identifier: Apache-2.0 */
/* provisor sfi pack */
#include "cmd/sfi_pack.h"

#include "base/file.h"
#include "base/hex.h"
#include "crypto/rand.h"
#include <provisor/image.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- inputs ------------------------------------------------------------------ */

bool
pv_sfi_same_file(const char *a, const char *b)
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
	bool same = pv_sfi_same_file(text, path);

	if (same || at == NULL)
		return same;
	cut = strndup(text, (size_t)(at - text));
	same = pv_sfi_same_file(cut, path);
	free(cut);
	return same;
}

/* An output that would replace one of its own inputs. */
static int
check_output(const struct pv_sfi_job *j, const char *path, struct pv_error *e)
{
	bool same = pv_sfi_same_file(j->a.options, path) ||
		    pv_sfi_same_file(j->a.key, path) ||
		    pv_sfi_same_file(j->a.nonce, path);

	same = same || pv_sfi_same_file(j->a.key_area, path);
	for (size_t i = 0; !same && i < j->in.n_modules; i++)
		same = pv_sfi_same_file(j->in.modules[i].path, path);
	for (size_t i = 0; !same && j->a.firmware[i] != NULL; i++)
		same = same_firmware(j->a.firmware[i], path);
	if (same)
		return pv_fail(
		    e, PV_E_USAGE, "output '%s' is one of the inputs", path);
	return 0;
}

static int
load_options(struct pv_sfi_job *j, struct pv_error *e)
{
	int r;

	if (j->a.options == NULL)
		return 0;
	r = pv_sfi_options_load(j->app, j->chip, j->a.options, &j->options, e);
	j->pack.options = j->options.rows.values;
	j->pack.n_options = j->options.rows.n;
	return r;
}

/* --merge-gap and --fill */
static int
merge(struct pv_sfi_job *j, struct pv_error *e)
{
	uint64_t gap = 0, fill = j->chip->erased;
	int r;

	if (j->a.merge_gap == NULL)
		return 0;
	r = pv_parse_size(j->a.merge_gap, UINT32_MAX, "--merge-gap", &gap, e);
	if (r == 0 && j->a.fill != NULL)
		r = pv_parse_u64(j->a.fill, 0xff, "--fill", &fill, e);
	if (r == 0)
		r = pv_image_merge(j->image, gap, (uint8_t)fill, e);
	return r;
}

static int
load_inputs(struct pv_sfi_job *j, struct pv_error *e)
{
	const char *const *dirs = (const char *const *)j->app->chip_dirs;
	int r = pv_chip_load(dirs, j->a.chip, &j->chip, e);

	if (r == 0)
		r = pv_image_new(&j->image, e);
	for (size_t i = 0; r == 0 && j->a.firmware[i] != NULL; i++)
		r = pv_image_add_file(j->image, j->a.firmware[i], e);
	if (r == 0)
		r = merge(j, e);
	if (r == 0)
		r = pv_sfi_inputs_load(&j->in,
		    (const char *const *)j->a.externals,
		    (const char *const *)j->a.modules, j->a.key_area, e);
	if (r == 0)
		r = load_options(j, e);
	if (r == 0 && j->pack.has_token && j->pack.ram_size == 0)
		j->pack.ram_size = j->chip->sfi_ram_size;
	j->pack.externals = j->in.externals;
	j->pack.n_externals = j->in.n_externals;
	j->pack.modules = j->in.modules;
	j->pack.n_modules = j->in.n_modules;
	j->pack.key_pairs = j->in.pairs;
	j->pack.n_key_pairs = j->in.n_pairs;
	j->pack.chip = j->chip;
	j->pack.image = j->image;
	return r;
}

static int
load_nonce(struct pv_sfi_job *j, struct pv_error *e)
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
parse_parts(struct pv_sfi_job *j, struct pv_error *e)
{
	uint64_t size = 0, token = 0;
	int r = 0;

	if (j->a.ram_size != NULL)
		r = pv_parse_size(
		    j->a.ram_size, UINT32_MAX, "--ram-size", &size, e);
	if (r == 0 && j->a.ram_size != NULL && size == 0)
		r = pv_fail(e, PV_E_USAGE, "--ram-size cannot be 0");
	if (r == 0 && j->a.token != NULL) {
		r = pv_parse_u64(
		    j->a.token, UINT32_MAX, "--token-address", &token, e);
		j->pack.has_token = true;
		j->pack.token_address = (uint32_t)token;
	}
	j->pack.ram_size = (uint32_t)size;
	return r;
}

static int
parse_args(
    struct pv_sfi_job *j, int argc, const char **argv, struct pv_error *e)
{
	struct pv_sfi_args *a = &j->a;
	struct poptOption table[] = {
		{ "chip", 0, POPT_ARG_STRING, &a->chip, 0,
		    "the part, such as stm32h563", "C" },
		{ "firmware", 0, POPT_ARG_ARGV, &a->firmware, 0,
		    "ELF, Intel HEX, S-record, DfuSe, UF2, or raw with @ADDR; "
		    "repeatable",
		    "FILE[@ADDR]" },
		{ "merge-gap", 0, POPT_ARG_STRING, &a->merge_gap, 0,
		    "make one area of segments at most N bytes apart", "N" },
		{ "fill", 0, POPT_ARG_STRING, &a->fill, 0,
		    "byte for such gaps (default: that of erased flash)",
		    "BYTE" },
		{ "external", 0, POPT_ARG_ARGV, &a->externals, 0,
		    "FILE[@ADDR],region=N,mode=N,key-address=A, or a list "
		    ".ecsv; repeatable",
		    "SPEC" },
		{ "module", 0, POPT_ARG_ARGV, &a->modules, 0,
		    "SMI module, or a list .mcsv; repeatable", "FILE@ADDR" },
		{ "key-area", 0, POPT_ARG_STRING, &a->key_area, 0,
		    "rows size,address of flash that the device fills with "
		    "random keys",
		    "CSV" },
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
		{ "ram-size", 0, POPT_ARG_STRING, &a->ram_size, 0,
		    "bytes of a part (default with --token-address: the "
		    "chip's)",
		    "N" },
		{ "token-address", 0, POPT_ARG_STRING, &a->token, 0,
		    "flash where the device notes how far it is", "A" },
		{ "iv-add", 0, POPT_ARG_STRING, &a->iv_add, 0,
		    "be96 (default), le32-hi or le32-lo", "RULE" },
		{ "yes-irreversible", 0, POPT_ARG_NONE, &a->yes, 0,
		    "allow option bytes that lock the chip for ever", NULL },
		{ "dry-run", 0, POPT_ARG_NONE, &a->dry_run, 0,
		    "show the areas, write nothing, use no key", NULL },
		{ "manifest", 0, POPT_ARG_NONE, &a->manifest, 0,
		    "also write F.sfi.json: hashes of the inputs", NULL },
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
	if (a->fill != NULL && a->merge_gap == NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--fill is for the gaps that --merge-gap closes");
	j->pack.image_version = (uint8_t)version;
	j->pack.profile = PV_SFI_V1;
	if (a->profile != NULL)
		r = pv_sfi_profile_parse(a->profile, &j->pack.profile, e);
	if (r == 0 && a->iv_add != NULL)
		r = pv_sfi_iv_add_parse(a->iv_add, &j->pack.iv_add, e);
	return r == 0 ? parse_parts(j, e) : r;
}

/* --- packing --------------------------------------------------------------------- */

static int
check_reversible(const struct pv_sfi_job *j, struct pv_error *e)
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
seal(struct pv_sfi_job *j, struct pv_error *e)
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
	r = pv_sfi_pack(&j->pack, j->a.out, &j->plan, pv_sfi_show_area, j, e);
	pv_sealer_release(&sealer);
	pv_hsm_close(hsm);
	return r;
}

static int
pack(struct pv_sfi_job *j, struct pv_error *e)
{
	struct pv_json *root = NULL;
	int r = load_inputs(j, e);

	if (r == 0)
		r = pv_sfi_plan(&j->pack, &j->plan, NULL, NULL, e);
	if (r != 0)
		return r;
	if (j->app->json)
		root = pv_sfi_pack_json(j);
	if (j->a.dry_run)
		r = pv_sfi_plan(&j->pack, &j->plan, pv_sfi_show_area, j, e);
	else
		r = seal(j, e);
	if (r == 0)
		r = pv_sfi_manifest(j, e);
	if (r != 0) {
		pv_json_free(root);
		return r;
	}
	pv_sfi_show_notes(j);
	if (!j->a.dry_run)
		pv_sfi_show_nonce(j);
	if (root == NULL)
		return 0;
	pv_sfi_finish_json(j, root);
	return pv_out_json(j->app, root, e);
}

int
pv_cmd_sfi_pack(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pv_sfi_job j = { .app = app };
	int r = parse_args(&j, argc, argv, e);

	if (r == 0)
		r = pack(&j, e);
	pv_sfi_inputs_release(&j.in);
	pv_sfi_options_release(&j.options);
	free(j.nonce_path);
	pv_image_free(j.image);
	pv_chip_free(j.chip);
	return r;
}
