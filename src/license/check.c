/* SPDX-License-Identifier: Apache-2.0 */
#include <provisor/campaign.h>

#include "crypto/digest.h"
#include "crypto/ec.h"
#include "crypto/memo.h"
#include "formats/certificate.h"
#include "formats/ledger.h"
#include "formats/license.h"
#include "formats/license_ssp.h"
#include "license/rules.h"
#include <provisor/ecies.h>

#include <inttypes.h>
#include <string.h>

/*
 * A resident license is for all bytes of the certificate. One of the others is
 * for what ECDH makes of the key, where X, -Y gives the same as X, Y; and a
 * signature has more than one valid form (r, n - s is the second) or,
 * unverified, any. None of these may make another chip.
 */
int
pv_campaign_chip(const struct pv_campaign *c, const uint8_t certificate[136],
    uint8_t ret_chip[32], struct pv_error *e)
{
	const struct pv_part part = {
		certificate,
		pv_ecies_is(c->license_profile) ? PV_CERT_X : PV_CERT_LEN,
	};

	return pv_sha256(&part, 1, ret_chip, e);
}

void
pv_rules_text(char *dst, size_t cap, const char *src, size_t src_cap)
{
	size_t n = strnlen(src, src_cap);

	if (n > cap - 1)
		n = cap - 1;
	for (size_t i = 0; i < n; i++) {
		bool control = (uint8_t)src[i] < 0x20 || src[i] == 0x7f;

		dst[i] = control ? '?' : src[i];
	}
	dst[n] = '\0';
}

/* No CA of these chips is known: their owner must say it is all right. */
static int
accept_unproved(const struct pv_campaign *c, size_t *ret_ca, struct pv_error *e)
{
	/* Another flow cannot be without a CA, whatever is said. */
	if (!c->accept_unverified || c->flow != PV_FLOW_SSP) {
		(void)pv_fail(e, PV_E_VERIFY,
		    "the chip certificate cannot be verified: campaign '%s' "
		    "knows no CA",
		    c->name);
		return pv_hint(e, "no license was spent; "
				  "--accept-unverified-certificate takes the "
				  "chip's word for it");
	}
	if (ret_ca != NULL)
		*ret_ca = PV_CAMPAIGN_TRUST;
	return 0;
}

/*
 * Certificate profile `id-and-key` (formats/certificate.md): the CA signs
 * SHA-256 of product id and public key, the first 72 bytes.
 */
int
pv_rules_certificate(const struct pv_campaign *c, struct pv_memo *memo,
    const uint8_t certificate[136], size_t *ret_ca, struct pv_error *e)
{
	const struct pv_part part = { certificate, PV_CERT_SIGNED };
	struct pv_certificate cert;
	uint8_t digest[32];
	int r;

	r = pv_certificate_decode(certificate, &cert, e);
	if (r != 0)
		return r;
	if (strcmp(cert.product_id, c->product_id) != 0) {
		r = pv_fail(e, PV_E_VERIFY,
		    "the chip certificate is for product '%s', campaign '%s' "
		    "is for '%s'",
		    cert.product_id, c->name, c->product_id);
		(void)pv_hint(e, "no license was spent");
		return r;
	}
	r = pv_ec_check_public(cert.public_key, e);
	if (r == 0)
		r = pv_sha256(&part, 1, digest, e);
	if (r != 0) {
		(void)pv_wrap(e, "public key of the chip certificate");
		(void)pv_hint(e, "no license was spent");
		return r;
	}
	if (c->n_trust == 0)
		return accept_unproved(c, ret_ca, e);
	for (size_t i = 0; i < c->n_trust; i++) {
		r = pv_memo_verify(
		    memo, c->trust[i], digest, cert.signature, e);
		if (r == 0) {
			pv_error_clear(e);
			if (ret_ca != NULL)
				*ret_ca = i;
			return 0;
		}
		if (r != PV_E_VERIFY)
			return r;
	}
	pv_error_clear(e);
	r = pv_fail(e, PV_E_VERIFY,
	    "the chip certificate is not signed by a CA that campaign '%s' "
	    "trusts",
	    c->name);
	(void)pv_hint(e,
	    "no license was spent; if this lot comes from another CA, open a "
	    "new campaign with --trust");
	return r;
}

int
pv_campaign_check_certificate(const struct pv_campaign *c,
    const uint8_t certificate[136], size_t *ret_ca, struct pv_error *e)
{
	return pv_rules_certificate(c, NULL, certificate, ret_ca, e);
}

