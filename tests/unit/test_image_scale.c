/* SPDX-License-Identifier: Apache-2.0 */
/* src/firmware at size: the store of bytes by address, merging, large files. */
#include "firmware/store.h"

#include "base/file.h"
#include <provisor/image.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define FW "fixtures/firmware/"

/* More than the store keeps in memory. */
#define TOTAL (8U << 20)
#define PIECE 32U

static struct pv_error err;

static long
peak_kib(void)
{
	struct rusage ru;

	assert_int_equal(getrusage(RUSAGE_SELF, &ru), 0);
	return ru.ru_maxrss;
}

/* --- the store ------------------------------------------------------------ */

static struct pv_fw_store *
new_store(void)
{
	struct pv_fw_store *s = NULL;

	pv_error_clear(&err);
	assert_int_equal(pv_fw_store_new(&s, &err), 0);
	return s;
}

/* The byte that belongs to an address. */
static uint8_t
byte_at(uint64_t addr)
{
	return (uint8_t)((addr * 0x9e3779b1U) >> 24);
}

static void
put(struct pv_fw_store *s, uint64_t addr, size_t len)
{
	uint8_t b[PIECE];

	for (size_t i = 0; i < len; i++)
		b[i] = byte_at(addr + i);
	if (pv_fw_store_put(s, addr, b, len, &err) != 0)
		fail_msg("0x%08llx: %s", (unsigned long long)addr, err.msg);
}

static void
check_bytes(const struct pv_fw_store *s, uint64_t addr, uint64_t size)
{
	static uint8_t b[100003]; /* straddles blocks */

	for (uint64_t off = 0; off < size; off += sizeof(b)) {
		size_t n =
		    size - off < sizeof(b) ? (size_t)(size - off) : sizeof(b);

		if (pv_fw_store_read(s, addr + off, b, n, &err) != 0)
			fail_msg("%s", err.msg);
		for (size_t i = 0; i < n; i++)
			if (b[i] != byte_at(addr + off + i))
				fail_msg("wrong byte at 0x%08llx",
				    (unsigned long long)(addr + off + i));
	}
}

static uint32_t
in_order(uint32_t i, uint32_t n)
{
	(void)n;
	return i;
}

static uint32_t
backward(uint32_t i, uint32_t n)
{
	return n - 1 - i;
}

static uint32_t
even_then_odd(uint32_t i, uint32_t n)
{
	return i < n / 2 ? 2 * i : 2 * (i - n / 2) + 1;
}

/* n is a power of two, so an odd factor permutes. */
static uint32_t
all_over(uint32_t i, uint32_t n)
{
	return (i * 2654435761U + 12345) % n;
}

static void
test_orders(void **state)
{
	static uint32_t (*const orders[])(uint32_t, uint32_t) = { in_order,
		backward, even_then_odd, all_over };
	const uint64_t base = 0x07fffff0; /* pieces straddle blocks */
	const uint32_t n = TOTAL / PIECE;
	long before = peak_kib();

	(void)state;
	for (size_t k = 0; k < 4; k++) {
		struct pv_fw_store *s = new_store();
		uint64_t addr, size;

		for (uint32_t i = 0; i < n; i++)
			put(s, base + (uint64_t)orders[k](i, n) * PIECE, PIECE);
		assert_int_equal(pv_fw_store_finish(s, &err), 0);
		assert_true(pv_fw_store_spilled(s));
		assert_int_equal(pv_fw_store_count(s), 1);
		pv_fw_store_range(s, 0, &addr, &size);
		assert_int_equal(addr, base);
		assert_int_equal(size, TOTAL);
		check_bytes(s, addr, size);
		pv_fw_store_free(s);
	}
#if !defined(__SANITIZE_ADDRESS__)
	/* 4 MiB of blocks, and the list of ranges while it is long */
	assert_true(peak_kib() - before < 16 * 1024);
#else
	(void)before;
#endif
}

/* Few bytes anywhere in 32 bits stay in memory; the ends are addresses too. */
static void
test_ends(void **state)
{
	struct pv_fw_store *s = new_store();
	uint64_t addr, size;

	(void)state;
	put(s, 0xfffffff0, 16);
	put(s, 0, 1);
	put(s, 0x8000ffff, 2);
	put(s, 1, 5);
	assert_int_equal(pv_fw_store_finish(s, &err), 0);
	assert_false(pv_fw_store_spilled(s));
	assert_int_equal(pv_fw_store_count(s), 3);
	pv_fw_store_range(s, 0, &addr, &size);
	assert_int_equal(addr, 0);
	assert_int_equal(size, 6);
	pv_fw_store_range(s, 1, &addr, &size);
	assert_int_equal(size, 2);
	pv_fw_store_range(s, 2, &addr, &size);
	assert_int_equal(addr, 0xfffffff0);
	assert_int_equal(size, 16);
	for (size_t i = 0; i < 3; i++) {
		pv_fw_store_range(s, i, &addr, &size);
		check_bytes(s, addr, size);
	}
	pv_fw_store_free(s);
}

