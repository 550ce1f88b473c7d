/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor that packing is measured against: AES-128-GCM over N MiB in one
 * process, without any file. Prints CPU and wall milliseconds.
 *	bench_gcm MIB
 */
#include "base/clock.h"
#include "base/hex.h"
#include "crypto/aead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOCK (256U * 1024U)

static int
seal(struct pv_gcm *g, uint64_t mib, struct pv_error *e)
{
	static const uint8_t iv[12] = { 1 };
	uint8_t tag[PV_GCM_TAG], *buf = malloc(BLOCK);
	int r;

	if (buf == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	memset(buf, 0x5a, BLOCK);
	r = pv_gcm_begin(g, false, iv, sizeof(iv), "bench", 5, e);
	for (uint64_t i = 0; r == 0 && i < mib * 4; i++)
		r = pv_gcm_update(g, buf, buf, BLOCK, e);
	if (r == 0)
		r = pv_gcm_tag(g, tag, e);
	free(buf);
	return r;
}

int
main(int argc, char **argv)
{
	static const uint8_t key[16] = { 2 };
	struct pv_gcm *g = NULL;
	struct pv_error e;
	struct timespec cpu;
	uint64_t mib = 0;
	int64_t began;
	int r;

	if (argc != 2 || pv_parse_u64(argv[1], 1U << 20, "MIB", &mib, &e)) {
		(void)fprintf(stderr, "usage: bench_gcm MIB\n");
		return 2;
	}
	began = pv_now_us();
	r = pv_gcm_new(key, sizeof(key), &g, &e);
	if (r == 0)
		r = seal(g, mib, &e);
	pv_gcm_free(g);
	if (r != 0) {
		(void)fprintf(stderr, "bench_gcm: %s\n", e.msg);
		return pv_exit_code(r);
	}
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	printf("%.2f %.2f\n",
	    (double)cpu.tv_sec * 1e3 + (double)cpu.tv_nsec / 1e6,
	    (double)(pv_now_us() - began) / 1e3);
	return 0;
}
