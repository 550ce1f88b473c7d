/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provisor device otp: the OTP words of an STM32MP, through U-Boot. What is
 * written back is what was read, with the wanted words changed: the structure
 * carries locks and configuration, too.
 */
#include "cmd/mpu.h"

#include "base/file.h"
#include "base/hex.h"
#include "formats/otp_partition.h"
#include <provisor/ssp.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_MAX PV_OTP_WORDS_MAX
#define OTP_CFG0    0U /* open, closed */

struct change {
	size_t word;
	uint32_t value;
};

struct job {
	struct pv_app *app;
	struct pv_target_args to;
	const char *fsbl, *fip, *out;
	int lock, dry_run, yes, all;
	struct pv_mpu_images images;
	struct pv_mpu_target t;
	struct pv_otp otp, before;
	size_t n;
	struct change changes[CHANGES_MAX];
};

/* --- arguments ---------------------------------------------------------------------- */

/* "60=0x12345678" */
static int
parse_change(struct job *j, const char *text, struct pv_error *e)
{
	const char *eq = strchr(text, '=');
	uint64_t word = 0, value = 0;
	char number[16];
	int r;

	if (eq == NULL || eq == text || (size_t)(eq - text) >= sizeof(number)) {
		(void)pv_fail(e, PV_E_USAGE, "'%.40s' is not WORD=VALUE", text);
		return pv_hint(e, "such as 60=0x12345678");
	}
	memcpy(number, text, (size_t)(eq - text));
	number[eq - text] = '\0';
	r = pv_parse_u64(number, PV_OTP_WORDS_MAX - 1, "OTP word", &word, e);
	if (r == 0)
		r = pv_parse_u64(eq + 1, UINT32_MAX, "value", &value, e);
	if (r != 0)
		return r;
	for (size_t i = 0; i < j->n; i++)
		if (j->changes[i].word == word)
			return pv_fail(e, PV_E_USAGE,
			    "OTP %" PRIu64 " is given twice", word);
	if (j->n == CHANGES_MAX)
		return pv_fail(e, PV_E_USAGE, "too many words");
	j->changes[j->n].word = (size_t)word;
	j->changes[j->n++].value = (uint32_t)value;
	return 0;
}

/* --- reading -------------------------------------------------------------------------- */

static int
read_otp(struct job *j, struct pv_otp *otp, struct pv_error *e)
{
	uint8_t raw[PV_MPU_OTP_MAX];
	size_t n = 0;
	int r;

	r = pv_mpu_read_otp(&j->t.m, raw, &n, e);
	if (r != 0)
		return pv_wrap(e, "reading the OTP words");
	return pv_otp_decode(raw, n, otp, e);
}

static int
connect(struct job *j, struct pv_error *e)
{
	struct pv_mpu_phase p = { 0 };
	int r;

	r = pv_mpu_images_open(j->fsbl, j->fip, 0, &j->images, e);
	if (r == 0)
		r = pv_mpu_target_open(j->app, &j->to, &j->t, e);
	if (r == 0)
		r = pv_mpu_to_uboot(
		    &j->t.m, &j->images.chain, &j->app->progress, &p, e);
	pv_bar_end(j->app);
	if (r == 0)
		r = read_otp(j, &j->otp, e);
	j->before = j->otp;
	return r;
}

#define FLAGS_TEXT 96U
static void
flags_text(unsigned int f, char dst[FLAGS_TEXT])
{
	static const struct {
		unsigned int flag;
		const char *text;
	} names[] = {
		{ PV_OTP_PERMANENT_LOCK, "locked" },
		{ PV_OTP_PROGRAM_LOCK, "locked until reset" },
		{ PV_OTP_SHADOW_WRITE_LOCK, "shadow write lock" },
		{ PV_OTP_SHADOW_READ_LOCK, "shadow read lock" },
		{ PV_OTP_LOCK_ERROR, "lock error" },
		{ PV_OTP_READ_ERROR, "read error" },
		{ PV_OTP_DISTURBED, "disturbed" },
	};
	size_t at = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((f & names[i].flag) != 0 && at + 24 < FLAGS_TEXT)
			at += (size_t)snprintf(dst + at, FLAGS_TEXT - at,
			    "%s%s", at > 0 ? ", " : "  ", names[i].text);
}

