/* SPDX-License-Identifier: MIT */
/* What --smtp saw, and what that makes of verdict and exit status. */
#include "query_report.h"

#include <string.h>

#include "test.h"

int test_failed;

#define SECURE "OK secure match=a.b.c servername=hostname"

/* By letter: how a server is.
 * G good, U unreachable, N no STARTTLS, W another's certificate, X guarded,
 * u like W, and not used by Postfix, R refuses in its greeting */
static const struct {
	const char *what;
	const char *reply;
	enum query_verdict before;
	const char *servers;
	enum query_verdict after;
	int exit;
} cases[] = {
	{ "good", SECURE, QUERY_ENFORCE, "G", QUERY_ENFORCE, 0 },
	{ "all bad", SECURE, QUERY_ENFORCE, "WN", QUERY_DEFERRED, 3 },
	{ "one is good", SECURE, QUERY_ENFORCE, "WG", QUERY_ENFORCE, 2 },
	{ "no STARTTLS", SECURE, QUERY_ENFORCE, "N", QUERY_DEFERRED, 3 },
	{ "unreachable", SECURE, QUERY_ENFORCE, "U", QUERY_ENFORCE, 4 },
	{ "one is unreachable", SECURE, QUERY_ENFORCE, "UG", QUERY_ENFORCE, 0 },
	{ "one is unreachable, one bad", SECURE, QUERY_ENFORCE, "UW", QUERY_ENFORCE, 3 },
	{ "refuses", SECURE, QUERY_ENFORCE, "R", QUERY_ENFORCE, 4 },
	{ "guarded", SECURE, QUERY_ENFORCE, "X", QUERY_ENFORCE, 0 },
	{ "one is guarded", SECURE, QUERY_ENFORCE, "WX", QUERY_ENFORCE, 3 },
	{ "bad, but not used", SECURE, QUERY_ENFORCE, "Gu", QUERY_ENFORCE, 0 },
	{ "bad, the good one not looked at", SECURE, QUERY_ENFORCE, "u", QUERY_ENFORCE,
	    0 },
	{ "an override encrypts", "OK encrypt", QUERY_NONE, "N", QUERY_DEFERRED, 3 },
	{ "an override encrypts, to whomever", "OK encrypt", QUERY_NONE, "W", QUERY_NONE,
	    1 },
	{ "testing", "OK may", QUERY_TESTING, "W", QUERY_TESTING, 2 },
	{ "nothing is asked", "NOTFOUND ", QUERY_NONE, "W", QUERY_NONE, 1 },
	{ "nothing is asked, in the clear", "NOTFOUND ", QUERY_NONE, "N", QUERY_NONE, 1 },
};

static void
make_server(struct query_smtp *s, char how, uint8_t number)
{
	static const struct sts_tls_cert cert = { .not_after = 1000000000 };
	static const struct sts_str name = STS_STR("a.b.c"), other = STS_STR("x.y");
	bool wrong = how == 'W' || how == 'u';

	*s = (struct query_smtp){ .host = name,
		.address = { { 192, 0, 2, number }, false },
		.used = how != 'u',
		.guarded = how == 'X',
		.stage = STS_SMTP_DONE,
		.code = 250,
		.starttls = true,
		.encrypted = true,
		.session = { "TLSv1.3", "TLS_AES_128_GCM_SHA256", "x25519", false },
		.certs = &cert,
		.cert_count = 1,
		.names = wrong ? &other : &name,
		.name_count = 1,
		.has_dns_names = true,
		.has_pkix = true,
		.fits_host = !wrong,
		.fits_match = !wrong };
	if (how == 'U' || how == 'N' || how == 'R' || how == 'X') {
		s->encrypted = false;
		s->cert_count = 0;
		s->why = STS_STR("no");
	}
	if (how == 'U') {
		s->stage = STS_SMTP_CONNECT;
		s->err = STS_SMTP_UNREACHABLE;
	} else if (how == 'R') {
		s->stage = STS_SMTP_GREETING;
		s->err = STS_SMTP_REFUSED;
		s->code = 554;
	} else if (how == 'N') {
		s->stage = STS_SMTP_STARTTLS;
		s->err = STS_SMTP_NO_OFFER;
		s->starttls = false;
	}
}

int
main(void)
{
	static const struct query_context context = { .now = 1000 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t count = strlen(cases[i].servers);
		struct query_smtp servers[4];
		struct query_report r;

		for (size_t n = 0; n < count; n++)
			make_server(&servers[n], cases[i].servers[n], (uint8_t)(n + 1));
		query_report_start(&r, "dom.example", 1);
		r.is_domain = sts_key_parse(STS_STR("dom.example"), &r.key) == STS_OK;
		r.reply = r.reply_tlsrpt = sts_str_of(cases[i].reply);
		r.verdict = cases[i].before;
		query_report_smtp(&r, servers, count, &context);
		CHECK(cases[i].what, r.verdict == cases[i].after);
		CHECK(cases[i].what, r.exit == cases[i].exit);
		if (r.exit != cases[i].exit || r.verdict != cases[i].after)
			for (size_t n = 0; n < r.findings.count; n++)
				fprintf(stderr, "  %s %s exit %d, in all %d\n",
				    r.findings.list[n].id,
				    query_severity_text(r.findings.list[n].severity),
				    r.findings.list[n].exit, r.exit);
		query_report_done(&r);
	}
	return test_failed;
}
