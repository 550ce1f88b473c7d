/* SPDX-License-Identifier: Apache-2.0 */
/* Signature files: what decodes encodes to the same bytes. */
#include "formats/signature.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[PV_SIGFILE_MAX];
	struct pv_signature s;
	struct pv_error e;
	size_t len = 0;

	if (pv_sigfile_decode(data, size, &s, &e) != 0)
		return 0;
	pv_sigfile_encode(&s, again, &len);
	if (len != size || memcmp(again, data, size) != 0)
		abort();
	return 0;
}
