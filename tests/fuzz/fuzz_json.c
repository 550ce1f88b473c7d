/* SPDX-License-Identifier: Apache-2.0 */
/* The strict JSON front: what it accepts prints and parses again. */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pv_json *v = NULL, *again = NULL;
	struct pv_error e;
	char *text = NULL;

	if (pv_json_parse((const char *)data, size, &v, &e) != 0)
		return 0;
	if (pv_json_print(v, &text, &e) == 0) {
		/* Numbers may round, but text stays JSON. */
		if (pv_json_parse(text, strlen(text), &again, &e) != 0)
			__builtin_trap();
		pv_json_free(again);
	}
	free(text);
	pv_json_free(v);
	return 0;
}
