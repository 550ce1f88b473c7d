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
/* The same, by license profile; SSP's layout is ST's, its crypto a guess. */
const char *pv_license_label(const char *profile);

/* Does the package key stay in the token with this profile? */
bool pv_profile_resident(const char *profile);

/*
 * The package key of s->campaign, for its profile: wrapper or ecies, also in
 * s->io. With s->require_resident a key that would come into this machine's
 * memory is PV_E_POLICY; without, that is said.
 */
PV_MUST_USE int pv_open_package_key(
    struct pv_app *app, struct pv_campaign_session *s, struct pv_error *e);

/* Open a session as pv_campaign_session_open, or refuse a host key. */
PV_MUST_USE int pv_campaign_session_open_for(struct pv_app *app,
    const char *name, bool require_resident, struct pv_campaign_session *ret_s,
    struct pv_error *e);

/* provisor license inspect, verify: licenses of 136 bytes. */
struct pv_ssp_verify {
	const char *campaign, *certificate, *chip_key, *profile;
};
PV_MUST_USE int pv_license_ssp_inspect(struct pv_app *app, const char *path,
    const uint8_t *data, size_t len, struct pv_error *e);
PV_MUST_USE int pv_license_ssp_verify(struct pv_app *app, const char *path,
    const uint8_t *data, size_t len, const struct pv_ssp_verify *v,
    struct pv_error *e);

/* A line of `license inspect`; hex is cut to its column. */
void pv_license_field(const struct pv_app *app, unsigned int off,
    const char *name, const char *value, const char *meaning);
void pv_license_hex(const struct pv_app *app, unsigned int off,
    const char *name, const void *data, size_t len, const char *meaning);

/* Can the token make licenses of this profile wholly inside? */
bool pv_profile_in_token(struct pv_hsm *hsm, const char *profile);
/*
 * Which license profiles a token can serve inside it, and why not; with the
 * fields of a campaign's profile, NULL for the defaults.
 */
void pv_show_profiles(
    const struct pv_app *app, struct pv_hsm *hsm, const char *profile);
void pv_json_profiles(
    struct pv_json *o, struct pv_hsm *hsm, const char *profile);

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
