/* SPDX-License-Identifier: Apache-2.0 */
/* SMI modules: what decodes encodes to the same header. */
#include "formats/smi.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[PV_SMI_HEADER];
	struct pv_smi m;
	struct pv_error e;

	if (size < PV_SMI_HEADER || pv_smi_decode(data, size, &m, &e) != 0)
		return 0;
	pv_smi_encode(&m, again);
	if (memcmp(again, data, sizeof(again)) != 0 ||
	    m.size != size - PV_SMI_HEADER)
		abort();
	return 0;
}
