/* SPDX-License-Identifier: Apache-2.0 */
/* The STM32 image header; the layouts are the tables of stm32_image.md. */
#include "formats/stm32_image.h"

#include "base/buf.h"

#include <string.h>

#define MAGIC 0x324D5453U /* "STM2" */

#define V1_LEN	 256U
#define V2_LEN	 128U
#define V2_3_LEN 160U

/* Extension types: "ST" and two bytes. */
#define EXT_AUTH    0x02005453U
#define EXT_ENCRYPT 0x01005453U
#define EXT_PADDING 0xFFFF5453U
#define EXT_HEAD    8U /* type and length, which is that of all */
#define ENCRYPT_LEN 32U

static bool
is_v2_3(uint32_t version)
{
	return version == PV_STM32_V2_3;
}

static bool
has_extensions(uint32_t version)
{
	return version != PV_STM32_V1_0;
}

/* Non-secure payload: v2.3 has it, v2.2 perhaps, in what v2.0 has as zeros. */
static bool
has_non_secure(uint32_t version)
{
	return version == PV_STM32_V2_2 || is_v2_3(version);
}

static uint32_t
fixed_len(uint32_t version)
{
	if (!has_extensions(version))
		return V1_LEN;
	return is_v2_3(version) ? V2_3_LEN : V2_LEN;
}

size_t
pv_stm32_sig_room(uint32_t version)
{
	return is_v2_3(version) ? PV_STM32_SIG : 64;
}

const char *
pv_stm32_version_name(uint32_t version)
{
	switch (version) {
	case PV_STM32_V1_0:
		return "v1.0 (STM32MP15)";
	case PV_STM32_V2_0:
		return "v2.0 (STM32MP13)";
	case PV_STM32_V2_2:
		return "v2.2 (STM32MP2)";
	case PV_STM32_V2_3:
		return "v2.3 (STM32N6)";
	default:
		return NULL;
	}
}

/* The version stands behind the signature and the checksum. */
static uint32_t
version_of(const uint8_t *data)
{
	uint32_t v = pv_get_u32le(data + 0x48);

	if (v == PV_STM32_V1_0 || v == PV_STM32_V2_0 || v == PV_STM32_V2_2)
		return v;
	v = pv_get_u32le(data + 0x68);
	return is_v2_3(v) ? v : 0;
}

bool
pv_stm32_detect(const void *data, size_t len)
{
	return len >= PV_STM32_HEADER_MIN && pv_get_u32le(data) == MAGIC &&
	       version_of(data) != 0;
}

/* --- decode ----------------------------------------------------------------- */

