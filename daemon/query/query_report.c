/* SPDX-License-Identifier: MIT */
#include "query_report.h"

#include <string.h>

#include "query_dane.h"
#include "query_dns.h"
#include "query_exit.h"
#include "query_fetch.h"
#include "query_judge.h"

void
query_report_start(struct query_report *r, const char *word, int64_t now)
{
	*r = (struct query_report){ .started = now,
		.record_ede = -1,
		.mx_ede = -1,
		.host_ede = -1,
		.fit = STS_FIT_UNKNOWN };
	r->queried = query_keep(&r->keep, sts_str_of(word));
}

void
query_report_done(struct query_report *r)
{
	query_findings_done(&r->findings);
	query_keep_done(&r->keep);
}

static struct sts_str
domain_of(const struct query_report *r)
{
	return (struct sts_str){ r->key.domain, r->key.domain_n };
}

static struct sts_target
target_of(const struct query_report *r)
{
	return (struct sts_target){ r->key.brackets, r->key.port };
}

/*
 * Facts.
 */
static const struct sts_str *
keep_texts(struct query_report *r, const struct sts_fact *fact)
{
	struct sts_str *texts = query_room(&r->keep, fact->count * sizeof(*texts));

	for (size_t i = 0; i < fact->count; i++)
		texts[i] = query_keep(&r->keep, fact->texts[i]);
	return texts;
}

static void
learn_record(struct query_report *r, const struct sts_fact *fact, int64_t ms)
{
	r->has_record_fact = true;
	r->record_err = fact->err;
	r->record_ede = fact->ede;
	r->record_ttl = fact->ttl;
	r->record_ms = ms;
	if (fact->err != STS_OK)
		return;
	r->texts = keep_texts(r, fact);
	r->text_count = fact->count;
}

static void
learn_mx(struct query_report *r, const struct sts_fact *fact, int64_t ms)
{
	/* A fresh look asks for it, but whoever writes brackets wants no MX. */
	if (r->key.brackets)
		return;
	r->has_mx_fact = true;
	r->mx_err = fact->err;
	r->mx_ede = fact->ede;
	r->mx_ad = fact->ad;
	r->mx_ms = ms;
	r->mx_implicit = fact->err == STS_ERR_DNS_NODATA;
	r->mx_count = 0;
	r->mx_null = false;
	if (fact->err != STS_OK)
		return;
	r->mx = query_room(&r->keep, fact->count * sizeof(*r->mx));
	for (size_t i = 0; i < fact->count; i++) {
		if (fact->texts[i].n == 0) {
			r->mx_null = true;
			continue;
		}
		r->mx[r->mx_count++] =
		    (struct query_mx){ .preference = fact->preferences[i],
			    .host = query_keep(&r->keep, fact->texts[i]) };
	}
}

static void
learn_host(struct query_report *r, const struct sts_fact *fact, int64_t ms)
{
	r->has_host_fact = true;
	r->host_err = fact->err;
	r->host_ede = fact->ede;
	r->host_ms = ms;
	if (fact->err != STS_OK)
		return;
	r->addresses = query_room(&r->keep, fact->count * sizeof(*r->addresses));
	memcpy(r->addresses, fact->addresses, fact->count * sizeof(*r->addresses));
	r->address_count = fact->count;
}

/* The one that was asked for last counts. */
static void
learn_trust(struct query_report *r, const struct sts_fact *fact)
{
	r->has_trust_fact = true;
	r->trust_err = fact->err;
	r->trust_ede = fact->ede;
	r->trust_ad = fact->ad;
}

void
query_report_fact(struct query_report *r, enum sts_need need, const struct sts_fact *fact,
    int64_t ms)
{
	switch (need) {
	case STS_NEED_RECORD:
		learn_record(r, fact, ms);
		break;
	case STS_NEED_MX:
		learn_mx(r, fact, ms);
		break;
	case STS_NEED_HOST:
		learn_host(r, fact, ms);
		break;
	case STS_NEED_POLICY:
		if (fact->err == STS_OK)
			r->body = query_keep(&r->keep, fact->body);
		break;
	case STS_NEED_TRUST:
	case STS_NEED_TRUST_NOW:
		learn_trust(r, fact);
		break;
	case STS_NEED_STORED:
	case STS_NEED_HOSTS: /* each of their answers is told */
		break;
	}
}

