/* SPDX-License-Identifier: MIT */
/* A policy's patterns against the MX hosts; see match.h. */
#include "match.h"

#include "bounds.h"
#include "name.h"

static bool
is_recent(int64_t seen, int64_t now)
{
	return seen != 0 && now - seen <= STS_MX_MEMORY;
}

/* False: who the hosts are is not known. */
static bool
find_hosts(const struct sts_entry *e, struct sts_str domain, bool brackets, int64_t now,
    struct sts_hosts *h)
{
	bool implicit = e->mx_err == STS_ERR_DNS_NODATA && is_recent(e->mx_at, now);

	*h = (struct sts_hosts){ NULL, 1, domain, now };
	/* RFC 5321 section 5.1: without any MX the domain is its own host. */
	if (brackets || implicit)
		return true;
	if (e->mx_err != STS_OK || e->mx_null)
		return false;
	h->mx = e->mx;
	h->count = e->mx_count;
	for (size_t i = 0; i < h->count; i++)
		if (is_recent(h->mx[i].seen, now))
			return true;
	return false;
}

/* The i-th host, if it is still one. */
static bool
host_at(const struct sts_hosts *h, size_t i, struct sts_str *host)
{
	if (h->mx == NULL) {
		*host = h->own;
		return true;
	}
	*host = h->mx[i].host;
	return is_recent(h->mx[i].seen, h->now);
}

static bool
is_wildcard(struct sts_str pattern)
{
	return sts_str_starts(pattern, STS_STR("*."));
}

/*
 * RFC 8461 section 4.1, as sts_name_matches() has it: but the policy was found valid, and
 * only of a host's first label must be asked whether it is one. What can differ is looked
 * at first: a policy of 64 KiB holds eight thousand patterns, each held against every host.
 */
static bool
covers(struct sts_str pattern, struct sts_str host)
{
	struct sts_str label;

	if (!is_wildcard(pattern))
		return sts_str_eq_nocase(pattern, host);
	pattern = sts_str_from(pattern, 1);
	if (host.n < pattern.n || host.n > STS_NAME_MAX)
		return false;
	label = sts_str_head(host, host.n - pattern.n);
	return sts_str_eq_nocase(sts_str_from(host, label.n), pattern) &&
	    sts_name_is_single_label(label) && sts_name_is_host(label);
}

/* Only the most preferred hosts decide. */
static void
leave_examined(struct sts_hosts *h)
{
	struct sts_str host;
	size_t examined = 0, count = 0;

	while (count < h->count && examined < STS_MX_EXAMINED)
		examined += host_at(h, count++, &host) ? 1 : 0;
	h->count = count;
}

static bool
any_pattern_covers(struct sts_str policy, const struct sts_hosts *h)
{
	struct sts_str pattern, host;

	while (sts_policy_mx(&policy, &pattern))
		for (size_t i = 0; i < h->count; i++)
			if (host_at(h, i, &host) && covers(pattern, host))
				return true;
	return false;
}

enum sts_fit
sts_match_fit(const struct sts_entry *e, struct sts_str policy, struct sts_str domain,
    bool brackets, int64_t now)
{
	struct sts_hosts h;

	if (!find_hosts(e, domain, brackets, now, &h))
		return STS_FIT_UNKNOWN;
	leave_examined(&h);
	return any_pattern_covers(policy, &h) ? STS_FIT_SOME : STS_FIT_NONE;
}

void
sts_match_start(struct sts_match *m, const struct sts_entry *e, struct sts_str policy,
    struct sts_str domain, bool brackets, int64_t now, bool exact)
{
	enum sts_fit fit = STS_FIT_UNKNOWN;

	if (exact)
		fit = sts_match_fit(e, policy, domain, brackets, now);
	m->exact = fit == STS_FIT_SOME && find_hosts(e, domain, brackets, now, &m->hosts);
	m->none = fit == STS_FIT_NONE;
	m->rest = policy;
}

/* The next host that the wildcard m->pattern covers and that was not given yet. */
static bool
next_host(struct sts_match *m, struct sts_str *name)
{
	while (m->host < m->hosts.count) {
		struct sts_str host;

		if (host_at(&m->hosts, m->host++, &host) && covers(m->pattern, host) &&
		    sts_nameset_add(&m->given, host)) {
			*name = host;
			return true;
		}
	}
	return false;
}

/* The next pattern that was not given yet; in exact mode a wildcard stands for hosts. */
static bool
next_pattern(struct sts_match *m)
{
	while (!m->given.bad && sts_policy_mx(&m->rest, &m->pattern))
		if (sts_nameset_add(&m->given, m->pattern))
			return true;
	return false;
}

bool
sts_match_next(struct sts_match *m, struct sts_str *name, bool *wildcard)
{
	*wildcard = false;
	if (m->none) {
		*name = STS_STR(STS_MATCH_NOTHING);
		return sts_nameset_add(&m->given, *name);
	}
	for (;;) {
		if (m->in_pattern && next_host(m, name))
			return true;
		m->in_pattern = false;
		if (!next_pattern(m))
			break;
		if (!is_wildcard(m->pattern)) {
			*name = m->pattern;
			return true;
		}
		if (!m->exact) {
			*name = sts_str_from(m->pattern, 2);
			*wildcard = true;
			return true;
		}
		m->in_pattern = true;
		m->host = 0;
	}
	m->bad = m->given.bad;
	return false;
}

void
sts_match_done(struct sts_match *m)
{
	sts_nameset_done(&m->given);
}
