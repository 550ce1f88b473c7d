/* SPDX-License-Identifier: Apache-2.0 */
#include "image/da.h"

#include "base/base64.h"
#include "base/file.h"
#include "crypto/digest.h"
#include "crypto/ec.h"

#include <stdlib.h>
#include <string.h>

int
pv_da_read(const char *path, struct pv_da_chain *ret_c, struct pv_error *e)
{
	struct pv_da_chain c = { .len = 0 };
	uint8_t *data = NULL;
	size_t len = 0;
	int r = pv_file_read(path, PV_ADAC_FILE, &data, &len, e);

	if (r != 0)
		return r;
	r = pv_adac_chain_bytes(data, len, c.bytes, &c.len, e);
	if (r == 0)
		r = pv_adac_chain_decode(c.bytes, c.len, c.cert, &c.n, e);
	free(data);
	if (r != 0)
		return pv_wrap(e, "'%s'", path);
	*ret_c = c;
	return 0;
}

int
pv_da_write(const struct pv_da_chain *c, const char *path, struct pv_error *e)
{
	char text[PV_BASE64_LEN(PV_ADAC_LEVELS * PV_ADAC_CERT) + 1];

	pv_base64_encode(text, c->bytes, c->len);
	return pv_file_write(path, 0644, text, strlen(text), e);
}

int
pv_da_digest(
    const struct pv_adac_cert *c, uint8_t ret_digest[32], struct pv_error *e)
{
	uint8_t bytes[PV_ADAC_CERT];
	struct pv_part part = { bytes + PV_ADAC_TBS_AT, PV_ADAC_TBS };

	pv_adac_encode(c, bytes);
	return pv_sha256(&part, 1, ret_digest, e);
}

int
pv_da_verify(const struct pv_da_chain *c, struct pv_error *e)
{
	uint8_t digest[32];
	int r = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct pv_adac_cert *by = &c->cert[i == 0 ? 0 : i - 1];

		r = pv_ec_check_public(c->cert[i].public_key, e);
		if (r == 0)
			r = pv_da_digest(&c->cert[i], digest, e);
		if (r == 0)
			r = pv_ecdsa_verify(
			    by->public_key, digest, c->cert[i].signature, e);
		if (r != 0)
			return pv_wrap(e, "certificate %zu of %zu, %s", i + 1,
			    c->n, pv_adac_role_name(c->cert[i].role));
	}
	return 0;
}

int
pv_da_root_hash(
    const struct pv_da_chain *c, uint8_t ret_hash[32], struct pv_error *e)
{
	struct pv_part part = { c->cert[0].public_key, 64 };

	return pv_sha256(&part, 1, ret_hash, e);
}

void
pv_da_permissions(const struct pv_da_chain *c, uint8_t ret_mask[PV_ADAC_MASK])
{
	memset(ret_mask, 0xFF, PV_ADAC_MASK);
	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 0; k < PV_ADAC_MASK; k++)
			ret_mask[k] &= c->cert[i].permissions[k];
}

/* --- a new certificate --------------------------------------------------------------- */

static bool
is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static int
fits_role(const struct pv_da_chain *c, const struct pv_adac_cert *next,
    struct pv_error *e)
{
	if (c->n == 0 && next->role != PV_ADAC_ROOT)
		return pv_fail(e, PV_E_USAGE,
		    "a %s needs the chain of its issuer, --chain",
		    pv_adac_role_name(next->role));
	if (c->n != 0 && next->role == PV_ADAC_ROOT)
		return pv_fail(
		    e, PV_E_USAGE, "a root certificate begins a chain");
	if (c->n != 0 && c->cert[c->n - 1].role == PV_ADAC_LEAF)
		return pv_fail(e, PV_E_USAGE,
		    "the chain ends with a leaf, which issues nothing");
	if (c->n == PV_ADAC_LEVELS)
		return pv_fail(e, PV_E_USAGE, "the chain has %u certificates",
		    PV_ADAC_LEVELS);
	return 0;
}

int
pv_da_fits(const struct pv_da_chain *c, const struct pv_adac_cert *next,
    struct pv_error *e)
{
	const struct pv_adac_cert *by;
	char mask[35], limit[35];
	int r = fits_role(c, next, e);

	if (r != 0)
		return r;
	if (pv_adac_mask_empty(next->permissions))
		return pv_fail(e, PV_E_POLICY,
		    "the permissions are empty: the certificate would open "
		    "nothing");
	if (c->n == 0)
		return 0;
	by = &c->cert[c->n - 1];
	if (!pv_adac_mask_within(next->permissions, by->permissions)) {
		pv_adac_mask_hex(next->permissions, mask);
		pv_adac_mask_hex(by->permissions, limit);
		return pv_fail(e, PV_E_POLICY,
		    "permissions %s are wider than those of the issuer, %s; "
		    "the device would not grant them",
		    mask, limit);
	}
	if (by->soc_class != 0 && next->soc_class != by->soc_class)
		return pv_fail(e, PV_E_POLICY,
		    "SoC class 0x%x, and the issuer is for 0x%x only",
		    next->soc_class, by->soc_class);
	if (!is_zero(by->soc_id, sizeof(by->soc_id)) &&
	    memcmp(by->soc_id, next->soc_id, sizeof(by->soc_id)) != 0)
		return pv_fail(e, PV_E_POLICY,
		    "the issuer is for one chip only, and this is not for it");
	return 0;
}

void
pv_da_append(struct pv_da_chain *c, const struct pv_adac_cert *next)
{
	pv_adac_encode(next, c->bytes + c->len);
	c->cert[c->n++] = *next;
	c->len += PV_ADAC_CERT;
}
