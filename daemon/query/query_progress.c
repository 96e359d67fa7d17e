/* SPDX-License-Identifier: MIT */
#include "query_progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What is done by then needs no line. */
#define FIRST_MS 1000
#define NEXT_MS 250
/* Where the terminal does not tell how wide it is. */
#define COLUMNS 80

struct query_progress {
	struct sts_timer *timer;
	query_put_progress *line;
	void *arg;
	bool verbose;
	bool shown;
};

bool
query_progress_is_seen(void)
{
	const char *terminal = getenv("TERM");

	return isatty(STDERR_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0;
}

static size_t
columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == -1 || size.ws_col < 2)
		return COLUMNS - 1;
	return size.ws_col - 1u;
}

/* A line that is wider than the terminal could not be taken back. */
static void
show(struct query_progress *p, struct sts_str text)
{
	size_t most = columns();

	fprintf(stderr, "\r\033[K%.*s", (int)(text.n < most ? text.n : most), text.p);
	fflush(stderr);
	p->shown = true;
}

static void
on_time(void *arg)
{
	struct query_progress *p = arg;
	struct sts_buf text = { 0 };

	p->line(p->arg, &text);
	if (text.n > 0 && !text.bad)
		show(p, sts_buf_str(&text));
	sts_buf_done(&text);
	(void)sts_timer_set(p->timer, NEXT_MS);
}

struct query_progress *
query_progress_new(struct sts_loop *loop, bool verbose, query_put_progress *line,
    void *arg)
{
	struct query_progress *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->verbose = verbose;
	p->line = line;
	p->arg = arg;
	if (line == NULL)
		return p;
	p->timer = sts_timer_new(loop, on_time, p);
	if (p->timer == NULL || sts_timer_set(p->timer, FIRST_MS) == -1) {
		query_progress_free(p);
		return NULL;
	}
	return p;
}

void
query_progress_free(struct query_progress *p)
{
	if (p == NULL)
		return;
	query_progress_hide(p);
	sts_timer_free(p->timer);
	free(p);
}

bool
query_progress_is_verbose(const struct query_progress *p)
{
	return p->verbose;
}

void
query_progress_say(struct query_progress *p, struct sts_str text)
{
	if (!p->verbose)
		return;
	query_progress_hide(p);
	fprintf(stderr, "%.*s\n", (int)text.n, text.p);
}

void
query_progress_hide(struct query_progress *p)
{
	if (!p->shown)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	p->shown = false;
}
