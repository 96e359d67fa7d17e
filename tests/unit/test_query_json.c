/* SPDX-License-Identifier: MIT */
/*
 * What stsd-query --json says, from reports made by hand: every member in each of its
 * shapes, and whatever a stranger may write. "test_query_json print" prints the objects,
 * one a line, for tests/lint/schema.sh to hold against the schema.
 */
#include "query_json.h"

#include <string.h>

#include "test.h"

int test_failed;

#define NOW 1000000
#define EVIL "\x1b[31m\"\\\r\n\x80\xe2\x80\xae</script>"
#define POLICY                                                                           \
 "version: STSv1\r\nmode: enforce\r\nmx: *.B.c.\r\nmx: d.e\r\nmax_age: 604800\r\n"

static const struct sts_addr four = { { 192, 0, 2, 1 }, false };
static const struct sts_addr six = { { 0x20, 1, 0xd, 0xb8, [15] = 1 }, true };

static void
start(struct query_report *r, const char *word)
{
	query_report_start(r, word, NOW);
	r->is_domain = sts_key_parse(sts_str_of(word), &r->key) == STS_OK;
	r->servers = "127.0.0.1 [::1]:5353";
	r->reply = r->reply_tlsrpt = STS_STR("NOTFOUND ");
	r->verdict = QUERY_NONE;
	r->exit = 1;
}

static void
add_policy(struct query_report *r)
{
	struct sts_policy policy;

	r->body = STS_STR(POLICY);
	r->has_policy = sts_policy_parse(r->body, &policy, NULL, NULL) == STS_OK;
	r->policy = policy;
}

/*
 * What each case fills in.
 */
static void
nothing(struct query_report *r)
{
	r->servers = NULL;
}

static void
no_domain(struct query_report *r)
{
	r->is_domain = false;
	query_find(&r->findings, QUERY_DOM04, STS_STR_NONE, STS_STR_NONE);
}

static void
findings(struct query_report *r)
{
	struct query_finding *f;

	for (int id = 0; id < QUERY_IDS; id++)
		query_find(&r->findings, (enum query_id)id, STS_STR_NONE, STS_STR_NONE);
	for (int note = 0; note < STS_NOTES; note++)
		query_find_note(&r->findings, (enum sts_policy_note)note, 3,
		    STS_STR("mx: " EVIL));
	f = query_find(&r->findings, QUERY_TXT07, STS_STR(EVIL), STS_STR(EVIL));
	f->at = 7;
	f->line = 9;
	f->tlsrpt = sts_err_tlsrpt(STS_ERR_POLICY_SYNTAX);
}

static void
dns(struct query_report *r)
{
	static const struct sts_str texts[] = { STS_STR("v=spf1"),
		STS_STR("v=STSv1; id=a1;") };

	strcpy(r->unicode,
	    "b\xc3\xbc"
	    "cher.example");
	r->has_record_fact = r->has_trust_fact = r->has_mx_fact = true;
	r->texts = texts;
	r->text_count = 2;
	r->record_id = STS_STR("a1");
	r->record_ttl = 0;
	r->record_ede = 22;
	r->trust_err = STS_ERR_DNS_TIMEOUT;
	r->trust_ede = -1;
	r->culprit = STS_STR("192.0.2.53");
	r->servers = "192.0.2.53";
	r->dane.state = STS_DANE_UNKNOWN;
	r->dane.err = STS_ERR_DNS_TIMEOUT;
	r->dane.ede = -1;
	r->aside[QUERY_ASIDE_DOMAIN] = (struct query_said){ .known = true,
		.chain = 2,
		.final = STS_STR("alias.example") };
	r->aside[QUERY_ASIDE_TLSRPT].known = true;
	r->rpt = (struct query_rpt){ .text = STS_STR("v=TLSRPTv1; rua=" EVIL),
		.rua = { STS_STR("mailto:a@b.c"), STS_STR(EVIL) },
		.rua_count = 2 };
}

static void
fetched(struct query_report *r)
{
	r->has_host_fact = r->has_fetch = true;
	r->fetch = (struct sts_fetched){ .err = STS_OK,
		.why = "",
		.status = 200,
		.media_type = STS_STR("text/plain;" EVIL),
		.address = six,
		.has_address = true,
		.total_ms = 61,
		.tls = { .not_after = NOW + 86400 } };
	add_policy(r);
}