static bool
zeros(struct pv_reader *r, size_t n)
{
	const uint8_t *p = pv_rd_view(r, n);

	for (size_t i = 0; p != NULL && i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* Magic to image version: the same in all versions but for the signature. */
static void
decode_common(struct pv_reader *r, struct pv_stm32_header *h)
{
	pv_rd_skip(r, 4);
	pv_rd_bytes(r, h->signature, pv_stm32_sig_room(h->version));
	h->checksum = pv_rd_u32le(r);
	pv_rd_skip(r, 4);
	h->length = pv_rd_u32le(r);
	h->entry = pv_rd_u32le(r);
	h->reserved[0] = pv_rd_u32le(r);
	h->load = pv_rd_u32le(r);
	h->reserved[1] = pv_rd_u32le(r);
	h->image_version = pv_rd_u32le(r);
	h->flags = pv_rd_u32le(r);
}

static int
decode_v1(struct pv_reader *r, struct pv_stm32_header *h, struct pv_error *e)
{
	h->algorithm = pv_rd_u32le(r);
	pv_rd_bytes(r, h->public_key, 64);
	if (!zeros(r, 83))
		return pv_fail(e, PV_E_MALFORMED,
		    "bytes 0xAC to 0xFE of the header are not all zero");
	h->type = pv_rd_u8(r);
	return 0;
}

static int
decode_auth(struct pv_reader *r, struct pv_stm32_header *h, struct pv_error *e)
{
	size_t room = pv_stm32_sig_room(h->version);

	h->key_index = pv_rd_u32le(r);
	h->key_count = pv_rd_u32le(r);
	h->algorithm = pv_rd_u32le(r);
	pv_rd_bytes(r, h->public_key, room);
	if (h->key_count > PV_STM32_KEYS)
		return pv_fail(e, PV_E_MALFORMED,
		    "the authentication extension has %u keys, at most %u are "
		    "possible",
		    h->key_count, PV_STM32_KEYS);
	for (uint32_t i = 0; i < h->key_count; i++)
		pv_rd_bytes(r, h->key_hashes[i], 32);
	return 0;
}

static int
decode_one(struct pv_reader *r, uint32_t type, struct pv_stm32_header *h,
    struct pv_error *e)
{
	switch (type) {
	case EXT_AUTH:
		return decode_auth(r, h, e);
	case EXT_ENCRYPT:
		h->key_bits = pv_rd_u32le(r);
		h->derivation = pv_rd_u32le(r);
		pv_rd_bytes(r, h->plain_hash, sizeof(h->plain_hash));
		return 0;
	case EXT_PADDING:
		h->padding_len = (uint32_t)r->left;
		h->padding = pv_rd_view(r, r->left);
		return 0;
	default:
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "an extension of the header has the unknown type 0x%08x",
		    type);
	}
}

/* What follows its 8 bytes; *ret_flag is the bit that announces it. */
static int
decode_extension(struct pv_reader *r, struct pv_stm32_header *h,
    uint32_t *ret_flag, struct pv_error *e)
{
	uint32_t type = pv_rd_u32le(r), len = pv_rd_u32le(r);
	struct pv_reader body;
	int rc;

	if (!pv_rd_ok(r) || len < EXT_HEAD || len - EXT_HEAD > r->left)
		return pv_fail(e, PV_E_MALFORMED,
		    "an extension of the header does not end inside it");
	pv_rd_init(&body, pv_rd_view(r, len - EXT_HEAD), len - EXT_HEAD);
	rc = decode_one(&body, type, h, e);
	if (rc != 0)
		return rc;
	*ret_flag = type == EXT_AUTH	  ? PV_STM32_AUTH
		    : type == EXT_ENCRYPT ? PV_STM32_ENCRYPT
					  : PV_STM32_PADDING;
	if (!pv_rd_finish(&body))
		return pv_fail(e, PV_E_MALFORMED,
		    "the extension of type 0x%08x cannot have %u bytes", type,
		    len);
	return 0;
}

/* In the order of their flags, each at most once. */
static int
decode_extensions(
    struct pv_reader *r, struct pv_stm32_header *h, struct pv_error *e)
{
	uint32_t seen = 0;

	while (r->left > 0) {
		uint32_t flag = 0;
		int rc = decode_extension(r, h, &flag, e);

		if (rc != 0)
			return rc;
		if (flag <= seen)
			return pv_fail(e, PV_E_MALFORMED,
			    "the extensions of the header are not "
			    "authentication, encryption, padding, each once");
		seen |= flag;
	}
	if (seen != h->flags)
		return pv_fail(e, PV_E_MALFORMED,
		    "the extension flags are 0x%08x, the extensions that "
		    "follow make 0x%08x",
		    h->flags, seen);
	return 0;
}

static int
decode_v2(struct pv_reader *r, struct pv_stm32_header *h, struct pv_error *e)
{
	uint32_t len = pv_rd_u32le(r);
	bool clean;
	struct pv_reader ext;

	h->type = pv_rd_u32le(r);
	clean = zeros(r, 8);
	if (has_non_secure(h->version)) {
		h->ns_length = pv_rd_u32le(r);
		h->ns_hash = pv_rd_u32le(r);
	} else {
		clean = zeros(r, 8) && clean;
	}
	if (!clean)
		return pv_fail(e, PV_E_MALFORMED,
		    "padding bytes of the header are not all zero");
	if (len > PV_STM32_HEADER_MAX - fixed_len(h->version))
		return pv_fail(e, PV_E_MALFORMED,
		    "the header says %u bytes of extensions", len);
	if (!pv_rd_ok(r) || len > r->left)
		return pv_fail(
		    e, PV_E_MALFORMED, "the file ends inside the image header");
	pv_rd_init(&ext, pv_rd_view(r, len), len);
	return decode_extensions(&ext, h, e);
}

int
pv_stm32_decode(const uint8_t *data, size_t len, struct pv_stm32_header *ret_h,
    struct pv_error *e)
{
	struct pv_stm32_header h = { 0 };
	struct pv_reader r;
	int rc;

	if (len < 4 || pv_get_u32le(data) != MAGIC)
		return pv_fail(e, PV_E_MALFORMED,
		    "it does not begin with 'STM2', the magic number of an "
		    "STM32 image header");
	if (len < PV_STM32_HEADER_MIN)
		return pv_fail(
		    e, PV_E_MALFORMED, "the file ends inside the image header");
	h.version = version_of(data);
	if (h.version == 0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "unknown version of the image header: 0x%08x at 0x48",
		    pv_get_u32le(data + 0x48));
	pv_rd_init(&r, data, len);
	decode_common(&r, &h);
	rc = has_extensions(h.version) ? decode_v2(&r, &h, e)
				       : decode_v1(&r, &h, e);
	if (rc == 0 && !pv_rd_ok(&r))
		rc = pv_fail(
		    e, PV_E_MALFORMED, "the file ends inside the image header");
	if (rc == 0)
		*ret_h = h;
	return rc;
}

/* --- validate --------------------------------------------------------------- */

bool
pv_stm32_is_signed(const struct pv_stm32_header *h)
{
	return has_extensions(h->version)
		   ? (h->flags & PV_STM32_AUTH) != 0
		   : (h->flags & PV_STM32_NO_SIGNATURE) == 0;
}

static int
validate_key(const struct pv_stm32_header *h, struct pv_error *e)
{
	uint32_t max = is_v2_3(h->version) ? 4 : PV_STM32_BRAINPOOL;

	if (h->algorithm < 1 || h->algorithm > max)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "unknown signature algorithm %u", h->algorithm);
	if (!has_extensions(h->version))
		return 0;
	if (h->key_count == 0 || h->key_index >= h->key_count)
		return pv_fail(e, PV_E_MALFORMED,
		    "key %u of a table of %u keys signs the image",
		    h->key_index, h->key_count);
	return 0;
}