static void
test_twice(void **state)
{
	struct pv_fw_store *s = new_store();

	(void)state;
	put(s, 0x1000, 16);
	put(s, 0x2000, 16);
	put(s, 0x0ff8, 9); /* its last byte is 0x1000 */
	assert_int_equal(pv_fw_store_finish(s, &err), PV_E_OVERLAP);
	assert_int_equal(pv_fw_store_twice(s), 0x1000);
	pv_fw_store_free(s);

	s = new_store();
	put(s, 0xffffffff, 1);
	put(s, 0xffffffff, 1);
	assert_int_equal(pv_fw_store_finish(s, &err), PV_E_OVERLAP);
	assert_int_equal(pv_fw_store_twice(s), 0xffffffff);
	pv_fw_store_free(s);
}

/* Ranges that never touch are not collected without end. */
static void
test_too_many(void **state)
{
	struct pv_fw_store *s = new_store();
	uint8_t b = 1;
	int rc = 0;

	(void)state;
	for (uint32_t i = 0; rc == 0 && i < 2000000; i++)
		rc = pv_fw_store_put(s, (uint64_t)i * 2, &b, 1, &err);
	assert_int_equal(rc, PV_E_MALFORMED);
	assert_non_null(strstr(err.msg, "more than 786432 pieces of memory"));
	pv_fw_store_free(s);
}

static void
test_no_room(void **state)
{
	struct pv_fw_store *s = new_store();
	static const uint8_t zeros[65536];
	const char *dir = getenv("TMPDIR");
	char *keep = dir == NULL ? NULL : strdup(dir);
	int rc = 0;

	(void)state;
	assert_int_equal(setenv("TMPDIR", "/nonexistent/folder", 1), 0);
	for (uint32_t i = 0; rc == 0 && i < 200; i++)
		rc = pv_fw_store_put(
		    s, (uint64_t)i << 16, zeros, sizeof(zeros), &err);
	assert_int_equal(rc, PV_E_IO);
	assert_non_null(strstr(
	    err.msg, "making a temporary file in '/nonexistent/folder'"));
	pv_fw_store_free(s);
	if (keep != NULL)
		assert_int_equal(setenv("TMPDIR", keep, 1), 0);
	else
		assert_int_equal(unsetenv("TMPDIR"), 0);
	free(keep);
}

/* --- merging -------------------------------------------------------------- */

static struct pv_image *
new_image(void)
{
	struct pv_image *img = NULL;

	pv_error_clear(&err);
	assert_int_equal(pv_image_new(&img, &err), 0);
	return img;
}

static void
add(struct pv_image *img, uint64_t addr, const char *text, const char *source)
{
	if (pv_image_add(img, addr, text, strlen(text), source, &err) != 0)
		fail_msg("%s", err.msg);
}

static void
check_segment(const struct pv_image *img, size_t i, uint64_t addr,
    const char *bytes, const char *source)
{
	size_t len = strlen(bytes);
	struct pv_segment s;
	char got[64];

	assert_true(i < pv_image_count(img));
	pv_image_segment(img, i, &s);
	assert_int_equal(s.addr, addr);
	assert_int_equal(s.size, len);
	assert_string_equal(s.source, source);
	assert_int_equal(pv_image_read(img, i, 0, got, len, &err), 0);
	assert_memory_equal(got, bytes, len);
	/* every part of it reads the same */
	for (size_t from = 0; from <= len; from++)
		for (size_t n = 0; n <= len - from; n++) {
			memset(got, 'x', sizeof(got));
			assert_int_equal(
			    pv_image_read(img, i, from, got, n, &err), 0);
			assert_memory_equal(got, bytes + from, n);
			assert_int_equal(got[n], 'x');
		}
	assert_int_equal(
	    pv_image_read(img, i, 1, got, len, &err), PV_E_INTERNAL);
}

