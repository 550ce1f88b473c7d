/* SPDX-License-Identifier: Apache-2.0 */
/* A new virtual STM32MP: its OTP words, and the profile of its ROM. */
#include "sim/mpu.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/hex.h"

#include <stdio.h>
#include <string.h>

#define WORD_PRODUCT   2U
#define WORD_SIGNATURE 40U

/* --- the profile ------------------------------------------------------------- */

static const struct {
	const char *text;
	uint8_t what, value;
} fields[] = {
	{ "kdf=x963-sha256", 0, 0 },
	{ "shared_info=empty", 1, 0 },
	{ "shared_info=ephemeral", 1, 1 },
	{ "key_half=low", 2, 0 },
	{ "key_half=high", 2, 1 },
	{ "iv_half=high", 3, 0 },
	{ "iv_half=low", 3, 1 },
	{ "gcm_iv_len=16", 4, 16 },
	{ "gcm_iv_len=12", 4, 12 },
	{ "payload_iv_len=16", 5, 16 },
	{ "payload_iv_len=12", 5, 12 },
};
#define N_FIELDS (sizeof fields / sizeof fields[0])

static int
profile_word(const char *word, size_t n, uint8_t v[6], struct pv_error *e)
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (strlen(fields[i].text) == n &&
		    strncmp(word, fields[i].text, n) == 0) {
			v[fields[i].what] = fields[i].value;
			return 0;
		}
	}
	(void)pv_fail(e, PV_E_USAGE, "--ssp-profile: no field '%.*s'",
	    (int)(n > 60 ? 60 : n), word);
	return pv_hint(e,
	    "known: shared_info=empty|ephemeral, key_half=low|high, "
	    "iv_half=high|low, gcm_iv_len=16|12, payload_iv_len=16|12");
}

int
pv_sim_mpu_profile(
    const char *text, struct pv_mp_profile *ret_p, struct pv_error *e)
{
	uint8_t v[6] = { 0, 0, 0, 0, 16, 16 };
	int r;

	while (*text != '\0') {
		size_t n = strcspn(text, ",");

		if ((r = profile_word(text, n, v, e)) != 0)
			return r;
		text += n;
		if (*text == ',' && *++text == '\0')
			return pv_fail(
			    e, PV_E_USAGE, "--ssp-profile: nothing after ','");
	}
	if (v[2] != v[3])
		return pv_fail(e, PV_E_USAGE,
		    "--ssp-profile: key and IV are in the same half");
	*ret_p = (struct pv_mp_profile){ .info_ephemeral = v[1] != 0,
		.key_high = v[2] != 0,
		.license_iv = v[4],
		.payload_iv = v[5] };
	return 0;
}

/* --- OTP words --------------------------------------------------------------- */

/* "5000200A": device id, security counter, 0, index of ST's key. */
static int
product_word(const struct pv_chip *chip, const char *id, uint32_t *ret_v,
    struct pv_error *e)
{
	char expect[9];
	unsigned int counter, key;
	int end = 0;

	if (sscanf(id + 3, "%2X0%2X%n", &counter, &key, &end) != 2 ||
	    end != 5 || key > 15)
		counter = key = 0;
	(void)snprintf(expect, sizeof expect, "%03X%02X0%02X",
	    (unsigned int)(chip->device_id & 0xfff), counter & 0xff, key & 0xf);
	if (strcmp(id, expect) != 0)
		return pv_fail(e, PV_E_USAGE,
		    "product id '%s' is not one of an %s: %03X, two digits of "
		    "security counter, 0, two digits of key index up to 0F, "
		    "in capitals",
		    id, chip->title, (unsigned int)chip->device_id);
	*ret_v = counter << 20 | key << 28;
	return 0;
}

/* "WORD=VALUE" of --otp */
static int
preset(const char *text, uint8_t *otp, struct pv_error *e)
{
	const char *eq = strchr(text, '=');
	char name[16];
	uint64_t word, value;
	int r;

	if (eq == NULL || (size_t)(eq - text) >= sizeof name)
		return pv_fail(
		    e, PV_E_USAGE, "--otp: '%s' is not WORD=VALUE", text);
	memcpy(name, text, (size_t)(eq - text));
	name[eq - text] = '\0';
	r = pv_parse_u64(name, PV_MP_OTP_WORDS - 1, "--otp: word", &word, e);
	if (r == 0)
		r = pv_parse_u64(eq + 1, UINT32_MAX, "--otp: value", &value, e);
	if (r == 0)
		pv_put_u32le(otp + 8 * (size_t)word, (uint32_t)value);
	return r;
}

int
pv_sim_mpu_create(
    const struct pv_sim_create *c, const char *product_id, struct pv_error *e)
{
	const struct pv_chip_rom *rom = &c->chip->rom;
	uint8_t otp[PV_SIM_OTP_BYTES] = { 0 }, cert[PV_SIM_CERT];
	char path[PV_SIM_PATH];
	uint32_t v = 0;
	int r;

	r = product_word(c->chip, product_id, &v, e);
	if (r == 0)
		r = pv_path_fit(
		    path, sizeof path, c->dir, "certificate.bin", e);
	if (r == 0)
		r = pv_file_read_exact(path, cert, sizeof cert, e);
	if (r != 0)
		return r;
	pv_put_u32le(
	    otp, c->closed ? rom->open_value | rom->closed : rom->open_value);
	pv_put_u32le(otp + (size_t)8 * WORD_PRODUCT, v);
	/* ST burns the signature as big-endian words, and locks it. */
	for (size_t i = 0; i < 16; i++) {
		uint8_t *p = otp + 8 * (WORD_SIGNATURE + i);

		pv_put_u32le(p, pv_get_u32be(cert + 72 + 4 * i));
		pv_put_u32le(p + 4, PV_SIM_OTP_LOCKED);
	}
	for (size_t i = 0; c->otp != NULL && c->otp[i] != NULL; i++)
		if ((r = preset(c->otp[i], otp, e)) != 0)
			return r;
	r = pv_path_fit(path, sizeof path, c->dir, "otp.bin", e);
	return r == 0 ? pv_file_write(path, 0644, otp, sizeof otp, e) : r;
}
