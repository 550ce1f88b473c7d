/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ends in a restart of the device: leaving the bootloader, lifting read
 * protection, writing option bytes; and finding the device again.
 */
#include "boot/dfu.h"

#include "base/buf.h"
#include "base/clock.h"

#include <string.h>

#define T_STAYS 1000 /* from the end of a command to the restart */

/* --- leave ------------------------------------------------------------------- */

/*
 * A DNLOAD of length 0 and its GETSTATUS start the program (AN3156 section
 * 5.5). Once the DNLOAD was accepted, a device that does not answer any more
 * has left.
 */
int
pv_dfu_leave(struct pv_dfu *d, uint32_t addr, struct pv_error *e)
{
	struct dfu_status s;
	int rc;

	pv_df_step_at(d, "go", addr);
	if ((rc = pv_df_select(d, addr, 8, PV_DFU_READ, e)) != 0)
		return rc;
	for (unsigned int attempt = 1;; attempt++) {
		if ((rc = pv_df_pointer(d, addr, e)) == 0)
			break;
		if ((rc = pv_df_again(d, rc, attempt, e)) != 0)
			return rc;
	}
	if ((rc = pv_df_dnload(d, 0, NULL, 0, e)) != 0)
		return pv_df_wrap(d, e);
	if (pv_df_getstatus(d, &s, T_REQUEST, NULL) != 0)
		return 0;
	if (s.status != DFU_OK || s.state == DFU_ERROR)
		return pv_df_refused(d, &s, e);
	if (s.state != DFU_MANIFEST && s.state != DFU_MANIFEST_WAIT_RESET &&
	    s.state != DFU_MANIFEST_SYNC)
		return pv_df_fail(d, PV_E_DEVICE, e,
		    "the device is in state %u and did not leave",
		    (unsigned int)s.state);
	return 0;
}

/* --- reconnect ------------------------------------------------------------------ */

static int
other_device(struct pv_dfu *d, const char *what, struct pv_error *e)
{
	(void)pv_df_fail(d, PV_E_DEVICE, e,
	    "another device came back: its %s differs", what);
	return pv_hint(e, "was the board exchanged?");
}

/* The serial number may change; ids, version and memories may not. */
static int
same_device(struct pv_dfu *d, const struct pv_dfu_info *old, struct pv_error *e)
{
	const struct pv_dfu_info *now = &d->info;
	int rc;

	if (now->vendor != old->vendor || now->product != old->product)
		return other_device(d, "USB id", e);
	if (now->device != old->device)
		return other_device(d, "version", e);
	if (now->transfer_size != old->transfer_size ||
	    now->n_memories != old->n_memories)
		return other_device(
		    d, "transfer size or number of memories", e);
	for (size_t i = 0; i < now->n_memories; i++) {
		if (old->memories[i].text[0] == '\0')
			continue; /* was not asked for */
		if ((rc = pv_df_map(d, i, e)) != 0)
			return pv_df_wrap(d, e);
		if (strcmp(now->memories[i].text, old->memories[i].text) != 0)
			return other_device(d, "memory map", e);
	}
	return 0;
}

int
pv_dfu_reconnect(struct pv_dfu *d, int timeout_ms, struct pv_error *e)
{
	struct pv_dfu_info old = d->info, info = { 0 };
	int rc;

	d->mode = MODE_OTHER;
	d->alt = PV_USB_ALTS;
	rc = d->usb->reopen(d->usb, pv_now_ms() + timeout_ms, e);
	if (rc != 0) {
		(void)pv_df_wrap(d, e);
		return pv_hint(
		    e, "the boot pin must stay set while the chip restarts");
	}
	rc = pv_df_describe(d->usb, d->chip, &info, e);
	if (rc != 0)
		return pv_df_wrap(d, e);
	d->info = info;
	memset(d->maps_known, 0, sizeof(d->maps_known));
	if ((rc = pv_df_idle(d, e)) != 0)
		return rc;
	return same_device(d, &old, e);
}

/*
 * The command is running and ends in a restart: poll until the device is gone.
 * One that reports its end and stays is waited for as well: its hardware
 * restarts when it loads the options.
 */
