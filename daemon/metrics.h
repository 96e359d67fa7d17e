/* SPDX-License-Identifier: MIT */
#ifndef METRICS_H
#define METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "buf.h"
#include "cache.h"
#include "dns.h"
#include "socketmap.h"

/*
 * Counters in a page of memory: each process has one of its own (a sealed memfd from the
 * supervisor), and is its only writer (relaxed loads and stores, no locks); the supervisor
 * reads all pages, so that the numbers are there whatever else is stuck. The totals of a
 * process that ended are added to the supervisor's own page, and what it said last of the
 * cache stays there until another one says it. Names, help texts, types and
 * labels stand in one table in metrics.c; stsd(8) lists them.
 *
 * Before metrics_attach a process counts into a private page: nothing needs to ask.
 */
enum metrics_result {
	RESULT_SECURE,
	RESULT_DANE_ONLY,
	RESULT_MAY,
	RESULT_NOTFOUND,
	RESULT_TEMP,
	RESULT_PERM,
	RESULT_OVERRIDE,
	RESULTS
};
enum metrics_cache { CACHE_HIT, CACHE_STALE, CACHE_MISS, CACHE_OUTCOMES };

void metrics_lookup(enum pf_map map, enum metrics_result result, int64_t us);
void metrics_cache(enum metrics_cache outcome);
void metrics_fetch(const char *outcome, int64_t ms); /* of sts_err_fetch_outcome */
void metrics_dns(enum sts_dns_type type, enum sts_err err);
void metrics_refresh(int ok);
void metrics_restart(const char *role);

/* Gauges: the present value. */
void metrics_set_cache(const struct sts_cache_stats *stats);
void metrics_set_connections(uint64_t n);
void metrics_set_lookups(uint64_t in_flight);
void metrics_set_dnssec_ok(int ok);
void metrics_set_dane_wanted(int wanted);
void metrics_set_reload_ok(int ok);
/* Notes what this process has used of the CPU: from time to time, from its loop. */
void metrics_beat(void);

struct metrics_page;
size_t metrics_page_size(void);
int metrics_attach(int fd); /* maps the supervisor's page into this process */

/* Supervisor: a new sealed page for a child; -1 with errno. */
struct metrics_page *metrics_page_new(int *fd);
void metrics_page_end(struct metrics_page *page); /* adds its totals to ours, unmaps */
/* The exposition (text format 0.0.4) of our page and those of all children. */
void metrics_print(struct sts_buf *to, struct metrics_page *const *pages, size_t count);
/* What metrics_set_dnssec_ok said last in any of them: 1 or 0; -1: nothing yet. */
int metrics_dnssec_ok(struct metrics_page *const *pages, size_t count);
/* Names and help of every metric, for the manual's check. */
void metrics_describe(struct sts_buf *to);

#endif