static void
not_fetched(struct query_report *r)
{
	r->has_host_fact = r->has_fetch = true;
	r->fetch_err = STS_ERR_FETCH_CERT;
	r->fetch = (struct sts_fetched){ .err = STS_ERR_FETCH_CERT,
		.why = "certificate has expired",
		.total_ms = -1 };
}

static void
no_address(struct query_report *r)
{
	r->has_host_fact = true;
	r->host_err = r->fetch_err = STS_ERR_FETCH_DNS;
}

static void
hosts(struct query_report *r)
{
	static struct sts_addr addresses[2];
	static struct query_tlsa tlsa[] = { { STS_STR("\3\1\1\xab\xcd"), true },
		{ STS_STR(""), false }, { STS_STR("\1\2"), false } };
	static struct query_host host[2];
	static struct query_mx mx[3];
	static const struct sts_str names[] = { STS_STR("a.b.c"), STS_STR(".b.c") };

	addresses[0] = four;
	addresses[1] = six;
	host[0] = (struct query_host){ .name = STS_STR("a.b.c"),
		.final = STS_STR("x.y.z"),
		.addresses = addresses,
		.address_count = 2,
		.tlsa = tlsa,
		.tlsa_count = 3,
		.base = STS_STR("x.y.z"),
		.tlsa_ad = true,
		.state = STS_HOST_U };
	host[1] = (struct query_host){ .name = STS_STR("d.e"),
		.final = STS_STR("d.e"),
		.fact = { [STS_DANE_A] = { true, STS_ERR_DNS_SERVFAIL, 6, 0, false,
			      false },
		    [STS_DANE_AAAA] = { true, STS_ERR_DNS_SERVFAIL, 6, 0, false,
			false } },
		.state = STS_HOST_LEFT_OUT };
	mx[0] = (struct query_mx){ 10, STS_STR("a.b.c"), true, STS_STR("*.b.c"), &host[0],
		{ QUERY_ACTION_USE, "secure", "why", false, false, true } };
	mx[1] = (struct query_mx){ 20, STS_STR("d.e"), false, STS_STR_NONE, &host[1],
		{ QUERY_ACTION_SKIP, "secure", "why", true, true, true } };
	mx[2] = (struct query_mx){ .preference = 30, .host = STS_STR("m_x" EVIL) };
	add_policy(r);
	r->hosts = host;
	r->host_count = 2;
	r->mx = mx;
	r->mx_count = 3;
	r->names = names;
	r->name_count = 2;
	r->proof = STS_STR("posttls-finger ...");
	r->risk = "none";
}

static void
smtp(struct query_report *r)
{
	static const struct sts_tls_cert cert = { .issuer = "CN=Ca", .not_after = NOW };
	static const struct sts_str names[] = { STS_STR("*.b.c"), STS_STR(EVIL) };
	static struct query_smtp seen[4];

	hosts(r);
	r->reply = STS_STR("OK secure match=a.b.c");
	for (size_t i = 0; i < 4; i++)
		for (size_t n = 0; n < STS_SMTP_STAGES; n++)
			seen[i].ms[n] = -1;
	seen[0].host = seen[1].host = seen[2].host = STS_STR("a.b.c");
	seen[0].address = four;
	seen[0].stage = STS_SMTP_DONE;
	seen[0].ms[STS_SMTP_DONE] = 90;
	seen[0].starttls = seen[0].requiretls = seen[0].encrypted = true;
	seen[0].server_name = STS_STR("a.b.c");
	seen[0].banner = STS_STR("220 " EVIL);
	seen[0].session = (struct sts_tls_session){ "TLSv1.3", "AES", "x25519", false };
	seen[0].certs = &cert;
	seen[0].cert_count = 1;
	seen[0].names = names;
	seen[0].name_count = 2;
	seen[0].has_pkix = true;
	seen[0].pkix = STS_TLS_PKIX_EXPIRED;
	seen[0].pkix_why = STS_STR("it has expired");
	seen[1].address = six;
	seen[1].err = STS_SMTP_UNREACHABLE;
	seen[1].why = STS_STR("connection refused");
	seen[2].guarded = true;
	seen[3] = seen[0];
	seen[3].host = STS_STR("d.e");
	seen[3].has_tlsa = true;
	seen[3].dane = STS_TLS_DANE_NO_MATCH;
	r->smtp = seen;
	r->smtp_count = 4;
}

