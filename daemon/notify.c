/* SPDX-License-Identifier: MIT */
#include "notify.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* SD_LISTEN_FDS_START: fixed by the protocol. */
#define FIRST_FD 3

static struct {
	int fd; /* -1: no manager */
	struct sockaddr_un to;
	socklen_t to_n;
	int64_t watchdog_ms;
	int count; /* of fds; -1: nobody knows */
	struct notify_fd fds[NOTIFY_FDS_MAX];
} manager = { .fd = -1 };

static unsigned long long
number_of(const char *name)
{
	const char *text = getenv(name);

	return text == NULL ? 0 : strtoull(text, NULL, 10);
}

/* Is a variable that names a process about us? Absent counts as yes. */
static int
is_ours(const char *name)
{
	return getenv(name) == NULL || number_of(name) == (unsigned long long)getpid();
}

static void
open_socket(const char *path)
{
	size_t n = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || n < 2 ||
	    n >= sizeof(manager.to.sun_path))
		return;
	manager.to.sun_family = AF_UNIX;
	memcpy(manager.to.sun_path, path, n);
	if (path[0] == '@')
		manager.to.sun_path[0] = '\0';
	manager.to_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int
count_fds(void)
{
	const char *text = getenv("LISTEN_FDS");
	char *end = NULL;
	unsigned long long count;

	if (text == NULL || getenv("LISTEN_PID") == NULL || !is_ours("LISTEN_PID"))
		return 0;
	count = strtoull(text, &end, 10);
	return *end != '\0' || count > NOTIFY_FDS_MAX ? -1 : (int)count;
}

static void
take_fds(void)
{
	const char *rest = getenv("LISTEN_FDNAMES");
	bool named = rest != NULL && rest[0] != '\0';

	manager.count = count_fds();
	for (int i = 0; i < manager.count; i++) {
		struct notify_fd *one = &manager.fds[i];
		size_t n = named ? strcspn(rest, ":") : 0;

		one->fd = FIRST_FD + i;
		one->open = fcntl(one->fd, F_SETFD, FD_CLOEXEC) == 0;
		snprintf(one->name, sizeof(one->name), "%.*s",
		    named ? (int)n : (int)sizeof(one->name), named ? rest : "socketmap");
		if (named)
			rest += n + (rest[n] == ':');
	}
}

void
notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	static const char *const mine[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC",
		"WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES" };

	take_fds();
	if (path != NULL)
		open_socket(path);
	if (is_ours("WATCHDOG_PID"))
		manager.watchdog_ms = (int64_t)(number_of("WATCHDOG_USEC") / 1000);
	for (size_t i = 0; i < sizeof(mine) / sizeof(mine[0]); i++)
		unsetenv(mine[i]);
}

void
notify_send(const char *format, ...)
{
	char text[512];
	va_list args;
	int n;

	if (manager.fd == -1)
		return;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n <= 0)
		return;
	if ((size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	sendto(manager.fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT,
	    (const struct sockaddr *)&manager.to, manager.to_n);
}

void
notify_reloading(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) == -1)
		return;
	notify_send("RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

int64_t
notify_watchdog_ms(void)
{
	return manager.watchdog_ms;
}

int
notify_listen_fds(const struct notify_fd **fds)
{
	*fds = manager.fds;
	return manager.count;
}
