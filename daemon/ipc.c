/* SPDX-License-Identifier: MIT */
#include "ipc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * On the wire, little-endian: type u8, err u8, hope u8, domain length u8, number u32,
 * flags u32, wait_ms u64, the domain, the text to the end of the message. No message
 * is ever empty: on a SEQPACKET socket an empty one cannot be told from the end.
 */
#define HEADER 20

/* Messages handled in one turn of the loop: others get their turn too. */
#define BURST 32

/* The socket's own queue, in bytes; the kernel gives what it allows. */
#define SOCKET_QUEUE (1024 * 1024)

struct queued {
	struct queued *next;
	int fd; /* ours, or -1 */
	size_t n;
	char bytes[];
};

struct ipc {
	int fd;
	struct sts_watch *watch;
	ipc_on_message *on;
	void *arg;
	bool reading; /* inside read_some, which frees us if the callback asks for it */
	bool freed;
	bool gone; /* the other side was reported gone */
	struct queued *first, **last;
	size_t count;
};

/* One thread, and views live for the length of a callback: one buffer serves all. */
static char incoming[IPC_MESSAGE_MAX];

static void
encode(const struct ipc_message *m, struct sts_buf *to)
{
	assert(m->domain.n <= UINT8_MAX);
	sts_put_u8(to, (uint8_t)m->type);
	sts_put_u8(to, (uint8_t)m->err);
	sts_put_u8(to, (uint8_t)m->hope);
	sts_put_u8(to, (uint8_t)m->domain.n);
	sts_put_u32(to, m->number);
	sts_put_u32(to, m->flags);
	sts_put_u64(to, (uint64_t)m->wait_ms);
	sts_put(to, m->domain);
	sts_put(to, m->text);
}

static bool
decode(struct sts_str bytes, struct ipc_message *m)
{
	struct sts_reader r = { .rest = bytes };
	uint8_t type = sts_get_u8(&r);
	uint8_t err = sts_get_u8(&r);
	uint8_t hope = sts_get_u8(&r);
	uint8_t domain_n = sts_get_u8(&r);

	m->number = sts_get_u32(&r);
	m->flags = sts_get_u32(&r);
	m->wait_ms = (int64_t)sts_get_u64(&r);
	m->domain = sts_get_bytes(&r, domain_n);
	m->text = r.rest;
	if (r.bad || type < IPC_HELLO || type > IPC_VALIDATES || hope > STS_HOPE_AWAY)
		return false;
	m->type = (enum ipc_type)type;
	m->err = sts_err_from(err);
	m->hope = (enum sts_hope)hope;
	return true;
}

/* The one descriptor a message may bring; a second one is closed, not leaked. */
static int
passed_fd(struct msghdr *msg)
{
	int fd = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len;
		     at += sizeof(int)) {
			int one;

			memcpy(&one, (char *)c + at, sizeof(one));
			if (fd == -1)
				fd = one;
			else
				close(one);
		}
	}
	return fd;
}

static void
drop_first(struct ipc *i)
{
	struct queued *q = i->first;

	i->first = q->next;
	if (i->first == NULL)
		i->last = &i->first;
	i->count--;
	if (q->fd != -1)
		close(q->fd);
	free(q);
}

static void
report_gone(struct ipc *i)
{
	if (i->gone)
		return;
	i->gone = true;
	sts_watch_set(i->watch, 0);
	while (i->first != NULL)
		drop_first(i);
	i->on(i->arg, NULL);
}

enum taken { TAKEN, TAKEN_NOTHING, TAKEN_END };

static enum taken
take(struct ipc *i, struct ipc_message *m)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = incoming, .iov_len = sizeof(incoming) };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(i->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n == -1) {
		bool later = errno == EAGAIN || errno == EINTR || errno == ENOBUFS ||
		    errno == ENOMEM;
		return later ? TAKEN_NOTHING : TAKEN_END;
	}
	m->fd = passed_fd(&msg);
	/* A descriptor that did not fit under our limit is lost without another word:
	 * a message that ought to carry it must not be acted on. */
	if (n == 0 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
	    !decode((struct sts_str){ incoming, (size_t)n }, m)) {
		if (m->fd != -1)
			close(m->fd);
		return TAKEN_END;
	}
	return TAKEN;
}

