/* SPDX-License-Identifier: Apache-2.0 */
/* Inside device/ only: what the agent does to flash, and its note. */
#ifndef PV_DEVICE_AGENT_FLASH_H
#define PV_DEVICE_AGENT_FLASH_H

#include "device/agent.h"

/* These return PV_SI_OK or the code that the status carries. */

/* --- agent_flash.c: memory -------------------------------------------------- */

/* May `size` bytes of an area lie there at all? By itself: no overlap. */
uint16_t pv_agent_place_check(
    const struct pv_agent *a, uint8_t type, uint32_t addr, uint32_t size);
/* Begin to fill it: overlap, number, protection. Changes nothing in flash. */
uint16_t pv_agent_place_open(
    struct pv_agent *a, uint8_t type, uint32_t addr, uint32_t size);
/* The next plaintext bytes of the place opened last. */
uint16_t pv_agent_place_put(
    struct pv_agent *a, const uint8_t *data, size_t len);
/* Compare all places with what was received. */
uint16_t pv_agent_places_verify(struct pv_agent *a);
/* Program the bytes held back, the first area's last. */
uint16_t pv_agent_places_release(struct pv_agent *a);
/* 16 bytes of internal flash that this install put there; held ones too. */
bool pv_agent_key_read(
    const struct pv_agent *a, uint32_t addr, uint8_t ret_key[16]);

/* PV_SI_E_FLASH_LOCKED when a sector that is not blank is write-protected. */
uint16_t pv_agent_wipe_check(struct pv_agent *a);
/*
 * Erase every sector of internal flash that is not blank, and those of the
 * external flash that this install filled; forget modules. True when all of
 * it worked.
 */
bool pv_agent_wipe(struct pv_agent *a);

/* --- agent_note.c: the note -------------------------------------------------- */

/* Write the note as "under way": the next start erases flash. */
uint16_t pv_agent_mark(struct pv_agent *a);
/* Write it as "applying": the next start applies a->options. */
uint16_t pv_agent_mark_applying(struct pv_agent *a);
/* Write it as "paused": the next start waits for the next part. */
uint16_t pv_agent_mark_paused(struct pv_agent *a);
/* Write the note without a mark: PV_AGENT_NOTE_DONE or _FAILED. */
uint16_t pv_agent_unmark(struct pv_agent *a, uint8_t note_state);
/* Read the note, and what it knows of an install under way. */
enum pv_agent_note pv_agent_note_load(struct pv_agent *a);

/* CRC-32, polynomial 0x04C11DB7, not reflected: against accidents only. */
uint32_t pv_agent_crc(uint32_t crc, const uint8_t *data, size_t len);

/* --- agent_area.c: what the letters mean ------------------------------------- */

struct pv_dev_sfi_area;
/* Is an area with this header taken? By itself; changes nothing. */
uint16_t pv_agent_area_check(
    const struct pv_agent *a, const struct pv_dev_sfi_area *area);
/* Begin one that was checked. Changes nothing in flash. */
uint16_t pv_agent_area_begin(
    struct pv_agent *a, const struct pv_dev_sfi_area *area);
/* The next plaintext bytes of it. */
uint16_t pv_agent_area_put(struct pv_agent *a, const uint8_t *data, size_t len);
/* All of it came and its tag verified. */
uint16_t pv_agent_area_end(struct pv_agent *a);

#endif
