/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of personalization packages for STM32HSM cards. Their contents are
 * encrypted by ST for the card; only the name says what they are for.
 *
 *	[FAMILY_]PRODUCTID_FLOW_LICENSE_SECURITY.enc.bin
 *
 * AN5054 Rev 18 section 4.3.4: product id of 8 characters, flow of 4 (one
 * package of ST has 3), license and security version as the hexadecimal bytes
 * of a little-endian number: 01000000 is 1. And, from X-CUBE-RSSe,
 *
 *	Perso_Data_PARTS_PRODUCTID_FLOW_vX.Y.Z.bin
 */
#ifndef PV_PERSO_NAME_H
#define PV_PERSO_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_PERSO_TEXT 64U

struct pv_perso_name {
	char family[PV_PERSO_TEXT]; /* or the parts; may be empty */
	char product_id[9];
	char flow[5];
	bool has_versions; /* of the first form */
	uint32_t license_version, security_version;
	char version[16]; /* of the second form, "1.2.3" */
};

/* PV_E_MALFORMED for any other name. */
PV_MUST_USE int pv_perso_name_decode(
    const char *name, struct pv_perso_name *ret_n, struct pv_error *e);

#endif
