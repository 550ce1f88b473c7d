/* SPDX-License-Identifier: Apache-2.0 */
/* provisor image verify, encrypt and decrypt --format mcuboot */
#include "cmd/image.h"
#include "cmd/image_mcuboot.h"
#include "cmd/signing.h"

#include "base/hex.h"
#include "crypto/enckey.h"
#include "crypto/pem.h"
#include "crypto/sigkey.h"
#include <provisor/secret.h>

#include <string.h>

/* --- keys ------------------------------------------------------------------ */

/* The decryption key, and what it borrows from. */
struct opening {
	struct pv_mcuboot_opening by;
	struct pv_opener opener;
	struct pv_secret *wrap;
	struct pv_hsm *hsm;
};

static void
opening_release(struct opening *o)
{
	pv_opener_release(&o->opener);
	pv_secret_free(o->wrap);
	pv_hsm_close(o->hsm);
}

/* One of both options, or none. */
static int
open_decrypt(struct pv_app *app, const char *key, const char *kw,
    struct opening *o, struct pv_error *e)
{
	struct pv_passphrase pass = { app, pv_app_passphrase };
	int r;

	if (key != NULL && kw != NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--decrypt-key and --decrypt-kw exclude each other");
	if (kw != NULL) {
		r = pv_mcuboot_open_wrap(app, kw, &o->wrap, e);
		o->by.wrap = o->wrap;
		return r;
	}
	if (key == NULL)
		return 0;
	if (pv_hsm_is_uri(key)) {
		r = pv_open_token(app, key, &o->hsm, e);
		if (r == 0)
			r = pv_hsm_opener(o->hsm, key, &o->opener, e);
	} else {
		r = pv_opener_read(key, &pass, &o->opener, e);
	}
	o->by.opener = &o->opener;
	return r;
}

/* --- verify ---------------------------------------------------------------- */

struct verify_opts {
	const char *flavor, *slot_size, *align, *max_align, *max_sectors;
	const char *decrypt, *decrypt_kw, *min_counter;
	const char **keys;
	int overwrite_only, primary_only, save_enctlv, allow_test, is_unsigned;
};

struct keys {
	struct pv_pubkey *k[PV_MCUBOOT_SIGS_MAX];
	size_t n;
};

static int
open_keys(struct pv_app *app, const char *const *list, struct keys *k,
    struct pv_error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && list != NULL && list[i] != NULL; i++) {
		if (k->n == PV_MCUBOOT_SIGS_MAX)
			return pv_fail(e, PV_E_USAGE, "more than %u keys",
			    PV_MCUBOOT_SIGS_MAX);
		r = pv_open_public(app, list[i], &k->k[k->n], e);
		k->n += r == 0;
	}
	return r;
}

static int
number(const char *text, const char *what, uint64_t max, uint64_t dflt,
    uint64_t *ret_v, struct pv_error *e)
{
	*ret_v = dflt;
	return text == NULL ? 0 : pv_parse_size(text, max, what, ret_v, e);
}

static int
parse(const struct verify_opts *o, struct pv_mcuboot_verify *v,
    struct pv_error *e)
{
	uint64_t align, max_align, sectors, least;
	int r = o->flavor == NULL
		    ? 0
		    : pv_mcuboot_flavor_find(o->flavor, &v->flavor, e);

	if (r == 0)
		r = number(o->slot_size, "--slot-size", UINT32_MAX, 0,
		    &v->slot_size, e);
	if (r == 0)
		r = number(o->align, "--align", 32, 0, &align, e);
	if (r == 0)
		r = number(o->max_align, "--max-align", 32, 0, &max_align, e);
	if (r == 0)
		r = number(
		    o->max_sectors, "--max-sectors", 65535, 128, &sectors, e);
	if (r == 0)
		r = number(o->min_counter, "--min-security-counter", UINT32_MAX,
		    0, &least, e);
	if (r != 0)
		return r;
	v->align = (uint32_t)align;
	v->max_align = (uint32_t)max_align;
	v->max_sectors = (uint32_t)sectors;
	v->has_min_counter = o->min_counter != NULL;
	v->min_counter = (uint32_t)least;
	v->overwrite_only = o->overwrite_only != 0;
	v->primary_only = o->primary_only != 0;
	v->save_enctlv = o->save_enctlv != 0;
	v->allow_test = o->allow_test != 0;
	v->unsigned_ok = o->is_unsigned != 0;
	return 0;
}

