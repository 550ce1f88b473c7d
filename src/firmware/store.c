/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address space in blocks of 64 KiB. A block that bytes come for is in
 * one of SLOTS places in memory; when all are taken the oldest makes room by
 * going to the temporary file, and comes back from there when needed again.
 */
#include "firmware/store.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BITS 16U
#define BLOCK	   (1U << BLOCK_BITS)
#define BLOCKS	   (1U << (32U - BLOCK_BITS))
#define SLOTS	   64U /* 4 MiB */

/*
 * Ranges kept at one time, 8 bytes each. Files in order need one for each
 * piece; every other record of 16 bytes, then the rest, works up to 32 MiB.
 */
#define RUNS_MAX  ((size_t)1 << 20)
/* After sorting: room for so many more that sorting stays cheap. */
#define RUNS_KEPT (RUNS_MAX / 4 * 3)

struct slot {
	uint8_t *data; /* BLOCK bytes */
	uint32_t block;
	uint32_t lo, hi; /* changed since it was in the file */
};

/* Bytes addr..last were given. */
struct run {
	uint32_t addr, last;
};

struct pv_fw_store {
	struct slot slots[SLOTS];
	size_t n_slots;
	size_t oldest;		 /* slot to reuse next */
	struct slot *at;	 /* of the last put, or NULL */
	uint32_t missed;	 /* block last written around the slots */
	uint8_t where[BLOCKS];	 /* slot number + 1, 0: not in memory */
	uint8_t in_file[BLOCKS]; /* has been written out */
	int fd;			 /* -1: all in memory */
	struct run *runs;
	size_t n, cap;
	bool open; /* the last run may grow */
	uint64_t twice;
};

int
pv_fw_store_new(struct pv_fw_store **ret_store, struct pv_error *e)
{
	struct pv_fw_store *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	s->fd = -1;
	s->missed = BLOCKS;
	*ret_store = s;
	return 0;
}

static void
drop_slots(struct pv_fw_store *s)
{
	for (size_t i = 0; i < s->n_slots; i++)
		free(s->slots[i].data);
	s->n_slots = 0;
	s->at = NULL;
}

void
pv_fw_store_free(struct pv_fw_store *s)
{
	if (s == NULL)
		return;
	drop_slots(s);
	if (s->fd >= 0)
		(void)close(s->fd);
	free(s->runs);
	free(s);
}

/* --- blocks --------------------------------------------------------------- */

