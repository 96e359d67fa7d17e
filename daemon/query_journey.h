/* SPDX-License-Identifier: MIT */
#ifndef QUERY_JOURNEY_H
#define QUERY_JOURNEY_H

#include "query_options.h"
#include "query_text.h"
#include "site.h"

/* A fresh look at each domain, all of them at once, told in the order they were named:
 * the same journey that stsd makes, with nothing known before. Returns the exit status. */
int query_domains(const struct query_options *o, const struct site *site,
    const struct query_look *look);

#endif
