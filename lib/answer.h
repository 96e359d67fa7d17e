/* SPDX-License-Identifier: MIT */
#ifndef STS_ANSWER_H
#define STS_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "entry.h"
#include "err.h"
#include "lookup.h"

/*
 * What Postfix is told about a domain: a pure function of its entry, the time and
 * the settings. Nobody else decides it.
 */
enum sts_verdict {
	STS_VERDICT_NOTFOUND, /* no policy that counts, or one that must not weaken DANE or
			       * what Postfix is set to */
	STS_VERDICT_PERMIT,   /* testing or none, and nothing stronger to be weakened */
	STS_VERDICT_SECURE,   /* enforce */
	STS_VERDICT_DANE,     /* enforce, and DANE comes first (RFC 8461 section 2) */
	STS_VERDICT_TEMP,     /* any other answer could weaken the truth; see why */
};

/* How much more can be known about the domain right now. */
enum sts_hope {
	STS_HOPE_OPEN,	  /* the resolver was not asked yet */
	STS_HOPE_RUNNING, /* asked, and the time is up while a fetch is under way */
	STS_HOPE_LATE,	  /* asked, and the time is up before DNS has answered */
	STS_HOPE_DONE,	  /* the journey is finished: this is all there is */
	STS_HOPE_AWAY,	  /* the resolver cannot be asked */
};

struct sts_answer {
	enum sts_verdict verdict;
	enum sts_err why; /* TEMP: the reason; NOTFOUND: what stood in the way, or OK */
	enum sts_about about; /* a DNS failure: of what */
	struct sts_str host;  /* and of which host; a view into the entry */
	int16_t ede;	      /* of a DNS failure, -1 without */
	bool ask_first;	      /* OPEN: the resolver must be asked before this is given */
	bool ask_beside;      /* OPEN: give it, and have the resolver look as well */
};

/* e: NULL when nothing is known. domain and target as in the key. */
void sts_answer(const struct sts_entry *e, struct sts_str domain,
    struct sts_target target, enum sts_hope hope, int64_t now,
    const struct sts_rules *rules, struct sts_answer *answer);

const char *sts_verdict_text(enum sts_verdict verdict);

#endif
