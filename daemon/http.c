/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 4096
#define PATIENCE_MS 5000
#define CONNECTIONS_MAX 16

/* Out of descriptors or memory: the listener would be ready for ever, and spin. */
#define ACCEPT_PAUSE_MS 100

/* Beyond what this reads after the reply, the client's own doing is its own loss. */
#define DRAIN_MAX 65536

struct visit {
	struct http *http;
	size_t place; /* in http->visits */
	struct sts_watch *watch;
	struct sts_timer *timer;
	int fd;
	size_t n, sent, drained;
	struct sts_buf reply;
	char request[REQUEST_MAX];
};

struct door {
	struct http *http;
	struct sts_watch *watch;
	int fd;
};

struct http {
	struct sts_loop *loop;
	http_on_request *on;
	void *arg;
	struct door *doors;
	size_t door_count;
	struct visit *visits[CONNECTIONS_MAX];
	size_t visit_count;
	struct sts_timer *retry;
};

static void
set_doors(struct http *h, bool open)
{
	for (size_t i = 0; i < h->door_count; i++)
		(void)sts_watch_set(h->doors[i].watch, open ? STS_READ : 0);
}

static void
visit_free(struct visit *v)
{
	struct http *h = v->http;

	h->visits[v->place] = NULL;
	h->visit_count--;
	sts_watch_free(v->watch);
	sts_timer_free(v->timer);
	sts_buf_done(&v->reply);
	close(v->fd);
	free(v);
	if (!sts_timer_is_set(h->retry))
		set_doors(h, true);
}

static const char *
status_text(int status)
{
	switch (status) {
	case 200:
		return "200 OK";
	case 400:
		return "400 Bad Request";
	case 404:
		return "404 Not Found";
	case 405:
		return "405 Method Not Allowed\r\nAllow: GET, HEAD";
	case 431:
		return "431 Request Header Fields Too Large";
	case 503:
		return "503 Service Unavailable";
	}
	return "500 Internal Server Error";
}

