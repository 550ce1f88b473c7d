/* SPDX-License-Identifier: Apache-2.0 */
/* What provisor inspect says of boot images and debug authentication. */
#include "cmd/inspect.h"

#include "cmd/da.h"

int
pv_show_adac(struct pv_subject *s, struct pv_error *e)
{
	struct pv_da_chain c;
	int r = pv_da_read(s->path, &c, e);

	return r != 0 ? r : pv_da_show(s->app, s->path, &c, s->root, e);
}
