/* SPDX-License-Identifier: Apache-2.0 */
/* OB keys from their description to bytes; the rules are those of obk.md. */
#include "image/obk.h"

#include "base/buf.h"
#include "base/file.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include <provisor/secret.h>

#include <stdlib.h>
#include <string.h>

#define DA_BODY 64U /* bytes of a debug authentication object after the hash */

/* SubjectPublicKeyInfo (RFC 5480) of a P-256 key up to the point, 04 included. */
static const uint8_t spki_head[27] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a,
	0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
	0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04 };

/*
 * PKCS#8 (RFC 5958) of a P-256 key up to the scalar, as ST's imgtool 1.7.2
 * leaves it: the public key is cut off, its tag and length (a1 44) are not.
 */
static const uint8_t pkcs8_head[36] = { 0x30, 0x81, 0x43, 0x02, 0x01, 0x00,
	0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
	0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x29, 0x30,
	0x27, 0x02, 0x01, 0x01, 0x04, 0x20 };

void
pv_obk_spki(const uint8_t point[64], uint8_t ret_der[PV_OBK_SPKI])
{
	memcpy(ret_der, spki_head, sizeof(spki_head));
	memcpy(ret_der + sizeof(spki_head), point, 64);
}

void
pv_obk_pkcs8(const uint8_t d[32], uint8_t ret_der[PV_OBK_PKCS8])
{
	memcpy(ret_der, pkcs8_head, sizeof(pkcs8_head));
	memcpy(ret_der + sizeof(pkcs8_head), d, 32);
	ret_der[68] = 0xa1;
	ret_der[69] = 0x44;
}

/* --- fields ------------------------------------------------------------------------ */

struct work {
	const struct pv_obk_spec *s;
	const struct pv_obk_keys *keys;
	struct pv_writer w;
	struct pv_secret *password;
};

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Hex text of any length as a little-endian number of `width` bytes. */
static int
put_number(struct work *k, const struct pv_obk_field *f, struct pv_error *e)
{
	const char *digits = f->text + 2;
	size_t n;

	if (f->text[0] != '0' || (f->text[1] != 'x' && f->text[1] != 'X') ||
	    *digits == '\0')
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' is not a number in hexadecimal, 0x...", f->text);
	digits += strspn(digits, "0");
	n = strlen(digits);
	if (n > (size_t)f->width * 2)
		return pv_fail(e, PV_E_RANGE, "'%s' does not fit %u bytes",
		    f->text, f->width);
	for (size_t i = 0; i < f->width; i++) {
		int low = 0, high = 0;

		if (2 * i < n)
			low = hex_value(digits[n - 1 - 2 * i]);
		if (2 * i + 1 < n)
			high = hex_value(digits[n - 2 - 2 * i]);
		if (low < 0 || high < 0)
			return pv_fail(e, PV_E_MALFORMED,
			    "'%s' is not a number in hexadecimal", f->text);
		pv_wr_u8(&k->w, (uint8_t)(high << 4 | low));
	}
	return 0;
}

/* The password itself: in the description, or the first line of a file. */
static int
take_password(struct work *k, const struct pv_obk_field *f, struct pv_error *e)
{
	size_t len;
	int r;

	if (k->password != NULL)
		return pv_fail(e, PV_E_MALFORMED, "a second password");
	if (f->text == NULL)
		return pv_secret_read_line(f->path, &k->password, e);
	len = strlen(f->text);
	if (len == 0)
		return pv_fail(e, PV_E_POLICY, "the password is empty");
	r = pv_secret_new(len, &k->password, e);
	if (r == 0)
		memcpy(pv_secret_data(k->password), f->text, len);
	return r;
}

static int
put_password(struct work *k, const struct pv_obk_field *f, struct pv_error *e)
{
	uint8_t digest[PV_SHA256_LEN];
	struct pv_part part;
	int r = take_password(k, f, e);

	if (r != 0)
		return r;
	part.data = pv_secret_bytes(k->password);
	part.len = pv_secret_len(k->password);
	if (part.len < f->min || part.len > f->width) {
		(void)pv_fail(e, PV_E_POLICY,
		    "the password has %zu bytes; the description asks for %u "
		    "to %u",
		    part.len, f->min, f->width);
		return pv_hint(e, "its SHA-256 is stored without salt: take a "
				  "long random one");
	}
	r = pv_sha256(&part, 1, digest, e);
	if (r == 0)
		pv_wr_bytes(&k->w, digest, sizeof(digest));
	return r;
}

