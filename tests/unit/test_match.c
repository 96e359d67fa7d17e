/* SPDX-License-Identifier: MIT */
#include "match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "test.h"

int test_failed;

#define NOW 1000000

/*
 * Hosts: "host host@age+preference ..."; "?" never looked, "-" implicit MX, "0" null MX,
 * "!" the lookup failed (hosts that follow were seen before), "x" NXDOMAIN. Policy: its
 * patterns. Names: what match= gets.
 */
static const struct {
	const char *what;
	const char *hosts;
	const char *policy;
	enum sts_fit fit;
	const char *exact;
	const char *loose;
} cases[] = {
	{ "a literal", "mx.a.b", "mx.a.b", STS_FIT_SOME, "mx.a.b", "mx.a.b" },
	{ "a wildcard becomes its hosts", "mx1.a.b mx2.a.b", "*.a.b", STS_FIT_SOME,
	    "mx1.a.b mx2.a.b", ".a.b" },
	{ "one label only", "mx1.a.b x.mx2.a.b", "*.a.b", STS_FIT_SOME, "mx1.a.b",
	    ".a.b" },
	{ "not the name itself", "a.b mx.a.b", "*.a.b", STS_FIT_SOME, "mx.a.b", ".a.b" },
	{ "half a label is no ending", "xa.b y.xa.b", "*.a.b", STS_FIT_NONE,
	    STS_MATCH_NOTHING, ".a.b" },
	{ "literals stay, in policy order", "mx.a.b", "c.d *.a.b e.f", STS_FIT_SOME,
	    "c.d mx.a.b e.f", "c.d .a.b e.f" },
	{ "case does not matter", "mx.a.b", "*.A.B MX.a.b", STS_FIT_SOME, "mx.a.b",
	    ".A.B MX.a.b" },
	{ "no repeats of literals", "mx.a.b", "mx.a.b c.d MX.A.B c.d", STS_FIT_SOME,
	    "mx.a.b c.d", "mx.a.b c.d" },
	{ "no repeats of wildcards", "mx.a.b", "*.a.b *.A.B", STS_FIT_SOME, "mx.a.b",
	    ".a.b" },
	{ "a name and all below it are two", "a.b mx.a.b", "a.b *.a.b a.b", STS_FIT_SOME,
	    "a.b mx.a.b", "a.b .a.b" },
	{ "a host before its literal", "mx.a.b", "*.a.b mx.a.b", STS_FIT_SOME, "mx.a.b",
	    ".a.b mx.a.b" },
	{ "the same host twice", "mx.a.b mx.a.b", "*.a.b", STS_FIT_SOME, "mx.a.b",
	    ".a.b" },
	{ "wildcards that cover nothing vanish", "mx.a.b", "*.c.d mx.a.b", STS_FIT_SOME,
	    "mx.a.b", ".c.d mx.a.b" },
	{ "nothing fits", "mx.other.example", "*.a.b mx.a.b", STS_FIT_NONE,
	    STS_MATCH_NOTHING, ".a.b mx.a.b" },
	{ "nothing fits a literal", "mx.other.example", "mx.a.b", STS_FIT_NONE,
	    STS_MATCH_NOTHING, "mx.a.b" },
	{ "never looked", "?", "*.a.b mx.c.d", STS_FIT_UNKNOWN, ".a.b mx.c.d",
	    ".a.b mx.c.d" },
	{ "the lookup failed", "!", "*.a.b", STS_FIT_UNKNOWN, ".a.b", ".a.b" },
	{ "the lookup failed, hosts from before", "! mx.a.b", "*.a.b", STS_FIT_UNKNOWN,
	    ".a.b", ".a.b" },
	{ "null MX", "0", "*.a.b", STS_FIT_UNKNOWN, ".a.b", ".a.b" },
	{ "null MX now, hosts from before", "0 mx.a.b", "*.a.b", STS_FIT_UNKNOWN, ".a.b",
	    ".a.b" },
	{ "NXDOMAIN", "x", "*.a.b", STS_FIT_UNKNOWN, ".a.b", ".a.b" },
	{ "implicit MX", "-", "*.b", STS_FIT_SOME, "dom.b", ".b" },
	{ "implicit MX that does not fit", "-", "*.a.b", STS_FIT_NONE, STS_MATCH_NOTHING,
	    ".a.b" },
	{ "seen an hour ago", "mx.a.b@3600", "*.a.b", STS_FIT_SOME, "mx.a.b", ".a.b" },
	{ "seen longer ago", "mx.a.b@3601", "*.a.b", STS_FIT_UNKNOWN, ".a.b", ".a.b" },
	{ "one of them longer ago", "mx1.a.b@3601 mx2.a.b", "*.a.b", STS_FIT_SOME,
	    "mx2.a.b", ".a.b" },
	{ "only the old one would fit", "mx1.a.b@3601 c.d", "*.a.b", STS_FIT_NONE,
	    STS_MATCH_NOTHING, ".a.b" },
	{ "only the old one would fit a literal", "mx1.a.b@3601 c.d", "mx1.a.b",
	    STS_FIT_NONE, STS_MATCH_NOTHING, "mx1.a.b" },
	{ "an underscore is no host name", "m_x.a.b mx.a.b", "*.a.b", STS_FIT_SOME,
	    "mx.a.b", ".a.b" },
	{ "only an underscore", "m_x.a.b", "*.a.b", STS_FIT_NONE, STS_MATCH_NOTHING,
	    ".a.b" },
	{ "bytes that would end the list", "m:x.a.b x{.a.b", "*.a.b", STS_FIT_NONE,
	    STS_MATCH_NOTHING, ".a.b" },
	{ "unusable patterns fit nothing", "hostname", "hostname mx.a.b", STS_FIT_NONE,
	    STS_MATCH_NOTHING, "mx.a.b" },
};

