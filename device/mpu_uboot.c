/* SPDX-License-Identifier: Apache-2.0 */
/*
 * U-Boot's stm32prog: takes a FlashLayout, then the partitions in the order of
 * their ids. After arch/arm/mach-stm32mp/cmd_stm32prog/stm32prog.c.
 */
#include "device/mpu_stage.h"

#include "base/buf.h"

#include <string.h>

#define LOAD_ADDRESS 0xc2000000U /* CONFIG_SYS_LOAD_ADDR */

void
pv_mp_uboot_enter(struct pv_mp *m)
{
	memset(&m->uboot, 0, sizeof m->uboot);
	pv_mp_ask(m, PV_MP_LAYOUT, LOAD_ADDRESS, (uint32_t)m->port->ddr_size);
	pv_mp_uart_take_over(m);
}

const struct pv_mp_part *
pv_mp_uboot_part(const struct pv_mp *m, uint8_t id)
{
	for (size_t i = 0; i < m->uboot.n_parts; i++)
		if (m->uboot.parts[i].id == id &&
		    m->uboot.parts[i].target != PV_MP_TO_NONE)
			return &m->uboot.parts[i];
	return NULL;
}

/* The next selected partition that is not empty, by id; else the end. */
static void
next_phase(struct pv_mp *m)
{
	unsigned int id = m->phase;

	if (m->phase == PV_MP_RESET || m->phase == PV_MP_END)
		return;
	while (++id <= PV_MP_LAST_USER) {
		const struct pv_mp_part *p = pv_mp_uboot_part(m, (uint8_t)id);

		if (p != NULL && p->selected && !p->empty) {
			pv_mp_ask(m, (uint8_t)id, PV_MP_NONE, 0);
			return;
		}
	}
	pv_mp_ask(m, PV_MP_END, PV_MP_NONE, 0);
}

void
pv_mp_uboot_devices(struct pv_mp *m)
{
	struct pv_mp_uboot *u = &m->uboot;
	const struct pv_mp_storage *s = &m->port->storage;

	u->layout_done = false;
	if (u->n_parts == 0)
		return;
	if (pv_mp_layout_check(m) != 0) {
		u->n_parts = 0;
		return;
	}
	for (size_t i = 0; i < u->n_parts; i++)
		if (u->parts[i].selected && u->parts[i].erase &&
		    s->erase(s->ctx, u->parts[i].id) != 0)
			pv_mp_error(m, "erase failed");
	u->ready = true;
	next_phase(m);
}

int
pv_mp_uboot_write(struct pv_mp *m, const uint8_t *data, size_t len)
{
	const struct pv_mp_storage *s = &m->port->storage;
	const struct pv_mp_part *p;
	uint32_t at = m->received;

	if (m->phase == PV_MP_LAYOUT) {
		if (len > m->port->ddr_size - at)
			return -1;
		memcpy(m->port->ddr + at, data, len);
		m->received += (uint32_t)len;
		return 0;
	}
	p = pv_mp_uboot_part(m, m->phase);
	if (p == NULL)
		return -1;
	if (len > p->size - at || s->write(s->ctx, p->id, at, data, len) != 0) {
		pv_mp_error(m, "DFU write failed");
		return -1;
	}
	m->received += (uint32_t)len;
	return 0;
}

int
pv_mp_uboot_flush(struct pv_mp *m)
{
	if (m->phase == PV_MP_LAYOUT) {
		if (pv_mp_layout_parse(m, m->port->ddr, m->received) != 0)
			pv_mp_error(m, "Layout: invalid FlashLayout");
		else
			m->uboot.layout_done = true;
		return 0;
	}
	if (pv_mp_uboot_part(m, m->phase) == NULL)
		return -1;
	next_phase(m);
	return 0;
}

int
pv_mp_uboot_read(struct pv_mp *m, uint8_t id, uint64_t offset, uint8_t *data,
    size_t len, size_t *ret_len)
{
	const struct pv_mp_part *p = pv_mp_uboot_part(m, id);
	const struct pv_mp_storage *s = &m->port->storage;

	if (!m->uboot.ready || p == NULL || offset >= p->size)
		return -1;
	if (len > p->size - offset)
		len = (size_t)(p->size - offset);
	*ret_len = len;
	return s->read(s->ctx, id, offset, data, len);
}
