/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared libraries that few commands need, loaded when one needs them: linking
 * libpq and libxml2 to the program would more than double what every start
 * costs, since they bring Kerberos, LDAP and ICU with them.
 */
#ifndef PV_LAZY_H
#define PV_LAZY_H

#include <stddef.h>

#include <provisor/err.h>

struct pv_lazy_symbol {
	const char *name;
	void *slot; /* of a pointer to that function */
};

/*
 * Load the library (a name as in its SONAME) for the rest of the process and
 * fill the slots, all of them or none. Doing it again is cheap.
 * PV_E_UNSUPPORTED when it is not installed or lacks a function.
 */
PV_MUST_USE int pv_lazy_load(const char *soname,
    const struct pv_lazy_symbol *symbols, size_t n, struct pv_error *e);

#endif
