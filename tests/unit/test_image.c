/* SPDX-License-Identifier: Apache-2.0 */
/* src/firmware: the readers and the sparse image. */
#include <provisor/image.h>

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FW	"fixtures/firmware/"
#define BASE	0x08000000U
#define BIN_MAX (256U << 10)
#define BIN_LEN 0x2a4U /* of blink.bin, and of the others' data */

static struct pv_error err;
static char dir[64];
static const char *const chips[] = { "share/chips", NULL };

static int
make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/pvtest.XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int
remove_dir(void **state)
{
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/t", dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/t@0x10", dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/fifo", dir);
	(void)unlink(path);
	return rmdir(dir);
}

/* The file DIR/t with these bytes; its path. */
static const char *
file_of(const void *data, size_t len)
{
	static char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/t", dir);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return path;
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
must_add(struct pv_image *img, const char *text)
{
	int rc = pv_image_add_file(img, text, &err);

	if (rc != 0)
		fail_msg("%s: %s", text, err.msg);
}

/* Adding fails with this code, and the message has these words. */
static void
must_refuse(struct pv_image *img, const char *text, int code, const char *words)
{
	size_t before = pv_image_count(img);
	int rc;

	pv_error_clear(&err);
	rc = pv_image_add_file(img, text, &err);
	if (rc != code || strstr(err.msg, words) == NULL)
		fail_msg("%s: got %d '%s', wanted %d '%s'", text, rc, err.msg,
		    code, words);
	assert_int_equal(pv_image_count(img), before);
}

static void
check_segment(const struct pv_image *img, size_t i, uint64_t addr,
    uint64_t size, const char *source)
{
	struct pv_segment s;

	assert_true(i < pv_image_count(img));
	pv_image_segment(img, i, &s);
	assert_int_equal(s.addr, addr);
	assert_int_equal(s.size, size);
	assert_string_equal(s.source, source);
}

/* What objcopy -O binary made: every segment's bytes, and 0 in between. */
static void
check_against_bin(const struct pv_image *img)
{
	static uint8_t flat[BIN_MAX];
	uint8_t *bin = NULL;
	size_t len = 0, end = 0;

	memset(flat, 0, sizeof(flat));
	assert_int_equal(
	    pv_file_read(FW "blink.bin", BIN_MAX, &bin, &len, &err), 0);
	for (size_t i = 0; i < pv_image_count(img); i++) {
		struct pv_segment s;

		pv_image_segment(img, i, &s);
		assert_true(s.addr >= BASE && s.addr - BASE + s.size <= len);
		assert_int_equal(pv_image_read(img, i, 0,
				     flat + (s.addr - BASE), s.size, &err),
		    0);
		end = (size_t)(s.addr - BASE + s.size);
	}
	assert_int_equal(end, len);
	assert_memory_equal(flat, bin, len);
	free(bin);
}

static void
test_elf(void **state)
{
	struct pv_image *img = new_image();
	uint64_t entry = 0;

	(void)state;
	must_add(img, FW "blink.elf");
	assert_int_equal(pv_image_count(img), 3);
	check_segment(img, 0, 0x08000000, 0x198, FW "blink.elf segment 0");
	check_segment(img, 1, 0x08000198, 0x108, FW "blink.elf segment 1");
	/* .data by its physical address, not where it runs */
	check_segment(img, 2, 0x080002a0, 4, FW "blink.elf segment 2");
	assert_int_equal(pv_image_size(img), BIN_LEN);
	assert_true(pv_image_entry(img, &entry));
	assert_int_equal(entry, 0x08000055);
	check_against_bin(img);
	pv_image_free(img);
}

static void
test_ihex(void **state)
{
	struct pv_image *img = new_image();
	uint64_t entry = 0;

	(void)state;
	must_add(img, FW "blink.hex");
	assert_int_equal(pv_image_count(img), 1);
	check_segment(img, 0, 0x08000000, BIN_LEN, FW "blink.hex");
	assert_true(pv_image_entry(img, &entry));
	assert_int_equal(entry, 0x08000055);
	check_against_bin(img);
	pv_image_free(img);
}

static void
test_srec(void **state)
{
	struct pv_image *img = new_image();
	uint64_t entry = 0;

	(void)state;
	must_add(img, FW "blink.srec");
	assert_int_equal(pv_image_count(img), 1);
	check_segment(img, 0, 0x08000000, BIN_LEN, FW "blink.srec");
	assert_true(pv_image_entry(img, &entry));
	assert_int_equal(entry, 0x08000055);
	check_against_bin(img);
	pv_image_free(img);
}

static void
test_raw(void **state)
{
	struct pv_image *img = new_image();
	uint64_t entry = 0;

	(void)state;
	must_add(img, FW "blink.bin@0x08000000");
	assert_int_equal(pv_image_count(img), 1);
	check_segment(img, 0, 0x08000000, BIN_LEN, FW "blink.bin");
	assert_false(pv_image_entry(img, &entry));
	check_against_bin(img);
	pv_image_free(img);
}

/* The same memory with lines in any order, CRLF, small letters, all types. */
static void
test_ihex_forms(void **state)
{
	static const char text[] = "\r\n"
				   ":020000021000ec\r\n"
				   ":02001200cdef30\r\n"
				   ":020010001122BB\r\n"
				   "\r\n"
				   ":020000040800F2\r\n"
				   ":00FFFF0002\r\n"
				   ":04FFFE0001020304F5\r\n"
				   ":0400000312345678E5\r\n"
				   ":00000001FF\r\n\r\n";
	static const uint8_t first[] = { 0x11, 0x22, 0xcd, 0xef };
	struct pv_image *img = new_image();
	uint64_t entry = 0;
	uint8_t data[4];

	(void)state;
	must_add(img, file_of(text, strlen(text)));
	assert_int_equal(pv_image_count(img), 2);
	check_segment(img, 0, 0x10010, 4, file_of(text, strlen(text)));
	assert_int_equal(pv_image_read(img, 0, 0, data, 4, &err), 0);
	assert_memory_equal(data, first, 4);
	/* a linear record may cross 64 KiB */
	check_segment(img, 1, 0x0800fffe, 4, file_of(text, strlen(text)));
	assert_true(pv_image_entry(img, &entry));
	assert_int_equal(entry, 0x12340 + 0x5678);
	pv_image_free(img);
}

static void
test_srec_forms(void **state)
{
	static const char text[] = "S00600004844521B\r\n"
				   "S1051002aabb83\n"
				   "S10510001122B7\n"
				   "S2060123456788A1\n"
				   "S309F0000000DEADBEEFCE\n"
				   "S5030004F8\n"
				   "S604000004F7\n"
				   "S9030000FC\n";
	struct pv_image *img = new_image();
	uint64_t entry;

	(void)state;
	must_add(img, file_of(text, strlen(text)));
	assert_int_equal(pv_image_count(img), 3);
	check_segment(img, 0, 0x1000, 4, file_of(text, strlen(text)));
	check_segment(img, 1, 0x12345, 2, file_of(text, strlen(text)));
	check_segment(img, 2, 0xf0000000, 4, file_of(text, strlen(text)));
	/* S9 with 0 means: none */
	assert_false(pv_image_entry(img, &entry));
	pv_image_free(img);
}

/* --- what must be refused ------------------------------------------------- */

static const struct {
	const char *file; /* in fixtures/corrupt */
	int code;
	const char *words;
} corrupt[] = {
	{ "elf/class64.elf", PV_E_UNSUPPORTED, "is not a 32-bit ELF file" },
	{ "elf/big-endian.elf", PV_E_UNSUPPORTED, "not a little-endian ELF" },
	{ "elf/machine.elf", PV_E_UNSUPPORTED, "ELF machine 62, not for ARM" },
	{ "elf/object.elf", PV_E_UNSUPPORTED, "is an object file" },
	{ "elf/position-independent.elf", PV_E_UNSUPPORTED,
	    "position independent" },
	{ "elf/core.elf", PV_E_UNSUPPORTED, "has ELF type 4" },
	{ "elf/table-outside.elf", PV_E_MALFORMED, "segment table is damaged" },
	{ "elf/many-segments.elf", PV_E_MALFORMED, "segment 0 is damaged" },
	{ "elf/segment-outside.elf", PV_E_MALFORMED,
	    "segment 0 at 0x08000000: its bytes 0x500..0x698 are not in the "
	    "file, which has 0x4d8" },
	{ "elf/segment-offset-wraps.elf", PV_E_MALFORMED,
	    "its bytes 0xffffffff..0x100000197 are not in the file" },
	{ "elf/file-larger-than-memory.elf", PV_E_MALFORMED,
	    "segment 0 at 0x08000000: more bytes in the file (0x198) than in "
	    "memory (0x4)" },
	{ "elf/past-32-bits.elf", PV_E_RANGE,
	    "segment 0: 0x198 bytes at 0xffffff00 run past the end" },
	{ "elf/overlap.elf", PV_E_OVERLAP,
	    "overlap.elf segment 0 and fixtures/corrupt/elf/overlap.elf "
	    "segment 1 both have bytes for 0x08000100" },
	{ "elf/no-load.elf", PV_E_MALFORMED, "has no loadable bytes" },
	{ "elf/short-header.elf", PV_E_MALFORMED, "ELF header is damaged" },

	{ "ihex/no-colon.hex", PV_E_MALFORMED,
	    "line 2: a record must start with ':'" },
	{ "ihex/bad-digit.hex", PV_E_MALFORMED,
	    "line 2: 'G' in column 31 is not a hex digit" },
	{ "ihex/control-byte.hex", PV_E_MALFORMED,
	    "line 2: byte 0x01 in column 30 is not a hex digit" },
	{ "ihex/half-byte.hex", PV_E_MALFORMED,
	    "line 2: the line ends in half a byte" },
	{ "ihex/too-long.hex", PV_E_MALFORMED, "line 2: the line is too long" },
	{ "ihex/too-short.hex", PV_E_MALFORMED,
	    "line 2: the line is too short" },
	{ "ihex/count.hex", PV_E_MALFORMED,
	    "line 2: the record says 16 bytes, the line has 8" },
	{ "ihex/checksum.hex", PV_E_MALFORMED,
	    "line 2: checksum is 00, should be 78 (record for 0x08000000)" },
	{ "ihex/unknown-type.hex", PV_E_MALFORMED,
	    "line 2: unknown record type 06" },
	{ "ihex/end-with-data.hex", PV_E_MALFORMED,
	    "line 3: record of type 01 has 1 data bytes instead of 0" },
	{ "ihex/segment-length.hex", PV_E_MALFORMED,
	    "line 1: record of type 02 has 1 data bytes instead of 2" },
	{ "ihex/linear-length.hex", PV_E_MALFORMED,
	    "line 1: record of type 04 has 3 data bytes instead of 2" },
	{ "ihex/start-length.hex", PV_E_MALFORMED,
	    "line 3: record of type 05 has 2 data bytes instead of 4" },
	{ "ihex/start-segment-length.hex", PV_E_MALFORMED,
	    "line 3: record of type 03 has 2 data bytes instead of 4" },
	{ "ihex/second-start.hex", PV_E_MALFORMED,
	    "line 4: a second start address record" },
	{ "ihex/segment-end.hex", PV_E_MALFORMED,
	    "line 2: data at 0x0001fff8 runs past the end of its 64 KiB" },
	{ "ihex/past-32-bits.hex", PV_E_RANGE,
	    "line 2: 16 bytes at 0xfffffff8 run past the end" },
	{ "ihex/no-end.hex", PV_E_MALFORMED,
	    "line 2: the file ends without its end record (type 01)" },
	{ "ihex/after-end.hex", PV_E_MALFORMED,
	    "line 4: there is text after the end record" },
	{ "ihex/overlap.hex", PV_E_OVERLAP,
	    "line 4: address 0x08000020 was given before, in line 3" },
	{ "ihex/no-data.hex", PV_E_MALFORMED, "has no data records" },

	{ "srec/no-s.srec", PV_E_MALFORMED,
	    "line 2: a record must start with 'S'" },
	{ "srec/type-letter.srec", PV_E_MALFORMED,
	    "line 2: 'A' in column 2 is not a hex digit" },
	{ "srec/type-missing.srec", PV_E_MALFORMED,
	    "line 2: the line is too short" },
	{ "srec/bad-digit.srec", PV_E_MALFORMED,
	    "line 2: 'G' in column 34 is not a hex digit" },
	{ "srec/half-byte.srec", PV_E_MALFORMED,
	    "line 2: the line ends in half a byte" },
	{ "srec/too-long.srec", PV_E_MALFORMED,
	    "line 2: the line is too long" },
	{ "srec/too-short.srec", PV_E_MALFORMED,
	    "line 2: the line is too short" },
	{ "srec/count.srec", PV_E_MALFORMED,
	    "line 2: the record says 21 bytes, the line has 13" },
	{ "srec/checksum.srec", PV_E_MALFORMED,
	    "line 2: checksum is 00, should be 6a (record for 0x08000000)" },
	{ "srec/reserved-type.srec", PV_E_MALFORMED,
	    "line 2: unknown record type S4" },
	{ "srec/no-address.srec", PV_E_MALFORMED,
	    "line 2: an S3 record has at least 5 bytes, this one 3" },
	{ "srec/s5-count.srec", PV_E_MALFORMED,
	    "line 3: S5 says 2 data records, the file has 1" },
	{ "srec/s6-count.srec", PV_E_MALFORMED,
	    "line 3: S6 says 2 data records, the file has 1" },
	{ "srec/s5-with-data.srec", PV_E_MALFORMED,
	    "line 3: an S5 record has no data" },
	{ "srec/end-with-data.srec", PV_E_MALFORMED,
	    "line 3: an S7 record has no data" },
	{ "srec/no-end.srec", PV_E_MALFORMED,
	    "line 2: the file ends without its end record (S7, S8 or S9)" },
	{ "srec/after-end.srec", PV_E_MALFORMED,
	    "line 4: there is text after the end record" },
	{ "srec/overlap.srec", PV_E_OVERLAP,
	    "line 3: address 0x0800000f was given before, in line 2" },
	{ "srec/past-32-bits.srec", PV_E_RANGE,
	    "line 2: 16 bytes at 0xfffffff8 run past the end" },
	{ "srec/no-data.srec", PV_E_MALFORMED, "has no data records" },
};

static void
test_corrupt(void **state)
{
	struct pv_image *img = new_image();

	(void)state;
	for (size_t i = 0; i < sizeof(corrupt) / sizeof(corrupt[0]); i++) {
		char path[128];

		(void)snprintf(
		    path, sizeof(path), "fixtures/corrupt/%s", corrupt[i].file);
		must_refuse(img, path, corrupt[i].code, corrupt[i].words);
		/* every message names the file */
		assert_non_null(strstr(err.msg, path));
		if (strcmp(corrupt[i].file, "ihex/segment-end.hex") == 0)
			assert_non_null(strstr(err.hint, "record type 04"));
	}
	pv_image_free(img);
}

/* No prefix of a good file is taken for a whole one. */
static void
test_prefixes(void **state)
{
	static const char *const names[] = { FW "blink.elf", FW "blink.hex",
		FW "blink.srec" };

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		uint8_t *all = NULL;
		size_t len = 0, last;

		assert_int_equal(
		    pv_file_read(names[k], BIN_MAX, &all, &len, &err), 0);
		/*
		 * The last newline of a record file, and the section headers
		 * of an ELF file, which loading does not need, may be cut.
		 */
		last = k == 0 ? 0x358 : len - 2;
		for (size_t n = 0; n < last; n++) {
			struct pv_image *img = new_image();
			int rc = pv_image_add_file(img, file_of(all, n), &err);

			/* USAGE: too short to know its kind, so raw */
			if (rc != PV_E_MALFORMED &&
			    !(rc == PV_E_USAGE && n < 4))
				fail_msg(
				    "%s cut to %zu bytes: %d", names[k], n, rc);
			assert_int_equal(pv_image_count(img), 0);
			pv_image_free(img);
		}
		free(all);
	}
}

