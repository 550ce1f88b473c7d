/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The license codec and its chain of keys, against the worked example of
 * formats/license.md, computed from the formulas with test keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "crypto/kdf.h"
#include "formats/certificate.h"
#include "formats/license.h"
#include "license/rules.h"

static void
unhex(const char *hex, uint8_t *data, size_t len)
{
	assert_int_equal(pv_hex_decode(hex, data, len, NULL), 0);
}

static void
same(const uint8_t *data, const char *hex, size_t len)
{
	uint8_t want[256];

	assert_true(len <= sizeof(want));
	unhex(hex, want, len);
	assert_memory_equal(data, want, len);
}

static struct pv_ec_key *
counting_key(uint8_t first)
{
	struct pv_ec_key *k = NULL;
	uint8_t d[32];

	for (size_t i = 0; i < sizeof(d); i++)
		d[i] = (uint8_t)(first + i);
	assert_int_equal(pv_ec_from_scalar(d, &k, NULL), 0);
	return k;
}

static void
example(struct pv_license *l, struct pv_ec_key *ephemeral)
{
	memset(l, 0, sizeof(*l));
	l->version = 1;
	for (size_t i = 0; i < sizeof(l->campaign_id); i++)
		l->campaign_id[i] = (uint8_t)(0xa0 + i);
	l->number = 1;
	memcpy(l->product_id, "45002001", 9);
	assert_int_equal(pv_ec_public(ephemeral, l->ephemeral, NULL), 0);
	memcpy(l->nonce, "NONCE_TEST01", 12);
	l->wrapped_len = 24;
}

static void
test_worked_example(void **state)
{
	struct pv_ec_key *chip = counting_key(0x01);
	struct pv_ec_key *ephemeral = counting_key(0x21);
	uint8_t cert[PV_CERT_LEN], digest[32], z[32], z2[32], context[32];
	uint8_t kek[32], header[PV_LICENSE_HEADER], data[PV_LICENSE_MAX];
	uint8_t key[16];
	struct pv_certificate c = { .product_id = "45002001" };
	const struct pv_campaign resident = { .license_profile = "resident" };
	struct pv_license l;
	size_t len = sizeof(data);

	(void)state;
	assert_int_equal(pv_ec_public(chip, c.public_key, NULL), 0);
	for (size_t i = 0; i < sizeof(c.signature); i++)
		c.signature[i] = (uint8_t)i;
	pv_certificate_encode(&c, cert);
	assert_int_equal(pv_campaign_chip(&resident, cert, digest, NULL), 0);
	same(digest,
	    "58c66983cccee9b1b7f6caa0f9efa1c3431cc8cc89ead131c97dfdb9928d6ae6",
	    32);

	example(&l, ephemeral);
	same(l.ephemeral,
	    "1f140146bfb1b251f84f4ddbe0d4cdcfd77afd984a9520e35794021f8312bb9e"
	    "ec995a08b1fa7704df3dcc0b50a9665263fb7711f95f9f8a449c5096e47c892b",
	    64);
	assert_int_equal(pv_license_encode_header(&l, header, NULL), 0);
	const struct pv_part whole = { header, sizeof(header) };
	assert_int_equal(pv_sha256(&whole, 1, digest, NULL), 0);
	same(digest,
	    "3c95e8218762829f911316076f9a429e4ecc9bf4e309812116fd23370e271b96",
	    32);

	/* Both ends of the key agreement. */
	assert_int_equal(pv_ecdh(ephemeral, c.public_key, z, NULL), 0);
	assert_int_equal(pv_ecdh(chip, l.ephemeral, z2, NULL), 0);
	assert_memory_equal(z, z2, 32);
	same(z,
	    "4fe243908f378aa1c2a69538822e6ed908c3225d8692575507c649901245150a",
	    32);
	const struct pv_part parts[] = {
		{ PV_LICENSE_DOMAIN, strlen(PV_LICENSE_DOMAIN) },
		{ header, sizeof(header) },
		{ cert, sizeof(cert) },
	};
	assert_int_equal(pv_sha256(parts, 3, context, NULL), 0);
	same(context,
	    "ffd8d547bedb5cadcef3a8cfa51b921c659d21338c352078d237d56438c3ea3a",
	    32);
	assert_int_equal(pv_aes_ecb(z, 32, context, 32, kek, NULL), 0);
	same(kek,
	    "eb58f5808169791a0ce296adc73bf4ee77534ceaf8aeeec41feb7c103289ee06",
	    32);
	assert_int_equal(
	    pv_aes_wrap(kek, 32, (const uint8_t *)"AES_KEY_TEST_001", 16,
		l.wrapped, NULL),
	    0);
	same(l.wrapped, "a31032f50c959039b8db1216bd80f7fbdee9ea92f5e1c5a0", 24);
	assert_int_equal(pv_aes_unwrap(kek, 32, l.wrapped, 24, key, NULL), 0);
	assert_memory_equal(key, "AES_KEY_TEST_001", 16);

	assert_int_equal(pv_license_encode(&l, data, &len, NULL), 0);
	assert_int_equal(len, 212);
	assert_int_equal(pv_rules_license_digest(data, len, digest, NULL), 0);
	same(digest,
	    "615b6ca9fca396c376fd27fe979372c28adf72cc08eb580cec5b50966445b79a",
	    32);
	pv_ec_free(chip);
	pv_ec_free(ephemeral);
}

