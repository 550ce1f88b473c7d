/* SPDX-License-Identifier: Apache-2.0 */
#include <provisor/progress.h>

#include <stddef.h>

static void
emit(const struct pv_progress *p, const struct pv_event *ev)
{
	if (p != NULL && p->event != NULL)
		p->event(p->ctx, ev);
}

void
pv_progress_step(const struct pv_progress *p, const char *step)
{
	emit(p, &(struct pv_event){ .kind = PV_EVENT_STEP, .step = step });
}

void
pv_progress_at(const struct pv_progress *p, const char *step, uint64_t done,
    uint64_t total)
{
	emit(p, &(struct pv_event){ .kind = PV_EVENT_PROGRESS,
		    .step = step,
		    .done = done,
		    .total = total });
}

void
pv_progress_retry(const struct pv_progress *p, const char *step,
    uint64_t address, const char *text)
{
	emit(p, &(struct pv_event){ .kind = PV_EVENT_RETRY,
		    .step = step,
		    .address = address,
		    .has_address = 1,
		    .text = text });
}

void
pv_progress_note(const struct pv_progress *p, const char *text)
{
	emit(p, &(struct pv_event){ .kind = PV_EVENT_NOTE, .text = text });
}

int
pv_progress_cancelled(const struct pv_progress *p)
{
	return p != NULL && p->cancelled != NULL && p->cancelled(p->ctx);
}
