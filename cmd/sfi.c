/* SPDX-License-Identifier: Apache-2.0 */
/* provisor sfi: the verbs that read a package. pack is in sfi_pack.c. */
#include "cmd/sfi.h"

#include "base/file.h"

#include <inttypes.h>
#include <string.h>

const char *
pv_sfi_grouped(char dst[PV_GROUPED], uint64_t v)
{
	char digits[24];
	size_t n, at = 0;

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, v);
	n = strlen(digits);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			dst[at++] = ' ';
		dst[at++] = digits[i];
	}
	dst[at] = '\0';
	return dst;
}

void
pv_sfi_area_json(struct pv_json *o, const struct pv_sfi_area *a, bool tagged)
{
	char type[2] = { (char)a->type, '\0' };

	pv_json_set_int(o, "index", a->index);
	pv_json_set_str(o, "type", type);
	pv_json_set_int(o, "version", a->version);
	pv_json_set_int(o, "size", a->size);
	pv_json_set_addr(o, "address", a->address);
	pv_json_set_int(o, "total", a->total);
	if (tagged)
		pv_json_set_hex(o, "tag", a->tag, PV_SFI_TAG);
}

/* --- with a key ----------------------------------------------------------------- */

/* What verify, unpack and calibrate have in common. */
struct keyed {
	const char *path;
	const char *key_text;
	const char *nonce_file;
	const char *iv_text;
	const char *dir; /* unpack */
	struct pv_sealer sealer;
	struct pv_hsm *hsm;
	struct pv_sfi_key key;
};

#define OPT_KEY(k)                                                         \
	{ "key", 0, POPT_ARG_STRING, &(k)->key_text, 0,                    \
		"file of 16 bytes, or pkcs11: URI of an AES key", "KEY" }, \
	{                                                                  \
		"nonce", 0, POPT_ARG_STRING, &(k)->nonce_file, 0,          \
		    "file of 12 bytes", "FILE"                             \
	}
#define OPT_IV(k)                                                \
	{                                                        \
		"iv-add", 0, POPT_ARG_STRING, &(k)->iv_text, 0,  \
		    "be96 (default), le32-hi or le32-lo", "RULE" \
	}

static int
keyed_open(struct pv_app *app, struct poptOption *table, int argc,
    const char **argv, struct keyed *k, bool need_dir, struct pv_error *e)
{
	const char **args = NULL;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r != 0)
		return r;
	k->path = args[0];
	if (pv_need(e, k->key_text, "--key") != 0 ||
	    pv_need(e, k->nonce_file, "--nonce") != 0 ||
	    (need_dir && pv_need(e, k->dir, "-d") != 0))
		return PV_E_USAGE;
	if (k->iv_text != NULL)
		r = pv_sfi_iv_add_parse(k->iv_text, &k->key.iv_add, e);
	if (r == 0)
		r = pv_file_read_exact(
		    k->nonce_file, k->key.nonce, PV_SFI_NONCE, e);
	if (r == 0)
		r = pv_open_sealer(app, k->key_text, &k->sealer, &k->hsm, e);
	k->key.sealer = &k->sealer;
	k->key.progress = &app->progress;
	return r;
}

static void
keyed_close(struct keyed *k)
{
	pv_sealer_release(&k->sealer);
	pv_hsm_close(k->hsm);
}

static int
run_verify(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct keyed k = { 0 };
	struct poptOption table[] = {
		OPT_KEY(&k),
		OPT_IV(&k),
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_sfi_info info;
	struct pv_json *o;
	int r = keyed_open(app, table, argc, argv, &k, false, e);

	if (r == 0)
		r = pv_sfi_verify(k.path, &k.key, &info, e);
	keyed_close(&k);
	if (r != 0)
		return r;
	pv_bar_end(app);
	pv_out(app, "%s: verified, header and %u area%s\n", k.path,
	    (unsigned int)info.header.n_areas,
	    info.header.n_areas == 1 ? "" : "s");
	o = pv_json_new_object();
	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "file", k.path);
	pv_json_set_int(o, "protocol_version", info.header.version);
	pv_json_set_int(o, "areas_verified", info.header.n_areas);
	pv_json_set_int(o, "file_size", (int64_t)info.file_size);
	pv_json_set_str(o, "iv_add", pv_sfi_iv_add_name(k.key.iv_add));
	return pv_out_json(app, o, e);
}

