/* SPDX-License-Identifier: Apache-2.0 */
/* Root keys and their hashes: formats/ssp.md, section 3. */
#include <provisor/ssp.h>

#include "base/buf.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "crypto/rootkey.h"

#include <string.h>

int
pv_ssp_root_key(const char *pem, uint8_t ret_root[64], struct pv_error *e)
{
	enum pv_root_curve curve;
	uint8_t pub[64];
	int r = pv_rootkey_read_pem(pem, &curve, pub, e);

	if (r != 0)
		return r;
	if (curve != PV_ROOT_P256)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "'%s' is a key of brainpoolP256t1, the root key of a "
		    "stm32mp15 is one of P-256",
		    pem);
	memcpy(ret_root, pub, sizeof(pub));
	return 0;
}

/* SHA-256(LE32(algorithm), X, Y) */
static int
hash_key(const char *pem, uint8_t ret_hash[32], struct pv_error *e)
{
	enum pv_root_curve curve;
	uint8_t algorithm[4], pub[64];
	const struct pv_part parts[] = {
		{ algorithm, sizeof(algorithm) },
		{ pub, sizeof(pub) },
	};
	int r = pv_rootkey_read_pem(pem, &curve, pub, e);

	if (r != 0)
		return r;
	pv_put_u32le(algorithm, (uint32_t)curve);
	return pv_sha256(parts, 2, ret_hash, e);
}

int
pv_ssp_root_table(const char *const pems[PV_SSP_TABLE_KEYS],
    uint8_t ret_root[64], struct pv_error *e)
{
	uint8_t hashes[PV_SSP_TABLE_KEYS][32], root[64] = { 0 };
	const struct pv_part all = { hashes, sizeof(hashes) };
	int r = 0;

	for (size_t i = 0; r == 0 && i < PV_SSP_TABLE_KEYS; i++) {
		r = hash_key(pems[i], hashes[i], e);
		if (r != 0)
			return pv_wrap(e, "key %zu of the table", i);
	}
	r = pv_sha256(&all, 1, root, e);
	if (r == 0)
		memcpy(ret_root, root, sizeof(root));
	return r;
}

int
pv_ssp_otp_root(
    const struct pv_ssp *ssp, uint32_t ret_words[8], struct pv_error *e)
{
	const struct pv_part key = { ssp->root, sizeof(ssp->root) };
	uint8_t hash[32];
	int r = 0;

	if (ssp->chip == PV_SSP_MP13) {
		memcpy(hash, ssp->root, sizeof(hash));
	} else {
		r = pv_ec_check_public(ssp->root, e);
		if (r != 0)
			return pv_wrap(e, "OEM root key");
		r = pv_sha256(&key, 1, hash, e);
	}
	for (size_t i = 0; r == 0 && i < 8; i++)
		ret_words[i] = pv_get_u32be(hash + 4 * i);
	return r;
}
