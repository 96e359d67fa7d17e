/* SPDX-License-Identifier: MIT */
#ifndef STS_LOOKUP_H
#define STS_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "dane.h"
#include "entry.h"
#include "err.h"
#include "str.h"

/*
 * The journey of one lookup, without any I/O: a pure function of the entry and the
 * facts found out so far. sts_lookup_run() says which facts it needs next; the
 * caller finds them out (or fails to), tells each with sts_lookup_tell(), and runs
 * the function again from its top, until it needs nothing. Then l->entry is the
 * new truth about the domain, and lib/answer.h says what follows from it.
 *
 * stsd drives it from the event loop, stsd-query drives it and prints each fact,
 * tests and fuzzers make facts up, a refresh is the same journey with another start.
 */
enum sts_need {
	STS_NEED_RECORD = 1 << 0,    /* TXT of _mta-sts.<domain> */
	STS_NEED_MX = 1 << 1,	     /* MX of <domain> */
	STS_NEED_HOST = 1 << 2,	     /* A and AAAA of mta-sts.<domain> */
	STS_NEED_POLICY = 1 << 3,    /* the file, from l->addresses */
	STS_NEED_STORED = 1 << 4,    /* l->entry, committed */
	STS_NEED_TRUST = 1 << 5,     /* does the resolver validate? as of late (. SOA) */
	STS_NEED_TRUST_NOW = 1 << 6, /* the same, asked anew */
	STS_NEED_HOSTS = 1 << 7,     /* whatever sts_dane_ask(&l->dane) asks for */
};
#define STS_NEEDS 8

enum sts_start {
	STS_START_ASKED,   /* Postfix asks: look at what is due */
	STS_START_REFRESH, /* fetch the policy whatever the record says (10.2) */
	STS_START_FORCED,  /* an administrator asks: fetch, whatever was fetched before */
	STS_START_FRESH,   /* look at everything, now (stsd-query) */
};

/* The settings that rules depend on. */
struct sts_rules {
	bool strict_testing; /* mode testing counts as enforce */
	bool loose;	     /* wildcards = loose: MX hosts need not be named */
	bool defer_txt_error;
	bool may;	   /* testing and none may be answered "OK may" */
	bool dane;	   /* DANE comes first: Postfix does it */
	bool believe;	   /* the AD bit of the configured servers counts (dnssec) */
	int64_t validates; /* when they began to set it; 0: not that we know of. What was
			    * found by then for want of it counts no more */
	uint32_t refresh_interval;
	uint32_t refresh_unused;
	const struct sts_net *allow; /* allow_addresses: what the guard lets through */
	size_t allow_count;
};

/* What was found out about one need. The bytes belong to whoever told it and must
 * stay for as long as the lookup lives. */
struct sts_fact {
	enum sts_err err; /* STS_OK, a DNS or fetch error, or why it was not stored */
	int16_t ede;	  /* -1: none */
	uint32_t ttl;	  /* of the answer; 0 for a "no" without SOA */
	const struct sts_str *texts; /* RECORD: TXT records; MX: hosts, "" = null MX */
	const uint16_t *preferences; /* MX: of each host */
	const struct sts_addr *addresses; /* HOST: in the order of the answers */
	size_t count;
	bool ad;	     /* the AD bit, as it came: MX, TRUST */
	struct sts_str body; /* POLICY */
	int64_t at;	     /* set by sts_lookup_tell */
};

struct sts_lookup {
	struct sts_str domain;
	const struct sts_rules *rules;
	enum sts_start start;
	struct sts_target target; /* what Postfix asks about */
	bool used;		  /* Postfix asks: note the day */
	bool early;		  /* nobody waits: look also at what soon will be due */
	struct sts_entry cached;  /* what the cache had; all-zero: nothing */
	unsigned known;		  /* which facts were told */
	struct sts_fact fact[STS_NEEDS];

	/* Set by sts_lookup_run: */
	struct sts_entry entry; /* the truth so far */
	bool changed;		/* it differs from what the cache has */
	bool fetching;		/* HOST or POLICY is needed: a fetch is running */
	bool looking;		/* a live policy only waits for DNS to confirm it */
	struct sts_addr addresses[STS_ADDRESSES_MAX]; /* for POLICY, in order of trial */
	size_t address_count;
	struct sts_dane_look dane;
	enum sts_err fetch_err; /* of a fetch in this journey; STS_OK without one */
	bool fetched;		/* a fetch in this journey brought a valid policy */
	enum sts_err
	    internal; /* trouble of ours kept a fact from us and no policy counts:
				 * the answer must be TEMP, and the entry is not to be kept */
};

/* cached: NULL when nothing is known. Its views must outlive the lookup. The target is
 * the plain domain, the flags used and early are off. */
void sts_lookup_start(struct sts_lookup *l, struct sts_str domain,
    const struct sts_entry *cached, enum sts_start start, const struct sts_rules *rules);

/* The needs (a set of enum sts_need) to go on; 0: finished. A need once told is not
 * asked again. now: seconds of stsd's clock. */
unsigned sts_lookup_run(struct sts_lookup *l, int64_t now);

/* now: when the fact was found out. HOSTS are told by sts_dane_tell(&l->dane). */
void sts_lookup_tell(struct sts_lookup *l, enum sts_need need,
    const struct sts_fact *fact, int64_t now);

/* What the first run of a journey for this entry would ask for; 0: nothing is due, and
 * what the entry says can be answered at once. The same rules, without a journey. */
unsigned sts_lookup_due(const struct sts_entry *e, struct sts_str domain,
    struct sts_target target, const struct sts_rules *rules, int64_t now);

/* Will MX or DANE be due soon, so that a look beside the answer spares a later one the
 * wait? */
bool sts_lookup_due_soon(const struct sts_entry *e, struct sts_target target,
    const struct sts_rules *rules, int64_t now);

/* Must DANE be known for this answer, and is what is known too old? */
bool sts_lookup_dane_is_due(const struct sts_entry *e, struct sts_target target,
    const struct sts_rules *rules, int64_t now);

/* Is the record's last look too old to rely on? */
bool sts_lookup_record_is_due(const struct sts_entry *e, int64_t now);

/* Does the policy count now, and is its mode enforce (or testing, with strict_testing)? */
bool sts_lookup_enforces(const struct sts_entry *e, const struct sts_rules *rules,
    int64_t now);

#endif
