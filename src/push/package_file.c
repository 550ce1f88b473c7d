/* SPDX-License-Identifier: Apache-2.0 */
/* A .sfi package on disk, as the host sees it: structure, no keys. */
#include "push/package_file.h"

#include "base/file.h"
#include "crypto/digest.h"
#include "package/package.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
pv_install_is_package(const char *path)
{
	char magic[8];
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	n = read(fd, magic, sizeof(magic));
	(void)close(fd);
	return n == (ssize_t)sizeof(magic) &&
	       memcmp(magic, PV_SFI_MAGIC, sizeof(magic)) == 0;
}

/* A P area ends a part, and R at the same address begins the next. */
static int
check_marks(const struct pv_sfi_area *before, const struct pv_sfi_area *a,
    struct pv_error *e)
{
	bool after_pause = before != NULL && before->type == 'P';

	if (a->type == 'P' && a->index == a->total)
		return pv_fail(e, PV_E_MALFORMED,
		    "area %u pauses the install, and nothing follows it",
		    a->index);
	if (after_pause != (a->type == 'R'))
		return pv_fail(e, PV_E_MALFORMED,
		    "area %u has type '%c': R follows P, and nothing else does",
		    a->index, a->type);
	if (after_pause && a->address != before->address)
		return pv_fail(e, PV_E_MALFORMED,
		    "area %u resumes at 0x%08x, area %u paused at 0x%08x",
		    a->index, (unsigned)a->address, before->index,
		    (unsigned)before->address);
	return 0;
}

/* What a device would refuse whatever chip it is. */
static int
check_area(const struct pv_sfi_area *before, const struct pv_sfi_area *a,
    struct pv_error *e)
{
	uint32_t least = a->type == 'M'	  ? INSTALL_MODULE_HEAD + 1
			 : a->type == 'E' ? INSTALL_EXTERNAL_HEAD + 1
					  : 1;

	if (a->type == '\0' || strchr("FCMEKPR", a->type) == NULL)
		return pv_fail(e, PV_E_MALFORMED,
		    "area %u has type '%c', which no chip is known to take",
		    a->index, a->type);
	if (before != NULL && before->type == 'C')
		return pv_fail(e, PV_E_MALFORMED,
		    "area %u follows the C area, which must be last", a->index);
	if (a->type != 'P' && a->type != 'R' && a->size == 0)
		return pv_fail(e, PV_E_MALFORMED, "area %u is empty", a->index);
	if (a->type != 'P' && a->type != 'R' && a->size < least)
		return pv_fail(e, PV_E_MALFORMED,
		    "area %u of type '%c' has %u bytes, at least %u", a->index,
		    a->type, (unsigned)a->size, (unsigned)least);
	if (a->type == 'K' && a->size % 8 != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "area %u has %u bytes, which are no pairs of size and "
		    "address",
		    a->index, (unsigned)a->size);
	return check_marks(before, a, e);
}

static int
take_area(void *ctx, const struct pv_sfi_area *a, uint64_t payload_off,
    struct pv_error *e)
{
	struct pv_install_file *f = ctx;
	struct install_area *grown;
	int r = check_area(
	    f->n_areas > 0 ? &f->areas[f->n_areas - 1].area : NULL, a, e);

	if (r != 0)
		return r;
	if (f->n_areas == f->cap_areas) {
		f->cap_areas = f->cap_areas * 2 + 16;
		grown = realloc(f->areas, f->cap_areas * sizeof(*f->areas));
		if (grown == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		f->areas = grown;
	}
	f->areas[f->n_areas].area = *a;
	f->areas[f->n_areas].offset = payload_off;
	f->n_areas++;
	f->size += a->size;
	return 0;
}

int
pv_install_open(
    const char *path, struct pv_install_file **ret_f, struct pv_error *e)
{
	struct pv_install_file *f;
	struct pv_sfi_header h;
	int r;

	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	f->fd = -1;
	f->path = strdup(path);
	if (f->path == NULL) {
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (f->fd < 0) {
		r = pv_fail_errno(e, errno == ENOENT ? PV_E_NOT_FOUND : PV_E_IO,
		    errno, "cannot open '%s'", path);
		goto out;
	}
	r = pv_sfi_walk(f->fd, path, &h, take_area, f, e);
	if (r == PV_E_MALFORMED || r == PV_E_UNSUPPORTED) {
		/* Not what was packed: that is what a tag would say too. */
		if (e != NULL)
			e->code = PV_E_VERIFY;
		r = PV_E_VERIFY;
		(void)pv_hint(
		    e, "the package is damaged or incomplete: copy it again");
	}
	if (r != 0)
		goto out;
	r = pv_pread_exact(f->fd, path, f->header, sizeof(f->header), 0, e);
	if (r == 0) {
		*ret_f = f;
		f = NULL;
	}
out:
	pv_install_close(f);
	return r;
}

void
pv_install_close(struct pv_install_file *f)
{
	if (f == NULL)
		return;
	if (f->fd >= 0)
		(void)close(f->fd);
	free(f->path);
	free(f->areas);
	free(f);
}

size_t
pv_install_areas(const struct pv_install_file *f)
{
	return f->n_areas;
}

void
pv_install_area(
    const struct pv_install_file *f, size_t i, struct pv_install_area *ret_area)
{
	const struct pv_sfi_area *a = &f->areas[i].area;

	*ret_area = (struct pv_install_area){
		.type = (char)a->type, .address = a->address, .size = a->size
	};
}

uint64_t
pv_install_size(const struct pv_install_file *f)
{
	return f->size;
}

int
pv_install_digest(const struct pv_install_file *f, uint8_t ret_digest[32],
    uint64_t *ret_size, struct pv_error *e)
{
	return pv_package_hash_fd(f->fd, f->path, ret_digest, ret_size, e);
}

int
pv_install_chain(struct pv_install_file *f, unsigned n, uint8_t ret_chain[32],
    struct pv_error *e)
{
	uint8_t chain[32], head[PV_SFI_AREA];
	struct pv_part first = { f->header, sizeof(f->header) };
	struct pv_part both[2] = { { chain, sizeof(chain) },
		{ head, sizeof(head) } };
	unsigned i;
	int r;

	r = pv_sha256(&first, 1, chain, e);
	for (i = 0; r == 0 && i < n; i++) {
		pv_sfi_area_encode(&f->areas[i].area, head);
		r = pv_sha256(both, 2, chain, e);
	}
	if (r == 0)
		memcpy(ret_chain, chain, sizeof(chain));
	return r;
}

int
pv_install_read(struct pv_install_file *f, uint64_t off, uint8_t *data,
    size_t len, struct pv_error *e)
{
	int r;

	r = pv_pread_exact(f->fd, f->path, data, len, off, e);
	if (r == PV_E_MALFORMED && e != NULL)
		e->code = PV_E_VERIFY;
	return r == PV_E_MALFORMED ? PV_E_VERIFY : r;
}
