/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three boots against a chip that is nothing but its state: what the host
 * does next, when it stops, and what it then says of the chip.
 */
#include "base/buf.h"
#include "formats/license_ssp.h"
#include <provisor/mpu_push.h>
#include <provisor/ssp.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum mail { NOTHING, PUBA, PROA, BAD };

struct chip {
	/* settings */
	bool not_blank;	     /* a target word is burnt already */
	bool refuses;	     /* its ROM opens no license */
	unsigned int cuts;   /* power cuts, each before a boot 3 */
	bool forgets;	     /* its RAM is lost at each reset */
	bool hangs;	     /* in boot 3 */
	bool overflow;	     /* boot 2 ends with a text */
	unsigned int unplug; /* load that ends in silence */
	bool garbles;	     /* boot 3 runs, and what follows fails */
	bool rom_nacks;	     /* when closed, at the Start */
	bool other_chip;     /* another certificate the second time */
	uint16_t id;
	const char *product;

	/* state */
	struct pv_mpu_info info;
	struct pv_mpu_counters counters;
	enum { ROM, SSP1, SSP2, ENDED, DEAD } at;
	enum mail mail;
	bool closed, told, success;
	unsigned int licenses, blobs, certificates;
	uint8_t blob[PV_SSP_BLOB_MAX];
	size_t blob_len;
};

static struct chip chip;

static const struct pv_mpu_info *
chip_info(void *ctx)
{
	return &((struct chip *)ctx)->info;
}

static const struct pv_mpu_counters *
chip_counters(void *ctx)
{
	return &((struct chip *)ctx)->counters;
}

/* What the ROM makes of the mailbox, at a reset. */
static void
reset(struct chip *c)
{
	c->at = ROM;
	c->told = false;
	if (c->forgets)
		c->mail = NOTHING;
}

static int
chip_phase(void *ctx, struct pv_mpu_phase *p, struct pv_error *e)
{
	struct chip *c = ctx;

	memset(p, 0, sizeof(*p));
	switch (c->at) {
	case ROM:
		p->id = PV_MPU_FSBL;
		p->stage = PV_MPU_STAGE_ROM;
		return 0;
	case SSP1:
		p->id = PV_MPU_RESET;
		p->stage = PV_MPU_STAGE_TFA_SSP;
		memcpy(p->text, "Provisioning", 13);
		c->told = true;
		c->mail = PUBA;
		return 0;
	case SSP2:
		p->id = PV_MPU_SSP;
		p->stage = PV_MPU_STAGE_TFA_SSP;
		return 0;
	case ENDED:
		p->id = PV_MPU_RESET;
		p->stage = PV_MPU_STAGE_TFA_SSP;
		if (c->overflow)
			memcpy(p->text, "Download overflow", 18);
		c->told = true;
		c->mail = c->refuses ? BAD : PROA;
		return 0;
	default:
		return pv_fail(e, PV_E_TIMEOUT, "silent");
	}
}

/* The loader was sent: what it does. */
static void
start(struct chip *c)
{
	if (c->closed) {
		c->at = DEAD;
		return;
	}
	if (c->mail == PROA && c->cuts > 0) {
		c->cuts--;
		c->mail = NOTHING;
	}
	if (c->mail == PUBA) {
		c->at = SSP2;
	} else if (c->mail == PROA) {
		c->mail = NOTHING;
		c->closed = !c->not_blank;
		c->success = c->closed;
		c->at = c->hangs ? DEAD : ROM;
		c->counters.restarts++;
	} else {
		c->at = SSP1;
	}
}

static int
chip_download(void *ctx, uint8_t id, const struct pv_mpu_source *src,
    const char *step, struct pv_error *e)
{
	struct chip *c = ctx;

	(void)step;
	if (c->at == ROM && id == PV_MPU_FSBL) {
		if (c->unplug > 0 && --c->unplug == 0)
			return pv_fail(e, PV_E_TIMEOUT, "no answer");
		c->counters.sent += src->size;
		if (c->closed && c->rom_nacks)
			return pv_fail(e, PV_E_NACK, "start refused");
		start(c);
		return 0;
	}
	if (c->at != SSP2 || id != PV_MPU_SSP)
		return pv_fail(e, PV_E_NACK, "not now");
	assert_true(src->size <= sizeof(c->blob));
	assert_int_equal(
	    src->read(src->ctx, 0, c->blob, (size_t)src->size, e), 0);
	c->blob_len = (size_t)src->size;
	c->blobs++;
	c->at = ENDED;
	return 0;
}

static int
chip_read(void *ctx, uint8_t id, uint8_t *data, size_t cap, size_t *ret_len,
    struct pv_error *e)
{
	struct chip *c = ctx;

	assert_true(cap >= 136);
	if (id != PV_MPU_SSP || c->at != SSP2)
		return pv_fail(e, PV_E_NACK, "not now");
	memset(data, 0x55, 136);
	memcpy(data, c->product, 8);
	/* twice for each boot 2 */
	if (c->other_chip && c->certificates++ >= 2)
		data[100] = 1;
	*ret_len = 136;
	return 0;
}

