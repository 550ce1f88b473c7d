/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of a secure install: what goes in which order, how far it
 * got, and what the chip holds when it ends.
 */
#include "push/install.h"

#include "base/buf.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "formats/sfi.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

/*
 * Milliseconds the device may work before its answer. The first area, and
 * every refusal behind it, erase all of flash: in->wipe_ms more.
 */
#define T_LICENSE 10000 /* elliptic-curve arithmetic in software */
#define T_HEADER  3000
#define T_AREA	  10000 /* erasing a sector, programming a packet */
#define T_ABORT	  10000

/* --- what is left behind ------------------------------------------------------ */

/* Nothing of this package is in it. */
static enum pv_device_state
not_begun(const struct install *in)
{
	return in->dropped ? PV_DEVICE_ERASED : PV_DEVICE_UNCHANGED;
}

/* From a device's own word. */
void
pv_install_settle(struct install *in, uint8_t si_state)
{
	switch (si_state) {
	case PV_SI_STATE_BROKEN:
		in->rep->state = PV_DEVICE_BROKEN;
		break;
	case PV_SI_STATE_IDLE: /* it refused the first area: not begun */
		in->rep->state = not_begun(in);
		break;
	case PV_SI_STATE_PAUSED:
		in->rep->state = PV_DEVICE_PARTIAL;
		break;
	case PV_SI_STATE_FAILED:
		in->rep->state = in->begun ? PV_DEVICE_ERASED : not_begun(in);
		break;
	default:
		break;
	}
}

int
pv_install_change(struct install *in, struct si_change *c, struct pv_error *e)
{
	struct si_status st = { 0 };
	int r;

	if (pv_progress_cancelled(in->opt->progress))
		return pv_fail(e, PV_E_INTERRUPTED, "%s: stopped", c->step);
	st.state = PV_SI_STATE_IDLE;
	r = pv_si_change(in->u, c, &st, e);
	in->link_usable = c->sp->usable;
	in->result = st.result;
	in->si_state = st.state;
	if (r != 0 && st.result != PV_SI_OK)
		pv_install_settle(in, st.state);
	return r;
}

/* Tell the device to drop what was begun, and learn what it holds. */
static void
abandon(struct install *in)
{
	struct pv_usart_special sp = { .code = PV_SI_ABORT,
		.timeout_ms = T_ABORT + in->wipe_ms };
	struct si_change c = { .sp = &sp, .step = "abort", .idempotent = true };
	struct si_report rep;
	struct si_status st = { 0 };
	struct pv_error e = { 0 };

	if (!in->link_usable)
		return;
	if (pv_si_report(in->u, &rep, &e) != 0)
		return;
	if (rep.last.state != PV_SI_STATE_FAILED &&
	    rep.last.state != PV_SI_STATE_BROKEN) {
		if (pv_si_change(in->u, &c, &st, &e) != 0 &&
		    st.result == PV_SI_OK)
			return;
		rep.last.state = st.state;
	}
	pv_install_settle(in, rep.last.state);
}

/* --- steps --------------------------------------------------------------------- */

int
pv_install_ask(
    struct pv_usart *u, struct pv_install_chip *ret_chip, struct pv_error *e)
{
	struct pv_install_chip chip;
	struct pv_part part;
	int r;

	r = pv_si_info(u, &chip, e);
	if (r == 0)
		r = pv_si_certificate(u, chip.certificate, e);
	if (r != 0)
		return r;
	part = (struct pv_part){ chip.certificate, sizeof(chip.certificate) };
	r = pv_sha256(&part, 1, chip.fingerprint, e);
	if (r == 0)
		*ret_chip = chip;
	return r;
}

static int
ask_chip(struct install *in, struct pv_error *e)
{
	struct pv_install_chip *chip = &in->rep->chip;
	int r;

	r = pv_install_ask(in->u, chip, e);
	if (r != 0)
		return r;
	in->rep->have_chip = true;
	return 0;
}

