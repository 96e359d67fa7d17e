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

static const struct pf_reply_style usual = { true, true, 65536 };
static const struct pf_reply_style loose = { false, true, 65536 };
static const struct pf_reply_style no_servername = { true, false, 65536 };
static const struct pf_reply_style tight = { true, true, 205 };

#define S(literal)                                                                       \
 {                                                                                       \
  (literal), sizeof(literal) - 1                                                         \
 }
#define A(verdict, why, about, host, ede)                                                \
 {                                                                                       \
  (verdict), (why), (about), S(host), (ede), false, false                                \
 }
#define PLAIN(verdict) A(verdict, STS_OK, STS_ABOUT_RECORD, "", -1)
#define SECURE PLAIN(STS_VERDICT_SECURE)
#define LOOKUP(about, host, why, ede) A(STS_VERDICT_TEMP, (why), (about), host, (ede))
#define TEMP(why, ede) LOOKUP(STS_ABOUT_RECORD, "", (why), (ede))

static const struct {
	const char *what;
	struct sts_answer answer;
	const char *policy; /* NULL: nothing is known */
	const char *host;   /* the one MX host; NULL: never looked */
	const struct pf_reply_style *style;
	enum sts_verdict verdict;
	const char *want;
} cases[] = {
	{ "no policy", PLAIN(STS_VERDICT_NOTFOUND), NULL, NULL, &usual,
	    STS_VERDICT_NOTFOUND, "NOTFOUND " },
	{ "testing", PLAIN(STS_VERDICT_PERMIT), HEAD "mx: a.b\n", NULL, &usual,
	    STS_VERDICT_PERMIT, "OK may" },
	{ "none", PLAIN(STS_VERDICT_PERMIT), NULL, NULL, &tight, STS_VERDICT_PERMIT,
	    "OK may" },
	{ "DANE comes first", PLAIN(STS_VERDICT_DANE), HEAD "mx: a.b\n", "a.b", &usual,
	    STS_VERDICT_DANE, "OK dane-only" },

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
	    STS_VERDICT_TEMP, "TEMP example.com: cache unreadable" },

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
	{ "the record has no host",
	    LOOKUP(STS_ABOUT_RECORD, "h.i", STS_ERR_DNS_TIMEOUT, -1), NULL, NULL, &usual,
	    STS_VERDICT_TEMP, "TEMP example.com: record lookup failed (timeout)" },
	{ "MX", LOOKUP(STS_ABOUT_MX, "", STS_ERR_DNS_SERVFAIL, 6), HEAD "mx: a.b\n", NULL,
	    &usual, STS_VERDICT_TEMP,
	    "TEMP example.com: MX lookup failed (SERVFAIL, EDE 6)" },
	{ "an address",
	    LOOKUP(STS_ABOUT_ADDRESS, "mx1.example.net", STS_ERR_DNS_TIMEOUT, -1), NULL,
	    NULL, &usual, STS_VERDICT_TEMP,
	    "TEMP example.com: address lookup failed for mx1.example.net (timeout)" },
	{ "TLSA", LOOKUP(STS_ABOUT_TLSA, "mx1.example.net", STS_ERR_DNS_SERVFAIL, 10),
	    NULL, NULL, &usual, STS_VERDICT_TEMP,
	    "TEMP example.com: TLSA lookup failed for mx1.example.net (SERVFAIL, EDE 10)" },
	{ "TLSA, malformed", LOOKUP(STS_ABOUT_TLSA, "m.n", STS_ERR_DNS_MALFORMED, -1),
	    NULL, NULL, &usual, STS_VERDICT_TEMP,
	    "TEMP example.com: TLSA lookup failed for m.n (malformed)" },
	{ "an unnamed host", LOOKUP(STS_ABOUT_ADDRESS, "", STS_ERR_DNS_OTHER, -1), NULL,
	    NULL, &usual, STS_VERDICT_TEMP,
	    "TEMP example.com: address lookup failed (another rcode)" },
	{ "a host that is none",
	    LOOKUP(STS_ABOUT_ADDRESS, "a\nb\xc3\xbc", STS_ERR_DNS_REFUSED, -1), NULL,
	    NULL, &usual, STS_VERDICT_TEMP,
	    "TEMP example.com: address lookup failed for a?b?? (REFUSED)" },
	{ "a long host keeps its end",
	    LOOKUP(STS_ABOUT_TLSA, "first." D50 D50 D50 D50 "x", STS_ERR_DNS_SERVFAIL,
		22),
	    NULL, NULL, &usual, STS_VERDICT_TEMP,
	    "TEMP example.com: TLSA lookup failed for aaaaaaaaaaaaaaaaaa."
	    "bbbbbbbbbbbbbbbbbbbbbbbb." D50 D50 "x (SERVFAIL, EDE 22)" },
	{ "no lookup, whatever it is about",
	    LOOKUP(STS_ABOUT_MX, "m.n", STS_ERR_OVERLOADED, 7), NULL, NULL, &usual,
	    STS_VERDICT_TEMP, "TEMP example.com: overloaded" },
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

