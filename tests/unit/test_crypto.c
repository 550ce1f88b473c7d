/* SPDX-License-Identifier: Apache-2.0 */
/* src/crypto against published vectors and against its own inverse. */
#include "base/hex.h"
#include "crypto/aead.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "crypto/kdf.h"
#include "crypto/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct pv_error err;

static void
unhex(const char *hex, uint8_t *out, size_t len)
{
	assert_int_equal(pv_hex_decode(hex, out, len, &err), 0);
}

static void
assert_hex(const uint8_t *data, const char *hex)
{
	uint8_t want[256];
	size_t len = strlen(hex) / 2;

	unhex(hex, want, len);
	assert_memory_equal(data, want, len);
}

/* FIPS 180-4 example "abc", given in two parts. */
static void
sha256_of_parts(void **state)
{
	struct pv_part parts[] = { { "a", 1 }, { "bc", 2 } };
	uint8_t digest[32];

	(void)state;
	assert_int_equal(pv_sha256(parts, 2, digest, &err), 0);
	assert_hex(digest, "ba7816bf8f01cfea414140de5dae2223"
			   "b00361a396177a9cb410ff61f20015ad");
}

/* McGrew & Viega, GCM test case 4: AAD and a partial last block. */
static void
gcm_vector(void **state)
{
	uint8_t key[16], iv[12], aad[20], pt[60], ct[60], tag[16];
	struct pv_gcm *g = NULL;

	(void)state;
	unhex("feffe9928665731c6d6a8f9467308308", key, 16);
	unhex("cafebabefacedbaddecaf888", iv, 12);
	unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad, 20);
	unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	    pt, 60);
	assert_int_equal(pv_gcm_new(key, 16, &g, &err), 0);
	assert_int_equal(pv_gcm_begin(g, false, iv, 12, aad, 20, &err), 0);
	assert_int_equal(pv_gcm_update(g, pt, ct, 7, &err), 0);
	assert_int_equal(pv_gcm_update(g, pt + 7, ct + 7, 53, &err), 0);
	assert_int_equal(pv_gcm_tag(g, tag, &err), 0);
	assert_hex(ct, "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e0");
	assert_hex(tag, "5bc94fbc3221a5db94fae95ae7121a47");
	assert_int_equal(pv_gcm_begin(g, true, iv, 12, aad, 20, &err), 0);
	assert_int_equal(pv_gcm_update(g, ct, ct, 60, &err), 0);
	assert_int_equal(pv_gcm_check(g, tag, &err), 0);
	assert_memory_equal(ct, pt, 60);
	tag[15] ^= 1;
	assert_int_equal(pv_gcm_begin(g, true, iv, 12, aad, 20, &err), 0);
	assert_int_equal(pv_gcm_check(g, tag, &err), PV_E_VERIFY);
	/* After a failure the next message still works. */
	assert_int_equal(pv_gcm_begin(g, false, iv, 12, aad, 20, &err), 0);
	assert_int_equal(pv_gcm_update(g, pt, ct, 60, &err), 0);
	assert_int_equal(pv_gcm_tag(g, tag, &err), 0);
	assert_hex(tag, "5bc94fbc3221a5db94fae95ae7121a47");
	pv_gcm_free(g);
	assert_int_not_equal(pv_gcm_new(key, 15, &g, &err), 0);
}

/* RFC 3394 section 4.3 (128-bit data, 256-bit KEK). */
static void
key_wrap_vector(void **state)
{
	uint8_t kek[32], key[16], wrapped[24], back[16];

	(void)state;
	unhex("000102030405060708090a0b0c0d0e0f"
	      "101112131415161718191a1b1c1d1e1f",
	    kek, 32);
	unhex("00112233445566778899aabbccddeeff", key, 16);
	assert_int_equal(pv_aes_wrap(kek, 32, key, 16, wrapped, &err), 0);
	assert_hex(wrapped, "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7");
	assert_int_equal(pv_aes_unwrap(kek, 32, wrapped, 24, back, &err), 0);
	assert_memory_equal(back, key, 16);
	for (size_t i = 0; i < 24; i++) {
		wrapped[i] ^= 0x10;
		assert_int_equal(
		    pv_aes_unwrap(kek, 32, wrapped, 24, back, &err),
		    PV_E_VERIFY);
		wrapped[i] ^= 0x10;
	}
	assert_int_not_equal(
	    pv_aes_unwrap(kek, 32, wrapped, 23, back, &err), 0);
	assert_int_not_equal(
	    pv_aes_unwrap(kek, 32, wrapped, 16, back, &err), 0);
}

