/* SPDX-License-Identifier: MIT */
/*
 * What the other process of a pair sends: daemon/ipc.c as it is, with a socket of ours. In
 * front of each message stand how many descriptors come with it and whether it was cut,
 * and its length in two bytes. Each descriptor is handed over or closed, once; a message
 * that is taken is the same one when it is written again; what is no message is the end,
 * which is told once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t fake_recvmsg(struct msghdr *msg);
static void fake_close(int fd);

#define recvmsg(fd, msg, flags) ((void)(fd), fake_recvmsg(msg))
#define sendmsg(fd, msg, flags) ((void)(fd), (void)(msg), (ssize_t)0)
#define setsockopt(fd, level, name, value, n) ((void)(value))
#define close(fd) fake_close(fd)
#include "../../daemon/ipc.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OURS 1000
#define FIRST_PASSED 1001
#define PASSED_AT_ONCE 4 /* room that ipc.c gives; the rest is cut off by the kernel */

static void
must(bool truth)
{
	if (!truth)
		abort();
}

struct sts_watch {
	sts_on_ready *on;
	void *arg;
	bool freed;
};
static struct sts_watch watch;

struct sts_watch *
sts_watch_new(struct sts_loop *loop, int fd, sts_on_ready *on, void *arg)
{
	(void)loop;
	(void)fd;
	watch = (struct sts_watch){ .on = on, .arg = arg };
	return &watch;
}

int
sts_watch_set(struct sts_watch *w, unsigned what)
{
	(void)what;
	must(!w->freed);
	return 0;
}

void
sts_watch_free(struct sts_watch *w)
{
	w->freed = true;
}

static struct {
	struct ipc *ipc;
	struct sts_str left;
	struct sts_str message; /* the last one given */
	int passed, closed, kept;
	unsigned ends;
	bool cut;
	bool free_at_once;
} now;

static void
fake_close(int fd)
{
	must(fd == OURS || (fd >= FIRST_PASSED && fd < FIRST_PASSED + now.passed));
	now.closed += fd != OURS;
}

static void
pass(struct msghdr *msg, int count)
{
	struct cmsghdr *c = msg->msg_control;

	if (count > PASSED_AT_ONCE) {
		msg->msg_flags |= MSG_CTRUNC;
		count = PASSED_AT_ONCE;
	}
	msg->msg_controllen = 0;
	if (count == 0)
		return;
	msg->msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	for (int i = 0; i < count; i++) {
		int fd = FIRST_PASSED + now.passed++;

		memcpy(CMSG_DATA(c) + (size_t)i * sizeof(fd), &fd, sizeof(fd));
	}
}

static ssize_t
fake_recvmsg(struct msghdr *msg)
{
	uint8_t head[3];
	size_t n;

	msg->msg_flags = 0;
	if (now.left.n < sizeof(head)) {
		msg->msg_controllen = 0;
		return 0;
	}
	memcpy(head, now.left.p, sizeof(head));
	now.left = sts_str_from(now.left, sizeof(head));
	n = (size_t)head[1] | (size_t)head[2] << 8;
	n = n < now.left.n ? n : now.left.n;
	if ((head[0] & 0x80) != 0)
		msg->msg_flags |= MSG_TRUNC;
	pass(msg, head[0] & 7);
	now.cut = msg->msg_flags != 0;
	now.message = sts_str_head(now.left, n);
	now.left = sts_str_from(now.left, n);
	if (n > 0)
		memcpy(msg->msg_iov[0].iov_base, now.message.p, n);
	return (ssize_t)n;
}

static bool
is_inside(struct sts_str view)
{
	return view.n == 0 ||
	    (view.p >= incoming && view.p + view.n <= incoming + now.message.n);
}

/* Written again it is the same, but for the number of an error that we do not know. */
static void
check_message(const struct ipc_message *m)
{
	struct sts_buf again = { .limit = IPC_MESSAGE_MAX };

	must(!now.cut && m->type <= IPC_VALIDATES && m->hope <= STS_HOPE_AWAY);
	must(is_inside(m->domain) && is_inside(m->text));
	encode(m, &again);
	must(!again.bad && again.n == now.message.n);
	must(again.p[0] == now.message.p[0]);
	must(again.p[1] == now.message.p[1] || m->err == STS_ERR_INTERNAL);
	must(memcmp(again.p + 2, now.message.p + 2, again.n - 2) == 0);
	sts_buf_done(&again);
}

static void
on_message(void *arg, const struct ipc_message *m)
{
	(void)arg;
	must(now.ends == 0);
	if (m == NULL) {
		now.ends++;
		return;
	}
	check_message(m);
	now.kept += m->fd != -1;
	if (now.free_at_once && m->type == IPC_STOP) {
		ipc_free(now.ipc);
		now.ipc = NULL;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	memset(&now, 0, sizeof(now));
	now.left = (struct sts_str){ (const char *)data + 1, size - 1 };
	now.free_at_once = (data[0] & 1) != 0;
	now.ipc = ipc_new(NULL, OURS, on_message, NULL);
	must(now.ipc != NULL);
	while (now.ipc != NULL && now.ends == 0)
		watch.on(watch.arg, OURS, STS_READ);
	ipc_free(now.ipc);
	must(watch.freed && now.passed == now.kept + now.closed);
	return 0;
}
