/* SPDX-License-Identifier: Apache-2.0 */
/* provisor image sign --format mcuboot */
#include "cmd/image.h"
#include "cmd/image_mcuboot.h"
#include "cmd/signing.h"

#include "base/file.h"
#include "base/hex.h"
#include "base/base64.h"

#include <stdlib.h>
#include <string.h>

/* --- what was made --------------------------------------------------------- */

static void
describe(const struct pv_app *app, const struct pv_mcuboot_params *p,
    const struct pv_mcuboot_made *m, const char *out, struct pv_json *o)
{
	char version[32], hex[2 * 64 + 1];

	pv_mcuboot_version_text(version, &m->h.version);
	pv_hex_encode(hex, m->digest, m->bits / 8);
	pv_out(app, "%s: version %s, %llu bytes%s, %zu signature%s%s%s\n", out,
	    version, (unsigned long long)m->used,
	    m->trailer != 0 ? " padded to the slot" : "", p->n_sigs,
	    p->n_sigs == 1 ? "" : "s",
	    p->to == NULL ? "" : (p->clear ? ", left clear" : ", encrypted"),
	    p->test_mark ? ", for tests only" : "");
	pv_out(app, "SHA-%u %s\n", m->bits, hex);
	pv_json_set_str(o, "file", out);
	pv_json_set_str(o, "flavor", p->flavor->name);
	pv_json_set_str(o, "version", version);
	if (p->has_counter)
		pv_json_set_u64(o, "security_counter", p->counter);
	pv_json_set_u64(o, "size", m->size);
	pv_json_set_u64(o, "used", m->used);
	pv_json_set_u64(o, "trailer", m->trailer);
	pv_json_set_u64(o, "payload_size", m->h.img_size);
	pv_json_set_addr(o, "flags", m->h.flags);
	pv_json_set_hex(o, "digest", m->digest, m->bits / 8);
	pv_json_set_int(o, "signatures", (int64_t)p->n_sigs);
	pv_json_set_bool(o, "encrypted", pv_mcuboot_encrypts(p));
	pv_json_set_bool(o, "test", p->test_mark);
}

/* What the options ask for and the loader will not see. */
static void
warn(const struct pv_app *app, const struct pv_mcuboot_params *p)
{
	bool stirot = p->magic == PV_MCUBOOT_MAGIC_STIROT;

	if (p->confirm && (p->overwrite_only || stirot || p->primary_only))
		pv_say(app, "--confirm marks nothing here: the loader does not "
			    "swap images\n");
	if (p->clear)
		pv_say(app, "the payload is not encrypted: for the first slot "
			    "in the factory only, never to be published\n");
	if (p->n_sigs == 0)
		pv_say(app, "no key: the image is not signed\n");
}

/* base64 of the signature as it stands in the image, as imgtool --sig-out. */
static int
write_signature(
    struct pv_outfile *f, const struct pv_mcuboot_made *m, struct pv_error *e)
{
	char text[PV_BASE64_LEN(PV_SIG_MAX) + 1];
	int r;

	pv_base64_encode(text, m->sig, m->sig_len);
	r = pv_outfile_write(f, text, strlen(text), e);
	return r != 0 ? r : pv_outfile_commit(f, e);
}

/* No output may take the place of a key, or of anything else that is read. */
static int
check_output(
    const struct pv_mcuboot_opts *o, const char *out, struct pv_error *e)
{
	int r = pv_check_output(out,
	    (const char *const[]){ o->encrypt, o->encrypt_kw, o->batch }, 3, e);

	if (r == 0)
		r = pv_check_output_list(out, o->keys, e);
	if (r == 0)
		r = pv_check_output_list(out, o->publics, e);
	return r != 0 ? r : pv_check_output_list(out, o->signatures, e);
}

static int
sign_one(struct pv_app *app, const struct pv_mcuboot_opts *o,
    const struct pv_mcuboot_params *p, const char *in, const char *out,
    struct pv_json *root, struct pv_error *e)
{
	struct pv_mcuboot_made made;
	struct pv_outfile *sig = NULL;
	int r = 0;

