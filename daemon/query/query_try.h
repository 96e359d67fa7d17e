/* SPDX-License-Identifier: MIT */
#ifndef QUERY_TRY_H
#define QUERY_TRY_H

#include "query_report.h"

/* The verdict as a sentence for people: what both writers say in the same words. */
const char *query_summary(const struct query_report *r);

#endif
