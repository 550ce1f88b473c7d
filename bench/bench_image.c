/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading firmware costs: load one file, read every byte of it. Prints
 * CPU ms, bytes of data, segments, and the largest resident memory in KiB.
 *	bench_image FILE[@ADDR]
 */
#include <provisor/image.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define CHUNK (256U << 10)

static int
read_all(const struct pv_image *img, uint8_t *buf, struct pv_error *e)
{
	for (size_t i = 0; i < pv_image_count(img); i++) {
		struct pv_segment s;

		pv_image_segment(img, i, &s);
		for (uint64_t off = 0; off < s.size; off += CHUNK) {
			uint64_t n =
			    s.size - off < CHUNK ? s.size - off : CHUNK;
			int r = pv_image_read(img, i, off, buf, (size_t)n, e);

			if (r != 0)
				return r;
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct pv_image *img = NULL;
	struct timespec cpu;
	struct rusage ru;
	struct pv_error e;
	uint8_t *buf;
	int r;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: bench_image FILE[@ADDR]\n");
		return 2;
	}
	buf = malloc(CHUNK);
	r = buf == NULL ? PV_E_NOMEM : pv_image_new(&img, &e);
	if (r == 0)
		r = pv_image_add_file(img, argv[1], &e);
	if (r == 0)
		r = read_all(img, buf, &e);
	free(buf);
	if (r != 0) {
		(void)fprintf(stderr, "bench_image: %s\n", e.msg);
		pv_image_free(img);
		return pv_exit_code(r);
	}
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	(void)getrusage(RUSAGE_SELF, &ru);
	printf("%.2f %" PRIu64 " %zu %ld\n",
	    (double)cpu.tv_sec * 1e3 + (double)cpu.tv_nsec / 1e6,
	    pv_image_size(img), pv_image_count(img), ru.ru_maxrss);
	pv_image_free(img);
	return 0;
}
