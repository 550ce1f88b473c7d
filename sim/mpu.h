/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside sim/ and cmd/: the virtual STM32MP around device/mpu.h. Its folder
 * has, besides certificate.bin, chip.key and state.json:
 *
 *   otp.bin             96 pairs of u32le: value, and state bits as those of
 *                       OTP structure 2 (PV_SIM_OTP_LOCKED and so on)
 *   partition-0xID.bin  what U-Boot wrote to that partition, from its start
 *   pmic.bin            8 bytes, once they were written
 */
#ifndef PV_SIM_MPU_H
#define PV_SIM_MPU_H

#include "device/mpu.h"
#include "sim/sim.h"

#define PV_SIM_OTP_BYTES ((size_t)8 * PV_MP_OTP_WORDS)

/* State bits of an OTP word. */
#define PV_SIM_OTP_LOCKED	(1U << 30) /* for good */
#define PV_SIM_OTP_READ_LOCK	(1U << 29) /* shadow registers, */
#define PV_SIM_OTP_WRITE_LOCK	(1U << 28) /* until a reset */
#define PV_SIM_OTP_PROGRAM_LOCK (1U << 27)
#define PV_SIM_OTP_ERROR	1U

struct pv_sim_mpu; /* opaque */

/* mpu_create.c: the files of a new chip, in its folder, which exists. */
PV_MUST_USE int pv_sim_mpu_create(
    const struct pv_sim_create *c, const char *product_id, struct pv_error *e);
/*
 * How the ROM opens licenses: "shared_info=ephemeral,key_half=high,...", the
 * fields of formats/license-ssp.md; "" for the defaults.
 */
PV_MUST_USE int pv_sim_mpu_profile(
    const char *text, struct pv_mp_profile *ret_p, struct pv_error *e);

/* mpu_chip.c */
PV_MUST_USE int pv_sim_mpu_open(struct pv_sim *sim, struct pv_error *e);
void pv_sim_mpu_close(struct pv_sim_mpu *p);
void pv_sim_mpu_feed(struct pv_sim *sim, const uint8_t *data, size_t len);
void pv_sim_mpu_reset(struct pv_sim *sim);
bool pv_sim_mpu_synced(const struct pv_sim *sim);
void pv_sim_mpu_expired(struct pv_sim *sim);
int64_t pv_sim_mpu_patience_ns(const struct pv_sim *sim);
/* Commands and NACKs since it was opened. */
void pv_sim_mpu_counts(
    const struct pv_sim *sim, uint64_t *ret_commands, uint64_t *ret_nacks);
struct pv_mp *pv_sim_mpu_machine(struct pv_sim *sim);
/* Of USB, cut at 31 characters. */
void pv_sim_mpu_serial(struct pv_sim *sim, const char *serial);

/* mpu_otp.c */
void pv_sim_mpu_fuses(struct pv_sim *sim, struct pv_mp_fuses *ret_f);
/* otp.bin of a folder; values and states of PV_MP_OTP_WORDS words. */
PV_MUST_USE int pv_sim_mpu_otp_load(
    const char *dir, uint32_t *values, uint32_t *states, struct pv_error *e);

/* mpu_crypto.c: `key` is borrowed */
struct pv_ec_key;
void pv_sim_mpu_crypto(struct pv_ec_key *key, struct pv_mp_crypto *ret_c);

/* mpu_storage.c */
struct pv_sim_storage;
PV_MUST_USE int pv_sim_storage_new(struct pv_sim *sim,
    struct pv_sim_storage **ret_s, struct pv_mp_storage *ret_ops,
    struct pv_error *e);
void pv_sim_storage_free(struct pv_sim_storage *s);

#endif
