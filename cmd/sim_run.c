/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/sim_run.h"
#include "sim/sim.h"
#include "sim/usb.h"

#include "base/hex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESTART_NS	INT64_C(10000000)
#define BYTE_TIMEOUT_NS INT64_C(1000000000)
/* Of times on the command line: an hour, in the unit of the option. */
#define HOUR_MS		3600000.0

/* --- the two ways to serve --------------------------------------------------- */

struct running {
	struct pv_app *app;
	const char *link; /* NULL: on USB */
	const struct pv_chip *chip;
};

static void
ready(void *ctx, const char *pty)
{
	const struct running *run = ctx;

	pv_say(run->app, "virtual %s on %s (%s); Ctrl-C stops it\n",
	    run->chip->title, run->link, pty);
}

static void
ready_usb(void *ctx, const char *host, unsigned int port)
{
	const struct running *run = ctx;

	pv_say(run->app,
	    "virtual %s on USB/IP %s:%u, bus-port 1-1; Ctrl-C stops it\n",
	    run->chip->title, host, port);
}

static int
report_end(struct pv_app *app, const char *dir, const char *where,
    enum pv_sim_end end, uint64_t after, const char *unit, struct pv_error *e)
{
	static const char *const names[] = { "stopped", "unplugged",
		"powercut" };
	struct pv_json *root = pv_json_new_object();

	pv_json_set_str(root, "folder", dir);
	pv_json_set_str(root, "link", where);
	pv_json_set_str(root, "end", names[end]);
	if (end == PV_SIM_POWERCUT)
		pv_say(app, "power cut after %" PRIu64 " %s\n", after, unit);
	if (end == PV_SIM_UNPLUGGED)
		pv_say(app, "unplugged after %" PRIu64 " %s\n", after, unit);
	return pv_out_json(app, root, e);
}

static int
serve_line(struct running *run, const char *dir, struct pv_sim *sim,
    struct pv_sim_line *line, enum pv_sim_end *ret_end, struct pv_error *e)
{
	int r;

	line->link = run->link;
	line->ready = ready;
	line->ctx = run;
	r = pv_sim_serve(sim, line, ret_end, e);
	if (r != 0)
		return r;
	return report_end(run->app, dir, line->link, *ret_end,
	    *ret_end == PV_SIM_POWERCUT ? line->powercut : line->unplug,
	    "bytes", e);
}

static int
serve_usb(struct running *run, const char *dir, struct pv_sim *sim,
    struct pv_sim_usb *usb, enum pv_sim_end *ret_end, struct pv_error *e)
{
	int r;

	usb->ready = ready_usb;
	usb->ctx = run;
	r = pv_sim_serve_usb(sim, usb, ret_end, e);
	if (r != 0)
		return r;
	return report_end(run->app, dir, usb->host, *ret_end,
	    *ret_end == PV_SIM_POWERCUT ? usb->powercut : usb->unplug,
	    "control transfers", e);
}

/* --- options ------------------------------------------------------------------ */

/* What was typed. */
struct run_options {
	const char *link, *faults, *usbip, *usb, *layout, *seed;
	const char *baud, *max_baud, *latency, *turn, *scale;
	const char *boot0, *go_text, *transcript, *firmware;
	const char **quirks, **no_quirks;
	int flash_times, event_char;
};

static int
parse_decimal(const char *text, double max, const char *option, double *ret_v,
    struct pv_error *e)
{
	char *end = NULL;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v >= 0.0 && v <= max))
		return pv_fail(e, PV_E_USAGE,
		    "%s: '%s' is not a number from 0 to %g", option, text, max);
	*ret_v = v;
	return 0;
}

/* A time in units of `unit` nanoseconds. */
static int
parse_time(const char *text, double unit, const char *option, int64_t *ret_ns,
    struct pv_error *e)
{
	double v = 0;
	int r;

	if (text == NULL)
		return 0;
	r = parse_decimal(text, HOUR_MS, option, &v, e);
	if (r == 0)
		*ret_ns = (int64_t)(v * unit);
	return r;
}

static int
parse_rates(
    const struct run_options *o, struct pv_sim_line *line, struct pv_error *e)
{
	uint64_t v = 0;
	int r = 0;

	if (o->baud != NULL && strcmp(o->baud, "port") == 0) {
		line->baud_of_port = true;
	} else if (o->baud != NULL) {
		r = pv_parse_u64(o->baud, 100000000, "--baud", &v, e);
		if (r == 0 && v < 300)
			r = pv_fail(e, PV_E_USAGE,
			    "--baud: '%s' is not a rate of 300 or more",
			    o->baud);
		line->wire.baud = (uint32_t)v;
	}
	v = 0;
	if (r == 0 && o->max_baud != NULL)
		r = pv_parse_u64(o->max_baud, 100000000, "--max-baud", &v, e);
	line->wire.max_baud = (uint32_t)v;
	if (r == 0 && o->max_baud != NULL && o->baud == NULL)
		r = pv_fail(e, PV_E_USAGE, "--max-baud goes with --baud");
	return r;
}

