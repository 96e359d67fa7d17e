/* SPDX-License-Identifier: MIT */
/*
 * A look at a mail server; see smtp.h. How it works:
 *
 * 1. Whatever happens on the socket ends in turn(): bytes are sent and read, and each
 *    whole reply, or step of the handshake, is handed to the stage's own function, which
 *    says what is next or ends it.
 * 2. enter() is the only place where a stage begins: it stops one clock and starts the
 *    next, so that a drip of bytes wins no time.
 * 3. finish() is the only place where a look ends by itself.
 * 4. What there is to be told is known before QUIT is said; goodbye only waits a moment
 *    for the server to hang up first, which is polite, and nothing of it is told.
 */
#include "smtp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bounds.h"
#include "name.h"
#include "smtpreply.h"

#define READ_SIZE 4096
/* Events that one turn handles before others have theirs. */
#define READS_MAX 16

#define CODE_READY 220
#define CODE_DONE 250

struct sts_smtp {
	struct sts_loop *loop;
	sts_on_smtp *on;
	void *arg;
	struct sts_watch *watch;
	struct sts_timer *timer;
	int fd;
	struct sts_addr address;
	uint16_t port;
	char helo[STS_NAME_MAX + 3 + STS_ADDR_TEXT], server_name[STS_NAME_MAX + 1];
	int64_t stage_ms, total_ms;

	enum sts_smtp_stage stage;
	int64_t began, stage_began;
	bool leaving;	       /* QUIT was said, or there is nobody to say it to */
	struct sts_buf in;     /* in the clear: what came behind a reply */
	struct sts_buf out;    /* still to be sent */
	size_t handshake_size; /* bytes that came for it */
	struct sts_smtpreply reply;
	struct sts_tls_client *tls;

	struct sts_smtp_seen seen;
	struct sts_buf banner, text, why;
};

/*
 * Ends.
 */
static void
smtp_free(struct sts_smtp *s)
{
	sts_watch_free(s->watch);
	sts_timer_free(s->timer);
	if (s->fd != -1)
		(void)close(s->fd);
	sts_tls_client_free(s->tls);
	sts_tls_chain_free(s->seen.chain);
	sts_smtpreply_done(&s->reply);
	sts_buf_done(&s->in);
	sts_buf_done(&s->out);
	sts_buf_done(&s->banner);
	sts_buf_done(&s->text);
	sts_buf_done(&s->why);
	free(s);
}

static void
finish(struct sts_smtp *s)
{
	s->on(s->arg, &s->seen);
	smtp_free(s);
}

void
sts_smtp_cancel(struct sts_smtp *s)
{
	if (s != NULL)
		smtp_free(s);
}

static void
stop_clock(struct sts_smtp *s)
{
	int64_t now = sts_loop_ms(s->loop);

	if (s->stage != STS_SMTP_DONE)
		s->seen.ms[s->stage] = now - s->stage_began;
	s->seen.ms[STS_SMTP_DONE] = now - s->began;
	s->stage_began = now;
}

/* Until when the server has time, from now. */
static int64_t
patience(const struct sts_smtp *s)
{
	int64_t left = s->total_ms - (s->stage_began - s->began);

	if (s->leaving)
		return STS_SMTP_QUIT_MS;
	if (left < 0)
		return 0;
	return left < s->stage_ms ? left : s->stage_ms;
}

static void
put_command(struct sts_smtp *s, const char *command, const char *argument)
{
	char line[sizeof(s->helo) + 16];
	int n = snprintf(line, sizeof(line), "%s%s%s\r\n", command,
	    *argument == '\0' ? "" : " ", argument);
	struct sts_str bytes = { line, (size_t)n };

	if (s->tls == NULL)
		sts_put(&s->out, bytes);
	else if (!sts_tls_client_write(s->tls, bytes))
		s->out.bad = true;
}

/* Nothing more is to be heard of the server. */
static void
hang_up(struct sts_smtp *s)
{
	sts_watch_free(s->watch);
	s->watch = NULL;
	(void)sts_timer_set(s->timer, 0);
}

/* Everything that is to be told is known. */
static void
leave(struct sts_smtp *s, bool politely)
{
	stop_clock(s);
	s->seen.stage = s->stage;
	s->leaving = true;
	if (politely) {
		put_command(s, "QUIT", "");
		(void)sts_timer_set(s->timer, patience(s));
	} else
		hang_up(s);
}

static void
keep(struct sts_buf *to, struct sts_str text, struct sts_str *view)
{
	sts_buf_clear(to);
	sts_put(to, text);
	*view = to->bad ? STS_STR_NONE : sts_buf_str(to);
}