static void
learn_addresses(struct query_report *r, struct query_host *h, bool v6,
    const struct sts_dns_answer *answer)
{
	size_t n = h->address_count;
	struct sts_addr *all = query_room(&r->keep, (n + answer->count) * sizeof(*all));

	if (n > 0)
		memcpy(all, h->addresses, n * sizeof(*all));
	for (size_t i = 0; i < answer->count; i++) {
		all[n].v6 = v6;
		memcpy(all[n++].bytes, answer->rr[i].data.p, v6 ? 16 : 4);
	}
	h->addresses = all;
	h->address_count = n;
}

/* There may be some at the end of the chain and some at the host's own name: those that
 * are signed count. */
static void
learn_tlsa(struct query_report *r, struct query_host *h, struct sts_str base,
    const struct sts_dns_answer *answer, query_is_usable *usable)
{
	if (h->tlsa_count > 0 && (h->tlsa_ad || !answer->ad))
		return;
	h->tlsa = query_room(&r->keep, answer->count * sizeof(*h->tlsa));
	h->tlsa_count = answer->count;
	h->tlsa_ad = answer->ad;
	h->base = base;
	for (size_t i = 0; i < answer->count; i++)
		h->tlsa[i] =
		    (struct query_tlsa){ query_keep(&r->keep, answer->rr[i].data),
			    usable(answer->rr[i].data) };
}

void
query_report_look(struct query_report *r, const struct sts_dane_look *look)
{
	if (r->hosts == NULL)
		r->hosts = query_room(&r->keep, STS_MX_EXAMINED * sizeof(*r->hosts));
	for (size_t i = 0; i < look->host_count; i++) {
		const struct sts_dane_host *from = &look->hosts[i];
		struct query_host *h = &r->hosts[i];

		if (i == r->host_count) {
			h->name = h->final = query_keep(&r->keep, from->name);
			r->host_count++;
		}
		if (!sts_str_eq(h->final, from->final))
			h->final = query_keep(&r->keep, from->final);
		memcpy(h->fact, from->fact, sizeof(h->fact));
		h->state = sts_dane_host_state(look, i);
	}
}

void
query_report_host(struct query_report *r, const struct sts_dane_look *look, size_t n,
    enum sts_dane_step step, const struct sts_dns_answer *answer, query_is_usable *usable)
{
	struct query_host *h;

	query_report_look(r, look);
	h = &r->hosts[n];
	if (answer->err != STS_OK)
		return;
	switch (step) {
	case STS_DANE_A:
	case STS_DANE_AAAA:
		learn_addresses(r, h, step == STS_DANE_AAAA, answer);
		break;
	case STS_DANE_TLSA:
	case STS_DANE_TLSA_OWN:
		learn_tlsa(r, h, step == STS_DANE_TLSA ? h->final : h->name, answer,
		    usable);
		break;
	case STS_DANE_ALIAS:
	case STS_DANE_STEPS:
		break;
	}
}

void
query_report_fetched(struct query_report *r, const struct sts_fetched *fetched)
{
	r->has_fetch = true;
	r->fetch = *fetched;
	r->fetch.body = STS_STR_NONE;
	r->fetch.why = query_keep(&r->keep, sts_str_of(fetched->why)).p;
	r->fetch.media_type = query_keep(&r->keep, fetched->media_type);
}

void
query_report_stray(struct query_report *r, const struct sts_fetched *fetched)
{
	struct sts_policy policy;

	r->has_stray = fetched->err == STS_OK &&
	    sts_policy_parse(fetched->body, &policy, NULL, NULL) == STS_OK;
}

void
query_report_aside(struct query_report *r, enum query_aside what,
    const struct sts_dns_answer *answer, int64_t ms)
{
	struct query_said *said = &r->aside[what];
	size_t count = answer->err == STS_OK ? answer->count : 0;
	struct sts_str *texts = query_room(&r->keep, count * sizeof(*texts));

	for (size_t i = 0; i < count; i++)
		texts[i] = query_keep(&r->keep, answer->rr[i].data);
	*said = (struct query_said){ .known = true,
		.err = answer->err,
		.ede = answer->ede,
		.ttl = answer->ttl,
		.ms = ms,
		.texts = texts,
		.count = count,
		.final = query_keep(&r->keep, answer->final_name),
		.chain = answer->chain };
}

