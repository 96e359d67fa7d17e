/* SPDX-License-Identifier: MIT */
#ifndef STS_REFRESH_H
#define STS_REFRESH_H

#include <stdbool.h>
#include <stdint.h>

#include "entry.h"
#include "lookup.h"

/*
 * When an entry is looked at in the background (RFC 8461 sections 3.3 and 10.2):
 * a policy in use every min(refresh_interval, max_age / 2), at least a minute, ten
 * percent either way so that a burst of first fetches spreads; after a failure from
 * five minutes on, doubling; one that nobody asked for in refresh_unused only when it
 * expires. INT64_MAX: an entry without a policy, never.
 */
int64_t sts_refresh_due(const struct sts_entry *e, struct sts_str domain,
    const struct sts_rules *rules);

enum sts_refresh {
	STS_REFRESH_WAIT,  /* not yet */
	STS_REFRESH_FETCH, /* run the journey */
	STS_REFRESH_DROP,  /* expired: the policy goes, what else is known stays */
};
enum sts_refresh sts_refresh_what(const struct sts_entry *e, struct sts_str domain,
    const struct sts_rules *rules, int64_t now);

#endif
