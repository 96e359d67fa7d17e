/* SPDX-License-Identifier: MIT */
/*
 * From an entry to the answer: what each finding of DANE means for each mode, before the
 * resolver was asked, after it, and without it.
 */
#include "answer.h"

#include "test.h"

int test_failed;

#define NOW 1000000000
#define DOMAIN STS_STR("example.com")
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { DANE = 1, BELIEVE = 2, MAY = 4, STRICT = 8 };
#define USUAL (DANE | BELIEVE | MAY)

/* How much of its life of 300 seconds the finding has behind it. */
enum { YOUNG = 10, AGED = 225, OLD = 300 };

enum kind { PLAIN, WHOLE, PART };
enum ask { NOT, FIRST, BESIDE };

static const struct {
	const char *what;
	enum sts_mode mode;
	unsigned rules;
	enum sts_dane_state state;
	enum kind kind; /* ABSENT: of the hosts */
	int age;
	enum sts_hope hope;
	enum sts_verdict verdict;
	enum sts_err why;
	enum ask ask;
} rows[] = {
	/* Enforce. */
	{ "DANE is off by setting", STS_MODE_ENFORCE, MAY | BELIEVE, STS_DANE_APPLIES,
	    WHOLE, YOUNG, STS_HOPE_OPEN, STS_VERDICT_SECURE, STS_OK, NOT },
	{ "off by setting, nothing known", STS_MODE_ENFORCE, 0, STS_DANE_NONE, PLAIN, OLD,
	    STS_HOPE_OPEN, STS_VERDICT_SECURE, STS_OK, NOT },
	{ "off", STS_MODE_ENFORCE, USUAL, STS_DANE_OFF, PLAIN, YOUNG, STS_HOPE_OPEN,
	    STS_VERDICT_SECURE, STS_OK, NOT },
	{ "distrusted", STS_MODE_ENFORCE, DANE | MAY, STS_DANE_DISTRUSTED, PLAIN, YOUNG,
	    STS_HOPE_OPEN, STS_VERDICT_SECURE, STS_OK, NOT },
	{ "absent", STS_MODE_ENFORCE, USUAL, STS_DANE_ABSENT, PLAIN, YOUNG, STS_HOPE_OPEN,
	    STS_VERDICT_SECURE, STS_OK, NOT },
	{ "absent, the hosts not looked at", STS_MODE_ENFORCE, USUAL, STS_DANE_ABSENT,
	    PART, YOUNG, STS_HOPE_OPEN, STS_VERDICT_SECURE, STS_OK, NOT },
	{ "applies", STS_MODE_ENFORCE, USUAL, STS_DANE_APPLIES, WHOLE, YOUNG,
	    STS_HOPE_OPEN, STS_VERDICT_DANE, STS_OK, NOT },
	{ "applies, without may", STS_MODE_ENFORCE, DANE | BELIEVE, STS_DANE_APPLIES,
	    WHOLE, YOUNG, STS_HOPE_OPEN, STS_VERDICT_DANE, STS_OK, NOT },
	{ "unknown", STS_MODE_ENFORCE, USUAL, STS_DANE_UNKNOWN, PLAIN, YOUNG,
	    STS_HOPE_OPEN, STS_VERDICT_TEMP, STS_ERR_DNS_REFUSED, NOT },

	/* What is old, or rests on another setting, is looked at first. */
	{ "applies, aged", STS_MODE_ENFORCE, USUAL, STS_DANE_APPLIES, WHOLE, AGED,
	    STS_HOPE_OPEN, STS_VERDICT_DANE, STS_OK, BESIDE },
	{ "applies, old", STS_MODE_ENFORCE, USUAL, STS_DANE_APPLIES, WHOLE, OLD,
	    STS_HOPE_OPEN, STS_VERDICT_TEMP, STS_ERR_INTERNAL, FIRST },
	{ "absent, old", STS_MODE_ENFORCE, USUAL, STS_DANE_ABSENT, PLAIN, OLD,
	    STS_HOPE_OPEN, STS_VERDICT_TEMP, STS_ERR_INTERNAL, FIRST },
	{ "off, old", STS_MODE_ENFORCE, USUAL, STS_DANE_OFF, PLAIN, OLD, STS_HOPE_OPEN,
	    STS_VERDICT_TEMP, STS_ERR_INTERNAL, FIRST },
	{ "never looked", STS_MODE_ENFORCE, USUAL, STS_DANE_NONE, PLAIN, OLD,
	    STS_HOPE_OPEN, STS_VERDICT_TEMP, STS_ERR_INTERNAL, FIRST },
	{ "applies, and AD is not believed now", STS_MODE_ENFORCE, DANE | MAY,
	    STS_DANE_APPLIES, WHOLE, YOUNG, STS_HOPE_OPEN, STS_VERDICT_TEMP,
	    STS_ERR_INTERNAL, FIRST },
	{ "distrusted, and AD is believed now", STS_MODE_ENFORCE, USUAL,
	    STS_DANE_DISTRUSTED, WHOLE, YOUNG, STS_HOPE_OPEN, STS_VERDICT_TEMP,
	    STS_ERR_INTERNAL, FIRST },
	{ "a finding of the future", STS_MODE_ENFORCE, USUAL, STS_DANE_APPLIES, WHOLE, -1,
	    STS_HOPE_OPEN, STS_VERDICT_TEMP, STS_ERR_INTERNAL, FIRST },

	/* The time is up, or nobody can be asked. */
	{ "late, applies", STS_MODE_ENFORCE, USUAL, STS_DANE_APPLIES, WHOLE, AGED,
	    STS_HOPE_LATE, STS_VERDICT_DANE, STS_OK, NOT },
	{ "late, old", STS_MODE_ENFORCE, USUAL, STS_DANE_APPLIES, WHOLE, OLD,
	    STS_HOPE_LATE, STS_VERDICT_TEMP, STS_ERR_DNS_TIMEOUT, NOT },
	{ "a fetch runs, old", STS_MODE_ENFORCE, USUAL, STS_DANE_APPLIES, WHOLE, OLD,
	    STS_HOPE_RUNNING, STS_VERDICT_TEMP, STS_ERR_DNS_TIMEOUT, NOT },
	{ "alone, applies", STS_MODE_ENFORCE, USUAL, STS_DANE_APPLIES, WHOLE, AGED,
	    STS_HOPE_AWAY, STS_VERDICT_DANE, STS_OK, NOT },
	{ "alone, old", STS_MODE_ENFORCE, USUAL, STS_DANE_APPLIES, WHOLE, OLD,
	    STS_HOPE_AWAY, STS_VERDICT_TEMP, STS_ERR_INTERNAL, NOT },
	{ "alone, off by setting", STS_MODE_ENFORCE, MAY, STS_DANE_APPLIES, WHOLE, OLD,
	    STS_HOPE_AWAY, STS_VERDICT_SECURE, STS_OK, NOT },
	{ "late, unknown", STS_MODE_ENFORCE, USUAL, STS_DANE_UNKNOWN, WHOLE, YOUNG,
	    STS_HOPE_LATE, STS_VERDICT_TEMP, STS_ERR_DNS_REFUSED, NOT },
	{ "the journey ended without a look", STS_MODE_ENFORCE, USUAL, STS_DANE_NONE,
	    WHOLE, OLD, STS_HOPE_DONE, STS_VERDICT_TEMP, STS_ERR_INTERNAL, NOT },

	/* Testing and none. */
	{ "testing, DANE is off by setting", STS_MODE_TESTING, MAY, STS_DANE_APPLIES,
	    WHOLE, OLD, STS_HOPE_OPEN, STS_VERDICT_PERMIT, STS_OK, NOT },
	{ "testing, neither DANE nor may", STS_MODE_TESTING, 0, STS_DANE_NONE, PLAIN, OLD,
	    STS_HOPE_OPEN, STS_VERDICT_NOTFOUND, STS_OK, NOT },
	{ "testing, without may nothing need be known", STS_MODE_TESTING, DANE | BELIEVE,
	    STS_DANE_NONE, PLAIN, OLD, STS_HOPE_OPEN, STS_VERDICT_NOTFOUND, STS_OK, NOT },
	{ "testing, without may, plain", STS_MODE_TESTING, DANE | BELIEVE,
	    STS_DANE_ABSENT, PLAIN, YOUNG, STS_HOPE_OPEN, STS_VERDICT_NOTFOUND, STS_OK,
	    NOT },
	{ "testing, off", STS_MODE_TESTING, USUAL, STS_DANE_OFF, WHOLE, YOUNG,
	    STS_HOPE_OPEN, STS_VERDICT_PERMIT, STS_OK, NOT },
	{ "testing, distrusted", STS_MODE_TESTING, DANE | MAY, STS_DANE_DISTRUSTED, PLAIN,
	    YOUNG, STS_HOPE_OPEN, STS_VERDICT_NOTFOUND, STS_OK, NOT },
	{ "testing, plain", STS_MODE_TESTING, USUAL, STS_DANE_ABSENT, PLAIN, YOUNG,
	    STS_HOPE_OPEN, STS_VERDICT_PERMIT, STS_OK, NOT },
	{ "none, plain", STS_MODE_NONE, USUAL, STS_DANE_ABSENT, PLAIN, YOUNG,
	    STS_HOPE_OPEN, STS_VERDICT_PERMIT, STS_OK, NOT },
	{ "testing, a host has TLSA", STS_MODE_TESTING, USUAL, STS_DANE_ABSENT, WHOLE,
	    YOUNG, STS_HOPE_OPEN, STS_VERDICT_NOTFOUND, STS_OK, NOT },
	{ "testing, applies", STS_MODE_TESTING, USUAL, STS_DANE_APPLIES, WHOLE, YOUNG,
	    STS_HOPE_OPEN, STS_VERDICT_NOTFOUND, STS_OK, NOT },
	{ "testing, unknown", STS_MODE_TESTING, USUAL, STS_DANE_UNKNOWN, PLAIN, YOUNG,
	    STS_HOPE_OPEN, STS_VERDICT_NOTFOUND, STS_OK, NOT },
	{ "testing, the hosts not looked at", STS_MODE_TESTING, USUAL, STS_DANE_ABSENT,
	    PART, YOUNG, STS_HOPE_OPEN, STS_VERDICT_NOTFOUND, STS_OK, FIRST },
	{ "testing, plain, aged", STS_MODE_TESTING, USUAL, STS_DANE_ABSENT, PLAIN, AGED,
	    STS_HOPE_OPEN, STS_VERDICT_PERMIT, STS_OK, BESIDE },
	{ "testing, plain, old", STS_MODE_TESTING, USUAL, STS_DANE_ABSENT, PLAIN, OLD,
	    STS_HOPE_OPEN, STS_VERDICT_NOTFOUND, STS_OK, FIRST },
	{ "testing, off, old", STS_MODE_TESTING, USUAL, STS_DANE_OFF, PLAIN, OLD,
	    STS_HOPE_LATE, STS_VERDICT_NOTFOUND, STS_OK, NOT },
	{ "testing, alone", STS_MODE_TESTING, USUAL, STS_DANE_ABSENT, PLAIN, AGED,
	    STS_HOPE_AWAY, STS_VERDICT_PERMIT, STS_OK, NOT },
	{ "testing, never looked", STS_MODE_TESTING, USUAL, STS_DANE_NONE, PLAIN, OLD,
	    STS_HOPE_DONE, STS_VERDICT_NOTFOUND, STS_OK, NOT },
	{ "strict testing, the hosts not looked at", STS_MODE_TESTING, USUAL | STRICT,
	    STS_DANE_ABSENT, PART, YOUNG, STS_HOPE_OPEN, STS_VERDICT_SECURE, STS_OK,
	    NOT },
	{ "strict testing, applies", STS_MODE_TESTING, USUAL | STRICT, STS_DANE_APPLIES,
	    PART, YOUNG, STS_HOPE_OPEN, STS_VERDICT_DANE, STS_OK, NOT },
	{ "strict testing says nothing of none", STS_MODE_NONE, USUAL | STRICT,
	    STS_DANE_APPLIES, PART, YOUNG, STS_HOPE_OPEN, STS_VERDICT_NOTFOUND, STS_OK,
	    NOT },
};

