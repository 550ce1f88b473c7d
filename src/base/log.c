/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int log_level = PV_LOG_WARN;

void
pv_log_set_level(int level)
{
	log_level = level;
}

int
pv_log_level(void)
{
	return log_level;
}

void
pv_log(enum pv_log_level level, const char *fmt, ...)
{
	static const char *const prefix[] = { "warning: ", "", "" };
	char line[512], shown[512];
	va_list ap;

	if ((int)level > log_level)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	pv_mask(shown, sizeof(shown), line);
	(void)fprintf(stderr, "provisor: %s%s\n", prefix[level], shown);
}

/* Length of the well-formed UTF-8 character at p, or 0. */
static size_t
utf8_len(const unsigned char *p)
{
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Over-long forms, surrogates, beyond U+10FFFF (RFC 3629). */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

void
pv_mask(char *dst, size_t cap, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t out = 0;

	while (*p != '\0' && out + 5 <= cap) {
		size_t n = utf8_len(p);
		/* C1 controls are two bytes: C2 80 .. C2 9F. */
		bool control = p[0] < 0x20 || p[0] == 0x7f ||
			       (p[0] == 0xc2 && n == 2 && p[1] < 0xa0);

		if (n == 0 || control) {
			dst[out++] = '?';
			p += n == 0 ? 1 : n;
			continue;
		}
		while (n-- > 0)
			dst[out++] = (char)*p++;
	}
	dst[out] = '\0';
}
