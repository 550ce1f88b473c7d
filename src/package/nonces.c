/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record is one text file for each key, named by the key id. After a
 * title line every line has the same width:
 *
 *	SHA-256(key id || IV) in hex, two spaces, fingerprint in hex, newline
 *
 * It only grows. IVs are entered by their hash, one line for each index of a
 * package, so nonces that lie too close to each other meet by themselves.
 */
#include "package/nonces.h"

#include "base/hex.h"
#include "crypto/digest.h"
#include "formats/sfi.h"
#include "package/record.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One IV of the package at hand. */
struct entry {
	uint8_t hash[32];
	uint16_t index;
	bool known; /* in the record already, for the same content */
};

struct claim {
	struct entry *entries;
	size_t n;
	const struct pv_nonce_use *use;
};

static int
by_hash(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return memcmp(x->hash, y->hash, sizeof(x->hash));
}

static int
make_entries(struct claim *c, struct pv_error *e)
{
	const struct pv_nonce_use *u = c->use;

	c->n = (size_t)u->n_areas + 1;
	c->entries = calloc(c->n, sizeof(*c->entries));
	if (c->entries == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (size_t i = 0; i < c->n; i++) {
		uint8_t iv[PV_NONCE_IV_MAX];
		struct pv_part parts[2] = {
			{ u->key_id, sizeof(u->key_id) },
			{ iv, PV_SFI_NONCE },
		};
		int r;

		if (u->iv_len == PV_NONCE_IV_MAX) {
			memcpy(iv, u->nonce, sizeof(iv));
			parts[1].len = sizeof(iv);
		} else {
			pv_sfi_iv(u->iv_add, u->nonce, (uint16_t)i, iv);
		}
		c->entries[i].index = (uint16_t)i;
		r = pv_sha256(parts, 2, c->entries[i].hash, e);
		if (r != 0)
			return r;
	}
	qsort(c->entries, c->n, sizeof(*c->entries), by_hash);
	return 0;
}

static int
refuse(const struct entry *hit, struct pv_error *e)
{
	(void)pv_fail(e, PV_E_REUSE,
	    "this nonce was used before, with this key, for other content "
	    "(IV of index %u)",
	    (unsigned int)hit->index);
	return pv_hint(e,
	    "leave out --nonce to get a fresh one, or better make a new key "
	    "for each content; the same key and IV for two contents "
	    "gives both away");
}

static int
check_line(void *ctx, const struct pv_record_line *line, struct pv_error *e)
{
	struct claim *c = ctx;
	struct entry key = { .known = false }, *hit;

	memcpy(key.hash, line->iv_hash, sizeof(key.hash));
	hit = bsearch(&key, c->entries, c->n, sizeof(*c->entries), by_hash);
	if (hit == NULL)
		return 0;
	if (memcmp(line->fingerprint, c->use->fingerprint, 32) != 0)
		return refuse(hit, e);
	hit->known = true;
	return 0;
}

static int
append(struct claim *c, struct pv_record *rec, struct pv_error *e)
{
	struct pv_record_line line;
	int r = 0;

	memcpy(line.fingerprint, c->use->fingerprint, 32);
	for (size_t i = 0; r == 0 && i < c->n; i++) {
		if (c->entries[i].known)
			continue;
		memcpy(line.iv_hash, c->entries[i].hash, 32);
		r = pv_record_add(rec, &line, e);
	}
	return r == 0 ? pv_record_sync(rec, e) : r;
}

int
pv_nonces_claim(const char *dir, const struct pv_nonce_use *use, int *ret_lock,
    struct pv_error *e)
{
	struct claim c = { .use = use };
	struct pv_record rec = { .fd = -1, .lock = -1 };
	char key_hex[PV_RECORD_HEX + 1];
	int r = make_entries(&c, e);

	pv_hex_encode(key_hex, use->key_id, 32);
	if (r == 0)
		r = pv_record_open(&rec, dir, key_hex, e);
	if (r == 0)
		r = pv_record_each(&rec, check_line, &c, e);
	if (r == 0)
		r = append(&c, &rec, e);
	pv_record_close(&rec, r == 0 ? ret_lock : NULL);
	free(c.entries);
	return r;
}
