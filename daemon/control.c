/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Out of descriptors or memory: the listener would be ready for ever, and spin. */
#define ACCEPT_PAUSE_MS 100

enum guest_state {
	GUEST_ASKING,  /* we read its line */
	GUEST_WAITING, /* for whoever was handed its request */
	GUEST_TAKING,  /* we write the answer */
};

struct control_guest {
	struct control *control;
	size_t place; /* in control->guests */
	struct sts_watch *watch;
	struct sts_timer *timer;
	int fd;
	uid_t uid;
	bool may;
	enum guest_state state;
	struct sts_buf request, answer;
	size_t sent;
	control_on_gone *on_gone;
	void *arg;
};

struct door {
	struct door *next;
	struct control *control;
	struct sts_watch *watch;
	int fd;
};

struct control {
	struct control_config config;
	struct door *doors;
	struct control_guest *guests[CONTROL_GUESTS_MAX];
	size_t count;
	struct sts_timer *retry;
};

static void
set_doors(struct control *c, bool open)
{
	for (struct door *d = c->doors; d != NULL; d = d->next)
		(void)sts_watch_set(d->watch, open ? STS_READ : 0);
}

/*
 * Guests.
 */
static void
guest_free(struct control_guest *g)
{
	struct control *c = g->control;
	control_on_gone *on_gone = g->on_gone;
	void *arg = g->arg;

	c->guests[g->place] = NULL;
	c->count--;
	sts_watch_free(g->watch);
	sts_timer_free(g->timer);
	sts_buf_done(&g->request);
	sts_buf_done(&g->answer);
	(void)close(g->fd);
	free(g);
	if (on_gone != NULL)
		on_gone(arg);
	if (!sts_timer_is_set(c->retry))
		set_doors(c, true);
}

/* The one place that changes a state. */
static void
enter(struct control_guest *g, enum guest_state state)
{
	g->state = state;
	if (state == GUEST_WAITING)
		sts_timer_stop(g->timer);
	else
		(void)sts_timer_set(g->timer, g->control->config.patience_ms);
	if (sts_watch_set(g->watch, state == GUEST_TAKING ? STS_WRITE : STS_READ) == -1)
		guest_free(g);
}

static void
send_some(struct control_guest *g)
{
	ssize_t n = send(g->fd, g->answer.p + g->sent, g->answer.n - g->sent,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1) {
		guest_free(g);
		return;
	}
	g->sent += (size_t)n;
	if (g->sent < g->answer.n)
		return;
	sts_buf_clear(&g->request);
	enter(g, GUEST_ASKING);
}

struct sts_buf *
control_begin(struct control_guest *g, const char *state)
{
	sts_buf_clear(&g->answer);
	control_put_start(&g->answer, state);
	return &g->answer;
}

void
control_answer(struct control_guest *g)
{
	control_put_end(&g->answer);
	g->on_gone = NULL;
	g->sent = 0;
	if (g->answer.bad && !g->answer.full)
		guest_free(g);
	else if (g->answer.bad)
		control_refuse(g, "the answer is too long, or there is no memory for it");
	else
		enter(g, GUEST_TAKING);
}

void
control_refuse(struct control_guest *g, const char *why)
{
	control_put_bytes(control_begin(g, "error"), sts_str_of(why));
	control_answer(g);
}

void
control_keep(struct control_guest *g, control_on_gone *on_gone, void *arg)
{
	g->on_gone = on_gone;
	g->arg = arg;
	enter(g, GUEST_WAITING);
}

uid_t
control_uid(const struct control_guest *g)
{
	return g->uid;
}

/* By handing the socket over, a service manager may have given it another mode. */
static void
deny(struct control_guest *g)
{
	(void)control_begin(g, "denied");
	control_answer(g);
}

static void
hand_over(struct control_guest *g, struct sts_str line)
{
	struct control *c = g->control;
	struct control_words words;
	struct sts_str verb;

	switch (control_read(line, &words, &verb)) {
	case CONTROL_OURS:
		break;
	case CONTROL_OTHER:
		control_refuse(g,
		    "this stsd is " STSD_VERSION ", and speaks " CONTROL_PROTOCOL
		    " alone: use the stsd-query of the same version");
		return;
	case CONTROL_FOREIGN:
		control_refuse(g,
		    "this is the control socket of stsd; see stsd-query(1)");
		return;
	}
	if (!g->may)
		deny(g);
	else
		c->config.on(c->config.arg, g, verb, &words);
}