/* What points into somebody's bytes shall point into ours. */
static const struct sts_entry *
keep_entry(struct query_report *r, const struct sts_entry *from)
{
	struct sts_entry *e = query_room(&r->keep, sizeof(*e));
	struct sts_buf b = { 0 };

	sts_entry_write(from, &b);
	return sts_entry_read(query_kept(r, &b), e) == STS_OK ? e : NULL;
}

void
query_report_known(struct query_report *r, const struct query_known *known)
{
	r->known = *known;
	r->known.asked = true;
	r->known.why = query_keep(&r->keep, known->why);
	r->known.version = query_keep(&r->keep, known->version);
	if (known->entry != NULL)
		r->known.entry = keep_entry(r, known->entry);
	if (known->now == 0)
		r->known.now = r->started;
	query_read_cached(r);
}

/*
 * Judging, in the order of the journey.
 */
static void
judge_record(struct query_report *r)
{
	r->record = r->record_err;
	if (!r->has_record_fact)
		return;
	if (sts_err_is_dns_failure(r->record_err))
		query_find(&r->findings, QUERY_TXT02, STS_STR_NONE,
		    query_keep_dns(&r->keep, r->record_err, r->record_ede));
	else
		r->record = query_judge_record(&r->findings, r->texts, r->text_count,
		    &r->record_id);
}

static void
judge_mx(struct query_report *r)
{
	struct query_findings *f = &r->findings;

	if (!r->has_mx_fact)
		return;
	if (sts_err_is_dns_failure(r->mx_err))
		query_find(f, QUERY_MX01, STS_STR_NONE,
		    query_keep_dns(&r->keep, r->mx_err, r->mx_ede));
	if (r->mx_err == STS_ERR_DNS_NXDOMAIN)
		query_find(f, QUERY_DOM01, STS_STR_NONE, STS_STR_NONE);
	if (r->mx_implicit)
		query_find(f, QUERY_MX02, STS_STR_NONE, STS_STR_NONE);
	if (r->mx_null)
		query_find(f, r->mx_count == 0 ? QUERY_MX03 : QUERY_MX04, STS_STR_NONE,
		    STS_STR_NONE);
	for (size_t i = 0; i < r->mx_count; i++)
		if (!sts_name_is_host(r->mx[i].host) ||
		    sts_name_has_numeric_top(r->mx[i].host))
			query_find(f, QUERY_MX07, r->mx[i].host, STS_STR_NONE);
	if (r->mx_count > STS_MX_EXAMINED)
		query_find(f, QUERY_MX09, STS_STR_NONE, STS_STR_NONE);
}

/* Only one server's word is heard, whichever of them it was. */
static bool
is_mute(enum sts_err err, int ede)
{
	return err == STS_ERR_DNS_SERVFAIL && ede < 0;
}

static bool
is_host_mute(const struct query_host *h)
{
	for (int step = 0; step < STS_DANE_STEPS; step++)
		if (h->fact[step].known && is_mute(h->fact[step].err, h->fact[step].ede))
			return true;
	return false;
}

static void
judge_server(struct query_report *r, const struct query_context *context)
{
	bool mute = (r->has_record_fact && is_mute(r->record_err, r->record_ede)) ||
	    (r->has_mx_fact && is_mute(r->mx_err, r->mx_ede)) ||
	    (r->has_host_fact && is_mute(r->host_err, r->host_ede));

	for (size_t i = 0; i < r->host_count; i++)
		mute |= is_host_mute(&r->hosts[i]);
	if (mute)
		query_find(&r->findings, QUERY_ENV05, sts_str_of(context->servers),
		    STS_STR_NONE);
	if (context->ca_trouble != NULL)
		query_find(&r->findings, QUERY_ENV06, STS_STR_NONE,
		    query_keep(&r->keep, sts_str_of(context->ca_trouble)));
}

static const struct query_host *
find_host(const struct query_report *r, struct sts_str name)
{
	for (size_t i = 0; i < r->host_count; i++)
		if (sts_str_eq(r->hosts[i].name, name))
			return &r->hosts[i];
	return NULL;
}