static void
test_elf_many_segments(void **state)
{
	struct pv_image *img = new_image();
	size_t len = 52 + 5000 * 32;
	uint8_t *elf = NULL, *big;
	size_t n = 0;

	(void)state;
	big = calloc(1, len);
	assert_non_null(big);
	assert_int_equal(
	    pv_file_read(FW "blink.elf", BIN_MAX, &elf, &n, &err), 0);
	memcpy(big, elf, 52);
	big[44] = 5000 & 0xff;
	big[45] = 5000 >> 8;
	memset(big + 46, 0, 6); /* no sections */
	memset(big + 32, 0, 4);
	must_refuse(img, file_of(big, len), PV_E_MALFORMED,
	    "says it has 5000 segments, more than 4096");
	free(elf);
	free(big);
	pv_image_free(img);
}

/* --- FILE@ADDR ------------------------------------------------------------ */

static void
test_address_rules(void **state)
{
	struct pv_image *img = new_image();
	char text[192], path[128];
	FILE *f;

	(void)state;
	must_refuse(img, FW "blink.bin", PV_E_USAGE,
	    "is a raw file and needs an address");
	assert_non_null(strstr(err.hint, FW "blink.bin@0x08000000"));
	must_refuse(img, FW "blink.elf@0x08000000", PV_E_USAGE,
	    "is ELF and says its own addresses");
	must_refuse(img, FW "blink.hex@0", PV_E_USAGE,
	    "is Intel HEX and says its own addresses");
	must_refuse(img, FW "blink.srec@16", PV_E_USAGE,
	    "is S-record and says its own addresses");
	must_refuse(img, FW "blink.bin@0x0800000G", PV_E_NOT_FOUND,
	    "blink.bin@0x0800000G");
	assert_non_null(strstr(err.hint, "'0x0800000G' after the '@'"));
	must_refuse(img, FW "missing.bin@0x08000000", PV_E_NOT_FOUND,
	    FW "missing.bin'");
	must_refuse(img, FW "blink.bin@0xffffff00", PV_E_RANGE,
	    "0x2a4 bytes at 0xffffff00 run past the end");
	must_refuse(img, FW "blink.bin@0x100000000", PV_E_RANGE,
	    "at 0x100000000 run past the end");
	must_refuse(img, FW "blink.bin@0xffffffffffffffff", PV_E_RANGE,
	    "run past the end");
	must_refuse(img, file_of("", 0), PV_E_MALFORMED, "is empty");
	(void)snprintf(text, sizeof(text), "%s@0x20", file_of("", 0));
	must_refuse(img, text, PV_E_MALFORMED, "is empty");
	must_refuse(img, "/tmp", PV_E_MALFORMED, "is not a regular file");
	must_refuse(img, "", PV_E_NOT_FOUND, "");
	must_refuse(img, "@0x10", PV_E_NOT_FOUND, "");

	/* a named pipe must not hang */
	(void)snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	must_refuse(img, path, PV_E_MALFORMED, "is not a regular file");

	/* the path has an '@' of its own; only the last one counts */
	(void)snprintf(path, sizeof(path), "%s/t@0x10", dir);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fputs("abc", f) >= 0, 1);
	assert_int_equal(fclose(f), 0);
	(void)snprintf(text, sizeof(text), "%s@0x2000", path);
	must_add(img, text);
	check_segment(img, 0, 0x2000, 3, path);
	pv_image_free(img);
}

