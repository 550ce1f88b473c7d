/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A campaign's note in the token: CKO_DATA objects, application "provisor".
 * Two of them are written in turns; the one with the highest sequence number
 * counts, the other takes the next note. So a write that is cut short never
 * touches the note that counts.
 *
 * The note is in the label, in hexadecimal, and the value says whose note it
 * is: the label is the one attribute that PKCS#11 lets change in an object
 * that exists (v2.40 section 4.4). It matters because SoftHSM2 writes the file
 * of a new object once for each of its attributes. A token that refuses such
 * labels, or to change them, gets the other form: the name in the label, the
 * note in the value, and for each note a new object before the old ones go.
 */
#include "hsm_int.h"

#include "base/hex.h"

#include <stdlib.h>
#include <string.h>

static const char application[] = "provisor";

/* A crash leaves one more; this many means something else is wrong. */
#define MAX_NOTES 16U

struct anchor {
	struct pv_hsm *hsm;
	char *name;
	/* Objects seen by the last search, so that a write need not search
	 * again. The caller holds the campaign's lock in between. */
	CK_OBJECT_HANDLE objs[MAX_NOTES];
	size_t n;
	size_t n_label; /* the first so many have their note in the label */
	size_t top;	/* the one that counts, when n > 0 */
	bool known;
	bool labels_only;	     /* no other form is in this token */
	bool fixed;		     /* labels are refused here, or fixed */
	uint8_t best[PV_ANCHOR_MAX]; /* the note that counts */
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

/* Objects of this name: `where` is the attribute that holds the name. */
static int
search(struct anchor *a, CK_ATTRIBUTE_TYPE where, struct pv_error *e)
{
	struct pv_tpl t;
	size_t n = 0;
	int r;

	pv_tpl_init(&t);
	pv_tpl_ulong(&t, CKA_CLASS, CKO_DATA);
	pv_tpl_bool(&t, CKA_TOKEN, true);
	pv_tpl_bytes(&t, CKA_APPLICATION, application, sizeof(application) - 1);
	pv_tpl_bytes(&t, where, a->name, strlen(a->name));
	r = pv_find(a->hsm, &t, a->objs + a->n, MAX_NOTES - a->n, &n, e);
	if (r != 0)
		return r;
	a->n += n;
	if (a->n == MAX_NOTES)
		return pv_fail(e, PV_E_HSM,
		    "token '%s' holds %u or more notes named '%s'",
		    a->hsm->shown, MAX_NOTES, a->name);
	return 0;
}

static int
damaged(const struct anchor *a, const char *why, struct pv_error *e)
{
	(void)pv_fail(e, PV_E_HSM, "the note '%s' in token '%s' %s", a->name,
	    a->hsm->shown, why);
	return pv_hint(e, "another program may have changed it; compare the "
			  "token with its backup before going on");
}

/* The bytes of one object's note; 0 of them when a write was cut short. */
static int
value_of(struct anchor *a, size_t i, uint8_t value[PV_ANCHOR_MAX],
    size_t *ret_len, struct pv_error *e)
{
	bool in_label = i < a->n_label;
	uint8_t text[2 * PV_ANCHOR_MAX];
	char hex[2 * PV_ANCHOR_MAX + 1];
	size_t len = in_label ? sizeof(text) : PV_ANCHOR_MAX;
	CK_RV rv = pv_attr_bytes(a->hsm, a->objs[i],
	    in_label ? CKA_LABEL : CKA_VALUE, in_label ? text : value, &len);

	if (rv == CKR_BUFFER_TOO_SMALL)
		return damaged(a, "is too long", e);
	if (rv != CKR_OK)
		return pv_ck_fail(e, rv, "reading the note '%s' in token '%s'",
		    a->name, a->hsm->shown);
	*ret_len = len;
	if (in_label) {
		memcpy(hex, text, len);
		hex[len] = '\0';
		*ret_len = len / 2;
		if (strlen(hex) != len ||
		    pv_hex_decode(hex, value, *ret_len, NULL) != 0)
			return damaged(a, "is not hexadecimal", e);
	}
	if (*ret_len > 0 && *ret_len < PV_ANCHOR_MIN)
		return damaged(a, "is too short", e);
	return 0;
}

/* One note into a->best if it is higher. */
static int
take(struct anchor *a, size_t i, struct pv_error *e)
{
	uint8_t value[PV_ANCHOR_MAX];
	size_t len = 0;
	int r;

	if ((r = value_of(a, i, value, &len, e)) != 0 || len == 0)
		return r;
	if (a->best_len > 0 && sequence(value) < sequence(a->best))
		return 0;
	if (a->best_len > 0 && sequence(value) == sequence(a->best) &&
	    (len != a->best_len || memcmp(value, a->best, len) != 0))
		return damaged(a, "exists twice with one number", e);
	memcpy(a->best, value, len);
	a->best_len = len;
	a->top = i;
	return 0;
}

/* Search, and keep the note with the highest number in a->best. */
static int
load(struct anchor *a, struct pv_error *e)
{
	int r;

	a->known = false;
	a->n = 0;
	a->best_len = 0;
	if ((r = search(a, CKA_VALUE, e)) != 0)
		return r;
	a->n_label = a->n;
	if (!a->labels_only || a->n == 0) {
		if ((r = search(a, CKA_LABEL, e)) != 0)
			return r;
		a->labels_only = a->n == a->n_label;
	}
	for (size_t i = 0; i < a->n; i++)
		if ((r = take(a, i, e)) != 0)
			return r;
	if (a->n > 0 && a->best_len == 0)
		return damaged(a, "is empty", e);
	a->known = true;
	return 0;
}

/*
 * The two objects this session already knows, read again: a search makes a
 * token look at everything it holds. Whoever else writes this note writes into
 * the same two; when they are not what they were, search.
 */
static bool
reload(struct anchor *a)
{
	if (!a->known || !a->labels_only || a->fixed || a->n != 2)
		return false;
	a->best_len = 0;
	a->known =
	    take(a, 0, NULL) == 0 && take(a, 1, NULL) == 0 && a->best_len > 0;
	return a->known;
}

static int
anchor_read(void *ctx, uint8_t *data, size_t *len, struct pv_error *e)
{
	struct anchor *a = ctx;
	int r;

	if (!reload(a) && (r = load(a, e)) != 0)
		return r;
	if (a->n == 0)
		return pv_fail(e, PV_E_NOT_FOUND,
		    "token '%s' has no note named '%s'", a->hsm->shown,
		    a->name);
	if (a->best_len > *len)
		return damaged(a, "is too long", e);
	memcpy(data, a->best, a->best_len);
	*len = a->best_len;
	return 0;
}

/* Going back in the token would undo what the note is there for. */
static int
check_forward(const struct anchor *a, const uint8_t *data, struct pv_error *e)
{
	uint64_t old, new;

	if (a->n == 0)
		return 0;
	old = sequence(a->best);
	new = sequence(data);
	if (new > old)
		return 0;
	return pv_fail(e, PV_E_ROLLBACK,
	    "the note '%s' in token '%s' is at number %llu; %llu is not after "
	    "it",
	    a->name, a->hsm->shown, (unsigned long long)old,
	    (unsigned long long)new);
}

/* Does this answer mean that the token does not do that, and is well? */
static bool
refused(CK_RV rv)
{
	switch (rv) {
	case CKR_ACTION_PROHIBITED:
	case CKR_ATTRIBUTE_READ_ONLY:
	case CKR_ATTRIBUTE_TYPE_INVALID:
	case CKR_ATTRIBUTE_VALUE_INVALID:
	case CKR_DATA_LEN_RANGE:
	case CKR_FUNCTION_NOT_SUPPORTED:
	case CKR_TEMPLATE_INCONSISTENT:
		return true;
	default:
		return false;
	}
}

static int
write_failed(const struct anchor *a, CK_RV rv, struct pv_error *e)
{
	return pv_ck_fail(e, rv, "writing the note '%s' to token '%s'", a->name,
	    a->hsm->shown);
}

static CK_RV
create(const struct anchor *a, const void *label, size_t label_len,
    const void *value, size_t value_len, CK_OBJECT_HANDLE *ret_obj)
{
	struct pv_tpl t;

	pv_tpl_init(&t);
	pv_tpl_ulong(&t, CKA_CLASS, CKO_DATA);
	pv_tpl_bool(&t, CKA_TOKEN, true);
	pv_tpl_bool(&t, CKA_PRIVATE, true);
	pv_tpl_bool(&t, CKA_MODIFIABLE, !a->fixed);
	pv_tpl_bytes(&t, CKA_APPLICATION, application, sizeof(application) - 1);
	pv_tpl_bytes(&t, CKA_LABEL, label, label_len);
	pv_tpl_bytes(&t, CKA_VALUE, value, value_len);
	return a->hsm->f->C_CreateObject(a->hsm->session, t.a, t.n, ret_obj);
}

/* The index of an object whose label takes the next note; a->n if none. */
static size_t
find_spare(const struct anchor *a)
{
	for (size_t i = 0; i < a->n_label; i++)
		if (i != a->top)
			return i;
	return a->n;
}

/*
 * Write the note into a label, of the spare object or a new one. *ret_at is
 * where it went; a->n when the token takes no note that way.
 */
static int
write_label(struct anchor *a, const uint8_t *data, size_t len, size_t *ret_at,
    struct pv_error *e)
{
	char hex[2 * PV_ANCHOR_MAX + 1];
	size_t at = find_spare(a);
	CK_ATTRIBUTE label = {
		.type = CKA_LABEL,
		.pValue = hex,
		.ulValueLen = 2 * len,
	};
	CK_RV rv;

