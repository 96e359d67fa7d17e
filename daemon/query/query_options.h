/* SPDX-License-Identifier: MIT */
#ifndef QUERY_OPTIONS_H
#define QUERY_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

/*
 * The command line of stsd-query. One table gives each option its letter, its name, its
 * argument and its sentence; parsing and --help follow it.
 */
enum query_what {
	QUERY_DOMAINS, /* no command was named: look at domains */
	QUERY_REPLY,
	QUERY_HEALTH,
	QUERY_LINT_POLICY,
	QUERY_LINT_RECORD,
	QUERY_MATCH,
	QUERY_POSTFIX,
	QUERY_LIST,
	QUERY_SHOW,
	QUERY_REFRESH,
	QUERY_FORGET,
	QUERY_STATS,
	QUERY_OVERRIDES,
	QUERY_EXPORT,
	QUERY_IMPORT,
	QUERY_VERSION,
	QUERY_HELP,
};

enum query_color { QUERY_COLOR_AUTO, QUERY_COLOR_ALWAYS, QUERY_COLOR_NEVER };

struct query_options {
	enum query_what what;
	const char *config; /* -c; NULL: the usual file, if it is there */
	char **settings;    /* of -o, NULL-terminated; point into argv */
	size_t setting_count;
	const char *map;     /* NULL: QUERY */
	const char *server;  /* NULL: the first of listen */
	const char *postfix; /* of --postfix=DIR; NULL: look where it is */
	bool quiet, verbose, json, smtp;
	enum query_color color;
	char **words; /* what follows the options */
	int count;
};

/* False with a sentence on err: usage. The lists point into argv. */
bool query_options_read(int argc, char **argv, struct query_options *o, FILE *err);
void query_options_done(struct query_options *o);
void query_options_help(FILE *to);

#endif
