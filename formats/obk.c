/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/obk.h"

#include "base/buf.h"

#include <string.h>

/*
 * STM32CubeH5 and STM32CubeH7RS, ROT_Provisioning; the lengths are measured
 * on the files there.
 */
static const struct pv_obk_place places[] = {
	{ 0x0FFD0100, PV_OBK_DA, "STM32H5", "debug authentication", 0x60, true,
	    false, false },
	{ 0x0FFD0160, PV_OBK_OEMIROT_H5, "STM32H5", "OEMiRoT configuration",
	    0x120, true, true, false },
	{ 0x0FFD0200, PV_OBK_STIROT_H5, "STM32H5", "STiRoT configuration",
	    0x100, true, true, false },
	{ 0x0FFD0280, PV_OBK_DATA, "STM32H5", "OEMiRoT data", 0xC0, true, false,
	    false },
	{ 0x0FFD0400, PV_OBK_DATA, "STM32H5", "STiRoT data", 0x60, true, false,
	    false },
	{ 0x0FFD0900, PV_OBK_UROT_H5, "STM32H5", "OEMuRoT configuration", 0x150,
	    false, true, false },
	{ 0x0FFD0A50, PV_OBK_DATA, "STM32H5", "OEMuRoT data", 0xC0, true, false,
	    false },
	{ 0x00000100, PV_OBK_AHK, "STM32H7RS", "AHK", 0x60, false, true,
	    false },
	/* STiRoT or OEMiRoT: the length says which, see place_of. */
	{ 0x00000108, PV_OBK_STIROT_H7RS, "STM32H7RS", "STiRoT configuration",
	    0x100, true, true, false },
	{ 0x00000108, PV_OBK_KEYS_H7RS, "STM32H7RS", "OEMiRoT configuration",
	    0xE0, true, true, false },
	{ 0x0000010F, PV_OBK_DATA_PAIR, "STM32H7RS", "OEMiRoT data", 0xC0,
	    false, false, false },
	{ 0x00000110, PV_OBK_DATA_PAIR, "STM32H7RS", "STiRoT data", 0xC0, false,
	    false, false },
	{ 0x00000208, PV_OBK_KEYS_H7RS, "STM32H7RS", "OEMuRoT configuration",
	    0xE0, true, true, false },
	{ 0x0000020F, PV_OBK_DATA_PAIR, "STM32H7RS", "OEMuRoT data", 0xC0,
	    false, false, false },
	{ 0x00510008, PV_OBK_DA_CERT, "STM32H7RS",
	    "debug authentication by certificate", 0x60, true, false, false },
	{ 0x008A0008, PV_OBK_DA_PASSWORD, "STM32H7RS",
	    "debug authentication by password", 0x60, true, false, false },
	{ 0x00B40008, PV_OBK_DA_LOCK, "STM32H7RS", "debug authentication lock",
	    0x20, false, false, true },
};

const struct pv_obk_place *
pv_obk_place(uint32_t address, uint32_t length)
{
	const struct pv_obk_place *found = NULL;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (places[i].address != address)
			continue;
		if (places[i].length == length)
			return &places[i];
		if (found == NULL)
			found = &places[i];
	}
	return found;
}

bool
pv_obk_detect(const uint8_t *data, size_t len, uint64_t file_size)
{
	uint32_t address, body;

	if (len < PV_OBK_HEADER || pv_get_u32le(data + 8) > 1)
		return false;
	address = pv_get_u32le(data);
	body = pv_get_u32le(data + 4);
	return (uint64_t)body + PV_OBK_HEADER == file_size &&
	       (address >> 16 == 0x0ffd || pv_obk_place(address, body) != NULL);
}

int
pv_obk_decode(
    const uint8_t *data, size_t len, struct pv_obk *ret_o, struct pv_error *e)
{
	const struct pv_obk_place *place;
	struct pv_obk o = { 0 };
	struct pv_reader r;
	uint32_t flag;

	pv_rd_init(&r, data, len);
	o.address = pv_rd_u32le(&r);
	o.length = pv_rd_u32le(&r);
	flag = pv_rd_u32le(&r);
	if (!pv_rd_ok(&r))
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu bytes, too short for an OB-key file", len);
	if (o.length != r.left)
		return pv_fail(e, PV_E_MALFORMED,
		    "the header says %u bytes follow it, the file has %zu",
		    (unsigned int)o.length, r.left);
	if (flag > 1)
		return pv_fail(e, PV_E_MALFORMED,
		    "the encryption flag is %u, neither 0 nor 1",
		    (unsigned int)flag);
	o.encrypt = flag == 1;
	place = pv_obk_place(o.address, o.length);
	o.has_hash = place == NULL || place->has_hash;
	if (o.has_hash)
		pv_rd_bytes(&r, o.hash, sizeof(o.hash));
	o.data_len = r.left;
	o.data = pv_rd_view(&r, r.left);
	if (!pv_rd_ok(&r))
		return pv_fail(e, PV_E_MALFORMED,
		    "%u bytes of body, too short for the hash it begins with",
		    (unsigned int)o.length);
	*ret_o = o;
	return 0;
}

int
pv_obk_validate(const struct pv_obk *o, struct pv_error *e)
{
	const struct pv_obk_place *place = pv_obk_place(o->address, o->length);

	if (place == NULL)
		return pv_fail(e, PV_E_RANGE,
		    "0x%08x is no destination of STM32H5 or STM32H7RS that is "
		    "known",
		    (unsigned int)o->address);
	if (place->length != o->length)
		return pv_fail(e, PV_E_MALFORMED,
		    "%s takes a body of %u bytes, not of %u; the device would "
		    "refuse it",
		    place->name, (unsigned int)place->length,
		    (unsigned int)o->length);
	if (place->has_hash != o->has_hash)
		return pv_fail(e, PV_E_MALFORMED, "%s %s a hash", place->name,
		    place->has_hash ? "needs" : "has no");
	return 0;
}

int
pv_obk_encode(
    const struct pv_obk *o, uint8_t *dst, size_t *len, struct pv_error *e)
{
	size_t hash = o->has_hash ? sizeof(o->hash) : 0;
	struct pv_writer w;

	pv_wr_init(&w, dst, *len);
	pv_wr_u32le(&w, o->address);
	pv_wr_u32le(&w, (uint32_t)(hash + o->data_len));
	pv_wr_u32le(&w, o->encrypt ? 1 : 0);
	pv_wr_bytes(&w, o->hash, hash);
	pv_wr_bytes(&w, o->data, o->data_len);
	if (!pv_wr_ok(&w))
		return pv_fail(e, PV_E_USAGE, "no room for the OB-key file");
	*len = w.len;
	return 0;
}
