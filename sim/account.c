/* SPDX-License-Identifier: Apache-2.0 */
/* What happened on the line: counters, and a transcript line per command. */
#include "sim/internal.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
	uint8_t opcode;
	bool addr, count;
	const char *name;
} names[] = {
	{ PV_AN_SYNC, false, false, "sync" },
	{ PV_AN_GET, false, false, "get" },
	{ PV_AN_GET_VERSION, false, false, "get-version" },
	{ PV_AN_GET_ID, false, false, "get-id" },
	{ PV_AN_READ, true, true, "read" },
	{ PV_AN_GO, true, false, "go" },
	{ PV_AN_WRITE, true, true, "write" },
	{ PV_AN_ERASE, false, true, "erase" },
	{ PV_AN_EXT_ERASE, false, true, "extended-erase" },
	{ PV_AN_SPECIAL, false, true, "special" },
	{ PV_AN_EXT_SPECIAL, false, true, "extended-special" },
	{ PV_AN_WRITE_PROTECT, false, true, "write-protect" },
	{ PV_AN_WRITE_UNPROTECT, false, false, "write-unprotect" },
	{ PV_AN_READ_PROTECT, false, false, "readout-protect" },
	{ PV_AN_READ_UNPROTECT, false, false, "readout-unprotect" },
	{ PV_AN_CHECKSUM, true, true, "get-checksum" },
};

static const char *const ends[] = {
	[PV_AN_END_OK] = "ok",
	[PV_AN_END_NACK] = "nack",
	[PV_AN_END_SILENT] = "silent",
	[PV_AN_END_BAD_PAIR] = "nack",
};

static void
write_event(const struct pv_sim *sim, const struct pv_an_event *event)
{
	FILE *f = sim->setup.transcript;
	/* Refused at its opcode a command has neither. */
	bool frames = event->addr != 0 || event->count != 0;
	size_t n = sizeof names / sizeof names[0], i = 0;

	while (i < n && names[i].opcode != event->opcode)
		i++;
	if (event->end == PV_AN_END_BAD_PAIR || i == n) {
		(void)fprintf(f, "pair 0x%02x%02x %s\n",
		    (unsigned int)event->opcode, (unsigned int)event->second,
		    ends[event->end]);
		return;
	}
	(void)fputs(names[i].name, f);
	if (event->sub != 0)
		(void)fprintf(f, " 0x%04x", (unsigned int)event->sub);
	if (names[i].addr && frames)
		(void)fprintf(f, " 0x%08" PRIx32, event->addr);
	if (event->code != 0)
		(void)fprintf(f, " 0x%04" PRIx32, event->code);
	else if (names[i].count && frames)
		(void)fprintf(f, " %" PRIu32, event->count);
	(void)fprintf(f, " %s", ends[event->end]);
	if (event->end == PV_AN_END_OK &&
	    (event->opcode == PV_AN_ERASE || event->opcode == PV_AN_EXT_ERASE))
		(void)fprintf(f, " erased=%" PRIu64, sim->erased_now);
	(void)fputc('\n', f);
}

/*
 * Two equal commands with an address one after the other: the host did not
 * believe the first. A host may have other reasons to read a block twice.
 */
static bool
is_retry(const struct pv_sim *sim, const struct pv_an_event *event)
{
	return event->addr != 0 && event->opcode == sim->previous.opcode &&
	       event->addr == sim->previous.addr;
}

void
pv_sim_account(struct pv_sim *sim, const struct pv_an_event *event)
{
	if (sim->dark)
		return;
	if (event->opcode == PV_AN_SYNC && event->end == PV_AN_END_OK)
		sim->state.syncs++;
	if (is_retry(sim, event))
		sim->state.retries++;
	sim->previous = *event;
	if (sim->setup.transcript != NULL)
		write_event(sim, event);
	sim->erased_now = 0;
}

void
pv_sim_account_text(const struct pv_sim *sim, const char *text)
{
	if (sim->setup.transcript != NULL && !sim->dark)
		(void)fprintf(sim->setup.transcript, "%s\n", text);
}
