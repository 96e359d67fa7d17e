/* SPDX-License-Identifier: MIT */
#ifndef STS_CLOCK_H
#define STS_CLOCK_H

#include <stdint.h>

/*
 * stsd's clock: seconds since 1970 that never jump. While the machine runs it counts
 * the boot clock, so that a wrong or corrected wall clock neither expires a policy
 * nor prolongs it; over a restart in the same boot it goes on where it was; after a
 * reboot it starts from the wall clock, but never earlier than the last time stored.
 *
 * A mark, kept in the cache, carries it over: which boot, and what both clocks said.
 */
struct sts_clock_mark {
	char boot[37];	 /* /proc/sys/kernel/random/boot_id; empty: unknown */
	int64_t boot_ms; /* CLOCK_BOOTTIME when the mark was made */
	int64_t now;	 /* stsd's clock then, seconds */
};

/* One reading of this boot, made once by the supervisor and handed to all roles, so
 * that all arrive at the same clock. */
struct sts_clock_start {
	char boot[37];
	int64_t boot_ms;
	int64_t wall; /* seconds */
};

void sts_clock_read_start(struct sts_clock_start *start);

/* Pure: what to add to the boot clock (milliseconds) to get stsd's. mark may be NULL. */
int64_t sts_clock_offset_ms(const struct sts_clock_start *start,
    const struct sts_clock_mark *mark);

/* Sets this process's clock, then tells it. Before sts_clock_set it is the wall clock. */
void sts_clock_set(const struct sts_clock_start *start,
    const struct sts_clock_mark *mark);
int64_t sts_clock_now(void);	/* seconds */
int64_t sts_clock_now_ms(void); /* milliseconds */
void sts_clock_mark_now(struct sts_clock_mark *mark);

#endif
