/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/dfuse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * The checksum is made right first, or hardly an input would get past it.
 * What decodes encodes to the same bytes, but for a wrong image size.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pv_dfuse d = { 0 };
	struct pv_error e = { 0 };
	uint8_t *copy = malloc(size + 1), *again = NULL;
	size_t len = 0;
	int rc;

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	if (size >= 4) {
		uint32_t crc = pv_dfuse_crc(0xffffffffU, copy, size - 4);

		for (size_t i = 0; i < 4; i++)
			copy[size - 4 + i] = (uint8_t)(crc >> 8 * i);
	}
	rc = pv_dfuse_decode(copy, size, &d, &e);
	if (rc != 0) {
		if (e.code != rc || e.msg[0] == '\0')
			abort();
		free(copy);
		return 0;
	}
	if (pv_dfuse_validate(&d, &e) != 0 && e.msg[0] == '\0')
		abort();
	if (pv_dfuse_encode(&d, &again, &len, &e) != 0 || len != size)
		abort();
	if (!d.size_wrong && memcmp(again, copy, len) != 0)
		abort();
	pv_dfuse_release(&d);
	free(again);
	free(copy);
	return 0;
}
