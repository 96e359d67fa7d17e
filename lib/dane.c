/* SPDX-License-Identifier: MIT */
/*
 * Whether DANE comes before MTA-STS; see dane.h. Read sts_dane_run() first: it stands at
 * the end. Above it: the hosts, one host's way (judge), and the finding.
 */
#include "dane.h"

#include "lookup.h"
#include "tlsa.h"

static const char *const states[] = {
	[STS_DANE_NONE] = "none",
	[STS_DANE_OFF] = "off",
	[STS_DANE_DISTRUSTED] = "distrusted",
	[STS_DANE_APPLIES] = "applies",
	[STS_DANE_UNKNOWN] = "unknown",
	[STS_DANE_ABSENT] = "absent",
};

const char *
sts_dane_text(enum sts_dane_state state)
{
	return states[state];
}

/* Does what it says of the AD bit still hold? */
static bool
holds(const struct sts_dane *f, const struct sts_rules *rules)
{
	switch (f->state) {
	case STS_DANE_OFF:
		return f->at > rules->validates;
	case STS_DANE_DISTRUSTED:
		return !rules->believe;
	case STS_DANE_APPLIES:
	case STS_DANE_ABSENT:
		return rules->believe;
	case STS_DANE_NONE:
	case STS_DANE_UNKNOWN:
	case STS_DANE_STATES:
		break;
	}
	return true;
}

bool
sts_dane_is_live(const struct sts_dane *f, const struct sts_rules *rules, int64_t now)
{
	return f->at != 0 && now >= f->at && now < f->at + f->ttl && holds(f, rules);
}

/* We could not ask: Postfix, who will, may be told something. */
static bool
is_ours(enum sts_err err)
{
	return err >= STS_ERR_NOMEM;
}

/* Neither records nor a "no": DNS did not say, or we could not ask. */
static bool
is_failure(enum sts_err err)
{
	return sts_err_is_dns_failure(err) || is_ours(err);
}

/*
 * The hosts: the first by preference, each once.
 */
static bool
comes_before(const struct sts_fact *mx, size_t a, size_t b)
{
	return mx->preferences[a] != mx->preferences[b]
	    ? mx->preferences[a] < mx->preferences[b]
	    : sts_str_cmp(mx->texts[a], mx->texts[b]) < 0;
}

static bool
is_chosen(const struct sts_dane_look *d, struct sts_str name)
{
	for (size_t i = 0; i < d->host_count; i++)
		if (sts_str_eq(d->hosts[i].name, name))
			return true;
	return false;
}

/* The next host in order that is not chosen yet; count: none. */
static size_t
next_host(const struct sts_dane_look *d, const struct sts_fact *mx)
{
	size_t best = mx->count;

	for (size_t i = 0; i < mx->count; i++)
		if (mx->texts[i].n > 0 && !is_chosen(d, mx->texts[i]) &&
		    (best == mx->count || comes_before(mx, i, best)))
			best = i;
	return best;
}

static void
add_host(struct sts_dane_look *d, struct sts_str name)
{
	d->hosts[d->host_count++] = (struct sts_dane_host){ .name = name, .final = name };
}

/* mx: NULL for brackets. RFC 5321 section 5.1: without any MX the domain is its own host;
 * without the domain there is none. */
static void
choose_hosts(struct sts_dane_look *d, const struct sts_fact *mx)
{
	size_t i;

	if (d->has_hosts)
		return;
	d->has_hosts = true;
	if (mx == NULL || mx->err == STS_ERR_DNS_NODATA)
		add_host(d, d->domain);
	else if (mx->err == STS_OK)
		while (
		    d->host_count < STS_MX_EXAMINED && (i = next_host(d, mx)) < mx->count)
			add_host(d, mx->texts[i]);
}

/*
 * One host's way: addresses, then TLSA (RFC 7672 section 2.2).
 */
static bool
is_secure(const struct sts_dane_look *d, const struct sts_dane_fact *f)
{
	return d->believe && f->ad;
}

enum addresses {
	ADDRESSES_WAIT,
	ADDRESSES_SECURE,
	ADDRESSES_OTHER,
	ADDRESSES_FAILED,  /* Postfix will not have any either */
	ADDRESSES_UNASKED, /* but these it may have, and secure ones */
};