static struct sts_entry
make_entry(size_t row, struct sts_target target)
{
	struct sts_entry e = { .fetched = NOW - 50,
		.max_age = 86400,
		.mode = rows[row].mode,
		.id = STS_STR("1"),
		.policy = STS_STR(
		    "version: STSv1\nmode: none\nmx: *.example.com\nmax_age: 86400\n"),
		.record_at = NOW - 50,
		.record_ttl = 300,
		.record_id = STS_STR("1"),
		.mx_at = NOW - 50,
		.mx_ttl = 300,
		.mx_count = 1,
		.mx = { { NOW - 50, 10, STS_STR("mx.example.com") } } };
	struct sts_dane f = { .target = target,
		.at = NOW - rows[row].age,
		.ttl = 300,
		.state = rows[row].state,
		.about = STS_ABOUT_TLSA,
		.err = STS_ERR_DNS_REFUSED,
		.ede = 20,
		.host = STS_STR("mx.example.com"),
		.plain = rows[row].kind == PLAIN,
		.whole = rows[row].kind != PART };

	if (f.state != STS_DANE_NONE)
		sts_entry_put_dane(&e, &f);
	return e;
}

static struct sts_answer
answer(size_t row, struct sts_target found, struct sts_target asked)
{
	struct sts_entry e = make_entry(row, found);
	const struct sts_rules rules = { .dane = (rows[row].rules & DANE) != 0,
		.believe = (rows[row].rules & BELIEVE) != 0,
		.may = (rows[row].rules & MAY) != 0,
		.strict_testing = (rows[row].rules & STRICT) != 0,
		.refresh_interval = 86400,
		.refresh_unused = 86400 };
	/* What a caller's variable held before is nothing to go by. */
	struct sts_answer a = { .about = STS_ABOUT_ADDRESS,
		.host = STS_STR("old.example.com"),
		.ask_first = true,
		.ask_beside = true };

	sts_answer(&e, DOMAIN, asked, rows[row].hope, NOW, &rules, &a);
	return a;
}

