/* SPDX-License-Identifier: Apache-2.0 */
/* provisor image --format mcuboot: the verbs, and `inspect`. */
#include "cmd/image.h"
#include "cmd/image_mcuboot.h"
#include "cmd/inspect.h"

#include "base/buf.h"
#include "base/hex.h"
#include "image/mcuboot.h"

#include <string.h>

#define SHORT 32U /* bytes of an entry shown on the screen */

static const struct {
	uint32_t flag;
	const char *upstream, *st; /* NULL: without meaning there */
} flag_names[] = {
	{ PV_MCUBOOT_F_PIC, "PIC", NULL },
	{ PV_MCUBOOT_F_PRIMARY_ONLY, NULL, "primary-only" },
	{ PV_MCUBOOT_F_AES128, "encrypted AES-128", "encrypted AES-128" },
	{ PV_MCUBOOT_F_AES256, "encrypted AES-256", "OTFDEC" },
	{ PV_MCUBOOT_F_NON_BOOTABLE, "non-bootable", "non-bootable" },
	{ PV_MCUBOOT_F_RAM_LOAD, "RAM load", "RAM load" },
	{ PV_MCUBOOT_F_ROM_FIXED, "ROM fixed", "ROM fixed" },
	{ PV_MCUBOOT_F_LZMA1, "LZMA1", NULL },
	{ PV_MCUBOOT_F_LZMA2, "LZMA2", NULL },
	{ PV_MCUBOOT_F_ARM_THUMB, "ARM Thumb filter", NULL },
	{ PV_MCUBOOT_F_CHIP_SPECIFIC, NULL, "chip-specific" },
	{ PV_MCUBOOT_F_LICENSE, NULL, "license" },
};

static void
flags_text(char *dst, size_t cap, uint32_t flags, bool st)
{
	size_t n = 0;

	(void)snprintf(dst, cap, "none");
	for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]);
	     i++) {
		const char *s = st ? flag_names[i].st : flag_names[i].upstream;
		int w;

		if ((flags & flag_names[i].flag) == 0 || s == NULL || n >= cap)
			continue;
		w = snprintf(dst + n, cap - n, "%s%s", n == 0 ? "" : ", ", s);
		n += w > 0 ? (size_t)w : 0;
	}
}

/* What an entry means in words; empty when its bytes say it best. */
static void
entry_text(char *dst, size_t cap, const struct pv_mcuboot_tlv *v)
{
	struct pv_mcuboot_version ver;
	char text[32];

	dst[0] = '\0';
	if (v->type == PV_TLV_SEC_CNT && v->len == 4) {
		(void)snprintf(dst, cap, "%u", pv_get_u32le(v->data));
	} else if (v->type == PV_TLV_DEPENDENCY && v->len == 12) {
		ver.major = v->data[4];
		ver.minor = v->data[5];
		ver.revision = pv_get_u16le(v->data + 6);
		ver.build = pv_get_u32le(v->data + 8);
		pv_mcuboot_version_text(text, &ver);
		(void)snprintf(dst, cap, "image %u, at least version %s",
		    (unsigned int)v->data[0], text);
	}
}

static void
show_entry(const struct pv_app *app, struct pv_json *list,
    const struct pv_mcuboot_tlv *v, bool in_protected)
{
	struct pv_json *o = pv_json_add_object(list);
	const char *name = pv_mcuboot_type_name(v->type);
	size_t n = v->len < SHORT ? v->len : SHORT;
	char words[80], hex[2 * SHORT + 1];

	entry_text(words, sizeof(words), v);
	pv_hex_encode(hex, v->data, n);
	pv_out(app, "  0x%04x  %5u  %c  %-30s %s%s\n", (unsigned int)v->type,
	    (unsigned int)v->len, in_protected ? 'P' : ' ',
	    name == NULL ? "unknown" : name, words[0] != '\0' ? words : hex,
	    words[0] == '\0' && v->len > SHORT ? "..." : "");
	pv_json_set_addr(o, "type", v->type);
	if (name != NULL)
		pv_json_set_str(o, "name", name);
	pv_json_set_bool(o, "protected", in_protected);
	pv_json_set_int(o, "length", v->len);
	pv_json_set_hex(o, "data", v->data, v->len);
	if (words[0] != '\0')
		pv_json_set_str(o, "meaning", words);
}

