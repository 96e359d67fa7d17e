/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "test.h"

int test_failed;

#define A "11111111-2222-3333-4444-555555555555"
#define B "11111111-2222-3333-4444-555555555556"
#define YEARS_50 (INT64_C(50) * 365 * 86400)
#define T INT64_C(1800000000) /* some now */

/* The clock just after start, in milliseconds: offset + boot clock. */
static const struct {
	const char *name;
	struct sts_clock_start start;
	bool marked;
	struct sts_clock_mark mark;
	int64_t now_ms;
} offsets[] = {
	{ "no mark: the wall clock", { A, 5000, T }, false, { "", 0, 0 }, T * 1000 },
	{ "no mark, just booted", { A, 0, T }, false, { "", 0, 0 }, T * 1000 },
	{ "same boot goes on", { A, 70000, T + 65 }, true, { A, 5000, T },
	    (T + 65) * 1000 },
	{ "same boot, to the millisecond", { A, 70123, T }, true, { A, 5001, T },
	    T * 1000 + 65122 },
	{ "same boot, wall 50 years ahead", { A, 70000, T + YEARS_50 }, true,
	    { A, 5000, T }, (T + 65) * 1000 },
	{ "same boot, wall 50 years behind", { A, 70000, T - YEARS_50 }, true,
	    { A, 5000, T }, (T + 65) * 1000 },
	{ "same boot, wall at zero", { A, 70000, 0 }, true, { A, 5000, T },
	    (T + 65) * 1000 },
	{ "same boot, clock was ahead of the wall", { A, 6000, T }, true,
	    { A, 5000, T + 900 }, (T + 901) * 1000 },
	{ "same boot, the mark is younger than the start", { A, 5000, T }, true,
	    { A, 65000, T + 60 }, T * 1000 },
	{ "reboot: the wall clock", { B, 1000, T + 300 }, true, { A, 900000, T },
	    (T + 300) * 1000 },
	{ "reboot, wall behind the mark", { B, 1000, T - 300 }, true, { A, 900000, T },
	    T * 1000 },
	{ "reboot, wall 50 years behind", { B, 1000, T - YEARS_50 }, true,
	    { A, 900000, T }, T * 1000 },
	{ "reboot, wall 50 years ahead", { B, 1000, T + YEARS_50 }, true,
	    { A, 900000, T }, (T + YEARS_50) * 1000 },
	{ "reboot, no battery: wall at zero", { B, 1000, 0 }, true, { A, 900000, T },
	    T * 1000 },
	{ "unknown boot counts as a reboot", { "", 70000, T + 10 }, true, { "", 5000, T },
	    (T + 10) * 1000 },
	{ "unknown boot, wall behind", { "", 70000, T - 10 }, true, { "", 5000, T },
	    T * 1000 },
	{ "mark of an unknown boot", { A, 70000, T + 10 }, true, { "", 5000, T },
	    (T + 10) * 1000 },
	{ "mark at zero is none", { A, 70000, T }, true, { A, 5000, 0 }, T * 1000 },
	{ "mark before 1970 is none", { A, 70000, T }, true, { A, 5000, -1 }, T * 1000 },
	{ "mark out of range is none", { B, 70000, T }, true, { A, 5000, INT64_MAX },
	    T * 1000 },
	{ "mark out of range below", { B, 70000, T }, true, { A, 5000, INT64_MIN },
	    T * 1000 },
	{ "mark's boot clock out of range", { A, 70000, T }, true,
	    { A, INT64_MAX, T + 9 }, T * 1000 },
	{ "mark's boot clock out of range below", { A, 70000, T }, true,
	    { A, INT64_MIN, T + 9 }, T * 1000 },
	{ "wall out of range", { A, 0, INT64_MAX }, false, { "", 0, 0 },
	    INT64_C(253402300799000) },
	{ "wall before 1970", { A, 0, INT64_MIN }, false, { "", 0, 0 }, 0 },
};

static void
offset_follows_the_mark(void)
{
	for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
		const struct sts_clock_mark *mark =
		    offsets[i].marked ? &offsets[i].mark : NULL;
		int64_t offset_ms = sts_clock_offset_ms(&offsets[i].start, mark);

		CHECK(offsets[i].name,
		    offset_ms + offsets[i].start.boot_ms == offsets[i].now_ms);
	}
}

static void
wall_clock_until_set(void)
{
	int64_t before = time(NULL);
	int64_t now = sts_clock_now();

	CHECK("wall clock", now >= before && now <= time(NULL));
}

static void
start_is_read(void)
{
	struct sts_clock_start start, again;

	sts_clock_read_start(&start);
	sts_clock_read_start(&again);
	CHECK("boot id", strlen(start.boot) == 36 && strcmp(start.boot, again.boot) == 0);
	CHECK("boot clock", start.boot_ms > 0 && again.boot_ms >= start.boot_ms);
	CHECK("wall", start.wall > 1500000000 && again.wall >= start.wall);
}

/* However often the clock is taken up again from its own mark, nothing is lost. */
static void
marks_add_no_drift(void)
{
	struct sts_clock_start start;
	struct sts_clock_mark mark;
	int64_t offset_ms;

	sts_clock_read_start(&start);
	start.wall -= YEARS_50 - 7;
	sts_clock_set(&start, NULL);
	CHECK("set", sts_clock_now() - start.wall <= 1 && sts_clock_now() >= start.wall);
	offset_ms = sts_clock_offset_ms(&start, NULL);
	for (int i = 0; i < 1000; i++) {
		sts_clock_mark_now(&mark);
		CHECK("boot of the mark", strcmp(mark.boot, start.boot) == 0);
		CHECK("no drift", sts_clock_offset_ms(&start, &mark) == offset_ms);
		start.wall += 86400;
		sts_clock_set(&start, &mark);
	}
	CHECK("milliseconds", sts_clock_now_ms() / 1000 - sts_clock_now() <= 0);
}

int
main(void)
{
	wall_clock_until_set();
	offset_follows_the_mark();
	start_is_read();
	marks_add_no_drift();
	return test_failed;
}
