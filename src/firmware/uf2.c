/* SPDX-License-Identifier: Apache-2.0 */
/* UF2 files as firmware: blocks in any order, read a few at a time. */
#include "firmware/readers.h"

#include "base/file.h"
#include "formats/uf2.h"

#include <stdlib.h>

#define CHUNK_BLOCKS 128U

struct uf2 {
	const struct pv_fw_file *f;
	struct pv_fw_store *store;
	uint64_t n;	/* blocks of the file */
	uint64_t flash; /* of these not skipped */
	uint32_t count; /* what every one of these says */
	uint8_t *seen;	/* the same, by number: one bit each */
	bool any, has_family;
	uint32_t family;
	/* without a store: which blocks hold this address */
	uint64_t find;
	uint64_t found[2];
	size_t n_found;
};

static int
check_family(struct uf2 *u, const struct pv_uf2_block *b, struct pv_error *e)
{
	bool has = (b->flags & PV_UF2_FAMILY) != 0;

	if (!u->any) {
		u->any = true;
		u->has_family = has;
		u->family = has ? b->family : 0;
		return 0;
	}
	if (has != u->has_family)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "it has %s family id, blocks before it have %s",
		    has ? "a" : "no", has ? "none" : "one");
	if (!has || b->family == u->family)
		return 0;
	(void)pv_fail(e, PV_E_UNSUPPORTED,
	    "it is for family 0x%08x, blocks before it for 0x%08x", b->family,
	    u->family);
	return pv_hint(e, "give a file for one family only");
}

static int
check_number(struct uf2 *u, const struct pv_uf2_block *b, struct pv_error *e)
{
	uint8_t bit = (uint8_t)(1U << (b->number & 7));

	if (u->seen == NULL) {
		u->count = b->count;
		if (u->count > u->n)
			return pv_fail(e, PV_E_MALFORMED,
			    "it says there are %u blocks, the file has %llu",
			    u->count, (unsigned long long)u->n);
		u->seen = calloc(1, (size_t)u->count / 8 + 1);
		if (u->seen == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	if (b->count != u->count)
		return pv_fail(e, PV_E_MALFORMED,
		    "it says there are %u blocks, the first one says %u",
		    b->count, u->count);
	if ((u->seen[b->number / 8] & bit) != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "its number %u was there before", b->number);
	u->seen[b->number / 8] |= bit;
	return 0;
}

static int
do_block(struct uf2 *u, const uint8_t *raw, uint64_t at, struct pv_error *e)
{
	struct pv_uf2_block b;
	int rc;

	if ((rc = pv_uf2_decode(raw, &b, e)) != 0)
		return rc;
	if ((rc = pv_uf2_validate(&b, e)) != 0)
		return rc;
	if (u->store == NULL) {
		if (u->n_found < 2 && (b.flags & PV_UF2_NOT_FLASH) == 0 &&
		    u->find >= b.addr && u->find - b.addr < b.size)
			u->found[u->n_found++] = at;
		return 0;
	}
	if ((b.flags & PV_UF2_NOT_FLASH) != 0)
		return 0;
	u->flash++;
	if ((rc = check_number(u, &b, e)) != 0)
		return rc;
	if ((rc = check_family(u, &b, e)) != 0)
		return rc;
	return pv_fw_store_put(u->store, b.addr, b.data, b.size, e);
}

static int
scan(struct uf2 *u, struct pv_error *e)
{
	uint8_t *buf = malloc((size_t)CHUNK_BLOCKS * PV_UF2_BLOCK);
	int rc = 0;

	if (buf == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (uint64_t at = 0; rc == 0 && at < u->n; at += CHUNK_BLOCKS) {
		size_t n = u->n - at < CHUNK_BLOCKS ? (size_t)(u->n - at)
						    : CHUNK_BLOCKS;

		rc = pv_pread_exact(u->f->fd, u->f->name, buf, n * PV_UF2_BLOCK,
		    at * PV_UF2_BLOCK, e);
		for (size_t i = 0; rc == 0 && i < n; i++) {
			rc = do_block(u, buf + i * PV_UF2_BLOCK, at + i, e);
			if (rc != 0 && rc != PV_E_OVERLAP)
				rc = pv_wrap(e, "'%s' block %llu", u->f->name,
				    (unsigned long long)at + i);
		}
	}
	free(buf);
	return rc;
}

/* Read the file once more to name the two blocks that claim one address. */
static int
overlap(
    const struct pv_fw_file *f, uint64_t n, uint64_t addr, struct pv_error *e)
{
	struct uf2 u = { .f = f, .n = n, .find = addr };
	int rc;

	if ((rc = scan(&u, e)) != 0)
		return rc;
	return pv_fail(e, PV_E_OVERLAP,
	    "'%s' blocks %llu and %llu both have bytes for 0x%08llx", f->name,
	    (unsigned long long)u.found[0], (unsigned long long)u.found[1],
	    (unsigned long long)addr);
}

/* The whole file, when all its blocks are good. */
static int
check_file(const struct uf2 *u, struct pv_error *e)
{
	if (u->flash == 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' has no blocks for the flash", u->f->name);
	if (u->count == u->n || u->count == u->flash)
		return 0;
	(void)pv_fail(e, PV_E_MALFORMED,
	    "'%s' has %llu blocks, they say there are %u", u->f->name,
	    (unsigned long long)u->n, u->count);
	return pv_hint(e, "the file is cut short: copy it again");
}

int
pv_fw_read_uf2(
    const struct pv_fw_file *f, struct pv_fw_batch *b, struct pv_error *e)
{
	struct uf2 u = { .f = f, .n = f->size / PV_UF2_BLOCK };
	int rc;

	if (f->size % PV_UF2_BLOCK != 0 || f->size == 0) {
		(void)pv_fail(e, PV_E_MALFORMED,
		    "'%s' has %llu bytes; UF2 consists of blocks of %u",
		    f->name, (unsigned long long)f->size, PV_UF2_BLOCK);
		return pv_hint(e, "the file is cut short: copy it again");
	}
	if ((rc = pv_fw_store_new(&u.store, e)) != 0)
		return rc;
	rc = scan(&u, e);
	if (rc == 0)
		rc = check_file(&u, e);
	if (rc == 0)
		rc = pv_fw_store_finish(u.store, e);
	if (rc == PV_E_OVERLAP)
		rc = overlap(f, u.n, pv_fw_store_twice(u.store), e);
	free(u.seen);
	if (rc != 0) {
		pv_fw_store_free(u.store);
		return rc;
	}
	b->has_family = u.has_family;
	b->family = u.family;
	return pv_fw_batch_add_store(b, f, u.store, e);
}
