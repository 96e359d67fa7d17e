/* SPDX-License-Identifier: MIT */
/*
 * The look at DANE, held against the table of stsd(8) for all sets of up to three hosts,
 * in whatever order answers come; and its edges: names, many hosts, what was known before.
 */
#include "dane.h"

#include <stdlib.h>
#include <string.h>

#include "lookup.h"
#include "test.h"

int test_failed;

#define NOW 1000000000
#define DOMAIN STS_STR("example.com")
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An answer in short: upper case is secure (AD). */
enum says {
	NOTHING, /* must not be asked */
	YES,
	Yes,
	USABLE,
	Usable,
	UNUSABLE,
	NONE,
	None,
	FAILS,
};

static struct sts_dane_fact
fact_of(enum says says)
{
	struct sts_dane_fact f = { .known = true, .ede = -1, .ttl = 300 };

	f.ad = says == YES || says == USABLE || says == UNUSABLE || says == NONE;
	f.usable = says == USABLE || says == Usable;
	if (says == NONE || says == None)
		f.err = STS_ERR_DNS_NXDOMAIN;
	if (says == FAILS)
		f.err = STS_ERR_DNS_SERVFAIL;
	return f;
}

/* What DNS says of a host: A, AAAA, CNAME, TLSA at the end of the chain and at the host's
 * own name; and the letter that stsd(8) gives it. */
enum { GOOD, USELESS, PLAIN_HOST, BARE, BROKEN }; /* those that rows name */
static const struct kind {
	const char *what;
	enum says says[STS_DANE_STEPS];
	bool alias;
	enum sts_host_state state;
} kinds[] = {
	[GOOD] = { "usable", { YES, NONE, NOTHING, USABLE, NOTHING }, false, STS_HOST_U },
	[USELESS] = { "unusable", { YES, FAILS, NOTHING, UNUSABLE, NOTHING }, false,
	    STS_HOST_X },
	[PLAIN_HOST] = { "insecure addresses", { Yes, Yes, NOTHING, NOTHING, NOTHING },
	    false, STS_HOST_N },
	[BARE] = { "no TLSA", { YES, YES, NOTHING, NONE, NOTHING }, false, STS_HOST_N },
	[BROKEN] = { "TLSA fails", { YES, YES, NOTHING, FAILS, NOTHING }, false,
	    STS_HOST_F },
	{ "usable, IPv6", { NONE, YES, NOTHING, USABLE, NOTHING }, false, STS_HOST_U },
	{ "usable, A fails", { FAILS, YES, NOTHING, USABLE, NOTHING }, false,
	    STS_HOST_U },
	{ "usable, IPv6 insecure", { YES, Yes, NOTHING, USABLE, NOTHING }, false,
	    STS_HOST_U },
	{ "usable, IPv4 insecure", { Yes, YES, NOTHING, USABLE, NOTHING }, false,
	    STS_HOST_U },
	{ "insecure, A fails", { FAILS, Yes, NOTHING, NOTHING, NOTHING }, false,
	    STS_HOST_N },
	{ "insecure TLSA", { YES, YES, NOTHING, Usable, NOTHING }, false, STS_HOST_N },
	{ "no address", { NONE, NONE, NOTHING, NOTHING, NOTHING }, false, STS_HOST_N },
	{ "no address, insecurely", { None, None, NOTHING, NOTHING, NOTHING }, false,
	    STS_HOST_N },
	{ "addresses fail", { FAILS, FAILS, NOTHING, NOTHING, NOTHING }, false,
	    STS_HOST_LEFT_OUT },
	{ "A fails", { FAILS, NONE, NOTHING, NOTHING, NOTHING }, false,
	    STS_HOST_LEFT_OUT },
	{ "alias, usable", { YES, YES, NOTHING, USABLE, NOTHING }, true, STS_HOST_U },
	{ "alias, unusable", { YES, YES, NOTHING, UNUSABLE, NOTHING }, true, STS_HOST_X },
	{ "alias, fails", { YES, YES, NOTHING, FAILS, NOTHING }, true, STS_HOST_F },
	{ "alias, own usable", { YES, YES, NOTHING, NONE, USABLE }, true, STS_HOST_U },
	{ "alias, own unusable", { YES, YES, NOTHING, Usable, UNUSABLE }, true,
	    STS_HOST_X },
	{ "alias, own none", { YES, YES, NOTHING, NONE, NONE }, true, STS_HOST_N },
	{ "alias, own fails", { YES, YES, NOTHING, NONE, FAILS }, true, STS_HOST_F },
	{ "leads out, own usable", { Yes, Yes, YES, NOTHING, USABLE }, true, STS_HOST_U },
	{ "leads out, own none", { Yes, Yes, YES, NOTHING, NONE }, true, STS_HOST_N },
	{ "leads out, own fails", { Yes, Yes, YES, NOTHING, FAILS }, true, STS_HOST_F },
	{ "leads out, insecure", { Yes, Yes, Yes, NOTHING, NOTHING }, true, STS_HOST_N },
	{ "leads out, alias fails", { Yes, Yes, FAILS, NOTHING, NOTHING }, true,
	    STS_HOST_F },
	{ "leads out, alias gone", { Yes, Yes, NONE, NOTHING, NOTHING }, true,
	    STS_HOST_F },
	{ "leads out, alias gone, insecurely", { Yes, Yes, None, NOTHING, NOTHING }, true,
	    STS_HOST_N },
};

