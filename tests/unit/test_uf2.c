/* SPDX-License-Identifier: Apache-2.0 */
/* formats/uf2, and UF2 files as firmware. */
#include "formats/uf2.h"

#include "base/file.h"
#include <provisor/image.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GOLDEN	"fixtures/golden/uf2/"
#define CORRUPT "fixtures/corrupt/uf2/"
#define BIN	"fixtures/firmware/blink.bin"

static struct pv_error err;

static uint8_t *
load(const char *path, size_t *ret_len)
{
	uint8_t *data = NULL;

	if (pv_file_read(path, 1U << 20, &data, ret_len, &err) != 0)
		fail_msg("%s: %s", path, err.msg);
	return data;
}

static struct pv_image *
new_image(void)
{
	struct pv_image *img = NULL;

	pv_error_clear(&err);
	assert_int_equal(pv_image_new(&img, &err), 0);
	return img;
}

static void
test_block(void **state)
{
	uint8_t again[PV_UF2_BLOCK];
	struct pv_uf2_block b;
	size_t len;
	uint8_t *data = load(GOLDEN "blink.uf2", &len);

	(void)state;
	assert_int_equal(len, 3 * PV_UF2_BLOCK);
	assert_true(pv_uf2_detect(data, len));
	assert_false(pv_uf2_detect(data, 7));
	assert_false(pv_uf2_detect(data + 1, 8));
	assert_int_equal(pv_uf2_decode(data + 2 * PV_UF2_BLOCK, &b, &err), 0);
	assert_int_equal(pv_uf2_validate(&b, &err), 0);
	assert_int_equal(b.flags, PV_UF2_FAMILY);
	assert_int_equal(b.addr, 0x08000200);
	assert_int_equal(b.size, 164);
	assert_int_equal(b.number, 2);
	assert_int_equal(b.count, 3);
	assert_int_equal(b.family, 0x4e8f1c5d);
	pv_uf2_encode(&b, again);
	assert_memory_equal(again, data + 2 * PV_UF2_BLOCK, PV_UF2_BLOCK);
	free(data);
}

/* The image is blink.bin, whatever the order and size of the blocks. */
static void
test_firmware(void **state)
{
	static const struct {
		const char *file;
		bool family;
	} cases[] = { { "blink.uf2", true }, { "any-order.uf2", false } };
	uint8_t *bin, got[1024];
	size_t len;

	(void)state;
	bin = load(BIN, &len);
	assert_true(len <= sizeof(got));
	for (size_t i = 0; i < 2; i++) {
		struct pv_image *img = new_image();
		enum pv_firmware_kind kind;
		struct pv_segment s;
		uint32_t family = 0;
		uint64_t entry;
		char path[128];

		(void)snprintf(path, sizeof(path), GOLDEN "%s", cases[i].file);
		assert_int_equal(pv_firmware_detect(path, &kind, &err), 0);
		assert_int_equal(kind, PV_FIRMWARE_UF2);
		assert_string_equal(pv_firmware_kind_name(kind), "UF2");
		if (pv_image_add_file(img, path, &err) != 0)
			fail_msg("%s", err.msg);
		assert_int_equal(pv_image_count(img), 1);
		pv_image_segment(img, 0, &s);
		assert_int_equal(s.addr, 0x08000000);
		assert_int_equal(s.size, len);
		assert_string_equal(s.source, path);
		assert_int_equal(pv_image_read(img, 0, 0, got, len, &err), 0);
		assert_memory_equal(got, bin, len);
		assert_int_equal(
		    pv_image_family(img, &family), cases[i].family);
		if (cases[i].family)
			assert_int_equal(family, 0x4e8f1c5d);
		assert_false(pv_image_entry(img, &entry));
		pv_image_free(img);
	}
	free(bin);
}

/* Two files of one image must be for one family. */
static void
test_two_files(void **state)
{
	char path[] = "/tmp/pvtest.XXXXXX";
	struct pv_image *img = new_image();
	struct pv_uf2_block b;
	uint8_t raw[PV_UF2_BLOCK];
	uint32_t family = 0;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	memset(&b, 0, sizeof(b));
	b.flags = PV_UF2_FAMILY;
	b.addr = 0x08010000;
	b.size = 4;
	b.count = 1;
	b.family = 0x57755a57;
	pv_uf2_encode(&b, raw);
	assert_int_equal(write(fd, raw, sizeof(raw)), sizeof(raw));
	assert_int_equal(pv_image_add_file(img, GOLDEN "blink.uf2", &err), 0);
	assert_int_equal(pv_image_add_file(img, path, &err), PV_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg,
	    "is for UF2 family 0x57755a57, an earlier file for 0x4e8f1c5d"));
	assert_int_equal(pv_image_count(img), 1);
	b.family = 0x4e8f1c5d;
	pv_uf2_encode(&b, raw);
	assert_int_equal(pwrite(fd, raw, sizeof(raw), 0), sizeof(raw));
	assert_int_equal(pv_image_add_file(img, path, &err), 0);
	assert_int_equal(pv_image_count(img), 2);
	assert_true(pv_image_family(img, &family));
	assert_int_equal(
	    pv_image_add_file(img, GOLDEN "blink.uf2@0x10", &err), PV_E_USAGE);
	assert_non_null(strstr(err.msg, "is UF2 and says its own addresses"));
	pv_image_free(img);
	(void)close(fd);
	(void)unlink(path);
}

