/* SPDX-License-Identifier: Apache-2.0 */
/* What provisor inspect says of boot images and debug authentication. */
#include "cmd/inspect.h"

#include "cmd/da.h"
#include "cmd/image_stm32.h"

int
pv_show_adac(struct pv_subject *s, struct pv_error *e)
{
	struct pv_da_chain c;
	int r = pv_da_read(s->path, &c, e);

	return r != 0 ? r : pv_da_show(s->app, s->path, &c, s->root, e);
}

int
pv_show_stm32(struct pv_subject *s, struct pv_error *e)
{
	struct pv_stm32_image m = { .payload = NULL };
	int r = pv_stm32_read(s->path, &m, e);

	if (r == 0)
		r = pv_stm32_show(s->app, s->path, &m, s->root, e);
	pv_stm32_release(&m);
	return r;
}
