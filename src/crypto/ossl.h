/* SPDX-License-Identifier: Apache-2.0 */
/* How every file here reports an OpenSSL fault. */
#ifndef PV_OSSL_H
#define PV_OSSL_H

#include <provisor/err.h>

/* Empties OpenSSL's error queue into the message; code PV_E_INTERNAL. */
int pv_ossl_fail(struct pv_error *e, const char *what);

#endif
