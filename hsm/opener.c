/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening image keys with a private key in the token: ECDH on P-256, whose
 * result comes out, and RSA-OAEP with SHA-256, of which most tokens only do the
 * raw RSA.
 */
#include "hsm_int.h"

#include "crypto/enckey.h"
#include "crypto/sigkey.h"

#include <stdlib.h>
#include <string.h>

#define NONE CK_INVALID_HANDLE

struct opener {
	struct pv_hsm *hsm;
	CK_OBJECT_HANDLE key;
};

/* Z as a session object that may be read. */
static CK_RV
derive(const struct opener *o, const uint8_t peer[64], bool der,
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

	memcpy(point + 3, peer, 64);
	pv_tpl_init(&t);
	pv_tpl_ulong(&t, CKA_CLASS, CKO_SECRET_KEY);
	pv_tpl_ulong(&t, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
	pv_tpl_ulong(&t, CKA_VALUE_LEN, 32);
	pv_tpl_bool(&t, CKA_TOKEN, false);
	pv_tpl_bool(&t, CKA_SENSITIVE, false);
	pv_tpl_bool(&t, CKA_EXTRACTABLE, true);
	return o->hsm->f->C_DeriveKey(
	    o->hsm->session, &mech, o->key, t.a, t.n, ret_z);
}

static int
token_agree(void *ctx, const uint8_t *peer, size_t len, uint8_t ret_z[32],
    struct pv_error *e)
{
	const struct opener *o = ctx;
	struct pv_pubkey *check = NULL;
	CK_OBJECT_HANDLE z = NONE;
	size_t n = 32;
	CK_RV rv;
	int r;

	/* Not every token looks whether the point is one. */
	r = pv_pubkey_from_point(PV_SIG_ECDSA_P256, peer, len, &check, e);
	if (r != 0)
		return r;
	pv_pubkey_free(check);
	/* PKCS#11 v2.40 section 2.3.8 wants the bare point and allows DER;
	 * older modules take DER only. */
	rv = derive(o, peer, false, &z);
	if (rv != CKR_OK && !pv_ck_gone(rv))
		rv = derive(o, peer, true, &z);
	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "CKM_ECDH1_DERIVE in token '%s'", o->hsm->shown);
	rv = pv_attr_bytes(o->hsm, z, CKA_VALUE, ret_z, &n);
	(void)o->hsm->f->C_DestroyObject(o->hsm->session, z);
	if (rv != CKR_OK || n != 32)
		return pv_ck_fail(e, rv != CKR_OK ? rv : CKR_DATA_LEN_RANGE,
		    "reading the result of ECDH in token '%s'", o->hsm->shown);
	return 0;
}

static int
token_oaep(void *ctx, const uint8_t in[256], uint8_t *out, size_t *len,
    struct pv_error *e)
{
	const struct opener *o = ctx;
	CK_MECHANISM mech = { .mechanism = CKM_RSA_X_509 };
	uint8_t em[256];
	uint8_t modulus[256];
	size_t m = sizeof(modulus);
	CK_ULONG n = sizeof(em);
	CK_RV rv;
	int r;

	/* A number at or above the modulus is none of this key, and tokens
	 * have no code for that. */
	rv = pv_attr_bytes(o->hsm, o->key, CKA_MODULUS, modulus, &m);
	if (rv == CKR_OK &&
	    (m != sizeof(modulus) || memcmp(in, modulus, m) >= 0))
		return pv_fail(e, PV_E_VERIFY,
		    "the image key was not encrypted to this RSA key");
	rv = o->hsm->f->C_DecryptInit(o->hsm->session, &mech, o->key);
	if (rv == CKR_OK)
		rv = o->hsm->f->C_Decrypt(
		    o->hsm->session, pv_ck_bytes(in), 256, em, &n);
	if (rv != CKR_OK || n > sizeof(em))
		return pv_ck_fail(
		    e, rv, "decrypting in token '%s'", o->hsm->shown);
	/* Some tokens leave out leading zeros. */
	memmove(em + sizeof(em) - n, em, n);
	memset(em, 0, sizeof(em) - n);
	r = pv_oaep_decode(em, out, len, e);
	pv_wipe(em, sizeof(em));
	return r;
}

int
pv_hsm_opener(struct pv_hsm *hsm, const char *uri, struct pv_opener *ret_opener,
    struct pv_error *e)
{
	struct opener *o = calloc(1, sizeof(*o));
	const struct pv_curve *c;
	bool rsa, p256;
	int r;

	if (o == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	o->hsm = hsm;
	if ((r = pv_find_key(hsm, uri, CKO_PRIVATE_KEY, &o->key, e)) != 0)
		goto fail;
	c = pv_key_curve(hsm, o->key);
	p256 = c != NULL && strcmp(c->name, "ec-p256") == 0;
	rsa = pv_attr_ulong(hsm, o->key, CKA_KEY_TYPE,
		  CK_UNAVAILABLE_INFORMATION) == CKK_RSA;
	if (!p256 && !rsa) {
		r = pv_fail(e, PV_E_NO_KEY,
		    "'%s' is no key of P-256 or RSA, which decryption in a "
		    "token needs",
		    uri);
		goto fail;
	}
	if (!pv_hsm_has(hsm, rsa ? CKM_RSA_X_509 : CKM_ECDH1_DERIVE)) {
		r = pv_fail(e, PV_E_HSM, "token '%s' does not offer %s",
		    hsm->shown, rsa ? "CKM_RSA_X_509" : "CKM_ECDH1_DERIVE");
		goto fail;
	}
	*ret_opener = (struct pv_opener){
		.ctx = o,
		.kind = rsa ? PV_ENC_RSA2048 : PV_ENC_EC_P256,
		.agree = token_agree,
		.oaep = token_oaep,
		.free = free,
	};
	return 0;
fail:
	free(o);
	return r;
}
