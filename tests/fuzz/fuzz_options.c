/* SPDX-License-Identifier: Apache-2.0 */
/* The option-byte CSV: what decodes encodes to text that decodes the same. */
#include "formats/options_csv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t payload[PV_SFI_MAX_OPTIONS];
	char text[PV_OPTCSV_MAX];
	struct pv_optcsv o, again;
	struct pv_error e = { 0 };
	size_t len = 0;

	if (pv_optcsv_decode((const char *)data, size, &o, &e) != 0) {
		if (e.msg[0] == '\0')
			abort();
		return 0;
	}
	if (pv_optcsv_encode(&o, text, sizeof(text), &len, &e) != 0 ||
	    pv_optcsv_decode(text, len, &again, &e) != 0 ||
	    memcmp(&o, &again, sizeof(o)) != 0)
		abort();
	pv_optcsv_payload(o.values, o.n, payload, &len);
	if (len != o.n * 4 ||
	    pv_optcsv_from_payload(payload, len, &again, &e) != 0 ||
	    memcmp(o.values, again.values, sizeof(o.values)) != 0)
		abort();
	return 0;
}
