/* SPDX-License-Identifier: Apache-2.0 */
/* Opening signed images. */
#include "image/mcuboot.h"

#include <provisor/image.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERASED	 0xffU
/* Records that lie further apart are not one image: option bytes or a second
 * flash, which an image would fill up to. A trailer may be far from its image. */
#define HOLE_MAX 0x8000000U

int
pv_mcuboot_load(const char *path, uint8_t fill, struct pv_image **ret_img,
    uint64_t *ret_base, uint64_t *ret_size, bool *ret_records,
    struct pv_error *e)
{
	enum pv_firmware_kind kind = PV_FIRMWARE_RAW;
	struct pv_image *img = NULL;
	struct pv_segment seg;
	size_t cap = strlen(path) + 8;
	char *text = malloc(cap);
	int r;

	if (text == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = pv_firmware_detect(path, &kind, e);
	/* Raw bytes have no address of their own. */
	(void)snprintf(
	    text, cap, "%s%s", path, kind == PV_FIRMWARE_RAW ? "@0" : "");
	if (r == 0)
		r = pv_image_new(&img, e);
	if (r == 0)
		r = pv_image_add_file(img, text, e);
	if (r == 0)
		r = pv_image_merge(img, HOLE_MAX, fill, e);
	if (r == 0 && pv_image_count(img) != 1) {
		pv_image_segment(img, 1, &seg);
		r = pv_fail(e, PV_E_RANGE,
		    "'%s' has more than %u MiB of nothing before address "
		    "0x%08llx",
		    path, HOLE_MAX >> 20, (unsigned long long)seg.addr);
		(void)pv_hint(e, "an image is one piece; leave the other out");
	}
	free(text);
	if (r != 0) {
		pv_image_free(img);
		return r;
	}
	pv_image_segment(img, 0, &seg);
	*ret_img = img;
	*ret_base = seg.addr;
	*ret_size = seg.size;
	*ret_records = kind != PV_FIRMWARE_RAW;
	return 0;
}

int
pv_mcuboot_read(const struct pv_mcuboot_file *f, uint64_t off, void *data,
    size_t len, struct pv_error *e)
{
	if (off > f->size || len > f->size - off)
		return pv_fail(e, PV_E_MALFORMED, "cut short at %llu bytes",
		    (unsigned long long)f->size);
	return pv_image_read(f->img, 0, off, data, len, e);
}

static int
read_header(struct pv_mcuboot_file *f, struct pv_error *e)
{
	uint8_t head[PV_MCUBOOT_HEADER];
	size_t n = f->size < sizeof(head) ? (size_t)f->size : sizeof(head);
	int r = pv_mcuboot_read(f, 0, head, n, e);

	if (r == 0)
		r = pv_mcuboot_header_decode(head, n, &f->h, e);
	if (r != 0)
		return r;
	f->areas_at = (uint64_t)f->h.hdr_size + f->h.img_size;
	if (f->areas_at > f->size)
		return pv_fail(e, PV_E_MALFORMED,
		    "cut short: header and payload have %llu bytes, the file "
		    "has %llu",
		    (unsigned long long)f->areas_at,
		    (unsigned long long)f->size);
	return 0;
}

static int
read_areas(struct pv_mcuboot_file *f, struct pv_error *e)
{
	uint64_t left = f->size - f->areas_at;
	size_t n =
	    left < PV_MCUBOOT_AREAS_MAX ? (size_t)left : PV_MCUBOOT_AREAS_MAX;
	uint8_t *areas = malloc(n + 1);
	int r;

	if (areas == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = n == 0 ? 0 : pv_mcuboot_read(f, f->areas_at, areas, n, e);
	if (r == 0)
		r = pv_mcuboot_tlvs_decode(
		    areas, n, f->h.protect_size, &f->t, e);
	if (r != 0) {
		free(areas);
		return r;
	}
	f->areas = areas;
	return 0;
}

static int
read_trailer(struct pv_mcuboot_file *f, struct pv_error *e)
{
	uint8_t magic[PV_MCUBOOT_TRAILER_MAGIC];
	int r;

	if (f->size - f->areas_at - f->t.size < sizeof(magic))
		return 0;
	r = pv_mcuboot_read(
	    f, f->size - sizeof(magic), magic, sizeof(magic), e);
	if (r == 0)
		f->has_trailer = pv_mcuboot_is_trailer_magic(magic);
	return r;
}

int
pv_mcuboot_open(
    const char *path, struct pv_mcuboot_file *ret_f, struct pv_error *e)
{
	struct pv_mcuboot_file f = { .path = path };
	int r =
	    pv_mcuboot_load(path, ERASED, &f.img, &f.base, &f.size, &f.hex, e);

	if (r != 0)
		return r;
	r = read_header(&f, e);
	if (r == 0)
		r = read_areas(&f, e);
	if (r == 0)
		r = read_trailer(&f, e);
	if (r != 0) {
		(void)pv_wrap(e, "'%s'", path);
		pv_mcuboot_close(&f);
		return r;
	}
	*ret_f = f;
	return 0;
}

void
pv_mcuboot_close(struct pv_mcuboot_file *f)
{
	pv_image_free(f->img);
	free(f->areas);
	memset(f, 0, sizeof(*f));
}
