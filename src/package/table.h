/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The devices of a batch, as CSV or JSONL: rows of values under named columns
 * (formats/secrets.md). Values may be secret: they stay in the one pv_secret
 * that the table was read into.
 */
#ifndef PV_TABLE_H
#define PV_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include <provisor/err.h>
#include <provisor/secret.h>

#define PV_TABLE_MAX	 (8U << 20) /* bytes of a file */
#define PV_TABLE_ROWS	 100000U
#define PV_TABLE_COLUMNS 64U
#define PV_TABLE_NAME	 64U /* characters of a row's name */

struct pv_table; /* opaque */

/*
 * Read a table; "-" is standard input. Text that begins with '{' is JSONL, else
 * it is CSV. Every row has the column `name`, a file name of letters, digits,
 * '.', '_' and '-', no two alike. PV_E_MALFORMED names the line.
 */
PV_MUST_USE int pv_table_load(
    const char *path, struct pv_table **ret_t, struct pv_error *e);
/* From text, which the table takes over in every case. */
PV_MUST_USE int pv_table_parse(
    struct pv_secret *text, struct pv_table **ret_t, struct pv_error *e);
void pv_table_free(struct pv_table *t);

size_t pv_table_rows(const struct pv_table *t);
/* False when there is no column of this name. */
bool pv_table_column(
    const struct pv_table *t, const char *name, size_t *ret_column);
/* A value, terminated; zero bytes do not occur in it. Borrowed. */
const char *pv_table_cell(const struct pv_table *t, size_t row, size_t column);
/* Name of a row, and its line from 1. */
const char *pv_table_name(const struct pv_table *t, size_t row);
size_t pv_table_line(const struct pv_table *t, size_t row);

#endif
