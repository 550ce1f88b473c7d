/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value of an AES key, for a license profile whose mechanisms the token
 * lacks. A key that is not sensitive is read; a sensitive one that may be
 * wrapped is wrapped under a one-time key of this process and unwrapped in
 * its locked memory.
 */
#include "hsm_int.h"

#include "crypto/kdf.h"
#include "crypto/rand.h"

#include <stdlib.h>
#include <string.h>

#define KEY_MAX 32U

struct source {
	struct pv_hsm *hsm;
	CK_OBJECT_HANDLE key;
	bool readable;
};

static int
read_value(
    const struct source *s, uint8_t *key, size_t *len, struct pv_error *e)
{
	CK_RV rv = pv_attr_bytes(s->hsm, s->key, CKA_VALUE, key, len);

	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "reading the key in token '%s'", s->hsm->shown);
	return 0;
}

/* The one-time key goes into the token as a session object that wraps. */
static CK_RV
put_kek(
    const struct source *s, const uint8_t kek[32], CK_OBJECT_HANDLE *ret_obj)
{
	struct pv_tpl t;

	pv_tpl_init(&t);
	pv_tpl_ulong(&t, CKA_CLASS, CKO_SECRET_KEY);
	pv_tpl_ulong(&t, CKA_KEY_TYPE, CKK_AES);
	pv_tpl_bool(&t, CKA_TOKEN, false);
	pv_tpl_bool(&t, CKA_PRIVATE, true);
	pv_tpl_bool(&t, CKA_SENSITIVE, true);
	pv_tpl_bool(&t, CKA_EXTRACTABLE, false);
	pv_tpl_bool(&t, CKA_WRAP, true);
	pv_tpl_bytes(&t, CKA_VALUE, kek, 32);
	return s->hsm->f->C_CreateObject(s->hsm->session, t.a, t.n, ret_obj);
}

static int
wrap_out(const struct source *s, uint8_t *kek, uint8_t *key, size_t *len,
    struct pv_error *e)
{
	CK_MECHANISM mech = { .mechanism = CKM_AES_KEY_WRAP };
	CK_OBJECT_HANDLE obj = CK_INVALID_HANDLE;
	uint8_t wrapped[KEY_MAX + 8];
	CK_ULONG n = sizeof(wrapped);
	CK_RV rv;
	int r;

	if ((r = pv_random(kek, 32, e)) != 0)
		return r;
	rv = put_kek(s, kek, &obj);
	if (rv == CKR_OK) {
		rv = s->hsm->f->C_WrapKey(
		    s->hsm->session, &mech, obj, s->key, wrapped, &n);
		(void)s->hsm->f->C_DestroyObject(s->hsm->session, obj);
	}
	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "wrapping the key out of token '%s'", s->hsm->shown);
	if (n != 24 && n != sizeof(wrapped))
		return pv_fail(e, PV_E_HSM,
		    "token '%s' wrapped the key to %lu bytes", s->hsm->shown,
		    n);
	*len = n - 8;
	return pv_aes_unwrap(kek, 32, wrapped, n, key, e);
}

static int
source_bytes(void *ctx, struct pv_secret **ret_key, struct pv_error *e)
{
	const struct source *s = ctx;
	struct pv_secret *room = NULL, *key = NULL;
	size_t len = KEY_MAX;
	uint8_t *p;
	int r = pv_secret_new(KEY_MAX + 32, &room, e);

	if (r != 0)
		return r;
	p = pv_secret_data(room);
	r = s->readable ? read_value(s, p, &len, e)
			: wrap_out(s, p + KEY_MAX, p, &len, e);
	if (r == 0)
		r = pv_secret_new(len, &key, e);
	if (r == 0) {
		memcpy(pv_secret_data(key), p, len);
		*ret_key = key;
	}
	pv_secret_free(room);
	return r;
}

/* NULL when the value can be had; else the reason. */
const char *
pv_key_bytes_fault(const struct pv_hsm *hsm, CK_OBJECT_HANDLE key)
{
	if (pv_attr_ulong(hsm, key, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION) !=
	    CKK_AES)
		return "it is not an AES key";
	if (pv_attr_ulong(hsm, key, CKA_VALUE_LEN, 0) != 16)
		return "it is not AES-128";
	if (!pv_attr_bool(hsm, key, CKA_EXTRACTABLE, false))
		return "it is not extractable, so its value stays in the token";
	if (!pv_attr_bool(hsm, key, CKA_SENSITIVE, true))
		return NULL;
	if (pv_attr_bool(hsm, key, CKA_WRAP_WITH_TRUSTED, false))
		return "it may only be wrapped by a trusted key";
	if (!pv_hsm_has(hsm, CKM_AES_KEY_WRAP))
		return "the token does not offer CKM_AES_KEY_WRAP";
	return NULL;
}

int
pv_hsm_key_source(struct pv_hsm *hsm, const char *uri,
    struct pv_key_source *ret_key, struct pv_error *e)
{
	struct source *s = calloc(1, sizeof(*s));
	const char *fault;
	int r;

	if (s == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	s->hsm = hsm;
	if ((r = pv_find_key(hsm, uri, CKO_SECRET_KEY, &s->key, e)) != 0)
		goto fail;
	fault = pv_key_bytes_fault(hsm, s->key);
	if (fault != NULL) {
		(void)pv_fail(e, PV_E_HSM,
		    "'%s' cannot serve a license of this profile: %s", uri,
		    fault);
		r = pv_hint_mechanism(hsm,
		    "'provisor key generate --type aes-128' makes a key that "
		    "can",
		    e);
		goto fail;
	}
	s->readable = !pv_attr_bool(hsm, s->key, CKA_SENSITIVE, true);
	*ret_key = (struct pv_key_source){
		.ctx = s,
		.bytes = source_bytes,
		.free = free,
	};
	return 0;
fail:
	free(s);
	return r;
}
