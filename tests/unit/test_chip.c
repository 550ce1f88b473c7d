/* SPDX-License-Identifier: Apache-2.0 */
/* src/chip: descriptions, and questions about addresses. */
#include <provisor/chip.h>

#include "chip/chip_json.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct pv_error err;
static const char *const dirs[] = { "/nonexistent", "share/chips", NULL };

static struct pv_chip *
load(const char *name)
{
	struct pv_chip *c = NULL;
	int rc;

	pv_error_clear(&err);
	rc = pv_chip_load(dirs, name, &c, &err);
	if (rc != 0)
		fail_msg("%s: %d %s", name, rc, err.msg);
	return c;
}

static void
must_refuse(const char *name, int code, const char *words)
{
	struct pv_chip *c = NULL;
	int rc;

	pv_error_clear(&err);
	rc = pv_chip_load(dirs, name, &c, &err);
	if (rc != code || strstr(err.msg, words) == NULL)
		fail_msg("%s: got %d '%s', wanted %d '%s'", name, rc, err.msg,
		    code, words);
	assert_null(c);
}

static void
test_names(void **state)
{
	static const char *const names[] = { "stm32h563", "STM32H563", "h563",
		"H563", "share/chips/stm32h563.json" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct pv_chip *c = load(names[i]);

		assert_string_equal(c->name, "stm32h563");
		assert_string_equal(c->title, "STM32H563");
		assert_string_equal(c->family, "STM32H5");
		pv_chip_free(c);
	}
}

static void
test_unknown(void **state)
{
	static const char *const names[] = { "stm32x999", "", ".", "h563 ",
		"../chips/stm32h563", "stm32stm32h563" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bool path = strchr(names[i], '/') != NULL;

		must_refuse(names[i], path ? PV_E_NOT_FOUND : PV_E_UNKNOWN_CHIP,
		    path ? "../chips/stm32h563" : "no description of chip '");
		assert_non_null(strstr(err.hint,
		    "copy a file of share/chips, change the values, and give "
		    "its path with --chip FILE.json"));
	}
	must_refuse("missing.json", PV_E_NOT_FOUND, "missing.json");
	/* longer than any name can be */
	{
		char name[300];

		memset(name, 'a', sizeof(name) - 1);
		name[sizeof(name) - 1] = '\0';
		must_refuse(name, PV_E_UNKNOWN_CHIP, "no description");
	}
}

/* One part in full: what the file says is what the struct has. */
static void
test_h563(void **state)
{
	static const uint8_t opcodes[] = { 0x00, 0x01, 0x02, 0x11, 0x21, 0x31,
		0x44, 0x50, 0x63, 0x73 };
	struct pv_chip *c = load("h563");

	(void)state;
	assert_int_equal(c->device_id, 0x484);
	assert_false(c->mpu);
	assert_int_equal(c->write_unit, 16);
	assert_true(c->ecc);
	assert_int_equal(c->erased, 0xff);
	assert_int_equal(c->n_banks, 2);
	assert_int_equal(c->banks[1].base, 0x08100000);
	assert_int_equal(c->banks[1].size, 0x100000);
	assert_int_equal(c->banks[1].n_groups, 1);
	assert_int_equal(c->banks[1].groups[0].count, 128);
	assert_int_equal(c->banks[1].groups[0].size, 8192);
	assert_int_equal(c->n_aliases, 1);
	assert_int_equal(c->aliases[0].target, 0x08000000);
	assert_int_equal(c->n_rams, 1);
	assert_int_equal(c->rams[0].size, 640 * 1024);
	assert_int_equal(c->external.base, 0x90000000);
	assert_false(c->has_option_area);
	assert_int_equal(c->option_words, 12);
	assert_int_equal(c->boot_version, 0x40);
	assert_int_equal(c->n_opcodes, sizeof(opcodes));
	assert_memory_equal(c->opcodes, opcodes, sizeof(opcodes));
	assert_true(c->sfi);
	assert_int_equal(c->n_product_ids, 0);
	assert_int_equal(pv_chip_sectors(c), 256);
	assert_int_equal(pv_chip_flash_base(c), 0x08000000);
	pv_chip_free(c);
}

static void
check_sector(const struct pv_chip *c, uint64_t addr, uint32_t base,
    uint32_t size, uint32_t number)
{
	struct pv_sector s;

	assert_true(pv_chip_sector(c, addr, &s));
	assert_int_equal(s.base, base);
	assert_int_equal(s.size, size);
	assert_int_equal(s.number, number);
}

