/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages of an STM32MP given any control transfers: a byte that chooses
 * chip and stage, then eight bytes of a setup packet and the data that goes
 * out, again and again.
 */
#include <stdlib.h>

#include "tests/fuzz/fuzz_usb.h"
#include "tests/unit/mpu_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum pv_mp_stage stages[] = { PV_MP_ROM, PV_MP_TFA_SSP,
		PV_MP_TFA, PV_MP_UBOOT };
	uint8_t *buf = malloc(FUZZ_USB_BUFFER);
	struct pv_dd_setup s;
	struct rig *g;

	if (buf == NULL)
		abort();
	g = rig_new(size > 0 && (data[0] & 0x40) != 0, PV_MP_USB);
	if (g == NULL)
		abort();
	if (size > 0) {
		g->m.otp_version = (data[0] & 8) != 0 ? 1 : 2;
		pv_mp_enter(&g->m, stages[data[0] & 3]);
		data++;
		size--;
	}
	while (fuzz_usb_next(&data, &size, &s, buf)) {
		size_t n = 0;

		g->m.usb_left = false;
		(void)pv_mp_usb_transfer(&g->m, &s, buf, &n);
		if (n > s.length || g->m.usb.state < 2 || g->m.usb.state > 10)
			abort();
	}
	rig_free(g);
	free(buf);
	return 0;
}
