/* SPDX-License-Identifier: MIT */
#ifndef QUERY_JSON_H
#define QUERY_JSON_H

#include "query_report.h"
#include "query_writer.h"

/*
 * One report as one object on one line: stsd-query.schema.json says how, stsd-query(1)
 * what it means. Lists are never null, and what was not looked at is null or missing.
 */
void query_json_report(struct sts_buf *to, const struct query_report *r);

/* "mx":[...], a host each, with what DNS, the policy, DANE, Postfix, and SMTP make of it
 * (query_json_mx.c). */
void query_json_mx(struct query_writer *w, const struct query_report *r);

/* "findings":[...], for all that has them. */
void query_json_findings(struct query_writer *w, const struct query_findings *f);
/* "ok", "none", "multiple", "invalid" or "temperror". */
const char *query_record_status(enum sts_err err);
/* "mx":[...]: in policy order, lower case, "*." kept. */
void query_json_patterns(struct query_writer *w, const struct sts_policy *policy);

#endif
