/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program: global options, the table of nouns, one error line, the exit
 * code. What a verb does is in the file of its noun.
 */
#include "cmd/cmd.h"
#include "cmd/nouns.h"
#include "cmd/options.h"
#include "cmd/ui.h"

#include "base/hex.h"
#include "base/log.h"
#include "base/xml.h"
#include "image/cbor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char summary[] =
    "provisor: secure manufacturing for STM32-class devices\n"
    "\n"
    "usage: provisor [--home DIR] [--json] [--events FD] [--quiet | -v] NOUN "
    "VERB [OPTIONS] [ARGS]\n"
    "       provisor NOUN --help, provisor NOUN VERB --help\n"
    "       provisor --version\n"
    "\n";

static const char globals[] =
    "\noptions:\n"
    "  --home DIR     where the ledger and records live (PROVISOR_HOME,\n"
    "                 default ~/.local/share/provisor)\n"
    "  --ledger F     another ledger (PROVISOR_LEDGER)\n"
    "  --station NAME, --operator NAME\n"
    "                 recorded with each ledger entry (PROVISOR_STATION,\n"
    "                 PROVISOR_OPERATOR; HOME/config.json keeps all three)\n"
    "  --json         print one JSON object\n"
    "  --events FD    write one JSON object per line while work goes on\n"
    "  --quiet, -q    results and errors only\n"
    "  -v, -vv        say more\n"
    "  --version      version and what is built in\n"
    "\n"
    "Licenses and the secure-install exchange are provisor's own formats: "
    "ST's\n"
    "silicon does not accept them, a device that runs the install agent "
    "does.\n";

static void
print_program_help(void)
{
	const char *last = "";

	(void)fputs(summary, stdout);
	for (const struct pv_verb *const *n = pv_nouns; *n != NULL; n++) {
		for (const struct pv_verb *v = *n; v->noun != NULL; v++) {
			printf("  %-9s %-14s %s\n",
			    strcmp(v->noun, last) == 0 ? "" : v->noun,
			    v->verb == NULL ? "" : v->verb, v->summary);
			last = v->noun;
		}
	}
	(void)fputs(globals, stdout);
}

static void
print_noun_help(const struct pv_verb *verbs)
{
	printf("usage:\n");
	for (const struct pv_verb *v = verbs; v->noun != NULL; v++) {
		printf("  ");
		pv_usage_line(stdout, v);
		printf("\n      %s\n", v->summary);
	}
	printf("\n'provisor %s VERB --help' lists the options.\n", verbs->noun);
}

/* Words for the shell completion: nouns, or the verbs of one noun. */
static int
list_words(const char *noun)
{
	for (const struct pv_verb *const *n = pv_nouns; *n != NULL; n++) {
		if (noun == NULL)
			printf("%s\n", (*n)->noun);
		else if (strcmp(noun, (*n)->noun) == 0) {
			for (const struct pv_verb *v = *n; v->noun != NULL; v++)
				if (v->verb != NULL)
					printf("%s\n", v->verb);
		}
	}
	return 0;
}

/* --- home and data --------------------------------------------------------- */

/* Text made once at the start and freed at the end. */
struct paths {
	char *home;
	char *home_chips;
	char *tree_chips;
};

static char *
concat(const char *a, const char *b)
{
	size_t cap = strlen(a) + strlen(b) + 1;
	char *s = malloc(cap);

	if (s != NULL)
		(void)snprintf(s, cap, "%s%s", a, b);
	return s;
}

/*
 * The chip descriptions of the source tree or of a moved installation, found
 * from where the program lies: PREFIX/bin/provisor has them in
 * PREFIX/share/provisor/chips, TREE/build/VARIANT/provisor in TREE/share/chips.
 */
