/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pss.h"

#include "base/buf.h"
#include "crypto/digest.h"

#include <string.h>

#define HASH PV_SHA256_LEN

int
pv_pss_salt(
    const uint8_t digest[32], uint8_t ret_salt[PV_PSS_SALT], struct pv_error *e)
{
	static const char domain[] = "provisor/pss-salt/v1";
	struct pv_part parts[2] = { { domain, sizeof(domain) - 1 },
		{ digest, HASH } };

	return pv_sha256(parts, 2, ret_salt, e);
}

int
pv_mgf1_sha256(const uint8_t *seed, size_t seed_len, uint8_t *data, size_t len,
    struct pv_error *e)
{
	uint8_t counter[4], block[HASH];
	struct pv_part parts[2] = { { seed, seed_len }, { counter, 4 } };
	int r;

	for (size_t off = 0; off < len; off += HASH) {
		size_t n = len - off < HASH ? len - off : HASH;

		pv_put_u32be(counter, (uint32_t)(off / HASH));
		if ((r = pv_sha256(parts, 2, block, e)) != 0)
			return r;
		for (size_t i = 0; i < n; i++)
			data[off + i] ^= block[i];
	}
	return 0;
}

int
pv_pss_encode(const uint8_t digest[32], const uint8_t salt[PV_PSS_SALT],
    uint8_t *ret_em, size_t len, struct pv_error *e)
{
	static const uint8_t zeros[8] = { 0 };
	struct pv_part parts[3] = { { zeros, sizeof(zeros) }, { digest, HASH },
		{ salt, PV_PSS_SALT } };
	uint8_t *h;
	size_t db;
	int r;

	if (len < 2 + HASH + PV_PSS_SALT)
		return pv_fail(e, PV_E_INTERNAL, "PSS in %zu bytes", len);
	db = len - HASH - 1;
	h = ret_em + db;
	if ((r = pv_sha256(parts, 3, h, e)) != 0)
		return r;
	memset(ret_em, 0, db);
	ret_em[db - PV_PSS_SALT - 1] = 0x01;
	memcpy(ret_em + db - PV_PSS_SALT, salt, PV_PSS_SALT);
	if ((r = pv_mgf1_sha256(h, HASH, ret_em, db, e)) != 0)
		return r;
	ret_em[0] &= 0x7f; /* emBits is one less than the modulus has */
	ret_em[len - 1] = 0xbc;
	return 0;
}
