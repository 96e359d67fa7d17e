/* SPDX-License-Identifier: MIT */
/* When to look again; see refresh.h. */
#include "refresh.h"

/* Doublings of the back-off: five minutes become 21 hours, and a day caps it. */
#define DOUBLINGS_MAX 8

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Ten percent either way, and always the same for one fetch of one domain. */
static int64_t
spread(int64_t seconds, struct sts_str domain, int64_t at)
{
	uint32_t chance = sts_crc32c(domain) ^ ((uint32_t)at * 2654435761u);

	return seconds - seconds / 10 + (int64_t)(chance % 1000) * (seconds / 5) / 1000;
}

static int64_t
interval(const struct sts_entry *e, const struct sts_rules *rules)
{
	return most(STS_REFRESH_MIN, least(rules->refresh_interval, e->max_age / 2));
}

static int64_t
back_off(const struct sts_entry *e)
{
	int doublings = e->failures - 1;

	return (int64_t)STS_FAILURE_GAP
	    << (doublings > DOUBLINGS_MAX ? DOUBLINGS_MAX : doublings);
}

int64_t
sts_refresh_due(const struct sts_entry *e, struct sts_str domain,
    const struct sts_rules *rules)
{
	int64_t expires = sts_entry_expires(e);
	int64_t due;

	if (e->fetched == 0)
		return INT64_MAX;
	if (e->failures > 0)
		due = e->failed_at +
		    most(STS_FAILURE_GAP,
			spread(least(interval(e, rules), back_off(e)), domain,
			    e->failed_at));
	else /* a failure before the last success may still forbid a fetch */
		due = most(e->failed_at + STS_FAILURE_GAP,
		    e->fetched +
			most(STS_REFRESH_MIN,
			    spread(interval(e, rules), domain, e->fetched)));
	if (due > e->asked + rules->refresh_unused)
		return expires;
	return least(due, expires);
}

enum sts_refresh
sts_refresh_what(const struct sts_entry *e, struct sts_str domain,
    const struct sts_rules *rules, int64_t now)
{
	if (e->fetched == 0)
		return STS_REFRESH_WAIT;
	if (!sts_entry_is_live(e, now))
		return STS_REFRESH_DROP;
	return now >= sts_refresh_due(e, domain, rules) ? STS_REFRESH_FETCH
							: STS_REFRESH_WAIT;
}
