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

/* The bytes of the first label; 0: it is no host any more, or not one that fits anything. */
static uint8_t
label_of(const struct sts_mx_seen *mx, int64_t now)
{
	struct sts_str rest = mx->host, label;

	if (!is_recent(mx->seen, now) || rest.n > STS_NAME_MAX)
		return 0;
	(void)sts_str_cut(&rest, '.', &label);
	return (uint8_t)label.n;
}

/* False: who the hosts are is not known. */
static bool
find_hosts(const struct sts_entry *e, struct sts_str domain, bool brackets, int64_t now,
    struct sts_hosts *h)
{
	bool implicit = e->mx_err == STS_ERR_DNS_NODATA && is_recent(e->mx_at, now);
	size_t recent = 0;

	h->mx = e->mx;
	h->count = e->mx_count;
	/* RFC 5321 section 5.1: without any MX the domain is its own host. */
	if (brackets || implicit) {
		h->own = (struct sts_mx_seen){ .seen = now, .host = domain };
		h->mx = &h->own;
		h->count = 1;
	} else if (e->mx_err != STS_OK || e->mx_null) {
		return false;
	}
	for (size_t i = 0; i < h->count; i++) {
		h->label[i] = label_of(&h->mx[i], now);
		recent += is_recent(h->mx[i].seen, now) ? 1 : 0;
		if (recent <= STS_MX_EXAMINED)
			h->examined = i + 1;
	}
	return recent > 0;
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
covers(struct sts_str pattern, const struct sts_hosts *h, size_t i)
{
	struct sts_str host = h->mx[i].host, label = sts_str_head(host, h->label[i]);

	if (label.n == 0)
		return false;
	if (!is_wildcard(pattern))
		return sts_str_eq_nocase(pattern, host);
	return sts_str_eq_nocase(sts_str_from(pattern, 1), sts_str_from(host, label.n)) &&
	    sts_name_is_host(label);
}

static enum sts_fit
fit_of(struct sts_str policy, const struct sts_hosts *h)
{
	struct sts_str pattern;

	while (sts_policy_mx(&policy, &pattern))
		for (size_t i = 0; i < h->examined; i++)
			if (covers(pattern, h, i))
				return STS_FIT_SOME;
	return STS_FIT_NONE;
}

enum sts_fit
sts_match_fit(const struct sts_entry *e, struct sts_str policy, struct sts_str domain,
    bool brackets, int64_t now)
{
	struct sts_hosts h;

	return find_hosts(e, domain, brackets, now, &h) ? fit_of(policy, &h)
							: STS_FIT_UNKNOWN;
}

void
sts_match_start(struct sts_match *m, const struct sts_entry *e, struct sts_str policy,
    struct sts_str domain, bool brackets, int64_t now, bool exact)
{
	enum sts_fit fit = STS_FIT_UNKNOWN;

	if (exact && find_hosts(e, domain, brackets, now, &m->hosts))
		fit = fit_of(policy, &m->hosts);
	m->exact = fit == STS_FIT_SOME;
	m->none = fit == STS_FIT_NONE;
	m->rest = policy;
	m->host = m->hosts.count;
}

/* The next host that the wildcard m->pattern covers and that was not given yet. */
static bool
next_host(struct sts_match *m, struct sts_str *name)
{
	while (m->host < m->hosts.count) {
		size_t i = m->host++;

		*name = m->hosts.mx[i].host;
		if (covers(m->pattern, &m->hosts, i) && sts_nameset_add(&m->given, *name))
			return true;
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
		if (next_host(m, name))
			return true;
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
