/* SPDX-License-Identifier: Apache-2.0 */
/* What descriptions of OB keys share: memory, paths, areas of the flash. */
#include "image/obk.h"

#include "base/hex.h"
#include <provisor/secret.h>

#include <stdlib.h>
#include <string.h>

static void
wipe_text(char *s)
{
	if (s != NULL)
		pv_wipe(s, strlen(s));
	free(s);
}

void
pv_obk_spec_release(struct pv_obk_spec *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->field[i].name);
		wipe_text(s->field[i].text);
		free(s->field[i].path);
		free(s->field[i].depends);
	}
	free(s->title);
	free(s->mcu);
	free(s->output);
	memset(s, 0, sizeof(*s));
}

char *
pv_obk_path(const char *description, const char *value)
{
	const char *slash = strrchr(description, '/');
	bool keep = value[0] == '/' || strncmp(value, "pkcs11:", 7) == 0;
	size_t dir =
	    keep || slash == NULL ? 0 : (size_t)(slash - description) + 1;
	size_t len = strlen(value);
	char *path = malloc(dir + len + 1);

	if (path == NULL)
		return NULL;
	memcpy(path, description, dir);
	memcpy(path + dir, value, len + 1);
	for (char *p = path + dir; !keep && *p != '\0'; p++)
		if (*p == '\\')
			*p = '/';
	return path;
}

/* How far "a/../../b" gets above where it starts. */
static int
highest(const char *path)
{
	int level = 0, up = 0;

	while (*path != '\0') {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.')
			level--;
		else if (n > 0 && !(n == 1 && path[0] == '.'))
			level++;
		if (-level > up)
			up = -level;
		path += n;
		path += strspn(path, "/");
	}
	return up;
}

bool
pv_obk_outside(const struct pv_obk_spec *s, const char *path)
{
	const char *slash = strrchr(s->path, '/');
	size_t dir = slash == NULL ? 0 : (size_t)(slash - s->path) + 1;

	if (strncmp(path, "pkcs11:", 7) == 0)
		return false;
	if (strncmp(path, s->path, dir) != 0)
		return true;
	return path[dir] == '/' || highest(path + dir) > 1;
}

/* --- areas ----------------------------------------------------------------------- */

struct slot {
	bool used, has_start, has_size;
	uint64_t start, size;
	const char *name;
};

/* The value of a field of that name of a dependency, as it was typed. */
static bool
depends_met(const struct pv_obk_spec *s, const struct pv_obk_field *f)
{
	uint64_t want, have;
	const char *comma;
	size_t len;

	if (f->depends == NULL || (comma = strchr(f->depends, ',')) == NULL)
		return true;
	len = (size_t)(comma - f->depends);
	if (pv_parse_u64(comma + 1, UINT32_MAX, "", &want, NULL) != 0)
		return true;
	for (size_t i = 0; i < s->n; i++) {
		const struct pv_obk_field *o = &s->field[i];

		if (o->depends != NULL && o->text != NULL &&
		    strlen(o->depends) == len &&
		    memcmp(o->depends, f->depends, len) == 0)
			return pv_parse_u64(
				   o->text, UINT32_MAX, "", &have, NULL) != 0 ||
			       have == want;
	}
	return true;
}

static void
note_start(struct slot *slots, unsigned int i, uint64_t v, const char *name)
{
	if (i == 0 || i > PV_OBK_SLOTS)
		return;
	slots[i - 1].has_start = true;
	slots[i - 1].start = v;
	slots[i - 1].name = name;
}

static void
note_size(struct slot *slots, unsigned int i, uint64_t v)
{
	if (i == 0 || i > PV_OBK_SLOTS)
		return;
	slots[i - 1].has_size = true;
	slots[i - 1].size = v;
}

static int
collect(const struct pv_obk_spec *s, struct slot *slots, struct pv_error *e)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct pv_obk_field *f = &s->field[i];
		uint64_t v;
		int r;

		if (f->start + f->start2 + f->size + f->size2 == 0 ||
		    !depends_met(s, f))
			continue;
		r = pv_parse_u64(f->text, UINT32_MAX, f->name, &v, e);
		if (r != 0)
			return r;
		note_start(slots, f->start, v, f->name);
		note_start(slots, f->start2, v, f->name);
		note_size(slots, f->size, v);
		note_size(slots, f->size2, v);
	}
	return 0;
}

static int
check_slot(
    const struct pv_obk_spec *s, const struct slot *a, struct pv_error *e)
{
	if (s->sector != 0 &&
	    (a->start % s->sector != 0 || a->size % s->sector != 0))
		return pv_fail(e, PV_E_RANGE,
		    "'%s': 0x%llx of 0x%llx bytes is not made of sectors of "
		    "0x%x bytes",
		    a->name, (unsigned long long)a->start,
		    (unsigned long long)a->size, s->sector);
	if (s->flash_size != 0 &&
	    (a->size > s->flash_size || a->start > s->flash_size - a->size))
		return pv_fail(e, PV_E_RANGE,
		    "'%s': 0x%llx of 0x%llx bytes does not lie in 0x%x bytes "
		    "of flash",
		    a->name, (unsigned long long)a->start,
		    (unsigned long long)a->size, s->flash_size);
	return 0;
}

int
pv_obk_spec_slots(const struct pv_obk_spec *s, struct pv_error *e)
{
	struct slot slots[PV_OBK_SLOTS] = { 0 };
	int r = collect(s, slots, e);

	for (size_t i = 0; r == 0 && i < PV_OBK_SLOTS; i++) {
		struct slot *a = &slots[i];

		a->used = a->has_start && a->has_size && a->size > 0;
		if (!a->used)
			continue;
		r = check_slot(s, a, e);
		for (size_t k = 0; r == 0 && k < i; k++) {
			const struct slot *b = &slots[k];

			if (b->used && a->start < b->start + b->size &&
			    b->start < a->start + a->size)
				r = pv_fail(e, PV_E_OVERLAP,
				    "'%s' and '%s' lie over each other",
				    b->name, a->name);
		}
	}
	return r;
}
