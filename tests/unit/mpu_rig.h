/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An STM32MP in memory for tests of device/mpu_*: OTP words, one partition
 * store, cryptography of the simulator with the test key 01..20 (32 bytes
 * counting up), answers in a buffer.
 */
#ifndef PV_TEST_MPU_RIG_H
#define PV_TEST_MPU_RIG_H

#include <string.h>

#include "base/buf.h"
#include "crypto/ec.h"
#include "device/mpu_usb.h"
#include "sim/mpu.h"

#define RIG_RAM	 0x8000U
#define RIG_DDR	 0x8000U
#define RIG_PART 0x2000U

struct rig {
	struct pv_mp m;
	struct pv_mp_config config;
	struct pv_mp_port port;
	struct pv_ec_key *key;
	uint8_t ram[RIG_RAM], ddr[RIG_DDR];
	uint32_t otp[PV_MP_OTP_WORDS], state[PV_MP_OTP_WORDS];
	unsigned int order[128]; /* words as they were burnt */
	size_t n_order;
	uint8_t part_id, part[RIG_PART], pmic[8];
	unsigned int flushes, restarts;
	uint32_t waited_us;
	uint8_t out[4096];
	size_t out_len;
};

static inline void
rig_emit(void *ctx, const uint8_t *data, size_t len)
{
	struct rig *g = ctx;

	if (len > sizeof g->out - g->out_len)
		g->out_len = 0; /* a fuzzer reads nothing */
	memcpy(g->out + g->out_len, data, len);
	g->out_len += len;
}

static inline void
rig_flush(void *ctx)
{
	struct rig *g = ctx;

	g->flushes++;
}

static inline void
rig_wait(void *ctx, uint32_t us)
{
	struct rig *g = ctx;

	g->waited_us += us;
}

static inline void
rig_restarted(void *ctx)
{
	struct rig *g = ctx;

	g->restarts++;
}

static inline int
rig_read(void *ctx, unsigned int word, uint32_t *ret_v)
{
	struct rig *g = ctx;

	if (word >= PV_MP_OTP_WORDS)
		return -1;
	*ret_v = g->otp[word];
	return 0;
}

static inline int
rig_program(void *ctx, unsigned int word, uint32_t v)
{
	struct rig *g = ctx;

	if (word >= PV_MP_OTP_WORDS ||
	    (g->state[word] & PV_SIM_OTP_LOCKED) != 0)
		return -1;
	g->otp[word] |= v;
	if (g->n_order < sizeof g->order / sizeof g->order[0])
		g->order[g->n_order++] = word;
	return 0;
}

static inline int
rig_lock(void *ctx, unsigned int word)
{
	struct rig *g = ctx;

	if (word >= PV_MP_OTP_WORDS)
		return -1;
	g->state[word] |= PV_SIM_OTP_LOCKED;
	return 0;
}

static inline uint32_t
rig_state(void *ctx, unsigned int word)
{
	struct rig *g = ctx;

	return word < PV_MP_OTP_WORDS ? g->state[word] : 0;
}

static inline int
rig_set_state(void *ctx, unsigned int word, uint32_t bits)
{
	struct rig *g = ctx;

	if (word >= PV_MP_OTP_WORDS)
		return -1;
	g->state[word] |= bits;
	return 0;
}

static inline int
rig_part_write(
    void *ctx, uint8_t id, uint64_t offset, const uint8_t *data, size_t len)
{
	struct rig *g = ctx;

	if (offset > RIG_PART || len > RIG_PART - offset)
		return -1;
	g->part_id = id;
	memcpy(g->part + offset, data, len);
	return 0;
}

static inline int
rig_part_read(void *ctx, uint8_t id, uint64_t offset, uint8_t *data, size_t len)
{
	struct rig *g = ctx;

	memset(data, 0xff, len);
	if (id == g->part_id && offset < RIG_PART)
		memcpy(data, g->part + offset,
		    len < RIG_PART - offset ? len
					    : (size_t)(RIG_PART - offset));
	return 0;
}

