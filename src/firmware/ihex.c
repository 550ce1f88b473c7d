/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel HEX, all six record types ("Intel Hexadecimal Object File Format
 * Specification", revision A, 1988): ':' count address2 type data checksum.
 */
#include "firmware/readers.h"

enum {
	IHEX_DATA = 0,
	IHEX_END = 1,
	IHEX_SEGMENT = 2, /* base = value << 4, offsets stay in 64 KiB */
	IHEX_START_SEGMENT = 3,
	IHEX_LINEAR = 4, /* base = value << 16 */
	IHEX_START_LINEAR = 5,
};

/* count, address, type before the data, checksum after it */
#define IHEX_HEAD     4U
#define IHEX_OVERHEAD 5U

static int
need_len(const struct pv_record_parser *p, const struct pv_record *r,
    size_t want, struct pv_error *e)
{
	if (r->bytes[0] == want)
		return 0;
	return pv_record_fail(p, r->line, e,
	    "record of type %02x has %u data bytes instead of %zu",
	    (unsigned int)r->bytes[3], (unsigned int)r->bytes[0], want);
}

static int
set_entry(struct pv_record_parser *p, const struct pv_record *r, uint64_t entry,
    struct pv_error *e)
{
	int rc;

	if ((rc = need_len(p, r, 4, e)) != 0)
		return rc;
	if (p->has_entry)
		return pv_record_fail(
		    p, r->line, e, "a second start address record");
	p->has_entry = true;
	p->entry = entry;
	return 0;
}

static int
data_record(struct pv_record_parser *p, const struct pv_record *r,
    uint32_t offset, struct pv_error *e)
{
	size_t len = r->bytes[0];

	/*
	 * The specification wraps such a record to the start of its segment;
	 * some tools do, objcopy does not. No linker writes one. After an
	 * extended linear address, or after no address record at all, the
	 * offset counts on past 64 KiB, as it does in objcopy.
	 */
	if (p->segmented && offset + len > 0x10000) {
		(void)pv_record_fail(p, r->line, e,
		    "data at 0x%08llx runs past the end of its 64 KiB segment",
		    (unsigned long long)p->base + offset);
		return pv_hint(e, "programs differ in where its last bytes go: "
				  "write the file with linear addresses "
				  "(record type 04)");
	}
	return pv_records_data(
	    p, r, p->base + offset, r->bytes + IHEX_HEAD, len, e);
}

static uint64_t
ihex_address(const struct pv_record_parser *p, const struct pv_record *r)
{
	return p->base + ((uint32_t)r->bytes[1] << 8 | r->bytes[2]);
}

static int
ihex_record(struct pv_record_parser *p, const struct pv_record *r,
    bool *ret_end, struct pv_error *e)
{
	const uint8_t *d = r->bytes + IHEX_HEAD;
	uint32_t offset, be16, be32;
	int rc;

	offset = (uint32_t)r->bytes[1] << 8 | r->bytes[2];
	/* d[0..3] exist whatever the count: bytes[] is larger than a record */
	be16 = (uint32_t)d[0] << 8 | d[1];
	be32 = be16 << 16 | (uint32_t)d[2] << 8 | d[3];

	switch (r->bytes[3]) {
	case IHEX_DATA:
		return data_record(p, r, offset, e);
	case IHEX_END:
		*ret_end = true;
		return need_len(p, r, 0, e);
	case IHEX_SEGMENT:
		if ((rc = need_len(p, r, 2, e)) != 0)
			return rc;
		p->base = (uint64_t)be16 << 4;
		p->segmented = true;
		return 0;
	case IHEX_LINEAR:
		if ((rc = need_len(p, r, 2, e)) != 0)
			return rc;
		p->base = (uint64_t)be16 << 16;
		p->segmented = false;
		return 0;
	case IHEX_START_SEGMENT:
		/* CS:IP */
		return set_entry(
		    p, r, ((uint64_t)be16 << 4) + (be32 & 0xffff), e);
	case IHEX_START_LINEAR:
		return set_entry(p, r, be32, e);
	default:
		return pv_record_fail(p, r->line, e, "unknown record type %02x",
		    (unsigned int)r->bytes[3]);
	}
}

int
pv_fw_read_ihex(
    const struct pv_fw_file *f, struct pv_fw_batch *b, struct pv_error *e)
{
	struct pv_record_parser p = { 0 };

	p.mark = ':';
	p.end_name = "end record (type 01)";
	p.record = ihex_record;
	p.address = ihex_address;
	p.overhead = IHEX_OVERHEAD;
	p.sum = 0;
	return pv_records_read(f, &p, b, e);
}
