/* SPDX-License-Identifier: Apache-2.0 */
/* provisor image verify, inspect, decrypt --format sbsfu */
#include "cmd/image.h"
#include "cmd/image_sbsfu.h"

#include "base/file.h"
#include "base/hex.h"
#include "cmd/signing.h"
#include "crypto/x509.h"
#include <provisor/secret.h>

#include <stdlib.h>
#include <string.h>

static void
put(struct pv_app *app, struct pv_json *root, const char *member,
    const char *label, const char *text)
{
	pv_json_set_str(root, member, text);
	pv_out(app, "  %-18s %s\n", label, text);
}

void
pv_sbsfu_show(struct pv_app *app, const char *path,
    const struct pv_sbsfu_image *m, struct pv_json *root)
{
	const struct pv_sbsfu_layout *l = pv_sbsfu_layout(m->h.scheme);
	const char *state = pv_sbsfu_state_name(&m->h);
	char text[80];

	pv_out(app, "%s: SBSFU image, scheme %s\n", path, l->name);
	pv_json_set_str(root, "scheme", l->name);
	pv_json_set_int(root, "slot", (int64_t)m->h.slot);
	pv_out(app, "  %-18s %u\n", "slot", m->h.slot);
	pv_json_set_int(root, "version", m->h.version);
	pv_out(app, "  %-18s %u\n", "version", m->h.version);
	pv_json_set_u64(root, "size", m->h.size);
	pv_out(app, "  %-18s %u bytes\n", "firmware", m->h.size);
	if (pv_sbsfu_is_partial(&m->h)) {
		pv_json_set_u64(root, "partial_offset", m->h.partial_offset);
		pv_json_set_u64(root, "partial_size", m->h.partial_size);
		pv_out(app, "  %-18s %u bytes at 0x%x\n", "of it here",
		    m->h.partial_size, m->h.partial_offset);
	}
	pv_hex_encode(text, m->h.tag, l->tag);
	put(app, root, "tag", l->tag == 32 ? "SHA-256" : "tag", text);
	if (l->iv != 0) {
		pv_hex_encode(text, m->h.iv, l->iv);
		put(app, root, "iv", "IV", text);
	}
	put(app, root, "state", "state", state == NULL ? "unknown" : state);
	if (state != NULL && strcmp(state, "new") != 0)
		pv_out(app, "  %-18s %s\n", "",
		    "for a factory image, not for an update");
}

int
pv_cmd_sbsfu_inspect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pv_sbsfu_how how = { 0 };
	struct poptOption table[] = { PV_OPT_FORMAT, PV_OPT_SBSFU(&how),
		POPT_TABLEEND };
	struct pv_sbsfu_image m = { .payload = NULL };
	struct pv_sbsfu_profile p;
	enum pv_sbsfu_scheme scheme;
	const char **args = NULL;
	struct pv_json *o;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r == 0)
		r = pv_sbsfu_how_parse(&how, &scheme, &p, e);
	if (r == 0)
		r = pv_sbsfu_read(args[0], scheme, &p, &m, e);
	if (r != 0)
		return r;
	o = pv_json_new_object();
	pv_json_set_str(o, "file", args[0]);
	pv_sbsfu_show(app, args[0], &m, o);
	pv_sbsfu_release(&m);
	return pv_out_json(app, o, e);
}

/* --- verify ------------------------------------------------------------------------- */

struct verify {
	struct pv_sbsfu_how how;
	const char *key, *aes, *root, *min_version;
	struct pv_sbsfu_profile p;
};

/* X and Y that must have signed: the key given, or the leaf's. */
static int
signer_point(struct pv_app *app, const struct verify *v,
    const struct pv_sbsfu_image *m, uint8_t ret_point[64], struct pv_error *e)
{
	size_t leaf = 0, between = 0, len = 0;
	uint8_t *root = NULL;
	int r;

	if (m->h.scheme != PV_SBSFU_X509) {
		r = pv_need(e, v->key, "--key");
		return r != 0 ? r : pv_open_point(app, v->key, ret_point, e);
	}
	if ((r = pv_need(e, v->root, "--root")) != 0)
		return r;
	r = pv_sbsfu_certs(m, &leaf, &between, e);
	if (r == 0)
		r = pv_x509_read(v->root, &root, &len, e);
	if (r == 0)
		r = pv_x509_verify(
		    m->certs, leaf, m->certs + leaf, between, root, len, e);
	if (r == 0)
		r = pv_x509_point(m->certs, leaf, ret_point, e);
	free(root);
	return r;
}

/* The state tells whether the firmware lies there in clear. */
static bool
is_installed(const struct pv_sbsfu_image *m)
{
	const char *state = pv_sbsfu_state_name(&m->h);

	return state != NULL && strcmp(state, "new") != 0;
}

static int
check_firmware(struct pv_app *app, struct pv_sbsfu_image *m,
    const struct verify *v, const uint8_t *aes, bool *ret_checked,
    struct pv_error *e)
{
	bool clear = is_installed(m) || !pv_sbsfu_encrypted(m->h.scheme);
	int r;

