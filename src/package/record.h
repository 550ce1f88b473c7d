/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of the reuse record of one key: a title line, then lines of one
 * width that are only ever added (sfi.md, "Reuse record"). An open record is
 * locked against every other process.
 */
#ifndef PV_RECORD_H
#define PV_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_RECORD_HEX  64U
#define PV_RECORD_LINE (PV_RECORD_HEX + 2U + PV_RECORD_HEX + 1U)

struct pv_record {
	char path[4096];
	const char *dir;
	int lock;
	int fd;
	uint64_t size; /* bytes of whole lines */
	uint64_t kept; /* the same when the first line was added */
	char *block;   /* lines under way */
	size_t n;      /* of them */
};

/* What one line says: an IV, by hash, and the content it encrypted. */
struct pv_record_line {
	uint8_t iv_hash[32];
	uint8_t fingerprint[32];
};

/*
 * Open and lock DIR/KEYID.txt, both made when missing. `dir` is borrowed.
 * pv_record_close ends it, after a failure too.
 */
PV_MUST_USE int pv_record_open(struct pv_record *rec, const char *dir,
    const char key_hex[PV_RECORD_HEX + 1], struct pv_error *e);
/*
 * Call `each` for every line, once, before anything is added. A torn last
 * line, which a crash leaves, is cut off; other damage is PV_E_MALFORMED.
 */
PV_MUST_USE int pv_record_each(struct pv_record *rec,
    int (*each)(
	void *ctx, const struct pv_record_line *line, struct pv_error *e),
    void *ctx, struct pv_error *e);
PV_MUST_USE int pv_record_add(struct pv_record *rec,
    const struct pv_record_line *line, struct pv_error *e);
/* Make what was added durable; on failure the record is as it was. */
PV_MUST_USE int pv_record_sync(struct pv_record *rec, struct pv_error *e);
/* Drops the lock unless *ret_lock takes it (may be NULL). */
void pv_record_close(struct pv_record *rec, int *ret_lock);

/* A line as text, PV_RECORD_LINE bytes with its newline, and back; the latter
 * is PV_E_MALFORMED without a message. */
void pv_record_line_encode(
    const struct pv_record_line *line, char dst[PV_RECORD_LINE]);
PV_MUST_USE int pv_record_line_decode(
    const char text[PV_RECORD_LINE], struct pv_record_line *ret_line);

#endif
