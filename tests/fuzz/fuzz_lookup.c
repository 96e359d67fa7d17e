/* SPDX-License-Identifier: MIT */
/*
 * Any entry, any facts, any times: the journey ends, asks nothing twice, does not weaken
 * or shorten a live policy unless a valid one was fetched, never calls trouble of ours
 * "no policy", and what is due without facts is what the first run asks for.
 *
 * Whatever DNS says: an enforced policy is answered by itself, by DANE, or "come again".
 * DANE needs a host that has it; to go without DANE, and all the more "may", needs that
 * somebody has said so. What is of no use is not asked.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "lookup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *data;
static size_t left;

static unsigned
byte(void)
{
	if (left == 0)
		return 0;
	left--;
	return *data++;
}

static int64_t
moment(int64_t around)
{
	static const int64_t steps[] = { 0, 1, 9, 10, 29, 30, 59, 60, 61, 299, 300, 301,
		3600, 86400, 604800, 31557600 };
	unsigned b = byte();
	int64_t step = steps[b % 16];

	return (b & 16) != 0 ? 0 : (b & 32) != 0 ? around + step : around - step;
}

static struct sts_str
pick(const char *const *texts, size_t n)
{
	return sts_str_of(texts[byte() % n]);
}

static const char *const ids[] = { "", "1", "2" };
static const char *const records[] = { "v=STSv1; id=1", "v=STSv1; id=2", "v=spf1", "" };
static const char *const hosts[] = { "mx1.example.com", "mx2.example.com",
	"a.b.example.com", "mx.example.net", "example.com", "" };
static const char *const policies[] = {
	"version: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 604800\n",
	"version: STSv1\nmode: enforce\nmx: mx.example.net\nmax_age: 60\n",
	"version: STSv1\nmode: testing\nmx: mx.example.net\nmax_age: 0\n",
	"version: STSv1\nmode: none\nmax_age: 31557600\n",
	"version: STSv1\nmode: enforce\n",
};
static const enum sts_mode modes[] = { STS_MODE_ENFORCE, STS_MODE_ENFORCE,
	STS_MODE_TESTING, STS_MODE_NONE };

#define NOW 2000000000
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
make_finding(struct sts_dane *f)
{
	*f = (struct sts_dane){ .target = { byte() % 2 != 0, byte() % 2 != 0 ? 25 : 587 },
		.at = moment(NOW),
		.ttl = byte() * 16,
		.state = (enum sts_dane_state)(byte() % STS_DANE_STATES),
		.about = (enum sts_about)(byte() % STS_ABOUTS),
		.err = (enum sts_err)(byte() % STS_ERRS),
		.ede = (int16_t)(byte() % 40 - 1),
		.host = pick(hosts, COUNT(hosts)) };
	unsigned flags = byte();

	f->mx_secure = (flags & 1) != 0;
	f->applied = (flags & 2) != 0;
	f->whole = (flags & 4) != 0;
	f->plain = (flags & 8) != 0;
}

static void
make_entry(struct sts_entry *e)
{
	unsigned policy = byte() % 5;

	memset(e, 0, sizeof(*e));
	if (policy < 4) {
		e->fetched = moment(NOW);
		e->max_age = 60u << byte() % 20;
		e->mode = modes[policy];
		e->policy = sts_str_of(policies[policy]);
		e->id = pick(ids, COUNT(ids));
	}
	e->record_at = moment(NOW);
	e->record_ttl = byte() * 2;
	e->record_err = (enum sts_err)(byte() % STS_ERRS);
	e->record_id = pick(ids, COUNT(ids));
	e->tried = moment(NOW);
	e->failed_at = moment(NOW);
	e->failed_id = pick(ids, COUNT(ids));
	e->failures = (uint16_t)byte();
	e->mx_at = moment(NOW);
	e->mx_ttl = byte();
	e->mx_err = (enum sts_err)(byte() % STS_ERRS);
	e->dane_count = byte() % (STS_DANE_TARGETS + 1);
	for (size_t i = 0; i < e->dane_count; i++)
		make_finding(&e->dane[i]);
	e->mx_count = byte() % 4;
	for (size_t i = 0; i < e->mx_count; i++)
		e->mx[i] = (struct sts_mx_seen){ moment(NOW), (uint16_t)byte(),
			pick(hosts, COUNT(hosts)) };
}

/* What was told of the hosts, and what of it was ever asked. */
static struct {
	unsigned asked[STS_MX_EXAMINED];
	size_t open;
	struct sts_dane_question question[STS_MX_EXAMINED * STS_DANE_STEPS];
} hosts_told;

