/* SPDX-License-Identifier: Apache-2.0 */
/* A checkpoint: what decodes must encode to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "formats/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[PV_CHECKPOINT_LEN_MAX];
	size_t len = sizeof(again);
	struct pv_checkpoint cp;

	if (pv_checkpoint_decode(data, size, &cp, NULL) == 0 &&
	    (pv_checkpoint_encode(&cp, again, &len, NULL) != 0 || len != size ||
		memcmp(again, data, size) != 0))
		abort();
	return 0;
}
