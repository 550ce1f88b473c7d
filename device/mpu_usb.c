/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DFU 1.1 of an STM32MP's stages: one state machine, and what each stage does
 * with blocks and manifestation. TF-A: lib/usb/usb_st_dfu.c (2.2),
 * plat/st/common/usb_dfu.c and stm32cubeprogrammer_usb.c (2.4, 2.8).
 */
#include "device/mpu_usb.h"

#include "base/buf.h"

#include <string.h>

enum {
	IDLE = 2,
	DNLOAD_SYNC = 3,
	DNLOAD_IDLE = 5,
	MANIFEST_SYNC = 6,
	MANIFEST = 7,
	UPLOAD_IDLE = 9,
	ERROR = 10,
};
enum {
	OK = 0x00,
	ERR_TARGET = 0x01,
	ERR_WRITE = 0x03,
	ERR_FIRMWARE = 0x0a,
	ERR_UNKNOWN = 0x0e,
	ERR_STALLEDPKT = 0x0f,
};
enum {
	DETACH = 0,
	DNLOAD = 1,
	UPLOAD = 2,
	GETSTATUS = 3,
	CLRSTATUS = 4,
	GETSTATE = 5,
	ABORT = 6,
};

#define MANIFEST_MS 1U
#define PMIC_LEN    8U

static enum pv_dd_end
fail(struct pv_mp *m, uint8_t status)
{
	m->usb.state = ERROR;
	m->usb.status = status;
	return PV_DD_STALL;
}

/* Off the bus, and on again with what the stage then has. */
static void
leave(struct pv_mp *m)
{
	m->usb_left = true;
}

static void
reset(struct pv_mp *m)
{
	pv_mp_reset(m);
	leave(m);
}

static uint8_t
alt_id(const struct pv_mp *m)
{
	struct pv_mp_alt a;

	return pv_mp_usb_alt(m, m->usb.alt, &a) ? a.id : PV_MP_RESET;
}

static bool
is_tfa(const struct pv_mp *m)
{
	return m->stage == PV_MP_TFA_SSP || m->stage == PV_MP_TFA;
}

/* On MP15 the blob goes to the alternate setting called 0x00. */
static bool
carries_ssp(const struct pv_mp *m, uint8_t id)
{
	return m->stage == PV_MP_TFA_SSP &&
	       id == (m->config->chip.key_table ? PV_MP_SSP : PV_MP_LAYOUT);
}

/* --- upload ------------------------------------------------------------------- */

static void
put_phase(uint8_t *b, uint8_t phase, uint32_t address)
{
	b[0] = phase;
	pv_put_u32le(b + 1, address);
	pv_put_u32le(b + 5, 0);
}

static size_t
phase_tfa(const struct pv_mp *m, uint8_t *b)
{
	bool wants_blob = m->phase == PV_MP_SSP;
	size_t n = 9;

	if (m->phase == PV_MP_RESET) {
		size_t len = strlen(m->text);

		put_phase(b, m->phase, PV_MP_NONE);
		/* Without its last character, which is an end of line. */
		if (len > 0)
			memcpy(b + n, m->text, len - 1);
		return len > 0 ? n + len - 1 : n;
	}
	if (wants_blob && !m->config->chip.key_table)
		put_phase(b, PV_MP_LAYOUT, m->base + m->received);
	else
		put_phase(b, m->phase,
		    m->base == PV_MP_NONE ? m->base : m->base + m->received);
	if (m->phase == PV_MP_LAYOUT && m->base == PV_MP_NONE)
		b[n++] = 1; /* detach me */
	return n;
}

