/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OTP structures behind partition 0xF2: version 1 of TF-A's service
 * (services/bsec_svc.c, 1024 bytes), version 2 of OP-TEE (776 bytes).
 */
#include "device/mpu_stage.h"

#include "base/buf.h"

#include <string.h>

/* Version 1 */
#define V1_LEN	       1024U
#define V1_ERROR       0x38U
#define V1_LOCK	       0x50U
#define V1_PROGRAM     0x68U
#define V1_WRITE       0x80U
#define V1_READ	       0x98U
#define V1_VALUES      0xb0U
#define V1_MAGIC       0x3fcU
#define V1_MAGIC_VALUE 0xa3c5dd01U /* size id of the block */
/* Version 2: state, then pairs */
#define V2_LEN	       (8U + 8U * PV_MP_OTP_WORDS)
#define V2_PAIRS       8U
#define V2_UPDATE      (1U << 31)

/* Bits of a word's state, in both the structure and `struct pv_mp_fuses`. */
static const struct {
	uint32_t bit;
	size_t v1; /* the array of words of bits */
} locks[] = {
	{ 1U << 30, V1_LOCK },
	{ 1U << 29, V1_READ },
	{ 1U << 28, V1_WRITE },
	{ 1U << 27, V1_PROGRAM },
	{ 1U << 0, V1_ERROR },
};
#define N_LOCKS	 (sizeof locks / sizeof locks[0])
#define LOCKED	 (1U << 30)
#define READ_ERR (1U << 0)

uint32_t
pv_mp_otp_size(const struct pv_mp *m)
{
	return m->otp_version == 1 ? V1_LEN : V2_LEN;
}

static bool
bit_get(const uint8_t *array, unsigned int word)
{
	return (pv_get_u32le(array + 4 * (size_t)(word / 32)) >> word % 32 &
		   1U) != 0;
}

static void
bit_set(uint8_t *array, unsigned int word)
{
	uint8_t *p = array + 4 * (size_t)(word / 32);

	pv_put_u32le(p, pv_get_u32le(p) | 1U << word % 32);
}

/* --- reading ---------------------------------------------------------------- */

static void
fill(struct pv_mp *m)
{
	const struct pv_mp_fuses *f = &m->port->fuses;
	uint8_t *b = m->uboot.otp;
	bool v1 = m->otp_version == 1;

	memset(b, 0, sizeof m->uboot.otp);
	pv_put_u32le(b, m->otp_version);
	if (v1)
		pv_put_u32le(b + V1_MAGIC, V1_MAGIC_VALUE);
	else
		pv_put_u32le(b + 4, pv_mp_closed(m) ? 1 : 0);
	for (unsigned int i = 0; i < PV_MP_OTP_WORDS; i++) {
		uint32_t v = 0, state = f->state(f->ctx, i);
		uint8_t *at = b + (v1 ? V1_VALUES + 4 * (size_t)i
				      : V2_PAIRS + 8 * (size_t)i);

		if (f->read(f->ctx, i, &v) != 0)
			state |= READ_ERR;
		pv_put_u32le(at, v);
		if (!v1)
			pv_put_u32le(at + 4, state & ~V2_UPDATE);
		for (size_t k = 0; v1 && k < N_LOCKS; k++)
			if ((state & locks[k].bit) != 0)
				bit_set(b + locks[k].v1, i);
	}
	m->uboot.otp_len = pv_mp_otp_size(m);
}

int
pv_mp_otp_read(struct pv_mp *m, uint32_t offset, uint8_t *data, size_t len,
    size_t *ret_len)
{
	uint32_t size = pv_mp_otp_size(m);

	/* From the start, the words are read anew. */
	if (offset == 0)
		fill(m);
	if (m->uboot.otp_len == 0 || offset > size)
		return -1;
	if (len > size - offset)
		len = size - offset;
	memcpy(data, m->uboot.otp + offset, len);
	*ret_len = len;
	return 0;
}

/* --- burning ----------------------------------------------------------------- */

int
pv_mp_otp_write(
    struct pv_mp *m, uint32_t offset, const uint8_t *data, size_t len)
{
	uint32_t size = pv_mp_otp_size(m);

	if (offset == 0)
		memset(m->uboot.otp, 0, sizeof m->uboot.otp);
	if (offset > size)
		return -1;
	if (len > size - offset)
		len = size - offset;
	memcpy(m->uboot.otp + offset, data, len);
	m->uboot.otp_len = size;
	return 0;
}

static int
burn_word(struct pv_mp *m, unsigned int word, uint32_t v, uint32_t state)
{
	const struct pv_mp_fuses *f = &m->port->fuses;
	uint32_t old = 0, now = f->state(f->ctx, word);
	int r = 0;

	if (f->read(f->ctx, word, &old) != 0)
		return -1;
	if (v != 0 && v != old)
		r = f->program(f->ctx, word, v);
	if (r == 0 && (state & LOCKED) != 0 && (now & LOCKED) == 0)
		r = f->lock(f->ctx, word);
	state &= (1U << 29) | (1U << 28) | (1U << 27);
	if (r == 0 && state != 0)
		r = f->set_state(f->ctx, word, state);
	return r;
}

static int
start_v1(struct pv_mp *m)
{
	const uint8_t *b = m->uboot.otp;

	for (unsigned int i = 0; i < PV_MP_OTP_WORDS; i++) {
		uint32_t state = 0;

		for (size_t k = 0; k < N_LOCKS; k++)
			if (bit_get(b + locks[k].v1, i))
				state |= locks[k].bit;
		if (burn_word(m, i, pv_get_u32le(b + V1_VALUES + 4 * (size_t)i),
			state))
			return -1;
	}
	return 0;
}

static int
start_v2(struct pv_mp *m)
{
	const uint8_t *b = m->uboot.otp + V2_PAIRS;

	for (unsigned int i = 0; i < PV_MP_OTP_WORDS; i++, b += 8) {
		uint32_t state = pv_get_u32le(b + 4);

		if ((state & V2_UPDATE) != 0 &&
		    burn_word(m, i, pv_get_u32le(b), state) != 0)
			return -1;
	}
	return 0;
}

int
pv_mp_otp_start(struct pv_mp *m)
{
	const struct pv_mp_chip *c = &m->config->chip;
	const struct pv_mp_fuses *f = &m->port->fuses;
	uint32_t before = 0, after = 0;
	int r;

	if (m->uboot.otp_len == 0) {
		pv_mp_error(m, "start OTP without data");
		return -1;
	}
	(void)f->read(f->ctx, c->ssp_word, &before);
	if (pv_get_u32le(m->uboot.otp) != m->otp_version)
		r = -1;
	else
		r = m->otp_version == 1 ? start_v1(m) : start_v2(m);
	m->uboot.otp_len = 0;
	(void)f->read(f->ctx, c->ssp_word, &after);
	/* Through version 1 this arms secret provisioning. */
	if (r == 0 && m->otp_version == 1 &&
	    (~before & after & c->ssp_request) != 0)
		pv_mp_error(m, "Provisioning");
	return r;
}
