/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cache.h"
#include "log.h"

#define PATH_MAX_HERE 4096

/* Nothing on a working disk takes longer; a process that hangs must not hang us. */
#define PREPARE_SECONDS 30

static int
fail(char *why, size_t why_n, const char *path, const char *what)
{
	(void)snprintf(why, why_n, "%s: %s", path, what);
	return -1;
}

static int
path_of(char path[PATH_MAX_HERE], const char *directory, const char *name)
{
	int n = snprintf(path, PATH_MAX_HERE, "%s/%s", directory, name);

	return n > 0 && n < PATH_MAX_HERE ? 0 : -1;
}

/* "a", "a/b" ... of "a/b/c": as mkdir -p does it. */
static int
make_above(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		int result;

		*slash = '\0';
		result = mkdir(path, 0755);
		*slash = '/';
		if (result == -1 && errno != EEXIST)
			return -1;
	}
	return 0;
}

static int
make(const char *directory, mode_t mode, const struct account *owner, char *why,
    size_t why_n)
{
	char path[PATH_MAX_HERE];
	struct stat st;

	if (stat(directory, &st) == 0)
		return S_ISDIR(st.st_mode)
		    ? 0
		    : fail(why, why_n, directory, "is no directory");
	if (errno != ENOENT || strlen(directory) >= sizeof(path))
		return fail(why, why_n, directory, strerror(errno));
	(void)snprintf(path, sizeof(path), "%s", directory);
	if (make_above(path) == -1 || mkdir(directory, mode) == -1)
		return fail(why, why_n, directory, strerror(errno));
	if (owner->name[0] != '\0' && chown(directory, owner->uid, owner->gid) == -1)
		return fail(why, why_n, directory, strerror(errno));
	return 0;
}

int
state_make(const char *directory, const struct account *owner, char *why, size_t why_n)
{
	return make(directory, 0700, owner, why, why_n);
}

int
state_make_above(const char *file, const struct account *owner, char *why, size_t why_n)
{
	const char *slash = strrchr(file, '/');
	char directory[PATH_MAX_HERE];

	if (slash == NULL || slash == file)
		return 0;
	if ((size_t)(slash - file) >= sizeof(directory))
		return fail(why, why_n, file, strerror(ENAMETOOLONG));
	memcpy(directory, file, (size_t)(slash - file));
	directory[slash - file] = '\0';
	return make(directory, 0755, owner, why, why_n);
}

int
state_lock(const char *directory, char *why, size_t why_n)
{
	char path[PATH_MAX_HERE];
	int fd;

	if (path_of(path, directory, "lock") == -1)
		return fail(why, why_n, directory, strerror(ENAMETOOLONG));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return fail(why, why_n, path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0; /* stays open: the lock is as long as we are */
	fail(why, why_n, directory,
	    errno == EWOULDBLOCK ? "another stsd has it" : strerror(errno));
	close(fd);
	return -1;
}

/* How looking at the file went. What could not be looked at is not damaged. */
enum looked { LOOKED_GOOD, LOOKED_DAMAGED, LOOKED_FAILED };

/* In the process of its own. */
_Noreturn static void
look(const char *path, uint64_t size, int to)
{
	char why[256] = "";
	enum sts_err err;

	(void)alarm(PREPARE_SECONDS);
	err = sts_cache_prepare(path, size, why, sizeof(why));
	if (err != STS_OK)
		(void)!write(to, why, strlen(why));
	if (err == STS_ERR_CACHE)
		_exit(LOOKED_DAMAGED);
	/* Else no memory, or a full disk. */
	_exit(err == STS_OK ? LOOKED_GOOD : LOOKED_FAILED);
}

/* What garbage leads to; killed for memory or for its time, it has found nothing. */
static bool
is_fault(int signo)
{
	return signo == SIGBUS || signo == SIGSEGV || signo == SIGABRT || signo == SIGFPE;
}

/* What it said, and how it ended. */
static enum looked
hear(pid_t pid, int from, const char *path, char *why, size_t why_n)
{
	char said[256] = "";
	ssize_t n = read(from, said, sizeof(said) - 1);
	int status;

	said[n > 0 ? n : 0] = '\0';
	while (waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR) {
			fail(why, why_n, path, strerror(errno));
			return LOOKED_FAILED;
		}
	}
	if (WIFSIGNALED(status))
		(void)snprintf(said, sizeof(said), "looking at it ended with signal %d",
		    WTERMSIG(status));
	fail(why, why_n, path, said);
	if (WIFSIGNALED(status))
		return is_fault(WTERMSIG(status)) ? LOOKED_DAMAGED : LOOKED_FAILED;
	return (enum looked)WEXITSTATUS(status);
}

static enum looked
prepare(const char *path, uint64_t size, char *why, size_t why_n)
{
	enum looked looked = LOOKED_FAILED;
	int pipe_fds[2];
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) == -1) {
		fail(why, why_n, path, strerror(errno));
		return looked;
	}
	pid = fork();
	if (pid == 0)
		look(path, size, pipe_fds[1]);
	if (pid == -1)
		fail(why, why_n, path, strerror(errno));
	close(pipe_fds[1]);
	if (pid != -1)
		looked = hear(pid, pipe_fds[0], path, why, why_n);
	close(pipe_fds[0]);
	return looked;
}

static int
move_aside(const char *path, const char *reason, char *why, size_t why_n)
{
	char to[PATH_MAX_HERE] = "";

	if (sts_cache_move_aside(path, time(NULL), to, sizeof(to)) == -1)
		return fail(why, why_n, path, strerror(errno));
	log_begin(LOG_LEVEL_ERROR, "cache-moved-aside", STS_STR_NONE, reason);
	log_text("to", sts_str_of(to));
	log_end();
	return 0;
}

int
state_prepare(const char *directory, uint64_t cache_size, char *why, size_t why_n)
{
	char path[PATH_MAX_HERE];
	enum looked looked;

	if (path_of(path, directory, "cache.mdb") == -1)
		return fail(why, why_n, directory, strerror(ENAMETOOLONG));
	looked = prepare(path, cache_size, why, why_n);
	if (looked == LOOKED_GOOD)
		return 0;
	/* What could not be made has nothing to move; what is not ours, is not damaged. */
	if (looked != LOOKED_DAMAGED || access(path, F_OK) == -1 ||
	    access(path, R_OK | W_OK) == -1)
		return -1;
	if (move_aside(path, why, why, why_n) == -1)
		return -1;
	return prepare(path, cache_size, why, why_n) == LOOKED_GOOD ? 0 : -1;
}

int
state_renew(const char *directory, uint64_t cache_size, char *why, size_t why_n)
{
	char path[PATH_MAX_HERE];
	const char *reason;

	if (path_of(path, directory, "cache.mdb") == -1)
		return fail(why, why_n, directory, strerror(ENAMETOOLONG));
	reason =
	    access(path, F_OK) == 0 ? "a process could not use it" : "it was removed";
	if (move_aside(path, reason, why, why_n) == -1)
		return -1;
	return prepare(path, cache_size, why, why_n) == LOOKED_GOOD ? 0 : -1;
}
