/* SPDX-License-Identifier: Apache-2.0 */
/* The OTP structure of partition 0xF2: formats/otp_partition.md. */
#include "formats/otp_partition.h"

#include "base/buf.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CORRUPT "fixtures/corrupt/otp_partition/"

static struct pv_otp otp;
static struct pv_error err;
static uint8_t raw[PV_OTP_LEN_MAX];

static void
put(size_t at, uint32_t v)
{
	pv_put_u32le(raw + at, v);
}

static void
read_back(size_t len)
{
	uint8_t again[PV_OTP_LEN_MAX];
	size_t n = 0;

	memset(&err, 0, sizeof(err));
	assert_int_equal(pv_otp_decode(raw, len, &otp, &err), 0);
	assert_int_equal(
	    pv_otp_encode(&otp, again, sizeof(again), &n, &err), 0);
	assert_int_equal(n, len);
	assert_memory_equal(again, raw, len);
}

static void
version_1(void)
{
	memset(raw, 0, sizeof(raw));
	put(0, 1);
	put(0xb0 + 4 * 8, 0x100); /* word 8 */
	put(0xb0 + 4 * 40, 0xaabbccdd);
	put(0x50 + 4, 1U << 8); /* word 40: locked for good */
	put(0x68, 1U << 9);	/* word 9: until reset */
	put(0x38 + 8, 1U << 1); /* word 65: read error */
	put(0x20, 1U << 3);	/* word 3: disturbed */
	put(0x3fc, 0x10022);	/* magic: not looked at */
	read_back(PV_OTP_V1_LEN);
}

static void
test_v1(void **state)
{
	(void)state;
	version_1();
	assert_int_equal(otp.n_words, 96);
	assert_int_equal(pv_otp_value(&otp, 8), 0x100);
	assert_int_equal(pv_otp_value(&otp, 40), 0xaabbccdd);
	assert_int_equal(pv_otp_flags(&otp, 40), PV_OTP_PERMANENT_LOCK);
	assert_int_equal(pv_otp_flags(&otp, 9), PV_OTP_PROGRAM_LOCK);
	assert_int_equal(pv_otp_flags(&otp, 65), PV_OTP_READ_ERROR);
	assert_int_equal(pv_otp_flags(&otp, 3), PV_OTP_DISTURBED);
	assert_int_equal(pv_otp_flags(&otp, 41), 0);
	assert_int_equal(pv_otp_chip(&otp), PV_OTP_NOT_SAID);
}

/* Only the word and, when asked for, its lock bit change. */
static void
test_v1_set(void **state)
{
	uint8_t before[PV_OTP_V1_LEN];

	(void)state;
	version_1();
	memcpy(before, raw, sizeof(before));
	assert_int_equal(pv_otp_set(&otp, 60, 0x1234, false, &err), 0);
	assert_int_equal(pv_otp_set(&otp, 61, 0x5678, true, &err), 0);
	assert_int_equal(pv_otp_changes(&otp), 2);
	pv_put_u32le(before + 0xb0 + 240, 0x1234);
	pv_put_u32le(before + 0xb0 + 244, 0x5678);
	pv_put_u32le(before + 0x54, (1U << 8) | (1U << 29));
	assert_memory_equal(otp.raw, before, sizeof(before));
}

static void
version_2(void)
{
	memset(raw, 0, sizeof(raw));
	put(0, 2);
	put(4, 1);
	put(8 + 8 * 24, 0xd875db7d);
	put(8 + 8 * 24 + 4, 1U << 30);
	put(8 + 8 * 56, 7);
	put(8 + 8 * 70 + 4, 1U << 31); /* somebody's request */
	read_back(PV_OTP_V2_LEN);
}

static void
test_v2(void **state)
{
	(void)state;
	version_2();
	assert_int_equal(otp.n_words, 96);
	assert_int_equal(pv_otp_chip(&otp), PV_OTP_CLOSED);
	assert_int_equal(pv_otp_value(&otp, 24), 0xd875db7d);
	assert_int_equal(pv_otp_flags(&otp, 24), PV_OTP_PERMANENT_LOCK);
	put(4, 2);
	read_back(PV_OTP_V2_LEN);
	assert_int_equal(pv_otp_chip(&otp), PV_OTP_INVALID);
	put(4, 0);
	read_back(PV_OTP_V2_LEN);
	assert_int_equal(pv_otp_chip(&otp), PV_OTP_OPEN);
}