static void
ask_hosts(struct sts_lookup *l)
{
	struct sts_dane_question *q = &hosts_told.question[hosts_told.open];

	while (
	    hosts_told.open < COUNT(hosts_told.question) && sts_dane_ask(&l->dane, q)) {
		if (q->host >= l->dane.host_count || q->name_n == 0 ||
		    (hosts_told.asked[q->host] >> q->step & 1) != 0)
			abort();
		hosts_told.asked[q->host] |= 1u << q->step;
		q = &hosts_told.question[++hosts_told.open];
	}
	if (hosts_told.open == 0)
		abort(); /* it waits, and for nothing */
}

/* Answers one or more of the questions, the last one first. */
static void
tell_hosts(struct sts_lookup *l)
{
	unsigned n = 1 + byte() % 4;

	for (; n > 0 && hosts_told.open > 0; n--) {
		struct sts_dane_question *q = &hosts_told.question[--hosts_told.open];
		unsigned flags = byte();
		struct sts_dane_fact f = { .ttl = byte() * 16,
			.ede = -1,
			.ad = (flags & 1) != 0,
			.usable = (flags & 2) != 0 };

		if ((flags & 12) == 0)
			f.err = (enum sts_err)(byte() % STS_ERRS);
		sts_dane_tell(&l->dane, q->host, q->step, &f,
		    (flags & 16) != 0 ? pick(hosts, COUNT(hosts)) : STS_STR_NONE);
	}
}

static void
tell(struct sts_lookup *l, enum sts_need need, int64_t now)
{
	static struct sts_str texts[STS_NEEDS][4];
	static uint16_t preferences[4];
	static struct sts_addr addresses[4];
	struct sts_fact f = { .ttl = byte() * 4, .ede = -1, .count = 1 + byte() % 4 };
	unsigned slot = need == STS_NEED_MX ? 1 : 0;

	if (byte() % 3 == 0)
		f.err = (enum sts_err)(byte() % STS_ERRS);
	f.ad = byte() % 4 != 0;
	for (size_t i = 0; i < f.count; i++)
		texts[slot][i] =
		    slot == 1 ? pick(hosts, COUNT(hosts)) : pick(records, COUNT(records));
	for (size_t i = 0; i < f.count; i++)
		addresses[i] =
		    (struct sts_addr){ { (uint8_t)byte(), 1, 2, 3 }, byte() % 2 != 0 };
	if (need != STS_NEED_HOST) {
		f.texts = texts[slot];
		f.preferences = preferences;
	} else {
		f.addresses = addresses;
	}
	f.body = pick(policies, COUNT(policies));
	sts_lookup_tell(l, need, &f, now);
}

static bool
any_host_is(const struct sts_lookup *l, enum sts_host_state state)
{
	for (size_t i = 0; i < l->dane.host_count; i++)
		if (sts_dane_host_state(&l->dane, i) == state)
			return true;
	return false;
}

/* What this journey found out of DANE is what was told. */
static void
check_finding(const struct sts_lookup *l, const struct sts_dane *f)
{
	bool is_new = f->at != 0 && memcmp(f, &l->dane.finding, sizeof(*f)) == 0;
	bool hosts_told_of = l->dane.host_count > 0 && f->whole;

	if (!is_new)
		return;
	if (f->state == STS_DANE_APPLIES && !any_host_is(l, STS_HOST_U))
		abort();
	if (f->state == STS_DANE_ABSENT && f->mx_secure &&
	    (any_host_is(l, STS_HOST_U) || any_host_is(l, STS_HOST_F)))
		abort();
	if (f->state == STS_DANE_ABSENT && f->plain && hosts_told_of &&
	    (any_host_is(l, STS_HOST_U) || any_host_is(l, STS_HOST_X) ||
		any_host_is(l, STS_HOST_F) || any_host_is(l, STS_HOST_WAITS)))
		abort();
	if (f->ttl > STS_MX_TTL_MAX || f->ttl < STS_FAILED_TTL ||
	    (f->state == STS_DANE_UNKNOWN && f->ttl != STS_FAILED_TTL))
		abort();
}

/* The answer, by what the entry says of DANE. */
static void
check_dane(const struct sts_lookup *l, const struct sts_answer *a, int64_t now)
{
	const struct sts_rules *rules = l->rules;
	const struct sts_dane *f = sts_entry_dane(&l->entry, l->target);
	bool live = sts_dane_is_live(f, rules, now);
	bool nobody_sees = !rules->dane || (live && f->state == STS_DANE_OFF);
	bool absent = live && f->state == STS_DANE_ABSENT && rules->believe;
	bool distrusted = live && f->state == STS_DANE_DISTRUSTED && !rules->believe;

	switch (a->verdict) {
	case STS_VERDICT_DANE:
		if (!rules->dane || !rules->believe || !live ||
		    f->state != STS_DANE_APPLIES)
			abort();
		break;
	case STS_VERDICT_SECURE:
		if (!nobody_sees && !absent && !distrusted)
			abort();
		break;
	case STS_VERDICT_PERMIT:
		if (!rules->may || (!nobody_sees && !(absent && f->whole && f->plain)))
			abort();
		break;
	case STS_VERDICT_TEMP:
	case STS_VERDICT_NOTFOUND:
		break;
	}
}

