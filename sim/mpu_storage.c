/* SPDX-License-Identifier: Apache-2.0 */
/* Mass storage behind U-Boot: one file a partition, as it was written. */
#include "sim/mpu.h"

#include "base/file.h"
#include "sim/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PMIC_BYTES 8U

struct pv_sim_storage {
	struct pv_sim *sim;
	uint8_t pmic[PMIC_BYTES];
};

static int
open_part(struct pv_sim_storage *s, uint8_t id, int flags, int *ret_fd)
{
	char path[PV_SIM_PATH], name[32];
	int r;

	(void)snprintf(
	    name, sizeof name, "partition-0x%02x.bin", (unsigned int)id);
	r = pv_path_fit(path, sizeof path, s->sim->dir, name, NULL);
	if (r != 0)
		return r;
	*ret_fd = open(path, flags | O_CLOEXEC, 0644);
	return *ret_fd < 0 ? -1 : 0;
}

static int
do_write(
    void *ctx, uint8_t id, uint64_t offset, const uint8_t *data, size_t len)
{
	struct pv_sim_storage *s = ctx;
	/* A transfer from the start replaces what was there. */
	int flags = O_WRONLY | O_CREAT | (offset == 0 ? O_TRUNC : 0), fd;
	ssize_t n;

	if (s->sim->dark || open_part(s, id, flags, &fd) != 0)
		return -1;
	n = pwrite(fd, data, len, (off_t)offset);
	close(fd);
	return n == (ssize_t)len ? 0 : -1;
}

static int
do_read(void *ctx, uint8_t id, uint64_t offset, uint8_t *data, size_t len)
{
	struct pv_sim_storage *s = ctx;
	ssize_t n;
	int fd;

	memset(data, 0xff, len);
	if (open_part(s, id, O_RDONLY, &fd) != 0)
		return errno == ENOENT ? 0 : -1;
	n = pread(fd, data, len, (off_t)offset);
	close(fd);
	return n < 0 ? -1 : 0;
}

static int
do_erase(void *ctx, uint8_t id)
{
	struct pv_sim_storage *s = ctx;
	int fd;

	if (s->sim->dark || open_part(s, id, O_WRONLY | O_TRUNC, &fd) != 0)
		return errno == ENOENT ? 0 : -1;
	close(fd);
	return 0;
}

static int
do_pmic_burn(void *ctx)
{
	struct pv_sim_storage *s = ctx;
	char path[PV_SIM_PATH];
	int r;

	r = pv_path_fit(path, sizeof path, s->sim->dir, "pmic.bin", NULL);
	if (r == 0)
		r = pv_file_write(path, 0644, s->pmic, PMIC_BYTES, NULL);
	return r;
}

int
pv_sim_storage_new(struct pv_sim *sim, struct pv_sim_storage **ret_s,
    struct pv_mp_storage *ret_ops, struct pv_error *e)
{
	struct pv_sim_storage *s = calloc(1, sizeof *s);
	char path[PV_SIM_PATH];
	int r;

	if (s == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	s->sim = sim;
	r = pv_path_fit(path, sizeof path, sim->dir, "pmic.bin", e);
	if (r == 0 && access(path, F_OK) == 0)
		r = pv_file_read_exact(path, s->pmic, PMIC_BYTES, e);
	if (r != 0) {
		free(s);
		return r;
	}
	*ret_ops = (struct pv_mp_storage){
		.ctx = s,
		.write = do_write,
		.read = do_read,
		.erase = do_erase,
		.pmic = s->pmic,
		.pmic_burn = do_pmic_burn,
	};
	*ret_s = s;
	return 0;
}

void
pv_sim_storage_free(struct pv_sim_storage *s)
{
	free(s);
}