static int
parse_line(
    const struct run_options *o, struct pv_sim_line *line, struct pv_error *e)
{
	int r;

	if (o->usb != NULL || o->layout != NULL || o->flash_times)
		return pv_fail(e, PV_E_USAGE,
		    "--usb, --usb-layout and --flash-times go with --usbip");
	r = parse_rates(o, line, e);
	if (r == 0)
		r = parse_time(
		    o->latency, 1e6, "--latency-ms", &line->wire.latency_ns, e);
	if (r == 0)
		r = parse_time(
		    o->turn, 1e3, "--turn-us", &line->wire.turn_ns, e);
	if (r == 0 && o->turn != NULL && o->baud == NULL)
		r = pv_fail(e, PV_E_USAGE, "--turn-us goes with --baud");
	if (r == 0 && o->faults != NULL)
		r = pv_sim_faults_parse(o->faults, line, e);
	line->wire.event_char = o->event_char != 0;
	line->wire.restart_ns = o->baud == NULL ? 0 : RESTART_NS;
	return r;
}

static int
parse_usb(
    const struct run_options *o, struct pv_sim_usb *usb, struct pv_error *e)
{
	int r;

	if (o->baud != NULL || o->max_baud != NULL || o->latency != NULL ||
	    o->turn != NULL || o->event_char || o->scale != NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--baud, --max-baud, --latency-ms, --event-char, --turn-us "
		    "and --time-scale go with --usart");
	r = pv_sim_usb_address(o->usbip, usb, e);
	if (r == 0 && o->usb != NULL)
		r = pv_sim_usb_behavior(o->usb, usb, e);
	if (r == 0 && o->faults != NULL)
		r = pv_sim_usb_faults(o->faults, usb, e);
	usb->layout = o->layout;
	usb->flash_times = o->flash_times != 0;
	return r;
}

static int
parse_run(const struct run_options *o, struct pv_sim_line *line,
    struct pv_sim_usb *usb, struct pv_sim_setup *setup, struct pv_error *e)
{
	uint64_t seed = 0;
	int r;

	if ((o->link == NULL) == (o->usbip == NULL))
		return pv_fail(
		    e, PV_E_USAGE, "needs one of --usart and --usbip");
	r = o->link != NULL ? parse_line(o, line, e) : parse_usb(o, usb, e);
	if (r == 0 && o->seed != NULL)
		r = pv_parse_u64(o->seed, UINT64_MAX, "--seed", &seed, e);
	setup->seed = line->wire.seed = usb->seed = seed;
	/* A line that takes its time is there for real times. */
	setup->time_scale = o->baud != NULL ? 1.0 : 0.0;
	if (r == 0 && o->scale != NULL)
		r = parse_decimal(
		    o->scale, 1000.0, "--time-scale", &setup->time_scale, e);
	if (r == 0 && o->boot0 != NULL && strcmp(o->boot0, "low") != 0 &&
	    strcmp(o->boot0, "high") != 0)
		r = pv_fail(e, PV_E_USAGE,
		    "--boot0: '%s' is neither low nor high", o->boot0);
	setup->boot0_low = o->boot0 != NULL && o->boot0[0] == 'l';
	setup->go_text = o->go_text;
	return r;
}

/* The generations of TF-A, and what goes with an STM32MP only. */
static int
parse_firmware(const struct run_options *o, const struct pv_chip *chip,
    struct pv_sim_setup *setup, struct pv_error *e)
{
	static const char *const names[] = { "2.2", "2.4", "2.8" };

