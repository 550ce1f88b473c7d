/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
pv_base64_encode(char *dst, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t n = 0;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		if (i + 1 < len)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < len)
			v |= p[i + 2];
		dst[n++] = alphabet[v >> 18];
		dst[n++] = alphabet[v >> 12 & 63];
		dst[n++] = i + 1 < len ? alphabet[v >> 6 & 63] : '=';
		dst[n++] = i + 2 < len ? alphabet[v & 63] : '=';
	}
	dst[n] = '\0';
}

static int
value_of(char c)
{
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);

	return at == NULL ? -1 : (int)(at - alphabet);
}

static int
bad(size_t at, struct pv_error *e)
{
	return pv_fail(
	    e, PV_E_MALFORMED, "not base64 text at character %zu", at);
}

/* Four characters, `pad` of them '='. */
static int
put_group(uint32_t v, unsigned int pad, uint8_t *dst, size_t cap, size_t *n,
    struct pv_error *e)
{
	size_t bytes = 3 - pad;

	if (bytes > cap - *n)
		return pv_fail(
		    e, PV_E_MALFORMED, "more than %zu bytes in base64", cap);
	for (size_t i = 0; i < bytes; i++)
		dst[(*n)++] = (uint8_t)(v >> (16 - 8 * i));
	return 0;
}

int
pv_base64_decode(const char *text, size_t text_len, uint8_t *dst, size_t cap,
    size_t *ret_len, struct pv_error *e)
{
	unsigned int digits = 0, pad = 0;
	uint32_t v = 0;
	size_t n = 0;

	for (size_t i = 0; i < text_len; i++) {
		int d = value_of(text[i]);

		if (text[i] == '\n' || text[i] == '\r')
			continue;
		if (text[i] == '=' && digits >= 2 && digits + pad < 4)
			pad++;
		else if (d >= 0 && pad == 0)
			v |= (uint32_t)d << (18 - 6 * digits++);
		else
			return bad(i, e);
		if (digits + pad < 4)
			continue;
		if ((pad == 1 && (v & 0xFF) != 0) ||
		    (pad == 2 && (v & 0xFFFF) != 0))
			return bad(i, e);
		if (put_group(v, pad, dst, cap, &n, e) != 0)
			return PV_E_MALFORMED;
		digits = 0;
		v = 0;
	}
	if (digits != 0)
		return bad(text_len, e);
	*ret_len = n;
	return 0;
}
