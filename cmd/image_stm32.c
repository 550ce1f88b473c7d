/* SPDX-License-Identifier: Apache-2.0 */
/* provisor image sign --format stm32 */
#include "cmd/image.h"
#include "cmd/image_stm32.h"
#include "cmd/signing.h"

#include "base/file.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "image/p256.h"
#include <provisor/secret.h>

#include <stdlib.h>
#include <string.h>

struct sign {
	const char *version, *key, **public_keys, *key_index, *load, *entry;
	const char *image_version, *type, *align, *slot, *edmk, *constant;
	const char *out, *vector, *signature;
	int no_key, resign;
	/* as parsed */
	uint8_t points[PV_STM32_KEYS][64];
	uint32_t n;
	int index; /* that signs, or -1: find it */
	uint8_t signer_point[64];
	bool has_signer;
};

static const struct {
	const char *word;
	uint32_t version;
} versions[] = {
	{ "1", PV_STM32_V1_0 },
	{ "1.0", PV_STM32_V1_0 },
	{ "stm32mp15", PV_STM32_V1_0 },
	{ "2", PV_STM32_V2_0 },
	{ "2.0", PV_STM32_V2_0 },
	{ "stm32mp13", PV_STM32_V2_0 },
	{ "2.2", PV_STM32_V2_2 },
	{ "stm32mp2", PV_STM32_V2_2 },
	{ "2.3", PV_STM32_V2_3 },
	{ "stm32n6", PV_STM32_V2_3 },
};

int
pv_stm32_parse_version(
    const char *text, uint32_t *ret_version, struct pv_error *e)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		if (strcmp(versions[i].word, text) == 0) {
			*ret_version = versions[i].version;
			return 0;
		}
	}
	(void)pv_fail(e, PV_E_USAGE, "no header version '%s'", text);
	return pv_hint(e, "1 (stm32mp15), 2 (stm32mp13), 2.2 (stm32mp2), 2.3 "
			  "(stm32n6)");
}

int
pv_stm32_open_edmk(struct pv_app *app, const char *key,
    struct pv_secret **ret_key, struct pv_error *e)
{
	if (pv_hsm_is_uri(key))
		return pv_open_aes(app, key, 16, ret_key, e);
	if (pv_secret_read_file(key, 32, ret_key, NULL) == 0)
		return 0;
	return pv_secret_read_file(key, 16, ret_key, e);
}

/* --- header fields ---------------------------------------------------------------- */

static int
parse_type(const char *text, uint32_t *ret_type, struct pv_error *e)
{
	static const struct {
		const char *word;
		uint32_t type;
	} types[] = { { "u-boot", 0x00 }, { "ssbl", 0x00 }, { "fsbl", 0x10 },
		{ "optee", 0x20 }, { "copro", 0x30 } };
	uint64_t v;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(text, types[i].word) == 0) {
			*ret_type = types[i].type;
			return 0;
		}
	}
	if (pv_parse_u64(text, 255, "", &v, NULL) != 0)
		return pv_fail(e, PV_E_USAGE,
		    "--binary-type is fsbl, ssbl, optee, copro or 0 to 255");
	*ret_type = (uint32_t)v;
	return 0;
}

static int
parse32(const char *text, const char *what, uint32_t *v, struct pv_error *e)
{
	uint64_t n = 0;
	int r;

	if (text == NULL)
		return 0;
	r = pv_parse_size(text, UINT32_MAX, what, &n, e);
	if (r == 0)
		*v = (uint32_t)n;
	return r;
}

/* The entry of a vector table: where STM32N6 takes it from. */
static void
vector_entry(struct pv_stm32_image *m)
{
	if (m->len >= 8)
		m->h.entry = (uint32_t)m->payload[4] |
			     (uint32_t)m->payload[5] << 8 |
			     (uint32_t)m->payload[6] << 16 |
			     (uint32_t)m->payload[7] << 24;
}

