/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages of an STM32MP on USB, transfer for transfer: the golden bytes of
 * TF-A 2.8's SSP firmware, alternate settings, descriptors, and states of
 * DFU 1.1 in and out of order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/mpu_rig.h"

#include "base/hex.h"

#define OUT 0x21
#define IN  0xa1

/* --- transfers -------------------------------------------------------------- */

static uint8_t data[4096];
static size_t moved;

static enum pv_dd_end
transfer(struct rig *g, uint8_t type, uint8_t request, uint16_t value,
    uint16_t length)
{
	struct pv_dd_setup s = { type, request, value, 0, length };

	return pv_mp_usb_transfer(&g->m, &s, data, &moved);
}

static void
got(const char *want)
{
	char hex[2 * sizeof data + 1], clean[512];
	size_t n = 0;

	for (const char *p = want; *p != '\0'; p++)
		if (*p != ' ')
			clean[n++] = *p;
	clean[n] = '\0';
	pv_hex_encode(hex, data, moved);
	assert_string_equal(hex, clean);
}

static void
alternate(struct rig *g, uint16_t n)
{
	assert_int_equal(transfer(g, 0x01, 11, n, 0), PV_DD_DONE);
}

static void
status(struct rig *g, const char *want)
{
	assert_int_equal(transfer(g, IN, 3, 0, 6), PV_DD_DONE);
	got(want);
}

static void
phase(struct rig *g, uint16_t alt, const char *want)
{
	alternate(g, alt);
	assert_int_equal(transfer(g, IN, 2, 0, 1024), PV_DD_DONE);
	got(want);
}

static void
load(struct rig *g, const char *stage)
{
	size_t n = rig_image(g, stage, data);

	alternate(g, g->config.chip.key_table ? 0 : 1);
	n = rig_image(g, stage, data);
	assert_int_equal(transfer(g, OUT, 1, 0, (uint16_t)n), PV_DD_DONE);
	status(g, "00 00 00 00 05 00");
	assert_int_equal(transfer(g, OUT, 1, 1, 0), PV_DD_DONE);
	status(g, "00 01 00 00 07 00");
	status(g, "00 00 00 00 02 00");
	if (!g->config.chip.key_table)
		return;
	assert_int_equal(transfer(g, OUT, 0, 1000, 0), PV_DD_DONE);
	assert_true(g->m.usb_left);
	g->m.usb_left = false;
}

static void
detach(struct rig *g)
{
	assert_int_equal(transfer(g, OUT, 0, 1000, 0), PV_DD_DONE);
	assert_true(g->m.usb_left);
	/* Off the bus, nobody answers. */
	assert_int_equal(transfer(g, IN, 3, 0, 6), PV_DD_SILENT);
	g->m.usb_left = false;
}

/* --- golden bytes --------------------------------------------------------------- */

static void
test_mp15(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_USB);

	(void)unused;
	assert_non_null(g);
	phase(g, 5, "01 0024fc2f 00000000");
	load(g, "tf-a-ssp");
	phase(g, 5,
	    "ff ffffffff 00000000 50726f766973696f6e696e67"); /* 21 bytes */
	detach(g);
	assert_int_equal(g->m.stage, PV_MP_ROM);
	load(g, "tf-a-ssp");
	phase(g, 5, "00 00f0ff2f 00000000");
	alternate(g, 0);
	assert_int_equal(transfer(g, IN, 2, 0, 1024), PV_DD_DONE);
	assert_int_equal(moved, 145);
	assert_memory_equal(data, "\x00\x18\x9d\xfe\x2f\x00\x00\x00\x00", 9);
	assert_memory_equal(data + 9, "5000200A", 8);
	/* A short buffer gets what fits. */
	assert_int_equal(transfer(g, IN, 2, 0, 100), PV_DD_DONE);
	assert_int_equal(moved, 100);
	assert_int_equal(transfer(g, OUT, 6, 0, 0), PV_DD_DONE); /* ABORT */
	/* The blob: the first status still tells the state before. */
	assert_int_equal(transfer(g, OUT, 1, 0, 380), PV_DD_DONE);
	status(g, "00 00 00 00 03 00");
	status(g, "00 00 00 00 05 00");
	assert_int_equal(transfer(g, OUT, 1, 1, 0), PV_DD_DONE);
	status(g, "00 01 00 00 07 00");
	status(g, "00 00 00 00 02 00");
	phase(g, 5, "00 ffffffff 00000000 01");
	detach(g);
	/* A blob of zeros: the ROM does not open it. */
	load(g, "tf-a-ssp");
	phase(g, 5, "ff ffffffff 00000000 50726f766973696f6e696e67");
	rig_free(g);
}

