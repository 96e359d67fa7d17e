/* SPDX-License-Identifier: MIT */
#include "clients.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bounds.h"
#include "log.h"
#include "metrics.h"
#include "netstring.h"
#include "shares.h"

/* Read at once: several pipelined requests, and always a whole one of the longest. */
#define INPUT_MAX 32768
static_assert(INPUT_MAX > PF_REQUEST_MAX + 8, "the longest request must fit");

/* Replies gathered before they are sent: a client that pipelines and does not read
 * must not make us keep more than this and one reply. */
#define OUTPUT_MAX 65536

/* A client that pipelines may keep all others waiting for so long; one request is always
 * answered, however long it takes. */
#define TURN_MS 2

/* Accepted in one turn of the loop: those who are connected get their turn too. */
#define ACCEPT_BURST 16

/* Others of us who have fewer clients have so long to accept the next ones. Who then is
 * still there is ours: they may hang; but no more of them than that. */
#define LEFT_MS 2
#define LEFT_BURST 4

/* Without descriptors or memory the listener would be ready for ever, and spin. */
#define ACCEPT_PAUSE_MS 100

#define SWEEP_MS 1000

/* The longest idle may have a request on its way: then the next one is looked at. */
#define EVICTION_TRIES 16

/* A stranger who keeps knocking is worth one line a minute. */
#define REFUSED_LOG_MS 60000

struct link {
	struct link *prev, *next;
};

struct client {
	struct link link; /* first: in all->idle, longest idle first, or in all->busy */
	struct clients *all;
	struct sts_watch *watch;
	void *ticket;
	char *in;  /* an incomplete request, or what waits behind an open one */
	char *out; /* what the client has not taken yet */
	size_t in_n, out_n, out_at;
	int64_t since; /* when the half request, or the unread reply, began to wait */
	int fd;
	bool waiting; /* for client_reply */
	bool more; /* what is kept of its input may be served as soon as it can write */
};

struct listening {
	struct listening *next;
	struct clients *all;
	struct sts_watch *watch;
	int fd;
	bool inet;
	bool left; /* who is there is left to the others, who have a moment */
};

struct clients {
	struct clients_config config;
	struct listening *listening;
	struct link idle, busy;
	size_t count;
	struct sts_timer *sweep;
	struct sts_timer *retry; /* accepting, after a pause */
	struct shares *shares;	 /* NULL: nobody else accepts */
	size_t worker;
	struct sts_buf reply, out;
	unsigned refused;
	int64_t refused_logged;
	bool started;
	bool full; /* accepting is paused until somebody is idle or leaves */
	bool finishing;
};

/* One thread serves one client at a time: all share the room to read into. */
static char input[INPUT_MAX];

static void
list_init(struct link *head)
{
	head->prev = head->next = head;
}

static void
list_move(struct link *to, struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->prev = to->prev;
	l->next = to;
	to->prev->next = l;
	to->prev = l;
}

static struct client *
first_of(struct link *head)
{
	return head->next == head ? NULL : (struct client *)head->next;
}

static void
set_accepting(struct clients *all, bool accepting)
{
	bool done = true;

	for (struct listening *l = all->listening; l != NULL; l = l->next)
		done = sts_watch_set(l->watch, accepting ? STS_READ : 0) == 0 && done;
	if (!done)
		(void)sts_timer_set(all->retry, ACCEPT_PAUSE_MS);
}

static void
count_changed(const struct clients *all)
{
	metrics_set_connections(all->count);
	if (all->shares != NULL)
		shares_set(all->shares, all->worker, (uint32_t)all->count);
}

static void
room_again(struct clients *all)
{
	if (!all->full)
		return;
	all->full = false;
	set_accepting(all, true);
}

