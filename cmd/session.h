/* SPDX-License-Identifier: Apache-2.0 */
/* What the campaign, license and ledger commands share. */
#ifndef PV_SESSION_H
#define PV_SESSION_H

#include "cmd/cmd.h"

/* Every license is ours alone; whoever writes or shows one says so. */
#define PV_LICENSE_LABEL \
	"provisor's own license format: not accepted by ST silicon"

/* The label of a campaign's note in the token is this and its id in hex. */
#define PV_ANCHOR_LABEL "provisor-anchor-"

/* The token's note of a campaign. */
PV_MUST_USE int pv_open_anchor(struct pv_hsm *hsm, const uint8_t id[16],
    struct pv_anchor *ret_anchor, struct pv_error *e);

/*
 * The token half of a session whose store is open and whose campaign is
 * loaded: signer, wrapper and anchor, wired into io. Close it either way.
 */
PV_MUST_USE int pv_campaign_session_wire(
    struct pv_app *app, struct pv_campaign_session *s, struct pv_error *e);

/* Station and operator of the command line, for the entries. */
void pv_io_who(const struct pv_app *app, struct pv_campaign_io *io);

/* --ledger or HOME/ledger.db, for messages. */
PV_MUST_USE int pv_ledger_path(
    struct pv_app *app, char *dst, size_t cap, struct pv_error *e);

/* "0001020304..." shortened for the screen: dst holds 12. */
void pv_short_hex(char dst[12], const void *data);

/*
 * The token a campaign's entry names. The entry comes from a file, so its URIs
 * may not choose code to load or files to read.
 */
PV_MUST_USE int pv_open_campaign_token(struct pv_app *app,
    const struct pv_campaign *c, struct pv_hsm **ret_hsm, struct pv_error *e);

#endif
