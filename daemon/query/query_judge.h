/* SPDX-License-Identifier: MIT */
#ifndef QUERY_JUDGE_H
#define QUERY_JUDGE_H

#include "query_report.h"

/* The parts of query_report_conclude, for it alone: each adds the findings about one kind
 * of facts, and sets what the report says of them. */

/* TLSRPT, and what else DNS was asked beside the journey. */
void query_judge_asides(struct query_report *r, const struct query_context *context);

/* What is cached: before anything is concluded, and, once the fresh look is judged, held
 * against that. */
void query_read_cached(struct query_report *r);
void query_judge_cached(struct query_report *r, const struct query_context *context);

/* What follows from verdict and reply; the last thing to be done, each time. */
void query_report_end(struct query_report *r, const struct query_context *context);

/* "2 d 3 h", "7 min", "12 s": two units at most. */
void query_put_span(struct sts_buf *to, int64_t seconds);
/* "2026-11-22T10:00:00Z" */
void query_put_time(struct sts_buf *to, int64_t seconds);

/* Makes what was put into a buffer a text of the report's, and empties it. */
struct sts_str query_kept(struct query_report *r, struct sts_buf *b);

#endif
