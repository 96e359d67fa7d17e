/* SPDX-License-Identifier: MIT */
#ifndef QUERY_TRACE_H
#define QUERY_TRACE_H

#include <stdint.h>

#include "buf.h"
#include "dns.h"
#include "engine.h"
#include "query_control.h"

/*
 * The facts of a look in words, one line each, as stsd-query -v tells them while it
 * works:
 *
 *	example.org  12 ms  MX: 10 mx1.example.org, 20 mx2.example.org; ttl 300; AD
 *
 * What came from the network is escaped. Pure.
 */

/* The name in front of a line, and how long ago the look began. */
void query_trace_begin(struct sts_buf *to, struct sts_str domain, int64_t ms);

/* False: nothing that anybody wants to know. */
bool query_trace_event(struct sts_buf *to, const struct sts_event *event);
/* Any other answer of DNS. */
void query_trace_answer(struct sts_buf *to, const char *name, enum sts_dns_type type,
    const struct sts_dns_answer *answer);
void query_trace_fetched(struct sts_buf *to, const struct sts_fetched *fetched);
void query_trace_daemon(struct sts_buf *to, enum query_control_err err, const char *why);

#endif
