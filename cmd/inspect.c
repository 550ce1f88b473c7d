/* SPDX-License-Identifier: Apache-2.0 */
/* provisor inspect: what is this file? */
#include "cmd/inspect.h"

#include "base/file.h"
#include "formats/adac.h"
#include "formats/certificate.h"
#include "formats/license.h"
#include "formats/license_ssp.h"
#include "formats/obk.h"
#include "formats/options_csv.h"
#include "formats/perso_name.h"
#include "formats/signature.h"
#include "formats/sbsfu.h"
#include "formats/smi.h"
#include "formats/stm32_image.h"
#include "cmd/session.h"
#include "cmd/sfi.h"
#include "cmd/ssp.h"
#include "image/mcuboot.h"
#include "crypto/ec.h"
#include <provisor/image.h>
#include <provisor/sfi.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
begins(const struct pv_subject *s, const char *magic)
{
	size_t n = strlen(magic);

	return s->head_len >= n && memcmp(s->head, magic, n) == 0;
}

static bool
is_smi(const struct pv_subject *s)
{
	return begins(s, PV_SMI_MAGIC);
}

static bool
is_license(const struct pv_subject *s)
{
	return begins(s, PV_LICENSE_MAGIC);
}

static bool
is_signature(const struct pv_subject *s)
{
	return begins(s, PV_SIGFILE_MAGIC);
}

/* 136 bytes, a product id, and a point on the curve. */
static bool
is_certificate(const struct pv_subject *s)
{
	struct pv_certificate c;

	return s->size == PV_CERT_LEN && s->head_len == PV_CERT_LEN &&
	       pv_certificate_decode(s->head, &c, NULL) == 0 &&
	       pv_ec_check_public(c.public_key, NULL) == 0;
}

static bool
is_adac(const struct pv_subject *s)
{
	return s->size <= PV_ADAC_FILE && pv_adac_detect(s->head, s->head_len);
}

static bool
is_stm32(const struct pv_subject *s)
{
	return pv_stm32_detect(s->head, s->head_len);
}

static bool
is_sbsfu(const struct pv_subject *s)
{
	return pv_sbsfu_detect(s->head, s->head_len);
}

static bool
is_obk(const struct pv_subject *s)
{
	const char *dot = strrchr(s->name, '.');

	return pv_obk_detect(s->head, s->head_len, s->size) ||
	       (dot != NULL && strcasecmp(dot, ".obk") == 0);
}

/* Encrypted through and through: only the name tells. */
static bool
is_rsse(const struct pv_subject *s)
{
	return strncasecmp(s->name, "enc_signed_RSSe_", 16) == 0;
}

static bool
is_personalization(const struct pv_subject *s)
{
	struct pv_perso_name n;

	return pv_perso_name_decode(s->name, &n, NULL) == 0;
}

static bool
is_firmware(const struct pv_subject *s)
{
	enum pv_firmware_kind kind;

	return pv_firmware_detect(s->path, &kind, NULL) == 0 &&
	       kind != PV_FIRMWARE_RAW;
}

/* Raw by its magic, HEX by the magic of its first bytes. */
static bool
is_mcuboot(const struct pv_subject *s)
{
	struct pv_mcuboot_header h;
	struct pv_mcuboot_file f;

	if (pv_mcuboot_header_decode(s->head, s->head_len, &h, NULL) == 0)
		return true;
	if (s->head[0] != ':' || pv_mcuboot_open(s->path, &f, NULL) != 0)
		return false;
	pv_mcuboot_close(&f);
	return true;
}

static bool
is_options(const struct pv_subject *s)
{
	const char *dot = strrchr(s->name, '.');

	return dot != NULL && strcasecmp(dot, ".csv") == 0;
}

/* What begins with its magic comes before what is known by name. */
static const struct {
	const char *format;
	bool (*is)(const struct pv_subject *s);
	pv_subject_fn show;
} formats[] = {
	{ "smi", is_smi, pv_show_smi },
	{ "license", is_license, pv_show_license },
	{ "signature", is_signature, pv_show_signature },
	{ "certificate", is_certificate, pv_show_certificate },
	{ "stm32", is_stm32, pv_show_stm32 },
	{ "sbsfu", is_sbsfu, pv_show_sbsfu },
	{ "adac", is_adac, pv_show_adac },
	{ "rsse", is_rsse, pv_show_rsse },
	{ "personalization", is_personalization, pv_show_personalization },
	{ "obk", is_obk, pv_show_obk },
	{ "mcuboot", is_mcuboot, pv_show_mcuboot },
	{ "firmware", is_firmware, pv_show_firmware },
	{ "options", is_options, pv_show_options },
};

