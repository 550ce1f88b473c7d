/* SPDX-License-Identifier: Apache-2.0 */
/* What header and entries must say together, and the trailer's arithmetic. */
#include "formats/mcuboot.h"

#include "base/buf.h"

#include <string.h>

/* Bytes of an entry: least and most; both areas or one of them. */
static const struct rule {
	uint16_t type;
	uint16_t min, max;
	bool protected_area;
} rules[] = {
	{ PV_TLV_KEYHASH, 32, 64, false },
	{ PV_TLV_PUBKEY, 32, 512, false },
	{ PV_TLV_SHA256, 32, 32, false },
	{ PV_TLV_SHA384, 48, 48, false },
	{ PV_TLV_SHA512, 64, 64, false },
	{ PV_TLV_RSA2048_PSS, 256, 256, false },
	{ PV_TLV_ECDSA_SIG, 8, 104, false },
	{ PV_TLV_RSA3072_PSS, 384, 384, false },
	{ PV_TLV_ED25519, 64, 64, false },
	{ PV_TLV_SIG_PURE, 1, 1, false },
	{ PV_TLV_ENC_RSA2048, 256, 256, false },
	{ PV_TLV_ENC_KW, 24, 40, false },
	{ PV_TLV_ENC_EC256, 113, 129, false },
	{ PV_TLV_ENC_X25519, 80, 96, false },
	{ PV_TLV_ENC_X25519_SHA512, 112, 128, false },
	{ PV_TLV_DEPENDENCY, 12, 12, true },
	{ PV_TLV_SEC_CNT, 4, 4, true },
	{ PV_TLV_BOOT_RECORD, 1, 4096, true },
	{ PV_TLV_UUID_VID, 16, 16, true },
	{ PV_TLV_UUID_CID, 16, 16, true },
	{ PV_TLV_TEST_MARK, 13, 13, true },
};

/* Of an image key there are two lengths and none between: for AES-128 and
 * AES-256. An RSA key has one. */
static int
check_key_entry(const struct pv_mcuboot_tlv *v, const struct rule *rule,
    bool aes256, struct pv_error *e)
{
	const char *name = pv_mcuboot_type_name(v->type);

	if (!pv_mcuboot_is_enc(v->type) ||
	    v->len == (aes256 ? rule->max : rule->min))
		return 0;
	if (v->len != rule->min && v->len != rule->max)
		return pv_fail(e, PV_E_MALFORMED, "%s of %u bytes", name,
		    (unsigned int)v->len);
	return pv_fail(e, PV_E_MALFORMED,
	    "%s of %u bytes, the header says AES-%u", name,
	    (unsigned int)v->len, aes256 ? 256U : 128U);
}

static int
check_entry(const struct pv_mcuboot_tlv *v, bool in_protected, bool aes256,
    bool license, struct pv_error *e)
{
	const char *name = pv_mcuboot_type_name(v->type);

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].type != v->type)
			continue;
		if (rules[i].protected_area != in_protected)
			return pv_fail(e, PV_E_MALFORMED,
			    "%s is in the %s area", name,
			    in_protected ? "protected" : "unprotected");
		if (v->len < rules[i].min || v->len > rules[i].max)
			return pv_fail(e, PV_E_MALFORMED, "%s of %u bytes",
			    name, (unsigned int)v->len);
		if (v->type == PV_TLV_SIG_PURE && v->data[0] != 1)
			return pv_fail(e, PV_E_MALFORMED,
			    "'%s' has the value %u, not 1", name,
			    (unsigned int)v->data[0]);
		return check_key_entry(v, &rules[i], aes256, e);
	}
	/* ST's licenses keep their tag there; everything else of unknown
	 * meaning would be acted on without authentication. */
	if (!in_protected && (!license || v->type != PV_TLV_ST_AUTH_TAG))
		return pv_fail(e, PV_E_MALFORMED,
		    "entry of type 0x%04x is in the unprotected area",
		    (unsigned int)v->type);
	return 0;
}

/* Entries that may stand once; signatures may be several (item of MCUboot's
 * own future, and of images for two loaders). */
static int
check_counts(const struct pv_mcuboot_tlvs *t, struct pv_error *e)
{
	size_t hashes = 0, keys = 0, counters = 0;

	for (size_t i = 0; i < t->n; i++) {
		hashes += pv_mcuboot_hash_len(t->t[i].type) != 0;
		keys += pv_mcuboot_is_enc(t->t[i].type);
		counters += t->t[i].type == PV_TLV_SEC_CNT;
	}
	if (hashes != 1)
		return pv_fail(
		    e, PV_E_MALFORMED, "%zu hashes, not one", hashes);
	if (keys > 1)
		return pv_fail(
		    e, PV_E_MALFORMED, "%zu image keys, one is the most", keys);
	if (counters > 1)
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu security counters, one is the most", counters);
	return 0;
}