static void
test_rows(void)
{
	static const struct sts_target targets[] = { { false, 25 }, { true, 25 },
		{ false, 587 }, { true, 587 } };

	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t t = 0; t < COUNT(targets); t++) {
			struct sts_answer a = answer(i, targets[t], targets[t]);
			const char *what = rows[i].what;
			bool dns = a.why == STS_ERR_DNS_REFUSED;
			bool late = a.why == STS_ERR_DNS_TIMEOUT;

			CHECK(what, a.verdict == rows[i].verdict && a.why == rows[i].why);
			CHECK(what, a.ask_first == (rows[i].ask == FIRST));
			CHECK(what, a.ask_beside == (rows[i].ask == BESIDE));
			CHECK(what, a.ede == (dns ? 20 : -1));
			CHECK(what,
			    a.about ==
				(dns	       ? STS_ABOUT_TLSA
					: late ? STS_ABOUT_MX
					       : STS_ABOUT_RECORD));
			CHECK(what,
			    sts_str_eq(a.host,
				dns ? STS_STR("mx.example.com") : STS_STR_NONE));
		}
}

/* What was found for one target says nothing of another. */
static void
test_targets(void)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sts_answer a =
		    answer(i, (struct sts_target){ false, 587 }, STS_TARGET_PLAIN);

		if ((rows[i].rules & DANE) == 0)
			continue;
		CHECK(rows[i].what,
		    a.verdict ==
			(rows[i].mode == STS_MODE_ENFORCE ||
				    (rows[i].rules & STRICT &&
					rows[i].mode == STS_MODE_TESTING)
				? STS_VERDICT_TEMP
				: STS_VERDICT_NOTFOUND));
	}
}

