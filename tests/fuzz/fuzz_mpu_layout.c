/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a FlashLayout of the virtual U-Boot. */
#include <stdlib.h>

#include "tests/unit/mpu_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig *g = rig_new(false, PV_MP_USB);
	struct pv_mp_alt a;

	if (g == NULL)
		abort();
	pv_mp_enter(&g->m, PV_MP_UBOOT);
	if (size > RIG_DDR)
		size = RIG_DDR;
	memcpy(g->ddr, data, size);
	g->m.received = (uint32_t)size;
	(void)pv_mp_uboot_flush(&g->m);
	if (g->m.uboot.layout_done)
		pv_mp_uboot_devices(&g->m);
	for (size_t i = 0; pv_mp_usb_alt(&g->m, i, &a); i++)
		if (a.text[sizeof a.text - 1] != '\0')
			abort();
	/* Refused, it says why. */
	if (!g->m.uboot.ready && g->m.phase != PV_MP_RESET)
		abort();
	if (g->m.phase == PV_MP_RESET && g->m.text[0] == '\0')
		abort();
	rig_free(g);
	return 0;
}
