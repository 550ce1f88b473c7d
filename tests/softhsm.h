/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private SoftHSM2 for unit tests and benches: its own folder, its own
 * SOFTHSM2_CONF. Functions are static so that a single header is enough;
 * softhsm_start() says false when softhsm2-util is not installed.
 */
#ifndef PV_TEST_SOFTHSM_H
#define PV_TEST_SOFTHSM_H

#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <provisor/secret.h>

extern char **environ;

#define SOFTHSM_PIN "271828"
#define SOFTHSM_DIR 512

struct softhsm {
	char dir[SOFTHSM_DIR];
};

/* Run a program quietly; its exit code, or -1. */
static inline int
softhsm_run(const char *const argv[])
{
	posix_spawn_file_actions_t fa;
	char *args[24];
	size_t n = 0;
	pid_t pid = -1;
	int status = -1, r;

	for (; argv[n] != NULL && n + 1 < sizeof(args) / sizeof(args[0]); n++)
		args[n] = strdup(argv[n]);
	args[n] = NULL;
	(void)posix_spawn_file_actions_init(&fa);
	(void)posix_spawn_file_actions_addopen(
	    &fa, 1, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_addopen(
	    &fa, 2, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(&pid, args[0], &fa, NULL, args, environ);
	(void)posix_spawn_file_actions_destroy(&fa);
	for (size_t i = 0; i < n; i++)
		free(args[i]);
	if (r != 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* A further token in the same SoftHSM. */
static inline bool
softhsm_token(const char *label)
{
	const char *const argv[] = { "softhsm2-util", "--init-token", "--free",
		"--label", label, "--pin", SOFTHSM_PIN, "--so-pin", "314159",
		NULL };

	return softhsm_run(argv) == 0;
}

/* A folder without tokens, and SOFTHSM2_CONF pointing into it. */
static inline bool
softhsm_start(struct softhsm *s)
{
	const char *const probe[] = { "softhsm2-util", "--version", NULL };
	const char *tmp = getenv("TMPDIR");
	char path[SOFTHSM_DIR + 32];
	FILE *f;

	if (softhsm_run(probe) != 0)
		return false;
	(void)snprintf(s->dir, sizeof(s->dir), "%s/pvhsm.XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(s->dir) == NULL)
		return false;
	(void)snprintf(path, sizeof(path), "%s/tokens", s->dir);
	if (mkdir(path, 0700) != 0)
		return false;
	(void)snprintf(path, sizeof(path), "%s/softhsm2.conf", s->dir);
	f = fopen(path, "w");
	if (f == NULL)
		return false;
	(void)fprintf(f,
	    "directories.tokendir = %s/tokens\n"
	    "objectstore.backend = file\nlog.level = ERROR\n",
	    s->dir);
	return fclose(f) == 0 && setenv("SOFTHSM2_CONF", path, 1) == 0;
}

static inline void
softhsm_stop(struct softhsm *s)
{
	const char *const argv[] = { "rm", "-rf", s->dir, NULL };

	(void)softhsm_run(argv);
	(void)unsetenv("SOFTHSM2_CONF");
}

/* A pv_pin_fn; ctx is the PIN as text, NULL the right one. */
static inline int
softhsm_pin(void *ctx, const char *token, struct pv_secret **ret_pin,
    struct pv_error *e)
{
	const char *pin = ctx != NULL ? ctx : SOFTHSM_PIN;
	int r = pv_secret_new(strlen(pin), ret_pin, e);

	(void)token;
	if (r == 0)
		memcpy(pv_secret_data(*ret_pin), pin, strlen(pin));
	return r;
}

#endif
