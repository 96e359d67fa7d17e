/* SPDX-License-Identifier: MIT */
/* What is cached, held against what is found now: which of the two decides, and what is
 * said of it. */
#include <string.h>

#include "query_judge.h"
#include "test.h"

int test_failed;

#define NOW 1795305600
#define DAY 86400
#define POLICY(mode, mx) "version: STSv1\nmode: " mode "\nmax_age: 604800\nmx: " mx "\n"
#define ENFORCE POLICY("enforce", "*.b.c")
#define TESTING POLICY("testing", "*.b.c")
#define REPLY "OK secure match=a.b.c servername=hostname"

static const struct {
	const char *what;
	const char *now; /* NULL: the fetch fails */
	const char *then;
	const char *id;
	int64_t age;
	uint16_t failures;
	bool no_record;
	int64_t clock; /* how far the daemon's is ahead */
	bool from_cache;
	int exit;
	const char *ids;
	const char *reply;
	const char *reply_cached;
} cases[] = {
	{ .what = "the same",
	    .now = ENFORCE,
	    .then = ENFORCE,
	    .id = "1",
	    .reply = REPLY },
	{ .what = "written otherwise",
	    .now = ENFORCE,
	    .then = "version: STSv1\r\nmx: *.B.c\r\nmode: enforce\r\nmax_age: 604800\r\n",
	    .id = "1",
	    .reply = REPLY },
	{ .what = "weaker before, and the id is another",
	    .now = ENFORCE,
	    .then = TESTING,
	    .id = "0",
	    .ids = "CAC05",
	    .reply = REPLY,
	    .reply_cached = "OK may" },
	{ .what = "weaker before, and the id is the same",
	    .now = ENFORCE,
	    .then = TESTING,
	    .id = "1",
	    .exit = 2,
	    .ids = "CAC05 TXT09",
	    .reply = REPLY,
	    .reply_cached = "OK may" },
	{ .what = "other hosts before",
	    .now = ENFORCE,
	    .then = POLICY("enforce", "*.x.y"),
	    .id = "0",
	    .ids = "MXP05 CAC05",
	    .reply = REPLY },
	{ .what = "no policy now",
	    .then = ENFORCE,
	    .id = "1",
	    .from_cache = true,
	    .exit = 3,
	    .ids = "HTTP09 CAC08",
	    .reply = REPLY },
	{ .what = "no policy now, and it is called for",
	    .then = ENFORCE,
	    .id = "0",
	    .from_cache = true,
	    .exit = 3,
	    .ids = "HTTP09 TXT11 CAC08",
	    .reply = REPLY },
	{ .what = "no policy now, and not for some time",
	    .then = ENFORCE,
	    .id = "1",
	    .failures = 3,
	    .from_cache = true,
	    .exit = 3,
	    .ids = "HTTP09 CAC03 CAC02 CAC08",
	    .reply = REPLY },
	{ .what = "again a policy now",
	    .now = ENFORCE,
	    .then = ENFORCE,
	    .id = "1",
	    .failures = 3,
	    .ids = "CAC02 CAC03",
	    .reply = REPLY },
	{ .what = "the record is gone",
	    .then = ENFORCE,
	    .id = "1",
	    .no_record = true,
	    .from_cache = true,
	    .ids = "TXT01 CAC08",
	    .reply = REPLY },
	{ .what = "no policy now, and the cached one has expired",
	    .then = ENFORCE,
	    .id = "1",
	    .age = 8 * DAY,
	    .exit = 3,
	    .ids = "HTTP09 CAC04",
	    .reply = "NOTFOUND " },
	{ .what = "the last second",
	    .then = ENFORCE,
	    .id = "1",
	    .age = 7 * DAY - 1,
	    .from_cache = true,
	    .exit = 3,
	    .ids = "HTTP09 CAC08",
	    .reply = REPLY },
	{ .what = "no more",
	    .then = ENFORCE,
	    .id = "1",
	    .age = 7 * DAY,
	    .exit = 3,
	    .ids = "HTTP09 CAC04",
	    .reply = "NOTFOUND " },
	{ .what = "the last second, by another clock",
	    .then = ENFORCE,
	    .id = "1",
	    .age = 7 * DAY - 1,
	    .clock = 3 * DAY,
	    .from_cache = true,
	    .exit = 3,
	    .ids = "HTTP09 CAC08",
	    .reply = REPLY },
	{ .what = "a new policy, and the cached one has expired",
	    .now = ENFORCE,
	    .then = ENFORCE,
	    .id = "1",
	    .age = 8 * DAY,
	    .reply = REPLY },
	{ .what = "no policy now, testing before",
	    .then = TESTING,
	    .id = "1",
	    .from_cache = true,
	    .exit = 3,
	    .ids = "HTTP09 CAC08",
	    .reply = "OK may" },
};

