/* SPDX-License-Identifier: Apache-2.0 */
#include "package/optlint.h"

#include <stdio.h>
#include <string.h>

enum effect { HARMLESS, WARN, IRREVERSIBLE };

struct meaning {
	uint8_t value;
	enum effect effect;
	const char *name;
	const char *advice;
};

struct rule {
	const char *family;
	size_t word; /* index in the C area */
	unsigned int shift;
	const char *field;
	const struct meaning *meanings; /* ended by name NULL: the rest */
};

/*
 * RM0433 (STM32H742/H743/H753/H750), "FLASH readout protection": 0xAA is
 * level 0, 0xCC level 2, everything else level 1. Level 2 cannot be left.
 * FOPTSR bits 15:8, the first row of the CSV (AN5054 Rev 18, figure 15).
 */
static const struct meaning h7_rdp[] = {
	{ 0xAA, HARMLESS, "level 0", NULL },
	{ 0xCC, IRREVERSIBLE, "level 2",
	    "RDP level 2 can never be left again: no debugger, no bootloader, "
	    "no option-byte change" },
	{ 0, HARMLESS, NULL, "level 1" },
};

/*
 * PRODUCT_STATE of the STM32H5: FLASH_OPTSR bits 15:8, values as in
 * stm32h5xx_hal_flash.h (OB_PROD_STATE_*) of STM32CubeH5 and in RM0481,
 * "Product state"; the first row of the CSV is OPTSR_PRG.
 */
#define H5_CLOSED                                                        \
	"can be reopened only by debug authentication, which must have " \
	"been provisioned before"
static const struct meaning h5_state[] = {
	{ 0xED, HARMLESS, "open", NULL },
	{ 0x17, HARMLESS, "provisioning", NULL },
	{ 0x2E, WARN, "iRoT provisioned", H5_CLOSED },
	{ 0xC6, WARN, "TrustZone closed", H5_CLOSED },
	{ 0x72, WARN, "closed", H5_CLOSED },
	{ 0x5C, IRREVERSIBLE, "locked",
	    "product state locked can never be left again: no debugger, no "
	    "bootloader, no regression" },
	{ 0x9A, WARN, "regression",
	    "a state of the chip's own, not to be set" },
	{ 0xA3, WARN, "non-secure regression",
	    "a state of the chip's own, not to be set" },
	{ 0, WARN, NULL, "no product state that is documented" },
};

static const struct rule rules[] = {
	{ "STM32H7", 0, 8, "RDP", h7_rdp },
	{ "STM32H5", 0, 8, "PRODUCT_STATE", h5_state },
};

void
pv_optlint(const struct pv_chip *chip, const uint32_t *words, size_t n,
    struct pv_optlint *ret_l)
{
	const struct rule *rule = NULL;
	const struct meaning *m;
	uint8_t v;

	memset(ret_l, 0, sizeof(*ret_l));
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (strcmp(chip->family, rules[i].family) == 0)
			rule = &rules[i];
	}
	if (rule == NULL || rule->word >= n)
		return;
	v = (uint8_t)((words[rule->word] >> rule->shift) & 0xffU);
	for (m = rule->meanings; m->name != NULL && m->value != v; m++)
		;
	ret_l->known = true;
	ret_l->value = v;
	ret_l->irreversible = m->effect == IRREVERSIBLE;
	ret_l->warn = m->effect == WARN;
	(void)snprintf(ret_l->field, sizeof(ret_l->field), "%s", rule->field);
	(void)snprintf(ret_l->meaning, sizeof(ret_l->meaning), "%s",
	    m->name != NULL ? m->name : m->advice);
	if (m->effect != HARMLESS)
		(void)snprintf(
		    ret_l->advice, sizeof(ret_l->advice), "%s", m->advice);
}
