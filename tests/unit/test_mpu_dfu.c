/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The STM32MP session on USB: the transfers of formats/mpu-boot.md, section
 * USB, against a fake that knows its stage and what it answers. M9 to M12.
 */
#include "base/buf.h"
#include <provisor/mpu.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALTS	  8U
#define OUT_MAX	  4096U
#define ALT_NAME0 4U /* string index of the first alternate setting */

struct face {
	const char *product, *serial;
	size_t n_alts;
	const char *alts[ALTS];
};

static const struct face rom_15 = {
	"DFU in HS Mode @Device ID /0x500, @Revision ID /0x0000",
	"003300214E50500D20343834", 6,
	{ "@Partition0 /0x00/1*256Ke", "@FSBL /0x01/1*1Me",
	    "@Partition2 /0x02/1*1Me", "@Partition3 /0x03/1*16Me",
	    "@Partition4 /0x04/1*16Me", "@virtual /0xF1/1*512Ba" }
};
static const struct face rom_13 = {
	"DFU in HS Mode @Device ID /0x501, @Revision ID /0x1003",
	"003300214E50500D20343834", 1, { "@something else" }
};
static const struct face ssp_13 = { "DFU @Device ID /0x501, @Revision ID /"
				    "0x1003, @Name /STM32MP135F Rev.Y,",
	"003300214E50500D20343834", 2,
	{ "@SSP /0xF3/1*512Ba", "@virtual /0xF1/1*512Ba" } };
static const struct face uboot = {
	"USB download gadget@Device ID /0x500, @Revision ID /0x2000, @Name /"
	"STM32MP157C,",
	"003300214e50500d20343834", 4,
	{ "@FlashLayout/0x00/1*256Ke", "@virtual/0xf1/1*512Be",
	    "@OTP/0xf2/1*776Be", "@PMIC/0xf4/1*8Be" }
};

struct fake {
	struct pv_usb usb;
	const struct face *face, *becomes; /* after a detach */
	unsigned int alt, alternates;
	uint8_t state; /* DFU */
	uint8_t phase[300];
	size_t phase_len;
	uint8_t next_phase[64]; /* after manifestation */
	size_t next_phase_len;
	uint8_t upload[2048];
	size_t upload_len;
	uint8_t out[OUT_MAX];
	size_t n_out, dnloads, uploads;
	uint16_t want; /* of the last UPLOAD */
	bool gone, never_back, fail_dnload;
	const char *serial;	       /* instead of the face's */
	unsigned int gone_at_getphase; /* leave the bus at GetPhase no. */
	char log[512];		       /* one letter for each request */
};

static bool
is_cmd(const struct fake *f)
{
	const char *t = f->face->alts[f->alt];

	return strstr(t, "/0xF1/") != NULL || strstr(t, "/0xf1/") != NULL;
}

static void
note(struct fake *f, char c)
{
	size_t n = strlen(f->log);

	if (n < sizeof(f->log) - 1)
		f->log[n] = c;
}

static uint16_t
string(const char *text, uint8_t *data)
{
	size_t n = strlen(text);

	data[0] = (uint8_t)(2 + 2 * n);
	data[1] = 3;
	for (size_t i = 0; i < n; i++) {
		data[2 + 2 * i] = (uint8_t)text[i];
		data[3 + 2 * i] = 0;
	}
	return data[0];
}

static int
standard(struct fake *f, const struct pv_usb_setup *s, uint8_t *data,
    uint16_t *ret_len)
{
	uint8_t index = (uint8_t)s->value;

	if (s->value >> 8 == 1) {
		memset(data, 0, 18);
		data[15] = 2;
		*ret_len = 18;
		return 0;
	}
	*ret_len = string(
	    index == 2 ? f->face->product : f->face->alts[index - ALT_NAME0],
	    data);
	return 0;
}

static int
upload(struct fake *f, const struct pv_usb_setup *s, uint8_t *data,
    uint16_t *ret_len, struct pv_error *e)
{
	size_t from = (size_t)s->value * s->length, n = f->upload_len;
	const uint8_t *p = f->upload;

	f->want = s->length;
	f->uploads++;
	if (is_cmd(f)) {
		if (f->gone_at_getphase != 0 && --f->gone_at_getphase == 0) {
			f->gone = true;
			return pv_fail(e, PV_E_LINK, "gone");
		}
		p = f->phase;
		n = f->phase_len;
	}
	n = n > from ? n - from : 0;
	n = n < s->length ? n : s->length;
	memcpy(data, p + from, n);
	*ret_len = (uint16_t)n;
	f->state = n < s->length ? 2 : 9;
	return 0;
}