static size_t
phase_uboot(struct pv_mp *m, uint8_t *b)
{
	const char *text = m->text[0] != '\0' ? m->text : "Unspecified";
	size_t n = 9, len = strlen(text);

	put_phase(b, m->phase, m->phase == PV_MP_LAYOUT ? m->base : PV_MP_NONE);
	if (m->phase == PV_MP_LAYOUT)
		b[n++] = m->uboot.n_parts > 0 ? 1 : 0;
	if (m->phase == PV_MP_RESET) {
		/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): bytes */
		memcpy(b + n, text, len);
		n += len;
		m->usb.pending = PV_MP_PENDING_RESET;
	}
	return n;
}

static size_t
phase_bytes(struct pv_mp *m, uint8_t *b)
{
	if (is_tfa(m))
		return phase_tfa(m, b);
	if (m->stage == PV_MP_UBOOT)
		return phase_uboot(m, b);
	put_phase(b, m->phase, m->base);
	return 9;
}

static size_t
cert_bytes(const struct pv_mp *m, uint8_t *b)
{
	put_phase(b,
	    m->config->chip.key_table ? m->phase : (uint8_t)PV_MP_LAYOUT,
	    PV_MP_CERT_ADDR);
	if (!m->has_cert)
		return 9;
	memcpy(b + 9, m->cert, PV_MP_CERT);
	return 9 + PV_MP_CERT;
}

/* "phase ID :243, alternate 1 for phase 1\n" */
static enum pv_dd_end
wrong_alternate(struct pv_mp *m, uint8_t id)
{
	char text[PV_MP_TEXT] = "phase ID :";

	pv_mp_text_number(text, m->phase, 10);
	pv_mp_text(text, ", alternate ");
	pv_mp_text_number(text, m->usb.alt, 10);
	pv_mp_text(text, " for phase ");
	pv_mp_text_number(text, id, 10);
	pv_mp_text(text, "\n");
	pv_mp_error(m, text);
	return fail(m, ERR_UNKNOWN);
}

/* A partition of U-Boot, from its start, block after block. */
static int
upload_part(struct pv_mp *m, uint8_t id, uint8_t *data, size_t len, size_t *ret)
{
	const struct pv_mp_storage *s = &m->port->storage;
	uint32_t at = m->usb.upload_at;

	switch (id) {
	case PV_MP_OTP:
		return pv_mp_otp_read(m, at, data, len, ret);
	case PV_MP_PMIC:
		*ret = at < PMIC_LEN ? PMIC_LEN - at : 0;
		if (*ret > len)
			*ret = len;
		memcpy(data, s->pmic + (at < PMIC_LEN ? at : 0), *ret);
		return 0;
	case PV_MP_LAYOUT:
		return -1;
	default:
		return pv_mp_uboot_read(m, id, at, data, len, ret);
	}
}

static enum pv_dd_end
upload(struct pv_mp *m, const struct pv_dd_setup *s, uint8_t *data,
    size_t *ret_len)
{
	uint8_t b[9 + PV_MP_TEXT], id = alt_id(m);
	size_t n = 0;

	if ((m->usb.state != IDLE && m->usb.state != UPLOAD_IDLE) ||
	    s->length > PV_MP_USB_BLOCK)
		return fail(m, ERR_STALLEDPKT);
	if (m->stage == PV_MP_TFA_SSP && m->generation == PV_MP_TFA_2_2 &&
	    s->value != 0)
		return fail(m, ERR_STALLEDPKT);
	if (s->value == 0 || m->usb.state == IDLE)
		m->usb.upload_at = 0;
	if (id == PV_MP_CMD) {
		/* One block of U-Boot's; TF-A begins anew with each. */
		if (is_tfa(m) || m->usb.upload_at == 0)
			n = phase_bytes(m, b);
	} else if (carries_ssp(m, id)) {
		n = cert_bytes(m, b);
	} else if (m->stage == PV_MP_UBOOT) {
		if (upload_part(m, id, data, s->length, &n) != 0)
			return fail(m, ERR_UNKNOWN);
	} else {
		return is_tfa(m) ? wrong_alternate(m, id) : fail(m, ERR_TARGET);
	}
	if (n > s->length)
		n = s->length;
	if (id == PV_MP_CMD || carries_ssp(m, id))
		memcpy(data, b, n);
	*ret_len = n;
	m->usb.upload_at += (uint32_t)n;
	m->usb.state = n < s->length ? IDLE : UPLOAD_IDLE;
	return PV_DD_DONE;
}

