/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about addresses of a chip. */
#include <provisor/chip.h>

/* Is [addr, addr + len) inside banks that follow each other? */
static bool
in_banks(const struct pv_chip *chip, uint64_t addr, uint64_t len)
{
	bool inside = false;

	for (size_t i = 0; i < chip->n_banks; i++) {
		const struct pv_flash_bank *b = &chip->banks[i];
		uint64_t end = (uint64_t)b->base + b->size;

		if (addr < b->base || addr >= end)
			continue;
		inside = true;
		if (len <= end - addr)
			return true;
		/* The rest must start the next bank */
		len -= end - addr;
		addr = end;
	}
	return inside && len == 0;
}

bool
pv_chip_in_flash(const struct pv_chip *chip, uint64_t addr, uint64_t len,
    uint32_t *ret_physical)
{
	uint64_t physical = addr;

	for (size_t i = 0; i < chip->n_aliases; i++) {
		const struct pv_alias *a = &chip->aliases[i];

		if (addr < a->base || addr - a->base >= a->size)
			continue;
		if (len > a->size - (addr - a->base))
			return false;
		physical = a->target + (addr - a->base);
		break;
	}
	if (!in_banks(chip, physical, len))
		return false;
	if (ret_physical != NULL)
		*ret_physical = (uint32_t)physical;
	return true;
}

bool
pv_chip_in_ram(const struct pv_chip *chip, uint64_t addr, uint64_t len)
{
	for (size_t i = 0; i < chip->n_rams; i++) {
		const struct pv_range *r = &chip->rams[i];

		if (addr >= r->base && addr - r->base < r->size &&
		    len <= r->size - (addr - r->base))
			return true;
	}
	return false;
}

bool
pv_chip_sector(
    const struct pv_chip *chip, uint64_t addr, struct pv_sector *ret_sector)
{
	uint32_t number = 0, physical;

	if (!pv_chip_in_flash(chip, addr, 1, &physical))
		return false;
	for (size_t i = 0; i < chip->n_banks; i++) {
		const struct pv_flash_bank *b = &chip->banks[i];
		uint64_t base = b->base;

		for (size_t g = 0; g < b->n_groups; g++) {
			const struct pv_sector_group *s = &b->groups[g];
			uint64_t size = (uint64_t)s->count * s->size;

			if (physical >= base && physical - base < size) {
				uint32_t k =
				    (uint32_t)(physical - base) / s->size;

				ret_sector->base = (uint32_t)base + k * s->size;
				ret_sector->size = s->size;
				ret_sector->number = number + k;
				return true;
			}
			base += size;
			number += s->count;
		}
	}
	return false;
}

uint32_t
pv_chip_sectors(const struct pv_chip *chip)
{
	uint32_t n = 0;

	for (size_t i = 0; i < chip->n_banks; i++)
		for (size_t g = 0; g < chip->banks[i].n_groups; g++)
			n += chip->banks[i].groups[g].count;
	return n;
}

uint32_t
pv_chip_flash_base(const struct pv_chip *chip)
{
	return chip->n_banks > 0 ? chip->banks[0].base : 0;
}