/* Give up what an earlier host began. */
static int
drop_earlier(struct install *in, struct pv_error *e)
{
	struct pv_usart_special sp = { .code = PV_SI_ABORT,
		.timeout_ms = T_ABORT + in->wipe_ms };
	struct si_change c = { .sp = &sp, .step = "abort", .idempotent = true };
	int r;

	pv_log(PV_LOG_INFO, "an unfinished install is dropped first");
	r = pv_install_change(in, &c, e);
	if (r == 0 && in->si_state == PV_SI_STATE_FAILED) {
		in->dropped = true;
		in->rep->state = PV_DEVICE_ERASED;
	}
	if (r == 0 || in->rep->state != PV_DEVICE_BROKEN)
		return r;
	(void)pv_fail(e, PV_E_DEVICE,
	    "the chip can neither erase nor finish an earlier install "
	    "(0x%04x)",
	    in->result);
	return pv_hint(e, "lift a write protection with 'device unprotect "
			  "--sectors all'; if there is "
			  "none its flash is damaged: set the chip aside");
}

/*
 * Between two parts of this very package the chip goes on; of another, it
 * holds what is of no use any more.
 */
static int
try_resume(struct install *in, struct pv_error *e)
{
	struct si_pause p;
	uint8_t chain[32];
	int r;

	r = pv_si_pause(in->u, &p, e);
	if (r != 0)
		return r;
	if (p.areas_total != in->f->n_areas || p.areas_done == 0 ||
	    p.areas_done >= in->f->n_areas)
		return drop_earlier(in, e);
	r = pv_install_chain(in->f, p.areas_done, chain, e);
	if (r != 0)
		return r;
	if (memcmp(chain, p.chain, sizeof(chain)) != 0)
		return drop_earlier(in, e);
	pv_log(PV_LOG_INFO, "the chip waits for area %u of this package",
	    p.areas_done + 1U);
	for (unsigned i = 0; i < p.areas_done; i++)
		in->before += in->f->areas[i].area.size;
	in->begun = true;
	in->rep->state = PV_DEVICE_PARTIAL;
	in->rep->areas_done = p.areas_done;
	in->rep->resumed_at = p.areas_done + 1U;
	return 0;
}

/* An earlier host may have left the agent in the middle of an install. */
static int
look_at_earlier(struct install *in, struct pv_error *e)
{
	switch (in->rep->chip.state) {
	case PV_SI_STATE_LICENSED:
	case PV_SI_STATE_READY:
	case PV_SI_STATE_AREA:
	case PV_SI_STATE_BROKEN:
		return drop_earlier(in, e);
	case PV_SI_STATE_PAUSED:
		return try_resume(in, e);
	default:
		return 0;
	}
}

/*
 * Read-protected, a chip answers questions and takes no license; an install
 * that closed it leaves it so.
 */
static int
check_open(struct install *in, struct pv_error *e)
{
	bool closed = false;
	int r;

	/* Between two parts nothing is read, and no option bytes came yet. */
	if (!pv_usart_has(in->u, PV_OP_READ) || in->rep->resumed_at != 0)
		return 0;
	r = pv_usart_probe_protection(
	    in->u, in->rep->chip.flash_base, &closed, e);
	if (r != 0)
		return pv_wrap(e, "asking for read protection");
	if (!closed)
		return 0;
	(void)pv_fail(e, PV_E_PROTECTED,
	    "the chip is read-protected: it takes no package%s; no license "
	    "was spent",
	    in->rep->chip.state == PV_SI_STATE_DONE ? " after the one it holds"
						    : "");
	if (pv_usart_has(in->u, PV_OP_READOUT_UNPROTECT))
		return pv_hint(e,
		    "level 1 opens with 'device unprotect --read-protect', "
		    "which erases the chip");
	return pv_hint(e,
	    "its bootloader cannot open it: a closed product state goes back "
	    "by debug authentication only");
}

static bool
license_done(const struct si_report *rep, unsigned area)
{
	(void)area;
	return rep->last.state == PV_SI_STATE_LICENSED &&
	       rep->last.result == PV_SI_OK;
}