static void
test_mp13(void **unused)
{
	struct rig *g = rig_new(true, PV_MP_USB);

	(void)unused;
	load(g, "tf-a-ssp");
	phase(g, 1, "ff ffffffff 00000000 50726f766973696f6e696e67");
	detach(g);
	load(g, "tf-a-ssp");
	phase(g, 1, "f3 00f0ff2f 00000000");
	alternate(g, 0);
	assert_int_equal(transfer(g, IN, 2, 0, 1024), PV_DD_DONE);
	assert_int_equal(moved, 145);
	assert_int_equal(data[0], 0xf3);
	assert_memory_equal(data + 9, "5010200A", 8);
	rig_free(g);
}

/* --- what is out of order ---------------------------------------------------------- */

static void
test_states(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_USB);

	(void)unused;
	load(g, "tf-a-ssp");
	phase(g, 5, "ff ffffffff 00000000 50726f766973696f6e696e67");
	detach(g);
	load(g, "tf-a-ssp");
	(void)transfer(g, IN, 3, 0, 6);
	alternate(g, 0);
	/* Two blocks without a status between: stalled, then cleared. */
	assert_int_equal(transfer(g, OUT, 1, 0, 16), PV_DD_DONE);
	assert_int_equal(transfer(g, OUT, 1, 1, 16), PV_DD_STALL);
	status(g, "0f 00 00 00 0a 00");
	assert_int_equal(transfer(g, OUT, 6, 0, 0), PV_DD_STALL);
	assert_int_equal(transfer(g, OUT, 4, 0, 0), PV_DD_DONE);
	status(g, "00 00 00 00 02 00");
	assert_int_equal(transfer(g, OUT, 4, 0, 0), PV_DD_STALL);
	assert_int_equal(transfer(g, OUT, 4, 0, 0), PV_DD_DONE);
	/* It goes on where it was: 16 bytes have come, 364 fit. */
	assert_int_equal(transfer(g, OUT, 1, 0, 365), PV_DD_STALL);
	assert_int_equal(transfer(g, OUT, 4, 0, 0), PV_DD_DONE);
	assert_int_equal(transfer(g, OUT, 1, 0, 364), PV_DD_DONE);
	status(g, "00 00 00 00 03 00");
	/* More than a block; a block for another alternate setting. */
	assert_int_equal(transfer(g, OUT, 1, 1, 1025), PV_DD_STALL);
	assert_int_equal(transfer(g, OUT, 4, 0, 0), PV_DD_DONE);
	alternate(g, 3);
	assert_int_equal(transfer(g, OUT, 1, 0, 4), PV_DD_STALL);
	assert_int_equal(transfer(g, OUT, 4, 0, 0), PV_DD_DONE);
	alternate(g, 5);
	assert_int_equal(transfer(g, IN, 2, 0, 1024), PV_DD_DONE);
	assert_int_equal(data[0], 0xff);
	assert_memory_equal(
	    data + 9, "phase ID :243, alternate 3 for phase 3", 38);
	assert_int_equal(moved, 9 + 38);
	/* Alternate settings that are none; requests that are none. */
	assert_int_equal(transfer(g, 0x01, 11, 6, 0), PV_DD_STALL);
	assert_int_equal(transfer(g, OUT, 9, 0, 0), PV_DD_STALL);
	assert_int_equal(transfer(g, IN, 1, 0, 4), PV_DD_STALL);
	assert_int_equal(transfer(g, IN, 5, 0, 1), PV_DD_DONE);
	assert_int_equal(data[0], 10);
	rig_free(g);
}

static void
test_2_2(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_USB);

	(void)unused;
	load(g, "tf-a-ssp-2.2");
	alternate(g, 5);
	assert_int_equal(transfer(g, IN, 2, 1, 1024), PV_DD_STALL);
	rig_free(g);
	g = rig_new(false, PV_MP_USB);
	load(g, "tf-a-ssp-2.4");
	alternate(g, 5);
	assert_int_equal(transfer(g, IN, 2, 1, 1024), PV_DD_DONE);
	assert_int_equal(moved, 21);
	rig_free(g);
}

