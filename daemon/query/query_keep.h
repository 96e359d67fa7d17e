/* SPDX-License-Identifier: MIT */
#ifndef QUERY_KEEP_H
#define QUERY_KEEP_H

#include <stddef.h>

#include "str.h"

/*
 * Memory of one report, freed all at once. stsd-query is a tool: without memory it ends
 * with a sentence and status 70.
 */
struct query_block;

struct query_keep {
	struct query_block *blocks;
};

void *query_room(struct query_keep *k, size_t n); /* zeroed */
struct sts_str query_keep(struct query_keep *k, struct sts_str s);
void query_keep_done(struct query_keep *k);

_Noreturn void query_no_memory(void);

#endif
