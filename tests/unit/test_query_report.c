/* SPDX-License-Identifier: MIT */
/* Reports made from made-up facts: verdict, findings, exit status, reply, both texts. */
#include "query_report.h"

#include <stdlib.h>
#include <string.h>

#include "query_json.h"
#include "query_text.h"
#include "record.h"
#include "test.h"

int test_failed;

#define NOW 1000000
#define ENFORCE "version: STSv1\nmode: enforce\nmax_age: 604800\n"
#define TESTING "version: STSv1\nmode: testing\nmax_age: 604800\n"

static const struct {
	const char *what;
	enum sts_err record_err;
	const char *record;
	enum sts_err mx_err;
	const char *mx[2];
	enum sts_err host_err; /* STS_OK: one address */
	enum sts_err fetch_err;
	const char *policy;
	const char *override;
	enum query_verdict verdict;
	int exit;
	const char *ids;
	const char *reply;
} cases[] = {
	{ "protected", STS_OK, "v=STSv1; id=1;", STS_OK, { "a.b.c" }, STS_OK, STS_OK,
	    ENFORCE "mx: *.b.c\n", NULL, QUERY_ENFORCE, 0, "",
	    "OK secure match=a.b.c servername=hostname" },
	{ "one host outside", STS_OK, "v=STSv1; id=1;", STS_OK, { "a.b.c", "x.y" },
	    STS_OK, STS_OK, ENFORCE "mx: *.b.c\n", NULL, QUERY_ENFORCE, 2, "MXP02",
	    "OK secure match=a.b.c servername=hostname" },
	{ "a pattern of no use", STS_OK, "v=STSv1; id=1;", STS_OK, { "a.b.c" }, STS_OK,
	    STS_OK, ENFORCE "mx: *.b.c\nmx: d.e\n", NULL, QUERY_ENFORCE, 0, "MXP03",
	    "OK secure match=a.b.c:d.e servername=hostname" },
	{ "moved away", STS_OK, "v=STSv1; id=1;", STS_OK, { "x.y" }, STS_OK, STS_OK,
	    ENFORCE "mx: *.b.c\n", NULL, QUERY_DEFERRED, 3, "MXP01",
	    "OK secure match=no-mx-matches-the-policy.invalid servername=hostname" },
	{ "moved away, testing", STS_OK, "v=STSv1; id=1;", STS_OK, { "x.y" }, STS_OK,
	    STS_OK, TESTING "mx: *.b.c\n", NULL, QUERY_TESTING, 2, "MXP01 POL15",
	    "OK may" },
	{ "testing", STS_OK, "v=STSv1; id=1;", STS_OK, { "a.b.c" }, STS_OK, STS_OK,
	    TESTING "mx: *.b.c\n", NULL, QUERY_TESTING, 1, "POL15", "OK may" },
	{ "no record", STS_ERR_DNS_NXDOMAIN, NULL, STS_OK, { "a.b.c" }, STS_OK, STS_OK,
	    NULL, NULL, QUERY_NONE, 1, "TXT01", "NOTFOUND " },
	{ "no domain", STS_ERR_DNS_NXDOMAIN, NULL, STS_ERR_DNS_NXDOMAIN, { NULL }, STS_OK,
	    STS_OK, NULL, NULL, QUERY_NONE, 1, "DOM01 TXT01", "NOTFOUND " },
	{ "broken record", STS_OK, "v=STSv1; id=-", STS_OK, { "a.b.c" }, STS_OK, STS_OK,
	    NULL, NULL, QUERY_NONE, 3, "TXT08", "NOTFOUND " },
	{ "record lookup failed", STS_ERR_DNS_SERVFAIL, NULL, STS_OK, { "a.b.c" }, STS_OK,
	    STS_OK, NULL, NULL, QUERY_UNKNOWN, 4, "TXT02 ENV05", "NOTFOUND " },
	{ "no policy host", STS_OK, "v=STSv1; id=1;", STS_OK, { "a.b.c" },
	    STS_ERR_DNS_NXDOMAIN, STS_ERR_FETCH_DNS, NULL, NULL, QUERY_NONE, 3, "HST01",
	    "NOTFOUND " },
	{ "policy host lookup failed", STS_OK, "v=STSv1; id=1;", STS_OK, { "a.b.c" },
	    STS_ERR_DNS_TIMEOUT, STS_ERR_FETCH_DNS, NULL, NULL, QUERY_NONE, 4, "HST04",
	    "NOTFOUND " },
	{ "broken policy", STS_OK, "v=STSv1; id=1;", STS_OK, { "a.b.c" }, STS_OK,
	    STS_ERR_POLICY_SYNTAX, ENFORCE, NULL, QUERY_NONE, 3, "POL06", "NOTFOUND " },
	{ "null MX", STS_ERR_DNS_NXDOMAIN, NULL, STS_OK, { "" }, STS_OK, STS_OK, NULL,
	    NULL, QUERY_NONE, 1, "MX03 TXT01", "NOTFOUND " },
	{ "implicit MX", STS_OK, "v=STSv1; id=1;", STS_ERR_DNS_NODATA, { NULL }, STS_OK,
	    STS_OK, ENFORCE "mx: dom.example\n", NULL, QUERY_ENFORCE, 0, "MX02",
	    "OK secure match=dom.example servername=hostname" },
	{ "MX lookup failed", STS_OK, "v=STSv1; id=1;", STS_ERR_DNS_REFUSED, { NULL },
	    STS_OK, STS_OK, ENFORCE "mx: *.b.c\n", NULL, QUERY_ENFORCE, 4, "MX01",
	    "OK secure match=.b.c servername=hostname" },
	{ "an odd host", STS_OK, "v=STSv1; id=1;", STS_OK, { "a.b.c", "m_x.b.c" }, STS_OK,
	    STS_OK, ENFORCE "mx: *.b.c\n", NULL, QUERY_ENFORCE, 2, "MX07 MXP02 POL17",
	    "OK secure match=a.b.c servername=hostname" },
	{ "overridden to DANE", STS_OK, "v=STSv1; id=1;", STS_OK, { "a.b.c" }, STS_OK,
	    STS_OK, ENFORCE "mx: *.b.c\n", "OK dane-only", QUERY_DANE, 0, "CAC06",
	    "OK dane-only" },
	{ "overridden", STS_OK, "v=STSv1; id=1;", STS_OK, { "a.b.c" }, STS_OK, STS_OK,
	    ENFORCE "mx: *.b.c\n", "NOTFOUND ", QUERY_NONE, 1, "CAC06", "NOTFOUND " },
};

