/* SPDX-License-Identifier: Apache-2.0 */
/* Header, version and entries of the MCUboot image. */
#include "formats/mcuboot.h"

#include "base/buf.h"
#include "base/hex.h"

#include <stdio.h>
#include <string.h>

const char *
pv_mcuboot_magic_name(uint32_t magic)
{
	switch (magic) {
	case PV_MCUBOOT_MAGIC:
		return "MCUboot";
	case PV_MCUBOOT_MAGIC_STIROT:
		return "ST STiRoT code";
	case PV_MCUBOOT_MAGIC_STDATA:
		return "ST STiRoT data or configuration";
	case PV_MCUBOOT_MAGIC_H7RS:
		return "ST STiRoT code (H7RS)";
	default:
		return NULL;
	}
}

int
pv_mcuboot_header_decode(const uint8_t *data, size_t len,
    struct pv_mcuboot_header *ret_h, struct pv_error *e)
{
	struct pv_mcuboot_header h;
	struct pv_reader r;

	pv_rd_init(&r, data, len);
	h.magic = pv_rd_u32le(&r);
	if (!pv_rd_ok(&r) || pv_mcuboot_magic_name(h.magic) == NULL)
		return pv_fail(e, PV_E_MALFORMED,
		    "not an MCUboot image: it begins with none of the magics");
	h.load_addr = pv_rd_u32le(&r);
	h.hdr_size = pv_rd_u16le(&r);
	h.protect_size = pv_rd_u16le(&r);
	h.img_size = pv_rd_u32le(&r);
	h.flags = pv_rd_u32le(&r);
	h.version.major = pv_rd_u8(&r);
	h.version.minor = pv_rd_u8(&r);
	h.version.revision = pv_rd_u16le(&r);
	h.version.build = pv_rd_u32le(&r);
	h.pad = pv_rd_u32le(&r);
	if (!pv_rd_ok(&r))
		return pv_fail(e, PV_E_MALFORMED,
		    "cut short in the header, at %zu bytes", len);
	if (h.hdr_size < PV_MCUBOOT_HEADER)
		return pv_fail(e, PV_E_MALFORMED,
		    "a header of %u bytes; the least is %u",
		    (unsigned int)h.hdr_size, PV_MCUBOOT_HEADER);
	if (h.pad != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "the last word of the header is 0x%08x, not 0", h.pad);
	*ret_h = h;
	return 0;
}

void
pv_mcuboot_header_encode(
    const struct pv_mcuboot_header *h, uint8_t ret_data[PV_MCUBOOT_HEADER])
{
	struct pv_writer w;

	pv_wr_init(&w, ret_data, PV_MCUBOOT_HEADER);
	pv_wr_u32le(&w, h->magic);
	pv_wr_u32le(&w, h->load_addr);
	pv_wr_u16le(&w, h->hdr_size);
	pv_wr_u16le(&w, h->protect_size);
	pv_wr_u32le(&w, h->img_size);
	pv_wr_u32le(&w, h->flags);
	pv_wr_u8(&w, h->version.major);
	pv_wr_u8(&w, h->version.minor);
	pv_wr_u16le(&w, h->version.revision);
	pv_wr_u32le(&w, h->version.build);
	pv_wr_u32le(&w, h->pad);
}

/* One number of a version: digits up to `end`, or to the end of the text. */
static int
version_part(const char **p, const char *what, uint64_t max, uint64_t *ret_v,
    const char *text, struct pv_error *e)
{
	uint64_t v = 0;
	const char *s = *p;

	if (*s < '0' || *s > '9')
		return pv_fail(
		    e, PV_E_USAGE, "'%s' is no version such as 1.2.3+4", text);
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (uint64_t)(*s - '0');
		if (v > max)
			return pv_fail(e, PV_E_USAGE,
			    "version '%s': the %s is larger than %llu", text,
			    what, (unsigned long long)max);
	}
	*p = s;
	*ret_v = v;
	return 0;
}

