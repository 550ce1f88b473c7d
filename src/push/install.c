/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of a secure install: what goes in which order, how far it
 * got, and what the chip holds when it ends.
 */
#include "push/exchange.h"
#include "push/package_file.h"

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
#define T_LICENSE	10000 /* elliptic-curve arithmetic in software */
#define T_HEADER	3000
#define T_AREA		10000 /* erasing a sector, programming a packet */
#define T_FINISH	60000 /* reading everything back, option bytes */
#define T_ABORT		10000
#define T_RESTART	1000 /* to come back in the bootloader */
#define FINISH_ATTEMPTS 3U

struct install {
	struct pv_install_file *f;
	struct pv_usart *u;
	const struct pv_install_options *opt;
	struct pv_install_report *rep;
	uint16_t result;  /* of the last refusal, PV_SI_E_* */
	int wipe_ms;	  /* erasing all of flash */
	bool begun;	  /* the first area was announced */
	bool link_usable; /* the device still listens */
};

/* --- what is left behind ------------------------------------------------------ */

/* From a device's own word. */
static void
settle(struct install *in, uint8_t si_state)
{
	switch (si_state) {
	case PV_SI_STATE_BROKEN:
		in->rep->state = PV_DEVICE_BROKEN;
		break;
	case PV_SI_STATE_IDLE: /* it refused the first area: not begun */
		in->rep->state = PV_DEVICE_UNCHANGED;
		break;
	case PV_SI_STATE_FAILED:
		in->rep->state =
		    in->begun ? PV_DEVICE_ERASED : PV_DEVICE_UNCHANGED;
		break;
	default:
		break;
	}
}

