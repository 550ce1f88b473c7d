/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nonce exports: the input stands between the title and a checksum that is
 * right, so that the lines are reached. Importing twice adds nothing new.
 */
#include "base/file.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "package/nonces.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TITLE "provisor nonce export v1\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
empty(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;

	if (d == NULL)
		return;
	while ((de = readdir(d)) != NULL) {
		if (de->d_name[0] != '.')
			(void)unlinkat(dirfd(d), de->d_name, 0);
	}
	(void)closedir(d);
	(void)rmdir(dir);
}

static void
import(const char *text, size_t len)
{
	char dir[] = "/tmp/pvfuzzXXXXXX", records[64], file[64];
	struct pv_nonces_merge m, again;
	struct pv_error e;
	int r;

	if (mkdtemp(dir) == NULL)
		abort();
	(void)snprintf(file, sizeof(file), "%s/export", dir);
	(void)snprintf(records, sizeof(records), "%s/nonces", dir);
	if (pv_file_write(file, 0600, text, len, &e) != 0)
		abort();
	r = pv_nonces_import(records, file, &m, &e);
	if (r == 0 || r == PV_E_REUSE) {
		if (pv_nonces_import(records, file, &again, &e) != r ||
		    again.n_added != 0)
			abort();
	}
	empty(records);
	empty(dir);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = sizeof(TITLE) - 1 + size;
	struct pv_part part;
	uint8_t digest[32];
	char *text;

	if (size > 65536)
		return 0;
	text = malloc(len + 70);
	if (text == NULL)
		return 0;
	memcpy(text, TITLE, sizeof(TITLE) - 1);
	memcpy(text + sizeof(TITLE) - 1, data, size);
	part.data = text;
	part.len = len;
	if (pv_sha256(&part, 1, digest, NULL) != 0)
		abort();
	memcpy(text + len, "end ", 4);
	pv_hex_encode(text + len + 4, digest, sizeof(digest));
	text[len + 68] = '\n';
	import(text, len + 69);
	free(text);
	return 0;
}
