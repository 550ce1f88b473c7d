/* SPDX-License-Identifier: Apache-2.0 */
/* Attribute lists, and reading single attributes. */
#include "hsm_int.h"

#include <assert.h>
#include <string.h>

CK_BYTE_PTR
pv_ck_bytes(const void *data)
{
	return (CK_BYTE_PTR)(uintptr_t)data;
}

CK_ATTRIBUTE_PTR
pv_tpl_attributes(const struct pv_tpl *t)
{
	return (CK_ATTRIBUTE_PTR)(uintptr_t)t->a;
}

void
pv_tpl_init(struct pv_tpl *t)
{
	t->n = 0;
}

static CK_ATTRIBUTE *
next(struct pv_tpl *t, CK_ATTRIBUTE_TYPE type)
{
	assert(t->n < PV_TPL_MAX);
	t->a[t->n].type = type;
	return &t->a[t->n++];
}

void
pv_tpl_bool(struct pv_tpl *t, CK_ATTRIBUTE_TYPE type, bool v)
{
	CK_BBOOL *store = &t->store[t->n].flag;
	CK_ATTRIBUTE *a = next(t, type);

	*store = v ? CK_TRUE : CK_FALSE;
	a->pValue = store;
	a->ulValueLen = sizeof(*store);
}

void
pv_tpl_ulong(struct pv_tpl *t, CK_ATTRIBUTE_TYPE type, CK_ULONG v)
{
	CK_ULONG *store = &t->store[t->n].number;
	CK_ATTRIBUTE *a = next(t, type);

	*store = v;
	a->pValue = store;
	a->ulValueLen = sizeof(*store);
}

void
pv_tpl_bytes(
    struct pv_tpl *t, CK_ATTRIBUTE_TYPE type, const void *data, size_t len)
{
	CK_ATTRIBUTE *a = next(t, type);

	a->pValue = pv_ck_bytes(data);
	a->ulValueLen = len;
}

CK_RV
pv_attr_bytes(const struct pv_hsm *hsm, CK_OBJECT_HANDLE obj,
    CK_ATTRIBUTE_TYPE type, void *data, size_t *len)
{
	CK_ATTRIBUTE a = { .type = type, .pValue = data, .ulValueLen = *len };
	CK_RV rv = hsm->f->C_GetAttributeValue(hsm->session, obj, &a, 1);

	if (rv != CKR_OK)
		return rv;
	/* A length beyond the room is a module that broke its promise. */
	if (a.ulValueLen == (CK_ULONG)-1 || a.ulValueLen > *len)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	*len = a.ulValueLen;
	return CKR_OK;
}

bool
pv_attr_bool(const struct pv_hsm *hsm, CK_OBJECT_HANDLE obj,
    CK_ATTRIBUTE_TYPE type, bool dflt)
{
	CK_BBOOL v = CK_FALSE;
	size_t len = sizeof(v);

	if (pv_attr_bytes(hsm, obj, type, &v, &len) != CKR_OK ||
	    len != sizeof(v))
		return dflt;
	return v != CK_FALSE;
}

CK_ULONG
pv_attr_ulong(const struct pv_hsm *hsm, CK_OBJECT_HANDLE obj,
    CK_ATTRIBUTE_TYPE type, CK_ULONG dflt)
{
	CK_ULONG v = 0;
	size_t len = sizeof(v);

	if (pv_attr_bytes(hsm, obj, type, &v, &len) != CKR_OK ||
	    len != sizeof(v))
		return dflt;
	return v;
}

void
pv_attr_text(const struct pv_hsm *hsm, CK_OBJECT_HANDLE obj,
    CK_ATTRIBUTE_TYPE type, char *dst, size_t cap)
{
	size_t len = cap - 1;

	if (pv_attr_bytes(hsm, obj, type, dst, &len) != CKR_OK)
		len = 0;
	dst[len] = '\0';
}
