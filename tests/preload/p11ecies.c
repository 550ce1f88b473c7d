/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PKCS#11 module for tests: SoftHSM2 with the mechanisms that it lacks for
 * licenses of profile ssp and ecies, as PKCS#11 v2.40 has them:
 *
 *   CKM_ECDH1_DERIVE with CKD_SHA256_KDF    (2.3, ANSI X9.63)
 *   CKM_EXTRACT_KEY_FROM_KEY                (2.31)
 *   CKM_CONCATENATE_DATA_AND_BASE           (2.31)
 *   CKM_AES_GCM in C_WrapKey                (2.12)
 *
 * What these make are objects of this module, with handles from OURS on. Keys
 * of SoftHSM2 are asked of it in ways it has. Rules on sensitive,
 * extractable and use are kept. P11ECIES_LOG names a file that gets a line
 * for each value that is read and each key that is wrapped. P11ECIES_MODE:
 *
 *   strict   no readable part of a sensitive key (as NSS)
 *   nokdf    ECDH takes CKD_NULL only
 *   nowrap   AES-GCM does not wrap
 *   badtag   AES-GCM makes a wrong tag
 */
#include <p11-kit/pkcs11.h>

#include <openssl/evp.h>

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OURS	0x40000000UL
#define N_OURS	16U
#define N_ADDED 2U

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list);

struct object {
	bool used, sensitive, extractable, derive, wrap;
	CK_KEY_TYPE type;
	CK_BYTE value[64];
	CK_ULONG len;
};

static CK_FUNCTION_LIST ours;
static CK_FUNCTION_LIST_PTR soft;
static struct object objects[N_OURS];

static bool
mode(const char *name)
{
	const char *m = getenv("P11ECIES_MODE");

	return m != NULL && strcmp(m, name) == 0;
}

static void
note(const char *what, CK_ULONG n)
{
	const char *path = getenv("P11ECIES_LOG");
	FILE *f = path != NULL ? fopen(path, "a") : NULL;

	if (f == NULL)
		return;
	(void)fprintf(f, "%s %lu\n", what, n);
	(void)fclose(f);
}

static struct object *
find(CK_OBJECT_HANDLE h)
{
	if (h < OURS || h >= OURS + N_OURS || !objects[h - OURS].used)
		return NULL;
	return &objects[h - OURS];
}

static bool
flag(const CK_ATTRIBUTE *t, CK_ULONG n, CK_ATTRIBUTE_TYPE type)
{
	for (CK_ULONG i = 0; i < n; i++)
		if (t[i].type == type)
			return *(const CK_BBOOL *)t[i].pValue != CK_FALSE;
	return false;
}

static CK_ULONG
number(const CK_ATTRIBUTE *t, CK_ULONG n, CK_ATTRIBUTE_TYPE type)
{
	CK_ULONG v = 0;

	for (CK_ULONG i = 0; i < n; i++)
		if (t[i].type == type)
			memcpy(&v, t[i].pValue, sizeof(v));
	return v;
}

/* A new object out of `len` bytes and a template. */
static CK_RV
add(const CK_BYTE *value, CK_ULONG len, const CK_ATTRIBUTE *t, CK_ULONG n,
    CK_OBJECT_HANDLE_PTR ret)
{
	CK_ULONG want = number(t, n, CKA_VALUE_LEN);

	if (want != 0 && want != len)
		return CKR_TEMPLATE_INCONSISTENT;
	for (CK_ULONG i = 0; i < N_OURS; i++) {
		struct object *o = &objects[i];

		if (o->used)
			continue;
		*o = (struct object){
			.used = true,
			.sensitive = flag(t, n, CKA_SENSITIVE),
			.extractable = flag(t, n, CKA_EXTRACTABLE),
			.derive = flag(t, n, CKA_DERIVE),
			.wrap = flag(t, n, CKA_WRAP),
			.type = number(t, n, CKA_KEY_TYPE),
			.len = len,
		};
		memcpy(o->value, value, len);
		*ret = OURS + i;
		return CKR_OK;
	}
	return CKR_DEVICE_MEMORY;
}