static void
read_some(struct ipc *i)
{
	i->reading = true;
	for (int n = 0; n < BURST && !i->freed; n++) {
		struct ipc_message m = { .fd = -1 };
		enum taken taken = take(i, &m);

		if (taken == TAKEN_NOTHING)
			break;
		if (taken == TAKEN_END) {
			report_gone(i);
			break;
		}
		i->on(i->arg, &m);
	}
	i->reading = false;
	if (i->freed)
		free(i);
}

enum sent { SENT, SENT_LATER, SENT_NEVER };

static enum sent
send_now(struct ipc *i, struct sts_str bytes, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (char *)bytes.p, .iov_len = bytes.n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd != -1) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	}
	if (sendmsg(i->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) != -1)
		return SENT;
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM ||
	    errno == ETOOMANYREFS)
		return SENT_LATER;
	return SENT_NEVER;
}

static void
write_some(struct ipc *i)
{
	while (i->first != NULL) {
		struct queued *q = i->first;

		if (send_now(i, (struct sts_str){ q->bytes, q->n }, q->fd) == SENT_LATER)
			return;
		/* What can never be sent is dropped: reading will find the end. */
		drop_first(i);
	}
	sts_watch_set(i->watch, STS_READ);
}

static void
on_ready(void *arg, int fd, unsigned what)
{
	struct ipc *i = arg;

	(void)fd;
	if ((what & STS_WRITE) != 0)
		write_some(i);
	if ((what & STS_READ) != 0)
		read_some(i);
}

static int
enqueue(struct ipc *i, struct sts_str bytes, int fd)
{
	struct queued *q = malloc(sizeof(*q) + bytes.n);

	if (q == NULL)
		return -1;
	q->fd = -1;
	if (fd != -1) {
		q->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (q->fd == -1)
			goto failed;
	}
	if (i->first == NULL && sts_watch_set(i->watch, STS_READ | STS_WRITE) == -1)
		goto failed;
	q->next = NULL;
	q->n = bytes.n;
	memcpy(q->bytes, bytes.p, bytes.n);
	*i->last = q;
	i->last = &q->next;
	i->count++;
	return 0;

failed:
	if (q->fd != -1)
		close(q->fd);
	free(q);
	return -1;
}

int
ipc_send(struct ipc *i, const struct ipc_message *m)
{
	struct sts_buf bytes = { .limit = IPC_MESSAGE_MAX };
	enum sent sent = SENT_LATER;
	int result = -1;

	if (i->gone)
		return -1;
	encode(m, &bytes);
	if (bytes.bad)
		goto done;
	if (i->first == NULL)
		sent = send_now(i, sts_buf_str(&bytes), m->fd);
	if (sent == SENT)
		result = 0;
	else if (sent == SENT_LATER)
		result = enqueue(i, sts_buf_str(&bytes), m->fd);
done:
	sts_buf_done(&bytes);
	return result;
}

size_t
ipc_queued(const struct ipc *i)
{
	return i->count;
}

struct ipc *
ipc_new(struct sts_loop *loop, int fd, ipc_on_message *on, void *arg)
{
	struct ipc *i = calloc(1, sizeof(*i));
	int size = SOCKET_QUEUE;

	if (i == NULL)
		return NULL;
	i->fd = fd;
	i->on = on;
	i->arg = arg;
	i->last = &i->first;
	i->watch = sts_watch_new(loop, fd, on_ready, i);
	if (i->watch == NULL || sts_watch_set(i->watch, STS_READ) == -1) {
		sts_watch_free(i->watch);
		free(i);
		return NULL;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return i;
}

void
ipc_free(struct ipc *i)
{
	if (i == NULL)
		return;
	while (i->first != NULL)
		drop_first(i);
	sts_watch_free(i->watch);
	close(i->fd);
	if (i->reading)
		i->freed = true;
	else
		free(i);
}

int
ipc_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
}
