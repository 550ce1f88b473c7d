/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 136-byte license of STM32MP1 secret provisioning, and provisor's profile
 * `ecies` in the same shape, as in license-ssp.md. Codec only.
 */
#ifndef PV_LICENSE_SSP_H
#define PV_LICENSE_SSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_SSP_LICENSE	   136U
#define PV_SSP_HEADER	   88U	       /* bytes 0x00..0x57, authenticated */
#define PV_SSP_SECRET	   32U	       /* IV or nonce (16), then the key (16) */
#define PV_SSP_TYPE_STATIC 0x2e505353U /* "SSP." */
#define PV_SSP_TYPE_LIVE   0x4c505353U /* "SSPL" */
#define PV_ECIES_TYPE	   0x2e494653U /* "SFI.", provisor's own */

struct pv_ssp_license {
	uint32_t type;
	uint32_t live_session; /* 0 unless live */
	uint32_t version;      /* 1 */
	uint32_t min_version;  /* of the FSBL; 0 in `ecies` */
	uint8_t rfu[8];	       /* 0 in `ecies` */
	uint8_t ephemeral[64]; /* X, Y */
	uint8_t encrypted[PV_SSP_SECRET];
	uint8_t tag[16];
};

/* Does this begin like such a license (rather than a resident one)? */
bool pv_ssp_license_is(const uint8_t *data, size_t len);

/* Length, type, version and the fields that a type fixes are checked. */
PV_MUST_USE int pv_ssp_license_decode(const uint8_t *data, size_t len,
    struct pv_ssp_license *ret_l, struct pv_error *e);
/* The 88 authenticated bytes; encrypted and tag need not be set. */
PV_MUST_USE int pv_ssp_license_encode_header(const struct pv_ssp_license *l,
    uint8_t ret_data[PV_SSP_HEADER], struct pv_error *e);
PV_MUST_USE int pv_ssp_license_encode(const struct pv_ssp_license *l,
    uint8_t ret_data[PV_SSP_LICENSE], struct pv_error *e);

/* "ssp" or "ecies", by type. */
const char *pv_ssp_license_profile(const struct pv_ssp_license *l);

#endif
