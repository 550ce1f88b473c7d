/* SPDX-License-Identifier: Apache-2.0 */
/* The .sfi codec and the option-byte CSV: layout, every reject rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/hex.h"
#include "formats/options_csv.h"
#include "formats/sfi.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *
temp_dir(void)
{
	const char *base = getenv("TMPDIR");
	char *path = pv_path_join(base != NULL ? base : "/tmp", "pvsfi.XXXXXX");

	assert_non_null(path);
	assert_non_null(mkdtemp(path));
	return path;
}

static void
remove_dir(char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;

	assert_non_null(d);
	while ((de = readdir(d)) != NULL) {
		char *path = pv_path_join(dir, de->d_name);

		if (de->d_name[0] != '.')
			(void)unlink(path);
		free(path);
	}
	(void)closedir(d);
	(void)rmdir(dir);
	free(dir);
}

/* --- headers ---------------------------------------------------------------- */

/* A header spelled out byte by byte, as in sfi.md. */
static const uint8_t header_bytes[PV_SFI_HEADER] = { 'S', 'F', 'I', 'M', 'A',
	'G', 'I', 'C', 0x01, 0x00, 0x03, 0x00, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4,
	0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf };

static const uint8_t area_bytes[PV_SFI_AREA] = { 'F', 0x07, 0x02, 0x00, 0x10,
	0x32, 0x54, 0x00, 0x00, 0x04, 0x00, 0x08, 0x03, 0x00, 0xb0, 0xb1, 0xb2,
	0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe,
	0xbf };

static void
test_header(void **state)
{
	struct pv_sfi_header h;
	struct pv_error e;
	uint8_t back[PV_SFI_HEADER];

	(void)state;
	assert_int_equal(pv_sfi_header_decode(header_bytes, &h, &e), 0);
	assert_int_equal(h.version, 1);
	assert_int_equal(h.n_areas, 3);
	assert_memory_equal(h.tag, header_bytes + 12, 16);
	pv_sfi_header_encode(&h, back);
	assert_memory_equal(back, header_bytes, sizeof(back));
}

static void
test_header_rejects(void **state)
{
	struct pv_sfi_header h;
	struct pv_error e;
	uint8_t data[PV_SFI_HEADER];

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		memcpy(data, header_bytes, sizeof(data));
		data[i] ^= 0x20;
		assert_int_equal(
		    pv_sfi_header_decode(data, &h, &e), PV_E_MALFORMED);
		assert_non_null(strstr(e.msg, "SFIMAGIC"));
	}
	for (uint16_t v = 0; v < 300; v++) {
		memcpy(data, header_bytes, sizeof(data));
		data[8] = (uint8_t)(v & 0xff);
		data[9] = (uint8_t)(v >> 8);
		assert_int_equal(pv_sfi_header_decode(data, &h, &e),
		    v == 1 || v == 2 ? 0 : PV_E_UNSUPPORTED);
	}
}

static void
test_area(void **state)
{
	struct pv_sfi_area a;
	uint8_t back[PV_SFI_AREA];

	(void)state;
	pv_sfi_area_decode(area_bytes, &a);
	assert_int_equal(a.type, 'F');
	assert_int_equal(a.version, 7);
	assert_int_equal(a.index, 2);
	assert_int_equal(a.size, 0x543210);
	assert_int_equal(a.address, 0x08000400);
	assert_int_equal(a.total, 3);
	assert_memory_equal(a.tag, area_bytes + 14, 16);
	pv_sfi_area_encode(&a, back);
	assert_memory_equal(back, area_bytes, sizeof(back));
}

