/* SPDX-License-Identifier: MIT */
#include "idn.h"
#include "test.h"

#include <stdbool.h>
#include <string.h>

int test_failed;

#define LONG_LABEL "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static void
check_to_ascii(void)
{
	static const struct {
		const char *name, *from;
		const char *to; /* NULL: refused */
	} cases[] = {
		{ "umlaut", "gr\303\274\303\237e.example", "xn--gre-6ka8l.example" },
		{ "sharp s is not ss", "fa\303\237.example", "xn--fa-hia.example" },
		{ "upper case", "B\303\234CHER.Example", "xn--bcher-kva.example" },
		{ "decomposed", "bu\314\210cher.example", "xn--bcher-kva.example" },
		{ "ideographic dot", "b\303\274cher\343\200\202example",
		    "xn--bcher-kva.example" },
		{ "full width", "\357\275\205xample.org", "example.org" },
		{ "ASCII", "mail.example.org", "mail.example.org" },
		{ "ASCII in upper case", "MAIL.Example.ORG", "mail.example.org" },
		{ "A-label", "xn--bcher-kva.example", "xn--bcher-kva.example" },
		{ "soft hyphen vanishes", "exam\302\255ple.org", "example.org" },
		{ "invalid UTF-8", "b\374cher.example", NULL },
		{ "cut UTF-8", "b\303", NULL },
		{ "surrogate", "b\355\240\200.example", NULL },
		{ "unassigned", "\363\240\200\201.example", NULL },
		{ "false A-label", "xn--zzzzzz\303\274.example", NULL },
		{ "trailing dot", "b\303\274cher.example\343\200\202",
		    "xn--bcher-kva.example" },
		{ "full width slash", "b\303\274\357\274\217x.example", NULL },
		{ "full width colon", "b\303\274.example\357\274\23225", NULL },
		{ "underscore", "_b\303\274.example", NULL },
		{ "blank", "b\303\274 cher.example", NULL },
		{ "slash", "b\303\274/x.example", NULL },
		{ "fraction slash", "\342\205\223x\303\274.example/..", NULL },
		{ "leading hyphen", "-\303\274.example", NULL },
		{ "right to left mixed with left", "\327\220a\303\274.example", NULL },
		{ "label of 63", LONG_LABEL ".example", LONG_LABEL ".example" },
		{ "label of 64", LONG_LABEL "a.example", NULL },
		{ "label too long once encoded", LONG_LABEL "\303\274.example", NULL },
		{ "empty", "", NULL },
	};
	static const char untouched[] = "untouched";
	char out[STS_NAME_MAX + 1];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(out, untouched, sizeof(untouched));
		bool good = sts_idn_to_ascii(sts_str_of(cases[i].from), out) == STS_OK;
		const char *want = cases[i].to == NULL ? untouched : cases[i].to;

		CHECK(cases[i].name, good == (cases[i].to != NULL));
		CHECK(cases[i].name, strcmp(out, want) == 0);
		if (strcmp(out, want) != 0)
			fprintf(stderr, "\t%s: %s\n", cases[i].name, out);
	}
	CHECK("NUL inside",
	    sts_idn_to_ascii(STS_STR("\303\274\0.example"), out) == STS_ERR_NAME);
}

static void
check_too_long(void)
{
	char name[4096], out[STS_NAME_MAX + 1];
	size_t n = 0;

	while (n + 4 < sizeof(name)) {
		memcpy(name + n, "\303\274.", 3);
		n += 3;
	}
	for (size_t length = n; length > 90; length -= 3)
		CHECK("too many labels",
		    sts_idn_to_ascii((struct sts_str){ name, length }, out) ==
			    STS_ERR_NAME ||
			strlen(out) <= STS_NAME_MAX);
	CHECK("too long",
	    sts_idn_to_ascii((struct sts_str){ name, n }, out) == STS_ERR_NAME);
}

static void
check_to_unicode(void)
{
	static const struct {
		const char *name, *from, *to;
	} cases[] = {
		{ "umlaut", "xn--bcher-kva.example", "b\303\274cher.example" },
		{ "ASCII", "mail.example.org", "mail.example.org" },
		{ "not an A-label after all", "xn--99999999.example",
		    "xn--99999999.example" },
	};
	char out[64], little[22];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK(cases[i].name,
		    sts_idn_to_unicode(sts_str_of(cases[i].from), out, sizeof(out)) ==
			STS_OK);
		CHECK(cases[i].name, strcmp(out, cases[i].to) == 0);
	}
	CHECK("just fits",
	    sts_idn_to_unicode(STS_STR("xn--bcher-kva.example"), little, 22) == STS_OK);
	CHECK("room for the A-label only",
	    sts_idn_to_unicode(STS_STR("xn--fiqaaaaaaaaa"), little, 22) == STS_OK &&
		strcmp(little, "xn--fiqaaaaaaaaa") == 0);
	CHECK("no room",
	    sts_idn_to_unicode(STS_STR("xn--bcher-kva.example"), little, 15) ==
		STS_ERR_NAME);
}

int
main(void)
{
	check_to_ascii();
	check_too_long();
	check_to_unicode();
	return test_failed;
}
