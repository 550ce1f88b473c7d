/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secret steps of a license of profile `ssp` or `ecies` inside the token
 * (formats/license-ssp.md, section 4). What comes out of it: the ephemeral
 * public key, the IV and the additional data of AES-GCM, which are no secrets,
 * and the encrypted half of the license. The package key and the key that
 * encrypts it stay.
 */
#include "hsm_int.h"

#include "base/buf.h"
#include <provisor/ecies.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE CK_INVALID_HANDLE

#define HEADER 88U /* license bytes 0x00..0x57 */
#define AUTH   32U /* KDF[32..63], the end of the additional data */

struct ecies {
	struct pv_hsm *hsm;
	CK_OBJECT_HANDLE oem;
	CK_OBJECT_HANDLE eph;
	bool der_point; /* this module wants the peer's point in DER */
	bool strict;	/* no readable part of a sensitive key */
};

/* Objects of the license under way. */
struct made {
	CK_OBJECT_HANDLE kdf;	/* 64 bytes */
	CK_OBJECT_HANDLE gcm;	/* the half that is the key; wraps only */
	CK_OBJECT_HANDLE plain; /* IV and package key */
	uint8_t iv[16];
	uint8_t aad[HEADER + AUTH];
};

static int
ecies_ephemeral(void *ctx, uint8_t ret_pub[64], struct pv_error *e)
{
	struct ecies *s = ctx;

	pv_session_key_destroy(s->hsm, &s->eph);
	return pv_ephemeral_make(s->hsm, &s->eph, ret_pub, e);
}

static int
derive_kdf(struct ecies *s, const struct pv_ecies_profile *p,
    const uint8_t chip_pub[64], const uint8_t *ephemeral, struct made *m,
    struct pv_error *e)
{
	struct pv_tpl t;
	const struct pv_ecdh how = {
		.kdf = CKD_SHA256_KDF,
		.info = ephemeral,
		.info_len = p->info_ephemeral ? 64 : 0,
		.t = &t,
	};
	CK_RV rv;

	pv_session_key_template(
	    &t, CKK_GENERIC_SECRET, 64, !s->strict, CKA_DERIVE);
	rv = pv_ephemeral_derive(
	    s->hsm, s->eph, chip_pub, &how, &s->der_point, &m->kdf);
	if (rv != CKR_OK)
		return pv_ck_fail(e, rv,
		    "CKM_ECDH1_DERIVE with CKD_SHA256_KDF in token '%s'",
		    s->hsm->shown);
	return 0;
}

/* Bytes of the derived secret as a key of their own. */
static CK_RV
extract(const struct ecies *s, CK_OBJECT_HANDLE base, size_t offset,
    const struct pv_tpl *t, CK_OBJECT_HANDLE *ret_obj)
{
	CK_ULONG bit = 8 * offset; /* CK_EXTRACT_PARAMS */
	CK_MECHANISM mech = { CKM_EXTRACT_KEY_FROM_KEY, &bit, sizeof(bit) };
	CK_OBJECT_HANDLE obj = NONE;
	CK_RV rv = s->hsm->f->C_DeriveKey(
	    s->hsm->session, &mech, base, pv_tpl_attributes(t), t->n, &obj);

	if (rv == CKR_OK)
		*ret_obj = obj;
	return rv;
}

/* Bytes of the derived secret that are public: IV, additional data. */
static CK_RV
reveal(const struct ecies *s, CK_OBJECT_HANDLE base, size_t offset,
    uint8_t *dst, size_t len)
{
	CK_OBJECT_HANDLE obj = NONE;
	struct pv_tpl t;
	size_t n = len;
	CK_RV rv;

	pv_session_key_template(&t, CKK_GENERIC_SECRET, len, false, CKA_DERIVE);
	rv = extract(s, base, offset, &t, &obj);
	if (rv == CKR_OK)
		rv = pv_attr_bytes(s->hsm, obj, CKA_VALUE, dst, &n);
	pv_session_key_destroy(s->hsm, &obj);
	return rv == CKR_OK && n != len ? CKR_DATA_LEN_RANGE : rv;
}

/* The three parts of the derived secret. */
static int
split(struct ecies *s, const struct pv_ecies_profile *p, struct made *m,
    struct pv_error *e)
{
	struct pv_tpl t;
	CK_RV rv;

	rv = reveal(s, m->kdf, p->iv_low ? 0 : 16, m->iv, sizeof(m->iv));
	if (rv == CKR_OK)
		rv = reveal(s, m->kdf, 32, m->aad + HEADER, AUTH);
	if (rv == CKR_OK) {
		pv_session_key_template(&t, CKK_AES, 16, true, CKA_WRAP);
		rv = extract(s, m->kdf, p->key_high ? 16 : 0, &t, &m->gcm);
	}
	if (rv != CKR_OK)
		return pv_ck_fail(e, rv,
		    "CKM_EXTRACT_KEY_FROM_KEY in token '%s'", s->hsm->shown);
	return 0;
}

/*
 * Derived secret and its parts. PKCS#11 lets a part be readable whatever its
 * base is (v2.40 section 2.31); modules that forbid it get a base that is
 * not sensitive. It is not read.
 */
