/* SPDX-License-Identifier: MIT */
#include "query_finding.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "query_exit.h"
#include "query_json.h"
#include "test.h"

int test_failed;

/* "ID ID ..." in the order found. */
static void
check_ids(const char *what, const struct query_findings *f, const char *want)
{
	struct sts_buf got = { 0 };

	for (size_t i = 0; i < f->count; i++) {
		if (i > 0)
			sts_put_char(&got, ' ');
		sts_put_text(&got, f->list[i].id);
	}
	CHECK(what, sts_str_eq(sts_buf_str(&got), sts_str_of(want)));
	if (!sts_str_eq(sts_buf_str(&got), sts_str_of(want)))
		fprintf(stderr, "  got %.*s\n", (int)got.n, got.p);
	sts_buf_done(&got);
}

static const struct {
	const char *what;
	const char *texts[3];
	const char *status;
	const char *id; /* NULL: none */
	const char *ids;
} records[] = {
	{ "fine", { "v=STSv1; id=1;" }, "ok", "1", "" },
	{ "fine, beside others", { "v=spf1 -all", "v=STSv1; id=a2;", "x" }, "ok", "a2",
	    "TXT05 TXT04" },
	{ "two", { "v=STSv1; id=1;", "v=STSv1; id=2;" }, "multiple", NULL, "TXT03" },
	{ "two, one broken", { "v=STSv1; id=1;", "v=STSv1; id=;" }, "multiple", NULL,
	    "TXT03 TXT08" },
	{ "broken", { "v=STSv1; id=a-b" }, "invalid", NULL, "TXT08" },
	{ "no semicolon", { "v=STSv1 id=1;" }, "invalid", NULL, "TXT07" },
	{ "broken before the first semicolon", { "v=STSv1" }, "invalid", NULL, "TXT08" },
	{ "capitals", { "v=stsv1; id=1;" }, "none", NULL, "TXT01 TXT12" },
	{ "a wildcard's SPF", { "v=spf1 -all" }, "none", NULL, "TXT01 TXT05" },
	{ "empty", { "" }, "none", NULL, "TXT01 TXT04" },
};

static void
test_records(void)
{
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		const char *what = records[i].what;
		struct query_findings f = { 0 };
		struct sts_str texts[3], id = STS_STR_NONE;
		enum sts_err err;
		size_t n = 0;

		for (; n < 3 && records[i].texts[n] != NULL; n++)
			texts[n] = sts_str_of(records[i].texts[n]);
		err = query_judge_record(&f, texts, n, &id);
		CHECK(what, strcmp(query_record_status(err), records[i].status) == 0);
		CHECK(what, sts_str_eq(id, sts_str_of(records[i].id)));
		check_ids(what, &f, records[i].ids);
		query_findings_done(&f);
	}
}

#define HEAD "version: STSv1\nmode: enforce\nmax_age: 604800\n"

static const struct {
	const char *what;
	const char *text;
	bool valid;
	const char *ids;
	int exit; /* over a domain that is protected otherwise */
} policies[] = {
	{ "fine", HEAD "mx: a.b\n", true, "", 0 },
	{ "testing", "version: STSv1\nmode: testing\nmax_age: 604800\nmx: a.b\n", true,
	    "POL15", 0 },
	{ "none", "version: STSv1\nmode: none\nmax_age: 604800\n", true, "POL16", 0 },
	{ "a warning", HEAD "mx: a.b.\n", true, "POL13", 2 },
	{ "an error", HEAD "mx: *\n", false, "POL11", 3 },
	{ "both", HEAD "mx: a.b.\nmx: c d\n", false, "POL13 POL10", 3 },
	{ "empty", "", false, "POL01 POL02 POL03", 3 },
};

static void
test_policies(void)
{
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		const char *what = policies[i].what;
		struct query_findings f = { 0 };
		struct sts_policy policy;

		CHECK(what,
		    (query_judge_policy(&f, sts_str_of(policies[i].text), &policy) ==
			STS_OK) == policies[i].valid);
		check_ids(what, &f, policies[i].ids);
		CHECK(what, query_worst(&f, 0) == policies[i].exit);
		query_findings_done(&f);
	}
}

/* The same mistake on every line is told twenty times. */
static void
test_many(void)
{
	struct query_findings f = { 0 };
	struct sts_buf text = { 0 };
	struct sts_policy policy;

	sts_put_text(&text, HEAD "mx: a.b\n");
	for (int i = 0; i < 5000; i++)
		sts_put_text(&text, "foo: bar\n");
	CHECK("many", query_judge_policy(&f, sts_buf_str(&text), &policy) == STS_OK);
	CHECK("many", query_count(&f, QUERY_WARNING) == 20);
	query_findings_done(&f);
	sts_buf_done(&text);
}

/* Ids are what people search for: each once, and well-formed. */
static void
test_table(void)
{
	for (int i = 0; i < QUERY_IDS; i++) {
		const char *id = query_id_text((enum query_id)i);
		size_t n = strlen(id);

		CHECK(id, n >= 4 && n <= 6);
		CHECK(id, strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == n - 2);
		for (int j = 0; j < i; j++)
			CHECK(id, strcmp(id, query_id_text((enum query_id)j)) != 0);
	}
}

static const struct {
	int a, b, want;
} exits[] = {
	{ 0, 0, 0 },
	{ 0, 1, 1 },
	{ 2, 1, 2 },
	{ 2, 4, 4 },
	{ 4, 3, 3 },
	{ 3, 0, 3 },
};

static void
test_exits(void)
{
	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
		CHECK("worse", query_exit_worse(exits[i].a, exits[i].b) == exits[i].want);
		CHECK("worse", query_exit_worse(exits[i].b, exits[i].a) == exits[i].want);
	}
}

int
main(void)
{
	test_records();
	test_policies();
	test_many();
	test_table();
	test_exits();
	return test_failed;
}
