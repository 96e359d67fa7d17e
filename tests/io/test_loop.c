/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"
#include "test.h"

int test_failed;

static struct sts_loop *loop;
static int pair[2];

/* What a case's callbacks saw, in order. */
static char seen[64];

static void
see(char c)
{
	size_t n = strlen(seen);

	if (n + 1 < sizeof seen)
		seen[n] = c;
}

static void
send_byte(int fd)
{
	if (write(fd, "x", 1) != 1)
		see('!');
}

static void
take_byte(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		see('!');
}

static struct sts_watch *watch;
static struct sts_watch *other;
static struct sts_timer *timer;
static struct sts_timer *later;
static struct sts_signal *caught;
static char letter_t = 't', letter_l = 'l';

static void
on_ready(void *arg, int fd, unsigned what)
{
	(void)arg;
	see("-rwb"[what & (STS_READ | STS_WRITE)]);
	if (what & STS_READ)
		take_byte(fd);
}

static void
on_ready_free(void *arg, int fd, unsigned what)
{
	(void)arg;
	(void)fd;
	(void)what;
	see('f');
	sts_watch_free(watch);
	sts_watch_free(other);
	watch = other = NULL;
}

static void
on_ready_pause(void *arg, int fd, unsigned what)
{
	(void)arg;
	(void)fd;
	(void)what;
	see('p');
	CHECK("pause", sts_watch_set(watch, 0) == 0);
}

static void
on_time(void *arg)
{
	see(*(const char *)arg);
}

static void
on_time_free(void *arg)
{
	(void)arg;
	see('f');
	sts_timer_free(timer);
	sts_timer_free(later);
	timer = later = NULL;
}

static void
on_time_again(void *arg)
{
	(void)arg;
	see('a');
	if (strlen(seen) < 5)
		CHECK("again", sts_timer_set(timer, 0) == 0);
}

static void
on_time_stop(void *arg)
{
	(void)arg;
	see('s');
	sts_loop_stop(loop);
}

static void
on_signal(void *arg, int signo)
{
	(void)arg;
	see(signo == SIGUSR1 ? 'u' : '?');
}

static void
on_signal_free(void *arg, int signo)
{
	(void)arg;
	(void)signo;
	see('f');
	sts_signal_free(caught);
	caught = NULL;
}

static void
turns(unsigned n)
{
	while (n-- > 0)
		CHECK("turn", sts_loop_once(loop, false) == 0);
}

static void
reads_while_bytes_wait(void)
{
	watch = sts_watch_new(loop, pair[0], on_ready, NULL);
	CHECK("set", sts_watch_set(watch, STS_READ) == 0);
	turns(2);
	send_byte(pair[1]);
	send_byte(pair[1]);
	turns(4);
}

static void
writes_until_told_otherwise(void)
{
	watch = sts_watch_new(loop, pair[0], on_ready, NULL);
	CHECK("set", sts_watch_set(watch, STS_WRITE) == 0);
	turns(2);
	CHECK("same", sts_watch_set(watch, STS_WRITE) == 0);
	turns(1);
	CHECK("set", sts_watch_set(watch, STS_READ) == 0);
	turns(2);
}

static void
both_in_one_call(void)
{
	watch = sts_watch_new(loop, pair[0], on_ready, NULL);
	CHECK("set", sts_watch_set(watch, STS_READ | STS_WRITE) == 0);
	send_byte(pair[1]);
	turns(2);
}

static void
paused_from_inside(void)
{
	watch = sts_watch_new(loop, pair[0], on_ready_pause, NULL);
	CHECK("set", sts_watch_set(watch, STS_READ) == 0);
	send_byte(pair[1]);
	turns(3);
	CHECK("set", sts_watch_set(watch, STS_READ) == 0);
	turns(3);
	take_byte(pair[0]);
}

/* Both are ready in one turn; whichever is called first frees both. */
static void
freed_from_inside(void)
{
	watch = sts_watch_new(loop, pair[0], on_ready_free, NULL);
	other = sts_watch_new(loop, pair[1], on_ready_free, NULL);
	CHECK("set", sts_watch_set(watch, STS_WRITE) == 0);
	CHECK("set", sts_watch_set(other, STS_WRITE) == 0);
	turns(2);
}