static int
new_header(const struct sign *k, struct pv_stm32_image *m,
    const struct pv_stm32_source *s, struct pv_error *e)
{
	int r;

	if (k->version == NULL) {
		(void)pv_need(e, NULL, "--header-version");
		return pv_hint(e, "1 (stm32mp15), 2 (stm32mp13), 2.2 "
				  "(stm32mp2), 2.3 (stm32n6)");
	}
	r = pv_stm32_parse_version(k->version, &m->h.version, e);
	if (r != 0)
		return r;
	m->h.type = 0x10;
	m->h.algorithm = PV_STM32_P256;
	m->h.load = s->load;
	m->h.entry = s->entry;
	if (m->h.version == PV_STM32_V1_0)
		m->h.flags = PV_STM32_NO_SIGNATURE;
	if (m->h.version == PV_STM32_V2_3) {
		if (!s->has_load)
			m->h.load = PV_STM32_NO_LOAD;
		if (!s->has_entry)
			vector_entry(m);
		return 0;
	}
	if (!s->has_load && k->load == NULL)
		return pv_need(e, NULL, "--load-address");
	if (!s->has_entry && k->entry == NULL)
		return pv_need(e, NULL, "--entry-point");
	return 0;
}

/* An image from a build tool, not signed yet: its fields stay. */
static int
old_header(
    const struct sign *k, const struct pv_stm32_image *m, struct pv_error *e)
{
	uint32_t version;
	int r;

	if (k->version != NULL) {
		r = pv_stm32_parse_version(k->version, &version, e);
		if (r != 0)
			return r;
		if (version != m->h.version)
			return pv_fail(e, PV_E_USAGE,
			    "it has a header of %s already",
			    pv_stm32_version_name(m->h.version));
	}
	if ((m->h.flags & PV_STM32_ENCRYPT) != 0 &&
	    m->h.version != PV_STM32_V1_0)
		return pv_fail(e, PV_E_POLICY,
		    "it is encrypted already; sign the plain image");
	if (pv_stm32_is_signed(&m->h) && !k->resign) {
		(void)pv_fail(e, PV_E_POLICY, "it is signed already");
		return pv_hint(e, "--resign replaces the signature");
	}
	return 0;
}

static int
set_fields(const struct sign *k, struct pv_stm32_image *m, uint32_t *slot,
    struct pv_error *e)
{
	uint32_t align = m->h.version == PV_STM32_V2_3 && !m->headed ? 1024 : 1;
	uint32_t tail = 1;
	int r = parse32(k->load, "--load-address", &m->h.load, e);

	if (r == 0)
		r = parse32(k->entry, "--entry-point", &m->h.entry, e);
	if (r == 0)
		r = parse32(k->image_version, "--image-version",
		    &m->h.image_version, e);
	if (r == 0 && k->type != NULL)
		r = parse_type(k->type, &m->h.type, e);
	if (r == 0)
		r = parse32(k->align, "--align", &align, e);
	if (r == 0)
		r = parse32(k->slot, "--slot-size", slot, e);
	if (r != 0)
		return r;
	if (align == 0 || align > 65536)
		return pv_fail(e, PV_E_USAGE, "--align is 1 to 65536");
	if (k->edmk != NULL || m->h.version == PV_STM32_V2_3)
		tail = 16;
	/* The header's length is known before the keys are in it: its padding
	 * makes up for them. */
	pv_stm32_pad_header(&m->h);
	return pv_stm32_align(m, align, tail, e);
}

/* --- keys ----------------------------------------------------------------------- */

static int
read_points(struct pv_app *app, struct sign *k, struct pv_error *e)
{
	int r = 0;

	for (; r == 0 && k->public_keys != NULL && k->public_keys[k->n] != NULL;
	     k->n++) {
		if (k->n == PV_STM32_KEYS)
			return pv_fail(e, PV_E_USAGE, "at most %u --public-key",
			    PV_STM32_KEYS);
		r = pv_open_point(
		    app, k->public_keys[k->n], k->points[k->n], e);
	}
	return r;
}

