/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process need not do twice when it checks many signatures of few keys:
 * public keys it has parsed, and the last signatures that it saw verify.
 */
#ifndef PROVISOR_MEMO_H
#define PROVISOR_MEMO_H

#include <provisor/err.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pv_memo;

PV_MUST_USE int pv_memo_new(struct pv_memo **ret_memo, struct pv_error *e);
void pv_memo_free(struct pv_memo *memo); /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