	if (strcmp(in, out) == 0)
		return pv_fail(e, PV_E_USAGE, "output '%s' is the input", out);
	r = check_output(o, out, e);
	if (r == 0 && o->sig_out != NULL)
		r = check_output(o, o->sig_out, e);
	if (r == 0 && o->sig_out != NULL)
		r = pv_check_output(o->sig_out, &in, 1, e);
	/* What cannot be written must not leave an image without it. */
	if (r == 0 && o->sig_out != NULL)
		r = pv_outfile_open(o->sig_out, 0644, &sig, e);
	if (r != 0)
		return r;
	if (o->vector != NULL)
		r = pv_mcuboot_vector(
		    p, in, out, strcmp(o->vector, "payload") == 0, &made, e);
	else
		r = pv_mcuboot_sign(p, in, out, &made, e);
	if (r == 0 && sig != NULL)
		r = write_signature(sig, &made, e);
	pv_outfile_free(sig);
	if (r != 0)
		return r;
	if (o->vector != NULL)
		pv_out(app, "%s: the %s to sign\n", out, o->vector);
	describe(app, p, &made, out, root);
	return 0;
}

/* --- one, or a list -------------------------------------------------------- */

/* The next word of a line, ended in place; NULL at its end. */
static char *
word(char **p)
{
	char *s = *p + strspn(*p, " \t\r");

	if (*s == '\0')
		return NULL;
	*p = s + strcspn(s, " \t\r");
	if (**p != '\0')
		*(*p)++ = '\0';
	return s;
}

/* "IN OUT [VERSION]"; empty lines and those with '#' say nothing. */
static int
batch_line(struct pv_app *app, const struct pv_mcuboot_opts *o,
    const struct pv_mcuboot_setup *s, char *line, struct pv_json *list,
    struct pv_error *e)
{
	struct pv_mcuboot_params p = s->p;
	char *in = word(&line), *out, *version;
	int r = 0;

	if (in == NULL || in[0] == '#')
		return 0;
	out = word(&line);
	version = word(&line);
	if (out == NULL || word(&line) != NULL)
		return pv_fail(
		    e, PV_E_MALFORMED, "a line is 'IN OUT [VERSION]'");
	if (version != NULL) {
		r = pv_mcuboot_version_parse(version, &p.version, e);
		/* "auto" follows the version. */
		if (o->counter == NULL || strcmp(o->counter, "auto") == 0)
			p.counter = (uint32_t)p.version.major << 24 |
				    (uint32_t)p.version.minor << 16 |
				    p.version.revision;
	}
	return r != 0
		   ? r
		   : sign_one(app, o, &p, in, out, pv_json_add_object(list), e);
}

#define BATCH_MAX (16U << 20)

static int
batch(struct pv_app *app, const struct pv_mcuboot_opts *o,
    const struct pv_mcuboot_setup *s, struct pv_json *root, struct pv_error *e)
{
	struct pv_json *list = pv_json_set_array(root, "images");
	unsigned int n = 0;
	uint8_t *text = NULL;
	size_t len = 0;
	char *at, *next;
	int r = pv_file_read(o->batch, BATCH_MAX, &text, &len, e);

	/* Nothing behind a NUL would be seen. */
	if (r == 0 && memchr(text, '\0', len) != NULL)
		r = pv_fail(e, PV_E_MALFORMED,
		    "'%s' is no text: it holds a zero byte", o->batch);
	for (at = (char *)text; r == 0 && at != NULL; at = next) {
		next = strchr(at, '\n');
		if (next != NULL)
			*next++ = '\0';
		n++;
		if (pv_progress_cancelled(&app->progress))
			r = pv_fail(e, PV_E_INTERRUPTED, "interrupted");
		else
			r = batch_line(app, o, s, at, list, e);
		if (r != 0) {
			(void)pv_wrap(e, "'%s' line %u", o->batch, n);
			(void)pv_hint(e, "the lines before it are done");
		}
	}
	free(text);
	return r;
}

