/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STM32 image headers. The golden files come from an independent program
 * (make-stm32.py, and mkimage of u-boot-tools); so do their signatures.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "formats/stm32_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN	"fixtures/golden/stm32/"
#define CORRUPT "fixtures/corrupt/stm32/"

static uint8_t *
load(const char *dir, const char *name, size_t *len)
{
	struct pv_error e;
	uint8_t *data = NULL;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s%s.stm32", dir, name);
	assert_int_equal(pv_file_read(path, 65536, &data, len, &e), 0);
	return data;
}

static const struct {
	const char *name;
	uint32_t version, flags, head;
	int key; /* that signs, or -1 */
} golden[] = {
	{ "v1-signed", PV_STM32_V1_0, 0, 256, 0 },
	{ "v1-mkimage", PV_STM32_V1_0, 1, 256, -1 },
	{ "v2.0-unsigned", PV_STM32_V2_0, 0x80000000, 512, -1 },
	{ "v2.0-signed", PV_STM32_V2_0, 0x80000001, 512, 2 },
	{ "v2.0-encrypted", PV_STM32_V2_0, 0x80000003, 512, 0 },
	{ "v2.2-signed", PV_STM32_V2_2, 0x80000001, 512, 7 },
	{ "v2.2-encrypted", PV_STM32_V2_2, 0x80000003, 512, 0 },
	{ "v2.3-unsigned", PV_STM32_V2_3, 0x80000000, 576, -1 },
	{ "v2.3-signed", PV_STM32_V2_3, 0x80000001, 576, 0 },
	{ "v2.3-encrypted", PV_STM32_V2_3, 0x80000003, 576, 1 },
};
#define N_GOLDEN (sizeof(golden) / sizeof(golden[0]))

static void
check_signature(
    const uint8_t *data, size_t len, const struct pv_stm32_header *h, int key)
{
	struct pv_stm32_range range[2];
	struct pv_part parts[3];
	uint8_t digest[32], pub[64];
	struct pv_error e;
	uint32_t head = pv_stm32_header_len(h);
	char path[128];

	pv_stm32_signed_ranges(h, range);
	for (size_t i = 0; i < 2; i++)
		parts[i] =
		    (struct pv_part){ data + range[i].start, range[i].len };
	parts[2] = (struct pv_part){ data + head, len - head };
	assert_int_equal(pv_sha256(parts, 3, digest, &e), 0);
	(void)snprintf(path, sizeof(path), GOLDEN "key%d.pub.pem", key);
	assert_int_equal(pv_ec_read_public_pem(path, pub, &e), 0);
	assert_memory_equal(h->public_key, pub, 64);
	assert_int_equal(pv_ecdsa_verify(pub, digest, h->signature, &e), 0);
}

static void
test_golden(void **state)
{
	uint8_t again[PV_STM32_HEADER_MAX];
	struct pv_stm32_header h;
	struct pv_error e;

	(void)state;
	for (size_t i = 0; i < N_GOLDEN; i++) {
		size_t len, room = sizeof(again), head = golden[i].head;
		uint8_t *data = load(GOLDEN, golden[i].name, &len);

		assert_true(pv_stm32_detect(data, len));
		assert_int_equal(pv_stm32_decode(data, len, &h, &e), 0);
		assert_int_equal(pv_stm32_validate(&h, len, &e), 0);
		assert_int_equal(h.version, golden[i].version);
		assert_int_equal(h.flags, golden[i].flags);
		assert_int_equal(h.entry, 0x2FFC2501);
		assert_int_equal(h.load, 0x2FFC2500);
		assert_int_equal(pv_stm32_header_len(&h), head);
		assert_int_equal(
		    h.checksum, pv_stm32_checksum(0, data + head, len - head));
		assert_int_equal(pv_stm32_is_signed(&h), golden[i].key >= 0);
		if (golden[i].key >= 0)
			check_signature(data, len, &h, golden[i].key);
		assert_int_equal(pv_stm32_encode(&h, again, &room, &e), 0);
		assert_int_equal(room, head);
		assert_memory_equal(again, data, head);
		room = head - 1;
		assert_int_equal(
		    pv_stm32_encode(&h, again, &room, &e), PV_E_USAGE);
		free(data);
	}
}