/* The hosts a policy is held against: one of its own where there is no MX. */
static void
set_hosts(struct query_report *r)
{
	if (r->key.brackets || r->mx_implicit) {
		r->mx = query_room(&r->keep, sizeof(*r->mx));
		r->mx[0].host = domain_of(r);
		r->mx_count = 1;
	}
	for (size_t i = 0; i < r->mx_count; i++)
		r->mx[i].seen = find_host(r, r->mx[i].host);
}

/* What the resolver's word is worth, and the finding for what Postfix asks about. */
static void
set_dane(struct query_report *r, const struct sts_entry *entry,
    const struct query_context *context)
{
	r->believes = context->rules->believe;
	r->does_dane = context->rules->dane;
	r->servers = context->servers;
	r->culprit = query_keep(&r->keep, sts_str_of(context->culprit));
	r->dane = *sts_entry_dane(entry, target_of(r));
	r->dane.host = query_keep(&r->keep, r->dane.host);
}

const struct sts_policy *
query_policy_in_force(const struct query_report *r)
{
	if (r->has_policy)
		return &r->policy;
	return r->from_cache ? &r->cached : NULL;
}

static void
hold_against(const struct sts_policy *policy, struct query_mx *mx)
{
	struct sts_str rest = policy->text, pattern;

	while (!mx->allowed && sts_policy_mx(&rest, &pattern))
		if (sts_name_is_host(mx->host) && sts_name_matches(pattern, mx->host)) {
			mx->allowed = true;
			mx->pattern = pattern;
		}
}

static bool
is_of_use(const struct query_report *r, struct sts_str pattern)
{
	for (size_t i = 0; i < r->mx_count; i++)
		if (sts_name_matches(pattern, r->mx[i].host))
			return true;
	return false;
}

#define NAMES_LISTED 5

/* "a.example, b.example; the policy: *.c.example" */
static struct sts_str
keep_misfit(struct query_report *r, const struct sts_policy *policy)
{
	struct sts_str rest = policy->text, pattern;
	struct sts_buf b = { 0 };
	size_t n = 0;

	for (; n < r->mx_count && n < NAMES_LISTED; n++) {
		sts_put_text(&b, n > 0 ? ", " : "");
		sts_put(&b, r->mx[n].host);
	}
	sts_put_text(&b, n < r->mx_count ? " ...; the policy: " : "; the policy: ");
	for (n = 0; n < NAMES_LISTED && sts_policy_mx(&rest, &pattern); n++) {
		sts_put_text(&b, n > 0 ? ", " : "");
		sts_put(&b, pattern);
	}
	if (sts_policy_mx(&rest, &pattern))
		sts_put_text(&b, " ...");
	return query_kept(r, &b);
}

/* "add "mx: a.example" to https://..., then change the id in DNS" */
static const char *
keep_fix(struct query_report *r, struct sts_str host)
{
	struct sts_buf b = { 0 };

	sts_put_text(&b, "add \"mx: ");
	sts_put(&b, host);
	sts_put_text(&b,
	    "\" to https://mta-sts.DOMAIN/.well-known/mta-sts.txt, then "
	    "change the id in DNS");
	return query_kept(r, &b).p;
}

/* RFC 8461 section 4.1: what looks as if it fitted, and does not. */
static void
judge_depth(struct query_report *r, const struct sts_policy *policy,
    const struct query_mx *mx)
{
	struct sts_str rest = policy->text, pattern;

	while (sts_policy_mx(&rest, &pattern)) {
		if (!sts_str_starts(pattern, STS_STR("*.")) ||
		    !sts_str_ends(mx->host, sts_str_from(pattern, 1)))
			continue;
		query_find(&r->findings, QUERY_POL17, mx->host, pattern);
		return;
	}
}

static void
judge_host_fit(struct query_report *r, const struct sts_policy *policy,
    const struct query_mx *mx, bool verbose)
{
	struct query_finding *new;

	if (mx->allowed) {
		if (verbose)
			query_find(&r->findings, QUERY_MXP04, mx->host, mx->pattern);
		return;
	}
	new = query_find(&r->findings, QUERY_MXP02, mx->host, STS_STR_NONE);
	if (sts_name_is_host(mx->host))
		new->fix = keep_fix(r, mx->host);
	judge_depth(r, policy, mx);
}