static void
test_sectors(void **state)
{
	struct pv_chip *c = load("h563");
	struct pv_sector s;

	(void)state;
	check_sector(c, 0x08000000, 0x08000000, 8192, 0);
	check_sector(c, 0x08001fff, 0x08000000, 8192, 0);
	check_sector(c, 0x08002000, 0x08002000, 8192, 1);
	check_sector(c, 0x080fffff, 0x080fe000, 8192, 127);
	check_sector(c, 0x08100000, 0x08100000, 8192, 128);
	check_sector(c, 0x081fffff, 0x081fe000, 8192, 255);
	/* through the secure alias */
	check_sector(c, 0x0c100001, 0x08100000, 8192, 128);
	assert_false(pv_chip_sector(c, 0x08200000, &s));
	assert_false(pv_chip_sector(c, 0x07ffffff, &s));
	assert_false(pv_chip_sector(c, 0x0c200000, &s));
	assert_false(pv_chip_sector(c, 0x108000000, &s));
	pv_chip_free(c);

	/* RM0090: 4 of 16 KiB, 1 of 64, 7 of 128 */
	c = load("F407");
	check_sector(c, 0x0800c000, 0x0800c000, 16384, 3);
	check_sector(c, 0x0801ffff, 0x08010000, 65536, 4);
	check_sector(c, 0x08020000, 0x08020000, 131072, 5);
	check_sector(c, 0x080fffff, 0x080e0000, 131072, 11);
	assert_int_equal(pv_chip_sectors(c), 12);
	pv_chip_free(c);
}

static void
test_ranges(void **state)
{
	struct pv_chip *c = load("h563");
	uint32_t p = 7;

	(void)state;
	assert_true(pv_chip_in_flash(c, 0x08000000, 0x200000, NULL));
	assert_false(pv_chip_in_flash(c, 0x08000000, 0x200001, NULL));
	assert_false(pv_chip_in_flash(c, 0x07ffffff, 2, NULL));
	assert_false(pv_chip_in_flash(c, 0x08200000, 0, &p));
	assert_int_equal(p, 7);
	assert_true(pv_chip_in_flash(c, 0x080ffff0, 0x20, &p));
	assert_int_equal(p, 0x080ffff0);
	assert_true(pv_chip_in_flash(c, 0x0c0ffff0, 0x20, &p));
	assert_int_equal(p, 0x080ffff0);
	assert_false(pv_chip_in_flash(c, 0x0c1fffff, 2, NULL));
	assert_false(pv_chip_in_flash(c, 0x08000000, UINT64_MAX, NULL));
	assert_false(pv_chip_in_flash(c, UINT64_MAX, 1, NULL));
	assert_true(pv_chip_in_ram(c, 0x2009ffff, 1));
	assert_false(pv_chip_in_ram(c, 0x2009ffff, 2));
	assert_false(pv_chip_in_ram(c, 0x1fffffff, 2));
	assert_false(pv_chip_in_ram(c, 0x20000000, UINT64_MAX));
	pv_chip_free(c);

	c = load("mp15");
	assert_true(c->mpu);
	assert_int_equal(c->device_id, 0x500);
	assert_int_equal(pv_chip_sectors(c), 0);
	assert_int_equal(pv_chip_flash_base(c), 0);
	assert_false(pv_chip_in_flash(c, 0x08000000, 1, NULL));
	assert_true(pv_chip_in_ram(c, 0x2ffc0000, 0x40000));
	assert_true(c->has_rom);
	assert_int_equal(c->rom.load_address, 0x2ffc2400);
	assert_int_equal(c->rom.image_header, 1);
	assert_int_equal(c->rom.ssp_word, 8);
	assert_int_equal(c->rom.ssp_request | c->rom.ssp_success, 0x300);
	assert_false(c->rom.key_table);
	pv_chip_free(c);
}

