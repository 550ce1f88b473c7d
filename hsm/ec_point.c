/* SPDX-License-Identifier: Apache-2.0 */
/* Curves, and the points that modules hand out in more than one form. */
#include "hsm_int.h"

#include <string.h>

/*
 * CKA_EC_PARAMS as DER object identifiers: RFC 5480 section 2.1.1.1, and
 * RFC 8410 section 3 for Ed25519. Some modules give the Edwards curve as a
 * PrintableString (PKCS#11 v3.0, section 2.3.10).
 */
static const uint8_t oid_p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
	0x03, 0x01, 0x07 };
static const uint8_t oid_p384[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const uint8_t oid_ed25519[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 };
static const uint8_t text_ed25519[] = { 0x13, 0x0c, 'e', 'd', 'w', 'a', 'r',
	'd', 's', '2', '5', '5', '1', '9' };

static const struct pv_curve curves[] = {
	{ "ec-p256", oid_p256, sizeof(oid_p256), PV_P256_COORD, false },
	{ "ec-p384", oid_p384, sizeof(oid_p384), 48, false },
	{ "ed25519", oid_ed25519, sizeof(oid_ed25519), 32, true },
	{ "ed25519", text_ed25519, sizeof(text_ed25519), 32, true },
};
#define N_CURVES (sizeof(curves) / sizeof(curves[0]))

const struct pv_curve *
pv_curve_by_params(const uint8_t *params, size_t len)
{
	for (size_t i = 0; i < N_CURVES; i++)
		if (curves[i].params_len == len &&
		    memcmp(curves[i].params, params, len) == 0)
			return &curves[i];
	return NULL;
}

const struct pv_curve *
pv_curve_by_name(const char *name)
{
	for (size_t i = 0; i < N_CURVES; i++)
		if (strcmp(curves[i].name, name) == 0)
			return &curves[i];
	return NULL;
}

size_t
pv_curve_point_len(const struct pv_curve *c)
{
	return c->edwards ? c->coord : 2 * c->coord;
}

int
pv_ec_point_parse(const struct pv_curve *c, const uint8_t *data, size_t len,
    uint8_t *out, struct pv_error *e)
{
	size_t want = pv_curve_point_len(c);
	size_t encoded = c->edwards ? want : want + 1;

	/* DER OCTET STRING (0x04), short or one-byte long length; the bare
	 * point is shorter, so the total length tells them apart. */
	if (len == encoded + 2 && data[0] == 0x04 && data[1] == encoded) {
		data += 2;
		len -= 2;
	} else if (len == encoded + 3 && data[0] == 0x04 && data[1] == 0x81 &&
		   data[2] == encoded) {
		data += 3;
		len -= 3;
	}
	if (len != encoded)
		return pv_fail(e, PV_E_MALFORMED,
		    "CKA_EC_POINT of %zu bytes is no point of %s", len,
		    c->name);
	if (!c->edwards) {
		/* SEC 1 section 2.3.3: 0x04 marks an uncompressed point. */
		if (data[0] != 0x04)
			return pv_fail(e, PV_E_MALFORMED,
			    "CKA_EC_POINT is not an uncompressed point");
		data++;
	}
	memcpy(out, data, want);
	return 0;
}

const struct pv_curve *
pv_key_curve(const struct pv_hsm *hsm, CK_OBJECT_HANDLE obj)
{
	uint8_t params[PV_EC_PARAMS_MAX];
	size_t len = sizeof(params);
	CK_ULONG type =
	    pv_attr_ulong(hsm, obj, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);

	if (type != CKK_EC && type != CKK_EC_EDWARDS)
		return NULL;
	if (pv_attr_bytes(hsm, obj, CKA_EC_PARAMS, params, &len) != CKR_OK)
		return NULL;
	return pv_curve_by_params(params, len);
}

int
pv_key_point(const struct pv_hsm *hsm, CK_OBJECT_HANDLE obj,
    const struct pv_curve *c, uint8_t *out, struct pv_error *e)
{
	uint8_t point[PV_EC_POINT_MAX];
	size_t len = sizeof(point);
	CK_RV rv = pv_attr_bytes(hsm, obj, CKA_EC_POINT, point, &len);

	if (rv != CKR_OK)
		return pv_ck_fail(e, rv, "reading CKA_EC_POINT");
	if (pv_ec_point_parse(c, point, len, out, e) != 0) {
		/* The token's bytes are at fault, not an input of the user. */
		if (e != NULL)
			e->code = PV_E_HSM;
		return PV_E_HSM;
	}
	return 0;
}

int
pv_pair_point(const struct pv_hsm *hsm, CK_OBJECT_HANDLE priv,
    const struct pv_curve *c, uint8_t *out, struct pv_error *e)
{
	CK_OBJECT_HANDLE pub[2];
	uint8_t id[PV_EC_POINT_MAX];
	char label[PV_EC_POINT_MAX];
	struct pv_tpl t;
	size_t id_len = sizeof(id), n = 0;
	int r;

	pv_tpl_init(&t);
	pv_tpl_ulong(&t, CKA_CLASS, CKO_PUBLIC_KEY);
	pv_tpl_bool(&t, CKA_TOKEN, true);
	if (pv_attr_bytes(hsm, priv, CKA_ID, id, &id_len) == CKR_OK &&
	    id_len > 0) {
		pv_tpl_bytes(&t, CKA_ID, id, id_len);
	} else {
		pv_attr_text(hsm, priv, CKA_LABEL, label, sizeof(label));
		pv_tpl_bytes(&t, CKA_LABEL, label, strlen(label));
	}
	if ((r = pv_find(hsm, &t, pub, 2, &n, e)) != 0)
		return r;
	if (n == 1)
		return pv_key_point(hsm, pub[0], c, out, e);
	/* Some modules keep the point with the private key as well. */
	if (pv_key_point(hsm, priv, c, out, NULL) == 0)
		return 0;
	if (n == 0)
		return pv_fail(e, PV_E_NO_KEY,
		    "the public half of the key is not in token '%s'",
		    hsm->shown);
	return pv_fail(e, PV_E_NO_KEY,
	    "several public keys in token '%s' share the id of the key",
	    hsm->shown);
}
