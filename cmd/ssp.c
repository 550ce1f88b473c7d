/* SPDX-License-Identifier: Apache-2.0 */
/* provisor ssp: the verbs, and those that read a package. */
#include "cmd/ssp.h"
#include "cmd/session.h"

#include "base/buf.h"
#include "base/file.h"
#include "formats/ssp.h"

#include <string.h>

/* --- inspect ------------------------------------------------------------------ */

int
pv_ssp_inspect_file(struct pv_app *app, const char *path, struct pv_error *e)
{
	char number[16], root[PV_SSP_ROOT_TEXT];
	uint32_t words[8];
	struct pv_ssp ssp;
	unsigned int at;
	struct pv_json *o;
	bool valid;
	int r = pv_ssp_read(path, &ssp, NULL, e);

	if (r != 0)
		return r;
	valid = pv_ssp_otp_root(&ssp, words, NULL) == 0;
	at = (unsigned int)pv_ssp_header_len(ssp.chip);
	pv_out(app, "%s: %zu bytes, secrets of a %s\n", path,
	    pv_ssp_len(ssp.chip), pv_ssp_chip_name(ssp.chip));
	pv_license_field(app, 0x00, "magic", PV_SSP_MAGIC, "");
	pv_license_field(app, 0x04, "version", "1", "of the protocol");
	if (ssp.chip == PV_SSP_MP13)
		pv_license_hex(app, 0x08, "PKHTH", ssp.root, 32,
		    "hash of the table of key hashes, OTP 24..31");
	else
		pv_license_hex(app, 0x08, "root key", ssp.root, 64,
		    valid ? "X, Y of the OEM's root key"
			  : "NOT a point on P-256");
	(void)snprintf(number, sizeof(number), "%u", (unsigned int)ssp.size);
	pv_license_field(
	    app, at - 4, "secret size", number, "bytes: RMA word and secrets");
	pv_license_hex(app, at, "tag", ssp.tag, sizeof(ssp.tag),
	    "AES-128-GCM, not checked here");
	pv_license_hex(app, at + 16, "encrypted", ssp.encrypted, ssp.size,
	    "RMA word and secrets");
	if (ssp.chip == PV_SSP_MP15 && valid)
		pv_out(app, "PKH %s, burnt into OTP 24..31\n",
		    pv_ssp_root_short(root, words));
	pv_out(app, "the device gets %zu bytes: a license, then this file\n",
	    pv_ssp_blob_len(ssp.chip));
	pv_say(app, "%s\n", PV_SSP_LABEL);
	o = pv_json_new_object();
	pv_json_set_str(o, "file", path);
	pv_json_set_str(o, "format", "ssp");
	pv_json_set_int(o, "file_size", (int64_t)pv_ssp_len(ssp.chip));
	pv_json_set_str(o, "chip", pv_ssp_chip_name(ssp.chip));
	pv_json_set_int(o, "protocol_version", 1);
	if (ssp.chip == PV_SSP_MP15)
		pv_json_set_hex(o, "root_key", ssp.root, 64);
	pv_json_set_bool(o, "root_valid", valid);
	pv_ssp_root_json(o, valid ? words : NULL, ssp.chip);
	pv_json_set_int(o, "secret_size", ssp.size);
	pv_json_set_hex(o, "tag", ssp.tag, sizeof(ssp.tag));
	pv_json_set_int(o, "blob_size", (int64_t)pv_ssp_blob_len(ssp.chip));
	pv_json_set_bool(o, "verified_on_silicon", false);
	return pv_out_json(app, o, e);
}

static int
run_inspect(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption table[] = { POPT_TABLEEND };
	const char **args = NULL;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	return r != 0 ? r : pv_ssp_inspect_file(app, args[0], e);
}

/* --- verify ------------------------------------------------------------------- */

struct verify {
	struct pv_ssp_args a;
	const char *path, *batch, *row;
	struct pv_ssp_inputs in;
	struct pv_table *table;
	struct pv_ssp ssp;
	size_t zeros, compared;
};

/* The passwords an owner could not use. */
static int
check_rma(
    const struct verify *v, const struct pv_secret *plain, struct pv_error *e)
{
	uint32_t unlock = 0, relock = 0, word = 0;
	int r = pv_ssp_rma_decode(pv_get_u32le(pv_secret_bytes(plain)),
	    v->in.profile.rma_high, &unlock, &relock, e);

	if (r == 0)
		r = pv_ssp_rma_encode(
		    unlock, relock, v->in.profile.rma_high, &word, e);
	pv_wipe(&unlock, sizeof(unlock));
	pv_wipe(&relock, sizeof(relock));
	pv_wipe(&word, sizeof(word));
	if (r != 0)
		return pv_wrap(e, "the tag is valid, but");
	return 0;
}

