/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pem.h"

#include "base/base64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE	   64U /* characters: RFC 7468, section 2 */
#define LINE_BYTES 48U
#define MAX_DER	   65536U
#define FRAME_ROOM 128U
#define LABEL_MAX  32U

int
pv_pem_encode(const char *label, const uint8_t *der, size_t len,
    char **ret_text, struct pv_error *e)
{
	size_t chars = PV_BASE64_LEN(len), cap, n;
	char *text;

	if (len == 0 || len > MAX_DER || strlen(label) > LABEL_MAX)
		return pv_fail(e, PV_E_INTERNAL, "PEM of %zu bytes", len);
	cap = chars + chars / LINE + FRAME_ROOM;
	text = malloc(cap);
	if (text == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	n = (size_t)snprintf(text, cap, "-----BEGIN %s-----\n", label);
	for (size_t i = 0; i < len; i += LINE_BYTES) {
		size_t now = len - i < LINE_BYTES ? len - i : LINE_BYTES;

		pv_base64_encode(text + n, der + i, now);
		n += PV_BASE64_LEN(now);
		text[n++] = '\n';
	}
	(void)snprintf(text + n, cap - n, "-----END %s-----\n", label);
	*ret_text = text;
	return 0;
}
