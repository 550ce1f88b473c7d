/* SPDX-License-Identifier: Apache-2.0 */
/* provisor sim: make a virtual chip, put it on a line, look at it. */
#include "cmd/cmd.h"
#include "cmd/nouns.h"
#include "cmd/sim_mpu.h"
#include "cmd/sim_run.h"
#include "sim/sim.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/hex.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- create ------------------------------------------------------------------ */

static int
parse_iv_add(const char *text, enum pv_agent_iv_add *ret, struct pv_error *e)
{
	if (text == NULL || strcmp(text, "be96") == 0)
		*ret = PV_AGENT_IV_BE96;
	else if (strcmp(text, "le32-hi") == 0)
		*ret = PV_AGENT_IV_LE32_HI;
	else if (strcmp(text, "le32-lo") == 0)
		*ret = PV_AGENT_IV_LE32_LO;
	else
		return pv_fail(e, PV_E_USAGE,
		    "--iv-add: no rule '%s' (be96, le32-hi, le32-lo)", text);
	return 0;
}

/* SIZE[@ADDRESS]; the address of the description by default. */
static int
parse_external(const char *text, const struct pv_chip *chip,
    struct pv_sim_create *c, struct pv_error *e)
{
	uint64_t size = 0, base = chip->external.base;
	const char *at;
	char *copy;
	int r;

	if (text == NULL)
		return 0;
	if (chip->external.size == 0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "--external-flash: %s sees no external flash", chip->name);
	copy = strdup(text);
	if (copy == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	at = strchr(text, '@');
	if (at != NULL)
		copy[at - text] = '\0';
	r = pv_parse_size(
	    copy, PV_SIM_EXTERNAL_MAX, "--external-flash", &size, e);
	if (r == 0 && at != NULL)
		r = pv_parse_u64(
		    at + 1, UINT32_MAX, "--external-flash", &base, e);
	free(copy);
	if (r == 0 &&
	    (size == 0 || size % PV_SIM_EXTERNAL_SECTOR != 0 ||
		base % PV_SIM_EXTERNAL_SECTOR != 0 || base + size > UINT32_MAX))
		r = pv_fail(e, PV_E_USAGE,
		    "--external-flash: '%s' is not whole sectors of %u bytes",
		    text, PV_SIM_EXTERNAL_SECTOR);
	c->external_base = (uint32_t)base;
	c->external_size = (uint32_t)size;
	return r;
}

/* A chip description given as a path must be found from any folder later. */
static int
chip_reference(const char *name, char dst[PV_SIM_PATH], struct pv_error *e)
{
	const char *dot = strrchr(name, '.');
	char *full = NULL;
	int r = 0;

	if (strchr(name, '/') != NULL ||
	    (dot != NULL && strcmp(dot, ".json") == 0)) {
		full = realpath(name, NULL);
		if (full != NULL)
			name = full;
	}
	if (strlen(name) >= PV_SIM_PATH)
		r = pv_fail(e, PV_E_USAGE, "--chip: the name is too long");
	else
		memcpy(dst, name, strlen(name) + 1);
	free(full);
	return r;
}

static int
report_created(struct pv_app *app, const char *dir,
    const struct pv_sim_create *c, const struct pv_sim_state *s,
    struct pv_error *e)
{
	struct pv_json *root = pv_json_new_object();
	char cert[PV_SIM_PATH];
	int r;

