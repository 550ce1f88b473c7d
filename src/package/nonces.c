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

#include "base/file.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "formats/sfi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TITLE	     "provisor nonce record v1\n"
#define TITLE_LEN    (sizeof(TITLE) - 1)
#define HEX	     64U
#define LINE	     (HEX + 2U + HEX + 1U)
#define BLOCK_LINES  512U
#define LOCK_WAIT_MS 60000

/* One IV of the package at hand. */
struct entry {
	uint8_t hash[32];
	uint16_t index;
	bool known; /* in the record already, for the same content */
};

struct record {
	char path[4096];
	int fd;
	uint64_t size; /* bytes of whole lines */
	struct entry *entries;
	size_t n;
	const struct pv_nonce_use *use;
	char fingerprint[HEX + 1];
};

static int
by_hash(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return memcmp(x->hash, y->hash, sizeof(x->hash));
}

static int
make_entries(struct record *rec, struct pv_error *e)
{
	const struct pv_nonce_use *u = rec->use;

	rec->n = (size_t)u->n_areas + 1;
	rec->entries = calloc(rec->n, sizeof(*rec->entries));
	if (rec->entries == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (size_t i = 0; i < rec->n; i++) {
		uint8_t iv[PV_SFI_NONCE];
		struct pv_part parts[2] = {
			{ u->key_id, sizeof(u->key_id) },
			{ iv, sizeof(iv) },
		};
		int r;

		pv_sfi_iv(u->iv_add, u->nonce, (uint16_t)i, iv);
		rec->entries[i].index = (uint16_t)i;
		r = pv_sha256(parts, 2, rec->entries[i].hash, e);
		if (r != 0)
			return r;
	}
	qsort(rec->entries, rec->n, sizeof(*rec->entries), by_hash);
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
	    "for each firmware version; the same key and IV for two contents "
	    "gives both away");
}

/* One line of the record. *ret_ok false: it is not a line of ours. */
static int
check_line(
    struct record *rec, const char *line, bool *ret_ok, struct pv_error *e)
{
	char hex[HEX + 1];
	struct entry key, *hit;
	uint8_t other[32];

	*ret_ok = false;
	if (line[HEX] != ' ' || line[HEX + 1] != ' ' || line[LINE - 1] != '\n')
		return 0;
	memcpy(hex, line, HEX);
	hex[HEX] = '\0';
	if (pv_hex_decode(hex, key.hash, sizeof(key.hash), NULL) != 0)
		return 0;
	memcpy(hex, line + HEX + 2, HEX);
	if (pv_hex_decode(hex, other, sizeof(other), NULL) != 0)
		return 0;
	*ret_ok = true;
	hit =
	    bsearch(&key, rec->entries, rec->n, sizeof(*rec->entries), by_hash);
	if (hit == NULL)
		return 0;
	if (memcmp(hex, rec->fingerprint, HEX) != 0)
		return refuse(hit, e);
	hit->known = true;
	return 0;
}

/* Is there a line end at or after `off`? */
static int
has_newline(struct record *rec, uint64_t off, bool *ret_has, struct pv_error *e)
{
	char buf[4096];
	ssize_t n;

	*ret_has = false;
	while ((n = pread(rec->fd, buf, sizeof(buf), (off_t)off)) > 0) {
		if (memchr(buf, '\n', (size_t)n) != NULL) {
			*ret_has = true;
			return 0;
		}
		off += (uint64_t)n;
	}
	if (n < 0)
		return pv_fail_errno(
		    e, PV_E_IO, errno, "reading '%s'", rec->path);
	return 0;
}

/*
 * What is not a whole line of ours at `off`. The tail that a crash left has
 * no line end: it belongs to a package that never appeared, and goes. Any
 * other damage is not ours to repair, since lines may have been lost.
 */
static int
repair(struct record *rec, uint64_t off, struct pv_error *e)
{
	bool has = false;
	int r = has_newline(rec, off, &has, e);

	if (r != 0)
		return r;
	if (has) {
		(void)pv_fail(e, PV_E_MALFORMED,
		    "nonce record '%s' is damaged at byte %llu", rec->path,
		    (unsigned long long)off);
		return pv_hint(e,
		    "restore it from a backup, or use a new key for new "
		    "packages");
	}
	if (ftruncate(rec->fd, (off_t)off) != 0)
		return pv_fail_errno(
		    e, PV_E_IO, errno, "repairing '%s'", rec->path);
	rec->size = off;
	return 0;
}

static int
check_title(struct record *rec, uint64_t size, struct pv_error *e)
{
	char title[TITLE_LEN];
	size_t n = size < TITLE_LEN ? (size_t)size : TITLE_LEN;
	int r;

	if (n > 0) {
		r = pv_pread_exact(rec->fd, rec->path, title, n, 0, e);
		if (r != 0)
			return r;
	}
	if (n == TITLE_LEN && memcmp(title, TITLE, n) == 0) {
		rec->size = TITLE_LEN;
		return 0;
	}
	/* New, or torn while it was made. */
	if (memcmp(title, TITLE, n) == 0)
		return repair(rec, 0, e);
	return pv_fail(e, PV_E_UNSUPPORTED,
	    "'%s' is not a nonce record of version 1", rec->path);
}