static int
dnload(struct fake *f, const struct pv_usb_setup *s, const uint8_t *data,
    uint16_t *ret_len, struct pv_error *e)
{
	/* Two DNLOADs without a status between them are a stall (M11). */
	if (f->state == 3 || f->fail_dnload)
		return pv_fail(e, PV_E_NACK, "stall");
	f->dnloads++;
	*ret_len = s->length;
	if (s->length == 0) {
		f->state = 6;
		return 0;
	}
	assert_true(f->n_out + s->length <= OUT_MAX);
	memcpy(f->out + f->n_out, data, s->length);
	f->n_out += s->length;
	f->state = 3;
	return 0;
}

/* TF-A's first status after a block still says dfuDNLOAD-SYNC. */
static void
getstatus(struct fake *f, uint8_t *data)
{
	memset(data, 0, 6);
	data[4] = f->state;
	if (f->state == 3) {
		f->state = 5;
	} else if (f->state == 6) {
		data[1] = 1;
		data[4] = 7;
		f->state = 2;
		if (f->next_phase_len > 0) {
			memcpy(f->phase, f->next_phase, f->next_phase_len);
			f->phase_len = f->next_phase_len;
		}
	}
}

static int
control(void *ctx, const struct pv_usb_setup *s, uint8_t *data,
    uint16_t *ret_len, int64_t deadline, struct pv_error *e)
{
	struct fake *f = ctx;

	(void)deadline;
	*ret_len = 0;
	if (f->gone)
		return pv_fail(e, PV_E_LINK, "gone");
	if (s->type == 0x80)
		return standard(f, s, data, ret_len);
	note(f, "tducCga"[s->request < 7 ? s->request : 0]);
	switch (s->request) {
	case 0:
		f->gone = true;
		return 0;
	case 1:
		return dnload(f, s, data, ret_len, e);
	case 2:
		return upload(f, s, data, ret_len, e);
	case 3:
		getstatus(f, data);
		*ret_len = 6;
		return 0;
	default:
		f->state = 2;
		return 0;
	}
}

static int
alternate(void *ctx, unsigned int number, struct pv_error *e)
{
	struct fake *f = ctx;

	if (number >= f->face->n_alts)
		return pv_fail(e, PV_E_NACK, "stall");
	f->alt = number;
	f->alternates++;
	return 0;
}

static void
wear(struct fake *f, const struct face *face)
{
	static const uint8_t functional[] = { 9, 0x21, 0x0f, 0xff, 0, 0, 4,
		0x10, 1 };

	f->face = face;
	f->alt = 0;
	f->state = 2;
	f->usb.n_alts = face->n_alts;
	for (size_t i = 0; i < face->n_alts; i++) {
		f->usb.alts[i].number = (uint8_t)i;
		f->usb.alts[i].name = (uint8_t)(ALT_NAME0 + i);
	}
	f->usb.functional_len = sizeof(functional);
	memcpy(f->usb.functional, functional, sizeof(functional));
	(void)snprintf(f->usb.serial, sizeof(f->usb.serial), "%s",
	    f->serial != NULL ? f->serial : face->serial);
	(void)snprintf(f->usb.port, sizeof(f->usb.port), "dfu:1-1");
}

static int
reopen(struct pv_usb *usb, int64_t deadline, struct pv_error *e)
{
	struct fake *f = usb->ctx;

	(void)deadline;
	if (f->never_back)
		return pv_fail(e, PV_E_LINK, "nothing came back");
	f->gone = false;
	wear(f, f->becomes != NULL ? f->becomes : f->face);
	return 0;
}

static void
say_phase(struct fake *f, const void *bytes, size_t n)
{
	memcpy(f->phase, bytes, n);
	f->phase_len = n;
}
#define SAY(f, text) say_phase((f), (text), sizeof(text) - 1)

static void
init(struct fake *f, const struct face *face)
{
	memset(f, 0, sizeof(*f));
	f->usb.ctx = f;
	f->usb.control = control;
	f->usb.alternate = alternate;
	f->usb.reopen = reopen;
	wear(f, face);
}

static struct fake fake;
static struct pv_mpu mpu;
static struct pv_error err;

static void
open_mpu(const struct face *face)
{
	init(&fake, face);
	memset(&err, 0, sizeof(err));
	assert_int_equal(pv_mpu_dfu_open(&fake.usb, NULL, &mpu, &err), 0);
}