static int
wait_gone(struct pv_dfu *d, int deadline_ms, struct pv_error *e)
{
	int64_t deadline = pv_now_ms() + deadline_ms;
	struct dfu_status s = { 0 };
	int rc, ms;

	rc = pv_df_getstatus(d, &s, T_REQUEST, NULL);
	if (rc == 0 && s.state != DFU_DNBUSY)
		return s.status != DFU_OK || s.state == DFU_ERROR
			   ? pv_df_refused(d, &s, e)
			   : pv_df_fail(d, PV_E_DEVICE, e,
				 "the device did not start the command "
				 "(state %u)",
				 (unsigned int)s.state);
	while (rc == 0 && s.state == DFU_DNBUSY) {
		ms = pv_ms_left(deadline);
		if (ms == 0)
			return pv_df_fail(d, PV_E_TIMEOUT, e,
			    "the device is still busy after %d ms",
			    deadline_ms);
		if (s.poll_ms < (uint32_t)ms)
			ms = (int)s.poll_ms + 1;
		if ((rc = pv_df_wait(d, ms, e)) != 0)
			return rc;
		rc = pv_df_getstatus(d, &s, T_REQUEST, NULL);
	}
	if (rc == 0 && (s.status != DFU_OK || s.state == DFU_ERROR))
		return pv_df_refused(d, &s, e);
	/* Done but still here: the restart is about to come. */
	for (int i = 0; rc == 0 && i < T_STAYS / T_STALL_MIN; i++) {
		if ((rc = pv_df_wait(d, T_STALL_MIN, e)) != 0)
			return rc;
		rc = pv_df_getstatus(d, &s, T_REQUEST, NULL);
	}
	return 0;
}

/* --- read unprotect ---------------------------------------------------------------- */

int
pv_dfu_read_unprotect(struct pv_dfu *d, struct pv_error *e)
{
	const struct pv_dfu_info *info;
	uint8_t cmd = PV_DFU_READ_UNPROTECT;
	bool listed = false;
	int rc;

	if ((rc = pv_dfu_info(d, &info, e)) != 0)
		return rc;
	pv_df_step(d, "read unprotect");
	for (size_t i = 0; i < info->n_commands; i++)
		listed = listed || info->commands[i] == PV_DFU_READ_UNPROTECT;
	if (!listed)
		return pv_df_fail(d, PV_E_UNSUPPORTED, e,
		    "the device does not list this command");
	if ((rc = pv_df_select_flash(d, e)) != 0)
		return rc;
	if (d->mode != MODE_OTHER && (rc = pv_df_idle(d, e)) != 0)
		return rc;
	if ((rc = pv_df_dnload(d, 0, &cmd, 1, e)) != 0)
		return pv_df_wrap(d, e);
	if ((rc = wait_gone(d, pv_df_mass_deadline(d), e)) != 0)
		return rc;
	return pv_dfu_reconnect(d, pv_df_mass_deadline(d) + T_REOPEN, e);
}

/* --- option bytes -------------------------------------------------------------------- */

static int
check_options(struct pv_dfu *d, uint32_t addr, size_t len, struct pv_error *e)
{
	const struct pv_dfu_map *map;
	uint64_t base = 0, size = 0;
	int rc;

	rc = pv_df_select(d, addr, len, PV_DFU_WRITE, e);
	if (rc != 0)
		return rc;
	map = &d->info.memories[d->alt].map;
	if (strncmp(map->name, "Option", 6) != 0)
		return pv_df_fail(d, PV_E_RANGE, e,
		    "'%s' is not the memory of the option bytes", map->name);
	if (!pv_dfu_map_piece(map, addr, &base, &size) || base != addr ||
	    size != len || len > d->info.block)
		return pv_df_fail(d, PV_E_RANGE, e,
		    "option bytes are written as one block: 0x%llx bytes from "
		    "0x%08llx",
		    (unsigned long long)size, (unsigned long long)base);
	return 0;
}

int
pv_dfu_write_options(struct pv_dfu *d, uint32_t addr, const void *data,
    size_t len, struct pv_error *e)
{
	uint8_t got[PV_DFU_BLOCK];
	const uint8_t *want = data;
	int rc;

	pv_df_step_at(d, "option bytes", addr);
	if ((rc = check_options(d, addr, len, e)) != 0)
		return rc;
	if ((rc = pv_df_pointer(d, addr, e)) != 0)
		return rc;
	rc = pv_df_dnload(d, FIRST_BLOCK, data, (uint16_t)len, e);
	if (rc != 0)
		return pv_df_wrap(d, e);
	if ((rc = wait_gone(d, T_PAGE + T_MARGIN, e)) != 0)
		return rc;
	if ((rc = pv_dfu_reconnect(d, T_REOPEN, e)) != 0)
		return rc;
	if ((rc = pv_dfu_read(d, addr, got, len, e)) != 0)
		return rc;
	for (size_t i = 0; i < len; i++)
		if (got[i] != want[i])
			return pv_fail(e, PV_E_VERIFY,
			    "option bytes at 0x%08x: wrote 0x%02x, reads "
			    "0x%02x",
			    addr + (uint32_t)i, (unsigned int)want[i],
			    (unsigned int)got[i]);
	return 0;
}