static void
show_word(const struct job *j, size_t i, struct pv_json *words)
{
	unsigned int f = pv_otp_flags(&j->otp, i);
	uint32_t v = pv_otp_value(&j->otp, i);
	char text[FLAGS_TEXT];
	struct pv_json *o;

	if (v == 0 && f == 0 && !j->all)
		return;
	flags_text(f, text);
	pv_out(j->app, "OTP %3zu  0x%08" PRIx32 "%s\n", i, v, text);
	o = pv_json_add_object(words);
	pv_json_set_int(o, "word", (int64_t)i);
	pv_json_set_addr(o, "value", v);
	pv_json_set_bool(o, "locked", (f & PV_OTP_PERMANENT_LOCK) != 0);
	pv_json_set_bool(
	    o, "error", (f & (PV_OTP_READ_ERROR | PV_OTP_LOCK_ERROR)) != 0);
}

static int
run_otp_read(struct job *j, struct pv_error *e)
{
	static const char *const states[] = { "open", "closed", "invalid",
		"not said" };
	struct pv_json *root, *words;
	char name[PV_TARGET_NAME];
	int r = 0;

	if (j->out != NULL)
		r = pv_file_write(j->out, 0600, j->otp.raw, j->otp.len, e);
	if (r != 0)
		return r;
	root = pv_json_new_object();
	words = pv_json_set_array(root, "words");
	pv_mpu_target_name(&j->t, name);
	pv_out(j->app, "chip      %s, OTP structure %" PRIu32 ", %zu words\n",
	    name, j->otp.version, j->otp.n_words);
	pv_out(j->app, "state     %s\n", states[pv_otp_chip(&j->otp)]);
	for (size_t i = 0; i < j->otp.n_words; i++)
		show_word(j, i, words);
	pv_json_set_int(root, "version", j->otp.version);
	pv_json_set_int(root, "n_words", (int64_t)j->otp.n_words);
	pv_json_set_str(root, "state", states[pv_otp_chip(&j->otp)]);
	if (j->out != NULL)
		pv_json_set_str(root, "file", j->out);
	pv_mpu_target_json(&j->t, root);
	return pv_out_json(j->app, root, e);
}

/* --- burning --------------------------------------------------------------------------- */

static void
show_changes(const struct job *j, const char *verb, struct pv_json *root)
{
	struct pv_json *list = pv_json_set_array(root, "burn"), *o;

	for (size_t i = 0; i < j->otp.n_words; i++) {
		if (!j->otp.changed[i])
			continue;
		pv_out(j->app,
		    "%s OTP %zu: 0x%08" PRIx32 " -> 0x%08" PRIx32 "%s\n", verb,
		    i, pv_otp_value(&j->before, i), pv_otp_value(&j->otp, i),
		    j->lock ? ", locked for good" : "");
		o = pv_json_add_object(list);
		pv_json_set_int(o, "word", (int64_t)i);
		pv_json_set_addr(o, "from", pv_otp_value(&j->before, i));
		pv_json_set_addr(o, "to", pv_otp_value(&j->otp, i));
		pv_json_set_bool(o, "lock", j->lock != 0);
	}
}

/* Read again: every word that was asked for is there. */
static int
check_burnt(struct job *j, struct pv_error *e)
{
	struct pv_otp now;
	int r;

	r = read_otp(j, &now, e);
	if (r != 0)
		return r;
	for (size_t i = 0; i < j->n; i++) {
		const struct change *c = &j->changes[i];
		uint32_t v = pv_otp_value(&now, c->word);

		if (v != c->value)
			return pv_fail(e, PV_E_VERIFY,
			    "OTP %zu reads 0x%08" PRIx32 " after burning "
			    "0x%08" PRIx32,
			    c->word, v, c->value);
		if (j->lock &&
		    (pv_otp_flags(&now, c->word) & PV_OTP_PERMANENT_LOCK) == 0)
			return pv_fail(e, PV_E_VERIFY,
			    "OTP %zu is burnt but not locked", c->word);
	}
	return 0;
}

static int
burn(struct job *j, struct pv_error *e)
{
	struct pv_mpu_source src;
	uint8_t raw[PV_OTP_LEN_MAX];
	size_t n = 0;
	int r;

	r = pv_otp_encode(&j->otp, raw, sizeof(raw), &n, e);
	pv_mpu_memory(raw, n, &src);
	if (r == 0)
		r = j->t.m.download(j->t.m.ctx, PV_MPU_OTP, &src, "burn", e);
	if (r != 0) {
		(void)pv_hint(e,
		    "some of the words may be burnt: read them with 'provisor "
		    "device otp read' before anything else");
		return pv_wrap(e, "burning OTP words");
	}
	return check_burnt(j, e);
}

/* A chip that is closed without a key hash starts nothing any more. */
static int
check_bricks(const struct job *j, struct pv_error *e)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < 8; i++)
		hash |= pv_otp_value(&j->otp, PV_SSP_OTP_ROOT + i);
	if (!j->otp.changed[OTP_CFG0] || hash != 0)
		return 0;
	return pv_fail(e, PV_E_POLICY,
	    "OTP 0 closes the chip, and OTP %u..%u hold no key hash: it would "
	    "start nothing any more",
	    PV_SSP_OTP_ROOT, PV_SSP_OTP_ROOT + 7);
}