int
pv_stm32_validate(
    const struct pv_stm32_header *h, uint64_t file_size, struct pv_error *e)
{
	uint32_t head = pv_stm32_header_len(h);
	int r;

	if (h->reserved[0] != 0 || h->reserved[1] != 0)
		return pv_fail(
		    e, PV_E_MALFORMED, "reserved fields are not zero");
	if (!has_extensions(h->version) &&
	    (h->flags & ~PV_STM32_NO_SIGNATURE) != 0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "unknown option flags 0x%08x", h->flags);
	if (pv_stm32_is_signed(h) && (r = validate_key(h, e)) != 0)
		return r;
	if ((h->flags & PV_STM32_ENCRYPT) != 0 && h->key_bits != 128)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "encryption with a key of %u bits", h->key_bits);
	if (h->length == 0)
		return pv_fail(e, PV_E_MALFORMED, "the image has no payload");
	if (file_size != (uint64_t)head + h->length)
		return pv_fail(e, PV_E_MALFORMED,
		    "the header says %u bytes of payload after its own %u, "
		    "the file has %llu",
		    h->length, head,
		    (unsigned long long)(file_size < head ? 0
							  : file_size - head));
	return 0;
}

/* --- encode ----------------------------------------------------------------- */

static uint32_t
auth_len(const struct pv_stm32_header *h)
{
	return EXT_HEAD + 12 + (uint32_t)pv_stm32_sig_room(h->version) +
	       32 * h->key_count;
}

uint32_t
pv_stm32_header_len(const struct pv_stm32_header *h)
{
	uint32_t len = fixed_len(h->version);

	if (!has_extensions(h->version))
		return len;
	if ((h->flags & PV_STM32_AUTH) != 0)
		len += auth_len(h);
	if ((h->flags & PV_STM32_ENCRYPT) != 0)
		len += ENCRYPT_LEN;
	if ((h->flags & PV_STM32_PADDING) != 0)
		len += EXT_HEAD + h->padding_len;
	return len;
}

