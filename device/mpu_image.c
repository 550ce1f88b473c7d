/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STM32 image headers as the ROM reads them: version 1 (MP15, 256 bytes) and
 * 2.0 (MP13, 128 bytes and extensions); and what it is that an image starts.
 */
#include "device/mpu_stage.h"

#include "base/buf.h"

#include <string.h>

#define V1_LEN	0x100U
#define V2_LEN	0x80U
#define V2_MAX	0x1000U /* of all extensions, our limit */
#define SIGNED	0x48U	/* the signature covers all from here */
#define KEY_LEN 64U

#define EXT_AUTHENTICATION 0x02005453U /* "ST" 00 02 */
#define FLAG_AUTHENTICATED 1U
#define ALGORITHM_P256	   1U

static const char *
parse_v1(const uint8_t *p, struct pv_mp_image *im)
{
	im->header_len = V1_LEN;
	if (pv_get_u32le(p + 0x54) != 0 || pv_get_u32le(p + 0x5c) != 0)
		return "image: reserved fields are not zero";
	/* Option flags, bit 0: no signature. */
	im->has_signature = (pv_get_u32le(p + 0x64) & 1U) == 0;
	im->algorithm = pv_get_u32le(p + 0x68);
	im->key = p + 0x6c;
	im->signature = p + 4;
	return NULL;
}

/* The authentication extension: index, count, algorithm, key, table. */
static const char *
parse_authentication(const uint8_t *p, uint32_t len, struct pv_mp_image *im)
{
	if (len < 84)
		return "image: the authentication extension is too short";
	im->has_signature = true;
	im->key_index = pv_get_u32le(p + 8);
	im->n_keys = pv_get_u32le(p + 12);
	im->algorithm = pv_get_u32le(p + 16);
	im->key = p + 20;
	im->table = p + 84;
	if (im->n_keys == 0 || im->n_keys > 8 || len != 84 + 32 * im->n_keys ||
	    im->key_index >= im->n_keys)
		return "image: the table of keys is malformed";
	return NULL;
}

static const char *
parse_v2(const uint8_t *p, size_t len, struct pv_mp_image *im)
{
	uint32_t flags = pv_get_u32le(p + 0x64), ext = pv_get_u32le(p + 0x68);
	uint32_t at = V2_LEN, end;
	const char *why = NULL;

	if (ext > V2_MAX || ext > len - V2_LEN)
		return "image: extensions are longer than the image";
	im->header_len = end = V2_LEN + ext;
	im->signature = p + 4;
	while (at < end && why == NULL) {
		uint32_t type, n;

		if (end - at < 8)
			return "image: an extension is cut short";
		type = pv_get_u32le(p + at);
		n = pv_get_u32le(p + at + 4);
		if (n < 8 || n > end - at)
			return "image: an extension has a bad length";
		if (type == EXT_AUTHENTICATION)
			why = parse_authentication(p + at, n, im);
		at += n;
	}
	if (why == NULL &&
	    ((flags & FLAG_AUTHENTICATED) != 0) != im->has_signature)
		why = "image: flags and extensions contradict each other";
	return why;
}

const char *
pv_mp_image_parse(
    const uint8_t *p, size_t len, unsigned int major, struct pv_mp_image *im)
{
	uint32_t sum = 0;
	const char *why;

	memset(im, 0, sizeof *im);
	if (len < V1_LEN || memcmp(p, "STM2", 4) != 0)
		return "image: no STM32 image header";
	/* Bytes: 0, minor, major, 0. */
	if (pv_get_u32le(p + 0x48) != (uint32_t)major << 16)
		return "image: a header version of another chip";
	why = major == 1 ? parse_v1(p, im) : parse_v2(p, len, im);
	if (why != NULL)
		return why;
	im->length = pv_get_u32le(p + 0x4c);
	im->version = pv_get_u32le(p + 0x60);
	if (im->length == 0 || im->length > len - im->header_len)
		return "image: shorter than its header says";
	for (uint32_t i = 0; i < im->length; i++)
		sum += p[im->header_len + i];
	if (sum != pv_get_u32le(p + 0x44))
		return "image: wrong checksum";
	return NULL;
}

