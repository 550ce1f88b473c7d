/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf16.h"

#include <stdbool.h>

static bool
printable(unsigned int c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* All bytes printable and none zero: not UTF-16 of plain text. */
static bool
is_bytes(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!printable(data[i]))
			return false;
	return len > 0;
}

void
pv_utf16le_text(char *dst, size_t cap, const uint8_t *data, size_t len)
{
	size_t step = is_bytes(data, len) ? 1 : 2, n = 0;

	if (cap == 0)
		return;
	for (size_t i = 0; i + step <= len && n + 1 < cap; i += step) {
		unsigned int c = data[i];

		if (step == 2)
			c |= (unsigned int)data[i + 1] << 8;
		if (c == 0)
			break;
		dst[n++] = printable(c) ? (char)c : '?';
	}
	dst[n] = '\0';
}
