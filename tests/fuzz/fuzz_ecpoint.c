/* SPDX-License-Identifier: Apache-2.0 */
/* CKA_EC_POINT as a token may give it: first byte the curve, then the value. */
#include "hsm/hsm_int.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "ec-p256", "ec-p384", "ed25519" };
	const struct pv_curve *c;
	struct pv_error e;
	uint8_t *out;
	size_t want;

	if (size == 0)
		return 0;
	c = pv_curve_by_name(names[data[0] % 3]);
	want = pv_curve_point_len(c);
	out = malloc(want);
	if (out == NULL)
		return 0;
	/* What is accepted is the tail of the value. */
	if (pv_ec_point_parse(c, data + 1, size - 1, out, &e) == 0 &&
	    memcmp(out, data + size - want, want) != 0)
		__builtin_trap();
	(void)pv_curve_by_params(data + 1, size - 1);
	free(out);
	return 0;
}