static inline int
rig_part_erase(void *ctx, uint8_t id)
{
	struct rig *g = ctx;

	(void)id;
	memset(g->part, 0xff, sizeof g->part);
	return 0;
}

static inline int
rig_pmic(void *ctx)
{
	(void)ctx;
	return 0;
}

/* NULL where the key cannot be made. */
static inline struct rig *
rig_new(bool mp13, enum pv_mp_link link)
{
	struct rig *g = calloc(1, sizeof *g);
	uint8_t d[32];

	if (g == NULL)
		return NULL;
	for (unsigned int i = 0; i < 32; i++)
		d[i] = (uint8_t)(i + 1);
	if (pv_ec_from_scalar(d, &g->key, NULL) != 0) {
		free(g);
		return NULL;
	}
	g->config.chip = (struct pv_mp_chip){
		.id = mp13 ? PV_MP_CHIP_13 : PV_MP_CHIP_15,
		.load_address = mp13 ? 0x2ffdfe00U : 0x2ffc2400U,
		.header_major = mp13 ? 2 : 1,
		.ssp_word = mp13 ? 9 : 8,
		.ssp_request = mp13 ? 0x20 : 0x100,
		.ssp_success = mp13 ? 0x40 : 0x200,
		.closed = mp13 ? 0x3f : 0x40,
		.rma_mask = mp13 ? 0xffffffffU : 0x3fffffffU,
		.key_table = mp13,
	};
	g->config.profile.license_iv = g->config.profile.payload_iv = 16;
	g->config.generation = PV_MP_TFA_2_8;
	g->config.serial = "0123456789abcdef01234567";
	g->otp[0] = mp13 ? 0x17 : 0;
	g->otp[2] = 0xa0200000U;
	for (unsigned int i = 0; i < 16; i++)
		g->otp[40 + i] = 0x40414243U + 0x01010101U * i;
	g->port = (struct pv_mp_port){
		.ctx = g,
		.emit = rig_emit,
		.flush = rig_flush,
		.wait_us = rig_wait,
		.restarted = rig_restarted,
		.ram = g->ram,
		.ram_size = RIG_RAM,
		.ddr = g->ddr,
		.ddr_size = RIG_DDR,
		.fuses = { g, rig_read, rig_program, rig_lock, rig_state,
		    rig_set_state },
		.storage = { g, rig_part_write, rig_part_read, rig_part_erase,
		    g->pmic, rig_pmic },
	};
	pv_sim_mpu_crypto(g->key, &g->port.crypto);
	pv_mp_init(&g->m, &g->config, &g->port, link);
	return g;
}

static inline void
rig_free(struct rig *g)
{
	if (g == NULL)
		return;
	pv_ec_free(g->key);
	free(g);
}

/* An unsigned image of either header that says which stage it is. */
static inline size_t
rig_image(const struct rig *g, const char *stage, uint8_t *b)
{
	bool v2 = g->config.chip.header_major == 2;
	size_t head = v2 ? 512 : 256, n = 64;
	uint32_t sum = 0;

	memset(b, 0, head + n);
	(void)snprintf((char *)b + head, n, "provisor-stage=%s\n", stage);
	for (size_t i = 0; i < n; i++)
		sum += b[head + i];
	memcpy(b, "STM2", 4);
	pv_put_u32le(b + 0x44, sum);
	pv_put_u32le(b + 0x48, v2 ? 0x20000 : 0x10000);
	pv_put_u32le(b + 0x4c, (uint32_t)n);
	pv_put_u32le(b + 0x64, v2 ? 0x80000000U : 1);
	if (v2) {
		pv_put_u32le(b + 0x68, 0x180);
		pv_put_u32be(b + 0x80, 0x5354ffffU);
		pv_put_u32le(b + 0x84, 0x180);
	}
	return head + n;
}

#endif