static const struct {
	const char *file;
	int code;
	const char *words;
} corrupt[] = {
	{ "magic-start", PV_E_MALFORMED,
	    "block 1: it does not begin with the magic numbers" },
	{ "magic-second", PV_E_MALFORMED,
	    "block 2: it does not begin with the magic numbers" },
	{ "magic-end", PV_E_MALFORMED,
	    "block 1: it ends with 0x0ab16f58 instead of the magic number" },
	{ "size-large", PV_E_MALFORMED,
	    "block 1: it says 477 bytes of data, it has room for 476" },
	{ "size-md5", PV_E_MALFORMED,
	    "block 1: it says 453 bytes of data, it has room for 452" },
	{ "size-zero", PV_E_MALFORMED, "block 2: it has no data" },
	{ "number-large", PV_E_MALFORMED, "block 2: its number is 3 of 3" },
	{ "number-twice", PV_E_MALFORMED,
	    "block 2: its number 1 was there before" },
	{ "block-twice", PV_E_MALFORMED,
	    "block 3: its number 2 was there before" },
	{ "count-zero", PV_E_MALFORMED, "block 0: its number is 0 of 0" },
	{ "count-large", PV_E_MALFORMED,
	    "block 0: it says there are 4 blocks, the file has 3" },
	{ "count-differs", PV_E_MALFORMED,
	    "block 1: it says there are 4 blocks, the first one says 3" },
	{ "count-other", PV_E_MALFORMED, "has 3 blocks, they say there are 2" },
	{ "container", PV_E_UNSUPPORTED,
	    "block 0: it is part of a file container" },
	{ "two-families", PV_E_UNSUPPORTED,
	    "block 2: it is for family 0x4e8f1c00, blocks before it for "
	    "0x4e8f1c5d" },
	{ "family-missing", PV_E_UNSUPPORTED,
	    "block 2: it has no family id, blocks before it have one" },
	{ "family-late", PV_E_UNSUPPORTED,
	    "block 1: it has a family id, blocks before it have none" },
	{ "past-32-bits", PV_E_RANGE,
	    "block 2: 257 bytes at 0xffffff00 run past the end" },
	{ "overlap", PV_E_OVERLAP,
	    "blocks 1 and 2 both have bytes for 0x08000100" },
	{ "no-flash", PV_E_MALFORMED, "has no blocks for the flash" },
	{ "cut-block", PV_E_MALFORMED,
	    "block 0: it says there are 3 blocks, the file has 2" },
	{ "cut-inside", PV_E_MALFORMED,
	    "has 1500 bytes; UF2 consists of blocks of 512" },
	{ "trailing", PV_E_MALFORMED,
	    "has 1537 bytes; UF2 consists of blocks of 512" },
	{ "trailing-block", PV_E_MALFORMED,
	    "block 3: it does not begin with the magic numbers" },
};

static void
test_corrupt(void **state)
{
	struct pv_image *img = new_image();
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(corrupt) / sizeof(corrupt[0]); i++) {
		int rc;

		(void)snprintf(
		    path, sizeof(path), CORRUPT "%s.uf2", corrupt[i].file);
		pv_error_clear(&err);
		rc = pv_image_add_file(img, path, &err);
		/* every message names the file, and says what is wrong */
		if (rc != corrupt[i].code ||
		    strstr(err.msg, corrupt[i].words) == NULL ||
		    strstr(err.msg, path) == NULL)
			fail_msg("%s: got %d '%s', wanted %d '%s'", path, rc,
			    err.msg, corrupt[i].code, corrupt[i].words);
		assert_int_equal(pv_image_count(img), 0);
	}
	pv_image_free(img);
}

/* No prefix of a good file is taken for a whole one. */
static void
test_prefixes(void **state)
{
	char path[] = "/tmp/pvtest.XXXXXX";
	int fd = mkstemp(path);
	size_t len;
	uint8_t *data = load(GOLDEN "blink.uf2", &len);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	for (size_t n = len; n-- > 0;) {
		struct pv_image *img = new_image();
		int rc;

		assert_int_equal(ftruncate(fd, (off_t)n), 0);
		rc = pv_image_add_file(img, path, &err);
		/* USAGE: too short to know its kind, so raw */
		if (rc != PV_E_MALFORMED && !(rc == PV_E_USAGE && n < 8))
			fail_msg("cut to %zu bytes: %d", n, rc);
		pv_image_free(img);
	}
	free(data);
	(void)close(fd);
	(void)unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block),
		cmocka_unit_test(test_firmware),
		cmocka_unit_test(test_two_files),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
