/* SPDX-License-Identifier: MIT */
#ifndef BENCH_KNOWN_H
#define BENCH_KNOWN_H

#include "domain.h"
#include "entry.h"

/*
 * What stsd knows of such a domain once it has looked at everything. Findings of DNS count
 * for a day, not for minutes: a measurement takes longer.
 */
struct known {
	char name[DOMAIN_N + 1], policy[256], mx[2][DOMAIN_N + 5];
	struct sts_str domain;
	struct sts_entry entry;
};

#define KNOWN_DAY 86400
#define KNOWN_ID STS_STR("20260101000000")

static inline void
known_hosts(struct known *k, int64_t now)
{
	struct sts_entry *e = &k->entry;

	e->mx_at = now;
	e->mx_ttl = KNOWN_DAY;
	e->mx_ede = -1;
	e->mx_count = 2;
	for (uint16_t i = 0; i < 2; i++) {
		(void)snprintf(k->mx[i], sizeof(k->mx[i]), "mx%u.%s", i + 1U, k->name);
		e->mx[i] = (struct sts_mx_seen){ now, i, sts_str_of(k->mx[i]) };
	}
	sts_entry_put_dane(e,
	    &(struct sts_dane){ .target = STS_TARGET_PLAIN,
		.at = now,
		.ttl = KNOWN_DAY,
		.state = STS_DANE_ABSENT,
		.plain = true,
		.ede = -1 });
}

static inline void
known_make(struct known *k, char kind, uint32_t number, int64_t now, int64_t fetched)
{
	struct sts_entry *e = &k->entry;

	domain_name(k->name, kind, number);
	k->domain = sts_str_of(k->name);
	*e = (struct sts_entry){ .record_at = now,
		.record_ttl = KNOWN_DAY,
		.record_ede = -1 };
	if (kind == DOMAIN_NONE) {
		e->record_err = STS_ERR_DNS_NXDOMAIN;
		return;
	}
	e->fetched = e->tried = fetched;
	e->asked = now;
	e->max_age = DOMAIN_MAX_AGE;
	e->mode = STS_MODE_ENFORCE;
	e->id = e->record_id = KNOWN_ID;
	e->policy = (struct sts_str){ k->policy,
		domain_policy(k->policy, sizeof(k->policy), k->name) };
	known_hosts(k, now);
}

#endif