static int
open_subject(struct pv_subject *s, struct pv_error *e)
{
	int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *slash = strrchr(s->path, '/');
	size_t len = 0;
	struct stat st;
	int r = 0;

	if (fd < 0)
		return pv_fail_errno(e,
		    errno == ENOENT ? PV_E_NOT_FOUND : PV_E_IO, errno,
		    "opening '%s'", s->path);
	s->name = slash == NULL ? s->path : slash + 1;
	if (fstat(fd, &st) != 0)
		r = pv_fail_errno(e, PV_E_IO, errno, "reading '%s'", s->path);
	else if (!S_ISREG(st.st_mode))
		r = pv_fail(
		    e, PV_E_MALFORMED, "'%s' is not a regular file", s->path);
	if (r == 0) {
		s->size = (uint64_t)st.st_size;
		s->head_len = s->size < PV_SUBJECT_HEAD ? (size_t)s->size
							: PV_SUBJECT_HEAD;
		r = pv_pread_exact(fd, s->path, s->head, s->head_len, 0, e);
	}
	(void)close(fd);
	if (r == 0 && s->size <= PV_SUBJECT_WHOLE)
		r = pv_file_read(s->path, PV_SUBJECT_WHOLE, &s->data, &len, e);
	if (r == 0 && s->data != NULL)
		s->size = len;
	return r;
}

bool
pv_inspect_is_module(const char *path)
{
	struct pv_subject s = { .path = path };
	bool is = open_subject(&s, NULL) == 0 && is_smi(&s);

	free(s.data);
	return is;
}

static int
show(struct pv_subject *s, struct pv_error *e)
{
	size_t i = 0, n = sizeof(formats) / sizeof(formats[0]);
	int r;

	while (i < n && !formats[i].is(s))
		i++;
	if (i == n) {
		(void)pv_fail(e, PV_E_MALFORMED,
		    "'%s': none of the formats that this program knows",
		    s->path);
		return pv_hint(e, "raw firmware has nothing to tell it by");
	}
	s->root = pv_json_new_object();
	pv_json_set_str(s->root, "file", s->path);
	pv_json_set_str(s->root, "format", formats[i].format);
	pv_json_set_u64(s->root, "file_size", s->size);
	r = formats[i].show(s, e);
	if (r == 0)
		return pv_out_json(s->app, s->root, e);
	pv_json_free(s->root);
	return r;
}

/* Formats whose nouns show them; then those of the table. */
static int
show_own(struct pv_subject *s, struct pv_error *e)
{
	if (begins(s, PV_SFI_MAGIC))
		return pv_sfi_inspect_file(s->app, s->path, e);
	if (begins(s, PV_SSP_MAGIC))
		return pv_ssp_inspect_file(s->app, s->path, e);
	if (s->data != NULL && pv_ssp_license_is(s->data, (size_t)s->size))
		return pv_license_ssp_inspect(
		    s->app, s->path, s->data, (size_t)s->size, e);
	return show(s, e);
}

int
pv_inspect_file(struct pv_app *app, const char *path, struct pv_error *e)
{
	struct pv_subject s = { .app = app, .path = path };
	int r = open_subject(&s, e);

	if (r == 0)
		r = show_own(&s, e);
	free(s.data);
	return r;
}

static int
run_inspect(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption table[] = { POPT_TABLEEND };
	const char **args = NULL;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	return r != 0 ? r : pv_inspect_file(app, args[0], e);
}

const struct pv_verb pv_verbs_inspect[] = {
	{ "inspect", NULL, "FILE",
	    "say what a file is and what it holds; needs no key",
	    "provisor inspect app.sfi\n"
	    "provisor inspect chip.cert",
	    run_inspect },
	{ 0 },
};
