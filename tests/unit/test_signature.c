/* SPDX-License-Identifier: Apache-2.0 */
/* Signature files, and the algorithms behind them by published vectors. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/hex.h"
#include "crypto/ec.h"
#include "crypto/ec_sig.h"
#include "crypto/sigkey.h"
#include "formats/signature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOLDEN "fixtures/golden/signature/package.sfi.sig"

static void
unhex(const char *hex, uint8_t *dst, size_t len)
{
	struct pv_error e;

	assert_int_equal(pv_hex_decode(hex, dst, len, &e), 0);
}

/* RFC 6979 appendix A.2.6, message "sample" with SHA-384. */
static void
test_p384_rfc6979(void **state)
{
	uint8_t d[48], digest[48], want[96], sig[96];
	struct pv_error e;

	(void)state;
	unhex("6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8"
	      "96d5724e4c70a825f872c9ea60d2edf5",
	    d, sizeof(d));
	/* SHA-384("sample") */
	unhex("9a9083505bc92276aec4be312696ef7bf3bf603f4bbd381196a029f340585312"
	      "313bca4a9b5b890efee42c77b1ee25fe",
	    digest, sizeof(digest));
	unhex("94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
	      "81a648152e44acf96e36dd1e80fabe46"
	      "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f"
	      "a329c145786e679e7b82c71a38628ac8",
	    want, sizeof(want));
	assert_int_equal(pv_ecdsa_sign_raw(48, d, digest, sig, &e), 0);
	assert_memory_equal(sig, want, sizeof(sig));
}

/* A PEM file in /tmp; the caller unlinks it. */
static void
write_pem(const char *text, char path[64])
{
	int fd;

	(void)snprintf(path, 64, "/tmp/pvsigXXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
	assert_int_equal(close(fd), 0);
}

/* RFC 8032 section 7.1, test 2: the key as PKCS#8, the message 0x72. */
static void
test_ed25519(void **state)
{
	static const char pem[] =
	    "-----BEGIN PRIVATE KEY-----\n"
	    "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
	    "-----END PRIVATE KEY-----\n";
	uint8_t want[64], sig[PV_SIG_MAX];
	struct pv_sigkey *k = NULL;
	struct pv_error e;
	char path[64];
	size_t len = 0;

	(void)state;
	unhex(
	    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
	    want, sizeof(want));
	write_pem(pem, path);
	assert_int_equal(pv_sigkey_read_pem(path, NULL, &k, &e), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(pv_pubkey_alg(pv_sigkey_public(k)), PV_SIG_ED25519);
	assert_int_equal(pv_sigkey_sign(k, "\x72", 1, sig, &len, &e), 0);
	assert_int_equal(len, 64);
	assert_memory_equal(sig, want, 64);
	assert_int_equal(
	    pv_pubkey_verify(pv_sigkey_public(k), "\x72", 1, sig, 64, &e), 0);
	assert_int_equal(
	    pv_pubkey_verify(pv_sigkey_public(k), "\x73", 1, sig, 64, &e),
	    PV_E_VERIFY);
	assert_int_equal(
	    pv_pubkey_verify(pv_sigkey_public(k), "\x72", 1, sig, 63, &e),
	    PV_E_VERIFY);
	pv_sigkey_free(k);
}

static size_t
read_golden(uint8_t data[PV_SIGFILE_MAX + 1])
{
	FILE *f = fopen(GOLDEN, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(data, 1, PV_SIGFILE_MAX + 1, f);
	(void)fclose(f);
	return n;
}

static void
test_codec(void **state)
{
	uint8_t data[PV_SIGFILE_MAX + 1], again[PV_SIGFILE_MAX];
	struct pv_signature s;
	struct pv_error e;
	size_t n = read_golden(data), len = 0;

	(void)state;
	assert_int_equal(n, 150);
	assert_int_equal(pv_sigfile_decode(data, n, &s, &e), 0);
	assert_int_equal(s.alg, PV_SIG_ECDSA_P256);
	assert_int_equal(s.sig_len, 64);
	pv_sigfile_encode(&s, again, &len);
	assert_int_equal(len, n);
	assert_memory_equal(again, data, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
		    pv_sigfile_decode(data, i, &s, &e), PV_E_MALFORMED);
	data[n] = 0;
	assert_int_equal(
	    pv_sigfile_decode(data, n + 1, &s, &e), PV_E_MALFORMED);
}

/* The key of a token gives the key id that openssl and this program give the
 * PEM of it. */
static void
test_key_id(void **state)
{
	static const char pem[] = "fixtures/golden/signature/test-only.pem";
	uint8_t data[PV_SIGFILE_MAX + 1], id[32], raw[64];
	struct pv_pubkey *k = NULL, *same = NULL;
	struct pv_signature s;
	struct pv_error e;
	size_t n = read_golden(data);

	(void)state;
	assert_int_equal(pv_sigfile_decode(data, n, &s, &e), 0);
	assert_int_equal(pv_pubkey_read_pem(pem, &k, &e), 0);
	assert_int_equal(pv_pubkey_id(k, id, &e), 0);
	assert_memory_equal(id, s.key_id, 32);
	assert_int_equal(pv_ec_read_public_pem(pem, raw, &e), 0);
	assert_int_equal(
	    pv_pubkey_from_point(PV_SIG_ECDSA_P256, raw, 64, &same, &e), 0);
	memset(id, 0, sizeof(id));
	assert_int_equal(pv_pubkey_id(same, id, &e), 0);
	assert_memory_equal(id, s.key_id, 32);
	pv_pubkey_free(k);
	pv_pubkey_free(same);
	memset(raw, 0x11, sizeof(raw));
	assert_int_not_equal(
	    pv_pubkey_from_point(PV_SIG_ECDSA_P256, raw, 64, &same, &e), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_p384_rfc6979),
		cmocka_unit_test(test_ed25519),
		cmocka_unit_test(test_codec),
		cmocka_unit_test(test_key_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