	r = pv_path_fit(cert, sizeof cert, dir, "certificate.bin", e);
	if (r != 0) {
		pv_json_free(root);
		return r;
	}
	pv_json_set_str(root, "folder", dir);
	pv_json_set_str(root, "chip", c->chip->name);
	pv_json_set_str(root, "product_id", s->product_id);
	pv_json_set_str(root, "certificate", cert);
	pv_json_set_str(root, "ca", c->ca_dir);
	pv_json_set_bool(root, "agent", s->agent);
	pv_json_set_bool(root, "campaign_key_pinned", s->pinned);
	pv_out(app, "%s: virtual %s, product id %s, %s\n", dir, c->chip->title,
	    s->product_id,
	    s->agent	   ? "with the install agent"
	    : c->chip->mpu ? "serial boot of its ROM"
			   : "bootloader only");
	pv_out(app, "certificate: %s, signed by %s/ca.pem\n", cert, c->ca_dir);
	return pv_out_json(app, root, e);
}

static int
mcu_only(bool given, struct pv_error *e)
{
	if (!given)
		return 0;
	return pv_fail(e, PV_E_USAGE,
	    "--campaign-key, --agent, --no-agent, --iv-add, --rdp and "
	    "--allow-irreversible are for a microcontroller");
}

static int
run_create(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *chip_name = NULL, *ca = NULL, *product_id = NULL;
	const char *campaign_key = NULL, *iv_add = NULL, *rdp = NULL;
	const char *profile = NULL, **otp = NULL;
	const char *external = NULL;
	uint64_t level = 0;
	int with_agent = 0, without_agent = 0, irreversible = 0, closed = 0;
	struct poptOption table[] = {
		{ "chip", 0, POPT_ARG_STRING, &chip_name, 0,
		    "chip to make: a name of share/chips, or a path", "CHIP" },
		{ "ca", 0, POPT_ARG_STRING, &ca, 0,
		    "folder of the certificate authority, ca.pem and ca.key; "
		    "made when missing (default HOME/sim-ca)",
		    "DIR" },
		{ "product-id", 0, POPT_ARG_STRING, &product_id, 0,
		    "8 characters in the certificate (default: from the chip "
		    "description)",
		    "ID" },
		{ "campaign-key", 0, POPT_ARG_STRING, &campaign_key, 0,
		    "accept only licenses signed by this public key", "PEM" },
		{ "agent", 0, POPT_ARG_NONE, &with_agent, 0,
		    "install agent also on a part without SFI", NULL },
		{ "no-agent", 0, POPT_ARG_NONE, &without_agent, 0,
		    "plain bootloader, without the install agent", NULL },
		{ "iv-add", 0, POPT_ARG_STRING, &iv_add, 0,
		    "be96, le32-hi or le32-lo: how an area's number is added "
		    "to the nonce",
		    "RULE" },
		{ "rdp", 0, POPT_ARG_STRING, &rdp, 0,
		    "readout protection level 0, 1 or 2 (default 0)", "N" },
		{ "external-flash", 0, POPT_ARG_STRING, &external, 0,
		    "flash outside of the part, such as 8M (default: none)",
		    "SIZE[@ADDRESS]" },
		{ "allow-irreversible", 0, POPT_ARG_NONE, &irreversible, 0,
		    "let a package's option bytes lock the chip for good",
		    NULL },
		{ "closed", 0, POPT_ARG_NONE, &closed, 0,
		    "STM32MP: closed, takes signed images only", NULL },
		{ "ssp-profile", 0, POPT_ARG_STRING, &profile, 0,
		    "STM32MP: how the ROM opens licenses, such as "
		    "gcm_iv_len=12,key_half=high,iv_half=low",
		    "FIELDS" },
		{ "otp", 0, POPT_ARG_ARGV, &otp, 0,
		    "STM32MP: this OTP word is burnt already", "WORD=VALUE" },
		POPT_TABLEEND
	};
	const char **args;
	char ca_default[PV_SIM_PATH], reference[PV_SIM_PATH];
	struct pv_sim_create c = { 0 };
	struct pv_sim_state state;
	struct pv_chip *chip = NULL;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &args, e);
	if (r != 0)
		return r;
	r = pv_need(e, chip_name, "--chip");
	if (r == 0 && with_agent && without_agent)
		r = pv_fail(
		    e, PV_E_USAGE, "--agent and --no-agent exclude each other");
	if (r == 0)
		r = parse_iv_add(iv_add, &c.iv_add, e);
	if (r == 0 && rdp != NULL)
		r = pv_parse_u64(rdp, 2, "--rdp", &level, e);
	if (r == 0 && ca == NULL) {
		r = pv_path_fit(
		    ca_default, sizeof ca_default, app->home, "sim-ca", e);
		ca = ca_default;
	}
	if (r == 0)
		r = chip_reference(chip_name, reference, e);
	if (r == 0)
		r = pv_chip_load(app->chip_dirs, chip_name, &chip, e);
	if (r == 0 && chip->mpu)
		r = mcu_only(with_agent || without_agent || irreversible ||
				 iv_add != NULL || rdp != NULL ||
				 campaign_key != NULL || external != NULL,
		    e);
	else if (r == 0 && (closed || profile != NULL || otp != NULL))
		r = pv_fail(e, PV_E_USAGE,
		    "--closed, --ssp-profile and --otp are for an STM32MP");
	if (r == 0)
		r = parse_external(external, chip, &c, e);
	if (r != 0)
		goto out;
	c.closed = closed != 0;
	c.ssp_profile = profile;
	c.otp = otp;
	c.dir = args[0];
	c.chip = chip;
	c.chip_name = reference;
	c.ca_dir = ca;
	c.product_id = product_id;
	c.campaign_key = campaign_key;
	c.agent = without_agent ? false : with_agent ? true : chip->sfi;
	c.rdp = (unsigned int)level;
	c.allow_irreversible = irreversible != 0;
	r = pv_sim_create(&c, &state, e);
	if (r == 0)
		r = report_created(app, args[0], &c, &state, e);
out:
	pv_chip_free(chip);
	return r;
}

