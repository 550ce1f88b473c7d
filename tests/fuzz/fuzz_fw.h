/* SPDX-License-Identifier: Apache-2.0 */
/* A firmware reader on bytes of a fuzzer, through a file in memory. */
#ifndef PV_FUZZ_FW_H
#define PV_FUZZ_FW_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "firmware/readers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
fuzz_reader(const uint8_t *data, size_t size,
    int (*read_fn)(
	const struct pv_fw_file *f, struct pv_fw_batch *b, struct pv_error *e))
{
	struct pv_fw_file f = { .name = "fuzz", .size = size };
	struct pv_fw_batch b = { 0 };
	enum pv_firmware_kind kind;
	struct pv_error e = { 0 };
	int rc;

	f.fd = (int)syscall(SYS_memfd_create, "fuzz", 0);
	if (f.fd < 0 || write(f.fd, data, size) != (ssize_t)size)
		abort();
	if (pv_fw_detect(&f, &kind, &e) != 0 && size != 0)
		abort();
	rc = read_fn(&f, &b, &e);
	/* Success gives bytes, inside 32 bits; failure gives a reason. */
	if (rc == 0 ? b.n == 0 : e.code != rc || e.msg[0] == '\0')
		abort();
	for (size_t i = 0; rc == 0 && i < b.n; i++) {
		const struct pv_fw_segment *s = &b.v[i];

		if (s->size == 0 || s->addr >= PV_ADDR_END ||
		    s->size > PV_ADDR_END - s->addr)
			abort();
		if (s->data == NULL && s->store == NULL &&
		    (s->size > size || s->off > size - s->size))
			abort();
	}
	pv_fw_batch_release(&b);
	(void)close(f.fd);
	return 0;
}

#endif