/* In a debug authentication object the key itself is not stored. */
static int
put_public(struct work *k, const struct pv_obk_field *f, struct pv_error *e)
{
	uint8_t point[64], der[PV_OBK_SPKI], digest[PV_SHA256_LEN];
	struct pv_part part = { point, sizeof(point) };
	int r = k->keys->point(k->keys->ctx, f->path, point, e);

	if (r != 0)
		return r;
	if (k->s->da) {
		r = pv_sha256(&part, 1, digest, e);
		if (r == 0)
			pv_wr_bytes(&k->w, digest, sizeof(digest));
		return r;
	}
	pv_obk_spki(point, der);
	pv_wr_bytes(&k->w, der, sizeof(der));
	return 0;
}

static int
put_private(struct work *k, const struct pv_obk_field *f, struct pv_error *e)
{
	uint8_t d[32], der[PV_OBK_PKCS8];
	int r = k->keys->scalar(k->keys->ctx, f->path, d, e);

	if (r == 0) {
		pv_obk_pkcs8(d, der);
		pv_wr_bytes(&k->w, der, sizeof(der));
	}
	pv_wipe(d, sizeof(d));
	pv_wipe(der, sizeof(der));
	return r;
}

static int
put_file(struct work *k, const struct pv_obk_field *f, struct pv_error *e)
{
	static const char pem[] = "-----BEGIN ";
	uint8_t *data = NULL;
	size_t len = 0;
	int r = pv_file_read(f->path, PV_OBK_MAX, &data, &len, e);

	if (r != 0)
		return r;
	if (len >= sizeof(pem) - 1 && memcmp(data, pem, sizeof(pem) - 1) == 0)
		r = put_private(k, f, e);
	else
		pv_wr_bytes(&k->w, data, len);
	pv_wipe(data, len);
	free(data);
	return r;
}

static int
put_permission(struct work *k, const struct pv_obk_field *f, struct pv_error *e)
{
	uint8_t mask[PV_ADAC_MASK];
	int r = pv_adac_mask_parse(f->text, mask, e);

	if (r != 0) {
		if (e != NULL)
			e->code = PV_E_MALFORMED;
		return PV_E_MALFORMED;
	}
	if (pv_adac_mask_empty(mask))
		return pv_fail(e, PV_E_POLICY,
		    "the permissions are empty: nobody could ever debug or "
		    "regress the device");
	pv_wr_bytes(&k->w, mask, sizeof(mask));
	return 0;
}

static int
put_field(struct work *k, const struct pv_obk_field *f, struct pv_error *e)
{
	size_t at = k->w.len;
	int r = PV_E_INTERNAL;

	switch (f->kind) {
	case PV_OBK_NUMBER:
		r = put_number(k, f, e);
		break;
	case PV_OBK_PASSWORD:
		r = put_password(k, f, e);
		break;
	case PV_OBK_PUBLIC_KEY:
		r = put_public(k, f, e);
		break;
	case PV_OBK_PRIVATE_KEY:
		r = put_private(k, f, e);
		break;
	case PV_OBK_FILE:
		r = put_file(k, f, e);
		break;
	case PV_OBK_PERMISSION:
		r = put_permission(k, f, e);
		break;
	}
	if (r != 0)
		return pv_wrap(e, "field '%s'", f->name);
	if (f->align > 1 && (k->w.len - at) % f->align != 0)
		pv_wr_zero(&k->w, f->align - (k->w.len - at) % f->align);
	return 0;
}

/* --- the object -------------------------------------------------------------------- */

static bool
is_kind(const struct pv_obk_spec *s, size_t i, enum pv_obk_field_kind kind)
{
	return i < s->n && s->field[i].kind == kind;
}

