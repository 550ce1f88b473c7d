/* SPDX-License-Identifier: Apache-2.0 */
/* The record against nonce reuse, and what a crash leaves of it. */
#include "tests/unit/pkgtest.h"

#include "package/nonces.h"

#include <fcntl.h>
#include <sys/stat.h>

#define TITLE_LEN 25U
#define LINE	  131U

/* SHA-256("provisor/key-id/v1" || AES-ECB(TEST_KEY, "provisor/key-id1")),
 * computed with openssl enc and sha256sum. */
#define KEY_ID \
	"0f44fac75289ea70ca23a23b2bf8ae252c15b3042ed3d5eef9a0095f8b923818"

static char *
record_path(struct fix *f)
{
	return fix_join(f->record, KEY_ID ".txt");
}

static off_t
record_size(struct fix *f)
{
	char *path = record_path(f);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	free(path);
	return st.st_size;
}

static void
test_reuse(void **state)
{
	struct fix *f = *state;
	uint8_t *first, *again;
	size_t n, n2;

	assert_int_equal(fix_pack(f), 0);
	assert_int_equal(record_size(f), TITLE_LEN + 4 * LINE);
	fix_read(f->out, &first, &n);

	/* the same package again is no reuse, and adds nothing */
	assert_int_equal(fix_pack(f), 0);
	assert_int_equal(record_size(f), TITLE_LEN + 4 * LINE);
	fix_read(f->out, &again, &n2);
	assert_int_equal(n, n2);
	assert_memory_equal(first, again, n);
	free(again);

	/* other content: refused, and the file that was there stays */
	f->pack.image_version = 10;
	assert_int_equal(fix_pack(f), PV_E_REUSE);
	assert_int_equal(pv_exit_code(PV_E_REUSE), 5);
	assert_non_null(strstr(f->e.msg, "other content"));
	assert_non_null(strstr(f->e.hint, "--nonce"));
	assert_int_equal(record_size(f), TITLE_LEN + 4 * LINE);
	fix_read(f->out, &again, &n2);
	assert_memory_equal(first, again, n);
	free(again);
	free(first);
	assert_int_equal(unlink(f->out), 0);
	assert_int_equal(fix_pack(f), PV_E_REUSE);
	assert_int_equal(access(f->out, F_OK), -1);
	assert_int_equal(fix_count(f->dir), 1);

	/* another key may use the same nonce */
	pv_sealer_release(&f->sealer);
	fix_sealer("AES_KEY_TEST_002", &f->sealer);
	assert_int_equal(fix_pack(f), 0);
	assert_int_equal(fix_count(f->record), 2);
}

/* IVs are nonce + 0 .. 3: a nonce 3 away meets them, one 4 away does not. */
static void
test_too_close(void **state)
{
	static const enum pv_sfi_iv_add rules[] = { PV_SFI_IV_BE96,
		PV_SFI_IV_LE32_HI, PV_SFI_IV_LE32_LO };
	static const size_t byte[] = { 11, 8, 0 };
	struct fix *f = *state;

	for (size_t i = 0; i < 3; i++) {
		uint8_t *b = &f->pack.nonce[byte[i]];

		memset(f->pack.nonce, 0x40 + 0x10 * (int)i, 12);
		f->pack.iv_add = rules[i];
		assert_int_equal(fix_pack(f), 0);
		*b = (uint8_t)(*b + 3);
		assert_int_equal(fix_pack(f), PV_E_REUSE);
		*b = (uint8_t)(*b + 1);
		assert_int_equal(fix_pack(f), 0);
		*b = (uint8_t)(*b - 7);
		assert_int_equal(fix_pack(f), PV_E_REUSE);
		*b = (uint8_t)(*b - 1);
		assert_int_equal(fix_pack(f), 0);
	}
}

