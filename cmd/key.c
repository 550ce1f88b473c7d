/* SPDX-License-Identifier: Apache-2.0 */
/* provisor key: keys in a PKCS#11 token. */
#include "cmd/cmd.h"
#include "cmd/key.h"
#include "cmd/session.h"

#include "base/file.h"
#include "base/log.h"
#include "crypto/pem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ANY_TOKEN "pkcs11:"

static int
open_token(struct pv_app *app, const char *uri, struct pv_hsm **ret_hsm,
    struct pv_error *e)
{
	return pv_hsm_open(uri, app->module, pv_app_pin, app, ret_hsm, e);
}

/* The object that names a new key, with --json. */
static int
json_new_key(struct pv_app *app, const struct pv_hsm *hsm, const char *label,
    const char *type, const char *uri, struct pv_error *e)
{
	struct pv_json *o = pv_json_new_object();

	pv_json_set_str(o, "token", pv_hsm_token_label(hsm));
	pv_json_set_str(o, "label", label);
	pv_json_set_str(o, "type", type);
	pv_json_set_str(o, "uri", uri);
	return pv_out_json(app, o, e);
}

/* --- generate -------------------------------------------------------------- */

static int
run_generate(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	char *token = NULL, *type_text = NULL, *label = NULL, *uri = NULL;
	enum pv_key_type type = PV_KEY_AES128;
	struct pv_hsm *hsm = NULL;
	const char **args = NULL;
	const char *name;
	int r;
	struct poptOption table[] = { { "token", 0, POPT_ARG_STRING, &token, 0,
					  "token to make the key in", "URI" },
		{ "type", 0, POPT_ARG_STRING, &type_text, 0,
		    "aes-128, aes-256, ec-p256, ec-p384 or ed25519", "TYPE" },
		{ "label", 0, POPT_ARG_STRING, &label, 0,
		    "name of the key, 1 to 64 bytes", "NAME" },
		PV_OPT_PIN(app), POPT_TABLEEND };

	if ((r = pv_options(app, table, argc, argv, 0, 0, &args, e)) != 0 ||
	    (r = pv_need(e, token, "--token")) != 0 ||
	    (r = pv_need(e, type_text, "--type")) != 0 ||
	    (r = pv_need(e, label, "--label")) != 0 ||
	    (r = pv_key_type_parse(type_text, &type, e)) != 0 ||
	    (r = open_token(app, token, &hsm, e)) != 0)
		return r;
	name = pv_key_type_name(type);
	if ((r = pv_hsm_generate(hsm, type, label, &uri, e)) != 0)
		goto out;
	pv_out(app, "%s: new %s key in token %s\n  %s\n", label, name,
	    pv_hsm_token_label(hsm), uri);
	if (type == PV_KEY_AES128 || type == PV_KEY_AES256)
		pv_say(app, "its value cannot be read; whoever logs in to the "
			    "token can have it wrapped for a chip\n");
	else
		pv_say(app, "the private key cannot leave the token; "
			    "'provisor key export-public' writes the other "
			    "half\n");
	r = json_new_key(app, hsm, label, name, uri, e);
out:
	free(uri);
	pv_hsm_close(hsm);
	return r;
}

/* --- list ------------------------------------------------------------------ */

struct listing {
	struct pv_app *app;
	struct pv_json *keys;
	unsigned int n;
	bool ecies; /* the token makes ssp and ecies licenses inside */
};

static int
list_row(void *ctx, const struct pv_key_info *key)
{
	struct listing *l = ctx;
	struct pv_json *o = pv_json_add_object(l->keys);

	l->n++;
	pv_json_set_str(o, "label", key->label);
	pv_json_set_str(o, "type", key->type);
	pv_json_set_str(o, "uri", key->uri);
	pv_json_set_bool(o, "sensitive", key->sensitive);
	pv_json_set_bool(o, "extractable", key->extractable);
	pv_json_set_bool(o, "local", key->local);
	pv_json_set_bool(o, "resident", key->resident);
	if (key->why_not != NULL)
		pv_json_set_str(o, "why_not", key->why_not);
	else
		pv_json_set_null(o, "why_not");
	if (key->ecies_why_not != NULL)
		pv_json_set_str(o, "ecies_why_not", key->ecies_why_not);
	else
		pv_json_set_null(o, "ecies_why_not");
	pv_out(l->app, "%-20s %-8s %s\n", key->label, key->type, key->uri);
	if (key->resident)
		pv_out(l->app,
		    "%-20s %-8s can serve a resident license as %s\n", "", "",
		    strncmp(key->type, "aes", 3) == 0 ? "package key"
						      : "campaign key");
	else
		pv_out(l->app, "%-20s %-8s not for resident licenses: %s\n", "",
		    "", key->why_not);
	if (l->ecies && strncmp(key->type, "aes-128", 7) == 0)
		pv_out(l->app, "%-20s %-8s %s%s\n", "", "",
		    key->ecies_why_not == NULL
			? "can serve ssp and ecies licenses inside the token"
			: "not for ssp and ecies licenses inside the token: ",
		    key->ecies_why_not == NULL ? "" : key->ecies_why_not);
	return 0;
}