static void
check_ids(const char *what, const struct query_report *r, const char *want)
{
	struct sts_buf got = { 0 };

	for (size_t i = 0; i < r->findings.count; i++) {
		if (i > 0)
			sts_put_char(&got, ' ');
		sts_put_text(&got, r->findings.list[i].id);
	}
	CHECK(what, sts_str_eq(sts_buf_str(&got), sts_str_of(want)));
	if (!sts_str_eq(sts_buf_str(&got), sts_str_of(want)))
		fprintf(stderr, "  got %.*s\n", (int)got.n, got.p);
	sts_buf_done(&got);
}

/* What the facts of a case leave behind. */
static void
make_entry(size_t i, struct sts_entry *e)
{
	struct sts_str text = sts_str_of(cases[i].policy), id;
	struct sts_policy policy;

	*e = (struct sts_entry){ .record_at = NOW,
		.record_ttl = 300,
		.record_err = cases[i].record_err,
		.record_ede = -1,
		.mx_at = NOW,
		.mx_ttl = 300,
		.mx_err = cases[i].mx_err,
		.failed_err = cases[i].fetch_err };
	if (cases[i].record != NULL) {
		struct sts_str record = sts_str_of(cases[i].record);

		e->record_err = sts_record_pick(&record, 1, &id);
	}
	if (cases[i].fetch_err != STS_OK)
		e->failed_at = NOW;
	else if (text.n > 0 && sts_policy_parse(text, &policy, NULL, NULL) == STS_OK) {
		e->fetched = NOW;
		e->max_age = policy.max_age;
		e->mode = policy.mode;
		e->policy = text;
	}
	for (size_t n = 0; n < 2 && cases[i].mx[n] != NULL; n++) {
		if (cases[i].mx[n][0] == '\0')
			e->mx_null = true;
		else
			e->mx[e->mx_count++] =
			    (struct sts_mx_seen){ NOW, 10, sts_str_of(cases[i].mx[n]) };
	}
}

