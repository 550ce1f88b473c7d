/* SPDX-License-Identifier: Apache-2.0 */
/* provisor sim show of an STM32MP: what is burnt, locked, and what it means. */
#include "cmd/sim_mpu.h"
#include "sim/mpu.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WORD_KEY_HASH 24U
#define WORD_RMA      56U
#define WORD_SECRETS  59U

struct otp {
	uint32_t value[PV_MP_OTP_WORDS], state[PV_MP_OTP_WORDS];
};

static const char *
ssp_name(const struct pv_chip_rom *rom, uint32_t word)
{
	if ((word & rom->ssp_success) != 0)
		return "done";
	return (word & rom->ssp_request) != 0 ? "requested" : "not begun";
}

static const char *
word_name(const struct pv_chip *chip, unsigned int i)
{
	if (i == 0)
		return "security state";
	if (i == chip->rom.ssp_word)
		return "SSP";
	if (i == 2)
		return "product id";
	if (i >= WORD_KEY_HASH && i < WORD_KEY_HASH + 8)
		return chip->rom.key_table ? "key table hash" : "key hash";
	if (i >= 40 && i < 56)
		return "certificate signature";
	if (i == WORD_RMA)
		return "RMA";
	return i >= WORD_SECRETS ? "secret" : "";
}

static void
show_otp(struct pv_app *app, const struct pv_chip *chip, const struct otp *o)
{
	for (unsigned int i = 0; i < PV_MP_OTP_WORDS; i++) {
		if (o->value[i] == 0 && o->state[i] == 0)
			continue;
		pv_out(app, "OTP %2u  0x%08" PRIx32 "  %s%s%s\n", i,
		    o->value[i], word_name(chip, i),
		    (o->state[i] & PV_SIM_OTP_LOCKED) != 0 ? ", locked" : "",
		    (o->state[i] & PV_SIM_OTP_ERROR) != 0 ? ", error" : "");
	}
}

static int
show_json(struct pv_app *app, const char *dir, const struct pv_chip *chip,
    const struct pv_sim_state *s, const struct otp *o, bool closed,
    struct pv_error *e)
{
	struct pv_json *root = pv_json_new_object(), *words, *w;
	char text[16];

	pv_json_set_str(root, "folder", dir);
	pv_json_set_str(root, "chip", chip->name);
	pv_json_set_str(root, "product_id", s->product_id);
	pv_json_set_bool(root, "closed", closed);
	pv_json_set_str(
	    root, "ssp", ssp_name(&chip->rom, o->value[chip->rom.ssp_word]));
	pv_json_set_str(root, "ssp_profile", s->ssp_profile);
	words = pv_json_set_object(root, "otp");
	for (unsigned int i = 0; i < PV_MP_OTP_WORDS; i++) {
		if (o->value[i] == 0 && o->state[i] == 0)
			continue;
		(void)snprintf(text, sizeof text, "%u", i);
		w = pv_json_set_object(words, text);
		(void)snprintf(text, sizeof text, "0x%08" PRIx32, o->value[i]);
		pv_json_set_str(w, "value", text);
		pv_json_set_bool(
		    w, "locked", (o->state[i] & PV_SIM_OTP_LOCKED) != 0);
		pv_json_set_bool(
		    w, "error", (o->state[i] & PV_SIM_OTP_ERROR) != 0);
	}
	pv_sim_state_counters(s, pv_json_set_object(root, "counters"));
	return pv_out_json(app, root, e);
}

int
pv_sim_show_mpu(struct pv_app *app, const char *dir, const struct pv_chip *chip,
    const struct pv_sim_state *s, struct pv_error *e)
{
	struct otp o = { 0 };
	bool closed;
	int r;

	r = pv_sim_mpu_otp_load(dir, o.value, o.state, e);
	if (r != 0)
		return r;
	closed = (o.value[0] & chip->rom.closed) == chip->rom.closed;
	pv_out(app, "%s: virtual %s (0x%03" PRIx32 "), product id %s\n", dir,
	    chip->title, chip->device_id, s->product_id);
	pv_out(app, "security     %s\n", closed ? "closed" : "open");
	pv_out(app, "SSP          %s\n",
	    ssp_name(&chip->rom, o.value[chip->rom.ssp_word]));
	show_otp(app, chip, &o);
	pv_out(app,
	    "%" PRIu64 " starts, %" PRIu64 " bytes received, %" PRIu64
	    " commands, %" PRIu64 " refused\n",
	    s->starts, s->received, s->commands, s->nacks);
	return app->json ? show_json(app, dir, chip, s, &o, closed, e) : 0;
}
