/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/timex.h>
#include <time.h>

int64_t
pv_now_us(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		return 0;
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t
pv_now_ms(void)
{
	return pv_now_us() / 1000;
}

int
pv_ms_left(int64_t at_ms)
{
	int64_t left = at_ms - pv_now_ms();

	if (left < 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

void
pv_sleep_ms(int ms)
{
	struct timespec t = { .tv_sec = ms / 1000,
		.tv_nsec = (long)(ms % 1000) * 1000000L };

	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

int64_t
pv_wall_ms(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_REALTIME, &t) != 0)
		return 0;
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int
pv_wall_synced(void)
{
	struct timex t = { .modes = 0 };

	if (adjtimex(&t) < 0)
		return -1;
	return (t.status & STA_UNSYNC) == 0 ? 1 : 0;
}

void
pv_time_text(char dst[PV_TIME_TEXT], int64_t wall_ms)
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;
	size_t n;

	if (wall_ms < 0 || gmtime_r(&s, &tm) == NULL || tm.tm_year > 8099) {
		(void)snprintf(dst, PV_TIME_TEXT, "unknown");
		return;
	}
	n = strftime(dst, PV_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(dst + n, PV_TIME_TEXT - n, ".%03uZ",
	    (unsigned int)(wall_ms % 1000));
}
