/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Licenses of profile ssp and ecies made inside tokens (hsm/ecies.c): the one
 * of NSS, which shares no code with this program or with SoftHSM2, and SoftHSM2
 * with the mechanisms added (tests/preload). Each call fails once.
 */
#include "hsm/hsm_int.h"

#include "crypto/ec.h"
#include "formats/license_ssp.h"
#include "tests/unit/hsmtest.h"
#include <provisor/ecies.h>

#include <sys/stat.h>

#define NSS_URI "pkcs11:token=NSS%20Generic%20Crypto%20Services"

static const char *const profiles[] = {
	"ssp",
	"ecies",
	"ssp:shared_info=ephemeral",
	"ssp:key_half=high,iv_half=low",
	"ssp:gcm_iv_len=12",
	"ecies:shared_info=ephemeral,key_half=high,iv_half=low,gcm_iv_len=12",
};
#define N_PROFILES (sizeof(profiles) / sizeof(profiles[0]))

/* A module of tests/preload, beside the folder of this program. */
static void
module_path(const char *name, char *dst, size_t cap)
{
	char exe[2048];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	assert_true(n > 0);
	exe[n] = '\0';
	for (int up = 0; up < 2; up++)
		*strrchr(exe, '/') = '\0';
	(void)snprintf(dst, cap, "%s/preload/%s.so", exe, name);
	assert_int_equal(access(dst, R_OK), 0);
}

static struct pv_hsm *
open_module(const char *uri, const char *name)
{
	struct pv_error e = { 0 };
	struct pv_hsm *h = NULL;
	char path[2200];

	module_path(name, path, sizeof(path));
	if (pv_hsm_open(uri, path, softhsm_pin, NULL, &h, &e) != 0)
		fail_msg("%s", e.msg);
	return h;
}

/* --- NSS ---------------------------------------------------------------------- */

static bool
nss_begin(void)
{
	const char *tmp = getenv("SOFTHSM2_CONF"); /* in a folder of ours */
	char dir[600];

	if (tmp == NULL)
		return false;
	(void)snprintf(
	    dir, sizeof(dir), "%.*s/nss", (int)(strrchr(tmp, '/') - tmp), tmp);
	(void)mkdir(dir, 0700);
	return setenv("NSSTOKEN_DIR", dir, 1) == 0;
}

/* pv_hsm_ecies_fault opens what the token sealed with this program's AES. */
static void
test_nss(void **state)
{
	struct pv_hsm *h;

	(void)state;
	if (!nss_begin())
		skip();
	(void)unsetenv("NSSTOKEN_PLAIN");
	h = open_module(NSS_URI, "nsstoken");
	for (size_t i = 0; i < N_PROFILES; i++) {
		struct pv_ecies_profile p;
		const char *why;

		assert_int_equal(pv_ecies_parse(profiles[i], &p, NULL), 0);
		why = pv_hsm_ecies_fault(h, &p);
		if (why != NULL)
			fail_msg("%s: %s", profiles[i], why);
	}
	pv_hsm_close(h);
}

/* NSS alone lists all the mechanisms, but does not wrap with AES-GCM. */
static void
test_nss_plain(void **state)
{
	struct pv_ecies_profile p;
	struct pv_hsm *h;
	const char *why;

	(void)state;
	if (!nss_begin())
		skip();
	assert_int_equal(setenv("NSSTOKEN_PLAIN", "1", 1), 0);
	h = open_module(NSS_URI, "nsstoken");
	assert_int_equal(pv_ecies_parse("ssp", &p, NULL), 0);
	why = pv_hsm_ecies_fault(h, &p);
	assert_non_null(why);
	assert_non_null(strstr(why, "CKM_AES_GCM"));
	assert_non_null(strstr(why, "CKR_MECHANISM_INVALID"));
	pv_hsm_close(h);
	(void)unsetenv("NSSTOKEN_PLAIN");
}

/* --- SoftHSM2 with the mechanisms ---------------------------------------------- */

static struct pv_hsm *
open_soft(void)
{
	struct pv_hsm *h = open_module(URI, "p11ecies");
	int r = pv_hsm_generate(h, PV_KEY_AES128, "fw", NULL, NULL);

	assert_true(r == 0 || r == PV_E_EXISTS);
	return h;
}

static int
one_license(struct pv_hsm *h, const char *profile, struct pv_ec_key *chip,
    struct pv_secret **ret_secret, struct pv_error *e)
{
	static const uint8_t iv[16] = "0123456789abcdef";
	struct pv_ssp_license l = { .version = 1, .type = PV_SSP_TYPE_STATIC };
	uint8_t data[PV_SSP_LICENSE], pub[64];
	struct pv_ecies_profile p;
	struct pv_ecies s = { 0 };
	int r;

	assert_int_equal(pv_ec_public(chip, pub, NULL), 0);
	assert_int_equal(pv_ecies_parse(profile, &p, NULL), 0);
	if ((r = pv_hsm_ecies(h, "pkcs11:object=fw", &p, &s, e)) == 0) {
		assert_true(s.resident);
		r = s.ephemeral(s.ctx, l.ephemeral, e);
	}
	if (r == 0)
		r = pv_ssp_license_encode_header(&l, data, e);
	if (r == 0)
		r = s.seal(s.ctx, &p, pub, data, iv, l.encrypted, l.tag, e);
	pv_ecies_release(&s);
	if (r != 0)
		return r;
	assert_int_equal(pv_ssp_license_encode(&l, data, NULL), 0);
	assert_int_equal(
	    pv_ecies_open(&p, chip, data, sizeof(data), ret_secret, NULL), 0);
	assert_memory_equal(pv_secret_bytes(*ret_secret), iv, 16);
	return 0;
}