static void
encode_extensions(struct pv_writer *w, const struct pv_stm32_header *h)
{
	if ((h->flags & PV_STM32_AUTH) != 0) {
		pv_wr_u32le(w, EXT_AUTH);
		pv_wr_u32le(w, auth_len(h));
		pv_wr_u32le(w, h->key_index);
		pv_wr_u32le(w, h->key_count);
		pv_wr_u32le(w, h->algorithm);
		pv_wr_bytes(w, h->public_key, pv_stm32_sig_room(h->version));
		for (uint32_t i = 0; i < h->key_count; i++)
			pv_wr_bytes(w, h->key_hashes[i], 32);
	}
	if ((h->flags & PV_STM32_ENCRYPT) != 0) {
		pv_wr_u32le(w, EXT_ENCRYPT);
		pv_wr_u32le(w, ENCRYPT_LEN);
		pv_wr_u32le(w, h->key_bits);
		pv_wr_u32le(w, h->derivation);
		pv_wr_bytes(w, h->plain_hash, sizeof(h->plain_hash));
	}
	if ((h->flags & PV_STM32_PADDING) != 0) {
		pv_wr_u32le(w, EXT_PADDING);
		pv_wr_u32le(w, EXT_HEAD + h->padding_len);
		if (h->padding != NULL)
			pv_wr_bytes(w, h->padding, h->padding_len);
		else
			pv_wr_zero(w, h->padding_len);
	}
}

static void
encode_v2(struct pv_writer *w, const struct pv_stm32_header *h)
{
	pv_wr_u32le(w, pv_stm32_header_len(h) - fixed_len(h->version));
	pv_wr_u32le(w, h->type);
	pv_wr_zero(w, 8);
	pv_wr_u32le(w, has_non_secure(h->version) ? h->ns_length : 0);
	pv_wr_u32le(w, has_non_secure(h->version) ? h->ns_hash : 0);
	encode_extensions(w, h);
}

int
pv_stm32_encode(const struct pv_stm32_header *h, uint8_t *dst, size_t *len,
    struct pv_error *e)
{
	struct pv_writer w;

	if (h->key_count > PV_STM32_KEYS ||
	    pv_stm32_version_name(h->version) == NULL)
		return pv_fail(e, PV_E_USAGE, "no such image header");
	pv_wr_init(&w, dst, *len);
	pv_wr_u32le(&w, MAGIC);
	pv_wr_bytes(&w, h->signature, pv_stm32_sig_room(h->version));
	pv_wr_u32le(&w, h->checksum);
	pv_wr_u32le(&w, h->version);
	pv_wr_u32le(&w, h->length);
	pv_wr_u32le(&w, h->entry);
	pv_wr_u32le(&w, h->reserved[0]);
	pv_wr_u32le(&w, h->load);
	pv_wr_u32le(&w, h->reserved[1]);
	pv_wr_u32le(&w, h->image_version);
	pv_wr_u32le(&w, h->flags);
	if (has_extensions(h->version)) {
		encode_v2(&w, h);
	} else {
		pv_wr_u32le(&w, h->algorithm);
		pv_wr_bytes(&w, h->public_key, 64);
		pv_wr_zero(&w, 83);
		pv_wr_u8(&w, (uint8_t)h->type);
	}
	if (!pv_wr_ok(&w))
		return pv_fail(e, PV_E_USAGE, "no room for the image header");
	*len = w.len;
	return 0;
}

/* --- what else the header tells ----------------------------------------------- */

void
pv_stm32_signed_ranges(
    const struct pv_stm32_header *h, struct pv_stm32_range ret_range[2])
{
	uint32_t end = pv_stm32_header_len(h);

	if (is_v2_3(h->version)) {
		/* Not the non-secure length and hash, 0x98 to 0x9F. */
		ret_range[0] = (struct pv_stm32_range){ 0x68, 0x30 };
		ret_range[1] =
		    (struct pv_stm32_range){ V2_3_LEN, end - V2_3_LEN };
	} else {
		ret_range[0] = (struct pv_stm32_range){ 0x48, end - 0x48 };
		ret_range[1] = (struct pv_stm32_range){ end, 0 };
	}
}

uint32_t
pv_stm32_checksum(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		sum += p[i];
	return sum;
}

/* Types of the STM32MP wiki, "STM32 header for binary files". */
const char *
pv_stm32_type_name(uint32_t type)
{
	if (type == 0x00)
		return "U-Boot";
	if (type >= 0x10 && type <= 0x1F)
		return "FSBL (TF-A)";
	if (type >= 0x20 && type <= 0x2F)
		return "OP-TEE";
	if (type >= 0x30 && type <= 0x3F)
		return "Cortex-M";
	return NULL;
}

const char *
pv_stm32_algorithm_name(uint32_t algorithm)
{
	switch (algorithm) {
	case PV_STM32_P256:
		return "ECDSA P-256";
	case PV_STM32_BRAINPOOL:
		return "ECDSA brainpoolP256t1";
	default:
		return NULL;
	}
}
