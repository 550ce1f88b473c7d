/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens that fail or misbehave: the functions of a real module (SoftHSM2)
 * with some of them replaced. Every call of an operation fails once; no key
 * may be left behind, no note may be lost.
 */
#include "hsm/hsm_int.h"

#include "crypto/ec.h"
#include "tests/softhsm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define OEM  "pkcs11:token=oem;object=oem"
#define SIGN "pkcs11:token=oem;object=sign"

static struct softhsm soft;
static CK_FUNCTION_LIST real, fake;
static int countdown; /* 1: the next call fails; 0: none does */
static CK_RV fault;
static int derive_calls;

static CK_RV
hit(void)
{
	if (countdown > 0 && --countdown == 0)
		return fault;
	return CKR_OK;
}

/* A replaced function: fails when its turn has come, else goes through. */
#define FAULTY(name, params, args)      \
	static CK_RV fake_##name params \
	{                               \
		CK_RV rv = hit();       \
		if (rv != CKR_OK)       \
			return rv;      \
		return real.name args;  \
	}

FAULTY(C_OpenSession,
    (CK_SLOT_ID s, CK_FLAGS f, void *a, CK_NOTIFY n, CK_SESSION_HANDLE *h),
    (s, f, a, n, h))
FAULTY(C_FindObjectsInit, (CK_SESSION_HANDLE s, CK_ATTRIBUTE *a, CK_ULONG n),
    (s, a, n))
FAULTY(C_FindObjects,
    (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *o, CK_ULONG m, CK_ULONG *n),
    (s, o, m, n))
FAULTY(C_GetAttributeValue,
    (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n),
    (s, o, a, n))
FAULTY(C_CreateObject,
    (CK_SESSION_HANDLE s, CK_ATTRIBUTE *a, CK_ULONG n, CK_OBJECT_HANDLE *o),
    (s, a, n, o))
FAULTY(C_SetAttributeValue,
    (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n),
    (s, o, a, n))
FAULTY(C_GenerateKeyPair,
    (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *a, CK_ULONG n,
	CK_ATTRIBUTE *b, CK_ULONG k, CK_OBJECT_HANDLE *p, CK_OBJECT_HANDLE *q),
    (s, m, a, n, b, k, p, q))
FAULTY(C_WrapKey,
    (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE w,
	CK_OBJECT_HANDLE k, CK_BYTE *d, CK_ULONG *n),
    (s, m, w, k, d, n))
FAULTY(C_SignInit, (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE k),
    (s, m, k))
FAULTY(C_EncryptInit,
    (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE k), (s, m, k))
FAULTY(C_DecryptInit,
    (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE k), (s, m, k))
FAULTY(C_EncryptUpdate,
    (CK_SESSION_HANDLE s, CK_BYTE *i, CK_ULONG l, CK_BYTE *o, CK_ULONG *n),
    (s, i, l, o, n))
FAULTY(C_DecryptUpdate,
    (CK_SESSION_HANDLE s, CK_BYTE *i, CK_ULONG l, CK_BYTE *o, CK_ULONG *n),
    (s, i, l, o, n))
FAULTY(
    C_EncryptFinal, (CK_SESSION_HANDLE s, CK_BYTE *o, CK_ULONG *n), (s, o, n))
FAULTY(
    C_DecryptFinal, (CK_SESSION_HANDLE s, CK_BYTE *o, CK_ULONG *n), (s, o, n))

static CK_RV
fake_C_Sign(
    CK_SESSION_HANDLE s, CK_BYTE *d, CK_ULONG l, CK_BYTE *o, CK_ULONG *n)
{
	CK_RV rv = hit();

	/* A failed C_Sign ends the operation; so must the fake's. */
	if (real.C_Sign(s, d, l, o, n) != CKR_OK)
		return CKR_FUNCTION_FAILED;
	return rv;
}

