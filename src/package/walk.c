/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/sfi.h"

#include "base/file.h"
#include "formats/smi.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int
pv_sfi_walk(int fd, const char *path, struct pv_sfi_header *ret_h,
    pv_sfi_each_fn each, void *ctx, struct pv_error *e)
{
	uint8_t raw[PV_SFI_AREA];
	struct pv_sfi_header h;
	struct pv_sfi_area a;
	struct stat st;
	uint64_t at = PV_SFI_HEADER, end;
	int r;

	if (fstat(fd, &st) != 0)
		return pv_fail_errno(e, PV_E_IO, errno, "reading '%s'", path);
	if (!S_ISREG(st.st_mode))
		return pv_fail(
		    e, PV_E_MALFORMED, "'%s' is not a regular file", path);
	end = (uint64_t)st.st_size;
	if (end < PV_SFI_HEADER)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s': %llu bytes, too short for an SFI package", path,
		    (unsigned long long)end);
	r = pv_pread_exact(fd, path, raw, PV_SFI_HEADER, 0, e);
	if (r != 0)
		return r;
	if (pv_sfi_header_decode(raw, &h, e) != 0)
		return pv_wrap(e, "'%s'", path);
	*ret_h = h;

	for (unsigned int i = 1; i <= h.n_areas; i++) {
		if (end - at < PV_SFI_AREA)
			return pv_fail(e, PV_E_MALFORMED,
			    "'%s': ends inside the header of area %u of %u",
			    path, i, (unsigned int)h.n_areas);
		r = pv_pread_exact(fd, path, raw, PV_SFI_AREA, at, e);
		if (r != 0)
			return r;
		at += PV_SFI_AREA;
		pv_sfi_area_decode(raw, &a);
		if (pv_sfi_area_validate(&h, &a, (uint16_t)i, end - at, e) != 0)
			return pv_wrap(e, "'%s'", path);
		if (each != NULL) {
			r = each(ctx, &a, at, e);
			if (r != 0)
				return r;
		}
		at += a.size;
	}
	if (at != end)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s': %llu bytes after the last area", path,
		    (unsigned long long)(end - at));
	return 0;
}

int
pv_smi_read(const char *path, struct pv_smi *ret_m, struct pv_error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	uint8_t raw[PV_SMI_HEADER];
	struct stat st;
	int r;

	if (fd < 0)
		return pv_fail_errno(e,
		    errno == ENOENT ? PV_E_NOT_FOUND : PV_E_IO, errno,
		    "opening '%s'", path);
	if (fstat(fd, &st) != 0)
		r = pv_fail_errno(e, PV_E_IO, errno, "reading '%s'", path);
	else if (!S_ISREG(st.st_mode) || st.st_size < (off_t)PV_SMI_HEADER)
		r = pv_fail(e, PV_E_MALFORMED,
		    "'%s' is too short for an SMI module", path);
	else
		r = pv_pread_exact(fd, path, raw, sizeof(raw), 0, e);
	if (r == 0 &&
	    (r = pv_smi_decode(raw, (uint64_t)st.st_size, ret_m, e)) != 0)
		(void)pv_wrap(e, "'%s'", path);
	(void)close(fd);
	return r;
}
