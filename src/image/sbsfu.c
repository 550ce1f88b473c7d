/* SPDX-License-Identifier: Apache-2.0 */
#include "image/sbsfu.h"

#include "base/buf.h"
#include "base/file.h"
#include "crypto/aead.h"
#include "crypto/cbc.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "crypto/kdf.h"
#include "crypto/x509.h"
#include <provisor/secret.h>

#include <stdlib.h>
#include <string.h>

#define BLOCK 16U
#define CHUNK 4096U

void
pv_sbsfu_release(struct pv_sbsfu_image *m)
{
	if (m->payload != NULL)
		pv_wipe(m->payload, m->len);
	free(m->payload);
	memset(m, 0, sizeof(*m));
}

int
pv_sbsfu_diff(const uint8_t *old, size_t old_len, const uint8_t *now,
    size_t now_len, uint32_t *ret_offset, uint32_t *ret_size,
    struct pv_error *e)
{
	size_t common = old_len < now_len ? old_len : now_len;
	size_t from = 0, to = now_len;

	while (from < common && old[from] == now[from])
		from++;
	if (from == now_len)
		return pv_fail(e, PV_E_USAGE,
		    "the firmware does not differ from its base");
	if (old_len == now_len)
		while (to > from && old[to - 1] == now[to - 1])
			to--;
	from -= from % BLOCK;
	to += (BLOCK - to % BLOCK) % BLOCK;
	if (to > now_len)
		to = now_len;
	*ret_offset = (uint32_t)from;
	*ret_size = (uint32_t)(to - from);
	return 0;
}

/* --- ciphers ------------------------------------------------------------------------ */

/*
 * What the OTFDEC of STM32 undoes: AES-CTR, the bytes of each block reversed;
 * counter block = nonce (8) and number of the block in the address space.
 */
static int
otfdec(const uint8_t key[16], const uint8_t nonce[8], uint64_t block,
    uint8_t *data, size_t len, struct pv_error *e)
{
	uint8_t counters[CHUNK], stream[CHUNK];
	int r = 0;

	for (size_t at = 0; r == 0 && at < len; at += CHUNK) {
		size_t part = len - at < CHUNK ? len - at : CHUNK;

		for (size_t i = 0; i < part; i += BLOCK, block++) {
			memcpy(counters + i, nonce, 8);
			pv_put_u32be(counters + i + 8, (uint32_t)(block >> 32));
			pv_put_u32be(counters + i + 12, (uint32_t)block);
		}
		r = pv_aes_ecb(key, 16, counters, part, stream, e);
		for (size_t i = 0; r == 0 && i < part; i++)
			data[at + i] ^= stream[i - i % BLOCK + 15 - i % BLOCK];
	}
	pv_wipe(stream, sizeof(stream));
	return r;
}

/* GCM of data and additional data; `tag` is made, or compared. */
static int
gcm(const uint8_t key[16], const uint8_t nonce[12], bool decrypt,
    const void *aad, size_t aad_len, uint8_t *data, size_t len,
    uint8_t tag[PV_GCM_TAG], struct pv_error *e)
{
	struct pv_gcm *g = NULL;
	int r = pv_gcm_new(key, 16, &g, e);

	if (r == 0)
		r = pv_gcm_begin(g, decrypt, nonce, 12, aad, aad_len, e);
	if (r == 0 && len > 0)
		r = pv_gcm_update(g, data, data, len, e);
	if (r == 0)
		r = decrypt ? pv_gcm_check(g, tag, e) : pv_gcm_tag(g, tag, e);
	pv_gcm_free(g);
	return r;
}

static int
sha256(const uint8_t *data, size_t len, uint8_t ret[32], struct pv_error *e)
{
	struct pv_part part = { data, len };

	return pv_sha256(&part, 1, ret, e);
}

