/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_POLL_MS 5
/* Whole pages, and enough of them to be one good write for a disk. */
#define FLUSH_STEP   (8U << 20)

static int
fail_open(struct pv_error *e, int err, const char *path)
{
	int code = err == ENOENT || err == ENOTDIR ? PV_E_NOT_FOUND : PV_E_IO;

	return pv_fail_errno(e, code, err, "opening '%s'", path);
}

int
pv_file_read(const char *path, size_t max, uint8_t **ret_data, size_t *ret_len,
    struct pv_error *e)
{
	uint8_t *data;
	size_t len = 0, cap = 4096;
	struct stat st;
	int fd, r = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail_open(e, errno, path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= 0 &&
	    (uint64_t)st.st_size <= max)
		cap = (size_t)st.st_size + 2;
	data = malloc(cap);
	if (data == NULL) {
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	for (;;) {
		ssize_t n;

		/* Always room for one byte more: the terminator, or the
		 * byte that shows the file is too large. */
		if (len + 1 >= cap) {
			uint8_t *grown;

			cap = cap * 2;
			if (cap > max + 2)
				cap = max + 2;
			grown = realloc(data, cap);
			if (grown == NULL) {
				r = pv_fail(e, PV_E_NOMEM, "out of memory");
				goto out;
			}
			data = grown;
		}
		n = read(fd, data + len, cap - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = pv_fail_errno(
			    e, PV_E_IO, errno, "reading '%s'", path);
			goto out;
		}
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max) {
			r = pv_fail(e, PV_E_MALFORMED,
			    "'%s' is larger than %zu bytes", path, max);
			goto out;
		}
	}
	data[len] = 0;
	*ret_data = data;
	*ret_len = len;
	data = NULL;
out:
	free(data);
	(void)close(fd);
	return r;
}

int
pv_file_read_exact(const char *path, void *data, size_t len, struct pv_error *e)
{
	uint8_t *got = NULL;
	size_t n = 0;
	int r;

	if ((r = pv_file_read(path, len + 4096, &got, &n, e)) != 0)
		return r;
	if (n != len)
		r = pv_fail(e, PV_E_MALFORMED,
		    "'%s' holds %zu bytes, %zu are needed", path, n, len);
	else
		memcpy(data, got, len);
	free(got);
	return r;
}

int
pv_pread_exact(int fd, const char *path, void *data, size_t len, uint64_t off,
    struct pv_error *e)
{
	uint8_t *p = data;

	while (len > 0) {
		ssize_t n = pread(fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pv_fail_errno(
			    e, PV_E_IO, errno, "reading '%s'", path);
		if (n == 0)
			return pv_fail(e, PV_E_MALFORMED,
			    "'%s' ends at byte %llu, %zu more are needed", path,
			    (unsigned long long)off, len);
		p += n;
		len -= (size_t)n;
		off += (uint64_t)n;
	}
	return 0;
}

/* --- outputs --------------------------------------------------------------- */

struct pv_outfile {
	char *path;   /* as the user typed it */
	char *target; /* where it ends up: a link's target is followed */
	char *temp;   /* NULL when written direct */
	int fd;
	uint64_t size;
	uint64_t flushed; /* bytes whose way to the disk has begun */
	bool committed;
};

/* What a symbolic link at `path` points to, or a copy of `path`. */
static char *
resolve(const char *path)
{
	struct stat st;
	char *real;

	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
		real = realpath(path, NULL);
		if (real != NULL)
			return real;
	}
	return strdup(path);
}

