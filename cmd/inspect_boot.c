/* SPDX-License-Identifier: Apache-2.0 */
/* What provisor inspect says of boot images and debug authentication. */
#include "cmd/inspect.h"

#include "cmd/da.h"
#include "cmd/image_sbsfu.h"
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

int
pv_show_sbsfu(struct pv_subject *s, struct pv_error *e)
{
	struct pv_sbsfu_image m = { .payload = NULL };
	struct pv_sbsfu_profile p = { 0 };
	int r = pv_sbsfu_read(s->path, (enum pv_sbsfu_scheme)0, &p, &m, e);

	if (r == 0)
		pv_sbsfu_show(s->app, s->path, &m, s->root);
	pv_sbsfu_release(&m);
	return r;
}
