/* SPDX-License-Identifier: Apache-2.0 */
/* OB-key files: what decodes encodes to the same bytes. */
#include "formats/obk.h"
#include "image/obk.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pv_obk_lint lint = { 0 };
	struct pv_obk o;
	struct pv_error e;
	uint8_t *again;
	size_t len = size;

	(void)pv_obk_detect(data, size, size);
	if (pv_obk_decode(data, size, &o, &e) != 0)
		return 0;
	again = malloc(size);
	if (again == NULL)
		return 0;
	if (pv_obk_encode(&o, again, &len, &e) != 0 || len != size ||
	    memcmp(again, data, size) != 0)
		abort();
	if (pv_obk_lint(&o, &lint, &e) != 0)
		abort();
	free(again);
	return 0;
}