static int
chip_leave(void *ctx, struct pv_error *e)
{
	(void)ctx;
	return pv_fail(e, PV_E_INTERNAL, "no detach on a line");
}

static int
chip_next(void *ctx, int timeout_ms, bool *ret_restarted, struct pv_error *e)
{
	struct chip *c = ctx;

	(void)timeout_ms;
	if (c->garbles && c->closed)
		return pv_fail(e, PV_E_DEVICE, "aborted");
	if (c->at == DEAD)
		return pv_fail(e, PV_E_TIMEOUT, "nobody answers");
	/* Phase 0xff was heard: it resets. */
	if (c->told)
		reset(c);
	*ret_restarted = c->at == ROM;
	return 0;
}

static const struct pv_mpu mpu = {
	.ctx = &chip,
	.info = chip_info,
	.counters = chip_counters,
	.phase = chip_phase,
	.download = chip_download,
	.read = chip_read,
	.leave = chip_leave,
	.next = chip_next,
};

static int license_fails;
static uint32_t min_version;

static int
license(void *ctx, const uint8_t cert[136], uint8_t ret_license[136],
    struct pv_error *e)
{
	struct pv_ssp_license l = { .type = PV_SSP_TYPE_STATIC,
		.version = 1,
		.min_version = min_version };

	(void)ctx;
	(void)cert;
	chip.licenses++;
	if (license_fails != 0)
		return pv_fail(e, license_fails, "no license");
	return pv_ssp_license_encode(&l, ret_license, e);
}

static uint8_t payload[PV_SSP_MP15_LEN];
static struct pv_ssp_install_report rep;
static struct pv_error err;

static int
run(void)
{
	struct pv_mpu_source loader;
	struct pv_ssp_install_options opt = { .chip = PV_MPU_MP15,
		.payload = payload,
		.payload_len = sizeof(payload),
		.loader = &loader,
		.loader_version = 1,
		.secret_words = 37,
		.license = license };

	pv_mpu_memory("loader", 6, &loader);
	memset(&err, 0, sizeof(err));
	return pv_ssp_install_run(&mpu, &opt, &rep, &err);
}

static int
setup(void **state)
{
	(void)state;
	memset(&chip, 0, sizeof(chip));
	chip.id = PV_MPU_MP15;
	chip.info.chip = PV_MPU_MP15;
	chip.product = "5000200A";
	license_fails = 0;
	min_version = 0;
	memset(payload, 0xab, sizeof(payload));
	return 0;
}

/* Loader four times; the blob is the license, then the file. */
static void
test_whole(void **state)
{
	(void)state;
	assert_int_equal(run(), 0);
	assert_int_equal(rep.state, PV_SSP_CLOSED);
	assert_int_equal(rep.loads, 4);
	assert_int_equal(rep.rounds, 1);
	assert_int_equal(rep.resumed_at, 0);
	assert_int_equal(chip.licenses, 1);
	assert_int_equal(chip.blob_len, 380);
	assert_memory_equal(chip.blob, "SSP.", 4);
	assert_int_equal(chip.blob[136], 0xab);
	assert_true(chip.success);
}

static void
test_resume_2(void **state)
{
	(void)state;
	chip.at = SSP2;
	assert_int_equal(run(), 0);
	assert_int_equal(rep.resumed_at, 2);
	assert_int_equal(rep.loads, 2);
	setup(NULL);
	chip.mail = PUBA; /* in the ROM before boot 2 */
	assert_int_equal(run(), 0);
	assert_int_equal(rep.loads, 3);
}

/* An earlier push had sent the package: no license, and proof all the same. */
static void
test_resume_3(void **state)
{
	(void)state;
	chip.mail = PROA;
	assert_int_equal(run(), 0);
	assert_int_equal(rep.resumed_at, 3);
	assert_true(rep.finished_before);
	assert_int_equal(chip.licenses, 0);
	assert_int_equal(rep.loads, 2);
	assert_int_equal(rep.state, PV_SSP_CLOSED);
}

static void
test_closed(void **state)
{
	(void)state;
	chip.closed = true;
	assert_int_equal(run(), PV_E_DEVICE);
	assert_non_null(strstr(err.msg, "it is closed already"));
	assert_int_equal(rep.state, PV_SSP_UNTOUCHED);
	assert_int_equal(chip.licenses, 0);
}

static void
test_wrong_chip(void **state)
{
	(void)state;
	chip.info.chip = PV_MPU_MP13;
	assert_int_equal(run(), PV_E_VERIFY);
	assert_non_null(
	    strstr(err.msg, "is for chips 0x500, this one is 0x501"));
	assert_int_equal(rep.loads, 0);
	setup(NULL);
	chip.product = "5010001\x01";
	assert_int_equal(run(), PV_E_VERIFY);
	assert_non_null(strstr(err.msg, "certificate is of product '501'"));
	assert_int_equal(chip.licenses, 0);
}