/* Every prefix fails: in the header to decode, after it to validate. */
static void
test_prefixes(void **state)
{
	struct pv_stm32_header h;
	struct pv_error e;

	(void)state;
	for (size_t i = 0; i < N_GOLDEN; i++) {
		size_t len;
		uint8_t *data = load(GOLDEN, golden[i].name, &len);

		for (size_t n = 0; n < len; n++) {
			uint8_t *exact = malloc(n + 1);
			int r;

			assert_non_null(exact);
			memcpy(exact, data, n);
			r = pv_stm32_decode(exact, n, &h, &e);
			assert_int_equal(
			    r, n < golden[i].head ? PV_E_MALFORMED : 0);
			if (r == 0)
				assert_int_equal(pv_stm32_validate(&h, n, &e),
				    PV_E_MALFORMED);
			free(exact);
		}
		free(data);
	}
}

static void
test_corrupt(void **state)
{
	static const struct {
		const char *name;
		int code;
		const char *msg;
	} bad[] = {
		{ "empty", PV_E_MALFORMED, "does not begin with 'STM2'" },
		{ "magic", PV_E_MALFORMED, "does not begin with 'STM2'" },
		{ "header-cut", PV_E_MALFORMED, "ends inside the image" },
		{ "header-cut-v1", PV_E_MALFORMED, "ends inside the image" },
		{ "header-cut-v2", PV_E_MALFORMED, "ends inside the image" },
		{ "version", PV_E_UNSUPPORTED, "unknown version" },
		{ "version-2.4", PV_E_UNSUPPORTED, "unknown version" },
		{ "reserved", PV_E_MALFORMED, "reserved fields" },
		{ "padding-v1", PV_E_MALFORMED, "0xAC to 0xFE" },
		{ "padding-v2", PV_E_MALFORMED, "padding bytes" },
		{ "padding-tail", PV_E_MALFORMED, "padding bytes" },
		{ "flags-v1", PV_E_UNSUPPORTED, "option flags 0x00000002" },
		{ "algorithm", PV_E_UNSUPPORTED, "signature algorithm 3" },
		{ "length-more", PV_E_MALFORMED, "says 209 bytes" },
		{ "length-less", PV_E_MALFORMED, "says 207 bytes" },
		{ "length-zero", PV_E_MALFORMED, "no payload" },
		{ "cut", PV_E_MALFORMED, "the file has 207" },
		{ "trailing", PV_E_MALFORMED, "the file has 209" },
		{ "flags-v2", PV_E_MALFORMED, "make 0x80000001" },
		{ "extensions-long", PV_E_MALFORMED, "4224 bytes of ext" },
		{ "extensions-short", PV_E_MALFORMED, "does not end inside" },
		{ "extension-type", PV_E_UNSUPPORTED, "0x03015453" },
		{ "extension-short", PV_E_MALFORMED, "does not end inside" },
		{ "extension-long", PV_E_MALFORMED, "does not end inside" },
		{ "extension-twice", PV_E_MALFORMED, "each once" },
		{ "auth-length", PV_E_MALFORMED, "cannot have 339 bytes" },
		{ "key-index", PV_E_MALFORMED, "key 8 of a table of 8" },
		{ "key-count-9", PV_E_MALFORMED, "has 9 keys" },
		{ "key-count-0", PV_E_MALFORMED, "cannot have 340 bytes" },
		{ "key-bits", PV_E_UNSUPPORTED, "a key of 384 bits" },
	};
	struct pv_stm32_header h;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pv_error e = { 0 };
		size_t len;
		uint8_t *data = load(CORRUPT, bad[i].name, &len);
		int r = pv_stm32_decode(data, len, &h, &e);

		if (r == 0)
			r = pv_stm32_validate(&h, len, &e);
		if (r != bad[i].code || strstr(e.msg, bad[i].msg) == NULL)
			fail_msg("%s: %d, %s", bad[i].name, r, e.msg);
		free(data);
	}
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(
	    pv_stm32_version_name(PV_STM32_V2_2), "v2.2 (STM32MP2)");
	assert_null(pv_stm32_version_name(0x00020100));
	assert_string_equal(pv_stm32_type_name(0x00), "U-Boot");
	assert_string_equal(pv_stm32_type_name(0x10), "FSBL (TF-A)");
	assert_string_equal(pv_stm32_type_name(0x20), "OP-TEE");
	assert_string_equal(pv_stm32_type_name(0x30), "Cortex-M");
	assert_null(pv_stm32_type_name(0x40));
	assert_string_equal(pv_stm32_algorithm_name(1), "ECDSA P-256");
	assert_null(pv_stm32_algorithm_name(0));
	/* The sum wraps, and continues. */
	assert_int_equal(pv_stm32_checksum(0xFFFFFFFF, "\x02", 1), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