static int
run_list(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct listing l = { .app = app };
	struct pv_json *root = NULL;
	struct pv_hsm *hsm = NULL;
	const char **args = NULL;
	char *token = NULL;
	int r;
	struct poptOption table[] = {
		{ "token", 0, POPT_ARG_STRING, &token, 0,
		    "token to look into, needed when there are several",
		    "URI" },
		PV_OPT_PIN(app), POPT_TABLEEND
	};

	if ((r = pv_options(app, table, argc, argv, 0, 0, &args, e)) != 0)
		return r;
	r = open_token(app, token != NULL ? token : ANY_TOKEN, &hsm, e);
	if (r != 0)
		return r;
	root = pv_json_new_object();
	pv_json_set_str(root, "token", pv_hsm_token_label(hsm));
	l.keys = pv_json_set_array(root, "keys");
	l.ecies = pv_profile_in_token(hsm, "ecies");
	r = pv_hsm_list(hsm, list_row, &l, e);
	if (r == 0 && l.n == 0)
		pv_say(app, "token %s has no keys\n", pv_hsm_token_label(hsm));
	if (r == 0)
		pv_show_profiles(app, hsm, NULL);
	pv_json_profiles(root, hsm, NULL);
	if (r == 0)
		r = pv_out_json(app, root, e);
	else
		pv_json_free(root);
	pv_hsm_close(hsm);
	return r;
}

/* --- export-public --------------------------------------------------------- */

static int
write_public(struct pv_app *app, const struct pv_hsm *hsm, const char *uri,
    const char *output, const char *pem, struct pv_error *e)
{
	struct pv_json *o;
	int r;

	if (output != NULL) {
		r = pv_file_write(output, 0644, pem, strlen(pem), e);
		if (r != 0)
			return r;
		pv_out(app, "%s: public key of %s\n", output, uri);
	} else {
		pv_out(app, "%s", pem);
	}
	o = pv_json_new_object();
	pv_json_set_str(o, "token", pv_hsm_token_label(hsm));
	pv_json_set_str(o, "uri", uri);
	pv_json_set_str(o, "public_key", pem);
	if (output != NULL)
		pv_json_set_str(o, "saved", output);
	return pv_out_json(app, o, e);
}

static int
run_export_public(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	char *output = NULL, *pem = NULL;
	struct pv_hsm *hsm = NULL;
	const char **args = NULL;
	uint8_t der[PV_SPKI_MAX];
	size_t len = sizeof(der);
	int r;
	struct poptOption table[] = {
		{ "output", 'o', POPT_ARG_STRING, &output, 0,
		    "PEM file to write, default standard output", "F.pem" },
		PV_OPT_PIN(app), POPT_TABLEEND
	};

	if ((r = pv_options(app, table, argc, argv, 1, 1, &args, e)) != 0 ||
	    (r = open_token(app, args[0], &hsm, e)) != 0)
		return r;
	if ((r = pv_hsm_export_public(hsm, args[0], der, &len, e)) == 0 &&
	    (r = pv_pem_encode("PUBLIC KEY", der, len, &pem, e)) == 0)
		r = write_public(app, hsm, args[0], output, pem, e);
	free(pem);
	pv_hsm_close(hsm);
	return r;
}

/* --- import ---------------------------------------------------------------- */

static int
read_aes(const char *path, struct pv_secret **ret_key, struct pv_error *e)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return pv_fail_errno(e,
		    errno == ENOENT ? PV_E_NOT_FOUND : PV_E_IO, errno,
		    "opening '%s'", path);
	if (!S_ISREG(st.st_mode) || (st.st_size != 16 && st.st_size != 32)) {
		(void)pv_fail(e, PV_E_MALFORMED,
		    "'%s' holds %lld bytes; a raw AES key has 16 or 32", path,
		    (long long)st.st_size);
		return pv_hint(e, "the file has the key's bytes themselves, "
				  "not hexadecimal text or PEM");
	}
	return pv_secret_read_file(path, (size_t)st.st_size, ret_key, e);
}