static int
teardown(void **state)
{
	(void)state;
	pv_mpu_release(&mpu);
	return 0;
}

/* --- what it says --------------------------------------------------------------- */

static void
test_describe(void **state)
{
	const struct pv_mpu_info *i;

	(void)state;
	open_mpu(&rom_15);
	i = mpu.info(mpu.ctx);
	assert_true(i->usb);
	assert_int_equal(i->chip, PV_MPU_MP15);
	assert_int_equal(i->transfer_size, 1024);
	assert_int_equal(i->n_alternates, 6);
	assert_int_equal(pv_mpu_find(i, PV_MPU_FSBL)->number, 1);
	assert_int_equal(pv_mpu_find(i, PV_MPU_COMMAND)->number, 5);
	assert_null(pv_mpu_find(i, PV_MPU_OTP));
	assert_true(pv_mpu_usb_is(&fake.usb));
	fake.face = &rom_13; /* without a command partition: by its chip id */
	wear(&fake, &rom_13);
	assert_true(pv_mpu_usb_is(&fake.usb));
}

/* A microcontroller names addresses, and another chip id. */
static void
test_not_mpu(void **state)
{
	static const struct face mcu = { "STM32 BOOTLOADER", "FFFFFFFEFFFF", 1,
		{ "@Internal Flash  /0x08000000/04*016Kg" } };

	(void)state;
	init(&fake, &mcu);
	assert_false(pv_mpu_usb_is(&fake.usb));
}

static void
phase_is(uint8_t id, enum pv_mpu_stage stage, bool detach, uint32_t address)
{
	struct pv_mpu_phase p = { 0 };

	assert_int_equal(mpu.phase(mpu.ctx, &p, &err), 0);
	assert_int_equal(p.id, id);
	assert_int_equal(p.stage, stage);
	assert_int_equal(p.detach, detach);
	assert_int_equal(p.address, address);
}

/* One UPLOAD of the transfer size; its length tells (M10). */
static void
test_phases(void **state)
{
	(void)state;
	open_mpu(&rom_15);
	SAY(&fake, "\x01\x00\x24\xfc\x2f\0\0\0\0");
	phase_is(PV_MPU_FSBL, PV_MPU_STAGE_ROM, false, 0x2ffc2400);
	assert_int_equal(fake.uploads, 1);
	assert_int_equal(fake.want, 1024);
	/* boot 2 on MP15: phase 0 in 9 bytes */
	SAY(&fake, "\x00\x00\xf0\xff\x2f\0\0\0\0");
	phase_is(PV_MPU_LAYOUT, PV_MPU_STAGE_TFA_SSP, false, 0x2ffff000);
	/* license and package are there */
	SAY(&fake, "\x00\xff\xff\xff\xff\0\0\0\0\x01");
	phase_is(PV_MPU_LAYOUT, PV_MPU_STAGE_UNKNOWN, true, 0xffffffff);
	SAY(&fake, "\x03\x00\x00\x00\xc0\0\0\0\0");
	phase_is(PV_MPU_SSBL, PV_MPU_STAGE_TFA, false, 0xc0000000);
	teardown(NULL);
	open_mpu(&ssp_13);
	SAY(&fake, "\xf3\x00\xf0\xff\x2f\0\0\0\0");
	phase_is(PV_MPU_SSP, PV_MPU_STAGE_TFA_SSP, false, 0x2ffff000);
	teardown(NULL);
	open_mpu(&uboot);
	SAY(&fake, "\x00\x00\x00\x00\xc0\0\0\0\0\x00");
	phase_is(PV_MPU_LAYOUT, PV_MPU_STAGE_UBOOT, false, 0xc0000000);
}

static void
test_boot_1(void **state)
{
	struct pv_mpu_phase p = { 0 };

	(void)state;
	open_mpu(&ssp_13);
	SAY(&fake, "\xff\xff\xff\xff\xff\0\0\0\0Provisioning");
	assert_int_equal(fake.phase_len, 21);
	assert_int_equal(mpu.phase(mpu.ctx, &p, &err), 0);
	assert_int_equal(p.id, PV_MPU_RESET);
	assert_string_equal(p.text, "Provisioning");
}

/* The ROM of MP13 has no command partition that is known of. */
static void
test_rom_13(void **state)
{
	(void)state;
	open_mpu(&rom_13);
	phase_is(PV_MPU_FSBL, PV_MPU_STAGE_ROM, false, 0xffffffff);
	assert_int_equal(fake.uploads, 0);
}

