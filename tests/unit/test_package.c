/* SPDX-License-Identifier: Apache-2.0 */
/* Packing, verifying and unpacking with a key from a file. */
#include "tests/unit/pkgtest.h"

#include "crypto/aead.h"
#include "formats/sfi.h"
#include "package/optlint.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* A file of the plain folder holds these bytes, and only the owner reads it. */
static void
check_plain(struct fix *f, const char *name, const void *want, size_t len)
{
	char *path = fix_join(f->plain, name);
	uint8_t *data;
	struct stat st;
	size_t n;

	fix_read(path, &data, &n);
	assert_int_equal(n, len);
	assert_memory_equal(data, want, len);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	free(data);
	free(path);
}

static void
test_roundtrip(void **state)
{
	struct fix *f = *state;
	uint8_t low[112];

	memset(low, 0xff, sizeof(low));
	for (size_t i = 0; i < 101; i++)
		low[i] = (uint8_t)(i * 3 + 1);
	for (int v = 1; v <= 2; v++) {
		size_t pad = v == 2 ? 11 : 0, pad2 = v == 2 ? 8 : 0;
		uint8_t high[48];

		memset(high, 0xff, sizeof(high));
		memcpy(high, "forty bytes, an even number: 0123456789", 40);
		f->pack.profile = v == 2 ? PV_SFI_V2 : PV_SFI_V1;
		f->pack.nonce[11] = (uint8_t)(v * 0x10);
		assert_int_equal(fix_pack(f), 0);
		assert_int_equal(fix_verify(f), 0);
		assert_int_equal(fix_unpack(f), 0);
		check_plain(f, "area-001-F-0x08000000.bin", low, 101 + pad);
		check_plain(f, "area-002-F-0x08001000.bin", high, 40 + pad2);
		check_plain(f, "options.bin",
		    "\xF8\x17\x30\x2D\x7C\x00\x00\xB4\x07\x00\x00\x00", 12);
		check_plain(f, "options.csv",
		    "WORD_0,0x2D3017F8\nWORD_1,0xB400007C\n"
		    "WORD_2,0x00000007\n",
		    54);
		assert_int_equal(fix_count(f->plain), 4);
		/* again: the files of the other package would be mixed up */
		assert_int_equal(fix_unpack(f), PV_E_EXISTS);
		fix_remove(f->plain);
	}
}

/* A payload of several chunks, and exactly at the size of one. */
static void
test_large(void **state)
{
	struct fix *f = *state;
	static uint8_t data[61440 * 3 + 5];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 2654435761U >> 13);
	fix_empty_image(f);
	fix_add(f, 0x08000000, data, 61440);
	fix_add(f, 0x08020000, data, sizeof(data));
	assert_int_equal(fix_pack(f), 0);
	assert_int_equal(fix_unpack(f), 0);
	check_plain(f, "area-001-F-0x08000000.bin", data, 61440);
	check_plain(f, "area-002-F-0x08020000.bin", data, sizeof(data));
}

static void
test_wrong_key(void **state)
{
	struct fix *f = *state;
	struct pv_sealer good = f->sealer;

	assert_int_equal(fix_pack(f), 0);
	fix_sealer("AES_KEY_TEST_002", &f->sealer);
	assert_int_equal(fix_verify(f), PV_E_VERIFY);
	assert_non_null(strstr(f->e.msg, "file header"));
	assert_int_equal(fix_unpack(f), PV_E_VERIFY);
	assert_int_equal(access(f->plain, F_OK), -1);
	pv_sealer_release(&f->sealer);
	f->sealer = good;

	f->pack.nonce[0] ^= 1;
	assert_int_equal(fix_verify(f), PV_E_VERIFY);
	f->pack.nonce[0] ^= 1;
	f->pack.iv_add = PV_SFI_IV_LE32_LO;
	assert_int_equal(fix_verify(f), PV_E_VERIFY);
	assert_non_null(strstr(f->e.msg, "area 1 of 3"));
	assert_non_null(strstr(f->e.hint, "--iv-add"));
}