static int
open_temp(struct pv_outfile *f, mode_t mode, struct pv_error *e)
{
	const char *slash = strrchr(f->target, '/');
	int dir = slash == NULL ? 0 : (int)(slash - f->target) + 1;
	size_t cap = (size_t)dir + 64;

	/* A short name of its own: the target's may be as long as the file
	 * system takes. */
	f->temp = malloc(cap);
	if (f->temp == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (unsigned int i = 0; i < 100; i++) {
		(void)snprintf(f->temp, cap, "%.*s.provisor-%ld-%u.tmp", dir,
		    f->target, (long)getpid(), i);
		f->fd = open(f->temp,
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
		if (f->fd >= 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	free(f->temp);
	f->temp = NULL;
	return pv_fail_errno(e, PV_E_IO, errno, "creating '%s'", f->path);
}

int
pv_outfile_open(const char *path, mode_t mode, struct pv_outfile **ret_f,
    struct pv_error *e)
{
	struct pv_outfile *f = calloc(1, sizeof(*f));
	struct stat st;
	int r = 0;

	if (f == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	f->fd = -1;
	f->path = strdup(path);
	f->target = resolve(path);
	if (f->path == NULL || f->target == NULL) {
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		r = pv_fail(e, PV_E_IO, "'%s' is a folder", path);
	} else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		f->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		if (f->fd < 0)
			r = fail_open(e, errno, path);
	} else {
		r = open_temp(f, mode, e);
	}
	if (r == 0) {
		*ret_f = f;
		f = NULL;
	}
out:
	pv_outfile_free(f);
	return r;
}

/*
 * Let a long output start on its way to the disk while it is still written, so
 * that the fsync at the end has little left to wait for: on Linux this advice
 * begins to write the range and does not wait. Only a hint, so no failure.
 */
static void
flush_early(struct pv_outfile *f)
{
	if (f->temp == NULL || f->size - f->flushed < FLUSH_STEP)
		return;
	(void)posix_fadvise(
	    f->fd, (off_t)f->flushed, FLUSH_STEP, POSIX_FADV_DONTNEED);
	f->flushed += FLUSH_STEP;
}

int
pv_outfile_write(
    struct pv_outfile *f, const void *data, size_t len, struct pv_error *e)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = write(f->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pv_fail_errno(
			    e, PV_E_IO, errno, "writing '%s'", f->path);
		p += n;
		len -= (size_t)n;
		f->size += (uint64_t)n;
		flush_early(f);
	}
	return 0;
}

int
pv_outfile_rewrite(struct pv_outfile *f, uint64_t off, const void *data,
    size_t len, struct pv_error *e)
{
	const uint8_t *p = data;

	if (off > f->size || len > f->size - off)
		return pv_fail(e, PV_E_INTERNAL,
		    "back-fill past the end of '%s'", f->path);
	while (len > 0) {
		ssize_t n = pwrite(f->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pv_fail_errno(
			    e, PV_E_IO, errno, "writing '%s'", f->path);
		p += n;
		len -= (size_t)n;
		off += (uint64_t)n;
	}
	return 0;
}

uint64_t
pv_outfile_size(const struct pv_outfile *f)
{
	return f->size;
}

/* Make a rename in the folder of `path` durable. */
static int
sync_folder(const char *path)
{
	char *dir = strdup(path), *slash;
	int fd, r;

	if (dir == NULL)
		return ENOMEM;
	slash = strrchr(dir, '/');
	if (slash == dir)
		slash++;
	if (slash != NULL)
		*slash = '\0';
	fd =
	    open(slash == NULL ? "." : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (fd < 0)
		return errno;
	r = fsync(fd) != 0 ? errno : 0;
	(void)close(fd);
	/* Some file systems have no fsync of folders. */
	return r == EINVAL ? 0 : r;
}

int
pv_outfile_sync(struct pv_outfile *f, struct pv_error *e)
{
	if (f->temp != NULL && fsync(f->fd) != 0)
		return pv_fail_errno(
		    e, PV_E_IO, errno, "writing '%s'", f->path);
	return 0;
}

int
pv_outfile_commit(struct pv_outfile *f, struct pv_error *e)
{
	int err, r;

	if (f->temp == NULL) {
		f->committed = true;
		return 0;
	}
	r = pv_outfile_sync(f, e);
	if (r != 0)
		return r;
	if (rename(f->temp, f->target) != 0)
		return pv_fail_errno(
		    e, PV_E_IO, errno, "creating '%s'", f->path);
	f->committed = true;
	if ((err = sync_folder(f->target)) != 0)
		return pv_fail_errno(
		    e, PV_E_IO, err, "making '%s' durable", f->path);
	return 0;
}

void
pv_outfile_free(struct pv_outfile *f)
{
	if (f == NULL)
		return;
	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->temp != NULL && !f->committed)
		(void)unlink(f->temp);
	free(f->temp);
	free(f->target);
	free(f->path);
	free(f);
}

int
pv_file_write(const char *path, mode_t mode, const void *data, size_t len,
    struct pv_error *e)
{
	struct pv_outfile *f = NULL;
	int r;

	if ((r = pv_outfile_open(path, mode, &f, e)) == 0 &&
	    (r = pv_outfile_write(f, data, len, e)) == 0)
		r = pv_outfile_commit(f, e);
	pv_outfile_free(f);
	return r;
}

/* --- folders, paths, locks --------------------------------------------------- */

int
pv_dir_make(const char *path, mode_t mode, struct pv_error *e)
{
	char *copy = strdup(path);
	struct stat st;
	int r = 0;

	if (copy == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (char *p = copy + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) != 0 && errno != EEXIST) {
			r = pv_fail_errno(
			    e, PV_E_IO, errno, "making folder '%s'", copy);
			break;
		}
		*p = c;
		if (c == '\0')
			break;
	}
	if (r == 0 && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
		r = pv_fail(e, PV_E_IO, "'%s' is not a folder", path);
	free(copy);
	return r;
}

char *
pv_path_join(const char *dir, const char *name)
{
	size_t cap = strlen(dir) + strlen(name) + 2;
	char *path = malloc(cap);

	if (path != NULL)
		(void)snprintf(path, cap, "%s/%s", dir, name);
	return path;
}

int
pv_path_fit(char *dst, size_t cap, const char *dir, const char *name,
    struct pv_error *e)
{
	int n = snprintf(dst, cap, "%s/%s", dir, name);

	if (n < 0 || (size_t)n >= cap)
		return pv_fail(
		    e, PV_E_USAGE, "path '%.64s/%s' is too long", dir, name);
	return 0;
}

int
pv_file_lock(const char *path, int timeout_ms, int *ret_fd, struct pv_error *e)
{
	int64_t until = pv_now_ms() + timeout_ms;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail_open(e, errno, path);
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		int err = errno;

		if (err == EINTR)
			continue;
		if (err != EWOULDBLOCK) {
			(void)close(fd);
			return pv_fail_errno(
			    e, PV_E_IO, err, "locking '%s'", path);
		}
		if (pv_ms_left(until) == 0) {
			(void)close(fd);
			return pv_fail(e, PV_E_IO,
			    "'%s' is locked by another process", path);
		}
		pv_sleep_ms(LOCK_POLL_MS);
	}
	*ret_fd = fd;
	return 0;
}