static const struct sts_str names[] = { { "mx1.example.com", 15 },
	{ "mx2.example.com", 15 }, { "mx3.example.com", 15 } };

/* The order in which answers come. */
enum order { AT_ONCE, FIRST_FIRST, LAST_FIRST, ORDERS };

static struct sts_dane_look d;
static const struct kind *hosts[3];

static void
tell(const struct sts_dane_question *q)
{
	const struct kind *kind = hosts[q->host];
	struct sts_dane_fact f = fact_of(kind->says[q->step]);

	CHECK(kind->what, kind->says[q->step] != NOTHING);
	sts_dane_tell(&d, q->host, q->step, &f,
	    kind->alias && (q->step == STS_DANE_A || q->step == STS_DANE_AAAA)
		? STS_STR("mail.example.net")
		: STS_STR_NONE);
}

/* Runs the look to its end, or to a need that is not about hosts. */
static unsigned
run(enum order order, const struct sts_dane *before, const struct sts_fact *trust,
    const struct sts_fact *again, const struct sts_fact *mx)
{
	struct sts_dane_question q[3 * STS_DANE_STEPS];
	unsigned asked[3] = { 0 };
	size_t n = 0;
	unsigned needs;

	for (int rounds = 0; rounds < 20; rounds++) {
		needs = sts_dane_run(&d, before, trust, again, mx, NOW);
		if (needs != STS_NEED_HOSTS)
			return needs;
		CHECK("not there yet", d.finding.state == STS_DANE_UNKNOWN);
		for (; n < COUNT(q) && sts_dane_ask(&d, &q[n]); n++) {
			CHECK("asked twice", (asked[q[n].host] >> q[n].step & 1) == 0);
			asked[q[n].host] |= 1u << q[n].step;
		}
		CHECK("it waits for something", n > 0);
		if (n == 0)
			return needs;
		if (order == AT_ONCE)
			while (n > 0)
				tell(&q[--n]);
		else if (order == LAST_FIRST)
			tell(&q[--n]);
		else {
			tell(&q[0]);
			memmove(&q[0], &q[1], --n * sizeof(q[0]));
		}
	}
	CHECK("it ends", false);
	return needs;
}

struct expected {
	enum sts_dane_state state;
	bool plain;
};

