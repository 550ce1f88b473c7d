/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The description of an image in XML: what is taken has an input, an output
 * and options within their bounds.
 */
#include <stdint.h>
#include <stdlib.h>

#include "image/tpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pv_tpc t;

	if (pv_tpc_parse((const char *)data, size, &t, NULL) == 0) {
		if (t.input == NULL || t.output == NULL ||
		    t.n > PV_TPC_WORDS_MAX || t.n_outside > t.n + 2)
			abort();
		for (size_t i = 0; i < t.n; i++)
			if (t.w[i].option == NULL)
				abort();
	}
	pv_tpc_release(&t);
	return 0;
}
