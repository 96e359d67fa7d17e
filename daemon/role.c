/* SPDX-License-Identifier: MIT */
#include "role.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"

/* No file that we hand to a role is larger: a million overrides fit. */
#define FILE_MAX (256ul * 1024 * 1024)

static void
on_fault(int signo)
{
	if (sts_cache_is_inside())
		_exit(ROLE_EXIT_CACHE);
	(void)signal(signo, SIG_DFL); /* our own fault: die of it, with a core */
	(void)raise(signo);
}

bool
role_is_ours(void)
{
	struct stat st;

	return fstat(ROLE_FD, &st) == 0 && S_ISSOCK(st.st_mode);
}

void
role_begin(void)
{
	static const int ignored[] = { SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGUSR1 };
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_IGN;
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)sigaction(ignored[i], &action, NULL);
	action.sa_handler = on_fault;
	action.sa_flags = (int)SA_NODEFER;
	(void)sigaction(SIGBUS, &action, NULL);
	(void)sigaction(SIGSEGV, &action, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

bool
role_read_fd(int fd, struct sts_buf *to)
{
	char chunk[16384];
	off_t at = 0;
	ssize_t n;

	to->limit = FILE_MAX;
	while ((n = pread(fd, chunk, sizeof(chunk), at)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return false;
		sts_put(to, (struct sts_str){ chunk, (size_t)n });
		at += n;
	}
	return !to->bad;
}