static void
fail(struct sts_smtp *s, enum sts_smtp_err err, bool politely, const char *why)
{
	if (s->leaving)
		return;
	s->seen.err = err;
	sts_buf_clear(&s->why);
	sts_put_text(&s->why, why);
	sts_put_char(&s->why, '\0');
	s->seen.why = s->why.bad ? "out of memory" : s->why.p;
	leave(s, politely);
}

static void
fail_memory(struct sts_smtp *s)
{
	fail(s, STS_SMTP_NOMEM, false, "out of memory");
}

static void
enter(struct sts_smtp *s, enum sts_smtp_stage stage)
{
	stop_clock(s);
	s->stage = stage;
	sts_smtpreply_clear(&s->reply);
	if (sts_timer_set(s->timer, patience(s)) == -1)
		fail_memory(s);
}

/*
 * What each stage makes of a reply.
 */
static void
say_ehlo(struct sts_smtp *s, enum sts_smtp_stage stage)
{
	enter(s, stage);
	put_command(s, "EHLO", s->helo);
}

static void
on_greeting(struct sts_smtp *s)
{
	keep(&s->banner, sts_smtpreply_first(&s->reply), &s->seen.banner);
	if (s->reply.code == CODE_READY)
		say_ehlo(s, STS_SMTP_EHLO);
	else
		fail(s, STS_SMTP_REFUSED, true, "the greeting is a refusal");
}

static void
on_ehlo(struct sts_smtp *s)
{
	if (s->reply.code != CODE_DONE) {
		fail(s, STS_SMTP_REFUSED, true, "EHLO is refused");
		return;
	}
	s->seen.starttls = sts_smtpreply_offers(&s->reply, STS_STR("STARTTLS"));
	if (!s->seen.starttls) {
		fail(s, STS_SMTP_NO_OFFER, true, "STARTTLS is not offered");
		return;
	}
	enter(s, STS_SMTP_STARTTLS);
	put_command(s, "STARTTLS", "");
}

/* RFC 3207 section 6 and CVE-2011-0411: what stands behind the reply in the clear would
 * be read as if it had come encrypted. */
static void
on_starttls(struct sts_smtp *s)
{
	struct sts_str name = sts_str_of(s->server_name);

	if (s->reply.code != CODE_READY) {
		fail(s, STS_SMTP_REFUSED, true, "STARTTLS is refused");
		return;
	}
	if (s->in.n > 0) {
		fail(s, STS_SMTP_INJECTED, false,
		    "there is more text behind the reply to STARTTLS, where only the "
		    "handshake may follow");
		return;
	}
	enter(s, STS_SMTP_HANDSHAKE);
	s->tls = sts_tls_client_new(name);
	if (s->tls == NULL)
		fail_memory(s);
}

static void
on_again(struct sts_smtp *s)
{
	if (s->reply.code != CODE_DONE) {
		fail(s, STS_SMTP_REFUSED, true, "EHLO is refused once encrypted");
		return;
	}
	s->seen.requiretls = sts_smtpreply_offers(&s->reply, STS_STR("REQUIRETLS"));
	enter(s, STS_SMTP_DONE);
	leave(s, true);
}

static void
on_reply(struct sts_smtp *s)
{
	s->seen.code = s->reply.code;
	keep(&s->text, sts_smtpreply_first(&s->reply), &s->seen.text);
	switch (s->stage) {
	case STS_SMTP_GREETING:
		on_greeting(s);
		break;
	case STS_SMTP_EHLO:
		on_ehlo(s);
		break;
	case STS_SMTP_STARTTLS:
		on_starttls(s);
		break;
	case STS_SMTP_AGAIN:
		on_again(s);
		break;
	case STS_SMTP_CONNECT:
	case STS_SMTP_HANDSHAKE:
	case STS_SMTP_DONE:
	case STS_SMTP_STAGES:
		abort(); /* nothing is read as a reply there */
	}
}

static void
on_bad_reply(struct sts_smtp *s)
{
	switch (s->reply.state) {
	case STS_SMTPREPLY_GARBAGE:
		keep(&s->text, sts_smtpreply_first(&s->reply), &s->seen.text);
		s->seen.code = 0;
		fail(s, STS_SMTP_GARBAGE, false, "what came is no reply of SMTP");
		break;
	case STS_SMTPREPLY_FLOOD:
		s->seen.code = 0;
		fail(s, STS_SMTP_FLOOD, false, "the reply is too long");
		break;
	case STS_SMTPREPLY_NOMEM:
		fail_memory(s);
		break;
	case STS_SMTPREPLY_MORE:
	case STS_SMTPREPLY_WHOLE:
		break;
	}
}

