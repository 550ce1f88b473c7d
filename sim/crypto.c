/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"

#include "crypto/aead.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "crypto/kdf.h"
#include "crypto/rand.h"

#include <stdlib.h>

struct pv_sim_crypto {
	struct pv_ec_key *key;
	struct pv_gcm *gcm;
};

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
do_ecdh(void *ctx, const uint8_t peer[64], uint8_t z[32])
{
	struct pv_sim_crypto *c = ctx;
	int r;

	r = pv_ec_check_public(peer, NULL);
	if (r == 0)
		r = pv_ecdh(c->key, peer, z, NULL);
	return r;
}

static int
do_ecb(void *ctx, const uint8_t key[32], const uint8_t in[32], uint8_t out[32])
{
	(void)ctx;
	return pv_aes_ecb(key, 32, in, 32, out, NULL);
}

static int
do_unwrap(void *ctx, const uint8_t kek[32], const uint8_t *in, size_t len,
    uint8_t *out)
{
	(void)ctx;
	return pv_aes_unwrap(kek, 32, in, len, out, NULL);
}

static void
do_gcm_end(void *ctx)
{
	struct pv_sim_crypto *c = ctx;

	pv_gcm_free(c->gcm);
	c->gcm = NULL;
}

static int
do_gcm_begin(void *ctx, const uint8_t key[16], const uint8_t iv[12],
    const uint8_t *aad, size_t aad_len)
{
	struct pv_sim_crypto *c = ctx;
	int r;

	do_gcm_end(c);
	r = pv_gcm_new(key, 16, &c->gcm, NULL);
	if (r == 0)
		r = pv_gcm_begin(c->gcm, true, iv, 12, aad, aad_len, NULL);
	return r;
}

static int
do_gcm_update(void *ctx, const uint8_t *in, uint8_t *out, size_t len)
{
	struct pv_sim_crypto *c = ctx;

	if (c->gcm == NULL)
		return PV_E_INTERNAL;
	return pv_gcm_update(c->gcm, in, out, len, NULL);
}

static int
do_gcm_check(void *ctx, const uint8_t tag[16])
{
	struct pv_sim_crypto *c = ctx;

	if (c->gcm == NULL)
		return PV_E_INTERNAL;
	return pv_gcm_check(c->gcm, tag, NULL);
}

static int
do_random(void *ctx, uint8_t *data, size_t len)
{
	(void)ctx;
	return pv_random(data, len, NULL);
}

int
pv_sim_crypto_new(struct pv_ec_key *chip_key, struct pv_sim_crypto **ret_c,
    struct pv_agent_crypto *ret_ops, struct pv_error *e)
{
	struct pv_sim_crypto *c = calloc(1, sizeof *c);

	if (c == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	c->key = chip_key;
	*ret_ops = (struct pv_agent_crypto){
		.ctx = c,
		.sha256 = do_sha256,
		.verify = do_verify,
		.ecdh = do_ecdh,
		.ecb = do_ecb,
		.unwrap = do_unwrap,
		.gcm_begin = do_gcm_begin,
		.gcm_update = do_gcm_update,
		.gcm_check = do_gcm_check,
		.gcm_end = do_gcm_end,
		.random = do_random,
	};
	*ret_c = c;
	return 0;
}

void
pv_sim_crypto_free(struct pv_sim_crypto *c)
{
	if (c == NULL)
		return;
	do_gcm_end(c);
	pv_ec_free(c->key);
	free(c);
}