/*
 * One buffer serves all cases, as it does in the answerer. What QUERY says,
 * QUERYwithTLSRPT says too; attributes follow on "secure" alone.
 */
static void
test_put(void)
{
	static struct sts_entry e;
	struct sts_buf b = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (enum pf_map map = PF_MAP_QUERY; map <= PF_MAP_QUERY_TLSRPT; map++) {
			const char *text = cases[i].policy, *what = cases[i].what;
			enum sts_verdict verdict;

			sts_buf_clear(&b);
			make_entry(&e, text, cases[i].host);
			verdict =
			    pf_reply_put(&b, &cases[i].answer, text != NULL ? &e : NULL,
				STS_STR("example.com"), false, map, NOW, cases[i].style);
			CHECK(what, verdict == cases[i].verdict);
			CHECK(what, !b.bad && b.limit == 0);
			if (verdict == STS_VERDICT_SECURE && b.n > strlen(cases[i].want))
				b.n = strlen(cases[i].want);
			check(what, &b, cases[i].want);
		}
	sts_buf_done(&b);
}

#define TYPE " policy_type=sts policy_domain=example.com"
#define MX(pattern) " mx_host_pattern=" pattern
#define LINE(line) " { policy_string = " line " }"
#define LINES LINE("version: STSv1") LINE("mode: enforce") LINE("max_age: 86400")
#define A_B TYPE MX("a.b") LINES

