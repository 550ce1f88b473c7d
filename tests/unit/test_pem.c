/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648, section 10. */
static void
test_vectors(void **state)
{
	static const struct {
		const char *in, *out;
	} v[] = {
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xef\xbe", "/+++" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		char want[128], *text = NULL;

		(void)snprintf(want, sizeof(want),
		    "-----BEGIN X-----\n%s\n-----END X-----\n", v[i].out);
		assert_int_equal(pv_pem_encode("X", (const uint8_t *)v[i].in,
				     strlen(v[i].in), &text, NULL),
		    0);
		assert_string_equal(text, want);
		free(text);
	}
}

/* Lines of 64 characters, the last one shorter or just as long. */
static void
test_lines(void **state)
{
	uint8_t data[200] = { 0 };

	(void)state;
	for (size_t len = 1; len <= sizeof(data); len++) {
		char *text = NULL, *p, *end;
		size_t chars = 0;

		assert_int_equal(
		    pv_pem_encode("PUBLIC KEY", data, len, &text, NULL), 0);
		p = strchr(text, '\n') + 1;
		while ((end = strchr(p, '\n')) != NULL && *p != '-') {
			assert_in_range(end - p, 4, 64);
			chars += (size_t)(end - p);
			if (end[1] != '-')
				assert_int_equal(end - p, 64);
			p = end + 1;
		}
		assert_int_equal(chars, (len + 2) / 3 * 4);
		assert_string_equal(p, "-----END PUBLIC KEY-----\n");
		free(text);
	}
}

static void
test_refused(void **state)
{
	char *text = NULL;

	(void)state;
	assert_int_equal(
	    pv_pem_encode("X", (const uint8_t *)"", 0, &text, NULL),
	    PV_E_INTERNAL);
	assert_null(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
