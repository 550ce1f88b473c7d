/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A FlashLayout through ROM, TF-A and U-Boot: the device asks for one phase
 * after the other and gets the file of that id (formats/mpu-boot.md, 4.4).
 */
#include "push/mpu_chain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define READ_BACK_MAX (512U << 20) /* bytes of one partition in memory */
#define READ_TRIES    4U

struct program {
	const struct pv_mpu *m;
	const struct pv_mpu_layout *l;
	struct pv_mpu_layout_report *rep;
};

static struct pv_mpu_part *
find(struct program *p, uint8_t id)
{
	for (size_t i = 0; i < p->l->n_parts; i++)
		if (p->l->parts[i].id == id)
			return &p->l->parts[i];
	return NULL;
}

/* What was acknowledged is there when the device moves on (M6). */
static int
ask(struct program *p, struct pv_mpu_phase *phase, struct pv_error *e)
{
	int r;

	r = p->m->phase(p->m->ctx, phase, e);
	if (r == 0)
		p->rep->phase = phase->id;
	if (r == 0 && phase->id == PV_MPU_RESET)
		r = pv_chain_told(phase, e);
	return r;
}

static int
send_layout(struct program *p, struct pv_mpu_phase *phase, struct pv_error *e)
{
	bool restarted = false;
	int r = 0;

	if (!phase->detach) {
		pv_progress_step(p->l->progress, "layout");
		r = p->m->download(
		    p->m->ctx, PV_MPU_LAYOUT, &p->l->text, "layout", e);
		if (r != 0)
			return pv_wrap(e, "sending the layout");
		p->rep->begun = true;
		r = ask(p, phase, e);
	}
	/* On USB it enumerates anew, with an alternate setting for each. */
	if (r == 0 && phase->detach) {
		r = p->m->leave(p->m->ctx, e);
		if (r == 0)
			r = p->m->next(p->m->ctx, T_STAGE, &restarted, e);
		if (r == 0)
			r = ask(p, phase, e);
	}
	return r;
}

/*
 * Compare once with what came back; `good` marks the bytes that were right in
 * any reading. *ret_bad is the first that was not yet.
 */
static int
compare_once(const struct pv_mpu_part *part, const uint8_t *back, bool *good,
    size_t *ret_bad, struct pv_error *e)
{
	size_t n = (size_t)part->src.size, k;
	uint8_t piece[4096];
	int r = 0;

	*ret_bad = n;
	for (size_t at = 0; r == 0 && at < n; at += k) {
		k = n - at < sizeof(piece) ? n - at : sizeof(piece);
		r = part->src.read(part->src.ctx, at, piece, k, e);
		for (size_t i = 0; r == 0 && i < k; i++) {
			good[at + i] = good[at + i] || piece[i] == back[at + i];
			if (!good[at + i] && *ret_bad == n)
				*ret_bad = at + i;
		}
	}
	return r;
}

/*
 * What travels back over a serial line has no checksum: a byte that differs is
 * read again before it counts.
 */
static int
compare(struct program *p, const struct pv_mpu_part *part, struct pv_error *e)
{
	unsigned int tries = p->m->info(p->m->ctx)->usb ? 1 : READ_TRIES;
	size_t n = (size_t)part->src.size, got = 0, bad = 0;
	uint8_t *back = NULL;
	bool *good = NULL;
	int r = 0;

	if (part->src.size > READ_BACK_MAX)
		return pv_fail(e, PV_E_RANGE,
		    "'%s' is too large to be read back", part->name);
	back = malloc(n);
	good = calloc(n, sizeof(*good));
	if (back == NULL || good == NULL)
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
	for (unsigned int i = 0; r == 0 && (i == 0 || bad < n); i++) {
		if (i == tries) {
			r = pv_fail(e, PV_E_VERIFY,
			    "reads back 0x%02x at 0x%zx, which was not written",
			    back[bad], bad);
			break;
		}
		r = p->m->read(p->m->ctx, part->id, back, n, &got, e);
		if (r == 0 && got < n)
			r = pv_fail(e, PV_E_VERIFY,
			    "only %zu of %zu bytes read back", got, n);
		if (r == 0)
			r = compare_once(part, back, good, &bad, e);
	}
	free(back);
	free(good);
	if (r == 0)
		p->rep->read_back += n;
	return r;
}