/* What QUERYwithTLSRPT says beyond QUERY. */
static const struct {
	const char *what;
	const char *policy;
	const char *host;
	const struct pf_reply_style *style;
	const char *want;
} attributes[] = {
	{ "the RFC's own example",
	    HEAD "mx: mail.example.com\r\nmx: *.example.net\r\n"
		 "mx: backupmx.example.com\r\n",
	    NULL, &usual,
	    TYPE MX("mail.example.com") MX("*.example.net") MX("backupmx.example.com")
		LINES LINE("mx: mail.example.com") LINE("mx: *.example.net")
		    LINE("mx: backupmx.example.com") },
	{ "exact names, and the patterns they stand for",
	    HEAD "mx: *.example.net\nmx: b.c\n", "mx7.example.net", &usual,
	    TYPE MX("*.example.net") MX("b.c") LINES LINE("mx: *.example.net")
		LINE("mx: b.c") },
	{ "loose", HEAD "mx: *.b.c\n", "mx7.b.c", &loose,
	    TYPE MX("*.b.c") LINES LINE("mx: *.b.c") },
	{ "no host fits", HEAD "mx: *.b.c\nmx: a.b\n", "elsewhere.example", &usual,
	    TYPE MX("*.b.c") MX("a.b") LINES LINE("mx: *.b.c") LINE("mx: a.b") },
	{ "without servername", HEAD "mx: a.b\n", NULL, &no_servername,
	    A_B LINE("mx: a.b") },
	{ "upper case, a dot, repeats", HEAD "mx: *.B.C.\nmx: A.b\nmx: *.b.c\nmx: a.B.\n",
	    NULL, &usual,
	    TYPE MX("*.b.c") MX("a.b") LINES LINE("mx: *.B.C.") LINE("mx: A.b")
		LINE("mx: *.b.c") LINE("mx: a.B.") },
	{ "a literal and a wildcard are two", HEAD "mx: b.c\nmx: *.b.c\n", NULL, &usual,
	    TYPE MX("b.c") MX("*.b.c") LINES LINE("mx: b.c") LINE("mx: *.b.c") },
	{ "single labels and numbers are no pattern, but lines",
	    HEAD "mx: hostname\nmx: a.12\nmx: *.12\nmx: a.b\nmx: *.com\n", NULL, &usual,
	    TYPE MX("a.b") MX("*.com") LINES LINE("mx: hostname") LINE("mx: a.12")
		LINE("mx: *.12") LINE("mx: a.b") LINE("mx: *.com") },

	{ "a TAB becomes a space", HEAD "mx:\ta.b\nx:\t1\t\t2\n", NULL, &usual,
	    A_B LINE("mx: a.b") LINE("x: 1  2") },
	{ "blanks at the ends", HEAD "mx: a.b \t\n\t x: y\t\r\n", NULL, &usual,
	    A_B LINE("mx: a.b") LINE("x: y") },
	{ "empty lines", HEAD "mx: a.b\n\n\r\n \t \n\t\r\n", NULL, &usual,
	    A_B LINE("mx: a.b") },
	{ "no line end at the end", HEAD "mx: a.b", NULL, &usual, A_B LINE("mx: a.b") },
	{ "a byte order mark", "\xef\xbb\xbf" HEAD "mx: a.b\n", NULL, &usual,
	    A_B LINE("mx: a.b") },
	{ "braces", HEAD "mx: a.b\nx: }\ny: {\nz: {}\n{ a = b }\nok: <>()[]~!\"'\\\n",
	    NULL, &usual, A_B LINE("mx: a.b") LINE("ok: <>()[]~!\"'\\") },
	{ "an attribute forged", HEAD "mx: a.b\nx: 1 } tafile=/etc/passwd { y = 2\n",
	    NULL, &usual, A_B LINE("mx: a.b") },
	{ "what looks like one inside a line",
	    HEAD "mx: a.b\npolicy_failure=x, match=c.d\n=\n", NULL, &usual,
	    A_B LINE("mx: a.b") LINE("policy_failure=x, match=c.d") LINE("=") },
	{ "UTF-8, C1 and what is no UTF-8",
	    HEAD "mx: a.b\nx: gr\xc3\xbc\xc3\x9f"
		 "e\ny: \xc2\x9b\nz: \xff\nq: ~\n",
	    NULL, &usual, A_B LINE("mx: a.b") LINE("q: ~") },
	{ "fields written another way",
	    "version:\tSTSv1 \nmode:enforce\nmax_age:1\nmx:a.b", NULL, &usual,
	    TYPE MX("a.b") LINE("version: STSv1") LINE("mode:enforce") LINE("max_age:1")
		LINE("mx:a.b") },
	{ "testing counts as enforce",
	    "version: STSv1\nmode: testing\nmax_age: 86400\nmx: a.b\n", NULL, &usual,
	    TYPE MX("a.b") LINE("version: STSv1") LINE("mode: testing")
		LINE("max_age: 86400") LINE("mx: a.b") },
};

/* The attributes, after what QUERY gives. */
static void
put_both(struct sts_buf *b, struct sts_buf *query, const struct sts_entry *e,
    struct sts_str domain, const struct pf_reply_style *style)
{
	static const struct sts_answer secure = SECURE;

	sts_buf_clear(b);
	sts_buf_clear(query);
	(void)pf_reply_put(query, &secure, e, domain, false, PF_MAP_QUERY, NOW, style);
	(void)pf_reply_put(b, &secure, e, domain, false, PF_MAP_QUERY_TLSRPT, NOW, style);
}

static void
test_attributes(void)
{
	static struct sts_entry e;
	struct sts_buf b = { 0 }, query = { 0 };

	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		make_entry(&e, attributes[i].policy, attributes[i].host);
		put_both(&b, &query, &e, STS_STR("example.com"), attributes[i].style);
		CHECK(attributes[i].what,
		    sts_str_starts(sts_buf_str(&query), STS_STR("OK secure match=")));
		sts_put_text(&query, attributes[i].want);
		sts_put_char(&query, '\0');
		check(attributes[i].what, &b, query.p);
	}
	sts_buf_done(&b);
	sts_buf_done(&query);
}

