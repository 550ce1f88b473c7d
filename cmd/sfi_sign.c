/* SPDX-License-Identifier: Apache-2.0 */
/* provisor sfi sign, sfi verify-signature */
#include "cmd/session.h"
#include "cmd/sfi.h"

#include <provisor/signature.h>

#include <stdlib.h>
#include <string.h>

char *
pv_sfi_beside(const char *path, const char *end, struct pv_error *e)
{
	size_t cap = strlen(path) + strlen(end) + 1;
	char *s = malloc(cap);

	if (s == NULL)
		(void)pv_fail(e, PV_E_NOMEM, "out of memory");
	else
		(void)snprintf(s, cap, "%s%s", path, end);
	return s;
}

static int
show(struct pv_app *app, const char *path, const char *sig_path,
    const struct pv_signature *s, struct pv_error *e)
{
	struct pv_json *o = pv_json_new_object();

	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "file", path);
	pv_json_set_str(o, "signature", sig_path);
	pv_json_set_str(o, "algorithm", pv_sig_alg_name(s->alg));
	pv_json_set_int(o, "file_size", (int64_t)s->file_size);
	pv_json_set_hex(o, "sha256", s->digest, sizeof(s->digest));
	pv_json_set_hex(o, "key_id", s->key_id, sizeof(s->key_id));
	return pv_out_json(app, o, e);
}

static int
sign(struct pv_app *app, const char *path, const char *key,
    const char *sig_path, struct pv_signature *s, struct pv_error *e)
{
	struct pv_message_signer signer = { 0 };
	struct pv_hsm *hsm = NULL;
	int r = pv_open_signer(app, key, &signer, &hsm, e);

	if (r == 0)
		r = pv_signature_make(path, &signer, sig_path, s, e);
	pv_message_signer_release(&signer);
	pv_hsm_close(hsm);
	return r;
}

int
pv_cmd_sfi_sign(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *key = NULL, *out = NULL, **args = NULL;
	struct poptOption table[] = {
		{ "key", 0, POPT_ARG_STRING, &key, 0,
		    "PEM private key or pkcs11: URI, of P-256, P-384 or "
		    "Ed25519",
		    "KEY" },
		{ "output", 'o', POPT_ARG_STRING, &out, 0,
		    "the signature to write (default: F.sfi.sig)", "FILE" },
		PV_OPT_PIN(app),
		PV_OPT_PASSPHRASE(app),
		POPT_TABLEEND,
	};
	struct pv_signature s;
	char *beside = NULL, id[12];
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r != 0)
		return r;
	if (pv_need(e, key, "--key") != 0)
		return PV_E_USAGE;
	if (out == NULL) {
		beside = pv_sfi_beside(args[0], ".sig", e);
		if (beside == NULL)
			return PV_E_NOMEM;
		out = beside;
	}
	if (strcmp(out, args[0]) == 0 || strcmp(out, key) == 0)
		r = pv_fail(
		    e, PV_E_USAGE, "output '%s' is one of the inputs", out);
	if (r == 0)
		r = sign(app, args[0], key, out, &s, e);
	if (r == 0) {
		pv_short_hex(id, s.key_id);
		pv_out(
		    app, "%s: %s by key %s\n", out, pv_sig_alg_name(s.alg), id);
		r = show(app, args[0], out, &s, e);
	}
	free(beside);
	return r;
}

int
pv_cmd_sfi_verify_signature(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *key = NULL, *sig = NULL, **args = NULL;
	struct poptOption table[] = {
		{ "key", 0, POPT_ARG_STRING, &key, 0,
		    "PEM public key or certificate of the signer", "PEM" },
		{ "signature", 0, POPT_ARG_STRING, &sig, 0,
		    "the signature (default: F.sfi.sig)", "FILE" },
		POPT_TABLEEND,
	};
	struct pv_signature s;
	char *beside = NULL;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r != 0)
		return r;
	if (pv_need(e, key, "--key") != 0)
		return PV_E_USAGE;
	if (sig == NULL) {
		beside = pv_sfi_beside(args[0], ".sig", e);
		if (beside == NULL)
			return PV_E_NOMEM;
		sig = beside;
	}
	r = pv_signature_check(args[0], sig, key, &s, e);
	if (r == 0) {
		pv_out(app, "%s: signed by '%s' (%s)\n", args[0], key,
		    pv_sig_alg_name(s.alg));
		r = show(app, args[0], sig, &s, e);
	}
	free(beside);
	return r;
}
