/* SPDX-License-Identifier: MIT */
/*
 * The ceiling: echo ADDRESS REPLY. Reads a netstring, gives always the same one back, and
 * does nothing else. What the kernel takes for a question and its answer, stsd pays too.
 */
#include <err.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "peer.h"

#define CLIENTS_MAX 20000
#define EVENTS 256
#define REQUEST_MAX 4096

static struct {
	size_t n;
	char bytes[REQUEST_MAX];
} * clients[CLIENTS_MAX]; /* by descriptor */
static char *reply;
static size_t reply_n;

/* The length of the netstring at the beginning, 0 while it is not whole. */
static size_t
whole(const char *bytes, size_t n)
{
	size_t length = 0;

	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == ':')
			return n - i - 1 > length ? i + length + 2 : 0;
		length = length * 10 + (size_t)(bytes[i] - '0');
	}
	return 0;
}

static void
hang_up(int fd)
{
	close(fd);
	free(clients[fd]);
	clients[fd] = NULL;
}

static void
serve(int fd)
{
	size_t used;
	ssize_t got = recv(fd, clients[fd]->bytes + clients[fd]->n,
	    REQUEST_MAX - clients[fd]->n, 0);

	if (got <= 0) {
		hang_up(fd);
		return;
	}
	clients[fd]->n += (size_t)got;
	while ((used = whole(clients[fd]->bytes, clients[fd]->n)) > 0) {
		clients[fd]->n -= used;
		memmove(clients[fd]->bytes, clients[fd]->bytes + used, clients[fd]->n);
		if (send(fd, reply, reply_n, MSG_NOSIGNAL) != (ssize_t)reply_n) {
			hang_up(fd);
			return;
		}
	}
}

static void
welcome(int epoll, int listener)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd == -1)
		return;
	event.data.fd = fd;
	if (fd >= CLIENTS_MAX ||
	    (clients[fd] = calloc(1, sizeof(*clients[fd]))) == NULL ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		err(1, "a client");
}

static int
listen_at(const char *address)
{
	struct peer peer;
	int fd, on = 1;

	if (!peer_parse(address, &peer))
		errx(64, "%s: neither inet:ADDRESS:PORT nor unix:PATH", address);
	fd = socket(peer.to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    bind(fd, &peer.to.any, peer.n) == -1 || listen(fd, 4096) == -1)
		err(1, "%s", address);
	return fd;
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS], event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC), listener, n;

	if (argc != 3)
		errx(64, "usage: echo inet:ADDRESS:PORT|unix:PATH REPLY");
	listener = event.data.fd = listen_at(argv[1]);
	reply = malloc(strlen(argv[2]) + 32);
	if (reply == NULL || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == -1)
		err(1, "epoll");
	reply_n = (size_t)sprintf(reply, "%zu:%s,", strlen(argv[2]), argv[2]);
	while ((n = epoll_wait(epoll, events, EVENTS, -1)) > 0)
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				welcome(epoll, listener);
			else
				serve(events[i].data.fd);
		}
	err(1, "epoll_wait");
}
