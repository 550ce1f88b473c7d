/* SPDX-License-Identifier: Apache-2.0 */
/* FlashLayout files: formats/flashlayout.md. */
#include "formats/flashlayout.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN	"fixtures/golden/flashlayout/canonical.tsv"
#define CORRUPT "fixtures/corrupt/flashlayout/"

static struct pv_layout layout;
static struct pv_error err;

static int
decode(const char *text)
{
	memset(&err, 0, sizeof(err));
	return pv_layout_decode(
	    (const uint8_t *)text, strlen(text), &layout, &err);
}

static void
test_golden(void **state)
{
	uint8_t *data = NULL;
	char again[4096];
	size_t len = 0, n = sizeof(again);
	const struct pv_layout_line *l;
	char place[PV_LAYOUT_PLACE];

	(void)state;
	assert_int_equal(pv_file_read(GOLDEN, 4096, &data, &len, &err), 0);
	assert_true(pv_layout_detect(data, len));
	assert_int_equal(pv_layout_decode(data, len, &layout, &err), 0);
	assert_int_equal(layout.n, 7);
	assert_int_equal(pv_layout_encode(&layout, again, &n, &err), 0);
	assert_int_equal(n, len);
	assert_memory_equal(again, data, len);
	l = pv_layout_find(&layout, 0x04);
	assert_true(l->select);
	assert_int_equal(l->count, 2);
	assert_int_equal(l->offset, 0x4400);
	assert_string_equal(l->file, "tf-a.stm32");
	pv_layout_place(l, place);
	assert_string_equal(place, "mmc0 0x00004400");
	pv_layout_place(pv_layout_find(&layout, 0x05), place);
	assert_string_equal(place, "mmc1 boot1");
	assert_true(pv_layout_find(&layout, 0x05)->erase);
	assert_true(pv_layout_find(&layout, 0x07)->empty);
	assert_int_equal(pv_layout_find(&layout, 0x10)->offset, 0x100504400);
	assert_false(pv_layout_find(&layout, 0x11)->has_file);
	assert_null(pv_layout_find(&layout, 0x20));
	free(data);
}

/* Prefixes: refused, or a layout of fewer lines; never anything else. */
static void
test_prefixes(void **state)
{
	uint8_t *data = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(pv_file_read(GOLDEN, 4096, &data, &len, &err), 0);
	for (size_t n = 0; n < len; n++) {
		uint8_t *copy = malloc(n + 1);
		int r;

		assert_non_null(copy);
		memcpy(copy, data, n);
		memset(&err, 0, sizeof(err));
		r = pv_layout_decode(copy, n, &layout, &err);
		assert_true(r == 0 ? layout.n > 0 && layout.n <= 7
				   : err.msg[0] != '\0');
		free(copy);
	}
	free(data);
}

/* Comments, blank lines, CR, several tabs, no newline at the end, octal. */
static void
test_loose(void **state)
{
	(void)state;
	assert_int_equal(
	    decode("#Opt\tId\tName\r\n\r\n\t\n"
		   "P\t\t004\tfsbl1\t\tBinary\tmmc0\t042\tf.stm32\r\n"
		   "P\t0X10\tuser\tRawImage\tram\t0xc0000000\tx"),
	    0);
	assert_int_equal(layout.n, 2);
	assert_int_equal(layout.lines[0].id, 4);
	assert_int_equal(layout.lines[0].offset, 042);
	assert_int_equal(layout.lines[0].line, 4);
	assert_string_equal(layout.lines[0].file, "f.stm32");
	assert_int_equal(layout.lines[1].target, PV_LAYOUT_RAM);
}

