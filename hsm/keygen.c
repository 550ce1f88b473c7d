/* SPDX-License-Identifier: Apache-2.0 */
/* Making, importing, exporting and destroying keys. */
#include "hsm_int.h"

#include "crypto/rand.h"

#include <stdlib.h>
#include <string.h>

#define ID_LEN	    16U
#define LABEL_MAX   64U
#define MAX_MATCHES 32U

static const char *const type_names[] = {
	[PV_KEY_AES128] = "aes-128",
	[PV_KEY_AES256] = "aes-256",
	[PV_KEY_EC_P256] = "ec-p256",
	[PV_KEY_EC_P384] = "ec-p384",
	[PV_KEY_ED25519] = "ed25519",
};
#define N_TYPES (sizeof(type_names) / sizeof(type_names[0]))

int
pv_key_type_parse(
    const char *text, enum pv_key_type *ret_type, struct pv_error *e)
{
	for (size_t i = 0; i < N_TYPES; i++) {
		if (strcmp(type_names[i], text) == 0) {
			*ret_type = (enum pv_key_type)i;
			return 0;
		}
	}
	(void)pv_fail(e, PV_E_USAGE, "'%s' is not a type of key", text);
	return pv_hint(
	    e, "types are aes-128, aes-256, ec-p256, ec-p384, ed25519");
}

const char *
pv_key_type_name(enum pv_key_type type)
{
	return (size_t)type < N_TYPES ? type_names[type] : "unknown";
}

static const CK_OBJECT_CLASS key_classes[] = { CKO_SECRET_KEY, CKO_PRIVATE_KEY,
	CKO_PUBLIC_KEY };

/* A label fit for a URI and a screen, that no key here has yet. */
static int
check_label(const struct pv_hsm *hsm, const char *label, struct pv_error *e)
{
	CK_OBJECT_HANDLE obj;
	struct pv_tpl t;
	size_t n = 0;
	int r;

	if (label[0] == '\0' || strlen(label) > LABEL_MAX)
		return pv_fail(
		    e, PV_E_USAGE, "a key label has 1 to %u bytes", LABEL_MAX);
	for (const char *p = label; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return pv_fail(e, PV_E_USAGE,
			    "a key label has no control characters");
	for (size_t i = 0; i < 3; i++) {
		pv_tpl_init(&t);
		pv_tpl_ulong(&t, CKA_CLASS, key_classes[i]);
		pv_tpl_bool(&t, CKA_TOKEN, true);
		pv_tpl_bytes(&t, CKA_LABEL, label, strlen(label));
		if ((r = pv_find(hsm, &t, &obj, 1, &n, e)) != 0)
			return r;
		if (n > 0)
			return pv_fail(e, PV_E_EXISTS,
			    "token '%s' has a key labeled '%s' already",
			    hsm->shown, label);
	}
	return 0;
}

static void
aes_template(const struct pv_hsm *hsm, struct pv_tpl *t, const char *label,
    const uint8_t id[ID_LEN])
{
	pv_tpl_init(t);
	pv_tpl_ulong(t, CKA_CLASS, CKO_SECRET_KEY);
	pv_tpl_ulong(t, CKA_KEY_TYPE, CKK_AES);
	pv_tpl_bool(t, CKA_TOKEN, true);
	pv_tpl_bool(t, CKA_PRIVATE, true);
	pv_tpl_bool(t, CKA_SENSITIVE, true);
	/* C_WrapKey needs it: it means "wrappable by this login". */
	pv_tpl_bool(t, CKA_EXTRACTABLE, true);
	pv_tpl_bool(t, CKA_WRAP_WITH_TRUSTED, false);
	pv_tpl_bool(t, CKA_ENCRYPT, true);
	pv_tpl_bool(t, CKA_DECRYPT, true);
	pv_tpl_bool(t, CKA_WRAP, false);
	pv_tpl_bool(t, CKA_UNWRAP, false);
	pv_tpl_bool(t, CKA_SIGN, false);
	pv_tpl_bool(t, CKA_VERIFY, false);
	/* To be joined with an IV, for licenses of profile ssp and ecies. */
	pv_tpl_bool(
	    t, CKA_DERIVE, pv_hsm_has(hsm, CKM_CONCATENATE_DATA_AND_BASE));
	pv_tpl_bytes(t, CKA_LABEL, label, strlen(label));
	pv_tpl_bytes(t, CKA_ID, id, ID_LEN);
}

static int
generate_aes(const struct pv_hsm *hsm, CK_ULONG len, const char *label,
    const uint8_t id[ID_LEN], struct pv_error *e)
{
	CK_MECHANISM mech = { .mechanism = CKM_AES_KEY_GEN };
	CK_OBJECT_HANDLE obj;
	struct pv_tpl t;
	CK_RV rv;

	aes_template(hsm, &t, label, id);
	pv_tpl_ulong(&t, CKA_VALUE_LEN, len);
	rv = hsm->f->C_GenerateKey(hsm->session, &mech, t.a, t.n, &obj);
	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "making an AES key in token '%s'", hsm->shown);
	return 0;
}

