/* SPDX-License-Identifier: MIT */
/*
 * One lookup, from the question to the truth about the domain; see lookup.h. Read
 * sts_lookup_run() first: it stands at the end, and tells the journey in the order in
 * which it happens.
 */
#include "lookup.h"

#include <assert.h>
#include <string.h>

#include "match.h"
#include "record.h"

#define DAY 86400

static size_t
index_of(enum sts_need need)
{
	size_t i = 0;

	while (need >> i > 1)
		i++;
	return i;
}

/* The fact, if it was told. */
static const struct sts_fact *
told(const struct sts_lookup *l, enum sts_need need)
{
	return (l->known & need) != 0 ? &l->fact[index_of(need)] : NULL;
}

/* Trouble of our own says nothing about the domain. */
static bool
is_ours(enum sts_err err)
{
	return err >= STS_ERR_NOMEM;
}

/* A time is past when it has been reached, or lies so that the clock cannot be right. */
static bool
is_past(int64_t since, int64_t seconds, int64_t now)
{
	return since == 0 || now >= since + seconds || now < since;
}

static uint32_t
clamp(uint32_t n, uint32_t least, uint32_t most)
{
	return n < least ? least : n > most ? most : n;
}

/* How long "there is no such record" counts (RFC 2308 section 5). */
static uint32_t
negative_ttl(uint32_t ttl, uint32_t least)
{
	if (ttl == 0)
		return STS_NEGATIVE_TTL_NO_SOA;
	return clamp(ttl, least, STS_NEGATIVE_TTL_MAX);
}

/*
 * The record, RFC 8461 section 3.1.
 */
bool
sts_lookup_record_is_due(const struct sts_entry *e, int64_t now)
{
	return is_past(e->record_at, e->record_ttl, now);
}

static void
learn_record(struct sts_entry *e, const struct sts_fact *f)
{
	struct sts_str id = STS_STR_NONE;
	enum sts_err err = f->err;

	if (err == STS_OK)
		err = sts_record_pick(f->texts, f->count, &id);
	e->record_at = f->at;
	e->record_err = err;
	e->record_ede = f->ede;
	e->record_id = id;
	if (sts_err_is_dns_failure(f->err))
		e->record_ttl = STS_FAILED_TTL;
	else if (f->err != STS_OK)
		e->record_ttl = negative_ttl(f->ttl, STS_RECORD_TTL_MIN);
	else
		e->record_ttl = clamp(f->ttl, STS_RECORD_TTL_MIN, STS_RECORD_TTL_MAX);
}

/*
 * The MX hosts: for the names of an enforce policy, and for DANE.
 */
bool
sts_lookup_enforces(const struct sts_entry *e, const struct sts_rules *rules, int64_t now)
{
	return sts_entry_is_live(e, now) &&
	    (e->mode == STS_MODE_ENFORCE ||
		(rules->strict_testing && e->mode == STS_MODE_TESTING));
}

static bool
needs_mx(const struct sts_entry *e, struct sts_target target,
    const struct sts_rules *rules, int64_t now)
{
	return !target.brackets && !rules->loose && sts_lookup_enforces(e, rules, now);
}

/* "secure" must not override DANE (RFC 8461 section 2), and "may" must not either. */
static bool
needs_dane(const struct sts_entry *e, const struct sts_rules *rules, int64_t now)
{
	return rules->dane && sts_entry_is_live(e, now) &&
	    (rules->may || sts_lookup_enforces(e, rules, now));
}

/* For "may" the hosts count even where an insecure MX says who they are. */
static bool
needs_whole(const struct sts_entry *e, const struct sts_rules *rules, int64_t now)
{
	return !sts_lookup_enforces(e, rules, now);
}

static bool
dane_serves(const struct sts_dane *f, const struct sts_entry *e,
    const struct sts_rules *rules, int64_t now)
{
	return sts_dane_is_live(f, rules, now) &&
	    (f->state != STS_DANE_ABSENT || f->whole || !needs_whole(e, rules, now));
}

bool
sts_lookup_dane_is_due(const struct sts_entry *e, struct sts_target target,
    const struct sts_rules *rules, int64_t now)
{
	return needs_dane(e, rules, now) &&
	    !dane_serves(sts_entry_dane(e, target), e, rules, now);
}