static CK_RV
fake_C_DeriveKey(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE b,
    CK_ATTRIBUTE *a, CK_ULONG n, CK_OBJECT_HANDLE *k)
{
	CK_RV rv = hit();

	derive_calls++;
	return rv != CKR_OK ? rv : real.C_DeriveKey(s, m, b, a, n, k);
}

/* The object goes even when the token then reports trouble. */
static CK_RV
fake_C_DestroyObject(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o)
{
	CK_RV rv = hit();
	CK_RV done = real.C_DestroyObject(s, o);

	return rv != CKR_OK ? rv : done;
}

static void
fit_fakes(struct pv_hsm *h)
{
	real = *h->f;
	fake = real;
#define FIT(name) fake.name = fake_##name
	FIT(C_OpenSession);
	FIT(C_FindObjectsInit);
	FIT(C_FindObjects);
	FIT(C_GetAttributeValue);
	FIT(C_CreateObject);
	FIT(C_SetAttributeValue);
	FIT(C_DestroyObject);
	FIT(C_GenerateKeyPair);
	FIT(C_DeriveKey);
	FIT(C_WrapKey);
	FIT(C_SignInit);
	FIT(C_Sign);
	FIT(C_EncryptInit);
	FIT(C_DecryptInit);
	FIT(C_EncryptUpdate);
	FIT(C_DecryptUpdate);
	FIT(C_EncryptFinal);
	FIT(C_DecryptFinal);
}

/* An open token whose calls go through the fakes; shut() puts it back. */
static CK_FUNCTION_LIST_PTR original;

static struct pv_hsm *
open_faulty(void)
{
	struct pv_error e = { 0 };
	struct pv_hsm *h = NULL;

	if (pv_hsm_open("pkcs11:token=oem", NULL, softhsm_pin, NULL, &h, &e))
		fail_msg("%s", e.msg);
	original = h->f;
	fit_fakes(h);
	h->f = &fake;
	countdown = 0;
	fault = CKR_DEVICE_ERROR;
	return h;
}

static void
shut(struct pv_hsm *h)
{
	countdown = 0;
	h->f = original;
	pv_hsm_close(h);
}

static size_t
count_session_objects(struct pv_hsm *h)
{
	CK_OBJECT_HANDLE objs[64];
	struct pv_tpl t;
	size_t n = 0;

	pv_tpl_init(&t);
	pv_tpl_bool(&t, CKA_TOKEN, false);
	assert_int_equal(pv_find(h, &t, objs, 64, &n, NULL), 0);
	return n;
}

static int
setup(void **state)
{
	struct pv_error e = { 0 };
	struct pv_hsm *h = NULL;
	int r;

	(void)state;
	if (!softhsm_start(&soft))
		return getenv("CI") != NULL ? -1 : 0;
	if (!softhsm_token("oem") ||
	    pv_hsm_open("pkcs11:token=oem", NULL, softhsm_pin, NULL, &h, &e))
		return -1;
	r = pv_hsm_generate(h, PV_KEY_AES128, "oem", NULL, &e);
	if (r == 0)
		r = pv_hsm_generate(h, PV_KEY_EC_P256, "sign", NULL, &e);
	pv_hsm_close(h);
	return r;
}

static int
teardown(void **state)
{
	(void)state;
	softhsm_stop(&soft);
	return 0;
}

static void
need_softhsm(void)
{
	if (getenv("SOFTHSM2_CONF") == NULL)
		skip();
}

static void
chip_key(struct pv_ec_key **ret_k, uint8_t pub[64])
{
	assert_int_equal(pv_ec_generate(ret_k, NULL), 0);
	assert_int_equal(pv_ec_public(*ret_k, pub, NULL), 0);
}

static int
one_license(struct pv_hsm *h, const uint8_t chip[64], struct pv_error *e)
{
	static const uint8_t context[32] = "context";
	struct pv_wrapper w = { 0 };
	uint8_t eph[64], wrapped[40];
	size_t len = sizeof(wrapped);
	int r;

	if ((r = pv_hsm_wrapper(h, OEM, &w, e)) == 0 &&
	    (r = w.ephemeral(w.ctx, eph, e)) == 0)
		r = w.wrap(w.ctx, chip, context, wrapped, &len, e);
	pv_wrapper_release(&w);
	return r;
}

