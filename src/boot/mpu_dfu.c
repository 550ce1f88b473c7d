/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An STM32MP session over USB DFU: descriptors, GetPhase, detach, and the
 * next stage or enumeration (formats/mpu-boot.md, section 4).
 */
#include "boot/mpu_dfu.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TYPE_DEVICE	0x80U
#define GET_DESCRIPTOR	6U
#define DESC_DEVICE	1U
#define PRODUCT_OFFSET	15U /* iProduct, USB 2.0 section 9.6.1 */
#define FUNCTIONAL_SIZE 5U  /* wTransferSize in it */
#define T_STEP		20  /* ms between two looks */

/* --- descriptors ------------------------------------------------------------------ */

/* "@Device ID /0x500", in every product string of an STM32MP. */
static uint16_t
chip_of(const char *product)
{
	const char *at = strstr(product, "Device ID /0x");

	if (at == NULL)
		return 0;
	return (
	    uint16_t)(strtoul(at + strlen("Device ID /0x"), NULL, 16) & 0xfffU);
}

static int
read_product(struct md *m, struct pv_error *e)
{
	struct pv_usb_setup s = { .type = TYPE_DEVICE,
		.request = GET_DESCRIPTOR,
		.value = DESC_DEVICE << 8,
		.length = 18 };
	uint8_t desc[18] = { 0 };
	uint16_t n = 0;
	int r;

	m->d.transfers++;
	r = m->d.usb->control(
	    m->d.usb->ctx, &s, desc, &n, pv_now_ms() + T_REQUEST, e);
	if (r == 0 && n > PRODUCT_OFFSET)
		r = pv_df_string(
		    &m->d, desc[PRODUCT_OFFSET], m->info.product, e);
	return r;
}

static int
describe(struct md *m, struct pv_error *e)
{
	const struct pv_usb *u = m->d.usb;
	struct pv_mpu_info *i = &m->info;
	int r;

	memset(i, 0, sizeof(*i));
	i->usb = true;
	m->d.alt = PV_USB_ALTS;
	memcpy(i->port, u->port, sizeof(i->port));
	pv_mask(i->serial, sizeof(i->serial), u->serial);
	if (u->functional_len >= FUNCTIONAL_SIZE + 2)
		i->transfer_size =
		    pv_get_u16le(u->functional + FUNCTIONAL_SIZE);
	if (i->transfer_size < MD_PHASE)
		return pv_df_fail(&m->d, PV_E_DEVICE, e,
		    "%s claims a transfer size of %u bytes", u->port,
		    (unsigned int)i->transfer_size);
	r = read_product(m, e);
	for (size_t k = 0; r == 0 && k < u->n_alts; k++) {
		struct pv_mpu_alternate *a = &i->alternates[i->n_alternates++];

		a->number = u->alts[k].number;
		r = pv_df_string(&m->d, u->alts[k].name, a->text, e);
		a->known = r == 0 && pv_mpu_alt_id(a->text, &a->id);
	}
	if (r != 0)
		return pv_df_wrap(&m->d, e);
	i->chip = chip_of(i->product);
	return 0;
}

bool
pv_mpu_usb_is(struct pv_usb *usb)
{
	struct md m = { .d = { .usb = usb, .step = "connect" } };
	struct pv_error ignored = { 0 };

	if (describe(&m, &ignored) != 0)
		return false;
	return pv_mpu_find(&m.info, PV_MPU_COMMAND) != NULL ||
	       (m.info.chip & 0xff0U) == 0x500U;
}

/*
 * The ROM of MP13 and MP2 takes the FSBL on its first alternate setting,
 * whatever that is called; its whole list is not known.
 */
int
pv_md_select(struct md *m, uint8_t id, struct pv_error *e)
{
	const struct pv_mpu_alternate *a = pv_mpu_find(&m->info, id);
	int r;

	if (a == NULL && id == PV_MPU_FSBL && m->info.n_alternates > 0 &&
	    m->info.chip != PV_MPU_MP15 &&
	    pv_mpu_find(&m->info, PV_MPU_OTP) == NULL)
		a = &m->info.alternates[0];
	if (a == NULL)
		return pv_df_fail(&m->d, PV_E_UNSUPPORTED, e,
		    "%s has no alternate setting with /0x%02X/", m->info.port,
		    (unsigned int)id);
	if (m->d.alt == a->number)
		return 0;
	r = m->d.usb->alternate(m->d.usb->ctx, a->number, e);
	if (r != 0)
		return pv_df_wrap(&m->d, e);
	m->d.alt = a->number;
	return 0;
}

