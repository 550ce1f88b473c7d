/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "formats/certificate.h"

static void
fill(uint8_t data[PV_CERT_LEN + 1])
{
	for (size_t i = 0; i <= PV_CERT_LEN; i++)
		data[i] = (uint8_t)(i * 7 + 3);
	memcpy(data, "48400001", 8);
}

static void
test_round_trip(void **state)
{
	uint8_t data[PV_CERT_LEN + 1], again[PV_CERT_LEN];
	struct pv_certificate c;

	(void)state;
	fill(data);
	assert_int_equal(pv_certificate_decode(data, &c, NULL), 0);
	assert_string_equal(c.product_id, "48400001");
	assert_memory_equal(c.public_key, data + 8, 64);
	assert_memory_equal(c.signature, data + 72, 64);
	assert_memory_equal(c.bytes, data, PV_CERT_LEN);
	pv_certificate_encode(&c, again);
	assert_memory_equal(again, data, PV_CERT_LEN);
}

static void
test_product_id(void **state)
{
	static const uint8_t bad[] = { 0x00, 0x1f, 0x20, 0x7f, 0x80, 0xff };
	uint8_t data[PV_CERT_LEN + 1];
	struct pv_certificate c;
	struct pv_error e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad); i++) {
		fill(data);
		data[i] = bad[i];
		assert_int_equal(
		    pv_certificate_decode(data, &c, &e), PV_E_MALFORMED);
		assert_non_null(strstr(e.msg, "product id"));
	}
}

static void
write_file(const char *path, const uint8_t *data, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* Every length but one is refused, a trailing byte too. */
static void
test_file(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char dir[256], path[300];
	uint8_t data[PV_CERT_LEN + 1];
	struct pv_certificate c;
	struct pv_error e;

	(void)state;
	(void)snprintf(
	    dir, sizeof(dir), "%s/pvcert.XXXXXX", tmp == NULL ? "/tmp" : tmp);
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/c.bin", dir);
	fill(data);
	for (size_t n = 0; n <= PV_CERT_LEN + 1; n++) {
		write_file(path, data, n);
		if (n == PV_CERT_LEN)
			assert_int_equal(pv_certificate_read(path, &c, &e), 0);
		else
			assert_int_equal(
			    pv_certificate_read(path, &c, &e), PV_E_MALFORMED);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(pv_certificate_read(path, &c, &e), PV_E_NOT_FOUND);
	assert_non_null(strstr(e.msg, "c.bin"));
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_product_id),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