static void
test_wrapper_faults(void **state)
{
	struct pv_ec_key *k = NULL;
	uint8_t chip[64];
	struct pv_hsm *h;
	int n = 0, failed = 0, left = 0;

	(void)state;
	need_softhsm();
	chip_key(&k, chip);
	h = open_faulty();
	do {
		struct pv_error e = { 0 };
		int r;

		countdown = ++n;
		r = one_license(h, chip, &e);
		left = countdown;
		countdown = 0;
		/* A call that is retried or not essential may hide a fault,
		 * but whatever came, nothing secret stays. */
		if (r != 0) {
			failed++;
			assert_true(r == PV_E_HSM || r == PV_E_NO_KEY);
			assert_true(e.msg[0] != '\0');
		}
		assert_int_equal(count_session_objects(h), 0);
	} while (left == 0 && n < 200);
	assert_true(failed >= 6);
	assert_true(n < 200);
	assert_int_equal(one_license(h, chip, NULL), 0);
	shut(h);
	pv_ec_free(k);
}

/* After a fault anywhere in a write: the old note, or the new one. */
static void
test_anchor_faults(void **state)
{
	struct pv_error e = { 0 };
	uint8_t note[16] = { 0 }, got[PV_ANCHOR_MAX];
	struct pv_hsm *h;
	int n = 0, left, failed = 0;

	(void)state;
	need_softhsm();
	h = open_faulty();
	do {
		struct pv_anchor a = { 0 };
		uint8_t before = note[7];
		size_t len = sizeof(got);
		int r;

		assert_int_equal(pv_hsm_anchor(h, "faults", &a, &e), 0);
		note[7]++;
		countdown = ++n;
		r = a.write(a.ctx, note, sizeof(note), &e);
		left = countdown;
		countdown = 0;
		pv_anchor_release(&a);
		if (r != 0)
			failed++;
		assert_int_equal(pv_hsm_anchor(h, "faults", &a, &e), 0);
		r = a.read(a.ctx, got, &len, &e);
		if (before != 0 || r != PV_E_NOT_FOUND) {
			assert_int_equal(r, 0);
			assert_true(got[7] == before || got[7] == note[7]);
			note[7] = got[7];
		} else {
			note[7] = 0;
		}
		pv_anchor_release(&a);
	} while (left == 0 && n < 100);
	assert_true(failed >= 3);
	assert_true(n < 100);
	shut(h);
}

/* A token that makes objects but does not change them. */
static CK_RV
no_change(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n)
{
	(void)s;
	(void)o;
	(void)a;
	(void)n;
	return CKR_ACTION_PROHIBITED;
}

/* What SoftHSM2 leaves of a value when it dies within a write. */
static CK_RV
torn_change(
    CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n)
{
	CK_ATTRIBUTE empty = { .type = a->type, .pValue = a->pValue };

	assert_int_equal(real.C_SetAttributeValue(s, o, &empty, n), CKR_OK);
	return CKR_DEVICE_ERROR;
}

static void
test_anchor_changes(void **state)
{
	struct pv_error e = { 0 };
	uint8_t note[16] = { 0 }, got[PV_ANCHOR_MAX];
	struct pv_anchor a = { 0 };
	struct pv_hsm *h;

	(void)state;
	need_softhsm();
	h = open_faulty();
	assert_int_equal(pv_hsm_anchor(h, "changes", &a, &e), 0);
	for (int i = 1; i <= 20; i++) {
		size_t len = sizeof(got);
		bool torn = i == 5 || i == 6 || i == 12;

		fake.C_SetAttributeValue = torn	    ? torn_change
					   : i > 15 ? no_change
						    : fake_C_SetAttributeValue;
		note[7]++;
		assert_int_equal(a.write(a.ctx, note, sizeof(note), &e),
		    torn ? PV_E_HSM : 0);
		/* A torn write loses nothing but itself. */
		if (torn)
			note[7]--;
		assert_int_equal(a.read(a.ctx, got, &len, &e), 0);
		assert_int_equal(len, sizeof(note));
		assert_memory_equal(got, note, len);
	}
	fake.C_SetAttributeValue = fake_C_SetAttributeValue;
	pv_anchor_release(&a);
	shut(h);
}