/* Bootloader product ids, write units and sizes, as AN2606 and the RMs say. */
static const struct {
	const char *name;
	uint32_t id, write_unit, flash_kib, sectors, words;
	bool sfi;
	const char *product_id;
} parts[] = {
	{ "stm32f103", 0x410, 2, 128, 128, 0, false, NULL },
	{ "stm32f103xe", 0x414, 2, 512, 256, 0, false, NULL },
	{ "stm32f407", 0x413, 4, 1024, 12, 0, false, NULL },
	{ "stm32g071", 0x460, 8, 128, 64, 0, false, NULL },
	{ "stm32g474", 0x469, 8, 512, 256, 0, false, NULL },
	{ "stm32h563", 0x484, 16, 2048, 256, 12, true, NULL },
	{ "stm32h573", 0x484, 16, 2048, 256, 12, true, NULL },
	{ "stm32h753", 0x450, 32, 2048, 16, 9, true, "45001001" },
	{ "stm32l476", 0x415, 8, 1024, 512, 0, false, NULL },
	{ "stm32l562", 0x472, 8, 512, 256, 12, true, "47201003" },
	{ "stm32mp13", 0x501, 0, 0, 0, 0, false, NULL },
	{ "stm32mp15", 0x500, 0, 0, 0, 0, false, "5000200A" },
	{ "stm32u585", 0x482, 16, 2048, 256, 0, true, NULL },
	{ "stm32wb55", 0x495, 8, 1024, 256, 0, false, NULL },
	{ "stm32wl55", 0x497, 8, 256, 128, 0, true, "49701005" },
};
#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

struct listed {
	size_t n;
	char last[PV_CHIP_NAME];
};

static int
listed_one(void *ctx, const struct pv_chip *c)
{
	struct listed *l = ctx;
	uint64_t size = 0;

	assert_true(l->n < N_PARTS);
	assert_true(strcmp(l->last, c->name) < 0);
	(void)snprintf(l->last, sizeof(l->last), "%s", c->name);
	assert_string_equal(c->name, parts[l->n].name);
	assert_int_equal(c->device_id, parts[l->n].id);
	assert_int_equal(c->write_unit, parts[l->n].write_unit);
	for (size_t i = 0; i < c->n_banks; i++)
		size += c->banks[i].size;
	assert_int_equal(size, parts[l->n].flash_kib * 1024);
	assert_int_equal(pv_chip_sectors(c), parts[l->n].sectors);
	assert_int_equal(c->option_words, parts[l->n].words);
	assert_int_equal(c->sfi, parts[l->n].sfi);
	if (parts[l->n].product_id != NULL)
		assert_string_equal(c->product_ids[0], parts[l->n].product_id);
	else
		assert_int_equal(c->n_product_ids, 0);
	assert_true(c->n_rams > 0);
	l->n++;
	return 0;
}

static int
stop_at_third(void *ctx, const struct pv_chip *c)
{
	size_t *n = ctx;

	(void)c;
	return ++*n == 3 ? 42 : 0;
}

static void
test_list(void **state)
{
	static const char *const none[] = { "/nonexistent", NULL };
	static const char *const twice[] = { "share/chips", "share/chips",
		NULL };
	struct listed l = { 0 };
	size_t n = 0;

	(void)state;
	assert_int_equal(pv_chip_list(dirs, listed_one, &l, &err), 0);
	assert_int_equal(l.n, N_PARTS);
	memset(&l, 0, sizeof(l));
	assert_int_equal(pv_chip_list(twice, listed_one, &l, &err), 0);
	assert_int_equal(l.n, N_PARTS);
	assert_int_equal(pv_chip_list(dirs, stop_at_third, &n, &err), 42);
	assert_int_equal(n, 3);
	assert_int_equal(pv_chip_list(none, listed_one, &l, &err), 0);
}

static void
test_by_id(void **state)
{
	struct pv_chip *c = NULL;

	(void)state;
	for (size_t i = 0; i < N_PARTS; i++) {
		assert_int_equal(
		    pv_chip_load_id(dirs, parts[i].id, &c, &err), 0);
		/* the H573 shares its id with the H563, which is the default */
		if (parts[i].id == 0x484)
			assert_string_equal(c->name, "stm32h563");
		else
			assert_string_equal(c->name, parts[i].name);
		pv_chip_free(c);
		c = NULL;
	}
	pv_error_clear(&err);
	assert_int_equal(
	    pv_chip_load_id(dirs, 0x123, &c, &err), PV_E_UNKNOWN_CHIP);
	assert_non_null(strstr(err.msg, "bootloader product id 0x123"));
	assert_non_null(strstr(err.hint, "copy a file of share/chips"));
	assert_int_equal(pv_chip_load_id(dirs, 0, &c, &err), PV_E_UNKNOWN_CHIP);
	assert_null(c);
}

/* The chip of the benchmarks has room for 256 MiB, and no id. */
static void
test_bench(void **state)
{
	struct pv_chip *c = load("bench/chips/bench.json");

	(void)state;
	assert_string_equal(c->name, "bench");
	assert_int_equal(c->device_id, 0);
	assert_true(pv_chip_in_flash(c, 0x08000000, 512U << 20, NULL));
	pv_chip_free(c);
}