/* Postfix takes the policy domain for a host name, and refuses the reply otherwise. */
static void
test_policy_domain(void)
{
	static const struct {
		const char *what;
		struct sts_str domain;
		const char *want; /* NULL: no attributes */
	} rows[] = {
		{ "upper case", S("Example.COM"), "example.com" },
		{ "as long as it can be", S(D50 D50 D50 D50 "x.y"),
		    D50 D50 D50 D50 "x.y" },
		{ "none", S(""), NULL },
		{ "a single label", S("localhost"), NULL },
		{ "an address", S("192.0.2.1"), NULL },
		{ "UTF-8", S("gr\xc3\xbc.example"), NULL },
		{ "more words", S("a.b tafile=/etc/passwd"), NULL },
		{ "a brace", S("a.b}"), NULL },
		{ "a NUL", S("a.b\0c"), NULL },
	};
	static struct sts_entry e;
	struct sts_buf b = { 0 }, query = { 0 };

	make_entry(&e, HEAD "mx: a.b\n", NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_both(&b, &query, &e, rows[i].domain, &usual);
		if (rows[i].want != NULL) {
			sts_put_text(&query, " policy_type=sts policy_domain=");
			sts_put_text(&query, rows[i].want);
			sts_put_text(&query, MX("a.b") LINES LINE("mx: a.b"));
		}
		sts_put_char(&query, '\0');
		check(rows[i].what, &b, query.p);
	}
	sts_buf_done(&b);
	sts_buf_done(&query);
}

/*
 * Every length from "nothing fits" to "all fits", for both maps: never longer, never
 * anything but the forms that reply.h names, and always the longest of them.
 */
static void
test_limits(void)
{
	static const char policy[] = HEAD "mx: *." D50 D50 "x\nmx: " D50 D50 "y\nz:\n";
	static const char host[] = "long-first-label-of-the-host." D50 D50 "x";
	static const char *const names[] = {
		"TEMP example.com: reply too long",
		"OK secure match=." D50 D50 "x:" D50 D50 "y servername=hostname",
		"OK secure match=long-first-label-of-the-host." D50 D50 "x:" D50 D50
		"y servername=hostname",
	};
	static const char *const more[] = {
		TYPE MX("*." D50 D50 "x") MX(D50 D50 "y") LINE("version: STSv1"),
		LINE("mode: enforce"),
		LINE("max_age: 86400"),
		LINE("mx: *." D50 D50 "x"),
		LINE("mx: " D50 D50 "y"),
		LINE("z:"),
	};
	struct sts_buf b = { 0 }, query = { 0 };
	static struct sts_entry e;
	size_t whole = 0;

	make_entry(&e, policy, host);
	for (size_t max = 0; max < 1200; max++) {
		struct pf_reply_style style = { true, true, max };
		size_t limit = max < 205 ? 205 : max, want = 0;
		static char text[2000];

		for (size_t i = 1; i < 3; i++)
			if (strlen(names[i]) <= limit)
				want = i;
		put_both(&b, &query, &e, STS_STR("example.com"), &style);
		check("limits", &query, names[want]);
		(void)strcpy(text, names[want]);
		for (size_t i = 0; want > 0 && i < sizeof(more) / sizeof(more[0]) &&
		     strlen(text) + strlen(more[i]) <= limit;
		     i++) {
			(void)strcat(text, more[i]);
			whole += i + 1 == sizeof(more) / sizeof(more[0]);
		}
		check("limits with attributes", &b, text);
	}
	CHECK("the last line was seen to fit", whole > 0);
	sts_buf_done(&b);
	sts_buf_done(&query);
}

/* Exact names that are too many by themselves: attributes follow the wildcard. */
static void
test_wildcards_with_attributes(void)
{
	static const char first[] = "a-first-label-so-long-that-four-hosts-are-too-many";
	struct pf_reply_style style = { true, true, 400 };
	struct sts_buf b = { 0 }, query = { 0 };
	static struct sts_entry e;
	static char hosts[4][200];

	make_entry(&e, HEAD "mx: *." D50 "b.c\n", "");
	e.mx_count = 4;
	for (size_t i = 0; i < e.mx_count; i++) {
		(void)snprintf(hosts[i], sizeof(hosts[i]), "%s-%zu." D50 "b.c", first, i);
		e.mx[i] = (struct sts_mx_seen){ NOW, 10, sts_str_of(hosts[i]) };
	}
	put_both(&b, &query, &e, STS_STR("example.com"), &style);
	check("too many names", &query,
	    "OK secure match=." D50 "b.c servername=hostname");
	check("too many names", &b,
	    "OK secure match=." D50 "b.c servername=hostname" TYPE MX("*." D50 "b.c")
		LINES LINE("mx: *." D50 "b.c"));
	sts_buf_done(&b);
	sts_buf_done(&query);
}