/* Every profile carries the key that the host gets out of the token. */
static void
test_same_as_host(void **state)
{
	struct pv_key_source source = { 0 };
	struct pv_secret *key = NULL;
	struct pv_ec_key *chip = NULL;
	struct pv_hsm *h;

	(void)state;
	need_softhsm();
	h = open_soft();
	assert_int_equal(pv_ec_generate(&chip, NULL), 0);
	assert_int_equal(
	    pv_hsm_key_source(h, "pkcs11:object=fw", &source, NULL), 0);
	assert_int_equal(source.bytes(source.ctx, &key, NULL), 0);
	for (size_t i = 0; i < N_PROFILES; i++) {
		struct pv_secret *plain = NULL;
		struct pv_error e = { 0 };

		if (one_license(h, profiles[i], chip, &plain, &e) != 0)
			fail_msg("%s: %s", profiles[i], e.msg);
		assert_memory_equal(
		    pv_secret_bytes(plain) + 16, pv_secret_bytes(key), 16);
		pv_secret_free(plain);
	}
	pv_secret_free(key);
	pv_key_source_release(&source);
	pv_ec_free(chip);
	pv_hsm_close(h);
}

/* --- faults ---------------------------------------------------------------------- */

static CK_FUNCTION_LIST real, fake;
static int countdown; /* 1: the next call fails; 0: none does */

static CK_RV
hit(void)
{
	return countdown > 0 && --countdown == 0 ? CKR_DEVICE_ERROR : CKR_OK;
}

#define FAULTY(name, params, args)                         \
	static CK_RV fake_##name params                    \
	{                                                  \
		CK_RV rv = hit();                          \
		return rv != CKR_OK ? rv : real.name args; \
	}

FAULTY(C_GenerateKeyPair,
    (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *a, CK_ULONG n,
	CK_ATTRIBUTE *b, CK_ULONG k, CK_OBJECT_HANDLE *p, CK_OBJECT_HANDLE *q),
    (s, m, a, n, b, k, p, q))
FAULTY(C_GenerateKey,
    (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *a, CK_ULONG n,
	CK_OBJECT_HANDLE *o),
    (s, m, a, n, o))
FAULTY(C_GetAttributeValue,
    (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n),
    (s, o, a, n))
FAULTY(C_DeriveKey,
    (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE b, CK_ATTRIBUTE *a,
	CK_ULONG n, CK_OBJECT_HANDLE *k),
    (s, m, b, a, n, k))
FAULTY(C_WrapKey,
    (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE w,
	CK_OBJECT_HANDLE k, CK_BYTE *d, CK_ULONG *n),
    (s, m, w, k, d, n))

/* What is made and what is destroyed must balance. */
static int alive;

static CK_RV
count_DeriveKey(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE b,
    CK_ATTRIBUTE *a, CK_ULONG n, CK_OBJECT_HANDLE *k)
{
	CK_RV rv = fake_C_DeriveKey(s, m, b, a, n, k);

	alive += rv == CKR_OK;
	return rv;
}

static CK_RV
count_GenerateKeyPair(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *a,
    CK_ULONG n, CK_ATTRIBUTE *b, CK_ULONG k, CK_OBJECT_HANDLE *p,
    CK_OBJECT_HANDLE *q)
{
	CK_RV rv = fake_C_GenerateKeyPair(s, m, a, n, b, k, p, q);

	alive += rv == CKR_OK ? 2 : 0;
	return rv;
}

static CK_RV
count_GenerateKey(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *a,
    CK_ULONG n, CK_OBJECT_HANDLE *o)
{
	CK_RV rv = fake_C_GenerateKey(s, m, a, n, o);

	alive += rv == CKR_OK;
	return rv;
}

static CK_RV
count_DestroyObject(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o)
{
	alive--;
	return real.C_DestroyObject(s, o);
}

static void
test_faults(void **state)
{
	struct pv_ec_key *chip = NULL;
	CK_FUNCTION_LIST_PTR original;
	struct pv_hsm *h;
	int n = 0, failed = 0, left = 0;

	(void)state;
	need_softhsm();
	h = open_soft();
	assert_int_equal(pv_ec_generate(&chip, NULL), 0);
	original = h->f;
	real = fake = *original;
	fake.C_GenerateKeyPair = count_GenerateKeyPair;
	fake.C_GenerateKey = count_GenerateKey;
	fake.C_GetAttributeValue = fake_C_GetAttributeValue;
	fake.C_DeriveKey = count_DeriveKey;
	fake.C_WrapKey = fake_C_WrapKey;
	fake.C_DestroyObject = count_DestroyObject;
	h->f = &fake;
	do {
		struct pv_secret *plain = NULL;
		struct pv_error e = { 0 };
		int r;

		alive = 0;
		countdown = ++n;
		r = one_license(h, "ssp", chip, &plain, &e);
		left = countdown;
		countdown = 0;
		if (r != 0) {
			failed++;
			assert_true(r == PV_E_HSM || r == PV_E_UNSUPPORTED);
			assert_true(e.msg[0] != '\0');
		}
		pv_secret_free(plain);
		assert_int_equal(alive, 0);
	} while (left == 0 && n < 200);
	/* Of about forty calls most are essential; a derivation that fails
	 * once is tried in the other way and succeeds. */
	assert_true(failed >= 10);
	assert_true(n < 200);
	h->f = original;
	pv_ec_free(chip);
	pv_hsm_close(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nss),
		cmocka_unit_test(test_nss_plain),
		cmocka_unit_test(test_same_as_host),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