static void
read_some(struct control_guest *g)
{
	char chunk[16384];
	ssize_t n = recv(g->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	struct sts_str line;
	size_t used;

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	/* The end; or it speaks while it is our turn. */
	if (n <= 0 || g->state != GUEST_ASKING) {
		guest_free(g);
		return;
	}
	sts_put(&g->request, (struct sts_str){ chunk, (size_t)n });
	switch (control_take_line(sts_buf_str(&g->request), &line, &used)) {
	case CONTROL_PARTIAL:
		if (g->request.bad)
			guest_free(g);
		return;
	case CONTROL_BROKEN:
		guest_free(g);
		return;
	case CONTROL_WHOLE:
		break;
	}
	if (used == g->request.n)
		hand_over(g, line);
	else
		guest_free(g);
}

static void
on_ready(void *arg, int fd, unsigned what)
{
	struct control_guest *g = arg;

	(void)fd;
	(void)what;
	if (g->state == GUEST_TAKING)
		send_some(g);
	else
		read_some(g);
}

static void
on_late(void *arg)
{
	guest_free(arg);
}

/* Who is at the other end, and may he? */
static void
look_at(struct control_guest *g)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	g->uid = (uid_t)-1;
	if (getsockopt(g->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == -1)
		return;
	g->uid = peer.uid;
	g->may = peer.uid == 0 || peer.uid == geteuid() || g->control->config.others;
}

static bool
guest_new(struct control *c, int fd)
{
	struct control_guest *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return false;
	g->control = c;
	g->fd = fd;
	g->answer.limit = CONTROL_LINE_MAX;
	look_at(g);
	g->watch = sts_watch_new(c->config.loop, fd, on_ready, g);
	g->timer = sts_timer_new(c->config.loop, on_late, g);
	if (g->watch == NULL || g->timer == NULL ||
	    sts_timer_set(g->timer, c->config.patience_ms) == -1 ||
	    sts_watch_set(g->watch, STS_READ) == -1) {
		sts_watch_free(g->watch);
		sts_timer_free(g->timer);
		free(g);
		return false;
	}
	while (c->guests[g->place] != NULL)
		g->place++;
	c->guests[g->place] = g;
	c->count++;
	return true;
}

/*
 * Doors.
 */
static void
on_door(void *arg, int fd, unsigned what)
{
	struct door *d = arg;
	struct control *c = d->control;
	int guest;

	(void)what;
	if (c->count >= CONTROL_GUESTS_MAX) {
		set_doors(c, false); /* one that leaves opens them again */
		return;
	}
	guest = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (guest != -1 && guest_new(c, guest))
		return;
	if (guest == -1 && errno == EAGAIN)
		return;
	if (guest != -1)
		(void)close(guest);
	set_doors(c, false);
	(void)sts_timer_set(c->retry, ACCEPT_PAUSE_MS);
}

static void
on_retry(void *arg)
{
	set_doors(arg, true);
}

int
control_listen(struct control *c, int fd)
{
	struct door *d = calloc(1, sizeof(*d));

	if (d != NULL) {
		d->control = c;
		d->fd = fd;
		d->watch = sts_watch_new(c->config.loop, fd, on_door, d);
	}
	if (d == NULL || d->watch == NULL || sts_watch_set(d->watch, STS_READ) == -1) {
		if (d != NULL)
			sts_watch_free(d->watch);
		free(d);
		(void)close(fd);
		return -1;
	}
	d->next = c->doors;
	c->doors = d;
	return 0;
}

void
control_stop(struct control *c)
{
	struct door *next;

	if (c == NULL)
		return;
	for (struct door *d = c->doors; d != NULL; d = next) {
		next = d->next;
		sts_watch_free(d->watch);
		(void)close(d->fd);
		free(d);
	}
	c->doors = NULL;
}

struct control *
control_new(const struct control_config *config)
{
	struct control *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->config = *config;
	if (c->config.patience_ms == 0)
		c->config.patience_ms = CONTROL_PATIENCE_MS;
	c->retry = sts_timer_new(config->loop, on_retry, c);
	if (c->retry == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

void
control_free(struct control *c)
{
	if (c == NULL)
		return;
	control_stop(c);
	for (size_t i = 0; i < CONTROL_GUESTS_MAX; i++)
		if (c->guests[i] != NULL)
			guest_free(c->guests[i]);
	sts_timer_free(c->retry);
	free(c);
}