static char *
chips_near_program(void)
{
	static const char *const places[] = { "/../share/provisor/chips",
		"/../../share/chips" };
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash, *path;

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash == NULL)
		return NULL;
	*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		path = concat(self, places[i]);
		if (path != NULL && access(path, R_OK | X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static int
find_paths(struct pv_app *app, struct paths *p, struct pv_error *e)
{
	const char *env = getenv("PROVISOR_HOME");
	const char *xdg = getenv("XDG_DATA_HOME"), *user = getenv("HOME");
	const char *chips = getenv("PROVISOR_CHIPS");
	size_t n = 0;

	if (app->home == NULL && env != NULL && env[0] != '\0')
		app->home = env;
	if (app->home == NULL) {
		if (xdg != NULL && xdg[0] == '/')
			p->home = concat(xdg, "/provisor");
		else if (user != NULL && user[0] != '\0')
			p->home = concat(user, "/.local/share/provisor");
		else
			return pv_fail(e, PV_E_USAGE,
			    "no home folder: give --home or set PROVISOR_HOME");
		app->home = p->home;
	}
	if (app->home == NULL ||
	    (p->home_chips = concat(app->home, "/chips")) == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	if (chips != NULL && chips[0] != '\0')
		app->chip_dirs[n++] = chips;
	app->chip_dirs[n++] = p->home_chips;
	p->tree_chips = chips_near_program();
	if (p->tree_chips != NULL)
		app->chip_dirs[n++] = p->tree_chips;
	app->chip_dirs[n++] = PV_DATADIR "/chips";
	app->chip_dirs[n] = NULL;
	return 0;
}

/* --- global options -------------------------------------------------------- */

static int
global_value(int argc, const char **argv, int *i, const char *name,
    const char **ret_value, struct pv_error *e)
{
	size_t n = strlen(name);

	if (strncmp(argv[*i], name, n) != 0)
		return 0;
	if (argv[*i][n] == '=') {
		*ret_value = argv[*i] + n + 1;
		return 1;
	}
	if (argv[*i][n] != '\0')
		return 0;
	if (*i + 1 >= argc)
		return pv_fail(e, PV_E_USAGE, "%s needs a value", name);
	*ret_value = argv[++*i];
	return 1;
}

static int
who_and_where(
    struct pv_app *app, int argc, const char **argv, int *i, struct pv_error *e)
{
	int r;

	r = global_value(argc, argv, i, "--ledger", &app->ledger, e);
	if (r == 0)
		r = global_value(argc, argv, i, "--station", &app->station, e);
	if (r == 0)
		r = global_value(
		    argc, argv, i, "--operator", &app->operator_id, e);
	return r;
}

/* One global option at argv[*i]: 1 taken, 0 not one, negative wrong. */
static int
global_option(
    struct pv_app *app, int argc, const char **argv, int *i, struct pv_error *e)
{
	const char *a = argv[*i], *fd = NULL;
	uint64_t n = 0;
	int r;

	if (strcmp(a, "--json") == 0)
		app->json = true;
	else if (strcmp(a, "--quiet") == 0 || strcmp(a, "-q") == 0)
		app->quiet = true;
	else if (strcmp(a, "-v") == 0 || strcmp(a, "--verbose") == 0)
		app->verbose++;
	else if (strcmp(a, "-vv") == 0)
		app->verbose += 2;
	else if ((r = global_value(argc, argv, i, "--home", &app->home, e)) !=
		 0)
		return r;
	else if ((r = who_and_where(app, argc, argv, i, e)) != 0)
		return r;
	else if ((r = global_value(argc, argv, i, "--events", &fd, e)) != 0) {
		if (r < 0)
			return r;
		if (pv_parse_u64(fd, 65535, "--events", &n, e) != 0)
			return PV_E_USAGE;
		app->events_fd = (int)n;
	} else
		return 0;
	return 1;
}

/* "image sign -v 1.2.3": imgtool's letter for the version, not for more talk. */
static bool
is_image_version(int argc, const char **argv, int done, int i)
{
	return done > 1 && strcmp(argv[1], "image") == 0 &&
	       strcmp(argv[i], "-v") == 0 && i + 1 < argc &&
	       argv[i + 1][0] >= '0' && argv[i + 1][0] <= '9';
}

/*
 * Take the global options out of argv, wherever they stand before a "--", so
 * that `provisor push F --json` works as well as `provisor --json push F`.
 */
static int
take_globals(
    struct pv_app *app, int *argc, const char **argv, struct pv_error *e)
{
	int out = 1, r;

	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			while (i < *argc)
				argv[out++] = argv[i++];
			break;
		}
		r = is_image_version(*argc, argv, out, i)
			? 0
			: global_option(app, *argc, argv, &i, e);
		if (r < 0)
			return r;
		if (r == 0)
			argv[out++] = argv[i];
	}
	argv[out] = NULL;
	*argc = out;
	return 0;
}

/* --- dispatch -------------------------------------------------------------- */

static const struct pv_verb *
find_noun(const char *noun)
{
	for (const struct pv_verb *const *n = pv_nouns; *n != NULL; n++) {
		if (strcmp((*n)->noun, noun) == 0)
			return *n;
	}
	return NULL;
}

static const struct pv_verb *
find_verb(const struct pv_verb *verbs, const char *verb)
{
	for (const struct pv_verb *v = verbs; v->noun != NULL; v++) {
		if (v->verb != NULL && strcmp(v->verb, verb) == 0)
			return v;
	}
	return NULL;
}

static int
dispatch(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const struct pv_verb *noun;
	int skip = 1;

	if (argc < 2) {
		(void)fputs(summary, stderr);
		return pv_fail(e, PV_E_USAGE, "no command given (see --help)");
	}
	noun = find_noun(argv[1]);
	if (noun == NULL) {
		(void)pv_fail(e, PV_E_USAGE, "unknown command '%s'", argv[1]);
		return pv_hint(e, "'provisor --help' lists the commands");
	}
	if (noun->verb == NULL) {
		app->verb = noun;
	} else {
		if (argc < 3 || strcmp(argv[2], "--help") == 0 ||
		    strcmp(argv[2], "-h") == 0) {
			print_noun_help(noun);
			if (argc < 3)
				return pv_fail(e, PV_E_USAGE,
				    "'%s' needs a verb", argv[1]);
			return PV_HELP_SHOWN;
		}
		app->verb = find_verb(noun, argv[2]);
		if (app->verb == NULL) {
			(void)pv_fail(e, PV_E_USAGE, "unknown command '%s %s'",
			    argv[1], argv[2]);
			return pv_hint(
			    e, "'provisor %s --help' lists its verbs", argv[1]);
		}
		skip = 2;
	}
	return app->verb->run(app, argc - skip, argv + skip, e);
}

/* --version, --help, and the words for completion: 1 when done. */
static int
early(int argc, const char **argv)
{
	if (argc < 2)
		return 0;
	if (strcmp(argv[1], "--version") == 0) {
		printf("provisor %s\nbuilt with: %s%s%s%s\n", PV_VERSION,
		    "openssl p11-kit libserialport sqlite libelf cjson popt",
		    pv_store_has_postgres() ? " postgresql" : "",
		    pv_xml_built_in() ? " libxml2" : "",
		    pv_cbor_built_in() ? " libcbor" : "");
		return 1;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_program_help();
		return 1;
	}
	if (strcmp(argv[1], "--list-words") == 0) {
		(void)list_words(argc > 2 ? argv[2] : NULL);
		return 1;
	}
	return 0;
}

/* With --json a failure is an object too, when the verb printed none. */
static void
json_error(const struct pv_error *e)
{
	struct pv_json *o = pv_json_new_object();
	struct pv_error ignored;
	char msg[sizeof(e->msg)], hint[sizeof(e->hint)];

	pv_mask(msg, sizeof(msg), e->msg);
	pv_mask(hint, sizeof(hint), e->hint);
	pv_json_set_str(o, "result", "fail");
	pv_json_set_int(o, "code", pv_exit_code(e->code));
	pv_json_set_str(o, "error", pv_code_name(e->code));
	pv_json_set_str(o, "message", msg);
	if (hint[0] != '\0')
		pv_json_set_str(o, "hint", hint);
	if (pv_out_json_line(o, &ignored) != 0)
		(void)fprintf(stderr, "provisor: %s\n", ignored.msg);
}

int
main(int argc, char **argv)
{
	struct pv_app app = {
		.events_fd = -1, .pin_fd = -1, .passphrase_fd = -1
	};
	struct rlimit no_core = { 0, 0 };
	struct pv_error e = { 0 };
	struct paths paths = { 0 };
	const char **args = calloc((size_t)argc + 1, sizeof(*args));
	int r;

	if (args == NULL)
		return 1;
	for (int i = 0; i < argc; i++)
		args[i] = argv[i];
	/* Memory may hold keys: no core dumps. */
	(void)setrlimit(RLIMIT_CORE, &no_core);
	pv_ui_catch_signals();

	r = take_globals(&app, &argc, args, &e);
	if (r == 0 && early(argc, args) != 0)
		goto out;
	pv_log_set_level(app.quiet ? -1 : PV_LOG_WARN + app.verbose);
	app.pin_file = getenv("PROVISOR_PIN_FILE");
	app.module = getenv("PROVISOR_MODULE");
	if (r == 0)
		r = find_paths(&app, &paths, &e);
	if (r == 0)
		r = pv_config_load(&app, &e);
	if (r == 0)
		r = pv_ui_open(&app, &e);
	if (r == 0)
		r = dispatch(&app, argc, args, &e);
	pv_bar_end(&app);
	if (r == PV_HELP_SHOWN)
		r = 0;
	if (fflush(stdout) != 0 && r == 0)
		r = pv_fail_errno(&e, PV_E_IO, errno, "writing the result");
	if (r < 0) {
		if (e.code == 0)
			(void)pv_fail(&e, r, "failed without a message");
		if (!app.error_shown)
			pv_ui_error(&app, &e);
		if (app.json && !app.json_done)
			json_error(&e);
	}
	if (app.verb != NULL)
		pv_ui_result(&app, r);
	pv_ui_close(&app);
	pv_config_release(&app);
	pv_options_release(&app);
out:
	if (fflush(stdout) != 0 && r == 0)
		r = PV_E_IO;
	free(paths.home);
	free(paths.home_chips);
	free(paths.tree_chips);
	free(args);
	return pv_exit_code(r);
}
