/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long work tells its caller where it is. The library calls `event`; the
 * program turns events into a bar on a terminal and into NDJSON for
 * --events. A NULL observer is allowed everywhere.
 */
#ifndef PROVISOR_PROGRESS_H
#define PROVISOR_PROGRESS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pv_event_kind {
	PV_EVENT_STEP,	   /* a step begins: `step` */
	PV_EVENT_PROGRESS, /* `done` of `total` bytes in `step` */
	PV_EVENT_RETRY,	   /* something was tried again: `step`, `text` */
	PV_EVENT_NOTE,	   /* worth telling: `text` */
};

struct pv_event {
	enum pv_event_kind kind;
	const char *step; /* "connect", "erase", "write", "verify", ... */
	uint64_t done;	  /* bytes */
	uint64_t total;	  /* bytes; 0 when unknown */
	uint64_t address; /* where, when `has_address` */
	int has_address;
	const char *text; /* may be NULL */
};

struct pv_progress {
	void *ctx;
	void (*event)(void *ctx, const struct pv_event *ev);
	/* Nonzero once the user asked to stop (Ctrl-C); may be NULL. */
	int (*cancelled)(void *ctx);
};

/* Helpers that accept a NULL observer. */
void pv_progress_step(const struct pv_progress *p, const char *step);
void pv_progress_at(const struct pv_progress *p, const char *step,
    uint64_t done, uint64_t total);
void pv_progress_retry(const struct pv_progress *p, const char *step,
    uint64_t address, const char *text);
void pv_progress_note(const struct pv_progress *p, const char *text);
int pv_progress_cancelled(const struct pv_progress *p);

#ifdef __cplusplus
}
#endif
#endif
