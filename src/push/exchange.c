/* SPDX-License-Identifier: Apache-2.0 */
#include "push/exchange.h"

#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#define ATTEMPTS 5U
#define T_QUERY	 2000 /* ms: nothing to do but answer */

/* --- results ----------------------------------------------------------------- */

static const struct {
	uint16_t result;
	int code;
	const char *text;
} results[] = {
	{ PV_SI_E_SEQUENCE, PV_E_DEVICE, "step not allowed in its state" },
	{ PV_SI_E_LENGTH, PV_E_DEVICE, "packet of the wrong length" },
	{ PV_SI_E_LICENSE_FORMAT, PV_E_VERIFY, "license is not well formed" },
	{ PV_SI_E_LICENSE_SIGNATURE, PV_E_VERIFY,
	    "license signature does not verify under the campaign key" },
	{ PV_SI_E_LICENSE_KEY, PV_E_VERIFY,
	    "the campaign key is not the one pinned in the chip" },
	{ PV_SI_E_LICENSE_PRODUCT, PV_E_VERIFY,
	    "license is for another product" },
	{ PV_SI_E_LICENSE_UNWRAP, PV_E_VERIFY,
	    "license was made for another chip" },
	{ PV_SI_E_HEADER_FORMAT, PV_E_VERIFY,
	    "package header is not well formed" },
	{ PV_SI_E_HEADER_TAG, PV_E_VERIFY,
	    "package header does not verify: damaged, or not of this key and "
	    "nonce" },
	{ PV_SI_E_AREA_COUNT, PV_E_RANGE, "more areas than it takes" },
	{ PV_SI_E_PACKAGE, PV_E_VERIFY,
	    "not the package whose first part it holds" },
	{ PV_SI_E_AREA_ORDER, PV_E_VERIFY, "areas out of order" },
	{ PV_SI_E_AREA_TYPE, PV_E_DEVICE, "area type not supported" },
	{ PV_SI_E_AREA_RANGE, PV_E_DEVICE, "area outside flash" },
	{ PV_SI_E_AREA_SIZE, PV_E_VERIFY, "area of another size than said" },
	{ PV_SI_E_AREA_TAG, PV_E_VERIFY,
	    "area does not verify: damaged, or not of this key and nonce" },
	{ PV_SI_E_AREA_OVERLAP, PV_E_DEVICE, "areas overlap" },
	{ PV_SI_E_AREA_MODULE, PV_E_DEVICE, "it takes no SMI modules" },
	{ PV_SI_E_MODULE_FORMAT, PV_E_VERIFY,
	    "SMI module that is not well formed, or not for its address" },
	{ PV_SI_E_AREA_KEY, PV_E_DEVICE,
	    "no key of this package at the key address of a region" },
	{ PV_SI_E_AREA_MODE, PV_E_DEVICE,
	    "it cannot decrypt a region of external flash in that mode" },
	{ PV_SI_E_OPTIONS, PV_E_DEVICE, "option bytes refused" },
	{ PV_SI_E_FLASH_ERASE, PV_E_DEVICE, "erasing flash failed" },
	{ PV_SI_E_FLASH_PROGRAM, PV_E_DEVICE, "programming flash failed" },
	{ PV_SI_E_FLASH_LOCKED, PV_E_DEVICE,
	    "a sector is write-protected ('device unprotect --sectors all' "
	    "lifts that)" },
	{ PV_SI_E_INCOMPLETE, PV_E_VERIFY, "areas are missing" },
	{ PV_SI_E_INTERNAL, PV_E_DEVICE, "internal fault of the device" },
};

int
pv_si_refusal(const struct si_status *st, struct pv_error *e)
{
	size_t i;

	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		if (results[i].result == st->result)
			return pv_fail(e, results[i].code,
			    "the chip refused: %s (0x%04x)", results[i].text,
			    st->result);
	return pv_fail(e, PV_E_DEVICE,
	    "the chip refused with an unknown result 0x%04x", st->result);
}

static int
parse_status(const uint8_t *data, size_t len, struct si_status *ret_st,
    struct pv_error *e)
{
	struct pv_reader r;
	struct si_status st;

