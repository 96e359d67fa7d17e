/* SPDX-License-Identifier: MIT */
#ifndef QUERY_LINT_H
#define QUERY_LINT_H

#include "query_options.h"
#include "query_text.h"

/* The commands that need nothing but their arguments. Each returns the exit status. */
int query_lint_policy(const struct query_options *o, const struct query_look *look);
int query_lint_record(const struct query_options *o, const struct query_look *look);
int query_match(const struct query_options *o);

/* Writes what a command has to say; 70 when that cannot be done, else status. */
int query_say(struct sts_buf *b, int status);

#endif
