/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Licenses of 136 bytes: the codec, profiles as text, and the encryption
 * against files made by another implementation
 * (fixtures/golden/make-license-ssp.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "crypto/ec.h"
#include "crypto/kdf.h"
#include "formats/license_ssp.h"
#include <provisor/ecies.h>

#define KEY "AES_KEY_TEST_001"

static struct pv_ec_key *
counting_key(uint8_t first)
{
	struct pv_ec_key *k = NULL;
	uint8_t d[32];

	for (uint8_t i = 0; i < 32; i++)
		d[i] = (uint8_t)(first + i);
	assert_int_equal(pv_ec_from_scalar(d, &k, NULL), 0);
	return k;
}

static size_t
fixture(const char *folder, const char *name, uint8_t *data, size_t cap)
{
	char path[256];
	uint8_t *p = NULL;
	size_t len = 0;

	(void)snprintf(path, sizeof(path), "fixtures/%s/%s.bin", folder, name);
	assert_int_equal(pv_file_read(path, cap, &p, &len, NULL), 0);
	memcpy(data, p, len);
	free(p);
	return len;
}

static void
test_x963(void **state)
{
	/* ANSI X9.63 KDF, NIST CAVP, SHA-256, shared secret 192 bits. */
	static const uint8_t z[] = { 0x96, 0xc0, 0x56, 0x19, 0xd5, 0x6c, 0x32,
		0x8a, 0xb9, 0x5f, 0xe8, 0x4b, 0x18, 0x26, 0x4b, 0x08, 0x72,
		0x5b, 0x85, 0xe3, 0x3f, 0xd3, 0x4f, 0x08 };
	static const uint8_t want[] = { 0x44, 0x30, 0x24, 0xc3, 0xda, 0xe6,
		0x6b, 0x95, 0xe6, 0xf5, 0x67, 0x06, 0x01, 0x55, 0x8f, 0x71 };
	struct pv_error e = { 0 };
	uint8_t out[100], cut[33];

	(void)state;
	assert_int_equal(
	    pv_x963_sha256(z, sizeof(z), "", 0, out, sizeof(want), &e), 0);
	assert_memory_equal(out, want, sizeof(want));
	/* Shorter output is the beginning of longer. */
	assert_int_equal(pv_x963_sha256(z, sizeof(z), "a", 1, out, 100, &e), 0);
	assert_int_equal(pv_x963_sha256(z, sizeof(z), "a", 1, cut, 33, &e), 0);
	assert_memory_equal(out, cut, 33);
	assert_int_equal(
	    pv_x963_sha256(z, sizeof(z), "", 0, out, 0, &e), PV_E_INTERNAL);
}

static const struct {
	const char *file, *profile;
	const char *iv; /* NULL: 10..1f */
} golden[] = {
	{ "ssp", "ssp", NULL },
	{ "ssp-info", "ssp:shared_info=ephemeral", NULL },
	{ "ssp-halves", "ssp:key_half=high,iv_half=low", NULL },
	{ "ssp-iv12", "ssp:gcm_iv_len=12,fsbl_min_version=7", NULL },
	{ "ecies", "ecies", "NONCE_TEST01\0\0\0" },
};
#define N_GOLDEN (sizeof(golden) / sizeof(golden[0]))

static void
test_golden(void **state)
{
	uint8_t data[256], again[PV_SSP_LICENSE], iv[16];
	struct pv_ec_key *chip = counting_key(0x01);
	struct pv_secret *s = NULL;
	struct pv_error e = { 0 };

	(void)state;
	for (size_t i = 0; i < N_GOLDEN; i++) {
		struct pv_ecies_profile p;
		struct pv_ssp_license l;
		size_t len = fixture(
		    "golden/license-ssp", golden[i].file, data, sizeof(data));

		assert_true(pv_ssp_license_is(data, len));
		assert_int_equal(pv_ssp_license_decode(data, len, &l, &e), 0);
		assert_int_equal(pv_ssp_license_encode(&l, again, &e), 0);
		assert_memory_equal(data, again, len);
		/* Its own profile opens it, every other does not. */
		for (size_t k = 0; k < N_GOLDEN; k++) {
			bool own =
			    k == i || (i == 0 && k == 4) || (i == 4 && k == 0);

			assert_int_equal(
			    pv_ecies_parse(golden[k].profile, &p, &e), 0);
			assert_int_equal(
			    pv_ecies_open(&p, chip, data, len, &s, &e),
			    own ? 0 : PV_E_VERIFY);
			if (!own)
				continue;
			for (uint8_t b = 0; b < 16; b++)
				iv[b] = (uint8_t)(0x10 + b);
			if (golden[i].iv != NULL)
				memcpy(iv, golden[i].iv, 16);
			assert_int_equal(pv_secret_len(s), 32);
			assert_memory_equal(pv_secret_bytes(s), iv, 16);
			assert_memory_equal(pv_secret_bytes(s) + 16, KEY, 16);
			pv_secret_free(s);
			s = NULL;
		}
		/* Any changed bit is noticed, by the format or the tag. */
		assert_int_equal(pv_ecies_parse(golden[i].profile, &p, &e), 0);
		for (size_t k = 0; k < len; k++) {
			data[k] ^= 1;
			assert_int_not_equal(
			    pv_ecies_open(&p, chip, data, len, &s, &e), 0);
			data[k] ^= 1;
		}
		for (size_t k = 0; k < len; k++)
			assert_int_equal(pv_ssp_license_decode(data, k, &l, &e),
			    PV_E_MALFORMED);
	}
	pv_ec_free(chip);
}

static void
test_corrupt(void **state)
{
	static const struct {
		const char *file, *says;
		int code;
	} bad[] = {
		{ "cut", "135 bytes", PV_E_MALFORMED },
		{ "trailing", "137 bytes", PV_E_MALFORMED },
		{ "session", "not live", PV_E_MALFORMED },
		{ "session-static", "not live", PV_E_MALFORMED },
		{ "version", "version 2", PV_E_UNSUPPORTED },
		{ "min-version", "0x0c..0x0f", PV_E_MALFORMED },
		{ "reserved", "0x10..0x17", PV_E_MALFORMED },
		{ "point", "P-256", PV_E_VERIFY },
		{ "tag", "tag differs", PV_E_VERIFY },
		{ "header", "tag differs", PV_E_VERIFY },
	};
	struct pv_ec_key *chip = counting_key(0x01);
	struct pv_ecies_profile p;
	struct pv_secret *s = NULL;
	struct pv_error e = { 0 };
	struct pv_ssp_license l;
	uint8_t data[256] = "XXXX";

	(void)state;
	assert_int_equal(pv_ecies_parse("ecies", &p, &e), 0);
	assert_int_equal(
	    pv_ssp_license_decode(data, 136, &l, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "0x58585858"));
	assert_false(pv_ssp_license_is(data, 136));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t len = fixture(
		    "corrupt/license-ssp", bad[i].file, data, sizeof(data));
		int r;

		memset(&e, 0, sizeof(e));
		r = pv_ecies_open(&p, chip, data, len, &s, &e);
		/* The point is refused where it is used. */
		if (strcmp(bad[i].file, "point") == 0) {
			assert_int_not_equal(r, 0);
			r = pv_ec_check_public(data + 24, &e);
		}
		assert_int_equal(r, bad[i].code);
		if (strstr(e.msg, bad[i].says) == NULL)
			fail_msg("%s: %s", bad[i].file, e.msg);
	}
	pv_ec_free(chip);
}