static void
test_detect(void **state)
{
	enum pv_firmware_kind kind;

	(void)state;
	assert_int_equal(pv_firmware_detect(FW "blink.elf", &kind, &err), 0);
	assert_int_equal(kind, PV_FIRMWARE_ELF);
	assert_int_equal(pv_firmware_detect(FW "blink.hex", &kind, &err), 0);
	assert_int_equal(kind, PV_FIRMWARE_IHEX);
	assert_int_equal(pv_firmware_detect(FW "blink.srec", &kind, &err), 0);
	assert_int_equal(kind, PV_FIRMWARE_SREC);
	assert_int_equal(pv_firmware_detect(FW "blink.bin", &kind, &err), 0);
	assert_int_equal(kind, PV_FIRMWARE_RAW);
	/* one more than a mark is needed */
	assert_int_equal(
	    pv_firmware_detect(file_of(":-) hello", 9), &kind, &err), 0);
	assert_int_equal(kind, PV_FIRMWARE_RAW);
	assert_int_equal(
	    pv_firmware_detect(file_of("Strings", 7), &kind, &err), 0);
	assert_int_equal(kind, PV_FIRMWARE_RAW);
	assert_string_equal(pv_firmware_kind_name(PV_FIRMWARE_ELF), "ELF");
}

/* --- several sources ------------------------------------------------------ */

