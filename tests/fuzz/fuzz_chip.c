/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/chip_json.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A description that is accepted must agree with itself. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pv_error e = { 0 };
	struct pv_chip c;
	bool is_default;
	uint32_t number = 0;

	if (pv_chip_parse(
		(const char *)data, size, "fuzz", &c, &is_default, &e) != 0) {
		if (e.code == 0 || e.msg[0] == '\0')
			abort();
		return 0;
	}
	for (size_t i = 0; i < c.n_banks; i++) {
		uint64_t base = c.banks[i].base;
		uint64_t last = base + c.banks[i].size - 1;
		struct pv_sector s;

		if (!pv_chip_in_flash(&c, base, c.banks[i].size, NULL) ||
		    !pv_chip_sector(&c, base, &s) || s.number != number ||
		    !pv_chip_sector(&c, last, &s))
			abort();
		number = s.number + 1;
	}
	if (number != pv_chip_sectors(&c))
		abort();
	return 0;
}
