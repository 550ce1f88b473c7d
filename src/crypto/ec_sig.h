/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA signatures between r || s and the DER that OpenSSL takes. */
#ifndef PV_EC_SIG_H
#define PV_EC_SIG_H

#include <stddef.h>
#include <stdint.h>

#define PV_EC_DER_SIG 72U /* longest DER form for P-256 */

/* 1 on success; *len is the room, then the length. */
int pv_ec_sig_to_der(const uint8_t sig[64], uint8_t *der, size_t *len);

#endif
