/* SPDX-License-Identifier: MIT */
#ifndef QUERY_ASKING_H
#define QUERY_ASKING_H

#include "buf.h"
#include "cache.h"
#include "query_control.h"
#include "query_options.h"
#include "query_text.h"

/*
 * What the commands of query_cache.h have in common: whom they ask, what they say, and how
 * it ends. Whatever fails says why on the standard error, sets status, and is false: then
 * the command is over.
 */
struct query_asking {
	const struct query_options *o;
	const struct config *config;
	const struct query_look *look;
	struct query_control *control; /* NULL: without the daemon */
	struct sts_cache *cache;       /* then */
	struct sts_buf out;
	size_t count; /* of what was said or moved */
	int status;
};

/* As a query_cache.c, in a file of their own each. */
bool query_refresh(struct query_asking *a, struct sts_str domain);
bool query_forget(struct query_asking *a, struct sts_str domain);
void query_stats(struct query_asking *a);
void query_overrides(struct query_asking *a);
void query_export(struct query_asking *a);
void query_import(struct query_asking *a);

/* A list takes as long as what else the daemon does in between. */
#define QUERY_LIST_WAIT_MS 10000
/* And a commit as long as a slow disk. */
#define QUERY_COMMIT_WAIT_MS 60000

/* A sentence on the standard error; 69. */
int asking_say(const char *what, const char *why);
void asking_say_none(struct query_asking *a, struct sts_str domain, const char *what);

/* Long output goes out piece by piece: call it now and then. */
bool asking_flush(struct query_asking *a);

/* True: the answer is in words. Where there is no such thing: false, and status 1. */
bool asking_ask(struct query_asking *a, struct sts_buf *request, int64_t wait_ms,
    struct control_words *words);
bool asking_fail(struct query_asking *a); /* as the control says */
bool asking_fail_words(struct query_asking *a);

/* A list that comes in pieces: on is called for each of what they hold, and takes it. */
typedef bool asking_on_tuple(struct query_asking *a, struct control_words *words);
bool asking_walk(struct query_asking *a, const char *verb, asking_on_tuple *on);

#endif