/* How many keys this version wants. */
static int
check_count(const struct sign *k, uint32_t version, struct pv_error *e)
{
	if (version == PV_STM32_V1_0 && k->n != 1)
		return pv_fail(
		    e, PV_E_USAGE, "an image of STM32MP15 has one public key");
	if ((version == PV_STM32_V2_0 || version == PV_STM32_V2_2) &&
	    k->n != PV_STM32_KEYS) {
		(void)pv_fail(e, PV_E_USAGE,
		    "%u public keys; the device has the hash of a table of %u",
		    k->n, PV_STM32_KEYS);
		return pv_hint(e, "give --public-key eight times, in the "
				  "order of the table");
	}
	return 0;
}

static int
find_index(struct sign *k, struct pv_error *e)
{
	uint64_t v = 0;
	int r;

	k->index = -1;
	if (k->key_index != NULL) {
		r = pv_parse_u64(
		    k->key_index, PV_STM32_KEYS - 1, "--key-index", &v, e);
		if (r != 0)
			return r;
		if (v >= k->n)
			return pv_fail(e, PV_E_USAGE,
			    "--key-index %u of %u keys", (unsigned int)v, k->n);
		k->index = (int)v;
	}
	for (uint32_t i = 0; k->has_signer && k->index < 0 && i < k->n; i++)
		if (memcmp(k->points[i], k->signer_point, 64) == 0)
			k->index = (int)i;
	if (k->index < 0 && k->n == 1 && !k->has_signer)
		k->index = 0;
	if (k->index < 0)
		return k->has_signer
			   ? pv_fail(e, PV_E_USAGE,
				 "none of the public keys is that of '%s'",
				 k->key)
			   : pv_need(e, NULL, "--key-index");
	if (k->has_signer &&
	    memcmp(k->points[k->index], k->signer_point, 64) != 0)
		return pv_fail(e, PV_E_USAGE,
		    "public key %d is not that of '%s'", k->index, k->key);
	return 0;
}

static int
set_keys(struct pv_app *app, struct sign *k, struct pv_stm32_image *m,
    struct pv_error *e)
{
	int r = read_points(app, k, e);

	if (r == 0 && k->n == 0 && k->has_signer &&
	    m->h.version != PV_STM32_V2_0 && m->h.version != PV_STM32_V2_2) {
		memcpy(k->points[0], k->signer_point, 64);
		k->n = 1;
	}
	if (r == 0)
		r = check_count(k, m->h.version, e);
	if (r == 0)
		r = find_index(k, e);
	if (r == 0)
		r = pv_stm32_set_keys(&m->h, (const uint8_t(*)[64])k->points,
		    k->n, (uint32_t)k->index, e);
	if (r == 0)
		pv_stm32_pad_header(&m->h);
	return r;
}

static int
encrypt(struct pv_app *app, const struct sign *k, struct pv_stm32_image *m,
    struct pv_error *e)
{
	struct pv_secret *edmk = NULL;
	uint32_t constant = 0;
	int r;

	if (k->edmk == NULL)
		return 0;
	if ((r = pv_need(e, k->constant, "--derivation-constant")) != 0)
		return r;
	r = parse32(k->constant, "--derivation-constant", &constant, e);
	if (r == 0)
		r = pv_stm32_open_edmk(app, k->edmk, &edmk, e);
	if (r == 0)
		r = pv_stm32_encrypt(
		    m, pv_secret_bytes(edmk), pv_secret_len(edmk), constant, e);
	pv_secret_free(edmk);
	if (r == 0)
		pv_stm32_pad_header(&m->h);
	return r;
}

/* --- signature and file ------------------------------------------------------------ */

static int
show_made(struct pv_app *app, const struct sign *k,
    const struct pv_stm32_image *m, struct pv_error *e)
{
	struct pv_json *o = pv_json_new_object();
	int r;

	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "output", k->out);
	r = pv_stm32_show(app, k->out, m, o, e);
	if (r != 0) {
		pv_json_free(o);
		return r;
	}
	return pv_out_json(app, o, e);
}

