/* SPDX-License-Identifier: MIT */
/* The lines that stsd-query -v writes while it works. */
#include "query_trace.h"

#include <string.h>

#include "test.h"

int test_failed;

static const struct sts_addr address = { { 192, 0, 2, 1 }, false };

static void
expect(const char *what, struct sts_buf *b, const char *wanted)
{
	bool same = sts_str_eq(sts_buf_str(b), sts_str_of(wanted));

	CHECK(what, same);
	if (!same)
		fprintf(stderr, "  got %.*s\n", (int)b->n, b->p);
	sts_buf_done(b);
}

static const struct sts_str texts[] = { STS_STR("a"), STS_STR("b\x1b\n") };
static const struct sts_str names[] = { STS_STR("mx.b.c"), STS_STR("") };
static const uint16_t preferences[] = { 10, 20 };

static const struct {
	const char *what;
	enum sts_need need;
	struct sts_fact fact;
	const char *wanted; /* NULL: no line */
} facts[] = {
	{ "record", STS_NEED_RECORD,
	    { .ede = -1,
		.ttl = 300,
		.texts = texts,
		.preferences = preferences,
		.count = 2 },
	    "_mta-sts TXT: a, b\\x1b\\x0a; ttl 300" },
	{ "no record", STS_NEED_RECORD,
	    { .err = STS_ERR_DNS_NXDOMAIN, .ede = -1, .ttl = 5, .ad = true },
	    "_mta-sts TXT: NXDOMAIN; ttl 5; AD" },
	{ "MX", STS_NEED_MX,
	    { .ede = -1,
		.texts = names,
		.preferences = preferences,
		.count = 2,
		.ad = true },
	    "MX: 10 mx.b.c, 20 .; ttl 0; AD" },
	{ "failure", STS_NEED_MX, { .err = STS_ERR_DNS_SERVFAIL, .ede = 6 },
	    "MX: SERVFAIL, EDE 6 (DNSSEC Bogus); ttl 0" },
	{ "policy host", STS_NEED_HOST,
	    { .ede = -1, .ttl = 60, .addresses = &address, .count = 1 },
	    "policy host: 192.0.2.1; ttl 60" },
	{ "validates", STS_NEED_TRUST, { .ede = -1, .ad = true },
	    "resolver: validates DNSSEC" },
	{ "does not", STS_NEED_TRUST_NOW, { .ede = -1 },
	    "resolver: does not validate DNSSEC" },
	{ "self-test failed", STS_NEED_TRUST, { .err = STS_ERR_DNS_TIMEOUT, .ede = -1 },
	    "resolver: timeout" },
	{ "policy", STS_NEED_POLICY, { .ede = -1 }, NULL },
	{ "stored", STS_NEED_STORED, { .ede = -1 }, NULL },
};

static void
test_facts(void)
{
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		struct sts_event event = { .what = STS_EVENT_FACT,
			.need = facts[i].need,
			.fact = &facts[i].fact };
		struct sts_buf b = { 0 };
		bool any = query_trace_event(&b, &event);

		CHECK(facts[i].what, any == (facts[i].wanted != NULL));
		expect(facts[i].what, &b, facts[i].wanted);
	}
}

static void
test_begin(void)
{
	struct sts_buf b = { 0 };

	query_trace_begin(&b, STS_STR("a.b"), 1234);
	expect("beginning", &b, "a.b  1234 ms  ");
}

static void
test_answers(void)
{
	static struct sts_dns_answer a = { .ede = -1, .ttl = 9, .count = 2 };
	static char much[2000];
	struct sts_buf b = { 0 };

	a.rr[0].data = (struct sts_str){ "\xc0\0\2\1", 4 };
	a.rr[1].data = (struct sts_str){ "\xc0\0\2\2", 4 };
	query_trace_answer(&b, "h.i", STS_DNS_A, &a);
	expect("addresses", &b, "h.i A: 192.0.2.1, 192.0.2.2; ttl 9");
	a.count = 1;
	a.ad = true;
	a.chain = 1;
	a.final_name = STS_STR("x.y");
	a.rr[0].data = (struct sts_str){ "\3\1\1\xab\xcd", 5 };
	query_trace_answer(&b, "h.i", STS_DNS_TLSA, &a);
	expect("TLSA", &b, "h.i TLSA: alias of x.y 3 1 1 abcd; ttl 9; AD");
	a.chain = 0;
	for (size_t n = 0; n < 3; n++) {
		static const char *const wanted[] = { "h.i TLSA: ; ttl 9; AD",
			"h.i TLSA: 3 ; ttl 9; AD", "h.i TLSA: 3 1 ; ttl 9; AD" };

		a.rr[0].data = (struct sts_str){ "\3\1\1", n };
		query_trace_answer(&b, "h.i", STS_DNS_TLSA, &a);
		expect("TLSA cut off", &b, wanted[n]);
	}
	memset(much, 'm', sizeof(much));
	a.rr[0].data = (struct sts_str){ much, sizeof(much) };
	query_trace_answer(&b, "h.i", STS_DNS_TXT, &a);
	CHECK("a long text", b.n == 404 && memcmp(b.p + 400, " ...", 4) == 0);
	sts_buf_done(&b);
}

static void
test_host(void)
{
	static struct sts_lookup lookup;
	static struct sts_dns_answer a = { .err = STS_ERR_DNS_NODATA, .ede = -1 };
	struct sts_event event = { .what = STS_EVENT_HOST,
		.lookup = &lookup,
		.answer = &a,
		.step = STS_DANE_TLSA };
	struct sts_buf b = { 0 };

	lookup.dane.hosts[0].name = STS_STR("own.name");
	lookup.dane.hosts[0].final = STS_STR("end.of.chain");
	CHECK("a host", query_trace_event(&b, &event));
	expect("at the end", &b, "end.of.chain TLSA: NODATA; ttl 0");
	event.step = STS_DANE_TLSA_OWN;
	CHECK("a host", query_trace_event(&b, &event));
	expect("at its own name", &b, "own.name TLSA: NODATA; ttl 0");
}

static void
test_fetch(void)
{
	struct sts_fetched f = { .err = STS_OK,
		.why = "",
		.body = STS_STR("12345"),
		.status = 200,
		.address = address,
		.has_address = true,
		.tls = { .protocol = "TLSv1.3" } };
	struct sts_event event = { .what = STS_EVENT_FETCHED, .fetched = &f };
	struct sts_buf b = { 0 };

	CHECK("a fetch", query_trace_event(&b, &event));
	expect("a fetch", &b, "HTTPS: 192.0.2.1; TLSv1.3; HTTP 200; 5 bytes");
	f = (struct sts_fetched){ .err = STS_ERR_FETCH_CONNECT, .why = "refused" };
	query_trace_fetched(&b, &f);
	expect("none", &b, "HTTPS: refused");
}

static void
test_daemon(void)
{
	struct sts_buf b = { 0 };

	query_trace_daemon(&b, QUERY_CONTROL_OK, "");
	expect("has it", &b, "daemon: has it in its cache");
	query_trace_daemon(&b, QUERY_CONTROL_NONE, "");
	expect("has not", &b, "daemon: has nothing of it");
	query_trace_daemon(&b, QUERY_CONTROL_AWAY, "nobody");
	expect("away", &b, "daemon: nobody");
}

int
main(void)
{
	test_begin();
	test_facts();
	test_answers();
	test_host();
	test_fetch();
	test_daemon();
	return test_failed;
}
