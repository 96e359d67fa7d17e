/* SPDX-License-Identifier: MIT */
/*
 * DNS questions; see resolve.h. How it works:
 *
 * 1. c-ares only carries bytes: it sends our question, repeats it when nothing comes, and
 *    turns to TCP when the answer does not fit. What the question says and how the answer
 *    is read is lib/dns.c's. So neither c-ares' parser (which drops TTL, AD and EDE), its
 *    cache, nor its view of what an error is has any part in the result.
 * 2. Each question put to a server has a channel of its own: a fresh source port, no
 *    memory of other servers' moods, and a malformed reply hurts nobody else.
 * 3. c-ares calls back whenever it likes, even from inside the call that asks. Its
 *    callbacks only take notes and wake the question; turn(), which the loop calls,
 *    decides, and is the only place that ends channels or calls the owner.
 * 4. A server that is slow is not given up: when its share of the time has passed, the
 *    next one is asked beside it, and the first good answer counts. Until it answers
 *    again, and for half a minute at most, it is the last to be asked: a dead one would
 *    cost each question its share.
 */
#include "resolve.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define CARES_NO_DEPRECATED 1
#include <ares.h>

#include "addr.h"

#define SERVERS_MAX 16
#define DNS_PORT 53

/* An unanswered question is repeated after this, then after twice and four times as
 * long: resolvers need up to a second for what they do not know yet. */
#define RESEND_MS 1000
/* More than any time-out of ours allows for; ours is what ends a question. */
#define TRIES 8
/* A server that cannot even be reached may be starting. */
#define RESTART_MS 1000
/* Questions more for a CNAME chain of which each reply shows one piece. */
#define FOLLOW_MAX 8

struct server {
	struct sts_addr address;
	uint16_t port;
	int64_t silent_until; /* ms; 0: it answers, as far as is known */
};

struct sts_resolve {
	struct sts_loop *loop;
	int64_t timeout_ms;
	struct server servers[SERVERS_MAX];
	size_t count;
	struct sts_question *questions;
	sts_on_asked *on_asked;
	void *arg;
};

/* A socket that c-ares wants watched. */
struct sock {
	struct sock *next;
	struct sts_watch *watch;
	int fd;
};

/* A question put to one server. */
struct attempt {
	struct sts_question *question;
	struct attempt *next;
	size_t server;
	ares_channel channel;
	struct sts_timer *timer; /* c-ares' */
	struct sock *socks;
	bool ended;
	enum sts_err err;     /* without a reply: why */
	unsigned char *reply; /* a copy; behind it room for what the parser stores */
	size_t reply_n;
};

struct sts_question {
	struct sts_resolve *resolve;
	struct sts_question *next, **link;
	sts_on_answer *on;
	void *arg;
	struct sts_timer *timer;
	enum sts_dns_type type;
	char name[STS_NAME_MAX + 1]; /* asked now: of the chain, if there is one */
	size_t name_n;
	int64_t started;
	int64_t next_at; /* when the next server is asked */
	size_t first;	 /* server to begin with */
	size_t count;	 /* of servers to ask, in turn: all of them, or one */
	size_t asked;	 /* servers asked so far */
	struct attempt *attempts;

	/* The worst of the servers' failures worth telling. */
	enum sts_err failure;
	uint8_t rcode;
	int ede;

	/* The chain so far, if several replies were needed to see it. */
	unsigned follows, chain;
	bool ad;
};

static void
wake(struct sts_question *q)
{
	(void)sts_timer_set(q->timer, 0);
}

static void
attempt_ended(struct attempt *a, enum sts_err err)
{
	a->ended = true;
	a->err = err;
	wake(a->question);
}

/* c-ares says when it wants to be called again. */
static void
set_timer(struct attempt *a)
{
	struct timeval tv;

	if (ares_timeout(a->channel, NULL, &tv) == NULL)
		sts_timer_stop(a->timer);
	else if (sts_timer_set(a->timer, tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000) ==
	    -1)
		attempt_ended(a, STS_ERR_NOMEM);
}