static void
client_close(struct client *c)
{
	struct clients *all = c->all;

	if (c->waiting)
		all->config.on_gone(all->config.arg, c);
	sts_watch_free(c->watch);
	close(c->fd);
	c->link.prev->next = c->link.next;
	c->link.next->prev = c->link.prev;
	free(c->in);
	free(c->out);
	free(c);
	all->count--;
	count_changed(all);
	room_again(all);
	if (all->count == 0 && all->listening == NULL)
		all->config.on_empty(all->config.arg);
}

static bool
is_writing(const struct client *c)
{
	return c->out_n > c->out_at;
}

/* Keeps what was read and cannot be served yet. */
static bool
keep_input(struct client *c, struct sts_str rest)
{
	assert(c->in == NULL);
	if (rest.n == 0)
		return true;
	c->in = malloc(rest.n);
	if (c->in == NULL)
		return false;
	memcpy(c->in, rest.p, rest.n);
	c->in_n = rest.n;
	return true;
}

/* Moves what was kept to the front of `input`. */
static size_t
take_input(struct client *c)
{
	size_t n = c->in_n;

	if (n > 0)
		memcpy(input, c->in, n);
	free(c->in);
	c->in = NULL;
	c->in_n = 0;
	return n;
}

/* Sends, and keeps what the client does not take. False: it is gone, or no memory. */
static bool
send_some(struct client *c, struct sts_str bytes)
{
	ssize_t sent = 0;
	char *out;

	if (bytes.n == 0)
		return true;
	if (!is_writing(c)) {
		sent = send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent == (ssize_t)bytes.n)
			return true;
		if (sent == -1 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
			return false;
		if (sent == -1)
			sent = 0;
		c->since = sts_loop_ms(c->all->config.loop);
	}
	bytes = sts_str_from(bytes, (size_t)sent);
	out = realloc(c->out, c->out_n + bytes.n);
	if (out == NULL)
		return false;
	memcpy(out + c->out_n, bytes.p, bytes.n);
	c->out = out;
	c->out_n += bytes.n;
	return true;
}

/* False: the client is gone. */
static bool
send_kept(struct client *c)
{
	ssize_t sent = send(c->fd, c->out + c->out_at, c->out_n - c->out_at,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent == -1)
		return errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
	c->out_at += (size_t)sent;
	if (c->out_at < c->out_n)
		return true;
	free(c->out);
	c->out = NULL;
	c->out_n = c->out_at = 0;
	c->since = sts_loop_ms(c->all->config.loop);
	return true;
}

enum served {
	SERVED_ALL,  /* nothing is left, or the beginning of a request */
	SERVED_SOME, /* enough for one turn: send it first, and let others have theirs */
	SERVED_WAIT, /* a request is open */
	SERVED_BAD,  /* no netstring: nothing after it can be trusted */
};

/* Asked after each request that another one follows; *until: 0 at first. */
static bool
has_had_turn(const struct clients *all, int64_t *until)
{
	int64_t now = sts_loop_ms(all->config.loop);

	if (*until == 0)
		*until = now + TURN_MS;
	return all->out.n >= OUTPUT_MAX || now >= *until;
}

/* Answers the requests in *bytes into all->out, and leaves the rest there. */
static enum served
serve(struct client *c, struct sts_str *bytes)
{
	struct clients *all = c->all;
	int64_t until = 0;

	while (bytes->n > 0) {
		struct sts_str payload;
		size_t used;

		switch (pf_netstring_take(*bytes, PF_REQUEST_MAX, &payload, &used)) {
		case PF_NETSTRING_PARTIAL:
			return SERVED_ALL;
		case PF_NETSTRING_BAD:
			return SERVED_BAD;
		case PF_NETSTRING_WHOLE:
			break;
		}
		*bytes = sts_str_from(*bytes, used);
		sts_buf_clear(&all->reply);
		c->waiting = true;
		if (!all->config.on_request(all->config.arg, c, payload, &all->reply))
			return SERVED_WAIT;
		c->waiting = false;
		if (all->reply.bad)
			return SERVED_BAD;
		pf_netstring_put(&all->out, sts_buf_str(&all->reply));
		if (bytes->n > 0 && has_had_turn(all, &until))
			return SERVED_SOME;
	}
	return SERVED_ALL;
}