static int
seal_once(struct pv_hsm *h, struct pv_error *e)
{
	static const uint8_t iv[12] = "NONCE_TEST01";
	uint8_t text[100] = "plain", out[164], back[164], tag[16], id[32];
	struct pv_sealer s = { 0 };
	size_t n, m = 0;
	int r;

	if ((r = pv_hsm_sealer(h, OEM, &s, e)) != 0 ||
	    (r = s.key_id(s.ctx, id, e)) != 0 ||
	    (r = s.begin(s.ctx, false, iv, 12, "aad", 3, e)) != 0 ||
	    (r = s.update(s.ctx, text, 100, out, 100, &n, e)) != 0 ||
	    (r = s.finish(s.ctx, tag, out + n, 100 - n, &m, e)) != 0 ||
	    (r = s.begin(s.ctx, true, iv, 12, "aad", 3, e)) != 0 ||
	    (r = s.update(s.ctx, out, 100, back, 100, &n, e)) != 0 ||
	    (r = s.finish(s.ctx, tag, back + n, 100 - n, &m, e)) != 0)
		goto out;
	assert_int_equal(n + m, 100);
	assert_memory_equal(back, text, 100);
out:
	pv_sealer_release(&s);
	return r;
}

static void
test_sealer_faults(void **state)
{
	struct pv_hsm *h;
	int n = 0, left, failed = 0;

	(void)state;
	need_softhsm();
	h = open_faulty();
	do {
		struct pv_error e = { 0 };
		int r;

		countdown = ++n;
		r = seal_once(h, &e);
		left = countdown;
		countdown = 0;
		if (r != 0) {
			failed++;
			assert_true(r == PV_E_HSM || r == PV_E_NO_KEY);
		}
		/* An operation left open must not stop the next. */
		assert_int_equal(seal_once(h, &e), 0);
	} while (left == 0 && n < 100);
	assert_true(failed >= 8);
	assert_true(n < 100);
	shut(h);
}

static int
sign_once(struct pv_hsm *h, struct pv_error *e)
{
	uint8_t digest[32] = "digest", sig[64], pub[64];
	struct pv_signer s = { 0 };
	int r;

	if ((r = pv_hsm_signer(h, SIGN, &s, e)) != 0 ||
	    (r = s.public_key(s.ctx, pub, e)) != 0 ||
	    (r = s.sign(s.ctx, digest, sig, e)) != 0)
		goto out;
	assert_int_equal(pv_ecdsa_verify(pub, digest, sig, e), 0);
out:
	pv_signer_release(&s);
	return r;
}

static void
test_signer_faults(void **state)
{
	struct pv_hsm *h;
	int n = 0, left, failed = 0;

	(void)state;
	need_softhsm();
	h = open_faulty();
	fault = CKR_DEVICE_REMOVED;
	do {
		struct pv_error e = { 0 };
		int r;

		countdown = ++n;
		r = sign_once(h, &e);
		left = countdown;
		countdown = 0;
		if (r != 0) {
			failed++;
			assert_int_equal(pv_exit_code(r), 6);
			if (r == PV_E_HSM) {
				assert_non_null(
				    strstr(e.msg, "CKR_DEVICE_REMOVED"));
				assert_non_null(strstr(e.hint, "went away"));
				assert_int_equal(
				    e.vendor_code, CKR_DEVICE_REMOVED);
			}
		}
		assert_int_equal(sign_once(h, &e), 0);
	} while (left == 0 && n < 100);
	assert_true(failed >= 5);
	assert_true(n < 100);
	shut(h);
}

/* --- modules with habits of their own --------------------------------------- */

