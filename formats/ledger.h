/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One entry of the ledger and the token's note about it, byte by byte as in
 * ledger.md. Codec only: no I/O, no cryptography, no rules about the chain.
 */
#ifndef PV_LEDGER_FORMAT_H
#define PV_LEDGER_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/campaign.h>
#include <provisor/err.h>

#define PV_ENTRY_MAGIC	 "PVLE"
#define PV_ENTRY_VERSION 1U
#define PV_ENTRY_MAX	 4096U /* bytes of an entry */
#define PV_ENTRY_TEXT	 64U   /* station, operator: at most 63 bytes */
#define PV_ENTRY_MESSAGE 128U  /* outcome text: at most 127 bytes */
#define PV_ENTRY_LICENSE 228U
/* Hashed before the entry; its terminating zero byte counts too. */
#define PV_ENTRY_DOMAIN	 "provisor/ledger/v1"

enum pv_entry_kind {
	PV_ENTRY_CREATE = 1,
	PV_ENTRY_RESERVE = 2,
	PV_ENTRY_ISSUED = 3,
	PV_ENTRY_FAILED = 4,
	PV_ENTRY_RESULT = 5,
	PV_ENTRY_CLOSE = 6,
	PV_ENTRY_REVISE = 7,
	PV_ENTRY_OPEN = 8,
	PV_ENTRY_DENY = 9,
	PV_ENTRY_REPAIR = 10,
};

/* Where the campaign stands after an entry. */
enum pv_entry_state {
	PV_STATE_DRAFT = 1,
	PV_STATE_OPERATIONAL = 2,
	PV_STATE_CLOSED = 3,
};

/* What the machine knew about its clock. */
enum pv_entry_clock {
	PV_ENTRY_CLOCK_SYSTEM = 0,   /* the system's, nothing else known */
	PV_ENTRY_CLOCK_SYNCED = 1,   /* the kernel calls it synchronized */
	PV_ENTRY_CLOCK_UNSYNCED = 2, /* the kernel calls it free-running */
};

/* Bodies of reserve, issued, failed, result and deny share their fields. */
struct pv_entry_body {
	uint64_t number;  /* repair: the entry that the token had noted */
	uint8_t chip[32]; /* of pv_campaign_chip */
	/* issued */
	size_t license_len;
	uint8_t license[PV_ENTRY_LICENSE];
	bool has_package; /* where each package has a nonce of its own */
	uint8_t package[32];
	/* failed, result, deny */
	bool pass; /* result */
	int32_t code;
	char message[PV_ENTRY_MESSAGE];
};

struct pv_entry {
	uint8_t campaign_id[16];
	uint64_t seq; /* from 1 */
	uint8_t previous[32];
	uint64_t spent;	 /* numbers reserved so far, this entry included */
	int64_t time_ms; /* wall clock, noted only */
	enum pv_entry_kind kind;
	enum pv_entry_state state;
	enum pv_entry_clock clock;
	char station[PV_ENTRY_TEXT];
	char operator_id[PV_ENTRY_TEXT];
	struct pv_entry_body body;
	/* create and revise only; without where it stands */
	struct pv_campaign create;
};

/* Every length, range, text and trailing byte is checked. */
PV_MUST_USE int pv_entry_decode(const uint8_t *data, size_t len,
    struct pv_entry *ret_entry, struct pv_error *e);
/* *len: room, then length. Refuses what pv_entry_decode would refuse. */
PV_MUST_USE int pv_entry_encode(const struct pv_entry *entry, uint8_t *data,
    size_t *len, struct pv_error *e);
/* "create", "reserve", ...; "?" for a kind nobody knows. */
const char *pv_entry_kind_name(enum pv_entry_kind kind);
/* "draft", "operational", "closed". */
const char *pv_entry_state_name(enum pv_entry_state state);
/* "system", "synchronized", "unsynchronized". */
const char *pv_entry_clock_name(enum pv_entry_clock clock);

/* The value of the token's note of a campaign. */
#define PV_NOTE_MAGIC "PVLA"
#define PV_NOTE_LEN   72U

struct pv_note {
	uint64_t seq; /* last entry; 0 before the first */
	uint8_t campaign_id[16];
	uint64_t spent;
	uint8_t hash[32]; /* of the entry `seq` */
};

PV_MUST_USE int pv_note_decode(const uint8_t *data, size_t len,
    struct pv_note *ret_note, struct pv_error *e);
void pv_note_encode(const struct pv_note *note, uint8_t ret_data[PV_NOTE_LEN]);

#endif
