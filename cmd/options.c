/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"
#include "cmd/options.h"

#include <stdlib.h>
#include <string.h>

/* Strings that popt made, kept until the program ends. */
struct pv_opt_state {
	void **kept;
	size_t n_kept;
	poptContext con;
	struct pv_opt_state *next;
};

static const char exit_help[] =
    "exit codes: 0 ok, 1 internal or I/O, 2 usage, 3 malformed input,\n"
    "  4 verification failed, 5 refused by policy, 6 token, 7 device or link,\n"
    "  130 interrupted\n";

void
pv_usage_line(FILE *f, const struct pv_verb *v)
{
	(void)fprintf(f, "provisor %s%s%s%s%s", v->noun,
	    v->verb == NULL ? "" : " ", v->verb == NULL ? "" : v->verb,
	    v->args[0] == '\0' ? "" : " ", v->args);
}

/* "  --key KEY           what it is", wrapped only by the terminal. */
static void
print_option(const struct poptOption *o)
{
	char left[64];
	int n = 0;

	if (o->shortName != '\0')
		n = snprintf(left, sizeof(left), "-%c, ", o->shortName);
	if (o->longName != NULL && n >= 0)
		n += snprintf(
		    left + n, sizeof(left) - (size_t)n, "--%s", o->longName);
	if (o->argDescrip != NULL && n >= 0 && (size_t)n < sizeof(left))
		(void)snprintf(
		    left + n, sizeof(left) - (size_t)n, " %s", o->argDescrip);
	printf("  %-26s %s\n", left, o->descrip == NULL ? "" : o->descrip);
}

static void
print_help(const struct pv_verb *v, const struct poptOption *table)
{
	printf("%s\n\nusage: ", v->summary);
	pv_usage_line(stdout, v);
	printf("\n");
	if (table->longName != NULL)
		printf("\noptions:\n");
	for (const struct poptOption *o = table; o->longName != NULL; o++)
		print_option(o);
	if (v->example != NULL) {
		printf("\nexample:\n  ");
		for (const char *p = v->example; *p != '\0'; p++) {
			putchar(*p);
			if (*p == '\n')
				printf("  ");
		}
		putchar('\n');
	}
	printf("\n%s", exit_help);
}

static int
keep(struct pv_opt_state *s, void *p)
{
	void **grown;

	if (p == NULL)
		return 0;
	/* Two spellings of one option share their value. */
	for (size_t i = 0; i < s->n_kept; i++)
		if (s->kept[i] == p)
			return 0;
	grown = realloc(s->kept, (s->n_kept + 1) * sizeof(*grown));
	if (grown == NULL)
		return -1;
	s->kept = grown;
	s->kept[s->n_kept++] = p;
	return 0;
}

void
pv_options_release(struct pv_app *app)
{
	while (app->opt != NULL) {
		struct pv_opt_state *s = app->opt;

		app->opt = s->next;
		for (size_t i = 0; i < s->n_kept; i++)
			free(s->kept[i]);
		free(s->kept);
		poptFreeContext(s->con);
		free(s);
	}
}

static bool
allocates(const struct poptOption *o)
{
	unsigned int type = o->argInfo & POPT_ARG_MASK;

	return type == POPT_ARG_STRING || type == POPT_ARG_ARGV;
}

/* Remember a list that popt grows from option to option, once it is whole. */
static int
keep_list(struct pv_opt_state *s, char **list)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		if (keep(s, list[i]) != 0)
			return -1;
	}
	return keep(s, list);
}

/* The lists, where they are no longer what they were before parsing. */
static int
keep_lists(
    struct pv_opt_state *s, const struct poptOption *table, void *const *before)
{
	for (size_t i = 0; table[i].longName != NULL; i++) {
		const struct poptOption *o = &table[i];

		if ((o->argInfo & POPT_ARG_MASK) == POPT_ARG_ARGV &&
		    *(void **)o->arg != before[i] &&
		    keep_list(s, *(char ***)o->arg) != 0)
			return -1;
	}
	return 0;
}

