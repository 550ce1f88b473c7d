/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"

#include "base/file.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "sim/mpu.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
check_product_id(const char *id, struct pv_error *e)
{
	size_t n = strlen(id);
	int ok = n == 8;

	for (size_t i = 0; i < n; i++)
		if (id[i] <= ' ' || id[i] > '~')
			ok = 0;
	if (!ok)
		return pv_fail(e, PV_E_USAGE,
		    "product id '%s' is not 8 printable characters", id);
	return 0;
}

static int
choose_product_id(
    const struct pv_sim_create *c, char dst[9], struct pv_error *e)
{
	const char *id = c->product_id;
	char made[16];
	int r;

	/*
	 * Where no id is public: the device id, security counter 00 and key
	 * index 01, in the pattern of the ids that are (sfi.md).
	 */
	(void)snprintf(made, sizeof made, "%03X00001",
	    (unsigned int)(c->chip->device_id & 0xfff));
	if (id == NULL)
		id =
		    c->chip->n_product_ids > 0 ? c->chip->product_ids[0] : made;
	r = check_product_id(id, e);
	if (r == 0)
		memcpy(dst, id, 9);
	return r;
}

/* A file of `size` equal bytes. */
static int
fill_file(const char *dir, const char *name, uint64_t size, uint8_t value,
    struct pv_error *e)
{
	struct pv_outfile *f = NULL;
	char path[PV_SIM_PATH];
	uint8_t block[4096];
	int r;

	memset(block, value, sizeof block);
	r = pv_path_fit(path, sizeof path, dir, name, e);
	if (r == 0)
		r = pv_outfile_open(path, 0644, &f, e);
	while (r == 0 && size > 0) {
		size_t n = size < sizeof block ? (size_t)size : sizeof block;

		r = pv_outfile_write(f, block, n, e);
		size -= n;
	}
	if (r == 0)
		r = pv_outfile_commit(f, e);
	pv_outfile_free(f);
	return r;
}

static int
make_identity(
    const struct pv_sim_create *c, const char *product_id, struct pv_error *e)
{
	struct pv_ec_key *ca = NULL, *key = NULL;
	uint8_t pub[PV_EC_PUBLIC], cert[PV_SIM_CERT];
	char path[PV_SIM_PATH];
	int r;

	r = pv_sim_ca_open(c->ca_dir, &ca, e);
	if (r == 0)
		r = pv_ec_generate(&key, e);
	if (r == 0)
		r = pv_ec_public(key, pub, e);
	if (r == 0)
		r = pv_sim_certificate(ca, product_id, pub, cert, e);
	if (r == 0)
		r = pv_path_fit(path, sizeof path, c->dir, "chip.key", e);
	if (r == 0)
		r = pv_ec_write_pem(key, path, e);
	if (r == 0)
		r = pv_path_fit(
		    path, sizeof path, c->dir, "certificate.bin", e);
	if (r == 0)
		r = pv_file_write(path, 0644, cert, sizeof cert, e);
	pv_ec_free(key);
	pv_ec_free(ca);
	return r;
}

static int
pin_campaign(const char *pem, uint8_t hash[PV_SHA256_LEN], struct pv_error *e)
{
	uint8_t pub[PV_EC_PUBLIC];
	struct pv_part part = { pub, sizeof pub };
	int r;

	r = pv_ec_read_public_pem(pem, pub, e);
	if (r == 0)
		r = pv_sha256(&part, 1, hash, e);
	if (r != 0)
		return pv_wrap(e, "campaign key '%s'", pem);
	return 0;
}

static int
make_memories(const struct pv_sim_create *c, const struct pv_chip *chip,
    struct pv_error *e)
{
	uint64_t flash, ram = 0;
	int r;

	flash = pv_sim_flash_span(chip);
	for (size_t i = 0; i < chip->n_rams; i++)
		ram += chip->rams[i].size;
	if (flash == 0 || flash > PV_SIM_FLASH_MAX || ram > PV_SIM_RAM_MAX ||
	    chip->option_area.size > PV_SIM_OPTIONS_MAX ||
	    chip->otp.size > PV_SIM_OTP_MAX)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "chip '%s' has no memories that can be simulated",
		    chip->name);
	r = fill_file(c->dir, "flash.bin", flash, chip->erased, e);
	if (r == 0)
		r = fill_file(c->dir, "ram.bin", ram, 0, e);
	if (r == 0)
		r = fill_file(c->dir, "otp.bin", chip->otp.size, 0xff, e);
	if (r == 0 && chip->has_option_area)
		r = fill_file(
		    c->dir, "options.bin", chip->option_area.size, 0xff, e);
	if (r == 0 && c->external_size > 0)
		r = fill_file(
		    c->dir, "external.bin", c->external_size, 0xff, e);
	return r;
}

int
pv_sim_create(const struct pv_sim_create *c, struct pv_sim_state *ret_state,
    struct pv_error *e)
{
	struct pv_sim_state s;
	char path[PV_SIM_PATH];
	int r;

	memset(&s, 0, sizeof s);
	if (c->chip->mpu && !c->chip->has_rom)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "the description of '%s' says nothing of its ROM",
		    c->chip->name);
	if (strlen(c->chip_name) >= sizeof s.chip)
		return pv_fail(e, PV_E_USAGE, "the chip's name is too long");
	memcpy(s.chip, c->chip_name, strlen(c->chip_name) + 1);
	s.agent = c->agent;
	s.allow_irreversible = c->allow_irreversible;
	s.iv_add = c->iv_add;
	s.rdp = c->rdp;
	s.external_base = c->external_base;
	s.external_size = c->external_size;
	if (c->ssp_profile != NULL) {
		struct pv_mp_profile profile;

		r = pv_sim_mpu_profile(c->ssp_profile, &profile, e);
		if (r != 0)
			return r;
		if (strlen(c->ssp_profile) >= sizeof s.ssp_profile)
			return pv_fail(
			    e, PV_E_USAGE, "--ssp-profile: too long");
		memcpy(
		    s.ssp_profile, c->ssp_profile, strlen(c->ssp_profile) + 1);
	}
	r = choose_product_id(c, s.product_id, e);
	if (r == 0 && c->campaign_key != NULL) {
		r = pin_campaign(c->campaign_key, s.campaign_key, e);
		s.pinned = true;
	}
	if (r == 0)
		r = pv_path_fit(path, sizeof path, c->dir, "state.json", e);
	if (r != 0)
		return r;
	if (access(path, F_OK) == 0) {
		(void)pv_fail(e, PV_E_EXISTS,
		    "'%s' already holds a virtual chip", c->dir);
		return pv_hint(
		    e, "choose another folder, or remove this one first");
	}
	r = pv_dir_make(c->dir, 0700, e);
	if (r == 0 && !c->chip->mpu)
		r = make_memories(c, c->chip, e);
	if (r == 0)
		r = make_identity(c, s.product_id, e);
	if (r == 0 && c->chip->mpu)
		r = pv_sim_mpu_create(c, s.product_id, e);
	/* Last: a folder without state.json is no chip yet. */
	if (r == 0)
		r = pv_sim_state_write(c->dir, &s, e);
	if (r != 0)
		return r;
	*ret_state = s;
	return 0;
}
