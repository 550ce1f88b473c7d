/* SPDX-License-Identifier: Apache-2.0 */
#include <provisor/store.h>

void
pv_store_release(struct pv_store *s)
{
	if (s->free != NULL)
		s->free(s->ctx);
	*s = (struct pv_store){ 0 };
}
