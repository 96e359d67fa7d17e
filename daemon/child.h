/* SPDX-License-Identifier: MIT */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "clock.h"
#include "loop.h"
#include "metrics.h"
#include "site.h"
#include "str.h"

/*
 * A process of ours: executed, not only forked, with one end of a pair as its fd 3 and
 * nothing else. What it works by is sent over that pair (ipc.h).
 */
enum child_role { CHILD_ANSWERER, CHILD_RESOLVER };

enum child_state {
	CHILD_STARTING, /* until it says that it works */
	CHILD_READY,
	CHILD_DRAINING, /* an answerer that serves whom it has, and accepts nobody */
	CHILD_STOPPING, /* was told to end, or is being killed */
};

/* The two executables, held open: an upgrade on disk must not mix two versions. */
struct programs {
	int stsd;
	int resolver;
};
/* -1 with a sentence in why. */
int programs_open(struct programs *p, char *why, size_t why_n);

/* How an answerer is called, which is the same executable as its supervisor's. */
#define CHILD_ANSWERER_NAME "stsd-answerer"

/* Its exit status when it could not even be executed. */
#define CHILD_NO_EXEC 127

struct child;
typedef void child_on_event(void *arg, struct child *c);

struct child {
	struct child *next; /* for whoever keeps a list */
	enum child_role role;
	enum child_state state;
	pid_t pid;
	struct ipc *ipc;
	struct metrics_page *page;
	int64_t started_ms;  /* of the loop's clock, as the others */
	int64_t seen_ms;     /* when it last answered */
	int64_t stopping_ms; /* when it was told to end */
	char failed[256]; /* why it cannot begin, in its own words; "": it has not said */
	child_on_event *on_ready;
	child_on_event *on_numbers;
	void *arg;
	struct sts_loop *loop;
	uint32_t rules; /* about DANE, as rules_pack makes them */
};

struct child_start {
	struct sts_loop *loop;
	const struct programs *programs;
	const struct site *site;
	const struct sts_clock_start *clock;
	int shares_fd; /* of the answerers (shares.h); -1: there is but one */
	child_on_event *on_ready;
	child_on_event *on_numbers; /* it asks for what all processes count */
	void *arg;
};

/* worker: an answerer's place among the others. NULL with errno: no memory, descriptors or
 * processes. */
struct child *child_new(const struct child_start *start, enum child_role role,
    uint32_t worker);
/* Only once the process is gone and reaped. Its totals become ours. */
void child_free(struct child *c);

const char *child_role_text(enum child_role role);

/* A new channel between the two, in place of an earlier one. -1: not now. */
int child_connect(struct child *answerer, struct child *resolver);

void child_drain(struct child *c);
void child_stop(struct child *c);
void child_kill(struct child *c);
void child_ping(struct child *c);
void child_show_statistics(struct child *c);
void child_tell_numbers(struct child *c, struct sts_str text);

#endif
