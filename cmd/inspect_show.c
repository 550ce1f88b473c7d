/* SPDX-License-Identifier: Apache-2.0 */
/* What provisor inspect says of each format. */
#include "cmd/inspect.h"

#include "base/hex.h"
#include "cmd/sfi.h"
#include "crypto/digest.h"
#include "formats/certificate.h"
#include "formats/license.h"
#include "formats/obk.h"
#include "formats/options_csv.h"
#include "formats/perso_name.h"
#include "formats/signature.h"
#include "formats/smi.h"
#include <provisor/image.h>
#include <provisor/ssp.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* One line "label  value", and the value as a member of the object. */
static void put(struct pv_subject *s, const char *member, const char *label,
    const char *fmt, ...) PV_PRINTF(4, 5);

static void
put(struct pv_subject *s, const char *member, const char *label,
    const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pv_json_set_str(s->root, member, text);
	pv_out(s->app, "%-18s %s\n", label, text);
}

static void
put_size(
    struct pv_subject *s, const char *member, const char *label, uint64_t n)
{
	pv_json_set_u64(s->root, member, n);
	pv_out(s->app, "%-18s %" PRIu64 " bytes\n", label, n);
}

static void
put_hex(struct pv_subject *s, const char *member, const char *label,
    const void *data, size_t len)
{
	char hex[2 * 128 + 1];

	pv_hex_encode(hex, data, len);
	put(s, member, label, "%s", hex);
}

static void
title(struct pv_subject *s, const char *what)
{
	pv_out(s->app, "%s: %s\n", s->path, what);
}

int
pv_show_smi(struct pv_subject *s, struct pv_error *e)
{
	struct pv_smi m;
	int r = pv_smi_read(s->path, &m, e);

	if (r != 0)
		return r;
	title(s, "SMI module");
	put(s, "address", "destination", "0x%08" PRIx32, m.address);
	put_size(s, "size", "payload", m.size);
	put_hex(s, "tag", "tag", m.tag, sizeof(m.tag));
	put_hex(s, "security_version", "security version", m.security_version,
	    sizeof(m.security_version));
	return 0;
}

static int
show_obk_hash(struct pv_subject *s, const struct pv_obk *o, struct pv_error *e)
{
	struct pv_part part = { o->data, o->data_len };
	uint8_t digest[32];
	bool same;
	int r;

	if (!o->has_hash) {
		pv_out(s->app, "%-18s %s\n", "hash", "none in this object");
		return 0;
	}
	r = pv_sha256(&part, 1, digest, e);
	if (r != 0)
		return r;
	same = memcmp(digest, o->hash, sizeof(digest)) == 0;
	put_hex(s, "sha256", "SHA-256", o->hash, sizeof(o->hash));
	pv_json_set_bool(s->root, "hash_matches", same);
	pv_out(s->app, "%-18s %s\n", "hash",
	    same ? "is that of the data" : "is NOT that of the data");
	return 0;
}

int
pv_show_obk(struct pv_subject *s, struct pv_error *e)
{
	const struct pv_obk_place *place;
	struct pv_obk o;
	int r;

	if (s->data == NULL || s->size > PV_OBK_MAX)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s': larger than an OB-key file of %u bytes", s->path,
		    PV_OBK_MAX);
	r = pv_obk_decode(s->data, (size_t)s->size, &o, e);
	if (r != 0)
		return pv_wrap(e, "'%s'", s->path);
	place = pv_obk_place(o.address, o.length);
	title(s, "OB keys");
	put(s, "address", "destination", "0x%08" PRIx32, o.address);
	put(s, "place", "known as", "%s",
	    place != NULL ? place->name : "not a place that is documented");
	if (place != NULL)
		put(s, "family", "family", "%s", place->family);
	put_size(s, "data_size", "data", o.data_len);
	pv_json_set_bool(s->root, "encrypt", o.encrypt);
	pv_out(
	    s->app, "%-18s %s\n", "stored", o.encrypt ? "encrypted" : "clear");
	r = show_obk_hash(s, &o, e);
	if (r == 0)
		pv_say(s->app, "'provisor obk lint' says what is wrong with "
			       "it, 'provisor obk inspect' each field\n");
	return r;
}