static void
test_overlap(void **state)
{
	struct pv_image *img = new_image();

	(void)state;
	must_add(img, FW "blink.hex");
	must_refuse(img, FW "blink.elf", PV_E_OVERLAP,
	    FW "blink.hex and " FW
	       "blink.elf segment 0 both have bytes for 0x08000000");
	must_refuse(img, FW "blink.bin@0x080002a3", PV_E_OVERLAP,
	    "both have bytes for 0x080002a3");
	/* touching is not overlapping, and does not merge */
	assert_int_equal(
	    pv_image_add(img, 0x080002a4, "xyz", 3, "extra", &err), 0);
	assert_int_equal(pv_image_count(img), 2);
	check_segment(img, 1, 0x080002a4, 3, "extra");
	assert_int_equal(
	    pv_image_add(img, 0x080002a6, "x", 1, "more", &err), PV_E_OVERLAP);
	assert_string_equal(
	    err.msg, "extra and more both have bytes for 0x080002a6");
	assert_int_equal(
	    pv_image_add(img, 0, "", 0, "none", &err), PV_E_MALFORMED);
	assert_int_equal(
	    pv_image_add(img, 0xffffffff, "ab", 2, "far", &err), PV_E_RANGE);
	assert_int_equal(
	    pv_image_add(img, 0xffffffff, "a", 1, "last", &err), 0);
	assert_int_equal(pv_image_size(img), BIN_LEN + 3 + 1);
	pv_image_free(img);
}

