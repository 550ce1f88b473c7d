/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a package fit the chip? What would be refused after a license was
 * spent is refused before.
 */
#include "push/package_file.h"

#include <provisor/secure_install.h>

#include <inttypes.h>

/* In the flash that the chip has, also through a secure alias of it. */
static bool
in_flash(const struct pv_install_chip *chip, const struct pv_chip *layout,
    uint32_t at, uint32_t size)
{
	uint32_t physical = 0;

	if (layout != NULL && pv_chip_in_flash(layout, at, size, &physical))
		at = physical;
	return at >= chip->flash_base && size <= chip->flash_size &&
	       at - chip->flash_base <= chip->flash_size - size;
}

static int
fit_options(const struct pv_install_chip *chip, const struct pv_sfi_area *a,
    struct pv_error *e)
{
	if (a->size == chip->option_bytes)
		return 0;
	return pv_fail(e, PV_E_VERIFY,
	    "package area %u has %" PRIu32
	    " option bytes, the chip takes %" PRIu32,
	    a->index, a->size, chip->option_bytes);
}

static int
fit_flash(const struct pv_install_chip *chip, const struct pv_chip *layout,
    const struct pv_sfi_area *a, uint32_t size, struct pv_error *e)
{
	if (in_flash(chip, layout, a->address, size))
		return 0;
	(void)pv_fail(e, PV_E_VERIFY,
	    "package area %u, 0x%08" PRIx32 " and %" PRIu32
	    " bytes, is not in the chip's flash (0x%08" PRIx32 ", %" PRIu32
	    " KiB)",
	    a->index, a->address, size, chip->flash_base,
	    chip->flash_size / 1024U);
	return pv_hint(
	    e, "the package is damaged, or was made for another chip");
}

static int
fit_external(const struct pv_install_chip *chip, const struct pv_sfi_area *a,
    uint32_t size, struct pv_error *e)
{
	if (chip->external_size == 0) {
		(void)pv_fail(e, PV_E_VERIFY,
		    "package area %u is for external flash at 0x%08" PRIx32
		    ", and the chip has none",
		    a->index, a->address);
		return pv_hint(e, "is this the board the package was made for? "
				  "(a virtual one: 'sim create "
				  "--external-flash')");
	}
	if (a->address >= chip->external_base && size <= chip->external_size &&
	    a->address - chip->external_base <= chip->external_size - size)
		return 0;
	(void)pv_fail(e, PV_E_VERIFY,
	    "package area %u, 0x%08" PRIx32 " and %" PRIu32
	    " bytes, is not in the chip's external flash (0x%08" PRIx32
	    ", %" PRIu32 " KiB)",
	    a->index, a->address, size, chip->external_base,
	    chip->external_size / 1024U);
	return pv_hint(e, "the package was made for another board");
}

static int
fit_taken(const struct pv_install_chip *chip, const struct pv_sfi_area *a,
    uint32_t what, const char *name, struct pv_error *e)
{
	if ((chip->takes & what) != 0)
		return 0;
	return pv_fail(e, PV_E_VERIFY,
	    "package area %u has type '%c': the chip takes no %s", a->index,
	    a->type, name);
}

static int
fit_area(const struct pv_install_chip *chip, const struct pv_chip *layout,
    const struct pv_sfi_area *a, struct pv_error *e)
{
	int r;

	switch (a->type) {
	case 'C':
		return fit_options(chip, a, e);
	case 'K':
		return fit_taken(chip, a, PV_SI_TAKES_KEYS, "key areas", e);
	case 'M':
		r = fit_taken(chip, a, PV_SI_TAKES_MODULES, "SMI modules", e);
		return r != 0 ? r
			      : fit_flash(chip, layout, a,
				    a->size - INSTALL_MODULE_HEAD, e);
	case 'E':
		return fit_external(
		    chip, a, a->size - INSTALL_EXTERNAL_HEAD, e);
	case 'P':
	case 'R':
		return fit_flash(chip, layout, a, INSTALL_TOKEN, e);
	default:
		return fit_flash(chip, layout, a, a->size, e);
	}
}

void
pv_install_place(struct pv_install_places *places, char type, uint32_t address,
    uint32_t size)
{
	if (type == 'F' || type == 'M')
		places->n++;
	else if (type == 'K')
		places->n += size / 8;
	else if (type == 'E' && !(places->external && address == places->end))
		places->n++;
	else if (type != 'E')
		return;
	places->external = type == 'E';
	places->end = (uint64_t)address + size - INSTALL_EXTERNAL_HEAD;
}

int
pv_install_fit(const struct pv_install_file *f,
    const struct pv_install_chip *chip, const struct pv_chip *layout,
    struct pv_error *e)
{
	struct pv_install_places places = { 0 };
	const struct pv_sfi_area *a;
	int r = 0;

	for (size_t i = 0; i < f->n_areas; i++) {
		a = &f->areas[i].area;
		pv_install_place(&places, (char)a->type, a->address, a->size);
	}

	if (f->n_areas > chip->areas)
		return pv_fail(e, PV_E_RANGE,
		    "the package has %zu areas, the chip takes %u", f->n_areas,
		    chip->areas);
	if (places.n > chip->places)
		return pv_fail(e, PV_E_RANGE,
		    "the package fills %zu stretches of memory, the chip "
		    "takes %u",
		    places.n, chip->places);
	for (size_t i = 0; r == 0 && i < f->n_areas; i++)
		r = fit_area(chip, layout, &f->areas[i].area, e);
	return r;
}