/* --- mechanisms --------------------------------------------------------------- */

static void
x963(const CK_BYTE z[32], const CK_BYTE *info, CK_ULONG info_len,
    CK_BYTE out[64])
{
	for (CK_BYTE i = 1; i <= 2; i++) {
		const CK_BYTE counter[4] = { 0, 0, 0, i };
		EVP_MD_CTX *c = EVP_MD_CTX_new();

		EVP_DigestInit_ex(c, EVP_sha256(), NULL);
		EVP_DigestUpdate(c, z, 32);
		EVP_DigestUpdate(c, counter, 4);
		if (info_len > 0)
			EVP_DigestUpdate(c, info, info_len);
		EVP_DigestFinal_ex(c, out + 32 * (i - 1), NULL);
		EVP_MD_CTX_free(c);
	}
}

static CK_RV
derive_ecdh(CK_SESSION_HANDLE s, const CK_ECDH1_DERIVE_PARAMS *p,
    CK_OBJECT_HANDLE base, const CK_ATTRIBUTE *t, CK_ULONG n,
    CK_OBJECT_HANDLE_PTR ret)
{
	CK_ECDH1_DERIVE_PARAMS plain = *p;
	CK_MECHANISM mech = { CKM_ECDH1_DERIVE, &plain, sizeof(plain) };
	CK_OBJECT_CLASS cls = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ULONG len = 32;
	CK_ATTRIBUTE zt[] = {
		{ CKA_CLASS, &cls, sizeof(cls) },
		{ CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_VALUE_LEN, &len, sizeof(len) },
		{ CKA_TOKEN, &no, sizeof(no) },
		{ CKA_SENSITIVE, &no, sizeof(no) },
		{ CKA_EXTRACTABLE, &yes, sizeof(yes) },
	};
	CK_BYTE z[32], out[64];
	CK_ATTRIBUTE value = { CKA_VALUE, z, sizeof(z) };
	CK_OBJECT_HANDLE obj;
	CK_RV rv;

	if (mode("nokdf"))
		return CKR_MECHANISM_PARAM_INVALID;
	plain.kdf = CKD_NULL;
	plain.ulSharedDataLen = 0;
	plain.pSharedData = NULL;
	rv = soft->C_DeriveKey(s, &mech, base, zt, 6, &obj);
	if (rv != CKR_OK)
		return rv;
	rv = soft->C_GetAttributeValue(s, obj, &value, 1);
	(void)soft->C_DestroyObject(s, obj);
	if (rv != CKR_OK)
		return rv;
	x963(z, p->pSharedData, p->ulSharedDataLen, out);
	return add(out, 64, t, n, ret);
}

static CK_RV
derive_part(const struct object *base, CK_ULONG bit, const CK_ATTRIBUTE *t,
    CK_ULONG n, CK_OBJECT_HANDLE_PTR ret)
{
	CK_ULONG len = number(t, n, CKA_VALUE_LEN);

	if (base == NULL)
		return CKR_KEY_HANDLE_INVALID;
	if (!base->derive)
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	if (bit % 8 != 0 || bit / 8 + len > base->len)
		return CKR_MECHANISM_PARAM_INVALID;
	if (mode("strict") && base->sensitive && !flag(t, n, CKA_SENSITIVE))
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	return add(base->value + bit / 8, len, t, n, ret);
}