/* --- show -------------------------------------------------------------------- */

static const char *
protection_name(const struct pv_sim_state *s)
{
	return s->rdp == 0   ? "open"
	       : s->rdp == 1 ? "read protected"
			     : "locked for good";
}

/* Address and size are public in the header of a module. */
static void
show_modules_json(const struct pv_sim_state *s, struct pv_json *root)
{
	struct pv_json *list = pv_json_set_array(root, "modules"), *o;

	for (size_t i = 0; i < s->n_modules; i++) {
		o = pv_json_add_object(list);
		pv_json_set_addr(o, "address", pv_get_u32le(s->modules[i] + 8));
		pv_json_set_u64(o, "size", pv_get_u32le(s->modules[i] + 12));
		pv_json_set_hex(
		    o, "header", s->modules[i], sizeof s->modules[i]);
	}
}

static int
show_json(struct pv_app *app, const char *dir, const struct pv_chip *chip,
    const struct pv_sim_state *s, enum pv_agent_note install,
    struct pv_error *e)
{
	struct pv_json *root = pv_json_new_object(), *words, *list;
	char text[16];

	pv_json_set_str(root, "folder", dir);
	pv_json_set_str(root, "chip", chip->name);
	pv_json_set_str(root, "product_id", s->product_id);
	pv_json_set_bool(root, "agent", s->agent);
	pv_json_set_bool(root, "allow_irreversible", s->allow_irreversible);
	pv_json_set_int(root, "rdp", (int64_t)s->rdp);
	pv_json_set_str(root, "protection", protection_name(s));
	list = pv_json_set_array(root, "write_protected");
	for (unsigned int i = 0; i < PV_SIM_SECTOR_CODES; i++) {
		if ((s->write_protected[i / 8] & (1U << (i % 8))) == 0)
			continue;
		(void)snprintf(text, sizeof text, "%u", i);
		pv_json_add_str(list, text);
	}
	words = pv_json_set_array(root, "option_words");
	for (size_t i = 0; i < s->n_option_words; i++) {
		(void)snprintf(
		    text, sizeof text, "0x%08" PRIx32, s->option_words[i]);
		pv_json_add_str(words, text);
	}
	if (s->pinned)
		pv_json_set_hex(root, "campaign_key_sha256", s->campaign_key,
		    sizeof s->campaign_key);
	pv_json_set_str(root, "install", pv_sim_install_name(install));
	if (s->external_size > 0) {
		pv_json_set_addr(root, "external_base", s->external_base);
		pv_json_set_u64(root, "external_size", s->external_size);
	}
	show_modules_json(s, root);
	if (s->running)
		pv_json_set_addr(root, "running_at", s->running_at);
	pv_sim_state_counters(s, pv_json_set_object(root, "counters"));
	return pv_out_json(app, root, e);
}

