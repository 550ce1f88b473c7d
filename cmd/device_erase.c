/* SPDX-License-Identifier: Apache-2.0 */
/* provisor device erase: whole sectors, or everything, and a look after. */
#include "cmd/device.h"

#include <inttypes.h>
#include <stdlib.h>

struct erase_job {
	struct pv_sector *sectors;
	size_t n;
};

static int
part_of_sector(const char *text, const struct pv_sector *s, struct pv_error *e)
{
	(void)pv_fail(e, PV_E_USAGE,
	    "'%s' is not whole sectors, and a sector is erased as a whole",
	    text);
	return pv_hint(e, "the sector there is 0x%08" PRIx32 "+0x%" PRIx32,
	    s->base, s->size);
}

/* The sectors of one range, which must be whole sectors. */
static int
add_range(struct erase_job *j, const struct pv_chip *chip, const char *text,
    struct pv_error *e)
{
	uint32_t addr, size, phys, at;
	struct pv_sector s;
	size_t i;
	int r;

	r = pv_parse_range(text, &addr, &size, e);
	if (r != 0)
		return r;
	if (!pv_chip_in_flash(chip, addr, size, &phys))
		return pv_fail(e, PV_E_RANGE, "'%s' is not in flash of the %s",
		    text, chip->title);
	for (at = 0; at < size; at += s.size) {
		if (!pv_chip_sector(chip, (uint64_t)phys + at, &s))
			return pv_fail(e, PV_E_RANGE,
			    "0x%08" PRIx32 " is in no sector", phys + at);
		if (s.base != phys + at || s.size > size - at)
			return part_of_sector(text, &s, e);
		for (i = 0; i < j->n; i++)
			if (j->sectors[i].number == s.number)
				return pv_fail(e, PV_E_USAGE,
				    "'%s' names a sector twice", text);
		j->sectors[j->n++] = s;
	}
	return 0;
}

/* Every sector; banks follow one another in their numbers. */
static int
add_all(struct erase_job *j, const struct pv_chip *chip, struct pv_error *e)
{
	uint32_t at;
	size_t i;

	for (i = 0; i < chip->n_banks; i++)
		for (at = 0; at < chip->banks[i].size;
		     at += j->sectors[j->n++].size)
			if (!pv_chip_sector(chip, chip->banks[i].base + at,
				&j->sectors[j->n]))
				return pv_fail(e, PV_E_INTERNAL,
				    "chip description with a gap");
	return 0;
}

/* A device acknowledges the erase of a protected sector: look. */
static int
check_blank(struct pv_app *app, const struct erase_job *j, struct pv_target *t,
    struct pv_error *e)
{
	uint64_t done = 0, total = 0;
	uint8_t data[PV_READ_CHUNK];
	uint32_t at, n, k;
	size_t i;
	int r;

	for (i = 0; i < j->n; i++)
		total += j->sectors[i].size;
	for (i = 0; i < j->n; i++)
		for (at = 0; at < j->sectors[i].size; at += n) {
			n = j->sectors[i].size - at;
			if (n > PV_READ_CHUNK)
				n = PV_READ_CHUNK;
			r = t->boot.read(
			    t->boot.ctx, j->sectors[i].base + at, data, n, e);
			if (r != 0)
				return r;
			for (k = 0; k < n; k++) {
				if (data[k] == t->chip->erased)
					continue;
				(void)pv_fail(e, PV_E_VERIFY,
				    "0x%08" PRIx32 " holds 0x%02x after the "
				    "erase",
				    j->sectors[i].base + at + k, data[k]);
				return pv_hint(e,
				    "a write-protected sector says it is "
				    "erased and is not");
			}
			done += n;
			pv_progress_at(&app->progress, "check", done, total);
		}
	return 0;
}

static int
report_erase(struct pv_app *app, const struct erase_job *j,
    const struct pv_target *t, bool checked, struct pv_error *e)
{
	struct pv_json *root = pv_json_new_object();

	pv_out(app, "%zu sector%s of the %s erased%s\n", j->n,
	    j->n == 1 ? "" : "s", t->chip->title,
	    checked ? " and blank" : ", not checked");
	pv_json_set_str(root, "chip", t->chip->name);
	pv_json_set_int(root, "sectors_erased", (int64_t)j->n);
	pv_json_set_bool(root, "checked", checked);
	pv_json_set_int(root, "retries", pv_target_retries(t));
	return pv_out_json(app, root, e);
}

int
pv_device_erase(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pv_target_args to = { 0 };
	int all = 0, no_check = 0;
	struct poptOption table[] = { PV_OPT_TARGET(to),
		{ "all", 0, POPT_ARG_NONE, &all, 0, "erase all of flash",
		    NULL },
		{ "no-check", 0, POPT_ARG_NONE, &no_check, 0,
		    "do not read back that the sectors are blank", NULL },
		POPT_TABLEEND };
	struct erase_job j = { 0 };
	struct pv_target t = { 0 };
	const char **args;
	size_t i, n;
	int r;

	r = pv_options(app, table, argc, argv, 0, 64, &args, e);
	if (r != 0)
		return r;
	if ((args[0] == NULL) == (all == 0)) {
		(void)pv_fail(e, PV_E_USAGE,
		    all ? "--all and ranges exclude each other"
			: "nothing to erase was named");
		return pv_hint(
		    e, "ADDR+SIZE, such as 0x08000000+16K, or --all");
	}
	r = pv_target_open(
	    app, &to, PV_TARGET_NEED_CHIP | PV_TARGET_USB, &t, e);
	if (r != 0)
		return r;
	n = pv_chip_sectors(t.chip);
	j.sectors = calloc(n + 1, sizeof(*j.sectors));
	if (j.sectors == NULL)
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
	else if (all)
		r = add_all(&j, t.chip, e);
	for (i = 0; r == 0 && args[i] != NULL; i++)
		r = add_range(&j, t.chip, args[i], e);
	if (r == 0)
		pv_progress_step(&app->progress, "erase");
	if (r == 0)
		r = t.boot.erase(t.boot.ctx, j.sectors, j.n, all != 0, e);
	if (r == 0 && !no_check)
		r = check_blank(app, &j, &t, e);
	pv_bar_end(app);
	if (r == 0)
		r = report_erase(app, &j, &t, !no_check, e);
	free(j.sectors);
	pv_target_close(&t);
	return r;
}
