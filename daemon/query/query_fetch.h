/* SPDX-License-Identifier: MIT */
#ifndef QUERY_FETCH_H
#define QUERY_FETCH_H

#include "query_report.h"

/* What is to be said about the policy host and the fetch. */
void query_judge_fetch(struct query_report *r, const struct sts_entry *entry,
    const struct query_context *context);

#endif