static CK_RV
generate_pair(const struct pv_hsm *hsm, const struct pv_curve *c,
    const uint8_t *params, size_t params_len, const char *label,
    const uint8_t id[ID_LEN])
{
	CK_MECHANISM mech = {
		.mechanism = c->edwards ? CKM_EC_EDWARDS_KEY_PAIR_GEN
					: CKM_EC_KEY_PAIR_GEN,
	};
	CK_OBJECT_HANDLE pub, priv;
	struct pv_tpl tpub, tpriv;

	pv_tpl_init(&tpub);
	pv_tpl_bytes(&tpub, CKA_EC_PARAMS, params, params_len);
	pv_tpl_bool(&tpub, CKA_TOKEN, true);
	pv_tpl_bool(&tpub, CKA_PRIVATE, false);
	pv_tpl_bool(&tpub, CKA_VERIFY, true);
	pv_tpl_bool(&tpub, CKA_ENCRYPT, false);
	pv_tpl_bool(&tpub, CKA_WRAP, false);
	pv_tpl_bytes(&tpub, CKA_LABEL, label, strlen(label));
	pv_tpl_bytes(&tpub, CKA_ID, id, ID_LEN);
	pv_tpl_init(&tpriv);
	pv_tpl_bool(&tpriv, CKA_TOKEN, true);
	pv_tpl_bool(&tpriv, CKA_PRIVATE, true);
	pv_tpl_bool(&tpriv, CKA_SENSITIVE, true);
	pv_tpl_bool(&tpriv, CKA_EXTRACTABLE, false);
	pv_tpl_bool(&tpriv, CKA_SIGN, true);
	pv_tpl_bool(&tpriv, CKA_DECRYPT, false);
	pv_tpl_bool(&tpriv, CKA_UNWRAP, false);
	pv_tpl_bool(&tpriv, CKA_DERIVE, false);
	pv_tpl_bytes(&tpriv, CKA_LABEL, label, strlen(label));
	pv_tpl_bytes(&tpriv, CKA_ID, id, ID_LEN);
	return hsm->f->C_GenerateKeyPair(
	    hsm->session, &mech, tpub.a, tpub.n, tpriv.a, tpriv.n, &pub, &priv);
}

static int
generate_ec(const struct pv_hsm *hsm, const char *type, const char *label,
    const uint8_t id[ID_LEN], struct pv_error *e)
{
	/* PKCS#11 v3.0 section 2.3.5 names the curve by text. */
	static const uint8_t text[] = { 0x13, 0x0c, 'e', 'd', 'w', 'a', 'r',
		'd', 's', '2', '5', '5', '1', '9' };
	const struct pv_curve *c = pv_curve_by_name(type);
	CK_RV rv;

	if (c == NULL)
		return pv_fail(e, PV_E_INTERNAL, "no curve '%s'", type);
	rv = generate_pair(hsm, c, c->params, c->params_len, label, id);
	if (rv != CKR_OK && !pv_ck_gone(rv) && c->edwards &&
	    generate_pair(hsm, c, text, sizeof(text), label, id) == CKR_OK)
		rv = CKR_OK;
	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "making an %s key in token '%s'", type, hsm->shown);
	return 0;
}