static void
test_area_rejects(void **state)
{
	struct pv_sfi_header h;
	struct pv_sfi_area good, a;
	struct pv_error e;

	(void)state;
	assert_int_equal(pv_sfi_header_decode(header_bytes, &h, &e), 0);
	pv_sfi_area_decode(area_bytes, &good);
	assert_int_equal(pv_sfi_area_validate(&h, &good, 2, good.size, &e), 0);

	assert_int_equal(pv_sfi_area_validate(&h, &good, 2, good.size - 1, &e),
	    PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "payload"));
	assert_int_equal(
	    pv_sfi_area_validate(&h, &good, 1, good.size, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "index 2"));
	a = good;
	a.total = 4;
	assert_int_equal(
	    pv_sfi_area_validate(&h, &a, 2, a.size, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "4 areas"));
	/* Letters nobody knows are listed; bytes that are no letter are not. */
	for (unsigned int t = 0; t < 256; t++) {
		bool letter = (t >= 'A' && t <= 'Z') || (t >= 'a' && t <= 'z');

		a = good;
		a.type = (uint8_t)t;
		assert_int_equal(pv_sfi_area_validate(&h, &a, 2, a.size, &e),
		    letter ? 0 : PV_E_MALFORMED);
	}
}

/* --- IV ---------------------------------------------------------------------- */

