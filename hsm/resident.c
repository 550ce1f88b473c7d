/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys and tokens can serve a resident license, and why not. */
#include "hsm_int.h"

#include <string.h>

const char *
pv_hsm_resident_fault(const struct pv_hsm *hsm)
{
	if (!pv_hsm_has(hsm, CKM_EC_KEY_PAIR_GEN))
		return "the token does not offer CKM_EC_KEY_PAIR_GEN";
	if (!pv_hsm_has(hsm, CKM_ECDH1_DERIVE))
		return "the token does not offer CKM_ECDH1_DERIVE";
	if (!pv_hsm_has(hsm, CKM_AES_ECB_ENCRYPT_DATA))
		return "the token does not offer CKM_AES_ECB_ENCRYPT_DATA";
	if (!pv_hsm_has(hsm, CKM_AES_KEY_WRAP))
		return "the token does not offer CKM_AES_KEY_WRAP";
	return NULL;
}

const char *
pv_resident_oem_fault(const struct pv_hsm *hsm, CK_OBJECT_HANDLE key)
{
	CK_ULONG len = pv_attr_ulong(hsm, key, CKA_VALUE_LEN, 0);

	if (pv_attr_ulong(hsm, key, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION) !=
	    CKK_AES)
		return "it is not an AES key";
	if (len != 16 && len != 32)
		return "it is neither AES-128 nor AES-256";
	if (!pv_attr_bool(hsm, key, CKA_SENSITIVE, false))
		return "it is not sensitive: its value can be read";
	/* C_WrapKey refuses such keys (PKCS#11 v2.40 section 5.13). */
	if (!pv_attr_bool(hsm, key, CKA_EXTRACTABLE, false))
		return "it is not extractable, so the token will not wrap it";
	if (pv_attr_bool(hsm, key, CKA_WRAP_WITH_TRUSTED, false))
		return "it may only be wrapped by a trusted key";
	return pv_hsm_resident_fault(hsm);
}

const char *
pv_resident_signer_fault(const struct pv_hsm *hsm, CK_OBJECT_HANDLE key)
{
	const struct pv_curve *c = pv_key_curve(hsm, key);

	if (c == NULL || strcmp(c->name, "ec-p256") != 0)
		return "licenses are signed with ec-p256";
	if (!pv_attr_bool(hsm, key, CKA_SIGN, false))
		return "it may not sign";
	if (!pv_attr_bool(hsm, key, CKA_SENSITIVE, false) ||
	    pv_attr_bool(hsm, key, CKA_EXTRACTABLE, true))
		return "it can leave the token";
	if (!pv_hsm_has(hsm, CKM_ECDSA))
		return "the token does not offer CKM_ECDSA";
	return NULL;
}

int
pv_hint_mechanism(
    const struct pv_hsm *hsm, const char *otherwise, struct pv_error *e)
{
	if (strstr(hsm->module, "p11-kit-client") == NULL)
		return pv_hint(e, "%s", otherwise);
	return pv_hint(e,
	    "p11-kit passes on only the mechanisms it knows: run provisor "
	    "where the token is, or take --license-profile ecies with a key "
	    "that is in a file or may be read");
}