/* Read the record and look for our IVs in it. */
static int
scan(struct record *rec, struct pv_error *e)
{
	char *block = NULL;
	struct stat st;
	uint64_t end;
	int r;

	if (fstat(rec->fd, &st) != 0)
		return pv_fail_errno(
		    e, PV_E_IO, errno, "reading '%s'", rec->path);
	end = (uint64_t)st.st_size;
	r = check_title(rec, end, e);
	if (r != 0 || rec->size == 0)
		return r;
	block = malloc((size_t)BLOCK_LINES * LINE);
	if (block == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	while (r == 0 && end - rec->size >= LINE) {
		uint64_t lines = (end - rec->size) / LINE;
		bool ok = true;

		if (lines > BLOCK_LINES)
			lines = BLOCK_LINES;
		r = pv_pread_exact(rec->fd, rec->path, block,
		    (size_t)lines * LINE, rec->size, e);
		for (uint64_t i = 0; r == 0 && ok && i < lines; i++) {
			r = check_line(rec, block + i * LINE, &ok, e);
			if (r == 0 && ok)
				rec->size += LINE;
		}
		if (r == 0 && !ok) {
			r = repair(rec, rec->size, e);
			end = rec->size;
		}
	}
	if (r == 0 && rec->size != end)
		r = repair(rec, rec->size, e);
	free(block);
	return r;
}

static int
write_all(struct record *rec, const char *data, size_t len, struct pv_error *e)
{
	while (len > 0) {
		ssize_t n = pwrite(rec->fd, data, len, (off_t)rec->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pv_fail_errno(
			    e, PV_E_IO, errno, "writing '%s'", rec->path);
		data += n;
		len -= (size_t)n;
		rec->size += (uint64_t)n;
	}
	return 0;
}

static int
write_entries(struct record *rec, struct pv_error *e)
{
	char *block = malloc((size_t)BLOCK_LINES * LINE + 1);
	size_t n = 0;
	int r = 0;

	if (block == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	if (rec->size == 0)
		r = write_all(rec, TITLE, TITLE_LEN, e);
	for (size_t i = 0; r == 0 && i < rec->n; i++) {
		char *line = block + n * LINE;

		if (rec->entries[i].known)
			continue;
		pv_hex_encode(line, rec->entries[i].hash, 32);
		line[HEX] = ' ';
		line[HEX + 1] = ' ';
		memcpy(line + HEX + 2, rec->fingerprint, HEX);
		line[LINE - 1] = '\n';
		if (++n == BLOCK_LINES) {
			r = write_all(rec, block, n * LINE, e);
			n = 0;
		}
	}
	if (r == 0 && n > 0)
		r = write_all(rec, block, n * LINE, e);
	free(block);
	return r;
}

static int
sync_dir(const char *dir, struct pv_error *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd < 0 || fsync(fd) != 0)
		r = pv_fail_errno(e, PV_E_IO, errno, "syncing '%s'", dir);
	if (fd >= 0)
		(void)close(fd);
	return r;
}

static int
append(struct record *rec, const char *dir, struct pv_error *e)
{
	uint64_t old = rec->size;
	int r = write_entries(rec, e);

	if (r == 0 && fsync(rec->fd) != 0)
		r = pv_fail_errno(e, PV_E_IO, errno, "syncing '%s'", rec->path);
	/* A disk that is full must not leave half a package in the record; if
	 * this fails too, the torn tail is repaired next time. */
	if (r != 0 && ftruncate(rec->fd, (off_t)old) != 0)
		return r;
	if (r == 0)
		r = sync_dir(dir, e);
	return r;
}

int
pv_nonces_claim(const char *dir, const struct pv_nonce_use *use, int *ret_lock,
    struct pv_error *e)
{
	struct record rec = { .fd = -1, .use = use };
	char name[HEX + 5];
	int lock = -1, r;

	pv_hex_encode(rec.fingerprint, use->fingerprint, 32);
	pv_hex_encode(name, use->key_id, 32);
	memcpy(name + HEX, ".txt", 5);
	r = pv_path_fit(rec.path, sizeof(rec.path), dir, name, e);
	if (r == 0)
		r = pv_dir_make(dir, 0700, e);
	if (r == 0)
		r = make_entries(&rec, e);
	if (r == 0)
		r = pv_file_lock(rec.path, LOCK_WAIT_MS, &lock, e);
	if (r == 0) {
		rec.fd = open(rec.path, O_RDWR | O_CLOEXEC);
		if (rec.fd < 0)
			r = pv_fail_errno(
			    e, PV_E_IO, errno, "opening '%s'", rec.path);
	}
	if (r == 0)
		r = scan(&rec, e);
	if (r == 0)
		r = append(&rec, dir, e);
	if (rec.fd >= 0)
		(void)close(rec.fd);
	free(rec.entries);
	if (r == 0)
		*ret_lock = lock;
	else if (lock >= 0)
		(void)close(lock);
	return r;
}