static void
test_read_bounds(void **state)
{
	struct pv_image *img = new_image();
	uint8_t b[8];

	(void)state;
	must_add(img, FW "blink.elf");
	assert_int_equal(pv_image_read(img, 2, 0, b, 4, &err), 0);
	assert_int_equal(pv_image_read(img, 2, 4, b, 0, &err), 0);
	assert_int_equal(pv_image_read(img, 2, 0, b, 5, &err), PV_E_INTERNAL);
	assert_int_equal(
	    pv_image_read(img, 2, UINT64_MAX, b, 4, &err), PV_E_INTERNAL);
	assert_int_equal(pv_image_read(img, 3, 0, b, 1, &err), PV_E_INTERNAL);
	pv_image_free(img);
}

/* A file that shrinks while it is in use is an error, not stale bytes. */
static void
test_shrinking_file(void **state)
{
	struct pv_image *img = new_image();
	const char *path = file_of("0123456789", 10);
	char text[192];
	uint8_t b[10];

	(void)state;
	(void)snprintf(text, sizeof(text), "%s@0x1000", path);
	must_add(img, text);
	assert_int_equal(truncate(path, 5), 0);
	assert_int_equal(pv_image_read(img, 0, 0, b, 5, &err), 0);
	assert_int_equal(pv_image_read(img, 0, 0, b, 10, &err), PV_E_MALFORMED);
	pv_image_free(img);
}