/* The ROM refuses: once more, then never again; one license. */
static void
test_refused(void **state)
{
	(void)state;
	chip.refuses = true;
	assert_int_equal(run(), PV_E_VERIFY);
	assert_non_null(strstr(err.msg, "refused the license or the package"));
	assert_int_equal(rep.state, PV_SSP_REFUSED);
	assert_int_equal(chip.blobs, 2);
	assert_false(chip.closed);
}

/* A power cut between boots 2 and 3 looks the same, and heals. */
static void
test_power_cut(void **state)
{
	(void)state;
	chip.cuts = 1;
	assert_int_equal(run(), 0);
	assert_int_equal(rep.rounds, 2);
	assert_int_equal(rep.state, PV_SSP_CLOSED);
}

static void
test_forgets(void **state)
{
	(void)state;
	chip.forgets = true;
	assert_int_equal(run(), PV_E_DEVICE);
	assert_non_null(strstr(err.msg, "RAM is lost at each restart"));
	assert_int_equal(rep.state, PV_SSP_REQUESTED);
	assert_int_equal(chip.licenses, 0);
}

static void
test_not_blank(void **state)
{
	(void)state;
	chip.not_blank = true;
	assert_int_equal(run(), PV_E_VERIFY);
	assert_non_null(strstr(err.msg, "the chip is still open"));
	assert_int_equal(rep.state, PV_SSP_STILL_OPEN);
}

static void
test_hangs(void **state)
{
	(void)state;
	chip.hangs = true;
	assert_int_equal(run(), PV_E_TIMEOUT);
	assert_non_null(strstr(err.msg, "does not come back from boot 3"));
	assert_int_equal(rep.state, PV_SSP_UNSURE);
}

/* ACK is no success: the phase has a text (M6). */
/* It has burnt by then, and nobody may call it open. */
static void
test_garbles(void **state)
{
	(void)state;
	chip.garbles = true;
	assert_int_equal(run(), PV_E_DEVICE);
	assert_int_equal(rep.state, PV_SSP_UNSURE);
	setup(NULL);
	chip.garbles = true;
	chip.mail = PROA; /* of an earlier push */
	assert_int_equal(run(), PV_E_DEVICE);
	assert_int_equal(rep.state, PV_SSP_UNSURE);
}

static void
test_overflow(void **state)
{
	(void)state;
	chip.overflow = true;
	assert_int_equal(run(), PV_E_DEVICE);
	assert_non_null(strstr(err.msg, "Download overflow"));
	assert_int_equal(rep.state, PV_SSP_REQUESTED);
}

static void
test_no_license(void **state)
{
	(void)state;
	license_fails = PV_E_LIMIT;
	assert_int_equal(run(), PV_E_LIMIT);
	assert_int_equal(rep.state, PV_SSP_REQUESTED);
	assert_int_equal(chip.blobs, 0);
}

static void
test_min_version(void **state)
{
	(void)state;
	min_version = 2;
	assert_int_equal(run(), PV_E_VERIFY);
	assert_non_null(strstr(err.msg, "image version 2 or later"));
	assert_int_equal(chip.blobs, 0);
}

/* Exchanged between two rounds. */
static void
test_exchanged(void **state)
{
	(void)state;
	chip.refuses = true;
	chip.other_chip = true;
	assert_int_equal(run(), PV_E_DEVICE);
	assert_non_null(strstr(err.msg, "another chip answers"));
}

/* Unplugged in the last load: no PASS, and no word of closed. */
static void
test_unplugged(void **state)
{
	(void)state;
	chip.unplug = 4;
	assert_int_equal(run(), PV_E_TIMEOUT);
	assert_int_equal(rep.state, PV_SSP_ENDED);
	assert_int_equal(rep.loads, 4);
}

/* A closed ROM that says no instead of falling silent. */
static void
test_rom_nacks(void **state)
{
	(void)state;
	chip.rom_nacks = true;
	assert_int_equal(run(), 0);
	assert_int_equal(rep.state, PV_SSP_CLOSED);
	setup(NULL);
	chip.closed = true;
	chip.rom_nacks = true;
	assert_int_equal(run(), PV_E_NACK);
	assert_int_equal(rep.state, PV_SSP_UNTOUCHED);
}

static void
test_texts(void **state)
{
	(void)state;
	for (int i = PV_SSP_UNTOUCHED; i <= PV_SSP_CLOSED; i++) {
		assert_true(
		    strlen(pv_ssp_state_text((enum pv_ssp_state)i)) > 10);
		assert_true(
		    strlen(pv_ssp_state_name((enum pv_ssp_state)i)) > 3);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whole),
		TEST(test_resume_2),
		TEST(test_resume_3),
		TEST(test_closed),
		TEST(test_wrong_chip),
		TEST(test_refused),
		TEST(test_power_cut),
		TEST(test_forgets),
		TEST(test_not_blank),
		TEST(test_hangs),
		TEST(test_garbles),
		TEST(test_overflow),
		TEST(test_no_license),
		TEST(test_min_version),
		TEST(test_exchanged),
		TEST(test_unplugged),
		TEST(test_rom_nacks),
		TEST(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
