/* SPDX-License-Identifier: Apache-2.0 */
#include <provisor/keystore.h>

#include <string.h>

void
pv_sealer_release(struct pv_sealer *s)
{
	if (s->free != NULL)
		s->free(s->ctx);
	memset(s, 0, sizeof(*s));
}

void
pv_signer_release(struct pv_signer *s)
{
	if (s->free != NULL)
		s->free(s->ctx);
	memset(s, 0, sizeof(*s));
}

void
pv_wrapper_release(struct pv_wrapper *w)
{
	if (w->free != NULL)
		w->free(w->ctx);
	memset(w, 0, sizeof(*w));
}

void
pv_anchor_release(struct pv_anchor *a)
{
	if (a->free != NULL)
		a->free(a->ctx);
	memset(a, 0, sizeof(*a));
}

void
pv_key_source_release(struct pv_key_source *k)
{
	if (k->free != NULL)
		k->free(k->ctx);
	memset(k, 0, sizeof(*k));
}

void
pv_ecies_release(struct pv_ecies *s)
{
	if (s->free != NULL)
		s->free(s->ctx);
	memset(s, 0, sizeof(*s));
}

void
pv_opener_release(struct pv_opener *o)
{
	if (o->free != NULL)
		o->free(o->ctx);
	memset(o, 0, sizeof(*o));
}