static CK_RV
der_only_derive(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE b,
    CK_ATTRIBUTE *a, CK_ULONG n, CK_OBJECT_HANDLE *k)
{
	const CK_ECDH1_DERIVE_PARAMS *p = m->pParameter;

	derive_calls++;
	if (m->mechanism == CKM_ECDH1_DERIVE && p->ulPublicDataLen != 67)
		return CKR_MECHANISM_PARAM_INVALID;
	return real.C_DeriveKey(s, m, b, a, n, k);
}

static void
test_der_only_module(void **state)
{
	static const uint8_t context[32] = "context";
	uint8_t chip[64], eph[64], wrapped[40];
	struct pv_ec_key *k = NULL;
	struct pv_wrapper w = { 0 };
	struct pv_error e = { 0 };
	struct pv_hsm *h;

	(void)state;
	need_softhsm();
	chip_key(&k, chip);
	h = open_faulty();
	fake.C_DeriveKey = der_only_derive;
	assert_int_equal(pv_hsm_wrapper(h, OEM, &w, &e), 0);
	for (int i = 0; i < 2; i++) {
		size_t len = sizeof(wrapped);

		derive_calls = 0;
		assert_int_equal(w.ephemeral(w.ctx, eph, &e), 0);
		assert_int_equal(
		    w.wrap(w.ctx, chip, context, wrapped, &len, &e), 0);
		/* Tried in vain once, remembered after. */
		assert_int_equal(derive_calls, i == 0 ? 3 : 2);
	}
	pv_wrapper_release(&w);
	shut(h);
	pv_ec_free(k);
}

/* CKA_EC_POINT as some modules give it: without the OCTET STRING. */
static CK_RV
bare_point_get(
    CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n)
{
	CK_RV rv = real.C_GetAttributeValue(s, o, a, n);

	if (rv == CKR_OK && n == 1 && a[0].type == CKA_EC_POINT &&
	    a[0].ulValueLen == 67) {
		CK_BYTE *p = a[0].pValue;

		memmove(p, p + 2, 65);
		a[0].ulValueLen = 65;
	}
	return rv;
}

static CK_RV
long_value_get(
    CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n)
{
	CK_RV rv = real.C_GetAttributeValue(s, o, a, n);

	if (rv == CKR_OK && n == 1 && a[0].type == CKA_EC_POINT)
		a[0].ulValueLen += 4096;
	return rv;
}

static CK_RV
eager_find(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *o, CK_ULONG m, CK_ULONG *n)
{
	CK_RV rv = real.C_FindObjects(s, o, m, n);

	*n = m + 1;
	return rv;
}

static CK_RV
short_sign(CK_SESSION_HANDLE s, CK_BYTE *d, CK_ULONG l, CK_BYTE *o, CK_ULONG *n)
{
	CK_RV rv = real.C_Sign(s, d, l, o, n);

	*n = 63;
	return rv;
}

static CK_RV
long_wrap(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE w,
    CK_OBJECT_HANDLE k, CK_BYTE *d, CK_ULONG *n)
{
	CK_RV rv = real.C_WrapKey(s, m, w, k, d, n);

	*n = 40;
	return rv;
}

static void
test_odd_modules(void **state)
{
	struct pv_ec_key *k = NULL;
	struct pv_error e = { 0 };
	uint8_t chip[64];
	struct pv_hsm *h;

	(void)state;
	need_softhsm();
	chip_key(&k, chip);
	h = open_faulty();
	fake.C_GetAttributeValue = bare_point_get;
	assert_int_equal(sign_once(h, &e), 0);
	assert_int_equal(one_license(h, chip, &e), 0);
	fake.C_GetAttributeValue = long_value_get;
	assert_int_equal(sign_once(h, &e), PV_E_HSM);
	assert_int_equal(one_license(h, chip, &e), PV_E_HSM);
	fake.C_GetAttributeValue = fake_C_GetAttributeValue;
	fake.C_FindObjects = eager_find;
	assert_int_equal(sign_once(h, &e), PV_E_HSM);
	fake.C_FindObjects = fake_C_FindObjects;
	fake.C_Sign = short_sign;
	assert_int_equal(sign_once(h, &e), PV_E_HSM);
	assert_non_null(strstr(e.msg, "63 bytes"));
	fake.C_WrapKey = long_wrap;
	assert_int_equal(one_license(h, chip, &e), PV_E_HSM);
	assert_non_null(strstr(e.msg, "40 bytes"));
	assert_int_equal(count_session_objects(h), 0);
	shut(h);
	pv_ec_free(k);
}