/* A policy has expired while DNS was asked about its hosts: it is fetched again next, and
 * until that has failed nobody knows that there is none. */
static void
test_expired_meanwhile(void)
{
	static const struct {
		const char *what;
		int64_t failed_at;
		enum sts_hope hope;
		enum sts_verdict verdict;
	} cases[] = {
		{ "late", 0, STS_HOPE_LATE, STS_VERDICT_TEMP },
		{ "a fetch runs", 0, STS_HOPE_RUNNING, STS_VERDICT_TEMP },
		{ "late, and one has failed", NOW - 400, STS_HOPE_LATE,
		    STS_VERDICT_NOTFOUND },
		{ "nothing more to find out", 0, STS_HOPE_DONE, STS_VERDICT_NOTFOUND },
	};
	const struct sts_rules rules = { .may = true };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sts_entry e = make_entry(0, STS_TARGET_PLAIN);
		struct sts_answer a;

		e.max_age = 50;
		e.failed_at = cases[i].failed_at;
		sts_answer(&e, DOMAIN, STS_TARGET_PLAIN, cases[i].hope, NOW, &rules, &a);
		CHECK(cases[i].what, a.verdict == cases[i].verdict);
	}
}

int
main(void)
{
	test_rows();
	test_expired_meanwhile();
	test_targets();
	return test_failed;
}
