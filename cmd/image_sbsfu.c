/* SPDX-License-Identifier: Apache-2.0 */
/* provisor image sign --format sbsfu */
#include "cmd/image.h"
#include "cmd/image_sbsfu.h"

#include "base/file.h"
#include "base/hex.h"
#include "cmd/signing.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "crypto/rand.h"
#include "crypto/x509.h"
#include "image/mcuboot.h"
#include "image/out.h"
#include "image/p256.h"
#include <provisor/image.h>
#include <provisor/secret.h>

#include <stdlib.h>
#include <string.h>

struct pack {
	struct pv_sbsfu_how how;
	const char *key, *aes, *iv, *version, *slot, *base, *merge;
	const char *slot_offset, **certs, *vector, *signature, *public_key;
	const char *out;
	int install;
	/* as read */
	enum pv_sbsfu_scheme scheme;
	struct pv_sbsfu_profile profile;
	struct pv_message_signer signer;
	struct pv_hsm *hsm;
	struct pv_secret *secret;
	uint8_t point[64];
	uint8_t *fw, *old;
	size_t len, old_len;
};

int
pv_sbsfu_how_parse(const struct pv_sbsfu_how *how,
    enum pv_sbsfu_scheme *ret_scheme, struct pv_sbsfu_profile *ret_p,
    struct pv_error *e)
{
	struct pv_sbsfu_profile p = { 0 };
	uint64_t v = 0;
	int r = 0;

	*ret_scheme = (enum pv_sbsfu_scheme)0;
	if (how->scheme != NULL)
		r = pv_sbsfu_scheme_parse(how->scheme, ret_scheme, e);
	if (r == 0 && how->offset != NULL) {
		r = pv_parse_size(how->offset, 65536, "--offset", &v, e);
		p.offset = (uint32_t)v;
	}
	if (r == 0 && how->address != NULL) {
		r = pv_parse_u64(
		    how->address, UINT32_MAX, "--otfdec-address", &v, e);
		if (r == 0 && v % 16 != 0)
			r = pv_fail(e, PV_E_USAGE,
			    "--otfdec-address is a multiple of 16");
		p.start = v / 16;
	}
	if (r == 0 && how->ctr_tag != NULL) {
		p.tag_encrypted = strcmp(how->ctr_tag, "encrypted") == 0;
		if (!p.tag_encrypted && strcmp(how->ctr_tag, "clear") != 0)
			r = pv_fail(e, PV_E_USAGE,
			    "--ctr-tag is 'clear' or 'encrypted'");
	}
	if (r == 0)
		*ret_p = p;
	return r;
}

int
pv_sbsfu_need_address(const struct pv_sbsfu_how *how,
    enum pv_sbsfu_scheme scheme, struct pv_error *e)
{
	if (scheme == PV_SBSFU_CTR)
		return pv_need(e, how->address, "--otfdec-address");
	return 0;
}

/* --- what goes in --------------------------------------------------------------------- */

static int
load(const char *path, uint8_t **ret, size_t *ret_len, uint64_t *ret_base,
    struct pv_error *e)
{
	struct pv_image *img = NULL;
	uint64_t base = 0, size = 0;
	bool records = false;
	uint8_t *data = NULL;
	int r = pv_mcuboot_load(path, 0xFF, &img, &base, &size, &records, e);

	if (r == 0 && size > PV_SBSFU_PAYLOAD_MAX)
		r = pv_fail(e, PV_E_RANGE, "'%s' has more than %u bytes", path,
		    PV_SBSFU_PAYLOAD_MAX);
	if (r == 0 && (data = malloc((size_t)size)) == NULL)
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
	if (r == 0)
		r = pv_image_read(img, 0, 0, data, (size_t)size, e);
	pv_image_free(img);
	if (r != 0) {
		free(data);
		return r;
	}
	*ret = data;
	*ret_len = (size_t)size;
	if (ret_base != NULL)
		*ret_base = base;
	return 0;
}

