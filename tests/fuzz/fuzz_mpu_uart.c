/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages of an STM32MP given any bytes on a UART. The first byte chooses
 * chip, stage and generation; with its bit 7 the rest is what the ROM is to
 * start.
 */
#include <stdlib.h>

#include "tests/unit/mpu_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
choose(struct rig *g, uint8_t what)
{
	static const uint32_t commands[] = { 0, 0x41425550U, 0x41425550U,
		0x414f5250U };

	g->config.generation = (enum pv_mp_generation)(what % 3);
	g->m.generation = g->config.generation;
	g->m.otp_version = (what & 8) != 0 ? 1 : 2;
	if ((what & 3) == 1) {
		g->m.mailbox.command = commands[what >> 2 & 3];
		g->m.mailbox.has_key = true;
		g->otp[g->config.chip.ssp_word] = g->config.chip.ssp_request;
		pv_mp_enter(&g->m, PV_MP_TFA_SSP);
	} else if ((what & 3) != 0) {
		pv_mp_enter(&g->m, (what & 3) == 2 ? PV_MP_TFA : PV_MP_UBOOT);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig *g;

	if (size == 0)
		return 0;
	g = rig_new((data[0] & 0x40) != 0, PV_MP_UART);
	if (g == NULL)
		abort();
	choose(g, data[0]);
	if ((data[0] & 0x80) != 0) {
		size_t n = size - 1 < RIG_RAM ? size - 1 : RIG_RAM;

		pv_mp_enter(&g->m, PV_MP_ROM);
		memcpy(g->ram, data + 1, n);
		g->m.received = (uint32_t)n;
		(void)pv_mp_rom_start(&g->m);
	} else {
		pv_mp_feed(&g->m, data + 1, size - 1);
	}
	if (g->m.received > RIG_RAM || g->m.text[PV_MP_TEXT - 1] != '\0' ||
	    g->m.uboot.n_parts > PV_MP_PARTS)
		abort();
	rig_free(g);
	return 0;
}