/* --- against a chip ------------------------------------------------------- */

static void
check_fails(const struct pv_image *img, const char *name, bool ram, int code,
    const char *words)
{
	struct pv_chip *chip = NULL;
	int rc;

	pv_error_clear(&err);
	assert_int_equal(pv_chip_load(chips, name, &chip, &err), 0);
	rc = pv_image_check(img, chip, ram, &err);
	if (rc != code || (code != 0 && strstr(err.msg, words) == NULL))
		fail_msg(
		    "got %d '%s', wanted %d '%s'", rc, err.msg, code, words);
	pv_chip_free(chip);
}

static void
test_check(void **state)
{
	struct pv_image *img = new_image();

	(void)state;
	must_add(img, FW "blink.elf");
	check_fails(img, "h563", false, 0, "");
	check_fails(img, "f407", false, 0, "");
	assert_int_equal(pv_image_add(img, 0x08200000, dir, sizeof(dir),
			     "app.elf segment 9", &err),
	    0);
	check_fails(img, "h563", false, PV_E_RANGE,
	    "app.elf segment 9: 0x08200000..0x0820003f is outside flash of "
	    "stm32h563 (0x08000000..0x081fffff)");
	check_fails(img, "mp15", false, PV_E_RANGE,
	    "stm32mp15 has no flash of its own");
	pv_image_free(img);

	/* over the end by one byte */
	img = new_image();
	must_add(img, FW "blink.bin@0x081ffd5d");
	check_fails(img, "h563", false, PV_E_RANGE,
	    "0x081ffd5d..0x08200000 is outside");
	pv_image_free(img);

	/* from one bank into the next is fine */
	img = new_image();
	must_add(img, FW "blink.bin@0x080fff00");
	check_fails(img, "h563", false, 0, "");
	pv_image_free(img);

	img = new_image();
	must_add(img, FW "blink.bin@0x20000000");
	check_fails(img, "h563", false, PV_E_RANGE, "is outside flash of");
	check_fails(img, "h563", true, 0, "");
	assert_int_equal(
	    pv_image_add(img, 0x20005000, "a", 1, "above", &err), 0);
	check_fails(img, "f103", true, PV_E_RANGE,
	    "is outside flash and RAM of stm32f103 (0x08000000..0x0801ffff, "
	    "0x20000000..0x20004fff)");
	pv_image_free(img);
}

