/* SPDX-License-Identifier: MIT */
/*
 * The control socket from both sides: a process with the real engine and cache that
 * answers at it, and here those who ask. Its DNS server is a socket that says nothing, so
 * that a refresh takes its time.
 */
#include "control.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "control_desk.h"
#include "log.h"
#include "query_control.h"
#include "test.h"

int test_failed;

#define PATIENCE_MS 400
#define WAIT_MS 300
#define ANSWERS "stsd-control/1 "
#define OVERRIDES "a.example notfound\n"
#define POLICY "version: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 604800\n"
#define MAX_AGE 604800
/* More than one piece of a list holds. */
#define MANY 1200

static char directory[] = "/tmp/stsd-control-XXXXXX";
static char path[sizeof(directory) + 16];
static struct config config = { .control_socket = path };

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- Who answers --- */

static int
bind_unix(const char *at)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", at);
	(void)unlink(at);
	if (fd == -1 || bind(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    chmod(at, 0666) == -1 || listen(fd, 64) == -1)
		abort();
	return fd;
}

/* A DNS server that hears and says nothing. */
static void
be_silent(char text[32])
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || bind(fd, (struct sockaddr *)&a, n) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) == -1)
		abort();
	(void)snprintf(text, 32, "127.0.0.1:%u", ntohs(a.sin_port));
}

static struct control_desk *desk;

static void
give_metrics(void *arg)
{
	(void)arg;
	control_desk_metrics(desk, STS_STR("ok\nstsd_lookups_total 7\n"));
}

static int
overrides_file(void)
{
	int fd = memfd_create("overrides", MFD_CLOEXEC);

	if (fd == -1 || write(fd, OVERRIDES, strlen(OVERRIDES)) == -1)
		abort();
	return fd;
}

_Noreturn static void
serve(int fd, bool others)
{
	struct sts_loop *loop = sts_loop_new();
	struct sts_rules rules = { .refresh_interval = 86400, .refresh_unused = 2592000 };
	struct sts_fetcher_config fetcher = { .timeout_ms = 1000, .port = 443 };
	struct sts_engine_config engine = { .loop = loop,
		.rules = &rules,
		.max_lookups = 16,
		.max_fetches = 4,
		.answer_ms = WAIT_MS };
	struct control_desk_config d = { .rules = &rules,
		.wait_ms = WAIT_MS,
		.overrides = overrides_file(),
		.ask_metrics = give_metrics };
	struct control_config c = { .loop = loop,
		.others = others,
		.patience_ms = PATIENCE_MS,
		.on = control_desk_serve };
	char servers[32], file[sizeof(directory) + 16], why[256];
	struct control *control;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	log_open("test", LOG_LEVEL_ERROR, false, false);
	be_silent(servers);
	(void)snprintf(file, sizeof(file), "%s/cache.mdb", directory);
	if (sts_cache_prepare(file, 1 << 24, why, sizeof(why)) != STS_OK ||
	    sts_cache_open(file, 1 << 24, true, loop, &engine.cache, why, sizeof(why)) !=
		STS_OK)
		abort();
	engine.resolve = sts_resolve_new(loop, servers, 600);
	engine.fetcher = sts_fetcher_new(loop, &fetcher);
	d.engine = sts_engine_new(&engine, NULL, NULL);
	d.cache = engine.cache;
	desk = c.arg = control_desk_new(&d);
	control = control_new(&c);
	if (d.engine == NULL || control == NULL || control_listen(control, fd) == -1)
		abort();
	(void)sts_loop_run(loop);
	_exit(0);
}

static pid_t
start(bool others)
{
	int fd = bind_unix(path);
	pid_t pid = fork();

	if (pid == 0)
		serve(fd, others);
	(void)close(fd);
	return pid;
}

/* Ends it as nothing else does: what it has answered must be kept. */
static void
stop(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

/* --- Who asks, with bare hands --- */

static int
connect_raw(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd == -1 || connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1)
		abort();
	return fd;
}

