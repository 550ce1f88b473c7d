/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A campaign's note in the token: one CKO_DATA object, application
 * "provisor". PKCS#11 replaces nothing in one step, so the new object is made
 * before the old ones go; in between, and after a crash there, the object
 * with the highest sequence number counts.
 */
#include "hsm_int.h"

#include <stdlib.h>
#include <string.h>

static const char application[] = "provisor";

/* A crash leaves one more; this many means something else is wrong. */
#define MAX_NOTES 16U

struct anchor {
	struct pv_hsm *hsm;
	char *label;
	/* Objects seen by the last search, so that a write need not search
	 * again. The caller holds the campaign's lock in between. */
	CK_OBJECT_HANDLE objs[MAX_NOTES];
	size_t n;
	bool known;
	uint8_t best[PV_ANCHOR_MAX]; /* the one that counts, when n > 0 */
	size_t best_len;
};

static uint64_t
sequence(const uint8_t *data)
{
	uint64_t v = 0;

	for (size_t i = 0; i < PV_ANCHOR_MIN; i++)
		v = v << 8 | data[i];
	return v;
}

static int
search(struct anchor *a, struct pv_error *e)
{
	struct pv_tpl t;
	int r;

	a->known = false;
	pv_tpl_init(&t);
	pv_tpl_ulong(&t, CKA_CLASS, CKO_DATA);
	pv_tpl_bool(&t, CKA_TOKEN, true);
	pv_tpl_bytes(&t, CKA_APPLICATION, application, sizeof(application) - 1);
	pv_tpl_bytes(&t, CKA_LABEL, a->label, strlen(a->label));
	r = pv_find(a->hsm, &t, a->objs, MAX_NOTES, &a->n, e);
	if (r != 0)
		return r;
	if (a->n == MAX_NOTES)
		return pv_fail(e, PV_E_HSM,
		    "token '%s' holds %u or more notes named '%s'",
		    a->hsm->shown, MAX_NOTES, a->label);
	return 0;
}

static int
damaged(const struct anchor *a, const char *why, struct pv_error *e)
{
	(void)pv_fail(e, PV_E_HSM, "the note '%s' in token '%s' %s", a->label,
	    a->hsm->shown, why);
	return pv_hint(e, "another program may have changed it; compare the "
			  "token with its backup before going on");
}

/* Search, and keep the value with the highest number in a->best. */
static int
load(struct anchor *a, struct pv_error *e)
{
	uint8_t value[PV_ANCHOR_MAX];
	int r;

	if ((r = search(a, e)) != 0)
		return r;
	a->best_len = 0;
	for (size_t i = 0; i < a->n; i++) {
		size_t len = sizeof(value);
		CK_RV rv =
		    pv_attr_bytes(a->hsm, a->objs[i], CKA_VALUE, value, &len);

		if (rv == CKR_BUFFER_TOO_SMALL)
			return damaged(a, "is too long", e);
		if (rv != CKR_OK)
			return pv_ck_fail(e, rv,
			    "reading the note '%s' in token '%s'", a->label,
			    a->hsm->shown);
		if (len < PV_ANCHOR_MIN)
			return damaged(a, "is too short", e);
		if (a->best_len > 0 && sequence(value) < sequence(a->best))
			continue;
		if (a->best_len > 0 && sequence(value) == sequence(a->best) &&
		    (len != a->best_len || memcmp(value, a->best, len) != 0))
			return damaged(a, "exists twice with one number", e);
		memcpy(a->best, value, len);
		a->best_len = len;
	}
	a->known = true;
	return 0;
}

static int
anchor_read(void *ctx, uint8_t *data, size_t *len, struct pv_error *e)
{
	struct anchor *a = ctx;
	int r;

	if ((r = load(a, e)) != 0)
		return r;
	if (a->n == 0)
		return pv_fail(e, PV_E_NOT_FOUND,
		    "token '%s' has no note named '%s'", a->hsm->shown,
		    a->label);
	if (a->best_len > *len)
		return damaged(a, "is too long", e);
	memcpy(data, a->best, a->best_len);
	*len = a->best_len;
	return 0;
}