static void
hangup_is_readable(void)
{
	int fds[2];
	char c;

	CHECK("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	watch = sts_watch_new(loop, fds[0], on_ready_free, NULL);
	CHECK("set", sts_watch_set(watch, STS_READ) == 0);
	close(fds[1]);
	turns(2);
	CHECK("end of file", read(fds[0], &c, 1) == 0);
	close(fds[0]);
}

static void
unwatchable_is_an_error(void)
{
	FILE *file = tmpfile();

	watch = sts_watch_new(loop, fileno(file), on_ready, NULL);
	CHECK("a plain file", sts_watch_set(watch, STS_READ) == -1);
	CHECK("pausing it", sts_watch_set(watch, 0) == 0);
	fclose(file);
}

static void
timers_fire_in_order(void)
{
	struct sts_timer *t[3];
	const int64_t ms[] = { 12, 3, 0 };
	static char names[] = "321";
	int64_t start = sts_loop_ms(loop);

	for (size_t i = 0; i < 3; i++) {
		t[i] = sts_timer_new(loop, on_time, &names[i]);
		CHECK("set", sts_timer_set(t[i], ms[i]) == 0);
		CHECK("is set", sts_timer_is_set(t[i]));
	}
	CHECK("nothing left", sts_loop_run(loop) == 0);
	CHECK("never early", sts_loop_ms(loop) - start >= 12);
	for (size_t i = 0; i < 3; i++) {
		CHECK("was set", !sts_timer_is_set(t[i]));
		sts_timer_free(t[i]);
	}
}

static void
timer_replaced_and_stopped(void)
{
	timer = sts_timer_new(loop, on_time, &letter_t);
	later = sts_timer_new(loop, on_time, &letter_l);
	CHECK("set", sts_timer_set(timer, INT64_MAX) == 0);
	CHECK("set", sts_timer_set(timer, -1) == 0);
	CHECK("set", sts_timer_set(later, 0) == 0);
	sts_timer_stop(later);
	sts_timer_stop(later);
	CHECK("nothing left", sts_loop_run(loop) == 0);
}

static void
timer_set_from_inside(void)
{
	timer = sts_timer_new(loop, on_time_again, NULL);
	CHECK("set", sts_timer_set(timer, 0) == 0);
	CHECK("nothing left", sts_loop_run(loop) == 0);
}

static void
timers_freed_from_inside(void)
{
	timer = sts_timer_new(loop, on_time_free, NULL);
	later = sts_timer_new(loop, on_time_free, NULL);
	CHECK("set", sts_timer_set(timer, 0) == 0);
	CHECK("set", sts_timer_set(later, 0) == 0);
	turns(3);
}

static int64_t slow_start;

/* The timer is set long after this turn of the loop began. */
static void
on_time_slow(void *arg)
{
	see('w');
	usleep(20000);
	slow_start = sts_loop_ms(loop);
	CHECK("set", sts_timer_set(arg, 10) == 0);
}

static void
timer_counts_from_its_setting(void)
{
	later = sts_timer_new(loop, on_time, &letter_l);
	timer = sts_timer_new(loop, on_time_slow, later);
	CHECK("set", sts_timer_set(timer, 0) == 0);
	CHECK("nothing left", sts_loop_run(loop) == 0);
	CHECK("never early", sts_loop_ms(loop) - slow_start >= 10);
}

static void
stop_ends_run(void)
{
	timer = sts_timer_new(loop, on_time_stop, NULL);
	later = sts_timer_new(loop, on_time, &letter_l);
	CHECK("set", sts_timer_set(timer, 0) == 0);
	CHECK("set", sts_timer_set(later, 60000) == 0);
	CHECK("stopped", sts_loop_run(loop) == 0);
	CHECK("still set", sts_timer_is_set(later));
	sts_loop_stop(loop);
	CHECK("stopped before", sts_loop_run(loop) == 0);
	CHECK("set", sts_timer_set(timer, 0) == 0);
	CHECK("runs again", sts_loop_run(loop) == 0);
}

static void
signals_come_through_the_loop(void)
{
	caught = sts_signal_new(loop, SIGUSR1, on_signal, NULL);
	raise(SIGUSR1);
	see('.');
	turns(3);
	raise(SIGUSR1);
	turns(3);
}

static void
signal_freed_from_inside(void)
{
	caught = sts_signal_new(loop, SIGUSR1, on_signal_free, NULL);
	raise(SIGUSR1);
	turns(3);
}

static void
freeing_nothing(void)
{
	sts_watch_free(NULL);
	sts_timer_free(NULL);
	sts_signal_free(NULL);
	sts_loop_free(NULL);
}

static const struct {
	const char *name;
	void (*run)(void);
	const char *seen;
} cases[] = {
	{ "reads while bytes wait", reads_while_bytes_wait, "rr" },
	{ "writes until told otherwise", writes_until_told_otherwise, "www" },
	{ "both in one call", both_in_one_call, "bw" },
	{ "paused from inside", paused_from_inside, "pp" },
	{ "freed from inside", freed_from_inside, "f" },
	{ "hangup is readable", hangup_is_readable, "f" },
	{ "unwatchable is an error", unwatchable_is_an_error, "" },
	{ "timers fire in order", timers_fire_in_order, "123" },
	{ "timer replaced and stopped", timer_replaced_and_stopped, "t" },
	{ "timer set from inside", timer_set_from_inside, "aaaaa" },
	{ "timers freed from inside", timers_freed_from_inside, "f" },
	{ "timer counts from its setting", timer_counts_from_its_setting, "wl" },
	{ "stop ends run", stop_ends_run, "ss" },
	{ "signals come through the loop", signals_come_through_the_loop, ".uu" },
	{ "signal freed from inside", signal_freed_from_inside, "f" },
	{ "freeing nothing", freeing_nothing, "" },
};

int
main(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		memset(seen, 0, sizeof seen);
		loop = sts_loop_new();
		CHECK(cases[i].name, loop != NULL);
		CHECK(cases[i].name, socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		cases[i].run();
		CHECK(cases[i].name, strcmp(seen, cases[i].seen) == 0);
		sts_watch_free(watch);
		sts_watch_free(other);
		sts_timer_free(timer);
		sts_timer_free(later);
		sts_signal_free(caught);
		watch = other = NULL;
		timer = later = NULL;
		caught = NULL;
		sts_loop_free(loop);
		close(pair[0]);
		close(pair[1]);
	}
	return test_failed;
}