/* What comes until the line ends, the other side closes, or it takes too long. */
static const char *
answer(int fd)
{
	static char text[CONTROL_LINE_MAX + 1];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	while (n < CONTROL_LINE_MAX && (n == 0 || text[n - 1] != '\n')) {
		ssize_t got;

		if (poll(&p, 1, 5000) != 1)
			return "silence";
		got = recv(fd, text + n, CONTROL_LINE_MAX - n, 0);
		if (got <= 0)
			return "closed";
		n += (size_t)got;
	}
	text[n] = '\0';
	return text;
}

static void
say(int fd, const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);

		if (sent == -1)
			return; /* it may have hung up already */
		text += sent;
		n -= (size_t)sent;
	}
}

static const struct {
	const char *name, *said;
	const char *answer; /* how it begins */
} rows[] = {
	{ "hello", ANSWERS "hello\n", ANSWERS "ok " STSD_VERSION " " },
	{ "another version", "stsd-control/2 hello\n", ANSWERS "error " },
	{ "something else", "GET / HTTP/1.0\n", ANSWERS "error " },
	{ "CR LF", "GET / HTTP/1.0\r\n\r\n", "closed" },
	{ "no such verb", ANSWERS "halt\n", ANSWERS "error " },
	{ "half a line", ANSWERS "hel", "closed" },
	{ "nothing", "", "closed" },
	{ "two at once", ANSWERS "hello\n" ANSWERS "hello\n", "closed" },
	{ "no such domain", ANSWERS "show nobody.example\n", ANSWERS "none\n" },
	{ "nothing to forget", ANSWERS "forget nobody.example\n", ANSWERS "none\n" },
	{ "no domain", ANSWERS "show\n", ANSWERS "error " },
	{ "two domains", ANSWERS "show a.example b.example\n", ANSWERS "error " },
	{ "upper case", ANSWERS "show A.example\n", ANSWERS "error " },
	{ "brackets", ANSWERS "forget [a.example]\n", ANSWERS "error " },
	{ "a single label", ANSWERS "refresh a\n", ANSWERS "error " },
	{ "an empty list", ANSWERS "list -\n", ANSWERS "ok -\n" },
	{ "an empty export", ANSWERS "export zzz.example\n", ANSWERS "ok -\n" },
	{ "a list from nowhere", ANSWERS "list\n", ANSWERS "error " },
	{ "overrides", ANSWERS "overrides 0\n",
	    ANSWERS "ok 19 YS5leGFtcGxlIG5vdGZvdW5kCg==\n" },
	{ "the end of them", ANSWERS "overrides 18\n", ANSWERS "ok 19 Cg==\n" },
	{ "beyond it", ANSWERS "overrides 99\n", ANSWERS "ok 19 =\n" },
	{ "before it", ANSWERS "overrides -1\n", ANSWERS "error " },
	{ "import of nothing", ANSWERS "import\n", ANSWERS "error " },
	{ "import of half a policy", ANSWERS "import a.example 1 1000 604800\n",
	    ANSWERS "error " },
	{ "import of no policy", ANSWERS "import a.example 1 1000 604800 0 Zm9v\n",
	    ANSWERS "error " },
	{ "a refresh without DNS", ANSWERS "refresh a.example\n", ANSWERS "ok running " },
};

static void
test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = connect_raw();
		int64_t began = now_ms();
		const char *got;

		say(fd, rows[i].said);
		got = answer(fd);
		if (strncmp(got, rows[i].answer, strlen(rows[i].answer)) != 0) {
			printf("%s: %s\n", rows[i].name, got);
			test_failed = 1;
		}
		CHECK(rows[i].name, now_ms() - began < 3000);
		(void)close(fd);
	}
}

static void
test_long_line(void)
{
	char *line = malloc(CONTROL_LINE_MAX + 2);
	int fd = connect_raw();

	if (line == NULL)
		abort();
	memset(line, 'a', CONTROL_LINE_MAX + 1);
	line[CONTROL_LINE_MAX + 1] = '\0';
	say(fd, line);
	CHECK("a line without an end", strcmp(answer(fd), "closed") == 0);
	free(line);
	(void)close(fd);
}