static void
test_iv(void **state)
{
	/* sfi.md, "iv-add": the table. */
	static const struct {
		enum pv_sfi_iv_add rule;
		const char *nonce;
		uint16_t index;
		const char *iv;
	} rows[] = {
		{ PV_SFI_IV_BE96, "4e4f4e43455f544553543031", 0,
		    "4e4f4e43455f544553543031" },
		{ PV_SFI_IV_LE32_HI, "4e4f4e43455f544553543031", 0,
		    "4e4f4e43455f544553543031" },
		{ PV_SFI_IV_LE32_LO, "4e4f4e43455f544553543031", 0,
		    "4e4f4e43455f544553543031" },
		{ PV_SFI_IV_BE96, "4e4f4e43455f544553543031", 1,
		    "4e4f4e43455f544553543032" },
		{ PV_SFI_IV_LE32_HI, "4e4f4e43455f544553543031", 1,
		    "4e4f4e43455f544554543031" },
		{ PV_SFI_IV_LE32_LO, "4e4f4e43455f544553543031", 1,
		    "4f4f4e43455f544553543031" },
		{ PV_SFI_IV_BE96, "4e4f4e43455f544553543031", 256,
		    "4e4f4e43455f544553543131" },
		{ PV_SFI_IV_LE32_HI, "4e4f4e43455f544553543031", 256,
		    "4e4f4e43455f544553553031" },
		{ PV_SFI_IV_LE32_LO, "4e4f4e43455f544553543031", 256,
		    "4e504e43455f544553543031" },
		{ PV_SFI_IV_BE96, "ffffffffffffffffffffffff", 1,
		    "000000000000000000000000" },
		{ PV_SFI_IV_LE32_HI, "ffffffffffffffffffffffff", 1,
		    "ffffffffffffffff00000000" },
		{ PV_SFI_IV_LE32_LO, "ffffffffffffffffffffffff", 1,
		    "00000000ffffffffffffffff" },
		{ PV_SFI_IV_BE96, "0000000000000000ffff0002", 65535,
		    "000000000000000100000001" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t nonce[12], iv[12], want[12];

		assert_int_equal(
		    pv_hex_decode(rows[i].nonce, nonce, 12, NULL), 0);
		assert_int_equal(pv_hex_decode(rows[i].iv, want, 12, NULL), 0);
		pv_sfi_iv(rows[i].rule, nonce, rows[i].index, iv);
		assert_memory_equal(iv, want, 12);
	}
}

static void
test_names(void **state)
{
	enum pv_sfi_iv_add rule;
	enum pv_sfi_profile profile;
	struct pv_error e;

	(void)state;
	for (unsigned int i = 0; i < PV_SFI_IV_RULES; i++) {
		const char *name = pv_sfi_iv_add_name((enum pv_sfi_iv_add)i);

		assert_int_equal(pv_sfi_iv_add_parse(name, &rule, &e), 0);
		assert_int_equal(rule, i);
	}
	assert_int_equal(pv_sfi_iv_add_parse("be32", &rule, &e), PV_E_USAGE);
	assert_int_equal(pv_sfi_profile_parse("v1", &profile, &e), 0);
	assert_int_equal(profile, PV_SFI_V1);
	assert_int_equal(pv_sfi_profile_parse("v2", &profile, &e), 0);
	assert_int_equal(profile, PV_SFI_V2);
	assert_int_equal(pv_sfi_profile_parse("2", &profile, &e), PV_E_USAGE);
}

/* --- walking a file ------------------------------------------------------------ */

static int
walk_bytes(const char *dir, const uint8_t *data, size_t len, struct pv_error *e)
{
	char *path = pv_path_join(dir, "x.sfi");
	struct pv_sfi_header h;
	int fd, r;

	assert_non_null(path);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	r = pv_sfi_walk(fd, path, &h, NULL, NULL, e);
	(void)close(fd);
	free(path);
	return r;
}

#define GOLDEN "fixtures/golden/sfi-v1/package.sfi"

static void
test_golden_prefixes(void **state)
{
	char *dir = temp_dir();
	struct pv_error e;
	uint8_t *data;
	size_t len;

	(void)state;
	assert_int_equal(pv_file_read(GOLDEN, 1 << 20, &data, &len, &e), 0);
	assert_int_equal(walk_bytes(dir, data, len, &e), 0);
	for (size_t n = 0; n < len; n++) {
		assert_int_equal(walk_bytes(dir, data, n, &e), PV_E_MALFORMED);
		assert_true(e.msg[0] != '\0');
	}
	/* One byte more than the last area. */
	data = realloc(data, len + 1);
	assert_non_null(data);
	data[len] = 0;
	assert_int_equal(walk_bytes(dir, data, len + 1, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "after the last area"));
	free(data);
	remove_dir(dir);
}

/* Headers of the golden file decode and encode to the same bytes. */
static int
reencode(
    void *ctx, const struct pv_sfi_area *a, uint64_t at, struct pv_error *e)
{
	const uint8_t *data = ctx;
	uint8_t back[PV_SFI_AREA];

	(void)e;
	pv_sfi_area_encode(a, back);
	assert_memory_equal(back, data + at - PV_SFI_AREA, sizeof(back));
	return 0;
}

static void
test_golden_roundtrip(void **state)
{
	static const char *const files[] = { GOLDEN,
		"fixtures/golden/sfi-v2/package.sfi" };
	struct pv_sfi_header h;
	struct pv_error e;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t *data, back[PV_SFI_HEADER];
		size_t len;
		int fd;

		assert_int_equal(
		    pv_file_read(files[i], 1 << 20, &data, &len, &e), 0);
		fd = open(files[i], O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(
		    pv_sfi_walk(fd, files[i], &h, reencode, data, &e), 0);
		assert_int_equal(h.version, i + 1);
		pv_sfi_header_encode(&h, back);
		assert_memory_equal(back, data, sizeof(back));
		(void)close(fd);
		free(data);
	}
}

/* Every file in fixtures/corrupt/sfi breaks a layout rule. */
static void
test_corrupt_files(void **state)
{
	DIR *d = opendir("fixtures/corrupt/sfi");
	struct dirent *de;
	unsigned int n = 0;

	(void)state;
	assert_non_null(d);
	while ((de = readdir(d)) != NULL) {
		struct pv_sfi_info info;
		struct pv_error e;
		char *path;
		size_t len = strlen(de->d_name);
		int r;

		if (len < 4 || strcmp(de->d_name + len - 4, ".sfi") != 0)
			continue;
		path = pv_path_join("fixtures/corrupt/sfi", de->d_name);
		r = pv_sfi_inspect(path, &info, NULL, NULL, &e);
		if (pv_exit_code(r) != 3)
			fail_msg("%s: code %d", path, r);
		free(path);
		n++;
	}
	(void)closedir(d);
	assert_true(n >= 8);
}

/* --- option CSV ------------------------------------------------------------------ */

static int
decode_text(const char *text, struct pv_optcsv *o, struct pv_error *e)
{
	return pv_optcsv_decode(text, strlen(text), o, e);
}

static void
check_payload(const char *text, const char *hex)
{
	uint8_t data[PV_SFI_MAX_OPTIONS], want[PV_SFI_MAX_OPTIONS];
	char again[PV_OPTCSV_MAX];
	struct pv_optcsv o, p;
	struct pv_error e;
	size_t len = 0, text_len = 0;

	assert_int_equal(decode_text(text, &o, &e), 0);
	pv_optcsv_payload(o.values, o.n, data, &len);
	assert_int_equal(len * 2, strlen(hex));
	assert_int_equal(pv_hex_decode(hex, want, len, &e), 0);
	assert_memory_equal(data, want, len);

	/* encode, decode: the same rows */
	assert_int_equal(
	    pv_optcsv_encode(&o, again, sizeof(again), &text_len, &e), 0);
	assert_int_equal(pv_optcsv_decode(again, text_len, &p, &e), 0);
	assert_memory_equal(&o, &p, sizeof(o));
	/* payload to words and back */
	assert_int_equal(pv_optcsv_from_payload(data, len, &p, &e), 0);
	assert_int_equal(p.n, o.n);
	assert_memory_equal(p.values, o.values, o.n * 4);
	assert_string_equal(p.names[0], "WORD_0");
}

static void
test_option_vectors(void **state)
{
	(void)state;
	check_payload("FOPTSR_PRG,0x1026AAD0\nFPRAR_PRG_A,0x81000200\n"
		      "FPRAR_PRG_B,0x81000200\nFSCAR_PRG_A,0x81000200\n"
		      "FSCAR_PRG_B,0x81000200\nFWPSN_PRG_A,0xFFFFFFFF\n"
		      "FWPSN_PRG_B,0xFFFFFFFF\nFBOOT7_PRG,0x24000800\n"
		      "RESERVED,0x10000810\n",
	    "d0aa261000020081000200810002008100020081ffffffffffffffff"
	    "0008002410080010");
	check_payload("FOPTSR_PRG,0x1BF6BBF0\r\nFPRAR_PRG_A,0x000000FF\r\n"
		      "FPRAR_PRG_B,0x000000FF\r\nFSCAR_PRG_A,0x82030000\r\n"
		      "FSCAR_PRG_B,0x00000FFF\r\nFWPSN_PRG_A,0x000000FF\r\n"
		      "FWPSN_PRG_B,0x000000FE\r\nFBOOT7_PRG,0x08000800\r\n"
		      "RFU,0x00000000",
	    "f0bbf61bff000000ff00000000000382ff0f0000ff000000fe000000"
	    "0008000800000000");
	check_payload("OPTSR_PRG,0x2D3017F8\nOPTSR2_PRG,0xB400007C\n"
		      "NSBOOTR_PRG,0x080000C3\nSECBOOTR_PRG,0x0C0000C3\n"
		      "SECWM1R_PRG,0x007F0000\nSECWM2R_PRG,0x0000007F\n"
		      "WRP1R_PRG,0xFFFFFFFF\nWRP2R_PRG,0xFFFFFFFF\n"
		      "EDATA1R_PRG,0x00000000\nEDATA2R_PRG,0x00000000\n"
		      "HDP1R_PRG,0x00000001\nHDP2R_PRG,0x00000001\n\n\n",
	    "f817302d7c0000b4c3000008c300000c00007f007f000000ffffffff"
	    "ffffffff00000000000000000100000001000000");
	/* blanks around fields, decimal values, lower case */
	check_payload(" a , 10\n\tb_1\t,\t0xff\n", "0a000000ff000000");
}

static void
test_option_rejects(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *message;
	} rows[] = {
		{ "", PV_E_MALFORMED, "no rows" },
		{ "\n\n", PV_E_MALFORMED, "no rows" },
		{ "A 1\n", PV_E_MALFORMED, "line 1: no comma" },
		{ "A,1\nB,2,3\n", PV_E_MALFORMED, "line 2: more than two" },
		{ "A,1\n,2\n", PV_E_MALFORMED, "line 2: no register" },
		{ "A,\n", PV_E_MALFORMED, "line 1: no value" },
		{ "A,0x\n", PV_E_MALFORMED, "line 1: no value" },
		{ "register,value\n", PV_E_MALFORMED, "not a number" },
		{ "A,0x1G\n", PV_E_MALFORMED, "line 1: the value is not" },
		{ "A,-1\n", PV_E_MALFORMED, "not a number" },
		{ "A,1F\n", PV_E_MALFORMED, "not a number" },
		{ "A,010\n", PV_E_MALFORMED, "leading zero" },
		{ "A,1\nB,0x100000000\n", PV_E_RANGE, "line 2" },
		{ "A,4294967296\n", PV_E_RANGE, "32 bits" },
		{ "A,99999999999999999999999999\n", PV_E_RANGE, "32 bits" },
		{ "1A,1\n", PV_E_MALFORMED, "letters, digits" },
		{ "A B,1\n", PV_E_MALFORMED, "letters, digits" },
		{ "\xEF\xBB\xBF"
		  "A,1\n",
		    PV_E_MALFORMED, "line 1: byte 0xef" },
		{ "A,1\nB\x01,2\n", PV_E_MALFORMED, "line 2: byte 0x01" },
		{ "A,1\rB,2\r", PV_E_MALFORMED, "line 1: byte 0x0d" },
		{ "# note\nA,1\n", PV_E_MALFORMED, "line 1: comments" },
		{ "A,1\n\nB,2\n", PV_E_MALFORMED, "line 2: empty line" },
	};
	char big[PV_OPTCSV_MAX + 2];
	struct pv_optcsv o;
	struct pv_error e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pv_error_clear(&e);
		assert_int_equal(
		    decode_text(rows[i].text, &o, &e), rows[i].code);
		if (strstr(e.msg, rows[i].message) == NULL)
			fail_msg("row %zu: '%s'", i, e.msg);
	}
	/* an embedded NUL is no end of text */
	assert_int_equal(
	    pv_optcsv_decode("A,1\n\0\n", 6, &o, &e), PV_E_MALFORMED);
	/* too long: file, line, name, rows */
	memset(big, '\n', sizeof(big));
	assert_int_equal(
	    pv_optcsv_decode(big, PV_OPTCSV_MAX + 1, &o, &e), PV_E_MALFORMED);
	memset(big, ' ', PV_OPTCSV_LINE + 1);
	big[PV_OPTCSV_LINE + 1] = '\0';
	assert_int_equal(decode_text(big, &o, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "longer than"));
	memset(big, 'A', PV_OPTCSV_NAME);
	(void)snprintf(big + PV_OPTCSV_NAME, 8, ",1\n");
	assert_int_equal(decode_text(big, &o, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "register name of 64"));
	big[0] = '\0';
	for (size_t i = 0; i <= PV_OPTCSV_ROWS; i++)
		(void)snprintf(big + i * 4, 5, "A,1\n");
	assert_int_equal(decode_text(big, &o, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "line 33: more than 32 rows"));
	big[PV_OPTCSV_ROWS * 4] = '\0';
	assert_int_equal(decode_text(big, &o, &e), 0);
	assert_int_equal(o.n, PV_OPTCSV_ROWS);
}