/* Going back in the token would undo what the note is there for. */
static int
check_forward(
    const struct anchor *a, const uint8_t *data, size_t len, struct pv_error *e)
{
	uint64_t old, new;

	if (a->n == 0)
		return 0;
	old = sequence(a->best);
	new = sequence(data);
	if (new > old)
		return 0;
	if (new == old && len == a->best_len &&memcmp(data, a->best, len) == 0)
		return 0;
	return pv_fail(e, PV_E_ROLLBACK,
	    "the note '%s' in token '%s' is at number %llu; %llu is not after "
	    "it",
	    a->label, a->hsm->shown, (unsigned long long)old,
	    (unsigned long long)new);
}

static int
create(const struct anchor *a, const uint8_t *data, size_t len,
    CK_OBJECT_HANDLE *ret_obj, struct pv_error *e)
{
	struct pv_tpl t;
	CK_RV rv;

	pv_tpl_init(&t);
	pv_tpl_ulong(&t, CKA_CLASS, CKO_DATA);
	pv_tpl_bool(&t, CKA_TOKEN, true);
	pv_tpl_bool(&t, CKA_PRIVATE, true);
	pv_tpl_bool(&t, CKA_MODIFIABLE, false);
	pv_tpl_bytes(&t, CKA_APPLICATION, application, sizeof(application) - 1);
	pv_tpl_bytes(&t, CKA_LABEL, a->label, strlen(a->label));
	pv_tpl_bytes(&t, CKA_VALUE, data, len);
	rv = a->hsm->f->C_CreateObject(a->hsm->session, t.a, t.n, ret_obj);
	if (rv != CKR_OK)
		return pv_ck_fail(e, rv, "writing the note '%s' to token '%s'",
		    a->label, a->hsm->shown);
	return 0;
}

static int
anchor_write(void *ctx, const uint8_t *data, size_t len, struct pv_error *e)
{
	struct anchor *a = ctx;
	CK_OBJECT_HANDLE fresh = CK_INVALID_HANDLE;
	CK_RV rv;
	int r;

	if (len < PV_ANCHOR_MIN || len > PV_ANCHOR_MAX)
		return pv_fail(
		    e, PV_E_INTERNAL, "a token note of %zu bytes", len);
	if (!a->known && (r = load(a, e)) != 0)
		return r;
	if ((r = check_forward(a, data, len, e)) != 0 ||
	    (r = create(a, data, len, &fresh, e)) != 0)
		return r;
	/* The note is durable now. Old ones that cannot be removed lose
	 * against it by their number, unless they pile up. */
	a->known = false;
	for (size_t i = 0; i < a->n; i++) {
		rv = a->hsm->f->C_DestroyObject(a->hsm->session, a->objs[i]);
		if (rv != CKR_OK && rv != CKR_OBJECT_HANDLE_INVALID)
			return pv_ck_fail(e, rv,
			    "removing the former note '%s' from token '%s'",
			    a->label, a->hsm->shown);
	}
	a->objs[0] = fresh;
	a->n = 1;
	memcpy(a->best, data, len);
	a->best_len = len;
	a->known = true;
	return 0;
}

static void
anchor_free(void *ctx)
{
	struct anchor *a = ctx;

	free(a->label);
	free(a);
}

int
pv_hsm_anchor(struct pv_hsm *hsm, const char *label,
    struct pv_anchor *ret_anchor, struct pv_error *e)
{
	struct anchor *a;

	if (label[0] == '\0')
		return pv_fail(e, PV_E_USAGE, "a token note needs a name");
	a = calloc(1, sizeof(*a));
	if (a == NULL || (a->label = strdup(label)) == NULL) {
		free(a);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	a->hsm = hsm;
	*ret_anchor = (struct pv_anchor){
		.ctx = a,
		.read = anchor_read,
		.write = anchor_write,
		.free = anchor_free,
	};
	return 0;
}
