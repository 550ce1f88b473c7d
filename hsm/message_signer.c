/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing messages in the token: ECDSA on P-256 and P-384 over a digest made
 * on the host, Ed25519 over the message itself.
 */
#include "hsm_int.h"

#include "crypto/digest.h"

#include <stdlib.h>
#include <string.h>

struct message_signer {
	struct pv_hsm *hsm;
	CK_OBJECT_HANDLE key;
	enum pv_sig_alg alg;
};

static int
message_sign(void *ctx, const void *msg, size_t len,
    uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len, struct pv_error *e)
{
	struct message_signer *s = ctx;
	bool edwards = s->alg == PV_SIG_ED25519;
	CK_MECHANISM mech = { .mechanism = edwards ? CKM_EDDSA : CKM_ECDSA };
	struct pv_part part = { msg, len };
	uint8_t digest[48], sig[PV_SIG_MAX];
	size_t want = s->alg == PV_SIG_ECDSA_P384 ? 96 : 64;
	CK_ULONG got = sizeof(sig);
	const void *in = edwards ? msg : digest;
	size_t in_len = edwards ? len : want / 2;
	CK_RV rv;
	int r = 0;

	if (s->alg == PV_SIG_ECDSA_P384)
		r = pv_sha384(&part, 1, digest, e);
	else if (!edwards)
		r = pv_sha256(&part, 1, digest, e);
	if (r != 0)
		return r;
	rv = s->hsm->f->C_SignInit(s->hsm->session, &mech, s->key);
	if (rv == CKR_OK)
		rv = s->hsm->f->C_Sign(s->hsm->session, pv_ck_bytes(in),
		    (CK_ULONG)in_len, sig, &got);
	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "signing in token '%s'", s->hsm->shown);
	if (got != want)
		return pv_fail(e, PV_E_HSM,
		    "token '%s' gave a signature of %lu bytes, not %zu",
		    s->hsm->shown, got, want);
	memcpy(ret_sig, sig, want);
	*ret_len = want;
	return 0;
}

static int
find_alg(const struct pv_curve *curve, const char *uri,
    enum pv_sig_alg *ret_alg, struct pv_error *e)
{
	if (curve != NULL && strcmp(curve->name, "ec-p256") == 0)
		*ret_alg = PV_SIG_ECDSA_P256;
	else if (curve != NULL && strcmp(curve->name, "ec-p384") == 0)
		*ret_alg = PV_SIG_ECDSA_P384;
	else if (curve != NULL && strcmp(curve->name, "ed25519") == 0)
		*ret_alg = PV_SIG_ED25519;
	else
		return pv_fail(e, PV_E_NO_KEY,
		    "'%s' is no key of P-256, P-384 or Ed25519", uri);
	return 0;
}

int
pv_hsm_message_signer(struct pv_hsm *hsm, const char *uri,
    struct pv_message_signer *ret_signer, struct pv_error *e)
{
	struct message_signer *s = calloc(1, sizeof(*s));
	struct pv_message_signer out = { .ctx = s };
	const struct pv_curve *curve;
	int r;

	if (s == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	s->hsm = hsm;
	r = pv_find_key(hsm, uri, CKO_PRIVATE_KEY, &s->key, e);
	curve = r == 0 ? pv_key_curve(hsm, s->key) : NULL;
	if (r == 0)
		r = find_alg(curve, uri, &s->alg, e);
	if (r == 0 &&
	    !pv_hsm_has(hsm, s->alg == PV_SIG_ED25519 ? CKM_EDDSA : CKM_ECDSA))
		r = pv_fail(e, PV_E_HSM, "token '%s' does not offer %s",
		    hsm->shown,
		    s->alg == PV_SIG_ED25519 ? "CKM_EDDSA" : "CKM_ECDSA");
	if (r == 0 && pv_attr_bool(hsm, s->key, CKA_ALWAYS_AUTHENTICATE, false))
		r = pv_fail(e, PV_E_HSM,
		    "'%s' asks for the PIN at every use, which is not "
		    "supported",
		    uri);
	if (r == 0)
		r = pv_pair_point(hsm, s->key, curve, out.point, e);
	if (r != 0) {
		free(s);
		return r;
	}
	out.alg = s->alg;
	out.point_len = pv_curve_point_len(curve);
	out.sign = message_sign;
	out.free = free;
	*ret_signer = out;
	return 0;
}