/* --- download ------------------------------------------------------------------ */

static uint8_t
store_rom(struct pv_mp *m, uint8_t id, const uint8_t *data, size_t len)
{
	if (id != PV_MP_FSBL)
		return ERR_TARGET;
	if (len > m->room - m->received)
		return ERR_WRITE;
	memcpy(m->port->ram + m->received, data, len);
	m->received += (uint32_t)len;
	return OK;
}

static uint8_t
store_tfa(struct pv_mp *m, uint8_t id, const uint8_t *data, size_t len)
{
	uint8_t *to =
	    m->stage == PV_MP_TFA_SSP ? m->mailbox.blob : m->port->ddr;
	bool right =
	    carries_ssp(m, id) ? m->phase == PV_MP_SSP : id == m->phase;

	if (!right || m->base == PV_MP_NONE) {
		(void)wrong_alternate(m, id);
		return ERR_UNKNOWN;
	}
	if (len > m->room - m->received)
		return ERR_UNKNOWN;
	memcpy(to + m->received, data, len);
	m->received += (uint32_t)len;
	return OK;
}

/* SetPhase: phase, offset; with 0xFF and an address: a jump. */
static uint8_t
set_phase(struct pv_mp *m, const uint8_t *data, size_t len)
{
	if (len < 5)
		return ERR_STALLEDPKT;
	if (data[0] == PV_MP_RESET && pv_get_u32be(data + 1) != PV_MP_NONE)
		m->usb.pending = PV_MP_PENDING_JUMP;
	else if (data[0] == PV_MP_RESET || data[0] == PV_MP_END)
		m->phase = data[0];
	else if (pv_mp_uboot_part(m, data[0]) != NULL)
		pv_mp_ask(m, data[0], PV_MP_NONE, 0);
	else
		return ERR_STALLEDPKT;
	return OK;
}

static uint8_t
store_uboot(struct pv_mp *m, uint8_t id, const uint8_t *data, size_t len)
{
	const struct pv_mp_storage *s = &m->port->storage;
	struct pv_mp_uboot *u = &m->uboot;
	uint32_t at = u->cursor;
	int r;

	u->cursor += (uint32_t)len;
	switch (id) {
	case PV_MP_CMD:
		return set_phase(m, data, len);
	case PV_MP_OTP:
		r = pv_mp_otp_write(m, at, data, len);
		break;
	case PV_MP_PMIC:
		r = at < PMIC_LEN ? 0 : -1;
		if (r == 0)
			memcpy(u->pmic + at, data,
			    len < PMIC_LEN - at ? len : PMIC_LEN - at);
		break;
	default:
		/* Any partition may be written, asked for or not. */
		if (id == m->phase)
			r = pv_mp_uboot_write(m, data, len);
		else if (pv_mp_uboot_part(m, id) == NULL)
			r = -1;
		else
			r = s->write(s->ctx, id, at, data, len);
		break;
	}
	return r == 0 ? OK : ERR_WRITE;
}

static enum pv_dd_end
dnload(struct pv_mp *m, const struct pv_dd_setup *s, const uint8_t *data)
{
	uint8_t id = alt_id(m), status;

	if ((m->usb.state != IDLE && m->usb.state != DNLOAD_IDLE) ||
	    s->length > PV_MP_USB_BLOCK)
		return fail(m, ERR_STALLEDPKT);
	if (m->usb.state == IDLE) {
		if (s->length == 0)
			return fail(m, ERR_STALLEDPKT);
		m->uboot.cursor = 0;
		/* TF-A goes on where it was. */
		if (!is_tfa(m)) {
			m->received = 0;
			m->usb.complete = false;
		}
	}
	if (s->length == 0) {
		m->usb.state = MANIFEST_SYNC;
		return PV_DD_DONE;
	}
	if (m->stage == PV_MP_ROM)
		status = store_rom(m, id, data, s->length);
	else if (m->stage == PV_MP_UBOOT)
		status = store_uboot(m, id, data, s->length);
	else
		status = store_tfa(m, id, data, s->length);
	if (status != OK)
		return fail(m, status);
	m->usb.state = DNLOAD_SYNC;
	return PV_DD_DONE;
}

