/* SPDX-License-Identifier: Apache-2.0 */
/* The OTP words of secret provisioning, read through U-Boot before and after. */
#include "push/ssp_install.h"

#include "formats/otp_partition.h"

#include <inttypes.h>
#include <stdlib.h>

/* Words of OTP, formats/mpu-boot.md: MP15 and MP13 differ in these. */
#define CFG0	      0U
#define MP15_CLOSED   0x40U
#define MP13_CLOSED   0x3fU
#define MP15_SSP_WORD 8U
#define MP15_SUCCESS  (1U << 9)
#define MP13_SSP_WORD 9U
#define MP13_SUCCESS  (1U << 6)

static bool
closed(const struct ssp *s, const struct pv_otp *otp)
{
	uint32_t mask = s->opt->chip == PV_MPU_MP15 ? MP15_CLOSED : MP13_CLOSED;

	return pv_otp_chip(otp) == PV_OTP_CLOSED ||
	       (pv_otp_value(otp, CFG0) & mask) == mask;
}

static int
read_otp(struct ssp *s, struct pv_otp **ret_otp, struct pv_error *e)
{
	uint8_t *raw = malloc(PV_MPU_OTP_MAX);
	struct pv_otp *otp = malloc(sizeof(*otp));
	size_t n = 0;
	int r;

	r = raw == NULL || otp == NULL ? pv_fail(e, PV_E_NOMEM, "out of memory")
				       : pv_mpu_read_otp(s->m, raw, &n, e);
	if (r == 0)
		r = pv_otp_decode(raw, n, otp, e);
	if (r == 0 && otp->n_words <= PV_SSP_OTP_LAST)
		r = pv_fail(e, PV_E_DEVICE, "only %zu OTP words are shown",
		    otp->n_words);
	free(raw);
	if (r != 0) {
		free(otp);
		return pv_wrap(e, "reading the OTP words");
	}
	*ret_otp = otp;
	return 0;
}

static int
check_root(const struct ssp *s, const struct pv_otp *otp, struct pv_error *e)
{
	for (size_t i = 0; i < 8; i++) {
		uint32_t v = pv_otp_value(otp, PV_SSP_OTP_ROOT + i);

		if (v != s->opt->root_words[i])
			return pv_fail(e, PV_E_VERIFY,
			    "OTP %zu is 0x%08" PRIx32
			    ", the package's key hash has 0x%08" PRIx32,
			    PV_SSP_OTP_ROOT + i, v, s->opt->root_words[i]);
	}
	return 0;
}

static int
check_burnt(struct ssp *s, const struct pv_otp *otp, struct pv_error *e)
{
	bool mp15 = s->opt->chip == PV_MPU_MP15;
	uint32_t word = pv_otp_value(otp, mp15 ? MP15_SSP_WORD : MP13_SSP_WORD);
	size_t i;
	int r;

	if (!closed(s, otp)) {
		s->rep->state = PV_SSP_STILL_OPEN;
		return pv_fail(
		    e, PV_E_VERIFY, "boot 3 ended, but the chip is still open");
	}
	s->rep->state = PV_SSP_CLOSED;
	if ((word & (mp15 ? MP15_SUCCESS : MP13_SUCCESS)) == 0)
		return pv_fail(e, PV_E_VERIFY,
		    "the chip is closed, but its bit SSP_SUCCESS is not burnt");
	r = check_root(s, otp, e);
	for (i = 0; r == 0 && i < s->opt->secret_words; i++)
		if ((pv_otp_flags(otp, PV_SSP_OTP_SECRETS + i) &
			PV_OTP_PERMANENT_LOCK) != 0)
			s->rep->otp_burnt++;
	if (r == 0 && s->rep->otp_burnt == 0 && s->opt->secret_words > 0)
		r = pv_fail(e, PV_E_VERIFY,
		    "the chip is closed, but none of its secret words is "
		    "burnt and locked");
	return r;
}

static int
blank(const struct pv_otp *otp, size_t from, size_t n, struct pv_error *e)
{
	for (size_t i = from; i < from + n; i++) {
		if (pv_otp_value(otp, i) == 0 &&
		    (pv_otp_flags(otp, i) &
			(PV_OTP_PERMANENT_LOCK | PV_OTP_READ_ERROR)) == 0)
			continue;
		(void)pv_fail(e, PV_E_POLICY,
		    "OTP %zu, which the package would burn, is not blank "
		    "(0x%08" PRIx32 "%s)",
		    i, pv_otp_value(otp, i),
		    (pv_otp_flags(otp, i) & PV_OTP_PERMANENT_LOCK) != 0
			? ", locked"
			: "");
		return pv_hint(
		    e, "it has been provisioned in part before: set it aside");
	}
	return 0;
}

/* Closed: by an earlier push of this package, or by something else? */
static int
look_at_closed(struct ssp *s, const struct pv_otp *otp, struct pv_error *e)
{
	struct pv_error why = { 0 };

	if (check_burnt(s, otp, &why) == 0) {
		s->rep->finished_before = true;
		s->rep->otp_proven = true;
		s->done = true;
		return 0;
	}
	s->rep->state = PV_SSP_UNTOUCHED;
	return pv_fail(e, PV_E_POLICY,
	    "the chip is closed, and not by this package: %s", why.msg);
}

int
pv_ssp_check_otp(struct ssp *s, struct pv_error *e)
{
	struct pv_otp *otp = NULL;
	int r;

	r = read_otp(s, &otp, e);
	if (r != 0)
		return r;
	if (closed(s, otp))
		r = look_at_closed(s, otp, e);
	if (r == 0 && !s->done)
		r = blank(otp, PV_SSP_OTP_ROOT, 8, e);
	if (r == 0 && !s->done)
		r = blank(otp, PV_SSP_OTP_RMA, 1, e);
	if (r == 0 && !s->done)
		r = blank(otp, PV_SSP_OTP_SECRETS, s->opt->secret_words, e);
	s->rep->otp_checked = r == 0;
	free(otp);
	return r;
}

static int
to_uboot(struct ssp *s, struct pv_error *e)
{
	struct pv_mpu_phase p;

	return pv_mpu_to_uboot(
	    s->m, &s->opt->otp_chain, s->opt->progress, &p, e);
}

int
pv_ssp_look_first(struct ssp *s, struct pv_error *e)
{
	struct pv_mpu_phase p = { 0 };
	int r;

	if (s->opt->otp_chain.fsbl == NULL)
		return 0;
	r = s->m->phase(s->m->ctx, &p, e);
	/* In the middle of SSP there is no way to U-Boot. */
	if (r != 0 ||
	    (p.stage != PV_MPU_STAGE_ROM && p.stage != PV_MPU_STAGE_UBOOT))
		return r;
	s->rep->step = "otp";
	r = to_uboot(s, e);
	if (r == 0)
		r = pv_ssp_check_otp(s, e);
	if (r == 0 && !s->done)
		r = pv_mpu_reset(s->m, e);
	return r;
}

int
pv_ssp_prove_otp(struct ssp *s, struct pv_error *e)
{
	struct pv_otp *otp = NULL;
	int r;

	r = to_uboot(s, e);
	if (r != 0) {
		(void)pv_hint(e,
		    "a closed chip starts signed images only: are --fsbl and "
		    "--fip signed with the key of the package?");
		return r;
	}
	r = read_otp(s, &otp, e);
	if (r == 0)
		r = check_burnt(s, otp, e);
	free(otp);
	s->rep->otp_proven = r == 0;
	return r;
}
