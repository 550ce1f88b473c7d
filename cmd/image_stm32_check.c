/* SPDX-License-Identifier: Apache-2.0 */
/* provisor image verify, inspect, decrypt --format stm32 */
#include "cmd/image.h"
#include "cmd/image_stm32.h"
#include "cmd/signing.h"

#include "base/file.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include <provisor/secret.h>

#include <stdlib.h>
#include <string.h>

/* --- fields ------------------------------------------------------------------------ */

static void
put(struct pv_app *app, struct pv_json *root, const char *member,
    const char *label, const char *text)
{
	pv_json_set_str(root, member, text);
	pv_out(app, "  %-18s %s\n", label, text);
}

static void
put_number(struct pv_app *app, struct pv_json *root, const char *member,
    const char *label, uint32_t v, const char *meaning)
{
	char text[80];

	(void)snprintf(text, sizeof(text), "0x%08x%s%s", v,
	    meaning == NULL ? "" : " ", meaning == NULL ? "" : meaning);
	pv_json_set_addr(root, member, v);
	pv_out(app, "  %-18s %s\n", label, text);
}

static void
put_hex(struct pv_app *app, struct pv_json *root, const char *member,
    const char *label, const uint8_t *data, size_t len)
{
	char text[2 * 64 + 1];

	pv_hex_encode(text, data, len);
	put(app, root, member, label, text);
}

static int
show_keys(struct pv_app *app, const struct pv_stm32_header *h,
    struct pv_json *root, struct pv_error *e)
{
	const char *name = pv_stm32_algorithm_name(h->algorithm);
	uint8_t hash[32];
	char text[48];
	int r = pv_stm32_trust_hash(h, hash, e);

	if (r != 0)
		return r;
	put(app, root, "algorithm", "algorithm",
	    name == NULL ? "unknown" : name);
	put_hex(app, root, "public_key", "public key", h->public_key, 64);
	if (h->version != PV_STM32_V1_0) {
		(void)snprintf(text, sizeof(text), "%u of a table of %u",
		    h->key_index, h->key_count);
		put(app, root, "key", "key", text);
	}
	put_hex(app, root, "key_hash",
	    h->version == PV_STM32_V1_0 ? "key hash" : "table hash", hash, 32);
	return 0;
}

int
pv_stm32_show(struct pv_app *app, const char *path,
    const struct pv_stm32_image *m, struct pv_json *root, struct pv_error *e)
{
	const struct pv_stm32_header *h = &m->h;
	bool encrypted =
	    h->version != PV_STM32_V1_0 && (h->flags & PV_STM32_ENCRYPT) != 0;
	int r = 0;

	pv_out(app, "%s: STM32 image, header %s\n", path,
	    pv_stm32_version_name(h->version));
	pv_json_set_str(
	    root, "header_version", pv_stm32_version_name(h->version));
	pv_json_set_u64(root, "header_length", pv_stm32_header_len(h));
	pv_json_set_u64(root, "payload_length", h->length);
	pv_out(app, "  %-18s %u bytes after %u of header\n", "payload",
	    h->length, pv_stm32_header_len(h));
	put_number(app, root, "checksum", "checksum", h->checksum, NULL);
	put_number(app, root, "load_address", "load address", h->load, NULL);
	put_number(app, root, "entry_point", "entry point", h->entry, NULL);
	pv_json_set_u64(root, "image_version", h->image_version);
	pv_out(app, "  %-18s %u\n", "image version", h->image_version);
	put_number(app, root, "binary_type", "binary type", h->type,
	    pv_stm32_type_name(h->type));
	pv_json_set_bool(root, "encrypted", encrypted);
	if (encrypted)
		put_number(app, root, "derivation_constant",
		    "encrypted, const.", h->derivation, NULL);
	pv_json_set_bool(root, "signed", pv_stm32_is_signed(h));
	if (pv_stm32_is_signed(h))
		r = show_keys(app, h, root, e);
	else
		pv_out(app, "  %-18s no\n", "signed");
	if (h->version == PV_STM32_V2_3)
		pv_say(app, "note: what is known of header v2.3 does not come "
			    "from ST; see provisor-image(1)\n");
	return r;
}

int
pv_cmd_stm32_inspect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption table[] = { PV_OPT_FORMAT, POPT_TABLEEND };
	struct pv_stm32_image m = { .payload = NULL };
	const char **args = NULL;
	struct pv_json *o;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r == 0)
		r = pv_stm32_read(args[0], &m, e);
	if (r != 0)
		return r;
	o = pv_json_new_object();
	pv_json_set_str(o, "file", args[0]);
	r = pv_stm32_show(app, args[0], &m, o, e);
	pv_stm32_release(&m);
	if (r != 0) {
		pv_json_free(o);
		return r;
	}
	return pv_out_json(app, o, e);
}

/* --- verify ---------------------------------------------------------------------- */

struct verify {
	const char *key, *key_hash, *edmk, *min_version;
	int allow_unsigned;
};

/* 32 bytes in a file, or 64 hex digits as typed. */
static int
read_hash(const char *text, uint8_t ret_hash[32], struct pv_error *e)
{
	if (strlen(text) == 64 && pv_hex_decode(text, ret_hash, 32, NULL) == 0)
		return 0;
	return pv_file_read_exact(text, ret_hash, 32, e);
}

