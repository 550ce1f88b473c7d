/* SPDX-License-Identifier: Apache-2.0 */
/* Which stage runs, and what a reset and a loss of power do. */
#include "device/mpu_stage.h"

#include <string.h>

const char *
pv_mp_stage_name(enum pv_mp_stage stage)
{
	switch (stage) {
	case PV_MP_ROM:
		return "ROM";
	case PV_MP_TFA_SSP:
		return "TF-A SSP";
	case PV_MP_TFA:
		return "TF-A";
	case PV_MP_UBOOT:
		return "U-Boot";
	case PV_MP_DEAD:
		break;
	}
	return "silent";
}

void
pv_mp_note(struct pv_mp *m, const char *text, uint32_t value)
{
	if (m->port->note != NULL)
		m->port->note(m->port->ctx, text, value);
}

void
pv_mp_ask(struct pv_mp *m, uint8_t phase, uint32_t base, uint32_t room)
{
	m->phase = phase;
	m->base = base;
	m->room = room;
	m->packet = 0;
	m->received = 0;
}

void
pv_mp_error(struct pv_mp *m, const char *text)
{
	size_t n = 0, max = m->stage == PV_MP_UBOOT ? PV_MP_TEXT - 1 : 63;

	if (m->phase == PV_MP_RESET)
		return;
	while (n < max && text[n] != '\0')
		n++;
	memset(m->text, 0, sizeof m->text);
	memcpy(m->text, text, n);
	m->phase = PV_MP_RESET;
	m->room = 0;
	m->packet = 0;
	m->received = 0;
}

/* Texts end at PV_MP_TEXT - 1 characters. */
void
pv_mp_text(char text[PV_MP_TEXT], const char *more)
{
	size_t n = strlen(text);

	while (n < PV_MP_TEXT - 1 && *more != '\0')
		text[n++] = *more++;
	text[n] = '\0';
}

void
pv_mp_text_number(char text[PV_MP_TEXT], uint32_t v, uint32_t base)
{
	char digits[12];
	size_t at = sizeof digits - 1;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v > 0);
	pv_mp_text(text, digits + at);
}

bool
pv_mp_closed(const struct pv_mp *m)
{
	const struct pv_mp_fuses *f = &m->port->fuses;
	uint32_t v = 0, mask = m->config->chip.closed;

	return f->read(f->ctx, 0, &v) != 0 || (v & mask) == mask;
}

void
pv_mp_enter(struct pv_mp *m, enum pv_mp_stage stage)
{
	m->stage = stage;
	m->has_cert = false;
	memset(m->text, 0, sizeof m->text);
	memset(&m->usb, 0, sizeof m->usb);
	m->usb.state = 2; /* dfuIDLE */
	pv_mp_note(m, pv_mp_stage_name(stage), 0);
	switch (stage) {
	case PV_MP_ROM:
		pv_mp_rom_enter(m);
		break;
	case PV_MP_TFA_SSP:
		pv_mp_ssp_enter(m);
		break;
	case PV_MP_TFA:
		pv_mp_tfa_enter(m);
		break;
	case PV_MP_UBOOT:
		pv_mp_uboot_enter(m);
		break;
	case PV_MP_DEAD:
		break;
	}
}

/* Out of reset, the ROM first serves the mailbox, then its serial boot. */
static void
boot(struct pv_mp *m)
{
	pv_mp_rom_mailbox(m);
	pv_mp_enter(m, PV_MP_ROM);
}

void
pv_mp_reset(struct pv_mp *m)
{
	pv_mp_note(m, "reset", 0);
	if (m->config->mailbox_lost)
		memset(&m->mailbox, 0, sizeof m->mailbox);
	if (m->port->restarted != NULL)
		m->port->restarted(m->port->ctx);
	boot(m);
	/* Whoever asked for it: the firmware itself, too. */
	m->usb_left = m->link == PV_MP_USB;
}

void
pv_mp_power_cycle(struct pv_mp *m)
{
	memset(&m->mailbox, 0, sizeof m->mailbox);
	if (m->port->ram_size > 0)
		memset(m->port->ram, 0, m->port->ram_size);
	pv_mp_note(m, "power-on", 0);
	if (m->port->restarted != NULL)
		m->port->restarted(m->port->ctx);
	boot(m);
}

void
pv_mp_init(struct pv_mp *m, const struct pv_mp_config *config,
    const struct pv_mp_port *port, enum pv_mp_link link)
{
	memset(m, 0, sizeof *m);
	m->config = config;
	m->port = port;
	m->link = link;
	boot(m);
}