static void
check_end(const struct sts_lookup *l, int64_t now)
{
	const struct sts_entry *e = &l->entry, *before = &l->cached;
	struct sts_answer a;
	bool enforced;

	if (!l->fetched &&
	    (e->fetched != before->fetched || e->max_age != before->max_age ||
		e->mode != before->mode || !sts_str_eq(e->policy, before->policy)))
		abort();
	if (l->internal != STS_OK && sts_entry_is_live(e, now))
		abort();
	sts_answer(e, l->domain, l->target, STS_HOPE_DONE, now, l->rules, &a);
	if (a.ask_first || a.ask_beside)
		abort();
	enforced = a.verdict == STS_VERDICT_SECURE || a.verdict == STS_VERDICT_DANE;
	if (sts_lookup_enforces(e, l->rules, now)
		? a.verdict == STS_VERDICT_NOTFOUND || a.verdict == STS_VERDICT_PERMIT
		: enforced)
		abort();
	if (sts_lookup_enforces(before, l->rules, now) && !l->fetched && !enforced &&
	    a.verdict != STS_VERDICT_TEMP)
		abort();
	check_finding(l, sts_entry_dane(e, l->target));
	check_dane(l, &a, now);
}

/* The answer in the middle of the journey, for one whose time is up. */
static void
check_late(const struct sts_lookup *l, int64_t now)
{
	struct sts_answer a;

	sts_answer(&l->entry, l->domain, l->target,
	    l->fetching ? STS_HOPE_RUNNING : STS_HOPE_LATE, now, l->rules, &a);
	if (sts_lookup_enforces(&l->cached, l->rules, now) && !l->fetched &&
	    (a.verdict == STS_VERDICT_NOTFOUND || a.verdict == STS_VERDICT_PERMIT))
		abort();
	check_dane(l, &a, now);
}

/* A domain without a policy costs the question about its record; DANE costs nothing where
 * nobody does it. */
static void
check_needs(const struct sts_lookup *l, unsigned needs, int64_t now)
{
	const unsigned of_dane = STS_NEED_TRUST | STS_NEED_TRUST_NOW | STS_NEED_HOSTS;

	if (l->start == STS_START_FRESH)
		return;
	if ((needs & (of_dane | STS_NEED_MX)) != 0 && !sts_entry_is_live(&l->entry, now))
		abort();
	if ((needs & of_dane) != 0 && !l->rules->dane)
		abort();
}

/* Tells what is needed, in steps, until nothing is. */
static void
travel(struct sts_lookup *l)
{
	int64_t now = NOW;
	unsigned asked = 0, needs;

	while ((needs = sts_lookup_run(l, now)) != 0) {
		check_needs(l, needs, now);
		check_late(l, now);
		if ((needs & asked) == needs && (needs & STS_NEED_HOSTS) == 0)
			abort(); /* it waits for what it was told */
		if ((needs & STS_NEED_HOSTS) != 0) {
			ask_hosts(l);
			tell_hosts(l);
		}
		for (unsigned need = 1; need < 1u << STS_NEEDS; need <<= 1)
			if ((needs & ~asked & need) != 0 && need != STS_NEED_HOSTS) {
				asked |= need;
				now += byte() % 64;
				tell(l, (enum sts_need)need, now);
			}
	}
	check_end(l, now);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct sts_lookup l;
	struct sts_entry e;
	struct sts_rules rules = { .refresh_interval = 86400, .refresh_unused = 86400 };
	struct sts_target target;
	enum sts_start start;
	unsigned needs, flags;
	int64_t now = NOW;

	data = bytes;
	left = size;
	make_entry(&e);
	flags = byte();
	rules.strict_testing = (flags & 1) != 0;
	rules.loose = (flags & 2) != 0;
	rules.defer_txt_error = (flags & 4) != 0;
	start = (enum sts_start)(flags >> 3 & 3);
	target.brackets = (flags & 32) != 0;
	target.port = (flags & 64) != 0 ? 587 : 25;
	flags = byte();
	rules.dane = (flags & 1) != 0;
	rules.believe = (flags & 2) != 0;
	rules.may = (flags & 4) != 0;
	sts_lookup_start(&l, STS_STR("example.com"), &e, start, &rules);
	l.target = target;
	needs = sts_lookup_run(&l, now);
	if (l.start == STS_START_ASKED &&
	    needs != sts_lookup_due(&e, l.domain, target, &rules, now))
		abort();
	l.early = (flags & 8) != 0;
	memset(&hosts_told, 0, sizeof(hosts_told));
	travel(&l);
	return 0;
}
