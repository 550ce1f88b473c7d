/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provisor push of a FlashLayout: the whole layout and all its files are
 * checked before the port is touched; then the board asks for one after the
 * other.
 */
#include "cmd/mpu.h"
#include "cmd/push.h"

#include "base/clock.h"
#include "base/file.h"
#include "formats/flashlayout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct job {
	struct pv_push *p;
	uint8_t *text;
	size_t text_len;
	struct pv_layout *l;
	struct pv_mpu_file *files[PV_LAYOUT_LINES]; /* NULL: none */
	struct pv_mpu_part *parts;
	size_t n_parts;
	struct pv_mpu_target t;
	struct pv_mpu_layout run;
	struct pv_mpu_layout_report rep;
	uint64_t bytes; /* of what U-Boot writes */
};

/* --- the layout and its files -------------------------------------------------------- */

/* "DIR of the .tsv/FILE", or FILE when it begins with '/'. */
static int
file_path(const struct job *j, const struct pv_layout_line *l, char *dst,
    size_t cap, struct pv_error *e)
{
	const char *slash = strrchr(j->p->file, '/');
	int n;

	if (l->file[0] == '/' || slash == NULL)
		n = snprintf(dst, cap, "%s", l->file);
	else
		n = snprintf(dst, cap, "%.*s/%s", (int)(slash - j->p->file),
		    j->p->file, l->file);
	return n < 0 || (size_t)n >= cap
		   ? pv_fail(e, PV_E_USAGE, "path too long")
		   : 0;
}

/* What ROM and TF-A start is looked into; the rest is the board's. */
static int
check_boot_image(const struct pv_layout_line *l, struct pv_mpu_file *f,
    uint16_t chip, struct pv_error *e)
{
	struct pv_mpu_image im;

	if (l->id == PV_MPU_FSBL && !l->select)
		return pv_mpu_file_image(f, chip, &im, e);
	if (l->id == PV_MPU_SSBL && !l->select && l->type == PV_LAYOUT_FIP)
		return pv_mpu_file_fip(f, e);
	return 0;
}

static int
open_line(struct job *j, size_t i, struct pv_error *e)
{
	const struct pv_layout_line *l = &j->l->lines[i];
	struct pv_mpu_part *part = &j->parts[j->n_parts];
	char path[2 * PV_LAYOUT_FILE];
	int r;

	/* Empty partitions, and lines that say what is there already. */
	if (l->file[0] == '\0' || l->empty ||
	    (!l->select && l->id > PV_MPU_SSBL))
		return 0;
	r = file_path(j, l, path, sizeof(path), e);
	if (r == 0)
		r = pv_mpu_file_open(path, &j->files[i], e);
	if (r == 0)
		r = check_boot_image(l, j->files[i], 0, e);
	if (r != 0)
		return pv_wrap(e, "line %u ('%s')", l->line, l->name);
	*part = (struct pv_mpu_part){ .id = l->id,
		.name = l->name,
		.select = l->select,
		.src = *pv_mpu_file_source(j->files[i]) };
	if (l->select)
		j->bytes += part->src.size;
	j->n_parts++;
	return 0;
}

