/* SPDX-License-Identifier: Apache-2.0 */
/* A campaign with its ledger and its token, wired for the rules. */
#include "cmd/cmd.h"
#include "cmd/session.h"

#include "base/file.h"
#include "base/hex.h"

#include <string.h>

int
pv_open_anchor(struct pv_hsm *hsm, const uint8_t id[16],
    struct pv_anchor *ret_anchor, struct pv_error *e)
{
	char hex[33], label[64];

	pv_hex_encode(hex, id, 16);
	(void)snprintf(label, sizeof(label), PV_ANCHOR_LABEL "%s", hex);
	return pv_hsm_anchor(hsm, label, ret_anchor, e);
}

int
pv_open_campaign_token(struct pv_app *app, const struct pv_campaign *c,
    struct pv_hsm **ret_hsm, struct pv_error *e)
{
	const char *const stored[] = { c->token_uri, c->signer_uri,
		c->oem_key_uri };
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(stored) / sizeof(stored[0]);
	     i++)
		r = pv_hsm_check_stored_uri(stored[i], e);
	if (r != 0)
		return pv_wrap(e, "campaign '%s'", c->name);
	return pv_open_token(app, c->token_uri, ret_hsm, e);
}

int
pv_campaign_session_open(struct pv_app *app, const char *name,
    struct pv_campaign_session *ret_s, struct pv_error *e)
{
	struct pv_campaign_session *s = ret_s;
	int r;

	/* In place: io points into the session. */
	memset(s, 0, sizeof(*s));
	r = pv_open_ledger(app, false, &s->store, e);
	if (r == 0)
		r = pv_campaign_load(&s->store, name, &s->campaign, e);
	if (r == 0)
		r = pv_campaign_session_wire(app, s, e);
	if (r != 0)
		pv_campaign_session_close(s);
	return r;
}

int
pv_campaign_session_wire(
    struct pv_app *app, struct pv_campaign_session *s, struct pv_error *e)
{
	const struct pv_campaign *c = &s->campaign;
	int r;

	r = pv_open_campaign_token(app, c, &s->hsm, e);
	if (r == 0)
		r = pv_hsm_signer(s->hsm, c->signer_uri, &s->signer, e);
	if (r == 0)
		r = pv_hsm_wrapper(s->hsm, c->oem_key_uri, &s->wrapper, e);
	if (r == 0)
		r = pv_open_anchor(s->hsm, c->id, &s->anchor, e);
	if (r != 0)
		return r;
	s->io.store = &s->store;
	s->io.signer = &s->signer;
	s->io.wrapper = &s->wrapper;
	s->io.anchor = &s->anchor;
	pv_io_who(app, &s->io);
	/* Before anything is done with it, a chip reprogrammed included. */
	return pv_campaign_agree(c, &s->io, e);
}

void
pv_io_who(const struct pv_app *app, struct pv_campaign_io *io)
{
	io->station = app->station;
	io->operator_id = app->operator_id;
}

void
pv_campaign_session_close(struct pv_campaign_session *s)
{
	pv_anchor_release(&s->anchor);
	pv_wrapper_release(&s->wrapper);
	pv_signer_release(&s->signer);
	pv_hsm_close(s->hsm);
	pv_store_release(&s->store);
	memset(s, 0, sizeof(*s));
}

int
pv_ledger_path(struct pv_app *app, char *dst, size_t cap, struct pv_error *e)
{
	if (app->ledger != NULL) {
		(void)snprintf(dst, cap, "%s", app->ledger);
		return 0;
	}
	return pv_path_fit(dst, cap, app->home, "ledger.db", e);
}

void
pv_short_hex(char dst[12], const void *data)
{
	char hex[9];

	pv_hex_encode(hex, data, 4);
	(void)snprintf(dst, 12, "%s...", hex);
}
