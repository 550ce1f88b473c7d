/* SPDX-License-Identifier: Apache-2.0 */
/* SBSFU headers; the golden files are made by make-sbsfu.py. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "formats/sbsfu.h"
#include "image/sbsfu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *
load(const char *dir, const char *name, size_t *len)
{
	struct pv_error e;
	uint8_t *data = NULL;
	char path[128];

	(void)snprintf(path, sizeof(path), "fixtures/%s/sbsfu/%s", dir, name);
	assert_int_equal(pv_file_read(path, 65536, &data, len, &e), 0);
	return data;
}

static const struct {
	const char *name;
	enum pv_sbsfu_scheme scheme;
	unsigned int slot;
	uint32_t offset, partial_offset;
	const char *state;
} golden[] = {
	{ "ecdsa-aes-cbc.sfb", PV_SBSFU_CBC, 1, 512, 0, "new" },
	{ "ecdsa-aes-ctr.sfb", PV_SBSFU_CTR, 1, 512, 0, "new" },
	{ "ecdsa.sfb", PV_SBSFU_CLEAR, 1, 512, 0, "new" },
	{ "ecdsa-x509.sfb", PV_SBSFU_X509, 1, 2048, 0, "new" },
	{ "aes-gcm.sfb", PV_SBSFU_GCM, 1, 512, 0, "new" },
	{ "partial-cbc.sfb", PV_SBSFU_CBC, 1, 512, 96, "new" },
	{ "partial-ctr.sfb", PV_SBSFU_CTR, 1, 512, 96, "new" },
	{ "partial-gcm.sfb", PV_SBSFU_GCM, 1, 512, 96, "new" },
	{ "slot2.sfb", PV_SBSFU_CLEAR, 2, 512, 0, "new" },
	{ "slot3.sfb", PV_SBSFU_CLEAR, 3, 512, 0, "new" },
	{ "installed.bin", PV_SBSFU_CBC, 1, 512, 0, "valid" },
};
#define N_GOLDEN (sizeof(golden) / sizeof(golden[0]))

static void
test_golden(void **state)
{
	uint8_t again[PV_SBSFU_HEADER_MAX];
	struct pv_sbsfu_header h;
	struct pv_error e;

	(void)state;
	for (size_t i = 0; i < N_GOLDEN; i++) {
		size_t len, room = sizeof(again);
		uint8_t *data = load("golden", golden[i].name, &len);
		const struct pv_sbsfu_layout *l =
		    pv_sbsfu_layout(golden[i].scheme);

		assert_true(pv_sbsfu_detect(data, len));
		assert_int_equal(pv_sbsfu_guess(data, len), golden[i].scheme);
		assert_int_equal(l->offset, golden[i].offset);
		assert_int_equal(
		    pv_sbsfu_decode(data, len, golden[i].scheme, &h, &e), 0);
		assert_int_equal(pv_sbsfu_validate(&h, len - l->offset, &e), 0);
		assert_int_equal(h.slot, golden[i].slot);
		assert_int_equal(h.version, 2);
		assert_int_equal(h.partial_offset, golden[i].partial_offset);
		assert_int_equal(
		    pv_sbsfu_is_partial(&h), golden[i].partial_offset != 0);
		assert_string_equal(pv_sbsfu_state_name(&h), golden[i].state);
		assert_int_equal(pv_sbsfu_encode(&h, again, &room, &e), 0);
		assert_int_equal(room, l->end);
		assert_memory_equal(again, data, room);
		room = l->end - 1;
		assert_int_equal(
		    pv_sbsfu_encode(&h, again, &room, &e), PV_E_USAGE);
		for (size_t n = 0; n < len; n++) {
			int r =
			    pv_sbsfu_decode(data, n, golden[i].scheme, &h, &e);

			assert_int_equal(r, n < l->end ? PV_E_MALFORMED : 0);
			if (n >= l->offset)
				assert_int_equal(
				    pv_sbsfu_validate(&h, n - l->offset, &e),
				    PV_E_MALFORMED);
		}
		free(data);
	}
}

static void
test_corrupt(void **state)
{
	static const struct {
		const char *name, *msg;
		int code;
	} bad[] = {
		{ "empty.sfb", "no SBSFU header", PV_E_MALFORMED },
		{ "magic.sfb", "no SBSFU header", PV_E_MALFORMED },
		{ "protocol.sfb", "no SBSFU header", PV_E_MALFORMED },
		{ "header-cut.sfb", "no SBSFU header", PV_E_MALFORMED },
		{ "reserved.sfb", "no SBSFU header", PV_E_MALFORMED },
		{ "fill-cut.sfb", "would begin at 512", PV_E_MALFORMED },
		{ "cut.sfb", "the file has 31", PV_E_MALFORMED },
		{ "trailing.sfb", "the file has 33", PV_E_MALFORMED },
		{ "size-zero.sfb", "no firmware", PV_E_MALFORMED },
		{ "size-odd.sfb", "33 bytes; this scheme takes",
		    PV_E_MALFORMED },
		{ "partial-zero.sfb", "no firmware", PV_E_MALFORMED },
		{ "partial-past.sfb", "does not lie in", PV_E_MALFORMED },
		{ "partial-odd.sfb", "at 0x8, not a multiple", PV_E_MALFORMED },
		{ "tags.sfb", "two different tags", PV_E_MALFORMED },
		{ "state.sfb", "image state is none", PV_E_MALFORMED },
	};
	struct pv_sbsfu_profile p = { 0 };
	struct pv_sbsfu_image m;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pv_error e = { 0 };
		char path[128];
		int r;

		(void)snprintf(path, sizeof(path), "fixtures/corrupt/sbsfu/%s",
		    bad[i].name);
		r = pv_sbsfu_read(path, (enum pv_sbsfu_scheme)0, &p, &m, &e);
		if (r == 0)
			pv_sbsfu_release(&m);
		if (r != bad[i].code ||
		    (r != 0 && strstr(e.msg, bad[i].msg) == NULL))
			fail_msg("%s: %d, %s", bad[i].name, r, e.msg);
	}
}

static void
test_refused_scheme(void **state)
{
	struct pv_sbsfu_header h;
	struct pv_error e;
	size_t len;
	uint8_t *data = load("golden", "ecdsa-aes-cbc.sfb", &len);

	(void)state;
	assert_int_equal(
	    pv_sbsfu_decode(data, len, PV_SBSFU_GCM, &h, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "another scheme than aes-gcm"));
	assert_int_equal(pv_sbsfu_decode(data, len, PV_SBSFU_CBC, &h, &e), 0);
	h.protocol = 2;
	assert_int_equal(pv_sbsfu_validate(&h, 32, &e), PV_E_UNSUPPORTED);
	free(data);
}

static void
test_diff(void **state)
{
	uint8_t a[64] = { 0 }, b[80] = { 0 };
	uint32_t off = 99, size = 99;
	struct pv_error e;

	(void)state;
	assert_int_equal(
	    pv_sbsfu_diff(a, 64, b, 64, &off, &size, &e), PV_E_USAGE);
	assert_int_equal(off, 99);
	b[17] = 1;
	b[40] = 1;
	assert_int_equal(pv_sbsfu_diff(a, 64, b, 64, &off, &size, &e), 0);
	assert_int_equal(off, 16);
	assert_int_equal(size, 32);
	/* Longer: to its end. */
	assert_int_equal(pv_sbsfu_diff(a, 64, b, 80, &off, &size, &e), 0);
	assert_int_equal(off, 16);
	assert_int_equal(size, 64);
	/* Not in whole blocks: not past its end. */
	b[62] = 1;
	assert_int_equal(pv_sbsfu_diff(a, 63, b, 63, &off, &size, &e), 0);
	assert_int_equal(off + size, 63);
	/* Shorter, and the same as far as it goes. */
	assert_int_equal(
	    pv_sbsfu_diff(a, 64, a, 32, &off, &size, &e), PV_E_USAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_refused_scheme),
		cmocka_unit_test(test_diff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
