/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of images in a token: RSA with the padding of the host where there is
 * raw RSA, with the token's where there is not, and neither.
 */
#include "hsmtest.h"

#include "crypto/sigkey.h"
#include "hsm/hsm_int.h"
#include <provisor/signature.h>

#include <string.h>

#define KEY "pkcs11:token=oem;object=rsa"

static void
make_rsa(struct pv_hsm *h)
{
	static const uint8_t exponent[] = { 0x01, 0x00, 0x01 };
	CK_MECHANISM mech = { .mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN };
	CK_OBJECT_HANDLE pub, priv;
	struct pv_tpl tpub, tpriv;

	pv_tpl_init(&tpub);
	pv_tpl_ulong(&tpub, CKA_MODULUS_BITS, 2048);
	pv_tpl_bytes(&tpub, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
	pv_tpl_bool(&tpub, CKA_TOKEN, true);
	pv_tpl_bytes(&tpub, CKA_LABEL, "rsa", 3);
	pv_tpl_bytes(&tpub, CKA_ID, "r", 1);
	pv_tpl_init(&tpriv);
	pv_tpl_bool(&tpriv, CKA_TOKEN, true);
	pv_tpl_bool(&tpriv, CKA_PRIVATE, true);
	pv_tpl_bool(&tpriv, CKA_SENSITIVE, true);
	pv_tpl_bool(&tpriv, CKA_SIGN, true);
	pv_tpl_bytes(&tpriv, CKA_LABEL, "rsa", 3);
	pv_tpl_bytes(&tpriv, CKA_ID, "r", 1);
	assert_int_equal(h->f->C_GenerateKeyPair(h->session, &mech, tpub.a,
			     tpub.n, tpriv.a, tpriv.n, &pub, &priv),
	    CKR_OK);
}

static void
hide(struct pv_hsm *h, CK_MECHANISM_TYPE mech)
{
	for (CK_ULONG i = 0; i < h->n_mechs; i++)
		if (h->mechs[i] == mech)
			h->mechs[i] = CKM_VENDOR_DEFINED;
}

/* Two signatures of one digest; both must verify. */
static void
sign_twice(struct pv_hsm *h, uint8_t sig[2][PV_SIG_MAX])
{
	struct pv_message_signer s = { 0 };
	struct pv_pubkey *pub = NULL;
	struct pv_error e = { 0 };
	uint8_t digest[32];

	memset(digest, 0x5a, sizeof(digest));
	assert_int_equal(pv_hsm_message_signer(h, KEY, &s, &e), 0);
	assert_int_equal(s.alg, PV_SIG_RSA2048_PSS);
	assert_int_equal(pv_pubkey_from_spki(s.spki, s.spki_len, &pub, &e), 0);
	for (size_t i = 0; i < 2; i++) {
		size_t len = 0;

		assert_int_equal(
		    s.sign_digest(s.ctx, digest, 32, sig[i], &len, &e), 0);
		assert_int_equal(len, 256);
		assert_int_equal(
		    pv_pubkey_verify_digest(pub, digest, 32, sig[i], len, &e),
		    0);
		sig[i][9] ^= 1;
		assert_int_equal(
		    pv_pubkey_verify_digest(pub, digest, 32, sig[i], len, &e),
		    PV_E_VERIFY);
		sig[i][9] ^= 1;
	}
	assert_int_equal(
	    s.sign_digest(s.ctx, digest, 31, sig[0], &(size_t){ 0 }, &e),
	    PV_E_UNSUPPORTED);
	pv_pubkey_free(pub);
	pv_message_signer_release(&s);
}

static void
test_rsa(void **state)
{
	uint8_t raw[2][PV_SIG_MAX], pss[2][PV_SIG_MAX];
	struct pv_message_signer s = { 0 };
	struct pv_error e = { 0 };
	struct pv_hsm *h;

	(void)state;
	need_softhsm();
	h = open_token(URI);
	make_rsa(h);
	/* Padding of the host: the same bytes each time. */
	sign_twice(h, raw);
	assert_memory_equal(raw[0], raw[1], 256);
	/* Padding of the token: its own salt, and no less good. */
	hide(h, CKM_RSA_X_509);
	sign_twice(h, pss);
	assert_memory_not_equal(pss[0], pss[1], 256);
	hide(h, CKM_RSA_PKCS_PSS);
	assert_int_equal(pv_hsm_message_signer(h, KEY, &s, &e), PV_E_HSM);
	assert_string_equal(e.msg,
	    "token 'oem' does not offer CKM_RSA_X_509 or CKM_RSA_PKCS_PSS");
	pv_hsm_close(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rsa),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