/* --- manifestation --------------------------------------------------------------- */

static uint8_t
manifest_rom(struct pv_mp *m, uint8_t id)
{
	struct pv_mp_image im;

	if (id != PV_MP_FSBL)
		return ERR_TARGET;
	if (m->config->rom_abort &&
	    pv_mp_image_parse(m->port->ram, m->received,
		m->config->chip.header_major, &im) != NULL)
		return ERR_FIRMWARE;
	/* MP15 starts it by itself, MP13 when it is detached. */
	m->usb.complete = true;
	if (!m->config->chip.key_table)
		m->usb.pending = PV_MP_PENDING_START;
	return OK;
}

static uint8_t
manifest_tfa(struct pv_mp *m, uint8_t id)
{
	bool right =
	    carries_ssp(m, id) ? m->phase == PV_MP_SSP : id == m->phase;

	if (!right)
		return ERR_UNKNOWN;
	if (m->stage == PV_MP_TFA && !pv_mp_tfa_fip(m))
		return ERR_UNKNOWN;
	m->usb.complete = true;
	m->phase = PV_MP_LAYOUT;
	m->base = PV_MP_NONE;
	return OK;
}

static uint8_t
manifest_uboot(struct pv_mp *m, uint8_t id)
{
	const struct pv_mp_storage *s = &m->port->storage;
	int r = 0;

	if (id == PV_MP_OTP) {
		r = pv_mp_otp_start(m);
	} else if (id == PV_MP_PMIC) {
		memcpy(s->pmic, m->uboot.pmic, PMIC_LEN);
		r = s->pmic_burn(s->ctx);
	} else if (id == m->phase) {
		r = pv_mp_uboot_flush(m);
	}
	return r == 0 ? OK : ERR_UNKNOWN;
}

static void
manifest(struct pv_mp *m)
{
	uint8_t id = alt_id(m), status;

	if (m->stage == PV_MP_ROM)
		status = manifest_rom(m, id);
	else if (m->stage == PV_MP_UBOOT)
		status = manifest_uboot(m, id);
	else
		status = manifest_tfa(m, id);
	m->usb.state = status == OK ? MANIFEST : ERROR;
	m->usb.status = status;
}

static enum pv_dd_end
getstatus(struct pv_mp *m, uint8_t *data, size_t cap, size_t *ret_len)
{
	uint8_t b[6] = { 0 };

	switch (m->usb.state) {
	case DNLOAD_SYNC:
		/* TF-A tells the state it was in, not the one it enters. */
		b[4] = is_tfa(m) ? DNLOAD_SYNC : DNLOAD_IDLE;
		m->usb.state = DNLOAD_IDLE;
		break;
	case MANIFEST_SYNC:
		manifest(m);
		b[1] = m->usb.state == MANIFEST ? MANIFEST_MS : 0;
		b[4] = m->usb.state;
		break;
	case MANIFEST:
		m->usb.state = IDLE;
		b[4] = IDLE;
		break;
	default:
		b[4] = m->usb.state;
		break;
	}
	b[0] = m->usb.status;
	*ret_len = cap < sizeof b ? cap : sizeof b;
	memcpy(data, b, *ret_len);
	return PV_DD_DONE;
}

/* --- detach, and what waits for the next transfer ---------------------------------- */

