/* SPDX-License-Identifier: Apache-2.0 */
/* Debug authentication chains: what decodes encodes to the same bytes. */
#include "formats/adac.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[PV_ADAC_LEVELS * PV_ADAC_CERT], again[PV_ADAC_CERT];
	struct pv_adac_cert c[PV_ADAC_LEVELS];
	uint8_t mask[PV_ADAC_MASK], back[PV_ADAC_MASK];
	char words[PV_ADAC_WORDS], hex[35];
	struct pv_error e;
	size_t len, n = 0;

	(void)pv_adac_detect(data, size);
	if (pv_adac_chain_bytes(data, size, bytes, &len, &e) != 0 ||
	    pv_adac_chain_decode(bytes, len, c, &n, &e) != 0)
		return 0;
	if (n * PV_ADAC_CERT != len)
		abort();
	for (size_t i = 0; i < n; i++) {
		pv_adac_encode(&c[i], again);
		if (memcmp(again, bytes + i * PV_ADAC_CERT, sizeof(again)) != 0)
			abort();
		memcpy(mask, c[i].permissions, sizeof(mask));
		pv_adac_mask_words(mask, words);
		pv_adac_mask_hex(mask, hex);
		if (pv_adac_mask_parse(hex, back, &e) != 0 ||
		    memcmp(back, mask, sizeof(mask)) != 0)
			abort();
		if (!pv_adac_mask_empty(mask) &&
		    (pv_adac_mask_parse(words, back, &e) != 0 ||
			memcmp(back, mask, sizeof(mask)) != 0))
			abort();
	}
	return 0;
}
