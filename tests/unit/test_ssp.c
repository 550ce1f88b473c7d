/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The .ssp file against files made by another implementation
 * (fixtures/golden/make-ssp.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/hex.h"
#include "formats/ssp.h"

#define GOLDEN "fixtures/golden/ssp/"

static const char *const golden[] = { "mp15", "mp15-iv12", "mp15-short",
	"mp15-rma-high", "mp13", "mp13-iv12" };
#define N_GOLDEN (sizeof(golden) / sizeof(golden[0]))

static size_t
fixture(const char *folder, const char *name, uint8_t data[PV_SSP_MAX + 1])
{
	char path[256];
	uint8_t *p = NULL;
	size_t len = 0;

	(void)snprintf(
	    path, sizeof(path), "fixtures/%s/ssp/%s.ssp", folder, name);
	assert_int_equal(pv_file_read(path, PV_SSP_MAX + 1, &p, &len, NULL), 0);
	memcpy(data, p, len);
	free(p);
	return len;
}

static void
test_golden(void **state)
{
	uint8_t data[PV_SSP_MAX + 1], again[PV_SSP_MAX], header[80];
	struct pv_error e = { 0 };
	struct pv_ssp ssp;
	size_t len, n;

	(void)state;
	for (size_t i = 0; i < N_GOLDEN; i++) {
		len = fixture("golden", golden[i], data);
		assert_true(pv_ssp_is(data, len));
		assert_int_equal(pv_ssp_decode(data, len, &ssp, &e), 0);
		assert_int_equal(ssp.chip, i < 4 ? PV_SSP_MP15 : PV_SSP_MP13);
		assert_int_equal(ssp.size, i == 2 ? 12 : 152);
		assert_int_equal(pv_ssp_encode(&ssp, again, &n, &e), 0);
		assert_int_equal(n, len);
		assert_memory_equal(again, data, len);
		assert_int_equal(pv_ssp_encode_header(&ssp, header, &e), 0);
		assert_memory_equal(header, data, pv_ssp_header_len(ssp.chip));
		for (n = 0; n < len; n++) {
			/* The shorter file is no beginning of the longer. */
			assert_int_equal(
			    pv_ssp_decode(data, n, &ssp, &e), PV_E_MALFORMED);
			assert_int_equal(pv_ssp_is(data, n), n >= 4);
		}
	}
}

/* The vectors of formats/ssp.md, section 6. */
static void
test_vectors(void **state)
{
	static const char *const tags[] = {
		"718d9af637c1b6fe528730d9bef99686",
		"929888d5baa9ea598ef8ad8111bdf572",
	};
	uint8_t data[PV_SSP_MAX + 1], tag[16];
	struct pv_ssp ssp;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t len = fixture("golden", golden[i], data);

		assert_int_equal(pv_hex_decode(tags[i], tag, 16, NULL), 0);
		assert_int_equal(pv_ssp_decode(data, len, &ssp, NULL), 0);
		assert_memory_equal(ssp.tag, tag, 16);
		assert_memory_equal(data + 76, tag, 16);
	}
}

static void
test_corrupt(void **state)
{
	static const struct {
		const char *file, *says;
		int code;
	} bad[] = {
		{ "magic", "does not start with SSPP", PV_E_MALFORMED },
		{ "cut", "243 bytes, a file has 244", PV_E_MALFORMED },
		{ "between", "213 bytes", PV_E_MALFORMED },
		{ "trailing", "245 bytes", PV_E_MALFORMED },
		{ "version", "version 2", PV_E_UNSUPPORTED },
		{ "size-odd", "149 bytes of secrets, not a multiple of 4",
		    PV_E_MALFORMED },
		{ "size-large", "156 bytes", PV_E_MALFORMED },
		{ "size-small", "4 bytes of secrets with the RMA word",
		    PV_E_MALFORMED },
		{ "size-zero", "0 bytes of secrets with the RMA word",
		    PV_E_MALFORMED },
		{ "size-mp13", "8 to 152", PV_E_MALFORMED },
		{ "unused", "byte 139 behind the secrets is 0x01",
		    PV_E_MALFORMED },
	};
	struct pv_ssp ssp, kept = { .size = 99 };
	uint8_t data[PV_SSP_MAX + 1];
	struct pv_error e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t len = fixture("corrupt", bad[i].file, data);

		ssp = kept;
		memset(&e, 0, sizeof(e));
		assert_int_equal(
		    pv_ssp_decode(data, len, &ssp, &e), bad[i].code);
		if (strstr(e.msg, bad[i].says) == NULL)
			fail_msg("%s: %s", bad[i].file, e.msg);
		assert_memory_equal(&ssp, &kept, sizeof(ssp));
	}
}

