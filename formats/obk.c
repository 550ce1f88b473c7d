/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/obk.h"

#include "base/buf.h"

#include <string.h>

bool
pv_obk_detect(const uint8_t *data, size_t len, uint64_t file_size)
{
	return len >= PV_OBK_HEADER && pv_get_u32le(data + 8) <= 1 &&
	       pv_get_u32le(data + 4) >= 32 &&
	       (uint64_t)pv_get_u32le(data + 4) + 12 == file_size &&
	       pv_get_u32le(data) >> 16 == 0x0ffd;
}

int
pv_obk_decode(
    const uint8_t *data, size_t len, struct pv_obk *ret_o, struct pv_error *e)
{
	struct pv_obk o;
	struct pv_reader r;
	uint32_t flag;

	pv_rd_init(&r, data, len);
	o.address = pv_rd_u32le(&r);
	o.length = pv_rd_u32le(&r);
	flag = pv_rd_u32le(&r);
	pv_rd_bytes(&r, o.hash, sizeof(o.hash));
	if (!pv_rd_ok(&r))
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu bytes, too short for an OB-key file", len);
	if (o.length < sizeof(o.hash) || o.length - sizeof(o.hash) != r.left)
		return pv_fail(e, PV_E_MALFORMED,
		    "the header says %u bytes follow it, the file has %zu",
		    (unsigned int)o.length, len - 12);
	if (flag > 1)
		return pv_fail(e, PV_E_MALFORMED,
		    "the encryption flag is %u, neither 0 nor 1",
		    (unsigned int)flag);
	o.encrypt = flag == 1;
	o.data_len = r.left;
	o.data = pv_rd_view(&r, r.left);
	*ret_o = o;
	return 0;
}

int
pv_obk_encode(
    const struct pv_obk *o, uint8_t *dst, size_t *len, struct pv_error *e)
{
	struct pv_writer w;

	pv_wr_init(&w, dst, *len);
	pv_wr_u32le(&w, o->address);
	pv_wr_u32le(&w, (uint32_t)(sizeof(o->hash) + o->data_len));
	pv_wr_u32le(&w, o->encrypt ? 1 : 0);
	pv_wr_bytes(&w, o->hash, sizeof(o->hash));
	pv_wr_bytes(&w, o->data, o->data_len);
	if (!pv_wr_ok(&w))
		return pv_fail(e, PV_E_USAGE, "no room for the OB-key file");
	*len = w.len;
	return 0;
}

/* STM32CubeH5, ROT_Provisioning of NUCLEO-H533RE. */
const char *
pv_obk_place(uint32_t address)
{
	switch (address) {
	case 0x0FFD0100:
		return "debug authentication";
	case 0x0FFD0160:
		return "OEMiROT configuration";
	case 0x0FFD0200:
		return "STiROT configuration";
	case 0x0FFD0280:
		return "OEMiROT data";
	case 0x0FFD0400:
		return "STiROT data";
	case 0x0FFD0900:
		return "OEMuROT configuration";
	case 0x0FFD0A50:
		return "OEMuROT data";
	default:
		return NULL;
	}
}
