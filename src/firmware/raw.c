/* SPDX-License-Identifier: Apache-2.0 */
/* A raw file: its bytes are the memory at one address. Stays on disk. */
#include "firmware/readers.h"

int
pv_fw_read_raw(const struct pv_fw_file *f, uint64_t addr, struct pv_fw_batch *b,
    struct pv_error *e)
{
	struct pv_fw_segment seg = { 0 };

	seg.addr = addr;
	seg.size = f->size;
	seg.fd = f->fd;
	return pv_fw_batch_add(b, &seg, e, "%s", f->name);
}
