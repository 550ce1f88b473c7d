/* SPDX-License-Identifier: Apache-2.0 */
/* Inside device/ only: what the parts of the virtual STM32MP share. */
#ifndef PV_DEVICE_MPU_STAGE_H
#define PV_DEVICE_MPU_STAGE_H

#include "device/mpu.h"

/* --- mpu.c ------------------------------------------------------------------ */

/* The code of that stage begins to run. */
void pv_mp_enter(struct pv_mp *m, enum pv_mp_stage stage);
void pv_mp_note(struct pv_mp *m, const char *text, uint32_t value);
/* A transfer begins: `phase` is asked for, at `base`, of at most `room`. */
void pv_mp_ask(struct pv_mp *m, uint8_t phase, uint32_t base, uint32_t room);
/* Phase 0xFF with this text (cut at PV_MP_TEXT - 1), the first error wins. */
void pv_mp_error(struct pv_mp *m, const char *text);

/* Append to an error text; what does not fit is cut. */
void pv_mp_text(char text[PV_MP_TEXT], const char *more);
void pv_mp_text_number(char text[PV_MP_TEXT], uint32_t v, uint32_t base);

/* --- mpu_image.c ------------------------------------------------------------- */

struct pv_mp_image {
	uint32_t header_len, length, version;
	bool has_signature;
	uint32_t algorithm;
	const uint8_t *key;	  /* 64 bytes, of has_signature */
	const uint8_t *signature; /* 64 bytes */
	const uint8_t *table;	  /* 32 bytes a key, header 2 */
	uint32_t key_index, n_keys;
};
/* Of an STM32 image; NULL, or why the ROM refuses it. */
const char *pv_mp_image_parse(const uint8_t *p, size_t len, unsigned int major,
    struct pv_mp_image *ret_image);
/* SHA-256 of its key (header 1) or of the table (2), as OTP 24..31 has it. */
int pv_mp_image_key_hash(
    const struct pv_mp *m, const struct pv_mp_image *im, uint8_t hash[32]);
/* Is it signed by the key it carries? */
bool pv_mp_image_verified(
    const struct pv_mp *m, const uint8_t *p, const struct pv_mp_image *im);
/* What runs when this code is started; it may say how that behaves. */
enum pv_mp_stage pv_mp_image_stage(
    struct pv_mp *m, const uint8_t *p, size_t len);

/* --- mpu_rom.c, mpu_rom_ssp.c --------------------------------------------------- */

void pv_mp_rom_enter(struct pv_mp *m);
/* What has come is started. False: refused, m->stage says what now. */
bool pv_mp_rom_start(struct pv_mp *m);
/* At a reset, what the mailbox asks of the ROM. */
void pv_mp_rom_mailbox(struct pv_mp *m);

/* ssp_cmd of the mailbox: ASCII, first letter lowest. Others: nothing. */
#define PV_MP_PUBK 0x4b425550U /* compute the chip's key */
#define PV_MP_PUBA 0x41425550U
#define PV_MP_PROV 0x564f5250U /* open license and payload */
#define PV_MP_PROA 0x414f5250U

/* --- mpu_tfa.c, mpu_tfa_ssp.c ---------------------------------------------------- */

void pv_mp_tfa_enter(struct pv_mp *m);
/* End of the FIP; false: its header is bad. */
bool pv_mp_tfa_fip(struct pv_mp *m);
/* What is in the FIP begins to run. */
void pv_mp_tfa_start(struct pv_mp *m);
void pv_mp_ssp_enter(struct pv_mp *m);
/* The host has fetched phase 0xFF, or detached: on to the next boot. */
void pv_mp_ssp_finish(struct pv_mp *m);
/* License and payload, bytes. */
uint32_t pv_mp_blob_size(const struct pv_mp *m);
/* Where TF-A keeps blob and certificate; differs from build to build. */
#define PV_MP_BLOB_ADDR 0x2ffff000U
#define PV_MP_CERT_ADDR 0x2ffe9d18U
/* Check, burn, lock: boot 3. Nonzero: not finished. */
int pv_mp_ssp_burn(struct pv_mp *m);
int pv_mp_ssp_certificate(struct pv_mp *m, uint8_t cert[PV_MP_CERT]);