static const struct {
	const char *name;
	int code;
	const char *text;
} corrupt[] = {
	{ "few-columns", PV_E_MALFORMED, "line 1: 5 columns, 6 or 7" },
	{ "many-columns", PV_E_MALFORMED, "line 1: more than 7 columns" },
	{ "blanks", PV_E_MALFORMED, "line 1: 1 columns, 6 or 7" },
	{ "opt-letter", PV_E_MALFORMED, "line 1: Opt is '-'" },
	{ "opt-twice", PV_E_MALFORMED, "line 1: Opt is '-'" },
	{ "opt-no-p", PV_E_MALFORMED, "line 1: Opt has letters but no P" },
	{ "id-text", PV_E_MALFORMED, "line 1: Id is a number" },
	{ "id-large", PV_E_MALFORMED, "Id is a number of at most 0xF0" },
	{ "id-zero", PV_E_RANGE, "line 1: Id 0x00 is the layout's own" },
	{ "id-twice", PV_E_MALFORMED, "line 2: Id 0x04 is that of line 1" },
	{ "name-long", PV_E_MALFORMED, "more than 16 characters" },
	{ "type", PV_E_MALFORMED, "line 1: Type is Binary" },
	{ "type-count", PV_E_MALFORMED, "line 1: Type is Binary" },
	{ "ip", PV_E_MALFORMED, "line 1: IP is none" },
	{ "ip-digits", PV_E_MALFORMED, "line 1: IP is none" },
	{ "offset", PV_E_MALFORMED, "line 1: Offset is a number" },
	{ "offset-large", PV_E_MALFORMED, "line 1: Offset is a number" },
	{ "p-none", PV_E_MALFORMED, "is to be written (P) but IP is none" },
	{ "p-no-file", PV_E_MALFORMED, "but names no file" },
	{ "boot-area-nor", PV_E_MALFORMED, "boot1 is for mmc only" },
	{ "same-place", PV_E_OVERLAP, "line 2: 'fsbl2' begins where" },
	{ "devices", PV_E_RANGE, "line 6: more than 5 different devices" },
	{ "control-byte", PV_E_MALFORMED, "line 1: control byte 0x01" },
	{ "empty", PV_E_MALFORMED, "it names no partition" },
	{ "wrapped-v2", PV_E_UNSUPPORTED, "of another version than 1.0" },
	{ "wrapped-sum", PV_E_MALFORMED, "checksum in the image header" },
};

static void
test_corrupt(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(corrupt) / sizeof(corrupt[0]); i++) {
		uint8_t *data = NULL;
		char path[128];
		size_t len = 0;

		(void)snprintf(
		    path, sizeof(path), CORRUPT "%s.tsv", corrupt[i].name);
		memset(&err, 0, sizeof(err));
		assert_int_equal(
		    pv_file_read(path, 4096, &data, &len, &err), 0);
		if (pv_layout_decode(data, len, &layout, &err) !=
			corrupt[i].code ||
		    strstr(err.msg, corrupt[i].text) == NULL)
			fail_msg(
			    "%s: %d '%s'", corrupt[i].name, err.code, err.msg);
		free(data);
	}
}

/* A v1 header with the right checksum is taken off. */
static void
test_wrapped(void **state)
{
	static const char text[] = "P\t4\ta\tFIP\tnor0\t0\tf\n";
	uint8_t data[256 + sizeof(text) - 1] = { 'S', 'T', 'M', '2' };
	uint32_t sum = 0;

	(void)state;
	memcpy(data + 256, text, sizeof(text) - 1);
	for (size_t i = 256; i < sizeof(data); i++)
		sum += data[i];
	data[0x44] = (uint8_t)sum;
	data[0x45] = (uint8_t)(sum >> 8);
	data[0x4a] = 1;
	data[0x4c] = sizeof(text) - 1;
	data[0x64] = 1;
	memset(&err, 0, sizeof(err));
	assert_true(pv_layout_detect(data, sizeof(data)));
	assert_int_equal(
	    pv_layout_decode(data, sizeof(data), &layout, &err), 0);
	assert_int_equal(layout.text_at, 256);
	assert_int_equal(layout.n, 1);
}

static void
test_limits(void **state)
{
	char *text = malloc(300000), line[64];
	size_t at = 0;

	(void)state;
	assert_non_null(text);
	for (unsigned int i = 1; i <= 0xf0; i++) {
		(void)snprintf(line, sizeof(line),
		    "-\t%u\tp%u\tSystem\tmmc0\t%u\n", i, i, i * 512);
		memcpy(text + at, line, strlen(line) + 1);
		at += strlen(line);
	}
	assert_int_equal(decode(text), 0);
	assert_int_equal(layout.n, 0xf0);
	memcpy(text + at, "-\t9\tx\tSystem\tmmc0\t1\n", 21);
	assert_int_equal(decode(text), PV_E_RANGE);
	assert_non_null(strstr(err.msg, "line 241: more than 240 partitions"));
	memset(text, '\n', 262145);
	text[262145] = '\0';
	assert_int_equal(decode(text), PV_E_RANGE);
	assert_non_null(strstr(err.msg, "a device takes at most 262144"));
	free(text);
}

static void
test_detect(void **state)
{
	(void)state;
	assert_true(pv_layout_detect((const uint8_t *)"#x\nP\t1", 6));
	assert_false(pv_layout_detect((const uint8_t *)"#x\nP 1", 6));
	assert_false(pv_layout_detect((const uint8_t *)":10000000", 9));
	assert_false(pv_layout_detect((const uint8_t *)"", 0));
	assert_false(pv_layout_detect((const uint8_t *)"#", 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_loose),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_wrapped),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_detect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