/* FIPS 197 appendix C.3 */
static void
ecb_vector(void **state)
{
	uint8_t key[32], block[16];

	(void)state;
	unhex("000102030405060708090a0b0c0d0e0f"
	      "101112131415161718191a1b1c1d1e1f",
	    key, 32);
	unhex("00112233445566778899aabbccddeeff", block, 16);
	assert_int_equal(pv_aes_ecb(key, 32, block, 16, block, &err), 0);
	assert_hex(block, "8ea2b7ca516745bfeafc49904b496089");
}

/* RFC 6979 appendix A.2.5, message "sample" and "test" with SHA-256. */
static void
ecdsa_is_deterministic(void **state)
{
	static const struct {
		const char *msg, *sig;
	} cases[] = {
		{ "sample", "efd48b2aacb6a8fd1140dd9cd45e81d6"
			    "9d2c877b56aaf991c34d0ea84eaf3716"
			    "f7cb1c942d657c41d436c7a1b6e29f65"
			    "f3e900dbb9aff4064dc4ab2f843acda8" },
		{ "test", "f1abb023518351cd71d881567b1ea663"
			  "ed3efcf6c5132b354f28d3b0b7d38367"
			  "019f4113742a2b14bd25926b49c64915"
			  "5f267e60d3814b4c0cc84250e46f0083" },
	};
	struct pv_ec_key *k = NULL;
	uint8_t d[32], back[32], pub[64], digest[32], sig[64];

	(void)state;
	unhex("c9afa9d845ba75166b5c215767b1d693"
	      "4e50c3db36e89b127b8a622b120f6721",
	    d, 32);
	assert_int_equal(pv_ec_from_scalar(d, &k, &err), 0);
	assert_int_equal(pv_ec_scalar(k, back, &err), 0);
	assert_memory_equal(back, d, 32);
	assert_int_equal(pv_ec_public(k, pub, &err), 0);
	assert_hex(pub, "60fed4ba255a9d31c961eb74c6356d68"
			"c049b8923b61fa6ce669622e60f29fb6"
			"7903fe1008b8bc99a41ae9e95628bc64"
			"f2f1b20c2d7e9f5177a3c294d4462299");
	for (size_t i = 0; i < 2; i++) {
		struct pv_part part = { cases[i].msg, strlen(cases[i].msg) };

		assert_int_equal(pv_sha256(&part, 1, digest, &err), 0);
		assert_int_equal(pv_ecdsa_sign(k, digest, sig, &err), 0);
		assert_hex(sig, cases[i].sig);
		assert_int_equal(pv_ecdsa_verify(pub, digest, sig, &err), 0);
		digest[0] ^= 1;
		assert_int_equal(
		    pv_ecdsa_verify(pub, digest, sig, &err), PV_E_VERIFY);
	}
	pv_ec_free(k);
}

static void
bad_scalars_and_points(void **state)
{
	static const char *const order = "ffffffff00000000ffffffffffffffff"
					 "bce6faada7179e84f3b9cac2fc632551";
	struct pv_ec_key *k = NULL;
	uint8_t d[32] = { 0 }, pub[64] = { 0 }, digest[32] = { 1 }, sig[64],
		z[32];

	(void)state;
	assert_int_not_equal(pv_ec_from_scalar(d, &k, &err), 0);
	unhex(order, d, 32);
	assert_int_not_equal(pv_ec_from_scalar(d, &k, &err), 0);
	assert_int_equal(pv_ec_check_public(pub, &err), PV_E_VERIFY);
	memset(pub, 0xff, sizeof(pub));
	assert_int_equal(pv_ec_check_public(pub, &err), PV_E_VERIFY);
	assert_int_equal(pv_ec_generate(&k, &err), 0);
	assert_int_equal(pv_ecdh(k, pub, z, &err), PV_E_VERIFY);
	assert_int_equal(pv_ec_public(k, pub, &err), 0);
	assert_int_equal(pv_ec_check_public(pub, &err), 0);
	pub[63] ^= 1;
	assert_int_equal(pv_ec_check_public(pub, &err), PV_E_VERIFY);
	pub[63] ^= 1;
	/* r or s of zero, or at the order, never verifies. */
	assert_int_equal(pv_ecdsa_sign(k, digest, sig, &err), 0);
	assert_int_equal(pv_ecdsa_verify(pub, digest, sig, &err), 0);
	for (size_t half = 0; half < 64; half += 32) {
		uint8_t bad[64];

		memcpy(bad, sig, 64);
		memset(bad + half, 0, 32);
		assert_int_equal(
		    pv_ecdsa_verify(pub, digest, bad, &err), PV_E_VERIFY);
		unhex(order, bad + half, 32);
		assert_int_equal(
		    pv_ecdsa_verify(pub, digest, bad, &err), PV_E_VERIFY);
	}
	pv_ec_free(k);
}