/* The table of stsd(8). */
static struct expected
table(size_t count, bool mx_secure, bool answered)
{
	size_t n[STS_HOST_LEFT_OUT + 1] = { 0 };
	bool plain;

	for (size_t i = 0; i < count; i++)
		n[hosts[i]->state]++;
	if (count > 0 && n[STS_HOST_LEFT_OUT] == count) {
		n[STS_HOST_F] = count;
		n[STS_HOST_LEFT_OUT] = 0;
	}
	plain = n[STS_HOST_U] + n[STS_HOST_X] + n[STS_HOST_F] == 0;
	if (mx_secure && n[STS_HOST_U] > 0)
		return (struct expected){ STS_DANE_APPLIES, false };
	if (!answered || (mx_secure && n[STS_HOST_F] > 0))
		return (struct expected){ STS_DANE_UNKNOWN, false };
	return (struct expected){ STS_DANE_ABSENT, plain };
}

static void
test_set(size_t count, bool mx_secure, bool every, bool answered, enum order order)
{
	static const uint16_t preferences[] = { 10, 10, 20 };
	/* What an old finding said is not said again. */
	static const struct sts_dane none = { .about = STS_ABOUT_TLSA,
		.err = STS_ERR_DNS_REFUSED,
		.ede = 7,
		.host = { "old.example.com", 15 },
		.state = STS_DANE_DISTRUSTED,
		.ttl = 77 };
	struct sts_fact trust = { .ad = true, .ede = -1, .at = NOW };
	struct sts_fact mx = { .texts = names,
		.preferences = preferences,
		.count = count,
		.ttl = 300,
		.ede = -1,
		.ad = mx_secure };
	struct expected want = table(count, mx_secure, answered);
	const char *what = count > 0 ? hosts[count - 1]->what : "no host";
	bool none_remains = true;

	for (size_t i = 0; i < count; i++)
		none_remains = none_remains && hosts[i]->state == STS_HOST_LEFT_OUT;
	if (count == 0)
		mx.err = STS_ERR_DNS_NXDOMAIN;
	if (!answered)
		trust =
		    (struct sts_fact){ .err = STS_ERR_DNS_TIMEOUT, .ede = -1, .at = NOW };
	d = (struct sts_dane_look){ .domain = DOMAIN,
		.target = STS_TARGET_PLAIN,
		.believe = true,
		.whole = true,
		.every = every };
	CHECK(what, run(order, &none, &trust, NULL, &mx) == 0);
	CHECK(what, d.finding.state == want.state);
	CHECK(what, d.finding.state == STS_DANE_UNKNOWN || d.finding.plain == want.plain);
	CHECK(what, d.finding.state != STS_DANE_APPLIES || d.finding.applied);
	CHECK(what, !answered || d.finding.mx_secure == mx_secure);
	CHECK(what,
	    d.finding.state == STS_DANE_UNKNOWN ||
		(d.finding.err == STS_OK && d.finding.ede == -1 &&
		    d.finding.host.n == 0));
	CHECK(what,
	    d.finding.at == NOW && sts_target_eq(d.finding.target, STS_TARGET_PLAIN));
	for (size_t i = 0; every && i < count; i++)
		CHECK(hosts[i]->what,
		    sts_dane_host_state(&d, i) ==
			(none_remains ? STS_HOST_F : hosts[i]->state));
}

static void
test_sets(void)
{
	const size_t n = COUNT(kinds);

	for (size_t i = 0; i < n * n * n; i++) {
		size_t count = i < n ? 1 : i < n * n ? 2 : 3;
		size_t number = i;

		for (size_t h = 0; h < 3; h++, number /= n)
			hosts[h] = &kinds[number % n];
		for (int order = 0; order < ORDERS; order++)
			test_set(count, i % 5 != 0, i % 7 == 0, i % 11 != 0,
			    (enum order)order);
	}
	for (size_t i = 0; i < n * n; i++) {
		hosts[0] = &kinds[i % n];
		hosts[1] = &kinds[i / n];
		for (unsigned bits = 0; bits < 8; bits++) {
			test_set(2, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0,
			    AT_ONCE);
			test_set(1, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0,
			    LAST_FIRST);
		}
	}
	for (unsigned bits = 0; bits < 8; bits++)
		test_set(0, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, AT_ONCE);
}