static int
derive(struct ecies *s, const struct pv_ecies_profile *p,
    const uint8_t chip_pub[64], struct made *m, struct pv_error *e)
{
	const uint8_t *ephemeral = m->aad + 24;
	int r = derive_kdf(s, p, chip_pub, ephemeral, m, e);

	if (r != 0)
		return r;
	r = split(s, p, m, e);
	if (r == 0 || s->strict)
		return r;
	pv_session_key_destroy(s->hsm, &m->gcm);
	pv_session_key_destroy(s->hsm, &m->kdf);
	s->strict = true;
	if (derive_kdf(s, p, chip_pub, ephemeral, m, NULL) == 0 &&
	    split(s, p, m, NULL) == 0) {
		pv_error_clear(e);
		return 0;
	}
	s->strict = false;
	return r; /* the first refusal is the one to tell */
}

/* The IV before the package key, as a key that can be wrapped. */
static int
join(const struct ecies *s, const uint8_t iv[16], struct made *m,
    struct pv_error *e)
{
	CK_KEY_DERIVATION_STRING_DATA data = {
		.pData = pv_ck_bytes(iv),
		.ulLen = 16,
	};
	CK_MECHANISM mech = { CKM_CONCATENATE_DATA_AND_BASE, &data,
		sizeof(data) };
	struct pv_tpl t;
	CK_RV rv;

	pv_tpl_init(&t);
	pv_tpl_ulong(&t, CKA_CLASS, CKO_SECRET_KEY);
	pv_tpl_ulong(&t, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
	pv_tpl_ulong(&t, CKA_VALUE_LEN, 32);
	pv_tpl_bool(&t, CKA_TOKEN, false);
	pv_tpl_bool(&t, CKA_PRIVATE, true);
	pv_tpl_bool(&t, CKA_SENSITIVE, true);
	pv_tpl_bool(&t, CKA_EXTRACTABLE, true);
	rv = s->hsm->f->C_DeriveKey(
	    s->hsm->session, &mech, s->oem, t.a, t.n, &m->plain);
	if (rv != CKR_OK) {
		m->plain = NONE;
		return pv_ck_fail(e, rv,
		    "CKM_CONCATENATE_DATA_AND_BASE in token '%s'",
		    s->hsm->shown);
	}
	return 0;
}

static int
wrap(const struct ecies *s, const struct pv_ecies_profile *p, struct made *m,
    uint8_t ret_encrypted[32], uint8_t ret_tag[16], struct pv_error *e)
{
	uint8_t iv[16], out[64];
	CK_GCM_PARAMS params = {
		.pIv = iv,
		.ulIvLen = p->gcm_iv_len,
		.ulIvBits = 8UL * p->gcm_iv_len,
		.pAAD = m->aad,
		.ulAADLen = sizeof(m->aad),
		.ulTagBits = 128,
	};
	CK_MECHANISM mech = { CKM_AES_GCM, &params, sizeof(params) };
	CK_ULONG n = sizeof(out);
	CK_RV rv;

	memcpy(iv, m->iv, sizeof(iv));
	rv = s->hsm->f->C_WrapKey(
	    s->hsm->session, &mech, m->gcm, m->plain, out, &n);
	if (rv != CKR_OK)
		return pv_ck_fail(e, rv,
		    "wrapping with CKM_AES_GCM in token '%s'", s->hsm->shown);
	/* A token that chose an IV of its own would have written it here. */
	if (n != 48 || memcmp(iv, m->iv, sizeof(iv)) != 0)
		return pv_fail(e, PV_E_HSM,
		    "token '%s' wraps with CKM_AES_GCM in a way of its own "
		    "(%lu bytes)",
		    s->hsm->shown, n);
	memcpy(ret_encrypted, out, 32);
	memcpy(ret_tag, out + 32, 16);
	return 0;
}

static int
ecies_seal(void *ctx, const struct pv_ecies_profile *p,
    const uint8_t chip_pub[64], const uint8_t header[HEADER],
    const uint8_t iv[16], uint8_t ret_encrypted[32], uint8_t ret_tag[16],
    struct pv_error *e)
{
	struct ecies *s = ctx;
	struct made m = { .kdf = NONE, .gcm = NONE, .plain = NONE };
	int r;

