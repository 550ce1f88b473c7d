/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of an image: who signs it, and to whom it is encrypted. */
#include "cmd/image_mcuboot.h"

#include "base/base64.h"
#include "base/file.h"
#include "crypto/digest.h"
#include "crypto/enckey.h"
#include "crypto/pem.h"
#include "crypto/rand.h"
#include "crypto/sigkey.h"
#include <provisor/secret.h>

#include <stdlib.h>
#include <string.h>

#define SIG_FILE_MAX 1024U

static size_t
count(const char *const *list)
{
	size_t n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	return n;
}

/* --- signing --------------------------------------------------------------- */

/* Keys of one token share its session. */
static int
open_key(struct pv_app *app, struct pv_mcuboot_setup *s, const char *key,
    struct pv_message_signer *ret_signer, struct pv_error *e)
{
	if (pv_hsm_is_uri(key) && s->hsm != NULL)
		return pv_hsm_message_signer(s->hsm, key, ret_signer, e);
	if (pv_hsm_is_uri(key))
		return pv_open_signer(app, key, ret_signer, &s->hsm, e);
	return pv_sigkey_signer(key,
	    &(struct pv_passphrase){ app, pv_app_passphrase }, ret_signer, e);
}

static int
add_signer(struct pv_app *app, struct pv_mcuboot_setup *s, const char *key,
    struct pv_error *e)
{
	size_t i = s->p.n_sigs;
	struct pv_message_signer *k = &s->signers[i];
	int r = open_key(app, s, key, k, e);

	if (r == 0)
		r = pv_pubkey_from_spki(k->spki, k->spki_len, &s->pubs[i], e);
	if (r != 0)
		return r;
	s->p.sigs[i].pub = s->pubs[i];
	s->p.sigs[i].signer = k;
	s->p.n_sigs++;
	return 0;
}

/* A public key, and with it a signature unless a vector is wanted. */
static int
add_detached(struct pv_app *app, struct pv_mcuboot_setup *s, const char *key,
    const char *sig, struct pv_error *e)
{
	uint8_t plain[SIG_FILE_MAX];
	size_t i = s->p.n_sigs, len = 0, n = 0;
	int r = pv_open_public(app, key, &s->pubs[i], e);

	if (r == 0 && sig != NULL)
		r = pv_file_read(sig, SIG_FILE_MAX, &s->sigs[i], &len, e);
	if (r != 0)
		return r;
	/* Text in base64, or the bytes themselves. */
	if (sig != NULL && pv_base64_decode((char *)s->sigs[i], len, plain,
			       sizeof(plain), &n, NULL) == 0) {
		memcpy(s->sigs[i], plain, n);
		len = n;
	}
	s->p.sigs[i].pub = s->pubs[i];
	s->p.sigs[i].sig = s->sigs[i];
	s->p.sigs[i].sig_len = len;
	s->p.n_sigs++;
	return 0;
}

static int
signing_keys(struct pv_app *app, const struct pv_mcuboot_opts *o,
    struct pv_mcuboot_setup *s, struct pv_error *e)
{
	size_t keys = count(o->keys), sigs = count(o->signatures);
	size_t pubs = count(o->publics);
	int r = 0;

	if (keys + pubs > PV_MCUBOOT_SIGS_MAX)
		return pv_fail(e, PV_E_USAGE, "more than %u signatures",
		    PV_MCUBOOT_SIGS_MAX);
	if (o->vector != NULL && sigs != 0)
		return pv_fail(
		    e, PV_E_USAGE, "--vector-to-sign comes before --signature");
	if (o->vector == NULL && sigs != pubs)
		return pv_fail(e, PV_E_USAGE,
		    "%zu --signature and %zu --public-key: one key for each",
		    sigs, pubs);
	for (size_t i = 0; r == 0 && i < keys; i++)
		r = o->vector != NULL
			? add_detached(app, s, o->keys[i], NULL, e)
			: add_signer(app, s, o->keys[i], e);
	for (size_t i = 0; r == 0 && i < pubs; i++)
		r = add_detached(app, s, o->publics[i],
		    o->vector != NULL ? NULL : o->signatures[i], e);
	return r;
}

/* --- encryption ------------------------------------------------------------ */

static int
enc_from_token(struct pv_app *app, struct pv_mcuboot_setup *s, const char *key,
    struct pv_error *e)
{
	uint8_t der[PV_SPKI_MAX];
	size_t len = sizeof(der);
	int r = s->hsm != NULL ? 0 : pv_open_token(app, key, &s->hsm, e);

	if (r == 0)
		r = pv_hsm_export_public(s->hsm, key, der, &len, e);
	return r != 0 ? r : pv_enckey_from_spki(der, len, &s->enc, e);
}

int
pv_mcuboot_open_wrap(struct pv_app *app, const char *key,
    struct pv_secret **ret_key, struct pv_error *e)
{
	int r;

	/* Tokens give out keys of 16 bytes only (pv_hsm_key_source). */
	if (pv_hsm_is_uri(key) ||
	    pv_secret_read_file(key, 16, ret_key, NULL) != 0) {
		r = pv_open_aes(
		    app, key, pv_hsm_is_uri(key) ? 16 : 32, ret_key, e);
		return r != PV_E_MALFORMED
			   ? r
			   : pv_fail(e, PV_E_MALFORMED,
				 "'%s': a wrapping key has 16 or 32 raw bytes",
				 key);
	}
	return 0;
}

static int
encryption_key(struct pv_app *app, const struct pv_mcuboot_opts *o,
    struct pv_mcuboot_setup *s, struct pv_error *e)
{
	int r = 0;

	if (o->encrypt_kw != NULL) {
		r = pv_mcuboot_open_wrap(app, o->encrypt_kw, &s->wrap, e);
		s->to.wrap = s->wrap;
		s->p.to = &s->to;
	} else if (o->encrypt != NULL) {
		r = pv_hsm_is_uri(o->encrypt)
			? enc_from_token(app, s, o->encrypt, e)
			: pv_enckey_read(o->encrypt,
			      &(struct pv_passphrase){ app, pv_app_passphrase },
			      &s->enc, e);
		s->to.key = s->enc;
		s->p.to = &s->to;
	}
	return r;
}

/*
 * --deterministic-test: keys that anyone can work out, SHA-256 over a domain,
 * what it is for, and the seed.
 */
static int
seeded_fill(
    void *ctx, const char *what, uint8_t *data, size_t len, struct pv_error *e)
{
	static const char domain[] = "provisor/image-test/v1";
	const char *seed = ctx;
	struct pv_part parts[3] = {
		{ domain, sizeof(domain) },
		{ what, strlen(what) + 1 },
		{ seed, strlen(seed) },
	};
	uint8_t digest[PV_SHA256_LEN];
	int r = pv_sha256(parts, 3, digest, e);

	if (r == 0 && len > sizeof(digest))
		r = pv_fail(e, PV_E_INTERNAL, "%zu bytes of a seed", len);
	if (r == 0)
		memcpy(data, digest, len);
	return r;
}

int
pv_mcuboot_setup_keys(struct pv_app *app, const struct pv_mcuboot_opts *o,
    struct pv_mcuboot_setup *s, struct pv_error *e)
{
	int r = signing_keys(app, o, s, e);

	if (r == 0)
		r = encryption_key(app, o, s, e);
	s->rng = pv_mcuboot_system_random;
	if (o->seed != NULL)
		s->rng = (struct pv_mcuboot_random){ (void *)(uintptr_t)o->seed,
			seeded_fill };
	s->p.rng = &s->rng;
	return r;
}