/* --- GetPhase ------------------------------------------------------------------------ */

static int
parse_phase(struct md *m, const uint8_t *b, size_t n,
    struct pv_mpu_phase *ret_phase, struct pv_error *e)
{
	struct pv_mpu_phase p = { 0 };

	if (n < MD_PHASE)
		return pv_df_fail(&m->d, PV_E_DEVICE, e,
		    "the answer to GetPhase has %zu bytes, not %u or more", n,
		    MD_PHASE);
	p.id = b[0];
	p.address = pv_get_u32le(b + 1);
	p.offset = pv_get_u32le(b + 5);
	if (p.id == PV_MPU_RESET)
		pv_mpu_text(p.text, b + MD_PHASE, n - MD_PHASE);
	else
		p.detach = n > MD_PHASE && b[MD_PHASE] == 1;
	p.stage = pv_mpu_stage_of(&m->info, p.id, n);
	m->stage = p.stage;
	*ret_phase = p;
	return 0;
}

/* One UPLOAD, whose length tells (M10). */
static int
get_phase(struct md *m, int timeout_ms, struct pv_mpu_phase *ret_phase,
    struct pv_error *e)
{
	uint8_t b[PV_DFU_BLOCK] = { 0 };
	uint16_t n = 0, want;
	int r;

	/* A ROM without a command partition: there is one thing to send. */
	if (pv_mpu_find(&m->info, PV_MPU_COMMAND) == NULL) {
		const uint8_t rom[MD_PHASE] = { PV_MPU_FSBL, 0xff, 0xff, 0xff,
			0xff };

		return parse_phase(m, rom, sizeof(rom), ret_phase, e);
	}
	r = pv_md_select(m, PV_MPU_COMMAND, e);
	if (r != 0)
		return r;
	want = m->info.transfer_size < sizeof(b) ? m->info.transfer_size
						 : (uint16_t)sizeof(b);
	r = pv_df_request(
	    &m->d, DFU_TYPE_IN, DFU_UPLOAD, 0, b, want, &n, timeout_ms, e);
	if (r != 0)
		return pv_df_wrap(&m->d, e);
	r = parse_phase(m, b, n, ret_phase, e);
	/* U-Boot resets after 0xff; all others are to be idle again. */
	if (r == 0 && ret_phase->id != PV_MPU_RESET)
		r = pv_df_idle(&m->d, e);
	return r;
}

static int
usb_phase(void *ctx, struct pv_mpu_phase *ret_phase, struct pv_error *e)
{
	struct md *m = ctx;
	int r = 0;

	if (m->heard) {
		m->heard = false;
		*ret_phase = m->last;
		return 0;
	}
	pv_df_step(&m->d, "phase");
	for (unsigned int attempt = 1; attempt <= ATTEMPTS; attempt++) {
		r = get_phase(m, T_REQUEST, ret_phase, e);
		if (r == 0) {
			m->last = *ret_phase;
			return 0;
		}
		if (r == PV_E_LINK || r == PV_E_INTERRUPTED ||
		    attempt == ATTEMPTS || pv_df_idle(&m->d, NULL) != 0)
			break;
		m->d.retries++;
		pv_progress_retry(m->d.progress, m->d.step, 0, e->msg);
	}
	return r;
}

/* --- leaving and coming back ------------------------------------------------------------ */

/* DETACH, and the device is gone or has said nothing for a while (M12). */
static int
usb_leave(void *ctx, struct pv_error *e)
{
	struct md *m = ctx;
	int64_t until;
	struct dfu_status s;
	int r;

	pv_df_step(&m->d, "detach");
	r = pv_df_request(
	    &m->d, DFU_TYPE_OUT, DFU_DETACH, 1000, NULL, 0, NULL, T_REQUEST, e);
	if (r == PV_E_NACK)
		return pv_df_wrap(&m->d, e);
	m->gone = r == PV_E_LINK;
	until = pv_now_ms() + T_MD_LEAVE;
	while (!m->gone && pv_ms_left(until) > 0) {
		r = pv_df_wait(&m->d, T_STEP, e);
		if (r != 0)
			return r;
		r = pv_df_getstatus(&m->d, &s, T_MD_LOOK, e);
		m->gone = r == PV_E_LINK || r == PV_E_TIMEOUT;
	}
	pv_error_clear(e);
	return 0;
}

