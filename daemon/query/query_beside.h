/* SPDX-License-Identifier: MIT */
#ifndef QUERY_BESIDE_H
#define QUERY_BESIDE_H

#include <stdbool.h>

#include "dane.h"
#include "query_report.h"
#include "query_tools.h"

/*
 * What a person wants to know and the journey does not ask, asked while it is under way:
 * where the domain wants reports, records in the wrong place; the addresses of the MX
 * hosts, where the journey leaves them alone because nobody could say what is signed; and
 * with -v, whether there is a policy that no record announces. It goes into the report as
 * it comes.
 */
struct query_beside;
typedef void query_on_beside(void *arg);

/* on: something has come. Starts at once; NULL: no memory. r must outlive it. */
struct query_beside *query_beside_new(struct query_tools *tools, struct query_report *r,
    query_on_beside *on, void *arg);
void query_beside_free(struct query_beside *b); /* forgets what is open */

/* The journey has told the report a fact: more may have to be asked. */
void query_beside_fact(struct query_beside *b, enum sts_need need);
/* Nothing is open. Until the journey has ended, a fact may change that. */
bool query_beside_is_done(const struct query_beside *b);
/* The MX hosts, when it is this that looks at them; else NULL. */
const struct sts_dane_look *query_beside_hosts(const struct query_beside *b);

#endif
