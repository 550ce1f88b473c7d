/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `resident` license, as in license.md: provisor's own format, not
 * accepted by ST silicon. Codec only.
 */
#ifndef PV_LICENSE_H
#define PV_LICENSE_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_LICENSE_MAGIC       "PVLR"
#define PV_LICENSE_HEADER      124U /* bytes 0x00..0x7B */
#define PV_LICENSE_CAMPAIGN    16U
#define PV_LICENSE_MAX_WRAPPED 40U
#define PV_LICENSE_MAX	       228U
#define PV_LICENSE_DOMAIN      "provisor/license/v1" /* 19 bytes */

struct pv_license {
	uint16_t version; /* 1 */
	uint16_t flags;	  /* 0 */
	uint8_t campaign_id[PV_LICENSE_CAMPAIGN];
	uint64_t number; /* >= 1 */
	char product_id[9];
	uint8_t ephemeral[64]; /* X, Y */
	uint8_t nonce[12];
	uint32_t wrapped_len; /* 24 or 40 */
	uint8_t wrapped[PV_LICENSE_MAX_WRAPPED];
	uint8_t signature[64]; /* r, s */
};

/* Length, magic, version, flags, zero bytes and wrapped_len are checked. */
PV_MUST_USE int pv_license_decode(const uint8_t *data, size_t len,
    struct pv_license *ret_l, struct pv_error *e);
/* The 124 header bytes; wrapped_len must be set, wrapped need not be. */
PV_MUST_USE int pv_license_encode_header(const struct pv_license *l,
    uint8_t ret_data[PV_LICENSE_HEADER], struct pv_error *e);
/* The whole license: 188 + wrapped_len bytes. *len: room, then length. */
PV_MUST_USE int pv_license_encode(
    const struct pv_license *l, uint8_t *data, size_t *len, struct pv_error *e);

#endif
