/* SPDX-License-Identifier: Apache-2.0 */
/* ADAC certificates; the layout is the table of adac.md. */
#include "formats/adac.h"

#include "base/base64.h"
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#define TYPE_CERTIFICATE 0x0201U
#define BODY		 212U
#define P256		 1U

/* --- one certificate --------------------------------------------------------- */

int
pv_adac_decode(
    const uint8_t *data, struct pv_adac_cert *ret_c, struct pv_error *e)
{
	struct pv_adac_cert c;
	uint16_t reserved, type, inner;
	struct pv_reader r;
	uint32_t len;

	pv_rd_init(&r, data, PV_ADAC_CERT);
	reserved = pv_rd_u16le(&r);
	type = pv_rd_u16le(&r);
	len = pv_rd_u32le(&r);
	c.major = pv_rd_u8(&r);
	c.minor = pv_rd_u8(&r);
	c.signature_type = pv_rd_u8(&r);
	c.key_type = pv_rd_u8(&r);
	c.role = pv_rd_u8(&r);
	c.usage = pv_rd_u8(&r);
	inner = pv_rd_u16le(&r);
	c.lifecycle = pv_rd_u16le(&r);
	c.oem_constraint = pv_rd_u16le(&r);
	c.extension_bytes = pv_rd_u32le(&r);
	c.soc_class = pv_rd_u32le(&r);
	pv_rd_bytes(&r, c.soc_id, sizeof(c.soc_id));
	pv_rd_bytes(&r, c.permissions, sizeof(c.permissions));
	pv_rd_bytes(&r, c.public_key, sizeof(c.public_key));
	pv_rd_bytes(&r, c.extensions_hash, sizeof(c.extensions_hash));
	pv_rd_bytes(&r, c.signature, sizeof(c.signature));
	if (type != TYPE_CERTIFICATE)
		return pv_fail(e, PV_E_MALFORMED,
		    "type 0x%04x, a certificate has 0x%04x", type,
		    TYPE_CERTIFICATE);
	if (len != BODY)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "%u bytes in a certificate, one with a P-256 key has %u",
		    len, BODY);
	if (reserved != 0 || inner != 0)
		return pv_fail(
		    e, PV_E_MALFORMED, "reserved fields are not zero");
	*ret_c = c;
	return 0;
}

static const char *
algorithm_name(unsigned int type)
{
	static const char *const names[] = { "P-256", "P-521", "RSA-3072",
		"RSA-4096", "Ed25519", "Ed448", "SM2", "CMAC", "HMAC" };

	return type >= 1 && type <= sizeof(names) / sizeof(names[0])
		   ? names[type - 1]
		   : "unknown";
}

int
pv_adac_validate(const struct pv_adac_cert *c, struct pv_error *e)
{
	static const uint8_t zero[32];

	if (c->major != 1 || c->minor != 0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "certificate of version %u.%u, not 1.0", c->major,
		    c->minor);
	if (c->key_type != P256 || c->signature_type != P256)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "key type %u (%s) and signature type %u (%s); this "
		    "program knows P-256",
		    c->key_type, algorithm_name(c->key_type), c->signature_type,
		    algorithm_name(c->signature_type));
	if (pv_adac_role_name(c->role) == NULL)
		return pv_fail(e, PV_E_MALFORMED, "unknown role %u", c->role);
	if (c->extension_bytes != 0)
		return pv_fail(e, PV_E_UNSUPPORTED, "%u bytes of extensions",
		    c->extension_bytes);
	if (memcmp(c->extensions_hash, zero, sizeof(zero)) != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "a hash of extensions without any extension");
	return 0;
}

void
pv_adac_encode(const struct pv_adac_cert *c, uint8_t *dst)
{
	struct pv_writer w;

	pv_wr_init(&w, dst, PV_ADAC_CERT);
	pv_wr_u16le(&w, 0);
	pv_wr_u16le(&w, TYPE_CERTIFICATE);
	pv_wr_u32le(&w, BODY);
	pv_wr_u8(&w, c->major);
	pv_wr_u8(&w, c->minor);
	pv_wr_u8(&w, c->signature_type);
	pv_wr_u8(&w, c->key_type);
	pv_wr_u8(&w, c->role);
	pv_wr_u8(&w, c->usage);
	pv_wr_u16le(&w, 0);
	pv_wr_u16le(&w, c->lifecycle);
	pv_wr_u16le(&w, c->oem_constraint);
	pv_wr_u32le(&w, c->extension_bytes);
	pv_wr_u32le(&w, c->soc_class);
	pv_wr_bytes(&w, c->soc_id, sizeof(c->soc_id));
	pv_wr_bytes(&w, c->permissions, sizeof(c->permissions));
	pv_wr_bytes(&w, c->public_key, sizeof(c->public_key));
	pv_wr_bytes(&w, c->extensions_hash, sizeof(c->extensions_hash));
	pv_wr_bytes(&w, c->signature, sizeof(c->signature));
}

