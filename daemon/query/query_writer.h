/* SPDX-License-Identifier: MIT */
#ifndef QUERY_WRITER_H
#define QUERY_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "buf.h"
#include "str.h"

/*
 * JSON (RFC 8259) onto one line: commas and escapes take care of themselves. key is NULL
 * inside an array. Keys are ours and need no escaping.
 */
struct query_writer {
	struct sts_buf *to;
	bool comma;
};

void query_open(struct query_writer *w, const char *key, char bracket); /* '{' or '[' */
void query_close(struct query_writer *w, char bracket);			/* '}' or ']' */
void query_string(struct query_writer *w, const char *key, struct sts_str value);
void query_text(struct query_writer *w, const char *key,
    const char *value); /* NULL: null */
void query_number(struct query_writer *w, const char *key, int64_t value);
void query_bool(struct query_writer *w, const char *key, bool value);
void query_null(struct query_writer *w, const char *key);
/* Empty and negative values are null. */
void query_string_or_null(struct query_writer *w, const char *key, struct sts_str value);
void query_number_or_null(struct query_writer *w, const char *key, int64_t value);
/* What was put together in b, which is done with afterwards; empty is null. */
void query_made(struct query_writer *w, const char *key, struct sts_buf *b);
void query_address(struct query_writer *w, const char *key, const struct sts_addr *addr);
/* RFC 3339 in UTC; 0 is null. */
void query_time(struct query_writer *w, const char *key, int64_t seconds);

#endif