/* It waits for its answer, and speaks: it is let go, and the journey goes on. */
static void
test_impatient(void)
{
	int fd = connect_raw();

	say(fd, ANSWERS "refresh b.example\n");
	(void)poll(NULL, 0, 50);
	say(fd, ANSWERS "hello\n");
	CHECK("out of turn", strcmp(answer(fd), "closed") == 0);
	(void)close(fd);

	fd = connect_raw();
	say(fd, ANSWERS "refresh b.example\n");
	(void)poll(NULL, 0, 50);
	(void)close(fd);
	fd = connect_raw();
	say(fd, ANSWERS "hello\n");
	CHECK("it still answers", strncmp(answer(fd), ANSWERS "ok", 17) == 0);
	(void)close(fd);
}

/* Silent ones take all places, for a while. */
static void
test_crowd(void)
{
	int silent[CONTROL_GUESTS_MAX + 2], fd;
	int64_t began = now_ms();

	for (size_t i = 0; i < CONTROL_GUESTS_MAX + 2; i++)
		silent[i] = connect_raw();
	fd = connect_raw();
	say(fd, ANSWERS "hello\n");
	CHECK("his turn comes", strncmp(answer(fd), ANSWERS "ok", 17) == 0);
	CHECK("after that of others", now_ms() - began >= PATIENCE_MS);
	for (size_t i = 0; i < CONTROL_GUESTS_MAX + 2; i++)
		(void)close(silent[i]);
	(void)close(fd);
}

/* Who does not take what he asked for. */
static void
test_deaf(void)
{
	int deaf = connect_raw(), fd = connect_raw();

	say(deaf, ANSWERS "export -\n");
	say(fd, ANSWERS "hello\n");
	CHECK("nobody waits for him", strncmp(answer(fd), ANSWERS "ok", 17) == 0);
	(void)close(fd);
	(void)close(deaf);
}

/* --- Who asks, as stsd-query does --- */

static struct query_control *
open_control(void)
{
	enum query_control_err err;
	char why[256] = "";
	struct query_control *c = query_control_open(&config, &err, why, sizeof(why));

	if (c == NULL) {
		printf("%s\n", why);
		exit(1);
	}
	return c;
}

static struct sts_buf request;

static void
put_policy(struct query_control *c, const char *domain, int64_t age)
{
	control_put_word(&request, sts_str_of(domain));
	control_put_word(&request, STS_STR("1"));
	control_put_number(&request, query_control_now(c) - age);
	control_put_number(&request, MAX_AGE);
	control_put_number(&request, 0);
	control_put_bytes(&request, STS_STR(POLICY));
}

static void
check_import(const char *name, struct query_control *c, int64_t stored, int64_t kept,
    int64_t expired)
{
	struct control_words words;
	enum query_control_err err = query_control_ask(c, &request, 5000, &words);

	CHECK(name, err == QUERY_CONTROL_OK);
	if (err != QUERY_CONTROL_OK) {
		printf("%s: %s\n", name, query_control_why(c));
		return;
	}
	CHECK(name, control_take_number(&words) == stored);
	CHECK(name, control_take_number(&words) == kept);
	CHECK(name, control_take_number(&words) == expired);
	CHECK(name, control_is_over(&words));
}

static void
test_import(void)
{
	struct query_control *c = open_control();

	control_put_start(&request, "import");
	put_policy(c, "c.example", 100);
	put_policy(c, "d.example", MAX_AGE + 1);
	check_import("stored, and expired", c, 1, 0, 1);
	control_put_start(&request, "import");
	put_policy(c, "c.example", 100);
	put_policy(c, "c.example", 200);
	put_policy(c, "c.example", 50);
	check_import("what is younger counts", c, 1, 2, 0);
	control_put_start(&request, "import");
	put_policy(c, "e.example", 100);
	put_policy(c, "f.example", -100);
	CHECK("of the future",
	    query_control_ask(c, &request, 1000,
		&(struct control_words){ .bad = true }) == QUERY_CONTROL_TROUBLE);
	CHECK("of the future", strstr(query_control_why(c), "future") != NULL);
	query_control_close(c);
}