int
pv_mcuboot_version_parse(
    const char *text, struct pv_mcuboot_version *ret_v, struct pv_error *e)
{
	static const struct {
		char before;
		const char *what;
		uint64_t max;
	} parts[] = {
		{ 0, "major number", UINT8_MAX },
		{ '.', "minor number", UINT8_MAX },
		{ '.', "revision", UINT16_MAX },
		{ '+', "build number", UINT32_MAX },
	};
	uint64_t v[4] = { 0 };
	const char *p = text;
	int r;

	for (size_t i = 0; i < 4; i++) {
		if (i > 0 && *p == '\0')
			break;
		/* The build may follow any of the others. */
		if (i > 0 && *p == '+')
			i = 3;
		if (i > 0 && *p++ != parts[i].before)
			return pv_fail(e, PV_E_USAGE,
			    "'%s' is no version such as 1.2.3+4", text);
		r = version_part(
		    &p, parts[i].what, parts[i].max, &v[i], text, e);
		if (r != 0)
			return r;
	}
	if (*p != '\0')
		return pv_fail(
		    e, PV_E_USAGE, "'%s' is no version such as 1.2.3+4", text);
	ret_v->major = (uint8_t)v[0];
	ret_v->minor = (uint8_t)v[1];
	ret_v->revision = (uint16_t)v[2];
	ret_v->build = (uint32_t)v[3];
	return 0;
}

void
pv_mcuboot_version_text(char dst[32], const struct pv_mcuboot_version *v)
{
	(void)snprintf(dst, 32, "%u.%u.%u+%u", (unsigned int)v->major,
	    (unsigned int)v->minor, (unsigned int)v->revision,
	    (unsigned int)v->build);
}

/* --- entries --------------------------------------------------------------- */

static const struct {
	uint16_t type;
	const char *name;
} names[] = {
	{ PV_TLV_KEYHASH, "key hash" },
	{ PV_TLV_PUBKEY, "public key" },
	{ PV_TLV_SHA256, "SHA-256" },
	{ PV_TLV_SHA384, "SHA-384" },
	{ PV_TLV_SHA512, "SHA-512" },
	{ PV_TLV_RSA2048_PSS, "signature RSA-2048" },
	{ PV_TLV_ECDSA_SIG, "signature ECDSA" },
	{ PV_TLV_RSA3072_PSS, "signature RSA-3072" },
	{ PV_TLV_ED25519, "signature Ed25519" },
	{ PV_TLV_SIG_PURE, "signature is pure" },
	{ PV_TLV_ENC_RSA2048, "image key RSA-OAEP" },
	{ PV_TLV_ENC_KW, "image key AES-KW" },
	{ PV_TLV_ENC_EC256, "image key ECIES-P256" },
	{ PV_TLV_ENC_X25519, "image key ECIES-X25519" },
	{ PV_TLV_ENC_X25519_SHA512, "image key ECIES-X25519-SHA512" },
	{ PV_TLV_DEPENDENCY, "dependency" },
	{ PV_TLV_SEC_CNT, "security counter" },
	{ PV_TLV_BOOT_RECORD, "boot record" },
	{ 0x70, "decompressed size" },
	{ 0x71, "decompressed hash" },
	{ 0x72, "decompressed signature" },
	{ 0x73, "decrypted compressed size" },
	{ PV_TLV_UUID_VID, "vendor UUID" },
	{ PV_TLV_UUID_CID, "class UUID" },
	{ 0x00a0, "ST module information" },
	{ 0x02a0, "ST module dependency" },
	{ PV_TLV_ST_AUTH_TAG, "ST authentication tag" },
	{ PV_TLV_TEST_MARK, "test mark of provisor" },
};

const char *
pv_mcuboot_type_name(uint16_t type)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].type == type)
			return names[i].name;
	/* The low byte tells the vendor range. */
	return (type & 0xff) >= 0xa0 && type < 0xffff ? "custom" : NULL;
}

bool
pv_mcuboot_is_enc(uint16_t type)
{
	return type >= PV_TLV_ENC_RSA2048 && type <= PV_TLV_ENC_X25519_SHA512;
}

bool
pv_mcuboot_is_sig(uint16_t type)
{
	return type == PV_TLV_RSA2048_PSS || type == PV_TLV_ECDSA_SIG ||
	       type == PV_TLV_RSA3072_PSS || type == PV_TLV_ED25519;
}