/* --- mpu_uboot.c, mpu_layout.c, mpu_otp.c --------------------------------------- */

void pv_mp_uboot_enter(struct pv_mp *m);
/* Bytes of the current phase; nonzero: refused. */
int pv_mp_uboot_write(struct pv_mp *m, const uint8_t *data, size_t len);
/* The transfer of the current phase is complete; nonzero: refused. */
int pv_mp_uboot_flush(struct pv_mp *m);
/* The host detached, or goes on over UART, after the layout. */
void pv_mp_uboot_devices(struct pv_mp *m);
/* Nonzero: refused. *ret_len: bytes before the end of the partition. */
int pv_mp_uboot_read(struct pv_mp *m, uint8_t id, uint64_t offset,
    uint8_t *data, size_t len, size_t *ret_len);
/* NULL: the layout has no such partition that is stored anywhere. */
const struct pv_mp_part *pv_mp_uboot_part(const struct pv_mp *m, uint8_t id);
/* Fills m->uboot.parts; nonzero: phase 0xFF, its text says why. */
int pv_mp_layout_parse(struct pv_mp *m, const uint8_t *p, size_t len);
/* Rules that hold over all lines; sets the sizes. */
int pv_mp_layout_check(struct pv_mp *m);

/* Bytes of the structure. */
uint32_t pv_mp_otp_size(const struct pv_mp *m);
int pv_mp_otp_write(
    struct pv_mp *m, uint32_t offset, const uint8_t *data, size_t len);
int pv_mp_otp_read(struct pv_mp *m, uint32_t offset, uint8_t *data, size_t len,
    size_t *ret_len);
/* Burn the structure that was received. */
int pv_mp_otp_start(struct pv_mp *m);

/* U-Boot gives the bytes of a packet this long. */
#define PV_MP_UBOOT_PACKET_US 30000U

/* --- UART frames: mpu_uart.c and one file a stage -------------------------------- */

void pv_mp_expect(struct pv_mp *m, size_t n, void (*step)(struct pv_mp *m));
void pv_mp_expect_total(
    struct pv_mp *m, size_t total, void (*step)(struct pv_mp *m));
void pv_mp_emit(struct pv_mp *m, const uint8_t *data, size_t len);
void pv_mp_emit_byte(struct pv_mp *m, uint8_t v);
/* TF-A and U-Boot empty their receiver before these; the ROM has no FIFO. */
bool pv_mp_ack(struct pv_mp *m); /* false: a fault made it an end */
void pv_mp_ack_done(struct pv_mp *m);
void pv_mp_nack_done(struct pv_mp *m);
void pv_mp_abort_done(struct pv_mp *m);
/* Wait, which lets the rest of a frame come in, then NACK. */
void pv_mp_nack_late(struct pv_mp *m, uint32_t us);
/* To the next command, nothing is said. */
void pv_mp_uart_idle(struct pv_mp *m);
/* A firmware takes the line: an unsolicited NACK. */
void pv_mp_uart_take_over(struct pv_mp *m);
/* XOR over a frame and its checksum byte is 0. */
bool pv_mp_xor_ok(const uint8_t *p, size_t len);

/* Answers of Get phase; `info` of n bytes. */
void pv_mp_emit_phase(struct pv_mp *m, uint8_t phase, uint32_t address,
    const uint8_t *info, size_t n);

/* A command whose pair was acknowledged. */
void pv_mp_rom_command(struct pv_mp *m);
void pv_mp_tfa_command(struct pv_mp *m);
void pv_mp_uboot_command(struct pv_mp *m);

#endif