	pv_hex_encode(hex, data, len);
	*ret_at = a->n;
	if (at < a->n) {
		rv = a->hsm->f->C_SetAttributeValue(
		    a->hsm->session, a->objs[at], &label, 1);
	} else {
		/* Objects with labels stand first. */
		CK_OBJECT_HANDLE fresh = CK_INVALID_HANDLE;

		rv = create(a, hex, 2 * len, a->name, strlen(a->name), &fresh);
		if (rv == CKR_OK) {
			at = a->n_label++;
			memmove(a->objs + at + 1, a->objs + at,
			    (a->n - at) * sizeof(a->objs[0]));
			a->objs[at] = fresh;
			if (a->n > 0 && a->top >= at)
				a->top++;
			a->n++;
		}
	}
	if (rv == CKR_OK) {
		*ret_at = at;
		return 0;
	}
	if (!refused(rv))
		return write_failed(a, rv, e);
	a->fixed = true;
	return 0;
}

/* Destroy all objects but two, which may be one. */
static int
prune(struct anchor *a, size_t keep, size_t other, struct pv_error *e)
{
	CK_OBJECT_HANDLE left[2] = { a->objs[keep], a->objs[other] };
	size_t labels = (keep < a->n_label ? 1U : 0U) +
			(other != keep && other < a->n_label ? 1U : 0U);

	for (size_t i = 0; i < a->n; i++) {
		CK_RV rv;

		if (i == keep || i == other)
			continue;
		rv = a->hsm->f->C_DestroyObject(a->hsm->session, a->objs[i]);
		if (rv != CKR_OK && rv != CKR_OBJECT_HANDLE_INVALID)
			return pv_ck_fail(e, rv,
			    "removing a former note '%s' from token '%s'",
			    a->name, a->hsm->shown);
	}
	a->objs[0] = left[0];
	a->objs[1] = left[1];
	a->n = keep == other ? 1 : 2;
	a->n_label = labels;
	a->top = 0;
	return 0;
}

static int
anchor_write(void *ctx, const uint8_t *data, size_t len, struct pv_error *e)
{
	struct anchor *a = ctx;
	size_t at, old;
	CK_RV rv;
	int r;

	if (len < PV_ANCHOR_MIN || len > PV_ANCHOR_MAX)
		return pv_fail(
		    e, PV_E_INTERNAL, "a token note of %zu bytes", len);
	if (!a->known && (r = load(a, e)) != 0)
		return r;
	if (a->n > 0 && len == a->best_len && memcmp(data, a->best, len) == 0)
		return 0;
	if ((r = check_forward(a, data, e)) != 0)
		return r;
	a->known = false;
	at = a->n;
	if (!a->fixed && (r = write_label(a, data, len, &at, e)) != 0)
		return r;
	if (at == a->n) {
		rv = create(
		    a, a->name, strlen(a->name), data, len, &a->objs[at]);
		if (rv != CKR_OK)
			return write_failed(a, rv, e);
		a->labels_only = false;
		a->n++;
	}
	/* The note is written now. The one before it stays, to take the next
	 * in its label. Others lose against it by their number; those that
	 * cannot be removed must not pile up. */
	old = a->n > 1 && !a->fixed && a->top < a->n_label ? a->top : at;
	if ((r = prune(a, at, old, e)) != 0)
		return r;
	memcpy(a->best, data, len);
	a->best_len = len;
	a->known = true;
	return 0;
}

static void
anchor_free(void *ctx)
{
	struct anchor *a = ctx;

	free(a->name);
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
	if (a == NULL || (a->name = strdup(label)) == NULL) {
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

/* --- all notes of a token ---------------------------------------------------- */

/* Objects of ours one token can hold; more is somebody's mistake. */
#define MAX_TOKEN_NOTES 4096U

int
pv_hsm_anchor_names(struct pv_hsm *hsm, const char *prefix,
    int (*each)(void *ctx, const char *label, struct pv_error *e), void *ctx,
    struct pv_error *e)
{
	CK_OBJECT_HANDLE *objs = calloc(MAX_TOKEN_NOTES, sizeof(*objs));
	struct pv_tpl t;
	size_t n = 0;
	int r;

	if (objs == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	pv_tpl_init(&t);
	pv_tpl_ulong(&t, CKA_CLASS, CKO_DATA);
	pv_tpl_bool(&t, CKA_TOKEN, true);
	pv_tpl_bytes(&t, CKA_APPLICATION, application, sizeof(application) - 1);
	r = pv_find(hsm, &t, objs, MAX_TOKEN_NOTES, &n, e);
	/* The name is in the value or in the label, see the top. */
	for (size_t i = 0; r == 0 && i < 2 * n; i++) {
		uint8_t name[PV_ANCHOR_MAX + 1];
		size_t len = sizeof(name) - 1;
		CK_RV rv = pv_attr_bytes(hsm, objs[i / 2],
		    i % 2 == 0 ? CKA_VALUE : CKA_LABEL, name, &len);

		if (rv != CKR_OK || len < strlen(prefix) ||
		    memcmp(name, prefix, strlen(prefix)) != 0)
			continue;
		name[len] = 0;
		r = each(ctx, (const char *)name, e);
	}
	free(objs);
	return r;
}