static void
tell_facts(size_t i, struct query_report *r)
{
	static const uint16_t preferences[] = { 10, 20 };
	static const struct sts_addr address = { { 192, 0, 2, 1 }, false };
	struct sts_str record = sts_str_of(cases[i].record), mx[2];
	struct sts_fact fact = { .err = cases[i].record_err, .ede = -1, .ttl = 300 };

	if (cases[i].record != NULL) {
		fact.texts = &record;
		fact.count = 1;
	}
	query_report_fact(r, STS_NEED_RECORD, &fact, 1);
	fact = (struct sts_fact){ .err = cases[i].mx_err,
		.ede = -1,
		.texts = mx,
		.preferences = preferences };
	for (; fact.count < 2 && cases[i].mx[fact.count] != NULL; fact.count++)
		mx[fact.count] = sts_str_of(cases[i].mx[fact.count]);
	query_report_fact(r, STS_NEED_MX, &fact, 1);
	if (cases[i].host_err != STS_OK || cases[i].policy != NULL) {
		fact = (struct sts_fact){ .err = cases[i].host_err,
			.ede = -1,
			.addresses = &address,
			.count = cases[i].host_err == STS_OK };
		query_report_fact(r, STS_NEED_HOST, &fact, 1);
	}
	if (cases[i].policy != NULL) {
		struct sts_fetched fetched = { .err = STS_OK,
			.why = "",
			.status = 200,
			.media_type = STS_STR("text/plain"),
			.address = address,
			.has_address = true };

		query_report_fetched(r, &fetched);
		fact = (struct sts_fact){ .err = STS_OK,
			.ede = -1,
			.body = sts_str_of(cases[i].policy) };
		query_report_fact(r, STS_NEED_POLICY, &fact, 1);
	}
}

static bool
is_plain(struct sts_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\n' && (s.p[i] < 0x20 || s.p[i] > 0x7e))
			return false;
	return true;
}

/* Both writers take every report; their exact words are nobody's interface. */
static void
check_writers(const char *what, const struct query_report *r)
{
	static const struct query_look look = { false, false, true };
	struct sts_buf b = { 0 };

	query_text_report(&b, r, &look);
	CHECK(what, !b.bad && b.n > 0 && is_plain(sts_buf_str(&b)));
	sts_buf_clear(&b);
	query_json_report(&b, r);
	CHECK(what, !b.bad && b.n > 2 && b.p[0] == '{' && b.p[b.n - 2] == '}');
	CHECK(what, memchr(b.p, '\n', b.n) == b.p + b.n - 1);
	sts_buf_done(&b);
}

static const struct sts_rules rules = { .refresh_interval = 86400, .may = true };
static const struct pf_reply_style style = { true, true, 65536 };

#define CONTEXT                                                                          \
 {                                                                                       \
  .rules = &rules, .style = &style, .now = NOW, .servers = "192.0.2.53"                  \
 }

static void
start(struct query_report *r, const char *word)
{
	query_report_start(r, word, NOW);
	r->is_domain = sts_key_parse(sts_str_of(word), &r->key) == STS_OK;
}

/* Nothing but host names gets into what people paste into a shell. */
static bool
is_safe_for_shell(struct sts_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr(
			"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			" ./:'[]-",
			s.p[i]) == NULL ||
		    s.p[i] == '\0')
			return false;
	return true;
}

static void
test_cases(void)
{
	static struct sts_entry entry;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *what = cases[i].what;
		struct query_context context = CONTEXT;
		struct query_report r;

		context.override = sts_str_of(cases[i].override);
		start(&r, "dom.example");
		tell_facts(i, &r);
		make_entry(i, &entry);
		query_report_conclude(&r, STS_OK, STS_HOPE_DONE, &entry, &context);
		CHECK(what, r.verdict == cases[i].verdict);
		CHECK(what, r.exit == cases[i].exit);
		CHECK(what, sts_str_eq(r.reply, sts_str_of(cases[i].reply)));
		check_ids(what, &r, cases[i].ids);
		check_writers(what, &r);
		CHECK(what,
		    is_safe_for_shell(r.proof) && is_safe_for_shell(r.proof_by_host));
		query_report_done(&r);
	}
}