/* Who may speak: the self-test, whether AD is believed, and what comes of it before any
 * host is looked at. */
static const struct {
	const char *what;
	enum sts_err err;
	bool ad, believe, brackets, told, mx_told;
	unsigned needs;
	enum sts_dane_state state;
	uint32_t ttl;
} beginnings[] = {
	{ "first of all", STS_OK, true, true, false, false, false, STS_NEED_TRUST,
	    STS_DANE_UNKNOWN, 30 },
	{ "even if AD is not believed", STS_OK, true, false, false, false, true,
	    STS_NEED_TRUST, STS_DANE_UNKNOWN, 30 },
	{ "it validates: then MX", STS_OK, true, true, false, true, false, STS_NEED_MX,
	    STS_DANE_UNKNOWN, 30 },
	{ "it validates: brackets", STS_OK, true, true, true, true, false, STS_NEED_HOSTS,
	    STS_DANE_UNKNOWN, 30 },
	{ "it does not validate", STS_OK, false, true, false, true, false, 0,
	    STS_DANE_OFF, 600 },
	{ "a \"no\" is an answer as well", STS_ERR_DNS_NXDOMAIN, false, true, false, true,
	    false, 0, STS_DANE_OFF, 600 },
	{ "it does not validate, nor is it believed", STS_OK, false, false, false, true,
	    true, 0, STS_DANE_OFF, 600 },
	{ "it validates, and is not believed", STS_OK, true, false, false, true, true, 0,
	    STS_DANE_DISTRUSTED, 600 },
	{ "brackets, and is not believed", STS_OK, true, false, true, true, false, 0,
	    STS_DANE_DISTRUSTED, 600 },
	{ "AD beside a failure says nothing", STS_ERR_DNS_SERVFAIL, true, true, false,
	    true, true, 0, STS_DANE_UNKNOWN, 30 },
	{ "no answer", STS_ERR_DNS_TIMEOUT, false, true, false, true, true, 0,
	    STS_DANE_UNKNOWN, 30 },
	{ "no answer: the MX may still say AD", STS_ERR_DNS_TIMEOUT, false, true, false,
	    true, false, STS_NEED_MX, STS_DANE_UNKNOWN, 30 },
	{ "no answer, and AD would not be believed", STS_ERR_DNS_TIMEOUT, false, false,
	    false, true, true, 0, STS_DANE_UNKNOWN, 30 },
	{ "a failure, and AD would not be believed: no MX is asked for",
	    STS_ERR_DNS_SERVFAIL, true, false, false, true, false, 0, STS_DANE_UNKNOWN,
	    30 },
	{ "no memory to ask", STS_ERR_NOMEM, false, true, false, true, true, 0,
	    STS_DANE_UNKNOWN, 30 },
};

static void
test_beginnings(void)
{
	static const struct sts_dane none = { .at = 0 };
	static const uint16_t preference = 10;

	for (size_t i = 0; i < COUNT(beginnings); i++) {
		struct sts_fact trust = { .err = beginnings[i].err,
			.ad = beginnings[i].ad,
			.ede = 9 };
		struct sts_fact mx = { .texts = names,
			.preferences = &preference,
			.count = 1,
			.ttl = 300,
			.ede = -1 };
		const char *what = beginnings[i].what;

		d = (struct sts_dane_look){ .domain = DOMAIN,
			.target = { beginnings[i].brackets, 25 },
			.believe = beginnings[i].believe };
		CHECK(what,
		    sts_dane_run(&d, &none, beginnings[i].told ? &trust : NULL, NULL,
			beginnings[i].mx_told ? &mx : NULL, NOW) == beginnings[i].needs);
		CHECK(what, d.finding.state == beginnings[i].state);
		CHECK(what, d.finding.ttl == beginnings[i].ttl);
		if (d.finding.state != STS_DANE_UNKNOWN) {
			CHECK(what, d.finding.err == STS_OK && d.finding.host.n == 0);
			continue;
		}
		CHECK(what,
		    d.finding.about ==
			(beginnings[i].brackets ? STS_ABOUT_ADDRESS : STS_ABOUT_MX));
		CHECK(what,
		    beginnings[i].needs == 0
			? d.finding.err == beginnings[i].err && d.finding.ede == 9
			: d.finding.err == STS_ERR_DNS_TIMEOUT && d.finding.ede == -1);
	}
}