/* --- descriptors ---------------------------------------------------------------------- */

static void
string(struct rig *g, uint16_t index, char text[256])
{
	assert_int_equal(
	    transfer(g, 0x80, 6, (uint16_t)(0x300 | index), 255), PV_DD_DONE);
	assert_int_equal(data[0], moved);
	for (size_t i = 2; i < moved; i += 2)
		text[i / 2 - 1] = (char)data[i];
	text[moved / 2 - 1] = '\0';
}

static void
test_descriptors(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_USB);
	char text[256];

	(void)unused;
	assert_int_equal(transfer(g, 0x80, 6, 0x100, 18), PV_DD_DONE);
	got("12 01 0001 00 00 00 40 8304 11df 0002 01 02 03 01");
	assert_int_equal(transfer(g, 0x80, 6, 0x200, 1024), PV_DD_DONE);
	assert_int_equal(moved, 9 + 6 * 9 + 9);
	assert_memory_equal(
	    data + moved - 9, "\x09\x21\x0f\xff\x00\x00\x04\x10\x01", 9);
	string(g, 3, text);
	assert_string_equal(text, "0123456789abcdef01234567");
	string(g, 4, text);
	assert_string_equal(text, "@Partition0 /0x00/1*256Ke");
	string(g, 9, text);
	assert_string_equal(text, "@virtual /0xF1/1*512Ba");
	assert_int_equal(transfer(g, 0x80, 6, 0x30a, 255), PV_DD_STALL);
	rig_free(g);
}

/* As many partitions as a layout may have: all of them are alternates. */
static void
test_many(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_USB);
	struct pv_mp_alt a;
	char layout[16384];
	size_t n = 0;

	(void)unused;
	memcpy(data, "\x01\x00\x64\xaa\x01", 5);
	load(g, "tf-a");
	alternate(g, 3);
	memset(data, 0, 64);
	memcpy(data, "\x01\x00\x64\xaa\x01", 5);
	memcpy(data + 16, "provisor-stage=u-boot-otp2", 26);
	assert_int_equal(transfer(g, OUT, 1, 0, 64), PV_DD_DONE);
	status(g, "00 00 00 00 03 00");
	assert_int_equal(transfer(g, OUT, 1, 1, 0), PV_DD_DONE);
	status(g, "00 01 00 00 07 00");
	status(g, "00 00 00 00 02 00");
	phase(g, 5, "00 ffffffff 00000000 01");
	detach(g);
	assert_int_equal(g->m.stage, PV_MP_UBOOT);
	assert_true(pv_mp_usb_alt(&g->m, 2, &a));
	assert_string_equal(a.text, "@OTP/0xf2/1*776Be");
	for (unsigned int i = 1; i <= 240; i++)
		n += (size_t)snprintf(layout + n, sizeof layout - n,
		    "P\t0x%x\tp%u\tBinary\tmmc0\t0x%x\n", i, i, i * 0x10000);
	alternate(g, 0);
	for (size_t at = 0; at < n; at += 1024) {
		size_t k = n - at < 1024 ? n - at : 1024;

		memcpy(data, layout + at, k);
		assert_int_equal(
		    transfer(g, OUT, 1, (uint16_t)(at / 1024), (uint16_t)k),
		    PV_DD_DONE);
		status(g, "00 00 00 00 05 00");
	}
	assert_int_equal(transfer(g, OUT, 1, 99, 0), PV_DD_DONE);
	status(g, "00 01 00 00 07 00");
	status(g, "00 00 00 00 02 00");
	phase(g, 1, "00 000000c2 00000000 01");
	detach(g);
	assert_true(pv_mp_usb_alt(&g->m, 239, &a));
	assert_int_equal(a.id, 240);
	assert_true(pv_mp_usb_alt(&g->m, 0, &a));
	assert_string_equal(a.text, "@p1/0x01/1*64Ke ");
	assert_true(pv_mp_usb_alt(&g->m, 242, &a));
	assert_false(pv_mp_usb_alt(&g->m, 243, &a));
	assert_int_equal(transfer(g, 0x80, 6, 0x200, 4096), PV_DD_DONE);
	assert_int_equal(moved, 18 + 9 * 243);
	rig_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mp15),
		cmocka_unit_test(test_mp13),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_2_2),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
