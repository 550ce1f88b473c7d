/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/internal.h"

#include "base/file.h"
#include "sim/mpu.h"
#include "sim/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t
pv_sim_flash_span(const struct pv_chip *chip)
{
	uint64_t base = pv_chip_flash_base(chip), end = base;

	for (size_t i = 0; i < chip->n_banks; i++) {
		uint64_t e =
		    (uint64_t)chip->banks[i].base + chip->banks[i].size;

		if (e > end)
			end = e;
	}
	return end - base;
}

/* --- maps ------------------------------------------------------------------ */

static int
map_file(struct pv_sim *sim, const char *name, size_t size, uint8_t **ret_p,
    struct pv_error *e)
{
	char path[PV_SIM_PATH];
	struct stat st;
	void *p;
	int fd, r;

	if (size == 0)
		return 0;
	r = pv_path_fit(path, sizeof path, sim->dir, name, e);
	if (r != 0)
		return r;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		r = pv_fail_errno(e, PV_E_IO, errno, "opening '%s'", path);
		goto out;
	}
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size) {
		r = pv_fail(e, PV_E_MALFORMED,
		    "'%s' has %lld bytes, but the chip has %zu", path,
		    (long long)st.st_size, size);
		goto out;
	}
	/* Shared: what is stored is in the file though the process dies. */
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		r = pv_fail_errno(e, PV_E_IO, errno, "mapping '%s'", path);
		goto out;
	}
	*ret_p = p;
out:
	if (fd >= 0)
		close(fd);
	return r;
}

int
pv_sim_map(struct pv_sim *sim, struct pv_error *e)
{
	const struct pv_chip *chip = sim->chip;
	uint64_t span = pv_sim_flash_span(chip), ram = 0;
	int r;

	if (chip->mpu) {
		sim->otp_size = PV_SIM_OTP_BYTES;
		return map_file(sim, "otp.bin", sim->otp_size, &sim->otp, e);
	}
	for (size_t i = 0; i < chip->n_rams; i++)
		ram += chip->rams[i].size;
	if (span == 0 || span > PV_SIM_FLASH_MAX || ram > PV_SIM_RAM_MAX ||
	    chip->option_area.size > PV_SIM_OPTIONS_MAX ||
	    chip->otp.size > PV_SIM_OTP_MAX)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "chip '%s' has no memories that can be simulated",
		    chip->name);
	sim->flash_base = pv_chip_flash_base(chip);
	sim->flash_size = (size_t)span;
	sim->ram_size = (size_t)ram;
	sim->otp_size = chip->otp.size;
	sim->options_size = chip->has_option_area ? chip->option_area.size : 0;
	r = map_file(sim, "flash.bin", sim->flash_size, &sim->flash, e);
	if (r == 0)
		r = map_file(sim, "ram.bin", sim->ram_size, &sim->ram, e);
	if (r == 0)
		r = map_file(
		    sim, "options.bin", sim->options_size, &sim->options, e);
	if (r == 0)
		r = map_file(sim, "otp.bin", sim->otp_size, &sim->otp, e);
	if (r == 0)
		r = map_file(sim, "external.bin", sim->state.external_size,
		    &sim->external, e);
	return r;
}

void
pv_sim_unmap(struct pv_sim *sim)
{
	if (sim->flash != NULL)
		munmap(sim->flash, sim->flash_size);
	if (sim->ram != NULL)
		munmap(sim->ram, sim->ram_size);
	if (sim->options != NULL)
		munmap(sim->options, sim->options_size);
	if (sim->otp != NULL)
		munmap(sim->otp, sim->otp_size);
	if (sim->external != NULL)
		munmap(sim->external, sim->state.external_size);
	sim->flash = sim->ram = sim->options = sim->otp = NULL;
	sim->external = NULL;
}

/* --- the address space ------------------------------------------------------- */

