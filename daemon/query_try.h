/* SPDX-License-Identifier: MIT */
#ifndef QUERY_TRY_H
#define QUERY_TRY_H

#include "buf.h"
#include "query_report.h"

/* What both writers say in the same words. */

/* The verdict as a sentence for people. */
const char *query_summary(const struct query_report *r);
/* The posttls-finger(1) command that shows what Postfix makes of a reply that asks for
 * certificates or for DANE; nothing for other replies. */
void query_put_try(struct sts_buf *to, const struct query_report *r);

#endif
