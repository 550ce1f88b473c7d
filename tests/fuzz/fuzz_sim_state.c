/* SPDX-License-Identifier: Apache-2.0 */
/* state.json of a virtual chip: what is accepted obeys its limits. */
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pv_error e = { 0 };
	struct pv_sim_state s;

	if (pv_sim_state_parse((const char *)data, size, &s, &e) != 0) {
		if (e.code == 0)
			abort();
		return 0;
	}
	if (s.rdp > 2 || s.n_option_words > PV_SIM_OPTION_WORDS ||
	    strlen(s.product_id) != 8)
		abort();
	return 0;
}