static void
test_profiles(void **state)
{
	static const struct {
		const char *in, *out;
	} good[] = {
		{ "ssp", "ssp" },
		{ "ecies", "ecies" },
		{ "ecies:kdf=x963-sha256,gcm_iv_len=16", "ecies" },
		{ "ssp:payload_iv_len=12,shared_info=ephemeral",
		    "ssp:shared_info=ephemeral,payload_iv_len=12" },
		{ "ssp:iv_half=low,key_half=high,fsbl_min_version=0xffffffff,"
		  "gcm_iv_len=12,payload_iv_len=12",
		    "ssp:key_half=high,iv_half=low,gcm_iv_len=12,"
		    "payload_iv_len=12,fsbl_min_version=4294967295" },
		/* Every field: the longest text there is. */
		{ "ssp:rma_layout=high,shared_info=ephemeral,key_half=high,"
		  "iv_half=low,gcm_iv_len=12,payload_iv_len=12,"
		  "fsbl_min_version=4294967295",
		    "ssp:shared_info=ephemeral,key_half=high,iv_half=low,"
		    "gcm_iv_len=12,payload_iv_len=12,"
		    "fsbl_min_version=4294967295,rma_layout=high" },
		{ "ssp:payload_aad=header,rma_layout=low", "ssp" },
	};
	static const struct {
		const char *in, *says;
	} bad[] = {
		{ "resident", "not resident, ssp or ecies" },
		{ "sspx", "not resident" },
		{ "", "not resident" },
		{ "ssp:", "no field" },
		{ "ssp:x", "NAME=VALUE" },
		{ "ssp:iv=12", "no field 'iv'" },
		{ "ssp:gcm_iv_len=13", "'16' or '12'" },
		{ "ssp:key_half=high", "same half" },
		{ "ssp:iv_half=low", "same half" },
		{ "ssp:shared_info=x", "'empty' or 'ephemeral'" },
		{ "ssp:kdf=hkdf", "x963" },
		{ "ssp:rma_layout=x", "'low' or 'high'" },
		{ "ssp:payload_aad=none", "'header'" },
		{ "ecies:rma_layout=high", "no field 'rma_layout'" },
		{ "ecies:fsbl_min_version=1", "field of 'ssp'" },
		{ "ssp:fsbl_min_version=0x100000000", "fsbl_min_version" },
	};
	char text[PV_ECIES_TEXT], full[256], again[256], big[200] = "ssp:";
	struct pv_ecies_profile p, q;
	struct pv_error e = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(pv_ecies_parse(good[i].in, &p, &e), 0);
		pv_ecies_text(&p, text);
		assert_string_equal(text, good[i].out);
		pv_ecies_full_text(&p, full, sizeof(full));
		assert_non_null(strstr(full, "kdf=x963-sha256"));
		assert_int_equal(pv_ecies_parse(text, &q, &e), 0);
		pv_ecies_full_text(&q, again, sizeof(again));
		assert_string_equal(full, again);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&e, 0, sizeof(e));
		assert_int_equal(pv_ecies_parse(bad[i].in, &p, &e), PV_E_USAGE);
		if (strstr(e.msg, bad[i].says) == NULL)
			fail_msg("'%s': %s", bad[i].in, e.msg);
	}
	memset(big + 4, 'x', sizeof(big) - 5);
	assert_int_equal(pv_ecies_parse(big, &p, &e), PV_E_USAGE);
}