/* Section 2.2.2: the family that has addresses decides; the other one's trouble does not
 * count then. One that is secure decides at once; one that is not says nothing of the
 * other (DNS64 makes insecure IPv6 addresses beside secure IPv4 ones). */
static enum addresses
judge_addresses(const struct sts_dane_look *d, const struct sts_dane_host *h)
{
	const struct sts_dane_fact *a = &h->fact[STS_DANE_A];
	const struct sts_dane_fact *aaaa = &h->fact[STS_DANE_AAAA];
	bool has_a = a->known && a->err == STS_OK;
	bool has_aaaa = aaaa->known && aaaa->err == STS_OK;

	/* Who looks at everything wants all addresses. */
	if (d->every && (!a->known || !aaaa->known))
		return ADDRESSES_WAIT;
	if ((has_a && is_secure(d, a)) || (has_aaaa && is_secure(d, aaaa)))
		return ADDRESSES_SECURE;
	if (!a->known || !aaaa->known)
		return ADDRESSES_WAIT;
	if (is_ours(a->err) || is_ours(aaaa->err))
		return ADDRESSES_UNASKED;
	if (has_a || has_aaaa)
		return ADDRESSES_OTHER;
	return is_failure(a->err) || is_failure(aaaa->err) ? ADDRESSES_FAILED
							   : ADDRESSES_OTHER;
}

static bool
is_alias(const struct sts_dane_host *h)
{
	return !sts_str_eq_nocase(h->name, h->final);
}

/* Where a host's TLSA records are, for a step. */
static size_t
tlsa_name(const struct sts_dane_look *d, const struct sts_dane_host *h,
    enum sts_dane_step step, char name[STS_NAME_MAX + 1])
{
	return sts_tlsa_name(step == STS_DANE_TLSA ? h->final : h->name, d->target.port,
	    name);
}

/* What TLSA records say: a letter; WAITS, then they are to be asked for. */
static enum sts_host_state
judge_tlsa(const struct sts_dane_look *d, const struct sts_dane_host *h,
    enum sts_dane_step step)
{
	const struct sts_dane_fact *f = &h->fact[step];
	char name[STS_NAME_MAX + 1];

	if (!f->known) /* a name that cannot be has no records */
		return tlsa_name(d, h, step, name) > 0 ? STS_HOST_WAITS : STS_HOST_N;
	if (is_failure(f->err))
		return STS_HOST_F;
	if (f->err != STS_OK || !is_secure(d, f))
		return STS_HOST_N;
	return f->usable ? STS_HOST_U : STS_HOST_X;
}

/* Section 2.2.3: the end of the chain first, and if there is nothing, the own name. */
static enum sts_host_state
judge_secure_host(const struct sts_dane_look *d, const struct sts_dane_host *h,
    unsigned *wants)
{
	enum sts_host_state state = judge_tlsa(d, h, STS_DANE_TLSA);

	if (state == STS_HOST_WAITS)
		*wants = 1u << STS_DANE_TLSA;
	if (state != STS_HOST_N || !is_alias(h))
		return state;
	state = judge_tlsa(d, h, STS_DANE_TLSA_OWN);
	if (state == STS_HOST_WAITS)
		*wants = 1u << STS_DANE_TLSA_OWN;
	return state;
}

/* Section 2.2.2: no TLSA question where the zone is insecure; some servers there do not
 * even answer it. But an alias may stand in a secure zone and point out of it: then
 * Postfix looks at its own name, and so must we. */
static enum sts_host_state
judge_insecure_alias(const struct sts_dane_look *d, const struct sts_dane_host *h,
    unsigned *wants)
{
	const struct sts_dane_fact *alias = &h->fact[STS_DANE_ALIAS];
	enum sts_host_state state;

	if (!alias->known) {
		*wants = 1u << STS_DANE_ALIAS;
		return STS_HOST_WAITS;
	}
	if (is_failure(alias->err))
		return STS_HOST_F;
	/* Also a "no": some load balancers answer so, whose names are aliases for addresses
	 * alone. In a secure zone it was one a moment ago. */
	if (!is_secure(d, alias))
		return STS_HOST_N;
	if (alias->err != STS_OK)
		return STS_HOST_F;
	state = judge_tlsa(d, h, STS_DANE_TLSA_OWN);
	if (state == STS_HOST_WAITS)
		*wants = 1u << STS_DANE_TLSA_OWN;
	return state;
}

