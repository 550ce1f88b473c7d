/* SPDX-License-Identifier: Apache-2.0 */
/* An opened .sfi package from inside: package_file.c and install.c. */
#ifndef PV_PUSH_PACKAGE_FILE_H
#define PV_PUSH_PACKAGE_FILE_H

#include "formats/sfi.h"
#include <provisor/push.h>

struct install_area {
	struct pv_sfi_area area;
	uint64_t offset; /* of the payload in the file */
};

struct pv_install_file {
	int fd;
	char *path;
	uint8_t header[PV_SFI_HEADER];
	uint64_t size; /* payload bytes of all areas */
	size_t n_areas, cap_areas;
	struct install_area *areas;
};

#define INSTALL_MODULE_HEAD   48U /* of the payload of an M area */
#define INSTALL_EXTERNAL_HEAD 12U /* of an E area */
#define INSTALL_TOKEN	      32U /* of flash, at the address of P and R */

/* fit.c: is the package for such a chip? */
PV_MUST_USE int pv_install_fit(const struct pv_install_file *f,
    const struct pv_install_chip *chip, const struct pv_chip *layout,
    struct pv_error *e);

/* The chain over its header and the first n areas, secure-install.md. */
PV_MUST_USE int pv_install_chain(struct pv_install_file *f, unsigned n,
    uint8_t ret_chain[32], struct pv_error *e);

/* Payload bytes; a file that shrank meanwhile is PV_E_VERIFY. */
PV_MUST_USE int pv_install_read(struct pv_install_file *f, uint64_t off,
    uint8_t *data, size_t len, struct pv_error *e);

#endif
