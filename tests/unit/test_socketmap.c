/* SPDX-License-Identifier: MIT */
#include "socketmap.h"

#include "test.h"

int test_failed;

static const struct {
	const char *what;
	struct sts_str payload;
	enum pf_map map;
	struct sts_str key;
} cases[] = {
#define S(literal)                                                                       \
 {                                                                                       \
  (literal), sizeof(literal) - 1                                                         \
 }
	{ "a lookup", S("QUERY example.com"), PF_MAP_QUERY, S("example.com") },
	{ "with TLSRPT", S("QUERYwithTLSRPT example.com"), PF_MAP_QUERY_TLSRPT,
	    S("example.com") },
	{ "another name", S("postfix example.com"), PF_MAP_QUERY, S("example.com") },
	{ "names are case-sensitive", S("query example.com"), PF_MAP_OTHER,
	    S("example.com") },
	{ "also the long one", S("QUERYWITHTLSRPT a.b"), PF_MAP_OTHER, S("a.b") },
	{ "a longer name", S("QUERYING a.b"), PF_MAP_OTHER, S("a.b") },
	{ "a shorter name", S("QUER a.b"), PF_MAP_OTHER, S("a.b") },
	{ "no name", S(" a.b"), PF_MAP_OTHER, S("a.b") },
	{ "nothing", S(""), PF_MAP_OTHER, S("") },
	{ "no key", S("QUERY"), PF_MAP_QUERY, S("") },
	{ "an empty key", S("QUERY "), PF_MAP_QUERY, S("") },
	{ "blanks in the key", S("QUERY a b "), PF_MAP_QUERY, S("a b ") },
	{ "a NUL in the key", S("QUERY a\0b"), PF_MAP_QUERY, S("a\0b") },
	{ "a NUL in the name", S("QUERY\0 a"), PF_MAP_OTHER, S("a") },
	{ "TAB is no blank", S("QUERY\ta.b"), PF_MAP_OTHER, S("") },
#undef S
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sts_str key;

		CHECK(cases[i].what,
		    pf_request_parse(cases[i].payload, &key) == cases[i].map);
		CHECK(cases[i].what, sts_str_eq(key, cases[i].key));
	}
	CHECK("text",
	    sts_str_eq(sts_str_of(pf_map_text(PF_MAP_QUERY)), STS_STR("QUERY")));
	CHECK("text",
	    sts_str_eq(sts_str_of(pf_map_text(PF_MAP_QUERY_TLSRPT)),
		STS_STR("QUERYwithTLSRPT")));
	CHECK("text",
	    sts_str_eq(sts_str_of(pf_map_text(PF_MAP_OTHER)), STS_STR("other")));
	return test_failed;
}
