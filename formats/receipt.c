/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/receipt.h"

#include "base/buf.h"

#include <string.h>

static bool
length_ok(size_t n)
{
	return n >= 1 && n <= PV_ENTRY_MAX;
}

static void
read_part(struct pv_reader *r, struct pv_receipt_part *part)
{
	part->len = pv_rd_u16le(r);
	if (!length_ok(part->len))
		r->bad = true;
	part->entry = pv_rd_view(r, part->len);
	part->signature = pv_rd_view(r, 64);
}

int
pv_receipt_decode(const uint8_t *data, size_t len,
    struct pv_receipt_parts *ret_parts, struct pv_error *e)
{
	struct pv_receipt_parts parts = { 0 };
	uint16_t version, zero;
	struct pv_reader r;
	uint8_t magic[4];

	pv_rd_init(&r, data, len);
	pv_rd_bytes(&r, magic, sizeof(magic));
	if (!pv_rd_ok(&r) || memcmp(magic, PV_RECEIPT_MAGIC, 4) != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "receipt: does not start with '%s'", PV_RECEIPT_MAGIC);
	version = pv_rd_u16le(&r);
	zero = pv_rd_u16le(&r);
	if (!pv_rd_ok(&r) || version != PV_RECEIPT_VERSION || zero != 0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "receipt: version %u, flags %u; this program knows "
		    "version %u without flags",
		    (unsigned int)version, (unsigned int)zero,
		    PV_RECEIPT_VERSION);
	read_part(&r, &parts.definition);
	read_part(&r, &parts.issued);
	if (!pv_rd_finish(&r))
		return pv_fail(e, PV_E_MALFORMED,
		    "receipt: %zu bytes do not match its lengths", len);
	*ret_parts = parts;
	return 0;
}

static void
write_part(struct pv_writer *w, const struct pv_receipt_part *part)
{
	pv_wr_u16le(w, (uint16_t)part->len);
	pv_wr_bytes(w, part->entry, part->len);
	pv_wr_bytes(w, part->signature, 64);
}

int
pv_receipt_encode(const struct pv_receipt_parts *parts, uint8_t *data,
    size_t *len, struct pv_error *e)
{
	struct pv_writer w;

	if (!length_ok(parts->definition.len) || !length_ok(parts->issued.len))
		return pv_fail(e, PV_E_MALFORMED,
		    "receipt: an entry of 0 or more than %u bytes",
		    PV_ENTRY_MAX);
	pv_wr_init(&w, data, *len);
	pv_wr_bytes(&w, PV_RECEIPT_MAGIC, 4);
	pv_wr_u16le(&w, PV_RECEIPT_VERSION);
	pv_wr_u16le(&w, 0);
	write_part(&w, &parts->definition);
	write_part(&w, &parts->issued);
	if (!pv_wr_ok(&w))
		return pv_fail(
		    e, PV_E_INTERNAL, "receipt does not fit %zu bytes", *len);
	*len = w.len;
	return 0;
}
