/* SPDX-License-Identifier: MIT */
#include "reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "test.h"

int test_failed;

#define NOW 1000000
#define HEAD "version: STSv1\r\nmode: enforce\r\nmax_age: 86400\r\n"
#define D50 "aaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbb."

static const struct pf_reply_style usual = { true, true, true, 65536 };
static const struct pf_reply_style loose = { false, true, true, 65536 };
static const struct pf_reply_style no_servername = { true, false, true, 65536 };
static const struct pf_reply_style no_may = { true, true, false, 65536 };
static const struct pf_reply_style tight = { true, true, true, 205 };

#define A(verdict, why, ede)                                                             \
 {                                                                                       \
  (verdict), (why), (ede), false, false                                                  \
 }
#define SECURE A(STS_VERDICT_SECURE, STS_OK, -1)
#define TEMP(why, ede) A(STS_VERDICT_TEMP, (why), (ede))

static const struct {
	const char *what;
	struct sts_answer answer;
	const char *policy; /* NULL: nothing is known */
	const char *host;   /* the one MX host; NULL: never looked */
	const struct pf_reply_style *style;
	enum sts_verdict verdict;
	const char *want;
} cases[] = {
	{ "no policy", A(STS_VERDICT_NOTFOUND, STS_ERR_RECORD_NONE, -1), NULL, NULL,
	    &usual, STS_VERDICT_NOTFOUND, "NOTFOUND " },
	{ "testing", A(STS_VERDICT_PERMIT, STS_OK, -1), NULL, NULL, &usual,
	    STS_VERDICT_PERMIT, "OK may" },
	{ "testing over a stronger default", A(STS_VERDICT_PERMIT, STS_OK, -1), NULL,
	    NULL, &no_may, STS_VERDICT_NOTFOUND, "NOTFOUND " },

	{ "enforce", SECURE, HEAD "mx: mail.example.com\r\n", NULL, &usual,
	    STS_VERDICT_SECURE, "OK secure match=mail.example.com servername=hostname" },
	{ "of Postfix before 3.4", SECURE, HEAD "mx: mail.example.com\r\n", NULL,
	    &no_servername, STS_VERDICT_SECURE, "OK secure match=mail.example.com" },
	{ "the RFC's own example", SECURE,
	    HEAD "mx: mail.example.com\r\nmx: *.example.net\r\n"
		 "mx: backupmx.example.com\r\n",
	    NULL, &usual, STS_VERDICT_SECURE,
	    "OK secure match=mail.example.com:.example.net:backupmx.example.com "
	    "servername=hostname" },
	{ "exact", SECURE, HEAD "mx: *.example.net\nmx: A.example.net\nmx: b.c\n",
	    "mx7.example.net", &usual, STS_VERDICT_SECURE,
	    "OK secure match=mx7.example.net:a.example.net:b.c servername=hostname" },
	{ "loose", SECURE, HEAD "mx: *.example.net\nmx: A.example.net\nmx: b.c\n",
	    "mx7.example.net", &loose, STS_VERDICT_SECURE,
	    "OK secure match=.example.net:a.example.net:b.c servername=hostname" },
	{ "upper case, a dot, and repeats", SECURE,
	    HEAD "mx: Mail.Example.COM.\r\nmx: mail.example.com\r\n", NULL, &usual,
	    STS_VERDICT_SECURE, "OK secure match=mail.example.com servername=hostname" },
	{ "no host fits", SECURE, HEAD "mx: mail.example.com\n", "elsewhere.example",
	    &usual, STS_VERDICT_SECURE,
	    "OK secure match=no-mx-matches-the-policy.invalid servername=hostname" },
	{ "no host fits, loose", SECURE, HEAD "mx: mail.example.com\n",
	    "elsewhere.example", &loose, STS_VERDICT_SECURE,
	    "OK secure match=mail.example.com servername=hostname" },
	{ "words of Postfix's", SECURE,
	    HEAD "mx: hostname\nmx: nexthop\nmx: dot-nexthop\nmx: a.b\n", NULL, &usual,
	    STS_VERDICT_SECURE, "OK secure match=a.b servername=hostname" },
	{ "a numeric top", SECURE, HEAD "mx: a.12\nmx: a.b\n", NULL, &usual,
	    STS_VERDICT_SECURE, "OK secure match=a.b servername=hostname" },
	{ "what the policy says elsewhere", SECURE,
	    HEAD "mx: a.b\nnote: } tafile=/etc/passwd { OK none\n", NULL, &usual,
	    STS_VERDICT_SECURE, "OK secure match=a.b servername=hostname" },

	{ "too long exactly, not loosely", SECURE,
	    HEAD "mx: *." D50 D50 D50 "x\nmx: a.b\n",
	    "mx-with-a-long-name." D50 D50 D50 "x", &tight, STS_VERDICT_SECURE,
	    "OK secure match=." D50 D50 D50 "x:a.b servername=hostname" },
	{ "too long either way", SECURE, HEAD "mx: *." D50 D50 D50 D50 "x\n", NULL,
	    &tight, STS_VERDICT_TEMP, "TEMP example.com: reply too long" },

	{ "a damaged policy", SECURE, "version: STSv1\n", NULL, &usual, STS_VERDICT_TEMP,
	    "TEMP example.com: cache unreadable" },
	{ "nothing to enforce", SECURE, NULL, NULL, &usual, STS_VERDICT_TEMP,
	    "TEMP example.com: internal error" },
	{ "mode none has no names", SECURE,
	    "version: STSv1\nmode: none\nmax_age: 86400\n", NULL, &usual,
	    STS_VERDICT_TEMP, "TEMP example.com: internal error" },

	{ "a fetch that goes on", TEMP(STS_ERR_FETCH_RUNNING, -1), NULL, NULL, &usual,
	    STS_VERDICT_TEMP, "TEMP example.com: policy fetch in progress" },
	{ "TXT SERVFAIL", TEMP(STS_ERR_DNS_SERVFAIL, -1), NULL, NULL, &usual,
	    STS_VERDICT_TEMP, "TEMP example.com: record lookup failed (SERVFAIL)" },
	{ "with its EDE", TEMP(STS_ERR_DNS_SERVFAIL, 22), NULL, NULL, &usual,
	    STS_VERDICT_TEMP,
	    "TEMP example.com: record lookup failed (SERVFAIL, EDE 22)" },
	{ "EDE 0 is one", TEMP(STS_ERR_DNS_REFUSED, 0), NULL, NULL, &usual,
	    STS_VERDICT_TEMP, "TEMP example.com: record lookup failed (REFUSED, EDE 0)" },
	{ "TXT timeout", TEMP(STS_ERR_DNS_TIMEOUT, -1), NULL, NULL, &usual,
	    STS_VERDICT_TEMP, "TEMP example.com: record lookup failed (timeout)" },
	{ "overloaded", TEMP(STS_ERR_OVERLOADED, -1), NULL, NULL, &usual,
	    STS_VERDICT_TEMP, "TEMP example.com: overloaded" },
	{ "cache", TEMP(STS_ERR_CACHE, -1), NULL, NULL, &usual, STS_VERDICT_TEMP,
	    "TEMP example.com: cache unreadable" },
	{ "memory", TEMP(STS_ERR_NOMEM, -1), NULL, NULL, &usual, STS_VERDICT_TEMP,
	    "TEMP example.com: out of memory" },
	{ "something else", TEMP(STS_ERR_INTERNAL, -1), NULL, NULL, &usual,
	    STS_VERDICT_TEMP, "TEMP example.com: internal error" },
};