static char text[200000];
static struct sts_entry entry;
static struct sts_policy policy;

static void
make_policy(const char *patterns)
{
	char *copy = strdup(patterns), *save = NULL;
	size_t n = 0;

	n += (size_t)snprintf(text, sizeof(text),
	    "version: STSv1\nmode: enforce\nmax_age: 86400\n");
	for (char *p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save))
		n += (size_t)snprintf(text + n, sizeof(text) - n, "mx: %s\n", p);
	free(copy);
	CHECK(patterns,
	    sts_policy_parse((struct sts_str){ text, n }, &policy, NULL, NULL) == STS_OK);
	entry.policy = policy.text;
}

static void
add_host(char *word)
{
	struct sts_mx_seen *mx = &entry.mx[entry.mx_count++];
	char *at = strchr(word, '@'), *plus = strchr(word, '+');

	mx->seen = NOW - (at != NULL ? atoi(at + 1) : 0);
	mx->preference = (uint16_t)(plus != NULL ? atoi(plus + 1) : 10);
	mx->host = (struct sts_str){ word, strcspn(word, "@+") };
}

/* The words must stay for as long as the entry. */
static void
make_hosts(char *words)
{
	char *save = NULL;

	entry = (struct sts_entry){ .mx_at = NOW };
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (strcmp(w, "?") == 0)
			entry.mx_at = 0;
		else if (strcmp(w, "!") == 0)
			entry.mx_err = STS_ERR_DNS_SERVFAIL;
		else if (strcmp(w, "-") == 0)
			entry.mx_err = STS_ERR_DNS_NODATA;
		else if (strcmp(w, "x") == 0)
			entry.mx_err = STS_ERR_DNS_NXDOMAIN;
		else if (strcmp(w, "0") == 0)
			entry.mx_null = true;
		else
			add_host(w);
	}
}

static void
check_names(const char *what, bool brackets, bool exact, const char *want)
{
	struct sts_match m = { 0 };
	struct sts_buf got = { 0 };
	struct sts_str name;
	bool wildcard;

	sts_match_start(&m, &entry, policy.text, STS_STR("dom.b"), brackets, NOW, exact);
	while (sts_match_next(&m, &name, &wildcard)) {
		if (got.n > 0)
			sts_put_char(&got, ' ');
		if (wildcard)
			sts_put_char(&got, '.');
		sts_put(&got, name);
	}
	CHECK(what, !m.bad);
	CHECK(what, sts_str_eq(sts_buf_str(&got), sts_str_of(want)));
	if (!sts_str_eq(sts_buf_str(&got), sts_str_of(want)))
		fprintf(stderr, "  got %.*s\n  not %s\n", (int)got.n, got.p, want);
	sts_match_done(&m);
	sts_buf_done(&got);
}

