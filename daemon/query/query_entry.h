/* SPDX-License-Identifier: MIT */
#ifndef QUERY_ENTRY_H
#define QUERY_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "entry.h"
#include "query_text.h"
#include "str.h"

/* All that is kept of one domain (stsd-query --show). Pure. */
struct query_entry {
	struct sts_str domain;
	const struct sts_entry *entry;
	int64_t now;	 /* what its times are measured by */
	int64_t refresh; /* when the policy is fetched again; INT64_MAX: never */
	bool running;	 /* it is looked at in this moment */
	const char
	    *version; /* of the daemon that told; NULL: it was read from the file */
};

void query_entry_text(struct sts_buf *to, const struct query_entry *e,
    const struct query_look *look);
void query_entry_json(struct sts_buf *to, const struct query_entry *e);

/* A line of --list: domain, mode, id, fetched, expires, asked. */
struct query_listed {
	struct sts_str domain, mode, id;
	int64_t fetched, expires, asked;
};
void query_listed_text(struct sts_buf *to, const struct query_listed *l);
void query_listed_json(struct sts_buf *to, const struct query_listed *l);

#endif