/* A host's letter; while it WAITS, *wants is the set of steps that bring it on. */
static enum sts_host_state
judge(const struct sts_dane_look *d, const struct sts_dane_host *h, unsigned *wants)
{
	*wants = 0;
	switch (judge_addresses(d, h)) {
	case ADDRESSES_WAIT:
		*wants = 1u << STS_DANE_A | 1u << STS_DANE_AAAA;
		return STS_HOST_WAITS;
	case ADDRESSES_SECURE:
		return judge_secure_host(d, h, wants);
	case ADDRESSES_OTHER:
		return is_alias(h) ? judge_insecure_alias(d, h, wants) : STS_HOST_N;
	case ADDRESSES_FAILED:
		return STS_HOST_LEFT_OUT;
	case ADDRESSES_UNASKED:
		break;
	}
	return STS_HOST_F;
}

static const enum sts_dns_type types[STS_DANE_STEPS] = { STS_DNS_A, STS_DNS_AAAA,
	STS_DNS_CNAME, STS_DNS_TLSA, STS_DNS_TLSA };

static void
put_name(const struct sts_dane_look *d, const struct sts_dane_host *h,
    struct sts_dane_question *q)
{
	if (q->type == STS_DNS_TLSA) {
		q->name_n = tlsa_name(d, h, q->step, q->name);
		return;
	}
	q->name_n = h->name.n < STS_NAME_MAX ? h->name.n : STS_NAME_MAX;
	for (size_t i = 0; i < q->name_n; i++)
		q->name[i] = h->name.p[i];
	q->name[q->name_n] = '\0';
}

bool
sts_dane_ask(struct sts_dane_look *d, struct sts_dane_question *q)
{
	for (size_t i = 0; i < d->host_count; i++) {
		struct sts_dane_host *h = &d->hosts[i];
		unsigned wants;

		(void)judge(d, h, &wants);
		wants &= ~h->asked;
		for (int step = 0; step < STS_DANE_STEPS; step++) {
			if ((wants >> step & 1) == 0)
				continue;
			h->asked |= 1u << step;
			q->host = i;
			q->step = (enum sts_dane_step)step;
			q->type = types[step];
			put_name(d, h, q);
			return true;
		}
	}
	return false;
}

void
sts_dane_tell(struct sts_dane_look *d, size_t host, enum sts_dane_step step,
    const struct sts_dane_fact *fact, struct sts_str final)
{
	struct sts_dane_host *h = &d->hosts[host];

	h->fact[step] = *fact;
	h->fact[step].known = true;
	if (types[step] != STS_DNS_TLSA && step != STS_DANE_ALIAS &&
	    fact->err == STS_OK && final.n > 0 && (!is_alias(h) || is_secure(d, fact)))
		h->final = final;
}

/*
 * The finding.
 */

/* How long one answer counts; a "no" without SOA has nothing to go by. */
static uint32_t
answer_ttl(enum sts_err err, uint32_t ttl)
{
	return err != STS_OK && ttl == 0 ? STS_NEGATIVE_TTL_NO_SOA : ttl;
}

static uint32_t
least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The smallest of what it rests on, inside the bounds. */
static uint32_t
smallest_ttl(const struct sts_dane_look *d, const struct sts_fact *mx)
{
	uint32_t ttl = STS_MX_TTL_MAX;

	if (mx != NULL)
		ttl = least(ttl, answer_ttl(mx->err, mx->ttl));
	for (size_t i = 0; i < d->host_count; i++)
		for (int step = 0; step < STS_DANE_STEPS; step++) {
			const struct sts_dane_fact *f = &d->hosts[i].fact[step];

			if (f->known && !is_failure(f->err))
				ttl = least(ttl, answer_ttl(f->err, f->ttl));
		}
	return ttl > STS_MX_TTL_MIN ? ttl : STS_MX_TTL_MIN;
}

static void
find_unknown(struct sts_dane_look *d, enum sts_about about, struct sts_str host,
    enum sts_err err, int16_t ede)
{
	d->finding.state = STS_DANE_UNKNOWN;
	d->finding.ttl = STS_FAILED_TTL;
	d->finding.about = about;
	d->finding.host = host;
	d->finding.err = err;
	d->finding.ede = ede;
}

