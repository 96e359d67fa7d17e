/* SPDX-License-Identifier: MIT */
/* What scenarios do not show of a journey: the order of addresses, bounds, flags. */
#include "lookup.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

int test_failed;

#define NOW 1000000000
#define DOMAIN STS_STR("example.com")

static const struct sts_rules rules = { .refresh_interval = 86400,
	.refresh_unused = 86400 };
static const struct sts_str record = { "v=STSv1; id=1", 13 };
static const char enforce[] =
    "version: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 604800\n";

static struct sts_lookup l;

static void
tell_record(void)
{
	sts_lookup_tell(&l, STS_NEED_RECORD,
	    &(struct sts_fact){ .ttl = 300, .texts = &record, .count = 1, .ede = -1 },
	    NOW);
}

/* Addresses as DNS gave them, and the order in which they are tried. */
static const struct {
	const char *what;
	const char *given;
	const char *tried;
} orders[] = {
	{ "one of each", "192.0.9.1 2a00::1", "2a00::1 192.0.9.1" },
	{ "in turn, and in their order", "192.0.9.1 192.0.9.2 192.0.9.3 2a00::1 2a00::2",
	    "2a00::1 192.0.9.1 2a00::2 192.0.9.2 192.0.9.3" },
	{ "IPv6 only", "2a00::2 2a00::1", "2a00::2 2a00::1" },
	{ "what is not public is left out", "10.0.0.1 192.0.9.1 ::1 2a00::1 127.0.0.1",
	    "2a00::1 192.0.9.1" },
	{ "eight at most",
	    "192.0.9.1 192.0.9.2 192.0.9.3 192.0.9.4 192.0.9.5 2a00::1 2a00::2 2a00::3 2a00::4 "
	    "2a00::5",
	    "2a00::1 192.0.9.1 2a00::2 192.0.9.2 2a00::3 192.0.9.3 2a00::4 192.0.9.4" },
	{ "many of one family",
	    "192.0.9.1 192.0.9.2 192.0.9.3 192.0.9.4 192.0.9.5 192.0.9.6 "
	    "192.0.9.7 192.0.9.8 192.0.9.9",
	    "192.0.9.1 192.0.9.2 192.0.9.3 192.0.9.4 192.0.9.5 192.0.9.6 192.0.9.7" },
};

static void
test_order(void)
{
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct sts_addr addresses[16];
		struct sts_fact host = { .addresses = addresses, .ede = -1 };
		struct sts_str rest = sts_str_of(orders[i].given), word;
		char tried[400] = "", text[STS_ADDR_TEXT];

		while (rest.n > 0) {
			(void)sts_str_cut(&rest, ' ', &word);
			CHECK(orders[i].what,
			    sts_addr_parse(word, &addresses[host.count++]));
		}
		sts_lookup_start(&l, DOMAIN, NULL, STS_START_ASKED, &rules);
		CHECK(orders[i].what, sts_lookup_run(&l, NOW) == STS_NEED_RECORD);
		tell_record();
		CHECK(orders[i].what, sts_lookup_run(&l, NOW) == STS_NEED_HOST);
		CHECK(orders[i].what, l.fetching && !l.looking);
		sts_lookup_tell(&l, STS_NEED_HOST, &host, NOW);
		/* Running again changes nothing. */
		CHECK(orders[i].what, sts_lookup_run(&l, NOW) == STS_NEED_POLICY);
		CHECK(orders[i].what, sts_lookup_run(&l, NOW) == STS_NEED_POLICY);
		CHECK(orders[i].what, l.fetching);
		for (size_t a = 0; a < l.address_count; a++) {
			(void)sts_addr_text(&l.addresses[a], text);
			strcat(strcat(tried, a > 0 ? " " : ""), text);
		}
		CHECK(orders[i].what, strcmp(tried, orders[i].tried) == 0);
	}
}

