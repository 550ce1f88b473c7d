/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in the token over a digest made on the host, since many tokens offer
 * nothing else: ECDSA on P-256 and P-384, RSASSA-PSS with the padding made on
 * the host (CKM_RSA_X_509) or, where there is no raw RSA, in the token.
 * Ed25519 signs the message itself.
 */
#include "hsm_int.h"

#include "crypto/digest.h"
#include "crypto/pss.h"
#include "crypto/sigkey.h"

#include <stdlib.h>
#include <string.h>

struct message_signer {
	struct pv_hsm *hsm;
	CK_OBJECT_HANDLE key;
	enum pv_sig_alg alg;
	CK_MECHANISM_TYPE mech;
};

/* Bytes of a signature. */
static size_t
sig_len(enum pv_sig_alg alg)
{
	switch (alg) {
	case PV_SIG_ECDSA_P384:
		return 96;
	case PV_SIG_RSA2048_PSS:
		return 256;
	case PV_SIG_RSA3072_PSS:
		return 384;
	default:
		return 64;
	}
}

static int
token_sign(const struct message_signer *s, const void *in, size_t len,
    uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len, struct pv_error *e)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256,
		PV_PSS_SALT };
	CK_MECHANISM mech = { .mechanism = s->mech };
	uint8_t sig[PV_SIG_MAX];
	size_t want = sig_len(s->alg);
	CK_ULONG got = sizeof(sig);
	CK_RV rv;

	if (s->mech == CKM_RSA_PKCS_PSS) {
		mech.pParameter = &pss;
		mech.ulParameterLen = sizeof(pss);
	}
	rv = s->hsm->f->C_SignInit(s->hsm->session, &mech, s->key);
	if (rv == CKR_OK)
		rv = s->hsm->f->C_Sign(
		    s->hsm->session, pv_ck_bytes(in), (CK_ULONG)len, sig, &got);
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
digest_sign(void *ctx, const uint8_t *digest, size_t len,
    uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len, struct pv_error *e)
{
	const struct message_signer *s = ctx;
	uint8_t em[PV_SIG_MAX], salt[PV_PSS_SALT];
	size_t n = sig_len(s->alg);
	int r;

	if (len == 0 || len != pv_sig_alg_digest(s->alg))
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "%s over a digest of %zu bytes", pv_sig_alg_name(s->alg),
		    len);
	if (s->mech != CKM_RSA_X_509)
		return token_sign(s, digest, len, ret_sig, ret_len, e);
	r = pv_pss_salt(digest, salt, e);
	if (r == 0)
		r = pv_pss_encode(digest, salt, em, n, e);
	return r != 0 ? r : token_sign(s, em, n, ret_sig, ret_len, e);
}

static int
message_sign(void *ctx, const void *msg, size_t len,
    uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len, struct pv_error *e)
{
	const struct message_signer *s = ctx;
	struct pv_part part = { msg, len };
	size_t n = pv_sig_alg_digest(s->alg);
	uint8_t digest[48];
	int r;

	if (n == 0)
		return token_sign(s, msg, len, ret_sig, ret_len, e);
	r = n == 48 ? pv_sha384(&part, 1, digest, e)
		    : pv_sha256(&part, 1, digest, e);
	return r != 0 ? r : digest_sign(ctx, digest, n, ret_sig, ret_len, e);
}

/* The mechanism for a key, of those the token offers. */
static int
choose(struct message_signer *s, struct pv_error *e)
{
	const char *name = "CKM_ECDSA";

	s->mech = CKM_ECDSA;
	if (s->alg == PV_SIG_ED25519) {
		s->mech = CKM_EDDSA;
		name = "CKM_EDDSA";
	} else if (s->alg == PV_SIG_RSA2048_PSS ||
		   s->alg == PV_SIG_RSA3072_PSS) {
		/* Raw first: with the padding of the host the same input
		 * gives the same signature. */
		s->mech = pv_hsm_has(s->hsm, CKM_RSA_X_509) ? CKM_RSA_X_509
							    : CKM_RSA_PKCS_PSS;
		name = "CKM_RSA_X_509 or CKM_RSA_PKCS_PSS";
	}
	if (pv_hsm_has(s->hsm, s->mech))
		return 0;
	return pv_fail(
	    e, PV_E_HSM, "token '%s' does not offer %s", s->hsm->shown, name);
}

int
pv_hsm_message_signer(struct pv_hsm *hsm, const char *uri,
    struct pv_message_signer *ret_signer, struct pv_error *e)
{
	struct message_signer *s = calloc(1, sizeof(*s));
	struct pv_message_signer out = { .ctx = s };
	struct pv_pubkey *pub = NULL;
	int r;

	if (s == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	s->hsm = hsm;
	r = pv_find_key(hsm, uri, CKO_PRIVATE_KEY, &s->key, e);
	if (r == 0)
		r = pv_key_public(hsm, uri, s->key, true, &pub, e);
	if (r == 0) {
		s->alg = pv_pubkey_alg(pub);
		r = choose(s, e);
	}
	if (r == 0 && pv_attr_bool(hsm, s->key, CKA_ALWAYS_AUTHENTICATE, false))
		r = pv_fail(e, PV_E_HSM,
		    "'%s' asks for the PIN at every use, which is not "
		    "supported",
		    uri);
	if (r == 0)
		r = pv_pubkey_spki(pub, out.spki, &out.spki_len, e);
	pv_pubkey_free(pub);
	if (r != 0) {
		free(s);
		return r;
	}
	out.alg = s->alg;
	out.sign = message_sign;
	out.sign_digest = digest_sign;
	out.free = free;
	*ret_signer = out;
	return 0;
}
