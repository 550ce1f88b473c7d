/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of a batch, CSV or JSONL: every cell stays inside the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "package/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pv_secret *text = NULL;
	struct pv_table *t = NULL;
	size_t name = 0, total = 0;

	if (size == 0 || size > 65536 || pv_secret_new(size, &text, NULL) != 0)
		return 0;
	memcpy(pv_secret_data(text), data, size);
	if (pv_table_parse(text, &t, NULL) != 0)
		return 0;
	if (pv_table_rows(t) == 0 || !pv_table_column(t, "name", &name))
		abort();
	for (size_t i = 0; i < pv_table_rows(t); i++) {
		const char *cell = pv_table_cell(t, i, name);

		if (cell != pv_table_name(t, i) || cell[0] == '\0' ||
		    strchr(cell, '/') != NULL)
			abort();
		total += strlen(cell);
	}
	if (total > size)
		abort();
	pv_table_free(t);
	return 0;
}
