/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions of OB keys, XML and JSON: a spec within its limits, or a reason. */
#include "image/obk.h"

#include <provisor/secret.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
no_key(void *ctx, const char *key, uint8_t *ret, struct pv_error *e)
{
	(void)ctx;
	(void)ret;
	return pv_fail(e, PV_E_NOT_FOUND, "'%s'", key);
}

/* Numbers, passwords and permissions; files are not touched. */
static void
build(const struct pv_obk_spec *s)
{
	struct pv_obk_keys keys = { NULL, no_key, no_key };
	struct pv_secret *file = NULL;
	struct pv_error e;

	for (size_t i = 0; i < s->n; i++)
		if (s->field[i].path != NULL)
			return;
	if (pv_obk_build(s, &keys, &file, NULL, &e) == 0 && file == NULL)
		abort();
	pv_secret_free(file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = (int)syscall(SYS_memfd_create, "fuzz", 0);
	struct pv_obk_spec s = { 0 };
	struct pv_error e = { 0 };
	char path[64];
	bool json = size > 0 && data[0] == '{';
	int r;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = json ? pv_obk_spec_from_json(path, &s, &e)
		 : pv_obk_spec_from_xml(path, &s, &e);
	if (r == 0) {
		if (s.n == 0 || s.n > PV_OBK_FIELDS)
			abort();
		build(&s);
		pv_obk_spec_release(&s);
	} else if (e.code != r || e.msg[0] == '\0') {
		abort();
	}
	(void)close(fd);
	return 0;
}
