/* SPDX-License-Identifier: MIT */
#ifndef ROLE_H
#define ROLE_H

#include <stdbool.h>

#include "buf.h"
#include "cache.h"
#include "clock.h"
#include "config.h"
#include "ipc.h"
#include "loop.h"

/*
 * What the answerer and the resolver have in common: how they begin, what they are sent
 * by the supervisor, and how they end. A role is started with fd 3 alone; it ignores the
 * signals that are meant for the supervisor, dies with it, and leaves with
 * ROLE_EXIT_CACHE when the cache file faults under it (a truncated file is SIGBUS, garbage
 * is SIGSEGV).
 */
#define ROLE_FD 3

#define ROLE_EXIT_USAGE 64
#define ROLE_EXIT_UNAVAILABLE 69
#define ROLE_EXIT_INTERNAL 70
#define ROLE_EXIT_CACHE 75
#define ROLE_EXIT_CONFIG 78

/* How to end when the settings could not be had: 78 only where they are to be mended,
 * since whoever starts us again does not try again then. */
int role_exit_of(const struct config_errors *errors);

struct role {
	const char *name; /* "answerer", "resolver" */
	struct sts_loop *loop;
	struct ipc *supervisor;
	struct config *config; /* NULL before it came */
	struct sts_clock_start clock;
	int status; /* to exit with */
};

/* Is fd 3 a socket: was this process started by the supervisor? */
bool role_is_ours(void);

/* Takes on the role and greets the supervisor; false: no memory. on gets its messages. */
bool role_begin(struct role *r, const char *name, ipc_on_message *on, void *arg);
/* How this role shares a CPU: so much nicer than who started us, and for how many
 * microseconds once it is its turn; a short slice is had sooner (Linux 6.12; before, that
 * changes nothing). Where it is refused, all works as well, only not as soon. */
void role_share_cpu(int niceness, uint64_t slice_us);
void role_run(struct role *r);
void role_end(struct role *r);

void role_leave(struct role *r, int status);
/* Tells the supervisor why, and leaves. */
void role_fail(struct role *r, int status, const char *why);
void role_ready(struct role *r);

/* Handles what means the same to every role: HELLO, CONFIG, CLOCK, METRICS, PING. Its
 * descriptor stays the caller's. False: not one of these. */
bool role_handle(struct role *r, const struct ipc_message *m);

/* The cache of the configuration, and with it the clock; NULL after role_fail. */
struct sts_cache *role_open_cache(struct role *r, bool writer);

/* Its files, of which nothing but these is needed again. */
struct role_cache_files {
	char data[4096], lock[4096];
};
struct role_cache_files role_cache_files(const struct config *c);

/* Everything a file descriptor holds, from its start; false: it cannot be read. */
bool role_read_fd(int fd, struct sts_buf *to);

#endif
