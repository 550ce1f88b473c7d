/* SPDX-License-Identifier: Apache-2.0 */
/* Root public keys of STM32MP1: a point on P-256 or brainpoolP256t1. */
#ifndef PV_ROOTKEY_H
#define PV_ROOTKEY_H

#include <stdint.h>

#include <provisor/err.h>

/* The numbers that STM32 image headers and the key table of STM32MP13 use. */
enum pv_root_curve {
	PV_ROOT_P256 = 1,
	PV_ROOT_BRAINPOOL_P256T1 = 2,
};

/*
 * The point of a PEM "PUBLIC KEY" or of the key of a "CERTIFICATE", X then Y.
 * Another key is PV_E_UNSUPPORTED and the message names the file and what it
 * holds; a point off its curve is PV_E_MALFORMED.
 */
PV_MUST_USE int pv_rootkey_read_pem(const char *path,
    enum pv_root_curve *ret_curve, uint8_t ret_pub[64], struct pv_error *e);

#endif