/* Where the client stands now decides what we watch for, and which list it is in. */
static void
settle(struct client *c)
{
	struct clients *all = c->all;
	unsigned what = STS_READ;

	if (is_writing(c) || c->more)
		what = STS_WRITE;
	else if (c->waiting)
		what = 0;
	else if (all->finishing) {
		client_close(c);
		return;
	}
	if (sts_watch_set(c->watch, what) == -1) {
		client_close(c);
		return;
	}
	if (what == STS_READ && c->in_n == 0) {
		list_move(&all->idle, &c->link);
		room_again(all);
		return;
	}
	list_move(&all->busy, &c->link);
	if (!sts_timer_is_set(all->sweep))
		(void)sts_timer_set(all->sweep, SWEEP_MS);
}

/* Serves what is in `input`, n bytes, until all is served, the client must be waited for,
 * or it has had its turn. had: how many of them had been there before. */
static void
serve_input(struct client *c, size_t n, bool had)
{
	struct clients *all = c->all;
	struct sts_str bytes = { input, n };
	enum served served;
	bool good;

	sts_buf_clear(&all->out);
	served = serve(c, &bytes);
	good = !all->out.bad && send_some(c, sts_buf_str(&all->out));
	c->more = served == SERVED_SOME;
	all->config.on_rest(all->config.arg);

	/* What begins now has the whole time; a half request that only grew has not. */
	if (good && !is_writing(c) && bytes.n > 0 && !(had && bytes.p == input))
		c->since = sts_loop_ms(all->config.loop);
	if (!good || served == SERVED_BAD || !keep_input(c, bytes))
		client_close(c);
	else
		settle(c);
}

static void
read_some(struct client *c)
{
	size_t had = take_input(c);
	ssize_t n = recv(c->fd, input + had, sizeof(input) - had, MSG_DONTWAIT);

	if (n > 0) {
		serve_input(c, had + (size_t)n, had > 0);
		return;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR) ||
	    !keep_input(c, (struct sts_str){ input, had }))
		client_close(c);
	else
		settle(c);
}

static void
on_client(void *arg, int fd, unsigned what)
{
	struct client *c = arg;

	(void)fd;
	if ((what & STS_WRITE) == 0) {
		read_some(c);
	} else if (is_writing(c) && !send_kept(c)) {
		client_close(c);
	} else if (is_writing(c) || c->waiting) {
		settle(c);
	} else {
		serve_input(c, take_input(c), false);
	}
}

void
client_reply(struct client *c, struct sts_str payload)
{
	struct clients *all = c->all;

	assert(c->waiting);
	c->waiting = false;
	sts_buf_clear(&all->out);
	pf_netstring_put(&all->out, payload);
	if (all->out.bad || !send_some(c, sts_buf_str(&all->out)))
		client_close(c);
	else if (is_writing(c))
		settle(c);
	else
		serve_input(c, take_input(c), false);
}

void
client_hang_up(struct client *c)
{
	assert(c->waiting);
	c->waiting = false;
	client_close(c);
}

void
client_set_ticket(struct client *c, void *ticket)
{
	c->ticket = ticket;
}

void *
client_ticket(const struct client *c)
{
	return c->ticket;
}

/* Nobody may keep half a request, or a reply unread, for ever. */
static void
on_sweep(void *arg)
{
	struct clients *all = arg;
	int64_t now = sts_loop_ms(all->config.loop);
	struct link *l = all->busy.next;
	bool left = false;

	while (l != &all->busy) {
		struct client *c = (struct client *)l;

		l = l->next;
		if ((is_writing(c) || !c->waiting) && now - c->since > CLIENT_PATIENCE_MS)
			client_close(c);
		else
			left = true;
	}
	if (left)
		(void)sts_timer_set(all->sweep, SWEEP_MS);
}

