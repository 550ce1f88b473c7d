/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL 3 makes a whole group for each public key it parses, which costs as
 * much as half of a verification.
 */
#include "crypto/memo.h"

#include "crypto/ec.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define N_KEYS 4U /* campaign key and CAs */
#define N_SEEN 8U /* entries of the last licenses */

struct known {
	uint8_t pub[64];
	struct pv_ec_public *key; /* NULL: free */
};

struct seen {
	uint8_t pub[64];
	uint8_t digest[32];
	uint8_t sig[64];
	bool used;
};

struct pv_memo {
	struct known keys[N_KEYS];
	size_t next_key;
	struct seen seen[N_SEEN];
	size_t next_seen;
};

int
pv_memo_new(struct pv_memo **ret_memo, struct pv_error *e)
{
	struct pv_memo *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	*ret_memo = m;
	return 0;
}

void
pv_memo_free(struct pv_memo *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < N_KEYS; i++)
		pv_ec_public_free(m->keys[i].key);
	free(m);
}

static bool
was_seen(const struct pv_memo *m, const struct seen *s)
{
	for (size_t i = 0; i < N_SEEN; i++)
		if (m->seen[i].used &&
		    memcmp(m->seen[i].pub, s->pub, sizeof(s->pub)) == 0 &&
		    memcmp(m->seen[i].digest, s->digest, sizeof(s->digest)) ==
			0 &&
		    memcmp(m->seen[i].sig, s->sig, sizeof(s->sig)) == 0)
			return true;
	return false;
}

/* The parsed key; the one kept longest makes room. */
static int
key_of(struct pv_memo *m, const uint8_t pub[64], struct pv_ec_public **ret_key,
    struct pv_error *e)
{
	struct pv_ec_public *key = NULL;
	struct known *k;
	int r;

	for (size_t i = 0; i < N_KEYS; i++) {
		k = &m->keys[i];
		if (k->key != NULL && memcmp(k->pub, pub, 64) == 0) {
			*ret_key = k->key;
			return 0;
		}
	}
	r = pv_ec_public_new(pub, &key, e);
	if (r != 0)
		return r;
	k = &m->keys[m->next_key++ % N_KEYS];
	pv_ec_public_free(k->key);
	memcpy(k->pub, pub, 64);
	*ret_key = k->key = key;
	return 0;
}

int
pv_memo_verify(struct pv_memo *m, const uint8_t pub[64],
    const uint8_t digest[32], const uint8_t sig[64], struct pv_error *e)
{
	struct pv_ec_public *key = NULL;
	struct seen s = { .used = true };
	int r;

	if (m == NULL)
		return pv_ecdsa_verify(pub, digest, sig, e);
	memcpy(s.pub, pub, sizeof(s.pub));
	memcpy(s.digest, digest, sizeof(s.digest));
	memcpy(s.sig, sig, sizeof(s.sig));
	if (was_seen(m, &s))
		return 0;
	r = key_of(m, pub, &key, e);
	if (r == 0)
		r = pv_ec_public_verify(key, digest, sig, e);
	if (r == 0)
		m->seen[m->next_seen++ % N_SEEN] = s;
	return r;
}
