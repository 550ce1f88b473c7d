/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DfuSe files as firmware: the elements of all targets. The file is read once
 * to check its CRC; the data stays on disk.
 */
#include "firmware/readers.h"

#include "base/file.h"
#include "base/log.h"
#include "formats/dfuse.h"

static int
add_elements(const struct pv_fw_file *f, const struct pv_dfuse *d,
    struct pv_fw_batch *b, struct pv_error *e)
{
	int rc;

	for (size_t t = 0; t < d->n_targets; t++) {
		const struct pv_dfuse_target *target = &d->targets[t];

		for (size_t i = 0; i < target->count; i++) {
			const struct pv_dfuse_element *el =
			    &d->elements[target->first + i];
			struct pv_fw_segment seg = { 0 };

			if (el->size == 0)
				continue;
			seg.addr = el->addr;
			seg.size = el->size;
			seg.fd = f->fd;
			seg.off = el->offset;
			rc = pv_fw_batch_add(b, &seg, e,
			    "%s target %zu element %zu", f->name, t + 1, i + 1);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

static int
read_file(void *ctx, uint64_t off, void *dst, size_t n, struct pv_error *e)
{
	const struct pv_fw_file *const *f = ctx;

	return pv_pread_exact((*f)->fd, (*f)->name, dst, n, off, e);
}

int
pv_fw_read_dfuse(
    const struct pv_fw_file *f, struct pv_fw_batch *b, struct pv_error *e)
{
	struct pv_dfuse_source src = { read_file, &f, f->size };
	struct pv_dfuse d = { 0 };
	int rc;

	rc = pv_dfuse_decode_source(&src, &d, e);
	if (rc == 0)
		rc = pv_dfuse_validate(&d, e);
	if (rc != 0) {
		rc = pv_wrap(e, "'%s'", f->name);
		goto out;
	}
	if (d.size_wrong)
		pv_log(PV_LOG_WARN,
		    "'%s': its prefix gives an image size of %u bytes, it has "
		    "%llu; taken as it is",
		    f->name, d.size_field,
		    (unsigned long long)f->size - PV_DFUSE_SUFFIX);
	rc = add_elements(f, &d, b, e);
out:
	pv_dfuse_release(&d);
	return rc;
}