/*
 * Accepting.
 */
static bool
has_something_to_read(const struct client *c)
{
	char byte;

	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* The longest idle makes room. */
static void
evict(struct clients *all)
{
	struct client *c = first_of(&all->idle);

	for (int i = 0; i < EVICTION_TRIES && has_something_to_read(c); i++) {
		list_move(&all->idle, &c->link);
		c = first_of(&all->idle);
	}
	client_close(c);
}

union peer {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage room;
};

static void
refuse(struct clients *all, const struct sts_addr *addr)
{
	int64_t now = sts_loop_ms(all->config.loop);
	char text[STS_ADDR_TEXT];

	all->refused++;
	if (all->refused_logged != 0 && now - all->refused_logged < REFUSED_LOG_MS)
		return;
	(void)sts_addr_text(addr, text);
	log_begin(LOG_LEVEL_WARNING, "client-refused", STS_STR_NONE,
	    "not in allow_clients");
	log_text("address", sts_str_of(text));
	log_number("refused", all->refused);
	log_end();
	all->refused = 0;
	all->refused_logged = now;
}

static bool
may_come(struct clients *all, const union peer *peer)
{
	struct sts_addr addr = { .v6 = peer->any.sa_family == AF_INET6 };

	if (addr.v6)
		memcpy(addr.bytes, &peer->v6.sin6_addr, 16);
	else
		memcpy(addr.bytes, &peer->v4.sin_addr, 4);
	if (sts_nets_have(all->config.allow, all->config.allow_count, &addr))
		return true;
	refuse(all, &addr);
	return false;
}

static struct client *
client_new(struct clients *all, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->all = all;
	c->fd = fd;
	c->watch = sts_watch_new(all->config.loop, fd, on_client, c);
	if (c->watch == NULL || sts_watch_set(c->watch, STS_READ) == -1) {
		sts_watch_free(c->watch);
		free(c);
		return NULL;
	}
	list_init(&c->link);
	list_move(&all->idle, &c->link);
	all->count++;
	count_changed(all);
	return c;
}

static void
set_inet_options(int fd)
{
	int one = 1;

	/* A reply is one write: there is nothing to gather. Dead peers, who would keep
	 * their place for ever, are found by the kernel. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}

enum accepted { ACCEPTED, ACCEPTED_NONE, ACCEPTED_TROUBLE };

static enum accepted
accept_one(const struct listening *l)
{
	struct clients *all = l->all;
	union peer peer = { 0 };
	socklen_t n = sizeof(peer);
	int fd = accept4(l->fd, &peer.any, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd == -1) {
		bool none = errno == EAGAIN;
		bool trouble = errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM;
		/* Everything else is of this one connection, which has failed already. */
		return none ? ACCEPTED_NONE : trouble ? ACCEPTED_TROUBLE : ACCEPTED;
	}
	if (l->inet) {
		if (!may_come(all, &peer)) {
			close(fd);
			return ACCEPTED;
		}
		set_inet_options(fd);
	}
	if (all->count >= all->config.max)
		evict(all);
	if (client_new(all, fd) == NULL) {
		close(fd);
		return ACCEPTED_TROUBLE;
	}
	return ACCEPTED;
}

static void
pause_accepting(struct clients *all, int64_t ms)
{
	set_accepting(all, false);
	if (sts_timer_set(all->retry, ms) == -1)
		set_accepting(all, true);
}