	pv_rd_init(&r, data, len);
	st.state = pv_rd_u8(&r);
	pv_rd_skip(&r, 1);
	st.result = pv_rd_u16le(&r);
	st.area = pv_rd_u16le(&r);
	st.detail = pv_rd_u16le(&r);
	if (!pv_rd_finish(&r) || st.state > PV_SI_STATE_PAUSED)
		return pv_fail(
		    e, PV_E_DEVICE, "status of %zu bytes makes no sense", len);
	*ret_st = st;
	return 0;
}

/* May the same be tried again after this? */
static bool
again(const struct pv_usart_special *sp, int code)
{
	if (!sp->usable)
		return false;
	return code == PV_E_TIMEOUT || code == PV_E_NACK || code == PV_E_DEVICE;
}

/* --- questions ---------------------------------------------------------------- */

/* Ask until the answer has the length it must have. */
static int
query(struct pv_usart *u, struct pv_usart_special *sp, size_t want,
    const char *what, struct pv_error *e)
{
	struct si_status st;
	unsigned attempt;
	int r;

	sp->timeout_ms = T_QUERY;
	for (attempt = 1;; attempt++) {
		r = pv_usart_special(u, sp, e);
		if (r == 0 && sp->answer_len != want)
			r = pv_fail(e, PV_E_DEVICE,
			    "answer of %zu bytes, not %zu", sp->answer_len,
			    want);
		if (r == 0)
			r = parse_status(sp->status, sp->status_len, &st, e);
		/* A question decides nothing: no tag can have failed. */
		if (r == 0 && st.result != PV_SI_OK)
			return pv_fail(e, PV_E_DEVICE,
			    "%s: the chip refused to answer (0x%04x)", what,
			    st.result);
		if (r == 0)
			return 0;
		/* A refusal may be a damaged byte: twice more, no oftener. */
		if (!pv_usart_has(u, PV_OP_SPECIAL) || !again(sp, r) ||
		    attempt == ATTEMPTS || (sp->unknown && attempt > 2))
			break;
		pv_usart_count_retry(
		    u, what, 0, e != NULL ? e->msg : "asked again");
	}
	if (sp->unknown) {
		(void)pv_fail(e, PV_E_DEVICE,
		    "the chip does not know secure install (%s refused)", what);
		return pv_hint(e,
		    "a chip takes a .sfi package when it runs provisor's "
		    "install agent; ST's own RSS does not");
	}
	return pv_wrap(e, "%s", what);
}

int
pv_si_info(
    struct pv_usart *u, struct pv_install_chip *ret_chip, struct pv_error *e)
{
	struct pv_usart_special sp = { .code = PV_SI_INFO };
	struct pv_install_chip c = { 0 };
	struct pv_reader r;
	unsigned version;
	size_t i;
	int rc;

	rc = query(u, &sp, PV_SI_INFO_LEN, "info", e);
	if (rc != 0)
		return rc;
	pv_rd_init(&r, sp.answer, sp.answer_len);
	version = pv_rd_u16le(&r);
	c.device_id = pv_rd_u16le(&r);
	pv_rd_bytes(&r, c.product_id, 8);
	c.state = pv_rd_u8(&r);
	c.key_pinned = pv_rd_u8(&r) != 0;
	c.packet = pv_rd_u16le(&r);
	c.flash_base = pv_rd_u32le(&r);
	c.flash_size = pv_rd_u32le(&r);
	c.write_unit = pv_rd_u32le(&r);
	c.option_bytes = pv_rd_u32le(&r);
	c.external_base = pv_rd_u32le(&r);
	c.external_size = pv_rd_u32le(&r);
	c.takes = pv_rd_u32le(&r);
	c.places = pv_rd_u16le(&r);
	c.areas = pv_rd_u16le(&r);
	if (version != PV_SI_VERSION)
		return pv_fail(e, PV_E_DEVICE,
		    "the chip speaks version %u of secure install, this "
		    "program version %u",
		    version, PV_SI_VERSION);
	for (i = 0; i < 8; i++)
		if (c.product_id[i] < 0x20 || c.product_id[i] > 0x7e)
			return pv_fail(e, PV_E_DEVICE,
			    "info: product id is not printable");
	if (c.packet == 0 || c.packet > PV_SI_DATA_MAX)
		return pv_fail(
		    e, PV_E_DEVICE, "info: packets of %u bytes", c.packet);
	if (c.state > PV_SI_STATE_PAUSED)
		return pv_fail(e, PV_E_DEVICE, "info: state %u", c.state);
	*ret_chip = c;
	return 0;
}

