/* SPDX-License-Identifier: MIT */
/* What Postfix makes of a reply, at a host of each kind. */
#include "query_advice.h"

#include <string.h>

#include "query_judge.h"
#include "test.h"

int test_failed;

#define SECURE "OK secure match=a.dom.example:.b.example servername=hostname"
#define PATTERNS                                                                         \
 " policy_type=sts policy_domain=dom.example mx_host_pattern=a.dom.example"
#define FINGER                                                                           \
 "posttls-finger -c -l secure -s hostname -F /etc/ssl/certs/ca-certificates.crt "

static const struct {
	const char *what;
	const char *key; /* NULL: dom.example */
	const char *reply;
	const char *more; /* QUERYwithTLSRPT adds that */
	bool allowed;
	enum sts_host_state state;
	bool has_address;
	const char *level;
	enum query_action action;
	bool by_host;
	const char *proof, *proof_by_host, *log; /* NULL: none */
} cases[] = {
	{ "allowed", NULL, SECURE, PATTERNS, true, STS_HOST_N, true, "secure",
	    QUERY_ACTION_USE, true, FINGER "dom.example a.dom.example .b.example",
	    FINGER "dom.example hostname", NULL },
	{ "not allowed", NULL, SECURE, PATTERNS, false, STS_HOST_N, true, "secure",
	    QUERY_ACTION_SKIP, false, FINGER "dom.example a.dom.example .b.example",
	    FINGER "dom.example hostname",
	    "MX name '...' does not match STS MX pattern (3.10.6 and later)" },
	{ "not allowed, and nobody says so", NULL, SECURE, "", false, STS_HOST_N, true,
	    "secure", QUERY_ACTION_USE, false,
	    FINGER "dom.example a.dom.example .b.example", NULL, NULL },
	{ "none allowed", NULL,
	    "OK secure match=no-mx-matches-the-policy.invalid servername=hostname",
	    PATTERNS, false, STS_HOST_N, true, "secure", QUERY_ACTION_DEFER, false, NULL,
	    NULL, "Server certificate not verified" },
	{ "an override's names", NULL, "OK verify match=x.example", "", false, STS_HOST_N,
	    true, "verify", QUERY_ACTION_USE, false, FINGER "dom.example x.example", NULL,
	    NULL },
	{ "no address", NULL, SECURE, PATTERNS, true, STS_HOST_N, false, "secure",
	    QUERY_ACTION_SKIP, false, FINGER "dom.example a.dom.example .b.example",
	    FINGER "dom.example hostname", NULL },
	{ "brackets and port", "[a.dom.example]:587", SECURE, "", true, STS_HOST_N, true,
	    "secure", QUERY_ACTION_USE, false,
	    FINGER "'[a.dom.example]:587' a.dom.example .b.example", NULL, NULL },
	{ "DANE", "dom.example:26", "OK dane-only", "", false, STS_HOST_U, true,
	    "dane-only", QUERY_ACTION_USE, false,
	    "posttls-finger -c -l dane dom.example:26", NULL, NULL },
	{ "unusable", NULL, "OK dane-only", "", true, STS_HOST_X, true, "dane-only",
	    QUERY_ACTION_SKIP, false, "posttls-finger -c -l dane dom.example", NULL,
	    "TLSA records unusable" },
	{ "without TLSA", NULL, "OK dane-only", "", true, STS_HOST_N, true, "dane-only",
	    QUERY_ACTION_SKIP, false, "posttls-finger -c -l dane dom.example", NULL,
	    "no TLSA records found" },
	{ "TLSA failed", NULL, "OK dane-only", "", true, STS_HOST_F, true, "dane-only",
	    QUERY_ACTION_SKIP, false, "posttls-finger -c -l dane dom.example", NULL,
	    "TLSA lookup error" },
	{ "opportunistic", NULL, "OK dane", "", false, STS_HOST_N, true, "dane",
	    QUERY_ACTION_USE, false, "posttls-finger -c -l dane dom.example", NULL,
	    NULL },
	{ "may", NULL, "OK may", "", false, STS_HOST_N, true, "may", QUERY_ACTION_USE,
	    false, NULL, NULL, NULL },
	{ "encrypt", NULL, "OK encrypt", "", false, STS_HOST_N, true, "encrypt",
	    QUERY_ACTION_USE, false, NULL, NULL, NULL },
	{ "Postfix's own", NULL, "NOTFOUND ", "", false, STS_HOST_N, true, "default",
	    QUERY_ACTION_USE, false, NULL, NULL, NULL },
	{ "come again", NULL, "TEMP dom.example: overloaded", "", true, STS_HOST_U, true,
	    "unknown", QUERY_ACTION_DEFER, false, NULL, NULL,
	    "client TLS configuration problem" },
};