static void
process(struct attempt *a, ares_socket_t readable, ares_socket_t writable)
{
	ares_process_fd(a->channel, readable, writable);
	set_timer(a);
}

static void
on_time(void *arg)
{
	process(arg, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void
on_ready(void *arg, int fd, unsigned what)
{
	process(arg, what & STS_READ ? fd : ARES_SOCKET_BAD,
	    what & STS_WRITE ? fd : ARES_SOCKET_BAD);
}

static void
drop_sock(struct sock **link)
{
	struct sock *s = *link;

	*link = s->next;
	sts_watch_free(s->watch);
	free(s);
}

static struct sock *
add_sock(struct attempt *a, int fd)
{
	struct sock *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->fd = fd;
	s->watch = sts_watch_new(a->question->resolve->loop, fd, on_ready, a);
	if (s->watch == NULL) {
		free(s);
		return NULL;
	}
	s->next = a->socks;
	a->socks = s;
	return s;
}

static void
on_sock_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct attempt *a = arg;
	unsigned what = (readable ? STS_READ : 0) | (writable ? STS_WRITE : 0);
	struct sock **link = &a->socks, *s;

	while (*link != NULL && (*link)->fd != fd)
		link = &(*link)->next;
	s = *link;
	if (what == 0) {
		if (s != NULL)
			drop_sock(link);
		return;
	}
	if (s == NULL)
		s = add_sock(a, fd);
	if (s == NULL || sts_watch_set(s->watch, what) == -1)
		attempt_ended(a, STS_ERR_NOMEM);
}

/* What c-ares says instead of a reply. That a server cannot be reached is for the owner
 * the same as its silence. */
static enum sts_err
status_err(int status)
{
	if (status == ARES_ENOMEM)
		return STS_ERR_NOMEM;
	if (status == ARES_EBADRESP || status == ARES_EFORMERR)
		return STS_ERR_DNS_MALFORMED;
	return STS_ERR_DNS_TIMEOUT;
}

/* What the parser may need beside a reply of n bytes. */
static size_t
store_size(size_t n)
{
	/* NOLINTNEXTLINE(bugprone-implicit-widening-of-multiplication-result) */
	return STS_DNS_STORE(n);
}

static void
on_reply(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
	struct attempt *a = arg;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED || a->ended)
		return;
	if (bytes == NULL || n <= 0) {
		attempt_ended(a, status_err(status));
		return;
	}
	a->reply = malloc((size_t)n + store_size((size_t)n));
	if (a->reply == NULL) {
		attempt_ended(a, STS_ERR_NOMEM);
		return;
	}
	memcpy(a->reply, bytes, (size_t)n);
	a->reply_n = (size_t)n;
	attempt_ended(a, STS_OK);
}

/* Never from inside a callback of c-ares: ares_destroy would pull the ground from under
 * it. */
static void
attempt_free(struct attempt *a)
{
	if (a == NULL)
		return;
	if (a->channel != NULL)
		ares_destroy(a->channel);
	while (a->socks != NULL)
		drop_sock(&a->socks);
	sts_timer_free(a->timer);
	free(a->reply);
	free(a);
}

static bool
set_server(ares_channel channel, const struct server *server)
{
	struct ares_addr_port_node node = {
		.family = server->address.v6 ? AF_INET6 : AF_INET,
		.udp_port = server->port,
		.tcp_port = server->port,
	};

	if (server->address.v6)
		memcpy(&node.addr.addr6, server->address.bytes, 16);
	else
		memcpy(&node.addr.addr4, server->address.bytes, 4);
	return ares_set_servers_ports(channel, &node) == ARES_SUCCESS;
}

/* Every option is given: those left out would be read from files and the environment, and
 * differ between versions. */