int
pv_si_certificate(struct pv_usart *u, uint8_t ret_cert[136], struct pv_error *e)
{
	struct pv_usart_special sp = { .code = PV_SI_CERTIFICATE };
	uint8_t in[4], cert[136];
	size_t at, n;
	int r;

	for (at = 0; at < sizeof(cert); at += n) {
		n = sizeof(cert) - at;
		if (n > PV_SI_CERT_CHUNK)
			n = PV_SI_CERT_CHUNK;
		pv_put_u16le(in, (uint16_t)at);
		pv_put_u16le(in + 2, (uint16_t)n);
		sp.data = in;
		sp.len = sizeof(in);
		r = query(u, &sp, n, "certificate", e);
		if (r != 0)
			return r;
		memcpy(cert + at, sp.answer, n);
	}
	memcpy(ret_cert, cert, sizeof(cert));
	return 0;
}

int
pv_si_report(
    struct pv_usart *u, struct si_report *ret_report, struct pv_error *e)
{
	struct pv_usart_special sp = { .code = PV_SI_STATUS };
	struct si_report rep;
	struct pv_reader r;
	int rc;

	rc = query(u, &sp, PV_SI_REPORT_LEN, "status", e);
	if (rc != 0)
		return rc;
	rc = parse_status(sp.answer, PV_SI_STATUS_LEN, &rep.last, e);
	if (rc != 0)
		return pv_wrap(e, "status");
	pv_rd_init(&r, sp.answer + PV_SI_STATUS_LEN,
	    PV_SI_REPORT_LEN - PV_SI_STATUS_LEN);
	rep.areas_done = pv_rd_u16le(&r);
	rep.areas_total = pv_rd_u16le(&r);
	rep.received = pv_rd_u32le(&r);
	*ret_report = rep;
	return 0;
}

int
pv_si_pause(struct pv_usart *u, struct si_pause *ret_pause, struct pv_error *e)
{
	struct pv_usart_special sp = { .code = PV_SI_PAUSE };
	struct si_pause p;
	struct pv_reader r;
	int rc;

	rc = query(u, &sp, PV_SI_PAUSE_LEN, "pause", e);
	if (rc != 0)
		return rc;
	pv_rd_init(&r, sp.answer, sp.answer_len);
	p.areas_done = pv_rd_u16le(&r);
	p.areas_total = pv_rd_u16le(&r);
	pv_rd_bytes(&r, p.chain, sizeof(p.chain));
	*ret_pause = p;
	return 0;
}

/* --- changes ------------------------------------------------------------------ */

int
pv_si_change(struct pv_usart *u, const struct si_change *c,
    struct si_status *ret_status, struct pv_error *e)
{
	struct pv_error first = { 0 };
	struct si_status st = { 0 };
	struct si_report rep = { 0 };
	unsigned attempt;
	int r;

	for (attempt = 1;; attempt++) {
		r = pv_usart_special(u, c->sp, &first);
		if (r == 0)
			r = parse_status(
			    c->sp->status, c->sp->status_len, &st, &first);
		if (r == 0) {
			*ret_status = st;
			return st.result == PV_SI_OK ? 0
						     : pv_si_refusal(&st, e);
		}
		if (!again(c->sp, r) || attempt == ATTEMPTS)
			break;
		pv_usart_count_retry(u, c->step, c->where, first.msg);
		if (c->idempotent)
			continue;
		/* Only the answer may have been lost: ask before repeating. */
		if (pv_si_report(u, &rep, e) != 0)
			break;
		pv_error_clear(e);
		/* A license may follow a failed install: then the state is
		 * still that one's, and the license is sent again. */
		if (c->sp->code != PV_SI_LICENSE &&
		    (rep.last.state == PV_SI_STATE_FAILED ||
			rep.last.state == PV_SI_STATE_BROKEN)) {
			*ret_status = rep.last;
			return pv_si_refusal(&rep.last, e);
		}
		if (c->done != NULL && c->done(&rep, c->area)) {
			*ret_status = rep.last;
			return 0;
		}
	}
	if (e != NULL)
		*e = first;
	return r;
}