/* What has not failed yet, for those whose time is up. */
static void
find_late(struct sts_dane_look *d, const struct sts_dane_host *h)
{
	bool addresses = judge_addresses(d, h) == ADDRESSES_WAIT;

	find_unknown(d, addresses ? STS_ABOUT_ADDRESS : STS_ABOUT_TLSA, h->name,
	    STS_ERR_DNS_TIMEOUT, -1);
}

/* What everything begins with failed. What was known stays known: whether the domain was
 * secure before it fell silent. */
static void
find_no_beginning(struct sts_dane_look *d, const struct sts_dane *before,
    enum sts_err err, int16_t ede, int64_t now)
{
	d->finding = *before;
	d->finding.target = d->target;
	d->finding.at = now;
	find_unknown(d, d->target.brackets ? STS_ABOUT_ADDRESS : STS_ABOUT_MX,
	    d->target.brackets ? d->domain : STS_STR_NONE, err, ede);
}

/* Of the steps that failed the one that tells most. */
static const struct sts_dane_fact *
worst_fact(const struct sts_dane_host *h)
{
	const struct sts_dane_fact *worst = NULL;

	for (int step = 0; step < STS_DANE_STEPS; step++) {
		const struct sts_dane_fact *f = &h->fact[step];
		bool fails = f->known &&
		    (is_failure(f->err) || (step == STS_DANE_ALIAS && f->err != STS_OK));

		if (fails && (worst == NULL || worst->ede < 0))
			worst = f;
	}
	return worst;
}

static void
find_failed(struct sts_dane_look *d, const struct sts_dane_host *h)
{
	const struct sts_dane_fact *f = worst_fact(h);
	enum addresses found = judge_addresses(d, h);
	bool addresses = found == ADDRESSES_FAILED || found == ADDRESSES_UNASKED;

	find_unknown(d, addresses ? STS_ABOUT_ADDRESS : STS_ABOUT_TLSA, h->name,
	    f != NULL && is_failure(f->err) ? f->err : STS_ERR_DNS_OTHER,
	    (int16_t)(f != NULL ? f->ede : -1));
}

static void
find(struct sts_dane_look *d, enum sts_dane_state state, uint32_t ttl)
{
	d->finding.state = state;
	d->finding.ttl = ttl;
	d->finding.err = STS_OK;
	d->finding.ede = -1;
	d->finding.host = STS_STR_NONE;
}

/* How many hosts have each letter, and which is the first of it. */
struct tally {
	size_t count[STS_HOST_LEFT_OUT + 1];
	size_t first[STS_HOST_LEFT_OUT + 1];
};

/* A host without any address, because the lookup failed, is left out while another one
 * remains: Postfix will not get there either. */
static struct tally
count_hosts(const struct sts_dane_look *d)
{
	struct tally t = { .count = { 0 } };

	for (size_t i = 0; i < d->host_count; i++) {
		unsigned wants;
		enum sts_host_state state = judge(d, &d->hosts[i], &wants);

		if (t.count[state]++ == 0)
			t.first[state] = i;
	}
	if (d->host_count > 0 && t.count[STS_HOST_LEFT_OUT] == d->host_count) {
		t.count[STS_HOST_F] = d->host_count;
		t.count[STS_HOST_LEFT_OUT] = 0;
	}
	return t;
}

enum sts_host_state
sts_dane_host_state(const struct sts_dane_look *d, size_t host)
{
	struct tally t = count_hosts(d);
	unsigned wants;
	enum sts_host_state state = judge(d, &d->hosts[host], &wants);

	return state == STS_HOST_LEFT_OUT && t.count[state] == 0 ? STS_HOST_F : state;
}

/* All letters are known: the table of stsd(8). */
static void
find_by_hosts(struct sts_dane_look *d, const struct tally *t, bool mx_secure,
    uint32_t ttl)
{
	if (mx_secure && t->count[STS_HOST_U] > 0) {
		find(d, STS_DANE_APPLIES, ttl);
	} else if (mx_secure && t->count[STS_HOST_F] > 0) {
		d->finding.mx_secure = true;
		find_failed(d, &d->hosts[t->first[STS_HOST_F]]);
		return;
	} else {
		/* What failed may soon say something else. */
		if (t->count[STS_HOST_LEFT_OUT] > 0)
			ttl = STS_MX_TTL_MIN;
		if (t->count[STS_HOST_F] > 0)
			ttl = STS_FAILED_TTL;
		find(d, STS_DANE_ABSENT, ttl);
	}
	d->finding.mx_secure = mx_secure;
	d->finding.applied = d->finding.state == STS_DANE_APPLIES;
	d->finding.whole = true;
	d->finding.plain =
	    t->count[STS_HOST_N] + t->count[STS_HOST_LEFT_OUT] == d->host_count;
}