static uint8_t *
ram_at(const struct pv_sim *sim, uint32_t addr, uint64_t len)
{
	size_t off = 0;

	for (size_t i = 0; i < sim->chip->n_rams; i++) {
		const struct pv_range *r = &sim->chip->rams[i];

		if (addr >= r->base && addr - r->base < r->size &&
		    len <= r->size - (addr - r->base))
			return sim->ram + off + (addr - r->base);
		off += r->size;
	}
	return NULL;
}

static bool
in_options(const struct pv_sim *sim, uint32_t addr, uint64_t len)
{
	const struct pv_range *o = &sim->chip->option_area;

	return sim->options_size > 0 && addr >= o->base &&
	       addr - o->base < o->size && len <= o->size - (addr - o->base);
}

static bool
in_otp(const struct pv_sim *sim, uint32_t addr, uint64_t len)
{
	const struct pv_range *o = &sim->chip->otp;

	return sim->otp_size > 0 && addr >= o->base &&
	       addr - o->base < o->size && len <= o->size - (addr - o->base);
}

static enum pv_region
do_region(void *ctx, uint32_t addr, uint32_t len)
{
	const struct pv_sim *sim = ctx;
	const struct pv_chip *chip = sim->chip;

	if (pv_chip_in_flash(chip, addr, len, NULL))
		return PV_REGION_FLASH;
	if (in_options(sim, addr, len))
		return PV_REGION_OPTIONS;
	if (in_otp(sim, addr, len))
		return PV_REGION_OTP;
	if (ram_at(sim, addr, len) == NULL)
		return PV_REGION_NONE;
	if (addr >= chip->rams[0].base &&
	    addr - chip->rams[0].base < chip->boot_ram_reserved)
		return PV_REGION_RESERVED;
	return PV_REGION_RAM;
}

static int
do_read(void *ctx, uint32_t addr, uint8_t *data, size_t len)
{
	struct pv_sim *sim = ctx;
	const uint8_t *ram = ram_at(sim, addr, len);
	uint32_t at = 0;

	if (pv_chip_in_flash(sim->chip, addr, len, &at))
		memcpy(data, sim->flash + (at - sim->flash_base), len);
	else if (ram != NULL)
		memcpy(data, ram, len);
	else if (in_options(sim, addr, len))
		memcpy(data,
		    sim->options + (addr - sim->chip->option_area.base), len);
	else if (in_otp(sim, addr, len))
		memcpy(data, sim->otp + (addr - sim->chip->otp.base), len);
	else
		return -1;
	return 0;
}

/*
 * A write unit of OTP takes bits from 1 to 0 and never back; with ECC it is
 * programmed once. Lock bytes are bytes like others.
 */
static int
store_otp(struct pv_sim *sim, uint32_t addr, const uint8_t *data, size_t len)
{
	uint32_t unit = sim->chip->otp_write_unit;
	uint8_t *p = sim->otp + (addr - sim->chip->otp.base);
	int r = 0;

	if (addr % unit != 0 || len % unit != 0)
		return -1;
	for (size_t i = 0; i < len; i += unit) {
		bool blank = true;

		for (size_t k = i; k < i + unit; k++)
			blank = blank && p[k] == 0xff;
		if (sim->chip->ecc && !blank) {
			r = -1;
			continue;
		}
		for (size_t k = i; k < i + unit; k++)
			p[k] &= data[k];
	}
	return r;
}

static int
do_store(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
	struct pv_sim *sim = ctx;
	uint8_t *ram = ram_at(sim, addr, len);

	if (sim->dark)
		return -1;
	if (in_otp(sim, addr, len))
		return store_otp(sim, addr, data, len);

	if (ram == NULL)
		return -1;
	memcpy(ram, data, len);
	return 0;
}

/* --- flash ------------------------------------------------------------------- */

static bool
is_protected(const struct pv_sim *sim, uint32_t number)
{
	return number < PV_SIM_SECTOR_CODES &&
	       (sim->state.write_protected[number / 8] &
		   (1U << (number % 8))) != 0;
}

static bool
do_locked(void *ctx, uint32_t number)
{
	return is_protected(ctx, number);
}