/* The value of a key of SoftHSM2 that may be wrapped: 16 bytes. */
static CK_RV
take_out(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_BYTE value[16])
{
	static CK_BYTE kek[32] = "a key that wraps inside this mod";
	CK_OBJECT_CLASS cls = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ATTRIBUTE t[] = {
		{ CKA_CLASS, &cls, sizeof(cls) },
		{ CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_TOKEN, &no, sizeof(no) },
		{ CKA_WRAP, &yes, sizeof(yes) },
		{ CKA_VALUE, kek, sizeof(kek) },
	};
	CK_MECHANISM mech = { CKM_AES_KEY_WRAP, NULL, 0 };
	CK_OBJECT_HANDLE obj;
	CK_BYTE wrapped[24], room[32];
	CK_ULONG len = sizeof(wrapped);
	EVP_CIPHER_CTX *c;
	int n = 0;
	CK_RV rv = soft->C_CreateObject(s, t, 5, &obj);

	if (rv != CKR_OK)
		return rv;
	rv = soft->C_WrapKey(s, &mech, obj, key, wrapped, &len);
	(void)soft->C_DestroyObject(s, obj);
	if (rv != CKR_OK || len != sizeof(wrapped))
		return rv != CKR_OK ? rv : CKR_KEY_SIZE_RANGE;
	c = EVP_CIPHER_CTX_new();
	EVP_CIPHER_CTX_set_flags(c, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	EVP_DecryptInit_ex(c, EVP_aes_256_wrap(), NULL, kek, NULL);
	if (EVP_DecryptUpdate(c, room, &n, wrapped, 24) != 1 || n != 16)
		rv = CKR_GENERAL_ERROR;
	EVP_CIPHER_CTX_free(c);
	memcpy(value, room, 16);
	return rv;
}

static CK_RV
derive_join(CK_SESSION_HANDLE s, const CK_KEY_DERIVATION_STRING_DATA *d,
    CK_OBJECT_HANDLE base, const CK_ATTRIBUTE *t, CK_ULONG n,
    CK_OBJECT_HANDLE_PTR ret)
{
	CK_BBOOL derives = CK_FALSE, sensitive = CK_TRUE;
	CK_ATTRIBUTE have[] = {
		{ CKA_DERIVE, &derives, sizeof(derives) },
		{ CKA_SENSITIVE, &sensitive, sizeof(sensitive) },
	};
	CK_BYTE value[32];
	CK_RV rv;

	if (base >= OURS || d->ulLen != 16)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = soft->C_GetAttributeValue(s, base, have, 2);
	if (rv != CKR_OK)
		return rv;
	if (!derives)
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	if (sensitive && !flag(t, n, CKA_SENSITIVE))
		return CKR_TEMPLATE_INCONSISTENT;
	memcpy(value, d->pData, 16);
	rv = take_out(s, base, value + 16);
	return rv == CKR_OK ? add(value, 32, t, n, ret) : rv;
}

static CK_RV
derive_key(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mech, CK_OBJECT_HANDLE base,
    CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR ret)
{
	const CK_ECDH1_DERIVE_PARAMS *p = mech->pParameter;
	CK_ULONG bit;

	switch (mech->mechanism) {
	case CKM_ECDH1_DERIVE:
		if (p->kdf == CKD_SHA256_KDF)
			return derive_ecdh(s, p, base, t, n, ret);
		break;
	case CKM_EXTRACT_KEY_FROM_KEY:
		memcpy(&bit, mech->pParameter, sizeof(bit));
		return derive_part(find(base), bit, t, n, ret);
	case CKM_CONCATENATE_DATA_AND_BASE:
		return derive_join(s, mech->pParameter, base, t, n, ret);
	default:
		break;
	}
	return soft->C_DeriveKey(s, mech, base, t, n, ret);
}

static CK_RV
wrap_key(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mech, CK_OBJECT_HANDLE wrapping,
    CK_OBJECT_HANDLE key, CK_BYTE_PTR out, CK_ULONG_PTR out_len)
{
	const struct object *w = find(wrapping), *k = find(key);
	const CK_GCM_PARAMS *p = mech->pParameter;
	EVP_CIPHER_CTX *c;
	int n = 0, good;

	note(mech->mechanism == CKM_AES_GCM ? "wrap-gcm" : "wrap", *out_len);
	if (mech->mechanism != CKM_AES_GCM)
		return soft->C_WrapKey(s, mech, wrapping, key, out, out_len);
	if (mode("nowrap"))
		return CKR_MECHANISM_INVALID;
	if (w == NULL || k == NULL)
		return CKR_KEY_HANDLE_INVALID;
	if (!w->wrap || w->type != CKK_AES || w->len != 16)
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	if (!k->extractable)
		return CKR_KEY_UNEXTRACTABLE;
	if (*out_len < k->len + 16)
		return CKR_BUFFER_TOO_SMALL;
	c = EVP_CIPHER_CTX_new();
	good = EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, NULL, NULL) == 1;
	good = good && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN,
			   (int)p->ulIvLen, NULL) == 1;
	good = good && EVP_EncryptInit_ex(c, NULL, NULL, w->value, p->pIv) == 1;
	good = good &&
	       EVP_EncryptUpdate(c, NULL, &n, p->pAAD, (int)p->ulAADLen) == 1;
	good =
	    good && EVP_EncryptUpdate(c, out, &n, k->value, (int)k->len) == 1;
	good = good && EVP_EncryptFinal_ex(c, out + n, &n) == 1;
	good = good && EVP_CIPHER_CTX_ctrl(
			   c, EVP_CTRL_AEAD_GET_TAG, 16, out + k->len) == 1;
	EVP_CIPHER_CTX_free(c);
	*out_len = k->len + 16;
	if (mode("badtag"))
		out[k->len] ^= 1;
	return good ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