static void
test_without_journey(void)
{
	struct query_context context = CONTEXT;
	struct query_report r;

	start(&r, "local\x1bhost");
	query_report_conclude(&r, STS_OK, STS_HOPE_DONE, NULL, &context);
	CHECK("no domain", r.verdict == QUERY_NONE && r.exit == 1);
	check_ids("no domain", &r, "DOM04");
	check_writers("no domain", &r);
	query_report_done(&r);

	start(&r, "dom.example");
	query_report_conclude(&r, STS_ERR_OVERLOADED, STS_HOPE_AWAY, NULL, &context);
	CHECK("overloaded", r.verdict == QUERY_UNKNOWN && r.exit == 4);
	CHECK("overloaded", sts_str_eq(r.reply, STS_STR("TEMP dom.example: overloaded")));
	check_writers("overloaded", &r);
	query_report_done(&r);
}

#define EVIL STS_STR("\x1b[31m\xe2\x80\xae\"\r\n\x9b$(id)`;'\\\0\xff")

static void
tell_evil_asides(struct query_report *r, struct sts_str text)
{
	static struct sts_dns_answer answer;

	answer = (struct sts_dns_answer){ .ede = -1,
		.final_name = text,
		.chain = 1,
		.count = 1 };
	answer.rr[0].data = text;
	for (int i = 0; i < QUERY_ASIDES; i++)
		query_report_aside(r, (enum query_aside)i, &answer, 1);
}

static void
tell_evil_fetch(struct query_report *r)
{
	struct sts_addr address = { { 192, 0, 2, 1 }, false };
	struct sts_fact fact = { .addresses = &address, .count = 1, .ede = -1 };
	struct sts_fetched fetched = { .err = STS_ERR_FETCH_MEDIA_TYPE,
		.why = "an evil \x1b[31m media type",
		.media_type = EVIL,
		.status = 200 };

	query_report_fact(r, STS_NEED_HOST, &fact, 1);
	query_report_fetched(r, &fetched);
	fact = (struct sts_fact){ .ede = -1, .body = EVIL };
	query_report_fact(r, STS_NEED_POLICY, &fact, 1);
}

/* What a stranger publishes arrives escaped, wherever he does. */
static void
test_escapes(void)
{
	static const struct sts_str texts[] = { STS_STR("v=STSv1; id=\x1b[31m\"\r\n"),
		STS_STR("v=STSv1; id=1;"), STS_STR("v=TLSRPTv1; rua=\x9b[31m,x"), EVIL };
	static const uint16_t preferences[] = { 1, 2, 3, 4 };
	struct query_context context = CONTEXT;
	struct query_known known = { .err = QUERY_CONTROL_TROUBLE,
		.why = EVIL,
		.version = EVIL };
	struct query_smtp smtp = { .host = EVIL,
		.used = true,
		.stage = STS_SMTP_GREETING,
		.err = STS_SMTP_GARBAGE,
		.text = EVIL,
		.banner = EVIL };
	static struct sts_entry entry;

	context.verbose = true;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct sts_fact fact = { .texts = texts,
			.preferences = preferences,
			.count = 4,
			.ede = -1 };
		struct query_report r;

		start(&r, "dom.example");
		query_report_fact(&r, STS_NEED_MX, &fact, 1);
		fact.texts = &texts[i];
		fact.count = 1;
		query_report_fact(&r, STS_NEED_RECORD, &fact, 1);
		tell_evil_asides(&r, texts[i]);
		tell_evil_fetch(&r);
		query_report_known(&r, &known);
		entry = (struct sts_entry){ .record_at = NOW,
			.record_err = STS_ERR_RECORD_SYNTAX,
			.fetched = NOW,
			.max_age = 86400,
			.mode = STS_MODE_ENFORCE,
			.policy = STS_STR(ENFORCE "mx: *.b.c\n") };
		query_report_conclude(&r, STS_OK, STS_HOPE_DONE, &entry, &context);
		CHECK("escapes", r.findings.count > 5 && is_safe_for_shell(r.proof));
		check_writers("escapes", &r);
		query_report_smtp(&r, &smtp, 1, &context);
		check_writers("escapes", &r);
		query_report_done(&r);
	}
}

int
main(void)
{
	test_cases();
	test_without_journey();
	test_escapes();
	return test_failed;
}