/* While a journey is under way, what is imported is not lost. */
static void
test_import_running(void)
{
	struct query_control *c = open_control();
	struct query_cached cached = { .now = 0 };
	struct control_words words;
	int64_t fetched;

	control_put_start(&request, "refresh");
	control_put_word(&request, STS_STR("g.example"));
	CHECK("running",
	    query_control_ask(c, &request, 5000, &words) == QUERY_CONTROL_OK);
	control_put_start(&request, "import");
	put_policy(c, "g.example", 100);
	check_import("while it runs", c, 1, 0, 0);
	fetched = query_control_now(c) - 100;
	query_control_close(c);
	(void)poll(NULL, 0, 1800); /* the journey's end, and its write */
	CHECK("kept",
	    query_control_show(&config, STS_STR("g.example"), &cached, NULL, 0) ==
		QUERY_CONTROL_OK);
	CHECK("kept", cached.entry.fetched == fetched);
	query_cached_done(&cached);
}

static void
check_shown(const char *name, const char *domain, enum query_control_err err)
{
	struct query_cached cached = { .now = 0 };
	char why[256];

	CHECK(name,
	    query_control_show(&config, sts_str_of(domain), &cached, why, sizeof(why)) ==
		err);
	CHECK(name, strcmp(cached.version, STSD_VERSION) == 0 && cached.now > 0);
	if (err == QUERY_CONTROL_OK) {
		CHECK(name, cached.entry.mode == STS_MODE_ENFORCE);
		CHECK(name, sts_str_eq(cached.entry.policy, STS_STR(POLICY)));
		CHECK(name, sts_str_eq(cached.entry.id, STS_STR("1")));
		CHECK(name, cached.refresh > cached.now);
	}
	query_cached_done(&cached);
}

static void
test_forget(void)
{
	struct query_control *c = open_control();
	struct control_words words;

	check_shown("before", "c.example", QUERY_CONTROL_OK);
	control_put_start(&request, "forget");
	control_put_word(&request, STS_STR("c.example"));
	CHECK("forget", query_control_ask(c, &request, 1000, &words) == QUERY_CONTROL_OK);
	check_shown("after", "c.example", QUERY_CONTROL_NONE);
	query_control_close(c);
}

/* Nor does what is forgotten come back with a journey that began before. */
static void
test_forget_running(void)
{
	struct query_control *c = open_control();
	struct control_words words;

	control_put_start(&request, "import");
	put_policy(c, "h.example", 100);
	check_import("to be forgotten", c, 1, 0, 0);
	control_put_start(&request, "refresh");
	control_put_word(&request, STS_STR("h.example"));
	CHECK("running",
	    query_control_ask(c, &request, 5000, &words) == QUERY_CONTROL_OK);
	control_put_start(&request, "forget");
	control_put_word(&request, STS_STR("h.example"));
	CHECK("forget", query_control_ask(c, &request, 1000, &words) == QUERY_CONTROL_OK);
	query_control_close(c);
	(void)poll(NULL, 0, 1800);
	check_shown("for good", "h.example", QUERY_CONTROL_NONE);
}

/* All that is listed, piece by piece: how many words there are. */
static size_t
walk(struct query_control *c, const char *verb, size_t *pieces)
{
	char after[STS_NAME_MAX + 1] = "";
	size_t count = 0;

	do {
		struct control_words words;
		struct sts_str next;

		control_put_start(&request, verb);
		control_put_word(&request, sts_str_of(after));
		if (query_control_ask(c, &request, 5000, &words) != QUERY_CONTROL_OK)
			return 0;
		next = control_take_word(&words);
		(void)snprintf(after, sizeof(after), "%.*s", (int)next.n,
		    next.n > 0 ? next.p : "");
		for (; control_has_more(&words); count++)
			(void)control_take_word(&words);
		CHECK(verb, control_is_over(&words));
		(*pieces)++;
	} while (after[0] != '\0');
	return count;
}