/* --sig-out takes the signature of one image, which is made here. */
static int
check_sig_out(const struct pv_mcuboot_opts *o, struct pv_error *e)
{
	if (o->sig_out == NULL)
		return 0;
	if (o->batch != NULL || o->vector != NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--sig-out and --%s exclude "
		    "each other",
		    o->batch != NULL ? "batch" : "vector-to-sign");
	if (o->keys == NULL && o->signatures == NULL)
		return pv_fail(
		    e, PV_E_USAGE, "--sig-out: the image has no signature");
	return o->output == NULL || strcmp(o->sig_out, o->output) != 0
		   ? 0
		   : pv_fail(e, PV_E_USAGE,
			 "--sig-out '%s' is the output as well", o->sig_out);
}

static int
check_options(const struct pv_mcuboot_opts *o, struct pv_error *e)
{
	int r = pv_vector_check(o->vector, e);

	if (r == 0 && o->batch != NULL && o->output != NULL)
		r = pv_fail(
		    e, PV_E_USAGE, "--batch names the outputs, not --output");
	return r != 0 ? r : check_sig_out(o, e);
}

/*
 * FILE -o OUT, or FILE OUT as imgtool has it. There -o is ST's --otfdec: with
 * an output among the arguments it keeps that meaning.
 */
static int
find_output(struct pv_mcuboot_opts *o, const char **args, struct pv_error *e)
{
	if (o->batch != NULL)
		return args[0] == NULL
			   ? 0
			   : pv_fail(e, PV_E_USAGE,
				 "--batch names the files, not the command");
	if (args[0] == NULL)
		return pv_fail(e, PV_E_USAGE, "an argument is missing");
	if (args[1] == NULL)
		return pv_need(e, o->output, "-o FILE");
	if (o->output != NULL && o->otfdec != NULL)
		return pv_fail(e, PV_E_USAGE, "two outputs: '%s' and '%s'",
		    o->output, args[1]);
	if (o->output != NULL)
		o->otfdec = o->output;
	o->output = args[1];
	return 0;
}

static int
run(struct pv_app *app, struct pv_mcuboot_opts *o, const char **args,
    struct pv_error *e)
{
	struct pv_mcuboot_setup s = { 0 };
	struct pv_json *root = pv_json_new_object();
	int r = find_output(o, args, e);

	if (r == 0)
		r = check_options(o, e);
	if (r == 0)
		r = pv_mcuboot_setup(o, &s, e);
	if (r == 0)
		r = pv_mcuboot_setup_keys(app, o, &s, e);
	pv_json_set_str(root, "result", "ok");
	if (r == 0 && o->vector == NULL)
		warn(app, &s.p);
	if (r == 0)
		r = o->batch != NULL
			? batch(app, o, &s, root, e)
			: sign_one(app, o, &s.p, args[0], o->output, root, e);
	pv_mcuboot_setup_release(&s);
	if (r == 0)
		return pv_out_json(app, root, e);
	pv_json_free(root);
	return r;
}

#define STR(name, c, field, text, arg)                           \
	{                                                        \
		name, c, POPT_ARG_STRING, &o.field, 0, text, arg \
	}
#define FLAG(name, c, field, text)                              \
	{                                                       \
		name, c, POPT_ARG_NONE, &o.field, 0, text, NULL \
	}
#define LIST(name, c, field, text, arg)                        \
	{                                                      \
		name, c, POPT_ARG_ARGV, &o.field, 0, text, arg \
	}