/*
 * On STM32MP1 the id is 3 digits of the chip, 2 of the security counter, a 0
 * and 2 of ST's key (formats/certificate.md).
 */
static void
show_product(struct pv_subject *s, const char *id)
{
	enum pv_ssp_chip chip;

	if (!pv_ssp_chip_of_product(id, &chip) || id[5] != '0' ||
	    strspn(id, "0123456789ABCDEF") != 8)
		return;
	put(s, "chip", "chip", "%s", pv_ssp_chip_name(chip));
	put(s, "security_counter", "security counter", "%.2s", id + 3);
	put(s, "st_key", "ST's key", "%.2s", id + 6);
}

int
pv_show_certificate(struct pv_subject *s, struct pv_error *e)
{
	struct pv_certificate c;
	int r = pv_certificate_decode(s->head, &c, e);

	if (r != 0)
		return r;
	title(s, "chip certificate");
	put(s, "product_id", "product id", "%s", c.product_id);
	show_product(s, c.product_id);
	put_hex(
	    s, "public_key", "public key", c.public_key, sizeof(c.public_key));
	put_hex(s, "signature", "signature", c.signature, sizeof(c.signature));
	pv_out(s->app, "%-18s %s\n", "checked",
	    "the key is a point on P-256; the signature needs a CA key");
	return 0;
}

int
pv_show_license(struct pv_subject *s, struct pv_error *e)
{
	struct pv_license l;
	int r;

	if (s->data == NULL)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s': too large for a license", s->path);
	r = pv_license_decode(s->data, (size_t)s->size, &l, e);
	if (r != 0)
		return pv_wrap(e, "'%s'", s->path);
	title(s, "license of profile resident (provisor's own, not ST's)");
	put(s, "product_id", "product id", "%s", l.product_id);
	put(s, "number", "number", "%" PRIu64, l.number);
	put_hex(
	    s, "campaign_id", "campaign", l.campaign_id, sizeof(l.campaign_id));
	put_hex(s, "nonce", "nonce", l.nonce, sizeof(l.nonce));
	put_size(s, "wrapped_length", "wrapped key", l.wrapped_len);
	pv_say(s->app, "'provisor license inspect' lists every field\n");
	return 0;
}

int
pv_show_signature(struct pv_subject *s, struct pv_error *e)
{
	struct pv_signature g;
	int r;

	if (s->data == NULL)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s': too large for a signature", s->path);
	r = pv_sigfile_decode(s->data, (size_t)s->size, &g, e);
	if (r != 0)
		return pv_wrap(e, "'%s'", s->path);
	title(s, "signature of a package (not checked here)");
	put(s, "algorithm", "algorithm", "%s", pv_sig_alg_name(g.alg));
	put_size(s, "signed_size", "package", g.file_size);
	put_hex(s, "sha256", "SHA-256", g.digest, sizeof(g.digest));
	put_hex(s, "key_id", "key", g.key_id, sizeof(g.key_id));
	return 0;
}

/* ST SA0022: the version is x.y.z in bytes 26, 25, 24. */
int
pv_show_rsse(struct pv_subject *s, struct pv_error *e)
{
	static const char *const listed[] = { "H5", "U5", "L5", "WL" };
	bool affected = strstr(s->name, "_SFI_STM32H5_v2.0.1.0") != NULL;
	bool family = false;

	if (s->head_len < 27)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s': %zu bytes, too short for an RSSe file", s->path,
		    s->head_len);
	title(s, "RSSe of ST, encrypted; known by its name");
	put(s, "version", "version", "%u.%u.%u", (unsigned int)s->head[26],
	    (unsigned int)s->head[25], (unsigned int)s->head[24]);
	for (size_t i = 0; i < sizeof(listed) / sizeof(listed[0]); i++)
		family = family || strstr(s->name, listed[i]) != NULL;
	pv_json_set_bool(s->root, "affected_by_sa0022", affected);
	if (affected)
		pv_say(s->app,
		    "warning: security advisory SA0022 of ST lists this file "
		    "as "
		    "affected; take it from X-CUBE-RSSe 1.0.0 or newer\n");
	else if (family)
		pv_say(s->app,
		    "note: compare the version with security advisory SA0022 "
		    "of ST, which lists files of this series\n");
	return 0;
}

