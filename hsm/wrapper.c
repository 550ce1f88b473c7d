/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secret steps of a resident license (formats/license.md), all of them
 * inside the token: what leaves it is the ephemeral public key and the
 * wrapped OEM key.
 */
#include "hsm_int.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define NONE CK_INVALID_HANDLE

struct wrapper {
	struct pv_hsm *hsm;
	CK_OBJECT_HANDLE oem;
	size_t wrapped_len; /* key length + 8, RFC 3394 */
	CK_OBJECT_HANDLE eph;
	bool der_point; /* this module wants the peer's point in DER */
};

/* Session objects that hold a secret must not outlive their use. */
static void
destroy(const struct wrapper *w, CK_OBJECT_HANDLE *obj)
{
	CK_RV rv;

	if (*obj == NONE)
		return;
	rv = w->hsm->f->C_DestroyObject(w->hsm->session, *obj);
	/* With the session gone the object is gone too. */
	if (rv != CKR_OK && !pv_ck_gone(rv))
		pv_log(PV_LOG_WARN,
		    "token '%s': destroying a session key: CK_RV 0x%lx",
		    w->hsm->shown, rv);
	*obj = NONE;
}

static int
wrapper_ephemeral(void *ctx, uint8_t ret_pub[64], struct pv_error *e)
{
	struct wrapper *w = ctx;
	const struct pv_curve *p256 = pv_curve_by_name("ec-p256");
	CK_MECHANISM mech = { .mechanism = CKM_EC_KEY_PAIR_GEN };
	CK_OBJECT_HANDLE pub = NONE;
	struct pv_tpl tpub, tpriv;
	CK_RV rv;
	int r;

	destroy(w, &w->eph);
	pv_tpl_init(&tpub);
	pv_tpl_bytes(&tpub, CKA_EC_PARAMS, p256->params, p256->params_len);
	pv_tpl_bool(&tpub, CKA_TOKEN, false);
	pv_tpl_bool(&tpub, CKA_PRIVATE, false);
	pv_tpl_init(&tpriv);
	pv_tpl_bool(&tpriv, CKA_TOKEN, false);
	pv_tpl_bool(&tpriv, CKA_PRIVATE, true);
	pv_tpl_bool(&tpriv, CKA_SENSITIVE, true);
	pv_tpl_bool(&tpriv, CKA_EXTRACTABLE, false);
	pv_tpl_bool(&tpriv, CKA_DERIVE, true);
	pv_tpl_bool(&tpriv, CKA_SIGN, false);
	rv = w->hsm->f->C_GenerateKeyPair(w->hsm->session, &mech, tpub.a,
	    tpub.n, tpriv.a, tpriv.n, &pub, &w->eph);
	if (rv != CKR_OK) {
		w->eph = NONE;
		return pv_ck_fail(e, rv,
		    "making an ephemeral key in token '%s'", w->hsm->shown);
	}
	r = pv_key_point(w->hsm, pub, p256, ret_pub, e);
	destroy(w, &pub);
	if (r != 0)
		destroy(w, &w->eph);
	return r;
}

/* What Z and the KEK have in common: AES-256, never leaving, one use. */
static void
derived_template(struct pv_tpl *t, CK_ATTRIBUTE_TYPE use)
{
	static const CK_ATTRIBUTE_TYPE uses[] = { CKA_DERIVE, CKA_WRAP,
		CKA_UNWRAP, CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY };

	pv_tpl_init(t);
	pv_tpl_ulong(t, CKA_CLASS, CKO_SECRET_KEY);
	pv_tpl_ulong(t, CKA_KEY_TYPE, CKK_AES);
	pv_tpl_ulong(t, CKA_VALUE_LEN, 32);
	pv_tpl_bool(t, CKA_TOKEN, false);
	pv_tpl_bool(t, CKA_PRIVATE, true);
	pv_tpl_bool(t, CKA_SENSITIVE, true);
	pv_tpl_bool(t, CKA_EXTRACTABLE, false);
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		pv_tpl_bool(t, uses[i], uses[i] == use);
}

static CK_RV
derive_z(struct wrapper *w, const uint8_t chip_pub[64], bool der,
    CK_OBJECT_HANDLE *ret_z)
{
	/* DER OCTET STRING around 0x04, X, Y; the bare point is its tail. */
	uint8_t point[67] = { 0x04, 0x41, 0x04 };
	CK_ECDH1_DERIVE_PARAMS params = {
		.kdf = CKD_NULL,
		.pPublicData = der ? point : point + 2,
		.ulPublicDataLen = der ? 67 : 65,
	};
	CK_MECHANISM mech = { CKM_ECDH1_DERIVE, &params, sizeof(params) };
	struct pv_tpl t;

	memcpy(point + 3, chip_pub, 64);
	derived_template(&t, CKA_DERIVE);
	return w->hsm->f->C_DeriveKey(
	    w->hsm->session, &mech, w->eph, t.a, t.n, ret_z);
}