static int
run_import(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	char *token = NULL, *label = NULL, *uri = NULL;
	struct pv_secret *key = NULL;
	struct pv_hsm *hsm = NULL;
	const char **args = NULL;
	const char *type;
	int r;
	struct poptOption table[] = { { "token", 0, POPT_ARG_STRING, &token, 0,
					  "token to put the key into", "URI" },
		{ "label", 0, POPT_ARG_STRING, &label, 0,
		    "name of the key, 1 to 64 bytes", "NAME" },
		PV_OPT_PIN(app), POPT_TABLEEND };

	if ((r = pv_options(app, table, argc, argv, 1, 1, &args, e)) != 0 ||
	    (r = pv_need(e, token, "--token")) != 0 ||
	    (r = pv_need(e, label, "--label")) != 0 ||
	    (r = read_aes(args[0], &key, e)) != 0)
		return r;
	type = pv_key_type_name(
	    pv_secret_len(key) == 16 ? PV_KEY_AES128 : PV_KEY_AES256);
	if ((r = open_token(app, token, &hsm, e)) != 0 ||
	    (r = pv_hsm_import_aes(hsm, key, label, &uri, e)) != 0)
		goto out;
	pv_out(app, "%s: %s key from %s, now in token %s\n  %s\n", label, type,
	    args[0], pv_hsm_token_label(hsm), uri);
	pv_say(app, "the file still holds the key: lock it away or destroy "
		    "it\n");
	r = json_new_key(app, hsm, label, type, uri, e);
out:
	free(uri);
	pv_secret_free(key);
	pv_hsm_close(hsm);
	return r;
}

/* --- destroy --------------------------------------------------------------- */

static int
run_destroy(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pv_hsm *hsm = NULL;
	struct pv_json *o;
	const char **args = NULL;
	int yes = 0, r;
	struct poptOption table[] = {
		{ "yes", 0, POPT_ARG_NONE, &yes, 0,
		    "confirm: nothing brings the key back", NULL },
		PV_OPT_PIN(app), POPT_TABLEEND
	};

	if ((r = pv_options(app, table, argc, argv, 1, 1, &args, e)) != 0)
		return r;
	if (!yes) {
		(void)pv_fail(e, PV_E_IRREVERSIBLE,
		    "destroying '%s' cannot be undone", args[0]);
		return pv_hint(e, "nothing was changed; repeat with --yes to "
				  "destroy the key");
	}
	if ((r = open_token(app, args[0], &hsm, e)) != 0)
		return r;
	if ((r = pv_hsm_destroy(hsm, args[0], e)) == 0) {
		pv_out(app, "destroyed %s in token %s\n", args[0],
		    pv_hsm_token_label(hsm));
		o = pv_json_new_object();
		pv_json_set_str(o, "token", pv_hsm_token_label(hsm));
		pv_json_set_str(o, "uri", args[0]);
		pv_json_set_str(o, "result", "destroyed");
		r = pv_out_json(app, o, e);
	}
	pv_hsm_close(hsm);
	return r;
}

#define PIN_ARGS "[--pin-file FILE | --pin-fd N] [--module PATH]"

const struct pv_verb pv_verbs_key[] = {
	{ "key", "generate", "--token URI --type TYPE --label NAME " PIN_ARGS,
	    "make a key that stays in a token",
	    "provisor key generate --token pkcs11:token=oem --type aes-128 "
	    "--label fw-2026",
	    run_generate },
	{ "key", "list", "[--token URI] " PIN_ARGS,
	    "show the keys of a token and what they can serve",
	    "provisor key list --token pkcs11:token=oem", run_list },
	{ "key", "export-public", "KEY [-o F.pem] " PIN_ARGS,
	    "write the public half of a key as PEM",
	    "provisor key export-public 'pkcs11:token=oem;object=build' -o "
	    "build.pem",
	    run_export_public },
	{ "key", "hash", "--device DEVICE [-o FILE] " PIN_ARGS " KEY ...",
	    "hash of the public keys that an STM32MP is closed with",
	    "provisor key hash --device stm32mp15 oem.pub.pem -o pkh.bin",
	    pv_cmd_key_hash },
	{ "key", "import", "--token URI --label NAME " PIN_ARGS " FILE",
	    "put a raw AES key from a file into a token",
	    "provisor key import --token pkcs11:token=oem --label fw-2026 "
	    "key.bin",
	    run_import },
	{ "key", "destroy", "KEY --yes " PIN_ARGS,
	    "destroy a key, both halves of a pair",
	    "provisor key destroy 'pkcs11:token=oem;object=fw-2025' --yes",
	    run_destroy },
	{ 0 },
};