/* When a finding is due: at the end of its life, or, for those who come early, at three
 * quarters of it. */
static bool
is_aged(int64_t at, uint32_t ttl, bool early, int64_t now)
{
	return is_past(at, early ? STS_EARLY(ttl) : ttl, now);
}

/* What of MX and DANE is due. DANE begins with the question who may speak of it. */
static unsigned
hosts_due(const struct sts_entry *e, struct sts_target target,
    const struct sts_rules *rules, bool early, int64_t now)
{
	const struct sts_dane *f = sts_entry_dane(e, target);
	unsigned due = 0;

	if (needs_mx(e, target, rules, now) && is_aged(e->mx_at, e->mx_ttl, early, now))
		due |= STS_NEED_MX;
	if (sts_lookup_dane_is_due(e, target, rules, now) ||
	    (early && needs_dane(e, rules, now) && is_aged(f->at, f->ttl, true, now)))
		due |= STS_NEED_TRUST;
	return due;
}

/* The same, whenever it was last looked at. */
static unsigned
hosts_needed(const struct sts_entry *e, struct sts_target target,
    const struct sts_rules *rules, int64_t now)
{
	unsigned mx = needs_mx(e, target, rules, now) ? STS_NEED_MX : 0;

	return mx | (needs_dane(e, rules, now) ? STS_NEED_TRUST : 0);
}

bool
sts_lookup_due_soon(const struct sts_entry *e, struct sts_target target,
    const struct sts_rules *rules, int64_t now)
{
	return hosts_due(e, target, rules, true, now) != 0;
}

static bool
has_host(const struct sts_fact *f, struct sts_str host)
{
	for (size_t i = 0; i < f->count; i++)
		if (sts_str_eq(f->texts[i], host))
			return true;
	return false;
}

static bool
comes_before(const struct sts_mx_seen *a, const struct sts_mx_seen *b)
{
	return a->preference != b->preference ? a->preference < b->preference
					      : sts_str_cmp(a->host, b->host) < 0;
}

/* Keeps the hosts in order, so that a resolver that turns its answers around does not
 * change the reply; the last ones go when there are too many. */
static void
insert_host(struct sts_entry *e, struct sts_mx_seen host)
{
	size_t at;

	if (e->mx_count < STS_MX_MAX)
		e->mx_count++;
	else if (!comes_before(&host, &e->mx[STS_MX_MAX - 1]))
		return;
	for (at = e->mx_count - 1; at > 0 && comes_before(&host, &e->mx[at - 1]); at--)
		e->mx[at] = e->mx[at - 1];
	e->mx[at] = host;
}

/* The hosts of the answer, and, while there is room, others of the last hour. */
static void
learn_hosts(struct sts_entry *e, const struct sts_fact *f)
{
	struct sts_entry before;

	sts_entry_copy(&before, e);
	e->mx_count = 0;
	e->mx_null = f->count == 1 && f->texts[0].n == 0;
	for (size_t i = 0; i < f->count; i++)
		if (f->texts[i].n > 0)
			insert_host(e,
			    (struct sts_mx_seen){ f->at, f->preferences[i],
				f->texts[i] });
	for (size_t i = 0; i < before.mx_count && e->mx_count < STS_MX_MAX; i++)
		if (f->at - before.mx[i].seen < STS_MX_MEMORY &&
		    !has_host(f, before.mx[i].host))
			insert_host(e, before.mx[i]);
}

static void
learn_mx(struct sts_entry *e, const struct sts_fact *f)
{
	/* Who looks early and fails has still what there is. */
	if (sts_err_is_dns_failure(f->err) && !is_past(e->mx_at, e->mx_ttl, f->at))
		return;
	e->mx_at = f->at;
	e->mx_err = f->err;
	e->mx_ede = f->ede;
	if (sts_err_is_dns_failure(f->err)) {
		e->mx_ttl = STS_FAILED_TTL;
		return;
	}
	if (f->err != STS_OK) { /* an implicit MX, or no such domain */
		e->mx_ttl = negative_ttl(f->ttl, STS_MX_TTL_MIN);
		e->mx_null = false;
		e->mx_count = 0;
		return;
	}
	e->mx_ttl = clamp(f->ttl, STS_MX_TTL_MIN, STS_MX_TTL_MAX);
	learn_hosts(e, f);
}

