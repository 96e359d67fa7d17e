/* SPDX-License-Identifier: MIT */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <time.h>

#include "loop.h"

struct sts_loop {
	struct event_base *base;
	bool stopped; /* sts_loop_stop was called and sts_loop_run has not obeyed yet */
};

struct sts_watch {
	struct event event;
	sts_on_ready *on;
	void *arg;
	unsigned what; /* as last set */
};

struct sts_timer {
	struct event event;
	struct sts_loop *loop;
	sts_on_time *on;
	void *arg;
	int64_t at; /* sts_loop_ms() when it is due */
};

struct sts_signal {
	struct event event;
	sts_on_signal *on;
	void *arg;
};

/* libevent writes warnings to stderr by itself; what matters is returned to callers. */
static void
ignore(int severity, const char *message)
{
	(void)severity;
	(void)message;
}

/* The loop's own state is broken: a core tells more than libevent's exit(1). */
static void
die(int err)
{
	(void)err;
	abort();
}

struct sts_loop *
sts_loop_new(void)
{
	struct sts_loop *loop = calloc(1, sizeof *loop);
	struct event_config *config = event_config_new();

	event_set_log_callback(ignore);
	event_set_fatal_callback(die);
	if (loop == NULL || config == NULL)
		goto failed;
	/* EVENT_* variables of the environment are no settings of ours. */
	if (event_config_set_flag(config,
		EVENT_BASE_FLAG_IGNORE_ENV | EVENT_BASE_FLAG_NOLOCK) == -1)
		goto failed;
	loop->base = event_base_new_with_config(config);
	if (loop->base == NULL)
		goto failed;
	event_config_free(config);
	return loop;
failed:
	if (config != NULL)
		event_config_free(config);
	free(loop);
	return NULL;
}

void
sts_loop_free(struct sts_loop *loop)
{
	if (loop == NULL)
		return;
	event_base_free(loop->base);
	free(loop);
}

int
sts_loop_run(struct sts_loop *loop)
{
	int rc = 0;

	/* libevent forgets a break that was asked for before it runs. */
	if (!loop->stopped)
		rc = event_base_loop(loop->base, 0);
	loop->stopped = false;
	return rc == -1 ? -1 : 0;
}

void
sts_loop_stop(struct sts_loop *loop)
{
	loop->stopped = true;
	event_base_loopbreak(loop->base);
}

int
sts_loop_once(struct sts_loop *loop, bool wait)
{
	/* EVLOOP_NONBLOCK alone goes on while anything stays ready. */
	int flags = EVLOOP_ONCE | (wait ? 0 : EVLOOP_NONBLOCK);

	return event_base_loop(loop->base, flags) == -1 ? -1 : 0;
}

/* libevent's cached time is the wall clock's, which jumps; this one costs no system
 * call either. */
int64_t
sts_loop_ms(struct sts_loop *loop)
{
	struct timespec now;

	(void)loop;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In all three, libevent has read all it needs from the event before it calls: the
 * callback may free it. */
static void
on_ready(evutil_socket_t fd, short events, void *arg)
{
	struct sts_watch *w = arg;

	w->on(w->arg, fd,
	    (events & EV_READ ? STS_READ : 0) | (events & EV_WRITE ? STS_WRITE : 0));
}

struct sts_watch *
sts_watch_new(struct sts_loop *loop, int fd, sts_on_ready *on, void *arg)
{
	struct sts_watch *w = calloc(1, sizeof *w);

	if (w == NULL)
		return NULL;
	w->on = on;
	w->arg = arg;
	if (event_assign(&w->event, loop->base, fd, EV_PERSIST, on_ready, w) == -1) {
		free(w);
		return NULL;
	}
	return w;
}

int
sts_watch_set(struct sts_watch *w, unsigned what)
{
	struct event_base *base;
	short events = EV_PERSIST;
	int fd;

	if (what == w->what)
		return 0;
	base = event_get_base(&w->event);
	fd = event_get_fd(&w->event);
	if (w->what != 0)
		event_del(&w->event);
	w->what = 0;
	if (what & STS_READ)
		events |= EV_READ;
	if (what & STS_WRITE)
		events |= EV_WRITE;
	if (event_assign(&w->event, base, fd, events, on_ready, w) == -1)
		return -1;
	if (what != 0 && event_add(&w->event, NULL) == -1)
		return -1;
	w->what = what;
	return 0;
}

void
sts_watch_free(struct sts_watch *w)
{
	if (w == NULL)
		return;
	if (w->what != 0)
		event_del(&w->event);
	free(w);
}

static int
arm(struct sts_timer *t, int64_t ms)
{
	struct timeval after = { ms / 1000, ms % 1000 * 1000 };

	return event_add(&t->event, &after) == -1 ? -1 : 0;
}

/* libevent counts from the start of this turn of the loop, on a clock that is some
 * milliseconds coarse: what fires early by ours waits for the rest. */
static void
on_timeout(evutil_socket_t fd, short events, void *arg)
{
	struct sts_timer *t = arg;
	int64_t left = t->at - sts_loop_ms(t->loop);

	(void)fd;
	(void)events;
	if (left > 0 && arm(t, left) == 0)
		return;
	t->on(t->arg);
}

struct sts_timer *
sts_timer_new(struct sts_loop *loop, sts_on_time *on, void *arg)
{
	struct sts_timer *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->loop = loop;
	t->on = on;
	t->arg = arg;
	if (evtimer_assign(&t->event, loop->base, on_timeout, t) == -1) {
		free(t);
		return NULL;
	}
	return t;
}

/* Longer than any machine runs, and far from where sums overflow. */
#define TIMER_MAX_MS (INT64_C(100) * 365 * 86400 * 1000)

int
sts_timer_set(struct sts_timer *t, int64_t ms)
{
	if (ms < 0)
		ms = 0;
	if (ms > TIMER_MAX_MS)
		ms = TIMER_MAX_MS;
	t->at = sts_loop_ms(t->loop) + ms;
	return arm(t, ms);
}

void
sts_timer_stop(struct sts_timer *t)
{
	event_del(&t->event);
}

bool
sts_timer_is_set(const struct sts_timer *t)
{
	return event_pending(&t->event, EV_TIMEOUT, NULL) != 0;
}

void
sts_timer_free(struct sts_timer *t)
{
	if (t == NULL)
		return;
	event_del(&t->event);
	free(t);
}

static void
on_caught(evutil_socket_t signo, short events, void *arg)
{
	struct sts_signal *s = arg;

	(void)events;
	s->on(s->arg, signo);
}

struct sts_signal *
sts_signal_new(struct sts_loop *loop, int signo, sts_on_signal *on, void *arg)
{
	struct sts_signal *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->on = on;
	s->arg = arg;
	if (evsignal_assign(&s->event, loop->base, signo, on_caught, s) == -1 ||
	    event_add(&s->event, NULL) == -1) {
		free(s);
		return NULL;
	}
	return s;
}

void
sts_signal_free(struct sts_signal *s)
{
	if (s == NULL)
		return;
	event_del(&s->event);
	free(s);
}

const char *
sts_loop_version(void)
{
	return event_get_version();
}