static void
tell_mx(struct query_report *r, struct sts_entry *e)
{
	static const struct sts_str host = STS_STR("a.b.c");
	static const uint16_t preference = 10;
	struct sts_fact fact = { .ede = -1,
		.texts = &host,
		.preferences = &preference,
		.count = 1 };

	query_report_fact(r, STS_NEED_MX, &fact, 1);
	e->mx_at = NOW;
	e->mx_ttl = 300;
	e->mx[e->mx_count++] = (struct sts_mx_seen){ NOW, 10, host };
}

static void
tell_record(struct query_report *r, struct sts_entry *e, bool none)
{
	static const struct sts_str record = STS_STR("v=STSv1; id=1;");
	struct sts_fact fact = { .err = none ? STS_ERR_DNS_NXDOMAIN : STS_OK,
		.ede = -1,
		.texts = &record,
		.count = none ? 0 : 1 };

	query_report_fact(r, STS_NEED_RECORD, &fact, 1);
	e->record_at = NOW;
	e->record_ttl = 300;
	e->record_err = none ? STS_ERR_DNS_NXDOMAIN : STS_OK;
}

static void
tell_policy(struct query_report *r, struct sts_entry *e, const char *text)
{
	struct sts_addr address = { { 192, 0, 2, 80 }, false };
	struct sts_fact fact = { .ede = -1, .addresses = &address, .count = 1 };
	struct sts_fetched fetched = { .err =
					   text == NULL ? STS_ERR_FETCH_CONNECT : STS_OK,
		.why = "" };
	struct sts_policy policy;

	query_report_fact(r, STS_NEED_HOST, &fact, 1);
	query_report_fetched(r, &fetched);
	if (text == NULL) {
		e->failed_at = NOW;
		e->failed_err = STS_ERR_FETCH_CONNECT;
		return;
	}
	fact = (struct sts_fact){ .ede = -1, .body = sts_str_of(text) };
	query_report_fact(r, STS_NEED_POLICY, &fact, 1);
	CHECK(text, sts_policy_parse(fact.body, &policy, NULL, NULL) == STS_OK);
	e->fetched = NOW;
	e->policy = fact.body;
	e->max_age = policy.max_age;
	e->mode = policy.mode;
}

static void
tell_cached(size_t i, struct query_report *r)
{
	static struct sts_entry e;
	struct query_known known = { .entry = &e, .now = NOW + cases[i].clock };
	struct sts_policy policy;

	e = (struct sts_entry){ .fetched = known.now - cases[i].age,
		.policy = sts_str_of(cases[i].then),
		.id = sts_str_of(cases[i].id),
		.record_at = known.now,
		.record_ttl = 300,
		.record_id = sts_str_of(cases[i].id),
		.mx_at = known.now,
		.mx_ttl = 300,
		.mx_count = 1,
		.mx = { { known.now, 10, STS_STR("a.b.c") } },
		.failures = cases[i].failures,
		.failed_err = STS_ERR_FETCH_TIMEOUT };
	if (e.failures > 0)
		e.failed_at = e.tried = known.now - 120;
	CHECK(cases[i].what, sts_policy_parse(e.policy, &policy, NULL, NULL) == STS_OK);
	e.max_age = policy.max_age;
	e.mode = policy.mode;
	query_report_known(r, &known);
	/* What was told is the report's now. */
	memset(&e, 0xff, sizeof(e));
}