static bool
open_channel(struct attempt *a, int64_t resend_ms)
{
	static char lookups[] = "b";
	struct in_addr nowhere = { .s_addr = 0 }; /* replaced by set_server */
	struct ares_options o = {
		.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
		    ARES_FLAG_NOCHECKRESP,
		.timeout = (int)resend_ms,
		.tries = TRIES,
		.ndots = 1,
		.lookups = lookups,
		.servers = &nowhere,
		.nservers = 1,
		.ednspsz = STS_DNS_UDP_SIZE,
		.sock_state_cb = on_sock_state,
		.sock_state_cb_data = a,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
	    ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS | ARES_OPT_SORTLIST | ARES_OPT_SERVERS |
	    ARES_OPT_EDNSPSZ | ARES_OPT_NOROTATE | ARES_OPT_SOCK_STATE_CB;

#ifdef ARES_OPT_UDP_MAX_QUERIES
	o.udp_max_queries = 1;
	mask |= ARES_OPT_UDP_MAX_QUERIES;
#endif
#ifdef ARES_OPT_QUERY_CACHE
	o.qcache_max_ttl = 0;
	mask |= ARES_OPT_QUERY_CACHE;
#endif
	return ares_init_options(&a->channel, &o, mask) == ARES_SUCCESS;
}

/* c-ares does not tell our own limits from a server that cannot be reached. */
static bool
can_open_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd != -1)
		close(fd);
	return fd != -1 || errno == EAFNOSUPPORT;
}

/* Asks the next server. Gives the error that kept it from asking. */
static enum sts_err
attempt_start(struct sts_question *q, int64_t share_ms)
{
	struct sts_resolve *r = q->resolve;
	struct sts_str name = { q->name, q->name_n };
	uint8_t query[STS_DNS_QUERY_MAX];
	struct attempt *a;
	uint16_t id;
	size_t n;

	/* Half of its share at most, so that a lost packet costs no server its turn. */
	int64_t resend_ms = share_ms / 2 < RESEND_MS ? share_ms / 2 + 1 : RESEND_MS;

	/* The older c-ares sends our id as it is. */
	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return STS_ERR_INTERNAL;
	n = sts_dns_question(name, q->type, id, query);
	if (n == 0)
		return STS_ERR_NAME;
	if (!can_open_socket())
		return STS_ERR_NOMEM;
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return STS_ERR_NOMEM;
	a->question = q;
	a->server = (q->first + q->asked++) % r->count;
	a->timer = sts_timer_new(r->loop, on_time, a);
	if (a->timer == NULL || !open_channel(a, resend_ms) ||
	    !set_server(a->channel, &r->servers[a->server])) {
		attempt_free(a);
		return STS_ERR_NOMEM;
	}
	a->next = q->attempts;
	q->attempts = a;
	ares_send(a->channel, query, (int)n, on_reply, a);
	set_timer(a);
	return STS_OK;
}

static void
drop_attempts(struct sts_question *q)
{
	struct attempt *next;

	for (struct attempt *a = q->attempts; a != NULL; a = next) {
		next = a->next;
		attempt_free(a);
	}
	q->attempts = NULL;
}

static void
question_free(struct sts_question *q)
{
	drop_attempts(q);
	sts_timer_free(q->timer);
	*q->link = q->next;
	if (q->next != NULL)
		q->next->link = q->link;
	free(q);
}

static void
observe(const struct sts_question *q, enum sts_err err)
{
	if (q->resolve->on_asked != NULL)
		q->resolve->on_asked(q->resolve->arg, q->type, err);
}

static void
remember_silent(struct sts_question *q)
{
	struct sts_resolve *r = q->resolve;

	for (const struct attempt *a = q->attempts; a != NULL; a = a->next)
		if (!a->ended)
			r->servers[a->server].silent_until =
			    sts_loop_ms(r->loop) + STS_FAILED_TTL * INT64_C(1000);
}

