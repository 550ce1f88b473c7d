/* SPDX-License-Identifier: Apache-2.0 */
/* The latency timer of a serial adapter, set and put back (T5). */
#include "link/latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct dir {
	char top[64], file[128];
};

/* TOP/ttyUSB0/device/latency_timer, as in /sys/class/tty. */
static void
make_dir(struct dir *d)
{
	char path[128];

	(void)snprintf(d->top, sizeof(d->top), "/tmp/pvlatXXXXXX");
	assert_non_null(mkdtemp(d->top));
	(void)snprintf(path, sizeof(path), "%s/ttyUSB0", d->top);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/ttyUSB0/device", d->top);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(d->file, sizeof(d->file),
	    "%s/ttyUSB0/device/latency_timer", d->top);
}

static void
remove_dir(const struct dir *d)
{
	char path[128];

	(void)unlink(d->file);
	(void)snprintf(path, sizeof(path), "%s/ttyUSB0/device", d->top);
	assert_int_equal(rmdir(path), 0);
	(void)snprintf(path, sizeof(path), "%s/ttyUSB0", d->top);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(d->top), 0);
}

static void
put(const struct dir *d, const char *text)
{
	FILE *f = fopen(d->file, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int
get(const struct dir *d)
{
	FILE *f = fopen(d->file, "r");
	int v = -1;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &v), 1);
	(void)fclose(f);
	return v;
}

static void
test_set_and_restore(void **state)
{
	struct pv_latency l;
	struct dir d;

	(void)state;
	make_dir(&d);
	put(&d, "16\n");
	pv_latency_set(&l, -1, d.top, "ttyUSB0");
	assert_int_equal(get(&d), 1);
	pv_latency_restore(&l);
	assert_int_equal(get(&d), 16);
	/* once only: somebody else may have set it since */
	put(&d, "8\n");
	pv_latency_restore(&l);
	assert_int_equal(get(&d), 8);
	remove_dir(&d);
}

/* Fast already, nonsense, or not there: nothing to set, nothing to restore. */
static void
test_left_alone(void **state)
{
	static const struct {
		const char *text;
		int value;
	} cases[] = { { "1\n", 1 }, { "0\n", 0 }, { "99999\n", 99999 },
		{ "-4\n", -4 } };
	struct pv_latency l;
	struct dir d;
	size_t i;

	(void)state;
	make_dir(&d);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(&d, cases[i].text);
		pv_latency_set(&l, -1, d.top, "ttyUSB0");
		assert_int_equal(get(&d), cases[i].value);
		pv_latency_restore(&l);
		assert_int_equal(get(&d), cases[i].value);
	}
	assert_int_equal(unlink(d.file), 0);
	pv_latency_set(&l, -1, d.top, "ttyUSB0");
	pv_latency_restore(&l);
	assert_int_equal(access(d.file, F_OK), -1);
	remove_dir(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_restore),
		cmocka_unit_test(test_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