static void
judge_misfit(struct query_report *r, const struct sts_policy *policy, bool enforced)
{
	struct query_finding *new =
	    query_find(&r->findings, QUERY_MXP01, STS_STR_NONE, keep_misfit(r, policy));

	/* In a mode that does not enforce, mail flows. */
	if (!enforced) {
		new->severity = QUERY_WARNING;
		new->exit = QUERY_EXIT_WARNING;
	}
	for (size_t i = 0; i < r->mx_count; i++)
		judge_depth(r, policy, &r->mx[i]);
}

/* A policy may hold nine thousand. */
#define PATTERNS_LISTED 20

/* One finding when nothing fits, else one for each host that does not. */
static void
judge_fit(struct query_report *r, const struct sts_policy *policy, bool enforced,
    bool verbose)
{
	struct sts_str rest = policy->text, pattern;
	size_t allowed = 0, useless = 0;

	for (size_t i = 0; i < r->mx_count; i++) {
		hold_against(policy, &r->mx[i]);
		allowed += r->mx[i].allowed;
	}
	if (r->mx_count == 0)
		return;
	if (allowed == 0 || r->fit == STS_FIT_NONE) {
		judge_misfit(r, policy, enforced);
		return;
	}
	for (size_t i = 0; i < r->mx_count; i++)
		judge_host_fit(r, policy, &r->mx[i], verbose);
	while (useless < PATTERNS_LISTED && sts_policy_mx(&rest, &pattern))
		if (!is_of_use(r, pattern)) {
			query_find(&r->findings, QUERY_MXP03, pattern, STS_STR_NONE);
			useless++;
		}
}

/* RFC 8461 section 10.2 wants max_age long: who can keep senders from refreshing must do
 * so for all that time. */
#define SHORT_LIFE 1209600

static void
judge_policy(struct query_report *r, const struct sts_entry *entry,
    const struct query_context *context)
{
	bool enforced = sts_lookup_enforces(entry, context->rules, context->now);
	const struct sts_policy *policy;

	if (r->body.p != NULL)
		r->has_policy =
		    query_judge_policy(&r->findings, r->body, &r->policy) == STS_OK;
	policy = query_policy_in_force(r);
	if (policy == NULL || policy->mode == STS_MODE_NONE)
		return;
	if (context->verbose && r->has_policy && policy->mode == STS_MODE_ENFORCE &&
	    policy->max_age < SHORT_LIFE)
		query_find(&r->findings, QUERY_POL26, STS_STR_NONE, STS_STR_NONE);
	r->fit = sts_match_fit(entry, policy->text, domain_of(r), r->key.brackets,
	    context->now);
	judge_fit(r, policy, enforced, context->verbose);
}

/*
 * Concluding.
 */
bool
query_report_is_stuck(const struct query_report *r)
{
	/* A self-test that is not answered is nothing the domain could mend. */
	return r->answer.verdict == STS_VERDICT_TEMP &&
	    r->answer.about != STS_ABOUT_RECORD && r->has_trust_fact &&
	    r->trust_err == STS_OK;
}

static bool
is_testing(const struct query_report *r)
{
	const struct sts_policy *policy = query_policy_in_force(r);

	return policy != NULL && policy->mode == STS_MODE_TESTING;
}

static enum query_verdict
verdict_of(const struct query_report *r, const struct query_context *context)
{
	switch (r->answer.verdict) {
	case STS_VERDICT_SECURE:
		return r->fit == STS_FIT_NONE && context->style->exact ? QUERY_DEFERRED
								       : QUERY_ENFORCE;
	case STS_VERDICT_DANE:
		return QUERY_DANE;
	case STS_VERDICT_PERMIT:
		return is_testing(r) ? QUERY_TESTING : QUERY_NONE;
	case STS_VERDICT_NOTFOUND:
		if (sts_err_is_dns_failure(r->answer.why))
			return QUERY_UNKNOWN;
		return is_testing(r) ? QUERY_TESTING : QUERY_NONE;
	case STS_VERDICT_TEMP:
		break;
	}
	return query_report_is_stuck(r) ? QUERY_DEFERRED : QUERY_UNKNOWN;
}

