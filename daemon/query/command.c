/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_MS ((int64_t)COMMAND_SECONDS * 1000)

/* What one of its two streams has said. */
struct stream {
	int fd; /* -1: it has ended */
	struct sts_buf *to;
};

static void
close_one(int *fd)
{
	if (*fd != -1)
		(void)close(*fd);
	*fd = -1;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
read_some(struct stream *s, size_t max)
{
	char chunk[16384];
	ssize_t n = read(s->fd, chunk, sizeof(chunk));
	struct sts_str piece = { chunk, n > 0 ? (size_t)n : 0 };

	if (n == -1 && errno == EINTR)
		return;
	if (n <= 0) {
		close_one(&s->fd);
		return;
	}
	if (piece.n > max - s->to->n)
		piece.n = max - s->to->n;
	sts_put(s->to, piece);
}

/* False: the time is over. */
static bool
collect(struct stream *streams, size_t max)
{
	int64_t deadline = now_ms() + COMMAND_MS;

	while (streams[0].fd != -1 || streams[1].fd != -1) {
		struct pollfd polls[2] = { { .fd = streams[0].fd, .events = POLLIN },
			{ .fd = streams[1].fd, .events = POLLIN } };
		int64_t left = deadline - now_ms();

		if (left <= 0)
			return false;
		if (poll(polls, 2, (int)left) <= 0)
			continue;
		for (size_t i = 0; i < 2; i++)
			if (polls[i].revents != 0)
				read_some(&streams[i], max);
	}
	return true;
}

static int
start(const char *const *words, const int *pipes, pid_t *pid)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
	char *environment[] = { path, locale, NULL };
	posix_spawn_file_actions_t actions;
	int failed;

	if ((failed = posix_spawn_file_actions_init(&actions)) != 0)
		return failed;
	failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
	    O_RDONLY, 0);
	if (failed == 0)
		failed =
		    posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
	if (failed == 0)
		failed =
		    posix_spawn_file_actions_adddup2(&actions, pipes[3], STDERR_FILENO);
	if (failed == 0)
		failed = posix_spawn(pid, words[0], &actions, NULL, (char *const *)words,
		    environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	return failed;
}

/* Its streams may end before it does. */
static int
reap(pid_t pid, bool in_time)
{
	int status;

	if (!in_time)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	if (in_time && WIFEXITED(status))
		return WEXITSTATUS(status);
	errno = in_time ? ECHILD : ETIMEDOUT;
	return -1;
}

int
command_run(const char *const *words, size_t max, struct sts_buf *out,
    struct sts_buf *err)
{
	int pipes[4] = { -1, -1, -1, -1 };
	struct stream streams[2] = { { -1, out }, { -1, err } };
	int status = -1, failed = 0;
	bool in_time;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) == -1 || pipe2(pipes + 2, O_CLOEXEC) == -1 ||
	    (failed = start(words, pipes, &pid)) != 0)
		goto done;
	close_one(&pipes[1]);
	close_one(&pipes[3]);
	streams[0].fd = pipes[0];
	streams[1].fd = pipes[2];
	in_time = collect(streams, max);
	pipes[0] = streams[0].fd;
	pipes[2] = streams[1].fd;
	status = reap(pid, in_time);
	failed = status == -1 ? errno : 0;
done:
	failed = failed != 0 ? failed : errno;
	for (size_t i = 0; i < 4; i++)
		close_one(&pipes[i]);
	errno = failed;
	return status;
}
