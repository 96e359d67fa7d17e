/* SPDX-License-Identifier: MIT */
#ifndef QUERY_PROGRESS_H
#define QUERY_PROGRESS_H

#include <stdbool.h>

#include "buf.h"
#include "loop.h"
#include "str.h"

/*
 * What stsd-query says while it is at work, on standard error; standard output has only
 * what was asked for. With -v, each fact in a line as it is found out. On a terminal, when
 * it takes longer than a second, one line that says how far it is, written over and over,
 * and gone before anything else is written.
 */
struct query_progress;

/* Puts what the line is to say now; nothing for no line. */
typedef void query_put_progress(void *arg, struct sts_buf *to);

/* line: NULL for none. NULL: no memory. */
struct query_progress *query_progress_new(struct sts_loop *loop, bool verbose,
    query_put_progress *line, void *arg);
void query_progress_free(struct query_progress *p); /* hides the line */

bool query_progress_is_verbose(const struct query_progress *p);
/* Says a fact: one line, printable, without its end. For those who are verbose. */
void query_progress_say(struct query_progress *p, struct sts_str text);
/* Something else is about to be written, to a terminal perhaps. */
void query_progress_hide(struct query_progress *p);

/* Is there somebody who reads the line? */
bool query_progress_is_seen(void);

#endif
