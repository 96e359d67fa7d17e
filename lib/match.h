/* SPDX-License-Identifier: MIT */
#ifndef STS_MATCH_H
#define STS_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "entry.h"
#include "nameset.h"
#include "policy.h"
#include "str.h"

/*
 * A policy's patterns against the domain's MX hosts. The host set is what was seen
 * in the last hour (STS_MX_MEMORY): MX sets rotate, and Postfix asks for itself. Of
 * more than STS_MX_EXAMINED hosts the first by preference decide what fits. A host
 * that is no host name (an underscore, an address) fits nothing. policy: the text of
 * a valid one (sts_policy_text).
 */
enum sts_fit {
	STS_FIT_UNKNOWN, /* the lookup failed, is too old, null MX or NXDOMAIN */
	STS_FIT_SOME,	 /* at least one host is allowed */
	STS_FIT_NONE,	 /* hosts are known and the policy allows none of them */
};

/* The hosts are the key's own name for brackets and where there is no MX. */
enum sts_fit sts_match_fit(const struct sts_entry *e, struct sts_str policy,
    struct sts_str domain, bool brackets, int64_t now);

/*
 * The names a certificate may have, one after the other, without repeats, for the
 * reply. exact: in place of "*.b" the known hosts that it covers; if no host fits
 * any pattern, the one name that never matches. loose, or hosts unknown: wildcards
 * stay. Starts with an all-zero struct and sts_match_start.
 */
/* Who the hosts are: those of the MX, or one, the domain itself. */
struct sts_hosts {
	const struct sts_mx_seen *mx;
	size_t count, examined;
	uint8_t label[STS_MX_MAX]; /* bytes of each one's first label; 0: it is none */
	struct sts_mx_seen own;
};

struct sts_match {
	struct sts_hosts hosts; /* exact only */
	bool exact;
	bool none; /* nothing fits: one name only */
	struct sts_str rest, pattern;
	size_t host; /* next host to hold against a wildcard pattern */
	struct sts_nameset given;
	bool bad; /* out of memory: what was given is not the whole list */
};

void sts_match_start(struct sts_match *m, const struct sts_entry *e,
    struct sts_str policy, struct sts_str domain, bool brackets, int64_t now, bool exact);
/* name without "*."; any case. False at the end, and when m->bad. */
bool sts_match_next(struct sts_match *m, struct sts_str *name, bool *wildcard);
void sts_match_done(struct sts_match *m);

#define STS_MATCH_NOTHING "no-mx-matches-the-policy.invalid"

#endif