/* The secure and the plain address of one byte are one byte. */
static void
test_check_alias(void **state)
{
	struct pv_image *img = new_image();

	(void)state;
	must_add(img, FW "blink.bin@0x08000000");
	assert_int_equal(
	    pv_image_add(img, 0x0c020000, "ab", 2, "secure", &err), 0);
	check_fails(img, "h563", false, 0, "");
	assert_int_equal(
	    pv_image_add(img, 0x0c0002a3, "ab", 2, "twice", &err), 0);
	check_fails(img, "h563", false, PV_E_OVERLAP,
	    "blink.bin at 0x08000000 and twice at 0x0c0002a3 are the same "
	    "flash of stm32h563");
	check_fails(img, "f407", false, PV_E_RANGE, "twice: 0x0c0002a3");
	pv_image_free(img);
}

/* --- large inputs --------------------------------------------------------- */

/* A 3 GiB file costs neither memory nor time: it is not read. */
static void
test_large_raw(void **state)
{
	struct pv_image *img = new_image();
	const char *path = file_of("start", 5);
	struct rusage before, after;
	char text[192];
	uint8_t b[2];

	(void)state;
	assert_int_equal(truncate(path, (off_t)3 << 30), 0);
	assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
	(void)snprintf(text, sizeof(text), "%s@0x10000000", path);
	must_add(img, text);
	check_segment(img, 0, 0x10000000, (uint64_t)3 << 30, path);
	assert_int_equal(
	    pv_image_read(img, 0, ((uint64_t)3 << 30) - 2, b, 2, &err), 0);
	assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
	assert_true(after.ru_maxrss - before.ru_maxrss < 1024);
	pv_image_free(img);

	/* 4 GiB and one byte cannot have addresses */
	img = new_image();
	assert_int_equal(truncate(path, ((off_t)1 << 32) + 1), 0);
	(void)snprintf(text, sizeof(text), "%s@0", path);
	must_refuse(img, text, PV_E_RANGE, "0x100000001 bytes at 0x00000000");
	assert_int_equal(truncate(path, (off_t)1 << 32), 0);
	must_add(img, text);
	pv_image_free(img);
}