/* A source that counts, and fails when told. */
struct counting {
	int calls, fail;
	size_t len;
};

static int
counted_bytes(void *ctx, struct pv_secret **ret_key, struct pv_error *e)
{
	struct counting *c = ctx;
	int r;

	c->calls++;
	if (c->fail)
		return pv_fail(e, PV_E_HSM, "no key today");
	r = pv_secret_new(c->len, ret_key, e);
	if (r == 0)
		memcpy(pv_secret_data(*ret_key), KEY, 16);
	return r;
}

static void
test_seal(void **state)
{
	struct counting c = { .len = 16 };
	struct pv_key_source source = { .ctx = &c, .bytes = counted_bytes };
	struct pv_ssp_license l = { .type = PV_ECIES_TYPE, .version = 1 };
	uint8_t pub[64], data[PV_SSP_LICENSE], iv[16] = "NONCE_TEST01";
	struct pv_ec_key *chip = counting_key(0x05);
	struct pv_ecies_profile p;
	struct pv_secret *s = NULL;
	struct pv_ecies host = { 0 };
	struct pv_error e = { 0 };

	(void)state;
	assert_int_equal(pv_ec_public(chip, pub, &e), 0);
	assert_int_equal(pv_ecies_on_host(&source, &host, &e), 0);
	assert_null(source.bytes);
	assert_false(host.resident);
	assert_int_equal(pv_ecies_parse("ecies:gcm_iv_len=12", &p, &e), 0);
	assert_int_equal(
	    host.seal(host.ctx, &p, pub, data, iv, l.encrypted, l.tag, &e),
	    PV_E_INTERNAL);
	assert_int_equal(c.calls, 0);
	assert_int_equal(host.ephemeral(host.ctx, l.ephemeral, &e), 0);
	assert_int_equal(host.ephemeral(host.ctx, l.ephemeral, &e), 0);
	assert_int_equal(pv_ssp_license_encode_header(&l, data, &e), 0);
	assert_int_equal(
	    host.seal(host.ctx, &p, pub, data, iv, l.encrypted, l.tag, &e), 0);
	assert_int_equal(c.calls, 1);
	assert_int_equal(pv_ssp_license_encode(&l, data, &e), 0);
	assert_int_equal(
	    pv_ecies_open(&p, chip, data, sizeof(data), &s, &e), 0);
	assert_memory_equal(pv_secret_bytes(s), iv, 16);
	assert_memory_equal(pv_secret_bytes(s) + 16, KEY, 16);
	pv_secret_free(s);
	/* One ephemeral key, one license. */
	assert_int_equal(
	    host.seal(host.ctx, &p, pub, data, iv, l.encrypted, l.tag, &e),
	    PV_E_INTERNAL);
	c.len = 32;
	assert_int_equal(host.ephemeral(host.ctx, l.ephemeral, &e), 0);
	assert_int_equal(
	    host.seal(host.ctx, &p, pub, data, iv, l.encrypted, l.tag, &e),
	    PV_E_UNSUPPORTED);
	c.fail = 1;
	assert_int_equal(host.ephemeral(host.ctx, l.ephemeral, &e), 0);
	assert_int_equal(
	    host.seal(host.ctx, &p, pub, data, iv, l.encrypted, l.tag, &e),
	    PV_E_HSM);
	pv_ecies_release(&host);
	pv_ec_free(chip);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x963),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_seal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
