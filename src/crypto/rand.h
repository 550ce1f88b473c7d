/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes of the system, for keys and nonces. */
#ifndef PV_RAND_H
#define PV_RAND_H

#include <stddef.h>

#include <provisor/err.h>

PV_MUST_USE int pv_random(void *data, size_t len, struct pv_error *e);

#endif
