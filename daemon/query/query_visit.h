/* SPDX-License-Identifier: MIT */
#ifndef QUERY_VISIT_H
#define QUERY_VISIT_H

#include "query_report.h"
#include "query_tools.h"

/*
 * The look at one domain, all of it at the same time: the journey that stsd makes, with
 * nothing known before; what the journey does not ask (query_beside.h); what the daemon
 * has in its cache; with --smtp the MX hosts themselves.
 */
struct query_visit;
typedef void query_on_visited(void *arg);

/* word: as it was typed. Nothing is asked yet. NULL: no memory. */
struct query_visit *query_visit_new(struct query_tools *tools, const char *word);
void query_visit_free(struct query_visit *v); /* ends whatever is under way */

/* on is called once, later, through the loop: then the report is whole. */
void query_visit_start(struct query_visit *v, query_on_visited *on, void *arg);

/* What the engine has to tell; events of other domains are passed over. */
void query_visit_event(struct query_visit *v, const struct sts_event *event);

/* Both look at one domain, and must not do so at the same time: the engine makes one
 * journey a domain, and the second would not see its beginning. */
bool query_visit_is_same(const struct query_visit *a, const struct query_visit *b);

const struct query_report *query_visit_report(const struct query_visit *v);
/* What it waits for at the moment, as a noun. */
const char *query_visit_awaits(const struct query_visit *v);

#endif