static void
test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *words = strdup(cases[i].hosts);

		make_hosts(words);
		make_policy(cases[i].policy);
		CHECK(cases[i].what,
		    sts_match_fit(&entry, policy.text, STS_STR("dom.b"), false, NOW) ==
			cases[i].fit);
		check_names(cases[i].what, false, true, cases[i].exact);
		check_names(cases[i].what, false, false, cases[i].loose);
		free(words);
	}
}

/* [host] has no MX of its own, whatever is known of the domain's. */
static void
test_brackets(void)
{
	char words[] = "mx.a.b";

	make_hosts(words);
	make_policy("*.b");
	CHECK("brackets",
	    sts_match_fit(&entry, policy.text, STS_STR("dom.b"), true, NOW) ==
		STS_FIT_SOME);
	check_names("brackets", true, true, "dom.b");
	make_policy("*.a.b");
	CHECK("brackets",
	    sts_match_fit(&entry, policy.text, STS_STR("dom.b"), true, NOW) ==
		STS_FIT_NONE);
	check_names("brackets", true, true, STS_MATCH_NOTHING);
}

/* Of many hosts the first 32 by preference decide; the names are all that are covered. */
static void
test_examined(void)
{
	static char names[STS_MX_MAX][32];

	for (int fits = 30; fits < 34; fits++) {
		entry = (struct sts_entry){ .mx_at = NOW };
		for (int i = 0; i < STS_MX_MAX; i++) {
			(void)snprintf(names[i], sizeof(names[i]), "%s.%s+%d",
			    i == 63 ? "late" : "mx", i == fits ? "a.b" : "c.d", i);
			add_host(names[i]);
		}
		make_policy("*.a.b");
		CHECK("examined",
		    sts_match_fit(&entry, policy.text, STS_STR("dom.b"), false, NOW) ==
			(fits < STS_MX_EXAMINED ? STS_FIT_SOME : STS_FIT_NONE));
		check_names("examined", false, true,
		    fits < STS_MX_EXAMINED ? "mx.a.b" : STS_MATCH_NOTHING);
	}
	/* Those that are gone take no place among the examined. */
	for (size_t i = 0; i < entry.mx_count; i++)
		entry.mx[i].seen = entry.mx[i].preference < 33 ? NOW - 7200 : NOW;
	make_policy("*.a.b");
	CHECK("gone",
	    sts_match_fit(&entry, policy.text, STS_STR("dom.b"), false, NOW) ==
		STS_FIT_SOME);
	for (size_t i = 0; i < entry.mx_count; i++)
		entry.mx[i].seen = NOW;
	make_policy("*.a.b *.c.d");
	check_names("beyond the examined", false, true, "mx.a.b mx.c.d late.c.d");
}

/* A name is 253 bytes long at most. */
static void
test_long(void)
{
	char pattern[256] = "*.", words[260];

	for (size_t i = 2; i < 253; i++)
		pattern[i] = i % 50 == 0 ? '.' : 'a';
	make_policy(pattern);
	(void)snprintf(words, sizeof(words), "m%s", pattern + 1);
	make_hosts(words);
	CHECK("253 bytes",
	    entry.mx[0].host.n == 253 &&
		sts_match_fit(&entry, policy.text, STS_STR("dom.b"), false, NOW) ==
		    STS_FIT_SOME);
	(void)snprintf(words, sizeof(words), "mm%s", pattern + 1);
	make_hosts(words);
	CHECK("254 bytes",
	    sts_match_fit(&entry, policy.text, STS_STR("dom.b"), false, NOW) ==
		STS_FIT_NONE);
}

/* As many names as a policy can hold, each twice: each comes out once, in order. */
static void
test_many(void)
{
	enum { NAMES = 2500 };
	static char patterns[NAMES * 16], want[NAMES * 8];
	char words[] = "N1.a";
	size_t p = 0, w = 0;

	for (int i = 0; i < 2 * NAMES; i++) {
		int number = i * 7 % NAMES;

		p += (size_t)snprintf(patterns + p, sizeof(patterns) - p, "%c%d.a ",
		    i < NAMES ? 'n' : 'N', number);
		if (i < NAMES)
			w += (size_t)snprintf(want + w, sizeof(want) - w, "%sn%d.a",
			    i > 0 ? " " : "", number);
	}
	make_hosts(words);
	make_policy(patterns);
	check_names("many", false, true, want);
	check_names("many", false, false, want);
}

int
main(void)
{
	test_cases();
	test_brackets();
	test_examined();
	test_long();
	test_many();
	return test_failed;
}