static void
test_merge(void **state)
{
	struct pv_image *img = new_image();

	(void)state;
	add(img, 0x1000, "abcd", "a");
	add(img, 0x1004, "ef", "a");
	add(img, 0x1009, "gh", "b");
	add(img, 0x1010, "i", "c");
	assert_int_equal(pv_image_count(img), 4);
	assert_int_equal(pv_image_size(img), 9);

	assert_int_equal(pv_image_merge(img, 0, '.', &err), 0);
	assert_int_equal(pv_image_count(img), 3);
	check_segment(img, 0, 0x1000, "abcdef", "a");
	check_segment(img, 1, 0x1009, "gh", "b");

	assert_int_equal(pv_image_merge(img, 2, '.', &err), 0);
	assert_int_equal(pv_image_count(img), 3);
	assert_int_equal(pv_image_merge(img, 3, '.', &err), 0);
	assert_int_equal(pv_image_count(img), 2);
	check_segment(img, 0, 0x1000, "abcdef...gh", "a and 2 more");
	check_segment(img, 1, 0x1010, "i", "c");
	assert_int_equal(pv_image_size(img), 12);

	assert_int_equal(pv_image_merge(img, UINT64_MAX, '-', &err), 0);
	assert_int_equal(pv_image_count(img), 1);
	check_segment(img, 0, 0x1000, "abcdef---gh-----i", "a and 3 more");

	/* what is added is not merged; overlaps are those of the bytes */
	add(img, 0x1006, "xy", "d");
	assert_int_equal(pv_image_count(img), 5);
	assert_int_equal(
	    pv_image_add(img, 0x1007, "z", 1, "e", &err), PV_E_OVERLAP);
	assert_int_equal(pv_image_merge(img, 8, '_', &err), 0);
	check_segment(img, 0, 0x1000, "abcdefxy_gh_____i", "a and 4 more");
	pv_image_free(img);
}

static void
test_merge_none(void **state)
{
	struct pv_image *img = new_image();
	uint8_t b;

	(void)state;
	assert_int_equal(pv_image_merge(img, 16, 0, &err), 0);
	assert_int_equal(pv_image_count(img), 0);
	assert_int_equal(pv_image_read(img, 0, 0, &b, 1, &err), PV_E_INTERNAL);
	pv_image_free(img);
}

/* A gap that is filled must be flash, too. */
static void
test_merge_check(void **state)
{
	static const char *const dirs[] = { "share/chips", NULL };
	struct pv_image *img = new_image();
	struct pv_chip *chip = NULL;

	(void)state;
	assert_int_equal(pv_chip_load(dirs, "h563", &chip, &err), 0);
	add(img, 0x08000000, "a", "low");
	add(img, 0x0c100000, "b", "secure");
	assert_int_equal(pv_image_check(img, chip, false, &err), 0);
	assert_int_equal(pv_image_merge(img, UINT64_MAX, 0xff, &err), 0);
	assert_int_equal(pv_image_check(img, chip, false, &err), PV_E_RANGE);
	assert_non_null(strstr(err.msg,
	    "low and 1 more: 0x08000000..0x0c100000 is outside flash"));
	pv_chip_free(chip);
	pv_image_free(img);
}

/* From ELF segments in a file: the same as objcopy -O binary. */
static void
test_merge_elf(void **state)
{
	struct pv_image *img = new_image();
	uint8_t *bin = NULL, got[1024];
	struct pv_segment s;
	size_t len = 0;

	(void)state;
	assert_int_equal(
	    pv_file_read(FW "blink.bin", 1024, &bin, &len, &err), 0);
	assert_int_equal(pv_image_add_file(img, FW "blink.elf", &err), 0);
	assert_int_equal(pv_image_count(img), 3);
	assert_int_equal(pv_image_merge(img, 0, 0, &err), 0);
	assert_int_equal(pv_image_count(img), 1);
	pv_image_segment(img, 0, &s);
	assert_int_equal(s.size, len);
	assert_string_equal(s.source, FW "blink.elf segment 0 and 2 more");
	assert_int_equal(pv_image_read(img, 0, 0, got, len, &err), 0);
	assert_memory_equal(got, bin, len);
	free(bin);
	pv_image_free(img);
}

/* --- files ---------------------------------------------------------------- */

static char path[] = "/tmp/pvtest.XXXXXX";

