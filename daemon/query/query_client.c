/* SPDX-License-Identifier: MIT */
#include "query_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "bounds.h"
#include "buf.h"
#include "netstring.h"
#include "query_control.h"
#include "query_exit.h"
#include "query_keep.h"
#include "query_lint.h"

/* Postfix waits as long; an answer that needs no lookup takes no time at all. */
#define REPLY_SECONDS 100
#define HEALTH_SECONDS 5

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

static socklen_t
make_inet(const struct sts_addr *addr, uint16_t port, union address *a)
{
	if (addr->v6) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		memcpy(&a->v6.sin6_addr, addr->bytes, 16);
		return sizeof(a->v6);
	}
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = htons(port);
	memcpy(&a->v4.sin_addr, addr->bytes, 4);
	return sizeof(a->v4);
}

static socklen_t
make_address(const struct config_listen *where, union address *a)
{
	static const struct sts_addr loopback = { { 127, 0, 0, 1 }, false };

	memset(a, 0, sizeof(*a));
	switch (where->kind) {
	case CONFIG_LISTEN_INET:
		return make_inet(&where->addr, where->port, a);
	case CONFIG_LISTEN_ANY:
		return make_inet(&loopback, where->port, a);
	case CONFIG_LISTEN_UNIX:
		break;
	}
	a->un.sun_family = AF_UNIX;
	(void)snprintf(a->un.sun_path, sizeof(a->un.sun_path), "%s", where->path);
	return sizeof(a->un);
}

static int
connect_to(const struct config_listen *where, time_t seconds)
{
	struct timeval limit = { .tv_sec = seconds };
	union address a;
	socklen_t size = make_address(where, &a);
	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int saved;

	if (fd == -1)
		return -1;
	/* Linux counts a connect as sending. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
	    connect(fd, &a.any, size) == 0)
		return fd;
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

static bool
send_all(int fd, struct sts_str bytes)
{
	while (bytes.n > 0) {
		ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return false;
		bytes = sts_str_from(bytes, (size_t)n);
	}
	return true;
}

/* One question, one reply; *payload points into b. NULL, or why there is none. */
static const char *
ask(int fd, const char *map, struct sts_str key, struct sts_buf *b,
    struct sts_str *payload)
{
	struct sts_buf request = { 0 }, frame = { 0 };
	enum pf_netstring state = PF_NETSTRING_PARTIAL;
	char chunk[4096];
	size_t used;
	ssize_t n = 1;
	bool sent;

	sts_put_text(&request, map);
	sts_put_char(&request, ' ');
	sts_put(&request, key);
	pf_netstring_put(&frame, sts_buf_str(&request));
	if (request.bad || frame.bad)
		query_no_memory();
	sent = send_all(fd, sts_buf_str(&frame));
	sts_buf_done(&request);
	sts_buf_done(&frame);
	if (!sent)
		return strerror(errno);

	sts_buf_clear(b);
	while (state == PF_NETSTRING_PARTIAL) {
		n = recv(fd, chunk, sizeof(chunk), 0);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == EAGAIN ? "no answer in time" : strerror(errno);
		if (n == 0)
			return "the connection was closed without an answer";
		sts_put(b, (struct sts_str){ chunk, (size_t)n });
		if (b->bad)
			query_no_memory();
		state = pf_netstring_take(sts_buf_str(b), PF_REPLY_MAX, payload, &used);
	}
	return state == PF_NETSTRING_WHOLE && used == b->n ? NULL
							   : "the answer is no netstring";
}

/* -1 with *status set and a sentence printed. */
static int
open_server(const struct query_options *o, const struct config *config, time_t seconds,
    const char **where, int *status)
{
	struct config_listen address;
	const char *why;
	int fd;

	*where = o->server != NULL ? o->server : config->listen.items[0];
	if ((why = config_listen_parse(*where, &address)) != NULL) {
		fprintf(stderr, "stsd-query: --server %s: %s\n", *where, why);
		*status = QUERY_EXIT_USAGE;
		return -1;
	}
	if ((fd = connect_to(&address, seconds)) == -1) {
		fprintf(stderr, "stsd-query: %s: %s\n", *where,
		    errno == EINPROGRESS ? "no connection in time" : strerror(errno));
		*status = QUERY_EXIT_UNAVAILABLE;
	}
	return fd;
}

int
query_reply(const struct query_options *o, const struct config *config)
{
	const char *map = o->map != NULL ? o->map : "QUERY", *where, *why = NULL;
	struct sts_buf b = { 0 }, out = { 0 };
	struct sts_str payload = STS_STR_NONE;
	int status = 0;
	int fd = open_server(o, config, REPLY_SECONDS, &where, &status);

	if (fd == -1)
		return status;
	for (int i = 0; i < o->count && why == NULL; i++) {
		why = ask(fd, map, sts_str_of(o->words[i]), &b, &payload);
		if (why != NULL)
			break;
		sts_put_escaped(&out, payload);
		sts_put_char(&out, '\n');
		if (sts_str_starts(payload, STS_STR("TEMP")))
			status = QUERY_EXIT_TEMPORARY;
	}
	if (why != NULL) {
		fprintf(stderr, "stsd-query: %s: %s\n", where, why);
		status = QUERY_EXIT_UNAVAILABLE;
	}
	(void)close(fd);
	sts_buf_done(&b);
	return query_say(&out, status);
}

/* What does not keep it from answering, as far as we may ask: trouble with DNS, above
 * all. */
static void
put_trouble(struct sts_buf *to, const struct config *config)
{
	struct sts_buf health = { 0 };
	enum query_control_err err;
	struct query_control *c;
	char why[512];

	c = query_control_open(config, &err, why, sizeof(why));
	if (c != NULL && query_control_health(c, &health) == QUERY_CONTROL_OK &&
	    health.n > 0)
		sts_put_escaped(to, sts_buf_str(&health));
	else
		sts_put_text(to, "ok");
	sts_put_char(to, '\n');
	query_control_close(c);
	sts_buf_done(&health);
}

/* A key with a leading dot is answered without any lookup: whoever answers it, works. */
int
query_health(const struct query_options *o, const struct config *config)
{
	struct sts_buf b = { 0 }, out = { 0 };
	struct sts_str payload = STS_STR_NONE;
	const char *where, *why;
	int status = 0;
	int fd = open_server(o, config, HEALTH_SECONDS, &where, &status);

	if (fd == -1)
		return status;
	why = ask(fd, "QUERY", STS_STR(".health"), &b, &payload);
	if (why == NULL && !sts_str_eq(payload, STS_STR("NOTFOUND ")))
		why = "it answers, but is no stsd";
	if (why != NULL) {
		fprintf(stderr, "stsd-query: %s: %s\n", where, why);
		status = QUERY_EXIT_UNAVAILABLE;
	} else if (!o->quiet) {
		put_trouble(&out, config);
	}
	(void)close(fd);
	sts_buf_done(&b);
	return query_say(&out, status);
}