static void
test_short_phase(void **state)
{
	struct pv_mpu_phase p = { 0 };

	(void)state;
	open_mpu(&rom_15);
	SAY(&fake, "\x01\x00\x24");
	assert_int_equal(mpu.phase(mpu.ctx, &p, &err), PV_E_DEVICE);
	assert_non_null(strstr(err.msg, "the answer to GetPhase has 3 bytes"));
}

/* --- data ---------------------------------------------------------------------------- */

static int
send_bytes(uint8_t id, size_t n)
{
	static uint8_t data[OUT_MAX];
	struct pv_mpu_source src;

	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)(i * 7);
	pv_mpu_memory(data, n, &src);
	return mpu.download(mpu.ctx, id, &src, "test", &err);
}

/*
 * Blocks of 1024, a status after each, whose dfuDNLOAD-SYNC is enough; then
 * the empty block and two statuses.
 */
static void
test_download(void **state)
{
	(void)state;
	open_mpu(&rom_15);
	memset(fake.log, 0, sizeof(fake.log));
	assert_int_equal(send_bytes(PV_MPU_FSBL, 2500), 0);
	assert_int_equal(fake.alt, 1);
	assert_string_equal(fake.log, "dcdcdcdcc");
	assert_int_equal(fake.n_out, 2500);
	assert_int_equal(fake.out[2499], (uint8_t)(2499 * 7));
	assert_int_equal(mpu.counters(mpu.ctx)->sent, 2500);
}

static void
test_download_blob(void **state)
{
	(void)state;
	open_mpu(&ssp_13);
	assert_int_equal(send_bytes(PV_MPU_SSP, 348), 0);
	assert_int_equal(fake.alt, 0);
	assert_int_equal(fake.dnloads, 2);
	/* there is no alternate setting for it */
	assert_int_equal(send_bytes(PV_MPU_SSBL, 10), PV_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "no alternate setting with /0x03/"));
}

static void
test_download_stall(void **state)
{
	(void)state;
	open_mpu(&rom_15);
	fake.fail_dnload = true;
	assert_int_equal(send_bytes(PV_MPU_FSBL, 10), PV_E_NACK);
	assert_int_equal(fake.n_out, 0);
}

/* 9 bytes of GetPhase and the certificate, in one transfer. */
static void
test_certificate(void **state)
{
	uint8_t b[256];
	size_t n = 0;

	(void)state;
	open_mpu(&ssp_13);
	fake.upload_len = 145;
	memcpy(fake.upload + 9, "5010200A", 8);
	assert_int_equal(
	    mpu.read(mpu.ctx, PV_MPU_SSP, b, sizeof(b), &n, &err), 0);
	assert_int_equal(n, 145);
	assert_memory_equal(b + 9, "5010200A", 8);
	assert_int_equal(fake.uploads, 1);
}

/* Whole transfers go on until a short one, here an empty one. */
static void
test_read_long(void **state)
{
	uint8_t b[PV_MPU_OTP_MAX];
	size_t n = 0;

	(void)state;
	open_mpu(&uboot);
	fake.upload_len = 1024;
	fake.upload[1023] = 9;
	assert_int_equal(pv_mpu_read_otp(&mpu, b, &n, &err), 0);
	assert_int_equal(n, 1024);
	assert_int_equal(b[1023], 9);
	assert_int_equal(fake.uploads, 2);
}

/* --- detach and the next stage ----------------------------------------------------------- */

static void
test_detach(void **state)
{
	bool restarted = true;

	(void)state;
	open_mpu(&rom_13);
	fake.becomes = &ssp_13;
	SAY(&fake, "\xf3\x00\xf0\xff\x2f\0\0\0\0");
	phase_is(PV_MPU_FSBL, PV_MPU_STAGE_ROM, false, 0xffffffff);
	assert_int_equal(mpu.leave(mpu.ctx, &err), 0);
	assert_int_equal(mpu.next(mpu.ctx, 1000, &restarted, &err), 0);
	assert_false(restarted);
	phase_is(PV_MPU_SSP, PV_MPU_STAGE_TFA_SSP, false, 0x2ffff000);
}

