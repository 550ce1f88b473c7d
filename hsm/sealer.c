/* SPDX-License-Identifier: Apache-2.0 */
/* AES-128-GCM in the token, in parts (PKCS#11 v2.40, section 2.12.3). */
#include "hsm_int.h"

#include "crypto/digest.h"

#include <stdlib.h>
#include <string.h>

#define IV_MAX	 16U
#define TAG_LEN	 16U
#define SPARE	 64U /* more than any module asks for beyond its output */
/* Room that a token may ask for: an area it holds back until its tag. */
#define ROOM_MAX ((64UL << 20) + SPARE)

enum state {
	IDLE,
	ENCRYPTING,
	DECRYPTING,
	STALE, /* a message was left unfinished: the session is spent */
};

/*
 * The sealer has a session of its own: PKCS#11 v2.40 has no call to abandon
 * an operation under way, but closing its session does.
 */
struct sealer {
	struct pv_hsm *hsm;
	CK_OBJECT_HANDLE key;
	CK_SESSION_HANDLE session;
	bool has_session;
	enum state state;
};

static void
drop_session(struct sealer *s)
{
	if (s->has_session)
		(void)s->hsm->f->C_CloseSession(s->session);
	s->has_session = false;
	s->state = IDLE;
}

static int
sealer_begin(void *ctx, bool decrypt, const uint8_t *iv, size_t iv_len,
    const void *aad, size_t aad_len, struct pv_error *e)
{
	struct sealer *s = ctx;
	uint8_t iv_copy[IV_MAX];
	CK_GCM_PARAMS params = {
		.pIv = iv_copy,
		.ulIvLen = iv_len,
		.ulIvBits = 8UL * iv_len,
		.pAAD = aad_len > 0 ? pv_ck_bytes(aad) : NULL,
		.ulAADLen = aad_len,
		.ulTagBits = 8UL * TAG_LEN,
	};
	CK_MECHANISM mech = { CKM_AES_GCM, &params, sizeof(params) };
	CK_RV rv;
	int r;

	if (iv_len > IV_MAX)
		return pv_fail(e, PV_E_INTERNAL, "IV of %zu bytes", iv_len);
	if (s->state != IDLE)
		drop_session(s);
	if (!s->has_session) {
		if ((r = pv_hsm_session(s->hsm, &s->session, e)) != 0)
			return r;
		s->has_session = true;
	}
	memcpy(iv_copy, iv, iv_len);
	rv = decrypt ? s->hsm->f->C_DecryptInit(s->session, &mech, s->key)
		     : s->hsm->f->C_EncryptInit(s->session, &mech, s->key);
	if (rv != CKR_OK) {
		s->state = STALE;
		return pv_ck_fail(
		    e, rv, "starting AES-GCM in token '%s'", s->hsm->shown);
	}
	/* A token that chose an IV of its own would have written it here. */
	if (memcmp(iv_copy, iv, iv_len) != 0) {
		s->state = STALE;
		return pv_fail(e, PV_E_HSM,
		    "token '%s' insists on an IV of its own", s->hsm->shown);
	}
	s->state = decrypt ? DECRYPTING : ENCRYPTING;
	return 0;
}

/* One call of the operation under way; in == NULL ends a decryption. */
static CK_RV
step(struct sealer *s, const uint8_t *in, size_t len, uint8_t *out, CK_ULONG *n)
{
	CK_FUNCTION_LIST_PTR f = s->hsm->f;

	if (in == NULL)
		return f->C_DecryptFinal(s->session, out, n);
	if (s->state == DECRYPTING)
		return f->C_DecryptUpdate(
		    s->session, pv_ck_bytes(in), len, out, n);
	return f->C_EncryptUpdate(s->session, pv_ck_bytes(in), len, out, n);
}

/*
 * As step, with exactly `cap` bytes of room for what really comes. Modules
 * may ask for more than they then write, and take out == NULL as a question,
 * so a buffer of our own stands in: SoftHSM2 counts the tag, and in each call
 * of a decryption all that it holds back until the end.
 */
