/* SPDX-License-Identifier: Apache-2.0 */
/* The .obk file of OB keys (STM32H5, STM32H7RS), as in obk.md. */
#ifndef PV_OBK_H
#define PV_OBK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_OBK_HEADER 44U    /* bytes before the data */
#define PV_OBK_MAX    65536U /* bytes of a file, our limit */

struct pv_obk {
	uint32_t address;
	uint32_t length; /* of hash and data */
	bool encrypt;
	uint8_t hash[32];
	const uint8_t *data; /* borrowed */
	size_t data_len;     /* length - 32 */
};

/* Do these bytes look like the start of an .obk of `file_size` bytes? */
bool pv_obk_detect(const uint8_t *data, size_t len, uint64_t file_size);
/* The hash is not compared: see obk.md for the file where it differs. */
PV_MUST_USE int pv_obk_decode(
    const uint8_t *data, size_t len, struct pv_obk *ret_o, struct pv_error *e);
/* 44 + data_len bytes; *len is the room, then the length. */
PV_MUST_USE int pv_obk_encode(
    const struct pv_obk *o, uint8_t *dst, size_t *len, struct pv_error *e);
/* What the address is known for, or NULL. */
const char *pv_obk_place(uint32_t address);

#endif
