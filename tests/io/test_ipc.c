/* SPDX-License-Identifier: MIT */
#include "ipc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

int test_failed;

/* One end that remembers what came. */
struct end {
	struct ipc *ipc;
	struct ipc_message last;
	char text[256];
	size_t count, bytes;
	uint32_t next; /* number expected, when they must come in order */
	bool ordered, gone, free_in_callback;
};

static void
on_message(void *arg, const struct ipc_message *m)
{
	struct end *e = arg;

	if (m == NULL) {
		e->gone = true;
		return;
	}
	if (m->number != e->next++)
		e->ordered = false;
	e->count++;
	e->bytes += m->text.n;
	e->last = *m;
	(void)snprintf(e->text, sizeof(e->text), "%.*s|%.*s", (int)m->domain.n,
	    m->domain.p, (int)(m->text.n < 100 ? m->text.n : 100), m->text.p);
	if (e->free_in_callback) {
		ipc_free(e->ipc);
		e->ipc = NULL;
	}
}

static struct sts_loop *loop;

static void
open_pair(struct end *a, struct end *b, int raw[2])
{
	memset(a, 0, sizeof(*a));
	memset(b, 0, sizeof(*b));
	a->ordered = b->ordered = true;
	if (ipc_pair(raw) == -1)
		abort();
	a->ipc = ipc_new(loop, raw[0], on_message, a);
	b->ipc = ipc_new(loop, raw[1], on_message, b);
	if (a->ipc == NULL || b->ipc == NULL)
		abort();
}

static void
turn(int times)
{
	for (int i = 0; i < times; i++)
		(void)sts_loop_once(loop, false);
}

static void
test_fields(void)
{
	struct end a, b;
	int raw[2], fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct ipc_message m = { .type = IPC_TOLD,
		.number = 0xfffffffe,
		.flags = IPC_ASK_UTF8 | ipc_ask_flags((struct sts_target){ true, 587 }),
		.wait_ms = 9750,
		.err = STS_ERR_OVERLOADED,
		.hope = STS_HOPE_LATE,
		.fd = fd,
		.domain = STS_STR("example.org"),
		.text = STS_STR("entry") };

	open_pair(&a, &b, raw);
	CHECK("send", ipc_send(a.ipc, &m) == 0);
	turn(2);
	CHECK("came", b.count == 1);
	CHECK("type", b.last.type == IPC_TOLD);
	CHECK("number", b.last.number == 0xfffffffe);
	CHECK("flags", b.last.flags == (IPC_ASK_UTF8 | IPC_ASK_HOST | 587u << 16));
	CHECK("wait", b.last.wait_ms == 9750);
	CHECK("err", b.last.err == STS_ERR_OVERLOADED);
	CHECK("hope", b.last.hope == STS_HOPE_LATE);
	CHECK("texts", strcmp(b.text, "example.org|entry") == 0);
	CHECK("a descriptor of its own", b.last.fd != -1 && b.last.fd != fd);
	CHECK("close-on-exec", (fcntl(b.last.fd, F_GETFD) & FD_CLOEXEC) != 0);
	CHECK("the sender keeps its own", fcntl(fd, F_GETFD) != -1);
	close(b.last.fd);
	close(fd);

	ipc_free(a.ipc);
	turn(2);
	CHECK("the end is told", b.gone);
	CHECK("nothing can be sent any more", ipc_send(b.ipc, &m) == -1);
	ipc_free(b.ipc);
}

