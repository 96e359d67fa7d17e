/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "date.h"
#include "test.h"

int test_failed;

/* 2026-11-22, 10:00 UTC */
#define NOW INT64_C(1795341600)
#define TODAY_END (NOW - NOW % DATE_SECONDS + DATE_SECONDS)

static const char table[] = "# answers of our own\n"
			    "\n"
			    "plain.example notfound\n"
			    "temp.example   temp   # while they move\n"
			    "\tmay.example\tmay\n"
			    "encrypt.example encrypt\n"
			    "dane.example dane\n"
			    "dane-only.example dane-only\n"
			    "secure.example secure match=MX.Secure.Example:.b.example\n"
			    "verify.example verify servername=hostname match=a.example\n"
			    "sni.example secure match=a.example servername=b.example\n"
			    "Case.Example. may\n"
			    ".below.example encrypt\n"
			    "deep.below.example may\n"
			    ".deep.below.example notfound\n"
			    ".internal temp\n"
			    "old.example may until 2026-11-21\n"
			    "today.example may until 2026-11-22 # the last day\n"
			    ".today.example may until 2026-11-22\n"
			    ".example verify match=z.example until 9999-12-31\n"
			    "xn--bcher-kva.test may";

static const struct {
	const char *what, *domain, *reply;
	int64_t now;
} finds[] = {
	{ "notfound", "plain.example", "NOTFOUND ", NOW },
	{ "temp", "temp.example", "TEMP temp.example: override", NOW },
	{ "may", "may.example", "OK may", NOW },
	{ "encrypt", "encrypt.example", "OK encrypt", NOW },
	{ "dane", "dane.example", "OK dane", NOW },
	{ "dane-only", "dane-only.example", "OK dane-only", NOW },
	{ "secure", "secure.example", "OK secure match=mx.secure.example:.b.example",
	    NOW },
	{ "verify", "verify.example", "OK verify match=a.example servername=hostname",
	    NOW },
	{ "servername", "sni.example", "OK secure match=a.example servername=b.example",
	    NOW },
	{ "case and last dot", "case.example", "OK may", NOW },
	{ "below", "a.below.example", "OK encrypt", NOW },
	{ "far below", "c.b.a.below.example", "OK encrypt", NOW },
	{ "not itself, but the next longest", "below.example",
	    "OK verify match=z.example", NOW },
	{ "longest wins: a name", "deep.below.example", "OK may", NOW },
	{ "longest wins: below", "a.deep.below.example", "NOTFOUND ", NOW },
	{ "a tail of letters is no parent", "xbelow.example", "OK verify match=z.example",
	    NOW },
	{ "a tail of letters is no name", "xmay.example", "OK verify match=z.example",
	    NOW },
	{ "below a top-level name", "host.internal", "TEMP internal: override", NOW },
	{ "until today", "today.example", "OK may", NOW },
	{ "until midnight", "today.example", "OK may", TODAY_END - 1 },
	{ "from midnight on", "today.example", "OK verify match=z.example", TODAY_END },
	{ "below, from midnight on", "a.today.example", "OK verify match=z.example",
	    TODAY_END },
	{ "expired when it was read", "old.example", "OK verify match=z.example", NOW },
	{ "A-label", "xn--bcher-kva.test", "OK may", NOW },
	{ "another", "plain.test", "", NOW },
	{ "longer", "plain.examples", "", NOW },
	{ "the suffix itself", "internal", "", NOW },
	{ "empty", "", "", NOW },
};

static const struct {
	const char *what, *text, *error;
} wrong[] = {
	{ "no reply", "a.example\n", "f:1: 'a.example' needs a reply" },
	{ "another reply", "\na.example none\n", "f:2: 'a.example' needs a reply" },
	{ "upper case", "a.example MAY\n", "needs a reply" },
	{ "attributes of may", "a.example may match=b.example\n",
	    "takes nothing but until" },
	{ "no match", "a.example secure\n", "needs match=" },
	{ "no match, but an end", "a.example secure until 2030-01-01\n", "needs match=" },
	{ "empty match", "a.example secure match=\n", "needs match=" },
	{ "empty name", "a.example secure match=b.example:\n", "needs match=" },
	{ "a keyword of Postfix", "a.example secure match=nexthop\n", "needs match=" },
	{ "a wildcard", "a.example secure match=*.b.example\n", "needs match=" },
	{ "an address", "a.example secure match=192.0.2.1\n", "needs match=" },
	{ "two match", "a.example secure match=b.example match=c.example\n",
	    "has two match=" },
	{ "two servername", "a.example secure match=b.c servername=b.c servername=b.c\n",
	    "has two servername=" },
	{ "servername of one label", "a.example secure match=b.c servername=b\n",
	    "needs a host name in servername=" },
	{ "another attribute", "a.example secure match=b.c tafile=/a\n",
	    "takes no attributes but" },
	{ "a brace", "a.example secure match=b.c{\n", "needs match=" },
	{ "a word too many", "a.example secure match=b.c then\n",
	    "is followed by neither" },
	{ "no day", "a.example may until\n", "needs a day that exists" },
	{ "no such day", "a.example may until 2026-02-29\n", "needs a day that exists" },
	{ "no such month", "a.example may until 2026-13-01\n",
	    "needs a day that exists" },
	{ "short year", "a.example may until 26-01-01\n", "needs a day that exists" },
	{ "a digit too many", "a.example may until 2030-01-011\n",
	    "needs a day that exists" },
	{ "before time began", "a.example may until 1969-12-31\n",
	    "needs a day that exists" },
	{ "after the day", "a.example may until 2030-01-01 why\n", "has more after" },
	{ "a single label", "localhost may\n", "is no domain that" },
	{ "an address as domain", "192.0.2.1 may\n", "is no domain" },
	{ "a lone dot", ". may\n", "is no domain" },
	{ "a wildcard as domain", "*.example.com may\n", "is no domain" },
	{ "brackets", "[mail.example.com] may\n", "brackets or a port" },
	{ "a port", "example.com:587 may\n", "brackets or a port" },
	{ "a U-label",
	    "b\xc3\xbc"
	    "cher.example may\n",
	    "'b\\xc3\\xbccher.example' is not ASCII: write its A-label" },
	{ "twice", "a.example may\n\nA.example. encrypt\n",
	    "f:3: 'A.example.' stands in line 1 already" },
	{ "a control character", "a.example may\x01\n", "f:1: has control characters" },
};

