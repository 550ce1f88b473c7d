/* SPDX-License-Identifier: Apache-2.0 */
/* Ways in which USART bootloaders differ, by name. */
#include "sim/internal.h"

#include <string.h>

static const struct {
	const char *name;
	const char *what;
} quirks[PV_SIM_QUIRKS] = {
	[PV_SIM_Q_STRAY_ZERO] = { "stray-zero",
	    "0x00 comes before the ACK of the sync byte" },
	[PV_SIM_Q_DOUBLE_NACK] = { "double-nack",
	    "read protected, Read, Write and Go are refused with two NACKs" },
	[PV_SIM_Q_SILENT_BAD_ADDRESS] = { "silent-bad-address",
	    "no NACK for a bad address of Read and Write, as before V3.1" },
	[PV_SIM_Q_RESERVED_KILLS] = { "reserved-ram-kills",
	    "using the bootloader's RAM ends the session, as before V2.2" },
	[PV_SIM_Q_DROP_LONG_LIST] = { "drop-long-list",
	    "an erase list too long loses its first pages instead of a NACK" },
	[PV_SIM_Q_NO_MASS_ERASE] = { "no-mass-erase",
	    "the mass-erase codes are refused" },
	[PV_SIM_Q_RESTART_AFTER_PROTECT] = { "restart-after-protect",
	    "restarts after Write Protect and Write Unprotect as well" },
	[PV_SIM_Q_RESTART_BEFORE_ACK] = { "restart-before-ack",
	    "loading option bytes restarts the part before the last ACK" },
	[PV_SIM_Q_UNPROTECT_ERASES_FIRST] = { "unprotect-erases-first",
	    "Readout Unprotect: the second ACK comes after the erase" },
	[PV_SIM_Q_UNPROTECT_FAILS] = { "unprotect-fails",
	    "Readout Unprotect cannot erase; the protection stays" },
	[PV_SIM_Q_CHECKSUM] = { "checksum", "Get Checksum is there" },
	[PV_SIM_Q_CHECKSUM_ONE_ACK] = { "checksum-one-ack",
	    "the CRC follows the ACK of the initial value at once" },
	[PV_SIM_Q_CHECKSUM_FIXED] = { "checksum-fixed",
	    "Get Checksum ignores polynomial and initial value" },
	[PV_SIM_Q_SPECIAL_ONE_ACK] = { "special-one-ack",
	    "one ACK for both packets of Extended Special" },
	[PV_SIM_Q_ECC_DAMAGE] = { "ecc-damage",
	    "a write unit programmed twice is damaged, not kept" },
	[PV_SIM_Q_EMPTY_CHECK] = { "empty-check",
	    "empty flash is noticed at power-on only: a plain reset after the "
	    "first programming stays in the bootloader (with --boot0 low)" },
	[PV_SIM_Q_BYTE_TIMEOUT] = { "byte-timeout",
	    "restarts when the rest of a frame does not come within 1 s" },
	[PV_SIM_Q_REFUSES_ALL] = { "refuses-all",
	    "broken: NACK to every command" },
	[PV_SIM_Q_HUGE_SIZES] = { "huge-sizes",
	    "broken: the counts in answers are as large as can be" },
	[PV_SIM_Q_MAILBOX_LOST] = { "mailbox-lost",
	    "STM32MP: the supplies fall at a reset, and with them what SSP "
	    "keeps in RAM from boot to boot" },
	[PV_SIM_Q_ROM_ABORT] = { "rom-abort",
	    "STM32MP: the ROM answers ABORT to the Start of a malformed image, "
	    "not silence" },
	[PV_SIM_Q_SIGNED_LOADER] = { "signed-loader",
	    "STM32MP: secrets are opened only for a loader signed with the "
	    "key they come with" },
	[PV_SIM_Q_OTHER_ID] = { "other-id",
	    "broken: another device id after each restart" },
};

const char *
pv_sim_quirk_name(unsigned int i, const char **ret_what)
{
	if (i >= PV_SIM_QUIRKS)
		return NULL;
	*ret_what = quirks[i].what;
	return quirks[i].name;
}

int
pv_sim_quirk_parse(
    const char *name, enum pv_sim_quirk *ret_quirk, struct pv_error *e)
{
	for (unsigned int i = 0; i < PV_SIM_QUIRKS; i++) {
		if (strcmp(name, quirks[i].name) == 0) {
			*ret_quirk = (enum pv_sim_quirk)i;
			return 0;
		}
	}
	(void)pv_fail(e, PV_E_USAGE, "no quirk '%s'", name);
	return pv_hint(e, "'provisor sim quirks' lists them");
}

/* Names this program does not know are the business of later ones. */
uint32_t
pv_sim_quirks_of(const struct pv_chip *chip)
{
	enum pv_sim_quirk q;
	uint32_t set = 0;

	for (size_t i = 0; i < chip->n_usart_quirks; i++)
		if (pv_sim_quirk_parse(chip->usart_quirks[i], &q, NULL) == 0)
			set |= 1U << q;
	return set;
}

bool
pv_sim_has(const struct pv_sim *sim, enum pv_sim_quirk quirk)
{
	return (sim->setup.quirks >> quirk & 1) != 0;
}
