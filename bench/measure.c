/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run a command a number of times and print the best of each figure:
 * "wall-ms cpu-ms max-rss-KiB" on one line. CPU is user plus system time of the
 * command and its children, as wait4(2) counts it.
 *
 *   measure [-s] RUNS COMMAND...     -s: sync(2) inside the measured wall time
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
now_ms(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		return 0;
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
tv_ms(struct timeval tv)
{
	return (double)tv.tv_sec * 1e3 + (double)tv.tv_usec / 1e3;
}

int
main(int argc, char **argv)
{
	double wall = 1e18, cpu = 1e18;
	long rss = 0, runs;
	int with_sync = 0, at = 1;

	if (argc > 1 && strcmp(argv[1], "-s") == 0) {
		with_sync = 1;
		at++;
	}
	if (argc < at + 2 || (runs = strtol(argv[at], NULL, 10)) < 1) {
		(void)fprintf(stderr, "usage: measure [-s] RUNS COMMAND...\n");
		return 2;
	}
	for (long i = 0; i < runs; i++) {
		struct rusage ru;
		int status = 0;
		double t0, t1, c;
		pid_t pid;

		sync();
		t0 = now_ms();
		pid = fork();
		if (pid < 0)
			return 1;
		if (pid == 0) {
			if (freopen("/dev/null", "w", stdout) == NULL)
				_exit(127);
			(void)execvp(argv[at + 1], argv + at + 1);
			_exit(127);
		}
		if (wait4(pid, &status, 0, &ru) != pid)
			return 1;
		if (with_sync)
			sync();
		t1 = now_ms();
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
			(void)fprintf(
			    stderr, "measure: %s failed\n", argv[at + 1]);
			return 1;
		}
		c = tv_ms(ru.ru_utime) + tv_ms(ru.ru_stime);
		wall = t1 - t0 < wall ? t1 - t0 : wall;
		cpu = c < cpu ? c : cpu;
		rss = ru.ru_maxrss > rss ? ru.ru_maxrss : rss;
	}
	printf("%.2f %.2f %ld\n", wall, cpu, rss);
	return 0;
}
