/* SPDX-License-Identifier: MIT */
#include "query_control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "query_keep.h"

/* When its waiting room is full: how often to look again. */
#define RETRY_MS 20

struct query_control {
	char *path;
	int fd;	     /* -1: not connected now */
	bool closed; /* by the other side, before the answer was whole */
	char version[32];
	int64_t now, uptime;
	struct sts_buf answer;
	char why[512];
};

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static enum query_control_err
fail(struct query_control *c, enum query_control_err err, const char *what,
    const char *advice)
{
	struct sts_buf text = { .limit = sizeof(c->why) - 1 };

	sts_put_escaped(&text, sts_str_of(c->path));
	sts_put_text(&text, ": ");
	sts_put_escaped(&text, sts_str_of(what));
	sts_put_text(&text, advice);
	if (text.n > 0)
		memcpy(c->why, text.p, text.n);
	c->why[text.n] = '\0';
	sts_buf_done(&text);
	return err;
}

static enum query_control_err
fail_connect(struct query_control *c)
{
	switch (errno) {
	case ENOENT:
	case ECONNREFUSED:
	case ENOTDIR:
		return fail(c, QUERY_CONTROL_AWAY, strerror(errno),
		    ": no stsd listens there; is it running, with the same "
		    "control_socket?");
	case EACCES:
	case EPERM:
		return fail(c, QUERY_CONTROL_DENIED, strerror(errno),
		    ": ask as root or as the account of stsd, or set socket_group to "
		    "a group that you are in");
	case EAGAIN:
		return fail(c, QUERY_CONTROL_TROUBLE, "no connection in time",
		    ": too many ask at once, or stsd hangs; see its log");
	}
	return fail(c, QUERY_CONTROL_TROUBLE, strerror(errno), "");
}

static enum query_control_err
fail_deny(struct query_control *c)
{
	return fail(c, QUERY_CONTROL_DENIED,
	    "stsd answers root and its own account alone",
	    "; others once socket_group is set");
}

static void
hang_up(struct query_control *c)
{
	if (c->fd != -1)
		(void)close(c->fd);
	c->fd = -1;
}

/* -1 with errno; EAGAIN: not until the deadline. */
static int
connect_until(struct query_control *c, int64_t deadline)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int saved;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", c->path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		return -1;
	while (connect(c->fd, (struct sockaddr *)&address, sizeof(address)) == -1) {
		if ((errno == EAGAIN || errno == EINTR) && now_ms() < deadline) {
			(void)poll(NULL, 0, RETRY_MS);
			continue;
		}
		saved = errno;
		hang_up(c);
		errno = saved;
		return -1;
	}
	return 0;
}

/* False with errno; EAGAIN: not until the deadline. */
static bool
wait_for(const struct query_control *c, short events, int64_t deadline)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	int64_t left;
	int n;

	do {
		left = deadline - now_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n == -1 && errno == EINTR);
	if (n == 0)
		errno = EAGAIN;
	return n > 0;
}

static bool
send_until(struct query_control *c, struct sts_str bytes, int64_t deadline)
{
	while (bytes.n > 0) {
		ssize_t n = send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n >= 0)
			bytes = sts_str_from(bytes, (size_t)n);
		else if (errno == EAGAIN ? !wait_for(c, POLLOUT, deadline)
					 : errno != EINTR)
			return false;
	}
	return true;
}

static const char *
closed(struct query_control *c, int error)
{
	c->closed = true;
	return error == 0 || error == ECONNRESET
	    ? "the connection was closed without an answer"
	    : strerror(error);
}

/* A line into c->answer; NULL, or why there is none. */
static const char *
receive_until(struct query_control *c, struct sts_str *line, int64_t deadline)
{
	char chunk[16384];
	size_t used = 0;
	ssize_t n;

	sts_buf_clear(&c->answer);
	for (;;) {
		switch (control_take_line(sts_buf_str(&c->answer), line, &used)) {
		case CONTROL_WHOLE:
			return used == c->answer.n ? NULL : "more came than was asked";
		case CONTROL_BROKEN:
			return "this is not the control socket of stsd";
		case CONTROL_PARTIAL:
			break;
		}
		if (!wait_for(c, POLLIN, deadline))
			return errno == EAGAIN ? "no answer in time" : strerror(errno);
		n = recv(c->fd, chunk, sizeof(chunk), 0);
		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
			return closed(c, n == 0 ? 0 : errno);
		if (n > 0)
			sts_put(&c->answer, (struct sts_str){ chunk, (size_t)n });
		if (c->answer.bad)
			query_no_memory();
	}
}

