/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checkpoint of a campaign, byte by byte as in checkpoint.md. Codec only;
 * the struct is in provisor/campaign.h.
 */
#ifndef PV_CHECKPOINT_FORMAT_H
#define PV_CHECKPOINT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/campaign.h>
#include <provisor/err.h>

#define PV_CHECKPOINT_MAGIC   "PVCK"
#define PV_CHECKPOINT_VERSION 1U
/* Hashed before the bytes; its terminating zero counts too. */
#define PV_CHECKPOINT_DOMAIN  "provisor/checkpoint/v1"

/* Every length, range, text and trailing byte; not the signature's value. */
PV_MUST_USE int pv_checkpoint_decode(const uint8_t *data, size_t len,
    struct pv_checkpoint *ret_cp, struct pv_error *e);
/* *len: room, then length. The signature is written as it is. */
PV_MUST_USE int pv_checkpoint_encode(const struct pv_checkpoint *cp,
    uint8_t *data, size_t *len, struct pv_error *e);

#endif