static int
finish(struct pv_app *app, const struct sign *k,
    const struct pv_message_signer *signer, struct pv_stm32_image *m,
    struct pv_error *e)
{
	uint8_t head[PV_STM32_HEADER_MAX], digest[32];
	struct pv_part parts[3];
	int r = pv_stm32_signed(m, head, parts, digest, e);

	if (r != 0)
		return r;
	if (k->vector != NULL)
		return pv_vector_write(
		    app, k->out, k->vector, parts, 3, digest, e);
	if (k->signature != NULL)
		r = pv_p256_read_signature(k->signature, m->h.signature, e);
	else if (k->has_signer)
		r = pv_p256_sign(signer, digest, m->h.signature, e);
	if (r == 0 && !k->no_key && (r = pv_stm32_verify(m, e)) != 0)
		r = pv_wrap(e, "the signature that was made");
	if (r == 0)
		r = pv_stm32_write(m, k->out, e);
	return r != 0 ? r : show_made(app, k, m, e);
}

static int
prepare(struct pv_app *app, struct sign *k, const char *in,
    struct pv_stm32_image *m, struct pv_error *e)
{
	struct pv_stm32_source s = { .has_entry = false };
	uint32_t slot = 0;
	int r = pv_stm32_load(in, m, &s, e);

	if (r != 0)
		return r;
	r = m->headed ? old_header(k, m, e) : new_header(k, m, &s, e);
	if (r == 0)
		r = set_fields(k, m, &slot, e);
	if (r == 0)
		r = encrypt(app, k, m, e);
	if (r == 0 && !k->no_key)
		r = set_keys(app, k, m, e);
	if (r == 0)
		r = pv_stm32_finish(m, slot, e);
	return r != 0 ? pv_wrap(e, "'%s'", in) : 0;
}

static int
check_options(const struct sign *k, const char *in, struct pv_error *e)
{
	int sources = (k->key != NULL) + (k->vector != NULL) +
		      (k->signature != NULL) + (k->no_key != 0);

	if (pv_need(e, k->out, "-o") != 0)
		return PV_E_USAGE;
	if (sources != 1)
		return pv_fail(e, PV_E_USAGE,
		    "one of --key, --vector-to-sign, --signature and --no-key "
		    "is needed");
	if (k->no_key && k->public_keys != NULL)
		return pv_fail(
		    e, PV_E_USAGE, "--no-key leaves no use for --public-key");
	if (pv_vector_check(k->vector, e) != 0)
		return PV_E_USAGE;
	if (pv_check_output_list(k->out, k->public_keys, e) != 0)
		return PV_E_USAGE;
	return pv_check_output(k->out,
	    (const char *const[]){ in, k->key, k->edmk, k->signature }, 4, e);
}

static int
sign(struct pv_app *app, struct sign *k, const char *in, struct pv_error *e)
{
	struct pv_message_signer signer = { 0 };
	struct pv_stm32_image m = { .payload = NULL };
	struct pv_hsm *hsm = NULL;
	int r = check_options(k, in, e);

	if (r == 0 && k->key != NULL) {
		r = pv_open_signer(app, k->key, &signer, &hsm, e);
		if (r == 0)
			r = pv_p256_point(&signer, k->signer_point, e);
		k->has_signer = r == 0;
	}
	if (r == 0)
		r = prepare(app, k, in, &m, e);
	if (r == 0)
		r = finish(app, k, &signer, &m, e);
	pv_stm32_release(&m);
	pv_message_signer_release(&signer);
	pv_hsm_close(hsm);
	return r;
}