void
pv_mcuboot_show(const struct pv_app *app, struct pv_json *o,
    const struct pv_mcuboot_file *f, const struct pv_mcuboot_flavor *flavor)
{
	const struct pv_mcuboot_header *h = &f->h;
	char version[32], flags[160];
	struct pv_json *list;

	pv_mcuboot_version_text(version, &h->version);
	flags_text(flags, sizeof(flags), h->flags, flavor->st);
	pv_out(app, "magic       0x%08x  %s\n", h->magic,
	    pv_mcuboot_magic_name(h->magic));
	pv_out(app, "version     %s\n", version);
	pv_out(app, "header      %u bytes\n", (unsigned int)h->hdr_size);
	pv_out(app, "payload     %u bytes\n", h->img_size);
	pv_out(app, "flags       0x%08x  %s\n", h->flags, flags);
	if (h->load_addr != 0)
		pv_out(app, "load at     0x%08x\n", h->load_addr);
	if (f->hex)
		pv_out(
		    app, "address     0x%08llx\n", (unsigned long long)f->base);
	pv_out(app, "trailer     %s\n", f->has_trailer ? "yes" : "none");
	pv_out(app, "entries     type  bytes\n");
	pv_json_set_addr(o, "magic", h->magic);
	pv_json_set_str(o, "magic_name", pv_mcuboot_magic_name(h->magic));
	pv_json_set_str(o, "rules", flavor->st ? "st" : "mcuboot");
	pv_json_set_str(o, "version", version);
	pv_json_set_int(o, "header_size", h->hdr_size);
	pv_json_set_u64(o, "payload_size", h->img_size);
	pv_json_set_addr(o, "flags", h->flags);
	pv_json_set_str(o, "flag_names", flags);
	pv_json_set_addr(o, "load_address", h->load_addr);
	if (f->hex)
		pv_json_set_addr(o, "address", f->base);
	pv_json_set_bool(o, "trailer", f->has_trailer);
	list = pv_json_set_array(o, "entries");
	for (size_t i = 0; i < f->t.n; i++)
		show_entry(app, list, &f->t.t[i], i < f->t.n_protected);
}

int
pv_show_mcuboot(struct pv_subject *s, struct pv_error *e)
{
	struct pv_mcuboot_file f;
	int r = pv_mcuboot_open(s->path, &f, e);

	if (r != 0)
		return r;
	pv_out(s->app, "%s: signed MCUboot image\n", s->path);
	pv_mcuboot_show(s->app, s->root, &f, pv_mcuboot_flavor_guess(&f.h));
	pv_mcuboot_close(&f);
	return 0;
}

int
pv_image_mcuboot_inspect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *name = NULL, **args = NULL;
	const struct pv_mcuboot_flavor *flavor = NULL;
	struct poptOption table[] = {
		PV_OPT_FORMAT,
		{ "flavor", 0, POPT_ARG_STRING, &name, 0,
		    "boot loader the image is for (default: by its magic)",
		    "FLAVOR" },
		{ "flavour", 0, POPT_ARG_STRING, &name, 0,
		    "the same, in British spelling", "FLAVOR" },
		POPT_TABLEEND,
	};
	struct pv_mcuboot_file f;
	struct pv_json *o;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r == 0 && name != NULL)
		r = pv_mcuboot_flavor_find(name, &flavor, e);
	if (r == 0)
		r = pv_mcuboot_open(args[0], &f, e);
	if (r != 0)
		return r;
	if (flavor == NULL)
		flavor = pv_mcuboot_flavor_guess(&f.h);
	o = pv_json_new_object();
	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "file", args[0]);
	pv_json_set_str(o, "format", "mcuboot");
	pv_mcuboot_show(app, o, &f, flavor);
	pv_mcuboot_close(&f);
	return pv_out_json(app, o, e);
}

static const struct pv_verb verbs[] = {
	{ "image", "sign",
	    "[--format mcuboot] [--flavor FLAVOR] [--key KEY]... --version V "
	    "[OPTIONS] FILE -o FILE",
	    "sign an MCUboot image, and encrypt it where asked",
	    "provisor image sign --key sign.pem --version 1.2.3 "
	    "--security-counter auto \\\n"
	    "    --header-size 0x400 --pad-header --slot-size 0x40000 --align "
	    "8 "
	    "app.bin -o app-signed.bin\n"
	    "provisor image sign --flavor st-h5-stirot -k "
	    "'pkcs11:token=oem;object=boot' -E enc-pub.pem \\\n"
	    "    -v 1.0.0 -s auto -H 0x400 --pad-header --pad -S 0xc000 -x "
	    "0x8000000 app.bin -o app.hex",
	    pv_image_mcuboot_sign },
	{ "image", "verify",
	    "[--format mcuboot] [--flavor FLAVOR] [--key KEY]... "
	    "[--decrypt-key KEY] [OPTIONS] FILE",
	    "check hash, signatures, lengths and trailer of an MCUboot image",
	    "provisor image verify --key sign-pub.pem app-signed.bin\n"
	    "provisor image verify -k sign-pub.pem --decrypt-key enc.pem "
	    "--slot-size 0x40000 app.hex",
	    pv_image_mcuboot_verify },
	{ "image", "inspect", "[--format mcuboot] [--flavor FLAVOR] FILE",
	    "show what a signed MCUboot image holds; needs no key",
	    "provisor image inspect app-signed.bin", pv_image_mcuboot_inspect },
	{ "image", "encrypt",
	    "[--format mcuboot] [--flavor FLAVOR] --decrypt-key KEY FILE "
	    "-o FILE",
	    "encrypt the payload of an image signed with --encrypt --clear",
	    "provisor image encrypt --decrypt-key enc.pem app-init.bin -o "
	    "app-update.bin",
	    pv_image_mcuboot_encrypt },
	{ "image", "decrypt",
	    "[--format mcuboot] [--flavor FLAVOR] --decrypt-key KEY "
	    "[--payload-only] FILE -o FILE",
	    "decrypt the payload of an MCUboot image",
	    "provisor image decrypt --decrypt-key enc.pem app-update.bin -o "
	    "app-init.bin",
	    pv_image_mcuboot_decrypt },
	{ 0 },
};

const struct pv_image_format pv_image_mcuboot = { "mcuboot", verbs };
