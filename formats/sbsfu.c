/* SPDX-License-Identifier: Apache-2.0 */
/* X-CUBE-SBSFU headers; the layouts are the tables of sbsfu.md. */
#include "formats/sbsfu.h"

#include "base/buf.h"

#include <stdio.h>
#include <string.h>

/* prepareimage.py and the build scripts of X-CUBE-SBSFU. */
static const struct pv_sbsfu_layout layouts[] = {
	{ "ecdsa-aes-cbc", 32, 16, 28, 0, 0x80, 64, 0x140, 512 },
	{ "ecdsa-aes-ctr", 32, 8, 36, 0, 0x80, 64, 0x140, 512 },
	{ "ecdsa", 32, 0, 44, 0, 0x80, 64, 0x140, 512 },
	{ "ecdsa-x509", 32, 0, 44, PV_SBSFU_CERTS, 0x740, 64, 0x800, 2048 },
	{ "aes-gcm", 16, 12, 112, 0, 0xB0, 16, 0x140, 512 },
};

const struct pv_sbsfu_layout *
pv_sbsfu_layout(enum pv_sbsfu_scheme scheme)
{
	return &layouts[scheme - PV_SBSFU_CBC];
}

int
pv_sbsfu_scheme_parse(
    const char *name, enum pv_sbsfu_scheme *ret_scheme, struct pv_error *e)
{
	for (unsigned int i = 0; i < PV_SBSFU_SCHEMES; i++) {
		if (strcmp(layouts[i].name, name) == 0) {
			*ret_scheme = (enum pv_sbsfu_scheme)(i + 1);
			return 0;
		}
	}
	(void)pv_fail(e, PV_E_USAGE, "no SBSFU scheme '%s'", name);
	return pv_hint(e, "ecdsa-aes-cbc, ecdsa-aes-ctr, ecdsa, ecdsa-x509 "
			  "and aes-gcm are known");
}

bool
pv_sbsfu_encrypted(enum pv_sbsfu_scheme scheme)
{
	return pv_sbsfu_layout(scheme)->iv != 0;
}

bool
pv_sbsfu_is_partial(const struct pv_sbsfu_header *h)
{
	return h->partial_offset != 0 || h->partial_size != h->size;
}

bool
pv_sbsfu_detect(const void *data, size_t len)
{
	const uint8_t *p = data;

	return len >= PV_SBSFU_HEAD && memcmp(p, "SFU", 3) == 0 &&
	       p[3] >= '1' && p[3] <= '3' && pv_get_u16le(p + 4) == 1;
}

static bool
zeros(const uint8_t *p, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* From the layout with the most zeros to the one with the fewest. */
enum pv_sbsfu_scheme
pv_sbsfu_guess(const uint8_t *data, size_t len)
{
	if (!pv_sbsfu_detect(data, len) || len < 0x140)
		return (enum pv_sbsfu_scheme)0;
	if (zeros(data, 0x40, 0xB0))
		return PV_SBSFU_GCM;
	if (zeros(data, 0x54, 0x80))
		/* A certificate is a DER sequence of more than 255 bytes. */
		return data[0x80] == 0x30 && data[0x81] == 0x82 && len >= 0x800
			   ? PV_SBSFU_X509
			   : PV_SBSFU_CLEAR;
	if (zeros(data, 0x5C, 0x80))
		return PV_SBSFU_CTR;
	if (zeros(data, 0x64, 0x80))
		return PV_SBSFU_CBC;
	return (enum pv_sbsfu_scheme)0;
}

int
pv_sbsfu_decode(const uint8_t *data, size_t len, enum pv_sbsfu_scheme scheme,
    struct pv_sbsfu_header *ret_h, struct pv_error *e)
{
	const struct pv_sbsfu_layout *l = pv_sbsfu_layout(scheme);
	struct pv_sbsfu_header h = { .scheme = scheme };
	const uint8_t *magic, *reserved;
	struct pv_reader r;

	pv_rd_init(&r, data, len);
	magic = pv_rd_view(&r, 4);
	h.protocol = pv_rd_u16le(&r);
	h.version = pv_rd_u16le(&r);
	h.size = pv_rd_u32le(&r);
	h.partial_offset = pv_rd_u32le(&r);
	h.partial_size = pv_rd_u32le(&r);
	pv_rd_bytes(&r, h.tag, l->tag);
	pv_rd_bytes(&r, h.partial_tag, l->tag);
	pv_rd_bytes(&r, h.iv, l->iv);
	reserved = pv_rd_view(&r, l->reserved);
	h.certs = pv_rd_view(&r, l->certs);
	pv_rd_bytes(&r, h.auth, l->auth);
	pv_rd_bytes(&r, h.state, sizeof(h.state));
	pv_rd_bytes(&r, h.fingerprint, sizeof(h.fingerprint));
	if (!pv_rd_ok(&r))
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu bytes, an SBSFU header of this scheme has %u", len,
		    l->end);
	if (memcmp(magic, "SFU", 3) != 0 || magic[3] < '1' || magic[3] > '3')
		return pv_fail(e, PV_E_MALFORMED,
		    "it does not begin with SFU1, SFU2 or SFU3");
	h.slot = (unsigned int)(magic[3] - '0');
	if (!zeros(reserved, 0, l->reserved))
		return pv_fail(e, PV_E_MALFORMED,
		    "reserved bytes are not zero: damaged, or of another "
		    "scheme than %s",
		    l->name);
	if (l->certs == 0)
		h.certs = NULL;
	*ret_h = h;
	return 0;
}

