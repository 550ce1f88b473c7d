/* SPDX-License-Identifier: Apache-2.0 */
/* Inside device/ only: what the agent does to flash, and its note. */
#ifndef PV_DEVICE_AGENT_FLASH_H
#define PV_DEVICE_AGENT_FLASH_H

#include "device/agent.h"

/* These return PV_SI_OK or the code that the status carries. */

/* Begin an F area: range, overlap, number. Changes nothing in flash. */
uint16_t pv_agent_area_open(struct pv_agent *a, uint32_t addr, uint32_t size);
/* The next plaintext bytes of the F area under way. */
uint16_t pv_agent_area_put(struct pv_agent *a, const uint8_t *data, size_t len);
/* Compare all F areas with what was received. */
uint16_t pv_agent_areas_verify(struct pv_agent *a);
/* Program the bytes held back, the first area's last. */
uint16_t pv_agent_areas_release(struct pv_agent *a);

/* Write the note as "under way": the next start erases flash. */
uint16_t pv_agent_mark(struct pv_agent *a);
/* Write it as "applying": the next start applies a->options. */
uint16_t pv_agent_mark_applying(struct pv_agent *a);
/* Write the note without a mark: PV_AGENT_NOTE_DONE or _FAILED. */
uint16_t pv_agent_unmark(struct pv_agent *a, uint8_t note_state);
/* Read the note, and the option bytes in it into a->options. */
enum pv_agent_note pv_agent_note_load(struct pv_agent *a);

/* PV_SI_E_FLASH_LOCKED when a sector that is not blank is write-protected. */
uint16_t pv_agent_wipe_check(struct pv_agent *a);
/* Erase every sector that is not blank; true when all are blank now. */
bool pv_agent_wipe(struct pv_agent *a);

#endif