int
pv_rules_license_digest(
    const uint8_t *data, size_t len, uint8_t ret_digest[32], struct pv_error *e)
{
	const struct pv_part parts[] = {
		/* The terminating zero is part of the prefix. */
		{ PV_LICENSE_DOMAIN, sizeof(PV_LICENSE_DOMAIN) },
		{ data, len - 64 },
	};

	if (len < 64)
		return pv_fail(e, PV_E_INTERNAL, "license of %zu bytes", len);
	return pv_sha256(parts, 2, ret_digest, e);
}

int
pv_rules_resident(const uint8_t *data, size_t len,
    const uint8_t campaign_public[64], struct pv_memo *memo,
    const uint8_t *certificate, struct pv_error *e)
{
	struct pv_certificate cert;
	struct pv_license l;
	uint8_t digest[32];
	int r;

	r = pv_license_decode(data, len, &l, e);
	if (r != 0)
		return r;
	r = pv_rules_license_digest(data, len, digest, e);
	if (r == 0)
		r = pv_memo_verify(
		    memo, campaign_public, digest, l.signature, e);
	if (r != 0)
		return pv_wrap(e, "signature of the license");
	if (certificate != NULL) {
		r = pv_certificate_decode(certificate, &cert, e);
		if (r != 0)
			return r;
		if (strcmp(cert.product_id, l.product_id) != 0)
			return pv_fail(e, PV_E_VERIFY,
			    "the license is for product '%s', the "
			    "certificate for '%s'",
			    l.product_id, cert.product_id);
	}
	r = pv_ec_check_public(l.ephemeral, e);
	if (r != 0)
		return pv_wrap(e, "ephemeral key of the license");
	return 0;
}

int
pv_license_check(const uint8_t *data, size_t len,
    const uint8_t campaign_public[64], const uint8_t *certificate,
    struct pv_error *e)
{
	return pv_rules_resident(
	    data, len, campaign_public, NULL, certificate, e);
}

static int
check_ssp(const struct pv_campaign *c, const uint8_t *data, size_t len,
    struct pv_error *e)
{
	struct pv_ecies_profile p;
	struct pv_ssp_license l;
	int r;

	r = pv_ecies_parse(c->license_profile, &p, e);
	if (r == 0)
		r = pv_ssp_license_decode(data, len, &l, e);
	if (r != 0)
		return r;
	if ((l.type == PV_ECIES_TYPE) == p.ssp ||
	    l.min_version != p.fsbl_min_version)
		return pv_fail(e, PV_E_VERIFY,
		    "the license is not of the profile '%s'",
		    c->license_profile);
	r = pv_ec_check_public(l.ephemeral, e);
	if (r != 0)
		return pv_wrap(e, "ephemeral key of the license");
	return 0;
}

static int
check_license(const struct pv_campaign *c, struct pv_memo *memo,
    const uint8_t *data, size_t len, uint64_t number,
    const uint8_t *certificate, struct pv_error *e)
{
	struct pv_license l;
	int r;

	if (strcmp(c->license_profile, "resident") != 0)
		return check_ssp(c, data, len, e);
	r = pv_rules_resident(data, len, c->public_key, memo, certificate, e);
	if (r == 0)
		r = pv_license_decode(data, len, &l, e);
	if (r != 0)
		return r;
	if (memcmp(l.campaign_id, c->id, sizeof(l.campaign_id)) != 0 ||
	    l.number != number || strcmp(l.product_id, c->product_id) != 0 ||
	    memcmp(l.nonce, c->nonce, sizeof(l.nonce)) != 0)
		return pv_fail(e, PV_E_VERIFY,
		    "it is license no. %" PRIu64
		    ", not of this campaign and number",
		    l.number);
	return 0;
}

int
pv_campaign_check_license(const struct pv_campaign *c, const uint8_t *data,
    size_t len, uint64_t number, const uint8_t *certificate, struct pv_error *e)
{
	return check_license(c, NULL, data, len, number, certificate, e);
}

int
pv_rules_issued(const struct pv_campaign *def, struct pv_memo *memo,
    const struct pv_entry *en, struct pv_error *e)
{
	const struct pv_entry_body *b = &en->body;
	int r;

	r = check_license(
	    def, memo, b->license, b->license_len, b->number, NULL, e);
	if (r != 0)
		(void)pv_wrap(e, "entry %" PRIu64, en->seq);
	return r;
}
