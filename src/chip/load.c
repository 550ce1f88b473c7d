/* SPDX-License-Identifier: Apache-2.0 */
/* Finding chip descriptions in folders. */
#include "chip/chip_json.h"

#include "base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX	  ".json"
#define FILES_MAX 4096U

static bool
ends_in_json(const char *s)
{
	size_t n = strlen(s);

	return n > strlen(SUFFIX) &&
	       strcmp(s + n - strlen(SUFFIX), SUFFIX) == 0;
}

static int
unknown(struct pv_error *e, int rc)
{
	(void)pv_hint(e, "to add a chip, copy a file of share/chips, change "
			 "the values, and give its path with --chip FILE.json");
	return rc;
}

static int
load_path(const char *path, struct pv_chip **ret_chip, bool *ret_default,
    struct pv_error *e)
{
	struct pv_chip *c;
	uint8_t *text = NULL;
	size_t len = 0;
	int rc;

	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	if ((rc = pv_file_read(path, PV_CHIP_JSON_MAX, &text, &len, e)) != 0)
		goto out;
	rc = pv_chip_parse((const char *)text, len, path, c, ret_default, e);
	if (rc != 0)
		goto out;
	*ret_chip = c;
	c = NULL;
out:
	free(text);
	free(c);
	return rc;
}

/*
 * Small letters in, "stm32" before it when asked, ".json" behind. False when
 * it does not fit or is no name at all.
 */
static bool
file_name(char *dst, size_t cap, const char *prefix, const char *name)
{
	int n;

	for (size_t i = 0; name[i] != '\0'; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '-' &&
		    name[i] != '_')
			return false;
	n = snprintf(dst, cap, "%s%s%s", prefix, name, SUFFIX);
	if (name[0] == '\0' || n < 0 || (size_t)n >= cap)
		return false;
	for (size_t i = 0; dst[i] != '\0'; i++)
		if (dst[i] >= 'A' && dst[i] <= 'Z')
			dst[i] = (char)(dst[i] - 'A' + 'a');
	return true;
}

/* The file DIR/NAME must describe the chip it is named after. */
static int
load_in(const char *dir, const char *file, struct pv_chip **ret_chip,
    bool *ret_default, struct pv_error *e)
{
	struct pv_chip *c = NULL;
	char *path = pv_path_join(dir, file);
	int rc;

	if (path == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	if (access(path, F_OK) != 0) {
		rc = PV_E_NOT_FOUND;
		goto out;
	}
	if ((rc = load_path(path, &c, ret_default, e)) != 0)
		goto out;
	if (strlen(c->name) != strlen(file) - strlen(SUFFIX) ||
	    strncmp(c->name, file, strlen(c->name)) != 0) {
		rc = pv_fail(e, PV_E_MALFORMED,
		    "'%s': 'name' is '%s'; it must be the file's name", path,
		    c->name);
		goto out;
	}
	*ret_chip = c;
	c = NULL;
out:
	free(path);
	pv_chip_free(c);
	return rc;
}

int
pv_chip_load(const char *const *dirs, const char *name,
    struct pv_chip **ret_chip, struct pv_error *e)
{
	static const char *const prefixes[] = { "", "stm32" };
	char file[PV_CHIP_NAME + 8];
	bool is_default;
	int rc;

	if (strchr(name, '/') != NULL || ends_in_json(name)) {
		rc = load_path(name, ret_chip, &is_default, e);
		return rc == PV_E_NOT_FOUND ? unknown(e, rc) : rc;
	}
	for (size_t d = 0; dirs[d] != NULL; d++) {
		for (size_t i = 0; i < 2; i++) {
			if (!file_name(file, sizeof(file), prefixes[i], name))
				continue;
			rc = load_in(dirs[d], file, ret_chip, &is_default, e);
			if (rc != PV_E_NOT_FOUND)
				return rc;
		}
	}
	rc = pv_fail(e, PV_E_UNKNOWN_CHIP, "no description of chip '%s'", name);
	return unknown(e, rc);
}

void
pv_chip_free(struct pv_chip *chip)
{
	free(chip);
}

/* --- all of them ---------------------------------------------------------- */

struct entry {
	char *file;
	const char *dir; /* borrowed */
};

struct listing {
	struct entry *v;
	size_t n, cap;
};

static int
by_file(const void *va, const void *vb)
{
	const struct entry *a = va, *b = vb;

	return strcmp(a->file, b->file);
}

static void
listing_release(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].file);
	free(l->v);
}

