/* SPDX-License-Identifier: MIT */
#include "query_entry.h"

#include <string.h>

#include "test.h"

int test_failed;

#define NOW 1800000000 /* 2027-01-15T08:00:00Z */
#define POLICY "version: STSv1\r\nmode: enforce\nmx: *.a.example\x1b[m\nmax_age: 604800\n"

static struct sts_entry
full(void)
{
	struct sts_entry e = { .fetched = NOW - 3600,
		.max_age = 604800,
		.mode = STS_MODE_ENFORCE,
		.id = STS_STR("1"),
		.policy = STS_STR(POLICY),
		.record_at = NOW - 60,
		.record_ttl = 300,
		.record_id = STS_STR("2"),
		.record_ede = -1,
		.tried = NOW - 30,
		.failed_at = NOW - 30,
		.failed_err = STS_ERR_FETCH_CONNECT,
		.failed_id = STS_STR("2"),
		.failures = 2,
		.mx_at = NOW - 120,
		.mx_ttl = 60,
		.mx_ede = -1,
		.asked = NOW - 86400,
		.mx_count = 2,
		.dane_count = 2 };

	e.mx[0] = (struct sts_mx_seen){ NOW - 120, 10, STS_STR("mx.a.example") };
	e.mx[1] = (struct sts_mx_seen){ NOW - 1800, 20, STS_STR("old.a.example") };
	e.dane[0] = (struct sts_dane){ .target = STS_TARGET_PLAIN,
		.at = NOW - 5,
		.ttl = 3600,
		.state = STS_DANE_ABSENT,
		.ede = -1 };
	e.dane[1] = (struct sts_dane){ .target = { true, 587 },
		.at = NOW - 5,
		.ttl = 60,
		.state = STS_DANE_UNKNOWN,
		.about = STS_ABOUT_TLSA,
		.host = STS_STR("mx.a.example"),
		.err = STS_ERR_DNS_SERVFAIL,
		.ede = 22 };
	return e;
}

/* Each line of it, somewhere. */
static const struct {
	const char *name, *line;
} lines[] = {
	{ "the domain", "a.example\n" },
	{ "policy", "  policy         enforce, id 1\n" },
	{ "fetched", "  fetched        2027-01-15T07:00:00Z, 1 h ago\n" },
	{ "expires", "  expires        2027-01-22T07:00:00Z, in 6 d 23 h\n" },
	{ "refresh", "  refresh        2027-01-15T08:10:00Z, in 10 min\n" },
	{ "asked", "  asked for      2027-01-14T08:00:00Z, 1 d ago\n" },
	{ "record",
	    "  _mta-sts       id 2, as of 2027-01-15T07:59:00Z, 1 min ago, good for 5 "
	    "min\n" },
	{ "last fetch", "  last fetch     2027-01-15T07:59:30Z, 30 s ago\n" },
	{ "failed", "  failed         2027-01-15T07:59:30Z, 30 s ago, for id 2: " },
	{ "failures", "; 2 in a row\n" },
	{ "back-off", "  back-off       2027-01-15T08:04:30Z, in 4 min\n" },
	{ "MX",
	    "  MX             2 hosts, as of 2027-01-15T07:58:00Z, 2 min ago, good for 1 "
	    "min (over)\n" },
	{ "a host", " 10 mx.a.example\n" },
	{ "a host that has gone", " 20 old.a.example, last seen 30 min ago\n" },
	{ "DANE",
	    "  DANE           absent, as of 2027-01-15T07:59:55Z, 5 s ago, good for 1 "
	    "h\n" },
	{ "DANE elsewhere",
	    " [a.example]:587: unknown: the TLSA records of mx.a.example: " },
	{ "why", ", EDE 22, as of " },
	{ "the file", "    2  mode: enforce\n" },
	{ "escaped", "    3  mx: *.a.example\\x1b[m\n" },
};