static int
run_sign(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct sign k = { 0 };
	struct poptOption table[] = {
		PV_OPT_FORMAT,
		{ "key", 'k', POPT_ARG_STRING, &k.key, 0,
		    "private key that signs: PEM or pkcs11: URI", "KEY" },
		{ "public-key", 0, POPT_ARG_ARGV, &k.public_keys, 0,
		    "key of the header's table, in its order; 8 of them for "
		    "STM32MP13 and MP2",
		    "KEY" },
		{ "key-index", 0, POPT_ARG_STRING, &k.key_index, 0,
		    "which of them signs (default: the one that fits)", "N" },
		{ "no-key", 0, POPT_ARG_NONE, &k.no_key, 0,
		    "make an image without a signature, for open devices",
		    NULL },
		{ "header-version", 0, POPT_ARG_STRING, &k.version, 0,
		    "1 (stm32mp15), 2 (stm32mp13), 2.2 (stm32mp2), 2.3 "
		    "(stm32n6)",
		    "V" },
		{ "load-address", 0, POPT_ARG_STRING, &k.load, 0,
		    "where it is loaded (default: that of ELF or HEX)", "A" },
		{ "entry-point", 0, POPT_ARG_STRING, &k.entry, 0,
		    "where it starts (default: that of ELF; STM32N6: its "
		    "vector table)",
		    "A" },
		{ "image-version", 0, POPT_ARG_STRING, &k.image_version, 0,
		    "counter against rollback, default 0", "N" },
		{ "binary-type", 0, POPT_ARG_STRING, &k.type, 0,
		    "fsbl (default), ssbl, optee, copro, or a number", "TYPE" },
		{ "align", 0, POPT_ARG_STRING, &k.align, 0,
		    "zeros before the code, to a multiple of N in the file "
		    "(default 1; STM32N6: 0x400)",
		    "N" },
		{ "slot-size", 'S', POPT_ARG_STRING, &k.slot, 0,
		    "refuse a larger image", "N" },
		{ "encrypt-key", 0, POPT_ARG_STRING, &k.edmk, 0,
		    "master key (EDMK) of 16 or 32 bytes: encrypt the payload",
		    "KEY" },
		{ "derivation-constant", 0, POPT_ARG_STRING, &k.constant, 0,
		    "number that the encryption key is derived with", "N" },
		{ "resign", 0, POPT_ARG_NONE, &k.resign, 0,
		    "replace a signature", NULL },
		{ "vector-to-sign", 0, POPT_ARG_STRING, &k.vector, 0,
		    "write only what must be signed elsewhere: digest or "
		    "payload",
		    "WHAT" },
		{ "signature", 0, POPT_ARG_STRING, &k.signature, 0,
		    "signature made elsewhere: DER, raw or base64", "FILE" },
		{ "output", 'o', POPT_ARG_STRING, &k.out, 0,
		    "the image to write", "FILE" },
		PV_OPT_PASSPHRASE(app),
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	const char **args = NULL;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	return r != 0 ? r : sign(app, &k, args[0], e);
}

static const struct pv_verb verbs[] = {
	{ "image", "sign", "--format stm32 [OPTIONS] FILE -o FILE",
	    "put an STM32 header before firmware and sign it",
	    "provisor image sign --format stm32 --header-version 1 \\\n"
	    "    --load-address 0x2ffc2500 --entry-point 0x2ffc2500 \\\n"
	    "    --key oem.pem tf-a.bin -o tf-a.stm32\n"
	    "provisor image sign --format stm32 --key oem.pem tf-a.stm32 -o "
	    "tf-a-signed.stm32",
	    run_sign },
	{ "image", "verify", "--format stm32 [OPTIONS] FILE",
	    "check header, checksum and signature as the ROM will",
	    "provisor image verify --format stm32 --key-hash pkh.bin "
	    "tf-a.stm32",
	    pv_cmd_stm32_verify },
	{ "image", "inspect", "--format stm32 FILE",
	    "show the header of an STM32 image",
	    "provisor image inspect --format stm32 tf-a.stm32",
	    pv_cmd_stm32_inspect },
	{ "image", "decrypt", "--format stm32 --decrypt-key KEY FILE -o FILE",
	    "write the plain payload of an encrypted STM32 image",
	    "provisor image decrypt --format stm32 --decrypt-key edmk.bin "
	    "fsbl.stm32 -o fsbl.bin",
	    pv_cmd_stm32_decrypt },
	{ 0 },
};

const struct pv_image_format pv_image_stm32 = { "stm32", verbs };