/* Bytes in the clear or decrypted; there may be several replies in them. */
static void
eat(struct sts_smtp *s, struct sts_str bytes)
{
	while (!s->leaving && bytes.n > 0) {
		bytes = sts_str_from(bytes, sts_smtpreply_eat(&s->reply, bytes));
		if (s->reply.state == STS_SMTPREPLY_MORE)
			return;
		if (s->reply.state != STS_SMTPREPLY_WHOLE) {
			on_bad_reply(s);
			return;
		}
		sts_buf_clear(&s->in);
		sts_put(&s->in, bytes);
		if (s->in.bad)
			fail_memory(s);
		else
			on_reply(s);
	}
}

/*
 * Bytes.
 */
static void
on_handshake(struct sts_smtp *s)
{
	switch (sts_tls_client_shake(s->tls)) {
	case STS_TLS_MORE:
		if (s->handshake_size > STS_SMTP_HANDSHAKE_MAX)
			fail(s, STS_SMTP_FLOOD, false, "the handshake does not end");
		return;
	case STS_TLS_FAILED:
		fail(s, STS_SMTP_TLS, false, sts_tls_client_why(s->tls));
		return;
	case STS_TLS_DONE:
		break;
	}
	s->seen.encrypted = true;
	sts_tls_client_session(s->tls, &s->seen.session);
	s->seen.chain = sts_tls_client_chain(s->tls);
	/* RFC 3207 section 4.2: everything learnt before is forgotten. */
	say_ehlo(s, STS_SMTP_AGAIN);
}

static void
read_encrypted(struct sts_smtp *s)
{
	char part[READ_SIZE];
	size_t n;

	if (s->stage == STS_SMTP_HANDSHAKE)
		on_handshake(s);
	while (!s->leaving && s->stage != STS_SMTP_HANDSHAKE) {
		switch (sts_tls_client_read(s->tls, part, sizeof(part), &n)) {
		case STS_TLS_DONE:
			eat(s, (struct sts_str){ part, n });
			break;
		case STS_TLS_MORE:
			return;
		case STS_TLS_FAILED:
			fail(s, STS_SMTP_TLS, false, sts_tls_client_why(s->tls));
			return;
		}
	}
}

static void
on_bytes(struct sts_smtp *s, struct sts_str bytes)
{
	if (s->leaving)
		return;
	if (s->tls == NULL) {
		eat(s, bytes);
		if (s->leaving || s->tls == NULL)
			return;
		bytes = STS_STR_NONE; /* the client speaks first */
	}
	s->handshake_size += bytes.n;
	if (!sts_tls_client_put(s->tls, bytes))
		fail_memory(s);
	else
		read_encrypted(s);
}

/* The server closed, or the connection broke: sys is errno, or 0. */
static void
on_end(struct sts_smtp *s, int sys)
{
	if (s->leaving) {
		hang_up(s);
		return;
	}
	s->seen.sys = sys;
	fail(s, STS_SMTP_CLOSED, false,
	    sys == 0 ? "the server closed the connection" : strerror(sys));
}

/* False: nothing more is to be read now. */
static bool
read_some(struct sts_smtp *s)
{
	char part[READ_SIZE];
	ssize_t n = recv(s->fd, part, sizeof(part), 0);

	if (n == -1 && errno == EINTR)
		return true;
	if (n == -1 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		on_end(s, n == 0 ? 0 : errno);
		return false;
	}
	on_bytes(s, (struct sts_str){ part, (size_t)n });
	return true;
}

static void
take_encrypted(struct sts_smtp *s)
{
	char part[READ_SIZE];
	size_t n;

	if (s->tls == NULL)
		return;
	while ((n = sts_tls_client_take(s->tls, part, sizeof(part))) > 0)
		sts_put(&s->out, (struct sts_str){ part, n });
}

static void
send_some(struct sts_smtp *s)
{
	ssize_t n;

	take_encrypted(s);
	while (!s->out.bad && s->out.n > 0) {
		n = send(s->fd, s->out.p, s->out.n, MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		/* A broken connection is told by what can still be read from it. */
		if (n == -1)
			break;
		s->out.n -= (size_t)n;
		memmove(s->out.p, s->out.p + n, s->out.n);
	}
	if (s->out.bad)
		fail_memory(s);
}

static void
turn(struct sts_smtp *s)
{
	bool more = true;

	for (int i = 0; i < READS_MAX && more && s->watch != NULL; i++) {
		more = read_some(s);
		send_some(s);
	}
	if (s->watch != NULL &&
	    sts_watch_set(s->watch, STS_READ | (s->out.n > 0 ? STS_WRITE : 0)) == -1)
		fail_memory(s);
}

/*
 * Beginning.
 */
static socklen_t
socket_address(const struct sts_addr *address, uint16_t port,
    struct sockaddr_storage *out)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (address->v6) {
		memcpy(&in6.sin6_addr, address->bytes, 16);
		memcpy(out, &in6, sizeof(in6));
		return sizeof(in6);
	}
	memcpy(&in.sin_addr, address->bytes, 4);
	memcpy(out, &in, sizeof(in));
	return sizeof(in);
}