/* --- what must be refused ------------------------------------------------- */

static const struct {
	const char *file;
	int code;
	const char *words;
} corrupt[] = {
	{ "alias-not-flash", PV_E_MALFORMED,
	    "the alias at 0x0c000000 shows 0x8000 bytes at 0x08004000, which "
	    "is not all flash" },
	{ "alias-on-alias", PV_E_MALFORMED,
	    "the aliases at 0x0c000000 and 0x0c004000 overlap" },
	{ "alias-on-bank", PV_E_MALFORMED,
	    "the alias at 0x08007000 overlaps the bank at 0x08004000" },
	{ "array", PV_E_MALFORMED, "the chip is not an object" },
	{ "bank-order", PV_E_MALFORMED, "order them by address" },
	{ "bank-overlap", PV_E_MALFORMED,
	    "the banks at 0x08000000 and 0x08002000 overlap" },
	{ "bank-past-32-bits", PV_E_RANGE,
	    "0x4000 bytes at 0xffffe000 run past the end" },
	{ "bank-size-zero", PV_E_MALFORMED, "flash bank: size is 0" },
	{ "bank-sum-large", PV_E_MALFORMED,
	    "bank at 0x08000000: its sectors add up to at least 0x4800 bytes, "
	    "its size is 0x4000" },
	{ "bank-sum-small", PV_E_MALFORMED,
	    "bank at 0x08000000: its sectors add up to only 0x3800 bytes" },
	{ "banks-many", PV_E_MALFORMED, "'banks' has 5 elements" },
	{ "banks-missing", PV_E_MALFORMED, "'flash' has no banks" },
	{ "banks-number", PV_E_MALFORMED, "'banks' is not an array" },
	{ "default-text", PV_E_MALFORMED, "'default_for_id'" },
	{ "device-id-wide", PV_E_MALFORMED, "'device_id'" },
	{ "duplicate", PV_E_MALFORMED, "'name'" },
	{ "external-empty", PV_E_MALFORMED, "external: size is 0" },
	{ "family-long", PV_E_MALFORMED, "'family' has 70 characters" },
	{ "flash-missing", PV_E_MALFORMED, "'flash' is missing" },
	{ "flash-number", PV_E_MALFORMED, "'flash' is not an object" },
	{ "flash-of-mpu", PV_E_MALFORMED, "leave out 'flash'" },
	{ "name-letters", PV_E_MALFORMED, "'name' has other than" },
	{ "name-missing", PV_E_MALFORMED, "'name'" },
	{ "not-json", PV_E_MALFORMED, "byte" },
	{ "opcode-twice", PV_E_MALFORMED, "opcode 0x00 is given twice" },
	{ "opcode-wide", PV_E_MALFORMED, "opcode 1" },
	{ "option-half", PV_E_MALFORMED, "'size'" },
	{ "option-words-many", PV_E_MALFORMED, "'words'" },
	{ "otp-empty", PV_E_MALFORMED, "otp: size is 0" },
	{ "otp-on-bank", PV_E_MALFORMED,
	    "the OTP at 0x08004000 overlaps the bank at 0x08004000" },
	{ "otp-unit", PV_E_MALFORMED, "'otp' has write units of 3 bytes" },
	{ "product-id-short", PV_E_MALFORMED,
	    "product id 1 is not 8 letters or digits" },
	{ "quirk-letters", PV_E_MALFORMED, "quirk 1 is not a name" },
	{ "ram-not-object", PV_E_MALFORMED, "a RAM is not an object" },
	{ "ram-on-alias", PV_E_MALFORMED,
	    "the RAM at 0x0c007000 overlaps the alias at 0x0c000000" },
	{ "ram-on-flash", PV_E_MALFORMED,
	    "the RAM at 0x08007000 overlaps the bank at 0x08004000" },
	{ "ram-on-ram", PV_E_MALFORMED,
	    "the RAMs at 0x20000000 and 0x20000800 overlap" },
	{ "reserved-large", PV_E_MALFORMED, "'boot_ram_reserved'" },
	{ "rom-closed-zero", PV_E_MALFORMED,
	    "rom: 'image_header' and 'closed' are not zero" },
	{ "rom-of-mcu", PV_E_MALFORMED, "'rom' is for an 'mpu' only" },
	{ "rom-unknown-member", PV_E_MALFORMED,
	    "'rom' has an unknown member 'load_adress'" },
	{ "rom-without-word", PV_E_MALFORMED, "'ssp_word'" },
	{ "sector-count-zero", PV_E_MALFORMED, "0 sectors of 2048 bytes" },
	{ "sector-fraction", PV_E_MALFORMED, "'count'" },
	{ "sector-negative", PV_E_MALFORMED, "'count'" },
	{ "sector-time", PV_E_MALFORMED, "'erase_typ_ms'" },
	{ "sector-write-unit", PV_E_MALFORMED,
	    "8 sectors of 2044 bytes: neither may be 0, and a sector holds "
	    "whole write units (8 bytes)" },
	{ "sources-empty", PV_E_MALFORMED, "'sources' is missing or empty" },
	{ "sources-missing", PV_E_MALFORMED, "'sources' is missing" },
	{ "sources-number", PV_E_MALFORMED,
	    "element 1 of 'sources' is not text" },
	{ "times-order", PV_E_MALFORMED,
	    "'sector_erase_typ_ms' is larger than 'sector_erase_max_ms'" },
	{ "title-control", PV_E_MALFORMED, "'title' has a character" },
	{ "title-empty", PV_E_MALFORMED, "'title' has 0 characters" },
	{ "transfer-size-wide", PV_E_MALFORMED, "'transfer_size'" },
	{ "unknown-flash-member", PV_E_MALFORMED,
	    "'flash' has an unknown member 'writeunit'" },
	{ "unknown-member", PV_E_MALFORMED,
	    "the chip has an unknown member 'flash_size'" },
	{ "unknown-times-member", PV_E_MALFORMED,
	    "'times' has an unknown member 'erase_ms'" },
	{ "usart-quirk-letters", PV_E_MALFORMED, "quirk 1 is not a name" },
	{ "write-unit-three", PV_E_MALFORMED,
	    "'write_unit' is 3, not a power of two" },
	{ "write-unit-zero", PV_E_MALFORMED,
	    "'write_unit' is 0, not a power of two" },
};