/* What was found before, what is found now: is the resolver tested anew? */
enum was { NEW, INSECURE, SECURE_MX, APPLIED, HAD_TLSA, PLAIN };

static const struct {
	const char *what;
	enum was was;
	bool mx_secure, whole;
	size_t kind; /* of kinds */
	bool again;
} doubts[] = {
	{ "new, insecure", NEW, false, false, GOOD, false },
	{ "new, secure", NEW, true, false, BARE, false },
	{ "insecure, still", INSECURE, false, false, GOOD, false },
	{ "secure MX, still", SECURE_MX, true, false, BARE, false },
	{ "secure MX, now insecure", SECURE_MX, false, false, GOOD, true },
	{ "secure MX, now insecure, the hosts as well", SECURE_MX, false, true,
	    PLAIN_HOST, true },
	{ "applied, still", APPLIED, true, false, GOOD, false },
	{ "applied, the MX now insecure", APPLIED, false, false, GOOD, true },
	{ "applied, the host now insecure", APPLIED, true, false, PLAIN_HOST, true },
	{ "applied, without TLSA", APPLIED, true, false, BARE, true },
	{ "applied, now unusable", APPLIED, true, false, USELESS, true },
	{ "applied, now failing", APPLIED, true, false, BROKEN, false },
	{ "a host had TLSA, still", HAD_TLSA, false, true, GOOD, false },
	{ "a host had TLSA, now insecure", HAD_TLSA, false, true, PLAIN_HOST, true },
	{ "no host had TLSA, still", PLAIN, false, true, PLAIN_HOST, false },
};

static struct sts_dane
finding_of(enum was was)
{
	struct sts_dane f = { .target = STS_TARGET_PLAIN,
		.at = NOW - 1000,
		.ttl = 300,
		.state = STS_DANE_ABSENT };

	if (was == NEW)
		f.at = 0;
	f.mx_secure = was == SECURE_MX || was == APPLIED;
	f.applied = was == APPLIED;
	f.whole = was != INSECURE && was != NEW;
	f.plain = was == PLAIN || was == SECURE_MX;
	return f;
}

static void
test_doubts(void)
{
	static const uint16_t preference = 10;
	const struct sts_fact ad = { .ad = true, .ede = -1, .at = NOW };
	const struct sts_fact plain = { .ede = -1 };
	const struct sts_fact silent = { .err = STS_ERR_DNS_TIMEOUT, .ede = 22 };

	for (size_t i = 0; i < COUNT(doubts); i++) {
		struct sts_dane before = finding_of(doubts[i].was);
		struct sts_fact mx = { .texts = names,
			.preferences = &preference,
			.count = 1,
			.ttl = 300,
			.ede = -1,
			.ad = doubts[i].mx_secure };
		const char *what = doubts[i].what;
		unsigned needs;

		hosts[0] = &kinds[doubts[i].kind];
		d = (struct sts_dane_look){ .domain = DOMAIN,
			.target = STS_TARGET_PLAIN,
			.believe = true,
			.whole = doubts[i].whole };
		needs = run(AT_ONCE, &before, &ad, NULL, &mx);
		CHECK(what, needs == (doubts[i].again ? STS_NEED_TRUST_NOW : 0));
		if (needs == 0)
			continue;
		CHECK(what,
		    d.finding.state == STS_DANE_UNKNOWN && d.finding.ttl == 30 &&
			d.finding.about == STS_ABOUT_MX &&
			d.finding.err == STS_ERR_DNS_TIMEOUT && d.finding.ede == -1);
		CHECK(what, run(AT_ONCE, &before, &ad, &ad, &mx) == 0);
		CHECK(what, d.finding.state == STS_DANE_ABSENT && !d.finding.applied);
		CHECK(what, d.finding.mx_secure == doubts[i].mx_secure);
		CHECK(what, run(AT_ONCE, &before, &ad, &plain, &mx) == 0);
		CHECK(what,
		    d.finding.state == STS_DANE_OFF && d.finding.ttl == 600 &&
			d.finding.applied == before.applied &&
			d.finding.mx_secure == before.mx_secure &&
			d.finding.plain == before.plain);
		CHECK(what, run(AT_ONCE, &before, &ad, &silent, &mx) == 0);
		CHECK(what,
		    d.finding.state == STS_DANE_UNKNOWN && d.finding.ttl == 30 &&
			d.finding.err == STS_ERR_DNS_TIMEOUT && d.finding.ede == 22 &&
			d.finding.applied == before.applied);
	}
}