static void
unreachable(struct sts_smtp *s, int sys)
{
	s->seen.sys = sys;
	fail(s, STS_SMTP_UNREACHABLE, false, strerror(sys));
}

/* RFC 5321 section 4.1.4: without a name of its own, a client gives its address. */
static void
name_yourself(struct sts_smtp *s)
{
	struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
	socklen_t n = sizeof(own);
	char text[INET6_ADDRSTRLEN] = "";
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	if (s->helo[0] != '\0' || getsockname(s->fd, (struct sockaddr *)&own, &n) == -1)
		return;
	if (own.ss_family == AF_INET6) {
		memcpy(&in6, &own, sizeof(in6));
		(void)inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
	} else {
		memcpy(&in, &own, sizeof(in));
		(void)inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
	}
	(void)snprintf(s->helo, sizeof(s->helo), "[%s%s]",
	    own.ss_family == AF_INET6 ? "IPv6:" : "", text);
}

static void
on_connected(struct sts_smtp *s)
{
	int sys = 0;
	socklen_t n = sizeof(sys);

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &sys, &n) == -1)
		sys = errno;
	if (sys != 0) {
		unreachable(s, sys);
		return;
	}
	name_yourself(s);
	enter(s, STS_SMTP_GREETING);
	turn(s);
}

static void
on_ready(void *arg, int fd, unsigned what)
{
	struct sts_smtp *s = arg;

	(void)fd;
	(void)what;
	if (s->stage == STS_SMTP_CONNECT)
		on_connected(s);
	else
		turn(s);
}

static void
begin(struct sts_smtp *s)
{
	struct sockaddr_storage to = { .ss_family = AF_UNSPEC };
	socklen_t n = socket_address(&s->address, s->port, &to);

	s->began = s->stage_began = sts_loop_ms(s->loop);
	s->fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd == -1) {
		unreachable(s, errno);
		return;
	}
	s->watch = sts_watch_new(s->loop, s->fd, on_ready, s);
	if (s->watch == NULL || sts_timer_set(s->timer, patience(s)) == -1) {
		fail_memory(s);
		return;
	}
	if (connect(s->fd, (struct sockaddr *)&to, n) == -1 && errno != EINPROGRESS)
		unreachable(s, errno);
	else if (sts_watch_set(s->watch, STS_WRITE) == -1)
		fail_memory(s);
}

/* The first time there is to begin; then time is up. */
static void
on_time(void *arg)
{
	struct sts_smtp *s = arg;

	if (s->leaving) {
		finish(s);
		return;
	}
	if (s->fd == -1) {
		begin(s);
		return;
	}
	if (s->stage == STS_SMTP_CONNECT)
		unreachable(s, ETIMEDOUT);
	else
		fail(s, STS_SMTP_TIMEOUT, false, "the server did not answer in time");
}

static void
copy_name(char *to, size_t to_n, struct sts_str name)
{
	if (sts_name_is_host(name) && name.n < to_n)
		memcpy(to, name.p, name.n); /* the rest is zero */
}

struct sts_smtp *
sts_smtp_start(struct sts_loop *loop, const struct sts_smtp_wish *wish, sts_on_smtp *on,
    void *arg)
{
	struct sts_smtp *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->loop = loop;
	s->on = on;
	s->arg = arg;
	s->fd = -1;
	s->address = wish->address;
	s->port = wish->port;
	s->stage_ms = wish->stage_ms > 0 ? wish->stage_ms : STS_SMTP_STAGE_MS;
	s->total_ms = wish->total_ms > 0 ? wish->total_ms : STS_SMTP_TOTAL_MS;
	copy_name(s->helo, sizeof(s->helo), wish->helo);
	copy_name(s->server_name, sizeof(s->server_name), wish->server_name);
	for (int i = 0; i < STS_SMTP_STAGES; i++)
		s->seen.ms[i] = -1;
	s->seen.why = "";
	s->timer = sts_timer_new(loop, on_time, s);
	if (s->timer == NULL || sts_timer_set(s->timer, 0) == -1) {
		smtp_free(s);
		return NULL;
	}
	return s;
}