static int
run_otp_write(struct job *j, struct pv_error *e)
{
	struct pv_json *root;
	int r = 0;

	for (size_t i = 0; r == 0 && i < j->n; i++)
		r = pv_otp_set(&j->otp, j->changes[i].word, j->changes[i].value,
		    j->lock != 0, e);
	if (r == 0)
		r = check_bricks(j, e);
	if (r != 0) {
		(void)pv_hint(e, "nothing was sent");
		return r;
	}
	root = pv_json_new_object();
	pv_json_set_bool(root, "dry_run", j->dry_run != 0);
	pv_json_set_int(root, "version", j->otp.version);
	if (pv_otp_changes(&j->otp) == 0) {
		pv_out(j->app, "the words are as wanted; nothing to burn\n");
		pv_json_set_bool(root, "burnt", false);
		return pv_out_json(j->app, root, e);
	}
	show_changes(j, j->dry_run ? "would burn" : "burn     ", root);
	if (!j->dry_run && !j->yes) {
		pv_json_free(root);
		(void)pv_fail(e, PV_E_IRREVERSIBLE,
		    "%zu OTP word%s would be burnt, which cannot be undone",
		    pv_otp_changes(&j->otp),
		    pv_otp_changes(&j->otp) == 1 ? "" : "s");
		return pv_hint(e,
		    "nothing was sent; add --yes-irreversible if that is "
		    "meant");
	}
	if (!j->dry_run)
		r = burn(j, e);
	if (r != 0) {
		pv_json_free(root);
		return r;
	}
	pv_json_set_bool(root, "burnt", !j->dry_run);
	if (j->dry_run)
		pv_out(j->app, "nothing was burnt (--dry-run)\n");
	else
		pv_out(j->app, "burnt and read back\n");
	pv_mpu_target_json(&j->t, root);
	return pv_out_json(j->app, root, e);
}

/* --- the verb ---------------------------------------------------------------------------- */

static int
check_args(
    struct job *j, const char **args, bool *ret_write, struct pv_error *e)
{
	int r = 0;

	*ret_write = strcmp(args[0], "write") == 0;
	if (!*ret_write && strcmp(args[0], "read") != 0)
		return pv_fail(e, PV_E_USAGE,
		    "'%.40s' is neither read nor write", args[0]);
	for (size_t i = 1; r == 0 && args[i] != NULL; i++)
		r = parse_change(j, args[i], e);
	if (r != 0)
		return r;
	if (*ret_write != (j->n > 0))
		return pv_fail(e, PV_E_USAGE,
		    *ret_write ? "which words? WORD=VALUE..."
			       : "WORD=VALUE goes with 'write'");
	if (*ret_write ? j->out != NULL || j->all
		       : j->lock || j->dry_run || j->yes)
		return pv_fail(e, PV_E_USAGE,
		    "--lock, --dry-run and --yes-irreversible are for 'write', "
		    "--output and --all for 'read'");
	return pv_need(e, j->to.port, "--port");
}

int
pv_device_otp(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct job *j = calloc(1, sizeof(*j));
	const char **args;
	bool write = false;
	int r;

	if (j == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	j->app = app;
	{
		struct poptOption table[] = { PV_OPT_TARGET(j->to),
			PV_OPT_CHAIN(j->fsbl, j->fip),
			{ "output", 'o', POPT_ARG_STRING, &j->out, 0,
			    "read: write the structure as it came to a file",
			    "FILE" },
			{ "all", 0, POPT_ARG_NONE, &j->all, 0,
			    "read: show words that are 0, too", NULL },
			{ "lock", 0, POPT_ARG_NONE, &j->lock, 0,
			    "write: lock the words for good", NULL },
			{ "dry-run", 0, POPT_ARG_NONE, &j->dry_run, 0,
			    "write: show the words that would burn", NULL },
			{ "yes-irreversible", 0, POPT_ARG_NONE, &j->yes, 0,
			    "write: burn them", NULL },
			POPT_TABLEEND };

		r = pv_options(app, table, argc, argv, 1, 1000, &args, e);
	}
	if (r == 0)
		r = check_args(j, args, &write, e);
	if (r == 0)
		r = connect(j, e);
	if (r == 0)
		r = write ? run_otp_write(j, e) : run_otp_read(j, e);
	pv_bar_end(app);
	pv_mpu_target_close(&j->t);
	pv_mpu_images_close(&j->images);
	free(j);
	return r;
}