size_t
pv_mcuboot_hash_len(uint16_t type)
{
	switch (type) {
	case PV_TLV_SHA256:
		return 32;
	case PV_TLV_SHA384:
		return 48;
	case PV_TLV_SHA512:
		return 64;
	default:
		return 0;
	}
}

/* One area, whose first two bytes have been found to be its magic. */
static int
decode_area(struct pv_reader *r, const char *which, struct pv_mcuboot_tlvs *t,
    struct pv_error *e)
{
	size_t total, head = 4;
	struct pv_reader area;
	const uint8_t *body;

	pv_rd_skip(r, 2);
	total = pv_rd_u16le(r);
	if (!pv_rd_ok(r) || total < head)
		return pv_fail(e, PV_E_MALFORMED,
		    "the %s area says that it has %zu bytes", which, total);
	body = pv_rd_view(r, total - head);
	if (body == NULL)
		return pv_fail(e, PV_E_MALFORMED,
		    "the %s area of %zu bytes is cut short", which, total);
	pv_rd_init(&area, body, total - head);
	while (area.left > 0) {
		struct pv_mcuboot_tlv *v = &t->t[t->n];

		if (t->n == PV_MCUBOOT_TLVS_MAX)
			return pv_fail(e, PV_E_MALFORMED,
			    "more than %u entries", PV_MCUBOOT_TLVS_MAX);
		v->type = pv_rd_u16le(&area);
		v->len = pv_rd_u16le(&area);
		v->data = pv_rd_view(&area, v->len);
		if (!pv_rd_ok(&area))
			return pv_fail(e, PV_E_MALFORMED,
			    "entry %zu goes past the end of the %s area",
			    t->n + 1, which);
		t->n++;
	}
	t->size += total;
	return 0;
}

int
pv_mcuboot_tlvs_decode(const uint8_t *data, size_t len, uint16_t protect_size,
    struct pv_mcuboot_tlvs *ret_t, struct pv_error *e)
{
	struct pv_mcuboot_tlvs t;
	struct pv_reader r;
	bool has;
	int rc;

	memset(&t, 0, sizeof(t));
	pv_rd_init(&r, data, len);
	has = len >= 2 && pv_get_u16le(data) == PV_MCUBOOT_INFO_PROTECTED;
	/* bootutil refuses both differences (boot/bootutil/src/tlv.c). */
	if (has != (protect_size != 0) ||
	    (has && (len < 4 || pv_get_u16le(data + 2) != protect_size)))
		return pv_fail(e, PV_E_MALFORMED,
		    "the header says %u bytes of protected area, behind the "
		    "payload are %u",
		    (unsigned int)protect_size,
		    has && len >= 4 ? (unsigned int)pv_get_u16le(data + 2)
				    : 0U);
	if (has && (rc = decode_area(&r, "protected", &t, e)) != 0)
		return rc;
	t.n_protected = t.n;
	if (r.left < 2 || pv_get_u16le(r.p) != PV_MCUBOOT_INFO_UNPROTECTED)
		return pv_fail(e, PV_E_MALFORMED,
		    "no area of hash and signature where the payload ends");
	if ((rc = decode_area(&r, "unprotected", &t, e)) != 0)
		return rc;
	*ret_t = t;
	return 0;
}

const struct pv_mcuboot_tlv *
pv_mcuboot_find(const struct pv_mcuboot_tlvs *t, uint16_t type)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->t[i].type == type)
			return &t->t[i];
	return NULL;
}

size_t
pv_mcuboot_area_begin(struct pv_writer *w, uint16_t magic)
{
	size_t mark = w->len;

	pv_wr_u16le(w, magic);
	pv_wr_u16le(w, 0);
	return mark;
}

void
pv_mcuboot_tlv_put(
    struct pv_writer *w, uint16_t type, const void *data, size_t len)
{
	if (len > UINT16_MAX) {
		w->overflow = true;
		return;
	}
	pv_wr_u16le(w, type);
	pv_wr_u16le(w, (uint16_t)len);
	pv_wr_bytes(w, data, len);
}

bool
pv_mcuboot_area_end(struct pv_writer *w, size_t mark)
{
	size_t total = w->len - mark;

	if (!pv_wr_ok(w) || total > UINT16_MAX)
		return false;
	pv_put_u16le(w->p + mark + 2, (uint16_t)total);
	return true;
}