/* A token without a mechanism: named, not tried. */
static void
test_missing_mechanisms(void **state)
{
	static const struct {
		CK_MECHANISM_TYPE mech;
		const char *name;
	} lacks[] = {
		{ CKM_EC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN" },
		{ CKM_ECDH1_DERIVE, "CKM_ECDH1_DERIVE" },
		{ CKM_AES_ECB_ENCRYPT_DATA, "CKM_AES_ECB_ENCRYPT_DATA" },
		{ CKM_AES_KEY_WRAP, "CKM_AES_KEY_WRAP" },
		{ CKM_AES_ECB, "CKM_AES_ECB" },
		{ CKM_AES_GCM, "CKM_AES_GCM" },
		{ CKM_ECDSA, "CKM_ECDSA" },
	};
	struct pv_ec_key *k = NULL;
	uint8_t chip[64];
	struct pv_hsm *h;

	(void)state;
	need_softhsm();
	chip_key(&k, chip);
	for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
		struct pv_error e = { 0 };
		int r;

		h = open_faulty();
		for (CK_ULONG m = 0; m < h->n_mechs; m++)
			if (h->mechs[m] == lacks[i].mech)
				h->mechs[m] = CKM_VENDOR_DEFINED;
		r = i < 4   ? one_license(h, chip, &e)
		    : i < 6 ? seal_once(h, &e)
			    : sign_once(h, &e);
		assert_int_equal(r, i == 4 ? PV_E_UNSUPPORTED : PV_E_HSM);
		if (strstr(e.msg, lacks[i].name) == NULL)
			fail_msg("'%s' lacks %s", e.msg, lacks[i].name);
		shut(h);
	}
	pv_ec_free(k);
}

static CK_OBJECT_HANDLE
object(struct pv_hsm *h, CK_OBJECT_CLASS cls, const char *label)
{
	CK_OBJECT_HANDLE o = CK_INVALID_HANDLE;
	struct pv_tpl t;
	size_t n = 0;

	pv_tpl_init(&t);
	pv_tpl_ulong(&t, CKA_CLASS, cls);
	pv_tpl_bytes(&t, CKA_LABEL, label, strlen(label));
	assert_int_equal(pv_find(h, &t, &o, 1, &n, NULL), 0);
	assert_int_equal(n, 1);
	return o;
}

/* Another key's public half under this key's id: no signature may be made. */
static void
test_mixed_pair(void **state)
{
	struct pv_signer s = { 0 };
	struct pv_error e = { 0 };
	uint8_t id[16];
	size_t len = sizeof(id);
	struct pv_tpl t;
	struct pv_hsm *h;

	(void)state;
	need_softhsm();
	h = open_faulty();
	assert_int_equal(
	    pv_hsm_generate(h, PV_KEY_EC_P256, "mix a", NULL, &e), 0);
	assert_int_equal(
	    pv_hsm_generate(h, PV_KEY_EC_P256, "mix b", NULL, &e), 0);
	assert_int_equal(pv_attr_bytes(h, object(h, CKO_PRIVATE_KEY, "mix a"),
			     CKA_ID, id, &len),
	    CKR_OK);
	assert_int_equal(h->f->C_DestroyObject(
			     h->session, object(h, CKO_PUBLIC_KEY, "mix a")),
	    CKR_OK);
	assert_int_equal(
	    pv_hsm_signer(h, "pkcs11:object=mix%20a", &s, &e), PV_E_NO_KEY);
	assert_non_null(strstr(e.msg, "public half"));
	pv_tpl_init(&t);
	pv_tpl_bytes(&t, CKA_ID, id, len);
	assert_int_equal(h->f->C_SetAttributeValue(h->session,
			     object(h, CKO_PUBLIC_KEY, "mix b"), t.a, t.n),
	    CKR_OK);
	assert_int_equal(
	    pv_hsm_signer(h, "pkcs11:object=mix%20a", &s, &e), PV_E_HSM);
	assert_non_null(strstr(e.msg, "does not belong"));
	/* Nor may one half of each be destroyed as if they were a pair. */
	assert_int_equal(
	    pv_hsm_destroy(h, "pkcs11:object=mix%20b", &e), PV_E_NO_KEY);
	shut(h);
}

