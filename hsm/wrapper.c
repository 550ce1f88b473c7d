/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secret steps of a resident license (formats/license.md), all of them
 * inside the token: what leaves it is the ephemeral public key and the
 * wrapped OEM key.
 */
#include "hsm_int.h"

#include <stdlib.h>
#include <string.h>

#define NONE CK_INVALID_HANDLE

struct wrapper {
	struct pv_hsm *hsm;
	CK_OBJECT_HANDLE oem;
	size_t wrapped_len; /* key length + 8, RFC 3394 */
	CK_OBJECT_HANDLE eph;
	bool der_point; /* this module wants the peer's point in DER */
};

static int
wrapper_ephemeral(void *ctx, uint8_t ret_pub[64], struct pv_error *e)
{
	struct wrapper *w = ctx;

	pv_session_key_destroy(w->hsm, &w->eph);
	return pv_ephemeral_make(w->hsm, &w->eph, ret_pub, e);
}

/* Z and the KEK have in common: AES-256, never leaving, one use. */
static void
derived_template(struct pv_tpl *t, CK_ATTRIBUTE_TYPE use)
{
	pv_session_key_template(t, CKK_AES, 32, true, use);
}

static int
ecdh(struct wrapper *w, const uint8_t chip_pub[64], CK_OBJECT_HANDLE *ret_z,
    struct pv_error *e)
{
	struct pv_tpl t;
	const struct pv_ecdh how = { .kdf = CKD_NULL, .t = &t };
	CK_RV rv;

	derived_template(&t, CKA_DERIVE);
	rv = pv_ephemeral_derive(
	    w->hsm, w->eph, chip_pub, &how, &w->der_point, ret_z);
	if (rv != CKR_OK)
		return pv_ck_fail(e, rv,
		    "CKM_ECDH1_DERIVE with the chip's key in token '%s'",
		    w->hsm->shown);
	return 0;
}

static int
derive_kek(struct wrapper *w, CK_OBJECT_HANDLE z, const uint8_t context[32],
    CK_OBJECT_HANDLE *ret_kek, struct pv_error *e)
{
	CK_KEY_DERIVATION_STRING_DATA data = {
		.pData = pv_ck_bytes(context),
		.ulLen = 32,
	};
	CK_MECHANISM mech = { CKM_AES_ECB_ENCRYPT_DATA, &data, sizeof(data) };
	struct pv_tpl t;
	CK_RV rv;

	derived_template(&t, CKA_WRAP);
	rv = w->hsm->f->C_DeriveKey(
	    w->hsm->session, &mech, z, t.a, t.n, ret_kek);
	if (rv != CKR_OK) {
		*ret_kek = NONE;
		return pv_ck_fail(e, rv,
		    "CKM_AES_ECB_ENCRYPT_DATA in token '%s'", w->hsm->shown);
	}
	return 0;
}

static int
wrap_oem(struct wrapper *w, CK_OBJECT_HANDLE kek, uint8_t *wrapped, size_t *len,
    struct pv_error *e)
{
	CK_MECHANISM mech = { .mechanism = CKM_AES_KEY_WRAP };
	uint8_t out[64];
	CK_ULONG n = sizeof(out);
	CK_RV rv;

	rv = w->hsm->f->C_WrapKey(w->hsm->session, &mech, kek, w->oem, out, &n);
	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "wrapping the OEM key in token '%s'", w->hsm->shown);
	if (n != w->wrapped_len)
		return pv_fail(e, PV_E_HSM,
		    "token '%s' wrapped the OEM key to %lu bytes, not %zu",
		    w->hsm->shown, n, w->wrapped_len);
	memcpy(wrapped, out, n);
	*len = n;
	return 0;
}

static int
wrapper_wrap(void *ctx, const uint8_t chip_pub[64], const uint8_t context[32],
    uint8_t *wrapped, size_t *len, struct pv_error *e)
{
	struct wrapper *w = ctx;
	CK_OBJECT_HANDLE z = NONE, kek = NONE;
	int r;

	if (w->eph == NONE)
		return pv_fail(
		    e, PV_E_INTERNAL, "wrap without an ephemeral key");
	if (*len < w->wrapped_len) {
		r = pv_fail(e, PV_E_INTERNAL, "no room for the wrapped key");
		goto out;
	}
	if ((r = ecdh(w, chip_pub, &z, e)) != 0 ||
	    (r = derive_kek(w, z, context, &kek, e)) != 0)
		goto out;
	r = wrap_oem(w, kek, wrapped, len, e);
out:
	pv_session_key_destroy(w->hsm, &kek);
	pv_session_key_destroy(w->hsm, &z);
	pv_session_key_destroy(w->hsm, &w->eph);
	return r;
}

static void
wrapper_free(void *ctx)
{
	struct wrapper *w = ctx;

	pv_session_key_destroy(w->hsm, &w->eph);
	free(w);
}

int
pv_hsm_wrapper(struct pv_hsm *hsm, const char *uri,
    struct pv_wrapper *ret_wrapper, struct pv_error *e)
{
	struct wrapper *w = calloc(1, sizeof(*w));
	const char *fault;
	int r;

	if (w == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	w->hsm = hsm;
	w->eph = NONE;
	if ((r = pv_find_key(hsm, uri, CKO_SECRET_KEY, &w->oem, e)) != 0)
		goto fail;
	fault = pv_resident_oem_fault(hsm, w->oem);
	if (fault != NULL) {
		(void)pv_fail(e, PV_E_HSM,
		    "'%s' cannot serve a resident license: %s", uri, fault);
		r = pv_hint_mechanism(hsm,
		    "'provisor key generate --type aes-128' makes a key that "
		    "can",
		    e);
		goto fail;
	}
	w->wrapped_len = pv_attr_ulong(hsm, w->oem, CKA_VALUE_LEN, 0) + 8;
	*ret_wrapper = (struct pv_wrapper){
		.ctx = w,
		.ephemeral = wrapper_ephemeral,
		.wrap = wrapper_wrap,
		.free = wrapper_free,
	};
	return 0;
fail:
	free(w);
	return r;
}