int
pv_mp_image_key_hash(
    const struct pv_mp *m, const struct pv_mp_image *im, uint8_t hash[32])
{
	const struct pv_mp_crypto *c = &m->port->crypto;

	if (im->table != NULL)
		return c->sha256(
		    c->ctx, im->table, (size_t)32 * im->n_keys, hash);
	return c->sha256(c->ctx, im->key, KEY_LEN, hash);
}

/* The key must be the one of its row: SHA-256(LE32(algorithm), X, Y). */
static bool
key_in_table(const struct pv_mp *m, const struct pv_mp_image *im)
{
	const struct pv_mp_crypto *c = &m->port->crypto;
	uint8_t b[4 + KEY_LEN], hash[32];

	if (im->table == NULL)
		return true;
	pv_put_u32le(b, im->algorithm);
	memcpy(b + 4, im->key, KEY_LEN);
	return c->sha256(c->ctx, b, sizeof b, hash) == 0 &&
	       memcmp(hash, im->table + (size_t)32 * im->key_index, 32) == 0;
}

bool
pv_mp_image_verified(
    const struct pv_mp *m, const uint8_t *p, const struct pv_mp_image *im)
{
	const struct pv_mp_crypto *c = &m->port->crypto;
	uint8_t digest[32];
	size_t len = im->header_len + im->length - SIGNED;

	/* Brainpool is not modeled: refused. */
	return im->has_signature && im->algorithm == ALGORITHM_P256 &&
	       key_in_table(m, im) &&
	       c->sha256(c->ctx, p + SIGNED, len, digest) == 0 &&
	       c->verify(c->ctx, im->key, digest, im->signature) == 0;
}

/* --- what it starts ----------------------------------------------------------- */

static const uint8_t *
find(const uint8_t *p, size_t len, const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; n <= len && i <= len - n; i++)
		if (p[i] == (uint8_t)text[0] && memcmp(p + i, text, n) == 0)
			return p + i;
	return NULL;
}

static bool
starts(const uint8_t *p, size_t len, const char *text)
{
	return find(p, len < strlen(text) ? len : strlen(text), text) == p;
}

/* "2.2", "2.4" or "2.8" */
static void
generation(const uint8_t *p, size_t len, enum pv_mp_generation *ret_g)
{
	if (starts(p, len, "2.2"))
		*ret_g = PV_MP_TFA_2_2;
	else if (starts(p, len, "2.4"))
		*ret_g = PV_MP_TFA_2_4;
	else if (starts(p, len, "2.8"))
		*ret_g = PV_MP_TFA_2_8;
}

#define MARKER	"provisor-stage="
#define SSP	"tf-a-ssp"
#define VERSION "v2."

/*
 * A test image says it in plain text: "provisor-stage=tf-a-ssp", with "-2.2",
 * "-2.4" or "-2.8" behind or without, "provisor-stage=tf-a" or
 * "provisor-stage=u-boot", with "-otp1" or "-otp2" behind or without. ST's own TF-A has no such text; it is known by the
 * messages in it, and its generation by the text of its version.
 */
enum pv_mp_stage
pv_mp_image_stage(struct pv_mp *m, const uint8_t *p, size_t len)
{
	enum pv_mp_generation *ret_g = &m->generation;
	const uint8_t *at = find(p, len, MARKER), *v;
	size_t left;

	if (at != NULL) {
		at += sizeof MARKER - 1;
		left = len - (size_t)(at - p);
		if (starts(at, left, SSP)) {
			left -= sizeof SSP - 1;
			if (left > 1)
				generation(at + sizeof SSP, left - 1, ret_g);
			return PV_MP_TFA_SSP;
		}
		if (starts(at, left, "tf-a"))
			return PV_MP_TFA;
		if (starts(at, left, "u-boot-otp1"))
			m->otp_version = 1;
		if (starts(at, left, "u-boot-otp2"))
			m->otp_version = 2;
		if (starts(at, left, "u-boot"))
			return PV_MP_UBOOT;
		return PV_MP_DEAD;
	}
	v = find(p, len, VERSION);
	if (v != NULL)
		generation(v + 1, len - (size_t)(v + 1 - p), ret_g);
	if (find(p, len, "Provisioning\n") != NULL)
		return PV_MP_TFA_SSP;
	if (find(p, len, "BL2: ") != NULL)
		return PV_MP_TFA;
	if (find(p, len, "U-Boot ") != NULL)
		return PV_MP_UBOOT;
	return PV_MP_DEAD;
}