int
pv_image_mcuboot_sign(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pv_mcuboot_opts o = { 0 };
	const char **args = NULL;
	struct poptOption table[] = {
		PV_OPT_FORMAT,
		STR("flavor", 0, flavor, "boot loader the image is for",
		    "FLAVOR"),
		STR("flavour", 0, flavor, "the same, in British spelling",
		    "FLAVOR"),
		LIST("key", 'k', keys,
		    "PEM private key or pkcs11: URI; up to 4", "KEY"),
		STR("public-key-format", 0, key_format,
		    "put hash or full key into the image", "hash|full"),
		STR("version", 'v', version, "version, such as 1.2.3+4", "V"),
		STR("security-counter", 's', counter,
		    "number, or 'auto' for that of the version", "N"),
		STR("header-size", 'H', header_size, "bytes of the header",
		    "N"),
		FLAG("pad-header", 0, pad_header,
		    "put the header before the firmware"),
		STR("slot-size", 'S', slot_size, "bytes of the slot", "N"),
		STR("align", 0, align, "write size of the flash", "N"),
		STR("max-align", 0, max_align, "largest of all slots", "N"),
		STR("max-sectors", 'M', max_sectors,
		    "sectors of a slot, for the trailer (default 128)", "N"),
		FLAG(
		    "pad", 0, pad, "fill the slot and end it with the trailer"),
		FLAG("test", 0, pad, "the same: swapped in once, on trial"),
		FLAG("confirm", 0, confirm, "pad, and mark the image as good"),
		FLAG("overwrite-only", 0, overwrite_only,
		    "the loader overwrites instead of swapping"),
		FLAG(
		    "primary-only", 'P', primary_only, "ST: there is one slot"),
		LIST("dependencies", 'd', deps,
		    "\"(IMAGE, VERSION)...\"; may stand several times", "D"),
		STR("boot-record", 0, boot_record,
		    "software type of the boot record", "TYPE"),
		LIST("custom-tlv", 0, custom,
		    "further protected entry; VALUE is text or 0x...",
		    "TAG:VALUE"),
		LIST("custom-tlv-file", 0, custom_file, "the same, from a file",
		    "TAG:FILE"),
		STR("vid", 0, vid, "vendor UUID", "UUID"),
		STR("cid", 0, cid, "class UUID", "UUID"),
		STR("load-addr", 'L', load_addr, "load into RAM at", "ADDR"),
		STR("rom-fixed", 'F', rom_fixed, "runs at, in ROM", "ADDR"),
		FLAG("non-bootable", 0, non_bootable, "not to be started"),
		STR("erased-val", 'R', erased, "0 or 0xff (default)", "BYTE"),
		STR("endian", 'e', endian, "little", "ORDER"),
		STR("sha", 0, sha, "auto, 256, 384 or 512", "BITS"),
		FLAG("pure", 0, pure, "Ed25519 over the image, not its hash"),
		FLAG("pad-sig", 0, pad_sig, "ECDSA signatures of full length"),
		STR("encrypt", 'E', encrypt,
		    "encrypt for this key: PEM, or pkcs11: URI", "KEY"),
		STR("encrypt-kw", 0, encrypt_kw,
		    "encrypt under this AES key of 16 or 32 bytes", "KEY"),
		STR("encrypt-keylen", 0, keylen, "128 (default) or 256",
		    "BITS"),
		STR("hmac-sha", 0, hmac_sha, "X25519: 256 (default) or 512",
		    "BITS"),
		FLAG("clear", 'c', clear,
		    "keep the payload plain, with its key: first slot"),
		FLAG("save-enctlv", 0, save_enctlv,
		    "the loader keeps the encrypted key in the trailer"),
		STR("magic", 0, magic, "ST: another magic; -ma as well", "N"),
		STR("otfdec", 0, otfdec, "ST: encrypted for OTFDEC", "ADDR"),
		FLAG("no-pad-tlv", 0, no_pad_tlv, "ST: no entry as filler"),
		STR("hex-addr", 'x', hex_addr, "address of .hex output",
		    "ADDR"),
		STR("vector-to-sign", 0, vector,
		    "write what is to be signed elsewhere", "digest|payload"),
		LIST("signature", 0, signatures,
		    "signature made elsewhere: DER, raw or base64", "FILE"),
		LIST("fix-sig", 0, signatures, "the same", "FILE"),
		LIST("public-key", 0, publics, "the key it is by", "KEY"),
		LIST("fix-sig-pubkey", 0, publics, "the same", "KEY"),
		STR("sig-out", 0, sig_out, "write the signature, base64",
		    "FILE"),
		STR("deterministic-test", 0, seed,
		    "keys from a seed; marks the image as a test", "SEED"),
		STR("batch", 0, batch, "sign each 'IN OUT [VERSION]' of a list",
		    "LIST"),
		STR("output", 'o', output, "the signed image, .bin or .hex",
		    "FILE"),
		PV_OPT_PIN(app),
		PV_OPT_PASSPHRASE(app),
		POPT_TABLEEND,
	};
	int r = pv_mcuboot_words(&argc, argv, e);

	if (r == 0)
		r = pv_options(app, table, argc, argv, 0, 2, &args, e);
	return r != 0 ? r : run(app, &o, args, e);
}