/* What may not be written either. */
static void
test_encode(void **state)
{
	struct pv_ssp ssp = { .chip = PV_SSP_MP13, .size = 6 };
	uint8_t data[PV_SSP_MAX], header[PV_SSP_HEADER_MAX];
	struct pv_error e = { 0 };
	size_t len = 7;

	(void)state;
	assert_int_equal(pv_ssp_encode(&ssp, data, &len, &e), PV_E_MALFORMED);
	assert_int_equal(
	    pv_ssp_encode_header(&ssp, header, &e), PV_E_MALFORMED);
	ssp.size = 8;
	ssp.encrypted[8] = 1;
	assert_int_equal(pv_ssp_encode(&ssp, data, &len, &e), PV_E_MALFORMED);
	ssp.encrypted[8] = 0;
	ssp.chip = 0;
	assert_int_equal(pv_ssp_encode(&ssp, data, &len, &e), PV_E_INTERNAL);
	assert_int_equal(len, 7);
}

static void
test_sizes(void **state)
{
	enum pv_ssp_chip chip = PV_SSP_MP13;
	struct pv_error e = { 0 };

	(void)state;
	assert_int_equal(pv_ssp_len(PV_SSP_MP15), 244);
	assert_int_equal(pv_ssp_header_len(PV_SSP_MP15), 76);
	assert_int_equal(pv_ssp_blob_len(PV_SSP_MP15), 380);
	assert_int_equal(pv_ssp_len(PV_SSP_MP13), 212);
	assert_int_equal(pv_ssp_header_len(PV_SSP_MP13), 44);
	assert_int_equal(pv_ssp_blob_len(PV_SSP_MP13), 348);
	assert_int_equal(pv_ssp_chip_parse("stm32mp157c", &chip, &e), 0);
	assert_int_equal(chip, PV_SSP_MP15);
	assert_int_equal(pv_ssp_chip_parse("stm32mp13", &chip, &e), 0);
	assert_int_equal(chip, PV_SSP_MP13);
	assert_string_equal(pv_ssp_chip_name(chip), "stm32mp13");
	assert_int_equal(pv_ssp_chip_parse("stm32h563", &chip, &e), PV_E_USAGE);
	assert_non_null(strstr(e.msg, "'stm32h563'"));
	assert_true(pv_ssp_chip_of_product("5000200A", &chip));
	assert_int_equal(chip, PV_SSP_MP15);
	assert_true(pv_ssp_chip_of_product("5010300B", &chip));
	assert_int_equal(chip, PV_SSP_MP13);
	assert_false(pv_ssp_chip_of_product("48400001", &chip));
}

static void
test_rma(void **state)
{
	struct pv_error e = { 0 };
	uint32_t w = 0, u = 0, r = 0;

	(void)state;
	/* The word of the vectors: bytes 12 03 65 07. */
	assert_int_equal(pv_ssp_rma_encode(0x312, 0xeca, false, &w, &e), 0);
	assert_int_equal(w, 0x07650312);
	assert_int_equal(pv_ssp_rma_decode(w, false, &u, &r, &e), 0);
	assert_int_equal(u, 0x312);
	assert_int_equal(r, 0xeca);
	assert_int_equal(pv_ssp_rma_encode(0x312, 0xeca, true, &w, &e), 0);
	assert_int_equal(w, 0x01890eca);
	assert_int_equal(pv_ssp_rma_decode(w, true, &u, &r, &e), 0);
	assert_int_equal(u, 0x312);
	assert_int_equal(r, 0xeca);
	assert_int_equal(pv_ssp_rma_encode(0x7fff, 0, false, &w, &e), 0);
	assert_int_equal(w, 0x7fff);
	assert_int_equal(
	    pv_ssp_rma_encode(0x8000, 1, false, &w, &e), PV_E_RANGE);
	assert_non_null(strstr(e.msg, "unlock password has more than 15"));
	assert_int_equal(
	    pv_ssp_rma_encode(1, 0x8000, false, &w, &e), PV_E_RANGE);
	assert_non_null(strstr(e.msg, "relock password has more than 15"));
	assert_int_equal(pv_ssp_rma_encode(5, 5, false, &w, &e), PV_E_RANGE);
	assert_non_null(strstr(e.msg, "are the same"));
	assert_int_equal(
	    pv_ssp_rma_decode(0x40000000, false, &u, &r, &e), PV_E_MALFORMED);
}

static void
test_read(void **state)
{
	uint8_t data[PV_SSP_MAX] = { 0 };
	struct pv_error e = { 0 };
	struct pv_ssp ssp;

	(void)state;
	assert_int_equal(pv_ssp_read(GOLDEN "mp13.ssp", &ssp, data, &e), 0);
	assert_int_equal(ssp.chip, PV_SSP_MP13);
	assert_true(pv_ssp_is(data, sizeof(data)));
	assert_int_equal(pv_ssp_read(GOLDEN "mp15.ssp", &ssp, NULL, &e), 0);
	assert_int_equal(
	    pv_ssp_read(GOLDEN "pkh.bin", &ssp, NULL, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "pkh.bin"));
	assert_int_equal(
	    pv_ssp_read("fixtures/corrupt/ssp/trailing.ssp", &ssp, NULL, &e),
	    PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "245 bytes"));
	assert_int_equal(
	    pv_ssp_read(GOLDEN "none.ssp", &ssp, NULL, &e), PV_E_NOT_FOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_rma),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