static int
read_iv(const struct pack *k, struct pv_sbsfu_header *h, struct pv_error *e)
{
	uint32_t n = pv_sbsfu_layout(k->scheme)->iv;

	if (n == 0)
		return 0;
	return k->iv != NULL ? pv_file_read_exact(k->iv, h->iv, n, e)
			     : pv_random(h->iv, n, e);
}

/* Leaf and intermediate; the leaf's key is the one that signs. */
static int
read_certs(const struct pack *k, struct pv_sbsfu_image *m, struct pv_error *e)
{
	size_t at = 0;
	int r = 0;

	if (k->scheme != PV_SBSFU_X509)
		return 0;
	for (size_t i = 0; r == 0 && i < 2; i++) {
		uint8_t *der = NULL, point[64];
		size_t len = 0;

		r = pv_x509_read(k->certs[i], &der, &len, e);
		if (r == 0 && i == 0)
			r = pv_x509_point(der, len, point, e);
		if (r == 0 && i == 0 &&
		    !pv_ct_equal(point, k->point, sizeof(point)))
			r = pv_fail(e, PV_E_USAGE,
			    "'%s' is not the certificate of the key that signs",
			    k->certs[0]);
		if (r == 0 && len > sizeof(m->certs) - at)
			r = pv_fail(e, PV_E_RANGE,
			    "the certificates do not fit %u bytes",
			    PV_SBSFU_CERTS);
		if (r == 0)
			memcpy(m->certs + at, der, len);
		at += len;
		free(der);
	}
	m->h.certs = m->certs;
	return r;
}

static int
read_numbers(
    const struct pack *k, struct pv_sbsfu_header *h, struct pv_error *e)
{
	uint64_t version = 0, slot = 1;
	int r = pv_parse_u64(k->version, UINT16_MAX, "--version", &version, e);

	if (r == 0 && k->slot != NULL)
		r = pv_parse_u64(k->slot, 3, "--slot", &slot, e);
	if (r == 0 && slot == 0)
		r = pv_fail(e, PV_E_USAGE, "--slot is 1 to 3");
	h->scheme = k->scheme;
	h->version = (uint16_t)version;
	h->slot = (unsigned int)slot;
	return r;
}

static int
set_part(const struct pack *k, struct pv_sbsfu_header *h, struct pv_error *e)
{
	h->partial_offset = 0;
	h->partial_size = (uint32_t)k->len;
	if (k->base == NULL)
		return 0;
	return pv_sbsfu_diff(k->old, k->old_len, k->fw, k->len,
	    &h->partial_offset, &h->partial_size, e);
}

/* --- signing and writing --------------------------------------------------------------- */

static int
sign(struct pack *k, struct pv_sbsfu_image *m, const uint8_t digest[32],
    struct pv_error *e)
{
	int r;

	if (k->scheme == PV_SBSFU_GCM)
		return 0;
	if (k->signature != NULL)
		r = pv_p256_read_signature(k->signature, m->h.auth, e);
	else
		r = pv_p256_sign(&k->signer, digest, m->h.auth, e);
	if (r == 0 && (r = pv_sbsfu_verify_header(m, k->point, NULL, e)) != 0)
		r = pv_wrap(e, "the signature that was made");
	return r;
}

/* Firmware in clear that its updates encrypt is not for everyone's eyes. */
static mode_t
file_mode(const struct pack *k)
{
	return k->install && pv_sbsfu_encrypted(k->scheme) ? 0600 : 0644;
}

