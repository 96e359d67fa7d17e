/* SPDX-License-Identifier: MIT */
#include "query_options.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

int test_failed;

static const struct {
	const char *line; /* words with one blank between them */
	bool ok;
	enum query_what what;
	int count;
} cases[] = {
	{ "a.example", true, QUERY_DOMAINS, 1 },
	{ "a.example b.example --json", true, QUERY_DOMAINS, 2 },
	{ "-q -v -c x -o a=b -o c=d --color always a.example", true, QUERY_DOMAINS, 1 },
	{ "", false, QUERY_DOMAINS, 0 },
	{ "--json", false, QUERY_DOMAINS, 0 },
	{ "--reply --map QUERY --server unix:/x k1 k2", true, QUERY_REPLY, 2 },
	{ "--reply", false, QUERY_REPLY, 0 },
	{ "--reply -- -k", true, QUERY_REPLY, 1 },
	{ "--health", true, QUERY_HEALTH, 0 },
	{ "--health x", false, QUERY_HEALTH, 0 },
	{ "--health --server inet:127.0.0.1:1", true, QUERY_HEALTH, 0 },
	{ "--lint-policy -", true, QUERY_LINT_POLICY, 1 },
	{ "--lint-policy a b", false, QUERY_LINT_POLICY, 0 },
	{ "--lint-record a b --json", true, QUERY_LINT_RECORD, 2 },
	{ "--lint-record", false, QUERY_LINT_RECORD, 0 },
	{ "--match *.a b.a", true, QUERY_MATCH, 2 },
	{ "--match *.a", false, QUERY_MATCH, 0 },
	{ "--match --health", false, QUERY_MATCH, 0 },
	{ "--server unix:/x a.example", false, QUERY_DOMAINS, 0 },
	{ "--map QUERY a.example", false, QUERY_DOMAINS, 0 },
	{ "--reply --json k", false, QUERY_REPLY, 0 },
	{ "--color sometimes a.example", false, QUERY_DOMAINS, 0 },
	{ "-c", false, QUERY_DOMAINS, 0 },
	{ "--nothing-like-it a.example", false, QUERY_DOMAINS, 0 },
	{ "--smtp a.example b.example", true, QUERY_DOMAINS, 2 },
	{ "--smtp --list", false, QUERY_DOMAINS, 0 },
	{ "--postfix", true, QUERY_POSTFIX, 0 },
	{ "--postfix=/etc/postfix-out", true, QUERY_POSTFIX, 0 },
	{ "--postfix /etc/postfix-out", false, QUERY_POSTFIX, 0 },
	{ "--postfix --json", true, QUERY_POSTFIX, 0 },
	{ "--list", true, QUERY_LIST, 0 },
	{ "--list --json", true, QUERY_LIST, 0 },
	{ "--list a.example", false, QUERY_LIST, 0 },
	{ "--show a.example b.example --json", true, QUERY_SHOW, 2 },
	{ "--show", false, QUERY_SHOW, 0 },
	{ "--show --list", false, QUERY_SHOW, 0 },
	{ "--refresh a.example", true, QUERY_REFRESH, 1 },
	{ "--refresh --json a.example", false, QUERY_REFRESH, 1 },
	{ "--refresh", false, QUERY_REFRESH, 0 },
	{ "--forget a.example b.example", true, QUERY_FORGET, 2 },
	{ "--forget", false, QUERY_FORGET, 0 },
	{ "--stats", true, QUERY_STATS, 0 },
	{ "--stats x", false, QUERY_STATS, 0 },
	{ "--overrides", true, QUERY_OVERRIDES, 0 },
	{ "--overrides x", false, QUERY_OVERRIDES, 0 },
	{ "--export", true, QUERY_EXPORT, 0 },
	{ "--export x", false, QUERY_EXPORT, 0 },
	{ "--import -", true, QUERY_IMPORT, 1 },
	{ "--import", false, QUERY_IMPORT, 0 },
	{ "--import a b", false, QUERY_IMPORT, 0 },
	{ "-V", true, QUERY_VERSION, 0 },
	{ "-h", true, QUERY_HELP, 0 },
};

int
main(void)
{
	/* getopt complains on its own; the tests' output is for failures. */
	FILE *quiet = freopen("/dev/null", "w", stderr);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *copy = strdup(cases[i].line), *save = NULL;
		char name[] = "stsd-query", *words[20] = { name };
		struct query_options o;
		int n = 1;
		bool ok;

		for (char *w = strtok_r(copy, " ", &save); w != NULL;
		     w = strtok_r(NULL, " ", &save))
			words[n++] = w;
		ok = query_options_read(n, words, &o, quiet);
		if (ok != cases[i].ok ||
		    (ok && (o.what != cases[i].what || o.count != cases[i].count))) {
			printf("%s: %s:%d: wrongly read\n", cases[i].line, __FILE__,
			    __LINE__);
			test_failed = 1;
		}
		query_options_done(&o);
		free(copy);
	}
	return test_failed;
}
