/* SPDX-License-Identifier: Apache-2.0 */
/* formats/dfuse, formats/dfu_map, and DfuSe files as firmware. */
#include "formats/dfuse.h"

#include "base/buf.h"
#include "base/file.h"
#include <provisor/dfu_map.h>
#include <provisor/image.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define GOLDEN	"fixtures/golden/dfuse/"
#define CORRUPT "fixtures/corrupt/dfuse/"

static struct pv_error err;

static uint8_t *
load(const char *path, size_t *ret_len)
{
	uint8_t *data = NULL;

	if (pv_file_read(path, PV_DFUSE_MAX, &data, ret_len, &err) != 0)
		fail_msg("%s: %s", path, err.msg);
	return data;
}

static void
test_crc(void **state)
{
	(void)state;
	/* the check value of this CRC, formats/dfuse.md */
	assert_int_equal(
	    pv_dfuse_crc(0xffffffffU, (const uint8_t *)"123456789", 9),
	    0x340bc6d9U);
}

static void
test_decode(void **state)
{
	struct pv_dfuse d = { 0 };
	size_t len;
	uint8_t *data = load(GOLDEN "two-targets.dfu", &len);

	(void)state;
	assert_int_equal(pv_dfuse_decode(data, len, &d, &err), 0);
	assert_int_equal(pv_dfuse_validate(&d, &err), 0);
	assert_int_equal(d.vendor, 0x0483);
	assert_int_equal(d.product, 0xdf11);
	assert_int_equal(d.device, 0x2200);
	assert_false(d.size_wrong);
	assert_int_equal(d.n_targets, 2);
	assert_int_equal(d.targets[0].alternate, 0);
	assert_int_equal(d.targets[0].named, 1);
	assert_string_equal((char *)d.targets[0].name, "Internal Flash");
	assert_int_equal(d.targets[0].count, 2);
	assert_int_equal(d.elements[1].addr, 0x08004000);
	assert_int_equal(d.elements[1].size, 33);
	assert_int_equal(d.elements[1].data[32], 0xaa);
	assert_ptr_equal(data + d.elements[1].offset, d.elements[1].data);
	assert_int_equal(d.targets[1].alternate, 1);
	assert_int_equal(d.elements[d.targets[1].first].addr, 0x1fffc000);
	pv_dfuse_release(&d);
	free(data);
}

static void
test_round_trip(void **state)
{
	static const char *const files[] = { "one-target.dfu",
		"two-targets.dfu", "first-alternate-2.dfu" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct pv_dfuse d = { 0 };
		uint8_t *data, *again = NULL;
		size_t len, again_len = 0;

		(void)snprintf(path, sizeof(path), GOLDEN "%s", files[i]);
		data = load(path, &len);
		assert_int_equal(pv_dfuse_decode(data, len, &d, &err), 0);
		assert_int_equal(
		    pv_dfuse_encode(&d, &again, &again_len, &err), 0);
		assert_int_equal(again_len, len);
		assert_memory_equal(again, data, len);
		pv_dfuse_release(&d);
		free(data);
		free(again);
	}
}

static void
test_odd_but_good(void **state)
{
	struct pv_dfuse d = { 0 };
	size_t len;
	uint8_t *data = load(GOLDEN "size-wrong.dfu", &len);

	(void)state;
	assert_int_equal(pv_dfuse_decode(data, len, &d, &err), 0);
	assert_true(d.size_wrong);
	assert_int_equal(d.size_field, 11);
	pv_dfuse_release(&d);
	free(data);
	data = load(GOLDEN "first-alternate-2.dfu", &len);
	assert_int_equal(pv_dfuse_decode(data, len, &d, &err), 0);
	assert_false(d.size_wrong);
	assert_int_equal(d.targets[0].alternate, 2);
	pv_dfuse_release(&d);
	free(data);
}

