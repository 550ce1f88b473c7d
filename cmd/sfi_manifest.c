/* SPDX-License-Identifier: Apache-2.0 */
/*
 * F.sfi.json: what a package was made of. No time, no host, no folder names:
 * the same inputs and program give the same bytes.
 */
#include "cmd/sfi_pack.h"

#include "base/file.h"
#include "package/package.h"

#include <stdlib.h>
#include <string.h>

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* An input file; `text` may be FILE@ADDR. */
static int
add_file(struct pv_json *list, const char *role, const char *text,
    struct pv_error *e)
{
	char *path = strdup(text), *at;
	struct pv_json *o;
	uint8_t digest[32];
	uint64_t size = 0;
	int r;

	if (path == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = pv_package_hash(path, digest, &size, e);
	at = strrchr(path, '@');
	if (r == PV_E_NOT_FOUND && at != NULL) {
		*at = '\0';
		r = pv_package_hash(path, digest, &size, e);
	} else {
		at = NULL;
	}
	if (r == 0) {
		o = pv_json_add_object(list);
		pv_json_set_str(o, "role", role);
		pv_json_set_str(o, "name", base_name(path));
		if (at != NULL)
			pv_json_set_str(o, "address", at + 1);
		pv_json_set_u64(o, "size", size);
		pv_json_set_hex(o, "sha256", digest, sizeof(digest));
	}
	free(path);
	return r;
}

static int
add_inputs(const struct pv_sfi_job *j, struct pv_json *list, struct pv_error *e)
{
	int r = 0;

	for (const char **f = j->a.firmware; r == 0 && *f != NULL; f++)
		r = add_file(list, "firmware", *f, e);
	for (size_t i = 0; r == 0 && i < j->in.n_externals; i++)
		r = add_file(list, "external", j->in.external_files[i], e);
	for (size_t i = 0; r == 0 && i < j->in.n_modules; i++)
		r = add_file(list, "module", j->in.modules[i].path, e);
	if (r == 0 && j->a.key_area != NULL)
		r = add_file(list, "key-area", j->a.key_area, e);
	if (r == 0 && j->a.options != NULL)
		r = add_file(list, "option-bytes", j->a.options, e);
	return r;
}

static int
build(const struct pv_sfi_job *j, struct pv_json *root, struct pv_error *e)
{
	struct pv_json *o;
	uint8_t digest[32];
	uint64_t size = 0;
	int r;

	pv_json_set_str(root, "format", "provisor sfi manifest v1");
	pv_json_set_str(root, "tool", "provisor " PV_VERSION);
	pv_json_set_str(root, "chip", j->chip->name);
	pv_json_set_str(
	    root, "profile", j->pack.profile == PV_SFI_V2 ? "v2" : "v1");
	pv_json_set_str(root, "iv_add", pv_sfi_iv_add_name(j->pack.iv_add));
	pv_json_set_int(root, "image_version", j->pack.image_version);
	if (j->pack.ram_size != 0)
		pv_json_set_int(root, "ram_size", j->pack.ram_size);
	if (j->pack.has_token)
		pv_json_set_addr(root, "token_address", j->pack.token_address);
	r = add_inputs(j, pv_json_set_array(root, "inputs"), e);
	if (r == 0)
		r = pv_package_hash(j->a.out, digest, &size, e);
	if (r != 0)
		return r;
	o = pv_json_set_object(root, "package");
	pv_json_set_str(o, "name", base_name(j->a.out));
	pv_json_set_u64(o, "size", size);
	pv_json_set_int(o, "n_areas", j->plan.header.n_areas);
	pv_json_set_hex(o, "sha256", digest, sizeof(digest));
	return 0;
}

int
pv_sfi_manifest(const struct pv_sfi_job *j, struct pv_error *e)
{
	struct pv_json *root;
	char *path, *text = NULL;
	int r;

	if (!j->a.manifest || j->a.dry_run)
		return 0;
	path = pv_sfi_beside(j->a.out, ".json", e);
	if (path == NULL)
		return PV_E_NOMEM;
	root = pv_json_new_object();
	r = build(j, root, e);
	if (r == 0)
		r = pv_json_print(root, &text, e);
	if (r == 0) {
		size_t n = strlen(text);

		/* the terminator becomes the line end */
		text[n] = '\n';
		r = pv_file_write(path, 0644, text, n + 1, e);
	}
	pv_json_free(root);
	free(text);
	if (r != 0)
		(void)pv_wrap(e, "the package is written, its manifest is not");
	free(path);
	return r;
}
