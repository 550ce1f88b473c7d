/* SPDX-License-Identifier: Apache-2.0 */
/* Monotonic deadlines, and wall-clock time for records only. */
#ifndef PV_CLOCK_H
#define PV_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds and microseconds of the monotonic clock. */
int64_t pv_now_ms(void);
int64_t pv_now_us(void);

/* Milliseconds from now to a time of pv_now_ms, never below 0. */
int pv_ms_left(int64_t at_ms);

void pv_sleep_ms(int ms);

/* Milliseconds since 1970 UTC, as this machine believes. */
int64_t pv_wall_ms(void);

/*
 * Whether the kernel has that clock under the control of a time service: 1
 * yes, 0 no, -1 unknown (adjtimex(2)).
 */
int pv_wall_synced(void);

/* "2026-01-31T12:34:56.789Z" for a wall time; dst holds 32 bytes. */
#define PV_TIME_TEXT 32
void pv_time_text(char dst[PV_TIME_TEXT], int64_t wall_ms);

#endif