static void
test_corrupt(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(corrupt) / sizeof(corrupt[0]); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path),
		    "fixtures/corrupt/chip/%s.json", corrupt[i].file);
		must_refuse(path, corrupt[i].code, corrupt[i].words);
		/* every message names the file */
		assert_non_null(strstr(err.msg, path));
	}
}

static void
test_prefixes(void **state)
{
	struct pv_chip c;
	bool is_default;
	uint8_t *text = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(pv_file_read("share/chips/stm32f407.json",
			     PV_CHIP_JSON_MAX, &text, &len, &err),
	    0);
	assert_int_equal(
	    pv_chip_parse((char *)text, len, "t", &c, &is_default, &err), 0);
	/* up to the closing brace and newline */
	for (size_t n = 0; n < len - 1; n++)
		assert_int_equal(
		    pv_chip_parse((char *)text, n, "t", &c, &is_default, &err),
		    PV_E_MALFORMED);
	free(text);
}

/* In a folder the file must be called as the chip in it. */
static void
test_file_name(void **state)
{
	char dir[] = "/tmp/pvtest.XXXXXX", path[64];
	const char *const here[] = { dir, "share/chips", NULL };
	struct pv_chip *c = NULL;
	uint8_t *text = NULL;
	size_t len = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(pv_file_read("share/chips/stm32f407.json",
			     PV_CHIP_JSON_MAX, &text, &len, &err),
	    0);
	(void)snprintf(path, sizeof(path), "%s/other.json", dir);
	assert_int_equal(pv_file_write(path, 0600, text, len, &err), 0);
	assert_int_equal(pv_chip_load(here, "other", &c, &err), PV_E_MALFORMED);
	assert_non_null(
	    strstr(err.msg, "'name' is 'stm32f407'; it must be the file's"));
	/* a search by id does not pass over a bad file */
	assert_int_equal(
	    pv_chip_load_id(here, 0x413, &c, &err), PV_E_MALFORMED);
	assert_null(c);
	/* by path it may have any name */
	assert_int_equal(pv_chip_load(here, path, &c, &err), 0);
	pv_chip_free(c);
	assert_int_equal(unlink(path), 0);
	/* the first folder hides the second */
	(void)snprintf(path, sizeof(path), "%s/stm32f407.json", dir);
	text[len - 2] = ' '; /* the closing brace */
	assert_int_equal(pv_file_write(path, 0600, text, len, &err), 0);
	assert_int_equal(pv_chip_load(here, "f407", &c, &err), PV_E_MALFORMED);
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_h563),
		cmocka_unit_test(test_sectors),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_by_id),
		cmocka_unit_test(test_bench),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_file_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
