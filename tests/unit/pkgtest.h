/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of packages share: a small chip, a key, a folder. */
#ifndef PKGTEST_H
#define PKGTEST_H

#include "base/file.h"
#include <provisor/secret.h>
#include <provisor/sfi.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEST_KEY   "AES_KEY_TEST_001"
#define TEST_NONCE "NONCE_TEST01"

struct fix {
	char *dir;
	char *out;    /* dir/p.sfi */
	char *record; /* dir/nonces */
	char *plain;  /* dir/plain */
	struct pv_chip chip;
	struct pv_sealer sealer;
	struct pv_image *image;
	struct pv_sfi_pack pack;
	struct pv_error e;
};

static const uint32_t fix_options[3] = { 0x2D3017F8, 0xB400007C, 7 };

static inline char *
fix_join(const char *dir, const char *name)
{
	char *path = pv_path_join(dir, name);

	assert_non_null(path);
	return path;
}

static inline void
fix_sealer(const char *key, struct pv_sealer *ret)
{
	struct pv_secret *s = NULL;

	assert_int_equal(pv_secret_new(16, &s, NULL), 0);
	memcpy(pv_secret_data(s), key, 16);
	assert_int_equal(pv_sealer_from_secret(s, ret, NULL), 0);
	pv_secret_free(s);
}

static inline void
fix_empty_image(struct fix *f)
{
	pv_image_free(f->image);
	assert_int_equal(pv_image_new(&f->image, &f->e), 0);
	f->pack.image = f->image;
}

static inline void
fix_add(struct fix *f, uint64_t addr, const void *data, size_t len)
{
	assert_int_equal(
	    pv_image_add(f->image, addr, data, len, "test", &f->e), 0);
}

/* Two segments, the second of 40 bytes, and three option words. */
static inline int
fix_setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));
	const char *base = getenv("TMPDIR");
	uint8_t low[101];

	assert_non_null(f);
	f->dir = fix_join(base != NULL ? base : "/tmp", "pvpkg.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->out = fix_join(f->dir, "p.sfi");
	f->record = fix_join(f->dir, "nonces");
	f->plain = fix_join(f->dir, "plain");
	(void)snprintf(f->chip.name, sizeof(f->chip.name), "testchip");
	f->chip.write_unit = 16;
	f->chip.erased = 0xff;
	f->chip.option_words = 3;
	f->chip.n_banks = 1;
	f->chip.banks[0].base = 0x08000000;
	f->chip.banks[0].size = 0x100000;
	f->chip.banks[0].n_groups = 1;
	f->chip.banks[0].groups[0].count = 128;
	f->chip.banks[0].groups[0].size = 8192;
	f->chip.n_aliases = 1;
	f->chip.aliases[0].base = 0x0c000000;
	f->chip.aliases[0].size = 0x100000;
	f->chip.aliases[0].target = 0x08000000;
	fix_sealer(TEST_KEY, &f->sealer);
	fix_empty_image(f);
	for (size_t i = 0; i < sizeof(low); i++)
		low[i] = (uint8_t)(i * 3 + 1);
	fix_add(f, 0x08000000, low, sizeof(low));
	fix_add(f, 0x08001000, "forty bytes, an even number: 0123456789", 40);
	f->pack.chip = &f->chip;
	f->pack.options = fix_options;
	f->pack.n_options = 3;
	f->pack.sealer = &f->sealer;
	f->pack.profile = PV_SFI_V1;
	f->pack.image_version = 9;
	f->pack.record_dir = f->record;
	memcpy(f->pack.nonce, TEST_NONCE, 12);
	*state = f;
	return 0;
}

static inline void
fix_remove(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;

	if (d == NULL)
		return;
	while ((de = readdir(d)) != NULL) {
		char *path;

		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		path = fix_join(dir, de->d_name);
		if (unlink(path) != 0)
			fix_remove(path);
		free(path);
	}
	(void)closedir(d);
	(void)rmdir(dir);
}

static inline int
fix_teardown(void **state)
{
	struct fix *f = *state;

	fix_remove(f->dir);
	pv_image_free(f->image);
	pv_sealer_release(&f->sealer);
	free(f->plain);
	free(f->record);
	free(f->out);
	free(f->dir);
	free(f);
	return 0;
}

static inline int
fix_pack(struct fix *f)
{
	struct pv_sfi_info info;

	return pv_sfi_pack(&f->pack, f->out, &info, NULL, NULL, &f->e);
}

static inline struct pv_sfi_key
fix_key(struct fix *f)
{
	struct pv_sfi_key k = { .sealer = &f->sealer,
		.iv_add = f->pack.iv_add };

	memcpy(k.nonce, f->pack.nonce, 12);
	return k;
}

static inline int
fix_verify(struct fix *f)
{
	struct pv_sfi_key k = fix_key(f);
	struct pv_sfi_info info;

	return pv_sfi_verify(f->out, &k, &info, &f->e);
}

static inline int
fix_unpack(struct fix *f)
{
	struct pv_sfi_key k = fix_key(f);
	struct pv_sfi_info info;

	return pv_sfi_unpack(f->out, &k, f->plain, &info, NULL, NULL, &f->e);
}

static inline void
fix_read(const char *path, uint8_t **ret_data, size_t *ret_len)
{
	assert_int_equal(
	    pv_file_read(path, 1U << 24, ret_data, ret_len, NULL), 0);
}

static inline void
fix_write(const char *path, const void *data, size_t len)
{
	assert_int_equal(pv_file_write(path, 0600, data, len, NULL), 0);
}

/* Entries of a folder, none when it does not exist. */
static inline unsigned int
fix_count(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	unsigned int n = 0;

	if (d == NULL)
		return 0;
	while ((de = readdir(d)) != NULL)
		n += strcmp(de->d_name, ".") != 0 &&
		     strcmp(de->d_name, "..") != 0;
	(void)closedir(d);
	return n;
}

#endif
