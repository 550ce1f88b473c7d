/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded reader and writer over a caller's bytes, with a sticky fault: after
 * the first access past the end every read gives 0 and every write does
 * nothing, so a codec checks once, at the end. No allocation and no libc
 * beyond memcpy: the device code uses this file too.
 */
#ifndef PV_BUF_H
#define PV_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pv_reader {
	const uint8_t *p;
	size_t left;
	bool bad;
};

void pv_rd_init(struct pv_reader *r, const void *data, size_t len);
uint8_t pv_rd_u8(struct pv_reader *r);
uint16_t pv_rd_u16le(struct pv_reader *r);
uint16_t pv_rd_u16be(struct pv_reader *r);
uint32_t pv_rd_u32le(struct pv_reader *r);
uint32_t pv_rd_u32be(struct pv_reader *r);
uint64_t pv_rd_u64le(struct pv_reader *r);
/* Copy n bytes out; dst is zeroed on a fault. */
void pv_rd_bytes(struct pv_reader *r, void *dst, size_t n);
/* Borrow n bytes in place; NULL on a fault. */
const uint8_t *pv_rd_view(struct pv_reader *r, size_t n);
void pv_rd_skip(struct pv_reader *r, size_t n);
/* No fault so far. */
bool pv_rd_ok(const struct pv_reader *r);
/* No fault and nothing left. */
bool pv_rd_finish(const struct pv_reader *r);

struct pv_writer {
	uint8_t *p;
	size_t cap;
	size_t len;
	bool overflow;
};

void pv_wr_init(struct pv_writer *w, void *data, size_t cap);
void pv_wr_u8(struct pv_writer *w, uint8_t v);
void pv_wr_u16le(struct pv_writer *w, uint16_t v);
void pv_wr_u16be(struct pv_writer *w, uint16_t v);
void pv_wr_u32le(struct pv_writer *w, uint32_t v);
void pv_wr_u32be(struct pv_writer *w, uint32_t v);
void pv_wr_u64le(struct pv_writer *w, uint64_t v);
void pv_wr_bytes(struct pv_writer *w, const void *src, size_t n);
void pv_wr_zero(struct pv_writer *w, size_t n);
/*
 * Reserve a u32le length field and return a mark; pv_wr_end_u32le stores the
 * number of bytes written since the mark.
 */
size_t pv_wr_begin_u32le(struct pv_writer *w);
void pv_wr_end_u32le(struct pv_writer *w, size_t mark);
/* No overflow so far; w->len bytes are valid. */
bool pv_wr_ok(const struct pv_writer *w);

/* Fixed-place access, for callers that already hold enough bytes. */
uint16_t pv_get_u16le(const uint8_t *p);
uint16_t pv_get_u16be(const uint8_t *p);
uint32_t pv_get_u32le(const uint8_t *p);
uint32_t pv_get_u32be(const uint8_t *p);
uint64_t pv_get_u64le(const uint8_t *p);
void pv_put_u16le(uint8_t *p, uint16_t v);
void pv_put_u16be(uint8_t *p, uint16_t v);
void pv_put_u32le(uint8_t *p, uint32_t v);
void pv_put_u32be(uint8_t *p, uint32_t v);
void pv_put_u64le(uint8_t *p, uint64_t v);

#endif