static int
exit_of(enum query_verdict verdict)
{
	switch (verdict) {
	case QUERY_DANE:
	case QUERY_ENFORCE:
		return QUERY_EXIT_PROTECTED;
	case QUERY_TESTING:
	case QUERY_NONE:
		return QUERY_EXIT_NO_POLICY;
	case QUERY_DEFERRED:
		return QUERY_EXIT_BROKEN;
	case QUERY_UNKNOWN:
		break;
	}
	return QUERY_EXIT_TEMPORARY;
}

static struct sts_str
reply_of(struct query_report *r, const struct sts_answer *answer,
    const struct sts_entry *entry, enum pf_map map, int64_t now,
    const struct query_context *context)
{
	struct sts_buf b = { 0 };

	(void)pf_reply_put(&b, answer, entry, domain_of(r), r->key.brackets, map, now,
	    context->style);
	return query_kept(r, &b);
}

/* What the daemon says by itself, where that is before it looks again. */
static void
set_reply_cached(struct query_report *r, const struct query_context *context)
{
	const struct query_known *k = &r->known;
	struct sts_answer answer;
	struct sts_str reply;

	if (!r->has_cached || r->overridden)
		return;
	sts_answer(k->entry, domain_of(r), target_of(r), STS_HOPE_OPEN, k->now,
	    context->rules, &answer);
	if (answer.ask_first)
		return;
	reply = reply_of(r, &answer, k->entry, PF_MAP_QUERY, k->now, context);
	if (!sts_str_eq(reply, r->reply))
		r->reply_cached = reply;
}

/* A policy that lives is kept to, whatever DNS and HTTPS say now (RFC 8461 section 3.3):
 * what was found out, with the cached policy in its place. */
static const struct sts_entry *
with_cached(struct query_report *r, const struct sts_entry *entry, int64_t now)
{
	const struct sts_entry *e = r->known.entry;
	struct sts_entry *both;

	if (!r->has_cached || sts_entry_is_live(entry, now))
		return entry;
	both = query_room(&r->keep, sizeof(*both));
	sts_entry_copy(both, entry);
	both->fetched = now - (r->known.now - e->fetched);
	both->max_age = e->max_age;
	both->mode = e->mode;
	both->id = e->id;
	both->policy = e->policy;
	r->from_cache = true;
	return both;
}

/* An override is what Postfix is told, whatever the domain says of itself. */
static void
apply_override(struct query_report *r, struct sts_str reply)
{
	if (reply.n == 0)
		return;
	r->overridden = true;
	r->reply = r->reply_tlsrpt = query_keep(&r->keep, reply);
	query_find(&r->findings, QUERY_CAC06, STS_STR_NONE, STS_STR_NONE);
	if (sts_str_starts(reply, STS_STR("TEMP")))
		r->verdict = QUERY_DEFERRED;
	else if (sts_str_eq(reply, STS_STR("OK dane-only")))
		r->verdict = QUERY_DANE;
	else if (sts_str_starts(reply, STS_STR("OK secure")) ||
	    sts_str_starts(reply, STS_STR("OK verify")))
		r->verdict = QUERY_ENFORCE;
	else
		r->verdict = QUERY_NONE;
}

/*
 * What the report shows anyway, as findings.
 */
static void
find_action(struct query_report *r, const struct query_mx *mx)
{
	struct sts_buf b = { 0 };

	sts_put_text(&b, query_action_text(mx->advice.action));
	sts_put_text(&b, ", ");
	sts_put_text(&b, mx->advice.level);
	sts_put_text(&b, ": ");
	sts_put_text(&b, mx->advice.why);
	query_find(&r->findings, QUERY_VER03, mx->host, query_kept(r, &b));
}

static void
find_conclusions(struct query_report *r)
{
	struct query_findings *f = &r->findings;
	const char *line = query_log_line(r);

	query_find(f, QUERY_VER01, STS_STR_NONE, r->reply);
	if (!sts_str_eq(r->reply, r->reply_tlsrpt))
		query_find(f, QUERY_VER02, STS_STR_NONE, r->reply_tlsrpt);
	for (size_t i = 0; i < r->mx_count; i++)
		find_action(r, &r->mx[i]);
	query_find(f, QUERY_VER04, STS_STR_NONE, sts_str_of(r->risk));
	if (r->proof.n > 0)
		query_find(f, QUERY_VER05, STS_STR_NONE, r->proof);
	if (line != NULL)
		query_find(f, QUERY_VER06, STS_STR_NONE, sts_str_of(line));
}