static int
change(struct install *in, struct si_change *c, struct pv_error *e)
{
	struct si_status st = { 0 };
	int r;

	if (pv_progress_cancelled(in->opt->progress))
		return pv_fail(e, PV_E_INTERRUPTED, "%s: stopped", c->step);
	st.state = PV_SI_STATE_IDLE;
	r = pv_si_change(in->u, c, &st, e);
	in->link_usable = c->sp->usable;
	in->result = st.result;
	if (r != 0 && st.result != PV_SI_OK)
		settle(in, st.state);
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
	settle(in, rep.last.state);
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

/* In the flash that the chip has, also through a secure alias of it. */
static bool
in_flash(const struct install *in, const struct pv_sfi_area *a)
{
	const struct pv_install_chip *chip = &in->rep->chip;
	uint32_t at = a->address;

	if (in->opt->layout != NULL &&
	    !pv_chip_in_flash(in->opt->layout, at, a->size, &at))
		at = a->address;
	return at >= chip->flash_base && a->size <= chip->flash_size &&
	       at - chip->flash_base <= chip->flash_size - a->size;
}

/* What would be refused after a license was spent is refused before. */
static int
check_fit(struct install *in, struct pv_error *e)
{
	const struct pv_install_chip *chip = &in->rep->chip;
	const struct pv_sfi_area *a;
	size_t i;

	if (in->f->n_areas > PV_SI_AREAS_MAX)
		return pv_fail(e, PV_E_RANGE,
		    "the package has %zu areas, a chip takes %u",
		    (size_t)in->f->n_areas, PV_SI_AREAS_MAX);
	for (i = 0; i < in->f->n_areas; i++) {
		a = &in->f->areas[i].area;
		if (a->type == 'C') {
			if (a->size == chip->option_bytes)
				continue;
			return pv_fail(e, PV_E_VERIFY,
			    "package area %zu has %" PRIu32
			    " option bytes, the chip takes %" PRIu32,
			    i + 1, a->size, chip->option_bytes);
		}
		if (in_flash(in, a))
			continue;
		(void)pv_fail(e, PV_E_VERIFY,
		    "package area %zu, 0x%08" PRIx32 " and %" PRIu32
		    " bytes, is not in the chip's flash (0x%08" PRIx32
		    ", %" PRIu32 " KiB)",
		    i + 1, a->address, a->size, chip->flash_base,
		    chip->flash_size / 1024U);
		return pv_hint(
		    e, "the package is damaged, or was made for another chip");
	}
	return 0;
}

/* An earlier host may have left the agent in the middle of an install. */
static int
clear_earlier(struct install *in, struct pv_error *e)
{
	struct pv_usart_special sp = { .code = PV_SI_ABORT,
		.timeout_ms = T_ABORT + in->wipe_ms };
	struct si_change c = { .sp = &sp, .step = "abort", .idempotent = true };
	uint8_t s = in->rep->chip.state;
	int r;

	if (s != PV_SI_STATE_LICENSED && s != PV_SI_STATE_READY &&
	    s != PV_SI_STATE_AREA && s != PV_SI_STATE_BROKEN)
		return 0;
	pv_log(PV_LOG_INFO, "an unfinished install is dropped first");
	r = change(in, &c, e);
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
 * Read-protected, a chip answers questions and takes no license; an install
 * that closed it leaves it so.
 */
static int
check_open(struct install *in, struct pv_error *e)
{
	bool closed = false;
	int r;

	if (!pv_usart_has(in->u, PV_OP_READ))
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

	return change(in, &c, e);
}

static int
do_license(struct install *in, struct pv_error *e)
{
	struct pv_install_license l = { 0 };
	bool refused = false;
	int r;

	for (;;) {
		r = in->opt->license(
		    in->opt->ctx, &in->rep->chip, refused, &l, e);
		if (r != 0)
			return r;
		if (l.len > sizeof(l.data))
			return pv_fail(e, PV_E_INTERNAL, "license too long");
		r = send_license(in, &l, e);
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
	       rep->last.result == PV_SI_OK && rep->areas_done == 0;
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

	return change(in, &c, e) == 0 ? 0 : pv_wrap(e, "package header");
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
	return change(in, &c, e);
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
		r = change(in, &c, e);
		if (r != 0)
			return r;
		in->rep->offset = at + n;
		in->rep->sent += n;
		pv_progress_at(
		    in->opt->progress, "install", in->rep->sent, in->f->size);
	}
	return 0;
}

static int
do_area(struct install *in, unsigned index, struct pv_error *e)
{
	uint8_t number[2];
	struct pv_usart_special sp = { .code = PV_SI_AREA_END,
		.data = number,
		.len = sizeof(number),
		.timeout_ms = T_AREA + in->wipe_ms };
	struct si_change c = {
		.sp = &sp, .step = "install", .idempotent = true
	};
	int r;

	in->rep->area = index;
	in->rep->offset = 0;
	r = do_begin(in, index, e);
	if (r == 0)
		r = do_data(in, index, e);
	if (r == 0) {
		pv_put_u16le(number, (uint16_t)index);
		r = change(in, &c, e);
	}
	if (r != 0)
		return pv_wrap(
		    e, "area %u offset 0x%" PRIx32, index, in->rep->offset);
	in->rep->areas_done = index;
	return 0;
}

/* The chip restarts after finish: ask it again what it is and holds. */
static int
look_again(struct install *in, struct si_report *ret_rep, uint8_t *ret_state,
    struct pv_error *e)
{
	struct pv_install_chip now;
	int r;

	r = pv_usart_reconnect(in->u, T_RESTART, e);
	if (r == 0)
		r = pv_si_info(in->u, &now, e);
	if (r == 0)
		r = pv_si_report(in->u, ret_rep, e);
	if (r != 0)
		return r;
	if (memcmp(now.product_id, in->rep->chip.product_id, 8) != 0)
		return pv_fail(
		    e, PV_E_DEVICE, "another chip came back after the restart");
	*ret_state = now.state;
	return 0;
}

/* Its own word, once more, where it comes back in the bootloader. */
static int
confirm(struct install *in, struct pv_error *e)
{
	struct pv_error ignored = { 0 };
	struct si_report rep;
	uint8_t state;
	int r;

	r = look_again(in, &rep, &state, &ignored);
	if (r == PV_E_TIMEOUT || r == PV_E_LINK)
		return 0; /* it runs its program: the answer stands */
	if (r != 0) {
		in->rep->state = PV_DEVICE_UNKNOWN;
		if (e != NULL)
			*e = ignored;
		return pv_wrap(e, "asking the chip after its restart");
	}
	if (state == PV_SI_STATE_FAILED || state == PV_SI_STATE_BROKEN) {
		settle(in, state);
		return pv_fail(e, PV_E_VERIFY,
		    "the chip failed the install after its restart");
	}
	in->rep->answered = true;
	in->rep->state = PV_DEVICE_DONE;
	return 0;
}

/* The device answered finish, and not with "done". */
static int
finish_refused(
    struct install *in, const struct pv_usart_special *sp, struct pv_error *e)
{
	struct si_status st = { .state = PV_SI_STATE_IDLE };

	if (sp->status_len != PV_SI_STATUS_LEN)
		return pv_fail(e, PV_E_DEVICE, "finish: status of %zu bytes",
		    sp->status_len);
	st.state = sp->status[0];
	st.result = pv_get_u16le(sp->status + 2);
	settle(in, st.state);
	if (st.result == PV_SI_OK)
		return pv_fail(
		    e, PV_E_DEVICE, "finish ended in state %u", st.state);
	return pv_si_refusal(&st, e);
}

/* No answer to finish came: what happened? *ret_again: it was not done. */
static int
finish_lost(struct install *in, bool *ret_again, struct pv_error *e)
{
	struct si_report rep;
	uint8_t state;

	*ret_again = false;
	in->rep->state = PV_DEVICE_UNKNOWN;
	if (look_again(in, &rep, &state, e) != 0)
		return pv_wrap(e, "the answer to finish was lost");
	if (state == PV_SI_STATE_DONE) {
		in->rep->answered = true;
		in->rep->state = PV_DEVICE_DONE;
		return 0;
	}
	if (state == PV_SI_STATE_READY) {
		in->rep->state = PV_DEVICE_PARTIAL;
		*ret_again = true;
		return 0;
	}
	settle(in, state == PV_SI_STATE_IDLE ? PV_SI_STATE_DONE : state);
	(void)pv_fail(e, PV_E_DEVICE,
	    "the answer to finish was lost and the chip does not say that it "
	    "is done (state %u)",
	    state);
	return pv_hint(e, "push again");
}

static int
do_finish(struct install *in, struct pv_error *e)
{
	struct pv_usart_special sp = { .code = PV_SI_FINISH,
		.timeout_ms = T_FINISH + in->wipe_ms,
		.ends_session = true };
	unsigned attempt;
	bool once_more;
	int r;

	in->rep->step = "finish";
	in->rep->area = 0;
	pv_progress_step(in->opt->progress, "finish");
	for (attempt = 1; attempt <= FINISH_ATTEMPTS; attempt++) {
		r = pv_usart_special(in->u, &sp, e);
		/* Only the ACK behind a whole status may be missing. */
		if (sp.status_len == PV_SI_STATUS_LEN &&
		    sp.status[0] == PV_SI_STATE_DONE &&
		    pv_get_u16le(sp.status + 2) == PV_SI_OK) {
			in->rep->state = PV_DEVICE_DONE;
			return r == PV_E_LINK ? 0 : confirm(in, e);
		}
		if (r == 0)
			return finish_refused(in, &sp, e);
		if (r == PV_E_LINK) {
			in->rep->state = PV_DEVICE_UNKNOWN;
			return pv_wrap(e, "finish");
		}
		pv_usart_count_retry(
		    in->u, "finish", 0, e != NULL ? e->msg : "no answer");
		r = finish_lost(in, &once_more, e);
		if (r != 0 || !once_more)
			return r;
	}
	return pv_fail(e, PV_E_DEVICE, "finish was lost %u times in a row",
	    FINISH_ATTEMPTS);
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
		r = check_fit(&in, e);
	if (r == 0)
		r = clear_earlier(&in, e);
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
	for (i = 1; r == 0 && i <= f->n_areas; i++)
		r = do_area(&in, i, e);
	if (r == 0)
		r = do_finish(&in, e);
	if (r != 0 && ret_report->state == PV_DEVICE_PARTIAL)
		abandon(&in);
	return r;
}
