/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
pv_hex_encode(char *dst, const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		dst[2 * i] = digits[p[i] >> 4];
		dst[2 * i + 1] = digits[p[i] & 15];
	}
	dst[2 * len] = '\0';
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
pv_hex_decode(const char *hex, void *data, size_t len, struct pv_error *e)
{
	uint8_t *p = data;

	if (strlen(hex) != 2 * len)
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu hex digits are needed, there are %zu", 2 * len,
		    strlen(hex));
	for (size_t i = 0; i < 2 * len; i++) {
		if (digit(hex[i]) < 0)
			return pv_fail(e, PV_E_MALFORMED,
			    "hex digit %zu is not one", i + 1);
	}
	for (size_t i = 0; i < len; i++)
		p[i] =
		    (uint8_t)(digit(hex[2 * i]) * 16 + digit(hex[2 * i + 1]));
	return 0;
}

/* A number with a unit shift taken off its end. */
static int
parse(const char *text, uint64_t max, unsigned int shift, size_t drop,
    const char *what, uint64_t *ret_v, struct pv_error *e)
{
	size_t len = strlen(text) - drop;
	size_t i = 0;
	unsigned int base = 10;
	uint64_t v = 0;

	if (len > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		i = 2;
	}
	if (i >= len)
		goto bad;
	for (; i < len; i++) {
		int d = digit(text[i]);

		if (d < 0 || (unsigned int)d >= base)
			goto bad;
		if (v > (UINT64_MAX - (unsigned int)d) / base)
			goto large;
		v = v * base + (unsigned int)d;
	}
	if (v > max >> shift)
		goto large;
	*ret_v = v << shift;
	return 0;
bad:
	return pv_fail(e, PV_E_USAGE, "%s: '%s' is not a number", what, text);
large:
	return pv_fail(e, PV_E_USAGE, "%s: '%s' is too large (at most %llu)",
	    what, text, (unsigned long long)max);
}

int
pv_parse_u64(const char *text, uint64_t max, const char *what, uint64_t *ret_v,
    struct pv_error *e)
{
	return parse(text, max, 0, 0, what, ret_v, e);
}

int
pv_parse_size(const char *text, uint64_t max, const char *what, uint64_t *ret_v,
    struct pv_error *e)
{
	size_t n = strlen(text);
	unsigned int shift = 0;

	if (n > 1 && (text[n - 1] == 'K' || text[n - 1] == 'k'))
		shift = 10;
	else if (n > 1 && (text[n - 1] == 'M' || text[n - 1] == 'm'))
		shift = 20;
	return parse(text, max, shift, shift != 0, what, ret_v, e);
}