static void
make_entry(struct sts_entry *e, const char *text, const char *host)
{
	*e = (struct sts_entry){ .policy = sts_str_of(text) };
	if (host == NULL)
		return;
	e->mx_at = NOW;
	e->mx_count = 1;
	e->mx[0] = (struct sts_mx_seen){ NOW, 10, sts_str_of(host) };
}

static void
check(const char *what, const struct sts_buf *got, const char *want)
{
	CHECK(what, sts_str_eq(sts_buf_str(got), sts_str_of(want)));
	if (!sts_str_eq(sts_buf_str(got), sts_str_of(want)))
		fprintf(stderr, "  got %.*s\n  not %s\n", (int)got->n, got->p, want);
}

/* One buffer serves all cases, as it does in the answerer. */
static void
test_put(void)
{
	static struct sts_entry e;
	struct sts_buf b = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (enum pf_map map = PF_MAP_QUERY; map <= PF_MAP_QUERY_TLSRPT; map++) {
			const char *text = cases[i].policy;
			enum sts_verdict verdict;

			sts_buf_clear(&b);
			make_entry(&e, text, cases[i].host);
			verdict =
			    pf_reply_put(&b, &cases[i].answer, text != NULL ? &e : NULL,
				STS_STR("example.com"), false, map, NOW, cases[i].style);
			CHECK(cases[i].what, verdict == cases[i].verdict);
			CHECK(cases[i].what, !b.bad && b.limit == 0);
			check(cases[i].what, &b, cases[i].want);
		}
	sts_buf_done(&b);
}