	if (s->eph == NONE)
		return pv_fail(
		    e, PV_E_INTERNAL, "seal without an ephemeral key");
	memcpy(m.aad, header, HEADER);
	if ((r = derive(s, p, chip_pub, &m, e)) == 0 &&
	    (r = join(s, iv, &m, e)) == 0)
		r = wrap(s, p, &m, ret_encrypted, ret_tag, e);
	pv_session_key_destroy(s->hsm, &m.plain);
	pv_session_key_destroy(s->hsm, &m.gcm);
	pv_session_key_destroy(s->hsm, &m.kdf);
	pv_session_key_destroy(s->hsm, &s->eph);
	pv_wipe(&m, sizeof(m));
	return r;
}

static void
ecies_free(void *ctx)
{
	struct ecies *s = ctx;

	pv_session_key_destroy(s->hsm, &s->eph);
	free(s);
}

static struct pv_ecies
interface(struct ecies *s)
{
	return (struct pv_ecies){
		.ctx = s,
		.resident = true,
		.ephemeral = ecies_ephemeral,
		.seal = ecies_seal,
		.free = ecies_free,
	};
}

/* --- can it, and why not ----------------------------------------------------- */

const char *
pv_ecies_oem_fault(const struct pv_hsm *hsm, CK_OBJECT_HANDLE key)
{
	if (pv_attr_ulong(hsm, key, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION) !=
	    CKK_AES)
		return "it is not an AES key";
	if (pv_attr_ulong(hsm, key, CKA_VALUE_LEN, 0) != 16)
		return "it is not AES-128";
	if (!pv_attr_bool(hsm, key, CKA_SENSITIVE, false))
		return "it is not sensitive: its value can be read";
	if (!pv_attr_bool(hsm, key, CKA_EXTRACTABLE, false))
		return "it is not extractable, so the token will not wrap it";
	if (pv_attr_bool(hsm, key, CKA_WRAP_WITH_TRUSTED, false))
		return "it may only be wrapped by a trusted key";
	if (!pv_attr_bool(hsm, key, CKA_DERIVE, false))
		return "it may not derive (CKA_DERIVE), so the token cannot "
		       "put the IV before it";
	return NULL;
}

static const char *
mechanism_fault(const struct pv_hsm *hsm)
{
	static const struct pv_needed needed[] = {
		PV_NEEDED(CKM_EC_KEY_PAIR_GEN),
		PV_NEEDED(CKM_ECDH1_DERIVE),
		PV_NEEDED(CKM_EXTRACT_KEY_FROM_KEY),
		PV_NEEDED(CKM_CONCATENATE_DATA_AND_BASE),
		PV_NEEDED(CKM_AES_GCM),
	};

	return pv_hsm_lacks(hsm, needed, sizeof(needed) / sizeof(needed[0]));
}

/* A package key for the trial, of the session. */
static CK_RV
trial_key(const struct pv_hsm *hsm, CK_OBJECT_HANDLE *ret_obj)
{
	CK_MECHANISM mech = { .mechanism = CKM_AES_KEY_GEN };
	CK_OBJECT_HANDLE obj = NONE;
	struct pv_tpl t;
	CK_RV rv;

	pv_tpl_init(&t);
	pv_tpl_ulong(&t, CKA_VALUE_LEN, 16);
	pv_tpl_bool(&t, CKA_TOKEN, false);
	pv_tpl_bool(&t, CKA_PRIVATE, true);
	pv_tpl_bool(&t, CKA_SENSITIVE, true);
	pv_tpl_bool(&t, CKA_EXTRACTABLE, true);
	pv_tpl_bool(&t, CKA_DERIVE, true);
	rv = hsm->f->C_GenerateKey(hsm->session, &mech, t.a, t.n, &obj);
	if (rv == CKR_OK)
		*ret_obj = obj;
	return rv;
}

/*
 * The list of mechanisms does not tell which derivation functions ECDH takes,
 * whether AES-GCM wraps and with which IV. So one license is tried.
 */
const char *
pv_hsm_ecies_fault(struct pv_hsm *hsm, const struct pv_ecies_profile *p)
{
	struct ecies s = { .hsm = hsm, .oem = NONE, .eph = NONE };
	static const uint8_t iv[16];
	const char *fault = mechanism_fault(hsm);
	const struct pv_ecies seal = interface(&s);
	struct pv_error e = { 0 };
	CK_RV rv;
	int r;

	if (fault != NULL)
		return fault;
	rv = trial_key(hsm, &s.oem);
	r = rv == CKR_OK ? pv_ecies_try(&seal, p, iv, &e)
			 : pv_ck_fail(&e, rv, "making a key for a trial");
	pv_session_key_destroy(hsm, &s.oem);
	pv_session_key_destroy(hsm, &s.eph);
	if (r == 0)
		return NULL;
	(void)snprintf(hsm->ecies_why, sizeof(hsm->ecies_why),
	    "a trial failed: %s", e.msg);
	return hsm->ecies_why;
}

int
pv_hsm_ecies(struct pv_hsm *hsm, const char *uri,
    const struct pv_ecies_profile *p, struct pv_ecies *ret_ecies,
    struct pv_error *e)
{
	CK_OBJECT_HANDLE oem = NONE;
	const char *fault;
	struct ecies *s;
	int r;

	if ((r = pv_find_key(hsm, uri, CKO_SECRET_KEY, &oem, e)) != 0)
		return r;
	/* What the token lacks is the news; the key's faults come after it. */
	fault = pv_hsm_ecies_fault(hsm, p);
	if (fault == NULL)
		fault = pv_ecies_oem_fault(hsm, oem);
	if (fault != NULL)
		return pv_fail(e, PV_E_UNSUPPORTED, "%s", fault);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	*s = (struct ecies){ .hsm = hsm, .oem = oem, .eph = NONE };
	*ret_ecies = interface(s);
	return 0;
}