/* More hosts than are looked at, names twice, and an order that is not the answer's. */
static void
test_hosts(void)
{
	static char text[STS_MX_MAX][24];
	static struct sts_str many[STS_MX_MAX];
	static uint16_t preferences[STS_MX_MAX];
	static const struct sts_dane none = { .at = 0 };
	static const size_t counts[] = { 1, 31, 32, 33, 64 };
	const struct sts_fact trust = { .ad = true, .ede = -1, .at = NOW };

	/* The last are the most preferred, two of each preference; each third one is the
	 * same as the one before it. */
	for (size_t i = 0; i < STS_MX_MAX; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "mx%02zu.example.com",
		    i - (i % 3 == 2 ? 1 : 0));
		many[i] = sts_str_of(text[i]);
		preferences[i] = (uint16_t)(1000 - i / 2);
	}
	for (size_t n = 0; n < COUNT(counts); n++) {
		struct sts_fact mx = { .texts = many,
			.preferences = preferences,
			.count = counts[n],
			.ttl = 300,
			.ede = -1,
			.ad = true };
		size_t distinct = counts[n] - counts[n] / 3;
		struct sts_dane_question q;
		size_t asked = 0;

		d = (struct sts_dane_look){ .domain = DOMAIN,
			.target = STS_TARGET_PLAIN,
			.believe = true };
		CHECK("hosts",
		    sts_dane_run(&d, &none, &trust, NULL, &mx, NOW) == STS_NEED_HOSTS);
		CHECK("how many",
		    d.host_count ==
			(distinct < STS_MX_EXAMINED ? distinct : STS_MX_EXAMINED));
		for (size_t i = 0; i < d.host_count; i++)
			for (size_t j = 0; j < i; j++)
				CHECK("once",
				    !sts_str_eq(d.hosts[i].name, d.hosts[j].name));
		while (sts_dane_ask(&d, &q)) {
			CHECK("in order", q.host == asked / 2);
			CHECK("A, then AAAA",
			    q.type == (asked % 2 == 0 ? STS_DNS_A : STS_DNS_AAAA));
			CHECK("its name",
			    sts_str_eq((struct sts_str){ q.name, q.name_n },
				d.hosts[q.host].name) &&
				q.name[q.name_n] == '\0');
			asked++;
		}
		CHECK("both families", asked == 2 * d.host_count);
	}
	/* 63 is the same as 62 is not: 62 = 61's copy, preference 969; 63 has 969 too. */
	CHECK("the most preferred comes first",
	    sts_str_eq(d.hosts[0].name, STS_STR("mx61.example.com")));
	CHECK("names decide between equals",
	    sts_str_eq(d.hosts[1].name, STS_STR("mx63.example.com")));
}