/* TF-A on MP15 keeps the enumeration: only the phase changes. */
static void
test_hand_over(void **state)
{
	bool restarted = true;

	(void)state;
	open_mpu(&rom_15);
	SAY(&fake, "\x01\x00\x24\xfc\x2f\0\0\0\0");
	phase_is(PV_MPU_FSBL, PV_MPU_STAGE_ROM, false, 0x2ffc2400);
	memcpy(fake.next_phase, "\x03\0\0\0\xc0\0\0\0\0", 9);
	fake.next_phase_len = 9;
	assert_int_equal(send_bytes(PV_MPU_FSBL, 100), 0);
	assert_int_equal(mpu.next(mpu.ctx, 1000, &restarted, &err), 0);
	assert_false(restarted);
	phase_is(PV_MPU_SSBL, PV_MPU_STAGE_TFA, false, 0xc0000000);
}

/* It leaves the bus by itself and the ROM is back: the loader has run. */
static void
test_restart(void **state)
{
	bool restarted = false;

	(void)state;
	open_mpu(&rom_15);
	SAY(&fake, "\x01\x00\x24\xfc\x2f\0\0\0\0");
	phase_is(PV_MPU_FSBL, PV_MPU_STAGE_ROM, false, 0x2ffc2400);
	fake.gone_at_getphase = 3;
	assert_int_equal(mpu.next(mpu.ctx, 2000, &restarted, &err), 0);
	assert_true(restarted);
	assert_int_equal(mpu.counters(mpu.ctx)->restarts, 1);
}

static void
test_stays(void **state)
{
	bool restarted = false;

	(void)state;
	open_mpu(&rom_15);
	SAY(&fake, "\x01\x00\x24\xfc\x2f\0\0\0\0");
	phase_is(PV_MPU_FSBL, PV_MPU_STAGE_ROM, false, 0x2ffc2400);
	assert_int_equal(
	    mpu.next(mpu.ctx, 100, &restarted, &err), PV_E_TIMEOUT);
	assert_non_null(strstr(err.msg, "stays in phase 0x01"));
}

static void
test_never_back(void **state)
{
	bool restarted = false;

	(void)state;
	open_mpu(&rom_15);
	fake.never_back = true;
	assert_int_equal(mpu.leave(mpu.ctx, &err), 0);
	assert_int_equal(mpu.next(mpu.ctx, 100, &restarted, &err), PV_E_LINK);
	assert_non_null(strstr(err.msg, "nothing came back"));
}

/* Another serial, and another chip, are another device. */
static void
test_other_serial(void **state)
{
	bool restarted = false;

	(void)state;
	open_mpu(&rom_15);
	fake.serial = "OTHER";
	assert_int_equal(mpu.leave(mpu.ctx, &err), 0);
	assert_int_equal(
	    mpu.next(mpu.ctx, 1000, &restarted, &err), PV_E_DEVICE);
	assert_non_null(strstr(err.msg, "another device came back on dfu:1-1"));
	assert_non_null(strstr(err.msg, "serial OTHER was 0033"));
}

static void
test_other_chip(void **state)
{
	bool restarted = false;

	(void)state;
	open_mpu(&rom_15);
	fake.becomes = &ssp_13;
	assert_int_equal(mpu.leave(mpu.ctx, &err), 0);
	assert_int_equal(
	    mpu.next(mpu.ctx, 1000, &restarted, &err), PV_E_DEVICE);
	assert_non_null(strstr(err.msg, "another chip came back"));
}

/* U-Boot writes its serial in lower case. */
static void
test_serial_case(void **state)
{
	bool restarted = false;

	(void)state;
	open_mpu(&rom_15);
	fake.becomes = &uboot;
	SAY(&fake, "\x00\x00\x00\x00\xc0\0\0\0\0\x00");
	assert_int_equal(mpu.leave(mpu.ctx, &err), 0);
	assert_int_equal(mpu.next(mpu.ctx, 1000, &restarted, &err), 0);
	phase_is(PV_MPU_LAYOUT, PV_MPU_STAGE_UBOOT, false, 0xc0000000);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_describe),
		cmocka_unit_test(test_not_mpu),
		TEST(test_phases),
		TEST(test_boot_1),
		TEST(test_rom_13),
		TEST(test_short_phase),
		TEST(test_download),
		TEST(test_download_blob),
		TEST(test_download_stall),
		TEST(test_certificate),
		TEST(test_read_long),
		TEST(test_detach),
		TEST(test_hand_over),
		TEST(test_restart),
		TEST(test_stays),
		TEST(test_never_back),
		TEST(test_other_serial),
		TEST(test_other_chip),
		TEST(test_serial_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