/* Wherever a crash cut the record, the next packing repairs it. */
static void
test_torn(void **state)
{
	struct fix *f = *state;
	char *path = record_path(f);
	uint8_t *whole, *now;
	size_t len, n;

	assert_int_equal(fix_pack(f), 0);
	fix_read(path, &whole, &len);
	for (size_t cut = 0; cut < len; cut++) {
		fix_write(path, whole, cut);
		assert_int_equal(fix_pack(f), 0);
		fix_read(path, &now, &n);
		assert_int_equal(n, len);
		assert_memory_equal(now, whole, len);
		free(now);
	}
	/* a tail of zeros, as some file systems leave it */
	whole = realloc(whole, len + 300);
	assert_non_null(whole);
	memset(whole + len, 0, 300);
	fix_write(path, whole, len + 300);
	assert_int_equal(fix_pack(f), 0);
	assert_int_equal(record_size(f), len);
	/* lines that a crash left of a package that never appeared stay in
	 * force: its IVs are taken, for that content */
	fix_write(path, whole, TITLE_LEN + LINE);
	f->pack.image_version = 10;
	assert_int_equal(fix_pack(f), PV_E_REUSE);
	free(whole);
	free(path);
}

/* Damage that is not a torn tail is not repaired: lines may be lost. */
static void
test_damaged(void **state)
{
	struct fix *f = *state;
	char *path = record_path(f);
	uint8_t *data;
	size_t len;

	assert_int_equal(fix_pack(f), 0);
	fix_read(path, &data, &len);
	data[TITLE_LEN + LINE + 3] = 'x';
	fix_write(path, data, len);
	assert_int_equal(fix_pack(f), PV_E_MALFORMED);
	assert_non_null(strstr(f->e.msg, "damaged at byte 156"));
	data[TITLE_LEN + LINE + 3] = '0';
	data[TITLE_LEN + 64] = '\t';
	fix_write(path, data, len);
	assert_int_equal(fix_pack(f), PV_E_MALFORMED);
	data[TITLE_LEN + 64] = ' ';
	data[23] = '2'; /* "... v2" */
	fix_write(path, data, len);
	assert_int_equal(fix_pack(f), PV_E_UNSUPPORTED);
	free(data);
	free(path);
}

/* A record that another process holds, and one that cannot be made. */
static void
test_no_record(void **state)
{
	struct fix *f = *state;

	fix_write(f->record, "in the way", 10);
	assert_int_equal(fix_pack(f), PV_E_IO);
	assert_int_equal(access(f->out, F_OK), -1);
	f->pack.record_dir = NULL;
	assert_int_equal(fix_pack(f), 0);
	f->pack.image_version = 10;
	assert_int_equal(fix_pack(f), 0);
}

/* The most areas a package can have, and a record of many blocks. */
static void
test_many(void **state)
{
	struct fix *f = *state;
	struct pv_nonce_use use = { .n_areas = 65535 };
	int lock = -1, second = -1;

	memset(use.key_id, 7, sizeof(use.key_id));
	assert_int_equal(pv_nonces_claim(f->record, &use, &lock, &f->e), 0);
	assert_true(lock >= 0);
	(void)close(lock);
	assert_int_equal(pv_nonces_claim(f->record, &use, &second, &f->e), 0);
	(void)close(second);
	use.fingerprint[0] = 1;
	use.nonce[9] = 1; /* 65536 further: free */
	use.n_areas = 5;
	assert_int_equal(pv_nonces_claim(f->record, &use, &lock, &f->e), 0);
	(void)close(lock);
	use.nonce[9] = 0;
	use.nonce[10] = 0xff;
	use.nonce[11] = 0xff; /* the last one of the large package */
	assert_int_equal(
	    pv_nonces_claim(f->record, &use, &lock, &f->e), PV_E_REUSE);
	assert_non_null(strstr(f->e.msg, "index 0"));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fix_setup, fix_teardown)
	const struct CMUnitTest tests[] = {
		T(test_reuse),
		T(test_too_close),
		T(test_torn),
		T(test_damaged),
		T(test_no_record),
		T(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