/* _25._tcp. before a host of this length: does it still make a name? */
static void
test_long_names(void)
{
	static const struct {
		size_t n;
		uint16_t port;
		bool fits;
	} rows[] = { { 244, 25, true }, { 245, 25, false }, { 253, 25, false },
		{ 254, 25, false }, { 242, 2525, true }, { 243, 2525, false } };
	static const struct sts_dane none = { .at = 0 };
	static const uint16_t preference = 10;
	const struct sts_fact trust = { .ad = true, .ede = -1, .at = NOW };
	char name[STS_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 50 == 49 ? '.' : 'a';
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sts_str host = { name, rows[i].n };
		struct sts_fact mx = { .texts = &host,
			.preferences = &preference,
			.count = 1,
			.ttl = 300,
			.ede = -1,
			.ad = true };
		struct sts_dane_question q;
		struct sts_dane_fact yes = fact_of(YES);

		d = (struct sts_dane_look){ .domain = DOMAIN,
			.target = { false, rows[i].port },
			.believe = true };
		(void)sts_dane_run(&d, &none, &trust, NULL, &mx, NOW);
		while (sts_dane_ask(&d, &q)) {
			CHECK("addresses first", q.type != STS_DNS_TLSA);
			CHECK("whole, if it can be a name",
			    q.name_n == (rows[i].n < 254 ? rows[i].n : 253));
		}
		sts_dane_tell(&d, 0, STS_DANE_A, &yes, STS_STR_NONE);
		CHECK("a name that cannot be has no records",
		    sts_dane_run(&d, &none, &trust, NULL, &mx, NOW) ==
			(rows[i].fits ? STS_NEED_HOSTS : 0));
		CHECK("nothing is asked for it", sts_dane_ask(&d, &q) == rows[i].fits);
		if (rows[i].fits)
			CHECK("the longest name",
			    q.type == STS_DNS_TLSA && q.name_n <= STS_NAME_MAX &&
				q.name[q.name_n] == '\0');
		else
			CHECK("absent",
			    d.finding.state == STS_DANE_ABSENT && d.finding.plain);
	}
}

/* Of what failed the part that says most is told. */
static void
test_reasons(void)
{
	static const struct {
		const char *what;
		enum sts_err a, aaaa;
		int16_t a_ede, aaaa_ede;
		enum sts_err err;
		int16_t ede;
	} rows[] = {
		{ "both alike", STS_ERR_DNS_SERVFAIL, STS_ERR_DNS_SERVFAIL, 6, 6,
		    STS_ERR_DNS_SERVFAIL, 6 },
		{ "only A", STS_ERR_DNS_REFUSED, STS_ERR_DNS_NODATA, 20, -1,
		    STS_ERR_DNS_REFUSED, 20 },
		{ "only AAAA", STS_ERR_DNS_NODATA, STS_ERR_DNS_TIMEOUT, -1, -1,
		    STS_ERR_DNS_TIMEOUT, -1 },
		{ "who explains himself", STS_ERR_DNS_TIMEOUT, STS_ERR_DNS_SERVFAIL, -1,
		    23, STS_ERR_DNS_SERVFAIL, 23 },
		{ "the first of those", STS_ERR_DNS_REFUSED, STS_ERR_DNS_SERVFAIL, 0, 23,
		    STS_ERR_DNS_REFUSED, 0 },
		{ "neither: the last", STS_ERR_DNS_MALFORMED, STS_ERR_DNS_OTHER, -1, -1,
		    STS_ERR_DNS_OTHER, -1 },
	};
	static const struct sts_dane none = { .at = 0 };
	const struct sts_fact trust = { .ad = true, .ede = -1, .at = NOW };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sts_dane_fact a = { .err = rows[i].a, .ede = rows[i].a_ede };
		struct sts_dane_fact aaaa = { .err = rows[i].aaaa,
			.ede = rows[i].aaaa_ede };

		d = (struct sts_dane_look){ .domain = DOMAIN,
			.target = { true, 25 },
			.believe = true };
		(void)sts_dane_run(&d, &none, &trust, NULL, NULL, NOW);
		sts_dane_tell(&d, 0, STS_DANE_A, &a, STS_STR_NONE);
		sts_dane_tell(&d, 0, STS_DANE_AAAA, &aaaa, STS_STR_NONE);
		CHECK(rows[i].what,
		    sts_dane_run(&d, &none, &trust, NULL, NULL, NOW) == 0);
		CHECK(rows[i].what,
		    d.finding.state == STS_DANE_UNKNOWN &&
			d.finding.about == STS_ABOUT_ADDRESS &&
			sts_str_eq(d.finding.host, DOMAIN));
		CHECK(rows[i].what,
		    d.finding.err == rows[i].err && d.finding.ede == rows[i].ede);
	}
}

