/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a token, one row for a pair. */
#include "hsm_int.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEYS  4096U
#define LABEL_CAP 256U
#define ID_CAP	  64U

struct row {
	CK_OBJECT_HANDLE obj;
	CK_OBJECT_CLASS cls;
	uint8_t id[ID_CAP];
	size_t id_len;
	char label[LABEL_CAP];
};

struct rows {
	struct row *v;
	size_t n;
};

static int
collect(const struct pv_hsm *hsm, CK_OBJECT_CLASS cls, struct rows *rows,
    struct pv_error *e)
{
	CK_OBJECT_HANDLE *objs = calloc(MAX_KEYS, sizeof(*objs));
	struct row *grown;
	struct pv_tpl t;
	size_t n = 0;
	int r;

	if (objs == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	pv_tpl_init(&t);
	pv_tpl_ulong(&t, CKA_CLASS, cls);
	pv_tpl_bool(&t, CKA_TOKEN, true);
	if ((r = pv_find(hsm, &t, objs, MAX_KEYS, &n, e)) != 0 || n == 0)
		goto out;
	grown = realloc(rows->v, (rows->n + n) * sizeof(*grown));
	if (grown == NULL) {
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	rows->v = grown;
	for (size_t i = 0; i < n; i++) {
		struct row *row = &rows->v[rows->n++];

		*row = (struct row){ .obj = objs[i], .cls = cls };
		row->id_len = sizeof(row->id);
		if (pv_attr_bytes(
			hsm, row->obj, CKA_ID, row->id, &row->id_len) != CKR_OK)
			row->id_len = 0;
		pv_attr_text(
		    hsm, row->obj, CKA_LABEL, row->label, sizeof(row->label));
	}
out:
	free(objs);
	return r;
}

static bool
same_key(const struct row *a, const struct row *b)
{
	return a->id_len == b->id_len && memcmp(a->id, b->id, a->id_len) == 0 &&
	       strcmp(a->label, b->label) == 0;
}

/* Is this the public half of a private key in the list? */
static bool
is_half(const struct rows *rows, const struct row *row)
{
	if (row->cls != CKO_PUBLIC_KEY)
		return false;
	for (size_t i = 0; i < rows->n; i++)
		if (rows->v[i].cls == CKO_PRIVATE_KEY &&
		    same_key(&rows->v[i], row))
			return true;
	return false;
}

/* Does the label alone name another key as well? */
static bool
needs_id(const struct rows *rows, const struct row *row)
{
	if (row->label[0] == '\0')
		return true;
	for (size_t i = 0; i < rows->n; i++)
		if (&rows->v[i] != row &&
		    strcmp(rows->v[i].label, row->label) == 0 &&
		    !same_key(&rows->v[i], row))
			return true;
	return false;
}

static void
type_text(
    const struct pv_hsm *hsm, const struct row *row, char *dst, size_t cap)
{
	const struct pv_curve *c = pv_key_curve(hsm, row->obj);
	const char *half = row->cls == CKO_PUBLIC_KEY ? " public" : "";
	const char *name;

	switch (pv_attr_ulong(
	    hsm, row->obj, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION)) {
	case CKK_AES:
		(void)snprintf(dst, cap, "aes-%lu",
		    8 * pv_attr_ulong(hsm, row->obj, CKA_VALUE_LEN, 0));
		return;
	case CKK_RSA:
		name = "rsa";
		break;
	case CKK_EC:
		name = c != NULL ? c->name : "ec";
		break;
	case CKK_EC_EDWARDS:
		name = c != NULL ? c->name : "edwards";
		break;
	case CKK_GENERIC_SECRET:
		name = "generic";
		break;
	case CKK_DES3:
		name = "des3";
		break;
	default:
		name = "other";
		break;
	}
	(void)snprintf(dst, cap, "%s%s", name, half);
}

static const char *
fault_of(const struct pv_hsm *hsm, const struct row *row)
{
	switch (row->cls) {
	case CKO_SECRET_KEY:
		return pv_resident_oem_fault(hsm, row->obj);
	case CKO_PRIVATE_KEY:
		return pv_resident_signer_fault(hsm, row->obj);
	default:
		return "only the public half is here";
	}
}

static int
report(const struct pv_hsm *hsm, const struct rows *rows, const struct row *row,
    int (*each)(void *, const struct pv_key_info *), void *ctx,
    struct pv_error *e)
{
	bool with_id = needs_id(rows, row);
	char type[40], shown[LABEL_CAP + 8];
	struct pv_key_info info = { .label = shown, .type = type };
	char *uri = NULL;
	int r;

	r = pv_uri_make(hsm, row->label, with_id ? row->id : NULL,
	    with_id ? row->id_len : 0, &uri, e);
	if (r != 0)
		return r;
	type_text(hsm, row, type, sizeof(type));
	pv_mask(shown, sizeof(shown), row->label);
	info.uri = uri;
	info.sensitive = pv_attr_bool(hsm, row->obj, CKA_SENSITIVE, false);
	info.extractable = pv_attr_bool(
	    hsm, row->obj, CKA_EXTRACTABLE, row->cls == CKO_PUBLIC_KEY);
	info.local = pv_attr_bool(hsm, row->obj, CKA_LOCAL, false);
	info.why_not = fault_of(hsm, row);
	info.resident = info.why_not == NULL;
	info.ecies_why_not = row->cls == CKO_SECRET_KEY
				 ? pv_ecies_oem_fault(hsm, row->obj)
				 : "it is not an AES key";
	r = each(ctx, &info);
	free(uri);
	return r;
}

/* By label: modules return objects in no useful order. */
static int
by_label(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int c = strcmp(x->label, y->label);

	if (c != 0)
		return c;
	return x->cls < y->cls ? -1 : x->cls > y->cls;
}

int
pv_hsm_list(struct pv_hsm *hsm,
    int (*each)(void *ctx, const struct pv_key_info *key), void *ctx,
    struct pv_error *e)
{
	struct rows rows = { 0 };
	int r;

	if ((r = collect(hsm, CKO_SECRET_KEY, &rows, e)) != 0 ||
	    (r = collect(hsm, CKO_PRIVATE_KEY, &rows, e)) != 0 ||
	    (r = collect(hsm, CKO_PUBLIC_KEY, &rows, e)) != 0)
		goto out;
	if (rows.n > 1)
		qsort(rows.v, rows.n, sizeof(rows.v[0]), by_label);
	for (size_t i = 0; i < rows.n && r == 0; i++)
		if (!is_half(&rows, &rows.v[i]))
			r = report(hsm, &rows, &rows.v[i], each, ctx, e);
out:
	free(rows.v);
	return r;
}