static void
check_text(const char *what, struct sts_str got, const char *want)
{
	CHECK(what, sts_str_eq(got, sts_str_of(want)));
	if (!sts_str_eq(got, sts_str_of(want)))
		fprintf(stderr, "  got '%.*s'\n", (int)got.n, got.p);
}

static void
check(size_t i)
{
	struct sts_addr address = { { 192, 0, 2, 1 }, false };
	struct query_host host = { .state = cases[i].state,
		.addresses = &address,
		.address_count = cases[i].has_address,
		.fact = { [STS_DANE_A] = { .known = true },
		    [STS_DANE_AAAA] = { .known = true } } };
	struct query_mx mx = { .host = STS_STR("a.dom.example"),
		.allowed = cases[i].allowed,
		.seen = &host };
	const char *key = cases[i].key != NULL ? cases[i].key : "dom.example";
	const char *what = cases[i].what;
	struct query_report r;
	struct sts_buf more = { 0 };

	query_report_start(&r, key, 1);
	r.is_domain = sts_key_parse(sts_str_of(key), &r.key) == STS_OK;
	r.mx = &mx;
	r.mx_count = 1;
	r.reply = sts_str_of(cases[i].reply);
	sts_put(&more, r.reply);
	sts_put_text(&more, cases[i].more);
	r.reply_tlsrpt = query_kept(&r, &more);
	query_advise(&r, NULL);
	CHECK(what, strcmp(mx.advice.level, cases[i].level) == 0);
	CHECK(what, mx.advice.action == cases[i].action);
	CHECK(what, mx.advice.by_host == cases[i].by_host);
	CHECK(what, mx.advice.why != NULL && mx.advice.is_known);
	check_text(what, r.proof, cases[i].proof);
	check_text(what, r.proof_by_host, cases[i].proof_by_host);
	check_text(what, sts_str_of(query_log_line(&r)), cases[i].log);
	query_report_done(&r);
}

/* The proof goes by the trust anchors of the look, and no shell reads their name. */
static const struct {
	const char *what, *file, *written;
} anchors[] = {
	{ "usual anchors", NULL, "/etc/ssl/certs/ca-certificates.crt" },
	{ "other anchors", "/etc/pki/tls/certs/ca-bundle.crt",
	    "/etc/pki/tls/certs/ca-bundle.crt" },
	{ "anchors with a blank", "/my ca.pem", "'/my ca.pem'" },
	{ "anchors for a shell", "/$(id)'.pem", "'/$(id)'\\''.pem'" },
	{ "anchors in two lines", "/a\nb", "/etc/ssl/certs/ca-certificates.crt" },
};

static void
check_anchors(size_t i)
{
	struct sts_buf want = { 0 };
	struct query_report r;

	query_report_start(&r, "dom.example", 1);
	r.is_domain = sts_key_parse(STS_STR("dom.example"), &r.key) == STS_OK;
	r.reply = r.reply_tlsrpt = STS_STR(SECURE);
	query_advise(&r, anchors[i].file);
	sts_put_text(&want, "posttls-finger -c -l secure -s hostname -F ");
	sts_put_text(&want, anchors[i].written);
	sts_put_text(&want, " dom.example a.dom.example .b.example");
	CHECK(anchors[i].what, sts_str_eq(r.proof, sts_buf_str(&want)));
	sts_buf_done(&want);
	query_report_done(&r);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(i);
	for (size_t i = 0; i < sizeof(anchors) / sizeof(anchors[0]); i++)
		check_anchors(i);
	return test_failed;
}
