/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot chain of an STM32MP: what a stage asks for is sent, until U-Boot
 * answers (formats/mpu-boot.md, section 4.4).
 */
#include "push/mpu_chain.h"

#include <string.h>

#define STEPS_MAX 8U
#define T_RESTART 10000

const char *
pv_chain_name(uint8_t id)
{
	switch (id) {
	case PV_MPU_FSBL:
		return "FSBL";
	case PV_MPU_DDR:
		return "DDR firmware";
	case PV_MPU_SSBL:
		return "FIP";
	default:
		return "partition";
	}
}

int
pv_chain_told(const struct pv_mpu_phase *p, struct pv_error *e)
{
	return pv_fail(e, PV_E_DEVICE, "%s stops and resets: %s",
	    pv_mpu_stage_text(p->stage),
	    p->text[0] != '\0' ? p->text : "no reason given");
}

/*
 * On USB an image is ended by a detach, but for the FSBL of MP15, which its
 * ROM starts by itself (M12). A device that says why it stops is heard first.
 */
static int
end_image(const struct pv_mpu *m, uint8_t id, struct pv_error *e)
{
	const struct pv_mpu_info *info = m->info(m->ctx);
	struct pv_mpu_phase p = { 0 };
	int r;

	if (!info->usb || (id == PV_MPU_FSBL && info->chip == PV_MPU_MP15))
		return 0;
	if (id != PV_MPU_FSBL) {
		r = m->phase(m->ctx, &p, e);
		if (r == 0 && p.id == PV_MPU_RESET)
			r = pv_chain_told(&p, e);
		if (r != 0)
			return r;
	}
	return m->leave(m->ctx, e);
}

int
pv_chain_send(const struct pv_mpu *m, uint8_t id,
    const struct pv_mpu_source *src, const char *step, struct pv_error *e)
{
	int r;

	r = m->download(m->ctx, id, src, step, e);
	return r != 0 ? r : end_image(m, id, e);
}

static const struct pv_mpu_source *
image_for(const struct pv_mpu_chain *chain, uint8_t id)
{
	switch (id) {
	case PV_MPU_FSBL:
		return chain->fsbl;
	case PV_MPU_DDR:
		return chain->ddr;
	case PV_MPU_SSBL:
		return chain->fip;
	default:
		return NULL;
	}
}

static int
feed(const struct pv_mpu *m, const struct pv_mpu_chain *chain,
    const struct pv_mpu_phase *p, struct pv_error *e)
{
	const struct pv_mpu_source *src = image_for(chain, p->id);
	bool restarted = false;
	int r;

	if (p->id < PV_MPU_FSBL || p->id > PV_MPU_SSBL) {
		(void)pv_fail(e, PV_E_DEVICE,
		    "%s is in phase 0x%02x, which does not lead to U-Boot",
		    pv_mpu_stage_text(p->stage), p->id);
		return pv_hint(e, "reset the chip into serial boot");
	}
	if (src == NULL) {
		(void)pv_fail(e, PV_E_USAGE,
		    "%s asks for the %s (phase "
		    "0x%02x), and none was given",
		    pv_mpu_stage_text(p->stage), pv_chain_name(p->id), p->id);
		return pv_hint(e,
		    "--fsbl and --fip give the images, or the layout's lines "
		    "0x01 and 0x03");
	}
	r = pv_chain_send(m, p->id, src, pv_chain_name(p->id), e);
	if (r == 0)
		r = m->next(m->ctx, T_STAGE, &restarted, e);
	if (r != 0)
		return pv_wrap(e, "loading the %s", pv_chain_name(p->id));
	return 0;
}

int
pv_mpu_to_uboot(const struct pv_mpu *m, const struct pv_mpu_chain *chain,
    const struct pv_progress *progress, struct pv_mpu_phase *ret_phase,
    struct pv_error *e)
{
	struct pv_mpu_phase p = { 0 };
	bool fed[PV_MPU_SSBL + 1] = { false };
	int r;

	for (unsigned int i = 0; i < STEPS_MAX; i++) {
		r = m->phase(m->ctx, &p, e);
		if (r != 0)
			return r;
		if (p.id == PV_MPU_RESET)
			return pv_chain_told(&p, e);
		if (p.stage == PV_MPU_STAGE_UBOOT) {
			*ret_phase = p;
			return 0;
		}
		if (p.id <= PV_MPU_SSBL && fed[p.id]) {
			(void)pv_fail(e, PV_E_DEVICE,
			    "%s asks for the %s again: the chip did not start "
			    "it",
			    pv_mpu_stage_text(p.stage), pv_chain_name(p.id));
			return pv_hint(e,
			    "is it for this chip and board, and signed if the "
			    "chip is closed?");
		}
		if (pv_progress_cancelled(progress))
			return pv_fail(e, PV_E_INTERRUPTED, "stopped");
		r = feed(m, chain, &p, e);
		if (r != 0)
			return r;
		fed[p.id] = true;
	}
	return pv_fail(e, PV_E_DEVICE, "the chip does not come to U-Boot");
}

/*
 * U-Boot resets when it has told of an error, so it is given one: a layout
 * that is none. Nothing is written before a layout is complete.
 */
static int
provoke(const struct pv_mpu *m, struct pv_mpu_phase *p, struct pv_error *e)
{
	static const char no_layout[] = "-\n";
	struct pv_mpu_source src;
	bool restarted = false;
	int r;

	pv_mpu_memory(no_layout, sizeof(no_layout) - 1, &src);
	r = m->download(m->ctx, PV_MPU_LAYOUT, &src, "reset", e);
	if (r == 0)
		r = m->phase(m->ctx, p, e);
	if (r == 0 && p->id == PV_MPU_LAYOUT) {
		r = m->leave(m->ctx, e);
		if (r == 0)
			r = m->next(m->ctx, T_RESTART, &restarted, e);
		if (r == 0)
			r = m->phase(m->ctx, p, e);
	}
	return r;
}

int
pv_mpu_reset(const struct pv_mpu *m, struct pv_error *e)
{
	struct pv_mpu_phase p = { 0 };
	bool restarted = false;
	int r;

	r = m->phase(m->ctx, &p, e);
	if (r == 0 && p.id == PV_MPU_LAYOUT)
		r = provoke(m, &p, e);
	if (r == 0 && p.id == PV_MPU_END)
		r = m->leave(m->ctx, e);
	else if (r == 0 && p.id != PV_MPU_RESET)
		r = pv_fail(e, PV_E_DEVICE,
		    "U-Boot is in phase 0x%02x and does not reset", p.id);
	if (r == 0)
		r = m->next(m->ctx, T_RESTART, &restarted, e);
	if (r == 0 && !restarted)
		r = pv_fail(
		    e, PV_E_DEVICE, "the chip does not come back to its ROM");
	if (r != 0)
		(void)pv_hint(e, "reset the chip into serial boot");
	return r;
}