/* The first that is not known to be silent; if all are, the first. */
static size_t
best_server(const struct sts_resolve *r)
{
	int64_t now = sts_loop_ms(r->loop);

	for (size_t i = 0; i < r->count; i++)
		if (r->servers[i].silent_until <= now)
			return i;
	return 0;
}

/* Who has not answered while another has, or by the deadline, has let its time pass. */
static void
observe_silent(const struct sts_question *q)
{
	for (const struct attempt *a = q->attempts; a != NULL; a = a->next)
		if (!a->ended)
			observe(q, STS_ERR_DNS_TIMEOUT);
}

/* The one place where a question ends by itself. The views in the answer point into what
 * the caller holds. */
static void
finish(struct sts_question *q, const struct sts_dns_answer *answer)
{
	int64_t ms = sts_loop_ms(q->resolve->loop) - q->started;
	sts_on_answer *on = q->on;
	void *arg = q->arg;

	observe_silent(q);
	question_free(q);
	on(arg, answer, ms);
}

static void
finish_failed(struct sts_question *q, enum sts_err err)
{
	struct sts_dns_answer answer;

	sts_dns_failed(err, &answer);
	if (err == q->failure) {
		answer.rcode = q->rcode;
		answer.ede = q->ede;
	}
	finish(q, &answer);
}

/* How much a failure tells: a server's word more than silence, and most its reason
 * (RFC 8914), such as a broken signature. */
static int
weight(enum sts_err err, int ede)
{
	if (err == STS_OK)
		return 0;
	if (err == STS_ERR_DNS_TIMEOUT)
		return 1;
	return ede == -1 ? 2 : 3;
}

static void
note_failure(struct sts_question *q, const struct sts_dns_answer *answer)
{
	if (weight(answer->err, answer->ede) < weight(q->failure, q->ede))
		return;
	q->failure = answer->err;
	q->rcode = answer->rcode;
	q->ede = answer->ede;
}

/* Some servers answer with the CNAME alone. "Senders MUST follow" it (RFC 8461 section
 * 3.1). */
static bool
is_partial(const struct sts_dns_answer *answer)
{
	return answer->err == STS_ERR_DNS_NODATA && answer->chain != 0 &&
	    !answer->has_soa && answer->final_name.n != 0 &&
	    answer->final_name.n <= STS_NAME_MAX;
}

/* Asks for the target, the same server first. */
static void
follow(struct sts_question *q, const struct sts_dns_answer *answer, size_t server)
{
	q->follows++;
	q->chain += answer->chain;
	q->ad = q->ad && answer->ad;
	memcpy(q->name, answer->final_name.p, answer->final_name.n);
	q->name_n = answer->final_name.n;
	observe_silent(q);
	drop_attempts(q);
	q->first = server;
	q->asked = 0;
	q->failure = STS_OK;
}

/* A chain is as secure as its weakest piece. How long the pieces live was not told:
 * what they lead to is not to be kept. */
static void
add_chain(const struct sts_question *q, struct sts_dns_answer *answer)
{
	answer->chain += q->chain;
	answer->ad = answer->ad && q->ad;
	if (q->follows != 0 && answer->err == STS_OK)
		answer->ttl = 0;
}

/* What an attempt that has ended brought. The views point into reply, or the name. */
static void
read_reply(const struct sts_question *q, const struct attempt *a,
    struct sts_dns_answer *answer)
{
	struct sts_str wire = { (const char *)a->reply, a->reply_n };
	struct sts_str name = { q->name, q->name_n };

	if (a->reply == NULL)
		sts_dns_failed(a->err, answer);
	else
		sts_dns_parse(wire, name, q->type, (char *)a->reply + a->reply_n,
		    store_size(a->reply_n), answer);
}

/* Takes an attempt that has ended off the question. True when that was the end of the
 * question, too. */