const char *
pv_adac_role_name(unsigned int role)
{
	switch (role) {
	case PV_ADAC_ROOT:
		return "root";
	case PV_ADAC_INTERMEDIATE:
		return "intermediate";
	case PV_ADAC_LEAF:
		return "leaf";
	default:
		return NULL;
	}
}

/* --- a chain ------------------------------------------------------------------ */

/* Reserved, type and length of a certificate, the same for all. */
static const uint8_t head[8] = { 0, 0, 0x01, 0x02, BODY, 0, 0, 0 };

bool
pv_adac_detect(const uint8_t *data, size_t len)
{
	/* The same in base64, as far as whole characters go. */
	static const char text[] = "AAABAtQAAA";

	return (len >= PV_ADAC_CERT && memcmp(data, head, sizeof(head)) == 0) ||
	       (len >= PV_BASE64_LEN((size_t)PV_ADAC_CERT) &&
		   memcmp(data, text, sizeof(text) - 1) == 0);
}

int
pv_adac_chain_bytes(const uint8_t *file, size_t len,
    uint8_t ret_bytes[PV_ADAC_LEVELS * PV_ADAC_CERT], size_t *ret_len,
    struct pv_error *e)
{
	size_t cap = (size_t)PV_ADAC_LEVELS * PV_ADAC_CERT, n = len;

	if (len >= 2 && file[0] == 0 && file[1] == 0) {
		if (len > cap)
			return pv_fail(e, PV_E_MALFORMED,
			    "more than %u certificates", PV_ADAC_LEVELS);
		memcpy(ret_bytes, file, len);
	} else {
		int r = pv_base64_decode(
		    (const char *)file, len, ret_bytes, cap, &n, e);

		if (r != 0)
			return pv_wrap(e, "as a chain of certificates");
	}
	if (n == 0 || n % PV_ADAC_CERT != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu bytes, not a number of certificates of %u each", n,
		    PV_ADAC_CERT);
	*ret_len = n;
	return 0;
}

static int
check_roles(const struct pv_adac_cert *c, size_t n, struct pv_error *e)
{
	for (size_t i = 0; i < n; i++) {
		bool good = i == 0 ? c[i].role == PV_ADAC_ROOT
			    : c[i].role == PV_ADAC_LEAF
				? i == n - 1
				: c[i].role == PV_ADAC_INTERMEDIATE;

		if (!good)
			return pv_fail(e, PV_E_MALFORMED,
			    "certificate %zu of %zu is a %s; a chain is root, "
			    "intermediates, leaf",
			    i + 1, n, pv_adac_role_name(c[i].role));
	}
	return 0;
}

int
pv_adac_chain_decode(const uint8_t *bytes, size_t len,
    struct pv_adac_cert ret_c[PV_ADAC_LEVELS], size_t *ret_n,
    struct pv_error *e)
{
	struct pv_adac_cert c[PV_ADAC_LEVELS];
	size_t n = len / PV_ADAC_CERT;
	int r;

	if (n == 0 || n > PV_ADAC_LEVELS || len % PV_ADAC_CERT != 0)
		return pv_fail(
		    e, PV_E_MALFORMED, "%zu bytes are no chain", len);
	for (size_t i = 0; i < n; i++) {
		r = pv_adac_decode(bytes + i * PV_ADAC_CERT, &c[i], e);
		if (r == 0)
			r = pv_adac_validate(&c[i], e);
		if (r != 0)
			return pv_wrap(e, "certificate %zu of %zu", i + 1, n);
	}
	r = check_roles(c, n, e);
	if (r != 0)
		return r;
	memcpy(ret_c, c, n * sizeof(c[0]));
	*ret_n = n;
	return 0;
}

/* --- permission masks ---------------------------------------------------------- */

static const struct {
	unsigned int bit;
	const char *word;
} words[] = {
	{ PV_ADAC_BIT_FULL, "full-regression" },
	{ PV_ADAC_BIT_PARTIAL, "partial-regression" },
	{ 0, "secure-debug-hdpl1" },
	{ 1, "secure-debug-hdpl2" },
	{ 2, "secure-debug-hdpl3" },
	{ 4, "nonsecure-debug-hdpl1" },
	{ 5, "nonsecure-debug-hdpl2" },
	{ 6, "nonsecure-debug-hdpl3" },
};
#define N_WORDS (sizeof(words) / sizeof(words[0]))

bool
pv_adac_mask_bit(const uint8_t mask[PV_ADAC_MASK], unsigned int bit)
{
	return bit < 8 * PV_ADAC_MASK && (mask[bit / 8] >> bit % 8 & 1) != 0;
}

static const char *
word_of(unsigned int bit)
{
	for (size_t i = 0; i < N_WORDS; i++)
		if (words[i].bit == bit)
			return words[i].word;
	return NULL;
}