/* No bit of the file can change unnoticed, and nothing is written then. */
static void
test_bit_flips(void **state)
{
	struct fix *f = *state;
	uint8_t *data;
	size_t len;

	assert_int_equal(fix_pack(f), 0);
	fix_read(f->out, &data, &len);
	for (size_t bit = 0; bit < len * 8; bit++) {
		int want = bit < 64 ? PV_E_MALFORMED : PV_E_VERIFY;

		data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
		fix_write(f->out, data, len);
		assert_int_equal(fix_verify(f), want);
		if (bit % 64 < 8)
			assert_int_equal(fix_unpack(f), want);
		data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
	}
	assert_int_equal(access(f->plain, F_OK), -1);
	fix_write(f->out, data, len);
	assert_int_equal(fix_verify(f), 0);
	free(data);
}

static void
test_prefixes(void **state)
{
	struct fix *f = *state;
	uint8_t *data;
	size_t len;

	assert_int_equal(fix_pack(f), 0);
	fix_read(f->out, &data, &len);
	for (size_t n = 0; n < len; n++) {
		fix_write(f->out, data, n);
		assert_int_equal(
		    fix_verify(f), n < 8 ? PV_E_MALFORMED : PV_E_VERIFY);
	}
	free(data);
}

/* An unknown protocol version whose tag is right is newer, not damaged. */
static void
test_newer_version(void **state)
{
	struct fix *f = *state;
	struct pv_sfi_header h = { .version = 3 };
	uint8_t raw[PV_SFI_HEADER], none[16];
	size_t n;

	pv_sfi_header_encode(&h, raw);
	assert_int_equal(f->sealer.begin(f->sealer.ctx, false, f->pack.nonce,
			     12, raw, 12, &f->e),
	    0);
	assert_int_equal(
	    f->sealer.finish(f->sealer.ctx, h.tag, none, 16, &n, &f->e), 0);
	pv_sfi_header_encode(&h, raw);
	fix_write(f->out, raw, sizeof(raw));
	assert_int_equal(fix_verify(f), PV_E_UNSUPPORTED);
	f->pack.nonce[0] ^= 1;
	assert_int_equal(fix_verify(f), PV_E_VERIFY);
	assert_int_equal(unlink(f->out), 0);
	assert_int_equal(fix_verify(f), PV_E_NOT_FOUND);
}

/* --- plan --------------------------------------------------------------------- */

struct seen {
	unsigned int n;
	struct pv_sfi_area a[8];
	uint64_t off[8];
};

static int
see(void *ctx, const struct pv_sfi_area *a, uint64_t at, struct pv_error *e)
{
	struct seen *s = ctx;

	(void)e;
	assert_true(s->n < 8);
	s->a[s->n] = *a;
	s->off[s->n++] = at;
	return 0;
}

static int
plan(struct fix *f, struct seen *s)
{
	struct pv_sfi_info info;

	memset(s, 0, sizeof(*s));
	return pv_sfi_plan(&f->pack, &info, see, s, &f->e);
}

static void
test_plan(void **state)
{
	struct fix *f = *state;
	struct seen s;

	assert_int_equal(plan(f, &s), 0);
	assert_int_equal(s.n, 3);
	assert_int_equal(s.a[0].type, 'F');
	assert_int_equal(s.a[0].index, 1);
	assert_int_equal(s.a[0].total, 3);
	assert_int_equal(s.a[0].version, 9);
	assert_int_equal(s.a[0].address, 0x08000000);
	assert_int_equal(s.a[0].size, 101);
	assert_int_equal(s.off[0], 58);
	assert_int_equal(s.a[1].address, 0x08001000);
	assert_int_equal(s.off[1], 58 + 101 + 30);
	assert_int_equal(s.a[2].type, 'C');
	assert_int_equal(s.a[2].address, 0);
	assert_int_equal(s.a[2].size, 12);
	f->pack.options = NULL;
	assert_int_equal(plan(f, &s), 0);
	assert_int_equal(s.n, 2);
}