/* Boot program, 0xFF, image: one file for the first programming. */
static int
write_merged(
    const struct pack *k, const uint8_t *data, size_t len, struct pv_error *e)
{
	struct pv_imgout *o = NULL;
	uint8_t *boot = NULL;
	size_t boot_len = 0;
	uint64_t base = 0, at = 0;
	int r = pv_parse_size(
	    k->slot_offset, PV_SBSFU_PAYLOAD_MAX, "--slot-offset", &at, e);

	if (r == 0)
		r = load(k->merge, &boot, &boot_len, &base, e);
	if (r == 0 && boot_len > at)
		r = pv_fail(e, PV_E_OVERLAP,
		    "'%s' has %zu bytes and would reach into the slot at %llu",
		    k->merge, boot_len, (unsigned long long)at);
	if (r == 0)
		r = pv_imgout_open(k->out, base, file_mode(k), &o, e);
	if (r == 0)
		r = pv_imgout_write(o, boot, boot_len, e);
	if (r == 0 && at > boot_len)
		r = pv_imgout_gap(o, at - boot_len, 0xFF, e);
	if (r == 0)
		r = pv_imgout_write(o, data, len, e);
	if (r == 0)
		r = pv_imgout_commit(o, e);
	pv_imgout_free(o);
	free(boot);
	return r;
}

static int
write_image(struct pv_app *app, const struct pack *k,
    const struct pv_sbsfu_image *m, struct pv_error *e)
{
	struct pv_json *o;
	uint8_t *data = NULL;
	size_t len = 0;
	int r = pv_sbsfu_bytes(m, &k->profile, &data, &len, e);

	if (r == 0)
		r = k->merge != NULL
			? write_merged(k, data, len, e)
			: pv_file_write(k->out, file_mode(k), data, len, e);
	free(data);
	if (r != 0)
		return r;
	if (k->scheme == PV_SBSFU_GCM)
		pv_say(app,
		    "note: with aes-gcm every device holds the key that "
		    "signs, and header and firmware share a nonce; "
		    "prefer an ECDSA scheme\n");
	if (k->iv != NULL)
		pv_say(app, "note: never use this IV for another firmware\n");
	o = pv_json_new_object();
	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "output", k->out);
	pv_sbsfu_show(app, k->out, m, o);
	return pv_out_json(app, o, e);
}

static int
make(struct pv_app *app, struct pack *k, struct pv_error *e)
{
	struct pv_sbsfu_image m = { .payload = NULL };
	uint8_t head[PV_SBSFU_HEADER_MAX], digest[32];
	struct pv_part part = { head, 0 };
	const uint8_t *aes =
	    k->secret == NULL ? NULL : pv_secret_bytes(k->secret);
	size_t len = 0;
	int r = read_numbers(k, &m.h, e);

	pv_sbsfu_set_state(&m.h, k->install ? PV_SBSFU_VALID : PV_SBSFU_NEW);
	if (r == 0)
		r = set_part(k, &m.h, e);
	if (r == 0)
		r = read_iv(k, &m.h, e);
	if (r == 0)
		r = read_certs(k, &m, e);
	if (r == 0)
		r = pv_sbsfu_make(
		    &m, k->fw, k->len, aes, &k->profile, k->install != 0, e);
	if (r == 0)
		r = pv_sbsfu_signed(&m, head, &len, digest, e);
	if (r == 0 && k->vector != NULL) {
		part.len = len;
		r = pv_vector_write(
		    app, k->out, k->vector, &part, 1, digest, e);
	} else if (r == 0) {
		r = sign(k, &m, digest, e);
		if (r == 0)
			r = write_image(app, k, &m, e);
	}
	pv_sbsfu_release(&m);
	return r;
}

/* --- options ---------------------------------------------------------------------- */