static CK_RV
emit(struct sealer *s, const uint8_t *in, size_t len, uint8_t *out, size_t cap,
    size_t *ret_len)
{
	uint8_t small[SPARE], *room = cap < SPARE ? small : out, *big = NULL;
	CK_ULONG size = cap < SPARE ? SPARE : cap, n = size;
	CK_RV rv = step(s, in, len, room, &n);

	if (rv == CKR_BUFFER_TOO_SMALL && n > size && n <= ROOM_MAX) {
		size = n;
		room = big = malloc(size);
		rv = big == NULL ? CKR_HOST_MEMORY : step(s, in, len, room, &n);
	}
	if (rv == CKR_OK && n > cap)
		rv = CKR_BUFFER_TOO_SMALL;
	if (rv == CKR_OK) {
		if (room != out && out != NULL && n > 0)
			memcpy(out, room, n);
		*ret_len = n;
	}
	pv_wipe(small, sizeof(small));
	/* Only what came: most of a large buffer was never touched. */
	if (big != NULL)
		pv_wipe(big, rv == CKR_OK ? n : size);
	free(big);
	return rv;
}

static int
sealer_update(void *ctx, const uint8_t *in, size_t len, uint8_t *out,
    size_t out_cap, size_t *ret_len, struct pv_error *e)
{
	struct sealer *s = ctx;
	CK_RV rv;

	if (s->state != ENCRYPTING && s->state != DECRYPTING)
		return pv_fail(e, PV_E_INTERNAL, "AES-GCM was not started");
	*ret_len = 0;
	if (len == 0)
		return 0;
	rv = emit(s, in, len, out, out_cap, ret_len);
	if (rv != CKR_OK) {
		s->state = STALE;
		return pv_ck_fail(
		    e, rv, "AES-GCM in token '%s'", s->hsm->shown);
	}
	return 0;
}

static int
finish_encrypt(struct sealer *s, uint8_t tag[16], uint8_t *out, size_t out_cap,
    size_t *ret_len, struct pv_error *e)
{
	/* The last bytes that a token held back, then the tag. */
	uint8_t last[64 + TAG_LEN];
	CK_ULONG n = sizeof(last);
	size_t held;
	CK_RV rv = s->hsm->f->C_EncryptFinal(s->session, last, &n);

	s->state = rv == CKR_OK ? IDLE : STALE;
	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "finishing AES-GCM in token '%s'", s->hsm->shown);
	if (n < TAG_LEN || n > sizeof(last) || n - TAG_LEN > out_cap)
		return pv_fail(e, PV_E_HSM,
		    "token '%s' ended AES-GCM with %lu bytes", s->hsm->shown,
		    n);
	held = n - TAG_LEN;
	if (held > 0)
		memcpy(out, last, held);
	memcpy(tag, last + held, TAG_LEN);
	*ret_len = held;
	return 0;
}

/* Codes that modules return for a tag that does not match. */
static bool
bad_tag(CK_RV rv)
{
	switch (rv) {
	case CKR_ENCRYPTED_DATA_INVALID:
	case CKR_ENCRYPTED_DATA_LEN_RANGE:
	case PV_CKR_AEAD_DECRYPT_FAILED:
	case CKR_SIGNATURE_INVALID:
	/* SoftHSM2 2.6 has no closer code than these two. */
	case CKR_GENERAL_ERROR:
	case CKR_FUNCTION_FAILED:
		return true;
	default:
		return false;
	}
}

static int
finish_decrypt(struct sealer *s, const uint8_t tag[16], uint8_t *out,
    size_t out_cap, size_t *ret_len, struct pv_error *e)
{
	size_t n = 0, m = 0;
	CK_RV rv;

	/* PKCS#11 takes the tag as the end of the ciphertext. */
	rv = emit(s, tag, TAG_LEN, out, out_cap, &n);
	if (rv == CKR_OK)
		rv = emit(
		    s, NULL, 0, out_cap > n ? out + n : NULL, out_cap - n, &m);
	if (rv == CKR_OK) {
		s->state = IDLE;
		*ret_len = n + m;
		return 0;
	}
	s->state = STALE;
	if (out_cap > 0)
		pv_wipe(out, out_cap);
	if (rv == CKR_BUFFER_TOO_SMALL)
		return pv_fail(e, PV_E_HSM,
		    "token '%s' held back more than %zu bytes until the tag",
		    s->hsm->shown, out_cap);
	if (bad_tag(rv)) {
		(void)pv_fail(e, PV_E_VERIFY,
		    "the authentication tag does not match (wrong key or "
		    "nonce, or changed data)");
		if (e != NULL)
			e->vendor_code = (long)rv;
		return PV_E_VERIFY;
	}
	return pv_ck_fail(
	    e, rv, "finishing AES-GCM in token '%s'", s->hsm->shown);
}

