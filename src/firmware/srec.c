/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Motorola S-records (M68000 Family Programmer's Reference Manual, appendix
 * C): 'S' type count address data checksum. S4 is reserved.
 */
#include "firmware/readers.h"

/* Bytes of the address field by type; S5 and S6 hold a count there. */
static size_t
address_len(char type)
{
	switch (type) {
	case '0':
	case '1':
	case '5':
	case '9':
		return 2;
	case '2':
	case '6':
	case '8':
		return 3;
	case '3':
	case '7':
		return 4;
	default:
		return 0;
	}
}

static uint64_t
srec_address(const struct pv_record_parser *p, const struct pv_record *r)
{
	uint32_t addr = 0;

	(void)p;
	for (size_t i = 0; i < address_len(r->type); i++)
		addr = addr << 8 | r->bytes[1 + i];
	return addr;
}

static int
srec_record(struct pv_record_parser *p, const struct pv_record *r,
    bool *ret_end, struct pv_error *e)
{
	size_t alen = address_len(r->type), len;
	uint32_t addr;

	if (alen == 0)
		return pv_record_fail(
		    p, r->line, e, "unknown record type S%c", r->type);
	if (r->len < 1 + alen + 1)
		return pv_record_fail(p, r->line, e,
		    "an S%c record has at least %zu bytes, this one %zu",
		    r->type, alen + 1, r->len - 1);
	addr = (uint32_t)srec_address(p, r);
	len = r->len - 1 - alen - 1;

	switch (r->type) {
	case '0':
		return 0;
	case '1':
	case '2':
	case '3':
		p->n_data++;
		return pv_records_data(p, r, addr, r->bytes + 1 + alen, len, e);
	case '5':
	case '6':
		if (addr != p->n_data)
			return pv_record_fail(p, r->line, e,
			    "S%c says %u data records, the file has %llu",
			    r->type, (unsigned int)addr,
			    (unsigned long long)p->n_data);
		break;
	default:
		*ret_end = true;
		/* 0 is what tools write when there is no start address */
		p->has_entry = addr != 0;
		p->entry = addr;
		break;
	}
	if (len != 0)
		return pv_record_fail(p, r->line, e,
		    "an S%c record has no data, this one %zu bytes", r->type,
		    len);
	return 0;
}

int
pv_fw_read_srec(
    const struct pv_fw_file *f, struct pv_fw_batch *b, struct pv_error *e)
{
	struct pv_record_parser p = { 0 };

	p.mark = 'S';
	p.end_name = "end record (S7, S8 or S9)";
	p.record = srec_record;
	p.address = srec_address;
	p.overhead = 1; /* the count byte itself */
	p.sum = 0xff;
	return pv_records_read(f, &p, b, e);
}
