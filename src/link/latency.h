/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The latency timer of USB serial adapters: how long a received byte may wait
 * in the adapter for more. The default of 16 ms is paid at every answer of a
 * bootloader. Failing to set it is silent and harmless: only slow.
 */
#ifndef PV_LATENCY_H
#define PV_LATENCY_H

#include <stdbool.h>

#define PV_LATENCY_PATH 320U

/* What has to be put back. */
struct pv_latency {
	int fd;		  /* not owned */
	bool low_latency; /* ASYNC_LOW_LATENCY was set by us */
	int timer_ms;	  /* former value in `path`, or -1 */
	char path[PV_LATENCY_PATH];
};

/*
 * Set 1 ms for the port `fd`, whose name in SYS_DIR (/sys/class/tty) is
 * `name`: by TIOCSSERIAL, else by the sysfs file of ftdi_sio.
 */
void pv_latency_set(
    struct pv_latency *l, int fd, const char *sys_dir, const char *name);
/* Put back what was there; safe to call on an empty struct and twice. */
void pv_latency_restore(struct pv_latency *l);

#endif