static void
test_corrupt(void **state)
{
	static const struct {
		const char *file;
		int code;
		const char *words;
	} cases[] = {
		{ "magic-only", PV_E_MALFORMED, "5 bytes are too few" },
		{ "cut", PV_E_MALFORMED, "does not end with a DFU suffix" },
		{ "trailing-byte", PV_E_MALFORMED,
		    "does not end with a DFU suffix" },
		{ "version-2", PV_E_UNSUPPORTED,
		    "DfuSe version 2, known is 1" },
		{ "crc", PV_E_MALFORMED, "checksum is 0x" },
		{ "flipped-byte", PV_E_MALFORMED, "checksum is 0x" },
		{ "suffix-bcd", PV_E_UNSUPPORTED, "specification 0x0100" },
		{ "suffix-length", PV_E_UNSUPPORTED, "suffix of 17 bytes" },
		{ "no-target", PV_E_MALFORMED, "no target" },
		{ "target-missing", PV_E_MALFORMED,
		    "target 2 of 2: the file ends inside its header" },
		{ "target-left-over", PV_E_MALFORMED,
		    "387 bytes are left after the last target" },
		{ "target-mark", PV_E_MALFORMED, "begin with \"Target\"" },
		{ "target-size-large", PV_E_MALFORMED,
		    "its size is 73 bytes, the file has 72 left" },
		{ "target-size-huge", PV_E_MALFORMED,
		    "its size is 4294967295 bytes" },
		{ "target-size-small", PV_E_MALFORMED,
		    "element 1 has a size of 64 bytes, its target has 63" },
		{ "element-size-large", PV_E_MALFORMED,
		    "element 1 has a size of 5 bytes, its target has 4" },
		{ "element-size-huge", PV_E_MALFORMED,
		    "element 1 has a size of 4294967295 bytes" },
		{ "element-missing", PV_E_MALFORMED, "element 2 has a size" },
		{ "element-left-over", PV_E_MALFORMED,
		    "41 bytes are left after its 1 elements" },
		{ "elements-many", PV_E_MALFORMED, "more than 4096 elements" },
		{ "past-32-bits", PV_E_RANGE,
		    "element 1: 0x2 bytes at 0xffffffff run past" },
		{ "overlap", PV_E_OVERLAP, "elements 1 and 2 both have bytes" },
		{ "no-data", PV_E_MALFORMED, "the file has no data" },
	};
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pv_dfuse d = { 0 };
		uint8_t *data;
		size_t len;
		int rc;

		(void)snprintf(
		    path, sizeof(path), CORRUPT "%s.dfu", cases[i].file);
		data = load(path, &len);
		pv_error_clear(&err);
		rc = pv_dfuse_decode(data, len, &d, &err);
		if (rc == 0)
			rc = pv_dfuse_validate(&d, &err);
		if (rc != cases[i].code ||
		    strstr(err.msg, cases[i].words) == NULL)
			fail_msg("%s: %d '%s'", path, rc, err.msg);
		pv_dfuse_release(&d);
		free(data);
	}
}

static void
test_prefixes(void **state)
{
	struct pv_dfuse d = { 0 };
	size_t len;
	uint8_t *data = load(GOLDEN "two-targets.dfu", &len);

	(void)state;
	for (size_t n = 0; n < len; n++) {
		uint8_t *part = malloc(n + 1);

		assert_non_null(part);
		memcpy(part, data, n);
		assert_int_not_equal(pv_dfuse_decode(part, n, &d, &err), 0);
		free(part);
	}
	free(data);
}

static void
test_firmware(void **state)
{
	enum pv_firmware_kind kind;
	struct pv_image *img = NULL;
	struct pv_segment s;
	uint8_t b[16];

	(void)state;
	assert_int_equal(
	    pv_firmware_detect(GOLDEN "two-targets.dfu", &kind, &err), 0);
	assert_int_equal(kind, PV_FIRMWARE_DFUSE);
	assert_string_equal(pv_firmware_kind_name(kind), "DfuSe");
	assert_int_equal(pv_image_new(&img, &err), 0);
	assert_int_equal(
	    pv_image_add_file(img, GOLDEN "two-targets.dfu", &err), 0);
	assert_int_equal(pv_image_count(img), 3);
	pv_image_segment(img, 2, &s);
	assert_int_equal(s.addr, 0x1fffc000);
	assert_int_equal(s.size, 16);
	assert_non_null(strstr(s.source, "target 2 element 1"));
	assert_int_equal(pv_image_read(img, 2, 0, b, 16, &err), 0);
	assert_int_equal(b[15], 0xaa);
	assert_int_equal(
	    pv_image_add_file(img, GOLDEN "one-target.dfu@0x10", &err),
	    PV_E_USAGE);
	assert_int_equal(
	    pv_image_add_file(img, CORRUPT "crc.dfu", &err), PV_E_MALFORMED);
	assert_non_null(strstr(err.msg, "crc.dfu': the file's checksum"));
	assert_int_equal(pv_image_count(img), 3);
	pv_image_free(img);
}

