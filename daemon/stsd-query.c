/* SPDX-License-Identifier: MIT */
/* stsd-query: what a person asks about MTA-STS; see stsd-query(1). */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "query_client.h"
#include "query_exit.h"
#include "query_journey.h"
#include "query_lint.h"
#include "query_options.h"
#include "query_text.h"
#include "versions.h"

static bool
wants_color(const struct query_options *o)
{
	const char *no_color = getenv("NO_COLOR");

	switch (o->color) {
	case QUERY_COLOR_ALWAYS:
		return true;
	case QUERY_COLOR_NEVER:
		return false;
	case QUERY_COLOR_AUTO:
		break;
	}
	return isatty(STDOUT_FILENO) && (no_color == NULL || *no_color == '\0');
}

/* The settings of stsd, from the same places; NULL after saying what is wrong. */
static struct config *
load_config(const struct query_options *o)
{
	struct config_sources sources = { .file = o->config,
		.environment = environ,
		.options = o->settings };
	struct config_errors errors = { 0 };
	struct config *c = config_load(&sources, &errors, NULL);

	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	config_errors_done(&errors);
	return c;
}

static int
run_with_config(const struct query_options *o, const struct query_look *look)
{
	struct config *c = load_config(o);
	int status;

	if (c == NULL)
		return QUERY_EXIT_CONFIG;
	if (o->what == QUERY_REPLY)
		status = query_reply(o, c);
	else if (o->what == QUERY_HEALTH)
		status = query_health(o, c);
	else
		status = query_domains(o, c, look);
	config_free(c);
	return status;
}

static int
run(const struct query_options *o)
{
	struct query_look look = { wants_color(o), o->quiet, o->verbose };

	switch (o->what) {
	case QUERY_DOMAINS:
	case QUERY_REPLY:
	case QUERY_HEALTH:
		return run_with_config(o, &look);
	case QUERY_LINT_POLICY:
		return query_lint_policy(o, &look);
	case QUERY_LINT_RECORD:
		return query_lint_record(o, &look);
	case QUERY_MATCH:
		return query_match(o);
	case QUERY_VERSION:
		versions_print("stsd-query", stdout);
		return 0;
	case QUERY_HELP:
		query_options_help(stdout);
		return 0;
	}
	return QUERY_EXIT_INTERNAL;
}

int
main(int argc, char **argv)
{
	struct query_options options;
	int status = QUERY_EXIT_USAGE;

	if (query_options_read(argc, argv, &options, stderr))
		status = run(&options);
	query_options_done(&options);
	return status;
}
