/* SPDX-License-Identifier: Apache-2.0 */
/* Chains of debug authentication certificates: making and verifying them. */
#ifndef PV_IMAGE_DA_H
#define PV_IMAGE_DA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/adac.h"

struct pv_da_chain {
	uint8_t bytes[PV_ADAC_LEVELS * PV_ADAC_CERT];
	size_t len;
	struct pv_adac_cert cert[PV_ADAC_LEVELS];
	size_t n;
};

PV_MUST_USE int pv_da_read(
    const char *path, struct pv_da_chain *ret_c, struct pv_error *e);
/* One line of base64 without a newline, as ST's tool writes it. */
PV_MUST_USE int pv_da_write(
    const struct pv_da_chain *c, const char *path, struct pv_error *e);

/*
 * Every point on the curve, every signature good (the root's by itself):
 * PV_E_VERIFY names the certificate. The masks and classes are not looked at.
 */
PV_MUST_USE int pv_da_verify(const struct pv_da_chain *c, struct pv_error *e);

/* SHA-256 of X and Y of the root: what the device keeps. */
PV_MUST_USE int pv_da_root_hash(
    const struct pv_da_chain *c, uint8_t ret_hash[32], struct pv_error *e);
/* The permissions that are left of all certificates. */
void pv_da_permissions(
    const struct pv_da_chain *c, uint8_t ret_mask[PV_ADAC_MASK]);

/*
 * Does the new certificate fit behind the chain (empty for a root)? Roles,
 * permissions within those of its issuer, SoC class and id not widened:
 * PV_E_POLICY for what the device would never grant.
 */
PV_MUST_USE int pv_da_fits(const struct pv_da_chain *c,
    const struct pv_adac_cert *next, struct pv_error *e);
/* SHA-256 of what is signed of it. */
PV_MUST_USE int pv_da_digest(
    const struct pv_adac_cert *c, uint8_t ret_digest[32], struct pv_error *e);
/* Add it, its signature set. */
void pv_da_append(struct pv_da_chain *c, const struct pv_adac_cert *next);

#endif