/* The domain's own name in place of the word DOMAIN. */
static void
name_domain(struct query_report *r, struct query_finding *f)
{
	static const struct sts_str word = STS_STR("DOMAIN");
	struct sts_str rest = sts_str_of(f->fix);
	struct sts_buf b = { 0 };
	bool any = false;

	while (rest.n > 0) {
		if (sts_str_starts(rest, word)) {
			sts_put(&b, domain_of(r));
			rest = sts_str_from(rest, word.n);
			any = true;
		} else {
			sts_put_char(&b, rest.p[0]);
			rest = sts_str_from(rest, 1);
		}
	}
	if (any)
		f->fix = query_kept(r, &b).p;
	sts_buf_done(&b);
}

void
query_report_end(struct query_report *r, const struct query_context *context)
{
	query_findings_drop(&r->findings, QUERY_VER01, QUERY_VER06);
	query_advise(r, context->ca_file);
	if (context->verbose)
		find_conclusions(r);
	for (size_t i = 0; r->is_domain && i < r->findings.count; i++)
		if (r->findings.list[i].fix != NULL)
			name_domain(r, &r->findings.list[i]);
	query_findings_sort(&r->findings);
	r->exit = query_worst(&r->findings, exit_of(r->verdict));
}

static void
set_answer(struct query_report *r, enum sts_err err, enum sts_hope hope,
    const struct sts_entry *entry, const struct query_context *context)
{
	if (!r->is_domain) {
		r->answer = (struct sts_answer){ .verdict = STS_VERDICT_NOTFOUND,
			.why = STS_ERR_NAME,
			.ede = -1 };
		query_find(&r->findings, QUERY_DOM04, STS_STR_NONE, STS_STR_NONE);
	} else if (err != STS_OK) {
		r->answer = (struct sts_answer){ .verdict = STS_VERDICT_TEMP,
			.why = err,
			.ede = -1 };
	} else {
		sts_answer(entry, domain_of(r), target_of(r), hope, context->now,
		    context->rules, &r->answer);
	}
}

static void
judge(struct query_report *r, const struct sts_entry *entry,
    const struct query_context *context)
{
	if (r->unicode[0] != '\0')
		query_find(&r->findings, QUERY_DOM02, domain_of(r), STS_STR_NONE);
	judge_server(r, context);
	judge_mx(r);
	judge_record(r);
	query_judge_fetch(r, entry, context);
	judge_policy(r, entry, context);
	query_judge_asides(r, context);
	query_judge_dane(r, context);
	query_judge_cached(r, context);
	if (r->answer.verdict == STS_VERDICT_TEMP && !query_report_is_stuck(r))
		query_find(&r->findings, QUERY_VER07, STS_STR_NONE,
		    sts_str_of(sts_err_text(r->answer.why)));
}

void
query_report_conclude(struct query_report *r, enum sts_err err, enum sts_hope hope,
    const struct sts_entry *entry, const struct query_context *context)
{
	static const struct sts_entry nothing = { 0 };

	if (entry == NULL)
		entry = &nothing;
	entry = with_cached(r, entry, context->now);
	set_answer(r, err, hope, entry, context);
	set_hosts(r);
	set_dane(r, entry, context);
	judge(r, entry, context);
	r->verdict = verdict_of(r, context);
	r->reply = reply_of(r, &r->answer, entry, PF_MAP_QUERY, context->now, context);
	r->reply_tlsrpt =
	    reply_of(r, &r->answer, entry, PF_MAP_QUERY_TLSRPT, context->now, context);
	apply_override(r, context->override);
	set_reply_cached(r, context);
	query_report_end(r, context);
}

const char *
query_verdict_text(enum query_verdict verdict)
{
	switch (verdict) {
	case QUERY_DANE:
		return "dane";
	case QUERY_ENFORCE:
		return "sts-enforce";
	case QUERY_TESTING:
		return "sts-testing";
	case QUERY_NONE:
		return "none";
	case QUERY_DEFERRED:
		return "deferred";
	case QUERY_UNKNOWN:
		break;
	}
	return "unknown";
}
