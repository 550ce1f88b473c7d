/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of a package, walked as from a file. */
#include "formats/sfi.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	const uint8_t *data;
	size_t size;
	uint64_t end;
};

/* What was accepted encodes to the same bytes and lies inside the file. */
static int
check_area(
    void *ctx, const struct pv_sfi_area *a, uint64_t at, struct pv_error *e)
{
	struct seen *s = ctx;
	uint8_t back[PV_SFI_AREA];

	(void)e;
	if (at != s->end + PV_SFI_AREA || at + a->size > s->size)
		abort();
	pv_sfi_area_encode(a, back);
	if (memcmp(back, s->data + at - PV_SFI_AREA, sizeof(back)) != 0)
		abort();
	s->end = at + a->size;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen s = { data, size, PV_SFI_HEADER };
	struct pv_sfi_header h;
	struct pv_error e = { 0 };
	int fd = (int)syscall(SYS_memfd_create, "sfi", 0), r;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	r = pv_sfi_walk(fd, "input", &h, check_area, &s, &e);
	(void)close(fd);
	if (r == 0 && s.end != size)
		abort();
	if (r != 0 && (pv_exit_code(r) != 3 || e.msg[0] == '\0'))
		abort();
	return 0;
}
