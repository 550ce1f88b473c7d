/* SPDX-License-Identifier: Apache-2.0 */
/* Maps of option words: what loads explains any words. */
#include "package/optmap.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
look(void *ctx, const struct pv_opt_setting *s, struct pv_error *e)
{
	(void)ctx;
	(void)e;
	if (s->row_name == NULL || s->field == NULL ||
	    (s->effect != PV_OPT_PLAIN && s->advice == NULL) ||
	    strlen(s->text) >= sizeof(s->text))
		abort();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t patterns[] = { 0, UINT32_MAX, 0xA5C35AB4U };
	struct pv_optmap *m = NULL;
	struct pv_error e;
	uint32_t words[64];

	if (pv_optmap_parse((const char *)data, size, &m, &e) != 0)
		return 0;
	for (size_t p = 0; p < 3; p++) {
		for (size_t i = 0; i < 64; i++)
			words[i] = patterns[p];
		if (pv_optmap_explain(
			m, words, pv_optmap_rows(m), look, NULL, &e) != 0)
			abort();
	}
	pv_optmap_free(m);
	return 0;
}