	*ret_checked = clear || aes != NULL;
	if (!clear && aes == NULL) {
		pv_say(app, "note: the firmware is encrypted and not checked; "
			    "give --decrypt-key\n");
		return 0;
	}
	r = clear ? 0 : pv_sbsfu_need_address(&v->how, m->h.scheme, e);
	return r != 0 ? r : pv_sbsfu_open(m, aes, &v->p, clear, e);
}

static int
verify(struct pv_app *app, const char *path, struct pv_sbsfu_image *m,
    const struct verify *v, struct pv_error *e)
{
	struct pv_secret *aes = NULL;
	uint8_t point[64];
	const char *state = pv_sbsfu_state_name(&m->h);
	bool checked = false;
	struct pv_json *o;
	int r = 0;

	if (state != NULL && strcmp(state, "invalid") == 0)
		r = pv_fail(e, PV_E_VERIFY,
		    "its state is 'invalid': the boot program starts no such "
		    "image");
	else if (m->h.scheme == PV_SBSFU_GCM)
		r = pv_need(e, v->aes, "--decrypt-key");
	else
		r = signer_point(app, v, m, point, e);
	if (r == 0 && v->aes != NULL)
		r = pv_open_aes(app, v->aes, 16, &aes, e);
	if (r == 0)
		r = pv_sbsfu_verify_header(
		    m, point, aes == NULL ? NULL : pv_secret_bytes(aes), e);
	if (r == 0)
		r = pv_check_min_version(
		    v->min_version, UINT16_MAX, m->h.version, e);
	if (r == 0)
		r = check_firmware(app, m, v,
		    aes == NULL ? NULL : pv_secret_bytes(aes), &checked, e);
	pv_secret_free(aes);
	if (r != 0)
		return pv_wrap(e, "'%s'", path);
	o = pv_json_new_object();
	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "file", path);
	pv_sbsfu_show(app, path, m, o);
	pv_json_set_bool(o, "firmware_verified", checked);
	pv_out(
	    app, checked ? "verified\n" : "verified: header, not firmware\n");
	return pv_out_json(app, o, e);
}

int
pv_cmd_sbsfu_verify(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct verify v = { .key = NULL };
	struct poptOption table[] = {
		PV_OPT_FORMAT,
		PV_OPT_SBSFU(&v.how),
		{ "key", 'k', POPT_ARG_STRING, &v.key, 0,
		    "public key of the signature: PEM or pkcs11: URI", "KEY" },
		{ "root", 0, POPT_ARG_STRING, &v.root, 0,
		    "ecdsa-x509: root certificate of the device", "FILE" },
		{ "decrypt-key", 0, POPT_ARG_STRING, &v.aes, 0,
		    "AES key of 16 bytes: also check the firmware", "KEY" },
		{ "min-version", 0, POPT_ARG_STRING, &v.min_version, 0,
		    "version that is installed", "N" },
		PV_OPT_PASSPHRASE(app),
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_sbsfu_image m = { .payload = NULL };
	enum pv_sbsfu_scheme scheme;
	const char **args = NULL;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r == 0)
		r = pv_sbsfu_how_parse(&v.how, &scheme, &v.p, e);
	if (r == 0)
		r = pv_sbsfu_read(args[0], scheme, &v.p, &m, e);
	if (r == 0)
		r = verify(app, args[0], &m, &v, e);
	pv_sbsfu_release(&m);
	return r;
}

int
pv_cmd_sbsfu_decrypt(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *key = NULL, *out = NULL, **args = NULL;
	struct pv_sbsfu_how how = { 0 };
	struct poptOption table[] = {
		PV_OPT_FORMAT,
		PV_OPT_SBSFU(&how),
		{ "decrypt-key", 0, POPT_ARG_STRING, &key, 0,
		    "AES key of 16 bytes: file or pkcs11: URI", "KEY" },
		{ "output", 'o', POPT_ARG_STRING, &out, 0,
		    "the plain firmware to write", "FILE" },
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_sbsfu_image m = { .payload = NULL };
	struct pv_sbsfu_profile p;
	struct pv_secret *aes = NULL;
	enum pv_sbsfu_scheme scheme;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r != 0)
		return r;
	if (pv_need(e, key, "--decrypt-key") != 0 ||
	    pv_need(e, out, "-o") != 0 ||
	    pv_check_output(out, (const char *const[]){ args[0], key }, 2, e) !=
		0)
		return PV_E_USAGE;
	r = pv_sbsfu_how_parse(&how, &scheme, &p, e);
	if (r == 0)
		r = pv_sbsfu_read(args[0], scheme, &p, &m, e);
	if (r == 0 && (is_installed(&m) || !pv_sbsfu_encrypted(m.h.scheme)))
		r = pv_fail(e, PV_E_USAGE, "the firmware is not encrypted");
	if (r == 0)
		r = pv_sbsfu_need_address(&how, m.h.scheme, e);
	if (r == 0)
		r = pv_open_aes(app, key, 16, &aes, e);
	if (r == 0)
		r = pv_sbsfu_open(&m, pv_secret_bytes(aes), &p, false, e);
	if (r == 0)
		r = pv_write_plain(app, out, "firmware", m.payload, m.len, e);
	pv_secret_free(aes);
	pv_sbsfu_release(&m);
	return r;
}
