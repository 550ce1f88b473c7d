/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/flashlayout.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What decodes encodes, and that decodes to the same text. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pv_layout *l = malloc(2 * sizeof(*l));
	struct pv_error e = { 0 };
	size_t n = 400000, m = 400000;
	char *text = malloc(n), *again = malloc(m);

	if (l == NULL || text == NULL || again == NULL)
		abort();
	(void)pv_layout_detect(data, size);
	if (pv_layout_decode(data, size, l, &e) != 0) {
		if (e.msg[0] == '\0')
			abort();
	} else {
		if (pv_layout_encode(l, text, &n, &e) != 0 ||
		    pv_layout_decode((const uint8_t *)text, n, l + 1, &e) !=
			0 ||
		    pv_layout_encode(l + 1, again, &m, &e) != 0 || n != m ||
		    memcmp(text, again, n) != 0)
			abort();
	}
	free(l);
	free(text);
	free(again);
	return 0;
}
