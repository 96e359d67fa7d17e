/* SPDX-License-Identifier: MIT */
#ifndef QUERY_TEXT_H
#define QUERY_TEXT_H

#include <stdbool.h>

#include "query_report.h"

struct query_look {
	bool color, quiet, verbose;
};

/* One report for people: the verdict, the journey's steps, the findings with what mends
 * them, the literal reply. Everything that came from the network is escaped. */
void query_text_report(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look);

/* "error POL02 ..." lines, for all that has findings; indent is in front of each. */
void query_text_findings(struct sts_buf *to, const struct query_findings *f,
    const char *indent, const struct query_look *look);

#endif
