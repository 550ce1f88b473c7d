/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flavors: which boot loader an image is for. ST's are those of its imgtool
 * 1.7.2 and of the templates of its Cube packages; see formats/mcuboot.md.
 */
#include "image/mcuboot.h"

#include <stdio.h>
#include <string.h>

const struct pv_mcuboot_flavor pv_mcuboot_flavors[] = {
	{ "mcuboot", PV_MCUBOOT_MAGIC, false, false, 8,
	    "upstream MCUboot, as imgtool 2.4" },
	{ "st-h5-stirot", PV_MCUBOOT_MAGIC_STIROT, true, false, 16,
	    "STM32H5 STiRoT, code" },
	{ "st-h5-stirot-data", PV_MCUBOOT_MAGIC_STDATA, true, false, 16,
	    "STM32H5 STiRoT data; configuration of an updatable root" },
	{ "st-h7rs-stirot", PV_MCUBOOT_MAGIC_H7RS, true, true, 16,
	    "STM32H7RS STiRoT, code" },
	{ "st-oemirot", PV_MCUBOOT_MAGIC, true, false, 16,
	    "OEMiRoT of STM32H5, H7RS, WBA, U3" },
	{ "st-oemurot", PV_MCUBOOT_MAGIC, true, false, 16,
	    "OEMuRoT of STM32H5, H7RS, WBA" },
	{ "st-h503-oemirot", PV_MCUBOOT_MAGIC, true, true, 16,
	    "OEMiRoT of STM32H503: one slot" },
	{ "st-u5-sbsfu", PV_MCUBOOT_MAGIC, true, false, 16,
	    "SBSFU and TF-M of STM32U5" },
	{ "st-l5-sbsfu", PV_MCUBOOT_MAGIC, true, false, 8,
	    "SBSFU and TF-M of STM32L5" },
	{ 0 },
};

int
pv_mcuboot_flavor_find(const char *name, const struct pv_mcuboot_flavor **ret_f,
    struct pv_error *e)
{
	const struct pv_mcuboot_flavor *f = pv_mcuboot_flavors;
	char list[200] = "";
	size_t n = 0;

	for (; f->name != NULL; f++) {
		if (name == NULL || strcmp(f->name, name) == 0) {
			*ret_f = f;
			return 0;
		}
		if (n < sizeof(list))
			n += (size_t)snprintf(list + n, sizeof(list) - n,
			    "%s%s", n == 0 ? "" : ", ", f->name);
	}
	(void)pv_fail(e, PV_E_USAGE, "unknown flavor '%s'", name);
	return pv_hint(e, "flavors are %s", list);
}

const struct pv_mcuboot_flavor *
pv_mcuboot_flavor_guess(const struct pv_mcuboot_header *h)
{
	const struct pv_mcuboot_flavor *f = pv_mcuboot_flavors;

	/* Bits that only ST's fork sets. */
	if (h->magic == PV_MCUBOOT_MAGIC &&
	    (h->flags & (PV_MCUBOOT_F_PRIMARY_ONLY | PV_MCUBOOT_F_LICENSE |
			    PV_MCUBOOT_F_CHIP_SPECIFIC)) != 0)
		f++;
	while (f->name != NULL && f->magic != h->magic)
		f++;
	return f->name == NULL ? pv_mcuboot_flavors : f;
}
