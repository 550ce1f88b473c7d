/* SPDX-License-Identifier: Apache-2.0 */
/* A license of 136 bytes: what decodes must encode to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "formats/license_ssp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[PV_SSP_LICENSE];
	struct pv_ssp_license l;

	if (pv_ssp_license_decode(data, size, &l, NULL) != 0)
		return 0;
	if (!pv_ssp_license_is(data, size) ||
	    pv_ssp_license_encode(&l, again, NULL) != 0 ||
	    size != sizeof(again) || memcmp(again, data, size) != 0)
		abort();
	return 0;
}