/*
 * Whether to fetch.
 */

/* Section 3.3: not twice in five minutes for an id that failed; nor twice a minute. */
static bool
may_fetch(const struct sts_entry *e, int64_t now)
{
	if (!is_past(e->tried, STS_FETCH_GAP, now))
		return false;
	return is_past(e->failed_at, STS_FAILURE_GAP, now) ||
	    !sts_str_eq(e->failed_id, e->record_id);
}

/* Sections 3.3 and 5.1: no policy counts yet, or the record announces another one. */
static bool
is_announced(const struct sts_entry *e, int64_t now)
{
	return e->record_err == STS_OK && e->record_at != 0 &&
	    (!sts_entry_is_live(e, now) || !sts_str_eq(e->record_id, e->id));
}

static bool
wants_policy(const struct sts_entry *e, enum sts_start start, int64_t now)
{
	switch (start) {
	case STS_START_ASKED:
		return is_announced(e, now) && may_fetch(e, now);
	case STS_START_REFRESH: /* section 10.2: whatever the record says */
		return e->fetched != 0 && may_fetch(e, now);
	case STS_START_FORCED:
		return sts_entry_is_live(e, now) || is_announced(e, now);
	case STS_START_FRESH:
		return is_announced(e, now);
	}
	return false;
}

/* No MX host fits the policy: the domain has probably moved, and its policy with it. */
static bool
has_moved(const struct sts_entry *e, struct sts_str domain, struct sts_target target,
    const struct sts_rules *rules, int64_t now)
{
	return needs_mx(e, target, rules, now) &&
	    is_past(e->tried, STS_MISFIT_GAP, now) &&
	    sts_match_fit(e, sts_policy_text(e->policy), domain, false, now) ==
	    STS_FIT_NONE;
}

/*
 * Fetching, section 3.3.
 */
static void
learn_failure(struct sts_lookup *l, enum sts_err err, int64_t at)
{
	struct sts_entry *e = &l->entry;

	l->fetch_err = err;
	if (is_ours(err))
		return;
	e->tried = at;
	e->failed_at = at;
	e->failed_err = err;
	e->failed_id = e->record_id;
	if (e->failures < UINT16_MAX)
		e->failures++;
}

static void
learn_policy(struct sts_lookup *l, const struct sts_fact *f)
{
	struct sts_entry *e = &l->entry;
	struct sts_policy policy;
	enum sts_err err = f->err;

	if (err == STS_OK)
		err = sts_policy_parse(f->body, &policy, NULL, NULL);
	if (err != STS_OK) {
		learn_failure(l, err, f->at);
		return;
	}
	l->fetched = true;
	e->fetched = f->at;
	e->tried = f->at;
	e->failures = 0;
	e->policy = f->body;
	e->mode = policy.mode;
	e->max_age = policy.max_age > STS_MAX_AGE_MIN ? policy.max_age : STS_MAX_AGE_MIN;
	if (e->record_err == STS_OK)
		e->id = e->record_id;
}

static bool
is_let_through(const struct sts_rules *rules, const struct sts_addr *address)
{
	return sts_addr_is_public(address) ||
	    sts_nets_have(rules->allow, rules->allow_count, address);
}

/* The n-th address of a family that the guard lets through. */
static const struct sts_addr *
nth_address(const struct sts_lookup *l, const struct sts_fact *f, bool v6, size_t n)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->addresses[i].v6 == v6 &&
		    is_let_through(l->rules, &f->addresses[i]) && n-- == 0)
			return &f->addresses[i];
	return NULL;
}

/* IPv6 and IPv4 in turn, so that a family that is dead costs little. */
static void
order_addresses(struct sts_lookup *l, const struct sts_fact *f)
{
	const struct sts_addr *v6, *v4;

	for (size_t n = 0; l->address_count + 1 < STS_ADDRESSES_MAX; n++) {
		if ((v6 = nth_address(l, f, true, n)) != NULL)
			l->addresses[l->address_count++] = *v6;
		if ((v4 = nth_address(l, f, false, n)) != NULL)
			l->addresses[l->address_count++] = *v4;
		if (v6 == NULL && v4 == NULL)
			return;
	}
}

