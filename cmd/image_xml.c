/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provisor image from-xml: an image as an existing provisioning folder
 * describes it. The description becomes the words of `image sign`.
 */
#include "cmd/image_mcuboot.h"

#include "base/hex.h"
#include "image/tpc.h"

#include <string.h>

#define WORDS_MAX (2U * PV_TPC_WORDS_MAX + 16U)

struct words {
	const char *v[WORDS_MAX + 1];
	int n;
};

static void
put(struct words *w, const char *word)
{
	if (word != NULL && (size_t)w->n < WORDS_MAX)
		w->v[w->n++] = word;
}

/* The flavor that its options mean. */
static const char *
flavor_of(const struct pv_tpc *t)
{
	uint64_t magic = PV_MCUBOOT_MAGIC;

	for (size_t i = 0; i < t->n; i++)
		if ((strcmp(t->w[i].option, "-ma") == 0 ||
			strcmp(t->w[i].option, "--magic") == 0) &&
		    t->w[i].value != NULL &&
		    pv_parse_u64(
			t->w[i].value, UINT32_MAX, "magic", &magic, NULL) != 0)
			magic = PV_MCUBOOT_MAGIC;
	switch (magic) {
	case PV_MCUBOOT_MAGIC_STIROT:
		return "st-h5-stirot";
	case PV_MCUBOOT_MAGIC_STDATA:
		return "st-h5-stirot-data";
	case PV_MCUBOOT_MAGIC_H7RS:
		return "st-h7rs-stirot";
	default:
		return "st-oemirot";
	}
}

/* "-k FILE" gives way to the key of the command line. */
static bool
is_key(const char *option)
{
	return strcmp(option, "-k") == 0 || strcmp(option, "--key") == 0;
}

static void
make_words(const struct pv_tpc *t, const char *flavor, const char *key,
    const char *output, struct words *w)
{
	put(w, "sign");
	put(w, "--flavor");
	put(w, flavor == NULL ? flavor_of(t) : flavor);
	for (size_t i = 0; i < t->n; i++) {
		const char *option = t->w[i].option;

		/* ST's letter for what is the output here. */
		if (strcmp(option, "-o") == 0)
			option = "--otfdec";
		put(w, option);
		put(w, is_key(option) && key != NULL ? key : t->w[i].value);
	}
	put(w, "--output");
	put(w, output == NULL ? t->output : output);
	put(w, t->input);
	w->v[w->n] = NULL;
}

/* A word as a shell takes it. */
static void
put_quoted(const struct pv_app *app, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO"
				    "PQRSTUVWXYZ0123456789-_./,:=+@%";

	if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
		pv_out(app, " %s", word);
		return;
	}
	pv_out(app, " '");
	for (; *word != '\0'; word++)
		if (*word == '\'')
			pv_out(app, "'\\''");
		else
			pv_out(app, "%c", *word);
	pv_out(app, "'");
}

static int
show(struct pv_app *app, const struct pv_tpc *t, const struct words *w,
    struct pv_error *e)
{
	struct pv_json *o = pv_json_new_object(), *list;

	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "title", t->title);
	list = pv_json_set_array(o, "command");
	pv_out(app, "provisor image");
	for (int i = 0; i < w->n; i++) {
		put_quoted(app, w->v[i]);
		pv_json_add_str(list, w->v[i]);
	}
	pv_out(app, "\n");
	return pv_out_json(app, o, e);
}

int
pv_image_from_xml(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *flavor = NULL, *key = NULL, *output = NULL, **args = NULL;
	int dry_run = 0;
	struct poptOption table[] = {
		{ "flavor", 0, POPT_ARG_STRING, &flavor, 0,
		    "boot loader the image is for (default: by the options)",
		    "FLAVOR" },
		{ "flavour", 0, POPT_ARG_STRING, &flavor, 0,
		    "the same, in British spelling", "FLAVOR" },
		{ "key", 'k', POPT_ARG_STRING, &key, 0,
		    "sign with this key in place of the file named", "KEY" },
		{ "output", 'o', POPT_ARG_STRING, &output, 0,
		    "the signed image (default: as named)", "FILE" },
		{ "dry-run", 0, POPT_ARG_NONE, &dry_run, 0,
		    "print the command, sign nothing", NULL },
		PV_OPT_PIN(app),
		PV_OPT_PASSPHRASE(app),
		POPT_TABLEEND,
	};
	struct words w = { .n = 0 };
	struct pv_tpc t = { 0 };
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r != 0)
		return r;
	r = pv_tpc_read(args[0], &t, e);
	for (size_t i = 0; r == 0 && i < t.n_outside; i++)
		pv_say(app,
		    "note: '%s' lies outside the folder that '%s' is "
		    "in\n",
		    t.outside[i], args[0]);
	if (r == 0)
		make_words(&t, flavor, key, output, &w);
	if (r == 0)
		r = dry_run != 0 ? show(app, &t, &w, e)
				 : pv_image_mcuboot_sign(app, w.n, w.v, e);
	pv_tpc_release(&t);
	return r;
}
