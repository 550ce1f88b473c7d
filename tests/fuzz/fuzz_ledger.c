/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ledger entry, or the token's note: what decodes must encode to the same
 * bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "formats/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[PV_ENTRY_MAX], note_again[PV_NOTE_LEN];
	size_t len = sizeof(again);
	struct pv_entry en;
	struct pv_note note;

	if (pv_entry_decode(data, size, &en, NULL) == 0) {
		if (pv_entry_encode(&en, again, &len, NULL) != 0 ||
		    len != size || memcmp(again, data, size) != 0)
			abort();
	}
	if (pv_note_decode(data, size, &note, NULL) == 0) {
		pv_note_encode(&note, note_again);
		if (memcmp(note_again, data, size) != 0)
			abort();
	}
	return 0;
}