/*
 * Every row that allocates gets its number as `val`, so that popt stops at
 * each occurrence: of an option that is given twice the last value counts, and
 * popt forgets the first.
 */
static int
parse(struct poptOption *table, struct pv_opt_state *s, void **before,
    const struct pv_verb *v, struct pv_error *e)
{
	bool kept = true;
	int rc;

	for (int i = 0; table[i].longName != NULL; i++) {
		if (!allocates(&table[i]))
			continue;
		before[i] = *(void **)table[i].arg;
		table[i].val = i + 1;
	}
	while ((rc = poptGetNextOpt(s->con)) > 0) {
		const struct poptOption *o = &table[rc - 1];

		if ((o->argInfo & POPT_ARG_MASK) == POPT_ARG_STRING &&
		    keep(s, *(void **)o->arg) != 0)
			kept = false;
	}
	if (keep_lists(s, table, before) != 0 || !kept)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	if (rc < -1) {
		(void)pv_fail(e, PV_E_USAGE, "%s: %s",
		    poptBadOption(s->con, POPT_BADOPTION_NOALIAS),
		    poptStrerror(rc));
		return pv_hint(e, "see 'provisor %s%s%s --help'", v->noun,
		    v->verb == NULL ? "" : " ", v->verb == NULL ? "" : v->verb);
	}
	return 0;
}

/* Is -h or --help among the words, before a "--"? */
static bool
asks_help(int argc, const char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "-h") == 0 ||
		    strcmp(argv[i], "--help") == 0)
			return true;
	}
	return false;
}

/* Print the option names: what the shell completion asks for. */
static void
list_options(const struct poptOption *table)
{
	for (const struct poptOption *o = table; o->longName != NULL; o++)
		printf(
		    "--%s%s\n", o->longName, o->argDescrip == NULL ? "" : "=");
	printf("--help\n");
}

static size_t
count_args(const char *const *args)
{
	size_t n = 0;

	while (args != NULL && args[n] != NULL)
		n++;
	return n;
}

int
pv_options(struct pv_app *app, struct poptOption *table, int argc,
    const char **argv, int min_args, int max_args, const char ***ret_args,
    struct pv_error *e)
{
	static const char *const none[] = { NULL };
	const struct pv_verb *v = app->verb;
	struct pv_opt_state *s;
	void **before;
	size_t rows = 0, n;
	int r;

	if (asks_help(argc, argv)) {
		print_help(v, table);
		return PV_HELP_SHOWN;
	}
	if (argc == 2 && strcmp(argv[1], "--list-options") == 0) {
		list_options(table);
		return PV_HELP_SHOWN;
	}
	while (table[rows].longName != NULL)
		rows++;
	s = calloc(1, sizeof(*s));
	before = calloc(rows + 1, sizeof(*before));
	if (s == NULL || before == NULL) {
		free(s);
		free(before);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	s->next = app->opt;
	app->opt = s;
	s->con = poptGetContext("provisor", argc, argv, table, 0);
	r = parse(table, s, before, v, e);
	free(before);
	if (r != 0)
		return r;
	*ret_args = poptGetArgs(s->con);
	if (*ret_args == NULL)
		*ret_args = (const char **)(uintptr_t)none;
	n = count_args(*ret_args);
	if (n < (size_t)min_args || n > (size_t)max_args) {
		(void)pv_fail(e, PV_E_USAGE,
		    n > (size_t)max_args ? "unexpected argument '%s'"
					 : "an argument is missing%s",
		    n > (size_t)max_args ? (*ret_args)[max_args] : "");
		return pv_hint(e, "usage: provisor %s%s%s %s", v->noun,
		    v->verb == NULL ? "" : " ", v->verb == NULL ? "" : v->verb,
		    v->args);
	}
	return 0;
}

int
pv_need(struct pv_error *e, const void *value, const char *option)
{
	if (value != NULL)
		return 0;
	return pv_fail(e, PV_E_USAGE, "%s is needed", option);
}