static void
check_ids(const char *what, const struct query_report *r, struct sts_str want)
{
	struct sts_buf got = { 0 };

	for (size_t i = 0; i < r->findings.count; i++) {
		sts_put_text(&got, i > 0 ? " " : "");
		sts_put_text(&got, r->findings.list[i].id);
	}
	CHECK(what, sts_str_eq(sts_buf_str(&got), want));
	if (!sts_str_eq(sts_buf_str(&got), want))
		fprintf(stderr, "  got %.*s\n", (int)got.n, got.p);
	sts_buf_done(&got);
}

static void
check(size_t i)
{
	static const struct sts_rules rules = { .refresh_interval = DAY, .may = true };
	static const struct pf_reply_style style = { true, true, 65536 };
	static struct sts_entry entry;
	struct query_context context = { .rules = &rules, .style = &style, .now = NOW };
	const char *what = cases[i].what;
	struct query_report r;

	entry = (struct sts_entry){ 0 };
	query_report_start(&r, "dom.example", NOW);
	r.is_domain = sts_key_parse(STS_STR("dom.example"), &r.key) == STS_OK;
	tell_mx(&r, &entry);
	tell_record(&r, &entry, cases[i].no_record);
	if (!cases[i].no_record)
		tell_policy(&r, &entry, cases[i].now);
	tell_cached(i, &r);
	query_report_conclude(&r, STS_OK, STS_HOPE_DONE, &entry, &context);
	CHECK(what, r.from_cache == cases[i].from_cache);
	CHECK(what, r.exit == cases[i].exit);
	CHECK(what, sts_str_eq(r.reply, sts_str_of(cases[i].reply)));
	CHECK(what, sts_str_eq(r.reply_cached, sts_str_of(cases[i].reply_cached)));
	check_ids(what, &r, sts_str_of(cases[i].ids));
	query_report_done(&r);
}

/* A report of a domain without MTA-STS, and whether a daemon could be asked. */
static const struct {
	const char *what;
	enum query_control_err err;
	const char *version; /* NULL: ours */
	bool has_entry;
	const char *ids;
	size_t warnings;
} daemons[] = {
	{ "knows it", QUERY_CONTROL_OK, NULL, true, "TXT01", 0 },
	{ "does not know it", QUERY_CONTROL_NONE, NULL, false, "TXT01", 0 },
	{ "of another version", QUERY_CONTROL_NONE, "0.0.9", false, "ENV09 TXT01", 1 },
	{ "switched off", QUERY_CONTROL_OFF, "", false, "TXT01 ENV08", 0 },
	{ "away", QUERY_CONTROL_AWAY, "", false, "TXT01 ENV08", 0 },
	{ "away, its cache is here", QUERY_CONTROL_AWAY, "", true, "TXT01", 0 },
	{ "closed", QUERY_CONTROL_DENIED, "", false, "ENV08 TXT01", 1 },
	{ "of another language", QUERY_CONTROL_VERSION, "", false, "ENV08 TXT01", 1 },
	{ "in trouble", QUERY_CONTROL_TROUBLE, "", false, "ENV08 TXT01", 1 },
};

static void
check_daemon(size_t i)
{
	static const struct sts_entry cached = { .record_at = NOW, .record_ede = -1 };
	static const struct sts_rules rules = { .refresh_interval = DAY };
	static const struct pf_reply_style style = { true, true, 65536 };
	static struct sts_entry entry;
	struct query_context context = { .rules = &rules, .style = &style, .now = NOW };
	struct query_known known = { .err = daemons[i].err,
		.version = sts_str_of(
		    daemons[i].version != NULL ? daemons[i].version : STSD_VERSION),
		.why = STS_STR("because"),
		.entry = daemons[i].has_entry ? &cached : NULL };
	const char *what = daemons[i].what;
	struct query_report r;

	entry = (struct sts_entry){ 0 };
	query_report_start(&r, "dom.example", NOW);
	r.is_domain = sts_key_parse(STS_STR("dom.example"), &r.key) == STS_OK;
	tell_record(&r, &entry, true);
	query_report_known(&r, &known);
	query_report_conclude(&r, STS_OK, STS_HOPE_DONE, &entry, &context);
	check_ids(what, &r, sts_str_of(daemons[i].ids));
	CHECK(what, query_count(&r.findings, QUERY_WARNING) == daemons[i].warnings);
	query_report_done(&r);
}