static int
check_keys(const struct pack *k, struct pv_error *e)
{
	bool ecdsa = k->scheme != PV_SBSFU_GCM;
	int sources =
	    (k->key != NULL) + (k->vector != NULL) + (k->signature != NULL);

	if (ecdsa && sources != 1)
		return pv_fail(e, PV_E_USAGE,
		    "one of --key, --vector-to-sign and --signature is needed");
	if (!ecdsa && sources != 0)
		return pv_fail(e, PV_E_USAGE,
		    "aes-gcm has no signature; --encrypt-key does all");
	if (pv_vector_check(k->vector, e) != 0)
		return PV_E_USAGE;
	if (ecdsa && k->key == NULL && k->public_key == NULL)
		return pv_need(e, NULL, "--public-key");
	if (pv_sbsfu_encrypted(k->scheme) != (k->aes != NULL))
		return k->aes == NULL
			   ? pv_need(e, NULL, "--encrypt-key")
			   : pv_fail(e, PV_E_USAGE,
				 "--encrypt-key: scheme %s does not encrypt",
				 k->how.scheme);
	if (pv_sbsfu_encrypted(k->scheme) && ecdsa && k->key == NULL &&
	    k->iv == NULL)
		return pv_fail(e, PV_E_USAGE,
		    "signing elsewhere takes two steps with one --iv");
	return 0;
}

static int
check_certs(const struct pack *k, struct pv_error *e)
{
	size_t n = 0;

	while (k->certs != NULL && k->certs[n] != NULL)
		n++;
	if (n != (k->scheme == PV_SBSFU_X509 ? 2U : 0U))
		return pv_fail(e, PV_E_USAGE,
		    "%zu --certificate; ecdsa-x509 takes the leaf and the "
		    "intermediate, other schemes none",
		    n);
	return 0;
}

