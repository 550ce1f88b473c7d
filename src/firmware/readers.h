/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between image.c and the readers, one file per format. A reader gets an open
 * regular file and fills a batch; image.c sorts the batch, checks it for
 * overlaps, and puts it into the image whole or not at all.
 */
#ifndef PV_FIRMWARE_READERS_H
#define PV_FIRMWARE_READERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/store.h"
#include <provisor/err.h>
#include <provisor/image.h>

/* More pieces than this would not fit into the u16 count of any package. */
#define PV_IMAGE_SEGMENTS 65535U

/* An input under way. The caller opens and closes it. */
struct pv_fw_file {
	const char *name; /* path as typed, for messages */
	int fd;		  /* a regular file */
	uint64_t size;
};

/*
 * A piece of memory: in memory (data), in a store by its address, or still in
 * its file.
 */
struct pv_fw_segment {
	uint64_t addr;
	uint64_t size;
	char *source;		   /* owned: "app.elf segment 0" */
	uint8_t *data;		   /* owned, or NULL */
	struct pv_fw_store *store; /* borrowed from the batch, then the image */
	int fd;			   /* borrowed from the image */
	uint64_t off;		   /* in the file */
	bool has_header;	   /* starts with the ELF header itself */
};

struct pv_fw_batch {
	struct pv_fw_segment *v;
	size_t n, cap;
	bool has_entry;
	uint64_t entry;
	bool has_family; /* UF2 */
	uint32_t family;
	struct pv_fw_store *store; /* owned: of segments that name it */
};

void pv_fw_batch_release(struct pv_fw_batch *b);
/*
 * Append a segment that lies in a file (data NULL) or in memory: `data` is
 * then taken over, also on failure. The source is the text of `fmt`.
 * PV_E_RANGE when it does not fit into 32 bits.
 */
PV_MUST_USE int pv_fw_batch_add(struct pv_fw_batch *b,
    const struct pv_fw_segment *seg, struct pv_error *e, const char *fmt, ...)
    PV_PRINTF(4, 5);
/*
 * Append a segment for each range of a finished store, named after the file.
 * The batch takes the store over, also on failure.
 */
PV_MUST_USE int pv_fw_batch_add_store(struct pv_fw_batch *b,
    const struct pv_fw_file *f, struct pv_fw_store *store, struct pv_error *e);

/* Segment i of an image starts with the header of its ELF file. */
bool pv_fw_has_header(const struct pv_image *img, size_t i);

/* --- the readers ---------------------------------------------------------- */

PV_MUST_USE int pv_fw_read_elf(
    const struct pv_fw_file *f, struct pv_fw_batch *b, struct pv_error *e);
PV_MUST_USE int pv_fw_read_ihex(
    const struct pv_fw_file *f, struct pv_fw_batch *b, struct pv_error *e);
PV_MUST_USE int pv_fw_read_srec(
    const struct pv_fw_file *f, struct pv_fw_batch *b, struct pv_error *e);
PV_MUST_USE int pv_fw_read_dfuse(
    const struct pv_fw_file *f, struct pv_fw_batch *b, struct pv_error *e);
PV_MUST_USE int pv_fw_read_uf2(
    const struct pv_fw_file *f, struct pv_fw_batch *b, struct pv_error *e);
PV_MUST_USE int pv_fw_read_raw(const struct pv_fw_file *f, uint64_t addr,
    struct pv_fw_batch *b, struct pv_error *e);

PV_MUST_USE int pv_fw_detect(const struct pv_fw_file *f,
    enum pv_firmware_kind *ret_kind, struct pv_error *e);

/* Open a regular file; close ret_f->fd. PV_E_NOT_FOUND. */
PV_MUST_USE int pv_fw_open(
    const char *path, struct pv_fw_file *ret_f, struct pv_error *e);

/* --- records: what Intel HEX and S-records share -------------------------- */

/* 255 data bytes, or fewer, as the count byte of a record allows. */
#define PV_RECORD_BYTES 260U
/* Zeros behind a record, so that rules may look at fields it does not have. */
#define PV_RECORD_SLACK 8U

/*
 * One line of a record file, decoded from hex. The first byte is the count;
 * count and checksum have been checked, the checksum is the last byte.
 */
struct pv_record {
	unsigned long line; /* 1-based */
	char type;	    /* S-record: the digit after 'S' */
	uint8_t bytes[PV_RECORD_BYTES + PV_RECORD_SLACK];
	size_t len;
};

/*
 * A format's rules, called for each line in turn. `data` calls back with the
 * data bytes. *ret_end becomes true at the record that ends the file.
 */
struct pv_record_parser;
typedef int (*pv_record_fn)(struct pv_record_parser *p,
    const struct pv_record *r, bool *ret_end, struct pv_error *e);

struct pv_record_parser {
	const char *name;     /* of the file */
	char mark;	      /* ':' or 'S' */
	const char *end_name; /* "end-of-file record (type 01)" */
	pv_record_fn record;  /* the rules */
	/* where a record's data would go; its bytes may be damaged */
	uint64_t (*address)(
	    const struct pv_record_parser *p, const struct pv_record *r);
	size_t overhead; /* bytes of a record that its count leaves out */
	uint8_t sum;	 /* what all bytes of a good record add up to */

	/* where data goes; set by pv_records_read */
	struct pv_fw_store *to;
	/* without a store: which records hold this address */
	uint64_t find;
	unsigned long found[2];
	size_t n_found;

	/* state of the rules */
	uint64_t base;	 /* Intel HEX: of types 02 and 04 */
	bool segmented;	 /* Intel HEX: type 02 is in force */
	uint64_t n_data; /* S-record: data records so far */
	bool has_entry;
	uint64_t entry;
};

/* Data of a record at addr: PV_E_RANGE past 32 bits. */
PV_MUST_USE int pv_records_data(struct pv_record_parser *p,
    const struct pv_record *r, uint64_t addr, const uint8_t *data, size_t len,
    struct pv_error *e);

/* pv_fail with "NAME line N: " before the message. */
int pv_record_fail(const struct pv_record_parser *p, unsigned long line,
    struct pv_error *e, const char *fmt, ...) PV_PRINTF(4, 5);

/* Read a whole file by the rules of `p`, merging what touches. */
PV_MUST_USE int pv_records_read(const struct pv_fw_file *f,
    const struct pv_record_parser *p, struct pv_fw_batch *b,
    struct pv_error *e);

#endif
