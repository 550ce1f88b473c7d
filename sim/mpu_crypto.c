/* SPDX-License-Identifier: Apache-2.0 */
/* The cryptography of an STM32MP's ROM over src/crypto and the chip's key. */
#include "sim/mpu.h"

#include "crypto/aead.h"
#include "crypto/digest.h"
#include "crypto/ec.h"

#include <string.h>

static int
do_sha256(void *ctx, const uint8_t *data, size_t len, uint8_t digest[32])
{
	struct pv_part part = { data, len };

	(void)ctx;
	return pv_sha256(&part, 1, digest, NULL);
}

static int
do_verify(void *ctx, const uint8_t pub[64], const uint8_t digest[32],
    const uint8_t sig[64])
{
	(void)ctx;
	return pv_ecdsa_verify(pub, digest, sig, NULL);
}

static int
do_public_key(void *ctx, uint8_t pub[64])
{
	return pv_ec_public(ctx, pub, NULL);
}

static int
do_ecdh(void *ctx, const uint8_t peer[64], uint8_t z[32])
{
	int r = pv_ec_check_public(peer, NULL);

	return r == 0 ? pv_ecdh(ctx, peer, z, NULL) : r;
}

static int
do_open(void *ctx, const uint8_t key[16], const uint8_t *iv, size_t iv_len,
    const uint8_t *aad, size_t aad_len, const uint8_t *in, size_t len,
    const uint8_t tag[16], uint8_t *out)
{
	struct pv_gcm *g = NULL;
	int r;

	(void)ctx;
	r = pv_gcm_new(key, 16, &g, NULL);
	if (r == 0)
		r = pv_gcm_begin(g, true, iv, iv_len, aad, aad_len, NULL);
	if (r == 0)
		r = pv_gcm_update(g, in, out, len, NULL);
	if (r == 0)
		r = pv_gcm_check(g, tag, NULL);
	if (r != 0)
		memset(out, 0, len);
	pv_gcm_free(g);
	return r;
}

void
pv_sim_mpu_crypto(struct pv_ec_key *key, struct pv_mp_crypto *ret_c)
{
	*ret_c = (struct pv_mp_crypto){
		.ctx = key,
		.sha256 = do_sha256,
		.verify = do_verify,
		.public_key = do_public_key,
		.ecdh = do_ecdh,
		.open = do_open,
	};
}