/* A limit above Postfix's own does not count; and of the largest policy the patterns do
 * not fit, so that there are none, and no lines. */
static void
test_postfix_limit(void)
{
	struct pf_reply_style style = { false, true, 1000000 };
	struct sts_buf b = { 0 }, query = { 0 };
	static char text[STS_POLICY_MAX];
	static struct sts_entry e;
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), HEAD);
	for (int i = 0; n < sizeof(text) - 40; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "mx:%d.a\n", i);
	make_entry(&e, text, NULL);
	e.policy.n = n;
	put_both(&b, &query, &e, STS_STR("example.com"), &style);
	CHECK("largest policy", query.n > 40000 && query.n <= PF_REPLY_MAX);
	CHECK("largest policy",
	    sts_str_starts(sts_buf_str(&query), STS_STR("OK secure match=0.a:1.a:")));
	CHECK("largest policy", sts_str_eq(sts_buf_str(&query), sts_buf_str(&b)));

	/* Of a quarter of it the patterns fit, and lines up to the very limit. */
	e.policy.n = n / 4;
	while (e.policy.p[e.policy.n - 1] != '\n')
		e.policy.n--;
	style.max_reply = 65536;
	put_both(&b, &query, &e, STS_STR("example.com"), &style);
	CHECK("a large policy", b.n <= 65536 && b.n > 65536 - 40);
	CHECK("a large policy", sts_str_ends(sts_buf_str(&b), STS_STR(" }")));
	sts_buf_done(&b);
	sts_buf_done(&query);
}

static const struct {
	const char *what;
	struct sts_str domain;
	const char *want;
} temps[] = {
	{ "no domain", S(""), "TEMP overloaded" },
	{ "bytes outside ASCII",
	    S("gr\xc3\xbc\xc3\x9f"
	      "e.example"),
	    "TEMP gr????e.example: overloaded" },
	{ "controls", S("a\0b\r\nc\x7f.d"), "TEMP a?b??c?.d: overloaded" },
	{ "a hundred bytes", S(D50 D50), "TEMP " D50 D50 ": overloaded" },
	{ "more keeps its end", S("first." D50 D50), "TEMP " D50 D50 ": overloaded" },
};

static void
test_temp(void)
{
	static const char longest[] = D50 D50 D50 D50 D50;
	struct sts_buf b = { 0 };

	for (size_t i = 0; i < sizeof(temps) / sizeof(temps[0]); i++) {
		sts_buf_clear(&b);
		pf_reply_temp(&b, temps[i].domain, STS_ERR_OVERLOADED);
		check(temps[i].what, &b, temps[i].want);
	}
	for (int err = 0; err < STS_ERRS; err++)
		for (int about = 0; about <= STS_ABOUTS; about++) {
			const char *what = sts_err_token((enum sts_err)err);
			struct sts_answer answer = { STS_VERDICT_TEMP, (enum sts_err)err,
				(enum sts_about)about, sts_str_of(longest), INT16_MAX,
				false, false };

			sts_buf_clear(&b);
			(void)pf_reply_put(&b, &answer, NULL, sts_str_of(longest), false,
			    PF_MAP_QUERY, NOW, &usual);
			CHECK(what, b.n <= 5 + PF_REASON_MAX && !b.bad);
			if (sts_err_is_dns_failure((enum sts_err)err) &&
			    (about == STS_ABOUT_ADDRESS || about == STS_ABOUT_TLSA)) {
				CHECK(what, b.n == 5 + PF_REASON_MAX);
				CHECK(what,
				    sts_str_ends(sts_buf_str(&b),
					STS_STR(", EDE 32767)")));
			}
		}
	sts_buf_done(&b);
}

int
main(void)
{
	test_put();
	test_attributes();
	test_policy_domain();
	test_limits();
	test_wildcards_with_attributes();
	test_postfix_limit();
	test_temp();
	return test_failed;
}
