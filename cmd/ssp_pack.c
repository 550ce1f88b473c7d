/* SPDX-License-Identifier: Apache-2.0 */
/* provisor ssp pack: one package, or one for each row of a batch. */
#include "cmd/session.h"
#include "cmd/sfi.h"
#include "cmd/sfi_pack.h"
#include "cmd/ssp.h"

#include "base/file.h"
#include "base/hex.h"
#include "crypto/rand.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct job {
	struct pv_app *app;
	struct pv_ssp_args a;
	const char *size, *batch, *dir, *out;
	int dry_run;
	struct pv_ssp_inputs in;
	struct pv_secrets_io io;
	struct pv_table *table;
	struct pv_ssp_tokens tokens;
	struct pv_sealer sealer;
	struct pv_hsm *hsm;
	char record[4096];
	uint32_t otp_root[8];
	struct pv_json *root; /* what --json prints */
};

/* --- inputs ---------------------------------------------------------------------- */

static int
need_all(const struct job *j, struct pv_error *e)
{
	int r = pv_need(e, j->a.secrets, "--secrets");

	if (r == 0 && j->a.public_keys == NULL && j->a.pkhth == NULL)
		r = pv_need(e, NULL, "--public-key");
	if (r == 0 && !j->dry_run)
		r = pv_need(e, j->a.key, "--key");
	if (r != 0)
		return r;
	if (j->batch == NULL && j->dir != NULL)
		return pv_fail(e, PV_E_USAGE, "-d is for --batch");
	if (j->batch == NULL)
		return pv_need(e, j->out, "-o");
	if (j->out != NULL)
		return pv_fail(e, PV_E_USAGE,
		    "-o names one package; a batch goes into a folder, -d");
	if (j->a.nonce != NULL) {
		(void)pv_fail(e, PV_E_USAGE,
		    "--nonce with --batch: each package needs a nonce of its "
		    "own");
		return pv_hint(e, "leave it out: fresh ones are written "
				  "beside the packages");
	}
	return pv_need(e, j->dir, "-d");
}

static int
set_size(struct job *j, struct pv_error *e)
{
	uint64_t v = 0;
	int r;

	if (j->size == NULL)
		return 0;
	r = pv_parse_u64(j->size, PV_SSP_PLAIN_MAX, "--secret-size", &v, e);
	if (r == 0 && (v < PV_SSP_PLAIN_MIN || v % 4 != 0))
		r = pv_fail(e, PV_E_USAGE,
		    "--secret-size is %u to %u, by 4: RMA word and secrets",
		    PV_SSP_PLAIN_MIN, PV_SSP_PLAIN_MAX);
	j->io.size = (size_t)v;
	return r;
}

static int
load(struct job *j, struct pv_error *e)
{
	struct pv_ssp ssp = { 0 };
	int r = need_all(j, e);

	if (r == 0)
		r = set_size(j, e);
	if (r == 0)
		r = pv_ssp_inputs_load(&j->a, &j->in, e);
	if (r == 0 && !j->in.has_chip)
		r = pv_need(e, NULL, "--chip");
	if (r == 0 && j->batch != NULL)
		r = pv_table_load(j->batch, &j->table, e);
	if (r != 0)
		return r;
	j->io.table = j->table;
	j->io.rma_high = j->in.profile.rma_high;
	j->io.random = pv_ssp_random;
	j->io.ctx = &j->tokens;
	ssp.chip = j->in.chip;
	memcpy(ssp.root, j->in.root, sizeof(ssp.root));
	return pv_ssp_otp_root(&ssp, j->otp_root, e);
}

/* --- one package ------------------------------------------------------------------ */

/* The members of a package; `o` is the answer, or its member of a batch. */
static void
package_json(const struct job *j, struct pv_json *o, const char *path,
    const struct pv_ssp *ssp, const char *nonce, bool fresh,
    const struct pv_secrets_map *m)
{
	struct pv_json *n;

	pv_json_set_str(o, "file", path);
	pv_json_set_int(o, "file_size", (int64_t)pv_ssp_len(j->in.chip));
	pv_json_set_int(o, "secret_size", (int64_t)(4 + 4 * m->n));
	if (ssp != NULL) {
		pv_json_set_hex(o, "tag", ssp->tag, sizeof(ssp->tag));
		n = pv_json_set_object(o, "nonce");
		pv_json_set_str(n, "file", nonce);
		pv_json_set_bool(n, "fresh", fresh);
	}
	pv_ssp_map_json(o, m);
}

