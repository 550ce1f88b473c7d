/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/license.h"

#include "base/buf.h"

#include <string.h>

/* Bytes besides the wrapped key: header and signature. */
#define FIXED	   (PV_LICENSE_HEADER + 64U)
/* A product id is 8 characters, as in certificate.md. */
#define PRODUCT_ID 8U

static int
check_fields(const struct pv_license *l, struct pv_error *e)
{
	if (l->version != 1)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "license: version %u, this program knows version 1",
		    (unsigned int)l->version);
	if (l->flags != 0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "license: flags 0x%04x, none are defined",
		    (unsigned int)l->flags);
	if (l->number == 0)
		return pv_fail(
		    e, PV_E_MALFORMED, "license: number 0, they start at 1");
	for (size_t i = 0; i < PRODUCT_ID; i++) {
		if (l->product_id[i] < 0x21 || l->product_id[i] > 0x7e)
			return pv_fail(e, PV_E_MALFORMED,
			    "license: byte %zu of the product id is 0x%02x, "
			    "not a printable character",
			    i, (unsigned int)(uint8_t)l->product_id[i]);
	}
	if (l->wrapped_len != 24 && l->wrapped_len != 40)
		return pv_fail(e, PV_E_MALFORMED,
		    "license: wrapped key of %u bytes, not 24 or 40",
		    (unsigned int)l->wrapped_len);
	return 0;
}

int
pv_license_decode(const uint8_t *data, size_t len, struct pv_license *ret_l,
    struct pv_error *e)
{
	struct pv_license l = { 0 };
	uint8_t magic[4];
	uint32_t zero;
	struct pv_reader r;
	int ret;

	pv_rd_init(&r, data, len);
	pv_rd_bytes(&r, magic, sizeof(magic));
	if (!pv_rd_ok(&r) || memcmp(magic, PV_LICENSE_MAGIC, 4) != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "license: does not start with '%s'", PV_LICENSE_MAGIC);
	l.version = pv_rd_u16le(&r);
	l.flags = pv_rd_u16le(&r);
	pv_rd_bytes(&r, l.campaign_id, sizeof(l.campaign_id));
	l.number = pv_rd_u64le(&r);
	pv_rd_bytes(&r, l.product_id, PRODUCT_ID);
	pv_rd_bytes(&r, l.ephemeral, sizeof(l.ephemeral));
	pv_rd_bytes(&r, l.nonce, sizeof(l.nonce));
	zero = pv_rd_u32le(&r);
	l.wrapped_len = pv_rd_u32le(&r);
	if (!pv_rd_ok(&r))
		return pv_fail(e, PV_E_MALFORMED,
		    "license: %zu bytes, the header alone has %u", len,
		    PV_LICENSE_HEADER);
	ret = check_fields(&l, e);
	if (ret != 0)
		return ret;
	if (zero != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "license: bytes 0x74..0x77 are 0x%08x, not 0", zero);
	pv_rd_bytes(&r, l.wrapped, l.wrapped_len);
	pv_rd_bytes(&r, l.signature, sizeof(l.signature));
	if (!pv_rd_finish(&r))
		return pv_fail(e, PV_E_MALFORMED,
		    "license: %zu bytes, but its fields need %u", len,
		    FIXED + l.wrapped_len);
	*ret_l = l;
	return 0;
}

static void
write_header(struct pv_writer *w, const struct pv_license *l)
{
	pv_wr_bytes(w, PV_LICENSE_MAGIC, 4);
	pv_wr_u16le(w, l->version);
	pv_wr_u16le(w, l->flags);
	pv_wr_bytes(w, l->campaign_id, sizeof(l->campaign_id));
	pv_wr_u64le(w, l->number);
	pv_wr_bytes(w, l->product_id, PRODUCT_ID);
	pv_wr_bytes(w, l->ephemeral, sizeof(l->ephemeral));
	pv_wr_bytes(w, l->nonce, sizeof(l->nonce));
	pv_wr_u32le(w, 0);
	pv_wr_u32le(w, l->wrapped_len);
}

int
pv_license_encode_header(const struct pv_license *l,
    uint8_t ret_data[PV_LICENSE_HEADER], struct pv_error *e)
{
	struct pv_writer w;
	int ret;

	ret = check_fields(l, e);
	if (ret != 0)
		return ret;
	pv_wr_init(&w, ret_data, PV_LICENSE_HEADER);
	write_header(&w, l);
	return 0;
}

int
pv_license_encode(
    const struct pv_license *l, uint8_t *data, size_t *len, struct pv_error *e)
{
	struct pv_writer w;
	int ret;

	ret = check_fields(l, e);
	if (ret != 0)
		return ret;
	if (*len < FIXED + l->wrapped_len)
		return pv_fail(e, PV_E_INTERNAL,
		    "license needs %u bytes of room, has %zu",
		    FIXED + l->wrapped_len, *len);
	pv_wr_init(&w, data, *len);
	write_header(&w, l);
	pv_wr_bytes(&w, l->wrapped, l->wrapped_len);
	pv_wr_bytes(&w, l->signature, sizeof(l->signature));
	*len = w.len;
	return 0;
}
