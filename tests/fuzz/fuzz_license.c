/* SPDX-License-Identifier: Apache-2.0 */
/* A license: what decodes must encode to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "formats/license.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[PV_LICENSE_MAX];
	size_t len = sizeof(again);
	struct pv_license l;

	if (pv_license_decode(data, size, &l, NULL) != 0)
		return 0;
	if (pv_license_encode(&l, again, &len, NULL) != 0 || len != size ||
	    memcmp(again, data, size) != 0)
		abort();
	return 0;
}
