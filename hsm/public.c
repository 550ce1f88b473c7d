/* SPDX-License-Identifier: Apache-2.0 */
/* Public halves of pairs as SubjectPublicKeyInfo. */
#include "hsm_int.h"

#include "crypto/sigkey.h"

#include <string.h>

#define RSA_MAX 512U /* bytes of a modulus */

static int
curve_alg(const struct pv_curve *c, enum pv_sig_alg *ret_alg)
{
	if (c == NULL)
		return 0;
	if (strcmp(c->name, "ec-p256") == 0)
		*ret_alg = PV_SIG_ECDSA_P256;
	else if (strcmp(c->name, "ec-p384") == 0)
		*ret_alg = PV_SIG_ECDSA_P384;
	else if (strcmp(c->name, "ed25519") == 0)
		*ret_alg = PV_SIG_ED25519;
	else
		return 0;
	return 1;
}

/* Modulus and exponent stand in both halves of an RSA pair. */
static int
rsa_public(const struct pv_hsm *hsm, CK_OBJECT_HANDLE obj,
    struct pv_pubkey **ret_k, struct pv_error *e)
{
	uint8_t n[RSA_MAX], x[RSA_MAX];
	size_t n_len = sizeof(n), x_len = sizeof(x);
	CK_RV rv = pv_attr_bytes(hsm, obj, CKA_MODULUS, n, &n_len);

	if (rv == CKR_OK)
		rv = pv_attr_bytes(hsm, obj, CKA_PUBLIC_EXPONENT, x, &x_len);
	if (rv != CKR_OK)
		return pv_ck_fail(e, rv, "reading the RSA public key");
	return pv_pubkey_from_rsa(n, n_len, x, x_len, ret_k, e);
}

int
pv_key_public(const struct pv_hsm *hsm, const char *uri, CK_OBJECT_HANDLE obj,
    bool is_private, struct pv_pubkey **ret_k, struct pv_error *e)
{
	uint8_t point[PV_EC_POINT_MAX];
	const struct pv_curve *c;
	enum pv_sig_alg alg;
	int r;

	if (pv_attr_ulong(hsm, obj, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION) ==
	    CKK_RSA) {
		r = rsa_public(hsm, obj, ret_k, e);
		return r != PV_E_UNSUPPORTED
			   ? r
			   : pv_fail(e, PV_E_NO_KEY,
				 "'%s' is an RSA key of another size than "
				 "2048 or 3072 bits",
				 uri);
	}
	c = pv_key_curve(hsm, obj);
	if (!curve_alg(c, &alg))
		return pv_fail(e, PV_E_NO_KEY,
		    "'%s' is no key of P-256, P-384, Ed25519 or RSA", uri);
	r = is_private ? pv_pair_point(hsm, obj, c, point, e)
		       : pv_key_point(hsm, obj, c, point, e);
	if (r != 0)
		return r;
	r = pv_pubkey_from_point(alg, point, pv_curve_point_len(c), ret_k, e);
	if (r == PV_E_VERIFY)
		r = pv_fail(e, PV_E_HSM,
		    "'%s': the public key in the token is no point of %s", uri,
		    c->name);
	return r;
}

int
pv_hsm_export_public(struct pv_hsm *hsm, const char *uri, uint8_t *der,
    size_t *len, struct pv_error *e)
{
	uint8_t spki[PV_SPKI_MAX];
	struct pv_pubkey *k = NULL;
	CK_OBJECT_HANDLE obj;
	size_t n = 0;
	int r;

	r = pv_find_key(hsm, uri, CKO_PUBLIC_KEY, &obj, e);
	if (r == 0)
		r = pv_key_public(hsm, uri, obj, false, &k, e);
	if (r == 0)
		r = pv_pubkey_spki(k, spki, &n, e);
	if (r == 0 && n > *len)
		r = pv_fail(e, PV_E_INTERNAL, "no room for a public key");
	if (r == 0) {
		memcpy(der, spki, n);
		*len = n;
	}
	pv_pubkey_free(k);
	return r;
}