int
pv_hsm_generate(struct pv_hsm *hsm, enum pv_key_type type, const char *label,
    char **ret_uri, struct pv_error *e)
{
	uint8_t id[ID_LEN];
	int r;

	if ((r = check_label(hsm, label, e)) != 0 ||
	    (r = pv_random(id, sizeof(id), e)) != 0)
		return r;
	switch (type) {
	case PV_KEY_AES128:
		r = generate_aes(hsm, 16, label, id, e);
		break;
	case PV_KEY_AES256:
		r = generate_aes(hsm, 32, label, id, e);
		break;
	default:
		r = generate_ec(hsm, pv_key_type_name(type), label, id, e);
		break;
	}
	if (r != 0 || ret_uri == NULL)
		return r;
	return pv_uri_make(hsm, label, NULL, 0, ret_uri, e);
}

int
pv_hsm_import_aes(struct pv_hsm *hsm, const struct pv_secret *key,
    const char *label, char **ret_uri, struct pv_error *e)
{
	CK_OBJECT_HANDLE obj;
	uint8_t id[ID_LEN];
	struct pv_tpl t;
	CK_RV rv;
	int r;

	if (pv_secret_len(key) != 16 && pv_secret_len(key) != 32)
		return pv_fail(e, PV_E_MALFORMED,
		    "an AES key has 16 or 32 bytes, not %zu",
		    pv_secret_len(key));
	if ((r = check_label(hsm, label, e)) != 0 ||
	    (r = pv_random(id, sizeof(id), e)) != 0)
		return r;
	aes_template(hsm, &t, label, id);
	pv_tpl_bytes(&t, CKA_VALUE, pv_secret_bytes(key), pv_secret_len(key));
	rv = hsm->f->C_CreateObject(hsm->session, t.a, t.n, &obj);
	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "importing a key into token '%s'", hsm->shown);
	if (ret_uri == NULL)
		return 0;
	return pv_uri_make(hsm, label, NULL, 0, ret_uri, e);
}

/* Objects of one key: a secret key, or the halves of a pair. */
struct victims {
	CK_OBJECT_HANDLE objs[3][MAX_MATCHES]; /* by key_classes */
	size_t n[3];
};

static int
find_victims(const struct pv_hsm *hsm, const char *text, struct victims *v,
    struct pv_error *e)
{
	P11KitUri *uri = NULL;
	size_t keys;
	int r;

	if ((r = pv_uri_parse(text, &uri, e)) != 0)
		return r;
	if ((r = pv_find_check_token(hsm, uri, text, e)) != 0)
		goto out;
	for (size_t i = 0; i < 3; i++) {
		r = pv_find_uri(hsm, uri, key_classes[i], v->objs[i],
		    MAX_MATCHES, &v->n[i], e);
		if (r != 0)
			goto out;
	}
	keys = v->n[0] + (v->n[1] > v->n[2] ? v->n[1] : v->n[2]);
	if (keys != 1)
		r = pv_find_fail_count(hsm, text, "key", keys, MAX_MATCHES, e);
out:
	p11_kit_uri_free(uri);
	return r;
}

/* Equal, and present in both. */
static bool
same_id(const struct pv_hsm *hsm, CK_OBJECT_HANDLE a, CK_OBJECT_HANDLE b)
{
	uint8_t ia[PV_EC_POINT_MAX], ib[PV_EC_POINT_MAX];
	size_t na = sizeof(ia), nb = sizeof(ib);

	if (pv_attr_bytes(hsm, a, CKA_ID, ia, &na) != CKR_OK ||
	    pv_attr_bytes(hsm, b, CKA_ID, ib, &nb) != CKR_OK)
		return false;
	return na == nb && memcmp(ia, ib, na) == 0;
}

int
pv_hsm_destroy(struct pv_hsm *hsm, const char *uri, struct pv_error *e)
{
	struct victims v = { .n = { 0 } };
	CK_RV rv;
	int r;

	if ((r = find_victims(hsm, uri, &v, e)) != 0)
		return r;
	if (v.n[1] == 1 && v.n[2] == 1 &&
	    !same_id(hsm, v.objs[1][0], v.objs[2][0]))
		return pv_find_fail_count(hsm, uri, "key", 2, MAX_MATCHES, e);
	/* What is secret goes first: a failure leaves the harmless half. */
	for (size_t i = 0; i < 3; i++) {
		if (v.n[i] == 0)
			continue;
		rv = hsm->f->C_DestroyObject(hsm->session, v.objs[i][0]);
		if (rv != CKR_OK)
			return pv_ck_fail(e, rv,
			    "destroying a key in token '%s'", hsm->shown);
	}
	return 0;
}