static enum query_control_err
judge(struct query_control *c, struct sts_str line, struct control_words *words)
{
	struct sts_buf said = { 0 };
	struct sts_str state;

	switch (control_read(line, words, &state)) {
	case CONTROL_OURS:
		break;
	case CONTROL_OTHER:
		return fail(c, QUERY_CONTROL_VERSION,
		    "the stsd that runs is another version than this stsd-query",
		    "; use the one that came with it, or restart stsd");
	case CONTROL_FOREIGN:
		return fail(c, QUERY_CONTROL_TROUBLE,
		    "this is not the control socket of stsd", "");
	}
	if (sts_str_eq(state, STS_STR("ok")))
		return QUERY_CONTROL_OK;
	if (sts_str_eq(state, STS_STR("none")))
		return QUERY_CONTROL_NONE;
	if (sts_str_eq(state, STS_STR("denied")))
		return fail_deny(c);
	control_take_bytes(words, &said);
	sts_put_char(&said, '\0');
	if (said.bad)
		query_no_memory();
	(void)fail(c, QUERY_CONTROL_TROUBLE,
	    control_is_over(words) ? said.p : "it answers in words that are not known",
	    "");
	sts_buf_done(&said);
	return QUERY_CONTROL_TROUBLE;
}

/* The request stays as it is: it may be sent once more. */
static enum query_control_err
exchange(struct query_control *c, struct sts_str request, int64_t deadline,
    struct control_words *words)
{
	struct sts_str line = STS_STR_NONE;
	const char *why;

	/* One that has hung up on us may have said why. */
	if (send_until(c, request, deadline) || errno == EPIPE || errno == ECONNRESET)
		why = receive_until(c, &line, deadline);
	else
		why = errno == EAGAIN ? "no answer in time" : closed(c, errno);
	if (why == NULL)
		return judge(c, line, words);
	hang_up(c);
	return fail(c, QUERY_CONTROL_TROUBLE, why, "; see the log of stsd");
}

static enum query_control_err
ask_once(struct query_control *c, struct sts_str request, int64_t deadline,
    struct control_words *words)
{
	c->closed = false;
	if (c->fd == -1 && connect_until(c, deadline) == -1)
		return fail_connect(c);
	return exchange(c, request, deadline, words);
}

enum query_control_err
query_control_ask(struct query_control *c, struct sts_buf *request, int64_t wait_ms,
    struct control_words *words)
{
	int64_t deadline = now_ms() + wait_ms;
	enum query_control_err err;

	control_put_end(request);
	if (request->bad)
		query_no_memory();
	err = ask_once(c, sts_buf_str(request), deadline, words);
	/* It hangs up on who was silent for a while, and when it is being replaced, as by a
	 * reload: somebody is there again at once. */
	if (c->closed)
		err = ask_once(c, sts_buf_str(request), deadline, words);
	sts_buf_clear(request);
	return err;
}

const char *
query_control_why(const struct query_control *c)
{
	return c->why;
}

const char *
query_control_version(const struct query_control *c)
{
	return c->version;
}

int64_t
query_control_now(const struct query_control *c)
{
	return c->now;
}

int64_t
query_control_uptime(const struct query_control *c)
{
	return c->uptime;
}

static enum query_control_err
greet(struct query_control *c)
{
	struct sts_buf request = { 0 };
	struct control_words words = { STS_STR_NONE, false };
	enum query_control_err err;
	struct sts_str version;

	control_put_start(&request, "hello");
	err = query_control_ask(c, &request, QUERY_CONTROL_WAIT_MS, &words);
	sts_buf_done(&request);
	if (err != QUERY_CONTROL_OK)
		return err;
	version = control_take_word(&words);
	c->now = control_take_number(&words);
	c->uptime = control_take_number(&words);
	if (!control_is_over(&words) || version.n == 0 || version.n >= sizeof(c->version))
		return fail(c, QUERY_CONTROL_TROUBLE,
		    "it answers in words that are not known", "");
	memcpy(c->version, version.p, version.n);
	c->version[version.n] = '\0';
	return QUERY_CONTROL_OK;
}