/* Segments that share a write unit are one area with the gap filled. */
static void
test_plan_joins(void **state)
{
	struct fix *f = *state;
	static const uint8_t want[38] = { 'a', 'b', 'c', 0xff, 0xff,
		'd', [6] = 'e', [7] = 0xff, [8] = 0xff, [9] = 'f', [10] = 'f',
		[11] = 'f', [12] = 'f', [13] = 'f', [14] = 'f', [15] = 'f' };
	struct seen s;

	fix_empty_image(f);
	fix_add(f, 0x08000100, "abc", 3);
	fix_add(f, 0x08000105, "de", 2);
	fix_add(f, 0x08000109, "fffffff", 7); /* ends at a unit */
	fix_add(f, 0x08000110, "g", 1);	      /* begins the next */
	fix_add(f, 0x08000130, "h", 1);
	assert_int_equal(plan(f, &s), 0);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.a[0].size, 16);
	assert_int_equal(s.a[1].address, 0x08000110);
	assert_int_equal(s.a[1].size, 1);
	assert_int_equal(fix_pack(f), 0);
	assert_int_equal(fix_unpack(f), 0);
	check_plain(f, "area-001-F-0x08000100.bin", want, 16);
	fix_remove(f->plain);

	/* v2 pads the first to 0x110, the second to 0x120: all apart */
	f->pack.profile = PV_SFI_V2;
	f->pack.nonce[0]++;
	assert_int_equal(plan(f, &s), 0);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.a[1].size, 16);
	/* a segment that padding from an odd start would reach is joined */
	fix_empty_image(f);
	fix_add(f, 0x0800010c, "123456", 6); /* padded to 0x11c + ... */
	fix_add(f, 0x08000118, "x", 1);
	assert_int_equal(plan(f, &s), 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.a[0].size, 16);
	assert_int_equal(fix_pack(f), 0);
	assert_int_equal(fix_unpack(f), 0);
	check_plain(f, "area-001-F-0x0800010c.bin",
	    "123456\xff\xff\xff\xff\xff\xffx\xff\xff\xff", 16);
}

static void
test_plan_rejects(void **state)
{
	struct fix *f = *state;
	struct seen s;

	f->pack.n_options = 2;
	assert_int_equal(plan(f, &s), PV_E_MALFORMED);
	assert_non_null(strstr(f->e.msg, "testchip has 3"));
	f->chip.option_words = 0;
	assert_int_equal(plan(f, &s), 0);
	f->pack.n_options = 33;
	assert_int_equal(plan(f, &s), PV_E_RANGE);
	f->pack.n_options = 0;
	assert_int_equal(plan(f, &s), PV_E_RANGE);
	f->pack.options = NULL;

	/* the same flash through two addresses */
	fix_add(f, 0x0c000060, "secure", 6);
	assert_int_equal(plan(f, &s), PV_E_OVERLAP);
	assert_non_null(strstr(f->e.msg, "0x0c000060"));

	fix_empty_image(f);
	assert_int_equal(plan(f, &s), PV_E_MALFORMED);
	assert_non_null(strstr(f->e.msg, "no firmware"));
	fix_add(f, 0x080ffff9, "1234567", 7);
	assert_int_equal(plan(f, &s), 0);
	/* 7 bytes fit, 16 with padding do not */
	f->pack.profile = PV_SFI_V2;
	assert_int_equal(plan(f, &s), PV_E_RANGE);
	fix_add(f, 0x20000000, "ram", 3);
	f->pack.profile = PV_SFI_V1;
	assert_int_equal(plan(f, &s), PV_E_RANGE);
}

/* --- trouble while writing ------------------------------------------------------ */

/*
 * A file-size limit stands in for a full disk: every limit below the size of
 * the outputs fails with an I/O error and leaves neither package nor nonce.
 */
static void
test_disk_full(void **state)
{
	struct fix *f = *state;
	char *nonce = fix_join(f->dir, "p.sfi.nonce");
	struct rlimit old, lim;
	unsigned int failures = 0;
	int r = -1;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	f->pack.nonce_path = nonce;
	for (rlim_t n = 0; r != 0 && n < 2000; n++) {
		lim = old;
		lim.rlim_cur = n;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
		r = fix_pack(f);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		if (r == 0)
			break;
		assert_int_equal(r, PV_E_IO);
		assert_int_equal(pv_exit_code(r), 1);
		failures++;
		/* only the folder of the record, and nothing else */
		assert_true(fix_count(f->dir) <= 1);
		assert_int_equal(access(f->out, F_OK), -1);
		assert_int_equal(access(nonce, F_OK), -1);
	}
	assert_int_equal(r, 0);
	assert_true(failures > 280);
	assert_int_equal(fix_verify(f), 0);
	assert_int_equal(fix_count(f->dir), 3);
	free(nonce);
}

