/* SPDX-License-Identifier: Apache-2.0 */
/* The .smi module file, byte by byte as in sfi.md, "Module file". */
#ifndef PV_SMI_H
#define PV_SMI_H

#include <stdint.h>

#include <provisor/err.h>

#define PV_SMI_MAGIC  "SMIMAGIC"
#define PV_SMI_HEADER 48U
#define PV_SMI_BLOCK  16U

struct pv_smi {
	uint32_t address; /* destination */
	uint32_t size;	  /* bytes of ciphertext after the header */
	uint8_t tag[PV_SMI_BLOCK];
	uint8_t security_version[PV_SMI_BLOCK];
};

/* `file_size` bytes in all; PV_E_MALFORMED unless header and size agree. */
PV_MUST_USE int pv_smi_decode(const uint8_t data[PV_SMI_HEADER],
    uint64_t file_size, struct pv_smi *ret_m, struct pv_error *e);
void pv_smi_encode(const struct pv_smi *m, uint8_t ret_data[PV_SMI_HEADER]);

/* The header of a file; does I/O, so it lives in src/package/walk.c. */
PV_MUST_USE int pv_smi_read(
    const char *path, struct pv_smi *ret_m, struct pv_error *e);

#endif
