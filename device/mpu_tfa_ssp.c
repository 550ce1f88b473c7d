/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SSP variant of TF-A: which of the three boots this is, the chip
 * certificate, and what boot 3 burns in which order. After lib/ssp/ssp.c
 * (v2.2-stm32mp-ssp-r2) and plat/st/stm32mp1/stm32mp1_ssp.c (v2.4-stm32mp and
 * ST's 2.8), mistakes included.
 */
#include "device/mpu_stage.h"

#include "base/buf.h"

#include <string.h>

#define WORD_CLOSED	0U
#define WORD_PRODUCT	2U
#define WORD_KEY_HASH	24U
#define KEY_HASH_WORDS	8U
#define WORD_SIGNATURE	40U
#define SIGNATURE_WORDS 16U
#define WORD_RMA	56U
#define WORD_SECRETS	59U
#define SECRET_WORDS	37U

static int
otp_read(const struct pv_mp *m, unsigned int word, uint32_t *ret_v)
{
	return m->port->fuses.read(m->port->fuses.ctx, word, ret_v);
}

static int
otp_program(struct pv_mp *m, unsigned int word, uint32_t v)
{
	return m->port->fuses.program(m->port->fuses.ctx, word, v);
}

static int
otp_lock(struct pv_mp *m, unsigned int word)
{
	return m->port->fuses.lock(m->port->fuses.ctx, word);
}

uint32_t
pv_mp_blob_size(const struct pv_mp *m)
{
	return PV_MP_LICENSE + (m->config->chip.key_table ? 212U : 244U);
}

/* --- the certificate ----------------------------------------------------------- */

static void
put_hex(uint8_t *dst, uint32_t v, unsigned int digits)
{
	static const char hex[] = "0123456789ABCDEF";

	while (digits-- > 0) {
		dst[digits] = (uint8_t)hex[v & 15];
		v >>= 4;
	}
}

int
pv_mp_ssp_certificate(struct pv_mp *m, uint8_t cert[PV_MP_CERT])
{
	uint32_t v;

	if (otp_read(m, WORD_PRODUCT, &v) != 0)
		return -1;
	put_hex(cert, m->config->chip.id, 3);
	put_hex(cert + 3, v >> 20 & 0xff, 2);
	put_hex(cert + 5, 0, 1);
	put_hex(cert + 6, v >> 28, 2);
	memcpy(cert + 8, m->mailbox.chip_key, 64);
	for (unsigned int i = 0; i < SIGNATURE_WORDS; i++) {
		if (otp_read(m, WORD_SIGNATURE + i, &v) != 0)
			return -1;
		pv_put_u32be(cert + 72 + 4 * (size_t)i, v);
	}
	return 0;
}

/* --- boot 3 ---------------------------------------------------------------------- */

struct payload {
	uint8_t *key; /* the public key, or the hash of the table */
	uint8_t *secrets;
	uint32_t size;
};

static void
find_payload(struct pv_mp *m, struct payload *p)
{
	uint8_t *at = m->mailbox.blob + PV_MP_LICENSE;
	size_t key = m->config->chip.key_table ? 32 : 64;

	p->key = at + 8;
	p->size = pv_get_u32le(at + 8 + key);
	p->secrets = at + 8 + key + 4 + 16;
}

static bool
blank(const struct pv_mp *m, unsigned int word)
{
	uint32_t v;

	return otp_read(m, word, &v) == 0 && v == 0;
}

/* Are the words to be burnt still blank? */
static int
check_words(struct pv_mp *m, const struct payload *p)
{
	uint32_t words = (p->size + 3) / 4;

	if (p->size == 0)
		return -1;
	for (unsigned int i = 0; i < KEY_HASH_WORDS; i++)
		if (!blank(m, WORD_KEY_HASH + i)) {
			pv_mp_note(m, "SSP: OTP is in use", WORD_KEY_HASH + i);
			return -1;
		}
	/* The RMA word and the secrets. */
	if (words > 1 + SECRET_WORDS)
		return -1;
	if (!blank(m, WORD_RMA)) {
		pv_mp_note(m, "SSP: OTP is in use", WORD_RMA);
		return -1;
	}
	for (uint32_t i = 0; i + 1 < words; i++) {
		/* 2.8 looks only at words that it is going to burn. */
		if (m->generation == PV_MP_TFA_2_8 &&
		    pv_get_u32le(p->secrets + 4 + 4 * (size_t)i) == 0)
			continue;
		if (!blank(m, WORD_SECRETS + i)) {
			pv_mp_note(m, "SSP: OTP is in use", WORD_SECRETS + i);
			return -1;
		}
	}
	return 0;
}

static int
burn_key_hash(struct pv_mp *m, const struct payload *p)
{
	const struct pv_mp_crypto *c = &m->port->crypto;
	uint8_t hash[32];

	if (m->config->chip.key_table)
		memcpy(hash, p->key, sizeof hash);
	else if (c->sha256(c->ctx, p->key, 64, hash) != 0)
		return -1;
	for (unsigned int i = 0; i < KEY_HASH_WORDS; i++)
		if (otp_program(m, WORD_KEY_HASH + i,
			pv_get_u32be(hash + 4 * (size_t)i)) != 0 ||
		    otp_lock(m, WORD_KEY_HASH + i) != 0)
			return -1;
	return 0;
}

static int
close_chip(struct pv_mp *m)
{
	uint32_t v;

	if (pv_mp_closed(m) || otp_read(m, WORD_CLOSED, &v) != 0)
		return -1;
	return otp_program(m, WORD_CLOSED, v | m->config->chip.closed);
}

static int
burn_rma(struct pv_mp *m, uint32_t word)
{
	uint32_t v = 0;

	word &= m->config->chip.rma_mask;
	if (otp_program(m, WORD_RMA, word) != 0)
		return -1;
	if (m->generation != PV_MP_TFA_2_8)
		return 0;
	if (otp_read(m, WORD_RMA, &v) != 0 || v != word)
		return -1;
	return otp_lock(m, WORD_RMA);
}

static int
burn_secret(struct pv_mp *m, unsigned int word, uint32_t v)
{
	if (v == 0)
		return 0;
	if (otp_program(m, word, v) != 0)
		return -1;
	return otp_lock(m, word);
}

/*
 * The last word is outside of the loop, so that one is burnt even when the
 * payload has the RMA word alone; and its mask has 4 bits a byte, not 8.
 */
static int
burn_secrets(struct pv_mp *m, const struct payload *p)
{
	uint32_t words = (p->size + 3) / 4, rest = p->size % 4;
	const uint8_t *at = p->secrets;
	unsigned int word = WORD_SECRETS;
	uint32_t v;

	if (burn_rma(m, pv_get_u32le(at)) != 0)
		return -1;
	at += 4;
	for (uint32_t i = 2; i < words; i++, at += 4, word++)
		if (burn_secret(m, word, pv_get_u32le(at)) != 0)
			return -1;
	v = pv_get_u32le(at);
	if (v == 0)
		return 0;
	if (rest != 0)
		v &= (1U << (4 * rest)) - 1;
	if (otp_program(m, word, v) != 0)
		return -1;
	return otp_lock(m, word);
}

/* The order is the firmware's: the chip is closed before the secrets. */
int
pv_mp_ssp_burn(struct pv_mp *m)
{
	struct payload p;
	uint32_t v = 0;
	int r;

	find_payload(m, &p);
	r = check_words(m, &p);
	if (r == 0)
		r = burn_key_hash(m, &p);
	if (r == 0)
		r = close_chip(m);
	if (r == 0)
		r = burn_secrets(m, &p);
	memset(m->mailbox.blob, 0, sizeof m->mailbox.blob);
	memset(m->mailbox.chip_key, 0, sizeof m->mailbox.chip_key);
	m->mailbox.has_key = false;
	m->mailbox.command = 0;
	if (r == 0)
		r = otp_read(m, m->config->chip.ssp_word, &v);
	if (r == 0)
		r = otp_program(m, m->config->chip.ssp_word,
		    v | m->config->chip.ssp_success);
	pv_mp_note(m, r == 0 ? "SSP: done" : "SSP: failed", 0);
	return r;
}

/* --- the three boots -------------------------------------------------------------- */

/* Boot 1: ask the ROM for the chip's key. Nonzero: refused. */
static int
begin(struct pv_mp *m, uint32_t bits)
{
	const struct pv_mp_chip *c = &m->config->chip;

	if ((bits & c->ssp_success) != 0)
		return -1;
	if ((bits & c->ssp_request) == 0 &&
	    otp_program(m, c->ssp_word, c->ssp_request) != 0)
		return -1;
	pv_mp_ask(m, PV_MP_SSP, 0, 0);
	pv_mp_error(m, "Provisioning\n");
	pv_mp_uart_take_over(m);
	return 0;
}

/* Boot 2: certificate out, license and payload in. */
static int
exchange(struct pv_mp *m)
{
	if (!m->mailbox.has_key || pv_mp_ssp_certificate(m, m->cert) != 0)
		return -1;
	m->has_cert = true;
	pv_mp_ask(m, PV_MP_SSP, PV_MP_BLOB_ADDR, pv_mp_blob_size(m));
	pv_mp_uart_take_over(m);
	return 0;
}

void
pv_mp_ssp_enter(struct pv_mp *m)
{
	const struct pv_mp_chip *c = &m->config->chip;
	uint32_t command = m->mailbox.command, bits = 0;
	int r;

	/* A closed chip: TF-A panics. */
	if (pv_mp_closed(m)) {
		pv_mp_note(m, "SSP: the chip is closed", 0);
		pv_mp_enter(m, PV_MP_DEAD);
		return;
	}
	r = otp_read(m, c->ssp_word, &bits);
	if (r == 0 &&
	    ((bits & c->ssp_request) == 0 || (bits & c->ssp_success) != 0))
		command = 0;
	if (r == 0 && command == PV_MP_PUBA) {
		r = exchange(m);
	} else if (r == 0 && command == PV_MP_PROA) {
		(void)pv_mp_ssp_burn(m);
		r = -1; /* a reset follows in any case */
	} else if (r == 0) {
		r = begin(m, bits);
	}
	if (r != 0)
		pv_mp_reset(m);
}

void
pv_mp_ssp_finish(struct pv_mp *m)
{
	/* An error text in boot 2 does not keep TF-A from going on. */
	m->mailbox.command = m->has_cert ? PV_MP_PROV : PV_MP_PUBK;
	memset(m->cert, 0, sizeof m->cert);
	m->has_cert = false;
	pv_mp_reset(m);
}