/* Bit 31 on the wanted words and on no others. */
static void
test_v2_set(void **state)
{
	(void)state;
	version_2();
	assert_int_equal(pv_otp_set(&otp, 59, 0x03020100, true, &err), 0);
	for (size_t i = 0; i < 96; i++)
		assert_int_equal(
		    pv_get_u32le(otp.raw + 8 + 8 * i + 4) >> 31, i == 59);
	assert_int_equal(pv_get_u32le(otp.raw + 8 + 8 * 59 + 4), 0xc0000000);
	assert_int_equal(pv_get_u32le(otp.raw + 8 + 8 * 24 + 4), 1U << 30);
	assert_int_equal(pv_otp_value(&otp, 59), 0x03020100);
}

static void
test_v3(void **state)
{
	(void)state;
	memset(raw, 0, sizeof(raw));
	put(0, 3);
	read_back(PV_OTP_V3_LEN);
	assert_int_equal(otp.n_words, 368);
	assert_int_equal(pv_otp_set(&otp, 367, 1, false, &err), 0);
	assert_int_equal(pv_otp_set(&otp, 368, 1, false, &err), PV_E_RANGE);
	assert_non_null(strstr(err.msg, "words 0 to 367"));
	read_back(PV_OTP_V3_LEN_ST);
	assert_int_equal(otp.n_words, 384);
	assert_int_equal(pv_otp_set(&otp, 1, 1, false, &err), PV_E_UNSUPPORTED);
}

static void
refuse(size_t word, uint32_t value, bool lock, const char *text)
{
	uint8_t before[PV_OTP_LEN_MAX];

	memcpy(before, otp.raw, sizeof(before));
	memset(&err, 0, sizeof(err));
	assert_int_equal(
	    pv_otp_set(&otp, word, value, lock, &err), PV_E_POLICY);
	if (strstr(err.msg, text) == NULL)
		fail_msg("'%s' lacks '%s'", err.msg, text);
	assert_memory_equal(before, otp.raw, sizeof(before));
}

static void
test_refused(void **state)
{
	(void)state;
	version_1();
	refuse(40, 0xffffffff, false, "OTP 40 is locked for good");
	refuse(9, 1, false, "locked until the next reset");
	refuse(65, 1, false, "has an error");
	refuse(8, 0x200, false, "bits 0x00000100 cannot go back to 0");
	refuse(66, 0, true, "would be locked as zero");
	put(0xb0 + 4 * 60, 1);
	read_back(PV_OTP_V1_LEN);
	refuse(60, 3, false, "words from 32 on can be burnt once");
	/* A lower word takes more bits; what is there already is no change. */
	assert_int_equal(pv_otp_set(&otp, 8, 0x300, false, &err), 0);
	assert_int_equal(pv_otp_set(&otp, 60, 1, false, &err), 0);
	assert_int_equal(pv_otp_changes(&otp), 1);
}

static void
test_corrupt(void **state)
{
	static const struct {
		const char *name;
		int code;
		const char *text;
	} files[] = {
		{ "short", PV_E_MALFORMED, "OTP structure of 2 bytes" },
		{ "version", PV_E_UNSUPPORTED, "of version 4" },
		{ "v1-length", PV_E_MALFORMED, "version 1 with 776 bytes" },
		{ "v2-length", PV_E_MALFORMED, "version 2 with 1024 bytes" },
		{ "v3-length", PV_E_MALFORMED, "version 3 with 776 bytes" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		uint8_t *data = NULL;
		char path[128];
		size_t len = 0;

		(void)snprintf(
		    path, sizeof(path), CORRUPT "%s.bin", files[i].name);
		memset(&err, 0, sizeof(err));
		assert_int_equal(
		    pv_file_read(path, 4096, &data, &len, &err), 0);
		assert_int_equal(
		    pv_otp_decode(data, len, &otp, &err), files[i].code);
		assert_non_null(strstr(err.msg, files[i].text));
		free(data);
	}
}

static void
test_prefixes(void **state)
{
	(void)state;
	version_2();
	for (size_t n = 0; n < PV_OTP_V2_LEN; n++) {
		uint8_t *copy = malloc(n + 1);

		assert_non_null(copy);
		memcpy(copy, raw, n);
		assert_int_equal(
		    pv_otp_decode(copy, n, &otp, &err), PV_E_MALFORMED);
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v1),
		cmocka_unit_test(test_v1_set),
		cmocka_unit_test(test_v2),
		cmocka_unit_test(test_v2_set),
		cmocka_unit_test(test_v3),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