static int
send_license(
    struct install *in, const struct pv_install_license *l, struct pv_error *e)
{
	struct pv_usart_special sp = { .code = PV_SI_LICENSE,
		.extended = true,
		.data = l->campaign_key,
		.len = sizeof(l->campaign_key),
		.data2 = l->data,
		.len2 = l->len,
		.timeout_ms = T_LICENSE };
	struct si_change c = {
		.sp = &sp, .step = "license", .done = license_done
	};

	return pv_install_change(in, &c, e);
}

static int
do_license(struct install *in, struct pv_error *e)
{
	struct pv_install_license *l = &in->license;
	bool refused = false;
	int r;

	for (;;) {
		r = in->opt->license(
		    in->opt->ctx, &in->rep->chip, refused, l, e);
		if (r != 0)
			return r;
		if (l->len > sizeof(l->data))
			return pv_fail(e, PV_E_INTERNAL, "license too long");
		r = send_license(in, l, e);
		if (r == 0) {
			in->rep->license_accepted = true;
			return 0;
		}
		/* A saved license may have been another chip's. */
		if (in->result != PV_SI_E_LICENSE_UNWRAP || refused)
			return pv_wrap(e, "license");
		refused = true;
	}
}

static bool
header_done(const struct si_report *rep, unsigned area)
{
	(void)area;
	return rep->last.state == PV_SI_STATE_READY &&
	       rep->last.result == PV_SI_OK;
}

static int
do_header(struct install *in, struct pv_error *e)
{
	struct pv_usart_special sp = { .code = PV_SI_HEADER,
		.data = in->f->header,
		.len = sizeof(in->f->header),
		.timeout_ms = T_HEADER };
	struct si_change c = {
		.sp = &sp, .step = "header", .done = header_done
	};

	return pv_install_change(in, &c, e) == 0 ? 0
						 : pv_wrap(e, "package header");
}

static bool
begin_done(const struct si_report *rep, unsigned area)
{
	return rep->last.state == PV_SI_STATE_AREA && rep->last.area == area &&
	       rep->received == 0;
}

static int
do_begin(struct install *in, unsigned index, struct pv_error *e)
{
	uint8_t head[PV_SFI_AREA];
	struct pv_usart_special sp = { .code = PV_SI_AREA_BEGIN,
		.data = head,
		.len = sizeof(head),
		.timeout_ms = T_AREA + in->wipe_ms };
	struct si_change c = {
		.sp = &sp, .step = "install", .done = begin_done, .area = index
	};

	pv_sfi_area_encode(&in->f->areas[index - 1].area, head);
	/* From here on the chip counts as changed, whatever it answers. */
	if (!in->begun)
		in->rep->state = PV_DEVICE_PARTIAL;
	in->begun = true;
	return pv_install_change(in, &c, e);
}

static int
do_data(struct install *in, unsigned index, struct pv_error *e)
{
	const struct install_area *a = &in->f->areas[index - 1];
	uint8_t head[6], data[PV_SI_DATA_MAX];
	struct pv_usart_special sp = { .code = PV_SI_AREA_DATA,
		.extended = true,
		.data = head,
		.len = sizeof(head),
		.data2 = data,
		.timeout_ms = T_AREA };
	struct si_change c = {
		.sp = &sp, .step = "install", .idempotent = true
	};
	uint32_t at, n;
	int r;

	for (at = 0; at < a->area.size; at += n) {
		n = a->area.size - at;
		if (n > in->rep->chip.packet)
			n = in->rep->chip.packet;
		r = pv_install_read(in->f, a->offset + at, data, n, e);
		if (r != 0)
			return r;
		pv_put_u16le(head, (uint16_t)index);
		pv_put_u32le(head + 2, at);
		sp.len2 = n;
		c.where = a->area.address + at;
		r = pv_install_change(in, &c, e);
		if (r != 0)
			return r;
		in->rep->offset = at + n;
		in->rep->sent += n;
		pv_progress_at(in->opt->progress, "install",
		    in->before + in->rep->sent, in->f->size);
	}
	return 0;
}

