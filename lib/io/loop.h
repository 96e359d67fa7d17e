/* SPDX-License-Identifier: MIT */
#ifndef STS_LOOP_H
#define STS_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The event loop (libevent, known to loop.c alone): one thread, callbacks never
 * nest inside the call that arranged them. Durations are milliseconds of the
 * monotonic clock. NULL results mean no memory. Freeing NULL is nothing; everything
 * may be freed from inside its own callback. Free watches, timers and signals before
 * the loop, and a watch before its descriptor is closed.
 */
struct sts_loop;
struct sts_loop *sts_loop_new(void);
void sts_loop_free(struct sts_loop *loop);
/* Runs until sts_loop_stop (an earlier stop counts), or until nothing is left to wait
 * for. -1: it failed. */
int sts_loop_run(struct sts_loop *loop);
void sts_loop_stop(struct sts_loop *loop);
/* Handles what is ready now and returns; waits for the first event if wait is set. */
int sts_loop_once(struct sts_loop *loop, bool wait);
int64_t sts_loop_ms(struct sts_loop *loop); /* now; monotonic */

/* A file descriptor to watch; the watch does not own (close) it. */
#define STS_READ 1u
#define STS_WRITE 2u
struct sts_watch;
typedef void sts_on_ready(void *arg, int fd, unsigned what);
struct sts_watch *sts_watch_new(struct sts_loop *loop, int fd, sts_on_ready *on,
    void *arg);
int sts_watch_set(struct sts_watch *w, unsigned what); /* 0: pause; -1: it failed */
void sts_watch_free(struct sts_watch *w);

/* A timer fires once, never early; set it again from its callback to repeat. */
struct sts_timer;
typedef void sts_on_time(void *arg);
struct sts_timer *sts_timer_new(struct sts_loop *loop, sts_on_time *on, void *arg);
int sts_timer_set(struct sts_timer *t, int64_t ms); /* replaces an earlier set */
void sts_timer_stop(struct sts_timer *t);
bool sts_timer_is_set(const struct sts_timer *t);
void sts_timer_free(struct sts_timer *t);

struct sts_signal;
typedef void sts_on_signal(void *arg, int signo);
struct sts_signal *sts_signal_new(struct sts_loop *loop, int signo, sts_on_signal *on,
    void *arg);
void sts_signal_free(struct sts_signal *s);

const char *sts_loop_version(void); /* libevent's */

#endif
