/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provisor image: finds the format of --format and hands over to it. The rows
 * of the noun stand for the help; what a verb does is in cmd/image_FORMAT.c.
 */
#include "cmd/image.h"
#include "cmd/image_mcuboot.h"

#include <string.h>

/* The first is the default. */
static const struct pv_image_format *const formats[] = {
	&pv_image_mcuboot,
	&pv_image_stm32,
	&pv_image_sbsfu,
	&pv_image_oemisb,
};
#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

static int
unknown(const char *name, struct pv_error *e)
{
	char list[128] = "";
	size_t n = 0;

	for (size_t i = 0; i < N_FORMATS && n < sizeof(list); i++) {
		int w = snprintf(list + n, sizeof(list) - n, "%s%s",
		    i == 0 ? "" : ", ", formats[i]->name);

		n += w > 0 ? (size_t)w : 0;
	}
	(void)pv_fail(e, PV_E_USAGE, "unknown image format '%s'", name);
	return pv_hint(e, "formats are %s", list);
}

static int
find_format(
    const char *name, const struct pv_image_format **ret_f, struct pv_error *e)
{
	for (size_t i = 0; i < N_FORMATS; i++) {
		if (name == NULL || strcmp(formats[i]->name, name) == 0) {
			*ret_f = formats[i];
			return 0;
		}
	}
	return unknown(name, e);
}

/*
 * Take "--format NAME" or "--format=NAME" out of the words, before the
 * format's own options are known. *ret_name stays NULL when there is none.
 */
static int
take_format(
    int *argc, const char **argv, const char **ret_name, struct pv_error *e)
{
	static const char option[] = "--format";
	size_t len = sizeof(option) - 1;
	int n = 1;

	for (int i = 1; i < *argc; i++) {
		const char *word = argv[i];

		if (strcmp(word, "--") == 0) {
			while (i < *argc)
				argv[n++] = argv[i++];
			break;
		}
		if (strcmp(word, option) == 0) {
			if (++i == *argc)
				return pv_fail(e, PV_E_USAGE,
				    "--format: missing argument");
			*ret_name = argv[i];
		} else if (strncmp(word, option, len) == 0 &&
			   word[len] == '=') {
			*ret_name = word + len + 1;
		} else {
			argv[n++] = word;
		}
	}
	argv[n] = NULL;
	*argc = n;
	return 0;
}

static int
run_format(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *verb = app->verb->verb, *name = NULL;
	const struct pv_image_format *f = NULL;
	int r = take_format(&argc, argv, &name, e);

	if (r == 0)
		r = find_format(name, &f, e);
	if (r != 0)
		return r;
	for (const struct pv_verb *v = f->verbs; v->noun != NULL; v++) {
		if (strcmp(v->verb, verb) == 0) {
			app->verb = v;
			return v->run(app, argc, argv, e);
		}
	}
	return pv_fail(e, PV_E_USAGE, "there is no 'image %s' for format '%s'",
	    verb, f->name);
}

const struct pv_verb pv_verbs_image[] = {
	{ "image", "sign", "[--format FORMAT] [OPTIONS] FILE [-o] FILE",
	    "sign an image, and encrypt it where asked", NULL, run_format },
	{ "image", "verify", "[--format FORMAT] [OPTIONS] FILE",
	    "check a signed image as its boot loader will", NULL, run_format },
	{ "image", "inspect", "[--format FORMAT] FILE",
	    "show what a signed image holds; needs no key", NULL, run_format },
	{ "image", "encrypt", "[--format FORMAT] [OPTIONS] FILE -o FILE",
	    "encrypt an image that is signed already", NULL, run_format },
	{ "image", "decrypt", "[--format FORMAT] [OPTIONS] FILE -o FILE",
	    "take the encryption off an image", NULL, run_format },
	{ "image", "from-xml",
	    "[--flavor FLAVOR] [--key KEY] [--dry-run] FILE.xml [-o FILE]",
	    "sign an image as the XML of an ST provisioning folder says",
	    "provisor image from-xml STiROT/Image/STiRoT_Code_Image.xml",
	    pv_image_from_xml },
	{ 0 },
};