/* Every length from "too long" to "fits": never longer, never anything but the three. */
static void
test_limits(void)
{
	static const char policy[] = HEAD "mx: *." D50 D50 "x\n";
	static const char host[] = "long-first-label-of-the-host." D50 D50 "x";
	static const char *const wants[] = {
		"TEMP example.com: reply too long",
		"OK secure match=." D50 D50 "x:" D50 D50 "y servername=hostname",
		"OK secure match=long-first-label-of-the-host." D50 D50 "x:" D50 D50
		"y servername=hostname",
	};
	static char text[2000];
	struct sts_answer secure = SECURE;
	struct sts_buf b = { 0 };
	static struct sts_entry e;

	(void)snprintf(text, sizeof(text), "%smx: " D50 D50 "y\n", policy);
	make_entry(&e, text, host);
	for (size_t max = 0; max < 400; max++) {
		struct pf_reply_style style = { true, true, true, max };
		size_t limit = max < 205 ? 205 : max, want = 0;

		for (size_t i = 1; i < 3; i++)
			if (strlen(wants[i]) <= limit)
				want = i;
		sts_buf_clear(&b);
		(void)pf_reply_put(&b, &secure, &e, STS_STR("example.com"), false,
		    PF_MAP_QUERY, NOW, &style);
		check("limits", &b, wants[want]);
	}
	sts_buf_done(&b);
}

/* A limit above Postfix's own does not count. */
static void
test_postfix_limit(void)
{
	struct pf_reply_style style = { false, true, true, 1000000 };
	struct sts_answer secure = SECURE;
	struct sts_buf b = { 0 };
	static char text[STS_POLICY_MAX];
	static struct sts_entry e;
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), HEAD);
	for (int i = 0; n < sizeof(text) - 40; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "mx:%d.a\n", i);
	make_entry(&e, text, NULL);
	e.policy.n = n;
	(void)pf_reply_put(&b, &secure, &e, STS_STR("example.com"), false, PF_MAP_QUERY,
	    NOW, &style);
	CHECK("largest policy", b.n > 40000 && b.n <= PF_REPLY_MAX);
	CHECK("largest policy",
	    b.n > 0 && memcmp(b.p, "OK secure match=0.a:1.a:", 24) == 0);
	sts_buf_done(&b);
}

static const struct {
	const char *what;
	struct sts_str domain;
	const char *want;
} temps[] = {
#define S(literal)                                                                       \
 {                                                                                       \
  (literal), sizeof(literal) - 1                                                         \
 }
	{ "no domain", S(""), "TEMP overloaded" },
	{ "bytes outside ASCII",
	    S("gr\xc3\xbc\xc3\x9f"
	      "e.example"),
	    "TEMP gr????e.example: overloaded" },
	{ "controls", S("a\0b\r\nc\x7f.d"), "TEMP a?b??c?.d: overloaded" },
	{ "a hundred bytes", S(D50 D50), "TEMP " D50 D50 ": overloaded" },
	{ "more keeps its end", S("first." D50 D50), "TEMP " D50 D50 ": overloaded" },
#undef S
};

static void
test_temp(void)
{
	struct sts_buf b = { 0 };

	for (size_t i = 0; i < sizeof(temps) / sizeof(temps[0]); i++) {
		sts_buf_clear(&b);
		pf_reply_temp(&b, temps[i].domain, STS_ERR_OVERLOADED, -1);
		check(temps[i].what, &b, temps[i].want);
	}
	for (int err = 0; err < STS_ERRS; err++) {
		sts_buf_clear(&b);
		pf_reply_temp(&b, STS_STR(D50 D50 D50), (enum sts_err)err, 32767);
		CHECK(sts_err_token((enum sts_err)err),
		    b.n <= 5 + PF_REASON_MAX && !b.bad);
	}
	sts_buf_done(&b);
}

int
main(void)
{
	test_put();
	test_limits();
	test_postfix_limit();
	test_temp();
	return test_failed;
}
