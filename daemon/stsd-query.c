/* SPDX-License-Identifier: MIT */
/* stsd-query: what a person asks about MTA-STS; see stsd-query(1). */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "query_cache.h"
#include "query_client.h"
#include "query_exit.h"
#include "query_journey.h"
#include "query_lint.h"
#include "query_options.h"
#include "query_postfix.h"
#include "query_text.h"
#include "site.h"
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

static struct config_sources
sources_of(const struct query_options *o)
{
	return (struct config_sources){ .file = o->config,
		.environment = environ,
		.options = o->settings };
}

static void
print_lines(const struct config_errors *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		fprintf(stderr, "%s\n", lines->lines[i]);
}

/* By the settings of stsd, and what they come to on this machine. */
static int
look_at_domains(const struct query_options *o, const struct query_look *look)
{
	struct config_sources sources = sources_of(o);
	struct site_said said = { 0 };
	struct site *site = site_load(&sources, 0, &said);
	int status = said.errors.ours ? QUERY_EXIT_INTERNAL : QUERY_EXIT_CONFIG;

	print_lines(&said.errors);
	if (o->verbose)
		print_lines(&said.warnings);
	site_said_done(&said);
	if (site != NULL)
		status = query_domains(o, site, look);
	site_free(site, NULL);
	return status;
}

/* The settings of stsd, from the same places; the running one knows what they come to. */
static int
ask(const struct query_options *o, const struct config *c, const struct query_look *look)
{
	switch (o->what) {
	case QUERY_REPLY:
		return query_reply(o, c);
	case QUERY_HEALTH:
		return query_health(o, c);
	case QUERY_POSTFIX:
		return query_postfix(o, c);
	case QUERY_LIST:
	case QUERY_SHOW:
	case QUERY_REFRESH:
	case QUERY_FORGET:
	case QUERY_STATS:
	case QUERY_OVERRIDES:
	case QUERY_EXPORT:
	case QUERY_IMPORT:
		return query_cache(o, c, look);
	case QUERY_DOMAINS:
	case QUERY_LINT_POLICY:
	case QUERY_LINT_RECORD:
	case QUERY_MATCH:
	case QUERY_VERSION:
	case QUERY_HELP:
		break;
	}
	return QUERY_EXIT_INTERNAL;
}

static int
ask_daemon(const struct query_options *o, const struct query_look *look)
{
	struct config_sources sources = sources_of(o);
	struct config_errors errors = { 0 };
	struct config *c = config_load(&sources, &errors, NULL);
	int status = errors.ours ? QUERY_EXIT_INTERNAL : QUERY_EXIT_CONFIG;

	print_lines(&errors);
	config_errors_done(&errors);
	if (c != NULL)
		status = ask(o, c, look);
	config_free(c);
	return status;
}

static int
run(const struct query_options *o)
{
	struct query_look look = { wants_color(o), o->quiet, o->verbose };

	switch (o->what) {
	case QUERY_DOMAINS:
		return look_at_domains(o, &look);
	case QUERY_REPLY:
	case QUERY_HEALTH:
	case QUERY_POSTFIX:
	case QUERY_LIST:
	case QUERY_SHOW:
	case QUERY_REFRESH:
	case QUERY_FORGET:
	case QUERY_STATS:
	case QUERY_OVERRIDES:
	case QUERY_EXPORT:
	case QUERY_IMPORT:
		return ask_daemon(o, &look);
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

/* A file that became descriptor 0 would be read as if it were the input, and a socket that
 * became 2 be written to. What takes their places fails as what is closed does. */
static bool
fill_standard_fds(void)
{
	static const int wrong_way[] = { O_WRONLY, O_RDONLY, O_RDONLY };

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", wrong_way[fd]) != fd)
			return false;
	return true;
}

int
main(int argc, char **argv)
{
	struct query_options options;
	int status = QUERY_EXIT_USAGE;

	if (!fill_standard_fds())
		return QUERY_EXIT_INTERNAL;
	/* Whoever started us may have ignored it: then nobody could wait for postconf. */
	(void)signal(SIGCHLD, SIG_DFL);
	if (query_options_read(argc, argv, &options, stderr))
		status = run(&options);
	query_options_done(&options);
	return status;
}
