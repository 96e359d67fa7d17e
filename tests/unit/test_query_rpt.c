/* SPDX-License-Identifier: MIT */
/* TLSRPT records: what is one, what is wrong with it and where. */
#include "query_rpt.h"

#include <string.h>

#include "test.h"

int test_failed;

static const struct {
	const char *text;
	const char *rua[2]; /* NULL, NULL: malformed */
	size_t at;	    /* then: where, from 0 */
} records[] = {
	{ "v=TLSRPTv1; rua=mailto:a@b.example", { "mailto:a@b.example" }, 0 },
	{ "v=TLSRPTv1;rua=mailto:a@b.example;", { "mailto:a@b.example" }, 0 },
	{ "v=TLSRPTv1 \t; \trua=mailto:a@b.example \t; ", { "mailto:a@b.example" }, 0 },
	{ "v=TLSRPTv1; rua=mailto:a@b.example,https://b.example/x?y=%2c",
	    { "mailto:a@b.example", "https://b.example/x?y=%2c" }, 0 },
	{ "v=TLSRPTv1; rua=mailto:a@b.example \t, https://b.example/;",
	    { "mailto:a@b.example", "https://b.example/" }, 0 },
	{ "v=TLSRPTv1; x.y-z_=\"1\"; rua=mailto:a@b.example", { "mailto:a@b.example" },
	    0 },
	{ "v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:second@b.example",
	    { "mailto:a@b.example" }, 0 },
	{ "v=TLSRPTv1; rua=http://b.example", { "http://b.example" }, 0 },
	{ "v=TLSRPTv1", { NULL }, 10 },
	{ "v=TLSRPTv1;", { NULL }, 11 },
	{ "v=TLSRPTv2; rua=mailto:a@b.example", { NULL }, 0 },
	{ "v=tlsrptv1; rua=mailto:a@b.example", { NULL }, 0 },
	{ " v=TLSRPTv1; rua=mailto:a@b.example", { NULL }, 0 },
	{ "v=TLSRPTv1 rua=mailto:a@b.example", { NULL }, 11 },
	{ "v=TLSRPTv1; rua=", { NULL }, 16 },
	{ "v=TLSRPTv1; rua=a@b.example", { NULL }, 16 },
	{ "v=TLSRPTv1; rua=mailto:", { NULL }, 16 },
	{ "v=TLSRPTv1; rua=:a@b.example", { NULL }, 16 },
	{ "v=TLSRPTv1; rua=mailto:a@b.example!10m", { NULL }, 34 },
	{ "v=TLSRPTv1; rua=mailto:a@b.example,", { NULL }, 35 },
	{ "v=TLSRPTv1; rua=mailto:a@b.example, b@b.example", { NULL }, 36 },
	{ "v=TLSRPTv1; rua=mailto:a@b.example mailto:c@b.example", { NULL }, 35 },
	{ "v=TLSRPTv1; rua=mailto:a@b.example ", { NULL }, 35 },
	{ "v=TLSRPTv1; ruf=mailto:a@b.example", { NULL }, 34 },
	{ "v=TLSRPTv1; rua", { NULL }, 15 },
	{ "v=TLSRPTv1; x=; rua=mailto:a@b.example", { NULL }, 14 },
	{ "v=TLSRPTv1; x=a=b; rua=mailto:a@b.example", { NULL }, 15 },
	{ "v=TLSRPTv1; -x=1; rua=mailto:a@b.example", { NULL }, 12 },
	{ "v=TLSRPTv1;; rua=mailto:a@b.example", { NULL }, 11 },
	{ "v=TLSRPTv1; abcdefghijklmnopqrstuvwxyz0123456=1; rua=mailto:a@b", { NULL },
	    44 },
};

static void
test_records(void)
{
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		const char *what = records[i].text;
		bool good = records[i].rua[0] != NULL;
		struct query_rpt rpt;
		enum sts_err err = query_rpt_parse(sts_str_of(what), &rpt);

		CHECK(what, err == (good ? STS_OK : STS_ERR_RECORD_SYNTAX));
		CHECK(what, rpt.err == err);
		CHECK(what, (rpt.problem.text == NULL) == good);
		CHECK(what, good || rpt.problem.at == records[i].at);
		if (!good && rpt.problem.at != records[i].at)
			fprintf(stderr, "  at %zu: %s\n", rpt.problem.at,
			    rpt.problem.text);
		if (!good)
			continue;
		CHECK(what, rpt.rua_count == (records[i].rua[1] == NULL ? 1u : 2u));
		for (size_t n = 0; n < rpt.rua_count; n++)
			CHECK(what,
			    sts_str_eq(rpt.rua[n], sts_str_of(records[i].rua[n])));
	}
}

static const struct {
	const char *what;
	const char *texts[3];
	enum sts_err err;
} sets[] = {
	{ "none", { NULL }, STS_ERR_RECORD_NONE },
	{ "another", { "v=spf1 -all" }, STS_ERR_RECORD_NONE },
	{ "one", { "v=TLSRPTv1; rua=mailto:a@b" }, STS_OK },
	{ "one beside another", { "x", "v=TLSRPTv1; rua=mailto:a@b" }, STS_OK },
	{ "two", { "v=TLSRPTv1; rua=mailto:a@b", "v=TLSRPTv1; rua=mailto:c@b" },
	    STS_ERR_RECORD_MANY },
	{ "two, one malformed", { "v=TLSRPTv1; rua=mailto:a@b", "v=TLSRPTv1;" },
	    STS_ERR_RECORD_MANY },
	{ "alone, with a blank", { "v=TLSRPTv1 ; rua=mailto:a@b" }, STS_OK },
	{ "with a blank, beside another", { "v=TLSRPTv1 ; rua=mailto:a@b", "x" },
	    STS_ERR_RECORD_NONE },
	{ "malformed", { "v=TLSRPTv1; rua=b" }, STS_ERR_RECORD_SYNTAX },
};

static void
test_sets(void)
{
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct sts_str texts[3];
		struct query_rpt rpt;
		size_t n = 0;

		for (; n < 3 && sets[i].texts[n] != NULL; n++)
			texts[n] = sts_str_of(sets[i].texts[n]);
		query_rpt_pick(texts, n, &rpt);
		CHECK(sets[i].what, rpt.err == sets[i].err);
	}
}

/* A record may name more addresses than anybody keeps. */
static void
test_many(void)
{
	char text[1024] = "v=TLSRPTv1; rua=mailto:a@b";
	struct query_rpt rpt;

	for (int i = 0; i < 40; i++)
		strcat(text, ",mailto:a@b");
	CHECK("many", query_rpt_parse(sts_str_of(text), &rpt) == STS_OK);
	CHECK("many", rpt.rua_count == QUERY_RUA_MAX);
}

static const struct {
	const char *uri;
	bool usable;
} addresses[] = {
	{ "mailto:a@b", true },
	{ "MailTo:a@b", true },
	{ "https://b/x", true },
	{ "HTTPS://b/x", true },
	{ "http://b/x", false },
	{ "ftp://b/x", false },
	{ "mailto:", false },
	{ "", false },
};

static void
test_addresses(void)
{
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		CHECK(addresses[i].uri,
		    query_rua_is_usable(sts_str_of(addresses[i].uri)) ==
			addresses[i].usable);
}

int
main(void)
{
	test_records();
	test_sets();
	test_many();
	test_addresses();
	return test_failed;
}