/* Wait for it at its bus-port; with another serial it is another one. */
static int
come_back(struct md *m, int64_t deadline, struct pv_error *e)
{
	char serial[PV_USB_TEXT];
	uint16_t chip = m->info.chip;
	int r;

	memcpy(serial, m->info.serial, sizeof(serial));
	r = m->d.usb->reopen(m->d.usb, deadline, e);
	if (r == 0)
		r = describe(m, e);
	if (r != 0)
		return r;
	m->gone = false;
	if (serial[0] != '\0' && strcasecmp(serial, m->info.serial) != 0) {
		(void)pv_df_fail(&m->d, PV_E_DEVICE, e,
		    "another device came back on %s: serial %.40s was %.40s",
		    m->info.port, m->info.serial, serial);
		return pv_hint(
		    e, "was the board exchanged? Push again, for this one");
	}
	if (chip != 0 && m->info.chip != 0 && chip != m->info.chip)
		return pv_df_fail(&m->d, PV_E_DEVICE, e,
		    "another chip came back on %s: 0x%03x was 0x%03x",
		    m->info.port, m->info.chip, chip);
	m->counters.restarts++;
	return pv_df_idle(&m->d, e);
}

/*
 * TF-A on MP15 keeps the enumeration of the ROM, so that a change of phase is
 * the only sign; everywhere else the device leaves the bus.
 */
static int
usb_next(void *ctx, int timeout_ms, bool *ret_restarted, struct pv_error *e)
{
	struct md *m = ctx;
	int64_t deadline = pv_now_ms() + timeout_ms;
	struct pv_mpu_phase before = m->last, p = { 0 };
	struct pv_error last = { 0 };
	bool back = false;
	int r;

	pv_df_step(&m->d, "wait");
	m->heard = false;
	*ret_restarted = false;
	do {
		pv_error_clear(&last);
		r = 0;
		if (m->gone) {
			r = come_back(m, deadline, &last);
			back = back || r == 0;
		}
		if (r == 0)
			r = get_phase(m, T_MD_LOOK, &p, &last);
		if (r == 0 && (back || p.id != before.id ||
				  p.address != before.address)) {
			m->heard = p.id == PV_MPU_RESET;
			m->last = p;
			*ret_restarted = back && p.stage == PV_MPU_STAGE_ROM;
			return 0;
		}
		if (r == PV_E_DEVICE || r == PV_E_INTERRUPTED) {
			*e = last;
			return r;
		}
		m->gone = m->gone || r == PV_E_LINK;
		r = pv_df_wait(&m->d, T_STEP, e);
		if (r != 0)
			return r;
	} while (pv_ms_left(deadline) > 0);
	if (last.code != 0)
		*e = last;
	else
		(void)pv_df_fail(&m->d, PV_E_TIMEOUT, e,
		    "the device stays in phase 0x%02x", (unsigned)before.id);
	return e->code;
}

/* --- the session ----------------------------------------------------------------------- */

static const struct pv_mpu_info *
usb_info(void *ctx)
{
	return &((struct md *)ctx)->info;
}

static const struct pv_mpu_counters *
usb_counters(void *ctx)
{
	struct md *m = ctx;

	m->counters.retries = m->d.retries;
	m->counters.transfers = m->d.transfers;
	return &m->counters;
}

static void
usb_free(void *ctx)
{
	free(ctx);
}

int
pv_mpu_dfu_open(struct pv_usb *usb, const struct pv_progress *progress,
    struct pv_mpu *ret_m, struct pv_error *e)
{
	struct md *m = calloc(1, sizeof(*m));
	int r;

	if (m == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	m->d.usb = usb;
	m->d.progress = progress;
	pv_df_step(&m->d, "connect");
	pv_progress_step(progress, "connect");
	r = describe(m, e);
	if (r == 0)
		r = pv_df_idle(&m->d, e);
	if (r != 0) {
		free(m);
		return r;
	}
	*ret_m = (struct pv_mpu){
		.ctx = m,
		.info = usb_info,
		.counters = usb_counters,
		.phase = usb_phase,
		.download = pv_md_download,
		.read = pv_md_read,
		.leave = usb_leave,
		.next = usb_next,
		.free = usb_free,
	};
	return 0;
}