static int
sealer_finish(void *ctx, uint8_t tag[16], uint8_t *out, size_t out_cap,
    size_t *ret_len, struct pv_error *e)
{
	struct sealer *s = ctx;

	*ret_len = 0;
	switch (s->state) {
	case ENCRYPTING:
		return finish_encrypt(s, tag, out, out_cap, ret_len, e);
	case DECRYPTING:
		return finish_decrypt(s, tag, out, out_cap, ret_len, e);
	default:
		return pv_fail(e, PV_E_INTERNAL, "AES-GCM was not started");
	}
}

static int
sealer_key_id(void *ctx, uint8_t ret_id[32], struct pv_error *e)
{
	struct sealer *s = ctx;
	struct pv_hsm *hsm = s->hsm;
	static const uint8_t block[] = "provisor/key-id1";
	static const char domain[] = "provisor/key-id/v1";
	CK_MECHANISM mech = { .mechanism = CKM_AES_ECB };
	uint8_t c[32]; /* room for a module that wants to pad */
	CK_ULONG n = sizeof(c);
	struct pv_part parts[2] = {
		{ domain, sizeof(domain) - 1 },
		{ c, 16 },
	};
	CK_RV rv;

	if (!pv_hsm_has(hsm, CKM_AES_ECB)) {
		(void)pv_fail(e, PV_E_UNSUPPORTED,
		    "token '%s' does not offer CKM_AES_ECB", hsm->shown);
		return pv_hint(e, "one AES block names the key in the record "
				  "of used nonces; without it a nonce used "
				  "twice would go unnoticed");
	}
	rv = hsm->f->C_EncryptInit(hsm->session, &mech, s->key);
	if (rv == CKR_OK)
		rv = hsm->f->C_Encrypt(
		    hsm->session, pv_ck_bytes(block), 16, c, &n);
	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "naming the key in token '%s'", hsm->shown);
	if (n != 16)
		return pv_fail(e, PV_E_HSM,
		    "token '%s' made %lu bytes of one AES block", hsm->shown,
		    n);
	return pv_sha256(parts, 2, ret_id, e);
}

static void
sealer_free(void *ctx)
{
	struct sealer *s = ctx;

	drop_session(s);
	free(s);
}

int
pv_hsm_sealer(struct pv_hsm *hsm, const char *uri, struct pv_sealer *ret_sealer,
    struct pv_error *e)
{
	struct sealer *s = calloc(1, sizeof(*s));
	CK_ULONG len;
	int r;

	if (s == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	s->hsm = hsm;
	if ((r = pv_find_key(hsm, uri, CKO_SECRET_KEY, &s->key, e)) != 0)
		goto fail;
	len = pv_attr_ulong(hsm, s->key, CKA_VALUE_LEN, 0);
	if (pv_attr_ulong(hsm, s->key, CKA_KEY_TYPE,
		CK_UNAVAILABLE_INFORMATION) != CKK_AES ||
	    len != 16) {
		r = pv_fail(e, PV_E_NO_KEY,
		    "'%s' is not an AES-128 key, which a package needs", uri);
		goto fail;
	}
	if (!pv_hsm_has(hsm, CKM_AES_GCM)) {
		(void)pv_fail(e, PV_E_HSM,
		    "token '%s' does not offer CKM_AES_GCM", hsm->shown);
		r = pv_hint(e, "packages are sealed with AES-128-GCM; use "
			       "another token or a key file");
		goto fail;
	}
	*ret_sealer = (struct pv_sealer){
		.ctx = s,
		.begin = sealer_begin,
		.update = sealer_update,
		.finish = sealer_finish,
		.key_id = sealer_key_id,
		.free = sealer_free,
	};
	return 0;
fail:
	sealer_free(s);
	return r;
}
