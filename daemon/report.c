/* SPDX-License-Identifier: MIT */
#include "report.h"

#include "clock.h"
#include "log.h"
#include "metrics.h"
#include "nameset.h"
#include "policy.h"
#include "report_dane.h"

#define MINUTE_MS 60000
/* After so many failed refreshes in a row the administrator hears of it again. */
#define FAILURES_AGAIN 3

static bool
has_live_policy(const struct sts_entry *e)
{
	return sts_entry_is_live(e, sts_clock_now());
}

/* A failure is news when the last attempt went well or failed in another way. */
static bool
is_news(const struct sts_entry *before, enum sts_err err)
{
	return before->failures == 0 || before->failed_err != err ||
	    before->failures + 1 == FAILURES_AGAIN;
}

static enum log_level
failure_level(const struct sts_entry *before, enum sts_err err)
{
	if (!is_news(before, err))
		return LOG_LEVEL_DEBUG;
	if (has_live_policy(before) && before->mode != STS_MODE_NONE)
		return LOG_LEVEL_WARNING;
	return LOG_LEVEL_INFO;
}

static void
log_failure(const struct sts_event *event, enum sts_err err, const char *why)
{
	const struct sts_entry *before = &event->lookup->cached;
	const char *result = sts_err_tlsrpt(err);

	log_begin(failure_level(before, err), "policy-fetch-failed", event->domain, why);
	log_text("error", sts_str_of(sts_err_token(err)));
	if (result != NULL)
		log_text("result", sts_str_of(result));
	log_number("failures", before->failures + 1);
	if (has_live_policy(before)) {
		log_text("mode", sts_str_of(sts_mode_text(before->mode)));
		log_time("expires", sts_entry_expires(before));
	}
	log_end();
}

/* Does one list every pattern of the other, in whatever order? */
static bool
has_every_mx(struct sts_str policy, struct sts_str other)
{
	struct sts_nameset names = { 0 };
	struct sts_str pattern;
	bool all = true;

	while (sts_policy_mx_all(&policy, &pattern))
		(void)sts_nameset_add(&names, pattern);
	while (all && sts_policy_mx_all(&other, &pattern))
		all = sts_nameset_has(&names, pattern);
	all = all && !names.bad;
	sts_nameset_done(&names);
	return all;
}

static bool
same_mx(struct sts_str a, struct sts_str b)
{
	return has_every_mx(a, b) && has_every_mx(b, a);
}

/* What an administrator may want to look into; NULL: nothing. */
static const char *
weaker(const struct sts_entry *before, const struct sts_entry *after)
{
	if (before->mode == STS_MODE_ENFORCE && after->mode != STS_MODE_ENFORCE)
		return "the policy is no longer enforced";
	if (after->max_age < before->max_age)
		return "max_age is shorter than before";
	if (!same_mx(before->policy, after->policy))
		return "the set of MX hosts has changed";
	return NULL;
}

static void
log_mx(const char *key, struct sts_str policy)
{
	struct sts_buf names = { 0 };
	struct sts_str pattern;

	while (sts_policy_mx_all(&policy, &pattern)) {
		if (names.n > 0)
			sts_put_char(&names, ',');
		sts_put(&names, pattern);
	}
	log_text(key, sts_buf_str(&names));
	sts_buf_done(&names);
}

static void
log_policy(const struct sts_event *event)
{
	const struct sts_entry *before = event->before, *after = event->after;
	const char *why = before->fetched != 0 ? weaker(before, after) : NULL;
	enum log_level level = LOG_LEVEL_DEBUG;
	const char *what = "policy-unchanged";

	if (before->fetched == 0) {
		level = LOG_LEVEL_INFO;
		what = "policy-new";
	} else if (!sts_str_eq(before->policy, after->policy) ||
	    !sts_str_eq(before->id, after->id)) {
		level = why != NULL ? LOG_LEVEL_NOTICE : LOG_LEVEL_INFO;
		what = "policy-changed";
	}
	log_begin(level, what, event->domain, why != NULL ? why : "");
	if (before->fetched != 0) {
		log_text("old_id", before->id);
		log_text("old_mode", sts_str_of(sts_mode_text(before->mode)));
		log_number("old_max_age", before->max_age);
		log_mx("old_mx", before->policy);
	}
	log_text("id", after->id);
	log_text("mode", sts_str_of(sts_mode_text(after->mode)));
	log_number("max_age", after->max_age);
	log_mx("mx", after->policy);
	log_end();
}