/* A cached policy, as an entry. */
static struct sts_entry
cached(enum sts_mode mode)
{
	return (struct sts_entry){ .fetched = NOW - 400,
		.max_age = 604800,
		.mode = mode,
		.id = STS_STR("1"),
		.policy = { enforce, sizeof(enforce) - 1 },
		.record_at = NOW - 400,
		.record_ttl = 300,
		.record_id = STS_STR("1"),
		.tried = NOW - 400,
		.mx_at = NOW - 10,
		.mx_ttl = 60,
		.mx_count = 1,
		.mx = { { NOW - 10, 10, STS_STR("mx1.example.com") } } };
}

static void
test_looking(void)
{
	struct sts_entry e = cached(STS_MODE_ENFORCE);
	struct sts_addr address = { { 192, 0, 9, 1 }, false };
	struct sts_str other = STS_STR("v=STSv1; id=2");

	sts_lookup_start(&l, DOMAIN, &e, STS_START_ASKED, &rules);
	CHECK("the cached entry is there before the first run",
	    l.entry.fetched == e.fetched && l.entry.mx_count == 1);
	CHECK("the record is due, MX is not", sts_lookup_run(&l, NOW) == STS_NEED_RECORD);
	CHECK("an enforce policy waits for DNS", l.looking && !l.fetching && !l.changed);
	sts_lookup_tell(&l, STS_NEED_RECORD,
	    &(struct sts_fact){ .ttl = 300, .texts = &other, .count = 1 }, NOW);
	CHECK("another id", sts_lookup_run(&l, NOW) == STS_NEED_HOST);
	CHECK("now it waits for a fetch", !l.looking && l.fetching && l.changed);
	sts_lookup_tell(&l, STS_NEED_HOST,
	    &(struct sts_fact){ .addresses = &address, .count = 1 }, NOW);
	sts_lookup_tell(&l, STS_NEED_POLICY,
	    &(struct sts_fact){ .err = STS_ERR_FETCH_TLS }, NOW);
	CHECK("a failure ends it", sts_lookup_run(&l, NOW) == 0);
	CHECK("however often it is run", sts_lookup_run(&l, NOW) == 0);
	CHECK("and is said",
	    l.fetch_err == STS_ERR_FETCH_TLS && !l.fetched && !l.fetching);
	CHECK("and noted",
	    l.entry.failed_err == STS_ERR_FETCH_TLS && l.entry.failed_at == NOW &&
		l.entry.failures == 1 && sts_str_eq(l.entry.failed_id, STS_STR("2")));

	e = cached(STS_MODE_TESTING);
	sts_lookup_start(&l, DOMAIN, &e, STS_START_ASKED, &rules);
	(void)sts_lookup_run(&l, NOW);
	CHECK("nor is a testing policy waited for longer than DNS takes", l.looking);
	l.used = true;
	(void)sts_lookup_run(&l, NOW);
	CHECK("the day of use is a change", l.changed && l.entry.asked == NOW);

	e = cached(STS_MODE_ENFORCE);
	e.failures = UINT16_MAX;
	e.record_ttl = 86400;
	sts_lookup_start(&l, DOMAIN, &e, STS_START_REFRESH, &rules);
	CHECK("a refresh", sts_lookup_run(&l, NOW) == STS_NEED_HOST);
	sts_lookup_tell(&l, STS_NEED_HOST,
	    &(struct sts_fact){ .err = STS_ERR_DNS_NODATA }, NOW);
	CHECK("ends", sts_lookup_run(&l, NOW) == 0);
	CHECK("failures do not wrap", l.entry.failures == UINT16_MAX);
}

/* Who asks while a policy is fetched waits for that only if something but the time calls
 * for it. */
