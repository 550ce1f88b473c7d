/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PKCS#11 module for tests: the token of NSS (libsoftokn3.so), an
 * implementation that shares nothing with SoftHSM2 or OpenSSL. NSS wants
 * parameters of its own in C_Initialize; its files live in NSSTOKEN_DIR.
 *
 * NSS derives and joins keys, but does not wrap with AES-GCM. That is added
 * here out of its own functions: the key to be wrapped is taken out under a
 * key of this module and encrypted with NSS's AES-GCM.
 */
#include <p11-kit/pkcs11.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list);

/* CK_C_INITIALIZE_ARGS as NSS has it: its parameters are a text. */
struct nss_args {
	CK_CREATEMUTEX create;
	CK_DESTROYMUTEX destroy;
	CK_LOCKMUTEX lock;
	CK_UNLOCKMUTEX unlock;
	CK_FLAGS flags;
	char *text;
	void *reserved;
};

static CK_FUNCTION_LIST ours;
static CK_FUNCTION_LIST_PTR nss;

static CK_RV
initialize(void *args)
{
	const char *dir = getenv("NSSTOKEN_DIR");
	char text[4200];
	struct nss_args a = { .flags = CKF_OS_LOCKING_OK, .text = text };

	(void)args;
	if (dir == NULL)
		return CKR_GENERAL_ERROR;
	(void)snprintf(text, sizeof(text),
	    "configdir='sql:%s' certPrefix='' keyPrefix='' "
	    "secmod='secmod.db' flags=noModDB",
	    dir);
	return nss->C_Initialize(&a);
}

/* A key that wraps has to encrypt as well, for wrap_key below. */
static CK_RV
derive_key(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mech, CK_OBJECT_HANDLE base,
    CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR ret_key)
{
	static CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE copy[32];
	CK_BBOOL wraps = CK_FALSE;

	if (n > 32)
		return CKR_ARGUMENTS_BAD;
	memcpy(copy, t, n * sizeof(*t));
	for (CK_ULONG i = 0; i < n; i++)
		if (t[i].type == CKA_WRAP)
			wraps = *(CK_BBOOL *)t[i].pValue;
	for (CK_ULONG i = 0; i < n && wraps; i++)
		if (t[i].type == CKA_ENCRYPT)
			copy[i].pValue = &yes;
	return nss->C_DeriveKey(s, mech, base, copy, n, ret_key);
}

static CK_RV
make_kek(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE_PTR ret_kek)
{
	CK_MECHANISM gen = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ULONG len = 32;
	CK_ATTRIBUTE t[] = {
		{ CKA_TOKEN, &no, sizeof(no) },
		{ CKA_VALUE_LEN, &len, sizeof(len) },
		{ CKA_WRAP, &yes, sizeof(yes) },
		{ CKA_DECRYPT, &yes, sizeof(yes) },
	};

	return nss->C_GenerateKey(s, &gen, t, 4, ret_kek);
}

static CK_RV
wrap_key(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mech, CK_OBJECT_HANDLE wrapping,
    CK_OBJECT_HANDLE key, CK_BYTE_PTR out, CK_ULONG_PTR out_len)
{
	CK_BYTE iv[16] = { 0 }, boxed[80], value[80];
	CK_MECHANISM cbc = { CKM_AES_CBC_PAD, iv, sizeof(iv) };
	CK_ULONG boxed_len = sizeof(boxed), value_len = sizeof(value);
	CK_OBJECT_HANDLE kek = CK_INVALID_HANDLE;
	CK_RV rv;

	if (mech->mechanism != CKM_AES_GCM)
		return nss->C_WrapKey(s, mech, wrapping, key, out, out_len);
	rv = make_kek(s, &kek);
	if (rv == CKR_OK)
		rv = nss->C_WrapKey(s, &cbc, kek, key, boxed, &boxed_len);
	if (rv == CKR_OK)
		rv = nss->C_DecryptInit(s, &cbc, kek);
	if (rv == CKR_OK)
		rv = nss->C_Decrypt(s, boxed, boxed_len, value, &value_len);
	if (rv == CKR_OK)
		rv = nss->C_EncryptInit(s, mech, wrapping);
	if (rv == CKR_OK)
		rv = nss->C_Encrypt(s, value, value_len, out, out_len);
	if (kek != CK_INVALID_HANDLE)
		(void)nss->C_DestroyObject(s, kek);
	return rv;
}

CK_RV
C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
	void *so = dlopen("libsoftokn3.so", RTLD_NOW | RTLD_LOCAL);
	CK_C_GetFunctionList get;

	if (so == NULL)
		return CKR_GENERAL_ERROR;
	*(void **)&get = dlsym(so, "NSC_GetFunctionList");
	if (get == NULL || get(&nss) != CKR_OK)
		return CKR_GENERAL_ERROR;
	ours = *nss;
	ours.C_Initialize = initialize;
	ours.C_GetFunctionList = C_GetFunctionList;
	ours.C_DeriveKey = derive_key;
	/* NSSTOKEN_PLAIN: as NSS is. */
	if (getenv("NSSTOKEN_PLAIN") == NULL)
		ours.C_WrapKey = wrap_key;
	*list = &ours;
	return CKR_OK;
}
