/* SPDX-License-Identifier: MIT */
#include "logsink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

/* Away from the low numbers, which roles and service managers give a meaning to. */
#define OWN_FD_MIN 20

enum manner {
	MANNER_POLL, /* also before logsink_open */
	MANNER_SEND,
	MANNER_WRITE,
	MANNER_SYSLOG,
};

static struct {
	enum manner manner;
	int fd;
	bool own; /* fd is ours to close */
	bool journal;
} sink = { MANNER_POLL, STDERR_FILENO, false, false };

/* systemd.exec(5): "DEVICE:INODE" of the journal's socket, so that a program whose
 * stderr was redirected since can tell. */
static bool
is_journal(const struct stat *st)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];

	(void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st->st_dev,
	    (uintmax_t)st->st_ino);
	return stream != NULL && strcmp(stream, own) == 0;
}

/* A second open file of the same pipe or terminal; it fails where /proc is missing, or
 * the pipe belongs to who started us before we changed the user. */
static int
open_again(void)
{
	int low = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int fd;

	if (low == -1)
		return -1;
	fd = fcntl(low, F_DUPFD_CLOEXEC, OWN_FD_MIN);
	(void)close(low);
	return fd;
}

static void
open_stderr(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) == -1)
		return;
	sink.journal = is_journal(&st);
	if (S_ISSOCK(st.st_mode)) {
		sink.manner = MANNER_SEND;
	} else if (S_ISREG(st.st_mode)) {
		sink.manner = MANNER_WRITE;
	} else {
		int fd = open_again();

		if (fd == -1)
			return;
		sink.manner = MANNER_WRITE;
		sink.fd = fd;
		sink.own = true;
	}
}

void
logsink_open(const char *ident, bool to_syslog)
{
	if (sink.own)
		(void)close(sink.fd);
	if (sink.manner == MANNER_SYSLOG)
		closelog();
	sink.manner = MANNER_POLL;
	sink.fd = STDERR_FILENO;
	sink.own = false;
	sink.journal = false;
	(void)signal(SIGPIPE, SIG_IGN);
	if (!to_syslog) {
		open_stderr();
		return;
	}
	sink.manner = MANNER_SYSLOG;
	/* NDELAY: the socket must be connected before the sandbox closes. */
	openlog(ident, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

bool
logsink_wants_priority(void)
{
	return sink.journal;
}

bool
logsink_is_syslog(void)
{
	return sink.manner == MANNER_SYSLOG;
}

static bool
is_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

static bool
write_line(int fd, struct sts_str line)
{
	ssize_t n;

	do
		n = write(fd, line.p, line.n);
	while (n == -1 && errno == EINTR);
	/* Half a line is a line: the rest would only end up inside another's. */
	return n > 0;
}

bool
logsink_write(int priority, struct sts_str line)
{
	switch (sink.manner) {
	case MANNER_SYSLOG:
		syslog(priority, "%.*s", (int)line.n - 1, line.p);
		return true;
	case MANNER_SEND:
		return send(sink.fd, line.p, line.n, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
	case MANNER_WRITE:
		if (write_line(sink.fd, line))
			return true;
		/* Somebody may have closed our descriptor along with all others. */
		if (errno != EBADF || !sink.own)
			return false;
		sink.own = false;
		sink.fd = STDERR_FILENO;
		sink.manner = MANNER_POLL;
		return is_writable(sink.fd) && write_line(sink.fd, line);
	case MANNER_POLL:
		return is_writable(sink.fd) && write_line(sink.fd, line);
	}
	return false;
}
