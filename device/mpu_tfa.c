/* SPDX-License-Identifier: Apache-2.0 */
/* TF-A without SSP: takes one FIP and starts what is in it. */
#include "device/mpu_stage.h"

#include "base/buf.h"

/* Where the FIP goes; differs from build to build. */
#define FIP_ADDR   0xc4000000U
#define FIP_NAME   0xaa640001U
#define FIP_HEADER 16U /* name, serial number, flags */

void
pv_mp_tfa_enter(struct pv_mp *m)
{
	pv_mp_ask(m, PV_MP_SSBL, FIP_ADDR, (uint32_t)m->port->ddr_size);
	pv_mp_uart_take_over(m);
}

bool
pv_mp_tfa_fip(struct pv_mp *m)
{
	const uint8_t *p = m->port->ddr;

	if (m->received >= FIP_HEADER && pv_get_u32le(p) == FIP_NAME &&
	    pv_get_u32le(p + 4) != 0)
		return true;
	pv_mp_error(m, "FIP Header check failed c4000000, for phase 3\n");
	return false;
}

void
pv_mp_tfa_start(struct pv_mp *m)
{
	enum pv_mp_stage next = pv_mp_image_stage(m, m->port->ddr, m->received);

	pv_mp_enter(m, next == PV_MP_UBOOT ? next : PV_MP_DEAD);
}