static void
test_option_count(void **state)
{
	struct pv_optcsv o;
	struct pv_error e;
	uint8_t data[PV_SFI_MAX_OPTIONS + 4] = { 0 };

	(void)state;
	assert_int_equal(decode_text("A,1\nB,2\n", &o, &e), 0);
	assert_int_equal(pv_optcsv_validate(&o, 2, &e), 0);
	assert_int_equal(pv_optcsv_validate(&o, 0, &e), 0);
	assert_int_equal(pv_optcsv_validate(&o, 3, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "2 rows"));
	assert_int_equal(
	    pv_optcsv_from_payload(data, 0, &o, &e), PV_E_MALFORMED);
	assert_int_equal(
	    pv_optcsv_from_payload(data, 6, &o, &e), PV_E_MALFORMED);
	assert_int_equal(
	    pv_optcsv_from_payload(data, sizeof(data), &o, &e), PV_E_MALFORMED);
	assert_int_equal(decode_text("A,1\nB,2\n", &o, &e), 0);
	assert_int_equal(
	    pv_optcsv_encode(&o, (char *)data, 20, &(size_t){ 0 }, &e),
	    PV_E_USAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_header_rejects),
		cmocka_unit_test(test_area),
		cmocka_unit_test(test_area_rejects),
		cmocka_unit_test(test_iv),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_golden_prefixes),
		cmocka_unit_test(test_golden_roundtrip),
		cmocka_unit_test(test_corrupt_files),
		cmocka_unit_test(test_option_vectors),
		cmocka_unit_test(test_option_rejects),
		cmocka_unit_test(test_option_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
