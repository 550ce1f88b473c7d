/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/uf2.h"
#include "tests/fuzz/fuzz_fw.h"

/* Every block: what decodes encodes to the same bytes. */
static void
round_trip(const uint8_t *data, size_t size)
{
	struct pv_uf2_block b;
	struct pv_error e = { 0 };
	uint8_t again[PV_UF2_BLOCK];

	for (size_t at = 0; size - at >= PV_UF2_BLOCK; at += PV_UF2_BLOCK) {
		if (pv_uf2_decode(data + at, &b, &e) != 0)
			continue;
		pv_uf2_encode(&b, again);
		if (memcmp(again, data + at, PV_UF2_BLOCK) != 0)
			abort();
		if (pv_uf2_validate(&b, &e) != 0 && e.msg[0] == '\0')
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	round_trip(data, size);
	return fuzz_reader(data, size, pv_fw_read_uf2);
}
