/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The external flash of a virtual chip, and the on-the-fly decryption that
 * the part reads it through.
 */
#include "sim/internal.h"

#include "base/buf.h"
#include "crypto/kdf.h"

#include <string.h>

static bool
inside(const struct pv_sim *sim, uint32_t addr, uint64_t len)
{
	const struct pv_sim_state *s = &sim->state;

	return addr >= s->external_base &&
	       addr - s->external_base < s->external_size &&
	       len <= s->external_size - (addr - s->external_base);
}

static enum pv_region
do_region(void *ctx, uint32_t addr, uint32_t len)
{
	return inside(ctx, addr, len) ? PV_REGION_FLASH : PV_REGION_NONE;
}

static int
do_read(void *ctx, uint32_t addr, uint8_t *data, size_t len)
{
	const struct pv_sim *sim = ctx;

	if (!inside(sim, addr, len))
		return -1;
	memcpy(data, sim->external + (addr - sim->state.external_base), len);
	return 0;
}

/* NOR flash: programming clears bits. A cut tears the unit under way. */
static int
do_program(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
	struct pv_sim *sim = ctx;
	uint8_t *p;

	if (sim->dark || !inside(sim, addr, len))
		return -1;
	p = sim->external + (addr - sim->state.external_base);
	sim->state.programs += len / PV_SIM_EXTERNAL_UNIT;
	for (size_t i = 0; i < len; i++)
		p[i] &= sim->cutting
			    ? (uint8_t)(data[i] | pv_wire_random(&sim->random))
			    : data[i];
	if (sim->cutting)
		sim->dark = true;
	return !sim->dark && memcmp(p, data, len) == 0 ? 0 : -1;
}

static int
do_sector(void *ctx, uint32_t addr, struct pv_dev_sector *ret_s)
{
	const struct pv_sim *sim = ctx;
	uint32_t n;

	if (!inside(sim, addr, 1))
		return -1;
	n = (addr - sim->state.external_base) / PV_SIM_EXTERNAL_SECTOR;
	*ret_s = (struct pv_dev_sector){ sim->state.external_base +
					     n * PV_SIM_EXTERNAL_SECTOR,
		PV_SIM_EXTERNAL_SECTOR, n };
	return 0;
}

static int
do_erase(void *ctx, uint32_t number)
{
	struct pv_sim *sim = ctx;
	uint8_t *p;
	size_t n = PV_SIM_EXTERNAL_SECTOR;

	if (sim->dark || number >= sim->state.external_size / n)
		return -1;
	p = sim->external + (size_t)number * n;
	if (sim->cutting) {
		n = pv_wire_random(&sim->random) % n;
		sim->dark = true;
	}
	memset(p, 0xff, n);
	return sim->dark ? -1 : 0;
}

/*
 * AES-128 in counter mode: twelve zero bytes, then a big-endian u32 of the
 * number of the region in its decryption unit (bits 29:28) and the address
 * divided by 16. This layout is ours: what silicon uses also depends on a
 * nonce and a version in its registers, which a package does not carry. Mode
 * 3 has a cipher that is not public.
 */
static int
do_seal(void *ctx, uint32_t region, uint32_t mode, const uint8_t key[16],
    uint32_t addr, uint8_t *data, size_t len)
{
	uint8_t counter[16], stream[16];

	(void)ctx;
	if (region > 7 || mode > 2)
		return -1;
	for (size_t i = 0; i < len; i += 16) {
		memset(counter, 0, sizeof counter);
		pv_put_u32be(counter + 12,
		    (region & 3) << 28 | (addr + (uint32_t)i) >> 4);
		if (pv_aes_ecb(key, 16, counter, 16, stream, NULL) != 0)
			return -1;
		for (size_t k = 0; k < 16; k++)
			data[i + k] ^= stream[k];
	}
	return 0;
}

const struct pv_dev_external *
pv_sim_external(struct pv_sim *sim)
{
	if (sim->state.external_size == 0)
		return NULL;
	sim->external_ops = (struct pv_dev_external){
		.memory = {
			.ctx = sim,
			.region = do_region,
			.read = do_read,
			.program = do_program,
			.sector = do_sector,
			.erase = do_erase,
			.write_unit = PV_SIM_EXTERNAL_UNIT,
		},
		.base = sim->state.external_base,
		.size = sim->state.external_size,
		.erased = 0xff,
		.seal = do_seal,
		.ctx = sim,
	};
	return &sim->external_ops;
}