static bool
is_erased(const struct pv_sim *sim, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != sim->chip->erased)
			return false;
	return true;
}

/* Time of the part, from its description; 0 where that says nothing. */
static void
spend(struct pv_sim *sim, uint64_t ns)
{
	sim->busy_ns += (int64_t)((double)ns * sim->setup.time_scale);
}

static uint32_t
typical(uint32_t typ, uint32_t max)
{
	return typ != 0 ? typ : max;
}

/* The supply fails while a write unit is programmed: some bits made it. */
static void
tear_unit(struct pv_sim *sim, uint8_t *p, const uint8_t *data, size_t unit)
{
	for (size_t i = 0; i < unit; i++) {
		uint8_t mask = (uint8_t)pv_wire_random(&sim->random);

		p[i] = (uint8_t)((p[i] & mask) | (data[i] & ~mask));
	}
	sim->dark = true;
}

/*
 * One write unit. Programming only moves bits away from the erased value; a
 * part with ECC takes a unit once between two erases. Programmed again it
 * keeps the old content or is damaged (the hardware reports an error).
 */
static int
program_unit(struct pv_sim *sim, uint8_t *p, const uint8_t *data, size_t unit)
{
	bool blank = is_erased(sim, p, unit);

	sim->state.programs++;
	if (!blank)
		sim->state.rewrites++;
	if (sim->chip->ecc && !blank && !pv_sim_has(sim, PV_SIM_Q_ECC_DAMAGE))
		return -1;
	for (size_t i = 0; i < unit; i++) {
		if (sim->chip->erased == 0xff)
			p[i] &= data[i];
		else
			p[i] |= data[i];
	}
	/* Its check bits are those of neither content. */
	if (sim->chip->ecc && !blank)
		p[pv_wire_random(&sim->random) % unit] ^= 1;
	return memcmp(p, data, unit) == 0 ? 0 : -1;
}

static int
do_program(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
	struct pv_sim *sim = ctx;
	const struct pv_flash_times *t = &sim->chip->times;
	size_t unit = sim->memory.write_unit, torn = SIZE_MAX;
	uint32_t at = 0;
	int r = 0;

	if (addr % unit != 0 || len % unit != 0 || sim->dark ||
	    !pv_chip_in_flash(sim->chip, addr, len, &at))
		return -1;
	if (sim->cutting)
		torn = pv_wire_random(&sim->random) % (len / unit) * unit;
	for (size_t i = 0; i < len && !sim->dark; i += unit) {
		uint32_t a = at + (uint32_t)i;
		uint8_t *p = sim->flash + (a - sim->flash_base);
		struct pv_sector s;

		if (!pv_chip_sector(sim->chip, a, &s) ||
		    is_protected(sim, s.number)) {
			r = -1;
			continue;
		}
		spend(sim, UINT64_C(1000) * typical(t->write_unit_typ_us,
						t->write_unit_max_us));
		if (i == torn)
			tear_unit(sim, p, data + i, unit);
		else if (program_unit(sim, p, data + i, unit) != 0)
			r = -1;
	}
	return sim->dark ? -1 : r;
}

static int
do_sector(void *ctx, uint32_t addr, struct pv_dev_sector *ret_s)
{
	const struct pv_sim *sim = ctx;
	struct pv_sector s;

	if (!pv_chip_sector(sim->chip, addr, &s))
		return -1;
	*ret_s = (struct pv_dev_sector){ s.base, s.size, s.number };
	return 0;
}

/* The supply fails in an erase: part old, part erased, part neither. */
static void
tear_sector(struct pv_sim *sim, uint8_t *p, size_t size)
{
	size_t a = pv_wire_random(&sim->random) % size;
	size_t b = a + pv_wire_random(&sim->random) % (size - a);

	memset(p, sim->chip->erased, a);
	for (size_t i = a; i < b; i++)
		p[i] = (uint8_t)pv_wire_random(&sim->random);
	sim->dark = true;
}

struct place {
	uint8_t *p;
	uint32_t size, ms;
};