static void
start_image(struct pv_mp *m)
{
	if (!pv_mp_rom_start(m))
		pv_mp_enter(m, PV_MP_DEAD);
}

static void
detach(struct pv_mp *m)
{
	switch (m->stage) {
	case PV_MP_ROM:
		if (m->usb.complete)
			start_image(m);
		else
			pv_mp_reset(m);
		break;
	case PV_MP_TFA_SSP:
		pv_mp_ssp_finish(m);
		break;
	case PV_MP_TFA:
		if (m->usb.complete)
			pv_mp_tfa_start(m);
		else
			pv_mp_reset(m);
		break;
	case PV_MP_UBOOT:
		if (m->phase == PV_MP_RESET || m->phase == PV_MP_END)
			pv_mp_reset(m);
		else if (m->uboot.layout_done)
			pv_mp_uboot_devices(m);
		break;
	case PV_MP_DEAD:
		return;
	}
	leave(m);
}

static void
run_pending(struct pv_mp *m)
{
	enum pv_mp_pending what = m->usb.pending;

	m->usb.pending = PV_MP_PENDING_NONE;
	switch (what) {
	case PV_MP_PENDING_START:
		start_image(m);
		break;
	case PV_MP_PENDING_RESET:
		reset(m);
		break;
	case PV_MP_PENDING_JUMP:
		pv_mp_enter(m, PV_MP_DEAD);
		break;
	case PV_MP_PENDING_NONE:
		break;
	}
}

/* --- requests ------------------------------------------------------------------------ */

static enum pv_dd_end
class_request(struct pv_mp *m, const struct pv_dd_setup *s, uint8_t *data,
    size_t *ret_len)
{
	bool in = (s->type & 0x80U) != 0;

	switch (s->request) {
	case DETACH:
		detach(m);
		return PV_DD_DONE;
	case DNLOAD:
		*ret_len = s->length;
		return in ? fail(m, ERR_STALLEDPKT) : dnload(m, s, data);
	case UPLOAD:
		return in ? upload(m, s, data, ret_len)
			  : fail(m, ERR_STALLEDPKT);
	case GETSTATUS:
		return in ? getstatus(m, data, s->length, ret_len)
			  : PV_DD_STALL;
	case CLRSTATUS:
		if (m->usb.state != ERROR)
			return fail(m, ERR_STALLEDPKT);
		m->usb.state = IDLE;
		m->usb.status = OK;
		return PV_DD_DONE;
	case GETSTATE:
		if (!in || s->length < 1)
			return PV_DD_STALL;
		data[0] = m->usb.state;
		*ret_len = 1;
		return PV_DD_DONE;
	case ABORT:
		if (m->usb.state == ERROR)
			return fail(m, ERR_STALLEDPKT);
		m->usb.state = IDLE;
		return PV_DD_DONE;
	default:
		return PV_DD_STALL;
	}
}

enum pv_dd_end
pv_mp_usb_transfer(struct pv_mp *m, const struct pv_dd_setup *s, uint8_t *data,
    size_t *ret_len)
{
	struct pv_usb_face face;
	enum pv_dd_end end;
	bool after_manifest = m->usb.state == MANIFEST &&
			      (s->type & 0x60U) == 0x20U &&
			      s->request == GETSTATUS;

	*ret_len = 0;
	/* The status that ends a manifestation is still the old stage's. */
	if (m->usb.pending != PV_MP_PENDING_NONE && !after_manifest)
		run_pending(m);
	if (m->stage == PV_MP_DEAD || m->usb_left)
		return PV_DD_SILENT;
	if ((s->type & 0x60U) == 0x20U) {
		end = class_request(m, s, data, ret_len);
	} else {
		pv_mp_usb_face(m, &face);
		end = pv_usb_standard(&face, &m->usb.alt, &m->usb.configuration,
		    s, data, ret_len);
	}
	if (end != PV_DD_DONE)
		*ret_len = 0;
	return end;
}