static int
send_part(struct program *p, struct pv_mpu_phase *phase, struct pv_error *e)
{
	struct pv_mpu_part *part = find(p, phase->id);
	int r;

	if (part == NULL || !part->select)
		return pv_fail(e, PV_E_DEVICE,
		    "%s asks for partition 0x%02x, which the layout does not "
		    "send",
		    pv_mpu_stage_text(phase->stage), phase->id);
	if (part->sent)
		return pv_fail(e, PV_E_DEVICE,
		    "%s asks for '%s' (0x%02x) a second time",
		    pv_mpu_stage_text(phase->stage), part->name, phase->id);
	if (p->l->begin != NULL)
		p->l->begin(p->l->ctx, part);
	r = p->m->download(p->m->ctx, part->id, &part->src, part->name, e);
	if (r == 0)
		r = ask(p, phase, e);
	if (r == 0 && phase->id == part->id)
		r = pv_fail(e, PV_E_DEVICE, "the device asks for it again");
	if (r == 0 && p->l->read_back)
		r = compare(p, part, e);
	if (r != 0)
		return pv_wrap(
		    e, "partition '%s' (0x%02x)", part->name, part->id);
	part->sent = true;
	p->rep->done++;
	p->rep->bytes += part->src.size;
	return 0;
}

static int
finish(struct program *p, struct pv_error *e)
{
	int r;

	for (size_t i = 0; i < p->l->n_parts; i++) {
		const struct pv_mpu_part *part = &p->l->parts[i];

		if (part->select && !part->sent)
			return pv_fail(e, PV_E_DEVICE,
			    "the device ended without asking for '%s' "
			    "(0x%02x)",
			    part->name, part->id);
	}
	/* It resets; whether it still answers tells nothing. */
	r = p->m->leave(p->m->ctx, e);
	if (r == PV_E_TIMEOUT || r == PV_E_LINK) {
		pv_error_clear(e);
		r = 0;
	}
	return r;
}

static const struct pv_mpu_source *
image(struct program *p, uint8_t id)
{
	struct pv_mpu_part *part = find(p, id);

	return part == NULL || part->src.size == 0 ? NULL : &part->src;
}

/* With a layout of an earlier push in it, ours would go where that one says. */
static int
check_fresh(const struct pv_mpu_phase *phase, struct pv_error *e)
{
	if (phase->id == PV_MPU_LAYOUT && !phase->detach)
		return 0;
	(void)pv_fail(e, PV_E_DEVICE,
	    "U-Boot has another layout already, of a push that was cut off "
	    "(phase 0x%02x)",
	    phase->id);
	return pv_hint(e, "reset the board into serial boot, then push again");
}

int
pv_mpu_program(const struct pv_mpu *m, const struct pv_mpu_layout *layout,
    struct pv_mpu_layout_report *ret_report, struct pv_error *e)
{
	struct program p = { .m = m, .l = layout, .rep = ret_report };
	struct pv_mpu_chain chain;
	struct pv_mpu_phase phase = { 0 };
	size_t steps = 0;
	int r;

	memset(ret_report, 0, sizeof(*ret_report));
	chain = (struct pv_mpu_chain){ .fsbl = image(&p, PV_MPU_FSBL),
		.ddr = image(&p, PV_MPU_DDR),
		.fip = image(&p, PV_MPU_SSBL) };
	r = pv_mpu_to_uboot(m, &chain, layout->progress, &phase, e);
	ret_report->phase = phase.id;
	if (r == 0)
		r = check_fresh(&phase, e);
	while (r == 0 && phase.id != PV_MPU_END) {
		if (steps++ > layout->n_parts + 2)
			return pv_fail(e, PV_E_DEVICE,
			    "the device asks for phase after phase and does "
			    "not end");
		if (pv_progress_cancelled(layout->progress))
			return pv_fail(e, PV_E_INTERRUPTED, "stopped");
		if (phase.id == PV_MPU_LAYOUT)
			r = send_layout(&p, &phase, e);
		else
			r = send_part(&p, &phase, e);
	}
	return r != 0 ? r : finish(&p, e);
}