static void
package_text(
    const struct job *j, const char *path, const struct pv_secrets_map *m)
{
	char root[PV_SSP_ROOT_TEXT];

	pv_out(j->app, "%s: %s%s, %zu bytes, profile %s\n", path,
	    j->dry_run ? "would be for " : "", pv_ssp_chip_name(j->in.chip),
	    pv_ssp_len(j->in.chip), j->in.profile_text);
	pv_out(j->app, "  %-8s %-16s %s, from %s\n", "24..31",
	    pv_ssp_root_name(j->in.chip), pv_ssp_root_short(root, j->otp_root),
	    j->in.root_text);
	pv_out(j->app, "  %-8s %-16s unlock in bits %s, relock in bits %s\n",
	    "56", "RMA word", j->in.profile.rma_high ? "29:15" : "14:0",
	    j->in.profile.rma_high ? "14:0" : "29:15");
	pv_ssp_map_text(j->app, m);
}

static int
seal(struct job *j, const char *path, const uint8_t nonce[PV_SSP_NONCE],
    const char *nonce_path, struct pv_ssp *ret_ssp,
    struct pv_secrets_map *ret_map, struct pv_error *e)
{
	struct pv_ssp_pack p = {
		.chip = j->in.chip,
		.sealer = &j->sealer,
		.iv_len = j->in.profile.payload_iv_len,
		.record_dir = j->record,
		.nonce_path = nonce_path,
	};
	struct pv_secret *plain = NULL;
	int r = pv_secrets_fill(&j->in.secrets, &j->io, &plain, ret_map, e);

	if (r != 0)
		return r;
	memcpy(p.root, j->in.root, sizeof(p.root));
	memcpy(p.nonce, nonce, sizeof(p.nonce));
	p.plain = plain;
	r = pv_ssp_pack(&p, path, ret_ssp, e);
	pv_secret_free(plain);
	return r;
}

/* AN5054 has zeros behind the 12 bytes that are used. */
static int
fresh_nonce(
    const struct job *j, uint8_t nonce[PV_SSP_NONCE], struct pv_error *e)
{
	memset(nonce, 0, PV_SSP_NONCE);
	return pv_random(nonce, j->in.profile.payload_iv_len, e);
}

static int
check_output(const struct job *j, const char *path, struct pv_error *e)
{
	bool same = pv_sfi_same_file(j->a.secrets, path) ||
		    pv_sfi_same_file(j->a.key, path) ||
		    pv_sfi_same_file(j->a.nonce, path) ||
		    pv_sfi_same_file(j->batch, path);

	for (size_t i = 0; i < j->in.secrets.n_fields; i++)
		if (j->in.secrets.fields[i].source == PV_SECRETS_FILE)
			same = same || pv_sfi_same_file(
					   j->in.secrets.fields[i].ref, path);
	if (same)
		return pv_fail(
		    e, PV_E_USAGE, "output '%s' is one of the inputs", path);
	return 0;
}

static int
open_key(struct job *j, struct pv_error *e)
{
	int r = pv_home_path(j->app, "nonces", j->record, sizeof(j->record), e);

	return r != 0
		   ? r
		   : pv_open_sealer(j->app, j->a.key, &j->sealer, &j->hsm, e);
}

static int
pack_one(struct job *j, struct pv_error *e)
{
	char *beside = pv_sfi_beside(j->out, ".nonce", e);
	const char *nonce_path = j->a.nonce == NULL ? beside : NULL;
	uint8_t nonce[PV_SSP_NONCE];
	struct pv_secrets_map m;
	struct pv_ssp ssp;
	int r;

	if (beside == NULL)
		return PV_E_NOMEM;
	r = check_output(j, j->out, e);
	if (r == 0 && nonce_path != NULL)
		r = check_output(j, nonce_path, e);
	if (r == 0)
		r = j->a.nonce == NULL ? fresh_nonce(j, nonce, e)
				       : pv_file_read_exact(j->a.nonce, nonce,
					     sizeof(nonce), e);
	if (r == 0)
		r = open_key(j, e);
	if (r == 0)
		r = seal(j, j->out, nonce, nonce_path, &ssp, &m, e);
	if (r == 0) {
		package_text(j, j->out, &m);
		if (nonce_path != NULL)
			pv_out(j->app,
			    "nonce: written to %s (keep it with the campaign, "
			    "never use it for other content)\n",
			    nonce_path);
		pv_ssp_map_say(j->app, "", &j->in.secrets, &m);
		package_json(j, j->root, j->out, &ssp,
		    nonce_path != NULL ? nonce_path : j->a.nonce,
		    nonce_path != NULL, &m);
	}
	free(beside);
	return r;
}