/* Warnings go to the screen, or into the object. */
struct talk {
	const struct pv_app *app;
	struct pv_json *list;
};

static void
say(void *ctx, const char *text)
{
	const struct talk *t = ctx;

	pv_say(t->app, "warning: %s\n", text);
	pv_json_add_str(t->list, text);
}

static void
show(const struct pv_app *app, const struct pv_mcuboot_file *f,
    const struct pv_mcuboot_verdict *d, struct pv_json *o)
{
	char version[32];

	pv_mcuboot_version_text(version, &f->h.version);
	pv_out(app,
	    "%s: good: version %s, SHA-%u, %zu signature%s verified%s\n",
	    f->path, version, d->bits, d->signatures,
	    d->signatures == 1 ? "" : "s",
	    !d->encrypted ? ""
	    : d->clear	  ? ", payload left clear"
			  : ", encrypted");
	pv_json_set_str(o, "version", version);
	pv_json_set_str(o, "flavor", d->flavor->name);
	pv_json_set_hex(o, "digest", d->digest, d->bits / 8);
	pv_json_set_int(o, "signatures", (int64_t)d->signatures);
	pv_json_set_bool(o, "encrypted", d->encrypted);
	pv_json_set_bool(o, "clear", d->clear);
	pv_json_set_bool(o, "test", d->test);
	pv_json_set_bool(o, "trailer", d->trailer);
}

static int
verify(struct pv_app *app, const struct verify_opts *o, const char *path,
    struct pv_error *e)
{
	struct pv_mcuboot_verify v = { 0 };
	struct pv_mcuboot_verdict d;
	struct pv_mcuboot_file f = { 0 };
	struct opening open = { 0 };
	struct keys keys = { 0 };
	struct pv_json *root = pv_json_new_object();
	struct talk t = { app, pv_json_set_array(root, "warnings") };
	int r = parse(o, &v, e);

	pv_json_set_str(root, "result", "ok");
	pv_json_set_str(root, "file", path);
	v.warn = say;
	v.ctx = &t;
	if (r == 0)
		r = pv_mcuboot_open(path, &f, e);
	if (r == 0)
		r = open_keys(app, o->keys, &keys, e);
	if (r == 0)
		r = open_decrypt(app, o->decrypt, o->decrypt_kw, &open, e);
	v.keys = (const struct pv_pubkey *const *)keys.k;
	v.n_keys = keys.n;
	if (open.by.opener != NULL || open.by.wrap != NULL)
		v.by = &open.by;
	if (r == 0)
		r = pv_mcuboot_verify(&f, &v, &d, e);
	if (r == 0)
		show(app, &f, &d, root);
	for (size_t i = 0; i < keys.n; i++)
		pv_pubkey_free(keys.k[i]);
	opening_release(&open);
	pv_mcuboot_close(&f);
	if (r == 0)
		return pv_out_json(app, root, e);
	pv_json_free(root);
	return r;
}

#define FLAVOR_ROWS(var)                                                \
	{ "flavor", 0, POPT_ARG_STRING, &(var), 0,                      \
		"boot loader the image is for (default: by its magic)", \
		"FLAVOR" },                                             \
	{                                                               \
		"flavour", 0, POPT_ARG_STRING, &(var), 0,               \
		    "the same, in British spelling", "FLAVOR"           \
	}