static void
test_looking_while_fetching(void)
{
	static const struct {
		const char *what;
		enum sts_mode mode;
		enum sts_start start;
		const char *id, *host;
		bool looking;
	} ROWS[] = {
		{ "a refresh", STS_MODE_ENFORCE, STS_START_REFRESH, "1",
		    "mx1.example.com", true },
		{ "a refresh, another id", STS_MODE_ENFORCE, STS_START_REFRESH, "2",
		    "mx1.example.com", false },
		{ "a refresh, no host fits", STS_MODE_ENFORCE, STS_START_REFRESH, "1",
		    "mx1.example.org", false },
		{ "another id", STS_MODE_ENFORCE, STS_START_ASKED, "2", "mx1.example.com",
		    false },
		{ "no host fits", STS_MODE_ENFORCE, STS_START_ASKED, "1",
		    "mx1.example.org", false },
		{ "by hand", STS_MODE_ENFORCE, STS_START_FORCED, "1", "mx1.example.com",
		    false },
		{ "testing, another id", STS_MODE_TESTING, STS_START_ASKED, "2",
		    "mx1.example.com", true },
		{ "none, by hand", STS_MODE_NONE, STS_START_FORCED, "1",
		    "mx1.example.com", true },
	};

	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		struct sts_entry e = cached(ROWS[i].mode);

		e.record_at = NOW;
		e.record_id = sts_str_of(ROWS[i].id);
		e.mx[0].host = sts_str_of(ROWS[i].host);
		sts_lookup_start(&l, DOMAIN, &e, ROWS[i].start, &rules);
		if (ROWS[i].start == STS_START_FORCED)
			tell_record();
		CHECK(ROWS[i].what,
		    (sts_lookup_run(&l, NOW) & ~(unsigned)STS_NEED_MX) == STS_NEED_HOST);
		CHECK(ROWS[i].what, l.fetching && l.looking == ROWS[i].looking);
	}
}

/* Many hosts: how many are kept, whose, and with what preference. */
static void
test_hosts(void)
{
	static char names[STS_MX_MAX + 10][32];
	struct sts_str hosts[STS_MX_MAX + 10];
	uint16_t preferences[STS_MX_MAX + 10];
	struct sts_entry e = cached(STS_MODE_ENFORCE);
	struct sts_fact mx = { .ttl = 300,
		.texts = hosts,
		.preferences = preferences,
		.ede = 7 };

	for (size_t i = 0; i < STS_MX_MAX + 10; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "mx%zu.example.com", i);
		hosts[i] = sts_str_of(names[i]);
		preferences[i] = (uint16_t)(1000 - i);
	}
	e.mx_at = NOW - 100;
	e.mx_null = true;
	for (size_t n = 1; n <= STS_MX_MAX + 10; n++) {
		mx.count = n;
		sts_lookup_start(&l, DOMAIN, &e, STS_START_ASKED, &rules);
		tell_record();
		CHECK("MX is due", sts_lookup_run(&l, NOW) == STS_NEED_MX);
		sts_lookup_tell(&l, STS_NEED_MX, &mx, NOW);
		CHECK("done", sts_lookup_run(&l, NOW) == 0);
		/* mx1 was known before: it is not kept twice. */
		CHECK("count",
		    l.entry.mx_count ==
			(n == 1			 ? 2
				: n > STS_MX_MAX ? STS_MX_MAX
						 : n));
		CHECK("no null MX", !l.entry.mx_null);
		CHECK("EDE", l.entry.mx_ede == 7);
		/* The later ones are preferred; of one host alone, mx1 was. */
		CHECK("preference", l.entry.mx[0].preference == (n == 1 ? 10 : 1001 - n));
		CHECK("host", sts_str_eq(l.entry.mx[0].host, hosts[n == 1 ? 1 : n - 1]));
		CHECK("the last one",
		    l.entry.mx[l.entry.mx_count - 1].preference ==
			(n > STS_MX_MAX ? 1000 - (n - STS_MX_MAX) : 1000));
	}
	e.mx[0].host = STS_STR("old.example.com");
	sts_lookup_start(&l, DOMAIN, &e, STS_START_ASKED, &rules);
	tell_record();
	sts_lookup_tell(&l, STS_NEED_MX, &mx, NOW);
	(void)sts_lookup_run(&l, NOW);
	CHECK("no room for an old one",
	    l.entry.mx_count == STS_MX_MAX && l.entry.mx[0].preference != 10);
	e.mx[0].host = STS_STR("mx1.example.com");
	hosts[0] = STS_STR("");
	mx.count = 1;
	sts_lookup_start(&l, DOMAIN, &e, STS_START_ASKED, &rules);
	tell_record();
	sts_lookup_tell(&l, STS_NEED_MX, &mx, NOW);
	(void)sts_lookup_run(&l, NOW);
	CHECK("a null MX", l.entry.mx_null && l.entry.mx_count == 1);
	sts_lookup_start(&l, DOMAIN, &e, STS_START_ASKED, &rules);
	tell_record();
	sts_lookup_tell(&l, STS_NEED_MX,
	    &(struct sts_fact){ .err = STS_ERR_DNS_NXDOMAIN, .ttl = 30 }, NOW);
	(void)sts_lookup_run(&l, NOW);
	CHECK("no such domain is no null MX",
	    !l.entry.mx_null && l.entry.mx_count == 0 && l.entry.mx_ttl == 60);

	/* A name seen exactly an hour ago is forgotten; a younger one is not. */
	for (int64_t age = 3598; age <= 3601; age++) {
		e.mx[0].seen = NOW - age;
		hosts[0] = STS_STR("other.example.com");
		sts_lookup_start(&l, DOMAIN, &e, STS_START_ASKED, &rules);
		tell_record();
		sts_lookup_tell(&l, STS_NEED_MX, &mx, NOW);
		(void)sts_lookup_run(&l, NOW);
		CHECK("memory", l.entry.mx_count == (age < STS_MX_MEMORY ? 2u : 1u));
	}
}

