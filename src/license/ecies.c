/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encryption of formats/license-ssp.md in this process: for tokens that
 * lack the mechanisms, and for a chip whose private key is at hand. Secrets
 * are in one locked allocation that lives as long as one call.
 */
#include <provisor/ecies.h>

#include "crypto/aead.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "crypto/kdf.h"
#include "formats/license_ssp.h"

#include <stdlib.h>
#include <string.h>

/* What one call works on, in a pv_secret. */
struct work {
	uint8_t z[32];
	uint8_t kdf[64]; /* GCM key and IV in some order, then the AAD part */
	uint8_t plain[PV_SSP_SECRET];
};

/* The AES-GCM message of a license: key, IV and additional data. */
static int
begin(const struct pv_ecies_profile *p, const struct work *w,
    const uint8_t header[PV_SSP_HEADER], bool decrypt, struct pv_gcm **ret_g,
    struct pv_error *e)
{
	uint8_t aad[PV_SSP_HEADER + 32];
	struct pv_gcm *g = NULL;
	int r;

	memcpy(aad, header, PV_SSP_HEADER);
	memcpy(aad + PV_SSP_HEADER, w->kdf + 32, 32);
	r = pv_gcm_new(w->kdf + (p->key_high ? 16 : 0), 16, &g, e);
	if (r == 0)
		r = pv_gcm_begin(g, decrypt, w->kdf + (p->iv_low ? 0 : 16),
		    p->gcm_iv_len, aad, sizeof(aad), e);
	pv_wipe(aad, sizeof(aad));
	if (r != 0) {
		pv_gcm_free(g);
		return r;
	}
	*ret_g = g;
	return 0;
}

/* Z of one's own key and the other's point, then the 64 bytes of KDF output. */
static int
derive(const struct pv_ecies_profile *p, const struct pv_ec_key *own,
    const uint8_t peer[64], const uint8_t ephemeral[64], struct work *w,
    struct pv_error *e)
{
	int r = pv_ecdh(own, peer, w->z, e);

	if (r != 0)
		return r;
	return pv_x963_sha256(w->z, sizeof(w->z), ephemeral,
	    p->info_ephemeral ? 64 : 0, w->kdf, sizeof(w->kdf), e);
}

static int
new_work(struct pv_secret **ret_s, struct work **ret_w, struct pv_error *e)
{
	int r = pv_secret_new(sizeof(struct work), ret_s, e);

	/* A page of its own: aligned for bytes, which is all it holds. */
	if (r == 0)
		*ret_w = (struct work *)(void *)pv_secret_data(*ret_s);
	return r;
}

int
pv_ecies_open(const struct pv_ecies_profile *p, const struct pv_ec_key *chip,
    const uint8_t *license, size_t len, struct pv_secret **ret_secret,
    struct pv_error *e)
{
	struct pv_secret *s = NULL, *out = NULL;
	struct pv_ssp_license l;
	struct pv_gcm *g = NULL;
	struct work *w;
	int r;

	r = pv_ssp_license_decode(license, len, &l, e);
	if (r == 0)
		r = new_work(&s, &w, e);
	if (r != 0)
		return r;
	r = derive(p, chip, l.ephemeral, l.ephemeral, w, e);
	if (r == 0)
		r = begin(p, w, license, true, &g, e);
	if (r == 0)
		r = pv_gcm_update(
		    g, l.encrypted, w->plain, sizeof(w->plain), e);
	if (r == 0) {
		r = pv_gcm_check(g, l.tag, e);
		if (r != 0)
			(void)pv_wrap(e, "license under this chip's key");
	}
	if (r == 0)
		r = pv_secret_new(sizeof(w->plain), &out, e);
	if (r == 0) {
		memcpy(pv_secret_data(out), w->plain, sizeof(w->plain));
		*ret_secret = out;
	}
	pv_gcm_free(g);
	pv_secret_free(s);
	return r;
}

