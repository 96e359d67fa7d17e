/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

/* The last second of the year 9999. What lies beyond it was never a time: a mark from
 * a damaged file must not make sums overflow. */
#define SECONDS_MAX INT64_C(253402300799)
#define MS_MAX (SECONDS_MAX * 1000)

static struct {
	bool set;
	char boot[37];
	int64_t offset_ms; /* stsd's clock less the boot clock */
} ours;

static int64_t
read_ms(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Empty where there is none to read, as in a container without /proc. */
static void
read_boot(char boot[37])
{
	char id[36];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	boot[0] = '\0';
	if (fd == -1)
		return;
	if (read(fd, id, sizeof id) == (ssize_t)sizeof id) {
		memcpy(boot, id, sizeof id);
		boot[sizeof id] = '\0';
	}
	close(fd);
}

void
sts_clock_read_start(struct sts_clock_start *start)
{
	read_boot(start->boot);
	start->boot_ms = read_ms(CLOCK_BOOTTIME);
	start->wall = read_ms(CLOCK_REALTIME) / 1000;
}

static bool
is_sound(const struct sts_clock_mark *mark)
{
	return mark->now > 0 && mark->now <= SECONDS_MAX && mark->boot_ms >= -MS_MAX &&
	    mark->boot_ms <= MS_MAX;
}

static int64_t
inside(int64_t value, int64_t min, int64_t max)
{
	return value < min ? min : value > max ? max : value;
}

int64_t
sts_clock_offset_ms(const struct sts_clock_start *start,
    const struct sts_clock_mark *mark)
{
	int64_t now = inside(start->wall, 0, SECONDS_MAX);

	if (mark != NULL && !is_sound(mark))
		mark = NULL;
	/* The mark may be younger than the start: a role that was started again gets the
	 * supervisor's reading. */
	if (mark != NULL && start->boot[0] != '\0' &&
	    strncmp(start->boot, mark->boot, sizeof start->boot) == 0)
		return mark->now * 1000 - mark->boot_ms;
	if (mark != NULL && now < mark->now)
		now = mark->now;
	return now * 1000 - inside(start->boot_ms, 0, MS_MAX);
}

void
sts_clock_set(const struct sts_clock_start *start, const struct sts_clock_mark *mark)
{
	memcpy(ours.boot, start->boot, sizeof ours.boot);
	ours.boot[sizeof ours.boot - 1] = '\0';
	ours.offset_ms = sts_clock_offset_ms(start, mark);
	ours.set = true;
}

int64_t
sts_clock_now_ms(void)
{
	return ours.set ? ours.offset_ms + read_ms(CLOCK_BOOTTIME)
			: read_ms(CLOCK_REALTIME);
}

int64_t
sts_clock_now(void)
{
	return sts_clock_now_ms() / 1000;
}

/* The mark is of the moment this second began, so that it tells the offset to the
 * millisecond: a second's rounding at each restart would add up. */
void
sts_clock_mark_now(struct sts_clock_mark *mark)
{
	int64_t offset_ms =
	    ours.set ? ours.offset_ms : read_ms(CLOCK_REALTIME) - read_ms(CLOCK_BOOTTIME);

	memcpy(mark->boot, ours.boot, sizeof mark->boot);
	mark->now = sts_clock_now();
	mark->boot_ms = mark->now * 1000 - offset_ms;
}