static void
test_large_records(void **state)
{
	struct pv_image *img = new_image();
	const char *path = file_of(":0", 2);
	FILE *f;
	int rc;

	(void)state;
	f = fopen(path, "wb");
	assert_non_null(f);
	/* more separate pieces than an image takes */
	for (unsigned int i = 0; i < 65537; i++) {
		unsigned int a = (i & 0x7fff) * 2;
		unsigned int hi = i >> 15;

		if ((i & 0x7fff) == 0)
			assert_true(fprintf(f, ":02000004%04X%02X\n", hi,
					(0x100 - 6 - hi) & 0xff) > 0);
		assert_true(
		    fprintf(f, ":01%04X0055%02X\n", a,
			(0x100 - ((1 + (a >> 8) + (a & 0xff) + 0x55) & 0xff)) &
			    0xff) > 0);
	}
	assert_true(fputs(":00000001FF\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	must_refuse(img, path, PV_E_MALFORMED,
	    "more than 65535 separate pieces of memory");

	/* sizes have 64 bits; what follows the end is noticed at once */
	assert_int_equal(truncate(path, (off_t)6 << 30), 0);
	must_refuse(img, path, PV_E_MALFORMED,
	    "line 65542: there is text after the end record");
	pv_image_free(img);

	/* a line without end is cut, not collected */
	img = new_image();
	assert_int_equal(truncate(path, 0), 0);
	f = fopen(path, "wb");
	assert_non_null(f);
	for (size_t i = 0; i < 200000; i++)
		assert_true(fputs(":000", f) >= 0);
	assert_int_equal(fclose(f), 0);
	rc = pv_image_add_file(img, path, &err);
	assert_int_equal(rc, PV_E_MALFORMED);
	assert_non_null(strstr(err.msg, "line 1:"));
	pv_image_free(img);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elf),
		cmocka_unit_test(test_ihex),
		cmocka_unit_test(test_srec),
		cmocka_unit_test(test_raw),
		cmocka_unit_test_setup_teardown(
		    test_ihex_forms, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
		    test_srec_forms, make_dir, remove_dir),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test_setup_teardown(
		    test_prefixes, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
		    test_elf_many_segments, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
		    test_address_rules, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
		    test_detect, make_dir, remove_dir),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_read_bounds),
		cmocka_unit_test_setup_teardown(
		    test_shrinking_file, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
		    test_check, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
		    test_check_alias, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
		    test_large_raw, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
		    test_large_records, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
