/* SPDX-License-Identifier: Apache-2.0 */
/* provisor ledger anchor: where a campaign stands, for who keeps it elsewhere. */
#include "cmd/ledger.h"
#include "cmd/session.h"

#include "base/clock.h"
#include "base/file.h"
#include "formats/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void
pv_checkpoint_json(struct pv_json *o, const struct pv_checkpoint *cp)
{
	char when[PV_TIME_TEXT];

	pv_time_text(when, cp->time_ms);
	pv_json_set_str(o, "campaign", cp->name);
	pv_json_set_hex(o, "campaign_id", cp->campaign_id, 16);
	pv_json_set_hex(o, "campaign_key", cp->public_key, 64);
	pv_json_set_u64(o, "seq", cp->seq);
	pv_json_set_hex(o, "hash", cp->hash, 32);
	pv_json_set_u64(o, "spent", cp->spent);
	pv_json_set_u64(o, "max_licenses", cp->max_licenses);
	pv_json_set_str(
	    o, "state", pv_entry_state_name((enum pv_entry_state)cp->state));
	pv_json_set_str(o, "time", when);
	pv_json_set_str(o, "station", cp->station);
	pv_json_set_str(o, "operator", cp->operator_id);
}

int
pv_checkpoint_read(
    const char *path, struct pv_checkpoint *ret_cp, struct pv_error *e)
{
	uint8_t *data = NULL;
	size_t len;
	int r;

	r = pv_file_read(path, PV_CHECKPOINT_LEN_MAX, &data, &len, e);
	if (r == 0) {
		r = pv_checkpoint_check(data, len, ret_cp, e);
		if (r != 0)
			(void)pv_wrap(e, "'%s'", path);
	}
	free(data);
	return r;
}

int
pv_run_ledger_anchor(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	char *campaign = NULL, *output = NULL;
	struct poptOption table[] = {
		{ "campaign", 0, POPT_ARG_STRING, &campaign, 0,
		    "whose last entry it is", "NAME" },
		{ "export", 0, POPT_ARG_STRING, &output, 0,
		    "write a signed checkpoint to keep elsewhere", "F" },
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	uint8_t data[PV_CHECKPOINT_LEN_MAX];
	struct pv_campaign_session s;
	size_t len = sizeof(data);
	struct pv_checkpoint cp;
	const char **args;
	struct pv_json *o;
	char head[12];
	int r;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r == 0)
		r = pv_need(e, campaign, "--campaign");
	if (r == 0)
		r = pv_campaign_session_open(app, campaign, &s, e);
	if (r != 0)
		return r;
	r = pv_checkpoint_make(&s.campaign, &s.io, &cp, data, &len, e);
	pv_campaign_session_close(&s);
	if (r == 0 && output != NULL)
		r = pv_file_write(output, 0644, data, len, e);
	if (r != 0)
		return r;
	pv_short_hex(head, cp.hash);
	pv_out(app,
	    "campaign %s: entry %" PRIu64 ", %s, %" PRIu64 " of %" PRIu64
	    " licenses spent, %s; ledger and token agree\n",
	    cp.name, cp.seq, head, cp.spent, cp.max_licenses,
	    pv_entry_state_name((enum pv_entry_state)cp.state));
	if (output != NULL)
		pv_say(app,
		    "checkpoint written to %s: keep it where neither ledger "
		    "nor token is\n",
		    output);
	o = pv_json_new_object();
	pv_checkpoint_json(o, &cp);
	if (output != NULL)
		pv_json_set_str(o, "saved", output);
	return pv_out_json(app, o, e);
}