static void
test_lists(void)
{
	struct query_control *c = open_control();
	size_t pieces = 0;
	char domain[32];

	for (int i = 0; i < MANY; i += 400) {
		control_put_start(&request, "import");
		for (int k = i; k < i + 400; k++) {
			(void)snprintf(domain, sizeof(domain), "n%d.many.example", k);
			put_policy(c, domain, 1000);
		}
		check_import("many", c, 400, 0, 0);
	}
	/* g.example is there from before. */
	CHECK("all are listed", walk(c, "list", &pieces) == (MANY + 1) * 6);
	CHECK("in pieces", pieces > MANY / 500);
	pieces = 0;
	CHECK("all are exported", walk(c, "export", &pieces) == (MANY + 1) * 6);
	CHECK("in pieces", pieces > MANY / 500);
	query_control_close(c);
}

static void
test_stats(void)
{
	struct query_control *c = open_control();
	struct sts_buf metrics = { 0 }, health = { 0 };
	struct control_words words;
	int64_t numbers[12];

	control_put_start(&request, "stats");
	CHECK("stats", query_control_ask(c, &request, 1000, &words) == QUERY_CONTROL_OK);
	for (size_t i = 0; i < 12; i++)
		numbers[i] = control_take_number(&words);
	control_take_bytes(&words, &health);
	control_take_bytes(&words, &metrics);
	CHECK("stats", control_is_over(&words) && numbers[1] == MANY + 1);
	CHECK("health", sts_str_eq(sts_buf_str(&health), STS_STR("ok")));
	CHECK("metrics",
	    sts_str_eq(sts_buf_str(&metrics), STS_STR("stsd_lookups_total 7\n")));
	sts_buf_done(&metrics);
	sts_buf_done(&health);
	query_control_close(c);
}

/* The connection of one who is slow is closed; he does not notice. */
static void
test_pause(void)
{
	struct query_control *c = open_control();
	struct control_words words;
	enum query_control_err err;

	(void)poll(NULL, 0, 2 * PATIENCE_MS);
	control_put_start(&request, "hello");
	err = query_control_ask(c, &request, 1000, &words);
	CHECK("a pause", err == QUERY_CONTROL_OK);
	query_control_close(c);
}

static void
test_denied(void)
{
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		return; /* nobody else to be */
	pid = fork();
	if (pid == 0) {
		int fd;

		if (setuid(65534) == -1)
			_exit(1);
		fd = connect_raw();
		say(fd, ANSWERS "hello\n");
		_exit(strcmp(answer(fd), ANSWERS "denied\n") == 0 ? 0 : 1);
	}
	(void)waitpid(pid, &status, 0);
	CHECK("another user", status == 0);
}

static void
test_others(void)
{
	struct query_cached cached = { .now = 0 };
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		return;
	pid = fork();
	if (pid == 0) {
		if (setuid(65534) == -1)
			_exit(1);
		_exit(query_control_show(&config, STS_STR("c.example"), &cached, NULL,
			  0) == QUERY_CONTROL_NONE
			? 0
			: 1);
	}
	(void)waitpid(pid, &status, 0);
	CHECK("where a group may", status == 0);
}

/* --- Nobody answers, or somebody else --- */

static const struct {
	const char *name, *says; /* NULL: it says nothing */
	enum query_control_err err;
} strangers[] = {
	{ "the next version", "stsd-control/2 ok\n", QUERY_CONTROL_VERSION },
	{ "something else", "220 mail.example ESMTP\n", QUERY_CONTROL_TROUBLE },
	{ "too much", ANSWERS "ok 0.1.0 1 1\n\n", QUERY_CONTROL_TROUBLE },
	{ "too little", ANSWERS "ok 0.1.0\n", QUERY_CONTROL_TROUBLE },
	{ "words of its own", ANSWERS "perhaps\n", QUERY_CONTROL_TROUBLE },
	{ "denied", ANSWERS "denied\n", QUERY_CONTROL_DENIED },
	{ "silence", NULL, QUERY_CONTROL_TROUBLE },
	{ "its end", "", QUERY_CONTROL_TROUBLE },
};

