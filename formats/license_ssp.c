/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/license_ssp.h"

#include "base/buf.h"

#include <string.h>

static int
check_fields(const struct pv_ssp_license *l, struct pv_error *e)
{
	static const uint8_t zero[8];

	if (l->type != PV_SSP_TYPE_STATIC && l->type != PV_SSP_TYPE_LIVE &&
	    l->type != PV_ECIES_TYPE)
		return pv_fail(e, PV_E_MALFORMED,
		    "license: type 0x%08x is neither 'SSP.', 'SSPL' nor "
		    "'SFI.'",
		    l->type);
	if (l->version != 1)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "license: version %u, this program knows version 1",
		    l->version);
	if (l->type != PV_SSP_TYPE_LIVE && l->live_session != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "license: session 0x%08x in a license that is not live",
		    l->live_session);
	if (l->type == PV_ECIES_TYPE && l->min_version != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "license: bytes 0x0c..0x0f are 0x%08x, not 0",
		    l->min_version);
	if (l->type == PV_ECIES_TYPE && memcmp(l->rfu, zero, 8) != 0)
		return pv_fail(
		    e, PV_E_MALFORMED, "license: bytes 0x10..0x17 are not 0");
	return 0;
}

bool
pv_ssp_license_is(const uint8_t *data, size_t len)
{
	static const char types[][4] = {
		{ 'S', 'S', 'P', '.' },
		{ 'S', 'S', 'P', 'L' },
		{ 'S', 'F', 'I', '.' },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (len >= 4 && memcmp(data, types[i], 4) == 0)
			return true;
	return false;
}

int
pv_ssp_license_decode(const uint8_t *data, size_t len,
    struct pv_ssp_license *ret_l, struct pv_error *e)
{
	struct pv_ssp_license l;
	struct pv_reader r;
	int ret;

	pv_rd_init(&r, data, len);
	l.type = pv_rd_u32le(&r);
	l.live_session = pv_rd_u32le(&r);
	l.version = pv_rd_u32le(&r);
	l.min_version = pv_rd_u32le(&r);
	pv_rd_bytes(&r, l.rfu, sizeof(l.rfu));
	pv_rd_bytes(&r, l.ephemeral, sizeof(l.ephemeral));
	pv_rd_bytes(&r, l.encrypted, sizeof(l.encrypted));
	pv_rd_bytes(&r, l.tag, sizeof(l.tag));
	if (!pv_rd_finish(&r))
		return pv_fail(e, PV_E_MALFORMED,
		    "license: %zu bytes, this kind has %u", len,
		    PV_SSP_LICENSE);
	ret = check_fields(&l, e);
	if (ret == 0)
		*ret_l = l;
	return ret;
}

static void
write_header(struct pv_writer *w, const struct pv_ssp_license *l)
{
	pv_wr_u32le(w, l->type);
	pv_wr_u32le(w, l->live_session);
	pv_wr_u32le(w, l->version);
	pv_wr_u32le(w, l->min_version);
	pv_wr_bytes(w, l->rfu, sizeof(l->rfu));
	pv_wr_bytes(w, l->ephemeral, sizeof(l->ephemeral));
}

int
pv_ssp_license_encode_header(const struct pv_ssp_license *l,
    uint8_t ret_data[PV_SSP_HEADER], struct pv_error *e)
{
	struct pv_writer w;
	int ret;

	ret = check_fields(l, e);
	if (ret != 0)
		return ret;
	pv_wr_init(&w, ret_data, PV_SSP_HEADER);
	write_header(&w, l);
	return 0;
}

int
pv_ssp_license_encode(const struct pv_ssp_license *l,
    uint8_t ret_data[PV_SSP_LICENSE], struct pv_error *e)
{
	struct pv_writer w;
	int ret;

	ret = check_fields(l, e);
	if (ret != 0)
		return ret;
	pv_wr_init(&w, ret_data, PV_SSP_LICENSE);
	write_header(&w, l);
	pv_wr_bytes(&w, l->encrypted, sizeof(l->encrypted));
	pv_wr_bytes(&w, l->tag, sizeof(l->tag));
	return 0;
}

const char *
pv_ssp_license_profile(const struct pv_ssp_license *l)
{
	return l->type == PV_ECIES_TYPE ? "ecies" : "ssp";
}