static void
put_reply(struct visit *v, int status, const char *type, struct sts_str body, bool head)
{
	struct sts_buf *to = &v->reply;

	sts_put_text(to, "HTTP/1.1 ");
	sts_put_text(to, status_text(status));
	sts_put_text(to, "\r\nContent-Type: ");
	sts_put_text(to, type);
	sts_put_text(to, "\r\nContent-Length: ");
	sts_put_number(to, body.n);
	sts_put_text(to, "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
	if (!head)
		sts_put(to, body);
}

static void
put_error(struct visit *v, int status, bool head)
{
	const char *text = status_text(status);
	struct sts_buf body = { 0 };

	sts_put(&body, (struct sts_str){ text, strcspn(text, "\r") });
	sts_put_char(&body, '\n');
	put_reply(v, status, "text/plain; charset=utf-8", sts_buf_str(&body), head);
	sts_buf_done(&body);
}

/* request-line = method SP request-target SP HTTP-version (RFC 9112 section 3) */
static void
respond(struct visit *v, struct sts_str line)
{
	struct sts_str method, target, path;
	struct sts_buf body = { 0 };
	const char *type = "text/plain; charset=utf-8";
	bool head;
	int status;

	(void)sts_str_cut(&line, '\n', &method);
	line = method;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (!sts_str_cut(&line, ' ', &method) || !sts_str_cut(&line, ' ', &target) ||
	    !sts_str_starts(line, STS_STR("HTTP/1."))) {
		put_error(v, 400, false);
		return;
	}
	head = sts_str_eq(method, STS_STR("HEAD"));
	if (!head && !sts_str_eq(method, STS_STR("GET"))) {
		put_error(v, 405, false);
		return;
	}
	(void)sts_str_cut(&target, '?', &path);
	status = v->http->on(v->http->arg, path, &body, &type);
	if (status == 404)
		put_error(v, 404, head);
	else
		put_reply(v, status, type, sts_buf_str(&body), head);
	if (body.bad)
		v->reply.bad = true;
	sts_buf_done(&body);
}

/* The reply is out; what the client still sends must be read, or the reset that closing
 * sends instead of an end would take the reply with it. */
static void
drain(struct visit *v)
{
	ssize_t n = recv(v->fd, v->request, sizeof(v->request), MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		v->drained += (size_t)n;
	if (n <= 0 || v->drained > DRAIN_MAX)
		visit_free(v);
}

static void
send_some(struct visit *v)
{
	ssize_t n = send(v->fd, v->reply.p + v->sent, v->reply.n - v->sent,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		visit_free(v);
		return;
	}
	if (n > 0)
		v->sent += (size_t)n;
	if (v->sent < v->reply.n) {
		if (sts_watch_set(v->watch, STS_WRITE) == -1)
			visit_free(v);
		return;
	}
	(void)shutdown(v->fd, SHUT_WR);
	if (sts_watch_set(v->watch, STS_READ) == -1)
		visit_free(v);
}

/* Is the blank line there that ends the header? */
static bool
is_whole(const struct visit *v)
{
	return memmem(v->request, v->n, "\r\n\r\n", 4) != NULL ||
	    memmem(v->request, v->n, "\n\n", 2) != NULL;
}

static void
read_some(struct visit *v)
{
	ssize_t n =
	    recv(v->fd, v->request + v->n, sizeof(v->request) - v->n, MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		visit_free(v);
		return;
	}
	v->n += (size_t)n;
	if (is_whole(v))
		respond(v, (struct sts_str){ v->request, v->n });
	else if (v->n == sizeof(v->request))
		put_error(v, 431, false);
	else
		return;
	if (v->reply.bad)
		visit_free(v);
	else
		send_some(v);
}

static void
on_visit(void *arg, int fd, unsigned what)
{
	struct visit *v = arg;

	(void)fd;
	(void)what;
	if (v->reply.n == 0)
		read_some(v);
	else if (v->sent < v->reply.n)
		send_some(v);
	else
		drain(v);
}

static void
on_late(void *arg)
{
	visit_free(arg);
}

static bool
visit_new(struct http *h, int fd)
{
	struct visit *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return false;
	v->http = h;
	v->fd = fd;
	v->watch = sts_watch_new(h->loop, fd, on_visit, v);
	v->timer = sts_timer_new(h->loop, on_late, v);
	if (v->watch == NULL || v->timer == NULL ||
	    sts_timer_set(v->timer, PATIENCE_MS) == -1 ||
	    sts_watch_set(v->watch, STS_READ) == -1) {
		sts_watch_free(v->watch);
		sts_timer_free(v->timer);
		free(v);
		return false;
	}
	while (h->visits[v->place] != NULL)
		v->place++;
	h->visits[v->place] = v;
	h->visit_count++;
	return true;
}

static void
on_door(void *arg, int fd, unsigned what)
{
	struct door *d = arg;
	struct http *h = d->http;
	int visitor;

	(void)what;
	if (h->visit_count >= CONNECTIONS_MAX) {
		set_doors(h, false); /* one that leaves opens them again */
		return;
	}
	visitor = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (visitor != -1 && visit_new(h, visitor))
		return;
	if (visitor == -1 && errno == EAGAIN)
		return;
	if (visitor != -1)
		close(visitor);
	set_doors(h, false);
	(void)sts_timer_set(h->retry, ACCEPT_PAUSE_MS);
}

static void
on_retry(void *arg)
{
	set_doors(arg, true);
}

static bool
open_door(struct http *h, const struct listener *l)
{
	struct door *d = &h->doors[h->door_count];

	d->http = h;
	d->fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
	if (d->fd == -1)
		return false;
	h->door_count++;
	d->watch = sts_watch_new(h->loop, d->fd, on_door, d);
	return d->watch != NULL && sts_watch_set(d->watch, STS_READ) == 0;
}

struct http *
http_new(struct sts_loop *loop, const struct listeners *listeners, http_on_request *on,
    void *arg)
{
	struct http *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->loop = loop;
	h->on = on;
	h->arg = arg;
	h->retry = sts_timer_new(loop, on_retry, h);
	h->doors = calloc(listeners->count, sizeof(*h->doors));
	if (h->doors == NULL || h->retry == NULL)
		goto failed;
	for (size_t i = 0; i < listeners->count; i++)
		if (!open_door(h, &listeners->all[i]))
			goto failed;
	return h;

failed:
	http_free(h);
	return NULL;
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (h->visits[i] != NULL)
			visit_free(h->visits[i]);
	for (size_t i = 0; i < h->door_count; i++) {
		sts_watch_free(h->doors[i].watch);
		close(h->doors[i].fd);
	}
	sts_timer_free(h->retry);
	free(h->doors);
	free(h);
}