static void
test_strangers(void)
{
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		struct query_cached cached = { .now = 0 };
		int fd = bind_unix(path), status, guest;
		int64_t began = now_ms();
		pid_t pid = fork();
		char why[256] = "";

		if (pid == 0) {
			(void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1,
			    5000);
			guest = accept(fd, NULL, NULL);
			if (strangers[i].says != NULL)
				say(guest, strangers[i].says);
			else
				(void)poll(NULL, 0, 3000);
			_exit(0);
		}
		CHECK(strangers[i].name,
		    query_control_show(&config, STS_STR("a.example"), &cached, why,
			sizeof(why)) == strangers[i].err);
		CHECK(strangers[i].name, why[0] != '\0' && now_ms() - began < 2000);
		query_cached_done(&cached);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, &status, 0);
		(void)close(fd);
	}
}

/* What was said before it hung up counts, though our question did not reach it. */
static void
test_last_words(void)
{
	struct query_control *c;
	struct control_words words;
	int fd = bind_unix(path), go[2], status, guest;
	pid_t pid;
	char asked[64];

	if (pipe(go) == -1 || (pid = fork()) == -1)
		abort();
	if (pid == 0) {
		(void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 5000);
		guest = accept(fd, NULL, NULL);
		(void)recv(guest, asked, sizeof(asked), 0);
		say(guest, ANSWERS "ok 0.1.0 1 1\n");
		if (read(go[0], asked, 1) == 1)
			say(guest, "stsd-control/2 ok\n");
		_exit(0);
	}
	c = open_control();
	(void)close(fd);
	CHECK("its last words", write(go[1], "", 1) == 1);
	(void)waitpid(pid, &status, 0);
	control_put_start(&request, "hello");
	CHECK("its last words",
	    query_control_ask(c, &request, 1000, &words) == QUERY_CONTROL_VERSION);
	query_control_close(c);
	(void)close(go[0]);
	(void)close(go[1]);
}

static void
test_nobody(void)
{
	struct query_cached cached = { .now = 0 };
	struct config off = { .control_socket = NULL };
	char why[256] = "";

	CHECK("a leftover",
	    query_control_show(&config, STS_STR("a.example"), &cached, why,
		sizeof(why)) == QUERY_CONTROL_AWAY);
	CHECK("says what to do", strstr(why, "is it running") != NULL);
	(void)unlink(path);
	CHECK("nothing there",
	    query_control_show(&config, STS_STR("a.example"), &cached, why,
		sizeof(why)) == QUERY_CONTROL_AWAY);
	CHECK("none",
	    query_control_show(&off, STS_STR("a.example"), &cached, why, sizeof(why)) ==
		QUERY_CONTROL_OFF);
	query_cached_done(&cached);
}

int
main(void)
{
	char command[sizeof(directory) + 32];
	pid_t pid;

	(void)signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(directory) == NULL || chmod(directory, 0755) == -1)
		abort();
	(void)snprintf(path, sizeof(path), "%s/control", directory);
	pid = start(false);
	test_rows();
	test_long_line();
	test_impatient();
	test_crowd();
	test_denied();
	test_import();
	test_forget();
	test_import_running();
	test_forget_running();
	test_lists();
	test_deaf();
	test_stats();
	test_pause();
	stop(pid);
	pid = start(true);
	check_shown("over a kill", "n1199.many.example", QUERY_CONTROL_OK);
	check_shown("over a kill", "c.example", QUERY_CONTROL_NONE);
	test_others();
	stop(pid);
	test_nobody();
	test_strangers();
	test_last_words();
	sts_buf_done(&request);
	(void)snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) != 0 || test_failed;
}