int
pv_ecies_try(const struct pv_ecies *s, const struct pv_ecies_profile *p,
    const uint8_t iv[16], struct pv_error *e)
{
	struct pv_ssp_license l = { .version = 1, .type = PV_SSP_TYPE_STATIC };
	uint8_t data[PV_SSP_LICENSE], pub[64];
	struct pv_secret *secret = NULL;
	struct pv_ec_key *peer = NULL;
	int r;

	r = pv_ec_generate(&peer, e);
	if (r == 0)
		r = pv_ec_public(peer, pub, e);
	if (r == 0)
		r = s->ephemeral(s->ctx, l.ephemeral, e);
	if (r == 0)
		r = pv_ssp_license_encode_header(&l, data, e);
	if (r == 0)
		r = s->seal(s->ctx, p, pub, data, iv, l.encrypted, l.tag, e);
	if (r == 0)
		r = pv_ssp_license_encode(&l, data, e);
	if (r == 0)
		r = pv_ecies_open(p, peer, data, sizeof(data), &secret, e);
	if (r == 0 && !pv_ct_equal(pv_secret_bytes(secret), iv, 16))
		r = pv_fail(e, PV_E_VERIFY, "another IV comes out");
	pv_secret_free(secret);
	pv_ec_free(peer);
	return r;
}

/* --- struct pv_ecies --------------------------------------------------------- */

struct host {
	struct pv_key_source key;
	struct pv_ec_key *ephemeral; /* of the license under way */
};

static int
host_ephemeral(void *ctx, uint8_t ret_pub[64], struct pv_error *e)
{
	struct host *h = ctx;
	int r;

	pv_ec_free(h->ephemeral);
	h->ephemeral = NULL;
	r = pv_ec_generate(&h->ephemeral, e);
	return r != 0 ? r : pv_ec_public(h->ephemeral, ret_pub, e);
}

static int
fetch(struct host *h, uint8_t key[16], struct pv_error *e)
{
	struct pv_secret *s = NULL;
	int r = h->key.bytes(h->key.ctx, &s, e);

	if (r == 0 && pv_secret_len(s) != 16)
		r = pv_fail(e, PV_E_UNSUPPORTED,
		    "a license of this profile carries a 16-byte key, this "
		    "one has %zu",
		    pv_secret_len(s));
	if (r == 0)
		memcpy(key, pv_secret_bytes(s), 16);
	pv_secret_free(s);
	return r;
}

static int
host_seal(void *ctx, const struct pv_ecies_profile *p,
    const uint8_t chip_pub[64], const uint8_t header[88], const uint8_t iv[16],
    uint8_t ret_encrypted[32], uint8_t ret_tag[16], struct pv_error *e)
{
	struct host *h = ctx;
	struct pv_secret *s = NULL;
	struct pv_gcm *g = NULL;
	struct work *w;
	int r;

	if (h->ephemeral == NULL)
		return pv_fail(
		    e, PV_E_INTERNAL, "seal without an ephemeral key");
	r = new_work(&s, &w, e);
	if (r != 0)
		goto out;
	memcpy(w->plain, iv, 16);
	r = fetch(h, w->plain + 16, e);
	if (r == 0)
		r = derive(p, h->ephemeral, chip_pub, header + 24, w, e);
	if (r == 0)
		r = begin(p, w, header, false, &g, e);
	if (r == 0)
		r = pv_gcm_update(
		    g, w->plain, ret_encrypted, sizeof(w->plain), e);
	if (r == 0)
		r = pv_gcm_tag(g, ret_tag, e);
	pv_gcm_free(g);
	pv_secret_free(s);
out:
	pv_ec_free(h->ephemeral);
	h->ephemeral = NULL;
	return r;
}

static void
host_free(void *ctx)
{
	struct host *h = ctx;

	pv_ec_free(h->ephemeral);
	pv_key_source_release(&h->key);
	free(h);
}

int
pv_ecies_on_host(
    struct pv_key_source *key, struct pv_ecies *ret_ecies, struct pv_error *e)
{
	struct host *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	h->key = *key;
	memset(key, 0, sizeof(*key));
	*ret_ecies = (struct pv_ecies){
		.ctx = h,
		.ephemeral = host_ephemeral,
		.seal = host_seal,
		.free = host_free,
	};
	return 0;
}

/* --- a key in a file ----------------------------------------------------------- */

static int
file_bytes(void *ctx, struct pv_secret **ret_key, struct pv_error *e)
{
	return pv_secret_read_file(ctx, 16, ret_key, e);
}

int
pv_key_source_file(
    const char *path, struct pv_key_source *ret_key, struct pv_error *e)
{
	struct pv_secret *now = NULL;
	char *copy;
	int r;

	/* A file that is missing or wrong shows before a number is spent. */
	r = pv_secret_read_file(path, 16, &now, e);
	if (r != 0)
		return r;
	pv_secret_free(now);
	copy = strdup(path);
	if (copy == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	*ret_key = (struct pv_key_source){
		.ctx = copy,
		.bytes = file_bytes,
		.free = free,
	};
	return 0;
}