static void
test_codes(void **state)
{
	struct pv_error e = { 0 };

	(void)state;
	assert_string_equal(pv_ckr_name(CKR_PIN_LOCKED), "CKR_PIN_LOCKED");
	assert_null(pv_ckr_name(0x80001234));
	assert_int_equal(pv_ck_fail(&e, 0x80001234, "x"), PV_E_HSM);
	assert_string_equal(e.msg, "x: vendor code 0x80001234");
	assert_int_equal(pv_ck_fail(&e, 0x7777, "x"), PV_E_HSM);
	assert_string_equal(e.msg, "x: CK_RV 0x7777");
	assert_int_equal(pv_ck_fail(&e, CKR_PIN_LOCKED, "x"), PV_E_PIN);
	assert_int_equal(
	    pv_ck_fail(&e, CKR_SESSION_HANDLE_INVALID, "x"), PV_E_HSM);
	assert_non_null(strstr(e.hint, "went away"));
}

static void
test_ec_points(void **state)
{
	const struct pv_curve *p256 = pv_curve_by_name("ec-p256");
	const struct pv_curve *ed = pv_curve_by_name("ed25519");
	uint8_t in[70] = { 0x04, 0x41, 0x04 }, out[64];

	(void)state;
	for (size_t i = 3; i < 67; i++)
		in[i] = (uint8_t)i;
	assert_int_equal(pv_ec_point_parse(p256, in, 67, out, NULL), 0);
	assert_memory_equal(out, in + 3, 64);
	assert_int_equal(pv_ec_point_parse(p256, in + 2, 65, out, NULL), 0);
	assert_memory_equal(out, in + 3, 64);
	for (size_t len = 0; len <= sizeof(in); len++)
		if (len != 67 && len != 65) /* 65: a bare point by chance */
			assert_int_equal(
			    pv_ec_point_parse(p256, in, len, out, NULL),
			    PV_E_MALFORMED);
	in[2] = 0x02; /* compressed */
	assert_int_equal(
	    pv_ec_point_parse(p256, in, 67, out, NULL), PV_E_MALFORMED);
	in[2] = 0x04;
	in[1] = 0x40;
	assert_int_equal(
	    pv_ec_point_parse(p256, in, 67, out, NULL), PV_E_MALFORMED);
	in[1] = 0x20;
	assert_int_equal(pv_ec_point_parse(ed, in, 34, out, NULL), 0);
	assert_memory_equal(out, in + 2, 32);
	assert_int_equal(pv_ec_point_parse(ed, in + 2, 32, out, NULL), 0);
	assert_memory_equal(out, in + 2, 32);
	assert_null(pv_curve_by_params(in, 10));
	assert_null(pv_curve_by_name("ec-p521"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_ec_points),
		cmocka_unit_test(test_wrapper_faults),
		cmocka_unit_test(test_anchor_faults),
		cmocka_unit_test(test_anchor_changes),
		cmocka_unit_test(test_sealer_faults),
		cmocka_unit_test(test_signer_faults),
		cmocka_unit_test(test_der_only_module),
		cmocka_unit_test(test_odd_modules),
		cmocka_unit_test(test_missing_mechanisms),
		cmocka_unit_test(test_mixed_pair),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
