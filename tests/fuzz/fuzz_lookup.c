/* SPDX-License-Identifier: MIT */
/*
 * Any entry, any facts, any times: the journey ends, asks nothing twice, does not weaken
 * or shorten a live policy unless a valid one was fetched, never calls trouble of ours
 * "no policy", and what is due without facts is what the first run asks for.
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
	e->mx_count = byte() % 4;
	for (size_t i = 0; i < e->mx_count; i++)
		e->mx[i] = (struct sts_mx_seen){ moment(NOW), (uint16_t)byte(),
			pick(hosts, COUNT(hosts)) };
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

static void
check_end(const struct sts_lookup *l, int64_t now)
{
	const struct sts_entry *e = &l->entry, *before = &l->cached;
	struct sts_answer a;

	if (!l->fetched &&
	    (e->fetched != before->fetched || e->max_age != before->max_age ||
		e->mode != before->mode || !sts_str_eq(e->policy, before->policy)))
		abort();
	if (l->internal != STS_OK && sts_entry_is_live(e, now))
		abort();
	sts_answer(e, l->domain, false, STS_HOPE_DONE, now, l->rules, &a);
	if (a.ask_first || a.ask_beside)
		abort();
	if (sts_lookup_enforces(e, l->rules, now) != (a.verdict == STS_VERDICT_SECURE))
		abort();
	if (sts_lookup_enforces(before, l->rules, now) && !l->fetched &&
	    a.verdict != STS_VERDICT_SECURE)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct sts_lookup l;
	struct sts_entry e;
	struct sts_rules rules = { .refresh_interval = 86400, .refresh_unused = 86400 };
	unsigned needs, asked = 0, flags;
	int64_t now = NOW;

	data = bytes;
	left = size;
	make_entry(&e);
	flags = byte();
	rules.strict_testing = (flags & 1) != 0;
	rules.loose = (flags & 2) != 0;
	rules.defer_txt_error = (flags & 4) != 0;
	sts_lookup_start(&l, STS_STR("example.com"), &e, (enum sts_start)(flags >> 3 & 3),
	    &rules);
	l.host_only = (flags & 32) != 0;
	needs = sts_lookup_run(&l, now);
	if (l.start == STS_START_ASKED &&
	    needs != sts_lookup_due(&e, l.domain, l.host_only, &rules, now))
		abort();
	while (needs != 0) {
		if ((needs & asked) == needs)
			abort(); /* it waits for what it was told */
		for (unsigned need = 1; need < 1u << STS_NEEDS; need <<= 1)
			if ((needs & ~asked & need) != 0) {
				asked |= need;
				now += byte() % 64;
				tell(&l, (enum sts_need)need, now);
			}
		needs = sts_lookup_run(&l, now);
	}
	check_end(&l, now);
	return 0;
}
