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
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

/* Away from the low numbers, which roles and service managers give a meaning to. */
#define OWN_FD_MIN 20

enum manner {
	MANNER_POLL, /* also before logsink_open */
	MANNER_SEND,
	MANNER_WRITE,
	MANNER_SYSLOG,
	MANNER_JOURNAL,
};

const char *logsink_journal = "/run/systemd/journal/socket";

static struct {
	enum manner manner;
	int fd;
	bool own;     /* fd is ours to close */
	bool journal; /* stderr is it */
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

/* To where roles and service managers expect nothing. Takes the descriptor. */
static int
move_up(int low)
{
	int fd = fcntl(low, F_DUPFD_CLOEXEC, OWN_FD_MIN);

	(void)close(low);
	return fd;
}

static int
open_journal(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", logsink_journal);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return move_up(fd);
	(void)close(fd);
	return -1;
}

/* A second open file of the same pipe or terminal; it fails where /proc is missing, or
 * the pipe belongs to who started us before we changed the user. */
static int
open_again(void)
{
	int low = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	return low == -1 ? -1 : move_up(low);
}

static void
use(enum manner manner, int own_fd)
{
	sink.manner = manner;
	sink.fd = own_fd;
	sink.own = true;
}

static void
open_stderr(const struct stat *st)
{
	if (S_ISSOCK(st->st_mode)) {
		sink.manner = MANNER_SEND;
	} else if (S_ISREG(st->st_mode)) {
		sink.manner = MANNER_WRITE;
	} else {
		int fd = open_again();

		if (fd != -1)
			use(MANNER_WRITE, fd);
	}
}

static void
open_what_stderr_is(void)
{
	struct stat st;
	int fd;

	if (fstat(STDERR_FILENO, &st) == -1)
		return;
	sink.journal = is_journal(&st);
	fd = sink.journal ? open_journal() : -1;
	if (fd != -1)
		use(MANNER_JOURNAL, fd);
	else
		open_stderr(&st);
}

static void
forget(void)
{
	if (sink.own)
		(void)close(sink.fd);
	sink.manner = MANNER_POLL;
	sink.fd = STDERR_FILENO;
	sink.own = false;
}

void
logsink_open(const char *ident, bool to_syslog)
{
	if (sink.manner == MANNER_SYSLOG)
		closelog();
	forget();
	sink.journal = false;
	(void)signal(SIGPIPE, SIG_IGN);
	if (!to_syslog) {
		open_what_stderr_is();
		return;
	}
	sink.manner = MANNER_SYSLOG;
	/* NDELAY: the socket must be connected before the sandbox closes. */
	openlog(ident, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

bool
logsink_wants_priority(void)
{
	return sink.journal && sink.manner != MANNER_JOURNAL;
}

bool
logsink_has_time(void)
{
	return sink.manner == MANNER_SYSLOG || sink.manner == MANNER_JOURNAL;
}

bool
logsink_wants_fields(void)
{
	return sink.manner == MANNER_JOURNAL;
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

static bool
send_fields(struct sts_str fields)
{
	struct stat st;

	if (send(sink.fd, fields.p, fields.n, MSG_DONTWAIT | MSG_NOSIGNAL) != -1)
		return true;
	if (errno == EAGAIN || errno == ENOBUFS)
		return false;
	/* Nobody is there any more. Another one's stderr we may be unable to open. */
	if (errno == EBADF)
		sink.own = false;
	forget();
	if (fstat(STDERR_FILENO, &st) == 0)
		open_stderr(&st);
	return false;
}

bool
logsink_write(int priority, struct sts_str line, struct sts_str fields)
{
	switch (sink.manner) {
	case MANNER_SYSLOG:
		syslog(priority, "%.*s", (int)line.n - 1, line.p);
		return true;
	case MANNER_JOURNAL:
		return send_fields(fields);
	case MANNER_SEND:
		return send(sink.fd, line.p, line.n, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
	case MANNER_WRITE:
		if (write_line(sink.fd, line))
			return true;
		/* Somebody may have closed our descriptor along with all others. */
		if (errno != EBADF || !sink.own)
			return false;
		sink.own = false;
		forget();
		return is_writable(sink.fd) && write_line(sink.fd, line);
	case MANNER_POLL:
		return is_writable(sink.fd) && write_line(sink.fd, line);
	}
	return false;
}
