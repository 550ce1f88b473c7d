/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receipt of a license, byte by byte as in receipt.md: two signed ledger
 * entries in one file. Codec only.
 */
#ifndef PV_RECEIPT_FORMAT_H
#define PV_RECEIPT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "formats/ledger.h"
#include <provisor/err.h>

#define PV_RECEIPT_MAGIC   "PVRC"
#define PV_RECEIPT_VERSION 1U
#define PV_RECEIPT_LEN_MAX (12U + 2U * (PV_ENTRY_MAX + 64U))

/* One entry as it lies in the file; borrows its bytes. */
struct pv_receipt_part {
	const uint8_t *entry;
	size_t len;
	const uint8_t *signature; /* 64 bytes */
};

struct pv_receipt_parts {
	struct pv_receipt_part definition, issued;
};

/* Lengths and frame; the entries are for pv_entry_decode. */
PV_MUST_USE int pv_receipt_decode(const uint8_t *data, size_t len,
    struct pv_receipt_parts *ret_parts, struct pv_error *e);
/* *len: room, then length. */
PV_MUST_USE int pv_receipt_encode(const struct pv_receipt_parts *parts,
    uint8_t *data, size_t *len, struct pv_error *e);

#endif
