/* SPDX-License-Identifier: Apache-2.0 */
/* The 136-byte chip certificate, as in certificate.md. */
#ifndef PV_CERTIFICATE_H
#define PV_CERTIFICATE_H

#include <stdint.h>

#include <provisor/err.h>

#define PV_CERT_LEN	   136U
#define PV_CERT_PRODUCT_ID 8U
/* Bytes that a provisor demo CA signs with SHA-256: product id and key. */
#define PV_CERT_SIGNED	   72U
#define PV_CERT_X	   40U /* product id and X of the public key */

struct pv_certificate {
	char product_id[PV_CERT_PRODUCT_ID + 1]; /* terminated */
	uint8_t public_key[64];			 /* X, Y */
	uint8_t signature[64];			 /* r, s */
	uint8_t bytes[PV_CERT_LEN];		 /* as read */
};

/* PV_E_MALFORMED when the product id is not 8 printable characters. */
PV_MUST_USE int pv_certificate_decode(const uint8_t data[PV_CERT_LEN],
    struct pv_certificate *ret_c, struct pv_error *e);
void pv_certificate_encode(
    const struct pv_certificate *c, uint8_t ret_data[PV_CERT_LEN]);
/* Read a file of exactly 136 bytes and decode it. */
PV_MUST_USE int pv_certificate_read(
    const char *path, struct pv_certificate *ret_c, struct pv_error *e);

#endif
