/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor that signing an encrypted image is measured against: SHA-256 and
 * AES-128-CTR over N MiB in one process, without any file. Prints CPU and wall
 * milliseconds.
 *	bench_ctr MIB
 */
#include "base/clock.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOCK (256U * 1024U)

static int
run(uint64_t mib, struct pv_error *e)
{
	static const uint8_t key[16] = { 2 };
	uint8_t digest[PV_HASH_MAX], *buf = malloc(BLOCK);
	struct pv_hash *h = NULL;
	struct pv_ctr *c = NULL;
	int r;

	if (buf == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	memset(buf, 0x5a, BLOCK);
	r = pv_hash_new(256, &h, e);
	if (r == 0)
		r = pv_ctr_new(key, sizeof(key), NULL, &c, e);
	for (uint64_t i = 0; r == 0 && i < mib * 4; i++) {
		r = pv_hash_update(h, buf, BLOCK, e);
		if (r == 0)
			r = pv_ctr_update(c, buf, buf, BLOCK, e);
	}
	if (r == 0)
		r = pv_hash_final(h, digest, e);
	pv_hash_free(h);
	pv_ctr_free(c);
	free(buf);
	return r;
}

int
main(int argc, char **argv)
{
	struct pv_error e;
	struct timespec cpu;
	uint64_t mib = 0;
	int64_t began = pv_now_us();
	int r;

	if (argc != 2 || pv_parse_u64(argv[1], 1U << 20, "MIB", &mib, &e)) {
		(void)fprintf(stderr, "usage: bench_ctr MIB\n");
		return 2;
	}
	if ((r = run(mib, &e)) != 0) {
		(void)fprintf(stderr, "bench_ctr: %s\n", e.msg);
		return pv_exit_code(r);
	}
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	printf("%.2f %.2f\n",
	    (double)cpu.tv_sec * 1e3 + (double)cpu.tv_nsec / 1e6,
	    (double)(pv_now_us() - began) / 1e3);
	return 0;
}
