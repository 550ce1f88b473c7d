/* SPDX-License-Identifier: Apache-2.0 */
/* UF2 blocks; the layout is the table of uf2.md. */
#include "formats/uf2.h"

#include "base/buf.h"

#include <string.h>

#define MAGIC_0	  0x0A324655U /* "UF2\n" */
#define MAGIC_1	  0x9E5D5157U
#define MAGIC_END 0x0AB16F30U

bool
pv_uf2_detect(const void *data, size_t len)
{
	return len >= 8 && pv_get_u32le(data) == MAGIC_0 &&
	       pv_get_u32le((const uint8_t *)data + 4) == MAGIC_1;
}

int
pv_uf2_decode(
    const uint8_t *raw, struct pv_uf2_block *ret_b, struct pv_error *e)
{
	struct pv_uf2_block b;
	struct pv_reader r;
	uint32_t m0, m1, end;

	pv_rd_init(&r, raw, PV_UF2_BLOCK);
	m0 = pv_rd_u32le(&r);
	m1 = pv_rd_u32le(&r);
	b.flags = pv_rd_u32le(&r);
	b.addr = pv_rd_u32le(&r);
	b.size = pv_rd_u32le(&r);
	b.number = pv_rd_u32le(&r);
	b.count = pv_rd_u32le(&r);
	b.family = pv_rd_u32le(&r);
	pv_rd_bytes(&r, b.data, sizeof(b.data));
	end = pv_rd_u32le(&r);
	if (m0 != MAGIC_0 || m1 != MAGIC_1)
		return pv_fail(e, PV_E_MALFORMED,
		    "it does not begin with the magic numbers of UF2");
	if (end != MAGIC_END)
		return pv_fail(e, PV_E_MALFORMED,
		    "it ends with 0x%08x instead of the magic number 0x%08x",
		    end, MAGIC_END);
	*ret_b = b;
	return 0;
}

int
pv_uf2_validate(const struct pv_uf2_block *b, struct pv_error *e)
{
	uint32_t room = PV_UF2_DATA;

	if ((b->flags & PV_UF2_HAS_MD5) != 0)
		room -= PV_UF2_MD5;
	if (b->size > room)
		return pv_fail(e, PV_E_MALFORMED,
		    "it says %u bytes of data, it has room for %u", b->size,
		    room);
	if (b->number >= b->count)
		return pv_fail(e, PV_E_MALFORMED, "its number is %u of %u",
		    b->number, b->count);
	if ((b->flags & PV_UF2_NOT_FLASH) != 0)
		return 0;
	if ((b->flags & PV_UF2_CONTAINER) != 0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "it is part of a file container, not of a memory image");
	if (b->size == 0)
		return pv_fail(e, PV_E_MALFORMED, "it has no data");
	if (b->addr > UINT32_MAX - (b->size - 1))
		return pv_fail(e, PV_E_RANGE,
		    "%u bytes at 0x%08x run past the end of the 32-bit "
		    "address space",
		    b->size, b->addr);
	return 0;
}

void
pv_uf2_encode(const struct pv_uf2_block *b, uint8_t *raw)
{
	struct pv_writer w;

	pv_wr_init(&w, raw, PV_UF2_BLOCK);
	pv_wr_u32le(&w, MAGIC_0);
	pv_wr_u32le(&w, MAGIC_1);
	pv_wr_u32le(&w, b->flags);
	pv_wr_u32le(&w, b->addr);
	pv_wr_u32le(&w, b->size);
	pv_wr_u32le(&w, b->number);
	pv_wr_u32le(&w, b->count);
	pv_wr_u32le(&w, b->family);
	pv_wr_bytes(&w, b->data, sizeof(b->data));
	pv_wr_u32le(&w, MAGIC_END);
}