/* What the look at DANE is told about the settings, the journey and the policy. */
static void
test_dane_look(void)
{
	static const struct {
		const char *what;
		enum sts_mode mode;
		enum sts_start start;
		bool believe, strict, brackets;
		bool whole, every;
	} ROWS[] = {
		{ "enforce", STS_MODE_ENFORCE, STS_START_ASKED, true, false, false, false,
		    false },
		{ "enforce, AD is not believed", STS_MODE_ENFORCE, STS_START_ASKED, false,
		    false, true, false, false },
		{ "testing", STS_MODE_TESTING, STS_START_ASKED, true, false, true, true,
		    false },
		{ "strict testing", STS_MODE_TESTING, STS_START_FORCED, true, true, false,
		    false, false },
		{ "none", STS_MODE_NONE, STS_START_ASKED, true, true, false, true,
		    false },
		{ "fresh", STS_MODE_ENFORCE, STS_START_FRESH, true, false, true, true,
		    true },
	};

	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		struct sts_entry e = cached(ROWS[i].mode);
		struct sts_rules with = rules;
		const char *what = ROWS[i].what;

		with.dane = with.may = true;
		with.believe = ROWS[i].believe;
		with.strict_testing = ROWS[i].strict;
		sts_lookup_start(&l, DOMAIN, &e, ROWS[i].start, &with);
		CHECK(what, sts_target_eq(l.target, STS_TARGET_PLAIN));
		CHECK(what, !l.used && !l.early);
		l.target = (struct sts_target){ ROWS[i].brackets, 587 };
		CHECK(what, (sts_lookup_run(&l, NOW) & STS_NEED_TRUST) != 0);
		CHECK(what, sts_str_eq(l.dane.domain, DOMAIN));
		CHECK(what, sts_target_eq(l.dane.target, l.target));
		CHECK(what, l.dane.believe == ROWS[i].believe);
		CHECK(what, l.dane.whole == ROWS[i].whole);
		CHECK(what, l.dane.every == ROWS[i].every);
		CHECK("nothing was told yet", !l.changed);
		sts_lookup_tell(&l, STS_NEED_TRUST, &(struct sts_fact){ .ede = -1 }, NOW);
		(void)sts_lookup_run(&l, NOW);
		CHECK("a finding is a change", l.changed);
		CHECK("a finding",
		    sts_entry_dane(&l.entry, l.target)->state == STS_DANE_OFF &&
			sts_entry_dane(&l.entry, STS_TARGET_PLAIN)->at == 0);
	}
}

int
main(void)
{
	test_order();
	test_looking();
	test_looking_while_fetching();
	test_hosts();
	test_dane_look();
	return test_failed;
}