/* --- objects -------------------------------------------------------------------- */

static CK_RV
get_attributes(
    CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ATTRIBUTE_PTR t, CK_ULONG n)
{
	const struct object *o = find(h);

	if (o == NULL) {
		CK_RV rv = soft->C_GetAttributeValue(s, h, t, n);

		for (CK_ULONG i = 0; i < n && rv == CKR_OK; i++)
			if (t[i].type == CKA_VALUE && t[i].pValue != NULL &&
			    t[i].ulValueLen == 16)
				note(
				    "value-of-a-token-object", t[i].ulValueLen);
		return rv;
	}
	if (n != 1 || t[0].type != CKA_VALUE)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	if (o->sensitive || !o->extractable) {
		t[0].ulValueLen = (CK_ULONG)-1;
		return CKR_ATTRIBUTE_SENSITIVE;
	}
	if (t[0].ulValueLen < o->len)
		return CKR_BUFFER_TOO_SMALL;
	note("value-of-a-part", o->len);
	memcpy(t[0].pValue, o->value, o->len);
	t[0].ulValueLen = o->len;
	return CKR_OK;
}

static CK_RV
destroy(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h)
{
	struct object *o = find(h);

	if (o == NULL)
		return soft->C_DestroyObject(s, h);
	memset(o, 0, sizeof(*o));
	return CKR_OK;
}

static CK_RV
finalize(void *reserved)
{
	for (CK_ULONG i = 0; i < N_OURS; i++)
		if (objects[i].used)
			note("left-behind", objects[i].len);
	return soft->C_Finalize(reserved);
}

static CK_RV
list_mechanisms(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR n)
{
	CK_ULONG room = *n;
	CK_RV rv;

	if (list != NULL && room < N_ADDED)
		return CKR_BUFFER_TOO_SMALL;
	*n = room - N_ADDED;
	rv = soft->C_GetMechanismList(slot, list, n);
	if (rv == CKR_OK && list != NULL) {
		list[*n] = CKM_EXTRACT_KEY_FROM_KEY;
		list[*n + 1] = CKM_CONCATENATE_DATA_AND_BASE;
	}
	*n += N_ADDED;
	return rv;
}

CK_RV
C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
	CK_C_GetFunctionList get;
	void *lib =
	    dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_LOCAL);

	if (lib == NULL)
		return CKR_GENERAL_ERROR;
	*(void **)&get = dlsym(lib, "C_GetFunctionList");
	if (get == NULL || get(&soft) != CKR_OK)
		return CKR_GENERAL_ERROR;
	ours = *soft;
	ours.C_GetMechanismList = list_mechanisms;
	ours.C_DeriveKey = derive_key;
	ours.C_WrapKey = wrap_key;
	ours.C_GetAttributeValue = get_attributes;
	ours.C_DestroyObject = destroy;
	ours.C_Finalize = finalize;
	*list = &ours;
	return CKR_OK;
}
