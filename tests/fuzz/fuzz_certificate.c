/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chip certificate: what decodes must encode to the same bytes; and the
 * check against a campaign that trusts the generator of P-256 (whose private
 * key is 1) takes any bytes without harm.
 */
#include <stdlib.h>
#include <string.h>

#include "formats/certificate.h"
#include <provisor/campaign.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* SEC 2 section 2.4.2 */
static const uint8_t generator[64] = { 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42,
	0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d,
	0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2,
	0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb,
	0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e,
	0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pv_campaign c = { .n_trust = 1, .name = "fuzz" };
	uint8_t again[PV_CERT_LEN];
	struct pv_certificate cert;
	size_t ca = 9;

	if (size != PV_CERT_LEN ||
	    pv_certificate_decode(data, &cert, NULL) != 0)
		return 0;
	pv_certificate_encode(&cert, again);
	if (memcmp(again, data, size) != 0)
		abort();
	memcpy(c.product_id, cert.product_id, sizeof(c.product_id));
	memcpy(c.trust[0], generator, sizeof(generator));
	if (pv_campaign_check_certificate(&c, data, &ca, NULL) == 0 && ca != 0)
		abort();
	return 0;
}
