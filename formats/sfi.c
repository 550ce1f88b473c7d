/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/sfi.h"

#include "base/buf.h"

#include <stdbool.h>
#include <string.h>

/* sfi.md, "File header" */
int
pv_sfi_header_decode(const uint8_t data[PV_SFI_HEADER],
    struct pv_sfi_header *ret_h, struct pv_error *e)
{
	struct pv_sfi_header h;
	struct pv_reader r;
	uint8_t magic[8];

	pv_rd_init(&r, data, PV_SFI_HEADER);
	pv_rd_bytes(&r, magic, sizeof(magic));
	h.version = pv_rd_u16le(&r);
	h.n_areas = pv_rd_u16le(&r);
	pv_rd_bytes(&r, h.tag, sizeof(h.tag));
	if (!pv_rd_finish(&r))
		return pv_fail(e, PV_E_INTERNAL, "header size");

	if (memcmp(magic, PV_SFI_MAGIC, sizeof(magic)) != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "not an SFI package: it does not start with %s",
		    PV_SFI_MAGIC);
	if (h.version != 1 && h.version != 2)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "protocol version %u, this program knows 1 and 2",
		    (unsigned int)h.version);
	*ret_h = h;
	return 0;
}

void
pv_sfi_header_encode(
    const struct pv_sfi_header *h, uint8_t ret_data[PV_SFI_HEADER])
{
	struct pv_writer w;

	pv_wr_init(&w, ret_data, PV_SFI_HEADER);
	pv_wr_bytes(&w, PV_SFI_MAGIC, 8);
	pv_wr_u16le(&w, h->version);
	pv_wr_u16le(&w, h->n_areas);
	pv_wr_bytes(&w, h->tag, sizeof(h->tag));
}

/* sfi.md, "Area" */
void
pv_sfi_area_decode(const uint8_t data[PV_SFI_AREA], struct pv_sfi_area *ret_a)
{
	struct pv_reader r;

	pv_rd_init(&r, data, PV_SFI_AREA);
	ret_a->type = pv_rd_u8(&r);
	ret_a->version = pv_rd_u8(&r);
	ret_a->index = pv_rd_u16le(&r);
	ret_a->size = pv_rd_u32le(&r);
	ret_a->address = pv_rd_u32le(&r);
	ret_a->total = pv_rd_u16le(&r);
	pv_rd_bytes(&r, ret_a->tag, sizeof(ret_a->tag));
}

void
pv_sfi_area_encode(const struct pv_sfi_area *a, uint8_t ret_data[PV_SFI_AREA])
{
	struct pv_writer w;

	pv_wr_init(&w, ret_data, PV_SFI_AREA);
	pv_wr_u8(&w, a->type);
	pv_wr_u8(&w, a->version);
	pv_wr_u16le(&w, a->index);
	pv_wr_u32le(&w, a->size);
	pv_wr_u32le(&w, a->address);
	pv_wr_u16le(&w, a->total);
	pv_wr_bytes(&w, a->tag, sizeof(a->tag));
}

static bool
is_letter(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

int
pv_sfi_area_validate(const struct pv_sfi_header *h, const struct pv_sfi_area *a,
    uint16_t index, uint64_t left, struct pv_error *e)
{
	if (!is_letter(a->type))
		return pv_fail(e, PV_E_MALFORMED,
		    "area %u: type 0x%02x is not a letter", (unsigned int)index,
		    (unsigned int)a->type);
	if (a->index != index)
		return pv_fail(e, PV_E_MALFORMED,
		    "area %u: carries index %u, indexes count up by one",
		    (unsigned int)index, (unsigned int)a->index);
	if (a->total != h->n_areas)
		return pv_fail(e, PV_E_MALFORMED,
		    "area %u: says there are %u areas, the file header says %u",
		    (unsigned int)index, (unsigned int)a->total,
		    (unsigned int)h->n_areas);
	if (a->size > left)
		return pv_fail(e, PV_E_MALFORMED,
		    "area %u: %u bytes of payload, but the file has %llu left",
		    (unsigned int)index, (unsigned int)a->size,
		    (unsigned long long)left);
	return 0;
}

static void
add_le32(uint8_t *p, uint16_t i)
{
	pv_put_u32le(p, pv_get_u32le(p) + i);
}

/* sfi.md, "iv-add" */
void
pv_sfi_iv(enum pv_sfi_iv_add rule, const uint8_t nonce[PV_SFI_NONCE],
    uint16_t index, uint8_t ret_iv[PV_SFI_NONCE])
{
	uint32_t carry = index;

	memmove(ret_iv, nonce, PV_SFI_NONCE);
	switch (rule) {
	case PV_SFI_IV_LE32_HI:
		add_le32(ret_iv + 8, index);
		break;
	case PV_SFI_IV_LE32_LO:
		add_le32(ret_iv, index);
		break;
	case PV_SFI_IV_BE96:
		for (size_t i = PV_SFI_NONCE; i-- > 0 && carry != 0;) {
			carry += ret_iv[i];
			ret_iv[i] = (uint8_t)(carry & 0xffU);
			carry >>= 8;
		}
		break;
	}
}

static const char *const iv_add_names[PV_SFI_IV_RULES] = {
	[PV_SFI_IV_BE96] = "be96",
	[PV_SFI_IV_LE32_HI] = "le32-hi",
	[PV_SFI_IV_LE32_LO] = "le32-lo",
};

int
pv_sfi_iv_add_parse(
    const char *text, enum pv_sfi_iv_add *ret_rule, struct pv_error *e)
{
	for (size_t i = 0; i < PV_SFI_IV_RULES; i++) {
		if (strcmp(text, iv_add_names[i]) == 0) {
			*ret_rule = (enum pv_sfi_iv_add)i;
			return 0;
		}
	}
	return pv_fail(e, PV_E_USAGE,
	    "unknown iv-add rule '%s': be96, le32-hi or le32-lo", text);
}

const char *
pv_sfi_iv_add_name(enum pv_sfi_iv_add rule)
{
	return (size_t)rule < PV_SFI_IV_RULES ? iv_add_names[rule] : "?";
}

int
pv_sfi_profile_parse(
    const char *text, enum pv_sfi_profile *ret_profile, struct pv_error *e)
{
	if (strcmp(text, "v1") == 0)
		*ret_profile = PV_SFI_V1;
	else if (strcmp(text, "v2") == 0)
		*ret_profile = PV_SFI_V2;
	else
		return pv_fail(
		    e, PV_E_USAGE, "unknown profile '%s': v1 or v2", text);
	return 0;
}
