/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/signing.h"

#include "base/file.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/sigkey.h"
#include "image/p256.h"

#include <string.h>
#include <sys/stat.h>

int
pv_open_point(struct pv_app *app, const char *key, uint8_t ret_point[64],
    struct pv_error *e)
{
	struct pv_pubkey *k = NULL;
	int r = pv_open_public(app, key, &k, e);

	if (r == 0 && (r = pv_p256_of_key(k, ret_point, e)) != 0)
		r = pv_wrap(e, "'%s'", key);
	pv_pubkey_free(k);
	return r;
}

/* --- signing elsewhere -------------------------------------------------------------- */

int
pv_vector_check(const char *what, struct pv_error *e)
{
	if (what == NULL || strcmp(what, "digest") == 0 ||
	    strcmp(what, "payload") == 0)
		return 0;
	return pv_fail(
	    e, PV_E_USAGE, "--vector-to-sign is 'digest' or 'payload'");
}

int
pv_vector_write(struct pv_app *app, const char *out, const char *what,
    const struct pv_part *parts, size_t n, const uint8_t digest[32],
    struct pv_error *e)
{
	const struct pv_part hash = { digest, 32 };
	struct pv_outfile *f = NULL;
	struct pv_json *o;
	int r = pv_outfile_open(out, 0644, &f, e);

	if (strcmp(what, "digest") == 0) {
		parts = &hash;
		n = 1;
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		r = pv_outfile_write(f, parts[i].data, parts[i].len, e);
	if (r == 0)
		r = pv_outfile_commit(f, e);
	pv_outfile_free(f);
	if (r != 0)
		return r;
	pv_out(app, "%s: the %s to sign\n", out, what);
	o = pv_json_new_object();
	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "output", out);
	pv_json_set_str(o, "vector", what);
	pv_json_set_hex(o, "digest", digest, 32);
	return pv_out_json(app, o, e);
}

/* --- small rules -------------------------------------------------------------------- */

int
pv_check_min_version(
    const char *text, uint32_t max, uint32_t have, struct pv_error *e)
{
	uint64_t min = 0;
	int r;

	if (text == NULL)
		return 0;
	r = pv_parse_u64(text, max, "--min-version", &min, e);
	if (r == 0 && have < min)
		r = pv_fail(e, PV_E_ROLLBACK,
		    "version %u is below %llu, so a device refuses it", have,
		    (unsigned long long)min);
	return r;
}

/* By name, or the same file by another one. */
static bool
same_file(const char *a, const char *b)
{
	struct stat x, y;

	return strcmp(a, b) == 0 ||
	       (stat(a, &x) == 0 && S_ISREG(x.st_mode) && stat(b, &y) == 0 &&
		   x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

int
pv_check_output(
    const char *out, const char *const *inputs, size_t n, struct pv_error *e)
{
	for (size_t i = 0; i < n; i++)
		if (inputs[i] != NULL && same_file(out, inputs[i]))
			return pv_fail(e, PV_E_USAGE,
			    "output '%s' is one of the inputs", out);
	return 0;
}

int
pv_check_output_list(
    const char *out, const char *const *inputs, struct pv_error *e)
{
	int r = 0;

	for (; r == 0 && inputs != NULL && *inputs != NULL; inputs++)
		r = pv_check_output(out, inputs, 1, e);
	return r;
}

int
pv_write_plain(struct pv_app *app, const char *out, const char *what,
    const uint8_t *data, size_t len, struct pv_error *e)
{
	struct pv_json *o;
	int r = pv_file_write(out, 0600, data, len, e);

	if (r != 0)
		return r;
	pv_out(app, "%s: %zu bytes of plain %s\n", out, len, what);
	o = pv_json_new_object();
	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "output", out);
	pv_json_set_u64(o, "size", len);
	return pv_out_json(app, o, e);
}
