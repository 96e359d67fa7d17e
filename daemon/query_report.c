/* SPDX-License-Identifier: MIT */
#include "query_report.h"

#include <string.h>

#include "query_dane.h"
#include "query_dns.h"
#include "query_exit.h"
#include "query_fetch.h"

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
		if (!sts_name_is_host(r->mx[i].host))
			query_find(f, QUERY_MX07, r->mx[i].host, STS_STR_NONE);
	if (r->mx_count > STS_MX_EXAMINED)
		query_find(f, QUERY_MX09, STS_STR_NONE, STS_STR_NONE);
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

static void
hold_against(struct query_report *r, struct query_mx *mx)
{
	struct sts_str rest = r->policy.text, pattern;

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

/* One finding when nothing fits, else one for each host that does not. In a mode that
 * does not enforce, it is a warning: mail flows. */
static void
judge_fit(struct query_report *r, bool enforced)
{
	struct sts_str rest = r->policy.text, pattern;
	struct query_finding *new;
	size_t allowed = 0;

	for (size_t i = 0; i < r->mx_count; i++) {
		hold_against(r, &r->mx[i]);
		allowed += r->mx[i].allowed;
	}
	if (r->mx_count > 0 && (allowed == 0 || r->fit == STS_FIT_NONE)) {
		new = query_find(&r->findings, QUERY_MXP01, STS_STR_NONE, STS_STR_NONE);
		if (!enforced) {
			new->severity = QUERY_WARNING;
			new->exit = QUERY_EXIT_WARNING;
		}
		return;
	}
	for (size_t i = 0; i < r->mx_count; i++)
		if (!r->mx[i].allowed)
			query_find(&r->findings, QUERY_MXP02, r->mx[i].host,
			    STS_STR_NONE);
	while (r->mx_count > 0 && sts_policy_mx(&rest, &pattern))
		if (!is_of_use(r, pattern))
			query_find(&r->findings, QUERY_MXP03, pattern, STS_STR_NONE);
}

static void
judge_policy(struct query_report *r, const struct sts_entry *entry,
    const struct query_context *context)
{
	bool enforced = sts_lookup_enforces(entry, context->rules, context->now);

	if (r->body.p == NULL)
		return;
	r->has_policy = query_judge_policy(&r->findings, r->body, &r->policy) == STS_OK;
	if (!r->has_policy || r->policy.mode == STS_MODE_NONE)
		return;
	r->fit =
	    sts_match_fit(entry, &r->policy, domain_of(r), r->key.brackets, context->now);
	judge_fit(r, enforced);
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
	return r->has_policy && r->policy.mode == STS_MODE_TESTING;
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
reply_of(struct query_report *r, const struct sts_entry *entry, enum pf_map map,
    const struct query_context *context)
{
	struct sts_buf b = { 0 };
	struct sts_str kept;

	(void)pf_reply_put(&b, &r->answer, entry, domain_of(r), r->key.brackets, map,
	    context->now, context->style);
	if (b.bad)
		query_no_memory();
	kept = query_keep(&r->keep, sts_buf_str(&b));
	sts_buf_done(&b);
	return kept;
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

void
query_report_conclude(struct query_report *r, enum sts_err err, enum sts_hope hope,
    const struct sts_entry *entry, const struct query_context *context)
{
	static const struct sts_entry nothing = { 0 };

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
	if (entry == NULL)
		entry = &nothing;
	set_hosts(r);
	set_dane(r, entry, context);
	if (r->unicode[0] != '\0')
		query_find(&r->findings, QUERY_DOM02, domain_of(r), STS_STR_NONE);
	judge_mx(r);
	judge_record(r);
	query_judge_fetch(r, entry, context->now);
	judge_policy(r, entry, context);
	query_judge_dane(r, context);
	if (r->answer.verdict == STS_VERDICT_TEMP && !query_report_is_stuck(r))
		query_find(&r->findings, QUERY_VER07, STS_STR_NONE,
		    sts_str_of(sts_err_text(r->answer.why)));
	r->verdict = verdict_of(r, context);
	r->reply = reply_of(r, entry, PF_MAP_QUERY, context);
	r->reply_tlsrpt = reply_of(r, entry, PF_MAP_QUERY_TLSRPT, context);
	apply_override(r, context->override);
	r->exit = query_worst(&r->findings, exit_of(r->verdict));
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
