/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/otp_partition.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What decodes encodes to the same bytes; a refused change changes nothing. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pv_otp otp, before;
	static uint8_t again[PV_OTP_LEN_MAX];
	struct pv_error e = { 0 };
	size_t n = 0;

	if (pv_otp_decode(data, size, &otp, &e) != 0)
		return 0;
	if (pv_otp_encode(&otp, again, sizeof(again), &n, &e) != 0 ||
	    n != size || memcmp(again, data, n) != 0)
		abort();
	(void)pv_otp_chip(&otp);
	for (size_t i = 0; i < otp.n_words; i++) {
		uint32_t v = pv_otp_value(&otp, i) | 1U << i % 32;

		(void)pv_otp_flags(&otp, i);
		before = otp;
		if (pv_otp_set(&otp, i, v, i % 2 == 0, &e) != 0 &&
		    memcmp(&before, &otp, sizeof(otp)) != 0)
			abort();
	}
	return 0;
}
