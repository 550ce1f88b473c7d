/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A description of secrets: what is accepted fits the OTP words, and the map
 * covers every field. Files are not read.
 */
#include <stdlib.h>
#include <string.h>

#include "package/ssp_secrets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
fill(void *ctx, const char *uri, uint8_t *data, size_t len, struct pv_error *e)
{
	(void)ctx;
	(void)uri;
	(void)e;
	memset(data, 1, len);
	return 0;
}

static void
check(struct pv_secrets *s)
{
	struct pv_secrets_io io = { .random = fill };
	struct pv_secret *plain = NULL;
	struct pv_secrets_map m;
	size_t words = 0, covered = 0;

	if (pv_secrets_map(s, &io, &m, NULL) != 0 || m.n > PV_SECRETS_WORDS)
		abort();
	for (size_t i = 0; i < s->n_fields; i++)
		words += pv_secrets_words(&s->fields[i]);
	for (size_t i = 0; i < m.n; i++)
		covered += m.words[i].field != NULL;
	if (words != covered)
		abort();
	if (pv_secrets_fill(s, &io, &plain, &m, NULL) == 0 &&
	    pv_secret_len(plain) != 4 + 4 * m.n)
		abort();
	pv_secret_free(plain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pv_secrets s;
	bool files = false;

	memset(&s, 0, sizeof(s));
	if (pv_secrets_parse((const char *)data, size, &s, NULL) == 0) {
		for (size_t i = 0; i < s.n_fields; i++)
			files = files || s.fields[i].source == PV_SECRETS_FILE;
		if (!files && pv_secrets_place(NULL, &s, NULL) == 0)
			check(&s);
	}
	pv_secrets_release(&s);
	return 0;
}