static int
find_row(const struct verify *v, size_t *ret_row, struct pv_error *e)
{
	for (size_t i = 0; i < pv_table_rows(v->table); i++) {
		if (strcmp(pv_table_name(v->table, i), v->row) == 0) {
			*ret_row = i;
			return 0;
		}
	}
	return pv_fail(
	    e, PV_E_NOT_FOUND, "'%s' has no row '%s'", v->batch, v->row);
}

static int
compare_secrets(
    struct verify *v, const struct pv_secret *plain, struct pv_error *e)
{
	struct pv_secrets_io io = { .rma_high = v->in.profile.rma_high };
	int r = 0;

	if (!v->in.has_secrets)
		return 0;
	if (v->batch != NULL) {
		r = pv_table_load(v->batch, &v->table, e);
		io.table = v->table;
		if (r == 0)
			r = find_row(v, &io.row, e);
	}
	if (r == 0)
		r = pv_secrets_compare(
		    &v->in.secrets, &io, plain, &v->compared, e);
	return r;
}

static int
open_package(struct pv_app *app, struct verify *v, struct pv_secret **ret_plain,
    struct pv_error *e)
{
	struct pv_sealer sealer = { 0 };
	struct pv_hsm *hsm = NULL;
	uint8_t nonce[PV_SSP_NONCE];
	int r = pv_file_read_exact(v->a.nonce, nonce, sizeof(nonce), e);

	if (r == 0)
		r = pv_open_sealer(app, v->a.key, &sealer, &hsm, e);
	if (r == 0) {
		r = pv_ssp_open(&v->ssp, &sealer, nonce,
		    v->in.profile.payload_iv_len, ret_plain, e);
		if (r == PV_E_VERIFY) {
			(void)pv_wrap(e, "'%s'", v->path);
			(void)pv_hint(e,
			    "key, nonce or profile is another one, or the "
			    "file was changed");
		}
	}
	pv_sealer_release(&sealer);
	pv_hsm_close(hsm);
	return r;
}

static int
verify(struct pv_app *app, struct verify *v, struct pv_error *e)
{
	struct pv_secret *plain = NULL;
	uint32_t words[8];
	int r = pv_ssp_read(v->path, &v->ssp, NULL, e);

	if (r == 0)
		r = pv_ssp_otp_root(&v->ssp, words, e);
	if (r == 0)
		r = pv_ssp_inputs_load(&v->a, &v->in, e);
	if (r == 0 && v->in.has_chip && v->in.chip != v->ssp.chip)
		r = pv_fail(e, PV_E_VERIFY, "'%s' is for a %s, not a %s",
		    v->path, pv_ssp_chip_name(v->ssp.chip),
		    pv_ssp_chip_name(v->in.chip));
	if (r == 0 && !v->in.has_root)
		r = pv_ssp_inputs_root(&v->a, v->ssp.chip, &v->in, e);
	if (r == 0 && v->in.has_root &&
	    memcmp(v->in.root, v->ssp.root, sizeof(v->in.root)) != 0)
		r = pv_fail(e, PV_E_VERIFY, "'%s' carries another root than %s",
		    v->path, v->in.root_text);
	if (r == 0)
		r = open_package(app, v, &plain, e);
	if (r == 0)
		r = check_rma(v, plain, e);
	if (r == 0)
		r = compare_secrets(v, plain, e);
	for (size_t i = 4; r == 0 && i < v->ssp.size; i += 4)
		v->zeros += pv_get_u32le(pv_secret_bytes(plain) + i) == 0;
	pv_secret_free(plain);
	return r;
}

static int
show_verified(struct pv_app *app, const struct verify *v, struct pv_error *e)
{
	struct pv_json *o;

	pv_out(app, "%s: verified, tag valid, %u words of secrets", v->path,
	    (unsigned int)v->ssp.size / 4 - 1);
	if (v->zeros != 0)
		pv_out(app, ", %zu of them zero: not burnt", v->zeros);
	if (v->in.has_root)
		pv_out(app, ", root of %s", v->in.root_text);
	if (v->in.has_secrets)
		pv_out(app, ", %zu words as in %s", v->compared, v->a.secrets);
	pv_out(app, "\n");
	pv_say(app, "%s\n", PV_SSP_LABEL);
	o = pv_json_new_object();
	pv_json_set_str(o, "result", "pass");
	pv_json_set_str(o, "file", v->path);
	pv_json_set_str(o, "chip", pv_ssp_chip_name(v->ssp.chip));
	pv_json_set_str(o, "profile", v->in.profile_text);
	pv_json_set_int(o, "secret_size", v->ssp.size);
	pv_json_set_int(o, "zero_words", (int64_t)v->zeros);
	pv_json_set_bool(o, "root_compared", v->in.has_root);
	pv_json_set_int(o, "words_compared", (int64_t)v->compared);
	pv_json_set_bool(o, "verified_on_silicon", false);
	return pv_out_json(app, o, e);
}

