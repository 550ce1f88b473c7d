/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate chains of debug authentication, made by make-adac.py. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "formats/adac.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM (PV_ADAC_LEVELS * PV_ADAC_CERT)

static uint8_t *
load(const char *dir, const char *name, size_t *len)
{
	struct pv_error e;
	uint8_t *data = NULL;
	char path[128];

	(void)snprintf(path, sizeof(path), "fixtures/%s/adac/%s", dir, name);
	assert_int_equal(pv_file_read(path, 65536, &data, len, &e), 0);
	return data;
}

static int
decode(const uint8_t *file, size_t len, struct pv_adac_cert *c, size_t *n,
    struct pv_error *e)
{
	uint8_t bytes[ROOM];
	size_t bytes_len = 0;
	int r = pv_adac_chain_bytes(file, len, bytes, &bytes_len, e);

	return r != 0 ? r : pv_adac_chain_decode(bytes, bytes_len, c, n, e);
}

static void
test_golden(void **state)
{
	static const struct {
		const char *name;
		size_t n;
	} golden[] = { { "root.b64", 1 }, { "root-leaf.b64", 2 },
		{ "root-leaf.bin", 2 }, { "root-intermediate-leaf.b64", 3 },
		{ "wider.b64", 2 } };
	struct pv_adac_cert c[PV_ADAC_LEVELS];
	uint8_t bytes[ROOM], again[PV_ADAC_CERT];
	struct pv_error e;

	(void)state;
	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		size_t len, n = 0, got;
		uint8_t *file = load("golden", golden[i].name, &len);

		assert_true(pv_adac_detect(file, len));
		assert_int_equal(
		    pv_adac_chain_bytes(file, len, bytes, &got, &e), 0);
		assert_int_equal(got, golden[i].n * PV_ADAC_CERT);
		assert_int_equal(
		    pv_adac_chain_decode(bytes, got, c, &n, &e), 0);
		assert_int_equal(n, golden[i].n);
		assert_int_equal(c[0].role, PV_ADAC_ROOT);
		for (size_t k = 0; k < n; k++) {
			pv_adac_encode(&c[k], again);
			assert_memory_equal(
			    again, bytes + k * PV_ADAC_CERT, PV_ADAC_CERT);
		}
		/* Every prefix is refused, or has fewer certificates. */
		for (size_t cut = 0; cut < len; cut++) {
			size_t fewer = n;

			if (decode(file, cut, c, &fewer, &e) == 0)
				assert_true(fewer < n);
		}
		free(file);
	}
	assert_int_equal(c[1].role, PV_ADAC_LEAF);
	assert_false(pv_adac_mask_within(c[1].permissions, c[0].permissions));
	assert_true(pv_adac_mask_within(c[0].permissions, c[1].permissions));
}

static void
test_corrupt(void **state)
{
	static const struct {
		const char *name;
		int code;
		const char *msg;
	} bad[] = {
		{ "empty.bin", PV_E_MALFORMED, "0 bytes, not a number" },
		{ "cut.bin", PV_E_MALFORMED, "439 bytes, not a number" },
		{ "cut.b64", PV_E_MALFORMED, "438 bytes, not a number" },
		{ "not-base64.b64", PV_E_MALFORMED, "at character 100" },
		{ "nine.bin", PV_E_MALFORMED, "more than 8 certificates" },
		{ "type.bin", PV_E_MALFORMED, "1 of 2: type 0x0200" },
		{ "length.bin", PV_E_UNSUPPORTED, "211 bytes in a cert" },
		{ "reserved.bin", PV_E_MALFORMED, "reserved fields" },
		{ "version.bin", PV_E_UNSUPPORTED, "version 2.0" },
		{ "minor.bin", PV_E_UNSUPPORTED, "2 of 2: certificate of ver" },
		{ "signature-type.bin", PV_E_UNSUPPORTED, "2 (P-521)" },
		{ "key-type.bin", PV_E_UNSUPPORTED, "5 (Ed25519)" },
		{ "key-type-unknown.bin", PV_E_UNSUPPORTED, "10 (unknown)" },
		{ "role.bin", PV_E_MALFORMED, "unknown role 0" },
		{ "role-unknown.bin", PV_E_MALFORMED, "unknown role 4" },
		{ "first-is-leaf.bin", PV_E_MALFORMED, "1 of 2 is a leaf" },
		{ "second-is-root.bin", PV_E_MALFORMED, "2 of 2 is a root" },
		{ "two-leaves.bin", PV_E_MALFORMED, "2 of 3 is a leaf" },
		{ "extensions.bin", PV_E_UNSUPPORTED, "1 bytes of extens" },
		{ "extensions-hash.bin", PV_E_MALFORMED, "without any ext" },
	};
	struct pv_adac_cert c[PV_ADAC_LEVELS];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pv_error e = { 0 };
		size_t len;
		uint8_t *file = load("corrupt", bad[i].name, &len);
		int r = decode(file, len, c, &n, &e);

		if (r != bad[i].code || strstr(e.msg, bad[i].msg) == NULL)
			fail_msg("%s: %d, %s", bad[i].name, r, e.msg);
		free(file);
	}
}

static void
test_masks(void **state)
{
	static const struct {
		const char *text, *words, *hex;
		bool regression;
	} good[] = {
		{ "0x5077",
		    "full-regression, partial-regression, secure-debug-hdpl1, "
		    "secure-debug-hdpl2, secure-debug-hdpl3, "
		    "nonsecure-debug-hdpl1, nonsecure-debug-hdpl2, "
		    "nonsecure-debug-hdpl3",
		    "0x5077", true },
		{ "0x0", "none", "0x0000", false },
		{ "full-regression", "full-regression", "0x4000", true },
		{ "partial-regression,nonsecure-debug-hdpl3",
		    "partial-regression, nonsecure-debug-hdpl3", "0x1040",
		    true },
		{ "bit127, secure-debug-hdpl1", "secure-debug-hdpl1, bit127",
		    "0x80000000000000000000000000000001", false },
		{ "0x80000000000000000000000000004007",
		    "full-regression, secure-debug-hdpl1, secure-debug-hdpl2, "
		    "secure-debug-hdpl3, bit127",
		    "0x80000000000000000000000000004007", true },
	};
	static const char *const bad[] = { "", "0x", "0x5g", "all", "bit128",
		"bit", "bitx", "bit1 bit2", "full-regression,",
		"0x100000000000000000000000000000000", "full-regressio",
		"bit0128" };
	uint8_t mask[PV_ADAC_MASK], full[PV_ADAC_MASK];
	char words[PV_ADAC_WORDS], hex[35];
	struct pv_error e;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(pv_adac_mask_parse(good[i].text, mask, &e), 0);
		pv_adac_mask_words(mask, words);
		assert_string_equal(words, good[i].words);
		pv_adac_mask_hex(mask, hex);
		assert_string_equal(hex, good[i].hex);
		assert_int_equal(
		    pv_adac_mask_regression(mask), good[i].regression);
		assert_int_equal(pv_adac_mask_empty(mask),
		    strcmp(good[i].words, "none") == 0);
		if (pv_adac_mask_empty(mask))
			continue;
		/* Words are read back as the same mask. */
		memcpy(full, mask, sizeof(full));
		assert_int_equal(pv_adac_mask_parse(words, mask, &e), 0);
		assert_memory_equal(mask, full, sizeof(full));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    pv_adac_mask_parse(bad[i], mask, &e), PV_E_USAGE);
	memset(full, 0xFF, sizeof(full));
	pv_adac_mask_words(full, words);
	assert_string_equal(words + strlen(words) - 6, "bit127");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
