/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The STM32MP session on a serial line from inside: what mpu_uart.c,
 * mpu_uart_frames.c and mpu_uart_data.c share. M1 to M8 are the requirements
 * of formats/mpu-boot.md.
 */
#ifndef PV_BOOT_MPU_UART_H
#define PV_BOOT_MPU_UART_H

#include "boot/mpu.h"
#include "boot/usart.h"

#define ABORT 0x5fU /* cannot recover */

enum mu_op {
	MU_GET = 0x00,
	MU_GET_VERSION = 0x01,
	MU_GET_ID = 0x02,
	MU_GET_PHASE = 0x03,
	MU_READ_PARTITION = 0x12,
	MU_START = 0x21,
	MU_DOWNLOAD = 0x31,
};

#define MU_TRIES   4U	 /* of one frame, the first included (M3) */
#define MU_PACKET  256U	 /* most data bytes of one frame */
#define MU_CERT	   136U	 /* bytes */
#define MU_CERT_N  0x88U /* M8 */
#define T_MU_GAP   50	 /* ms; between the bytes of one answer */
#define T_MU_EARLY 5	 /* ms; a refusal right behind an ACK (M5) */
#define T_MU_WORK  20000 /* ms; U-Boot erases and writes before an ACK */
#define T_MU_BURN  60000 /* ms; Start of OTP or of a large partition */

struct mu {
	struct pv_usart u; /* frames, steps and messages */
	struct pv_mpu_info info;
	struct pv_mpu_counters counters;
	enum pv_mpu_stage stage;
	bool aborted; /* M7 */
	/* Phase 0xff is told once: it was heard while waiting. */
	bool heard;
	struct pv_mpu_phase last;
};

/* --- mpu_uart_frames.c ------------------------------------------------------ */

int pv_mu_send(
    struct mu *m, const uint8_t *data, size_t len, struct pv_error *e);
int pv_mu_recv(struct mu *m, const char *what, uint8_t *data, size_t len,
    int timeout_ms, struct pv_error *e);
/*
 * Wait for ACK. PV_E_NACK, PV_E_TIMEOUT; PV_E_DEVICE when it aborts (and
 * m->aborted) or any other byte.
 */
int pv_mu_ack(
    struct mu *m, const char *what, int timeout_ms, struct pv_error *e);
/* Opcode pair and ACK; again after take-over or left-over bytes (M3). */
int pv_mu_command(struct mu *m, enum mu_op op, struct pv_error *e);
/* Five bytes: a big-endian word and its checksum, and the ACK. */
int pv_mu_word(struct mu *m, const char *what, uint32_t word, int timeout_ms,
    struct pv_error *e);
/* Does a NACK or abort come right now? M5. */
int pv_mu_early(struct mu *m, int wait_ms, struct pv_error *e);
/* May this be tried again? Counts it and lets the line fall quiet. */
bool pv_mu_again(
    struct mu *m, int code, unsigned int attempt, const struct pv_error *why);
/*
 * Bring a stage without time-outs of its own (the ROM) out of the middle of a
 * frame: 0x7F until it answers.
 */
int pv_mu_fill(struct mu *m, struct pv_error *e);

/* --- mpu_uart_data.c -------------------------------------------------------- */

int pv_mu_download(void *ctx, uint8_t id, const struct pv_mpu_source *src,
    const char *step, struct pv_error *e);
int pv_mu_read(void *ctx, uint8_t id, uint8_t *data, size_t cap,
    size_t *ret_len, struct pv_error *e);
int pv_mu_start(
    struct mu *m, uint32_t address, int timeout_ms, struct pv_error *e);

#endif
