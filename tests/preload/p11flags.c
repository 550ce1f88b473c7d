/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PKCS#11 module for tests: SoftHSM2 (or the module in P11FLAGS_MODULE) with
 * P11FLAGS_SET, a hexadecimal number, added to the flags of each token, and
 * every C_Login noted as a line in the file P11FLAGS_LOG.
 */
#include <p11-kit/pkcs11.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list);

static CK_FUNCTION_LIST ours;
static CK_FUNCTION_LIST_PTR theirs;

static CK_RV
get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info)
{
	const char *set = getenv("P11FLAGS_SET");
	CK_RV rv = theirs->C_GetTokenInfo(slot, info);

	if (rv == CKR_OK && set != NULL)
		info->flags |= strtoul(set, NULL, 16);
	return rv;
}

static CK_RV
login(CK_SESSION_HANDLE s, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG len)
{
	const char *path = getenv("P11FLAGS_LOG");
	FILE *f = path != NULL ? fopen(path, "a") : NULL;

	if (f != NULL) {
		(void)fprintf(f, "login %s\n", pin == NULL ? "keypad" : "pin");
		(void)fclose(f);
	}
	return theirs->C_Login(s, user, pin, len);
}

CK_RV
C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
	const char *path = getenv("P11FLAGS_MODULE");
	CK_C_GetFunctionList get;
	void *lib =
	    dlopen(path != NULL ? path : "/usr/lib/softhsm/libsofthsm2.so",
		RTLD_NOW | RTLD_LOCAL);

	if (lib == NULL)
		return CKR_GENERAL_ERROR;
	*(void **)&get = dlsym(lib, "C_GetFunctionList");
	if (get == NULL || get(&theirs) != CKR_OK)
		return CKR_GENERAL_ERROR;
	ours = *theirs;
	ours.C_GetTokenInfo = get_token_info;
	ours.C_Login = login;
	*list = &ours;
	return CKR_OK;
}
