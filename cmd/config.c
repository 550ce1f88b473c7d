/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who works here, and on which ledger: from the command line, the environment,
 * or HOME/config.json, the first that says so.
 */
#include "cmd/cmd.h"

#include "base/file.h"
#include "formats/ledger.h"
#include "formats/text.h"

#include <stdlib.h>
#include <string.h>

#define CONFIG_MAX 65536U

static const char *
from_environment(const char *name)
{
	const char *v = getenv(name);

	return v == NULL || v[0] == '\0' ? NULL : v;
}

/* A misspelt name must not pass for "nothing said". */
static int
check_names(const struct pv_json *root, struct pv_error *e)
{
	static const char *const known[] = { "station", "operator", "ledger" };
	const size_t n_known = sizeof(known) / sizeof(known[0]);

	if (!pv_json_is_object(root))
		return pv_fail(e, PV_E_MALFORMED, "is not a JSON object");
	for (size_t i = 0; i < pv_json_count(root); i++) {
		const char *name = pv_json_name_at(root, i);
		size_t k = 0;

		while (k < n_known && strcmp(name, known[k]) != 0)
			k++;
		if (k == n_known)
			return pv_fail(e, PV_E_UNSUPPORTED,
			    "unknown member '%s'; station, operator and ledger "
			    "are known",
			    name);
	}
	return 0;
}

static int
from_file(struct pv_app *app, struct pv_error *e)
{
	char path[4096];
	struct pv_json *root = NULL;
	int r;

	r = pv_path_fit(path, sizeof(path), app->home, "config.json", e);
	if (r != 0)
		return r;
	r = pv_json_read_file(path, CONFIG_MAX, &root, e);
	if (r == PV_E_NOT_FOUND) {
		pv_error_clear(e);
		return 0;
	}
	if (r != 0)
		return r;
	app->config = root;
	r = check_names(root, e);
	if (r == 0 && app->station == NULL)
		r = pv_json_opt_str(root, "station", &app->station, e);
	if (r == 0 && app->operator_id == NULL)
		r = pv_json_opt_str(root, "operator", &app->operator_id, e);
	if (r == 0 && app->ledger == NULL)
		r = pv_json_opt_str(root, "ledger", &app->ledger, e);
	return r == 0 ? 0 : pv_wrap(e, "'%s'", path);
}

static int
check_text(const char *text, const char *what, struct pv_error *e)
{
	if (text == NULL || pv_text_ok(text, PV_ENTRY_TEXT, false))
		return 0;
	return pv_fail(e, PV_E_USAGE,
	    "%s: 1 to %u bytes without control characters", what,
	    PV_ENTRY_TEXT - 1);
}

int
pv_config_load(struct pv_app *app, struct pv_error *e)
{
	int r;

	if (app->station == NULL)
		app->station = from_environment("PROVISOR_STATION");
	if (app->operator_id == NULL)
		app->operator_id = from_environment("PROVISOR_OPERATOR");
	if (app->ledger == NULL)
		app->ledger = from_environment("PROVISOR_LEDGER");
	r = from_file(app, e);
	if (r == 0)
		r = check_text(app->station, "--station", e);
	if (r == 0)
		r = check_text(app->operator_id, "--operator", e);
	if (r == 0 && app->ledger != NULL && app->ledger[0] == '\0')
		r = pv_fail(e, PV_E_USAGE, "--ledger is empty");
	return r;
}

void
pv_config_release(struct pv_app *app)
{
	pv_json_free(app->config);
	app->config = NULL;
}
