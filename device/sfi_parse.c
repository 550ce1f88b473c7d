/* SPDX-License-Identifier: Apache-2.0 */
#include "device/sfi_parse.h"

#include "base/buf.h"

#include <string.h>

bool
pv_dev_sfi_header(
    const uint8_t *data, size_t len, uint16_t *ret_areas, uint8_t ret_tag[16])
{
	static const uint8_t magic[8] = { 'S', 'F', 'I', 'M', 'A', 'G', 'I',
		'C' };
	struct pv_reader r;
	const uint8_t *m, *tag;
	uint16_t version, areas;

	pv_rd_init(&r, data, len);
	m = pv_rd_view(&r, sizeof magic);
	version = pv_rd_u16le(&r);
	areas = pv_rd_u16le(&r);
	tag = pv_rd_view(&r, 16);
	if (!pv_rd_finish(&r) || memcmp(m, magic, sizeof magic) != 0)
		return false;
	if (version < 1 || version > 2 || areas == 0)
		return false;
	*ret_areas = areas;
	memcpy(ret_tag, tag, 16);
	return true;
}

bool
pv_dev_sfi_area(
    const uint8_t *data, size_t len, struct pv_dev_sfi_area *ret_area)
{
	struct pv_dev_sfi_area a;
	struct pv_reader r;

	pv_rd_init(&r, data, len);
	a.type = pv_rd_u8(&r);
	(void)pv_rd_u8(&r); /* image version: the host's affair */
	a.index = pv_rd_u16le(&r);
	a.size = pv_rd_u32le(&r);
	a.address = pv_rd_u32le(&r);
	a.total = pv_rd_u16le(&r);
	pv_rd_bytes(&r, a.tag, sizeof a.tag);
	if (!pv_rd_finish(&r))
		return false;
	*ret_area = a;
	return true;
}

void
pv_dev_sfi_iv(enum pv_agent_iv_add rule, const uint8_t nonce[12],
    uint16_t index, uint8_t ret_iv[12])
{
	uint8_t iv[12];
	uint32_t carry = index;

	memcpy(iv, nonce, sizeof iv);
	switch (rule) {
	case PV_AGENT_IV_BE96:
		for (size_t i = sizeof iv; i-- > 0;) {
			carry += iv[i];
			iv[i] = (uint8_t)carry;
			carry >>= 8;
		}
		break;
	case PV_AGENT_IV_LE32_HI:
		pv_put_u32le(iv + 8, pv_get_u32le(iv + 8) + carry);
		break;
	case PV_AGENT_IV_LE32_LO:
		pv_put_u32le(iv, pv_get_u32le(iv) + carry);
		break;
	}
	memcpy(ret_iv, iv, sizeof iv);
}