static void
cached(struct query_report *r)
{
	static struct sts_entry entry;

	entry = (struct sts_entry){ .fetched = NOW - 600,
		.max_age = 86400,
		.mode = STS_MODE_TESTING,
		.id = STS_STR("old1"),
		.policy = STS_STR("another"),
		.asked = NOW - 86400,
		.record_at = NOW - 10,
		.tried = NOW - 20,
		.failed_at = NOW - 20,
		.failed_err = STS_ERR_FETCH_CONNECT,
		.failures = 3 };
	fetched(r);
	r->known = (struct query_known){ .asked = true,
		.version = STS_STR("0.0.9"),
		.entry = &entry,
		.now = NOW,
		.refresh = NOW + 3600 };
	r->has_cached = true;
	r->reply_cached = STS_STR("OK may");
}

/* A success clears the failures, not when the last one was. */
static void
mended(struct query_report *r)
{
	static struct sts_entry entry;

	entry = (struct sts_entry){ .fetched = NOW - 5,
		.tried = NOW - 5,
		.failed_at = NOW - 20,
		.failed_err = STS_ERR_FETCH_CONNECT,
		.max_age = 86400 };
	r->known = (struct query_known){ .asked = true, .entry = &entry, .now = NOW };
}

/* What is not needed may be wrong. */
static void
good(struct query_report *r)
{
	static struct query_smtp seen[1];

	smtp(r);
	seen[0] = r->smtp[0];
	seen[0].pkix = STS_TLS_PKIX_OK;
	seen[0].pkix_why = STS_STR_NONE;
	seen[0].fits_host = seen[0].fits_match = true;
	seen[0].dane_why = STS_STR("no record matches");
	r->smtp = seen;
	r->smtp_count = 1;
}

static void
cached_nothing(struct query_report *r)
{
	static const struct sts_entry entry = { .record_at = NOW };

	r->known = (struct query_known){ .asked = true,
		.entry = &entry,
		.now = NOW,
		.refresh = INT64_MAX };
}

static void
daemon_away(struct query_report *r)
{
	r->known = (struct query_known){ .asked = true,
		.err = QUERY_CONTROL_AWAY,
		.why = STS_STR("nobody listens at /run/stsd/control") };
}

