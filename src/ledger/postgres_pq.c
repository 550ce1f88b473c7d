/* SPDX-License-Identifier: Apache-2.0 */
/* libpq, loaded when a ledger is a PostgreSQL database. */
#ifdef PV_WITH_LIBPQ

#include "base/lazy.h"
#include "ledger/postgres_pq.h"

/* Filled once and then only read. */
struct pv_pq pv_pq;

int
pv_pq_load(struct pv_error *e)
{
/* A name stands for its slot: the macros of the header. */
#define SYMBOL(name) { #name, &name },
	static const struct pv_lazy_symbol symbols[] = { PV_PQ_FUNCTIONS(
	    SYMBOL) };

	return pv_lazy_load(
	    PV_LIBPQ_SONAME, symbols, sizeof(symbols) / sizeof(symbols[0]), e);
}

#else
/* An empty translation unit is not C. */
typedef int pv_no_libpq_pq;
#endif