static bool
take(struct sts_question *q, struct attempt **link)
{
	struct attempt *a = *link;
	struct sts_dns_answer answer;
	unsigned char *reply = a->reply;
	size_t server = a->server;
	bool finished = true;

	read_reply(q, a, &answer);
	if (reply != NULL)
		q->resolve->servers[server].silent_until = 0;
	*link = a->next;
	a->reply = NULL;
	attempt_free(a);
	observe(q, answer.err);
	if (sts_err_is_dns_failure(answer.err) || answer.err == STS_ERR_NOMEM) {
		note_failure(q, &answer);
		finished = false;
	} else if (!is_partial(&answer)) {
		add_chain(q, &answer);
		finish(q, &answer);
	} else if (q->follows == FOLLOW_MAX)
		finish_failed(q, STS_ERR_DNS_MALFORMED);
	else {
		follow(q, &answer, server);
		finished = false;
	}
	free(reply);
	return finished;
}

/* Takes what has come. A server that failed makes room for the next one at once. */
static bool
take_replies(struct sts_question *q, int64_t now)
{
	struct attempt **link = &q->attempts;

	while (*link != NULL) {
		if (!(*link)->ended) {
			link = &(*link)->next;
			continue;
		}
		if (take(q, link))
			return true;
		q->next_at = now;
		link = &q->attempts; /* they may all be gone */
	}
	return false;
}

static int64_t
deadline(const struct sts_question *q)
{
	return q->started + q->resolve->timeout_ms;
}

/* Asks the next server, each with an equal share of the time that is left. */
static enum sts_err
ask_next(struct sts_question *q, int64_t now)
{
	int64_t left = (int64_t)(q->count - q->asked);
	int64_t share = (deadline(q) - now) / left;

	remember_silent(q);
	q->next_at = now + share;
	return attempt_start(q, share);
}

static void
wait_on(struct sts_question *q, int64_t now)
{
	bool waiting = q->asked < q->count;
	int64_t at = waiting && q->next_at < deadline(q) ? q->next_at : deadline(q);

	/* One may have ended inside the call that asked it. */
	for (const struct attempt *a = q->attempts; a != NULL; a = a->next)
		if (a->ended)
			at = now;
	(void)sts_timer_set(q->timer, at > now ? at - now : 0);
}

/* Looks at everything that is known of a question, and does what is next. */
static void
turn(void *arg)
{
	struct sts_question *q = arg;
	int64_t now = sts_loop_ms(q->resolve->loop);
	enum sts_err err;

	if (take_replies(q, now))
		return;
	if (now >= deadline(q)) {
		remember_silent(q);
		finish_failed(q, q->failure == STS_OK ? STS_ERR_DNS_TIMEOUT : q->failure);
		return;
	}
	if (q->attempts == NULL && q->asked == q->count) {
		if (q->failure != STS_ERR_DNS_TIMEOUT) {
			finish_failed(q, q->failure);
			return;
		}
		/* Nobody could be reached, and there is time left. */
		q->asked = 0;
		q->next_at = now + RESTART_MS;
	}
	if (q->asked < q->count && now >= q->next_at &&
	    (err = ask_next(q, now)) != STS_OK) {
		finish_failed(q, err);
		return;
	}
	wait_on(q, now);
}

/* "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:53" */
static bool
parse_server(struct sts_str text, struct server *server)
{
	bool brackets = sts_str_starts(text, STS_STR("["));
	struct sts_str port = STS_STR_NONE, host = text, rest;
	unsigned long long number = DNS_PORT;

	if (brackets) {
		rest = sts_str_from(text, 1);
		if (!sts_str_cut(&rest, ']', &host))
			return false;
		if (rest.n != 0 && rest.p[0] != ':')
			return false;
		if (rest.n != 0)
			port = sts_str_from(rest, 1);
	} else if (!sts_addr_parse(text, &server->address)) {
		rest = text;
		if (sts_str_cut(&rest, ':', &host))
			port = rest;
	}
	if (!sts_addr_parse(host, &server->address))
		return false;
	if (port.p != NULL && (!sts_str_number(port, 65535, &number) || number == 0))
		return false;
	server->port = (uint16_t)number;
	return server->address.v6 || !brackets;
}