/* A live policy whose record has gone: it stays in force, and somebody may wonder. */
static void
log_record(const struct sts_event *event)
{
	const struct sts_entry *before = &event->lookup->cached, *after = event->after;

	if (!has_live_policy(after) || before->record_err == after->record_err ||
	    after->record_err == STS_OK || sts_err_is_dns_failure(after->record_err))
		return;
	log_begin(LOG_LEVEL_NOTICE, "record-gone", event->domain,
	    sts_err_text(after->record_err));
	log_text("mode", sts_str_of(sts_mode_text(after->mode)));
	log_time("expires", sts_entry_expires(after));
	log_end();
}

static const char *
fetch_outcome(const struct sts_event *event)
{
	const struct sts_lookup *l = event->lookup;

	if (!l->fetched)
		return sts_err_fetch_outcome(l->fetch_err);
	return sts_str_eq(l->cached.policy, l->entry.policy) ? "unchanged" : "ok";
}

static void
count_fetch(const struct sts_event *event)
{
	const struct sts_lookup *l = event->lookup;
	const char *outcome = fetch_outcome(event);

	if (outcome == NULL || (!l->fetched && l->fetch_err == STS_OK))
		return;
	metrics_fetch(outcome, event->fetch_ms > 0 ? event->fetch_ms : 0);
	if (event->start == STS_START_REFRESH)
		metrics_refresh(l->fetched);
}

/* Failures that no connection has explained yet. */
static bool
is_unexplained(enum sts_err err)
{
	return err == STS_ERR_FETCH_DNS || err == STS_ERR_FETCH_BLOCKED ||
	    err == STS_ERR_POLICY_SYNTAX;
}

static void
log_done(const struct sts_event *event)
{
	const struct sts_lookup *l = event->lookup;

	if (is_unexplained(l->fetch_err))
		log_failure(event, l->fetch_err, sts_err_text(l->fetch_err));
	log_record(event);
	report_finding(event);
	log_begin(LOG_LEVEL_DEBUG, "looked", event->domain, "");
	log_text("record", sts_str_of(sts_err_token(l->entry.record_err)));
	log_seconds("took", event->ms);
	log_end();
}

static void
report_trust(struct report *r, const struct sts_trust *selftest)
{
	enum trust trust = trust_of(selftest, r->config);
	char text[512];
	enum log_level level = trust_explain(selftest, r->config, text, sizeof(text));

	metrics_set_dnssec_ok(trust == TRUST_GOOD);
	if (trust == r->trust)
		return;
	r->trust = trust;
	log_begin(level, "dnssec", STS_STR_NONE, text);
	if (selftest->ede >= 0)
		log_number("ede", selftest->ede);
	log_end();
}

static void
log_fact(const struct sts_event *event)
{
	if (event->need != STS_NEED_STORED || event->fact->err == STS_OK)
		return;
	log_begin(LOG_LEVEL_WARNING, "policy-not-stored", event->domain,
	    sts_err_text(event->fact->err));
	log_end();
}

void
report_event(struct report *r, const struct sts_event *event)
{
	switch (event->what) {
	case STS_EVENT_FACT:
		log_fact(event);
		break;
	case STS_EVENT_FETCHED:
		if (event->fetched->err != STS_OK)
			log_failure(event, event->fetched->err, event->fetched->why);
		break;
	case STS_EVENT_POLICY:
		log_policy(event);
		break;
	case STS_EVENT_DONE:
		count_fetch(event);
		log_done(event);
		break;
	case STS_EVENT_TROUBLE:
		log_begin(LOG_LEVEL_ERROR, "cache-unreadable", event->domain,
		    event->err == STS_ERR_CACHE_ENTRY
			? "an entry does not match its checksum"
			: sts_err_text(event->err));
		log_end();
		break;
	case STS_EVENT_HOST:
		report_host(event);
		break;
	case STS_EVENT_TRUST:
		report_trust(r, event->trust);
		break;
	}
}

void
report_unsaved(struct report *r, const struct sts_cache_stats *stats)
{
	int64_t now = sts_clock_now_ms();

	if (stats->unsaved == 0 ||
	    (r->unsaved_logged_ms != 0 && now - r->unsaved_logged_ms < MINUTE_MS))
		return;
	r->unsaved_logged_ms = now;
	log_begin(LOG_LEVEL_ERROR, "cache-unwritable", STS_STR_NONE,
	    "entries cannot be stored and are kept in memory; is the disk full?");
	log_number("entries", (int64_t)stats->unsaved);
	log_end();
}
