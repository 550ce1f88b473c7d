/* SPDX-License-Identifier: Apache-2.0 */
/* The device's own reading of a resident license; formats/license.md. */
#ifndef PV_DEVICE_LICENSE_H
#define PV_DEVICE_LICENSE_H

#include "device/agent.h"

/*
 * Check a license and unwrap its package key. `campaign` is the public key
 * the host sent; 64 zero bytes mean that it has none. Returns PV_SI_OK or
 * the PV_SI_E_LICENSE_* that refused it; then nothing is written.
 */
uint16_t pv_dev_license_open(const struct pv_agent_config *config,
    const struct pv_agent_crypto *crypto, const uint8_t campaign[64],
    const uint8_t *data, size_t len, uint8_t ret_key[16],
    uint8_t ret_nonce[12]);

/* Overwrite in a way the compiler keeps. */
void pv_dev_wipe(void *p, size_t len);
/* Equality in constant time. */
bool pv_dev_equal(const uint8_t *a, const uint8_t *b, size_t len);

#endif
