/* SPDX-License-Identifier: Apache-2.0 */
/* STM32 image headers: what decodes encodes to the same bytes. */
#include "formats/stm32_image.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[PV_STM32_HEADER_MAX];
	struct pv_stm32_range range[2];
	struct pv_stm32_header h;
	size_t len = sizeof(again);
	struct pv_error e;

	(void)pv_stm32_detect(data, size);
	if (pv_stm32_decode(data, size, &h, &e) != 0)
		return 0;
	if (!pv_stm32_detect(data, size))
		abort();
	if (pv_stm32_encode(&h, again, &len, &e) != 0 || len > size ||
	    memcmp(again, data, len) != 0)
		abort();
	pv_stm32_signed_ranges(&h, range);
	if (range[0].start + range[0].len > len ||
	    range[1].start + range[1].len > len)
		abort();
	if (pv_stm32_validate(&h, size, &e) == 0 &&
	    size != (size_t)pv_stm32_header_len(&h) + h.length)
		abort();
	return 0;
}
