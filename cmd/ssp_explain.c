/* SPDX-License-Identifier: Apache-2.0 */
/* provisor ssp explain: the OTP map of a package, or of secrets to be sealed. */
#include "cmd/sfi.h"
#include "cmd/ssp.h"

#include "base/buf.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>

struct explain {
	struct pv_app *app;
	struct pv_ssp_args a;
	const char *path;
	struct pv_ssp_inputs in;
	struct pv_secrets_map map;
	struct pv_ssp ssp;
	bool package;
	uint32_t words[8];
};

/* Sealed words have no names, and without the key no values. */
static const struct pv_secrets_field sealed = { .name = "secrets",
	.source = PV_SECRETS_FILE };

static int
is_package(const char *path, bool *ret_is, struct pv_error *e)
{
	uint8_t *data = NULL;
	size_t len = 0;
	int r = pv_file_read(path, PV_SECRETS_MAX, &data, &len, e);

	if (r != 0)
		return r;
	*ret_is = pv_ssp_is(data, len);
	/* It may be secrets. */
	pv_wipe(data, len);
	free(data);
	return 0;
}

static int
look_inside(struct explain *x, struct pv_error *e)
{
	struct pv_sealer sealer = { 0 };
	struct pv_secret *plain = NULL;
	struct pv_hsm *hsm = NULL;
	uint8_t nonce[PV_SSP_NONCE];
	int r = pv_file_read_exact(x->a.nonce, nonce, sizeof(nonce), e);

	if (r == 0)
		r = pv_open_sealer(x->app, x->a.key, &sealer, &hsm, e);
	if (r == 0)
		r = pv_ssp_open(&x->ssp, &sealer, nonce,
		    x->in.profile.payload_iv_len, &plain, e);
	for (size_t k = 0; r == 0 && k < x->map.n; k++) {
		const uint8_t *p = pv_secret_bytes(plain) + 4 + 4 * k;

		x->map.words[k].known = true;
		x->map.words[k].zero = pv_get_u32le(p) == 0;
	}
	pv_secret_free(plain);
	pv_sealer_release(&sealer);
	pv_hsm_close(hsm);
	return r;
}

static int
explain_package(struct explain *x, struct pv_error *e)
{
	int r = pv_ssp_read(x->path, &x->ssp, NULL, e);

	if (r == 0 && x->in.has_chip && x->in.chip != x->ssp.chip)
		r = pv_fail(e, PV_E_USAGE, "--chip %s, but '%s' is for a %s",
		    x->a.chip, x->path, pv_ssp_chip_name(x->ssp.chip));
	if (r != 0)
		return r;
	x->map.n = x->ssp.size / 4 - 1;
	for (size_t k = 0; k < x->map.n; k++)
		x->map.words[k].field = &sealed;
	return x->a.key == NULL ? 0 : look_inside(x, e);
}

static int
explain_secrets(struct explain *x, struct pv_error *e)
{
	const struct pv_secrets_io io = { 0 };

	if (x->a.key != NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--key is for a package; '%s' is not sealed", x->path);
	if (!x->in.has_chip)
		return pv_need(e, NULL, "--chip");
	x->ssp.chip = x->in.chip;
	memcpy(x->ssp.root, x->in.root, sizeof(x->ssp.root));
	return pv_secrets_map(&x->in.secrets, &io, &x->map, e);
}

static int
show(struct explain *x, struct pv_error *e)
{
	const bool rooted = x->package || x->in.has_root;
	bool high = x->in.profile.rma_high;
	char root[PV_SSP_ROOT_TEXT] = "of the root key";
	struct pv_json *o;

	if (rooted)
		(void)pv_ssp_root_short(root, x->words);
	pv_out(x->app, "%s: OTP words of a %s\n", x->path,
	    pv_ssp_chip_name(x->ssp.chip));
	pv_out(x->app, "  %-8s %-16s burnt and locked, %s\n", "24..31",
	    pv_ssp_root_name(x->ssp.chip), root);
	pv_out(x->app,
	    "  %-8s %-16s burnt; locked by TF-A 2.8; unlock in bits %s, relock "
	    "in bits %s\n",
	    "56", "RMA word", high ? "29:15" : "14:0", high ? "14:0" : "29:15");
	pv_ssp_map_text(x->app, &x->map);
	if (x->map.n < PV_SECRETS_WORDS)
		pv_out(x->app, "  %zu..%-4u %-16s not touched\n",
		    PV_SSP_OTP_SECRETS + x->map.n, PV_SSP_OTP_LAST, "-");
	pv_say(x->app,
	    "the chip is closed before the secrets are burnt; a word that is "
	    "burnt cannot be changed\n");
	o = pv_json_new_object();
	pv_json_set_str(o, "file", x->path);
	pv_json_set_str(o, "chip", pv_ssp_chip_name(x->ssp.chip));
	pv_json_set_bool(o, "package", x->package);
	pv_ssp_root_json(o, rooted ? x->words : NULL, x->ssp.chip);
	pv_json_set_int(o, "rma_word", PV_SSP_OTP_RMA);
	pv_json_set_str(o, "rma_layout", high ? "high" : "low");
	pv_ssp_map_json(o, &x->map);
	return pv_out_json(x->app, o, e);
}

static int
explain(struct explain *x, struct pv_error *e)
{
	int r = is_package(x->path, &x->package, e);

	if (r == 0 && !x->package)
		x->a.secrets = x->path;
	if (r == 0)
		r = pv_ssp_inputs_load(&x->a, &x->in, e);
	if (r == 0)
		r = x->package ? explain_package(x, e) : explain_secrets(x, e);
	if (r == 0 && (x->package || x->in.has_root))
		r = pv_ssp_otp_root(&x->ssp, x->words, e);
	return r == 0 ? show(x, e) : r;
}

int
pv_cmd_ssp_explain(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct explain x = { .app = app };
	struct poptOption table[] = {
		{ "chip", 0, POPT_ARG_STRING, &x.a.chip, 0,
		    "stm32mp15 or stm32mp13", "C" },
		PV_OPT_SSP_ROOT(&x.a),
		PV_OPT_SSP_PROFILE(&x.a),
		{ "key", 0, POPT_ARG_STRING, &x.a.key, 0,
		    "of a package: also say which words are zero", "KEY" },
		{ "nonce", 0, POPT_ARG_STRING, &x.a.nonce, 0,
		    "file of 16 bytes", "FILE" },
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	const char **args = NULL;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r != 0)
		return r;
	x.path = args[0];
	if ((x.a.key == NULL) != (x.a.nonce == NULL))
		return pv_fail(e, PV_E_USAGE, "--key and --nonce go together");
	r = explain(&x, e);
	pv_ssp_inputs_release(&x.in);
	return r;
}