/* Section 3.3, from the policy host's name to the file. */
static unsigned
fetch(struct sts_lookup *l)
{
	const struct sts_fact *host, *policy;

	if ((host = told(l, STS_NEED_HOST)) == NULL) {
		l->fetching = true;
		return STS_NEED_HOST;
	}
	if (host->err != STS_OK) {
		learn_failure(l, is_ours(host->err) ? host->err : STS_ERR_FETCH_DNS,
		    host->at);
		return 0;
	}
	order_addresses(l, host);
	if (l->address_count == 0) {
		learn_failure(l, STS_ERR_FETCH_BLOCKED, host->at);
		return 0;
	}
	if ((policy = told(l, STS_NEED_POLICY)) == NULL) {
		l->fetching = true;
		return STS_NEED_POLICY;
	}
	learn_policy(l, policy);
	return 0;
}

/*
 * The journey.
 */
static unsigned
look_at_record(struct sts_lookup *l, int64_t now)
{
	const struct sts_fact *record = told(l, STS_NEED_RECORD);
	bool at_once = l->start == STS_START_FORCED || l->start == STS_START_FRESH;

	if (record != NULL && is_ours(record->err))
		return 0;
	if (record != NULL)
		learn_record(&l->entry, record);
	else if (at_once || sts_lookup_record_is_due(&l->entry, now))
		return STS_NEED_RECORD;
	return 0;
}

/* A failed look does not take the place of what still counts. */
static void
learn_dane(struct sts_entry *e, const struct sts_dane *finding,
    const struct sts_rules *rules, int64_t now)
{
	const struct sts_dane *before = sts_entry_dane(e, finding->target);

	if (finding->state != STS_DANE_UNKNOWN || !dane_serves(before, e, rules, now))
		sts_entry_put_dane(e, finding);
}

static unsigned
look_at_dane(struct sts_lookup *l, int64_t now)
{
	struct sts_dane_look *d = &l->dane;
	unsigned needs;

	d->domain = l->domain;
	d->target = l->target;
	d->believe = l->rules->believe;
	d->every = l->start == STS_START_FRESH;
	d->whole = d->every || needs_whole(&l->entry, l->rules, now);
	needs = sts_dane_run(d, sts_entry_dane(&l->cached, l->target),
	    told(l, STS_NEED_TRUST), told(l, STS_NEED_TRUST_NOW), told(l, STS_NEED_MX),
	    now);
	learn_dane(&l->entry, &d->finding, l->rules, now);
	return needs;
}

/* The MX hosts, and whether they do DANE. */
static unsigned
look_at_hosts(struct sts_lookup *l, int64_t now)
{
	const struct sts_fact *mx = told(l, STS_NEED_MX);
	bool fresh = l->start == STS_START_FRESH;
	unsigned due = hosts_due(&l->entry, l->target, l->rules, l->early, now);
	unsigned needs = 0;

	/* A refresh is for the policy: what it found out of DANE would be too old before
	 * somebody asks, unless somebody does meanwhile. */
	if (l->start == STS_START_REFRESH && !l->used)
		due &= ~(unsigned)STS_NEED_TRUST;
	/* Who asks for a refresh by hand perhaps knows that the domain has moved. */
	if (l->start == STS_START_FORCED)
		due = hosts_needed(&l->entry, l->target, l->rules, now);
	if (fresh)
		due = STS_NEED_TRUST | (l->target.brackets ? 0 : STS_NEED_MX);
	if (mx != NULL && !is_ours(mx->err))
		learn_mx(&l->entry, mx);
	else if (mx == NULL)
		needs = due & STS_NEED_MX;
	if ((due & STS_NEED_TRUST) != 0)
		needs |= look_at_dane(l, now);
	return needs;
}

static bool
is_fetching(const struct sts_lookup *l)
{
	return told(l, STS_NEED_HOST) != NULL;
}

