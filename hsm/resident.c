/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys and tokens can serve a resident license, and why not. */
#include "hsm_int.h"

#include <string.h>

const char *
pv_hsm_lacks(const struct pv_hsm *hsm, const struct pv_needed *needed, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!pv_hsm_has(hsm, needed[i].mechanism))
			return needed[i].fault;
	return NULL;
}

const char *
pv_hsm_resident_fault(const struct pv_hsm *hsm)
{
	static const struct pv_needed needed[] = {
		PV_NEEDED(CKM_EC_KEY_PAIR_GEN),
		PV_NEEDED(CKM_ECDH1_DERIVE),
		PV_NEEDED(CKM_AES_ECB_ENCRYPT_DATA),
		PV_NEEDED(CKM_AES_KEY_WRAP),
	};

	return pv_hsm_lacks(hsm, needed, sizeof(needed) / sizeof(needed[0]));
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
