/* SPDX-License-Identifier: Apache-2.0 */
/* A chip as the license benches need it: a certificate signed by a CA. */
#ifndef PV_BENCH_CHIP_H
#define PV_BENCH_CHIP_H

#include "crypto/digest.h"
#include "crypto/ec.h"
#include "formats/certificate.h"

#define BENCH_PRODUCT "48400001"

static inline int
bench_chip(
    const struct pv_ec_key *ca, uint8_t cert[PV_CERT_LEN], struct pv_error *e)
{
	struct pv_certificate c = { .product_id = BENCH_PRODUCT };
	const struct pv_part part = { cert, PV_CERT_SIGNED };
	struct pv_ec_key *k = NULL;
	uint8_t digest[32];
	int r;

	r = pv_ec_generate(&k, e);
	if (r == 0)
		r = pv_ec_public(k, c.public_key, e);
	pv_ec_free(k);
	if (r != 0)
		return r;
	pv_certificate_encode(&c, cert);
	r = pv_sha256(&part, 1, digest, e);
	return r != 0 ? r : pv_ecdsa_sign(ca, digest, cert + PV_CERT_SIGNED, e);
}

#endif