static int
open_inputs(struct job *j, struct pv_error *e)
{
	int r;

	j->p->step = "input";
	r = pv_file_read(j->p->file, PV_LAYOUT_MAX, &j->text, &j->text_len, e);
	if (r != 0)
		return r;
	j->l = malloc(sizeof(*j->l));
	j->parts = calloc(PV_LAYOUT_LINES, sizeof(*j->parts));
	if (j->l == NULL || j->parts == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = pv_layout_decode(j->text, j->text_len, j->l, e);
	for (size_t i = 0; r == 0 && i < j->l->n; i++)
		r = open_line(j, i, e);
	return r != 0 ? pv_wrap(e, "layout '%s'", j->p->file) : 0;
}

/* With the chip known, its images must be its own. */
static int
check_chip(struct job *j, struct pv_error *e)
{
	uint16_t chip = j->t.m.info(j->t.m.ctx)->chip;
	int r = 0;

	for (size_t i = 0; r == 0 && i < j->l->n; i++)
		if (j->files[i] != NULL)
			r = check_boot_image(
			    &j->l->lines[i], j->files[i], chip, e);
	return r != 0 ? pv_wrap(e, "layout '%s'", j->p->file) : 0;
}

/* --- report --------------------------------------------------------------------------- */

static void
on_begin(void *ctx, const struct pv_mpu_part *part)
{
	const struct job *j = ctx;
	const struct pv_layout_line *l = pv_layout_find(j->l, part->id);
	char size[PV_SIZE_TEXT], place[PV_LAYOUT_PLACE];

	pv_bar_end(j->p->app);
	pv_size_text(size, part->src.size);
	pv_layout_place(l, place);
	pv_out(j->p->app, "write     0x%02x  %-16s %10s  %s\n", part->id,
	    part->name, size, place);
}

static struct pv_json *
result_json(const struct job *j, int code)
{
	const struct pv_push *p = j->p;
	struct pv_json *o = pv_json_new_object(), *arr, *x;

	pv_json_set_str(o, "result", code == 0 ? "pass" : "fail");
	pv_json_set_int(o, "code", pv_exit_code(code));
	pv_json_set_str(o, "file", p->file);
	pv_json_set_str(o, "step", p->step);
	if (j->t.chip != NULL)
		pv_json_set_str(o, "part", j->t.chip->name);
	pv_json_set_int(o, "phase", j->rep.phase);
	arr = pv_json_set_array(o, "partitions");
	for (size_t i = 0; i < j->n_parts; i++) {
		if (!j->parts[i].select)
			continue;
		x = pv_json_add_object(arr);
		pv_json_set_int(x, "id", j->parts[i].id);
		pv_json_set_str(x, "name", j->parts[i].name);
		pv_json_set_int(x, "size", (int64_t)j->parts[i].src.size);
		pv_json_set_bool(x, "written", j->parts[i].sent);
	}
	pv_json_set_int(o, "bytes", (int64_t)j->rep.bytes);
	pv_json_set_int(o, "bytes_read_back", (int64_t)j->rep.read_back);
	pv_mpu_target_json(&j->t, o);
	pv_json_set_int(o, "milliseconds", pv_now_ms() - p->began_ms);
	return o;
}

static int
passed(struct job *j, struct pv_error *e)
{
	struct pv_push *p = j->p;
	char size[PV_SIZE_TEXT];
	int r;

	pv_bar_end(p->app);
	pv_size_text(size, j->rep.bytes);
	pv_out(p->app, "verified  %zu partition%s, %s, %s\n", j->rep.done,
	    j->rep.done == 1 ? "" : "s", size,
	    j->rep.read_back > 0 ? "all of it read back"
				 : "each confirmed by U-Boot");
	r = pv_out_json(p->app, result_json(j, 0), e);
	if (r == 0)
		pv_push_say_pass(p);
	return r;
}

static void
failed(struct job *j, struct pv_error *e)
{
	char left[PV_PUSH_LEFT];

	if (!j->rep.begun && j->rep.done == 0)
		(void)snprintf(left, sizeof(left),
		    "storage was not changed: safe to push again");
	else
		(void)snprintf(left, sizeof(left),
		    "%zu partition%s written, the board does not start as it "
		    "is: reset it into serial boot and push again",
		    j->rep.done, j->rep.done == 1 ? " is" : "s are");
	pv_push_say_failed(j->p, result_json(j, e->code), left, e);
}

static int
dry_run(struct job *j, struct pv_error *e)
{
	struct pv_push *p = j->p;
	struct pv_json *root = pv_json_new_object(), *arr, *o;
	char size[PV_SIZE_TEXT], place[PV_LAYOUT_PLACE];

	pv_json_set_bool(root, "dry_run", true);
	pv_json_set_str(root, "file", p->file);
	arr = pv_json_set_array(root, "partitions");
	pv_out(p->app, "layout    %s: %zu line%s\n", p->file, j->l->n,
	    j->l->n == 1 ? "" : "s");
	for (size_t i = 0; i < j->l->n; i++) {
		const struct pv_layout_line *l = &j->l->lines[i];
		uint64_t n = j->files[i] == NULL
				 ? 0
				 : pv_mpu_file_source(j->files[i])->size;
		const char *what = l->select && l->empty ? "empty"
				   : l->select		 ? "write"
				   : n > 0		 ? "boot"
							 : "keep";

		pv_size_text(size, n);
		pv_layout_place(l, place);
		pv_out(p->app, "%-9s 0x%02x  %-16s %10s  %s%s%s\n", what, l->id,
		    l->name, size, place, n > 0 ? "  " : "",
		    n > 0 ? l->file : "");
		o = pv_json_add_object(arr);
		pv_json_set_str(o, "action", what);
		pv_json_set_int(o, "id", l->id);
		pv_json_set_str(o, "name", l->name);
		pv_json_set_str(o, "place", place);
		pv_json_set_bool(o, "deleted_first", l->erase);
		if (n > 0)
			pv_json_set_str(o, "source", l->file);
		else
			pv_json_set_null(o, "source");
		pv_json_set_int(o, "size", (int64_t)n);
	}
	pv_size_text(size, j->bytes);
	pv_out(p->app, "nothing was changed (--dry-run); %s would be written\n",
	    size);
	return pv_out_json(p->app, root, e);
}

/* --- the push ------------------------------------------------------------------------- */

static int
program(struct job *j, struct pv_error *e)
{
	struct pv_push *p = j->p;
	int r;

	p->step = "connect";
	r = pv_mpu_target_open(p->app, &p->to, &j->t, e);
	if (r != 0)
		return r;
	p->mpu = &j->t;
	pv_push_say_chip(p);
	p->step = "check";
	r = check_chip(j, e);
	if (r != 0)
		return r;
	p->step = "program";
	pv_mpu_memory(j->text, j->text_len, &j->run.text);
	j->run.parts = j->parts;
	j->run.n_parts = j->n_parts;
	j->run.read_back = p->read_back != 0;
	j->run.progress = &p->app->progress;
	j->run.begin = on_begin;
	j->run.ctx = j;
	return pv_mpu_program(&j->t.m, &j->run, &j->rep, e);
}

int
pv_push_layout(struct pv_push *p, struct pv_error *e)
{
	struct job j = { .p = p };
	int r;

	r = open_inputs(&j, e);
	if (r == 0 && p->dry_run)
		r = dry_run(&j, e);
	else if (r == 0)
		r = program(&j, e);
	if (r == 0 && !p->dry_run)
		r = passed(&j, e);
	else if (r != 0 && !p->dry_run)
		failed(&j, e);
	p->mpu = NULL;
	pv_mpu_target_close(&j.t);
	for (size_t i = 0; i < PV_LAYOUT_LINES; i++)
		pv_mpu_file_close(j.files[i]);
	free(j.parts);
	free(j.l);
	free(j.text);
	return r;
}
