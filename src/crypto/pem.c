/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE	   64U /* RFC 7468, section 2 */
#define MAX_DER	   65536U
#define FRAME_ROOM 128U
#define LABEL_MAX  32U

/* Three bytes (n of them real) to four characters (RFC 4648, section 4). */
static void
quad(const uint8_t *in, size_t n, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t v = (uint32_t)in[0] << 16;

	if (n > 1)
		v |= (uint32_t)in[1] << 8;
	if (n > 2)
		v |= in[2];
	out[0] = digits[v >> 18];
	out[1] = digits[v >> 12 & 63];
	out[2] = n > 1 ? digits[v >> 6 & 63] : '=';
	out[3] = n > 2 ? digits[v & 63] : '=';
}

int
pv_pem_encode(const char *label, const uint8_t *der, size_t len,
    char **ret_text, struct pv_error *e)
{
	size_t chars = (len + 2) / 3 * 4, cap, n, col = 0;
	char *text;

	if (len == 0 || len > MAX_DER || strlen(label) > LABEL_MAX)
		return pv_fail(e, PV_E_INTERNAL, "PEM of %zu bytes", len);
	cap = chars + chars / LINE + FRAME_ROOM;
	text = malloc(cap);
	if (text == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	n = (size_t)snprintf(text, cap, "-----BEGIN %s-----\n", label);
	for (size_t i = 0; i < len; i += 3) {
		quad(der + i, len - i, text + n);
		n += 4;
		col += 4;
		if (col == LINE || i + 3 >= len) {
			text[n++] = '\n';
			col = 0;
		}
	}
	(void)snprintf(text + n, cap - n, "-----END %s-----\n", label);
	*ret_text = text;
	return 0;
}
