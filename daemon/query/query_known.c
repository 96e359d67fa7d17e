/* SPDX-License-Identifier: MIT */
/* What is cached, and how it stands to what is published; see query_judge.h. */
#include <string.h>

#include "log.h"
#include "nameset.h"
#include "query_judge.h"

#define MINUTE 60
#define HOUR 3600
#define DAY 86400

struct sts_str
query_kept(struct query_report *r, struct sts_buf *b)
{
	struct sts_str s;

	if (b->bad)
		query_no_memory();
	s = query_keep(&r->keep, sts_buf_str(b));
	sts_buf_done(b);
	return s;
}

static void
put_unit(struct sts_buf *to, int64_t n, const char *unit)
{
	sts_put_number(to, (unsigned long long)n);
	sts_put_text(to, unit);
}

static void
put_units(struct sts_buf *to, int64_t big, const char *unit, int64_t small,
    const char *small_unit)
{
	put_unit(to, big, unit);
	if (small == 0)
		return;
	sts_put_char(to, ' ');
	put_unit(to, small, small_unit);
}

void
query_put_span(struct sts_buf *to, int64_t s)
{
	if (s < 0)
		s = 0;
	if (s >= DAY)
		put_units(to, s / DAY, " d", s % DAY / HOUR, " h");
	else if (s >= HOUR)
		put_units(to, s / HOUR, " h", s % HOUR / MINUTE, " min");
	else if (s >= MINUTE)
		put_unit(to, s / MINUTE, " min");
	else
		put_unit(to, s, " s");
}

void
query_put_time(struct sts_buf *to, int64_t seconds)
{
	char text[LOG_TIME_TEXT];

	log_time_text(seconds, text);
	sts_put_text(to, text);
}

/* An expired one is read, too: it says what was. */
void
query_read_cached(struct query_report *r)
{
	const struct sts_entry *e = r->known.entry;

	if (e == NULL || e->fetched == 0 ||
	    sts_policy_parse(e->policy, &r->cached, NULL, NULL) != STS_OK)
		return;
	r->has_cached = sts_entry_is_live(e, r->known.now);
}

/*
 * Is it the daemon's, and of our kind?
 */
static void
judge_daemon(struct query_report *r)
{
	const struct query_known *k = &r->known;
	struct query_finding *new;

	if (k->version.n > 0 && !sts_str_eq(k->version, STS_STR(STSD_VERSION)))
		query_find(&r->findings, QUERY_ENV09, STS_STR_NONE, k->version);
	switch (k->err) {
	case QUERY_CONTROL_OK:
	case QUERY_CONTROL_NONE:
		return;
	case QUERY_CONTROL_OFF:
	case QUERY_CONTROL_AWAY:
		/* Its cache was read without it. */
		if (k->entry != NULL)
			return;
		new = query_find(&r->findings, QUERY_ENV08, STS_STR_NONE, k->why);
		new->severity = QUERY_INFO;
		return;
	case QUERY_CONTROL_DENIED:
	case QUERY_CONTROL_VERSION:
	case QUERY_CONTROL_TROUBLE:
		break;
	}
	query_find(&r->findings, QUERY_ENV08, STS_STR_NONE, k->why);
}

/*
 * Fetching.
 */
static struct sts_str
until(struct query_report *r, int64_t at)
{
	struct sts_buf b = { 0 };

	sts_put_text(&b, "until ");
	query_put_time(&b, at);
	return query_kept(r, &b);
}

static void
judge_backoff(struct query_report *r)
{
	const struct sts_entry *e = r->known.entry;
	int64_t again = e->failed_at + STS_FAILURE_GAP;
	struct sts_buf b = { 0 };

	if (e->failed_at == 0 || e->failures == 0 || again <= r->known.now)
		return;
	sts_put_text(&b, "until ");
	query_put_time(&b, again);
	sts_put_text(&b, ", since ");
	sts_put_text(&b, sts_err_text(e->failed_err));
	query_find(&r->findings, QUERY_CAC02, STS_STR_NONE, query_kept(r, &b));
}

/* What fails no more now is no matter any longer. */
static void
judge_refreshes(struct query_report *r)
{
	const struct sts_entry *e = r->known.entry;
	struct sts_buf b = { 0 };
	struct query_finding *new;

	if (!r->has_cached || e->failures == 0)
		return;
	sts_put_number(&b, e->failures);
	sts_put_text(&b, " in a row, since ");
	sts_put_text(&b, sts_err_text(e->failed_err));
	sts_put_text(&b, "; it expires in ");
	query_put_span(&b, sts_entry_expires(e) - r->known.now);
	new = query_find(&r->findings, QUERY_CAC03, STS_STR_NONE, query_kept(r, &b));
	if (r->has_policy) {
		new->severity = QUERY_INFO;
		new->exit = 0;
	}
}