int
pv_image_mcuboot_verify(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct verify_opts o = { 0 };
	const char **args = NULL;
	struct poptOption table[] = {
		PV_OPT_FORMAT,
		FLAVOR_ROWS(o.flavor),
		{ "key", 'k', POPT_ARG_ARGV, &o.keys, 0,
		    "key that must have signed: PEM, or pkcs11: URI; up to 4",
		    "KEY" },
		{ "decrypt-key", 0, POPT_ARG_STRING, &o.decrypt, 0,
		    "private key of the device: PEM, or pkcs11: URI", "KEY" },
		{ "decrypt-kw", 0, POPT_ARG_STRING, &o.decrypt_kw, 0,
		    "AES key of 16 or 32 bytes that wraps the image key",
		    "KEY" },
		{ "slot-size", 'S', POPT_ARG_STRING, &o.slot_size, 0,
		    "bytes of the slot", "N" },
		{ "align", 0, POPT_ARG_STRING, &o.align, 0,
		    "write size of the flash", "N" },
		{ "max-align", 0, POPT_ARG_STRING, &o.max_align, 0,
		    "largest of all slots", "N" },
		{ "max-sectors", 'M', POPT_ARG_STRING, &o.max_sectors, 0,
		    "sectors of a slot, for the trailer", "N" },
		{ "overwrite-only", 0, POPT_ARG_NONE, &o.overwrite_only, 0,
		    "the loader overwrites instead of swapping", NULL },
		{ "primary-only", 'P', POPT_ARG_NONE, &o.primary_only, 0,
		    "ST: there is one slot", NULL },
		{ "save-enctlv", 0, POPT_ARG_NONE, &o.save_enctlv, 0,
		    "the loader keeps the encrypted key in the trailer", NULL },
		{ "min-security-counter", 0, POPT_ARG_STRING, &o.min_counter, 0,
		    "refuse a counter below N", "N" },
		{ "unsigned", 0, POPT_ARG_NONE, &o.is_unsigned, 0,
		    "the image has no signature, and need not", NULL },
		{ "allow-test", 0, POPT_ARG_NONE, &o.allow_test, 0,
		    "accept images of --deterministic-test", NULL },
		PV_OPT_PIN(app),
		PV_OPT_PASSPHRASE(app),
		POPT_TABLEEND,
	};
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	return r != 0 ? r : verify(app, &o, args[0], e);
}

/* --- decrypt, encrypt ------------------------------------------------------ */

static int
recrypt(struct pv_app *app, int argc, const char **argv, bool encrypt,
    struct pv_error *e)
{
	const char *name = NULL, *key = NULL, *kw = NULL, *out = NULL;
	const char **args = NULL;
	int payload_only = 0;
	struct poptOption table[] = {
		PV_OPT_FORMAT,
		FLAVOR_ROWS(name),
		{ "decrypt-key", 0, POPT_ARG_STRING, &key, 0,
		    "private key of the device: PEM, or pkcs11: URI", "KEY" },
		{ "decrypt-kw", 0, POPT_ARG_STRING, &kw, 0,
		    "AES key of 16 or 32 bytes that wraps the image key",
		    "KEY" },
		{ "output", 'o', POPT_ARG_STRING, &out, 0,
		    "the image to write, .bin or .hex", "FILE" },
		PV_OPT_PIN(app),
		PV_OPT_PASSPHRASE(app),
		{ encrypt ? NULL : "payload-only", 0, POPT_ARG_NONE,
		    &payload_only, 0, "write the firmware alone", NULL },
		POPT_TABLEEND,
	};
	const struct pv_mcuboot_flavor *flavor = NULL;
	struct pv_mcuboot_file f = { 0 };
	struct opening open = { 0 };
	struct pv_json *root;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r == 0)
		r = pv_need(e, out, "-o FILE");
	if (r == 0 && key == NULL && kw == NULL)
		r = pv_need(e, NULL, "--decrypt-key");
	if (r == 0 && strcmp(args[0], out) == 0)
		r = pv_fail(e, PV_E_USAGE, "output '%s' is the input", out);
	if (r == 0)
		r = pv_check_output(
		    out, (const char *const[]){ key, kw }, 2, e);
	if (r == 0 && name != NULL)
		r = pv_mcuboot_flavor_find(name, &flavor, e);
	if (r != 0)
		return r;
	r = pv_mcuboot_open(args[0], &f, e);
	if (r == 0)
		r = open_decrypt(app, key, kw, &open, e);
	if (r == 0 && flavor == NULL)
		flavor = pv_mcuboot_flavor_guess(&f.h);
	if (r == 0)
		r = pv_mcuboot_recrypt(
		    &f, flavor, &open.by, encrypt, payload_only != 0, out, e);
	opening_release(&open);
	pv_mcuboot_close(&f);
	if (r != 0)
		return r;
	pv_out(app, "%s: %s\n", out,
	    encrypt	   ? "payload encrypted"
	    : payload_only ? "firmware, decrypted"
			   : "payload decrypted: for the first slot in the "
			     "factory only");
	root = pv_json_new_object();
	pv_json_set_str(root, "result", "ok");
	pv_json_set_str(root, "file", out);
	return pv_out_json(app, root, e);
}

int
pv_image_mcuboot_encrypt(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	return recrypt(app, argc, argv, true, e);
}

int
pv_image_mcuboot_decrypt(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	return recrypt(app, argc, argv, false, e);
}