static int
plan_one(struct job *j, struct pv_error *e)
{
	struct pv_secrets_map m;
	int r = pv_secrets_map(&j->in.secrets, &j->io, &m, e);

	if (r == 0)
		r = pv_secrets_check(&j->in.secrets, &j->io, e);
	if (r != 0)
		return r;
	package_text(j, j->out, &m);
	pv_ssp_map_say(j->app, "", &j->in.secrets, &m);
	package_json(j, j->root, j->out, NULL, NULL, false, &m);
	return 0;
}

/* --- a batch ---------------------------------------------------------------------- */

/* DIR/NAME.ssp of a row, in fresh memory. */
static char *
row_path(const struct job *j, size_t row, struct pv_error *e)
{
	char *path = pv_path_join(j->dir, pv_table_name(j->table, row));
	char *full = path == NULL ? NULL : pv_sfi_beside(path, ".ssp", e);

	if (path == NULL)
		(void)pv_fail(e, PV_E_NOMEM, "out of memory");
	free(path);
	return full;
}

/* Everything that can be wrong with a row, before the first is sealed. */
static int
check_row(struct job *j, size_t row, struct pv_error *e)
{
	struct pv_secrets_map m;
	struct stat st;
	char *path = row_path(j, row, e);
	int r;

	if (path == NULL)
		return PV_E_NOMEM;
	j->io.row = row;
	r = pv_secrets_map(&j->in.secrets, &j->io, &m, e);
	if (r == 0 && stat(path, &st) == 0) {
		r = pv_fail(e, PV_E_EXISTS, "'%s' exists", path);
		(void)pv_hint(e, "a batch replaces nothing: name another "
				 "folder, or take the row out");
	}
	free(path);
	return r == 0 ? 0
		      : pv_wrap(e, "'%s', line %zu", j->batch,
			    pv_table_line(j->table, row));
}

static int
pack_row(struct job *j, size_t row, struct pv_json *list, struct pv_error *e)
{
	char *path = row_path(j, row, e), *nonce_path = NULL;
	uint8_t nonce[PV_SSP_NONCE];
	struct pv_secrets_map m;
	struct pv_ssp ssp;
	struct pv_json *o;
	int r = PV_E_NOMEM;

	if (path != NULL)
		nonce_path = pv_sfi_beside(path, ".nonce", e);
	if (nonce_path != NULL) {
		j->io.row = row;
		r = fresh_nonce(j, nonce, e);
		if (r == 0)
			r = seal(j, path, nonce, nonce_path, &ssp, &m, e);
	}
	if (r == 0) {
		size_t zeros = pv_ssp_map_zeros(&m);

		/* A line only for what somebody should look at. */
		if (zeros != 0)
			pv_out(j->app,
			    "%s: %zu words of its fields are zero and will not "
			    "burn\n",
			    path, zeros);
		o = pv_json_add_object(list);
		pv_json_set_str(o, "name", pv_table_name(j->table, row));
		package_json(j, o, path, &ssp, nonce_path, true, &m);
	}
	free(nonce_path);
	free(path);
	return r;
}

