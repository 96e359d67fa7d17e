/* SPDX-License-Identifier: MIT */
#ifndef QUERY_CONTROL_H
#define QUERY_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "config.h"
#include "control_line.h"
#include "entry.h"
#include "str.h"

/*
 * The side of the control socket (control.h) where somebody asks. One connection serves
 * any number of questions, one after the other; each waits at most as long as it says.
 */
enum query_control_err {
	QUERY_CONTROL_OK,
	QUERY_CONTROL_NONE,    /* the daemon knows nothing of this domain */
	QUERY_CONTROL_OFF,     /* control_socket = none */
	QUERY_CONTROL_AWAY,    /* nobody listens there: no daemon runs */
	QUERY_CONTROL_DENIED,  /* this user may not */
	QUERY_CONTROL_VERSION, /* the daemon speaks another version */
	QUERY_CONTROL_TROUBLE, /* it says why, or gave no answer in time */
};

struct query_control;

/* How long who asks waits for what takes no time. */
#define QUERY_CONTROL_WAIT_MS 1000

/*
 * NULL with *err, and in why (size bytes) a sentence for people that also says what to
 * do. Nothing waits longer than a second here.
 */
struct query_control *query_control_open(const struct config *config,
    enum query_control_err *err, char *why, size_t why_n);
void query_control_close(struct query_control *c);

/* As the daemon said when it was asked first. */
const char *query_control_version(const struct query_control *c);
int64_t query_control_now(const struct query_control *c);
int64_t query_control_uptime(const struct query_control *c);

/*
 * One question: a line begun by control_put_start, which is ended and sent here, and is
 * empty afterwards. OK: what stands after "ok", in views until the next question; else
 * query_control_why says why. Waits wait_ms at most.
 */
enum query_control_err query_control_ask(struct query_control *c, struct sts_buf *request,
    int64_t wait_ms, struct control_words *words);
const char *query_control_why(const struct query_control *c);

/* What the daemon keeps of a domain, as it would answer now. */
struct query_cached {
	struct sts_buf bytes; /* that the entry's views point into */
	struct sts_entry entry;
	int64_t now;	  /* the daemon's clock: what the entry's times are measured by */
	int64_t refresh;  /* when it refreshes the policy next; INT64_MAX: never */
	bool running;	  /* it is being looked at in this moment */
	char version[32]; /* the daemon's */
};
void query_cached_done(struct query_cached *cached);

/* The same over a connection that is there: of a domain, and of an answer that brings an
 * entry. */
enum query_control_err query_control_entry(struct query_control *c, struct sts_str domain,
    struct query_cached *cached);
enum query_control_err query_control_take_entry(struct query_control *c,
    struct control_words *words, struct query_cached *cached);

/* How the daemon feels, as /health says it, in one line; health is emptied first. */
enum query_control_err query_control_health(struct query_control *c,
    struct sts_buf *health);

/*
 * One question and no more, for whoever has a report to make: the cached state of a
 * domain (lower case, A-labels) where a daemon runs. Waits a second at most. why (may be
 * NULL): a sentence unless it is OK or NONE. *cached is all-zero before, and to be
 * given to query_cached_done whatever is returned; version and now are there with NONE
 * too.
 */
enum query_control_err query_control_show(const struct config *config,
    struct sts_str domain, struct query_cached *cached, char *why, size_t why_n);

#endif
