/* SPDX-License-Identifier: MIT */
/*
 * A unit test, again and again: linked with this (and -Wl,@tests/fault/unit.wrap), each time another
 * of its allocations fails, first alone, then with all that follow. What the test finds is
 * then of no interest, it ends at its first complaint; but nothing may crash, hang, or be
 * left lying about (with AddressSanitizer). FAULT_PLACES=N: at most so many places, spread
 * over all; the first of them always.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

#define PLACES 300
#define SECONDS 120 /* sanitizers, and a busy machine */

/* Commands of stsd-query end with the last: there, memory that runs out ends everything. */
enum { SAME, COMPLAINED = 3, GAVE_UP = 70 };

int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv);

/* CHECK's: what comes after the first may rest on what is not there. */
int __wrap___fprintf_chk(FILE *to, int flag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int __wrap_fprintf(FILE *to, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int __attribute__((format(printf, 2, 0)))
say(FILE *to, const char *format, va_list args)
{
	if (to == stderr && fault_struck())
		_exit(COMPLAINED);
	return vfprintf(to, format, args);
}

int
__wrap___fprintf_chk(FILE *to, int flag, const char *format, ...)
{
	va_list args;
	int n;

	(void)flag;
	va_start(args, format);
	n = say(to, format, args);
	va_end(args);
	return n;
}

int
__wrap_fprintf(FILE *to, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = say(to, format, args);
	va_end(args);
	return n;
}

/* In place of the test's own abort(3). */
_Noreturn void fault_give_up(void);
void
fault_give_up(void)
{
	_exit(COMPLAINED);
}

static void
be_quiet(void)
{
	if (freopen("/dev/null", "w", stdout) == NULL ||
	    freopen("/dev/null", "w", stderr) == NULL)
		_exit(COMPLAINED);
}

/* How many allocations there are; -1: the test fails without any fault. */
static long
count(int argc, char **argv)
{
	unsigned long calls = 0;
	int fds[2], status = 0;
	pid_t pid;

	if (pipe(fds) == -1 || (pid = fork()) == -1)
		return -1;
	if (pid == 0) {
		fault_arm(FAULT_MEMORY, 0, 0);
		status = __real_main(argc, argv);
		calls = fault_calls();
		(void)fault_disarm();
		if (write(fds[1], &calls, sizeof(calls)) != sizeof(calls))
			status = COMPLAINED;
		exit(status);
	}
	close(fds[1]);
	if (read(fds[0], &calls, sizeof(calls)) != sizeof(calls) ||
	    waitpid(pid, &status, 0) != pid || status != 0)
		return -1;
	close(fds[0]);
	return (long)calls;
}

static bool
survives(int argc, char **argv, unsigned long nth, unsigned long length)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		be_quiet();
		(void)alarm(SECONDS);
		fault_arm(FAULT_MEMORY, nth, length);
		status = __real_main(argc, argv);
		(void)fault_disarm();
		exit(status != 0 ? COMPLAINED : SAME);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		return false;
	if (WIFEXITED(status) &&
	    (WEXITSTATUS(status) == SAME || WEXITSTATUS(status) == COMPLAINED ||
		WEXITSTATUS(status) == GAVE_UP))
		return true;
	printf("%s: allocation %lu%s: %s %d\n", argv[0], nth,
	    length == 1 ? "" : " and all after it",
	    WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return false;
}

int
__wrap_main(int argc, char **argv)
{
	const char *wanted = getenv("FAULT_PLACES");
	long calls, places = wanted != NULL ? atol(wanted) : PLACES;
	unsigned failed = 0, passed = 0;

	(void)setvbuf(stdout, NULL, _IONBF, 0);
	calls = count(argc, argv);
	if (calls == -1) {
		printf("%s: fails by itself\n", argv[0]);
		return 1;
	}
	if (places <= 0 || places > calls)
		places = calls;
	for (long i = 0; i < places; i++) {
		/* The square: more of the first, which are about less. */
		unsigned long nth = places == calls
		    ? (unsigned long)i + 1
		    : (unsigned long)((double)i / (double)places * (double)i /
			  (double)places * (double)(calls - places)) +
			(unsigned long)i + 1;

		for (int all = 0; all <= 1; all++)
			if (survives(argc, argv, nth, all ? FAULT_FOREVER : 1))
				passed++;
			else
				failed++;
	}
	printf("%ld allocations; %u passed, %u failed\n", calls, passed, failed);
	return failed != 0;
}
