/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plain main for the fuzz targets: runs the target on every file named, or
 * on every file of the folders named, so the corpus is replayed in the tests.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t len = 0, cap = 0, n;

	if (f == NULL) {
		perror(path);
		return 1;
	}
	do {
		if (len == cap) {
			cap = cap == 0 ? 4096 : cap * 2;
			data = realloc(data, cap);
			if (data == NULL)
				abort();
		}
		n = fread(data + len, 1, cap - len, f);
		len += n;
	} while (n > 0);
	(void)fclose(f);
	/* An exact allocation, so that a read past the end is caught. */
	uint8_t *exact = malloc(len == 0 ? 1 : len);
	if (exact == NULL)
		abort();
	memcpy(exact, data, len);
	free(data);
	(void)LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return 0;
}

int
main(int argc, char **argv)
{
	int bad = 0;
	unsigned int count = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;
		DIR *d;
		struct dirent *de;

		if (stat(argv[i], &st) != 0 || !S_ISDIR(st.st_mode)) {
			bad |= run_file(argv[i]);
			count++;
			continue;
		}
		d = opendir(argv[i]);
		if (d == NULL)
			return 1;
		while ((de = readdir(d)) != NULL) {
			char path[4096];

			if (de->d_name[0] == '.')
				continue;
			(void)snprintf(
			    path, sizeof(path), "%s/%s", argv[i], de->d_name);
			bad |= run_file(path);
			count++;
		}
		(void)closedir(d);
	}
	printf("%u inputs replayed\n", count);
	return bad != 0 || count == 0;
}