static void
test_finds(void)
{
	struct config_errors errors = { 0 };
	struct config_errors notices = { 0 };
	struct overrides *o =
	    overrides_parse(sts_str_of(table), "f", NOW, &errors, &notices);

	CHECK("table", o != NULL && errors.count == 0);
	CHECK("count", overrides_count(o) == 18);
	CHECK("expired",
	    notices.count == 1 &&
		strcmp(notices.lines[0],
		    "f:17: the override of 'old.example' has expired, skipped") == 0);
	for (size_t i = 0; i < sizeof(finds) / sizeof(finds[0]); i++) {
		struct sts_str reply =
		    overrides_find(o, sts_str_of(finds[i].domain), finds[i].now);
		bool good = sts_str_eq(reply, sts_str_of(finds[i].reply));

		CHECK(finds[i].what, good);
		if (!good)
			fprintf(stderr, "\tgot: %.*s\n", (int)reply.n, reply.p);
	}
	overrides_free(o);
	config_errors_done(&errors);
	config_errors_done(&notices);
}

static void
test_wrong(void)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct config_errors errors = { 0 };
		struct overrides *o =
		    overrides_parse(sts_str_of(wrong[i].text), "f", NOW, &errors, NULL);

		CHECK(wrong[i].what, o == NULL);
		CHECK(wrong[i].what,
		    errors.count == 1 && strstr(errors.lines[0], wrong[i].error) != NULL);
		if (errors.count > 0 && strstr(errors.lines[0], wrong[i].error) == NULL)
			fprintf(stderr, "\tgot: %s\n", errors.lines[0]);
		overrides_free(o);
		config_errors_done(&errors);
	}
}

static void
test_many(void)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);
	struct config_errors errors = { 0 };
	struct overrides *o;
	size_t wrong_ones = 0;

	if (to == NULL)
		abort();
	for (int i = 0; i < 100000; i++)
		fprintf(to, "%sd%d.example temp\n", i % 3 == 0 ? "." : "", i);
	if (fclose(to) != 0)
		abort();
	o = overrides_parse((struct sts_str){ text, n }, "f", NOW, &errors, NULL);
	free(text);
	CHECK("many", overrides_count(o) == 100000);
	for (int i = 0; i < 100000; i++) {
		char domain[64];
		char want[80];

		(void)snprintf(domain, sizeof(domain), "%sd%d.example",
		    i % 3 == 0 ? "a.b." : "", i);
		(void)snprintf(want, sizeof(want), "TEMP d%d.example: override", i);
		wrong_ones += !sts_str_eq(overrides_find(o, sts_str_of(domain), NOW),
		    sts_str_of(want));
	}
	CHECK("each is found", wrong_ones == 0);
	CHECK("not below a name", overrides_find(o, STS_STR("a.d1.example"), NOW).n == 0);
	overrides_free(o);
}

/* What Postfix logs of a reason is at most 200 bytes, of a domain its last 100. */
static void
test_long_domain(void)
{
	char text[512];
	struct config_errors errors = { 0 };
	struct overrides *o;
	struct sts_str reply;
	size_t n = 0;

	while (n < 200) {
		memcpy(text + n, "abcdefghi.", 10);
		n += 10;
	}
	(void)snprintf(text + n, sizeof(text) - n, "example temp\n");
	o = overrides_parse(sts_str_of(text), "f", NOW, &errors, NULL);
	reply = overrides_find(o, (struct sts_str){ text, n + 7 }, NOW);
	CHECK("cut", reply.n == strlen("TEMP ") + 100 + strlen(": override"));
	CHECK("its end", sts_str_ends(reply, STS_STR(".example: override")));
	overrides_free(o);
}

static void
test_dates(void)
{
	for (int64_t day = -1000; day < 200000; day++) {
		struct date d = date_of(day);

		if (date_days(d) != day) {
			CHECK("each day comes back", false);
			break;
		}
	}
}

int
main(void)
{
	test_finds();
	test_wrong();
	test_many();
	test_long_domain();
	test_dates();
	CHECK("none", overrides_find(NULL, STS_STR("a.example"), NOW).n == 0);
	CHECK("none", overrides_count(NULL) == 0);
	return test_failed;
}
