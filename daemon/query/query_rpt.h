/* SPDX-License-Identifier: MIT */
#ifndef QUERY_RPT_H
#define QUERY_RPT_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "record.h"
#include "str.h"

/*
 * The TXT record of _smtp._tls.DOMAIN (RFC 8460 section 3): where the domain wants to
 * hear of failures. Pure; views point into the text.
 */
#define QUERY_RUA_MAX 16 /* addresses kept of one record; nobody names more */

struct query_rpt {
	enum sts_err err;    /* OK, RECORD_NONE, _MANY, _SYNTAX, or why DNS did not say */
	struct sts_str text; /* the record; of several none */
	struct sts_problem problem; /* SYNTAX */
	struct sts_str rua[QUERY_RUA_MAX];
	size_t rua_count;
};

/* Reads one record by the grammar. */
enum sts_err query_rpt_parse(struct sts_str text, struct query_rpt *rpt);

/* Picks the record of an RRset: those that do not begin with "v=TLSRPTv1;" do not count,
 * and exactly one must remain. */
void query_rpt_pick(const struct sts_str *texts, size_t count, struct query_rpt *rpt);

/* Can reports be sent there: "mailto:" or "https:"? */
bool query_rua_is_usable(struct sts_str uri);

#endif
