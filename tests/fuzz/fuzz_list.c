/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of sfi pack: every row has its columns, none is empty. */
#include "formats/list_csv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
look(void *ctx, const struct pv_list_row *row, struct pv_error *e)
{
	const size_t *columns = ctx;

	(void)e;
	if (row->n != *columns || row->line == 0)
		abort();
	for (size_t i = 0; i < row->n; i++) {
		if (row->text[i][0] == '\0' ||
		    strchr(row->text[i], ',') != NULL)
			abort();
	}
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pv_error e;

	for (size_t columns = 2; columns <= PV_LIST_COLUMNS; columns++) {
		if (pv_list_decode((const char *)data, size, columns, look,
			&columns, &e) != 0 &&
		    e.msg[0] == '\0')
			abort();
	}
	return 0;
}