/* most: of the connections that wait. even: those that others of us should have are left. */
static void
accept_some(struct listening *l, int most, bool even)
{
	struct clients *all = l->all;

	for (int i = 0; i < most; i++) {
		if (even && all->shares != NULL &&
		    shares_is_ahead(all->shares, all->worker)) {
			l->left = true;
			pause_accepting(all, LEFT_MS);
			return;
		}
		if (all->count >= all->config.max && first_of(&all->idle) == NULL) {
			all->full = true;
			set_accepting(all, false);
			return;
		}
		switch (accept_one(l)) {
		case ACCEPTED:
			break;
		case ACCEPTED_NONE:
			return;
		case ACCEPTED_TROUBLE:
			pause_accepting(all, ACCEPT_PAUSE_MS);
			return;
		}
	}
}

static void
on_acceptable(void *arg, int fd, unsigned what)
{
	(void)fd;
	(void)what;
	accept_some(arg, ACCEPT_BURST, true);
}

static void
on_retry(void *arg)
{
	struct clients *all = arg;

	if (all->full)
		return;
	set_accepting(all, true);
	for (struct listening *l = all->listening; l != NULL; l = l->next) {
		if (l->left)
			accept_some(l, LEFT_BURST, false);
		l->left = false;
	}
}

int
clients_listen(struct clients *all, int fd, bool inet)
{
	struct listening *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return -1;
	l->all = all;
	l->fd = fd;
	l->inet = inet;
	l->watch = sts_watch_new(all->config.loop, fd, on_acceptable, l);
	if (l->watch == NULL ||
	    sts_watch_set(l->watch, all->started ? STS_READ : 0) == -1) {
		sts_watch_free(l->watch);
		free(l);
		return -1;
	}
	l->next = all->listening;
	all->listening = l;
	return 0;
}

void
clients_share(struct clients *all, struct shares *shares, size_t worker)
{
	all->shares = shares;
	all->worker = worker;
}

void
clients_start(struct clients *all)
{
	all->started = true;
	count_changed(all);
	set_accepting(all, true);
}

static void
close_listening(struct clients *all)
{
	if (all->shares != NULL)
		shares_set(all->shares, all->worker, SHARES_NOBODY);
	all->shares = NULL;
	while (all->listening != NULL) {
		struct listening *l = all->listening;

		all->listening = l->next;
		sts_watch_free(l->watch);
		close(l->fd);
		free(l);
	}
}

void
clients_stop_listening(struct clients *all)
{
	close_listening(all);
	if (all->count == 0)
		all->config.on_empty(all->config.arg);
}

/* What is done with one may end it, or move it to the other list; the rest stays. */
static void
for_each(struct link *head, void (*what)(struct client *))
{
	struct link *l = head->next;

	while (l != head) {
		struct client *c = (struct client *)l;

		l = l->next;
		what(c);
	}
}

static void
read_last(struct client *c)
{
	if (!is_writing(c) && !c->waiting && !c->more)
		read_some(c);
}

void
clients_finish(struct clients *all)
{
	close_listening(all);
	all->finishing = true;
	for_each(&all->busy, read_last);
	for_each(&all->idle, read_last);
	if (all->count == 0)
		all->config.on_empty(all->config.arg);
}

size_t
clients_count(const struct clients *all)
{
	return all->count;
}

struct clients *
clients_new(const struct clients_config *config)
{
	struct clients *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return NULL;
	all->config = *config;
	list_init(&all->idle);
	list_init(&all->busy);
	all->sweep = sts_timer_new(config->loop, on_sweep, all);
	all->retry = sts_timer_new(config->loop, on_retry, all);
	if (all->sweep != NULL && all->retry != NULL)
		return all;
	clients_free(all);
	return NULL;
}

static void
nobody(void *arg)
{
	(void)arg;
}

void
clients_free(struct clients *all)
{
	if (all == NULL)
		return;
	all->config.on_empty = nobody;
	close_listening(all);
	for_each(&all->busy, client_close);
	for_each(&all->idle, client_close);
	sts_timer_free(all->sweep);
	sts_timer_free(all->retry);
	sts_buf_done(&all->reply);
	sts_buf_done(&all->out);
	free(all);
}
