/* SPDX-License-Identifier: Apache-2.0 */
/* src/base: errors, buffers, numbers, text, files, secrets, JSON. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/lazy.h"
#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <provisor/secret.h>

#include <cmocka.h>

static struct pv_error err;
static char dir[64];

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
	static const char *const names[] = { "a", "b", "link", "fifo", "lock",
		"sub/deep", "sub" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)remove(path);
	}
	/* Fails, and so does the test, when a temporary file was left. */
	return rmdir(dir);
}

static const char *
in_dir(const char *name)
{
	static char path[2][128];
	static int turn;

	turn = !turn;
	(void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void
classes_give_exit_codes(void **state)
{
	static const struct {
		int code, exit;
	} map[] = { { 0, 0 }, { PV_E_INTERNAL, 1 }, { PV_E_NOMEM, 1 },
		{ PV_E_USAGE, 2 }, { PV_E_MALFORMED, 3 }, { PV_E_OVERLAP, 3 },
		{ PV_E_VERIFY, 4 }, { PV_E_LIMIT, 5 }, { PV_E_ROLLBACK, 5 },
		{ PV_E_PIN, 6 }, { PV_E_TIMEOUT, 7 }, { PV_E_LINK, 7 },
		{ PV_E_IO, 1 }, { PV_E_NOT_FOUND, 1 },
		{ PV_E_INTERRUPTED, 130 }, { 1, 1 }, { -4711, 1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		assert_int_equal(pv_exit_code(map[i].code), map[i].exit);
	assert_string_equal(pv_code_name(PV_E_LIMIT), "limit");
	assert_string_equal(pv_code_name(-4711), "internal");
}

static void
errors_wrap_and_hint(void **state)
{
	struct pv_error e;
	char longer[400];

	(void)state;
	assert_int_equal(
	    pv_fail(&e, PV_E_VERIFY, "tag of area %d", 3), PV_E_VERIFY);
	assert_int_equal(pv_wrap(&e, "reading '%s'", "x.sfi"), PV_E_VERIFY);
	assert_string_equal(e.msg, "reading 'x.sfi': tag of area 3");
	assert_int_equal(pv_hint(&e, "first"), PV_E_VERIFY);
	(void)pv_hint(&e, "second");
	assert_string_equal(e.hint, "first");
	assert_int_equal(pv_fail_errno(&e, PV_E_IO, 2, "opening"), PV_E_IO);
	assert_string_equal(e.msg, "opening: No such file or directory");
	assert_int_equal(e.vendor_code, 2);
	assert_string_equal(e.hint, "");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(pv_wrap(&e, "%s", longer), PV_E_IO);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	assert_int_equal(pv_fail(NULL, PV_E_IO, "nobody listens"), PV_E_IO);
}

static void
reader_is_sticky(void **state)
{
	static const uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct pv_reader r;
	uint8_t out[4] = { 9, 9, 9, 9 };

	(void)state;
	pv_rd_init(&r, data, sizeof(data));
	assert_int_equal(pv_rd_u8(&r), 1);
	assert_int_equal(pv_rd_u16le(&r), 0x0302);
	assert_int_equal(pv_rd_u32be(&r), 0x04050607);
	assert_false(pv_rd_finish(&r));
	assert_int_equal(pv_rd_u32le(&r), 0);
	assert_false(pv_rd_ok(&r));
	/* Two bytes are left, but after a fault nothing is given. */
	assert_int_equal(pv_rd_u8(&r), 0);
	pv_rd_bytes(&r, out, sizeof(out));
	assert_int_equal(out[0], 0);
	assert_null(pv_rd_view(&r, 0));
	pv_rd_init(&r, data, 8);
	assert_true(pv_rd_u64le(&r) == UINT64_C(0x0807060504030201));
	assert_true(pv_rd_finish(&r));
	pv_rd_init(&r, data, 2);
	assert_null(pv_rd_view(&r, SIZE_MAX));
}

static void
writer_has_a_cap(void **state)
{
	uint8_t out[12];
	struct pv_writer w;
	size_t mark;

	(void)state;
	pv_wr_init(&w, out, sizeof(out));
	mark = pv_wr_begin_u32le(&w);
	pv_wr_u16be(&w, 0x0102);
	pv_wr_u8(&w, 3);
	pv_wr_end_u32le(&w, mark);
	assert_true(pv_wr_ok(&w));
	assert_int_equal(w.len, 7);
	assert_memory_equal(out, "\x03\0\0\0\x01\x02\x03", 7);
	pv_wr_u64le(&w, 1);
	assert_false(pv_wr_ok(&w));
	assert_int_equal(w.len, 7);
	pv_wr_u8(&w, 1);
	assert_int_equal(w.len, 7);
}

static void
numbers_as_typed(void **state)
{
	uint64_t v = 77;

	(void)state;
	assert_int_equal(
	    pv_parse_u64("0x08000000", UINT32_MAX, "a", &v, &err), 0);
	assert_true(v == 0x08000000);
	assert_int_equal(pv_parse_size("16K", UINT32_MAX, "a", &v, &err), 0);
	assert_true(v == 16384);
	assert_int_equal(pv_parse_size("2M", UINT32_MAX, "a", &v, &err), 0);
	assert_true(v == 2097152);
	static const char *const bad[] = { "", "0x", "-1", "1 ", " 1", "1x",
		"K", "0x1g", "18446744073709551616",
		"99999999999999999999999" };
	v = 5;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    pv_parse_size(bad[i], UINT64_MAX, "a", &v, &err),
		    PV_E_USAGE);
	assert_int_equal(
	    pv_parse_size("4194304K", UINT32_MAX, "a", &v, &err), PV_E_USAGE);
	assert_int_equal(pv_parse_u64("256", 255, "a", &v, &err), PV_E_USAGE);
	assert_true(v == 5);
}

static void
hex_both_ways(void **state)
{
	uint8_t b[3];
	char t[7];

	(void)state;
	assert_int_equal(pv_hex_decode("00aBfF", b, 3, &err), 0);
	pv_hex_encode(t, b, 3);
	assert_string_equal(t, "00abff");
	assert_int_equal(pv_hex_decode("00abf", b, 3, &err), PV_E_MALFORMED);
	assert_int_equal(pv_hex_decode("00abfg", b, 3, &err), PV_E_MALFORMED);
}

static void
text_is_masked(void **state)
{
	char out[32];

	(void)state;
	pv_mask(out, sizeof(out), "a\x1b[31mb\nc");
	assert_string_equal(out, "a?[31mb?c");
	pv_mask(out, sizeof(out), "gr\xc3\xbc\xc3\x9f \xc2\x9b \xff\xc3");
	assert_string_equal(out, "gr\xc3\xbc\xc3\x9f ? ??");
	pv_mask(out, 8, "123456789");
	assert_int_equal(strlen(out), 4);
}

static void
time_text(void **state)
{
	char t[PV_TIME_TEXT];

	(void)state;
	pv_time_text(t, INT64_C(1767225600123));
	assert_string_equal(t, "2026-01-01T00:00:00.123Z");
	pv_time_text(t, -1);
	assert_string_equal(t, "unknown");
	assert_int_equal(pv_ms_left(pv_now_ms() - 5), 0);
	assert_true(pv_ms_left(pv_now_ms() + 5000) > 0);
}

static void
files_whole_or_not_at_all(void **state)
{
	struct pv_outfile *f = NULL;
	uint8_t *data = NULL;
	size_t len = 0;
	struct stat st;

	(void)state;
	assert_int_equal(pv_outfile_open(in_dir("a"), 0600, &f, &err), 0);
	assert_int_equal(pv_outfile_write(f, "....body", 8, &err), 0);
	/* Nothing under the name yet. */
	assert_int_not_equal(access(in_dir("a"), F_OK), 0);
	assert_int_equal(pv_outfile_rewrite(f, 0, "head", 4, &err), 0);
	assert_int_equal(
	    pv_outfile_rewrite(f, 6, "abc", 3, &err), PV_E_INTERNAL);
	assert_int_equal(pv_outfile_commit(f, &err), 0);
	pv_outfile_free(f);
	assert_int_equal(pv_file_read(in_dir("a"), 8, &data, &len, &err), 0);
	assert_int_equal(len, 8);
	assert_string_equal((char *)data, "headbody");
	free(data);
	assert_int_equal(stat(in_dir("a"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(
	    pv_file_read(in_dir("a"), 7, &data, &len, &err), PV_E_MALFORMED);
	assert_int_equal(
	    pv_file_read(in_dir("b"), 7, &data, &len, &err), PV_E_NOT_FOUND);
	assert_int_equal(
	    pv_file_read_exact(in_dir("a"), err.msg, 4, &err), PV_E_MALFORMED);
	/* An abandoned output leaves the old file as it was. */
	assert_int_equal(pv_outfile_open(in_dir("a"), 0600, &f, &err), 0);
	assert_int_equal(pv_outfile_write(f, "new", 3, &err), 0);
	pv_outfile_free(f);
	assert_int_equal(stat(in_dir("a"), &st), 0);
	assert_int_equal(st.st_size, 8);
	/* Through a symbolic link its target is replaced, not the link. */
	assert_int_equal(symlink(in_dir("a"), in_dir("link")), 0);
	assert_int_equal(pv_file_write(in_dir("link"), 0644, "xy", 2, &err), 0);
	assert_int_equal(lstat(in_dir("link"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(in_dir("a"), &st), 0);
	assert_int_equal(st.st_size, 2);
	assert_int_equal(pv_file_write(dir, 0644, "x", 1, &err), PV_E_IO);
	assert_int_equal(
	    pv_file_write("/nonexistent/x", 0644, "x", 1, &err), PV_E_IO);
	assert_int_equal(
	    pv_file_write("/dev/full", 0644, "x", 1, &err), PV_E_IO);
	assert_non_null(strstr(err.msg, "No space left"));
}

/* A write that fails in the middle leaves no file and no temporary file. */
static void
full_disk_leaves_nothing(void **state)
{
	struct rlimit old, small = { 4096, 4096 };
	uint8_t block[8192] = { 1 };
	int r;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	r = pv_file_write(in_dir("a"), 0644, block, sizeof(block), &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(r, PV_E_IO);
	assert_int_not_equal(access(in_dir("a"), F_OK), 0);
}

static void
folders_and_locks(void **state)
{
	int fd = -1, second = -1;
	char small[8];

	(void)state;
	assert_int_equal(pv_dir_make(in_dir("sub/deep"), 0700, &err), 0);
	assert_int_equal(pv_dir_make(in_dir("sub/deep"), 0700, &err), 0);
	assert_int_equal(pv_file_write(in_dir("a"), 0644, "x", 1, &err), 0);
	assert_int_equal(pv_dir_make(in_dir("a"), 0700, &err), PV_E_IO);
	assert_int_equal(pv_file_lock(in_dir("lock"), 0, &fd, &err), 0);
	assert_int_equal(
	    pv_file_lock(in_dir("lock"), 20, &second, &err), PV_E_IO);
	(void)close(fd);
	assert_int_equal(pv_file_lock(in_dir("lock"), 0, &second, &err), 0);
	(void)close(second);
	assert_int_equal(
	    pv_path_fit(small, sizeof(small), "abcd", "efg", &err), PV_E_USAGE);
	assert_int_equal(
	    pv_path_fit(small, sizeof(small), "abc", "efg", &err), 0);
	assert_string_equal(small, "abc/efg");
}

static void
secrets_of_exact_size(void **state)
{
	struct pv_secret *s = NULL;

	(void)state;
	assert_int_equal(
	    pv_file_write(in_dir("a"), 0600, "0123456789abcdef", 16, &err), 0);
	assert_int_equal(pv_secret_read_file(in_dir("a"), 16, &s, &err), 0);
	assert_int_equal(pv_secret_len(s), 16);
	assert_memory_equal(pv_secret_bytes(s), "0123456789abcdef", 16);
	pv_secret_free(s);
	assert_int_equal(
	    pv_secret_read_file(in_dir("a"), 15, &s, &err), PV_E_MALFORMED);
	assert_int_equal(
	    pv_secret_read_file(in_dir("a"), 32, &s, &err), PV_E_MALFORMED);
	assert_int_equal(
	    pv_secret_read_file(in_dir("b"), 16, &s, &err), PV_E_NOT_FOUND);
	assert_int_equal(
	    pv_file_write(in_dir("a"), 0600, "1234\r\nmore", 10, &err), 0);
	assert_int_equal(pv_secret_read_line(in_dir("a"), &s, &err), 0);
	assert_int_equal(pv_secret_len(s), 4);
	assert_memory_equal(pv_secret_bytes(s), "1234", 4);
	pv_secret_free(s);
	assert_int_equal(pv_file_write(in_dir("a"), 0600, "\nx", 2, &err), 0);
	assert_int_equal(
	    pv_secret_read_line(in_dir("a"), &s, &err), PV_E_MALFORMED);
	assert_int_equal(pv_secret_new(0, &s, &err), PV_E_INTERNAL);
	pv_secret_free(NULL);
}

static int
parse(const char *text)
{
	struct pv_json *v = NULL;
	int r = pv_json_parse(text, strlen(text), &v, &err);

	if (r == 0)
		pv_json_free(v);
	return r;
}

static void
json_is_strict(void **state)
{
	static const char *const bad[] = { "", "{", "{}x", "{\"a\":1,\"a\":2}",
		"[{\"b\":{\"c\":1,\"c\":1}}]", "{\"a\":1,}", "nul", "01x",
		"{\"a\" 1}" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i]), PV_E_MALFORMED);
	assert_int_equal(parse(" {\"a\":1,\"A\":2} \n"), 0);
	assert_int_equal(pv_json_parse("1\0", 2, NULL, &err), PV_E_MALFORMED);
}

static void
json_reads_types(void **state)
{
	static const char text[] =
	    "{\"n\":7,\"h\":\"0x10\",\"f\":1.5,\"neg\":-1,\"s\":\"x\","
	    "\"big\":1e300,\"t\":true,\"list\":[1,2]}";
	struct pv_json *v = NULL;
	const char *s = NULL;
	uint64_t n = 0;
	bool b = false;

	(void)state;
	assert_int_equal(pv_json_parse(text, sizeof(text) - 1, &v, &err), 0);
	assert_int_equal(pv_json_u64(v, "n", 7, &n, &err), 0);
	assert_true(n == 7);
	assert_int_equal(pv_json_u64(v, "n", 6, &n, &err), PV_E_MALFORMED);
	assert_int_equal(pv_json_u64(v, "h", 99, &n, &err), 0);
	assert_true(n == 16);
	assert_int_equal(pv_json_u64(v, "f", 99, &n, &err), PV_E_MALFORMED);
	assert_int_equal(pv_json_u64(v, "neg", 99, &n, &err), PV_E_MALFORMED);
	assert_int_equal(pv_json_u64(v, "big", 99, &n, &err), PV_E_MALFORMED);
	assert_int_equal(pv_json_u64(v, "s", 99, &n, &err), PV_E_MALFORMED);
	assert_int_equal(pv_json_u64(v, "none", 99, &n, &err), PV_E_MALFORMED);
	assert_non_null(strstr(err.msg, "'none'"));
	assert_int_equal(pv_json_opt_u64(v, "none", 99, &n, &err), 0);
	assert_int_equal(pv_json_str(v, "s", &s, &err), 0);
	assert_string_equal(s, "x");
	assert_int_equal(pv_json_str(v, "n", &s, &err), PV_E_MALFORMED);
	assert_int_equal(pv_json_opt_bool(v, "t", &b, &err), 0);
	assert_true(b);
	assert_int_equal(pv_json_opt_bool(v, "s", &b, &err), PV_E_MALFORMED);
	assert_int_equal(pv_json_count(pv_json_get(v, "list")), 2);
	assert_int_equal(pv_json_count(v), 8);
	assert_string_equal(pv_json_name_at(v, 0), "n");
	assert_null(pv_json_at(v, 8));
	assert_null(pv_json_get(pv_json_get(v, "s"), "x"));
	pv_json_free(v);
}

static void
json_builds_text(void **state)
{
	struct pv_json *o = pv_json_new_object(), *a;
	char *text = NULL;

	(void)state;
	pv_json_set_u64(o, "count", UINT64_MAX);
	pv_json_set_addr(o, "at", 0x8000000);
	pv_json_set_hex(o, "id", "\x01\xff", 2);
	a = pv_json_set_array(o, "areas");
	pv_json_set_int(pv_json_add_object(a), "size", 16);
	pv_json_add_str(a, "q\"\n");
	pv_json_set_null(o, "none");
	pv_json_set_bool(o, "ok", true);
	assert_int_equal(pv_json_print(o, &text, &err), 0);
	assert_string_equal(text,
	    "{\"count\":\"18446744073709551615\",\"at\":\"0x08000000\","
	    "\"id\":\"01ff\",\"areas\":[{\"size\":16},\"q\\\"\\n\"],"
	    "\"none\":null,\"ok\":true}");
	free(text);
	pv_json_free(o);
	assert_int_equal(pv_json_print(NULL, &text, &err), PV_E_NOMEM);
}

#define in_a_dir(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

static void
libraries_load_late(void **state)
{
	double (*cosine)(double) = NULL;
	double (*nothing)(double) = NULL;
	const struct pv_lazy_symbol good[] = { { "cos", &cosine } };
	const struct pv_lazy_symbol bad[] = { { "cos", &nothing },
		{ "no_such_function", &nothing } };

	(void)state;
	assert_int_equal(pv_lazy_load("libm.so.6", good, 1, &err), 0);
	assert_true(cosine(0.0) > 0.99);
	assert_int_equal(
	    pv_lazy_load("libm.so.6", bad, 2, &err), PV_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "no function 'no_such_function'"));
	assert_null(nothing);
	assert_int_equal(
	    pv_lazy_load("libnone.so.9", good, 1, &err), PV_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "libnone.so.9"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_give_exit_codes),
		cmocka_unit_test(errors_wrap_and_hint),
		cmocka_unit_test(reader_is_sticky),
		cmocka_unit_test(writer_has_a_cap),
		cmocka_unit_test(numbers_as_typed),
		cmocka_unit_test(hex_both_ways),
		cmocka_unit_test(text_is_masked),
		cmocka_unit_test(time_text),
		in_a_dir(files_whole_or_not_at_all),
		in_a_dir(full_disk_leaves_nothing),
		in_a_dir(folders_and_locks),
		in_a_dir(secrets_of_exact_size),
		cmocka_unit_test(libraries_load_late),
		cmocka_unit_test(json_is_strict),
		cmocka_unit_test(json_reads_types),
		cmocka_unit_test(json_builds_text),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
