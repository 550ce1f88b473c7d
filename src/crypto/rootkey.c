/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/rootkey.h"

#include "crypto/ossl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <string.h>

static int
find_curve(const EVP_PKEY *pkey, const char *path,
    enum pv_root_curve *ret_curve, struct pv_error *e)
{
	const char *type = EVP_PKEY_get0_type_name(pkey);
	char group[64] = "";

	if (EVP_PKEY_is_a(pkey, "EC") &&
	    EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME,
		group, sizeof(group), NULL) == 1) {
		if (strcmp(group, "prime256v1") == 0) {
			*ret_curve = PV_ROOT_P256;
			return 0;
		}
		if (strcmp(group, "brainpoolP256t1") == 0) {
			*ret_curve = PV_ROOT_BRAINPOOL_P256T1;
			return 0;
		}
		type = group;
	}
	ERR_clear_error();
	return pv_fail(e, PV_E_UNSUPPORTED,
	    "'%s' is a key of %s, a root key is one of P-256 or "
	    "brainpoolP256t1",
	    path, type == NULL ? "another kind" : type);
}

int
pv_rootkey_read_pem(const char *path, enum pv_root_curve *ret_curve,
    uint8_t ret_pub[64], struct pv_error *e)
{
	enum pv_root_curve curve = PV_ROOT_P256;
	BIGNUM *x = NULL, *y = NULL;
	EVP_PKEY *pkey = NULL;
	uint8_t pub[64];
	int r = pv_ossl_read_public(path, &pkey, e);

	if (r != 0)
		return r;
	r = find_curve(pkey, path, &curve, e);
	if (r == 0 &&
	    (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) != 1 ||
		EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) !=
		    1 ||
		BN_bn2binpad(x, pub, 32) != 32 ||
		BN_bn2binpad(y, pub + 32, 32) != 32))
		r = pv_ossl_fail(e, "public key");
	if (r == 0) {
		*ret_curve = curve;
		memcpy(ret_pub, pub, sizeof(pub));
	}
	BN_free(x);
	BN_free(y);
	EVP_PKEY_free(pkey);
	return r;
}