static int
open_file(struct pv_fw_store *s, struct pv_error *e)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];
	int n, rc;

	if (dir == NULL || dir[0] == '\0')
		dir = "/tmp";
	n = snprintf(path, sizeof(path), "%s/provisor.XXXXXX", dir);
	if (n < 0 || (size_t)n >= sizeof(path))
		return pv_fail(e, PV_E_USAGE, "TMPDIR is too long");
	s->fd = mkstemp(path); /* mode 0600 */
	if (s->fd < 0) {
		rc = pv_fail_errno(
		    e, PV_E_IO, errno, "making a temporary file in '%s'", dir);
		return rc;
	}
	(void)unlink(path);
	(void)fcntl(s->fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

static int
write_file(struct pv_fw_store *s, uint64_t addr, const uint8_t *p, size_t len,
    struct pv_error *e)
{
	while (len > 0) {
		ssize_t n = pwrite(s->fd, p, len, (off_t)addr);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			(void)pv_fail_errno(e, PV_E_IO, n < 0 ? errno : ENOSPC,
			    "writing a temporary file");
			return pv_hint(e, "it holds the bytes of the firmware; "
					  "TMPDIR names the folder for it");
		}
		p += n;
		addr += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int
write_slot(struct pv_fw_store *s, struct slot *slot, struct pv_error *e)
{
	uint64_t base = (uint64_t)slot->block << BLOCK_BITS;
	int rc;

	if (slot->lo >= slot->hi)
		return 0;
	rc = write_file(
	    s, base + slot->lo, slot->data + slot->lo, slot->hi - slot->lo, e);
	slot->lo = BLOCK;
	slot->hi = 0;
	s->in_file[slot->block] = 1;
	return rc;
}

/* What the file has of a block; behind its end there is nothing yet. */
static int
read_slot(struct pv_fw_store *s, struct slot *slot, struct pv_error *e)
{
	off_t base = (off_t)((uint64_t)slot->block << BLOCK_BITS);
	size_t got = 0;

	while (got < BLOCK) {
		ssize_t n = pread(
		    s->fd, slot->data + got, BLOCK - got, base + (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pv_fail_errno(
			    e, PV_E_IO, errno, "reading a temporary file");
		if (n == 0)
			break;
		got += (size_t)n;
	}
	memset(slot->data + got, 0, BLOCK - got);
	return 0;
}

/* A slot for this block, which is in none. */
static int
take_slot(struct pv_fw_store *s, uint32_t block, struct slot **ret_slot,
    struct pv_error *e)
{
	struct slot *slot;
	int rc;

	if (s->n_slots < SLOTS) {
		slot = &s->slots[s->n_slots];
		slot->data = calloc(1, BLOCK);
		if (slot->data == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		s->n_slots++;
	} else {
		if (s->fd < 0 && (rc = open_file(s, e)) != 0)
			return rc;
		slot = &s->slots[s->oldest];
		if ((rc = write_slot(s, slot, e)) != 0)
			return rc;
		s->oldest = (s->oldest + 1) % SLOTS;
		s->where[slot->block] = 0;
	}
	slot->block = block;
	slot->lo = BLOCK;
	slot->hi = 0;
	if (s->in_file[block] && (rc = read_slot(s, slot, e)) != 0)
		return rc;
	s->where[block] = (uint8_t)(slot - s->slots + 1);
	*ret_slot = slot;
	return 0;
}

/*
 * A slot for this block, or NULL: write to the file, as records all over the
 * place would have a block come and go for a few bytes each. The second one
 * in a row brings it in.
 */
static int
find_slot(struct pv_fw_store *s, uint32_t block, struct slot **ret_slot,
    struct pv_error *e)
{
	int rc;

	*ret_slot = s->at;
	if (s->at != NULL && s->at->block == block)
		return 0;
	*ret_slot = NULL;
	if (s->where[block] != 0) {
		*ret_slot = &s->slots[s->where[block] - 1];
	} else if (s->in_file[block] && s->missed != block) {
		s->missed = block;
		return 0;
	} else if ((rc = take_slot(s, block, ret_slot, e)) != 0) {
		return rc;
	}
	s->at = *ret_slot;
	return 0;
}

/* --- ranges --------------------------------------------------------------- */

static int
by_addr(const void *va, const void *vb)
{
	const struct run *a = va, *b = vb;

	return a->addr < b->addr ? -1 : a->addr > b->addr;
}

/* Sort the runs and join those that touch. */
static int
settle(struct pv_fw_store *s, struct pv_error *e)
{
	size_t k = 0;

	s->open = false;
	for (size_t i = 1; i < s->n; i++)
		if (s->runs[i].addr < s->runs[i - 1].addr) {
			qsort(s->runs, s->n, sizeof(*s->runs), by_addr);
			break;
		}
	for (size_t i = 1; i < s->n; i++) {
		const struct run *r = &s->runs[i];

		if (r->addr <= s->runs[k].last) {
			s->twice = r->addr;
			return pv_fail(e, PV_E_OVERLAP,
			    "address 0x%08x is given twice", r->addr);
		}
		if (r->addr - 1 == s->runs[k].last)
			s->runs[k].last = r->last;
		else
			s->runs[++k] = *r;
	}
	if (s->n > 0)
		s->n = k + 1;
	return 0;
}

static int
new_run(struct pv_fw_store *s, struct run run, struct pv_error *e)
{
	struct run *v;
	int rc;

	if (s->n == RUNS_MAX) {
		if ((rc = settle(s, e)) != 0)
			return rc;
		if (s->n > RUNS_KEPT)
			return pv_fail(e, PV_E_MALFORMED,
			    "more than %zu pieces of memory at a time",
			    RUNS_KEPT);
	}
	if (s->n == s->cap) {
		size_t cap = s->cap == 0 ? 16 : s->cap * 2;

		v = realloc(s->runs, cap * sizeof(*v));
		if (v == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		s->runs = v;
		s->cap = cap;
	}
	s->runs[s->n++] = run;
	s->open = true;
	return 0;
}

/* --- in and out ----------------------------------------------------------- */

static void
slot_put(struct slot *slot, uint32_t off, const uint8_t *p, size_t n)
{
	memcpy(slot->data + off, p, n);
	if (off < slot->lo)
		slot->lo = off;
	if (off + n > slot->hi)
		slot->hi = (uint32_t)(off + n);
}

int
pv_fw_store_put(struct pv_fw_store *s, uint64_t addr, const void *data,
    size_t len, struct pv_error *e)
{
	const uint8_t *p = data;
	struct slot *slot;
	int rc;

	if (len == 0)
		return 0;
	if (s->open && (uint64_t)s->runs[s->n - 1].last + 1 == addr) {
		s->runs[s->n - 1].last += (uint32_t)len;
	} else {
		struct run run = { (uint32_t)addr, (uint32_t)(addr + len - 1) };

		if ((rc = new_run(s, run, e)) != 0)
			return rc;
	}
	while (len > 0) {
		uint32_t off = (uint32_t)addr & (BLOCK - 1);
		size_t n = len < BLOCK - off ? len : BLOCK - off;

		rc = find_slot(s, (uint32_t)(addr >> BLOCK_BITS), &slot, e);
		if (rc == 0 && slot == NULL)
			rc = write_file(s, addr, p, n, e);
		if (rc != 0)
			return rc;
		if (slot != NULL)
			slot_put(slot, off, p, n);
		addr += n;
		p += n;
		len -= n;
	}
	return 0;
}

int
pv_fw_store_finish(struct pv_fw_store *s, struct pv_error *e)
{
	int rc;

	if ((rc = settle(s, e)) != 0)
		return rc;
	if (s->fd < 0)
		return 0;
	for (size_t i = 0; i < s->n_slots; i++)
		if ((rc = write_slot(s, &s->slots[i], e)) != 0)
			return rc;
	drop_slots(s);
	return 0;
}

uint64_t
pv_fw_store_twice(const struct pv_fw_store *s)
{
	return s->twice;
}

size_t
pv_fw_store_count(const struct pv_fw_store *s)
{
	return s->n;
}

void
pv_fw_store_range(const struct pv_fw_store *s, size_t i, uint64_t *ret_addr,
    uint64_t *ret_size)
{
	*ret_addr = s->runs[i].addr;
	*ret_size = (uint64_t)s->runs[i].last - s->runs[i].addr + 1;
}

int
pv_fw_store_read(const struct pv_fw_store *s, uint64_t addr, void *data,
    size_t len, struct pv_error *e)
{
	uint8_t *p = data;

	if (s->fd >= 0)
		return pv_pread_exact(
		    s->fd, "temporary file", data, len, addr, e);
	while (len > 0) {
		uint32_t off = (uint32_t)addr & (BLOCK - 1);
		size_t n = len < BLOCK - off ? len : BLOCK - off;
		uint8_t where = s->where[addr >> BLOCK_BITS];

		if (where == 0)
			return pv_fail(e, PV_E_INTERNAL,
			    "read of bytes that are not there");
		memcpy(p, s->slots[where - 1].data + off, n);
		addr += n;
		p += n;
		len -= n;
	}
	return 0;
}

bool
pv_fw_store_spilled(const struct pv_fw_store *s)
{
	return s->fd >= 0;
}