static void
show_text(struct pv_app *app, const char *dir, const struct pv_chip *chip,
    const struct pv_sim_state *s, enum pv_agent_note install)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < PV_SIM_SECTOR_CODES; i++)
		if ((s->write_protected[i / 8] & (1U << (i % 8))) != 0)
			n++;
	pv_out(app, "%s: virtual %s (0x%03" PRIx32 "), product id %s\n", dir,
	    chip->title, chip->device_id, s->product_id);
	pv_out(app, "agent        %s%s\n", s->agent ? "yes" : "no",
	    s->pinned ? ", campaign key pinned" : "");
	pv_out(app, "protection   RDP %u (%s), %u sectors write protected\n",
	    s->rdp, protection_name(s), n);
	pv_out(app, "install      %s\n", pv_sim_install_name(install));
	if (s->external_size > 0)
		pv_out(app, "external     %" PRIu32 " KiB at 0x%08" PRIx32 "\n",
		    s->external_size / 1024, s->external_base);
	for (size_t i = 0; i < s->n_modules; i++)
		pv_out(app,
		    "module       %" PRIu32 " bytes at 0x%08" PRIx32
		    ", stored as delivered\n",
		    pv_get_u32le(s->modules[i] + 12),
		    pv_get_u32le(s->modules[i] + 8));
	for (size_t i = 0; i < s->n_option_words; i++)
		pv_out(app, "option word %2zu  0x%08" PRIx32 "\n", i,
		    s->option_words[i]);
	if (s->running)
		pv_out(app, "running at 0x%08" PRIx32 "\n", s->running_at);
	else
		pv_out(app, "in the bootloader\n");
	pv_out(app,
	    "%" PRIu64 " starts, %" PRIu64 " installs, %" PRIu64
	    " failed, %" PRIu64 " bytes received, %" PRIu64
	    " commands, %" PRIu64 " refused\n",
	    s->starts, s->installs, s->failures, s->received, s->commands,
	    s->nacks);
}

static int
run_show(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption table[] = { POPT_TABLEEND };
	const char **args;
	struct pv_sim_state s;
	struct pv_chip *chip = NULL;
	enum pv_agent_note install;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &args, e);
	if (r != 0)
		return r;
	r = pv_sim_state_read(args[0], &s, e);
	if (r == 0)
		r = pv_chip_load(app->chip_dirs, s.chip, &chip, e);
	if (r != 0)
		goto out;
	if (chip->mpu) {
		r = pv_sim_show_mpu(app, args[0], chip, &s, e);
		goto out;
	}
	install = pv_sim_install_state(&s);
	show_text(app, args[0], chip, &s, install);
	if (app->json)
		r = show_json(app, args[0], chip, &s, install, e);
out:
	pv_chip_free(chip);
	return r;
}

const struct pv_verb pv_verbs_sim[] = {
	{ "sim", "create",
	    "DIR --chip CHIP [--ca DIR] [--product-id ID] [--campaign-key PEM] "
	    "[--agent | --no-agent] [--iv-add RULE] [--rdp N] "
	    "[--external-flash SIZE[@ADDRESS]] [--allow-irreversible] "
	    "[--closed] "
	    "[--ssp-profile FIELDS] [--otp WORD=VALUE]...",
	    "make a virtual chip (the install agent and its exchange are "
	    "provisor's own)",
	    "provisor sim create chip1 --chip stm32h563", run_create },
	{ "sim", "run", PV_SIM_RUN_ARGS,
	    "serve a virtual chip on a pseudo-terminal or as USB/IP",
	    "provisor sim run chip1 --usart chip1.tty --baud 115200 &\n"
	    "stm32flash -m 8n1 chip1.tty\n"
	    "provisor sim run chip1 --usbip 3240 &\n"
	    "sudo usbip attach -r 127.0.0.1 -b 1-1",
	    pv_sim_run_verb },
	{ "sim", "quirks", "", "list the ways in which a bootloader can differ",
	    "provisor sim quirks", pv_sim_quirks_verb },
	{ "sim", "show", "DIR", "show what a virtual chip has kept",
	    "provisor sim show chip1", run_show },
	{ 0 }
};
