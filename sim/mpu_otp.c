/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OTP array of an STM32MP: words 0 to 31 are burnt bit by bit, words from
 * 32 up carry ECC and are burnt once. Everything is in otp.bin at once.
 */
#include "sim/mpu.h"

#include "base/buf.h"
#include "base/file.h"
#include "sim/internal.h"

#define UPPER 32U /* first word with ECC */

static uint8_t *
pair(const struct pv_sim *sim, unsigned int word)
{
	return word < PV_MP_OTP_WORDS ? sim->otp + 8 * (size_t)word : NULL;
}

static int
do_read(void *ctx, unsigned int word, uint32_t *ret_v)
{
	const struct pv_sim *sim = ctx;
	const uint8_t *p = pair(sim, word);

	if (p == NULL || sim->dark)
		return -1;
	*ret_v = pv_get_u32le(p);
	return 0;
}

static int
do_program(void *ctx, unsigned int word, uint32_t v)
{
	struct pv_sim *sim = ctx;
	uint8_t *p = pair(sim, word);
	uint32_t old, state;

	if (p == NULL || sim->dark)
		return -1;
	old = pv_get_u32le(p);
	state = pv_get_u32le(p + 4);
	if ((state & (PV_SIM_OTP_LOCKED | PV_SIM_OTP_PROGRAM_LOCK)) != 0 ||
	    (word >= UPPER && old != 0 && (old | v) != old)) {
		pv_put_u32le(p + 4, state | PV_SIM_OTP_ERROR);
		return -1;
	}
	if (sim->cutting) {
		/* Power fails in the pulse: some of the bits are burnt. */
		v &= (uint32_t)pv_wire_random(&sim->random);
		pv_put_u32le(p, old | v);
		sim->dark = true;
		return -1;
	}
	pv_put_u32le(p, old | v);
	sim->state.programs++;
	return 0;
}

static int
do_lock(void *ctx, unsigned int word)
{
	struct pv_sim *sim = ctx;
	uint8_t *p = pair(sim, word);

	if (p == NULL || sim->dark || sim->cutting)
		return -1;
	pv_put_u32le(p + 4, pv_get_u32le(p + 4) | PV_SIM_OTP_LOCKED);
	return 0;
}

static uint32_t
do_state(void *ctx, unsigned int word)
{
	const uint8_t *p = pair(ctx, word);

	return p == NULL ? 0 : pv_get_u32le(p + 4);
}

static int
do_set_state(void *ctx, unsigned int word, uint32_t bits)
{
	struct pv_sim *sim = ctx;
	uint8_t *p = pair(sim, word);

	if (p == NULL || sim->dark)
		return -1;
	pv_put_u32le(p + 4, pv_get_u32le(p + 4) | bits);
	return 0;
}

void
pv_sim_mpu_fuses(struct pv_sim *sim, struct pv_mp_fuses *ret_f)
{
	*ret_f = (struct pv_mp_fuses){
		.ctx = sim,
		.read = do_read,
		.program = do_program,
		.lock = do_lock,
		.state = do_state,
		.set_state = do_set_state,
	};
}

int
pv_sim_mpu_otp_load(
    const char *dir, uint32_t *values, uint32_t *states, struct pv_error *e)
{
	uint8_t b[PV_SIM_OTP_BYTES];
	char path[PV_SIM_PATH];
	int r;

	r = pv_path_fit(path, sizeof path, dir, "otp.bin", e);
	if (r == 0)
		r = pv_file_read_exact(path, b, sizeof b, e);
	if (r != 0)
		return r;
	for (unsigned int i = 0; i < PV_MP_OTP_WORDS; i++) {
		values[i] = pv_get_u32le(b + 8 * (size_t)i);
		states[i] = pv_get_u32le(b + 8 * (size_t)i + 4);
	}
	return 0;
}
