/* SPDX-License-Identifier: Apache-2.0 */
/* Opening firmware files, and telling their kinds apart by content. */
#include "firmware/readers.h"

#include "base/file.h"
#include "formats/dfuse.h"
#include "formats/uf2.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
pv_fw_open(const char *path, struct pv_fw_file *ret_f, struct pv_error *e)
{
	struct stat st;
	int fd, rc;

	/* Non-blocking, so that a named pipe is refused instead of waited on */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		rc = errno == ENOENT ? PV_E_NOT_FOUND : PV_E_IO;
		return pv_fail_errno(e, rc, errno, "opening '%s'", path);
	}
	if (fstat(fd, &st) != 0) {
		rc = pv_fail_errno(e, PV_E_IO, errno, "reading '%s'", path);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		rc = pv_fail(e, PV_E_MALFORMED,
		    "'%s' is not a regular file; firmware is read in place",
		    path);
		goto out;
	}
	ret_f->name = path;
	ret_f->fd = fd;
	ret_f->size = (uint64_t)st.st_size;
	return 0;
out:
	(void)close(fd);
	return rc;
}

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/*
 * The first bytes of a record file are the mark, for S-records the type, and
 * the two digits of the count. No more is asked, so that a file damaged
 * further on is reported as such and not taken for a raw image.
 */
int
pv_fw_detect(const struct pv_fw_file *f, enum pv_firmware_kind *ret_kind,
    struct pv_error *e)
{
	char head[64];
	size_t len = sizeof(head), i = 0;
	int rc;

	if (f->size == 0)
		return pv_fail(e, PV_E_MALFORMED, "'%s' is empty", f->name);
	if (f->size < len)
		len = (size_t)f->size;
	if ((rc = pv_pread_exact(f->fd, f->name, head, len, 0, e)) != 0)
		return rc;

	*ret_kind = PV_FIRMWARE_RAW;
	if (len >= 4 && memcmp(head, "\177ELF", 4) == 0) {
		*ret_kind = PV_FIRMWARE_ELF;
		return 0;
	}
	if (pv_dfuse_detect(head, len)) {
		*ret_kind = PV_FIRMWARE_DFUSE;
		return 0;
	}
	if (pv_uf2_detect(head, len)) {
		*ret_kind = PV_FIRMWARE_UF2;
		return 0;
	}
	while (i < len && (head[i] == '\r' || head[i] == '\n'))
		i++;
	if (len - i >= 3 && head[i] == ':' && is_hex(head[i + 1]) &&
	    is_hex(head[i + 2]))
		*ret_kind = PV_FIRMWARE_IHEX;
	else if (len - i >= 4 && head[i] == 'S' && head[i + 1] >= '0' &&
		 head[i + 1] <= '9' && is_hex(head[i + 2]) &&
		 is_hex(head[i + 3]))
		*ret_kind = PV_FIRMWARE_SREC;
	return 0;
}

int
pv_firmware_detect(
    const char *path, enum pv_firmware_kind *ret_kind, struct pv_error *e)
{
	struct pv_fw_file f;
	int rc;

	if ((rc = pv_fw_open(path, &f, e)) != 0)
		return rc;
	rc = pv_fw_detect(&f, ret_kind, e);
	(void)close(f.fd);
	return rc;
}

const char *
pv_firmware_kind_name(enum pv_firmware_kind kind)
{
	switch (kind) {
	case PV_FIRMWARE_RAW:
		return "raw";
	case PV_FIRMWARE_ELF:
		return "ELF";
	case PV_FIRMWARE_IHEX:
		return "Intel HEX";
	case PV_FIRMWARE_SREC:
		return "S-record";
	case PV_FIRMWARE_DFUSE:
		return "DfuSe";
	case PV_FIRMWARE_UF2:
		return "UF2";
	}
	return "unknown";
}
