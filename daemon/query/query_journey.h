/* SPDX-License-Identifier: MIT */
#ifndef QUERY_JOURNEY_H
#define QUERY_JOURNEY_H

#include "query_options.h"
#include "query_text.h"
#include "site.h"

/* A fresh look at each domain that was named, or that the input has where "-" was named:
 * QUERY_AT_ONCE at the same time, told in their order, each as soon as those before it
 * are told. However many there are, only so many are in memory. Returns the exit status. */
#define QUERY_AT_ONCE 64

int query_domains(const struct query_options *o, const struct site *site,
    const struct query_look *look);

#endif