	setup->usb = o->usbip != NULL;
	setup->generation = PV_MP_TFA_2_8;
	if (!chip->mpu && (o->firmware != NULL || setup->nack_at != 0 ||
			      setup->abort_at != 0))
		return pv_fail(e, PV_E_USAGE,
		    "--firmware and the faults nack@N and abort@N are for an "
		    "STM32MP");
	for (size_t i = 0;
	     o->firmware != NULL && i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(o->firmware, names[i]) == 0) {
			setup->has_generation = true;
			setup->generation = (enum pv_mp_generation)i;
		}
	}
	if (chip->mpu && (o->boot0 != NULL || o->go_text != NULL ||
			     o->flash_times || o->layout != NULL))
		return pv_fail(e, PV_E_USAGE,
		    "--boot0, --go-text, --flash-times and --usb-layout are "
		    "for a microcontroller");
	if (o->firmware != NULL && !setup->has_generation)
		return pv_fail(e, PV_E_USAGE,
		    "--firmware: no generation '%s' (2.2, 2.4, 2.8)",
		    o->firmware);
	if (o->firmware != NULL && chip->rom.key_table &&
	    setup->generation != PV_MP_TFA_2_8)
		return pv_fail(e, PV_E_USAGE,
		    "--firmware: TF-A %s has no secret provisioning for %s",
		    o->firmware, chip->title);
	return 0;
}

/* The description's quirks, with those asked for and without the others. */
static int
choose_quirks(const struct run_options *o, const struct pv_chip *chip,
    struct pv_sim_setup *setup, struct pv_sim_line *line, struct pv_error *e)
{
	enum pv_sim_quirk q;
	int r;

	setup->quirks = pv_sim_quirks_of(chip);
	for (size_t i = 0; o->quirks != NULL && o->quirks[i] != NULL; i++) {
		r = pv_sim_quirk_parse(o->quirks[i], &q, e);
		if (r != 0)
			return r;
		setup->quirks |= 1U << q;
	}
	for (size_t i = 0; o->no_quirks != NULL && o->no_quirks[i] != NULL;
	     i++) {
		r = pv_sim_quirk_parse(o->no_quirks[i], &q, e);
		if (r != 0)
			return r;
		setup->quirks &= ~(1U << q);
	}
	if ((setup->quirks >> PV_SIM_Q_BYTE_TIMEOUT & 1) != 0)
		line->wire.byte_timeout_ns = BYTE_TIMEOUT_NS;
	return 0;
}

static int
open_transcript(const char *path, FILE **ret_f, struct pv_error *e)
{
	if (path == NULL)
		return 0;
	*ret_f = fopen(path, "we");
	if (*ret_f == NULL)
		return pv_fail_errno(
		    e, PV_E_IO, errno, "--transcript: opening '%s'", path);
	/* Whole lines, and each at once: others read it while we run. */
	(void)setvbuf(*ret_f, NULL, _IOLBF, BUFSIZ);
	return 0;
}

static int
close_transcript(FILE *f, const char *path, int r, struct pv_error *e)
{
	bool bad;

	if (f == NULL)
		return r;
	bad = ferror(f) != 0;
	if ((fclose(f) != 0 || bad) && r == 0)
		return pv_fail_errno(
		    e, PV_E_IO, errno, "writing the transcript '%s'", path);
	return r;
}

/* --- the verbs ------------------------------------------------------------------ */

/* Serve; the process ends here when the power is cut. */
static int
serve(struct running *run, const char *dir, struct pv_sim *sim,
    struct pv_sim_line *line, struct pv_sim_usb *usb, struct pv_error *e)
{
	enum pv_sim_end end = PV_SIM_STOPPED;
	int r;

	if (run->link != NULL)
		r = serve_line(run, dir, sim, line, &end, e);
	else
		r = serve_usb(run, dir, sim, usb, &end, e);
	/* Nothing is put in order: that is what the fault is for. */
	if (r == 0 && end == PV_SIM_POWERCUT) {
		(void)fflush(NULL);
		_exit(0);
	}
	return r;
}

