/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ui.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BAR_CELLS     24
#define BAR_PERIOD_MS 100

struct bar {
	bool tty;
	bool shown; /* a line is on the screen, without newline */
	char step[24];
	int64_t began_ms, drawn_ms;
	uint64_t done;
};

static volatile sig_atomic_t stop_asked;

/* --- text ------------------------------------------------------------------ */

void
pv_out(const struct pv_app *app, const char *fmt, ...)
{
	va_list ap;

	if (app->json)
		return;
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
}

void
pv_say(const struct pv_app *app, const char *fmt, ...)
{
	va_list ap;

	if (app->json || app->quiet)
		return;
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
}

int
pv_out_json_line(struct pv_json *root, struct pv_error *e)
{
	char *text = NULL;
	int r = pv_json_print(root, &text, e);

	if (r == 0 && puts(text) == EOF)
		r = pv_fail_errno(e, PV_E_IO, errno, "writing the result");
	free(text);
	pv_json_free(root);
	return r;
}

int
pv_out_json(struct pv_app *app, struct pv_json *root, struct pv_error *e)
{
	if (app->json) {
		app->json_done = true;
		return pv_out_json_line(root, e);
	}
	pv_json_free(root);
	return 0;
}

void
pv_ui_error(const struct pv_app *app, const struct pv_error *e)
{
	char msg[sizeof(e->msg)], hint[sizeof(e->hint)];
	const struct pv_verb *v = app->verb;

	pv_mask(msg, sizeof(msg), e->msg);
	pv_mask(hint, sizeof(hint), e->hint);
	(void)fflush(stdout);
	(void)fprintf(stderr, "provisor%s%s%s%s: %s\n", v == NULL ? "" : " ",
	    v == NULL ? "" : v->noun, v == NULL || v->verb == NULL ? "" : " ",
	    v == NULL || v->verb == NULL ? "" : v->verb, msg);
	if (hint[0] != '\0')
		(void)fprintf(stderr, "%s\n", hint);
}

/* --- events ---------------------------------------------------------------- */

/* One line to --events. A reader that went away must not stop the work. */
static void
send_line(const struct pv_app *app, struct pv_json *o)
{
	struct pv_error e;
	char *text = NULL;
	size_t len, off = 0;

	if (pv_json_print(o, &text, &e) == 0) {
		len = strlen(text);
		text[len++] = '\n';
		while (off < len) {
			ssize_t n =
			    write(app->events_fd, text + off, len - off);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				break;
			off += (size_t)n;
		}
	}
	free(text);
	pv_json_free(o);
}

static void
send_event(const struct pv_app *app, const struct pv_event *ev)
{
	static const char *const kinds[] = { "step", "progress", "retry",
		"note" };
	struct pv_json *o = pv_json_new_object();

	pv_json_set_str(o, "event", kinds[ev->kind]);
	if (ev->step != NULL)
		pv_json_set_str(o, "step", ev->step);
	if (ev->kind == PV_EVENT_PROGRESS) {
		pv_json_set_int(o, "done", (int64_t)ev->done);
		pv_json_set_int(o, "total", (int64_t)ev->total);
	}
	if (ev->has_address)
		pv_json_set_addr(o, "address", ev->address);
	if (ev->text != NULL)
		pv_json_set_str(o, "message", ev->text);
	send_line(app, o);
}

void
pv_ui_result(const struct pv_app *app, int code)
{
	struct pv_json *o;

	if (app->events_fd < 0)
		return;
	o = pv_json_new_object();
	pv_json_set_str(o, "event", "result");
	pv_json_set_str(o, "result", code == 0 ? "pass" : "fail");
	pv_json_set_int(o, "code", pv_exit_code(code));
	pv_json_set_str(o, "error", pv_code_name(code));
	send_line(app, o);
}

/* --- bar ------------------------------------------------------------------- */

static void
draw(struct bar *b, uint64_t done, uint64_t total, int64_t now)
{
	unsigned int cells =
	    total == 0
		? 0
		: (unsigned int)((double)done / (double)total * BAR_CELLS);
	double s = (double)(now - b->began_ms) / 1000.0;
	double rate = s > 0.05 ? (double)done / 1024.0 / s : 0;
	unsigned int left =
	    rate > 0 ? (unsigned int)((double)(total - done) / 1024.0 / rate)
		     : 0;

	(void)fprintf(stderr, "\r%-9s ", b->step);
	for (unsigned int i = 0; i < BAR_CELLS; i++)
		(void)fputs(i < cells ? "\u2588" : "\u2591", stderr);
	(void)fprintf(stderr, "  %" PRIu64 " KiB  %.1f KiB/s  %u:%02u ",
	    done / 1024, rate, left / 60, left % 60);
	(void)fflush(stderr);
	b->shown = true;
	b->drawn_ms = now;
}

void
pv_bar_end(struct pv_app *app)
{
	struct bar *b = app->bar;

	if (b != NULL && b->shown) {
		(void)fputc('\n', stderr);
		b->shown = false;
	}
}

static void
on_progress(struct pv_app *app, const struct pv_event *ev)
{
	struct bar *b = app->bar;
	int64_t now = pv_now_ms();
	const char *step = ev->step == NULL ? "" : ev->step;

	if (strcmp(step, b->step) != 0 || ev->done < b->done) {
		pv_bar_end(app);
		(void)snprintf(b->step, sizeof(b->step), "%s", step);
		b->began_ms = now;
		b->drawn_ms = 0;
	}
	b->done = ev->done;
	if (ev->total != 0 && ev->done <= ev->total &&
	    (now - b->drawn_ms >= BAR_PERIOD_MS || ev->done == ev->total))
		draw(b, ev->done, ev->total, now);
}

static void
on_event(void *ctx, const struct pv_event *ev)
{
	struct pv_app *app = ctx;
	struct bar *b = app->bar;

	if (app->events_fd >= 0)
		send_event(app, ev);
	if (app->quiet || app->json || b == NULL)
		return;
	if (ev->kind == PV_EVENT_PROGRESS && b->tty) {
		on_progress(app, ev);
	} else if (ev->kind == PV_EVENT_NOTE && ev->text != NULL) {
		pv_bar_end(app);
		pv_say(app, "%s\n", ev->text);
	} else if (ev->kind == PV_EVENT_RETRY) {
		pv_bar_end(app);
		pv_log(PV_LOG_INFO, "%s at 0x%08" PRIx64 ": %s, trying again",
		    ev->step, ev->address, ev->text == NULL ? "" : ev->text);
	}
}

static int
on_cancelled(void *ctx)
{
	(void)ctx;
	return stop_asked;
}

int
pv_ui_open(struct pv_app *app, struct pv_error *e)
{
	struct bar *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	b->tty = isatty(STDERR_FILENO) == 1;
	app->bar = b;
	app->progress.ctx = app;
	app->progress.event = on_event;
	app->progress.cancelled = on_cancelled;
	return 0;
}

void
pv_ui_close(struct pv_app *app)
{
	pv_bar_end(app);
	free(app->bar);
	app->bar = NULL;
}

static void
on_signal(int sig)
{
	stop_asked = 1;
	/* The next one is not caught. */
	(void)signal(sig, SIG_DFL);
}

void
pv_ui_catch_signals(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_signal;
	(void)sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	/* A closed pipe is an error of write(2), not the end. */
	(void)signal(SIGPIPE, SIG_IGN);
	/* So that a full quota is an error of write(2) too. */
	(void)signal(SIGXFSZ, SIG_IGN);
}