static void
append(char ret_words[PV_ADAC_WORDS], const char *word)
{
	size_t len = strlen(ret_words);

	(void)snprintf(ret_words + len, PV_ADAC_WORDS - len, "%s%s",
	    len == 0 ? "" : ", ", word);
}

void
pv_adac_mask_words(
    const uint8_t mask[PV_ADAC_MASK], char ret_words[PV_ADAC_WORDS])
{
	char other[16];

	ret_words[0] = '\0';
	for (size_t i = 0; i < N_WORDS; i++)
		if (pv_adac_mask_bit(mask, words[i].bit))
			append(ret_words, words[i].word);
	for (unsigned int bit = 0; bit < 8 * PV_ADAC_MASK; bit++) {
		if (!pv_adac_mask_bit(mask, bit) || word_of(bit) != NULL)
			continue;
		(void)snprintf(other, sizeof(other), "bit%u", bit);
		append(ret_words, other);
	}
	if (ret_words[0] == '\0')
		append(ret_words, "none");
}

void
pv_adac_mask_hex(const uint8_t mask[PV_ADAC_MASK], char ret_hex[35])
{
	size_t top = PV_ADAC_MASK;
	int n;

	/* At least four digits, as ST's files have them. */
	while (top > 2 && mask[top - 1] == 0)
		top--;
	n = snprintf(ret_hex, 35, "0x");
	while (top-- > 0)
		n += snprintf(ret_hex + n, 35 - (size_t)n, "%02x", mask[top]);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int
parse_hex(const char *digits, uint8_t mask[PV_ADAC_MASK], struct pv_error *e)
{
	size_t n = strlen(digits);

	if (n == 0 || n > (size_t)2 * PV_ADAC_MASK)
		return pv_fail(e, PV_E_USAGE,
		    "a permission mask has 1 to 32 hex digits after 0x");
	for (size_t i = 0; i < n; i++) {
		int d = hex_digit(digits[n - 1 - i]);

		if (d < 0)
			return pv_fail(e, PV_E_USAGE,
			    "permission mask '0x%.40s' is not hexadecimal",
			    digits);
		mask[i / 2] |= (uint8_t)(d << (i % 2 == 0 ? 0 : 4));
	}
	return 0;
}

/* The bit of a word of `len` characters, or 128. */
static unsigned int
bit_of(const char *word, size_t len)
{
	unsigned int bit = 0;

	for (size_t i = 0; i < N_WORDS; i++)
		if (strlen(words[i].word) == len &&
		    memcmp(words[i].word, word, len) == 0)
			return words[i].bit;
	if (len < 4 || len > 6 || memcmp(word, "bit", 3) != 0)
		return 8 * PV_ADAC_MASK;
	for (size_t i = 3; i < len; i++) {
		if (word[i] < '0' || word[i] > '9')
			return 8 * PV_ADAC_MASK;
		bit = bit * 10 + (unsigned int)(word[i] - '0');
	}
	return bit;
}

int
pv_adac_mask_parse(
    const char *text, uint8_t ret_mask[PV_ADAC_MASK], struct pv_error *e)
{
	uint8_t mask[PV_ADAC_MASK] = { 0 };
	const char *at = text;
	int r;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		r = parse_hex(text + 2, mask, e);
		if (r == 0)
			memcpy(ret_mask, mask, sizeof(mask));
		return r;
	}
	for (;;) {
		size_t len;
		unsigned int bit;

		at += strspn(at, " ");
		len = strcspn(at, ", ");
		bit = bit_of(at, len);
		if (bit >= 8 * PV_ADAC_MASK)
			return pv_fail(e, PV_E_USAGE,
			    "'%.*s' is no permission; it is 0x... or words "
			    "such as full-regression, nonsecure-debug-hdpl3, "
			    "bit127",
			    (int)(len > 40 ? 40 : len), at);
		mask[bit / 8] |= (uint8_t)(1U << bit % 8);
		at += len;
		at += strspn(at, " ");
		if (*at == '\0')
			break;
		if (*at++ != ',')
			return pv_fail(e, PV_E_USAGE,
			    "permissions are separated by commas");
	}
	memcpy(ret_mask, mask, sizeof(mask));
	return 0;
}

bool
pv_adac_mask_empty(const uint8_t mask[PV_ADAC_MASK])
{
	static const uint8_t zero[PV_ADAC_MASK];

	return memcmp(mask, zero, sizeof(zero)) == 0;
}

bool
pv_adac_mask_regression(const uint8_t mask[PV_ADAC_MASK])
{
	return pv_adac_mask_bit(mask, PV_ADAC_BIT_FULL) ||
	       pv_adac_mask_bit(mask, PV_ADAC_BIT_PARTIAL);
}

bool
pv_adac_mask_within(
    const uint8_t inner[PV_ADAC_MASK], const uint8_t outer[PV_ADAC_MASK])
{
	for (size_t i = 0; i < PV_ADAC_MASK; i++)
		if ((inner[i] & ~outer[i]) != 0)
			return false;
	return true;
}
