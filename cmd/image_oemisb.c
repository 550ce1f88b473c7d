/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provisor image --format oemisb: OEMiSB (STM32U0, STM32C0 and others) has no
 * signed image; it compares SHA-256 of the application with a value that is
 * stored in the device (STM32 wiki, "Security:OEMiSB").
 */
#include "cmd/image.h"

#include "base/file.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "image/mcuboot.h"
#include <provisor/image.h>

#include <stdlib.h>
#include <string.h>

#define FW_MAX (64U << 20)

struct area {
	const char *size, *fill;
};
#define PV_OPT_AREA(a)                                                        \
	{ "size", 0, POPT_ARG_STRING, &(a)->size, 0,                          \
		"hash that many bytes, the application filled up", "N" },     \
	{                                                                     \
		"fill", 0, POPT_ARG_STRING, &(a)->fill, 0,                    \
		    "byte to fill with, and gaps (default 0xff: erased)", "N" \
	}

/* SHA-256 of the application as it lies in the flash. */
static int
hash_file(const char *path, const struct area *a, uint8_t ret_hash[32],
    uint64_t *ret_size, struct pv_error *e)
{
	struct pv_image *img = NULL;
	uint64_t base = 0, len = 0, fill = 0xFF, size = 0;
	bool records = false;
	uint8_t *data = NULL;
	struct pv_part part;
	int r = 0;

	if (a->fill != NULL)
		r = pv_parse_u64(a->fill, 255, "--fill", &fill, e);
	if (r == 0 && a->size != NULL)
		r = pv_parse_size(a->size, FW_MAX, "--size", &size, e);
	if (r == 0)
		r = pv_mcuboot_load(
		    path, (uint8_t)fill, &img, &base, &len, &records, e);
	if (r == 0 && size == 0)
		size = len;
	if (r == 0 && (len > size || len > FW_MAX))
		r = pv_fail(e, PV_E_RANGE, "'%s' has %llu bytes, not %llu",
		    path, (unsigned long long)len,
		    (unsigned long long)(size > FW_MAX ? FW_MAX : size));
	if (r == 0 && (data = malloc((size_t)size)) == NULL)
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
	if (r == 0) {
		memset(data, (int)fill, (size_t)size);
		r = pv_image_read(img, 0, 0, data, (size_t)len, e);
	}
	if (r == 0) {
		part.data = data;
		part.len = (size_t)size;
		r = pv_sha256(&part, 1, ret_hash, e);
		*ret_size = size;
	}
	free(data);
	pv_image_free(img);
	return r;
}

static int
show(struct pv_app *app, const char *path, const uint8_t hash[32],
    uint64_t size, const char *word, struct pv_error *e)
{
	struct pv_json *o = pv_json_new_object();
	char hex[65];

	pv_hex_encode(hex, hash, 32);
	pv_out(app, "%s: SHA-256 of %llu bytes %s%s\n", path,
	    (unsigned long long)size, hex, word);
	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "file", path);
	pv_json_set_u64(o, "size", size);
	pv_json_set_str(o, "sha256", hex);
	return pv_out_json(app, o, e);
}

static int
run_sign(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *out = NULL, **args = NULL;
	struct area a = { 0 };
	struct poptOption table[] = {
		PV_OPT_FORMAT,
		PV_OPT_AREA(&a),
		{ "output", 'o', POPT_ARG_STRING, &out, 0,
		    "file for the 32 bytes", "FILE" },
		POPT_TABLEEND,
	};
	uint64_t size = 0;
	uint8_t hash[32];
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r == 0)
		r = pv_need(e, out, "-o");
	if (r == 0 && strcmp(out, args[0]) == 0)
		r = pv_fail(
		    e, PV_E_USAGE, "output '%s' is one of the inputs", out);
	if (r == 0)
		r = hash_file(args[0], &a, hash, &size, e);
	if (r == 0)
		r = pv_file_write(out, 0644, hash, sizeof(hash), e);
	return r != 0 ? r : show(app, args[0], hash, size, "", e);
}

static int
run_verify(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *want = NULL, **args = NULL;
	struct area a = { 0 };
	struct poptOption table[] = {
		PV_OPT_FORMAT,
		PV_OPT_AREA(&a),
		{ "hash", 0, POPT_ARG_STRING, &want, 0,
		    "file with the 32 bytes", "FILE" },
		POPT_TABLEEND,
	};
	uint8_t hash[32], stored[32] = { 0 };
	uint64_t size = 0;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r == 0)
		r = pv_need(e, want, "--hash");
	if (r == 0)
		r = pv_file_read_exact(want, stored, sizeof(stored), e);
	if (r == 0)
		r = hash_file(args[0], &a, hash, &size, e);
	if (r == 0 && memcmp(hash, stored, sizeof(hash)) != 0)
		r = pv_fail(e, PV_E_VERIFY, "'%s' has not the hash in '%s'",
		    args[0], want);
	return r != 0 ? r : show(app, args[0], hash, size, ", verified", e);
}

static const struct pv_verb verbs[] = {
	{ "image", "sign", "--format oemisb [--size N] FILE -o FILE",
	    "make the SHA-256 that OEMiSB compares",
	    "provisor image sign --format oemisb --size 24K app.elf -o "
	    "app.sha256",
	    run_sign },
	{ "image", "verify", "--format oemisb --hash FILE [--size N] FILE",
	    "compare an application with the SHA-256 of OEMiSB",
	    "provisor image verify --format oemisb --hash app.sha256 --size "
	    "24K app.elf",
	    run_verify },
	{ 0 },
};

const struct pv_image_format pv_image_oemisb = { "oemisb", verbs };