/* What keeps us from knowing, when it is not the domain's doing. */
static enum sts_err
trouble_of_ours(const struct sts_lookup *l)
{
	const struct sts_fact *record = told(l, STS_NEED_RECORD);

	if (record != NULL && is_ours(record->err))
		return record->err;
	return is_ours(l->fetch_err) ? l->fetch_err : STS_OK;
}

/* What is fetched is kept before it counts. */
static unsigned
finish(struct sts_lookup *l, int64_t now)
{
	if (l->fetched && told(l, STS_NEED_STORED) == NULL)
		return STS_NEED_STORED;
	if (!sts_entry_is_live(&l->entry, now))
		l->internal = trouble_of_ours(l);
	return 0;
}

static void
begin(struct sts_lookup *l, int64_t now)
{
	sts_entry_copy(&l->entry, &l->cached);
	l->fetching = l->fetched = false;
	l->fetch_err = l->internal = STS_OK;
	l->address_count = 0;
	l->looking = sts_entry_is_live(&l->cached, now);
	l->changed = l->known != 0;
	if (l->used && is_past(l->entry.asked, DAY, now)) {
		l->entry.asked = now;
		l->changed = true;
	}
}

static bool
is_mere_refresh(const struct sts_lookup *l, int64_t now)
{
	return l->start == STS_START_REFRESH && !is_announced(&l->entry, now) &&
	    !has_moved(&l->entry, l->domain, l->target, l->rules, now);
}

unsigned
sts_lookup_run(struct sts_lookup *l, int64_t now)
{
	unsigned needs;

	begin(l, now);

	/* The record says whether there is a policy, and which (sections 3.1 and 3.3). The
	 * MX hosts of a policy we already have can be looked at beside it. */
	if ((needs = look_at_record(l, now)) != 0)
		return needs | look_at_hosts(l, now);

	if (trouble_of_ours(l) != STS_OK)
		return finish(l, now);

	/* A policy that is not announced anew still counts (section 3.3). Whether its MX
	 * hosts fit it tells whether the domain has moved. */
	if (!wants_policy(&l->entry, l->start, now) && !is_fetching(l)) {
		if ((needs = look_at_hosts(l, now)) != 0)
			return needs;
		if (!has_moved(&l->entry, l->domain, l->target, l->rules, now))
			return finish(l, now);
	}

	/* Whatever goes wrong from here on, the cached policy stays (section 3.3). Nobody
	 * waits for a refresh that nothing calls for but the time; nor, where nothing is
	 * enforced, for any. */
	l->looking = l->looking &&
	    (!sts_lookup_enforces(&l->cached, l->rules, now) || is_mere_refresh(l, now));
	if ((needs = fetch(l)) != 0)
		return needs | look_at_hosts(l, now);
	if ((needs = look_at_hosts(l, now)) != 0)
		return needs;
	return finish(l, now);
}

unsigned
sts_lookup_due(const struct sts_entry *e, struct sts_str domain, struct sts_target target,
    const struct sts_rules *rules, int64_t now)
{
	unsigned hosts = hosts_due(e, target, rules, false, now);

	if (sts_lookup_record_is_due(e, now))
		return STS_NEED_RECORD | hosts;
	if (wants_policy(e, STS_START_ASKED, now))
		return STS_NEED_HOST | hosts;
	if (hosts != 0)
		return hosts;
	return has_moved(e, domain, target, rules, now) ? STS_NEED_HOST : 0;
}

void
sts_lookup_start(struct sts_lookup *l, struct sts_str domain,
    const struct sts_entry *cached, enum sts_start start, const struct sts_rules *rules)
{
	memset(l, 0, sizeof(*l));
	l->domain = domain;
	l->rules = rules;
	l->start = start;
	l->target = STS_TARGET_PLAIN;
	if (cached == NULL)
		return;
	sts_entry_copy(&l->cached, cached);
	sts_entry_copy(&l->entry, cached);
}

void
sts_lookup_tell(struct sts_lookup *l, enum sts_need need, const struct sts_fact *fact,
    int64_t now)
{
	size_t i = index_of(need);

	assert(i < STS_NEEDS);
	l->fact[i] = *fact;
	l->fact[i].at = now;
	l->known |= need;
}