/* Both are public. */
static bool
differ(const uint8_t *a, const uint8_t *b, size_t n)
{
	return memcmp(a, b, n) != 0;
}

/* AES-CBC and -CTR take whole blocks. */
static int
validate_blocks(const struct pv_sbsfu_header *h, struct pv_error *e)
{
	bool blocks = h->scheme == PV_SBSFU_CBC || h->scheme == PV_SBSFU_CTR;

	if (blocks && (h->size % 16 != 0 || h->partial_size % 16 != 0))
		return pv_fail(e, PV_E_MALFORMED,
		    "firmware of %u bytes; this scheme takes a multiple of 16",
		    h->size % 16 != 0 ? h->size : h->partial_size);
	if (h->partial_offset % 16 != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "partial firmware at 0x%x, not a multiple of 16",
		    h->partial_offset);
	return 0;
}

int
pv_sbsfu_validate(
    const struct pv_sbsfu_header *h, uint64_t payload, struct pv_error *e)
{
	uint32_t tag = pv_sbsfu_layout(h->scheme)->tag;
	int r;

	if (h->protocol != 1)
		return pv_fail(
		    e, PV_E_UNSUPPORTED, "protocol version %u", h->protocol);
	if (h->size == 0 || h->partial_size == 0)
		return pv_fail(e, PV_E_MALFORMED, "there is no firmware");
	if (h->partial_size > h->size ||
	    h->partial_offset > h->size - h->partial_size)
		return pv_fail(e, PV_E_MALFORMED,
		    "partial firmware of %u bytes at 0x%x does not lie in the "
		    "%u of the firmware",
		    h->partial_size, h->partial_offset, h->size);
	if ((r = validate_blocks(h, e)) != 0)
		return r;
	if (!pv_sbsfu_is_partial(h) && differ(h->tag, h->partial_tag, tag))
		return pv_fail(e, PV_E_MALFORMED,
		    "two different tags for one whole firmware");
	if (payload != h->partial_size)
		return pv_fail(e, PV_E_MALFORMED,
		    "the header says %u bytes of firmware, the file has %llu",
		    h->partial_size, (unsigned long long)payload);
	if (pv_sbsfu_state_name(h) == NULL)
		return pv_fail(
		    e, PV_E_MALFORMED, "the image state is none of SBSFU's");
	return 0;
}

int
pv_sbsfu_encode(const struct pv_sbsfu_header *h, uint8_t *dst, size_t *len,
    struct pv_error *e)
{
	const struct pv_sbsfu_layout *l = pv_sbsfu_layout(h->scheme);
	struct pv_writer w;

	pv_wr_init(&w, dst, *len);
	pv_wr_bytes(&w, "SFU", 3);
	pv_wr_u8(&w, (uint8_t)('0' + h->slot));
	pv_wr_u16le(&w, h->protocol);
	pv_wr_u16le(&w, h->version);
	pv_wr_u32le(&w, h->size);
	pv_wr_u32le(&w, h->partial_offset);
	pv_wr_u32le(&w, h->partial_size);
	pv_wr_bytes(&w, h->tag, l->tag);
	pv_wr_bytes(&w, h->partial_tag, l->tag);
	pv_wr_bytes(&w, h->iv, l->iv);
	pv_wr_zero(&w, l->reserved);
	if (h->certs != NULL)
		pv_wr_bytes(&w, h->certs, l->certs);
	else
		pv_wr_zero(&w, l->certs);
	pv_wr_bytes(&w, h->auth, l->auth);
	pv_wr_bytes(&w, h->state, sizeof(h->state));
	pv_wr_bytes(&w, h->fingerprint, sizeof(h->fingerprint));
	if (!pv_wr_ok(&w))
		return pv_fail(e, PV_E_USAGE, "no room for the header");
	*len = w.len;
	return 0;
}

/* --- FwImageState ------------------------------------------------------------------ */

static const struct {
	uint8_t fill[3]; /* of 32 bytes each */
	const char *name;
} states[PV_SBSFU_STATES] = {
	{ { 0x00, 0x00, 0x00 }, "invalid" },
	{ { 0xFF, 0x00, 0x00 }, "valid" },
	{ { 0xFF, 0x55, 0x00 }, "valid-all" },
	{ { 0xFF, 0xFF, 0x00 }, "selftest" },
	{ { 0xFF, 0xFF, 0xFF }, "new" },
};

void
pv_sbsfu_set_state(struct pv_sbsfu_header *h, enum pv_sbsfu_state s)
{
	for (size_t i = 0; i < PV_SBSFU_STATE; i++)
		h->state[i] = states[s].fill[i / 32];
}

const char *
pv_sbsfu_state_name(const struct pv_sbsfu_header *h)
{
	struct pv_sbsfu_header want;

	for (unsigned int i = 0; i < PV_SBSFU_STATES; i++) {
		pv_sbsfu_set_state(&want, (enum pv_sbsfu_state)i);
		if (memcmp(want.state, h->state, sizeof(want.state)) == 0)
			return states[i].name;
	}
	return NULL;
}