static int
check_options(const struct pack *k, const char *in, struct pv_error *e)
{
	int r;

	if (pv_need(e, k->how.scheme, "--scheme") != 0 ||
	    pv_need(e, k->version, "--version") != 0 ||
	    pv_need(e, k->out, "-o") != 0)
		return PV_E_USAGE;
	r = check_keys(k, e);
	if (r == 0)
		r = check_certs(k, e);
	if (r == 0)
		r = pv_sbsfu_need_address(&k->how, k->scheme, e);
	if (r != 0)
		return r;
	if (k->install && k->base != NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--base makes an update, --install no update");
	if ((k->merge != NULL) != (k->slot_offset != NULL) ||
	    (k->merge != NULL && !k->install))
		return pv_fail(e, PV_E_USAGE,
		    "--merge goes with --slot-offset and --install");
	r = pv_check_output_list(k->out, k->certs, e);
	return r != 0 ? r
		      : pv_check_output(k->out,
			    (const char *const[]){ in, k->key, k->aes, k->base,
				k->iv, k->merge, k->signature, k->public_key },
			    8, e);
}

static int
open_keys(struct pv_app *app, struct pack *k, struct pv_error *e)
{
	int r = 0;

	if (k->key != NULL) {
		r = pv_open_signer(app, k->key, &k->signer, &k->hsm, e);
		if (r == 0)
			r = pv_p256_point(&k->signer, k->point, e);
	} else if (k->public_key != NULL) {
		r = pv_open_point(app, k->public_key, k->point, e);
	}
	if (r == 0 && k->aes != NULL)
		r = pv_open_aes(app, k->aes, 16, &k->secret, e);
	return r;
}

static int
pack(struct pv_app *app, struct pack *k, const char *in, struct pv_error *e)
{
	int r = pv_sbsfu_how_parse(&k->how, &k->scheme, &k->profile, e);

	if (r == 0)
		r = check_options(k, in, e);
	if (r == 0)
		r = load(in, &k->fw, &k->len, NULL, e);
	if (r == 0 && k->len >= PV_SBSFU_HEAD && pv_sbsfu_detect(k->fw, k->len))
		r = pv_fail(
		    e, PV_E_POLICY, "'%s' has an SBSFU header already", in);
	if (r == 0 && k->base != NULL)
		r = load(k->base, &k->old, &k->old_len, NULL, e);
	if (r == 0)
		r = open_keys(app, k, e);
	if (r == 0 && (r = make(app, k, e)) != 0)
		r = pv_wrap(e, "'%s'", in);
	pv_secret_free(k->secret);
	pv_message_signer_release(&k->signer);
	pv_hsm_close(k->hsm);
	free(k->fw);
	free(k->old);
	return r;
}

static int
run_sign(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pack k = { .key = NULL };
	struct poptOption table[] = {
		PV_OPT_FORMAT,
		PV_OPT_SBSFU(&k.how),
		{ "key", 'k', POPT_ARG_STRING, &k.key, 0,
		    "private key that signs: PEM or pkcs11: URI", "KEY" },
		{ "certificate", 0, POPT_ARG_ARGV, &k.certs, 0,
		    "ecdsa-x509: that of the key, then that of its issuer",
		    "FILE" },
		{ "encrypt-key", 'E', POPT_ARG_STRING, &k.aes, 0,
		    "AES key of 16 bytes: file or pkcs11: URI", "KEY" },
		{ "iv", 0, POPT_ARG_STRING, &k.iv, 0,
		    "IV or nonce (default: random)", "FILE" },
		{ "version", 'v', POPT_ARG_STRING, &k.version, 0,
		    "version of the firmware, 0 to 65535", "N" },
		{ "slot", 0, POPT_ARG_STRING, &k.slot, 0,
		    "1 (default), 2 or 3: SFU1, SFU2 or SFU3", "N" },
		{ "base", 0, POPT_ARG_STRING, &k.base, 0,
		    "firmware that is installed: pack only what differs",
		    "FILE" },
		{ "install", 0, POPT_ARG_NONE, &k.install, 0,
		    "a header for the installed image, firmware in clear",
		    NULL },
		{ "merge", 0, POPT_ARG_STRING, &k.merge, 0,
		    "put the boot program before it", "FILE" },
		{ "slot-offset", 0, POPT_ARG_STRING, &k.slot_offset, 0,
		    "where the slot begins, from the boot program", "N" },
		{ "vector-to-sign", 0, POPT_ARG_STRING, &k.vector, 0,
		    "write only what must be signed elsewhere: digest or "
		    "payload",
		    "WHAT" },
		{ "signature", 0, POPT_ARG_STRING, &k.signature, 0,
		    "signature made elsewhere: DER, raw or base64", "FILE" },
		{ "public-key", 0, POPT_ARG_STRING, &k.public_key, 0,
		    "public key of that signature", "KEY" },
		{ "output", 'o', POPT_ARG_STRING, &k.out, 0,
		    "the image to write", "FILE" },
		PV_OPT_PASSPHRASE(app),
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	const char **args = NULL;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	return r != 0 ? r : pack(app, &k, args[0], e);
}

static const struct pv_verb verbs[] = {
	{ "image", "sign",
	    "--format sbsfu --scheme SCHEME --version N [OPTIONS] FILE -o FILE",
	    "pack firmware for X-CUBE-SBSFU",
	    "provisor image sign --format sbsfu --scheme ecdsa-aes-cbc \\\n"
	    "    --key ecc.pem --encrypt-key aes.bin --version 2 app.bin -o "
	    "app.sfb",
	    run_sign },
	{ "image", "verify", "--format sbsfu [OPTIONS] FILE",
	    "check an SBSFU image as its boot program will",
	    "provisor image verify --format sbsfu --key ecc.pub.pem \\\n"
	    "    --decrypt-key aes.bin app.sfb",
	    pv_cmd_sbsfu_verify },
	{ "image", "inspect", "--format sbsfu [--scheme SCHEME] FILE",
	    "show the header of an SBSFU image",
	    "provisor image inspect --format sbsfu app.sfb",
	    pv_cmd_sbsfu_inspect },
	{ "image", "decrypt", "--format sbsfu --decrypt-key KEY FILE -o FILE",
	    "write the plain firmware of an SBSFU image",
	    "provisor image decrypt --format sbsfu --decrypt-key aes.bin "
	    "app.sfb -o app.bin",
	    pv_cmd_sbsfu_decrypt },
	{ 0 },
};

const struct pv_image_format pv_image_sbsfu = { "sbsfu", verbs };