/* The same for the plaintext: no file of unpack is partial. */
static void
test_unpack_disk_full(void **state)
{
	struct fix *f = *state;
	struct rlimit old, lim;
	int r = -1;

	(void)signal(SIGXFSZ, SIG_IGN);
	/* the later the file the larger, so that every one of them fails */
	fix_empty_image(f);
	fix_add(f, 0x08000000, "1", 1);
	fix_add(f, 0x08000100, "1234567890", 10);
	assert_int_equal(fix_pack(f), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	for (rlim_t n = 0; r != 0 && n < 200; n++) {
		lim = old;
		lim.rlim_cur = n;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
		r = fix_unpack(f);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		if (r == 0)
			break;
		assert_int_equal(r, PV_E_IO);
		assert_int_equal(fix_count(f->plain), 0);
	}
	assert_int_equal(r, 0);
	assert_int_equal(fix_count(f->plain), 4);
}

static void
test_nonce_file(void **state)
{
	struct fix *f = *state;
	char *nonce = fix_join(f->dir, "p.sfi.nonce");

	f->pack.nonce_path = nonce;
	assert_int_equal(fix_pack(f), 0);
	f->pack.nonce_path = NULL;
	memset(f->pack.nonce, 0, 12);
	assert_int_equal(
	    pv_file_read_exact(nonce, f->pack.nonce, 12, &f->e), 0);
	assert_memory_equal(f->pack.nonce, TEST_NONCE, 12);
	assert_int_equal(fix_verify(f), 0);
	free(nonce);
}

static int
always(void *ctx)
{
	(void)ctx;
	return 1;
}

static void
test_interrupted(void **state)
{
	struct fix *f = *state;
	struct pv_progress stop = { .cancelled = always };

	f->pack.progress = &stop;
	assert_int_equal(fix_pack(f), PV_E_INTERRUPTED);
	assert_int_equal(fix_count(f->dir), 0);
}

/* --- option bytes ----------------------------------------------------------------- */

static struct pv_optlint
lint(struct fix *f, const char *family, uint32_t word)
{
	struct pv_optlint l;

	(void)snprintf(f->chip.family, sizeof(f->chip.family), "%s", family);
	pv_optlint(&f->chip, &word, 1, &l);
	return l;
}

static void
test_optlint(void **state)
{
	struct fix *f = *state;
	struct pv_optlint l;

	l = lint(f, "STM32H7", 0x1BF6CCF0); /* RDP level 2 */
	assert_true(l.irreversible);
	assert_string_equal(l.meaning, "level 2");
	l = lint(f, "STM32H7", 0x1BF6BBF0);
	assert_false(l.irreversible);
	assert_string_equal(l.meaning, "level 1");
	l = lint(f, "STM32H7", 0x1026AAD0);
	assert_string_equal(l.meaning, "level 0");
	l = lint(f, "STM32H5", 0x2D3017F8);
	assert_true(l.known && !l.irreversible && !l.warn);
	assert_string_equal(l.meaning, "provisioning");
	l = lint(f, "STM32H5", 0x2D305CF8);
	assert_true(l.irreversible);
	assert_non_null(strstr(l.advice, "never"));
	l = lint(f, "STM32H5", 0x2D3072F8);
	assert_true(l.warn && !l.irreversible);
	l = lint(f, "STM32H5", 0x2D3000F8);
	assert_true(l.warn);
	l = lint(f, "STM32L5", 0xCC);
	assert_false(l.known);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fix_setup, fix_teardown)
	const struct CMUnitTest tests[] = {
		T(test_roundtrip),
		T(test_large),
		T(test_wrong_key),
		T(test_bit_flips),
		T(test_prefixes),
		T(test_newer_version),
		T(test_plan),
		T(test_plan_joins),
		T(test_plan_rejects),
		T(test_disk_full),
		T(test_unpack_disk_full),
		T(test_nonce_file),
		T(test_interrupted),
		T(test_optlint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