static int
run_verify(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct verify v = { 0 };
	struct poptOption table[] = {
		{ "key", 0, POPT_ARG_STRING, &v.a.key, 0,
		    "file of 16 bytes, or pkcs11: URI of an AES key", "KEY" },
		{ "nonce", 0, POPT_ARG_STRING, &v.a.nonce, 0,
		    "file of 16 bytes", "FILE" },
		PV_OPT_SSP_PROFILE(&v.a),
		PV_OPT_SSP_ROOT(&v.a),
		{ "secrets", 0, POPT_ARG_STRING, &v.a.secrets, 0,
		    "what the package must hold, as pack takes it", "F" },
		PV_OPT_SSP_RMA(&v.a),
		{ "batch", 0, POPT_ARG_STRING, &v.batch, 0,
		    "the batch it was made from", "FILE" },
		{ "row", 0, POPT_ARG_STRING, &v.row, 0,
		    "its row of the batch, by name", "NAME" },
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	const char **args = NULL;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r != 0)
		return r;
	v.path = args[0];
	if (pv_need(e, v.a.key, "--key") != 0 ||
	    pv_need(e, v.a.nonce, "--nonce") != 0 ||
	    (v.batch != NULL && pv_need(e, v.row, "--row") != 0))
		return PV_E_USAGE;
	if (v.a.secrets == NULL &&
	    (v.batch != NULL || v.a.unlock != NULL || v.a.relock != NULL))
		return pv_fail(e, PV_E_USAGE,
		    "--batch and RMA passwords are compared with --secrets");
	r = verify(app, &v, e);
	if (r == 0)
		r = show_verified(app, &v, e);
	pv_table_free(v.table);
	pv_ssp_inputs_release(&v.in);
	return r;
}

const struct pv_verb pv_verbs_ssp[] = {
	{ "ssp", "pack",
	    "--chip stm32mp15|stm32mp13 --secrets F --rma-unlock N "
	    "--rma-relock N --public-key PEM... [--pkhth FILE] --key KEY "
	    "[--nonce FILE] [--profile P] [--secret-size N] [--dry-run] "
	    "{-o F.ssp | --batch FILE -d DIR}",
	    "seal secrets for the OTP words of a chip",
	    "provisor ssp pack --chip stm32mp15 --secrets secrets.bin "
	    "--rma-unlock 0x312 \\\n    --rma-relock 0xeca --public-key "
	    "root.pem \\\n    --key 'pkcs11:token=oem;object=ssp-2026' "
	    "-o board.ssp\n"
	    "provisor ssp pack --chip stm32mp15 --secrets secrets.json "
	    "--public-key root.pem \\\n    --key "
	    "'pkcs11:token=oem;object=ssp-2026' --batch devices.csv -d "
	    "packages",
	    pv_cmd_ssp_pack },
	{ "ssp", "inspect", "F.ssp", "show a package; needs no key",
	    "provisor ssp inspect board.ssp", run_inspect },
	{ "ssp", "verify",
	    "F.ssp --key KEY --nonce FILE [--profile P] "
	    "[--public-key PEM]... [--pkhth FILE] [--secrets F] "
	    "[--rma-unlock N] [--rma-relock N] [--batch FILE --row NAME]",
	    "check the tag of a package, and what it holds",
	    "provisor ssp verify board.ssp --key ssp.key --nonce "
	    "board.ssp.nonce \\\n    --public-key root.pem --secrets "
	    "secrets.bin",
	    run_verify },
	{ "ssp", "explain",
	    "FILE [--chip C] [--public-key PEM]... [--pkhth FILE] "
	    "[--profile P] [--key KEY --nonce FILE]",
	    "show which OTP words a package or secrets would burn, without "
	    "their values",
	    "provisor ssp explain secrets.json --chip stm32mp15 --public-key "
	    "root.pem",
	    pv_cmd_ssp_explain },
	{ 0 },
};