static const struct {
	const char *what;
	void (*fill)(struct query_report *r);
	const char *has[6]; /* what the object contains, in this order */
} cases[] = {
	{ "nothing", nothing,
	    { "\"schema\":\"stsd-query/1\"", "\"mode\":\"direct\"", "\"findings\":[]",
		"\"loopback\":false", "\"mx\":[]", "\"cache\":null" } },
	{ "no domain", no_domain, { "\"id\":\"DOM04\"", "\"url\":null" } },
	{ "findings", findings,
	    { "\"id\":\"ENV01\"", "\"id\":\"VER07\"", "\"id\":\"POL01\"",
		"\"object\":\"\\u001b[31m\\\"\\\\\\u000d\\u000a\\u0080\\u202e",
		"\"line\":9,\"at\":7,\"tlsrpt\":\"sts-policy-invalid\"" } },
	{ "DNS", dns,
	    { "\"unicode\":\"b\xc3\xbc"
	      "cher.example\",\"cname\":\"alias.example\"",
		"\"loopback\":false", "\"error\":\"timeout\"", "\"status\":\"unknown\"",
		"\"raw\":\"v=STSv1; id=a1;\",\"id\":\"a1\",\"ttl\":0,\"ede\":\"22\"",
		"\"tlsrpt\":{\"status\":\"ok\"" } },
	{ "fetched", fetched,
	    { "\"loopback\":true",
		"\"status\":\"ok\",\"url\":\"https://mta-sts.dom.example/",
		"\"ip\":\"2001:db8::1\",\"http_status\":200", "\"ms\":61",
		"\"mx\":[\"*.b.c\",\"d.e\"]", "\"lines\":[\"version: STSv1\"," } },
	{ "not fetched", not_fetched,
	    { "\"status\":\"tls\"", "\"ip\":null,\"http_status\":null",
		"\"error\":\"certificate has expired\"", "\"policy\":null" } },
	{ "no address", no_address, { "\"status\":\"dns\"" } },
	{ "hosts", hosts,
	    { "\"host\":\"a.b.c\",\"preference\":10,\"implicit\":false,\"addresses\":["
	      "\"192.0.2.1\",\"2001:db8::1\"]",
		"\"alias_of\":\"x.y.z\"",
		"{\"usage\":3,\"selector\":1,\"mtype\":1,\"data\":\"abcd\",\"usable\":true}",
		"\"action\":\"use\",\"level\":\"secure\",\"why\":\"why\","
		"\"before_3_10_5_tries\":false,\"names\":[\"a.b.c\",\".b.c\"]",
		"\"host\":\"d.e\"",
		"\"before_3_10_5_tries\":true,\"names\":[\"d.e\"]" } },
	{ "SMTP", smtp,
	    { "\"smtp\":[{\"ip\":\"192.0.2.1\",\"ok\":false,\"stage\":\"verify\"",
		"\"names\":[\"*.b.c\",", "\"pkix\":\"expired\",\"dane\":\"not-checked\"",
		"\"error\":\"it has expired\"",
		"\"ip\":\"2001:db8::1\",\"ok\":false,\"stage\":\"connect\"",
		"\"dane\":\"no-match\"" } },
	{ "cached", cached,
	    { "\"daemon_version\":\"0.0.9\",\"mode\":\"daemon\"",
		"\"id\":\"old1\",\"mode\":\"testing\",\"fetched\":\"1970-01-12T13:36:40Z\"",
		"\"expires\":\"1970-01-13T13:36:40Z\",\"live\":true",
		"\"differs_from_live\":true", "\"last_result\":\"",
		"\"failures\":3,\"backoff_until\":\"1970-01-12T13:51:20Z\"" } },
	{ "mended", mended,
	    { "\"last_result\":\"ok\",\"failures\":0,\"backoff_until\":null" } },
	{ "good", good,
	    { "\"ok\":true,\"stage\":\"done\"", "\"ms\":90,\"error\":null" } },
	{ "nothing cached", cached_nothing,
	    { "\"mode\":\"daemon\"", "\"id\":null,\"mode\":null,\"fetched\":null",
		"\"next_refresh\":null,\"last_result\":null" } },
	{ "no daemon", daemon_away,
	    { "\"mode\":\"direct\",\"daemon_error\":\"nobody listens" } },
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

static void
check(size_t i, struct sts_str text)
{
	const char *at = text.p;

	for (size_t n = 0; n < 6 && cases[i].has[n] != NULL; n++) {
		const char *found = at == NULL ? NULL : strstr(at, cases[i].has[n]);

		CHECK(cases[i].what, found != NULL);
		if (found == NULL)
			fprintf(stderr, "  no %s\n  in %s", cases[i].has[n],
			    at == NULL ? "\n" : at);
		at = found;
	}
	CHECK(cases[i].what, memchr(text.p, '\n', text.n) == text.p + text.n - 1);
	for (size_t n = 0; n + 1 < text.n; n++)
		CHECK(cases[i].what, (unsigned char)text.p[n] >= 0x20);
}

int
main(int argc, char **argv)
{
	bool prints = argc == 2 && strcmp(argv[1], "print") == 0;

	for (size_t i = 0; i < CASES; i++) {
		struct sts_buf b = { 0 };
		struct query_report r;

		start(&r, "dom.example");
		cases[i].fill(&r);
		query_json_report(&b, &r);
		CHECK(cases[i].what, !b.bad);
		sts_put_char(&b, '\0');
		b.n--;
		if (prints)
			fwrite(b.p, 1, b.n, stdout);
		else
			check(i, sts_buf_str(&b));
		sts_buf_done(&b);
		query_report_done(&r);
	}
	return test_failed;
}
