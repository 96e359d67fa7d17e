/* SPDX-License-Identifier: MIT */
#include "query_keep.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query_exit.h"

struct query_block {
	struct query_block *next;
	alignas(max_align_t) char bytes[];
};

void
query_no_memory(void)
{
	fputs("stsd-query: out of memory\n", stderr);
	exit(QUERY_EXIT_INTERNAL);
}

void *
query_room(struct query_keep *k, size_t n)
{
	struct query_block *b = calloc(1, sizeof(*b) + n + 1);

	if (b == NULL)
		query_no_memory();
	b->next = k->blocks;
	k->blocks = b;
	return b->bytes;
}

struct sts_str
query_keep(struct query_keep *k, struct sts_str s)
{
	char *p = query_room(k, s.n);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return (struct sts_str){ p, s.n };
}

void
query_keep_done(struct query_keep *k)
{
	for (struct query_block *b = k->blocks, *next; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	k->blocks = NULL;
}
