/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DfuSe files as firmware: the elements of all targets. The file is read once
 * to check its CRC; the data stays on disk.
 */
#include "firmware/readers.h"

#include "base/file.h"
#include "base/log.h"
#include "formats/dfuse.h"

#include <stdlib.h>

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

int
pv_fw_read_dfuse(
    const struct pv_fw_file *f, struct pv_fw_batch *b, struct pv_error *e)
{
	struct pv_dfuse d = { 0 };
	uint8_t *data;
	int rc;

	if (f->size > PV_DFUSE_MAX)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' has %llu bytes, more than the %u a DfuSe file may "
		    "have",
		    f->name, (unsigned long long)f->size, PV_DFUSE_MAX);
	data = malloc((size_t)f->size + 1);
	if (data == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	rc = pv_pread_exact(f->fd, f->name, data, (size_t)f->size, 0, e);
	if (rc != 0)
		goto out;
	rc = pv_dfuse_decode(data, (size_t)f->size, &d, e);
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
	free(data);
	return rc;
}