/* ECB, CBC and CTR by the scheme; nothing where there is no encryption. */
static int
cipher(const struct pv_sbsfu_header *h, bool decrypt, const uint8_t *key,
    const struct pv_sbsfu_profile *p, uint8_t *data, size_t len,
    struct pv_error *e)
{
	if (h->scheme == PV_SBSFU_CBC)
		return pv_aes128_cbc(key, decrypt, h->iv, data, len, data, e);
	if (h->scheme == PV_SBSFU_CTR)
		return otfdec(key, h->iv, p->start + h->partial_offset / BLOCK,
		    data, len, e);
	return 0;
}

/* --- making --------------------------------------------------------------------- */

static int
copy(const uint8_t *data, size_t len, uint8_t **ret, struct pv_error *e)
{
	*ret = malloc(len);
	if (*ret == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	memcpy(*ret, data, len);
	return 0;
}

/* The tag of GCM over a piece; the piece itself stays. */
static int
gcm_tag_of(const struct pv_sbsfu_header *h, const uint8_t *key,
    const uint8_t *data, size_t len, uint8_t *tag, struct pv_error *e)
{
	uint8_t *work = NULL;
	int r = copy(data, len, &work, e);

	if (r == 0)
		r = gcm(key, h->iv, false, NULL, 0, work, len, tag, e);
	free(work);
	return r;
}

/* The tag over encrypted bytes, a variant of CTR. */
static int
ctr_tag_of(struct pv_sbsfu_header *h, const uint8_t *key,
    const struct pv_sbsfu_profile *p, const uint8_t *fw, size_t len,
    struct pv_error *e)
{
	uint8_t *work = NULL;
	int r = copy(fw, len, &work, e);

	if (r == 0)
		r = otfdec(key, h->iv, p->start, work, len, e);
	if (r == 0)
		r = sha256(work, len, h->tag, e);
	if (r == 0)
		r = sha256(work + h->partial_offset, h->partial_size,
		    h->partial_tag, e);
	free(work);
	return r;
}

static int
tags(struct pv_sbsfu_header *h, const uint8_t *key,
    const struct pv_sbsfu_profile *p, const uint8_t *fw, size_t len,
    struct pv_error *e)
{
	const uint8_t *part = fw + h->partial_offset;
	int r;

	if (h->scheme == PV_SBSFU_GCM) {
		r = gcm_tag_of(h, key, fw, len, h->tag, e);
		if (r == 0)
			r = gcm_tag_of(
			    h, key, part, h->partial_size, h->partial_tag, e);
		return r;
	}
	if (h->scheme == PV_SBSFU_CTR && p->tag_encrypted)
		return ctr_tag_of(h, key, p, fw, len, e);
	r = sha256(fw, len, h->tag, e);
	if (r == 0)
		r = sha256(part, h->partial_size, h->partial_tag, e);
	return r;
}

static int
header_tag(struct pv_sbsfu_image *m, const uint8_t *key, struct pv_error *e)
{
	uint8_t head[PV_SBSFU_HEADER_MAX], digest[32];
	size_t len = 0;
	int r;

	if (m->h.scheme != PV_SBSFU_GCM)
		return 0;
	r = pv_sbsfu_signed(m, head, &len, digest, e);
	if (r == 0)
		r = gcm(key, m->h.iv, false, head, len, NULL, 0, m->h.auth, e);
	return r;
}

int
pv_sbsfu_make(struct pv_sbsfu_image *m, const uint8_t *fw, size_t len,
    const uint8_t *key, const struct pv_sbsfu_profile *p, bool clear,
    struct pv_error *e)
{
	struct pv_sbsfu_header *h = &m->h;
	uint8_t ignored[PV_GCM_TAG];
	int r;

	h->protocol = 1;
	h->size = (uint32_t)len;
	m->len = h->partial_size;
	r = copy(fw + h->partial_offset, m->len, &m->payload, e);
	/* The tags do not matter yet: what does not fit is refused first. */
	if (r == 0)
		r = pv_sbsfu_validate(h, m->len, e);
	if (r == 0)
		r = tags(h, key, p, fw, len, e);
	if (r == 0 && !clear)
		r = h->scheme == PV_SBSFU_GCM
			? gcm(key, h->iv, false, NULL, 0, m->payload, m->len,
			      ignored, e)
			: cipher(h, false, key, p, m->payload, m->len, e);
	if (r == 0)
		r = header_tag(m, key, e);
	return r;
}

int
pv_sbsfu_signed(const struct pv_sbsfu_image *m,
    uint8_t head[PV_SBSFU_HEADER_MAX], size_t *ret_len, uint8_t ret_digest[32],
    struct pv_error *e)
{
	size_t len = PV_SBSFU_HEADER_MAX;
	int r = pv_sbsfu_encode(&m->h, head, &len, e);

	if (r != 0)
		return r;
	*ret_len = pv_sbsfu_layout(m->h.scheme)->auth_at;
	return sha256(head, *ret_len, ret_digest, e);
}

static uint32_t
offset_of(const struct pv_sbsfu_image *m, const struct pv_sbsfu_profile *p)
{
	return p->offset != 0 ? p->offset
			      : pv_sbsfu_layout(m->h.scheme)->offset;
}

int
pv_sbsfu_bytes(const struct pv_sbsfu_image *m, const struct pv_sbsfu_profile *p,
    uint8_t **ret_data, size_t *ret_len, struct pv_error *e)
{
	size_t at = offset_of(m, p), head = at;
	uint8_t *data;
	int r;

	if (at < pv_sbsfu_layout(m->h.scheme)->end)
		return pv_fail(e, PV_E_USAGE,
		    "firmware at %zu bytes lies in the header of %u", at,
		    pv_sbsfu_layout(m->h.scheme)->end);
	data = malloc(at + m->len);
	if (data == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	memset(data, 0xFF, at);
	memcpy(data + at, m->payload, m->len);
	r = pv_sbsfu_encode(&m->h, data, &head, e);
	if (r != 0) {
		free(data);
		return r;
	}
	*ret_data = data;
	*ret_len = at + m->len;
	return 0;
}

/* --- reading --------------------------------------------------------------------- */

static int
from_bytes(const uint8_t *data, size_t len, enum pv_sbsfu_scheme scheme,
    const struct pv_sbsfu_profile *p, struct pv_sbsfu_image *m,
    struct pv_error *e)
{
	size_t at;
	int r;

	if (scheme == 0)
		scheme = pv_sbsfu_guess(data, len);
	if (scheme == 0) {
		(void)pv_fail(e, PV_E_MALFORMED,
		    "no SBSFU header of a scheme that is known");
		return pv_hint(e, "--scheme says which one it should be");
	}
	r = pv_sbsfu_decode(data, len, scheme, &m->h, e);
	if (r != 0)
		return r;
	if (m->h.certs != NULL) {
		memcpy(m->certs, m->h.certs, sizeof(m->certs));
		m->h.certs = m->certs;
	}
	at = offset_of(m, p);
	if (at < pv_sbsfu_layout(scheme)->end || at > len)
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu bytes, and the firmware would begin at %zu", len, at);
	r = pv_sbsfu_validate(&m->h, len - at, e);
	if (r != 0)
		return r;
	/* Neither signed nor read by the boot program: nothing may hide. */
	for (size_t i = pv_sbsfu_layout(scheme)->end; i < at; i++)
		if (data[i] != 0xFF)
			return pv_fail(e, PV_E_MALFORMED,
			    "byte 0x%02x at %zu, between header and firmware",
			    data[i], i);
	m->len = len - at;
	return copy(data + at, m->len, &m->payload, e);
}

int
pv_sbsfu_read(const char *path, enum pv_sbsfu_scheme scheme,
    const struct pv_sbsfu_profile *p, struct pv_sbsfu_image *ret_m,
    struct pv_error *e)
{
	uint8_t *data = NULL;
	size_t len = 0;
	int r =
	    pv_file_read(path, PV_SBSFU_PAYLOAD_MAX + 65536, &data, &len, e);

	if (r != 0)
		return r;
	memset(ret_m, 0, sizeof(*ret_m));
	r = from_bytes(data, len, scheme, p, ret_m, e);
	pv_wipe(data, len);
	free(data);
	if (r != 0) {
		pv_sbsfu_release(ret_m);
		return pv_wrap(e, "'%s'", path);
	}
	return 0;
}

int
pv_sbsfu_verify_header(const struct pv_sbsfu_image *m, const uint8_t *point,
    const uint8_t *key, struct pv_error *e)
{
	uint8_t head[PV_SBSFU_HEADER_MAX], digest[32], tag[PV_GCM_TAG];
	size_t len = 0;
	int r = pv_sbsfu_signed(m, head, &len, digest, e);

	if (r != 0)
		return r;
	if (m->h.scheme != PV_SBSFU_GCM)
		return pv_ecdsa_verify(point, digest, m->h.auth, e);
	memcpy(tag, m->h.auth, sizeof(tag));
	r = gcm(key, m->h.iv, true, head, len, NULL, 0, tag, e);
	return r != 0 ? pv_wrap(e, "the tag of the header") : 0;
}

static int
open_gcm(struct pv_sbsfu_image *m, const uint8_t *key, bool clear,
    struct pv_error *e)
{
	uint8_t tag[PV_GCM_TAG];
	int r;

	if (!clear) {
		r = gcm(key, m->h.iv, true, NULL, 0, m->payload, m->len,
		    m->h.partial_tag, e);
		return r != 0 ? pv_wrap(e, "the tag of the firmware") : 0;
	}
	r = gcm_tag_of(&m->h, key, m->payload, m->len, tag, e);
	if (r == 0 && !pv_ct_equal(tag, m->h.partial_tag, sizeof(tag)))
		r = pv_fail(e, PV_E_VERIFY,
		    "the firmware has not the tag the header says");
	return r;
}

int
pv_sbsfu_open(struct pv_sbsfu_image *m, const uint8_t *key,
    const struct pv_sbsfu_profile *p, bool clear, struct pv_error *e)
{
	bool over_stored = m->h.scheme == PV_SBSFU_CTR && p->tag_encrypted;
	uint8_t digest[32];
	int r = 0;

	if (m->h.scheme == PV_SBSFU_GCM)
		return open_gcm(m, key, clear, e);
	if (over_stored)
		r = sha256(m->payload, m->len, digest, e);
	if (r == 0 && !clear)
		r = cipher(&m->h, true, key, p, m->payload, m->len, e);
	if (r == 0 && !over_stored)
		r = sha256(m->payload, m->len, digest, e);
	if (r == 0 && !pv_ct_equal(digest, m->h.partial_tag, 32))
		r = pv_fail(e, PV_E_VERIFY,
		    "the firmware has not the hash the header says: another "
		    "key or address, or damaged");
	return r;
}

int
pv_sbsfu_certs(const struct pv_sbsfu_image *m, size_t *ret_leaf_len,
    size_t *ret_between_len, struct pv_error *e)
{
	size_t leaf = 0, between = 0;
	int r = pv_x509_length(m->certs, sizeof(m->certs), &leaf, e);

	if (r == 0)
		r = pv_x509_length(
		    m->certs + leaf, sizeof(m->certs) - leaf, &between, e);
	if (r != 0)
		return pv_wrap(e, "the area of certificates");
	for (size_t i = leaf + between; i < sizeof(m->certs); i++)
		if (m->certs[i] != 0)
			return pv_fail(e, PV_E_MALFORMED,
			    "something follows the two certificates");
	*ret_leaf_len = leaf;
	*ret_between_len = between;
	return 0;
}