/* The worked example of formats/license.md fixes Z for two known keys. */
static void
ecdh_known(void **state)
{
	struct pv_ec_key *chip = NULL, *eph = NULL;
	uint8_t d[32], pub[64], z[32];

	(void)state;
	for (unsigned int i = 0; i < 32; i++)
		d[i] = (uint8_t)(i + 1);
	assert_int_equal(pv_ec_from_scalar(d, &chip, &err), 0);
	for (unsigned int i = 0; i < 32; i++)
		d[i] = (uint8_t)(i + 33);
	assert_int_equal(pv_ec_from_scalar(d, &eph, &err), 0);
	assert_int_equal(pv_ec_public(eph, pub, &err), 0);
	assert_int_equal(pv_ecdh(chip, pub, z, &err), 0);
	assert_hex(z, "4fe243908f378aa1c2a69538822e6ed9"
		      "08c3225d8692575507c649901245150a");
	assert_int_equal(pv_ec_public(chip, pub, &err), 0);
	assert_int_equal(pv_ecdh(eph, pub, z, &err), 0);
	assert_hex(z, "4fe243908f378aa1c2a69538822e6ed9");
	pv_ec_free(chip);
	pv_ec_free(eph);
}

static void
pem_files(void **state)
{
	char dir[] = "/tmp/pvtest.XXXXXX", priv[64], pub[64], junk[64];
	struct pv_ec_key *k = NULL, *back = NULL;
	uint8_t a[64], b[64];
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(priv, sizeof(priv), "%s/ca.key", dir);
	(void)snprintf(pub, sizeof(pub), "%s/ca.pem", dir);
	(void)snprintf(junk, sizeof(junk), "%s/junk", dir);
	assert_int_equal(pv_ec_generate(&k, &err), 0);
	assert_int_equal(pv_ec_public(k, a, &err), 0);
	assert_int_equal(pv_ec_write_pem(k, priv, &err), 0);
	assert_int_equal(pv_ec_write_public_pem(pub, a, &err), 0);
	assert_int_equal(pv_ec_read_pem(priv, &back, &err), 0);
	assert_int_equal(pv_ec_public(back, b, &err), 0);
	assert_memory_equal(a, b, 64);
	memset(b, 0, sizeof(b));
	assert_int_equal(pv_ec_read_public_pem(pub, b, &err), 0);
	assert_memory_equal(a, b, 64);
	/* A private key is no public key, and text is neither. */
	pv_ec_free(back);
	assert_int_equal(pv_ec_read_pem(pub, &back, &err), PV_E_MALFORMED);
	f = fopen(junk, "w");
	assert_non_null(f);
	assert_true(fputs("-----BEGIN PUBLIC KEY-----\nAAAA\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(pv_ec_read_public_pem(junk, b, &err), PV_E_MALFORMED);
	assert_int_equal(
	    pv_ec_read_public_pem("/nonexistent", b, &err), PV_E_NOT_FOUND);
	pv_ec_free(k);
	(void)unlink(priv);
	(void)unlink(pub);
	(void)unlink(junk);
	(void)rmdir(dir);
}

static void
random_differs(void **state)
{
	uint8_t a[32], b[32];

	(void)state;
	assert_int_equal(pv_random(a, 32, &err), 0);
	assert_int_equal(pv_random(b, 32, &err), 0);
	assert_memory_not_equal(a, b, 32);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_of_parts),
		cmocka_unit_test(gcm_vector),
		cmocka_unit_test(key_wrap_vector),
		cmocka_unit_test(ecb_vector),
		cmocka_unit_test(ecdsa_is_deterministic),
		cmocka_unit_test(bad_scalars_and_points),
		cmocka_unit_test(ecdh_known),
		cmocka_unit_test(pem_files),
		cmocka_unit_test(random_differs),
	};

	return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
