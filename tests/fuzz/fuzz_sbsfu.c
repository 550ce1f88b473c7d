/* SPDX-License-Identifier: Apache-2.0 */
/* SBSFU headers of each scheme: what decodes encodes to the same bytes. */
#include "formats/sbsfu.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
one(const uint8_t *data, size_t size, enum pv_sbsfu_scheme scheme)
{
	uint8_t again[PV_SBSFU_HEADER_MAX];
	struct pv_sbsfu_header h;
	size_t len = sizeof(again);
	struct pv_error e;

	if (pv_sbsfu_decode(data, size, scheme, &h, &e) != 0)
		return;
	if (pv_sbsfu_encode(&h, again, &len, &e) != 0 || len > size ||
	    len != pv_sbsfu_layout(scheme)->end ||
	    memcmp(again, data, len) != 0)
		abort();
	if (pv_sbsfu_validate(&h, size - len, &e) == 0 &&
	    (h.partial_size > h.size || pv_sbsfu_state_name(&h) == NULL))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum pv_sbsfu_scheme guess = pv_sbsfu_guess(data, size);

	if (guess != 0 && !pv_sbsfu_detect(data, size))
		abort();
	for (unsigned int i = 1; i <= PV_SBSFU_SCHEMES; i++)
		one(data, size, (enum pv_sbsfu_scheme)i);
	return 0;
}
