/* SPDX-License-Identifier: Apache-2.0 */
/* A sealer over a raw key in memory: the implementation for key files. */
#include <provisor/keystore.h>

#include "crypto/aead.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"
#include <provisor/secret.h>
#include <provisor/sfi.h>

#include <stdlib.h>
#include <string.h>

struct filekey {
	struct pv_gcm *gcm;
	struct pv_secret *key;
	bool decrypt;
};

static int
fk_begin(void *ctx, bool decrypt, const uint8_t *iv, size_t iv_len,
    const void *aad, size_t aad_len, struct pv_error *e)
{
	struct filekey *fk = ctx;

	fk->decrypt = decrypt;
	return pv_gcm_begin(fk->gcm, decrypt, iv, iv_len, aad, aad_len, e);
}

static int
fk_update(void *ctx, const uint8_t *in, size_t len, uint8_t *out,
    size_t out_cap, size_t *ret_len, struct pv_error *e)
{
	struct filekey *fk = ctx;
	int r;

	if (out_cap < len)
		return pv_fail(e, PV_E_INTERNAL, "no room for the output");
	r = pv_gcm_update(fk->gcm, in, out, len, e);
	if (r == 0)
		*ret_len = len;
	return r;
}

static int
fk_finish(void *ctx, uint8_t tag[16], uint8_t *out, size_t out_cap,
    size_t *ret_len, struct pv_error *e)
{
	struct filekey *fk = ctx;
	int r;

	(void)out;
	(void)out_cap;
	if (fk->decrypt)
		r = pv_gcm_check(fk->gcm, tag, e);
	else
		r = pv_gcm_tag(fk->gcm, tag, e);
	if (r == 0)
		*ret_len = 0;
	return r;
}

static int
fk_key_id(void *ctx, uint8_t ret_id[32], struct pv_error *e)
{
	static const uint8_t block[16] = { 'p', 'r', 'o', 'v', 'i', 's', 'o',
		'r', '/', 'k', 'e', 'y', '-', 'i', 'd', '1' };
	static const char domain[] = "provisor/key-id/v1";
	struct filekey *fk = ctx;
	uint8_t c[sizeof(block)];
	struct pv_part parts[2] = {
		{ domain, sizeof(domain) - 1 },
		{ c, sizeof(c) },
	};
	int r;

	r = pv_aes_ecb(pv_secret_bytes(fk->key), pv_secret_len(fk->key), block,
	    sizeof(block), c, e);
	if (r == 0)
		r = pv_sha256(parts, 2, ret_id, e);
	return r;
}

static void
fk_free(void *ctx)
{
	struct filekey *fk = ctx;

	pv_gcm_free(fk->gcm);
	pv_secret_free(fk->key);
	free(fk);
}

int
pv_sealer_from_secret(const struct pv_secret *key, struct pv_sealer *ret_sealer,
    struct pv_error *e)
{
	struct filekey *fk;
	int r;

	if (pv_secret_len(key) != PV_SFI_KEY)
		return pv_fail(e, PV_E_USAGE,
		    "a package key has %u bytes, this one %zu", PV_SFI_KEY,
		    pv_secret_len(key));
	fk = calloc(1, sizeof(*fk));
	if (fk == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = pv_secret_new(PV_SFI_KEY, &fk->key, e);
	if (r == 0) {
		memcpy(
		    pv_secret_data(fk->key), pv_secret_bytes(key), PV_SFI_KEY);
		r = pv_gcm_new(
		    pv_secret_bytes(fk->key), PV_SFI_KEY, &fk->gcm, e);
	}
	if (r != 0) {
		fk_free(fk);
		return r;
	}
	ret_sealer->ctx = fk;
	ret_sealer->begin = fk_begin;
	ret_sealer->update = fk_update;
	ret_sealer->finish = fk_finish;
	ret_sealer->key_id = fk_key_id;
	ret_sealer->free = fk_free;
	return 0;
}
