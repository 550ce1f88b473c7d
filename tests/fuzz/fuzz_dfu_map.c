/* SPDX-License-Identifier: Apache-2.0 */
#include <provisor/dfu_map.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A map that is accepted has sectors that follow each other. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct pv_error e = { 0 };
	struct pv_dfu_map m;
	uint64_t base, len;

	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (pv_dfu_map_parse(text, &m, &e) != 0) {
		if (e.code != PV_E_MALFORMED || e.msg[0] == '\0')
			abort();
		free(text);
		return 0;
	}
	if (m.n == 0 || !pv_dfu_map_span(&m, &base, &len) || len == 0)
		abort();
	for (size_t i = 0; i < m.n; i++) {
		const struct pv_dfu_segment *s = &m.segments[i];
		uint64_t end = s->base + s->count * s->size;

		if (!pv_dfu_map_has(&m, s->base, end - s->base, s->access) ||
		    !pv_dfu_map_piece(&m, end - 1, &base, &len) ||
		    base != end - s->size || len != s->size)
			abort();
	}
	free(text);
	return 0;
}
