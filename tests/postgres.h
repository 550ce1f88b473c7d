/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private PostgreSQL cluster for unit tests and benches, through
 * tests/cluster. pg_cluster_start() says false when there is no PostgreSQL.
 */
#ifndef PV_TEST_POSTGRES_H
#define PV_TEST_POSTGRES_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "softhsm.h"
#include <provisor/store.h>

struct pg_cluster {
	char dir[256];
	char url[512];
};

static inline bool
pg_cluster_do(const struct pg_cluster *c, const char *action)
{
	const char *const argv[] = { "tests/cluster", action, c->dir, NULL };

	return softhsm_run(argv) == 0;
}

static inline bool
pg_cluster_start(struct pg_cluster *c)
{
	/* Short, since a socket's path is; and open to the server's user. */
	(void)snprintf(c->dir, sizeof(c->dir), "/tmp/pvpg.%ld", (long)getpid());
	(void)snprintf(c->url, sizeof(c->url),
	    "postgresql://provisor@/postgres?host=%s", c->dir);
	return pv_store_has_postgres() && pg_cluster_do(c, "start");
}

#endif