/* A secure address is enough to go on with, but not for those who want to see all. */
static void
test_every_address(void)
{
	static const struct sts_dane none = { .at = 0 };
	const struct sts_fact trust = { .ad = true, .ede = -1, .at = NOW };
	const struct sts_dane_fact yes = fact_of(YES);

	for (int every = 0; every < 2; every++)
		for (int step = STS_DANE_A; step <= STS_DANE_AAAA; step++) {
			struct sts_dane_question q = { .step = STS_DANE_STEPS };

			d = (struct sts_dane_look){ .domain = DOMAIN,
				.target = { true, 25 },
				.believe = true,
				.every = every != 0 };
			(void)sts_dane_run(&d, &none, &trust, NULL, NULL, NOW);
			while (sts_dane_ask(&d, &q))
				CHECK("addresses first", q.type != STS_DNS_TLSA);
			sts_dane_tell(&d, 0, (enum sts_dane_step)step, &yes,
			    STS_STR_NONE);
			CHECK("TLSA, or the other family",
			    sts_dane_ask(&d, &q) == (every == 0));
			sts_dane_tell(&d, 0,
			    step == STS_DANE_A ? STS_DANE_AAAA : STS_DANE_A, &yes,
			    STS_STR_NONE);
			CHECK("then TLSA",
			    sts_dane_ask(&d, &q) == (every != 0) &&
				q.step == STS_DANE_TLSA);
		}
}

static void
test_live(void)
{
	struct sts_dane f = { .at = NOW, .ttl = 60 };
	const struct sts_rules yes = { .believe = true }, no = { .believe = false };
	struct sts_rules mended = { .believe = true, .validates = NOW };

	CHECK("at once", sts_dane_is_live(&f, &yes, NOW));
	CHECK("its last second", sts_dane_is_live(&f, &yes, NOW + 59));
	CHECK("over", !sts_dane_is_live(&f, &yes, NOW + 60));
	CHECK("of the future", !sts_dane_is_live(&f, &yes, NOW - 1));
	for (int i = 0; i < STS_DANE_STATES; i++) {
		f.state = (enum sts_dane_state)i;
		CHECK("AD is believed",
		    sts_dane_is_live(&f, &yes, NOW) == (i != STS_DANE_DISTRUSTED));
		CHECK("AD is not believed",
		    sts_dane_is_live(&f, &no, NOW) ==
			(i != STS_DANE_APPLIES && i != STS_DANE_ABSENT));
	}
	f.state = STS_DANE_OFF;
	CHECK("found before the resolver was mended",
	    !sts_dane_is_live(&f, &mended, NOW));
	mended.validates = NOW - 1;
	CHECK("broken again", sts_dane_is_live(&f, &mended, NOW));
	f.at = 0;
	CHECK("none", !sts_dane_is_live(&f, &yes, 0) && !sts_dane_is_live(&f, &yes, 30));
	for (int i = 0; i < STS_DANE_STATES; i++)
		for (int j = 0; j < i; j++)
			CHECK("words differ",
			    strcmp(sts_dane_text((enum sts_dane_state)i),
				sts_dane_text((enum sts_dane_state)j)) != 0);
}

int
main(void)
{
	test_sets();
	test_beginnings();
	test_doubts();
	test_hosts();
	test_long_names();
	test_reasons();
	test_every_address();
	test_live();
	return test_failed;
}
