/* SPDX-License-Identifier: Apache-2.0 */
/* Inside device/ only: how the commands of the bootloader are put together. */
#ifndef PV_DEVICE_AN3155_STEPS_H
#define PV_DEVICE_AN3155_STEPS_H

#include "device/an3155.h"

/* Collect n bytes from the start of the buffer, then go on with `step`. */
void pv_an_expect(struct pv_an *m, size_t n, void (*step)(struct pv_an *));
/* Keep what was collected and go on when `total` bytes are there. */
void pv_an_expect_total(
    struct pv_an *m, size_t total, void (*step)(struct pv_an *));
void pv_an_emit(struct pv_an *m, const uint8_t *data, size_t len);
void pv_an_emit_byte(struct pv_an *m, uint8_t v);
void pv_an_ack(struct pv_an *m);
/* The command ends here. */
void pv_an_done(struct pv_an *m, enum pv_an_end end);
void pv_an_ack_done(struct pv_an *m);
void pv_an_nack_done(struct pv_an *m);
void pv_an_restart(struct pv_an *m);
/* XOR over a frame and its checksum byte is 0. AN3155 section 3. */
bool pv_an_checksum_ok(const uint8_t *p, size_t len);
enum pv_region pv_an_region(const struct pv_an *m, uint32_t addr, uint32_t len);

/* First steps after the opcode, with the bytes they need. */
void pv_an_read_address(struct pv_an *m);    /* 5 */
void pv_an_go_address(struct pv_an *m);	     /* 5 */
void pv_an_write_address(struct pv_an *m);   /* 5 */
void pv_an_erase_count(struct pv_an *m);     /* 1 */
void pv_an_ext_erase_count(struct pv_an *m); /* 2 */
void pv_an_crc_address(struct pv_an *m);     /* 5 */

#endif