static int
pack_batch(struct job *j, struct pv_error *e)
{
	size_t n = pv_table_rows(j->table), made = 0;
	size_t len = pv_ssp_len(j->in.chip);
	struct pv_json *list = pv_json_set_array(j->root, "packages");
	struct pv_secrets_io all;
	struct pv_secrets_map m;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = check_row(j, i, e);
	if (r != 0)
		return r;
	/* What they have in common: columns are not known there. */
	all = j->io;
	all.table = NULL;
	r = pv_secrets_map(&j->in.secrets, &all, &m, e);
	if (r == 0)
		package_text(j, "each package", &m);
	if (r == 0 && !j->dry_run)
		r = pv_dir_make(j->dir, 0755, e);
	if (r == 0 && !j->dry_run)
		r = open_key(j, e);
	for (; r == 0 && !j->dry_run && made < n; made++) {
		pv_progress_at(&j->app->progress, "seal", made * len, n * len);
		if (pv_progress_cancelled(&j->app->progress))
			r = pv_fail(e, PV_E_INTERRUPTED, "interrupted");
		else
			r = pack_row(j, made, list, e);
		if (r != 0) {
			(void)pv_wrap(e, "'%s', line %zu", j->batch,
			    pv_table_line(j->table, made));
			return pv_hint(e,
			    "%zu of %zu packages were made and are good; "
			    "take their rows out and go on",
			    made, n);
		}
	}
	pv_bar_end(j->app);
	if (r != 0)
		return r;
	pv_out(j->app, "%zu package%s %s %s\n", n, n == 1 ? "" : "s",
	    j->dry_run ? "would go to" : "in", j->dir);
	pv_json_set_int(j->root, "devices", (int64_t)n);
	pv_ssp_map_say(j->app, "", &j->in.secrets, &m);
	return 0;
}

/* --- the verb ----------------------------------------------------------------------- */

static int
run(struct job *j, struct pv_error *e)
{
	int r = load(j, e);

	if (r != 0)
		return r;
	j->root = pv_json_new_object();
	pv_json_set_bool(j->root, "dry_run", j->dry_run != 0);
	pv_json_set_str(j->root, "chip", pv_ssp_chip_name(j->in.chip));
	pv_json_set_str(j->root, "profile", j->in.profile_text);
	pv_ssp_root_json(j->root, j->otp_root, j->in.chip);
	if (j->batch != NULL)
		r = pack_batch(j, e);
	else
		r = j->dry_run ? plan_one(j, e) : pack_one(j, e);
	if (r != 0)
		return r;
	pv_say(j->app, "%s\n", PV_SSP_LABEL);
	pv_json_set_bool(j->root, "verified_on_silicon", false);
	r = pv_out_json(j->app, j->root, e);
	j->root = NULL;
	return r;
}

int
pv_cmd_ssp_pack(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct job j = { .app = app, .tokens = { .app = app } };
	struct poptOption table[] = {
		{ "chip", 0, POPT_ARG_STRING, &j.a.chip, 0,
		    "stm32mp15 or stm32mp13", "C" },
		{ "secrets", 0, POPT_ARG_STRING, &j.a.secrets, 0,
		    "raw bytes for OTP words 59 to 95, or a description named "
		    ".json",
		    "F" },
		PV_OPT_SSP_RMA(&j.a),
		PV_OPT_SSP_ROOT(&j.a),
		{ "key", 0, POPT_ARG_STRING, &j.a.key, 0,
		    "file of 16 bytes, or pkcs11: URI of an AES key", "KEY" },
		{ "nonce", 0, POPT_ARG_STRING, &j.a.nonce, 0,
		    "file of 16 bytes (default: a fresh one in F.ssp.nonce)",
		    "FILE" },
		PV_OPT_SSP_PROFILE(&j.a),
		{ "secret-size", 0, POPT_ARG_STRING, &j.size, 0,
		    "seal N bytes, RMA word included (ST's tool: 152)", "N" },
		{ "batch", 0, POPT_ARG_STRING, &j.batch, 0,
		    "CSV or JSONL with a row for each device, - for standard "
		    "input",
		    "FILE" },
		{ "directory", 'd', POPT_ARG_STRING, &j.dir, 0,
		    "where the packages of a batch go", "DIR" },
		{ "output", 'o', POPT_ARG_STRING, &j.out, 0,
		    "the package to write", "F.ssp" },
		{ "dry-run", 0, POPT_ARG_NONE, &j.dry_run, 0,
		    "show the OTP words, write nothing, use no key", NULL },
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	const char **rest = NULL;
	int r = pv_options(app, table, argc, argv, 0, 0, &rest, e);

	if (r == 0)
		r = run(&j, e);
	pv_json_free(j.root);
	pv_sealer_release(&j.sealer);
	pv_ssp_tokens_close(&j.tokens);
	pv_hsm_close(j.hsm);
	pv_table_free(j.table);
	pv_ssp_inputs_release(&j.in);
	return r;
}
