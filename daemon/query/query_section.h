/* SPDX-License-Identifier: MIT */
#ifndef QUERY_SECTION_H
#define QUERY_SECTION_H

#include "query_text.h"

/* What was seen, step by step, for query_text.c: each writes its section, or nothing where
 * nothing was looked at. */
void query_section_dns(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look);
void query_section_policy(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look);
void query_section_dane(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look);
void query_section_smtp(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look);
void query_section_cache(struct sts_buf *to, const struct query_report *r);

/* "DNS        ": where a section begins; and "  MX             ", a line of it. */
void query_put_section(struct sts_buf *to, const char *name);
void query_put_label(struct sts_buf *to, const char *name);
/* Blanks up to that width, two at least. */
void query_put_gap(struct sts_buf *to, size_t written, size_t width);

#endif
