/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA on P-256 in the token, over a digest made on the host. */
#include "hsm_int.h"

#include "crypto/digest.h"
#include "crypto/ec.h"

#include <stdlib.h>
#include <string.h>

struct signer {
	struct pv_hsm *hsm;
	CK_OBJECT_HANDLE key;
	uint8_t pub[64];
};

static int
signer_sign(void *ctx, const uint8_t digest[32], uint8_t ret_sig[64],
    struct pv_error *e)
{
	struct signer *s = ctx;
	CK_MECHANISM mech = { .mechanism = CKM_ECDSA };
	uint8_t sig[64];
	CK_ULONG len = sizeof(sig);
	CK_RV rv;

	rv = s->hsm->f->C_SignInit(s->hsm->session, &mech, s->key);
	if (rv == CKR_OK)
		rv = s->hsm->f->C_Sign(
		    s->hsm->session, pv_ck_bytes(digest), 32, sig, &len);
	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "signing in token '%s'", s->hsm->shown);
	if (len != sizeof(sig))
		return pv_fail(e, PV_E_HSM,
		    "token '%s' gave a signature of %lu bytes, not 64",
		    s->hsm->shown, len);
	memcpy(ret_sig, sig, sizeof(sig));
	return 0;
}

static int
signer_public_key(void *ctx, uint8_t ret_pub[64], struct pv_error *e)
{
	const struct signer *s = ctx;

	(void)e;
	memcpy(ret_pub, s->pub, sizeof(s->pub));
	return 0;
}

/*
 * Does the public object belong to the private one? A token takes any pair of
 * objects with one id; found out later, every signature made would be lost.
 */
static int
check_pair(struct signer *s, const char *uri, struct pv_error *e)
{
	static const char probe[] = "provisor/signer-check/v1";
	struct pv_part part = { probe, sizeof(probe) - 1 };
	uint8_t digest[32], sig[64];
	int r;

	if ((r = pv_sha256(&part, 1, digest, e)) != 0 ||
	    (r = signer_sign(s, digest, sig, e)) != 0)
		return r;
	r = pv_ecdsa_verify(s->pub, digest, sig, e);
	if (r == PV_E_VERIFY)
		return pv_fail(e, PV_E_HSM,
		    "'%s': the public key in the token does not belong to "
		    "the private key",
		    uri);
	return r;
}

int
pv_hsm_signer(struct pv_hsm *hsm, const char *uri, struct pv_signer *ret_signer,
    struct pv_error *e)
{
	const struct pv_curve *curve;
	struct signer *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	s->hsm = hsm;
	if ((r = pv_find_key(hsm, uri, CKO_PRIVATE_KEY, &s->key, e)) != 0)
		goto fail;
	curve = pv_key_curve(hsm, s->key);
	if (curve == NULL || strcmp(curve->name, "ec-p256") != 0) {
		r = pv_fail(e, PV_E_NO_KEY,
		    "'%s' is not a P-256 key, which signing needs", uri);
		goto fail;
	}
	if (!pv_hsm_has(hsm, CKM_ECDSA)) {
		r = pv_fail(e, PV_E_HSM, "token '%s' does not offer CKM_ECDSA",
		    hsm->shown);
		goto fail;
	}
	if (pv_attr_bool(hsm, s->key, CKA_ALWAYS_AUTHENTICATE, false)) {
		r = pv_fail(e, PV_E_HSM,
		    "'%s' asks for the PIN at every use, which is not "
		    "supported",
		    uri);
		goto fail;
	}
	if ((r = pv_pair_point(hsm, s->key, curve, s->pub, e)) != 0 ||
	    (r = check_pair(s, uri, e)) != 0)
		goto fail;
	*ret_signer = (struct pv_signer){
		.ctx = s,
		.sign = signer_sign,
		.public_key = signer_public_key,
		.free = free,
	};
	return 0;
fail:
	free(s);
	return r;
}
