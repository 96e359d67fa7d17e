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
	OPT_POSTFIX,
	OPT_LIST,
	OPT_SHOW,
	OPT_REFRESH,
	OPT_FORGET,
	OPT_STATS,
	OPT_OVERRIDES,
	OPT_EXPORT,
	OPT_IMPORT,
	OPT_SMTP,
	OPT_MAP,
	OPT_SERVER,
	OPT_JSON,
	OPT_COLOR
};

static const struct row {
	int code;
	const char *name;
	const char *argument; /* NULL: takes none; [=IT]: which may be missing */
	const char *text;
} rows[] = {
	{ OPT_SMTP, "smtp", NULL, "also try STARTTLS with each MX host of the DOMAIN" },
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
	{ OPT_POSTFIX, "postfix", "[=DIR]",
	    "say what is wrong with the settings of Postfix, and how to mend it" },
	{ OPT_LIST, "list", NULL, "list the policies in the cache" },
	{ OPT_SHOW, "show", NULL, "print all that is kept of each DOMAIN" },
	{ OPT_REFRESH, "refresh", NULL, "fetch the policy of each DOMAIN now" },
	{ OPT_FORGET, "forget", NULL, "remove each DOMAIN from the cache" },
	{ OPT_STATS, "stats", NULL, "print what the running daemon counts" },
	{ OPT_OVERRIDES, "overrides", NULL, "print the overrides that are in force" },
	{ OPT_EXPORT, "export", NULL, "write the policies in the cache as text" },
	{ OPT_IMPORT, "import", NULL, "put the policies of such a FILE into the cache" },
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
    "       stsd-query --match PATTERN HOST\n"
    "       stsd-query --postfix[=DIR]\n"
    "       stsd-query --show|--refresh|--forget DOMAIN...\n"
    "       stsd-query --list|--stats|--overrides|--export\n"
    "       stsd-query --import FILE|-\n";

/* The option that names each command, and how many words it wants. */
static const struct command {
	int code;
	int least, most; /* most -1: any number */
	bool json;	 /* it knows --json */
	const char *text;
} commands[] = {
	[QUERY_DOMAINS] = { 0, 1, -1, true, "a DOMAIN is missing" },
	[QUERY_REPLY] = { OPT_REPLY, 1, -1, false, "--reply wants at least one KEY" },
	[QUERY_HEALTH] = { OPT_HEALTH, 0, 0, false, "--health takes no argument" },
	[QUERY_LINT_POLICY] = { OPT_LINT_POLICY, 1, 1, true,
	    "--lint-policy wants one FILE, or -" },
	[QUERY_LINT_RECORD] = { OPT_LINT_RECORD, 1, -1, true,
	    "--lint-record wants at least one TXT" },
	[QUERY_MATCH] = { OPT_MATCH, 2, 2, false, "--match wants a PATTERN and a HOST" },
	[QUERY_POSTFIX] = { OPT_POSTFIX, 0, 0, true,
	    "--postfix takes a directory only as --postfix=DIR" },
	[QUERY_LIST] = { OPT_LIST, 0, 0, true, "--list takes no argument" },
	[QUERY_SHOW] = { OPT_SHOW, 1, -1, true, "--show wants at least one DOMAIN" },
	[QUERY_REFRESH] = { OPT_REFRESH, 1, -1, false,
	    "--refresh wants at least one DOMAIN" },
	[QUERY_FORGET] = { OPT_FORGET, 1, -1, false,
	    "--forget wants at least one DOMAIN" },
	[QUERY_STATS] = { OPT_STATS, 0, 0, true, "--stats takes no argument" },
	[QUERY_OVERRIDES] = { OPT_OVERRIDES, 0, 0, false,
	    "--overrides takes no argument" },
	[QUERY_EXPORT] = { OPT_EXPORT, 0, 0, false, "--export takes no argument" },
	[QUERY_IMPORT] = { OPT_IMPORT, 1, 1, false, "--import wants one FILE, or -" },
	[QUERY_VERSION] = { 'V', 0, -1, true, "" },
	[QUERY_HELP] = { 'h', 0, -1, true, "" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

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
	case OPT_SMTP:
		o->smtp = true;
		return true;
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

/* An option: either it names the command, or it says how. */
static bool
take(struct query_options *o, int code, char *value, FILE *err)
{
	for (size_t i = 1; i < COMMANDS; i++)
		if (commands[i].code == code) {
			if (code == OPT_POSTFIX)
				o->postfix = value;
			return set_what(o, (enum query_what)i, err);
		}
	return set(o, code, value, err);
}

/* What was given and cannot mean anything. */
static bool
check(const struct query_options *o, FILE *err)
{
	bool asks = o->what == QUERY_REPLY || o->what == QUERY_HEALTH;
	const struct command *command = &commands[o->what];

	if (o->count < command->least ||
	    (command->most != -1 && o->count > command->most))
		return complain(err, command->text);
	if (o->map != NULL && o->what != QUERY_REPLY)
		return complain(err, "--map goes with --reply");
	if (o->map != NULL && (*o->map == '\0' || strchr(o->map, ' ') != NULL))
		return complain(err, "a map name is one word");
	if (o->server != NULL && !asks)
		return complain(err, "--server goes with --reply and --health");
	if (o->json && !command->json)
		return complain(err,
		    "--json goes with domains, --lint, --list, --show, --stats and "
		    "--postfix");
	if (o->smtp && o->what != QUERY_DOMAINS)
		return complain(err, "--smtp goes with domains");
	return true;
}

static int
takes(const struct row *row)
{
	if (row->argument == NULL)
		return no_argument;
	return row->argument[0] == '[' ? optional_argument : required_argument;
}

static void
make_tables(struct option longs[ROWS + 1], char letters[2 * ROWS + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < ROWS; i++) {
		longs[i] =
		    (struct option){ rows[i].name, takes(&rows[i]), NULL, rows[i].code };
		if (rows[i].code >= LONG_ONLY)
			continue;
		letters[n++] = (char)rows[i].code;
		if (takes(&rows[i]) == required_argument)
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
		if (!take(o, code, optarg, err))
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

static void
help_row(const struct row *row, FILE *to)
{
	bool letter = row->code < LONG_ONLY;
	char left[64];

	(void)snprintf(left, sizeof(left), "%s%c%s--%s%s%s", letter ? "-" : "",
	    letter ? row->code : ' ', letter ? ", " : "   ", row->name,
	    takes(row) == required_argument ? "=" : "",
	    row->argument != NULL ? row->argument : "");
	fprintf(to, "  %-26s %s\n", left, row->text);
}

void
query_options_help(FILE *to)
{
	fputs(usage, to);
	for (size_t i = 0; i < ROWS; i++)
		help_row(&rows[i], to);
}