struct query_control *
query_control_open(const struct config *config, enum query_control_err *err, char *why,
    size_t why_n)
{
	struct query_control *c;

	if (config->control_socket == NULL) {
		*err = QUERY_CONTROL_OFF;
		(void)snprintf(why, why_n,
		    "control_socket is none: stsd cannot be asked until it has one");
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL || (c->path = strdup(config->control_socket)) == NULL)
		query_no_memory();
	c->fd = -1;
	*err = greet(c);
	if (*err == QUERY_CONTROL_OK)
		return c;
	(void)snprintf(why, why_n, "%s", c->why);
	query_control_close(c);
	return NULL;
}

void
query_control_close(struct query_control *c)
{
	if (c == NULL)
		return;
	hang_up(c);
	sts_buf_done(&c->answer);
	free(c->path);
	free(c);
}

/* What stats says before the health. */
#define STATS_NUMBERS 12

enum query_control_err
query_control_health(struct query_control *c, struct sts_buf *health)
{
	struct sts_buf request = { 0 };
	struct control_words words;
	enum query_control_err err;

	sts_buf_clear(health);
	control_put_start(&request, "stats");
	err = query_control_ask(c, &request, QUERY_CONTROL_WAIT_MS, &words);
	sts_buf_done(&request);
	if (err != QUERY_CONTROL_OK)
		return err;
	for (size_t i = 0; i < STATS_NUMBERS; i++)
		(void)control_take_number(&words);
	control_take_bytes(&words, health);
	return words.bad
	    ? fail(c, QUERY_CONTROL_TROUBLE, "it answers in words that are not known", "")
	    : QUERY_CONTROL_OK;
}

void
query_cached_done(struct query_cached *cached)
{
	sts_buf_done(&cached->bytes);
	*cached = (struct query_cached){ .now = 0 };
}

enum query_control_err
query_control_take_entry(struct query_control *c, struct control_words *words,
    struct query_cached *cached)
{
	sts_buf_clear(&cached->bytes);
	cached->now = control_take_number(words);
	cached->refresh = control_take_number(words);
	cached->running = control_take_number(words) != 0;
	control_take_bytes(words, &cached->bytes);
	if (control_is_over(words) &&
	    sts_entry_read(sts_buf_str(&cached->bytes), &cached->entry) == STS_OK)
		return QUERY_CONTROL_OK;
	return fail(c, QUERY_CONTROL_TROUBLE, "the entry it gave cannot be read", "");
}

enum query_control_err
query_control_entry(struct query_control *c, struct sts_str domain,
    struct query_cached *cached)
{
	struct sts_buf request = { 0 };
	struct control_words words;
	enum query_control_err err;

	(void)snprintf(cached->version, sizeof(cached->version), "%s", c->version);
	cached->now = c->now;
	control_put_start(&request, "show");
	control_put_word(&request, domain);
	err = query_control_ask(c, &request, QUERY_CONTROL_WAIT_MS, &words);
	sts_buf_done(&request);
	return err == QUERY_CONTROL_OK ? query_control_take_entry(c, &words, cached)
				       : err;
}

enum query_control_err
query_control_show(const struct config *config, struct sts_str domain,
    struct query_cached *cached, char *why, size_t why_n)
{
	enum query_control_err err;
	struct query_control *c;
	char unused[1];

	if (why == NULL) {
		why = unused;
		why_n = sizeof(unused);
	}
	why[0] = '\0';
	c = query_control_open(config, &err, why, why_n);
	if (c == NULL)
		return err;
	err = query_control_entry(c, domain, cached);
	if (err != QUERY_CONTROL_OK && err != QUERY_CONTROL_NONE)
		(void)snprintf(why, why_n, "%s", c->why);
	query_control_close(c);
	return err;
}
