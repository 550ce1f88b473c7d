/* SPDX-License-Identifier: Apache-2.0 */
#include "package/record.h"

#include "base/file.h"
#include "base/hex.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TITLE	     "provisor nonce record v1\n"
#define TITLE_LEN    (sizeof(TITLE) - 1)
#define HEX	     PV_RECORD_HEX
#define LINE	     PV_RECORD_LINE
#define BLOCK_LINES  512U
#define LOCK_WAIT_MS 60000

void
pv_record_line_encode(const struct pv_record_line *line, char dst[LINE])
{
	char hex[HEX + 1];

	pv_hex_encode(hex, line->iv_hash, 32);
	memcpy(dst, hex, HEX);
	dst[HEX] = ' ';
	dst[HEX + 1] = ' ';
	pv_hex_encode(hex, line->fingerprint, 32);
	memcpy(dst + HEX + 2, hex, HEX);
	dst[LINE - 1] = '\n';
}

int
pv_record_line_decode(const char text[LINE], struct pv_record_line *ret_line)
{
	struct pv_record_line line;
	char hex[HEX + 1];

	if (text[HEX] != ' ' || text[HEX + 1] != ' ' || text[LINE - 1] != '\n')
		return PV_E_MALFORMED;
	memcpy(hex, text, HEX);
	hex[HEX] = '\0';
	if (pv_hex_decode(hex, line.iv_hash, 32, NULL) != 0)
		return PV_E_MALFORMED;
	memcpy(hex, text + HEX + 2, HEX);
	if (pv_hex_decode(hex, line.fingerprint, 32, NULL) != 0)
		return PV_E_MALFORMED;
	*ret_line = line;
	return 0;
}

int
pv_record_open(struct pv_record *rec, const char *dir,
    const char key_hex[HEX + 1], struct pv_error *e)
{
	char name[HEX + 5];
	int r;

	memset(rec, 0, sizeof(*rec));
	rec->dir = dir;
	rec->lock = -1;
	rec->fd = -1;
	memcpy(name, key_hex, HEX);
	memcpy(name + HEX, ".txt", 5);
	rec->block = malloc((size_t)BLOCK_LINES * LINE);
	if (rec->block == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = pv_path_fit(rec->path, sizeof(rec->path), dir, name, e);
	if (r == 0)
		r = pv_dir_make(dir, 0700, e);
	if (r == 0)
		r = pv_file_lock(rec->path, LOCK_WAIT_MS, &rec->lock, e);
	if (r != 0)
		return r;
	rec->fd = open(rec->path, O_RDWR | O_CLOEXEC);
	if (rec->fd < 0)
		return pv_fail_errno(
		    e, PV_E_IO, errno, "opening '%s'", rec->path);
	return 0;
}

void
pv_record_close(struct pv_record *rec, int *ret_lock)
{
	if (rec->fd >= 0)
		(void)close(rec->fd);
	if (ret_lock != NULL)
		*ret_lock = rec->lock;
	else if (rec->lock >= 0)
		(void)close(rec->lock);
	free(rec->block);
	rec->block = NULL;
	rec->fd = -1;
	rec->lock = -1;
}

/* --- reading ------------------------------------------------------------------ */

/* Is there a line end at or after `off`? */
static int
has_newline(
    struct pv_record *rec, uint64_t off, bool *ret_has, struct pv_error *e)
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
repair(struct pv_record *rec, uint64_t off, struct pv_error *e)
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
check_title(struct pv_record *rec, uint64_t size, struct pv_error *e)
{
	char title[TITLE_LEN] = { 0 };
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

/* The next block of lines; *ret_whole false when a line is none of ours. */
static int
read_block(struct pv_record *rec, uint64_t lines, bool *ret_whole,
    int (*each)(
	void *ctx, const struct pv_record_line *line, struct pv_error *e),
    void *ctx, struct pv_error *e)
{
	struct pv_record_line line;
	int r = pv_pread_exact(
	    rec->fd, rec->path, rec->block, (size_t)lines * LINE, rec->size, e);

	*ret_whole = true;
	for (uint64_t i = 0; r == 0 && i < lines; i++) {
		if (pv_record_line_decode(rec->block + i * LINE, &line) != 0) {
			*ret_whole = false;
			return 0;
		}
		r = each(ctx, &line, e);
		if (r == 0)
			rec->size += LINE;
	}
	return r;
}

int
pv_record_each(struct pv_record *rec,
    int (*each)(
	void *ctx, const struct pv_record_line *line, struct pv_error *e),
    void *ctx, struct pv_error *e)
{
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
	while (r == 0 && end - rec->size >= LINE) {
		uint64_t lines = (end - rec->size) / LINE;
		bool whole = true;

		if (lines > BLOCK_LINES)
			lines = BLOCK_LINES;
		r = read_block(rec, lines, &whole, each, ctx, e);
		if (r == 0 && !whole) {
			r = repair(rec, rec->size, e);
			end = rec->size;
		}
	}
	if (r == 0 && rec->size != end)
		r = repair(rec, rec->size, e);
	return r;
}

/* --- adding ------------------------------------------------------------------- */

static int
write_all(
    struct pv_record *rec, const char *data, size_t len, struct pv_error *e)
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

/* A disk that is full must not leave half a package in the record; should
 * this fail too, the torn tail is repaired next time. */
static int
take_back(struct pv_record *rec, int r)
{
	if (ftruncate(rec->fd, (off_t)rec->kept) == 0)
		rec->size = rec->kept;
	return r;
}

static int
flush(struct pv_record *rec, struct pv_error *e)
{
	int r = write_all(rec, rec->block, rec->n * LINE, e);

	rec->n = 0;
	return r == 0 ? 0 : take_back(rec, r);
}

int
pv_record_add(struct pv_record *rec, const struct pv_record_line *line,
    struct pv_error *e)
{
	int r = 0;

	if (rec->size == 0) {
		r = write_all(rec, TITLE, TITLE_LEN, e);
		if (r != 0)
			return take_back(rec, r);
	}
	if (rec->kept == 0)
		rec->kept = rec->size;
	pv_record_line_encode(line, rec->block + rec->n * LINE);
	if (++rec->n == BLOCK_LINES)
		r = flush(rec, e);
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

int
pv_record_sync(struct pv_record *rec, struct pv_error *e)
{
	int r = rec->n == 0 ? 0 : flush(rec, e);

	if (r == 0 && fsync(rec->fd) != 0) {
		r = pv_fail_errno(e, PV_E_IO, errno, "syncing '%s'", rec->path);
		if (rec->kept != 0)
			r = take_back(rec, r);
	}
	return r == 0 ? sync_dir(rec->dir, e) : r;
}
