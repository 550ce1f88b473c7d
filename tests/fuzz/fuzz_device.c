/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes on the line of a part with the install agent, from power-on: the
 * first selects read protection, the rest is what the host sends.
 */
#include <stdlib.h>

#include "tests/unit/agent_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig *g;

	if (g == NULL) {
		g = calloc(1, sizeof(*g));
		if (g == NULL || rig_init(g) != 0)
			abort();
		/* Any campaign: inputs carry licenses made elsewhere. */
		g->agent_config.campaign_hash = NULL;
		rig_extend(g);
	}
	if (size == 0)
		return 0;
	rig_fill(g);
	rig_power(g);
	g->fake.rdp = data[0] % 3;
	for (size_t i = 1; i < size; i += 64) {
		size_t n = size - i < 64 ? size - i : 64;

		g->fake.out_len = 0;
		pv_an_feed(&g->an, data + i, n);
	}
	/* Nothing of an unfinished package starts. */
	if (g->agent.state != PV_SI_STATE_DONE && g->agent.n_places > 0 &&
	    g->agent.mark && g->agent.places[0].type == 'F') {
		const struct pv_agent_place *a = &g->agent.places[0];
		const uint8_t *p = g->fake.flash + (a->base - FAKE_FLASH);

		for (size_t i = 0; i < FAKE_UNIT; i++)
			if (p[i] != 0xff && p[i] != 0x55)
				abort();
	}
	return 0;
}