/* What has changed, in words. */
static const struct {
	const char *then, *now, *words;
} changes[] = {
	{ POLICY("testing", "a.b"), POLICY("enforce", "a.b"), "mode testing -> enforce" },
	{ POLICY("enforce", "a.b"), POLICY("enforce", "c.d"), "+ c.d, - a.b" },
	{ POLICY("testing", "a.b"), POLICY("enforce", "A.b\nmx: c.d"),
	    "mode testing -> enforce, + c.d" },
	{ "version: STSv1\nmode: enforce\nmax_age: 86400\nmx: a.b\n",
	    POLICY("enforce", "a.b"), "max_age 86400 -> 604800" },
	{ "version: STSv1\nmode: testing\nmax_age: 86400\nmx: a.b\n",
	    POLICY("enforce", "a.b"),
	    "mode testing -> enforce, max_age 86400 -> 604800" },
	{ POLICY("enforce", "a.b"),
	    POLICY("enforce",
		"1.x\nmx: 2.x\nmx: 3.x\nmx: 4.x\nmx: 5.x\nmx: 6.x\nmx: 7.x\nmx: 8.x\n"
		"mx: 9.x\nmx: a.b"),
	    "+ 1.x, + 2.x, + 3.x, + 4.x, + 5.x, + 6.x, + 7.x, + 8.x" },
};

static void
check_change(size_t i)
{
	static const struct sts_rules rules = { .refresh_interval = DAY };
	static const struct pf_reply_style style = { true, true, 65536 };
	static struct sts_entry entry, cached;
	struct query_context context = { .rules = &rules, .style = &style, .now = NOW };
	struct query_known known = { .entry = &cached, .now = NOW };
	const char *what = changes[i].words;
	struct sts_str words = STS_STR_NONE;
	struct query_report r;

	entry = (struct sts_entry){ 0 };
	cached = (struct sts_entry){ .fetched = NOW,
		.max_age = 86400,
		.policy = sts_str_of(changes[i].then),
		.id = STS_STR("0") };
	query_report_start(&r, "dom.example", NOW);
	r.is_domain = sts_key_parse(STS_STR("dom.example"), &r.key) == STS_OK;
	tell_record(&r, &entry, false);
	tell_policy(&r, &entry, changes[i].now);
	query_report_known(&r, &known);
	query_report_conclude(&r, STS_OK, STS_HOPE_DONE, &entry, &context);
	for (size_t n = 0; n < r.findings.count; n++)
		if (strcmp(r.findings.list[n].id, "CAC05") == 0)
			words = r.findings.list[n].detail;
	CHECK(what, sts_str_eq(words, sts_str_of(what)));
	if (!sts_str_eq(words, sts_str_of(what)))
		fprintf(stderr, "  got %.*s\n", (int)words.n, words.p);
	query_report_done(&r);
}

static const struct {
	int64_t seconds;
	const char *text;
} spans[] = {
	{ -5, "0 s" },
	{ 0, "0 s" },
	{ 59, "59 s" },
	{ 60, "1 min" },
	{ 3599, "59 min" },
	{ 3600, "1 h" },
	{ 3660, "1 h 1 min" },
	{ 86399, "23 h 59 min" },
	{ 86400, "1 d" },
	{ 90000, "1 d 1 h" },
	{ 31557600, "365 d 6 h" },
};

static void
test_spans(void)
{
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		struct sts_buf b = { 0 };

		query_put_span(&b, spans[i].seconds);
		CHECK(spans[i].text,
		    sts_str_eq(sts_buf_str(&b), sts_str_of(spans[i].text)));
		sts_buf_done(&b);
	}
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(i);
	for (size_t i = 0; i < sizeof(daemons) / sizeof(daemons[0]); i++)
		check_daemon(i);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		check_change(i);
	test_spans();
	return test_failed;
}