int
pv_show_personalization(struct pv_subject *s, struct pv_error *e)
{
	struct pv_perso_name n;
	int r = pv_perso_name_decode(s->name, &n, e);

	if (r != 0)
		return r;
	title(s, "personalization package of ST, encrypted; known by its name");
	if (n.family[0] != '\0')
		put(s, "family", "family", "%s", n.family);
	put(s, "product_id", "product id", "%s", n.product_id);
	put(s, "flow", "flow", "%s", n.flow);
	if (n.has_versions) {
		put(s, "license_version", "license version", "%" PRIu32,
		    n.license_version);
		put(s, "security_version", "security version", "%" PRIu32,
		    n.security_version);
	} else {
		put(s, "version", "version", "%s", n.version);
	}
	return 0;
}

int
pv_show_firmware(struct pv_subject *s, struct pv_error *e)
{
	enum pv_firmware_kind kind = PV_FIRMWARE_RAW;
	struct pv_image *img = NULL;
	struct pv_json *list;
	char size[PV_GROUPED];
	uint32_t family;
	uint64_t entry;
	int r = pv_firmware_detect(s->path, &kind, e);

	if (r == 0)
		r = pv_image_new(&img, e);
	if (r == 0)
		r = pv_image_add_file(img, s->path, e);
	if (r != 0)
		goto out;
	pv_out(
	    s->app, "%s: firmware, %s\n", s->path, pv_firmware_kind_name(kind));
	pv_json_set_str(s->root, "kind", pv_firmware_kind_name(kind));
	pv_json_set_u64(s->root, "bytes", pv_image_size(img));
	if (pv_image_entry(img, &entry))
		put(s, "entry", "entry point", "0x%08" PRIx64, entry);
	if (pv_image_family(img, &family))
		put(s, "uf2_family", "UF2 family", "0x%08" PRIx32, family);
	list = pv_json_set_array(s->root, "segments");
	for (size_t i = 0; i < pv_image_count(img); i++) {
		struct pv_segment seg;
		struct pv_json *o = pv_json_add_object(list);

		pv_image_segment(img, i, &seg);
		pv_json_set_addr(o, "start", seg.addr);
		pv_json_set_addr(o, "end", seg.addr + seg.size - 1);
		pv_json_set_u64(o, "size", seg.size);
		pv_out(s->app, "0x%08" PRIx64 "..0x%08" PRIx64 "  %12s bytes\n",
		    seg.addr, seg.addr + seg.size - 1,
		    pv_sfi_grouped(size, seg.size));
	}
out:
	pv_image_free(img);
	return r;
}

int
pv_show_options(struct pv_subject *s, struct pv_error *e)
{
	struct pv_optcsv o;
	struct pv_json *list, *row;
	int r;

	if (s->data == NULL)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s': too large for option bytes", s->path);
	r = pv_optcsv_decode((const char *)s->data, (size_t)s->size, &o, e);
	if (r != 0)
		return pv_wrap(e, "'%s': as option bytes", s->path);
	title(s, "option bytes");
	list = pv_json_set_array(s->root, "rows");
	for (size_t i = 0; i < o.n; i++) {
		row = pv_json_add_object(list);
		pv_json_set_str(row, "register", o.names[i]);
		pv_json_set_addr(row, "value", o.values[i]);
		pv_out(
		    s->app, "%-18s 0x%08" PRIx32 "\n", o.names[i], o.values[i]);
	}
	pv_say(s->app, "'provisor sfi options --chip C --explain' puts them "
		       "into words\n");
	return 0;
}
