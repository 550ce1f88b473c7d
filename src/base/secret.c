/* SPDX-License-Identifier: Apache-2.0 */
#include <provisor/secret.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE_MAX_BYTES 255U
#define FIRST_ROOM     65536U

struct pv_secret {
	uint8_t *data; /* whole pages of its own */
	size_t len;
	size_t mapped;
};

void
pv_wipe(void *p, size_t len)
{
	explicit_bzero(p, len);
}

int
pv_secret_new(size_t len, struct pv_secret **ret_s, struct pv_error *e)
{
	struct pv_secret *s;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p;

	if (len == 0 || len > PV_SECRET_MAX)
		return pv_fail(e, PV_E_INTERNAL, "secret of %zu bytes", len);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	s->len = len;
	s->mapped = (len + page - 1) / page * page;
	p = mmap(NULL, s->mapped, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		free(s);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	/* Best effort: a low RLIMIT_MEMLOCK must not stop the work. */
	(void)mlock(p, s->mapped);
#ifdef MADV_DONTDUMP
	(void)madvise(p, s->mapped, MADV_DONTDUMP);
#endif
	s->data = p;
	*ret_s = s;
	return 0;
}

void
pv_secret_free(struct pv_secret *s)
{
	if (s == NULL)
		return;
	pv_wipe(s->data, s->mapped);
	(void)munmap(s->data, s->mapped);
	free(s);
}

uint8_t *
pv_secret_data(struct pv_secret *s)
{
	return s->data;
}

const uint8_t *
pv_secret_bytes(const struct pv_secret *s)
{
	return s->data;
}

size_t
pv_secret_len(const struct pv_secret *s)
{
	return s->len;
}

/* Read until `cap` bytes or the end. */
static int
read_some(int fd, uint8_t *data, size_t cap, size_t *ret_len)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, data + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

static int
open_secret(const char *path, int *ret_fd, struct pv_error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return pv_fail_errno(e,
		    errno == ENOENT ? PV_E_NOT_FOUND : PV_E_IO, errno,
		    "opening '%s'", path);
	*ret_fd = fd;
	return 0;
}

int
pv_secret_read_file(
    const char *path, size_t len, struct pv_secret **ret_s, struct pv_error *e)
{
	struct pv_secret *s = NULL;
	size_t got = 0;
	int fd = -1, r, err;

	if ((r = open_secret(path, &fd, e)) != 0)
		return r;
	/* One byte more than wanted, to notice a longer file. */
	if ((r = pv_secret_new(len + 1, &s, e)) != 0)
		goto out;
	if ((err = read_some(fd, s->data, len + 1, &got)) != 0) {
		r = pv_fail_errno(e, PV_E_IO, err, "reading '%s'", path);
	} else if (got != len) {
		r = pv_fail(e, PV_E_MALFORMED,
		    "'%s' holds %s%zu bytes, a raw key of %zu is needed", path,
		    got > len ? "more than " : "", got > len ? len : got, len);
	} else {
		s->len = len;
		*ret_s = s;
		s = NULL;
	}
out:
	pv_secret_free(s);
	(void)close(fd);
	return r;
}

/* Twice the room, with the bytes that are there. */
static int
grow(struct pv_secret **s, size_t max, struct pv_error *e)
{
	size_t old = (*s)->len, cap = old < max / 2 ? 2 * old : max;
	struct pv_secret *more = NULL;
	int r = pv_secret_new(cap, &more, e);

	if (r != 0)
		return r;
	memcpy(more->data, (*s)->data, old);
	pv_secret_free(*s);
	*s = more;
	return 0;
}

int
pv_secret_read_all(
    const char *path, size_t max, struct pv_secret **ret_s, struct pv_error *e)
{
	bool input = strcmp(path, "-") == 0;
	struct pv_secret *s = NULL;
	size_t len = 0, got = 0;
	int fd = STDIN_FILENO, r, err;

	if (max >= PV_SECRET_MAX)
		return pv_fail(e, PV_E_INTERNAL, "secret of %zu bytes", max);
	if (!input && (r = open_secret(path, &fd, e)) != 0)
		return r;
	/* One byte more than allowed, to notice a larger file. */
	r = pv_secret_new(max < FIRST_ROOM ? max + 1 : FIRST_ROOM, &s, e);
	while (r == 0) {
		err = read_some(fd, s->data + len, s->len - len, &got);
		if (err != 0)
			r = pv_fail_errno(
			    e, PV_E_IO, err, "reading '%s'", path);
		len += got;
		if (r != 0 || len < s->len || len > max)
			break;
		r = grow(&s, max + 1, e);
	}
	if (r == 0 && len == 0)
		r = pv_fail(e, PV_E_MALFORMED, "'%s' is empty", path);
	if (r == 0 && len > max)
		r = pv_fail(
		    e, PV_E_RANGE, "'%s' holds more than %zu bytes", path, max);
	if (r == 0) {
		s->len = len;
		*ret_s = s;
		s = NULL;
	}
	pv_secret_free(s);
	if (!input)
		(void)close(fd);
	return r;
}

static int
read_line(
    int fd, const char *what, struct pv_secret **ret_s, struct pv_error *e)
{
	struct pv_secret *s = NULL;
	size_t len = 0;
	int r;

	if ((r = pv_secret_new(LINE_MAX_BYTES + 1, &s, e)) != 0)
		return r;
	/* Byte by byte: what follows the line belongs to another reader. */
	while (len <= LINE_MAX_BYTES) {
		ssize_t n = read(fd, s->data + len, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = pv_fail_errno(
			    e, PV_E_IO, errno, "reading %s", what);
			goto out;
		}
		if (n == 0 || s->data[len] == '\n')
			break;
		len++;
	}
	if (len > 0 && len <= LINE_MAX_BYTES && s->data[len - 1] == '\r')
		len--;
	if (len == 0 || len > LINE_MAX_BYTES) {
		r = pv_fail(e, PV_E_MALFORMED,
		    len == 0 ? "%s: the first line is empty"
			     : "%s: the first line is too long",
		    what);
		goto out;
	}
	s->len = len;
	*ret_s = s;
	s = NULL;
out:
	pv_secret_free(s);
	return r;
}

int
pv_secret_read_line(
    const char *path, struct pv_secret **ret_s, struct pv_error *e)
{
	int fd = -1, r;

	if ((r = open_secret(path, &fd, e)) != 0)
		return r;
	r = read_line(fd, path, ret_s, e);
	(void)close(fd);
	return r;
}

int
pv_secret_read_line_fd(int fd, struct pv_secret **ret_s, struct pv_error *e)
{
	return read_line(fd, "the given descriptor", ret_s, e);
}
