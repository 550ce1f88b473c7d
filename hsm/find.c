/* SPDX-License-Identifier: Apache-2.0 */
/* From a URI to exactly one object. */
#include "hsm_int.h"

#include <stdlib.h>
#include <string.h>

/* Enough to tell "one" from "several", and to count for the message. */
#define MAX_MATCHES 32U

int
pv_find(const struct pv_hsm *hsm, const struct pv_tpl *t,
    CK_OBJECT_HANDLE *ret_objs, size_t max, size_t *ret_n, struct pv_error *e)
{
	CK_ATTRIBUTE a[PV_TPL_MAX];
	size_t n = 0;
	CK_ULONG got;
	CK_RV rv;

	memcpy(a, t->a, sizeof(a[0]) * t->n);
	rv = hsm->f->C_FindObjectsInit(hsm->session, a, t->n);
	if (rv != CKR_OK)
		return pv_ck_fail(e, rv, "searching token '%s'", hsm->shown);
	do {
		got = 0;
		rv = hsm->f->C_FindObjects(
		    hsm->session, ret_objs + n, max - n, &got);
		if (got > max - n)
			rv = CKR_GENERAL_ERROR;
		if (rv == CKR_OK)
			n += got;
	} while (rv == CKR_OK && got > 0 && n < max);
	(void)hsm->f->C_FindObjectsFinal(hsm->session);
	if (rv != CKR_OK)
		return pv_ck_fail(e, rv, "searching token '%s'", hsm->shown);
	*ret_n = n;
	return 0;
}

int
pv_find_uri(const struct pv_hsm *hsm, P11KitUri *uri, CK_OBJECT_CLASS cls,
    CK_OBJECT_HANDLE *ret_objs, size_t max, size_t *ret_n, struct pv_error *e)
{
	struct pv_tpl t;
	CK_ULONG n = 0;
	CK_ATTRIBUTE *a = p11_kit_uri_get_attributes(uri, &n);

	pv_tpl_init(&t);
	pv_tpl_ulong(&t, CKA_CLASS, cls);
	pv_tpl_bool(&t, CKA_TOKEN, true);
	/* An RFC 7512 path has object, id and type; type is for the caller. */
	for (CK_ULONG i = 0; i < n && t.n < PV_TPL_MAX; i++)
		if (a[i].type != CKA_CLASS)
			pv_tpl_bytes(
			    &t, a[i].type, a[i].pValue, a[i].ulValueLen);
	return pv_find(hsm, &t, ret_objs, max, ret_n, e);
}

int
pv_find_check_token(const struct pv_hsm *hsm, P11KitUri *uri, const char *text,
    struct pv_error *e)
{
	CK_INFO library = hsm->library;
	CK_SLOT_INFO slot_info = hsm->slot_info;
	CK_TOKEN_INFO token = hsm->token;
	CK_SLOT_ID want = p11_kit_uri_get_slot_id(uri);
	const char *path = p11_kit_uri_get_module_path(uri);

	if (path != NULL && strcmp(path, hsm->module) != 0)
		return pv_fail(e, PV_E_NO_KEY,
		    "'%s' names another module than the open '%s'", text,
		    hsm->module);
	if ((want != (CK_SLOT_ID)-1 && want != hsm->slot) ||
	    !p11_kit_uri_match_module_info(uri, &library) ||
	    !p11_kit_uri_match_slot_info(uri, &slot_info) ||
	    !p11_kit_uri_match_token_info(uri, &token)) {
		(void)pv_fail(e, PV_E_NO_KEY,
		    "'%s' is not in the open token '%s'", text, hsm->shown);
		return pv_hint(e, "one command works with the keys of one "
				  "token; use a key of this one");
	}
	return 0;
}

static const char *
class_name(CK_OBJECT_CLASS cls)
{
	switch (cls) {
	case CKO_SECRET_KEY:
		return "secret key";
	case CKO_PRIVATE_KEY:
		return "private key";
	case CKO_PUBLIC_KEY:
		return "public key";
	default:
		return "object";
	}
}

int
pv_find_fail_count(const struct pv_hsm *hsm, const char *text, const char *what,
    size_t n, size_t max, struct pv_error *e)
{
	if (n == 0) {
		(void)pv_fail(e, PV_E_NO_KEY,
		    "no %s in token '%s' matches '%s'", what, hsm->shown, text);
		return pv_hint(e, "'provisor key list' shows the keys of a "
				  "token with their URIs");
	}
	(void)pv_fail(e, PV_E_NO_KEY,
	    "%s%zu %ss in token '%s' match '%s'; it must be exactly one",
	    n == max ? "at least " : "", n, what, hsm->shown, text);
	return pv_hint(e, "add object= or id= to the URI; 'provisor key list' "
			  "shows both");
}

int
pv_find_key(const struct pv_hsm *hsm, const char *text, CK_OBJECT_CLASS cls,
    CK_OBJECT_HANDLE *ret_obj, struct pv_error *e)
{
	CK_OBJECT_HANDLE objs[MAX_MATCHES];
	P11KitUri *uri = NULL;
	CK_ATTRIBUTE *type;
	size_t n = 0;
	int r;

	if ((r = pv_uri_parse(text, &uri, e)) != 0)
		return r;
	if ((r = pv_find_check_token(hsm, uri, text, e)) != 0)
		goto out;
	/* The halves of a pair share their label: private and public name
	 * the same key, and the caller knows which half it needs. */
	type = p11_kit_uri_get_attribute(uri, CKA_CLASS);
	if (type != NULL && type->ulValueLen == sizeof(CK_OBJECT_CLASS)) {
		CK_OBJECT_CLASS want;

		memcpy(&want, type->pValue, sizeof(want));
		if ((want == CKO_SECRET_KEY) != (cls == CKO_SECRET_KEY) ||
		    (want != CKO_SECRET_KEY && want != CKO_PRIVATE_KEY &&
			want != CKO_PUBLIC_KEY)) {
			r = pv_fail(e, PV_E_NO_KEY,
			    "'%s' names a %s where a %s is needed", text,
			    class_name(want), class_name(cls));
			goto out;
		}
	}
	r = pv_find_uri(hsm, uri, cls, objs, MAX_MATCHES, &n, e);
	if (r != 0)
		goto out;
	if (n == 1)
		*ret_obj = objs[0];
	else
		r = pv_find_fail_count(
		    hsm, text, class_name(cls), n, MAX_MATCHES, e);
out:
	p11_kit_uri_free(uri);
	return r;
}