/* 80 MiB: more than a file in memory may have, and read in place. */
static void
test_large(void **state)
{
	static const uint32_t size = 80U << 20;
	uint8_t head[PV_DFUSE_PREFIX + PV_DFUSE_TARGET + PV_DFUSE_ELEMENT],
	    tail[PV_DFUSE_SUFFIX] = { 0x00, 0x22, 0x11, 0xdf, 0x83, 0x04, 0x1a,
		    0x01, 'U', 'F', 'D', PV_DFUSE_SUFFIX };
	static uint8_t zeros[65536];
	char path[] = "/tmp/pvtest.XXXXXX";
	struct rusage before, after;
	struct pv_image *img = NULL;
	struct pv_segment s;
	struct pv_writer w;
	uint32_t crc;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	pv_wr_init(&w, head, sizeof(head));
	pv_wr_bytes(&w, "DfuSe\1", 6);
	pv_wr_u32le(&w, (uint32_t)sizeof(head) + size);
	pv_wr_u8(&w, 1);
	pv_wr_bytes(&w, "Target", 6);
	pv_wr_zero(&w, 1 + 4 + PV_DFUSE_NAME);
	pv_wr_u32le(&w, PV_DFUSE_ELEMENT + size);
	pv_wr_u32le(&w, 1);
	pv_wr_u32le(&w, 0x90000000);
	pv_wr_u32le(&w, size);
	assert_true(pv_wr_ok(&w));
	crc = pv_dfuse_crc(0xffffffffU, head, sizeof(head));
	for (uint32_t i = 0; i < size / sizeof(zeros); i++)
		crc = pv_dfuse_crc(crc, zeros, sizeof(zeros));
	crc = pv_dfuse_crc(crc, tail, PV_DFUSE_SUFFIX - 4);
	pv_put_u32le(tail + PV_DFUSE_SUFFIX - 4, crc);
	assert_int_equal(pwrite(fd, head, sizeof(head), 0), sizeof(head));
	assert_int_equal(
	    pwrite(fd, tail, sizeof(tail), (off_t)(sizeof(head) + size)),
	    sizeof(tail));

	assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
	assert_int_equal(pv_image_new(&img, &err), 0);
	if (pv_image_add_file(img, path, &err) != 0)
		fail_msg("%s", err.msg);
	assert_int_equal(pv_image_count(img), 1);
	pv_image_segment(img, 0, &s);
	assert_int_equal(s.size, size);
	assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
	assert_true(after.ru_maxrss - before.ru_maxrss < 4096);
	pv_image_free(img);

	/* the CRC covers all of it */
	assert_int_equal(pwrite(fd, "x", 1, (off_t)size / 2), 1);
	assert_int_equal(pv_image_new(&img, &err), 0);
	assert_int_equal(pv_image_add_file(img, path, &err), PV_E_MALFORMED);
	assert_non_null(strstr(err.msg, "checksum is 0x"));
	pv_image_free(img);
	(void)close(fd);
	(void)unlink(path);
}

/* --- memory maps ----------------------------------------------------------- */

static void
test_map(void **state)
{
	struct pv_dfu_map m;
	uint64_t base, size;

	(void)state;
	assert_int_equal(
	    pv_dfu_map_parse(
		"@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg", &m,
		&err),
	    0);
	assert_string_equal(m.name, "Internal Flash");
	assert_int_equal(m.n, 3);
	assert_int_equal(m.segments[0].count, 4);
	assert_int_equal(m.segments[0].size, 16384);
	assert_int_equal(m.segments[0].access, 7);
	assert_int_equal(m.segments[2].base, 0x08020000);
	assert_true(pv_dfu_map_has(&m, 0x08000000, 1U << 20, 7));
	assert_false(pv_dfu_map_has(&m, 0x08000000, (1U << 20) + 1, 1));
	assert_false(pv_dfu_map_has(&m, 0x07ffffff, 2, 1));
	assert_true(pv_dfu_map_piece(&m, 0x0801ffff, &base, &size));
	assert_int_equal(base, 0x08010000);
	assert_int_equal(size, 65536);
	assert_false(pv_dfu_map_piece(&m, 0x08100000, &base, &size));
	assert_true(pv_dfu_map_span(&m, &base, &size));
	assert_int_equal(base, 0x08000000);
	assert_int_equal(size, 1U << 20);
}