static int
ecdh(struct wrapper *w, const uint8_t chip_pub[64], CK_OBJECT_HANDLE *ret_z,
    struct pv_error *e)
{
	CK_RV rv = derive_z(w, chip_pub, w->der_point, ret_z);

	/* PKCS#11 v2.40 section 2.3.8 wants the bare point and allows DER;
	 * older modules take DER only. Remember what worked. */
	if (rv != CKR_OK && !pv_ck_gone(rv) &&
	    derive_z(w, chip_pub, !w->der_point, ret_z) == CKR_OK) {
		w->der_point = !w->der_point;
		rv = CKR_OK;
	}
	if (rv != CKR_OK) {
		*ret_z = NONE;
		return pv_ck_fail(e, rv,
		    "CKM_ECDH1_DERIVE with the chip's key in token '%s'",
		    w->hsm->shown);
	}
	return 0;
}

static int
derive_kek(struct wrapper *w, CK_OBJECT_HANDLE z, const uint8_t context[32],
    CK_OBJECT_HANDLE *ret_kek, struct pv_error *e)
{
	CK_KEY_DERIVATION_STRING_DATA data = {
		.pData = pv_ck_bytes(context),
		.ulLen = 32,
	};
	CK_MECHANISM mech = { CKM_AES_ECB_ENCRYPT_DATA, &data, sizeof(data) };
	struct pv_tpl t;
	CK_RV rv;

	derived_template(&t, CKA_WRAP);
	rv = w->hsm->f->C_DeriveKey(
	    w->hsm->session, &mech, z, t.a, t.n, ret_kek);
	if (rv != CKR_OK) {
		*ret_kek = NONE;
		return pv_ck_fail(e, rv,
		    "CKM_AES_ECB_ENCRYPT_DATA in token '%s'", w->hsm->shown);
	}
	return 0;
}

static int
wrap_oem(struct wrapper *w, CK_OBJECT_HANDLE kek, uint8_t *wrapped, size_t *len,
    struct pv_error *e)
{
	CK_MECHANISM mech = { .mechanism = CKM_AES_KEY_WRAP };
	uint8_t out[64];
	CK_ULONG n = sizeof(out);
	CK_RV rv;

	rv = w->hsm->f->C_WrapKey(w->hsm->session, &mech, kek, w->oem, out, &n);
	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "wrapping the OEM key in token '%s'", w->hsm->shown);
	if (n != w->wrapped_len)
		return pv_fail(e, PV_E_HSM,
		    "token '%s' wrapped the OEM key to %lu bytes, not %zu",
		    w->hsm->shown, n, w->wrapped_len);
	memcpy(wrapped, out, n);
	*len = n;
	return 0;
}

static int
wrapper_wrap(void *ctx, const uint8_t chip_pub[64], const uint8_t context[32],
    uint8_t *wrapped, size_t *len, struct pv_error *e)
{
	struct wrapper *w = ctx;
	CK_OBJECT_HANDLE z = NONE, kek = NONE;
	int r;

	if (w->eph == NONE)
		return pv_fail(
		    e, PV_E_INTERNAL, "wrap without an ephemeral key");
	if (*len < w->wrapped_len) {
		r = pv_fail(e, PV_E_INTERNAL, "no room for the wrapped key");
		goto out;
	}
	if ((r = ecdh(w, chip_pub, &z, e)) != 0 ||
	    (r = derive_kek(w, z, context, &kek, e)) != 0)
		goto out;
	r = wrap_oem(w, kek, wrapped, len, e);
out:
	destroy(w, &kek);
	destroy(w, &z);
	destroy(w, &w->eph);
	return r;
}

static void
wrapper_free(void *ctx)
{
	struct wrapper *w = ctx;

	destroy(w, &w->eph);
	free(w);
}

int
pv_hsm_wrapper(struct pv_hsm *hsm, const char *uri,
    struct pv_wrapper *ret_wrapper, struct pv_error *e)
{
	struct wrapper *w = calloc(1, sizeof(*w));
	const char *fault;
	int r;

	if (w == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	w->hsm = hsm;
	w->eph = NONE;
	if ((r = pv_find_key(hsm, uri, CKO_SECRET_KEY, &w->oem, e)) != 0)
		goto fail;
	fault = pv_resident_oem_fault(hsm, w->oem);
	if (fault != NULL) {
		(void)pv_fail(e, PV_E_HSM,
		    "'%s' cannot serve a resident license: %s", uri, fault);
		r = pv_hint_mechanism(hsm,
		    "'provisor key generate --type aes-128' makes a key that "
		    "can",
		    e);
		goto fail;
	}
	w->wrapped_len = pv_attr_ulong(hsm, w->oem, CKA_VALUE_LEN, 0) + 8;
	*ret_wrapper = (struct pv_wrapper){
		.ctx = w,
		.ephemeral = wrapper_ephemeral,
		.wrap = wrapper_wrap,
		.free = wrapper_free,
	};
	return 0;
fail:
	free(w);
	return r;
}