static void
judge_expired(struct query_report *r)
{
	const struct sts_entry *e = r->known.entry;
	struct sts_buf b = { 0 };

	if (e->fetched == 0 || r->has_cached || r->has_policy)
		return;
	query_put_time(&b, sts_entry_expires(e));
	query_find(&r->findings, QUERY_CAC04, STS_STR_NONE, query_kept(r, &b));
}

/*
 * The difference between two policies, for people: "mode testing -> enforce, + a.example,
 * - b.example". Nothing when they say the same.
 */
#define PATTERNS_LISTED 8

/* Those of the one policy that the other has not: a policy may hold nine thousand. */
static void
put_missing(struct sts_buf *to, const char *sign, const struct sts_policy *from,
    const struct sts_policy *in)
{
	struct sts_nameset there = { 0 };
	struct sts_str rest = in->text, pattern;
	size_t listed = 0;

	while (sts_policy_mx_all(&rest, &pattern))
		(void)sts_nameset_add(&there, pattern);
	rest = from->text;
	while (listed < PATTERNS_LISTED && sts_policy_mx_all(&rest, &pattern)) {
		if (!sts_nameset_add(&there, pattern))
			continue;
		sts_put_text(to, to->n > 0 ? ", " : "");
		sts_put_text(to, sign);
		sts_put(to, pattern);
		listed++;
	}
	to->bad |= there.bad;
	sts_nameset_done(&there);
}

static void
put_difference(struct sts_buf *to, const struct sts_policy *old,
    const struct sts_policy *new)
{
	if (old->mode != new->mode) {
		sts_put_text(to, "mode ");
		sts_put_text(to, sts_mode_text(old->mode));
		sts_put_text(to, " -> ");
		sts_put_text(to, sts_mode_text(new->mode));
	}
	if (old->max_age != new->max_age) {
		sts_put_text(to, to->n > 0 ? ", max_age " : "max_age ");
		sts_put_number(to, old->max_age);
		sts_put_text(to, " -> ");
		sts_put_number(to, new->max_age);
	}
	put_missing(to, "+ ", new, old);
	put_missing(to, "- ", old, new);
}

static bool
allows_any(const struct query_report *r, const struct sts_policy *policy)
{
	struct sts_str rest = policy->text, pattern;

	while (sts_policy_mx(&rest, &pattern))
		for (size_t i = 0; i < r->mx_count; i++)
			if (sts_name_matches(pattern, r->mx[i].host))
				return true;
	return false;
}

/* The same id for another policy keeps senders from looking (RFC 8461 section 3.1). */
static void
judge_difference(struct query_report *r)
{
	bool same_id = sts_str_eq(r->record_id, r->known.entry->id);
	struct sts_buf b = { 0 };
	struct sts_str difference;
	struct query_finding *new;

	if (!r->has_cached || !r->has_policy)
		return;
	put_difference(&b, &r->cached, &r->policy);
	difference = query_kept(r, &b);
	if (difference.n == 0)
		return;
	new = query_find(&r->findings, QUERY_CAC05, STS_STR_NONE, difference);
	if (same_id)
		query_find(&r->findings, QUERY_TXT09, r->record_id, STS_STR_NONE);
	else
		new->severity = QUERY_INFO; /* the daemon will see it when next asked */
	if (r->mx_count > 0 && r->cached.mode != STS_MODE_NONE &&
	    !allows_any(r, &r->cached) && allows_any(r, &r->policy))
		query_find(&r->findings, QUERY_MXP05, STS_STR_NONE, STS_STR_NONE);
}

/* Is the fetch that a new id calls for one that fails? */
static void
judge_stuck(struct query_report *r)
{
	const struct sts_entry *e = r->known.entry;

	if (r->has_cached && r->record == STS_OK && r->has_host_fact &&
	    r->fetch_err != STS_OK && !sts_str_eq(r->record_id, e->id))
		query_find(&r->findings, QUERY_TXT11, r->record_id,
		    until(r, sts_entry_expires(e)));
}

static void
judge_force(struct query_report *r, bool verbose)
{
	const struct sts_entry *e = r->known.entry;
	struct sts_buf b = { 0 };

	if (r->from_cache)
		query_find(&r->findings, QUERY_CAC08, STS_STR_NONE,
		    until(r, sts_entry_expires(e)));
	if (!verbose || !r->has_cached)
		return;
	sts_put_text(&b, sts_mode_text(r->cached.mode));
	sts_put_text(&b, ", fetched ");
	query_put_time(&b, e->fetched);
	sts_put_text(&b, ", expires ");
	query_put_time(&b, sts_entry_expires(e));
	query_find(&r->findings, QUERY_CAC01, e->id, query_kept(r, &b));
}

void
query_judge_cached(struct query_report *r, const struct query_context *context)
{
	if (r->known.asked)
		judge_daemon(r);
	if (r->known.entry == NULL)
		return;
	judge_expired(r);
	judge_refreshes(r);
	judge_backoff(r);
	judge_stuck(r);
	judge_difference(r);
	judge_force(r, context->verbose);
}
