/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The .ssp file, byte by byte as in ssp.md, and the plain text inside it.
 * Codec only. Decoding and encoding a whole file is public: provisor/ssp.h.
 */
#ifndef PV_SSP_FORMAT_H
#define PV_SSP_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/ssp.h>

#define PV_SSP_VERSION	  1U
#define PV_SSP_HEADER_MAX 76U
#define PV_SSP_RMA_MAX	  0x7fffU /* a password has 15 bits */

/* What a file says, apart from its bytes: size and unused bytes. */
PV_MUST_USE int pv_ssp_validate(const struct pv_ssp *ssp, struct pv_error *e);
/* The authenticated bytes, pv_ssp_header_len of them. */
PV_MUST_USE int pv_ssp_encode_header(const struct pv_ssp *ssp,
    uint8_t ret_data[PV_SSP_HEADER_MAX], struct pv_error *e);

/* The RMA word of two passwords; unlock_high is the profile's rma_layout. */
PV_MUST_USE int pv_ssp_rma_encode(uint32_t unlock, uint32_t relock,
    bool unlock_high, uint32_t *ret_word, struct pv_error *e);
/* PV_E_MALFORMED when bits 30 and 31 are not 0. */
PV_MUST_USE int pv_ssp_rma_decode(uint32_t word, bool unlock_high,
    uint32_t *ret_unlock, uint32_t *ret_relock, struct pv_error *e);

#endif