static int
make_file(void **state)
{
	int fd;

	(void)state;
	memcpy(path, "/tmp/pvtest.XXXXXX", sizeof(path));
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void
write_at(uint64_t off, const void *data, size_t len)
{
	FILE *f = fopen(path, "r+b");

	assert_non_null(f);
	assert_int_equal(fseeko(f, (off_t)off, SEEK_SET), 0);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* blink.elf with these bytes instead. */
static void
patched_elf(uint64_t off, const void *data, size_t len)
{
	uint8_t *elf = NULL;
	size_t n = 0;

	assert_int_equal(
	    pv_file_read(FW "blink.elf", 65536, &elf, &n, &err), 0);
	write_at(0, elf, n);
	write_at(off, data, len);
	free(elf);
}

/* Overlays: two segments that run at one address but are loaded to two. */
static void
test_elf_same_vma(void **state)
{
	static const uint8_t vma[] = { 0, 0, 0, 0x08 };
	struct pv_image *img = new_image();

	(void)state;
	patched_elf(52 + 32 + 8, vma, sizeof(vma)); /* p_vaddr of segment 1 */
	assert_int_equal(pv_image_add_file(img, path, &err), 0);
	assert_int_equal(pv_image_count(img), 3);
	pv_image_free(img);
}

/* A sparse file of 2 GiB in a segment: not read, not kept. */
static void
test_elf_large(void **state)
{
	/* p_filesz and p_memsz of segment 2, which is the last in flash */
	static const uint8_t size[] = { 0, 0, 0, 0x80, 0, 0, 0, 0x80 };
	struct pv_image *img = new_image();
	long before = peak_kib();
	struct pv_segment s;
	uint8_t b[2];

	(void)state;
	patched_elf(52 + 2 * 32 + 16, size, sizeof(size));
	assert_int_equal(truncate(path, ((off_t)1 << 31) + 4096), 0);
	if (pv_image_add_file(img, path, &err) != 0)
		fail_msg("%s", err.msg);
	assert_int_equal(pv_image_count(img), 3);
	pv_image_segment(img, 2, &s);
	assert_int_equal(s.size, 0x80000000U);
	assert_int_equal(pv_image_read(img, 2, s.size - 2, b, 2, &err), 0);
#if !defined(__SANITIZE_ADDRESS__)
	assert_true(peak_kib() - before < 4096);
#else
	(void)before;
#endif
	pv_image_free(img);
}

/* 6 MiB of S-records, last first; one line twice is named. */
static void
test_srec_large(void **state)
{
	struct pv_image *img = new_image();
	FILE *f = fopen(path, "wb");
	struct pv_segment s;
	uint8_t b[64];

	(void)state;
	assert_non_null(f);
	for (uint32_t a = 0x08600000; a > 0x08000000; a -= 32) {
		uint32_t at = a - 32;
		uint32_t sum = 37 + (at >> 24) + (at >> 16 & 255) +
			       (at >> 8 & 255) + (at & 255) + 32 * 0x5a;

		assert_true(fprintf(f, "S325%08X", at) > 0);
		for (int i = 0; i < 32; i++)
			assert_true(fputs("5a", f) >= 0);
		assert_true(fprintf(f, "%02X\r\n", ~sum & 0xff) > 0);
	}
	assert_int_equal(fclose(f), 0);
	f = fopen(path, "ab");
	assert_non_null(f);
	assert_true(fputs("S70500000000FA\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	if (pv_image_add_file(img, path, &err) != 0)
		fail_msg("%s", err.msg);
	assert_int_equal(pv_image_count(img), 1);
	pv_image_segment(img, 0, &s);
	assert_int_equal(s.addr, 0x08000000);
	assert_int_equal(s.size, 6U << 20);
	assert_int_equal(pv_image_read(img, 0, s.size - 64, b, 64, &err), 0);
	assert_int_equal(b[0], 0x5a);
	assert_int_equal(b[63], 0x5a);
	pv_image_free(img);

	/* line 1, for 0x085fffe0, once more in place of the end */
	img = new_image();
	f = fopen(path, "r+b");
	assert_non_null(f);
	assert_int_equal(fseeko(f, -15, SEEK_END), 0);
	assert_true(fputs("S309085FFFE800000000A8\n"
			  "S70500000000FA\n",
			f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(pv_image_add_file(img, path, &err), PV_E_OVERLAP);
	assert_non_null(strstr(err.msg,
	    "line 196609: address 0x085fffe8 was given before, in line 1"));
	pv_image_free(img);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_none),
		cmocka_unit_test(test_merge_check),
		cmocka_unit_test(test_merge_elf),
		cmocka_unit_test_setup_teardown(
		    test_elf_same_vma, make_file, remove_file),
		cmocka_unit_test_setup_teardown(
		    test_elf_large, make_file, remove_file),
		cmocka_unit_test_setup_teardown(
		    test_srec_large, make_file, remove_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
