/* SPDX-License-Identifier: MIT */
#ifndef STS_ENGINE_H
#define STS_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "answer.h"
#include "cache.h"
#include "fetch.h"
#include "lookup.h"
#include "loop.h"
#include "refresh.h"
#include "resolve.h"
#include "selftest.h"

/*
 * Runs journeys: one a domain, however many wait for it. Finds out what
 * sts_lookup_run() asks for, tells it, and hands the entry to everyone who waits when
 * the journey ends, or their time does. Decides nothing about policies; bounds what
 * runs at once: max_lookups journeys, max_fetches fetches (more wait in order; one that
 * waits longer than its first asker, with nobody waiting any more, counts as failed),
 * STS_FETCHES_PER_NET to one site.
 */
struct sts_engine;
struct sts_wait;

struct sts_engine_config {
	struct sts_loop *loop;
	struct sts_resolve *resolve;
	struct sts_fetcher *fetcher;
	struct sts_cache *cache; /* NULL: nothing is kept (stsd-query) */
	const struct sts_rules *rules;
	unsigned max_lookups;
	unsigned max_fetches;
	int64_t answer_ms; /* answer_timeout */
};

/* What a waiter gets. entry: as in sts_answer(); NULL: nothing is known. Views live
 * for the length of the call. */
struct sts_outcome {
	enum sts_err err; /* STS_OK, NOMEM, OVERLOADED, CACHE: no journey could be made */
	enum sts_hope hope;
	const struct sts_entry *entry;
};
typedef void sts_on_outcome(void *arg, const struct sts_outcome *outcome);

/* Everything worth a log line, a count or a line of stsd-query's trace, as it happens. */
enum sts_event_what {
	STS_EVENT_FACT,	   /* a need was met: need, fact, ms */
	STS_EVENT_FETCHED, /* fetched: the whole story of one fetch */
	STS_EVENT_POLICY,  /* a valid policy was fetched: before, after (entries) */
	STS_EVENT_DONE,	   /* the journey ended: after */
	STS_EVENT_TROUBLE, /* the cache could not be read: err */
	STS_EVENT_HOST,	 /* an MX host's question was answered: host, step, answer, ms */
	STS_EVENT_TRUST, /* the self-test of the resolver ended: trust */
};

struct sts_event {
	enum sts_event_what what;
	struct sts_str domain;
	enum sts_start start;
	enum sts_need need;
	const struct sts_fact *fact;
	const struct sts_fetched *fetched;
	const struct sts_entry *before, *after;
	const struct sts_lookup *lookup;
	const struct sts_trust *trust;
	size_t host; /* HOST: of lookup->dane.hosts */
	enum sts_dane_step step;
	const struct sts_dns_answer *answer;
	enum sts_err err;
	int64_t ms;	  /* FACT: since it was asked for; FETCHED; DONE: in all */
	int64_t fetch_ms; /* DONE: of the HTTPS fetch; -1 when none was made */
};
typedef void sts_on_event(void *arg, const struct sts_event *event);

struct sts_engine *sts_engine_new(const struct sts_engine_config *config,
    sts_on_event *on_event, void *arg);
void sts_engine_free(struct sts_engine *e);

/*
 * Asks for a domain (a policy domain, lower case). on is called exactly once, from the
 * loop, at the latest after wait_ms; unless forgotten. NULL: no memory.
 */
struct sts_wait *sts_engine_ask(struct sts_engine *e, struct sts_str domain,
    struct sts_target target, enum sts_start start, int64_t wait_ms, sts_on_outcome *on,
    void *arg);
void sts_engine_forget(struct sts_wait *w);
/* STS_START_FORCED: the fetch begins after the ask. A journey that is under way already is
 * ended first, and then another one made, also when nobody waits any more. */

/* The same with nobody waiting: look at what is due or will be soon, note the day. */
void sts_engine_look(struct sts_engine *e, struct sts_str domain,
    struct sts_target target);

/* Somebody else has changed what the cache has of a domain: a
 * journey that is under way ends and writes nothing; if anybody waits for it, another one
 * begins from there. */
void sts_engine_changed(struct sts_engine *e, struct sts_str domain);
bool sts_engine_is_running(struct sts_engine *e, struct sts_str domain);

/* Queues an entry for the cache, with its kind and the time it is due; as sts_cache_put. */
enum sts_err sts_engine_put(struct sts_engine *e, struct sts_str domain,
    const struct sts_entry *entry, sts_on_stored *on, void *arg);

/* Starts refreshing what falls due, from now on. */
int sts_engine_refresh(struct sts_engine *e);

/* Starts testing whether the resolver validates, now and every STS_SELFTEST_INTERVAL. */
int sts_engine_selftest(struct sts_engine *e);

struct sts_engine_stats {
	unsigned lookups;
	unsigned fetches;
	unsigned fetches_waiting;
};
void sts_engine_stats(const struct sts_engine *e, struct sts_engine_stats *stats);

#endif
