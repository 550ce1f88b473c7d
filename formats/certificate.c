/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/certificate.h"

#include "base/buf.h"
#include "base/file.h"

#include <string.h>

int
pv_certificate_decode(const uint8_t data[PV_CERT_LEN],
    struct pv_certificate *ret_c, struct pv_error *e)
{
	struct pv_certificate c = { 0 };
	struct pv_reader r;

	pv_rd_init(&r, data, PV_CERT_LEN);
	pv_rd_bytes(&r, c.product_id, PV_CERT_PRODUCT_ID);
	pv_rd_bytes(&r, c.public_key, sizeof(c.public_key));
	pv_rd_bytes(&r, c.signature, sizeof(c.signature));
	if (!pv_rd_finish(&r))
		return pv_fail(e, PV_E_INTERNAL, "certificate layout");
	for (size_t i = 0; i < PV_CERT_PRODUCT_ID; i++) {
		if (c.product_id[i] < 0x21 || c.product_id[i] > 0x7e)
			return pv_fail(e, PV_E_MALFORMED,
			    "certificate: byte %zu of the product id is "
			    "0x%02x, not a printable character",
			    i, (unsigned int)(uint8_t)c.product_id[i]);
	}
	memcpy(c.bytes, data, PV_CERT_LEN);
	*ret_c = c;
	return 0;
}

void
pv_certificate_encode(
    const struct pv_certificate *c, uint8_t ret_data[PV_CERT_LEN])
{
	struct pv_writer w;

	pv_wr_init(&w, ret_data, PV_CERT_LEN);
	pv_wr_bytes(&w, c->product_id, PV_CERT_PRODUCT_ID);
	pv_wr_bytes(&w, c->public_key, sizeof(c->public_key));
	pv_wr_bytes(&w, c->signature, sizeof(c->signature));
}

int
pv_certificate_read(
    const char *path, struct pv_certificate *ret_c, struct pv_error *e)
{
	uint8_t data[PV_CERT_LEN];
	int r;

	r = pv_file_read_exact(path, data, sizeof(data), e);
	if (r == 0)
		r = pv_certificate_decode(data, ret_c, e);
	if (r != 0)
		return pv_wrap(e, "reading certificate '%s'", path);
	return 0;
}