static int
do_end(struct install *in, unsigned index, struct pv_error *e)
{
	uint8_t number[2];
	struct pv_usart_special sp = { .code = PV_SI_AREA_END,
		.data = number,
		.len = sizeof(number),
		.timeout_ms = T_AREA + in->wipe_ms };
	struct si_change c = {
		.sp = &sp, .step = "install", .idempotent = true
	};

	if (in->f->areas[index - 1].area.type == 'P')
		return pv_install_end_part(in, index, e);
	pv_put_u16le(number, (uint16_t)index);
	return pv_install_change(in, &c, e);
}

/* Behind its restart the chip knows neither key nor header any more. */
static int
do_part(struct install *in, struct pv_error *e)
{
	int r;

	in->rep->parts++;
	r = send_license(in, &in->license, e);
	if (r != 0)
		return pv_wrap(e, "license of the next part");
	return do_header(in, e);
}

static int
do_area(struct install *in, unsigned index, struct pv_error *e)
{
	int r;

	in->rep->area = index;
	in->rep->offset = 0;
	r = do_begin(in, index, e);
	if (r == 0)
		r = do_data(in, index, e);
	if (r == 0)
		r = do_end(in, index, e);
	if (r != 0)
		return pv_wrap(
		    e, "area %u offset 0x%" PRIx32, index, in->rep->offset);
	in->rep->areas_done = index;
	if (in->f->areas[index - 1].area.type == 'P')
		return do_part(in, e);
	return 0;
}

/* All areas are shown to the chip before the first one erases it. */
static int
do_checks(struct install *in, struct pv_error *e)
{
	uint8_t head[PV_SFI_AREA];
	struct pv_usart_special sp = { .code = PV_SI_CHECK,
		.data = head,
		.len = sizeof(head),
		.timeout_ms = T_HEADER };
	struct si_change c = {
		.sp = &sp, .step = "install", .idempotent = true
	};
	unsigned i;
	int r = 0;

	for (i = 1; r == 0 && i <= in->f->n_areas; i++) {
		pv_sfi_area_encode(&in->f->areas[i - 1].area, head);
		r = pv_install_change(in, &c, e);
		if (r != 0)
			return pv_wrap(e, "area %u", i);
	}
	return r;
}

int
pv_install_run(struct pv_install_file *f, struct pv_usart *u,
    const struct pv_install_options *opt, struct pv_install_report *ret_report,
    struct pv_error *e)
{
	struct install in = { .f = f,
		.u = u,
		.opt = opt,
		.rep = ret_report,
		.wipe_ms = pv_usart_wipe_ms(u),
		.link_usable = true };
	unsigned i;
	int r;

	memset(ret_report, 0, sizeof(*ret_report));
	ret_report->state = PV_DEVICE_UNCHANGED;
	ret_report->step = "connect";
	r = ask_chip(&in, e);
	if (r == 0)
		r = pv_install_fit(f, &ret_report->chip, opt->layout, e);
	if (r == 0)
		r = look_at_earlier(&in, e);
	if (r == 0)
		r = check_open(&in, e);
	if (r != 0)
		return r;
	ret_report->step = "license";
	pv_progress_step(opt->progress, "license");
	r = do_license(&in, e);
	if (r != 0)
		return r;
	ret_report->step = "install";
	pv_progress_step(opt->progress, "install");
	r = do_header(&in, e);
	if (r == 0 && ret_report->resumed_at == 0)
		r = do_checks(&in, e);
	for (i = ret_report->areas_done + 1; r == 0 && i <= f->n_areas; i++)
		r = do_area(&in, i, e);
	if (r == 0)
		r = pv_install_finish(&in, e);
	if (r != 0 && ret_report->state == PV_DEVICE_PARTIAL)
		abandon(&in);
	return r;
}