static bool
parse_servers(struct sts_resolve *r, const char *text)
{
	size_t n;

	for (;;) {
		text += strspn(text, " \t,");
		n = strcspn(text, " \t,");
		if (n == 0)
			return r->count != 0;
		if (r->count == SERVERS_MAX ||
		    !parse_server((struct sts_str){ text, n }, &r->servers[r->count]))
			return false;
		r->count++;
		text += n;
	}
}

struct sts_resolve *
sts_resolve_new(struct sts_loop *loop, const char *servers, int64_t timeout_ms)
{
	struct sts_resolve *r = calloc(1, sizeof(*r));

	if (r == NULL || !parse_servers(r, servers) ||
	    ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
		free(r);
		return NULL;
	}
	r->loop = loop;
	r->timeout_ms = timeout_ms;
	return r;
}

void
sts_resolve_free(struct sts_resolve *r)
{
	struct sts_question *next;

	if (r == NULL)
		return;
	for (struct sts_question *q = r->questions; q != NULL; q = next) {
		next = q->next;
		question_free(q);
	}
	free(r);
	ares_library_cleanup();
}

/* Asks count servers in turn, from first on. */
static struct sts_question *
question_new(struct sts_resolve *r, size_t first, size_t count, struct sts_str name,
    enum sts_dns_type type, sts_on_answer *on, void *arg)
{
	struct sts_question *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->resolve = r;
	q->on = on;
	q->arg = arg;
	q->type = type;
	q->first = first;
	q->count = count;
	/* A longer one is no name, and nor is the empty one: turn() says so. */
	if (name.n <= STS_NAME_MAX) {
		memcpy(q->name, name.p, name.n);
		q->name_n = name.n;
	}
	q->ede = -1;
	q->ad = true;
	q->started = sts_loop_ms(r->loop);
	q->next_at = q->started;
	q->timer = sts_timer_new(r->loop, turn, q);
	if (q->timer == NULL || sts_timer_set(q->timer, 0) == -1) {
		sts_timer_free(q->timer);
		free(q);
		return NULL;
	}
	q->link = &r->questions;
	q->next = r->questions;
	if (q->next != NULL)
		q->next->link = &q->next;
	r->questions = q;
	return q;
}

struct sts_question *
sts_resolve_ask(struct sts_resolve *r, struct sts_str name, enum sts_dns_type type,
    sts_on_answer *on, void *arg)
{
	return question_new(r, best_server(r), r->count, name, type, on, arg);
}

size_t
sts_resolve_servers(const struct sts_resolve *r)
{
	return r->count;
}

struct sts_question *
sts_resolve_ask_server(struct sts_resolve *r, size_t server, struct sts_str name,
    enum sts_dns_type type, sts_on_answer *on, void *arg)
{
	assert(server < r->count);
	return question_new(r, server, 1, name, type, on, arg);
}

const char *
sts_resolve_server_text(const struct sts_resolve *r, size_t server,
    char text[STS_ADDR_TEXT + 8])
{
	const struct server *s = &r->servers[server];
	char address[STS_ADDR_TEXT];

	assert(server < r->count);
	(void)sts_addr_text(&s->address, address);
	if (s->port == DNS_PORT)
		(void)snprintf(text, STS_ADDR_TEXT + 8, "%s", address);
	else
		(void)snprintf(text, STS_ADDR_TEXT + 8,
		    s->address.v6 ? "[%s]:%u" : "%s:%u", address, (unsigned)s->port);
	return text;
}

void
sts_resolve_forget(struct sts_question *q)
{
	if (q != NULL)
		question_free(q);
}

void
sts_resolve_observe(struct sts_resolve *r, sts_on_asked *on, void *arg)
{
	r->on_asked = on;
	r->arg = arg;
}

const char *
sts_resolve_version(void)
{
	return ares_version(NULL);
}