/* Would an answer by this finding protect less than the one before? */
static bool
is_weaker(const struct sts_dane *f, const struct sts_dane *before)
{
	if (f->state != STS_DANE_ABSENT || before->at == 0)
		return false;
	return before->applied || (before->mx_secure && !f->mx_secure) ||
	    (before->whole && !before->plain && f->plain);
}

/*
 * The look.
 */
static bool
was_answered(const struct sts_fact *trust)
{
	return !is_failure(trust->err);
}

/* The hosts; 0 when their letters decide. */
static unsigned
look_at_hosts(struct sts_dane_look *d, bool mx_secure, uint32_t ttl)
{
	struct tally t = count_hosts(d);
	bool decided = mx_secure && t.count[STS_HOST_U] > 0 && !d->every;

	if (t.count[STS_HOST_WAITS] > 0 && !decided) {
		find_late(d, &d->hosts[t.first[STS_HOST_WAITS]]);
		return STS_NEED_HOSTS;
	}
	find_by_hosts(d, &t, mx_secure, ttl);
	return 0;
}

/* The MX and what follows from it. */
static unsigned
look_at_mx(struct sts_dane_look *d, const struct sts_fact *mx)
{
	bool brackets = d->target.brackets;
	bool mx_secure = brackets || (d->believe && mx->ad);

	if (!brackets && is_failure(mx->err)) {
		find_unknown(d, STS_ABOUT_MX, STS_STR_NONE, mx->err, mx->ede);
		return 0;
	}
	choose_hosts(d, brackets ? NULL : mx);
	/* Section 2.2.1: an insecure MX can name anybody; what DANE says of him protects
	 * nothing. */
	if (!mx_secure && !d->whole && d->host_count > 0) {
		find(d, STS_DANE_ABSENT, smallest_ttl(d, mx));
		d->finding.mx_secure = d->finding.applied = false;
		d->finding.plain = d->finding.whole = false;
		return 0;
	}
	return look_at_hosts(d, mx_secure, smallest_ttl(d, brackets ? NULL : mx));
}

unsigned
sts_dane_run(struct sts_dane_look *d, const struct sts_dane *before,
    const struct sts_fact *trust, const struct sts_fact *again, const struct sts_fact *mx,
    int64_t now)
{
	int64_t began;
	unsigned needs;

	/* Whose word counts? Where nobody validates there is no DANE to be overridden, and
	 * where we cannot believe it there may be. */
	find_no_beginning(d, before, STS_ERR_DNS_TIMEOUT, -1, now);
	if (trust == NULL)
		return STS_NEED_TRUST;
	began = trust->at;
	if (again != NULL)
		trust = again;
	if (was_answered(trust) && !trust->ad) {
		find(d, STS_DANE_OFF, STS_SELFTEST_INTERVAL);
		d->finding.at = trust->at;
		return 0;
	}
	if (!d->believe && was_answered(trust)) {
		find(d, STS_DANE_DISTRUSTED, STS_SELFTEST_INTERVAL);
		return 0;
	}
	if (!d->believe) {
		find_no_beginning(d, before, trust->err, trust->ede, now);
		return 0;
	}

	if (mx == NULL && !d->target.brackets)
		return STS_NEED_MX;
	if ((needs = look_at_mx(d, mx)) != 0)
		return needs;
	if (!was_answered(trust) && d->finding.state != STS_DANE_APPLIES) {
		find_no_beginning(d, before, trust->err, trust->ede, now);
		return 0;
	}
	/* A resolver that has just stopped validating makes everything look insecure. */
	if (again == NULL && is_weaker(&d->finding, before)) {
		find_no_beginning(d, before, STS_ERR_DNS_TIMEOUT, -1, now);
		return STS_NEED_TRUST_NOW;
	}
	/* The journey may go on for long, with a fetch: its answers do not grow younger. */
	if (d->finding.state != STS_DANE_UNKNOWN)
		d->finding.at = began;
	return 0;
}
