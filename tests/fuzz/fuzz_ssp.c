/* SPDX-License-Identifier: Apache-2.0 */
/* A .ssp file: what decodes must encode to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "formats/ssp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[PV_SSP_MAX], header[PV_SSP_HEADER_MAX];
	struct pv_ssp ssp;
	size_t len = 0;

	if (pv_ssp_decode(data, size, &ssp, NULL) != 0)
		return 0;
	if (!pv_ssp_is(data, size) ||
	    pv_ssp_encode(&ssp, again, &len, NULL) != 0 || len != size ||
	    memcmp(again, data, size) != 0)
		abort();
	if (pv_ssp_encode_header(&ssp, header, NULL) != 0 ||
	    memcmp(header, data, pv_ssp_header_len(ssp.chip)) != 0)
		abort();
	return 0;
}
