/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists that `sfi pack` takes: rows of columns between commas, as in
 * sfi.md, "Lists".
 */
#ifndef PV_LIST_CSV_H
#define PV_LIST_CSV_H

#include <stddef.h>

#include <provisor/err.h>

#define PV_LIST_COLUMNS 5U
#define PV_LIST_ROWS	64U
#define PV_LIST_LINE	4096U	/* bytes of a line without its end */
#define PV_LIST_MAX	262144U /* bytes of the file */

/* One row; `text` is borrowed for the call, blanks around it are gone. */
struct pv_list_row {
	unsigned int line;
	size_t n; /* columns */
	const char *text[PV_LIST_COLUMNS];
};
typedef int (*pv_list_fn)(
    void *ctx, const struct pv_list_row *row, struct pv_error *e);

/*
 * Call `each` for every row, which has exactly `columns` of them. Empty lines
 * and lines that begin with '#' do not count. Messages name the line; the
 * caller adds the file.
 */
PV_MUST_USE int pv_list_decode(const char *text, size_t len, size_t columns,
    pv_list_fn each, void *ctx, struct pv_error *e);

#endif
