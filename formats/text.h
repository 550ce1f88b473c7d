/* SPDX-License-Identifier: Apache-2.0 */
/* Texts inside binary records of ours: a length, then the bytes. */
#ifndef PV_TEXT_H
#define PV_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct pv_reader;
struct pv_writer;

/*
 * A text behind a length of one or two bytes (little-endian), into dst with
 * its terminator. One that does not fit, or holds a zero byte, makes the
 * reader bad.
 */
void pv_rd_text8(struct pv_reader *r, char *dst, size_t cap);
void pv_rd_text16(struct pv_reader *r, char *dst, size_t cap);
void pv_wr_text8(struct pv_writer *w, const char *text);
void pv_wr_text16(struct pv_writer *w, const char *text);

/* Ends within cap, holds no control bytes, and is not empty unless it may. */
bool pv_text_ok(const char *text, size_t cap, bool may_be_empty);

#endif