static const struct {
	const char *name, *part;
} members[] = {
	{ "schema", "{\"schema\":\"stsd-show/1\",\"domain\":\"a.example\"," },
	{ "version", "\"daemon_version\":\"0.1.0\",\"time\":\"2027-01-15T08:00:00Z\"," },
	{ "policy", "\"policy\":{\"mode\":\"enforce\",\"id\":\"1\",\"max_age\":604800," },
	{ "live", "\"live\":true,\"lines\":[\"version: STSv1\",\"mode: enforce\"," },
	{ "escaped", "\"mx: *.a.example\\u001b[m\"" },
	{ "refresh", "\"refresh\":\"2027-01-15T08:10:00Z\",\"running\":true," },
	{ "record", "\"record\":{\"id\":\"2\",\"time\":\"2027-01-15T07:59:00Z\"," },
	{ "failures", "\"failures\":2,\"backoff_until\":\"2027-01-15T08:04:30Z\"}" },
	{ "host", "{\"preference\":20,\"host\":\"old.a.example\",\"seen\":" },
	{ "DANE", "{\"brackets\":true,\"port\":587,\"state\":\"unknown\"," },
	{ "why", "\"error\":\"dns-servfail\",\"ede\":22}" },
};

static bool
has(const struct sts_buf *b, const char *part)
{
	return memmem(b->p, b->n, part, strlen(part)) != NULL;
}

static void
test_full(void)
{
	struct sts_entry entry = full();
	struct query_entry e = { STS_STR("a.example"), &entry, NOW, NOW + 600, false,
		"0.1.0" };
	struct query_look look = { .color = false };
	struct sts_buf text = { 0 }, json = { 0 };

	query_entry_text(&text, &e, &look);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		CHECK(lines[i].name, has(&text, lines[i].line));
	e.running = true;
	query_entry_json(&json, &e);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		CHECK(members[i].name, has(&json, members[i].part));
	if (test_failed)
		printf("%.*s%.*s", (int)text.n, text.p, (int)json.n, json.p);
	sts_buf_done(&text);
	sts_buf_done(&json);
}

static const struct {
	const char *name;
	struct sts_entry entry;
	int64_t refresh;
	bool quiet;
	const char *text;
} small[] = {
	{ "nothing but a record that is none",
	    { .record_at = NOW,
		.record_ttl = 300,
		.record_err = STS_ERR_RECORD_NONE,
		.record_ede = -1 },
	    INT64_MAX, false,
	    "a.example\n"
	    "  policy         none\n"
	    "  refresh        never\n"
	    "  asked for      never\n"
	    "  _mta-sts       no MTA-STS record, as of 2027-01-15T08:00:00Z, 0 s ago, good "
	    "for 5 min\n"
	    "  last fetch     never tried\n"
	    "  MX             never looked at\n" },
	{ "expired, in few words",
	    { .fetched = NOW - 100, .max_age = 60, .policy = STS_STR("x") }, NOW, true,
	    "a.example\n"
	    "  policy         none, without an id, EXPIRED\n"
	    "  fetched        2027-01-15T07:58:20Z, 1 min ago\n"
	    "  expires        2027-01-15T07:59:20Z, 40 s ago\n" },
};

static void
test_small(void)
{
	for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
		struct query_entry e = { STS_STR("a.example"), &small[i].entry, NOW,
			small[i].refresh, false, NULL };
		struct query_look look = { .quiet = small[i].quiet };
		struct sts_buf text = { 0 };

		query_entry_text(&text, &e, &look);
		if (!sts_str_eq(sts_buf_str(&text), sts_str_of(small[i].text))) {
			printf("%s:\n%.*s", small[i].name, (int)text.n, text.p);
			test_failed = 1;
		}
		sts_buf_done(&text);
	}
}

static void
test_list(void)
{
	struct query_listed l = { STS_STR("a.example"), STS_STR("enforce"), STS_STR("1"),
		NOW, NOW + 60, 0 };
	struct sts_buf b = { 0 };

	query_listed_text(&b, &l);
	l.id = STS_STR_NONE;
	query_listed_text(&b, &l);
	query_listed_json(&b, &l);
	CHECK("list",
	    sts_str_eq(sts_buf_str(&b),
		STS_STR(
		    "a.example\tenforce\t1\t2027-01-15T08:00:00Z\t2027-01-15T08:01:"
		    "00Z\t-\n"
		    "a.example\tenforce\t-\t2027-01-15T08:00:00Z\t2027-01-15T08:01:"
		    "00Z\t-\n"
		    "{\"domain\":\"a.example\",\"mode\":\"enforce\",\"id\":null,"
		    "\"fetched\":\"2027-01-15T08:00:00Z\",\"expires\":\"2027-01-15T08:"
		    "01:00Z\",\"asked\":null}\n")));
	sts_buf_done(&b);
}

int
main(void)
{
	test_full();
	test_small();
	test_list();
	return test_failed;
}