/* Sector by number; false past the end. */
static bool
find_sector(const struct pv_sim *sim, uint32_t number, struct place *ret)
{
	const struct pv_chip *chip = sim->chip;
	uint32_t ms =
	    typical(chip->times.sector_erase_typ, chip->times.sector_erase_max);
	uint32_t n = 0;

	for (size_t b = 0; b < chip->n_banks; b++) {
		uint32_t at = chip->banks[b].base;

		for (size_t g = 0; g < chip->banks[b].n_groups; g++) {
			const struct pv_sector_group *gr =
			    &chip->banks[b].groups[g];

			if (number - n < gr->count) {
				at += (number - n) * gr->size;
				ret->p = sim->flash + (at - sim->flash_base);
				ret->size = gr->size;
				ret->ms =
				    gr->erase_typ != 0 ? gr->erase_typ : ms;
				return true;
			}
			n += gr->count;
			at += gr->count * gr->size;
		}
	}
	return false;
}

/* Erase, but for the time it takes. Protected: refused. */
static int
wipe(struct pv_sim *sim, uint32_t number, const struct place *at, bool tear)
{
	if (sim->dark || is_protected(sim, number))
		return -1;
	if (number < PV_SIM_SECTORS)
		sim->state.erases[number]++;
	sim->erased_now++;
	if (tear) {
		tear_sector(sim, at->p, at->size);
		return -1;
	}
	memset(at->p, sim->chip->erased, at->size);
	return 0;
}

static int
do_erase(void *ctx, uint32_t number)
{
	struct pv_sim *sim = ctx;
	struct place at;
	int r;

	if (!find_sector(sim, number, &at))
		return 0;
	/* Of a list any sector may be the one the cut falls into. */
	r = wipe(sim, number, &at,
	    sim->cutting && pv_wire_random(&sim->random) % 2 == 0);
	if (r == 0)
		spend(sim, UINT64_C(1000000) * at.ms);
	return r;
}

/* A mass erase works on all sectors at once, and so does a cut in it. */
void
pv_sim_mass_erase(struct pv_sim *sim, enum pv_an_erase what)
{
	const struct pv_chip *chip = sim->chip;
	const struct pv_flash_times *t = &chip->times;
	uint32_t mass = typical(t->mass_erase_typ, t->mass_erase_max);
	uint64_t sum = 0;
	uint32_t number = 0;
	bool tear = sim->cutting;

	for (size_t b = 0; b < chip->n_banks; b++) {
		bool wanted = what == PV_AN_ERASE_ALL ||
			      (what == PV_AN_ERASE_BANK1 && b == 0) ||
			      (what == PV_AN_ERASE_BANK2 && b == 1);
		uint32_t n = 0;

		for (size_t g = 0; g < chip->banks[b].n_groups; g++)
			n += chip->banks[b].groups[g].count;
		for (uint32_t i = 0; i < n; i++, number++) {
			struct place at;

			if (!wanted || !find_sector(sim, number, &at))
				continue;
			sum += at.ms;
			(void)wipe(sim, number, &at, tear);
			/* Each is torn on its own, and then it is dark. */
			if (tear)
				sim->dark = false;
		}
	}
	if (tear)
		sim->dark = true;
	spend(sim, UINT64_C(1000000) * (mass != 0 ? mass : sum));
}

bool
pv_sim_flash_empty(const struct pv_sim *sim)
{
	return is_erased(sim, sim->flash, 4);
}

void
pv_sim_memory(struct pv_sim *sim)
{
	uint32_t unit = sim->chip->write_unit;

	sim->memory = (struct pv_dev_memory){
		.ctx = sim,
		.region = do_region,
		.read = do_read,
		.store = do_store,
		.program = do_program,
		.sector = do_sector,
		.erase = do_erase,
		.locked = do_locked,
		/* Not known: the smallest that programs any 4-byte frame. */
		.write_unit = unit == 0 || unit > 32 ? 4 : unit,
	};
}