/* Is it the OEM's key? The key in the header proves nothing by itself. */
static int
check_trust(struct pv_app *app, const struct pv_stm32_image *m,
    const struct verify *v, struct pv_error *e)
{
	uint8_t point[64], hash[32], want[32];
	int r = 0;

	if (v->key != NULL) {
		r = pv_open_point(app, v->key, point, e);
		if (r == 0 && !pv_ct_equal(point, m->h.public_key, 64))
			r = pv_fail(e, PV_E_VERIFY,
			    "it is signed by another key than '%s'", v->key);
	}
	if (r == 0 && v->key_hash != NULL) {
		r = read_hash(v->key_hash, want, e);
		if (r == 0)
			r = pv_stm32_trust_hash(&m->h, hash, e);
		if (r == 0 && memcmp(want, hash, sizeof(hash)) != 0)
			r = pv_fail(e, PV_E_VERIFY,
			    "the hash of its keys is not '%s': a device with "
			    "that hash refuses it",
			    v->key_hash);
	}
	return r;
}

static int
decrypt(struct pv_app *app, struct pv_stm32_image *m, const char *key,
    struct pv_error *e)
{
	struct pv_secret *edmk = NULL;
	int r = pv_stm32_open_edmk(app, key, &edmk, e);

	if (r == 0)
		r = pv_stm32_decrypt(
		    m, pv_secret_bytes(edmk), pv_secret_len(edmk), e);
	pv_secret_free(edmk);
	return r;
}

static int
verify(struct pv_app *app, const char *path, struct pv_stm32_image *m,
    const struct verify *v, struct pv_error *e)
{
	bool is_signed = pv_stm32_is_signed(&m->h);
	struct pv_json *o;
	int r = 0;

	if (is_signed || !v->allow_unsigned)
		r = pv_stm32_verify(m, e);
	if (r == 0)
		r = check_trust(app, m, v, e);
	if (r == 0)
		r = pv_check_min_version(
		    v->min_version, UINT32_MAX, m->h.image_version, e);
	if (r == 0 && v->edmk != NULL)
		r = decrypt(app, m, v->edmk, e);
	if (r != 0)
		return pv_wrap(e, "'%s'", path);
	o = pv_json_new_object();
	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "file", path);
	r = pv_stm32_show(app, path, m, o, e);
	if (r != 0) {
		pv_json_free(o);
		return r;
	}
	pv_out(app, "verified: checksum%s%s%s\n",
	    is_signed ? ", signature" : "",
	    v->key != NULL || v->key_hash != NULL ? ", key" : "",
	    v->edmk != NULL ? ", decrypted payload" : "");
	if (is_signed && v->key == NULL && v->key_hash == NULL)
		pv_say(app, "note: anybody's key verifies like this; --key or "
			    "--key-hash say whether it is yours\n");
	return pv_out_json(app, o, e);
}

int
pv_cmd_stm32_verify(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct verify v = { 0 };
	struct poptOption table[] = {
		PV_OPT_FORMAT,
		{ "key", 'k', POPT_ARG_STRING, &v.key, 0,
		    "it must be signed by this key: PEM or pkcs11: URI",
		    "KEY" },
		{ "key-hash", 0, POPT_ARG_STRING, &v.key_hash, 0,
		    "hash that the device has: 32 bytes in a file, or hex; "
		    "see 'key hash'",
		    "HASH" },
		{ "min-version", 0, POPT_ARG_STRING, &v.min_version, 0,
		    "counter against rollback of the device", "N" },
		{ "decrypt-key", 0, POPT_ARG_STRING, &v.edmk, 0,
		    "master key (EDMK): also check the plain payload", "KEY" },
		{ "allow-unsigned", 0, POPT_ARG_NONE, &v.allow_unsigned, 0,
		    "take an image for open devices", NULL },
		PV_OPT_PASSPHRASE(app),
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_stm32_image m = { .payload = NULL };
	const char **args = NULL;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r == 0)
		r = pv_stm32_read(args[0], &m, e);
	if (r == 0)
		r = verify(app, args[0], &m, &v, e);
	pv_stm32_release(&m);
	return r;
}

int
pv_cmd_stm32_decrypt(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *key = NULL, *out = NULL, **args = NULL;
	struct poptOption table[] = {
		PV_OPT_FORMAT,
		{ "decrypt-key", 0, POPT_ARG_STRING, &key, 0,
		    "master key (EDMK) of 16 or 32 bytes", "KEY" },
		{ "output", 'o', POPT_ARG_STRING, &out, 0,
		    "the plain payload to write", "FILE" },
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_stm32_image m = { .payload = NULL };
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r != 0)
		return r;
	if (pv_need(e, key, "--decrypt-key") != 0 ||
	    pv_need(e, out, "-o") != 0 ||
	    pv_check_output(out, (const char *const[]){ args[0], key }, 2, e) !=
		0)
		return PV_E_USAGE;
	r = pv_stm32_read(args[0], &m, e);
	if (r == 0)
		r = decrypt(app, &m, key, e);
	if (r == 0)
		r = pv_write_plain(app, out, "payload", m.payload, m.len, e);
	pv_stm32_release(&m);
	return r;
}
