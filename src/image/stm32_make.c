/* SPDX-License-Identifier: Apache-2.0 */
/* STM32 boot images from payload to file. */
#include "image/stm32.h"

#include "base/buf.h"
#include "base/file.h"
#include "crypto/cbc.h"
#include "crypto/digest.h"
#include <provisor/secret.h>

#include <stdlib.h>
#include <string.h>

/* Header lengths that ST's, TF-A's and U-Boot's tools make. */
#define V2_TOTAL   512U
#define V2_3_TOTAL 576U
#define EXT_HEAD   8U

int
pv_stm32_align(
    struct pv_stm32_image *m, uint32_t align, uint32_t tail, struct pv_error *e)
{
	uint32_t head = pv_stm32_header_len(&m->h);
	size_t before, after, len;
	uint8_t *p;

	before = align <= 1 || head % align == 0 ? 0 : align - head % align;
	len = before + m->len;
	after = tail <= 1 || len % tail == 0 ? 0 : tail - len % tail;
	if (before + after == 0)
		return 0;
	p = calloc(1, len + after);
	if (p == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	memcpy(p + before, m->payload, m->len);
	free(m->payload);
	m->payload = p;
	m->len = len + after;
	return 0;
}

void
pv_stm32_pad_header(struct pv_stm32_header *h)
{
	uint32_t total = h->version == PV_STM32_V2_3 ? V2_3_TOTAL : V2_TOTAL;
	uint32_t len;

	if (h->version == PV_STM32_V1_0)
		return;
	h->flags &= ~PV_STM32_PADDING;
	h->padding = NULL;
	h->padding_len = 0;
	len = pv_stm32_header_len(h);
	if (len + EXT_HEAD > total)
		return;
	h->flags |= PV_STM32_PADDING;
	h->padding_len = total - len - EXT_HEAD;
}

int
pv_stm32_key_hash(uint32_t version, uint32_t algorithm, const uint8_t point[64],
    uint8_t ret_hash[32], struct pv_error *e)
{
	uint8_t number[4];
	struct pv_part parts[2] = { { number, 4 }, { point, 64 } };

	pv_put_u32le(number, algorithm);
	return version == PV_STM32_V1_0 ? pv_sha256(parts + 1, 1, ret_hash, e)
					: pv_sha256(parts, 2, ret_hash, e);
}

int
pv_stm32_table_hash(const uint8_t (*hashes)[32], uint32_t n,
    uint8_t ret_hash[32], struct pv_error *e)
{
	struct pv_part part = { hashes, (size_t)n * 32 };

	return pv_sha256(&part, 1, ret_hash, e);
}

int
pv_stm32_trust_hash(
    const struct pv_stm32_header *h, uint8_t ret_hash[32], struct pv_error *e)
{
	return h->version == PV_STM32_V1_0
		   ? pv_stm32_key_hash(
			 h->version, h->algorithm, h->public_key, ret_hash, e)
		   : pv_stm32_table_hash(
			 h->key_hashes, h->key_count, ret_hash, e);
}

int
pv_stm32_set_keys(struct pv_stm32_header *h, const uint8_t (*points)[64],
    uint32_t n, uint32_t index, struct pv_error *e)
{
	int r = 0;

	if (n == 0 || n > PV_STM32_KEYS || index >= n)
		return pv_fail(e, PV_E_INTERNAL, "key %u of %u", index, n);
	memset(h->public_key, 0, sizeof(h->public_key));
	memcpy(h->public_key, points[index], 64);
	h->algorithm = PV_STM32_P256;
	if (h->version == PV_STM32_V1_0) {
		h->flags &= ~PV_STM32_NO_SIGNATURE;
		return 0;
	}
	h->flags |= PV_STM32_AUTH;
	h->key_index = index;
	h->key_count = n;
	for (uint32_t i = 0; r == 0 && i < n; i++)
		r = pv_stm32_key_hash(
		    h->version, PV_STM32_P256, points[i], h->key_hashes[i], e);
	return r;
}

/*
 * SP 800-108 in counter mode with AES-CMAC, as the signer of Phoenix-RTOS has
 * it for STM32N6; a master key of 256 bits is first made one of 128.
 */
int
pv_stm32_fsbl_key(const uint8_t *edmk, size_t edmk_len, uint32_t constant,
    uint8_t ret_key[16], struct pv_error *e)
{
	static const uint8_t zero[16];
	static const char label[] = "BL2 encryption key.";
	uint8_t input[32] = { 0, 0, 0, 1 }, master[16];
	int r = 0;

	if (edmk_len != 16 && edmk_len != 32)
		return pv_fail(e, PV_E_MALFORMED,
		    "a master key of %zu bytes; 16 or 32 are possible",
		    edmk_len);
	if (edmk_len == 16)
		memcpy(master, edmk, 16);
	else
		r = pv_aes_cmac(zero, 16, edmk, edmk_len, master, e);
	memcpy(input + 4, label, sizeof(label) - 1);
	pv_put_u32le(input + 24, constant);
	input[31] = 0x80;
	if (r == 0)
		r = pv_aes_cmac(master, 16, input, sizeof(input), ret_key, e);
	pv_wipe(master, sizeof(master));
	return r;
}

static int
plain_hash(
    const struct pv_stm32_image *m, uint8_t ret_hash[16], struct pv_error *e)
{
	struct pv_part part = { m->payload, m->len };
	uint8_t digest[32];
	int r = pv_sha256(&part, 1, digest, e);

	if (r == 0)
		memcpy(ret_hash, digest, 16);
	return r;
}

int
pv_stm32_encrypt(struct pv_stm32_image *m, const uint8_t *edmk, size_t edmk_len,
    uint32_t constant, struct pv_error *e)
{
	uint8_t key[16];
	int r;

	if (m->h.version == PV_STM32_V1_0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "images of STM32MP15 (v1.0) are not encrypted");
	if (m->len % 16 != 0)
		return pv_fail(e, PV_E_INTERNAL, "payload of %zu", m->len);
	r = plain_hash(m, m->h.plain_hash, e);
	if (r == 0)
		r = pv_stm32_fsbl_key(edmk, edmk_len, constant, key, e);
	if (r == 0)
		r = pv_aes128_cbc(key, false, m->h.plain_hash, m->payload,
		    m->len, m->payload, e);
	pv_wipe(key, sizeof(key));
	m->h.flags |= PV_STM32_ENCRYPT;
	m->h.key_bits = 128;
	m->h.derivation = constant;
	return r;
}

int
pv_stm32_decrypt(struct pv_stm32_image *m, const uint8_t *edmk, size_t edmk_len,
    struct pv_error *e)
{
	uint8_t key[16], hash[16];
	int r;

