/* SPDX-License-Identifier: MIT */
/*
 * What a client of the metrics socket sends: daemon/http.c as it is, with a loop and a
 * socket of ours that give the bytes in pieces, and take the reply in pieces. The first
 * byte says how long these are. However long: one reply at most, and the same one; its
 * length is what it says; a page is asked for by GET and HEAD alone, with a path out of
 * the request; and in the end nothing of the visit is left.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t fake_recv(void *to, size_t n);
static ssize_t fake_send(const void *from, size_t n);
static void fake_close(int fd);

enum { LISTENER = 1000, DOOR, VISITOR };

#define recv(fd, to, n, flags) ((void)(fd), fake_recv(to, n))
#define send(fd, from, n, flags) ((void)(fd), fake_send(from, n))
#define shutdown(fd, how) ((void)(fd), 0)
#define close(fd) fake_close(fd)
#define accept4(fd, address, length, flags) ((void)(fd), VISITOR)
#define fcntl(fd, what, least) ((void)(fd), DOOR)
#include "../../daemon/http.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool truth)
{
	if (!truth)
		abort();
}

/* The loop: two watches at most, each with what it is for; time stands still. */
struct sts_watch {
	sts_on_ready *on;
	void *arg;
	unsigned what;
};
struct sts_timer {
	bool set;
};

static struct sts_watch *watches[2]; /* of the door, of the visitor */

struct sts_watch *
sts_watch_new(struct sts_loop *loop, int fd, sts_on_ready *on, void *arg)
{
	struct sts_watch *w = calloc(1, sizeof(*w));

	(void)loop;
	must(w != NULL && watches[fd - DOOR] == NULL);
	*w = (struct sts_watch){ on, arg, 0 };
	watches[fd - DOOR] = w;
	return w;
}

int
sts_watch_set(struct sts_watch *w, unsigned what)
{
	w->what = what;
	return 0;
}

void
sts_watch_free(struct sts_watch *w)
{
	for (size_t i = 0; i < 2; i++)
		if (watches[i] == w)
			watches[i] = NULL;
	free(w);
}

struct sts_timer *
sts_timer_new(struct sts_loop *loop, sts_on_time *on, void *arg)
{
	struct sts_timer *t = calloc(1, sizeof(*t));

	(void)loop;
	(void)on;
	(void)arg;
	must(t != NULL);
	return t;
}

int
sts_timer_set(struct sts_timer *t, int64_t ms)
{
	must(ms > 0);
	t->set = true;
	return 0;
}

bool
sts_timer_is_set(const struct sts_timer *t)
{
	return t->set;
}

void
sts_timer_free(struct sts_timer *t)
{
	free(t);
}

/* One visit. */
static struct {
	struct sts_str request, left;
	size_t step;
	bool pause; /* every second call finds nothing, or no room */
	struct sts_buf reply;
	unsigned pages, doors_closed, visits_closed;
} now;

static bool
pauses(void)
{
	now.pause = !now.pause;
	errno = EAGAIN;
	return now.pause;
}

static ssize_t
fake_recv(void *to, size_t n)
{
	if (pauses())
		return -1;
	n = n < now.step ? n : now.step;
	n = n < now.left.n ? n : now.left.n;
	if (n > 0)
		memcpy(to, now.left.p, n);
	now.left = sts_str_from(now.left, n);
	return (ssize_t)n;
}

static ssize_t
fake_send(const void *from, size_t n)
{
	must(n > 0);
	if (pauses())
		return -1;
	n = n < now.step ? n : now.step;
	sts_put(&now.reply, (struct sts_str){ from, n });
	return (ssize_t)n;
}

static void
fake_close(int fd)
{
	if (fd == VISITOR)
		now.visits_closed++;
	else if (fd == DOOR)
		now.doors_closed++;
	else
		abort();
}

static int
give_page(void *arg, struct sts_str path, struct sts_buf *body, const char **type)
{
	(void)arg;
	must(sts_str_starts(now.request, STS_STR("GET ")) ||
	    sts_str_starts(now.request, STS_STR("HEAD ")));
	for (size_t i = 0; i < path.n; i++)
		must(path.p[i] != ' ' && path.p[i] != '?' && path.p[i] != '\n');
	*type = "text/plain";
	now.pages++;
	if (sts_str_eq(path, STS_STR("/metrics"))) {
		sts_put_text(body, "a 1\nb 2\n");
		return 200;
	}
	if (sts_str_eq(path, STS_STR("/health"))) {
		sts_put_text(body, "silent\n");
		return 503;
	}
	return 404;
}

/* The length that is announced is the length of what follows; of HEAD, nothing does. */
static void
check_reply(struct sts_str reply)
{
	static const char length[] = "\r\nContent-Length: ";
	bool head = sts_str_starts(now.request, STS_STR("HEAD ")) && now.pages > 0;
	const char *end = memmem(reply.p, reply.n, "\r\n\r\n", 4);
	const char *at = memmem(reply.p, reply.n, length, sizeof(length) - 1);
	unsigned long long announced;
	size_t body, digits = 0;

	must(sts_str_starts(reply, STS_STR("HTTP/1.1 ")) && end != NULL && at < end);
	body = reply.n - (size_t)(end + 4 - reply.p);
	at += sizeof(length) - 1;
	while (at[digits] != '\r')
		digits++;
	must(sts_str_number((struct sts_str){ at, digits }, 100, &announced));
	must(body == (head ? 0 : announced));
	must(!sts_str_starts(reply, STS_STR("HTTP/1.1 500")));
}

static struct sts_buf
visit(struct sts_str request, size_t step)
{
	struct listener listener = { .fd = LISTENER };
	struct listeners all = { &listener, 1 };
	struct http *h;

	memset(&now, 0, sizeof(now));
	now.request = now.left = request;
	now.step = step;
	h = http_new(NULL, &all, give_page, NULL);
	must(h != NULL && watches[0]->what == STS_READ);
	watches[0]->on(watches[0]->arg, DOOR, STS_READ);
	must(h->visit_count == 1);
	while (watches[1] != NULL) {
		must(watches[1]->what != 0);
		watches[1]->on(watches[1]->arg, VISITOR, watches[1]->what);
	}
	must(h->visit_count == 0 && now.visits_closed == 1 && now.pages <= 1);
	http_free(h);
	must(now.doors_closed == 1);
	if (now.reply.n > 0)
		check_reply(sts_buf_str(&now.reply));
	else
		must(now.pages == 0);
	return now.reply;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sts_str request = { (const char *)data + 1, size - 1 };
	struct sts_buf whole, pieces;

	if (size == 0)
		return 0;
	whole = visit(request, size);
	pieces = visit(request, 1 + data[0] % 64);
	must(sts_str_eq(sts_buf_str(&whole), sts_buf_str(&pieces)));
	sts_buf_done(&whole);
	sts_buf_done(&pieces);
	return 0;
}
