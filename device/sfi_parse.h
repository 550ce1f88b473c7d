/* SPDX-License-Identifier: Apache-2.0 */
/* The device's own reading of .sfi headers; formats/sfi.md is the text. */
#ifndef PV_DEVICE_SFI_PARSE_H
#define PV_DEVICE_SFI_PARSE_H

#include "device/agent.h"

#define PV_DEV_SFI_HEADER     28U
#define PV_DEV_SFI_HEADER_AAD 12U
#define PV_DEV_SFI_AREA	      30U
#define PV_DEV_SFI_AREA_AAD   14U

struct pv_dev_sfi_area {
	uint8_t type;
	uint16_t index;
	uint32_t size;
	uint32_t address;
	uint16_t total;
	uint8_t tag[16];
};

/* False for a wrong length, magic or version, or no areas at all. */
bool pv_dev_sfi_header(
    const uint8_t *data, size_t len, uint16_t *ret_areas, uint8_t ret_tag[16]);
/* False for a wrong length. */
bool pv_dev_sfi_area(
    const uint8_t *data, size_t len, struct pv_dev_sfi_area *ret_area);
/* IV of area `index`; 0 is the header. */
void pv_dev_sfi_iv(enum pv_agent_iv_add rule, const uint8_t nonce[12],
    uint16_t index, uint8_t ret_iv[12]);

#endif
