/* SPDX-License-Identifier: MIT */
#ifndef QUERY_CACHE_H
#define QUERY_CACHE_H

#include "config.h"
#include "query_options.h"
#include "query_text.h"

/*
 * The commands about what stsd keeps: --list, --show, --refresh, --forget, --stats,
 * --overrides, --export and --import. They speak with the running daemon over its control
 * socket; where none runs, --list and --show read its cache file. Returns the exit status.
 */
int query_cache(const struct query_options *o, const struct config *config,
    const struct query_look *look);

#endif
