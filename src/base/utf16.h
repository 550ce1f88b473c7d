/* SPDX-License-Identifier: Apache-2.0 */
/* Strings of USB descriptors. */
#ifndef PV_UTF16_H
#define PV_UTF16_H

#include <stddef.h>
#include <stdint.h>

/*
 * The body of a USB string descriptor (UTF-16, little-endian) as printable
 * ASCII; other characters become '?'. Some clones send one byte for each
 * character: taken as such when no byte pair makes a plain character.
 */
void pv_utf16le_text(char *dst, size_t cap, const uint8_t *data, size_t len);

#endif