static void
test_map_odd(void **state)
{
	struct pv_dfu_map m;

	(void)state;
	/* blank unit, and type 'e': read and write, no erase */
	assert_int_equal(
	    pv_dfu_map_parse("@Option Bytes  /0x1FFFC000/01*016 e", &m, &err),
	    0);
	assert_int_equal(m.segments[0].size, 16);
	assert_int_equal(m.segments[0].access, 5);
	/* missing unit */
	assert_int_equal(
	    pv_dfu_map_parse("@OTP/0x1FFF7800/01*512e,01*016e", &m, &err), 0);
	assert_int_equal(m.segments[1].base, 0x1fff7a00);
	/* two start addresses, padding everywhere */
	assert_int_equal(
	    pv_dfu_map_parse("@ X Y  / 0x08000000 / 01 * 001 M a ,2*2Kc"
			     " /0x0a000000/1*1Bg",
		&m, &err),
	    0);
	assert_string_equal(m.name, "X Y");
	assert_int_equal(m.n, 3);
	assert_int_equal(m.segments[0].access, 1);
	assert_int_equal(m.segments[1].access, 3);
	assert_int_equal(m.segments[2].base, 0x0a000000);
	assert_false(pv_dfu_map_has(&m, 0x080fffff, 2, PV_DFU_ERASE));
	assert_true(pv_dfu_map_has(&m, 0x080fffff, 2, PV_DFU_READ));
	/* a partition of an STM32MP, larger than 32 bits */
	assert_int_equal(pv_dfu_map_parse("@rootfs /0x23/01*8Ge", &m, &err), 0);
	assert_true(m.segments[0].size == (uint64_t)8 << 30);
	/* no letter: nothing is allowed */
	assert_int_equal(pv_dfu_map_parse("@A/0x0/1*1K", &m, &err), 0);
	assert_int_equal(m.segments[0].access, 0);
	/* a control byte in the name is masked */
	assert_int_equal(pv_dfu_map_parse("@A\x1b[2J/0x0/1*1Kg", &m, &err), 0);
	assert_null(strchr(m.name, 0x1b));
}

static void
test_map_hostile(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "", "'@' expected at character 1" },
		{ "Internal Flash/0x08000000/1*1Kg", "'@' expected" },
		{ "@Internal Flash", "'/' expected at character 16" },
		{ "@A/08000000/1*1Kg", "an address 0x... expected" },
		{ "@A/0x/1*1Kg", "an address of at most 32 bits" },
		{ "@A/0x123456789/1*1Kg", "an address of at most 32 bits" },
		{ "@A/0x08000000", "'/' expected" },
		{ "@A/0x08000000/", "a count of sectors" },
		{ "@A/0x08000000/0*1Kg", "a count of sectors" },
		{ "@A/0x08000000/-1*1Kg", "a count of sectors" },
		{ "@A/0x08000000/1*0Kg", "a size expected" },
		{ "@A/0x08000000/1x1Kg", "'*' expected" },
		{ "@A/0x08000000/1*Kg", "a size expected" },
		{ "@A/0x08000000/1*1Tg", "',', '/' or the end expected" },
		{ "@A/0x08000000/1*1Kh", "',', '/' or the end expected" },
		{ "@A/0x08000000/1*1Kgg", "',', '/' or the end expected" },
		{ "@A/0x08000000/1*1Kg,", "a count of sectors" },
		{ "@A/0x08000000/1*1Kg/", "an address 0x... expected" },
		{ "@A/0xfffffc00/1*2Kg", "a size that fits" },
		{ "@A/0x08000000/4294967295*4294967295Gg", "a size that fits" },
		{ "@A/0x08000000/4294967296*1Kg", "a count of sectors" },
		{ "@A/0x01/99999*9999Gg", "a size that fits" },
		{ "@A/0x08000000/2*1Kg/0x08000400/1*1Kg", "over each other" },
		{ "@A/0x08000400/1*1Kg/0x08000000/2*1Kg", "over each other" },
		{ "@A name of sixty-four characters, that is one more than "
		  "fits "
		  "here/0x0/1*1Kg",
		    "a shorter name" },
		{ "@A/0x0/1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,"
		  "1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,"
		  "1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,1*1g,"
		  "1*1g",
		    "the end of the list" },
	};
	struct pv_dfu_map m;
	char longest[PV_DFU_MAP_TEXT + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc;

		pv_error_clear(&err);
		rc = pv_dfu_map_parse(cases[i].text, &m, &err);
		if (rc != PV_E_MALFORMED ||
		    strstr(err.msg, cases[i].words) == NULL)
			fail_msg("%s: %d '%s'", cases[i].text, rc, err.msg);
	}
	memset(longest, '@', sizeof(longest));
	longest[PV_DFU_MAP_TEXT] = '\0';
	assert_int_equal(pv_dfu_map_parse(longest, &m, &err), PV_E_MALFORMED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_odd_but_good),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_firmware),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_map_odd),
		cmocka_unit_test(test_map_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
