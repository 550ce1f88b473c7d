/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PV_MEMO_H
#define PV_MEMO_H

#include <stdint.h>

#include <provisor/err.h>
#include <provisor/memo.h>

/*
 * pv_ecdsa_verify, through what `memo` has kept (NULL: nothing). Only
 * signatures that verified are remembered, by key, digest and their own bytes.
 */
PV_MUST_USE int pv_memo_verify(struct pv_memo *memo, const uint8_t pub[64],
    const uint8_t digest[32], const uint8_t sig[64], struct pv_error *e);

#endif
