/* SPDX-License-Identifier: Apache-2.0 */
/* Base64: the vectors of RFC 4648, section 10, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/base64.h"

#include <string.h>

static void
test_vectors(void **state)
{
	static const char *const v[][2] = { { "", "" }, { "f", "Zg==" },
		{ "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };
	struct pv_error e;
	uint8_t back[16];
	char text[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		pv_base64_encode(text, v[i][0], strlen(v[i][0]));
		assert_string_equal(text, v[i][1]);
		assert_int_equal(PV_BASE64_LEN(strlen(v[i][0])), strlen(text));
		assert_int_equal(pv_base64_decode(text, strlen(text), back,
				     sizeof(back), &len, &e),
		    0);
		assert_int_equal(len, strlen(v[i][0]));
		assert_memory_equal(back, v[i][0], len);
	}
	assert_int_equal(
	    pv_base64_decode("Zm9v\r\nYmFy\n", 11, back, 6, &len, &e), 0);
	assert_int_equal(len, 6);
	assert_int_equal(pv_base64_decode("+/+/", 4, back, 3, &len, &e), 0);
	assert_memory_equal(back, "\xfb\xff\xbf", 3);
}

static void
test_refused(void **state)
{
	static const char *const v[] = { "Z", "Zg", "Zg=", "Zm9", "=",
		"Z===", "Zg==Zg==", "Zm8=x", "Zm9v ", "Zm9v!",
		"Zh==", "Zm9=", "Zm-v", "Zg===" };
	struct pv_error e;
	uint8_t back[16];
	size_t len = 99;

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_int_equal(pv_base64_decode(v[i], strlen(v[i]), back,
				     sizeof(back), &len, &e),
		    PV_E_MALFORMED);
		assert_non_null(strstr(e.msg, "not base64 text"));
	}
	assert_int_equal(
	    pv_base64_decode("Zg\0=", 4, back, 16, &len, &e), PV_E_MALFORMED);
	assert_int_equal(
	    pv_base64_decode("Zm9v", 4, back, 2, &len, &e), PV_E_MALFORMED);
	assert_string_equal(e.msg, "more than 2 bytes in base64");
	assert_int_equal(len, 99);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
