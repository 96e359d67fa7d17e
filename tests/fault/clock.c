/* SPDX-License-Identifier: MIT */
/*
 * Clocks that a test sets: these take the place of the C library's for everything in the
 * program, libraries too, and add what a page says that the test has laid beside the
 * program as clock.page. Without the page they are right.
 */
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

/* As e2e/lab/clocks.py writes it: milliseconds. stopped: if not 0, where the boot clock
 * stands still. */
static struct page {
	int64_t wall, boot, monotonic, stopped;
} * page;

/* Before page.c counts calls: these are not the program's. */
__attribute__((constructor(101))) static void
look_for_page(void)
{
	page = fault_page_beside("clock.page", sizeof(*page));
}

static int64_t
ahead_ms(clockid_t which)
{
	if (page == NULL)
		return 0;
	switch (which) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		return __atomic_load_n(&page->wall, __ATOMIC_RELAXED);
	case CLOCK_BOOTTIME:
		return __atomic_load_n(&page->boot, __ATOMIC_RELAXED);
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
		return __atomic_load_n(&page->monotonic, __ATOMIC_RELAXED);
	default:
		return 0; /* CPU time */
	}
}

int
clock_gettime(clockid_t which, struct timespec *now)
{
	int64_t ahead = ahead_ms(which), ns;
	int64_t stopped = page != NULL && which == CLOCK_BOOTTIME
	    ? __atomic_load_n(&page->stopped, __ATOMIC_RELAXED)
	    : 0;

	if (stopped != 0) {
		*now = (struct timespec){ stopped / 1000, stopped % 1000 * 1000000 };
		return 0;
	}
	if (syscall(SYS_clock_gettime, which, now) == -1)
		return -1;
	ns = now->tv_nsec + ahead % 1000 * 1000000;
	now->tv_sec += ahead / 1000 + (ns >= 1000000000) - (ns < 0);
	now->tv_nsec = ns - (ns >= 1000000000) * 1000000000 + (ns < 0) * 1000000000;
	return 0;
}

time_t
time(time_t *to)
{
	struct timespec now = { 0, 0 };

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (to != NULL)
		*to = now.tv_sec;
	return now.tv_sec;
}

int
gettimeofday(struct timeval *to, void *zone)
{
	struct timespec now = { 0, 0 };

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	*to = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
	return 0;
}
