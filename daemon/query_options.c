/* SPDX-License-Identifier: MIT */
#include "query_options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* Long options without a letter are numbered from here on. */
enum {
	LONG_ONLY = 256,
	OPT_REPLY,
	OPT_HEALTH,
	OPT_LINT_POLICY,
	OPT_LINT_RECORD,
	OPT_MATCH,
	OPT_MAP,
	OPT_SERVER,
	OPT_JSON,
	OPT_COLOR
};

static const struct row {
	int code;
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *text;
} rows[] = {
	{ OPT_REPLY, "reply", NULL,
	    "print what the running daemon answers for each KEY" },
	{ OPT_MAP, "map", "NAME", "with --reply: the map asked for, by default QUERY" },
	{ OPT_HEALTH, "health", NULL, "ask the running daemon whether it answers" },
	{ OPT_SERVER, "server", "ADDR",
	    "with --reply and --health: inet:HOST:PORT or unix:PATH" },
	{ OPT_LINT_POLICY, "lint-policy", NULL, "judge a policy FILE; - is the input" },
	{ OPT_LINT_RECORD, "lint-record", NULL,
	    "judge TXT records, all of one RRset, one an argument" },
	{ OPT_MATCH, "match", NULL, "does the mx PATTERN allow the HOST?" },
	{ OPT_JSON, "json", NULL, "for machines: one JSON object a line" },
	{ 'q', "quiet", NULL, "only the verdict" },
	{ 'v', "verbose", NULL, "times, raw records and the whole policy as well" },
	{ OPT_COLOR, "color", "WHEN", "auto, always or never" },
	{ 'c', "config", "FILE", "the configuration of stsd" },
	{ 'o', "option", "NAME=VALUE", "override one setting; repeatable" },
	{ 'V', "version", NULL, "print versions" },
	{ 'h', "help", NULL, "print this" },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const char usage[] =
    "usage: stsd-query [OPTION]... DOMAIN...\n"
    "       stsd-query --reply [--map NAME] [--server ADDR] KEY...\n"
    "       stsd-query --health [--server ADDR]\n"
    "       stsd-query --lint-policy FILE|-\n"
    "       stsd-query --lint-record TXT...\n"
    "       stsd-query --match PATTERN HOST\n";

/* How many words each command wants. */
static const struct {
	int least, most; /* most -1: any number */
	const char *text;
} wanted[] = {
	[QUERY_DOMAINS] = { 1, -1, "a DOMAIN is missing" },
	[QUERY_REPLY] = { 1, -1, "--reply wants at least one KEY" },
	[QUERY_HEALTH] = { 0, 0, "--health takes no argument" },
	[QUERY_LINT_POLICY] = { 1, 1, "--lint-policy wants one FILE, or -" },
	[QUERY_LINT_RECORD] = { 1, -1, "--lint-record wants at least one TXT" },
	[QUERY_MATCH] = { 2, 2, "--match wants a PATTERN and a HOST" },
	[QUERY_VERSION] = { 0, -1, "" },
	[QUERY_HELP] = { 0, -1, "" },
};

static bool
complain(FILE *err, const char *text)
{
	fprintf(err, "stsd-query: %s; see stsd-query --help\n", text);
	return false;
}

static bool
set_what(struct query_options *o, enum query_what what, FILE *err)
{
	if (o->what != QUERY_DOMAINS && o->what != what)
		return complain(err, "only one command at a time");
	o->what = what;
	return true;
}

static bool
set_color(struct query_options *o, const char *when, FILE *err)
{
	static const char *const words[] = {
		[QUERY_COLOR_AUTO] = "auto",
		[QUERY_COLOR_ALWAYS] = "always",
		[QUERY_COLOR_NEVER] = "never",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(when, words[i]) == 0) {
			o->color = (enum query_color)i;
			return true;
		}
	return complain(err, "--color wants auto, always or never");
}

static bool
set(struct query_options *o, int code, char *value, FILE *err)
{
	switch (code) {
	case OPT_REPLY:
		return set_what(o, QUERY_REPLY, err);
	case OPT_HEALTH:
		return set_what(o, QUERY_HEALTH, err);
	case OPT_LINT_POLICY:
		return set_what(o, QUERY_LINT_POLICY, err);
	case OPT_LINT_RECORD:
		return set_what(o, QUERY_LINT_RECORD, err);
	case OPT_MATCH:
		return set_what(o, QUERY_MATCH, err);
	case 'V':
		return set_what(o, QUERY_VERSION, err);
	case 'h':
		return set_what(o, QUERY_HELP, err);
	case OPT_MAP:
		o->map = value;
		return true;
	case OPT_SERVER:
		o->server = value;
		return true;
	case OPT_JSON:
		o->json = true;
		return true;
	case OPT_COLOR:
		return set_color(o, value, err);
	case 'q':
		o->quiet = true;
		return true;
	case 'v':
		o->verbose = true;
		return true;
	case 'c':
		o->config = value;
		return true;
	case 'o':
		o->settings[o->setting_count++] = value;
		return true;
	default:
		fprintf(err, "see stsd-query --help\n");
		return false;
	}
}

/* What was given and cannot mean anything. */
static bool
check(const struct query_options *o, FILE *err)
{
	bool asks = o->what == QUERY_REPLY || o->what == QUERY_HEALTH;

	if (o->count < wanted[o->what].least ||
	    (wanted[o->what].most != -1 && o->count > wanted[o->what].most))
		return complain(err, wanted[o->what].text);
	if (o->map != NULL && o->what != QUERY_REPLY)
		return complain(err, "--map goes with --reply");
	if (o->map != NULL && (*o->map == '\0' || strchr(o->map, ' ') != NULL))
		return complain(err, "a map name is one word");
	if (o->server != NULL && !asks)
		return complain(err, "--server goes with --reply and --health");
	if (o->json && (asks || o->what == QUERY_MATCH))
		return complain(err, "--json goes with domains and --lint");
	return true;
}

static void
make_tables(struct option longs[ROWS + 1], char letters[2 * ROWS + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < ROWS; i++) {
		bool takes = rows[i].argument != NULL;

		longs[i] = (struct option){ rows[i].name,
			takes ? required_argument : no_argument, NULL, rows[i].code };
		if (rows[i].code >= LONG_ONLY)
			continue;
		letters[n++] = (char)rows[i].code;
		if (takes)
			letters[n++] = ':';
	}
	longs[ROWS] = (struct option){ NULL, 0, NULL, 0 };
	letters[n] = '\0';
}

bool
query_options_read(int argc, char **argv, struct query_options *o, FILE *err)
{
	struct option longs[ROWS + 1];
	char letters[2 * ROWS + 1];
	int code;

	*o = (struct query_options){ .what = QUERY_DOMAINS };
	if ((o->settings = calloc((size_t)argc + 1, sizeof(*o->settings))) == NULL)
		return complain(err, "out of memory");
	make_tables(longs, letters);
	optind = 0; /* glibc: start anew, also for a second command line */
	while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1)
		if (!set(o, code, optarg, err))
			return false;
	o->words = argv + optind;
	o->count = argc - optind;
	return check(o, err);
}

void
query_options_done(struct query_options *o)
{
	free(o->settings);
	o->settings = NULL;
}

void
query_options_help(FILE *to)
{
	fputs(usage, to);
	for (size_t i = 0; i < ROWS; i++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%c%s--%s%s%s",
		    rows[i].code < LONG_ONLY ? "-" : "",
		    rows[i].code < LONG_ONLY ? rows[i].code : ' ',
		    rows[i].code < LONG_ONLY ? ", " : "   ", rows[i].name,
		    rows[i].argument != NULL ? "=" : "",
		    rows[i].argument != NULL ? rows[i].argument : "");
		fprintf(to, "  %-26s %s\n", left, rows[i].text);
	}
}
