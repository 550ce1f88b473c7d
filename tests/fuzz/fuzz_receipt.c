/* SPDX-License-Identifier: Apache-2.0 */
/* A receipt: its frame, and the entries and license in it. */
#include <stdlib.h>
#include <string.h>

#include "formats/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t again[PV_RECEIPT_LEN_MAX];
	struct pv_receipt_parts parts;
	size_t len = sizeof(again);
	struct pv_receipt rc;

	if (pv_receipt_decode(data, size, &parts, NULL) == 0 &&
	    (pv_receipt_encode(&parts, again, &len, NULL) != 0 || len != size ||
		memcmp(again, data, size) != 0))
		abort();
	/* Without a key the rest is only read. */
	(void)!pv_receipt_check(data, size, NULL, NULL, &rc, NULL);
	return 0;
}