int
pv_sim_run_verb(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct run_options o = { 0 };
	struct poptOption table[] = {
		{ "usart", 0, POPT_ARG_STRING, &o.link, 0,
		    "symbolic link to make to the pseudo-terminal", "LINK" },
		{ "usbip", 0, POPT_ARG_STRING, &o.usbip, 0,
		    "serve USB as USB/IP there (default host 127.0.0.1)",
		    "[HOST:]PORT" },
		{ "baud", 0, POPT_ARG_STRING, &o.baud, 0,
		    "USART: bytes take their time at this rate; 'port': at "
		    "the rate the client sets (default: no time)",
		    "RATE" },
		{ "max-baud", 0, POPT_ARG_STRING, &o.max_baud, 0,
		    "USART: the part finds no rate above this", "N" },
		{ "latency-ms", 0, POPT_ARG_STRING, &o.latency, 0,
		    "USART: latency timer of the USB-serial adapter", "N" },
		{ "event-char", 0, POPT_ARG_NONE, &o.event_char, 0,
		    "USART: the adapter hands over at each ACK byte", NULL },
		{ "turn-us", 0, POPT_ARG_STRING, &o.turn, 0,
		    "USART: from the last byte in to the answer", "N" },
		{ "time-scale", 0, POPT_ARG_STRING, &o.scale, 0,
		    "USART: erasing and programming take the chip's times by "
		    "F (default 1 with --baud, else 0)",
		    "F" },
		{ "faults", 0, POPT_ARG_STRING, &o.faults, 0,
		    "unplug@N, powercut@N, reset@N: after N bytes (USB: "
		    "transfers); "
		    "nack@N, abort@N: instead of the N-th ACK of an STM32MP; "
		    "by chance, USART: drop=P, flip=P, insert=P, nack=P, "
		    "lostack=P; USB: stall=P, timeout=P, short=P",
		    "SPEC" },
		{ "seed", 0, POPT_ARG_STRING, &o.seed, 0,
		    "of the faults by chance: the same seed, the same run",
		    "N" },
		{ "quirk", 0, POPT_ARG_ARGV, &o.quirks, 0,
		    "behave in this way, see 'provisor sim quirks'", "NAME" },
		{ "no-quirk", 0, POPT_ARG_ARGV, &o.no_quirks, 0,
		    "leave out a quirk of the chip description", "NAME" },
		{ "firmware", 0, POPT_ARG_STRING, &o.firmware, 0,
		    "STM32MP: 2.2, 2.4 or 2.8: how TF-A behaves, whatever its "
		    "image says",
		    "GENERATION" },
		{ "boot0", 0, POPT_ARG_STRING, &o.boot0, 0,
		    "boot pin: 'low' starts the program in flash (default "
		    "high)",
		    "LEVEL" },
		{ "go-text", 0, POPT_ARG_STRING, &o.go_text, 0,
		    "what a started program sends", "TEXT" },
		{ "transcript", 0, POPT_ARG_STRING, &o.transcript, 0,
		    "write a line per command of the bootloader", "FILE" },
		{ "flash-times", 0, POPT_ARG_NONE, &o.flash_times, 0,
		    "USB: erasing and programming take the chip's time", NULL },
		{ "usb", 0, POPT_ARG_STRING, &o.usb, 0,
		    "USB: how the part behaves: poll=right|long|short|zero|"
		    "absurd, address=request|descriptor, overread=short|hang, "
		    "leave=late|early, serial=TEXT, reserial=TEXT, "
		    "transfer-size=N",
		    "SPEC" },
		{ "usb-layout", 0, POPT_ARG_STRING, &o.layout, 0,
		    "USB: tell this memory map of the flash", "TEXT" },
		POPT_TABLEEND
	};
	const char **args;
	struct pv_sim_line line = { 0 };
	struct pv_sim_usb usb = { 0 };
	struct pv_sim_setup setup = { 0 };
	struct running run = { .app = app };
	struct pv_sim_state state;
	struct pv_chip *chip = NULL;
	struct pv_sim *sim = NULL;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &args, e);
	if (r != 0)
		return r;
	r = parse_run(&o, &line, &usb, &setup, e);
	if (r == 0)
		r = pv_sim_state_read(args[0], &state, e);
	if (r == 0)
		r = pv_chip_load(app->chip_dirs, state.chip, &chip, e);
	if (r == 0)
		r = choose_quirks(&o, chip, &setup, &line, e);
	setup.nack_at = line.nack_at;
	setup.abort_at = line.abort_at;
	if (r == 0)
		r = parse_firmware(&o, chip, &setup, e);
	if (r == 0)
		r = open_transcript(o.transcript, &setup.transcript, e);
	if (r == 0)
		r = pv_sim_open_as(args[0], chip, &setup, &sim, e);
	run.link = o.link;
	run.chip = chip;
	if (r == 0)
		r = serve(&run, args[0], sim, &line, &usb, e);
	pv_sim_close(sim);
	pv_chip_free(chip);
	return close_transcript(setup.transcript, o.transcript, r, e);
}

int
pv_sim_quirks_verb(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption table[] = { POPT_TABLEEND };
	struct pv_json *root, *list;
	const char **args, *name, *what = NULL;
	int r;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r != 0)
		return r;
	root = pv_json_new_object();
	list = pv_json_set_object(root, "quirks");
	for (unsigned int i = 0; (name = pv_sim_quirk_name(i, &what)) != NULL;
	     i++) {
		pv_json_set_str(list, name, what);
		pv_out(app, "%-24s%s\n", name, what);
	}
	return pv_out_json(app, root, e);
}
