/* SPDX-License-Identifier: Apache-2.0 */
#include <provisor/store.h>

#include <string.h>

bool
pv_store_is_url(const char *location)
{
	return strncmp(location, "postgresql://", 13) == 0 ||
	       strncmp(location, "postgres://", 11) == 0;
}

int
pv_store_open(const char *location, enum pv_store_mode mode,
    struct pv_store *ret_store, struct pv_error *e)
{
	if (pv_store_is_url(location))
		return pv_store_postgres(location, mode, ret_store, e);
	return pv_store_sqlite(
	    location, mode == PV_STORE_READ ? 0 : 1, ret_store, e);
}

void
pv_store_release(struct pv_store *s)
{
	if (s->free != NULL)
		s->free(s->ctx);
	*s = (struct pv_store){ 0 };
}
