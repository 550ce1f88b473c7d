/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/text.h"

#include "base/buf.h"

#include <stdint.h>
#include <string.h>

static void
read_text(struct pv_reader *r, size_t n, char *dst, size_t cap)
{
	const uint8_t *p;

	if (n >= cap || (p = pv_rd_view(r, n)) == NULL ||
	    memchr(p, 0, n) != NULL) {
		r->bad = true;
		return;
	}
	memcpy(dst, p, n);
	dst[n] = '\0';
}

void
pv_rd_text8(struct pv_reader *r, char *dst, size_t cap)
{
	read_text(r, pv_rd_u8(r), dst, cap);
}

void
pv_rd_text16(struct pv_reader *r, char *dst, size_t cap)
{
	read_text(r, pv_rd_u16le(r), dst, cap);
}

void
pv_wr_text8(struct pv_writer *w, const char *text)
{
	size_t n = strnlen(text, UINT8_MAX);

	pv_wr_u8(w, (uint8_t)n);
	pv_wr_bytes(w, text, n);
}

void
pv_wr_text16(struct pv_writer *w, const char *text)
{
	size_t n = strnlen(text, UINT16_MAX);

	pv_wr_u16le(w, (uint16_t)n);
	pv_wr_bytes(w, text, n);
}

bool
pv_text_ok(const char *text, size_t cap, bool may_be_empty)
{
	size_t n = strnlen(text, cap);

	if (n == cap || (n == 0 && !may_be_empty))
		return false;
	for (size_t i = 0; i < n; i++) {
		if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	}
	return true;
}
