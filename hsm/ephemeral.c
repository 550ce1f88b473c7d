/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that live as long as one license: an ephemeral P-256 pair, and what is
 * derived from it and a chip's key. Session objects all.
 */
#include "hsm_int.h"

#include "base/log.h"

#include <string.h>

void
pv_session_key_destroy(const struct pv_hsm *hsm, CK_OBJECT_HANDLE *obj)
{
	CK_RV rv;

	if (*obj == CK_INVALID_HANDLE)
		return;
	rv = hsm->f->C_DestroyObject(hsm->session, *obj);
	/* With the session gone the object is gone too. */
	if (rv != CKR_OK && !pv_ck_gone(rv))
		pv_log(PV_LOG_WARN,
		    "token '%s': destroying a session key: CK_RV 0x%lx",
		    hsm->shown, rv);
	*obj = CK_INVALID_HANDLE;
}

void
pv_session_key_template(struct pv_tpl *t, CK_KEY_TYPE type, CK_ULONG len,
    bool sensitive, CK_ATTRIBUTE_TYPE use)
{
	static const CK_ATTRIBUTE_TYPE uses[] = { CKA_DERIVE, CKA_WRAP,
		CKA_UNWRAP, CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY };

	pv_tpl_init(t);
	pv_tpl_ulong(t, CKA_CLASS, CKO_SECRET_KEY);
	pv_tpl_ulong(t, CKA_KEY_TYPE, type);
	pv_tpl_ulong(t, CKA_VALUE_LEN, len);
	pv_tpl_bool(t, CKA_TOKEN, false);
	pv_tpl_bool(t, CKA_PRIVATE, true);
	pv_tpl_bool(t, CKA_SENSITIVE, sensitive);
	pv_tpl_bool(t, CKA_EXTRACTABLE, !sensitive);
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		pv_tpl_bool(t, uses[i], uses[i] == use);
}

int
pv_ephemeral_make(const struct pv_hsm *hsm, CK_OBJECT_HANDLE *ret_priv,
    uint8_t ret_pub[64], struct pv_error *e)
{
	const struct pv_curve *p256 = pv_curve_by_name("ec-p256");
	CK_MECHANISM mech = { .mechanism = CKM_EC_KEY_PAIR_GEN };
	CK_OBJECT_HANDLE pub = CK_INVALID_HANDLE, priv = CK_INVALID_HANDLE;
	struct pv_tpl tpub, tpriv;
	CK_RV rv;
	int r;

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
	rv = hsm->f->C_GenerateKeyPair(
	    hsm->session, &mech, tpub.a, tpub.n, tpriv.a, tpriv.n, &pub, &priv);
	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "making an ephemeral key in token '%s'", hsm->shown);
	r = pv_key_point(hsm, pub, p256, ret_pub, e);
	pv_session_key_destroy(hsm, &pub);
	if (r != 0)
		pv_session_key_destroy(hsm, &priv);
	else
		*ret_priv = priv;
	return r;
}

static CK_RV
derive_once(const struct pv_hsm *hsm, CK_OBJECT_HANDLE priv,
    const uint8_t peer[64], bool der, const struct pv_ecdh *how,
    CK_OBJECT_HANDLE *ret_obj)
{
	/* DER OCTET STRING around 0x04, X, Y; the bare point is its tail. */
	uint8_t point[67] = { 0x04, 0x41, 0x04 };
	CK_ECDH1_DERIVE_PARAMS params = {
		.kdf = how->kdf,
		.ulSharedDataLen = how->info_len,
		.pSharedData =
		    how->info_len > 0 ? pv_ck_bytes(how->info) : NULL,
		.pPublicData = der ? point : point + 2,
		.ulPublicDataLen = der ? 67 : 65,
	};
	CK_MECHANISM mech = { CKM_ECDH1_DERIVE, &params, sizeof(params) };

	memcpy(point + 3, peer, 64);
	return hsm->f->C_DeriveKey(hsm->session, &mech, priv,
	    pv_tpl_attributes(how->t), how->t->n, ret_obj);
}

CK_RV
pv_ephemeral_derive(const struct pv_hsm *hsm, CK_OBJECT_HANDLE priv,
    const uint8_t peer[64], const struct pv_ecdh *how, bool *der_point,
    CK_OBJECT_HANDLE *ret_obj)
{
	CK_OBJECT_HANDLE obj = CK_INVALID_HANDLE;
	CK_RV rv = derive_once(hsm, priv, peer, *der_point, how, &obj);

	/* PKCS#11 v2.40 section 2.3.8 wants the bare point and allows DER;
	 * older modules take DER only. Remember what worked. */
	if (rv != CKR_OK && !pv_ck_gone(rv) &&
	    derive_once(hsm, priv, peer, !*der_point, how, &obj) == CKR_OK) {
		*der_point = !*der_point;
		rv = CKR_OK;
	}
	if (rv == CKR_OK)
		*ret_obj = obj;
	return rv;
}