/* More than the socket holds waits in the queue, and comes in order. */
static void
test_queue(void)
{
	enum { MESSAGES = 300, BYTES = 66000 };
	struct end a, b;
	int raw[2];
	char *text = calloc(1, BYTES);
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (text == NULL || fd == -1)
		abort();
	open_pair(&a, &b, raw);
	for (uint32_t i = 0; i < MESSAGES; i++) {
		struct ipc_message m = { .type = IPC_TOLD,
			.number = i,
			.fd = i == MESSAGES - 1 ? fd : -1,
			.text = { text, BYTES } };

		CHECK("send", ipc_send(a.ipc, &m) == 0);
	}
	CHECK("they do not all fit", ipc_queued(a.ipc) > 0);
	close(fd); /* the queue has a duplicate */
	for (int i = 0; i < 2000 && b.count < MESSAGES; i++)
		turn(1);
	CHECK("all", b.count == MESSAGES);
	CHECK("in order", b.ordered);
	CHECK("whole", b.bytes == (size_t)MESSAGES * BYTES);
	CHECK("with its descriptor", b.last.fd != -1);
	CHECK("the queue is empty", ipc_queued(a.ipc) == 0);
	if (b.last.fd != -1)
		close(b.last.fd);
	ipc_free(a.ipc);
	ipc_free(b.ipc);
	free(text);
}

/* What Postfix asks about goes through unchanged, whatever else is asked. */
static const struct sts_target targets[] = {
	{ false, 25 },
	{ true, 25 },
	{ false, 587 },
	{ true, 65535 },
	{ false, 1 },
};

static void
test_targets(void)
{
	const uint32_t others = IPC_ASK_BESIDE | IPC_ASK_USED | IPC_ASK_UTF8;

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		uint32_t flags = ipc_ask_flags(targets[i]);

		CHECK("alone", sts_target_eq(ipc_ask_target(flags), targets[i]));
		CHECK("apart", (flags & others) == 0);
		CHECK("with others",
		    sts_target_eq(ipc_ask_target(flags | others), targets[i]));
	}
}

static const struct {
	const char *name;
	char bytes[24];
	size_t n;
} no_messages[] = {
	{ "cut off", { IPC_PING }, 1 },
	{ "type 0", { 0 }, 20 },
	{ "a type that is none", { 99 }, 20 },
	{ "a hope that is none", { IPC_TOLD, 0, 9 }, 20 },
	{ "a domain that is not there", { IPC_TOLD, 0, 0, 5 }, 20 },
};

static void
test_garbage(void)
{
	for (size_t i = 0; i < sizeof(no_messages) / sizeof(no_messages[0]); i++) {
		struct end a, b;
		int raw[2];

		open_pair(&a, &b, raw);
		CHECK(no_messages[i].name,
		    send(raw[0], no_messages[i].bytes, no_messages[i].n, 0) ==
			(ssize_t)no_messages[i].n);
		turn(2);
		CHECK(no_messages[i].name, b.gone && b.count == 0);
		ipc_free(a.ipc);
		ipc_free(b.ipc);
	}
}

static void
test_too_long(void)
{
	struct end a, b;
	int raw[2];
	char *text = calloc(1, IPC_MESSAGE_MAX);
	struct ipc_message m = { .type = IPC_TOLD,
		.fd = -1,
		.text = { text, IPC_MESSAGE_MAX } };

	open_pair(&a, &b, raw);
	CHECK("refused where it is sent", ipc_send(a.ipc, &m) == -1);
	m.text.n = IPC_MESSAGE_MAX - 20;
	CHECK("the longest", ipc_send(a.ipc, &m) == 0);
	turn(3);
	CHECK("came", b.count == 1 && b.bytes == IPC_MESSAGE_MAX - 20);
	ipc_free(a.ipc);
	ipc_free(b.ipc);
	free(text);
}

/* Whoever is called may end the connection there and then. */
static void
test_freed_inside(void)
{
	struct end a, b;
	int raw[2];
	struct ipc_message m = { .type = IPC_PING, .fd = -1 };

	open_pair(&a, &b, raw);
	b.free_in_callback = true;
	for (int i = 0; i < 3; i++)
		(void)ipc_send(a.ipc, &m);
	turn(3);
	CHECK("the first only", b.count == 1 && b.ipc == NULL);
	CHECK("the other side sees it", a.gone);
	ipc_free(a.ipc);
}

int
main(void)
{
	loop = sts_loop_new();
	if (loop == NULL)
		return 1;
	test_fields();
	test_targets();
	test_queue();
	test_garbage();
	test_too_long();
	test_freed_inside();
	sts_loop_free(loop);
	return test_failed;
}