/*
 * Debug authentication has 64 bytes: a hash, 16 bytes of permissions or of
 * the reserved number, and zeros.
 */
static int
put_da(struct work *k, struct pv_error *e)
{
	const struct pv_obk_spec *s = k->s;
	bool certificate = s->n == 2 && is_kind(s, 0, PV_OBK_PUBLIC_KEY) &&
			   is_kind(s, 1, PV_OBK_PERMISSION);
	bool password = (s->n == 1 || s->n == 2) &&
			is_kind(s, 0, PV_OBK_PASSWORD) &&
			(s->n == 1 || is_kind(s, 1, PV_OBK_NUMBER));
	struct pv_obk_field first;
	int r;

	if (!certificate && !password)
		return pv_fail(e, PV_E_MALFORMED,
		    "debug authentication is a root key and permissions, or "
		    "a password");
	/* Only the hash of the key goes in: its alignment means nothing. */
	first = s->field[0];
	first.align = 1;
	r = put_field(k, &first, e);
	if (r == 0 && s->n == 2)
		r = put_field(k, &s->field[1], e);
	if (r == 0 && k->w.len > DA_BODY)
		r = pv_fail(e, PV_E_MALFORMED,
		    "more than %u bytes of debug authentication", DA_BODY);
	if (r == 0)
		pv_wr_zero(&k->w, DA_BODY - k->w.len);
	return r;
}

static int
put_all(struct work *k, struct pv_error *e)
{
	const struct pv_obk_spec *s = k->s;
	int r = 0;

	if (s->da)
		return put_da(k, e);
	for (size_t i = 0; r == 0 && i < s->n; i++)
		r = put_field(k, &s->field[i], e);
	return r;
}

static int
frame(const struct pv_obk_spec *s, const uint8_t *data, size_t len,
    struct pv_secret **ret_file, struct pv_error *e)
{
	struct pv_obk o = { 0 };
	struct pv_part part = { data, len };
	struct pv_secret *file = NULL;
	size_t hash = s->hash ? PV_OBK_HASH : 0, room;
	size_t head = s->has_header ? PV_OBK_HEADER : 0;
	int r = pv_sha256(&part, 1, o.hash, e);

	if (r == 0)
		r = pv_secret_new(head + hash + len, &file, e);
	if (r != 0)
		return r;
	room = pv_secret_len(file);
	if (s->has_header) {
		o.address = s->address;
		o.encrypt = s->encrypt;
		o.has_hash = s->hash;
		o.data = data;
		o.data_len = len;
		r = pv_obk_encode(&o, pv_secret_data(file), &room, e);
	} else {
		memcpy(pv_secret_data(file), o.hash, hash);
		memcpy(pv_secret_data(file) + hash, data, len);
	}
	if (r != 0)
		pv_secret_free(file);
	else
		*ret_file = file;
	return r;
}

int
pv_obk_build(const struct pv_obk_spec *s, const struct pv_obk_keys *keys,
    struct pv_secret **ret_file, struct pv_secret **ret_password,
    struct pv_error *e)
{
	struct work k = { .s = s, .keys = keys };
	struct pv_secret *body = NULL;
	int r = pv_obk_spec_slots(s, e);

	if (r == 0)
		r = pv_secret_new(
		    PV_OBK_MAX - PV_OBK_HEADER - PV_OBK_HASH, &body, e);
	if (r != 0)
		return r;
	pv_wr_init(&k.w, pv_secret_data(body), pv_secret_len(body));
	r = put_all(&k, e);
	if (r == 0 && s->align > 1 && k.w.len % s->align != 0)
		pv_wr_zero(&k.w, s->align - k.w.len % s->align);
	if (r == 0 && (!pv_wr_ok(&k.w) || k.w.len == 0))
		r = pv_fail(e, PV_E_MALFORMED, "%s",
		    k.w.len == 0 ? "the object is empty"
				 : "the object is too large");
	if (r == 0)
		r = frame(s, pv_secret_bytes(body), k.w.len, ret_file, e);
	pv_secret_free(body);
	if (r == 0 && ret_password != NULL)
		*ret_password = k.password;
	else
		pv_secret_free(k.password);
	return r;
}
