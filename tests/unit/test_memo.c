/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of signatures must never make a bad one good. */
#include "crypto/ec.h"
#include "crypto/memo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define N 9U /* more than keys and signatures are kept */

struct signer {
	struct pv_ec_key *key;
	uint8_t pub[64], digest[32], sig[64];
};

static void
make(struct signer *s, uint8_t seed)
{
	assert_int_equal(pv_ec_generate(&s->key, NULL), 0);
	assert_int_equal(pv_ec_public(s->key, s->pub, NULL), 0);
	memset(s->digest, seed, sizeof(s->digest));
	assert_int_equal(pv_ecdsa_sign(s->key, s->digest, s->sig, NULL), 0);
}

static int
check(struct pv_memo *m, const struct signer *s)
{
	return pv_memo_verify(m, s->pub, s->digest, s->sig, NULL);
}

/* Every bit of key, digest and signature counts, however often it was good. */
static void
test_changed(void **state)
{
	struct pv_memo *m = NULL;
	struct signer s = { 0 };

	(void)state;
	make(&s, 1);
	assert_int_equal(pv_memo_new(&m, NULL), 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(check(m, &s), 0);
		for (size_t i = 0; i < 64; i++) {
			struct signer bad = s;

			bad.sig[i] ^= 1;
			assert_int_equal(check(m, &bad), PV_E_VERIFY);
			bad = s;
			bad.pub[i] ^= 1;
			assert_int_equal(check(m, &bad), PV_E_VERIFY);
			bad = s;
			bad.digest[i / 2] ^= 1;
			assert_int_equal(check(m, &bad), PV_E_VERIFY);
		}
	}
	pv_memo_free(m);
	pv_ec_free(s.key);
}

/* Keys and signatures that were pushed out come back; none answers for another. */
static void
test_many(void **state)
{
	struct pv_memo *m = NULL;
	struct signer s[N];

	(void)state;
	assert_int_equal(pv_memo_new(&m, NULL), 0);
	for (size_t i = 0; i < N; i++)
		make(&s[i], (uint8_t)i);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < N; i++) {
			struct signer mixed = s[i];

			assert_int_equal(check(m, &s[i]), 0);
			assert_int_equal(check(m, &s[i]), 0);
			memcpy(mixed.pub, s[(i + 1) % N].pub, 64);
			assert_int_equal(check(m, &mixed), PV_E_VERIFY);
		}
	}
	for (size_t i = 0; i < N; i++)
		pv_ec_free(s[i].key);
	pv_memo_free(m);
}

/* A key that is no point, and zeros where a free place would match them. */
static void
test_nonsense(void **state)
{
	static const uint8_t zeros[64];
	struct pv_memo *m = NULL;
	struct signer s = { 0 };

	(void)state;
	make(&s, 3);
	assert_int_equal(pv_memo_new(&m, NULL), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    pv_memo_verify(m, zeros, zeros, zeros, NULL), PV_E_VERIFY);
		assert_int_equal(
		    pv_memo_verify(m, zeros, s.digest, s.sig, NULL),
		    PV_E_VERIFY);
		assert_int_equal(
		    pv_memo_verify(m, s.pub, s.digest, zeros, NULL),
		    PV_E_VERIFY);
	}
	assert_int_equal(check(m, &s), 0);
	assert_int_equal(check(NULL, &s), 0);
	s.sig[5] ^= 4;
	assert_int_equal(check(NULL, &s), PV_E_VERIFY);
	pv_memo_free(m);
	pv_memo_free(NULL);
	pv_ec_free(s.key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