	if ((m->h.flags & PV_STM32_ENCRYPT) == 0)
		return pv_fail(e, PV_E_USAGE, "the image is not encrypted");
	if (m->len % 16 != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "an encrypted payload of %zu bytes, not a multiple of 16",
		    m->len);
	r = pv_stm32_fsbl_key(edmk, edmk_len, m->h.derivation, key, e);
	if (r == 0)
		r = pv_aes128_cbc(key, true, m->h.plain_hash, m->payload,
		    m->len, m->payload, e);
	pv_wipe(key, sizeof(key));
	if (r == 0)
		r = plain_hash(m, hash, e);
	if (r == 0 && !pv_ct_equal(hash, m->h.plain_hash, sizeof(hash)))
		r = pv_fail(e, PV_E_VERIFY,
		    "the decrypted payload has another hash than the header "
		    "says: another key, or a damaged image");
	return r;
}

int
pv_stm32_finish(struct pv_stm32_image *m, uint32_t slot, struct pv_error *e)
{
	size_t total = pv_stm32_header_len(&m->h) + m->len;

	if (m->len == 0 || m->len > PV_STM32_PAYLOAD_MAX)
		return pv_fail(e, PV_E_RANGE, "a payload of %zu bytes", m->len);
	if (slot != 0 && total > slot)
		return pv_fail(e, PV_E_RANGE,
		    "header and payload have %zu bytes, the slot %u", total,
		    slot);
	m->h.length = (uint32_t)m->len;
	m->h.checksum = pv_stm32_checksum(0, m->payload, m->len);
	memset(m->h.signature, 0, sizeof(m->h.signature));
	return 0;
}

int
pv_stm32_signed(const struct pv_stm32_image *m,
    uint8_t head[PV_STM32_HEADER_MAX], struct pv_part *ret_parts,
    uint8_t ret_digest[32], struct pv_error *e)
{
	struct pv_stm32_range range[2];
	size_t len = PV_STM32_HEADER_MAX;
	int r = pv_stm32_encode(&m->h, head, &len, e);

	if (r != 0)
		return r;
	pv_stm32_signed_ranges(&m->h, range);
	for (size_t i = 0; i < 2; i++)
		ret_parts[i] =
		    (struct pv_part){ head + range[i].start, range[i].len };
	ret_parts[2] = (struct pv_part){ m->payload, m->len };
	return pv_sha256(ret_parts, 3, ret_digest, e);
}

int
pv_stm32_write(
    const struct pv_stm32_image *m, const char *path, struct pv_error *e)
{
	uint8_t head[PV_STM32_HEADER_MAX];
	struct pv_outfile *f = NULL;
	size_t len = sizeof(head);
	int r = pv_stm32_encode(&m->h, head, &len, e);

	if (r == 0)
		r = pv_outfile_open(path, 0644, &f, e);
	if (r == 0)
		r = pv_outfile_write(f, head, len, e);
	if (r == 0)
		r = pv_outfile_write(f, m->payload, m->len, e);
	if (r == 0)
		r = pv_outfile_commit(f, e);
	pv_outfile_free(f);
	return r;
}