int
pv_mcuboot_validate(const struct pv_mcuboot_header *h,
    const struct pv_mcuboot_tlvs *t, bool st, struct pv_error *e)
{
	uint32_t enc = PV_MCUBOOT_F_AES128 | PV_MCUBOOT_F_AES256;
	uint32_t load = PV_MCUBOOT_F_RAM_LOAD | PV_MCUBOOT_F_ROM_FIXED;
	bool aes256 = !st && (h->flags & PV_MCUBOOT_F_AES256) != 0;
	bool license = st && (h->flags & PV_MCUBOOT_F_LICENSE) != 0;
	bool has_key = false;
	int r;

	if ((h->flags & enc) == enc)
		return pv_fail(e, PV_E_MALFORMED, "flags 0x%08x say %s",
		    h->flags,
		    st ? "AES-128 and OTFDEC" : "AES-128 and AES-256");
	for (size_t i = 0; i < t->n; i++) {
		r = check_entry(
		    &t->t[i], i < t->n_protected, aes256, license, e);
		if (r != 0)
			return pv_wrap(e, "entry %zu", i + 1);
		has_key |= pv_mcuboot_is_enc(t->t[i].type);
	}
	if ((r = check_counts(t, e)) != 0)
		return r;
	if (!license && has_key != ((h->flags & enc) != 0))
		return pv_fail(e, PV_E_MALFORMED,
		    has_key ? "an image key, but the header does not say "
			      "encrypted"
			    : "the header says encrypted, but there is no "
			      "image key");
	if (has_key && h->img_size % 16 != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "an encrypted payload of %u bytes, no multiple of 16",
		    h->img_size);
	if (!st && h->load_addr != 0 && (h->flags & load) == 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "load address 0x%08x without a flag that uses it",
		    h->load_addr);
	return 0;
}

/* --- trailer --------------------------------------------------------------- */

static uint32_t
up(uint32_t n, uint32_t a)
{
	return (n + a - 1) / a * a;
}

static uint32_t
max_align(const struct pv_mcuboot_layout *l)
{
	if (l->st)
		return 16;
	if (l->max_align != 0)
		return l->max_align;
	return l->align > 8 ? l->align : 8;
}

/* imgtool image.py _trailer_size, and its form in ST's fork. */
uint64_t
pv_mcuboot_trailer_size(const struct pv_mcuboot_layout *l)
{
	uint32_t a = max_align(l), m = up(PV_MCUBOOT_TRAILER_MAGIC, a);
	uint64_t size;

	if (l->st && l->stirot)
		return 16 + m;
	if (l->st && l->primary_only)
		return m;
	if (l->overwrite_only)
		return 2ULL * a + m;
	size = 3ULL * l->max_sectors * l->align + 4ULL * a + m;
	if (l->encrypted)
		size +=
		    2ULL *
		    up(l->save_enctlv != 0 ? (uint32_t)l->save_enctlv : 16, a);
	return size;
}

static const uint8_t magic_tail[14] = { 0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b,
	0x8d, 0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a };
static const uint8_t magic_8[16] = { 0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef,
	0x7f, 0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80 };

void
pv_mcuboot_trailer_magic(const struct pv_mcuboot_layout *l,
    uint8_t ret_magic[PV_MCUBOOT_TRAILER_MAGIC])
{
	uint32_t a = max_align(l);

	if (l->st || a == 8) {
		memcpy(ret_magic, magic_8, sizeof(magic_8));
		return;
	}
	pv_put_u16le(ret_magic, (uint16_t)a);
	memcpy(ret_magic + 2, magic_tail, sizeof(magic_tail));
}

bool
pv_mcuboot_is_trailer_magic(const uint8_t magic[PV_MCUBOOT_TRAILER_MAGIC])
{
	return memcmp(magic, magic_8, sizeof(magic_8)) == 0 ||
	       memcmp(magic + 2, magic_tail, sizeof(magic_tail)) == 0;
}

uint32_t
pv_mcuboot_image_ok(const struct pv_mcuboot_layout *l)
{
	uint32_t a = max_align(l);

	if (l->overwrite_only || (l->st && (l->stirot || l->primary_only)))
		return 0;
	return up(PV_MCUBOOT_TRAILER_MAGIC, a) + a;
}
