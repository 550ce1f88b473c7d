/* SPDX-License-Identifier: Apache-2.0 */
#include "device/license.h"

#include "base/buf.h"

#include <string.h>

/* formats/license.md: the header, the domain of both hashes. */
#define HEADER	   124U
#define WRAPPED	   24U /* a 16-byte key; .sfi takes no other */
#define SIGNATURE  64U
#define DOMAIN_LEN 19U
static const uint8_t domain[DOMAIN_LEN + 1] = "provisor/license/v1";

struct fields {
	const uint8_t *product_id;
	const uint8_t *ephemeral;
	const uint8_t *nonce;
	const uint8_t *wrapped;
	const uint8_t *signature;
};

void
pv_dev_wipe(void *p, size_t len)
{
	volatile uint8_t *v = p;

	while (len-- > 0)
		*v++ = 0;
}

bool
pv_dev_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint8_t diff = 0;

	for (size_t i = 0; i < len; i++)
		diff |= (uint8_t)(a[i] ^ b[i]);
	return diff == 0;
}

static bool
parse(const uint8_t *data, size_t len, struct fields *f)
{
	static const uint8_t magic[4] = { 'P', 'V', 'L', 'R' };
	struct pv_reader r;
	const uint8_t *m;
	uint16_t version, flags;
	uint32_t zero, wrapped_len;
	uint64_t number;

	pv_rd_init(&r, data, len);
	m = pv_rd_view(&r, sizeof magic);
	version = pv_rd_u16le(&r);
	flags = pv_rd_u16le(&r);
	pv_rd_skip(&r, 16); /* campaign id: the host's affair */
	number = pv_rd_u64le(&r);
	f->product_id = pv_rd_view(&r, 8);
	f->ephemeral = pv_rd_view(&r, 64);
	f->nonce = pv_rd_view(&r, 12);
	zero = pv_rd_u32le(&r);
	wrapped_len = pv_rd_u32le(&r);
	f->wrapped = pv_rd_view(&r, WRAPPED);
	f->signature = pv_rd_view(&r, SIGNATURE);
	return pv_rd_finish(&r) && memcmp(m, magic, sizeof magic) == 0 &&
	       version == 1 && flags == 0 && number >= 1 && zero == 0 &&
	       wrapped_len == WRAPPED;
}

/* Pinned key first, then the signature. Both may be absent. */
static uint16_t
check_signature(const struct pv_agent_config *config,
    const struct pv_agent_crypto *crypto, const uint8_t campaign[64],
    const uint8_t *data, const struct fields *f)
{
	static const uint8_t none[64];
	uint8_t message[DOMAIN_LEN + 1 + HEADER + WRAPPED], digest[32];

	if (config->campaign_hash != NULL) {
		if (crypto->sha256(crypto->ctx, campaign, 64, digest) != 0)
			return PV_SI_E_INTERNAL;
		if (!pv_dev_equal(digest, config->campaign_hash, 32))
			return PV_SI_E_LICENSE_KEY;
	} else if (pv_dev_equal(campaign, none, sizeof none)) {
		return PV_SI_OK;
	}
	/* The domain with its zero byte, then all but the signature. */
	memcpy(message, domain, DOMAIN_LEN + 1);
	memcpy(message + DOMAIN_LEN + 1, data, HEADER + WRAPPED);
	if (crypto->sha256(crypto->ctx, message, sizeof message, digest) != 0)
		return PV_SI_E_INTERNAL;
	if (crypto->verify(crypto->ctx, campaign, digest, f->signature) != 0)
		return PV_SI_E_LICENSE_SIGNATURE;
	return PV_SI_OK;
}

static uint16_t
unwrap(const struct pv_agent_config *config,
    const struct pv_agent_crypto *crypto, const uint8_t *data,
    const struct fields *f, uint8_t key[16])
{
	uint8_t message[DOMAIN_LEN + HEADER + PV_AGENT_CERT], context[32];
	uint8_t z[32], kek[32];
	uint16_t r = PV_SI_E_INTERNAL;

	memset(z, 0, sizeof z);
	memset(kek, 0, sizeof kek);
	/* The domain without its zero byte, header, whole certificate. */
	memcpy(message, domain, DOMAIN_LEN);
	memcpy(message + DOMAIN_LEN, data, HEADER);
	memcpy(
	    message + DOMAIN_LEN + HEADER, config->certificate, PV_AGENT_CERT);
	if (crypto->sha256(crypto->ctx, message, sizeof message, context) != 0)
		goto out;
	/* Fails for a point that is not on the curve. */
	r = PV_SI_E_LICENSE_FORMAT;
	if (crypto->ecdh(crypto->ctx, f->ephemeral, z) != 0)
		goto out;
	r = PV_SI_E_INTERNAL;
	if (crypto->ecb(crypto->ctx, z, context, kek) != 0)
		goto out;
	r = PV_SI_E_LICENSE_UNWRAP;
	if (crypto->unwrap(crypto->ctx, kek, f->wrapped, WRAPPED, key) != 0)
		goto out;
	r = PV_SI_OK;
out:
	pv_dev_wipe(z, sizeof z);
	pv_dev_wipe(kek, sizeof kek);
	return r;
}

uint16_t
pv_dev_license_open(const struct pv_agent_config *config,
    const struct pv_agent_crypto *crypto, const uint8_t campaign[64],
    const uint8_t *data, size_t len, uint8_t ret_key[16], uint8_t ret_nonce[12])
{
	struct fields f;
	uint8_t key[16];
	uint16_t r;

	if (!parse(data, len, &f))
		return PV_SI_E_LICENSE_FORMAT;
	r = check_signature(config, crypto, campaign, data, &f);
	if (r != PV_SI_OK)
		return r;
	if (memcmp(f.product_id, config->certificate, 8) != 0)
		return PV_SI_E_LICENSE_PRODUCT;
	r = unwrap(config, crypto, data, &f, key);
	if (r == PV_SI_OK) {
		memcpy(ret_key, key, sizeof key);
		memcpy(ret_nonce, f.nonce, 12);
	}
	pv_dev_wipe(key, sizeof key);
	return r;
}