/* --- unpack --------------------------------------------------------------------- */

struct files {
	struct pv_app *app;
	const char *dir;
	struct pv_json *list;
};

static int
wrote_file(void *ctx, const char *name, uint32_t size)
{
	struct files *f = ctx;
	char number[PV_GROUPED];
	struct pv_json *o;

	if (f->app->json) {
		o = pv_json_add_object(f->list);
		pv_json_set_str(o, "name", name);
		pv_json_set_int(o, "size", size);
	}
	pv_out(f->app, "%s/%s  %s bytes\n", f->dir, name,
	    pv_sfi_grouped(number, size));
	return 0;
}

static int
run_unpack(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct keyed k = { 0 };
	struct poptOption table[] = {
		OPT_KEY(&k),
		OPT_IV(&k),
		{ "directory", 'd', POPT_ARG_STRING, &k.dir, 0,
		    "folder for the plaintext, made when missing", "DIR" },
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct files f = { .app = app };
	struct pv_json *root = NULL;
	struct pv_sfi_info info;
	int r = keyed_open(app, table, argc, argv, &k, true, e);

	if (r == 0) {
		root = pv_json_new_object();
		pv_json_set_str(root, "file", k.path);
		pv_json_set_str(root, "directory", k.dir);
		f.list = pv_json_set_array(root, "files");
		f.dir = k.dir;
		r = pv_sfi_unpack(
		    k.path, &k.key, k.dir, &info, wrote_file, &f, e);
	}
	keyed_close(&k);
	if (r == 0)
		return pv_out_json(app, root, e);
	pv_json_free(root);
	return r;
}

/* --- calibrate ------------------------------------------------------------------- */

static const char *
verdict(unsigned int winners)
{
	if (winners == 0)
		return "none";
	return winners == 1 ? "found" : "inconclusive";
}

static int
show_trials(struct pv_app *app, const char *path,
    const struct pv_sfi_info *info, const struct pv_sfi_trial *trials,
    struct pv_error *e)
{
	struct pv_json *root = pv_json_new_object(), *list, *o;
	const struct pv_sfi_trial *best = NULL;
	unsigned int winners = 0;

	pv_json_set_str(root, "file", path);
	pv_json_set_int(root, "protocol_version", info->header.version);
	pv_json_set_int(root, "n_areas", info->header.n_areas);
	list = pv_json_set_array(root, "trials");
	pv_out(app, "iv-add   aad     header  areas verified\n");
	for (size_t i = 0; i < PV_SFI_TRIALS; i++) {
		const struct pv_sfi_trial *t = &trials[i];
		const char *rule = pv_sfi_iv_add_name(t->iv_add);
		const char *aad = t->aad_padded ? "padded" : "exact";

		o = pv_json_add_object(list);
		pv_json_set_str(o, "iv_add", rule);
		pv_json_set_str(o, "aad", aad);
		pv_json_set_bool(o, "header_verifies", t->header_ok);
		pv_json_set_int(o, "areas_verified", t->areas_ok);
		pv_json_set_bool(o, "all_verify", t->all_ok);
		pv_out(app, "%-7s  %-6s  %-6s  %u of %u%s\n", rule, aad,
		    t->header_ok ? "ok" : "fails", (unsigned int)t->areas_ok,
		    (unsigned int)info->header.n_areas,
		    t->all_ok ? "  every tag verifies" : "");
		if (t->all_ok) {
			winners++;
			best = t;
		}
	}
	if (winners == 1) {
		pv_out(app, "result: --iv-add %s, AAD %s\n",
		    pv_sfi_iv_add_name(best->iv_add),
		    best->aad_padded ? "padded to 16 bytes" : "exact");
		pv_json_set_str(
		    root, "iv_add", pv_sfi_iv_add_name(best->iv_add));
		pv_json_set_str(
		    root, "aad", best->aad_padded ? "padded" : "exact");
	} else if (winners > 1) {
		pv_out(app, "result: inconclusive, %s\n",
		    info->header.n_areas == 0
			? "a package without areas cannot tell the rules apart"
			: "several combinations verify every tag");
	}
	pv_json_set_str(root, "result", verdict(winners));
	return pv_out_json(app, root, e);
}

static int
run_calibrate(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct keyed k = { 0 };
	struct poptOption table[] = {
		OPT_KEY(&k),
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_sfi_trial trials[PV_SFI_TRIALS];
	struct pv_sfi_info info = { 0 };
	struct pv_error failed;
	int r = keyed_open(app, table, argc, argv, &k, false, e), shown;

	if (r != 0) {
		keyed_close(&k);
		return r;
	}
	r = pv_sfi_calibrate(k.path, &k.key, &info, trials, e);
	keyed_close(&k);
	if (r != 0 && info.header.version == 0)
		return r;
	pv_bar_end(app);
	shown = show_trials(app, k.path, &info, trials, &failed);
	if (r == 0 && shown != 0) {
		*e = failed;
		r = shown;
	}
	return r;
}

const struct pv_verb pv_verbs_sfi[] = {
	{ "sfi", "pack",
	    "--chip C --firmware FILE[@ADDR]... [--merge-gap N] [--fill BYTE] "
	    "[--external SPEC]... "
	    "[--module FILE@ADDR]... [--key-area CSV] [--option-bytes CSV] "
	    "--key KEY [--nonce FILE] --image-version N [--profile v1|v2] "
	    "[--ram-size N] [--token-address A] [--iv-add RULE] "
	    "[--yes-irreversible] [--dry-run] [--manifest] -o F.sfi",
	    "encrypt firmware and option bytes into a package",
	    "provisor sfi pack --chip stm32h563 --firmware app.elf "
	    "--option-bytes prod.csv \\\n"
	    "    --key 'pkcs11:token=oem;object=fw-2026' --image-version 7 "
	    "-o app.sfi",
	    pv_cmd_sfi_pack },
	{ "sfi", "inspect", "F.sfi", "list a package; needs no key",
	    "provisor sfi inspect app.sfi", pv_cmd_sfi_inspect },
	{ "sfi", "verify", "F.sfi --key KEY --nonce FILE [--iv-add RULE]",
	    "check every tag of a package",
	    "provisor sfi verify app.sfi --key fw.key --nonce app.sfi.nonce",
	    run_verify },
	{ "sfi", "unpack",
	    "F.sfi --key KEY --nonce FILE [--iv-add RULE] -d DIR",
	    "verify a package and decrypt it into a folder",
	    "provisor sfi unpack app.sfi --key fw.key --nonce app.sfi.nonce "
	    "-d plain",
	    run_unpack },
	{ "sfi", "calibrate", "F.sfi --key KEY --nonce FILE",
	    "find which IV and AAD rules a package was made with",
	    "provisor sfi calibrate st.sfi --key st.key --nonce st.nonce",
	    run_calibrate },
	{ "sfi", "options", "--chip C [--explain CSV]",
	    "say what option bytes would do to a chip",
	    "provisor sfi options --chip stm32h573 --explain prod.csv",
	    pv_cmd_sfi_options },
	{ "sfi", "sign", "F.sfi --key KEY [-o FILE]",
	    "sign a package: a detached signature beside it",
	    "provisor sfi sign app.sfi --key 'pkcs11:token=oem;object=release'",
	    pv_cmd_sfi_sign },
	{ "sfi", "verify-signature", "F.sfi --key PEM [--signature FILE]",
	    "check who released a package",
	    "provisor sfi verify-signature app.sfi --key release.pem",
	    pv_cmd_sfi_verify_signature },
	{ "sfi", "nonces", "list | export -o FILE | import FILE",
	    "the record of IVs that keys were used with",
	    "provisor sfi nonces export -o nonces-2026-11.txt\n"
	    "provisor sfi nonces import nonces-2026-11.txt",
	    pv_cmd_sfi_nonces },
	{ 0 },
};