static void
make(uint8_t *data, size_t *len, uint32_t wrapped_len)
{
	struct pv_ec_key *ephemeral = counting_key(0x21);
	struct pv_license l;

	example(&l, ephemeral);
	l.wrapped_len = wrapped_len;
	memset(l.wrapped, 0x66, sizeof(l.wrapped));
	memset(l.signature, 0x77, sizeof(l.signature));
	assert_int_equal(pv_license_encode(&l, data, len, NULL), 0);
	pv_ec_free(ephemeral);
}

static void
test_round_trip(void **state)
{
	static const uint32_t wrapped[] = { 24, 40 };
	uint8_t data[PV_LICENSE_MAX + 1], again[PV_LICENSE_MAX];
	struct pv_license l;
	struct pv_error e;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t len = PV_LICENSE_MAX, len2 = sizeof(again);

		make(data, &len, wrapped[i]);
		assert_int_equal(len, 188 + wrapped[i]);
		assert_int_equal(pv_license_decode(data, len, &l, &e), 0);
		assert_int_equal(l.number, 1);
		assert_string_equal(l.product_id, "45002001");
		assert_int_equal(pv_license_encode(&l, again, &len2, &e), 0);
		assert_int_equal(len, len2);
		assert_memory_equal(data, again, len);
		for (size_t n = 0; n < len; n++)
			assert_int_equal(
			    pv_license_decode(data, n, &l, &e), PV_E_MALFORMED);
		data[len] = 0;
		assert_int_equal(
		    pv_license_decode(data, len + 1, &l, &e), PV_E_MALFORMED);
		len2 = len - 1;
		assert_int_equal(
		    pv_license_encode(&l, again, &len2, &e), PV_E_INTERNAL);
	}
}

struct change {
	size_t off;
	uint8_t value;
	int code;
	const char *message;
};

static void
test_reject(void **state)
{
	static const struct change changes[] = {
		{ 0x00, 'X', PV_E_MALFORMED, "does not start with 'PVLR'" },
		{ 0x04, 2, PV_E_UNSUPPORTED, "version 2" },
		{ 0x06, 1, PV_E_UNSUPPORTED, "flags 0x0001" },
		{ 0x18, 0, PV_E_MALFORMED, "number 0" },
		{ 0x20, 0x1b, PV_E_MALFORMED, "product id" },
		{ 0x77, 1, PV_E_MALFORMED, "bytes 0x74..0x77" },
		{ 0x78, 25, PV_E_MALFORMED, "wrapped key of 25 bytes" },
		{ 0x78, 40, PV_E_MALFORMED, "212 bytes, but its fields need" },
	};
	uint8_t data[PV_LICENSE_MAX];
	struct pv_license l;
	struct pv_error e;

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		size_t len = sizeof(data);

		make(data, &len, 24);
		data[changes[i].off] = changes[i].value;
		assert_int_equal(
		    pv_license_decode(data, len, &l, &e), changes[i].code);
		assert_non_null(strstr(e.msg, changes[i].message));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worked_example),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_reject),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