/* An earlier folder hides files of the same name in later ones. */
static int
listing_add(
    struct listing *l, const char *dir, const char *file, struct pv_error *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].file, file) == 0)
			return 0;
	if (l->n == FILES_MAX)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' has more than %u chip descriptions", dir, FILES_MAX);
	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 32 : l->cap * 2;
		struct entry *v = realloc(l->v, cap * sizeof(*v));

		if (v == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n].file = strdup(file);
	if (l->v[l->n].file == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	l->v[l->n++].dir = dir;
	return 0;
}

static int
listing_read(struct listing *l, const char *dir, struct pv_error *e)
{
	struct dirent *de;
	DIR *d = opendir(dir);
	int rc = 0;

	if (d == NULL) {
		if (errno == ENOENT)
			return 0;
		return pv_fail_errno(e, PV_E_IO, errno, "opening '%s'", dir);
	}
	while (rc == 0 && (de = readdir(d)) != NULL)
		if (de->d_name[0] != '.' && ends_in_json(de->d_name))
			rc = listing_add(l, dir, de->d_name, e);
	(void)closedir(d);
	return rc;
}

/* `each` gets the chip and may keep it by setting *chip to NULL. */
static int
each_chip(const char *const *dirs,
    int (*each)(void *ctx, struct pv_chip **chip, bool is_default), void *ctx,
    struct pv_error *e)
{
	struct listing l = { 0 };
	int rc = 0;

	for (size_t d = 0; rc == 0 && dirs[d] != NULL; d++)
		rc = listing_read(&l, dirs[d], e);
	if (rc != 0)
		goto out;
	if (l.n > 0)
		qsort(l.v, l.n, sizeof(*l.v), by_file);
	for (size_t i = 0; rc == 0 && i < l.n; i++) {
		struct pv_chip *c = NULL;
		bool is_default = false;

		rc = load_in(l.v[i].dir, l.v[i].file, &c, &is_default, e);
		if (rc == 0)
			rc = each(ctx, &c, is_default);
		pv_chip_free(c);
	}
out:
	listing_release(&l);
	return rc;
}

struct list_ctx {
	int (*each)(void *ctx, const struct pv_chip *chip);
	void *ctx;
};

static int
list_one(void *vctx, struct pv_chip **chip, bool is_default)
{
	struct list_ctx *l = vctx;

	(void)is_default;
	return l->each(l->ctx, *chip);
}

int
pv_chip_list(const char *const *dirs,
    int (*each)(void *ctx, const struct pv_chip *chip), void *ctx,
    struct pv_error *e)
{
	struct list_ctx l = { each, ctx };

	return each_chip(dirs, list_one, &l, e);
}

struct find_ctx {
	uint32_t id;
	struct pv_chip *found;
	bool found_default;
};

static int
find_one(void *vctx, struct pv_chip **chip, bool is_default)
{
	struct find_ctx *f = vctx;

	if ((*chip)->device_id != f->id ||
	    (f->found != NULL && (f->found_default || !is_default)))
		return 0;
	pv_chip_free(f->found);
	f->found = *chip;
	f->found_default = is_default;
	*chip = NULL;
	return 0;
}

int
pv_chip_load_id(const char *const *dirs, uint32_t device_id,
    struct pv_chip **ret_chip, struct pv_error *e)
{
	struct find_ctx f = { .id = device_id };
	int rc;

	/* 0 is what a description without an id has */
	if (device_id != 0 && (rc = each_chip(dirs, find_one, &f, e)) != 0) {
		pv_chip_free(f.found);
		return rc;
	}
	if (f.found == NULL) {
		rc = pv_fail(e, PV_E_UNKNOWN_CHIP,
		    "no description of a chip with bootloader product id "
		    "0x%03x",
		    device_id);
		return unknown(e, rc);
	}
	*ret_chip = f.found;
	return 0;
}
