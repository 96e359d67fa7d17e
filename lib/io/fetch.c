/* SPDX-License-Identifier: MIT */
/*
 * Policy files over HTTPS; see fetch.h. How it works:
 *
 * 1. A fetch has one attempt per address, each an easy handle of libcurl with a
 *    connection of its own. libcurl is never told names to resolve, only where to
 *    connect.
 * 2. libcurl's callbacks only take notes (in the attempt) and wake the fetch. Everything
 *    is decided in turn(), which the loop calls: libcurl is never called from inside its
 *    callbacks, nor is the owner from inside libcurl.
 * 3. The first attempt whose handshake is complete wins, and no other may send its
 *    request: there is one request a fetch, whatever happens.
 */
#include "fetch.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "bounds.h"
#include "buf.h"
#include "response.h"

#define POLICY_PATH "/.well-known/mta-sts.txt"

/* Bytes after the handshake, as TLS records. Four times what could be of use leaves room
 * for records and chunks of a few bytes each; a flood of anything else ends here. */
#define RECEIVED_MAX ((uint64_t)4 * (STS_POLICY_MAX + STS_HEADERS_MAX))
/* CURLE_TOO_LARGE, which libcurl has since 8.6. */
#define TOO_LARGE 100
/* libcurl's own time-outs stand behind ours. */
#define BEHIND_MS 5000

struct sts_fetcher {
	struct sts_loop *loop;
	struct sts_fetcher_config config;
	CURLM *multi;
	struct sts_timer *timer; /* libcurl's */
	struct sts_fetch *fetches;
};

struct attempt {
	struct sts_fetch *fetch;
	struct attempt *next;
	struct sts_addr address;
	CURL *easy; /* NULL: libcurl has nothing to do with it any more */
	struct curl_slist *connect_to;
	/* When, by the loop's clock; -1: not (yet). */
	int64_t connected, secured, answered;
	bool ended; /* result is valid */
	CURLcode result;
	enum sts_err stopped;	  /* why we made libcurl end it; STS_OK: we did not */
	const char *stopped_why;  /* NULL: explain() finds words */
	uint64_t received_before; /* the request was sent */
	struct sts_response response;
	struct sts_tls_report tls;
	char error[CURL_ERROR_SIZE];
};

struct sts_fetch {
	struct sts_fetcher *fetcher;
	struct sts_fetch *next, **link;
	sts_on_fetched *on;
	void *arg;
	struct sts_timer *timer;
	char host[STS_NAME_MAX + 1];
	struct sts_addr addresses[STS_ADDRESSES_MAX];
	size_t count, used; /* addresses given, and tried so far */
	int64_t started;
	int64_t next_at; /* when the next address is tried */
	struct attempt *attempts;
	struct attempt *winner; /* one of them, its handshake is complete */
	struct attempt *failed; /* the last that did not connect, for its reason */
	struct sts_buf why;
};

static void
wake(struct sts_fetch *f)
{
	(void)sts_timer_set(f->timer, 0);
}

/* Notes why an attempt has to end. The callback that finds out then tells libcurl that
 * it failed. */
static void
stop(struct attempt *a, enum sts_err err, const char *why)
{
	if (a->stopped != STS_OK)
		return;
	a->stopped = err;
	a->stopped_why = why;
}

/* NOLINTBEGIN(readability-non-const-parameter): the types are libcurl's. */

static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	struct attempt *a = arg;

	if (a->answered == -1)
		a->answered = sts_loop_ms(a->fetch->fetcher->loop);
	return sts_response_header(&a->response, (struct sts_str){ p, size * n }) ==
		STS_OK
	    ? size * n
	    : 0;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct attempt *a = arg;

	return sts_response_body(&a->response, (struct sts_str){ p, size * n }) == STS_OK
	    ? size * n
	    : 0;
}

/* NOLINTEND(readability-non-const-parameter) */

static int
on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
    curl_off_t up)
{
	struct attempt *a = arg;

	(void)down_total;
	(void)down;
	(void)up_total;
	(void)up;
	if (a->fetch->winner == a && a->tls.received - a->received_before > RECEIVED_MAX)
		stop(a, STS_ERR_FETCH_TOO_BIG,
		    "the server sends far more than a policy needs");
	return a->stopped != STS_OK;
}

static struct sts_addr
address_of(const struct curl_sockaddr *from)
{
	struct sts_addr address = { .v6 = from->family == AF_INET6 };
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	if (address.v6) {
		memcpy(&in6, &from->addr, sizeof(in6));
		memcpy(address.bytes, &in6.sin6_addr, 16);
	} else {
		memcpy(&in, &from->addr, sizeof(in));
		memcpy(address.bytes, &in.sin_addr, 4);
	}
	return address;
}

/* The guard, on the very address that is about to be connected to. */
static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct attempt *a = arg;
	const struct sts_fetcher_config *config = &a->fetch->fetcher->config;
	struct sts_addr address = address_of(to);
	int fd;

	(void)purpose;
	if (!sts_addr_is_public(&address) &&
	    !sts_nets_have(config->allow, config->allow_count, &address)) {
		stop(a, STS_ERR_FETCH_BLOCKED, NULL);
		return CURL_SOCKET_BAD;
	}
	fd =
	    socket(to->family, to->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->protocol);
	/* That we are at our limits says nothing about the policy host. */
	if (fd == -1 && errno != EAFNOSUPPORT)
		stop(a, STS_ERR_NOMEM, NULL);
	return fd == -1 ? CURL_SOCKET_BAD : fd;
}

/* The connection is there, the handshake begins. */
static CURLcode
on_tls_context(CURL *easy, void *ssl_ctx, void *arg)
{
	struct attempt *a = arg;

	(void)easy;
	a->connected = sts_loop_ms(a->fetch->fetcher->loop);
	if (sts_tls_prepare(ssl_ctx, a->fetch->fetcher->config.store, a->fetch->host,
		&a->tls) == 0)
		return CURLE_OK;
	stop(a, STS_ERR_NOMEM, NULL);
	return CURLE_OUT_OF_MEMORY;
}

/* NOLINTBEGIN(readability-non-const-parameter): the types are libcurl's. */

/* The handshake is complete, the request not yet sent. */
static int
on_connected(void *arg, char *their_ip, char *our_ip, int their_port, int our_port)
{
	struct attempt *a = arg;
	struct sts_fetch *f = a->fetch;

	(void)their_ip;
	(void)our_ip;
	(void)their_port;
	(void)our_port;
	if (f->winner != NULL && f->winner != a)
		return CURL_PREREQFUNC_ABORT;
	f->winner = a;
	a->secured = sts_loop_ms(f->fetcher->loop);
	a->received_before = a->tls.received;
	wake(f);
	return CURL_PREREQFUNC_OK;
}

/* NOLINTEND(readability-non-const-parameter) */

/* Ends libcurl's part; what the attempt has noted stays. */
static void
attempt_end(struct attempt *a)
{
	if (a->easy != NULL) {
		(void)curl_multi_remove_handle(a->fetch->fetcher->multi, a->easy);
		curl_easy_cleanup(a->easy);
		a->easy = NULL;
	}
	curl_slist_free_all(a->connect_to);
	a->connect_to = NULL;
}

static void
attempt_free(struct attempt *a)
{
	if (a == NULL)
		return;
	attempt_end(a);
	sts_response_done(&a->response);
	free(a);
}

static const struct {
	CURLoption option;
	long value;
} numbers[] = {
	{ CURLOPT_HTTPGET, 1 },
	{ CURLOPT_NOSIGNAL, 1 },
	/* RFC 8461 section 3.3: redirects MUST NOT be followed. */
	{ CURLOPT_FOLLOWLOCATION, 0 },
	{ CURLOPT_MAXREDIRS, 0 },
	{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
	{ CURLOPT_HSTS_CTRL, 0 },
	{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
	{ CURLOPT_SSL_VERIFYPEER, 1 },
	{ CURLOPT_SSL_VERIFYHOST, 2 },
	{ CURLOPT_SSL_SESSIONID_CACHE, 0 },
	{ CURLOPT_CA_CACHE_TIMEOUT, 0 },
	{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
	{ CURLOPT_HTTP09_ALLOWED, 0 },
	{ CURLOPT_HTTP_CONTENT_DECODING, 0 },
	{ CURLOPT_FRESH_CONNECT, 1 },
	{ CURLOPT_FORBID_REUSE, 1 },
	{ CURLOPT_DNS_CACHE_TIMEOUT, 0 },
	{ CURLOPT_BUFFERSIZE, 16384 },
	{ CURLOPT_NOPROGRESS, 0 },
	{ CURLOPT_CONNECTTIMEOUT_MS, STS_CONNECT_MS + BEHIND_MS },
};

static const struct {
	CURLoption option;
	const char *value;
} texts[] = {
	{ CURLOPT_PROTOCOLS_STR, "https" },
	{ CURLOPT_REDIR_PROTOCOLS_STR, "https" },
	/* Neither a proxy from the environment nor any exception to it. */
	{ CURLOPT_PROXY, "" },
	{ CURLOPT_NOPROXY, "*" },
	{ CURLOPT_USERAGENT, "stsd/" STSD_VERSION },
	/* The trust anchors are ours (tls.h): libcurl reads no file. */
	{ CURLOPT_CAINFO, NULL },
	{ CURLOPT_CAPATH, NULL },
	{ CURLOPT_ACCEPT_ENCODING, NULL },
};

static bool
set_callbacks(struct attempt *a)
{
	CURL *e = a->easy;

	return curl_easy_setopt(e, CURLOPT_PRIVATE, a) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, a->error) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_HEADERDATA, a) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_WRITEDATA, a) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_XFERINFODATA, a) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, a) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_tls_context) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, a) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_connected) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_PREREQDATA, a) == CURLE_OK;
}

/* The URL has the name, for SNI, Host and the certificate; where to connect is said
 * apart from it, so that nothing is resolved. */
static bool
set_target(struct attempt *a)
{
	const struct sts_fetcher_config *config = &a->fetch->fetcher->config;
	char url[STS_NAME_MAX + 64], to[STS_ADDR_TEXT + 16], text[STS_ADDR_TEXT];

	(void)snprintf(url, sizeof(url), "https://%s:%u" POLICY_PATH, a->fetch->host,
	    (unsigned)config->port);
	(void)sts_addr_text(&a->address, text);
	(void)snprintf(to, sizeof(to), a->address.v6 ? "::[%s]:%u" : "::%s:%u", text,
	    (unsigned)config->port);
	a->connect_to = curl_slist_append(NULL, to);
	return a->connect_to != NULL &&
	    curl_easy_setopt(a->easy, CURLOPT_URL, url) == CURLE_OK &&
	    curl_easy_setopt(a->easy, CURLOPT_CONNECT_TO, a->connect_to) == CURLE_OK &&
	    curl_easy_setopt(a->easy, CURLOPT_TIMEOUT_MS,
		(long)(config->timeout_ms + BEHIND_MS)) == CURLE_OK;
}

static bool
set_options(struct attempt *a)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (curl_easy_setopt(a->easy, numbers[i].option, numbers[i].value) !=
		    CURLE_OK)
			return false;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (curl_easy_setopt(a->easy, texts[i].option, texts[i].value) !=
		    CURLE_OK)
			return false;
	return set_callbacks(a) && set_target(a);
}

/* Tries the next address. */
static bool
attempt_start(struct sts_fetch *f)
{
	struct attempt *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return false;
	a->fetch = f;
	a->address = f->addresses[f->used++];
	a->connected = a->secured = a->answered = -1;
	a->easy = curl_easy_init();
	if (a->easy == NULL || !set_options(a) ||
	    curl_multi_add_handle(f->fetcher->multi, a->easy) != CURLM_OK) {
		attempt_free(a);
		return false;
	}
	a->next = f->attempts;
	f->attempts = a;
	f->next_at = sts_loop_ms(f->fetcher->loop) + STS_NEXT_ADDRESS_MS;
	return true;
}

static void
attempt_unlink(struct sts_fetch *f, struct attempt *a)
{
	struct attempt **link = &f->attempts;

	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
}

/* What libcurl's endings mean. What is not here is no fault of the policy host's that we
 * know of, and told in libcurl's words. */
static const struct ending {
	CURLcode code;
	enum sts_err err;
	const char *why; /* NULL: put together from what is known */
} endings[] = {
	{ CURLE_OK, STS_OK, NULL },
	{ CURLE_COULDNT_CONNECT, STS_ERR_FETCH_CONNECT, NULL },
	{ CURLE_OPERATION_TIMEDOUT, STS_ERR_FETCH_TIMEOUT, NULL },
	{ CURLE_SSL_CONNECT_ERROR, STS_ERR_FETCH_TLS, NULL },
	{ CURLE_SSL_CIPHER, STS_ERR_FETCH_TLS, NULL },
	{ CURLE_SSL_CERTPROBLEM, STS_ERR_FETCH_TLS, NULL },
	{ CURLE_PEER_FAILED_VERIFICATION, STS_ERR_FETCH_CERT, NULL },
	{ CURLE_GOT_NOTHING, STS_ERR_FETCH_HTTP,
	    "the server closed the connection without an answer" },
	{ CURLE_PARTIAL_FILE, STS_ERR_FETCH_HTTP, "the answer was cut off" },
	{ CURLE_RECV_ERROR, STS_ERR_FETCH_HTTP,
	    "the connection broke off before the answer was whole" },
	{ CURLE_SEND_ERROR, STS_ERR_FETCH_HTTP,
	    "the connection broke off before the request was sent" },
	{ CURLE_WEIRD_SERVER_REPLY, STS_ERR_FETCH_HTTP,
	    "the server's answer is not HTTP/1.1" },
	{ CURLE_UNSUPPORTED_PROTOCOL, STS_ERR_FETCH_HTTP,
	    "the server's answer is not HTTP/1.1" },
	{ CURLE_OUT_OF_MEMORY, STS_ERR_NOMEM, NULL },
	{ CURLE_FAILED_INIT, STS_ERR_NOMEM, NULL },
};

static struct ending
ending(struct attempt *a)
{
	struct ending e = { a->result, STS_ERR_FETCH_HTTP, NULL };

	if (a->stopped != STS_OK)
		return (struct ending){ a->result, a->stopped, a->stopped_why };
	if (a->tls.verify != 0)
		return (struct ending){ a->result, STS_ERR_FETCH_CERT, NULL };
	/* libcurl's words for one endless header line. */
	if ((a->result == CURLE_OUT_OF_MEMORY || (int)a->result == TOO_LARGE) &&
	    a->tls.received - a->received_before > STS_HEADERS_MAX)
		sts_response_flood(&a->response);
	if (a->result == CURLE_OK)
		(void)sts_response_end(&a->response);
	if (a->response.err != STS_OK)
		return (struct ending){ a->result, a->response.err, a->response.why.p };
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (endings[i].code == a->result)
			e = endings[i];
	return e;
}

static int64_t
deadline(const struct sts_fetch *f)
{
	int64_t ms = f->fetcher->config.timeout_ms;

	if (f->winner == NULL && ms > STS_CONNECT_MS)
		ms = STS_CONNECT_MS;
	return f->started + ms;
}

static void
put_address(struct sts_buf *to, const struct attempt *a)
{
	char text[STS_ADDR_TEXT];

	(void)sts_addr_text(&a->address, text);
	sts_put_text(to, text);
}

static void
put_seconds(struct sts_buf *to, int64_t ms)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%g s", (double)ms / 1000);
	sts_put_text(to, text);
}

static void
explain_connect(struct sts_buf *to, const struct attempt *a)
{
	long os_errno = 0;

	sts_put_text(to, "no connection to ");
	put_address(to, a);
	if (a->easy != NULL && a->ended &&
	    curl_easy_getinfo(a->easy, CURLINFO_OS_ERRNO, &os_errno) == CURLE_OK &&
	    os_errno != 0) {
		sts_put_text(to, ": ");
		sts_put_text(to, strerror((int)os_errno));
	}
}

/* libcurl hands OpenSSL's words on: "error:0A00042E:SSL routines::reason". */
static void
explain_tls(struct sts_buf *to, const struct attempt *a)
{
	const char *reason = strstr(a->error, "::");

	reason = reason == NULL ? a->error : reason + 2;
	if (strstr(reason, "wrong version number") != NULL) {
		sts_put_text(to, "the server does not speak TLS");
		return;
	}
	if (strstr(reason, "protocol version") != NULL ||
	    strstr(reason, "unsupported protocol") != NULL) {
		sts_put_text(to, "the server does not speak TLS 1.2 or later");
		return;
	}
	sts_put_text(to, "the TLS handshake failed: ");
	sts_put_quote(to, sts_str_of(reason));
}

static void
explain_timeout(struct sts_buf *to, const struct attempt *a)
{
	const struct sts_fetch *f = a->fetch;

	if (f->winner != a) {
		put_address(to, a);
		sts_put_text(to, " did not complete the TLS handshake");
	} else if (!a->response.whole)
		sts_put_text(to, "the server did not answer the request");
	else
		sts_put_text(to, "the policy did not arrive");
	sts_put_text(to, " within ");
	put_seconds(to, deadline(f) - f->started);
}

/* A sentence for the errors that have none yet; the others need nothing. */
static void
explain(struct sts_buf *to, const struct attempt *a, enum sts_err err)
{
	if (err == STS_ERR_FETCH_BLOCKED) {
		sts_put_text(to, a->fetch->host);
		sts_put_text(to, " has the address ");
		put_address(to, a);
		sts_put_text(to, ", which is not a public one");
	} else if (err == STS_ERR_FETCH_CONNECT)
		explain_connect(to, a);
	else if (err == STS_ERR_FETCH_TLS)
		explain_tls(to, a);
	else if (err == STS_ERR_FETCH_CERT)
		sts_put_text(to,
		    a->tls.why[0] != '\0' ? a->tls.why : "the certificate was refused");
	else if (err == STS_ERR_FETCH_TIMEOUT)
		explain_timeout(to, a);
	else if (err == STS_ERR_FETCH_HTTP)
		sts_put_quote(to, sts_str_of(a->error));
}

static int64_t
since_start(const struct sts_fetch *f, int64_t at)
{
	return at == -1 ? -1 : at - f->started;
}

/* Takes everything of libcurl's and of the loop's from a fetch, and it from the list. */
static void
release(struct sts_fetch *f)
{
	for (struct attempt *a = f->attempts; a != NULL; a = a->next)
		attempt_end(a);
	if (f->failed != NULL)
		attempt_end(f->failed);
	sts_timer_free(f->timer);
	f->timer = NULL;
	*f->link = f->next;
	if (f->next != NULL)
		f->next->link = f->link;
}

static void
fetch_free(struct sts_fetch *f)
{
	struct attempt *next;

	for (struct attempt *a = f->attempts; a != NULL; a = next) {
		next = a->next;
		attempt_free(a);
	}
	attempt_free(f->failed);
	sts_buf_done(&f->why);
	free(f);
}

static void
tell_attempt(struct sts_fetched *fetched, const struct attempt *a)
{
	fetched->status = a->response.status;
	fetched->date = a->response.date;
	fetched->media_type = sts_buf_str(&a->response.type);
	fetched->address = a->address;
	fetched->has_address = true;
	fetched->tls = a->tls;
	fetched->connect_ms = since_start(a->fetch, a->connected);
	fetched->tls_ms = since_start(a->fetch, a->secured);
	fetched->first_byte_ms = since_start(a->fetch, a->answered);
}

/* The one place where a fetch ends by itself. a: the attempt that decided; NULL: none
 * could be made. */
static void
finish(struct sts_fetch *f, struct attempt *a, struct ending e)
{
	struct sts_fetched fetched = {
		.err = e.err,
		.why = "",
		.connect_ms = -1,
		.tls_ms = -1,
		.first_byte_ms = -1,
		.total_ms = sts_loop_ms(f->fetcher->loop) - f->started,
	};

	if (e.err != STS_OK) {
		if (e.why != NULL)
			sts_put_text(&f->why, e.why);
		else if (a != NULL)
			explain(&f->why, a, e.err);
		sts_put_char(&f->why, '\0');
		fetched.why =
		    f->why.bad || f->why.n == 1 ? sts_err_text(e.err) : f->why.p;
	} else
		fetched.body = sts_buf_str(&a->response.body);
	if (a != NULL)
		tell_attempt(&fetched, a);
	release(f);
	f->on(f->arg, &fetched);
	fetch_free(f);
}

static void
drop_losers(struct sts_fetch *f)
{
	struct attempt *a, *next;

	for (a = f->attempts; a != NULL; a = next) {
		next = a->next;
		if (a != f->winner)
			attempt_free(a);
	}
	f->attempts = f->winner;
	f->winner->next = NULL;
}

/* Of the attempts that have ended, one that decides: that got as far as a handshake.
 * The others are put aside, and the next address has its turn at once. */
static struct attempt *
decisive(struct sts_fetch *f, struct ending *e)
{
	struct attempt *a, *next;

	for (a = f->attempts; a != NULL; a = next) {
		next = a->next;
		if (!a->ended)
			continue;
		*e = ending(a);
		if (e->err != STS_ERR_FETCH_CONNECT && e->err != STS_ERR_FETCH_BLOCKED)
			return a;
		attempt_unlink(f, a);
		f->next_at = f->started; /* at once */
		/* That a connection failed says more than that one was refused. */
		if (f->failed != NULL && e->err == STS_ERR_FETCH_BLOCKED) {
			attempt_free(a);
			continue;
		}
		attempt_free(f->failed);
		f->failed = a;
	}
	return NULL;
}

/* Whose silence is to be told: the first that connected, else the first that was asked
 * (the list has the latest first). */
static void
time_out(struct sts_fetch *f)
{
	struct ending e = { CURLE_OPERATION_TIMEDOUT, STS_ERR_FETCH_TIMEOUT, NULL };
	struct attempt *told = f->winner;

	for (struct attempt *a = f->attempts; a != NULL && f->winner == NULL; a = a->next)
		if (told == NULL || a->connected != -1 || told->connected == -1)
			told = a;
	if (told == NULL)
		told = f->failed;
	if (told != NULL && told->connected == -1)
		e.err = STS_ERR_FETCH_CONNECT;
	finish(f, told, e);
}

static void
wait_on(struct sts_fetch *f, int64_t now)
{
	int64_t at = deadline(f);

	if (f->winner == NULL && f->used < f->count && f->next_at < at)
		at = f->next_at;
	(void)sts_timer_set(f->timer, at > now ? at - now : 0);
}

/* Looks at everything that is known of a fetch, and does what is next. */
static void
turn(void *arg)
{
	static const struct ending no_memory = { CURLE_OUT_OF_MEMORY, STS_ERR_NOMEM,
		NULL };
	struct sts_fetch *f = arg;
	int64_t now = sts_loop_ms(f->fetcher->loop);
	struct attempt *a;
	struct ending e;

	if (f->winner != NULL) {
		drop_losers(f);
		if (f->winner->ended) {
			finish(f, f->winner, ending(f->winner));
			return;
		}
	} else if ((a = decisive(f, &e)) != NULL) {
		finish(f, a, e);
		return;
	}
	if (now >= deadline(f)) {
		time_out(f);
		return;
	}
	if (f->winner == NULL && f->used < f->count &&
	    (f->attempts == NULL || now >= f->next_at) && !attempt_start(f)) {
		finish(f, NULL, no_memory);
		return;
	}
	if (f->attempts == NULL) {
		finish(f, f->failed, ending(f->failed));
		return;
	}
	wait_on(f, now);
}

/* ---- libcurl's multi interface on our loop ---- */

static void
collect(struct sts_fetcher *fr)
{
	struct attempt *a;
	CURLMsg *m;
	int left;
	long ms;

	while ((m = curl_multi_info_read(fr->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &a) != CURLE_OK)
			continue;
		a->ended = true;
		a->result = m->data.result;
		wake(a->fetch);
	}
	/* Before 8.11.1 libcurl now and then forgets to say when it wants to be called. */
	if (curl_multi_timeout(fr->multi, &ms) == CURLM_OK && ms >= 0)
		(void)sts_timer_set(fr->timer, ms);
	else
		sts_timer_stop(fr->timer);
}

/* A handshake takes up to a millisecond: whoever waited for the CPU meanwhile gets it now,
 * and not only when our slice is over. */
static void
give_way(void)
{
	(void)sched_yield();
}

static void
on_curl_time(void *arg)
{
	struct sts_fetcher *fr = arg;
	int running;

	(void)curl_multi_socket_action(fr->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(fr);
	give_way();
}

static void
on_curl_ready(void *arg, int fd, unsigned what)
{
	struct sts_fetcher *fr = arg;
	int bits = 0, running;

	if (what & STS_READ)
		bits |= CURL_CSELECT_IN;
	if (what & STS_WRITE)
		bits |= CURL_CSELECT_OUT;
	(void)curl_multi_socket_action(fr->multi, fd, bits, &running);
	collect(fr);
	give_way();
}

static int
on_curl_timer(CURLM *multi, long ms, void *arg)
{
	struct sts_fetcher *fr = arg;

	(void)multi;
	if (ms < 0)
		sts_timer_stop(fr->timer);
	else
		(void)sts_timer_set(fr->timer, ms);
	return 0;
}

static void
watch_failed(CURL *easy)
{
	struct attempt *a = NULL;

	if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &a) != CURLE_OK || a == NULL)
		return;
	stop(a, STS_ERR_NOMEM, NULL);
	a->ended = true;
	wake(a->fetch);
}

/* Never tells libcurl of a failure: it would give up all transfers, not just this one. */
static int
on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct sts_fetcher *fr = arg;
	struct sts_watch *w = known;
	unsigned wanted = 0;

	if (what == CURL_POLL_REMOVE) {
		sts_watch_free(w);
		(void)curl_multi_assign(fr->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		wanted |= STS_READ;
	if (what & CURL_POLL_OUT)
		wanted |= STS_WRITE;
	if (w == NULL) {
		w = sts_watch_new(fr->loop, fd, on_curl_ready, fr);
		(void)curl_multi_assign(fr->multi, fd, w);
	}
	if (w == NULL || sts_watch_set(w, wanted) == -1)
		watch_failed(easy);
	return 0;
}

static bool
set_multi(struct sts_fetcher *fr)
{
	CURLM *m = fr->multi;

	return curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_curl_socket) ==
	    CURLM_OK &&
	    curl_multi_setopt(m, CURLMOPT_SOCKETDATA, fr) == CURLM_OK &&
	    curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_curl_timer) == CURLM_OK &&
	    curl_multi_setopt(m, CURLMOPT_TIMERDATA, fr) == CURLM_OK;
}

struct sts_fetcher *
sts_fetcher_new(struct sts_loop *loop, const struct sts_fetcher_config *config)
{
	struct sts_fetcher *fr;

	/* The only variable that libcurl obeys whatever it is told: it would write the
	 * keys of every connection to a file. */
	(void)unsetenv("SSLKEYLOGFILE");
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return NULL;
	fr = calloc(1, sizeof(*fr));
	if (fr == NULL) {
		curl_global_cleanup();
		return NULL;
	}
	fr->loop = loop;
	fr->config = *config;
	fr->timer = sts_timer_new(loop, on_curl_time, fr);
	fr->multi = curl_multi_init();
	if (fr->timer == NULL || fr->multi == NULL || !set_multi(fr)) {
		sts_fetcher_free(fr);
		return NULL;
	}
	return fr;
}

void
sts_fetcher_free(struct sts_fetcher *fr)
{
	struct sts_fetch *next;

	if (fr == NULL)
		return;
	for (struct sts_fetch *f = fr->fetches; f != NULL; f = next) {
		next = f->next;
		sts_fetch_cancel(f);
	}
	(void)curl_multi_cleanup(fr->multi);
	sts_timer_free(fr->timer);
	free(fr);
	curl_global_cleanup();
}

struct sts_fetch *
sts_fetch_start(struct sts_fetcher *fr, struct sts_str host,
    const struct sts_addr *addresses, size_t count, sts_on_fetched *on, void *arg)
{
	struct sts_fetch *f = calloc(1, sizeof(*f));

	if (f == NULL || host.n > STS_NAME_MAX || count == 0)
		goto failed;
	f->fetcher = fr;
	f->on = on;
	f->arg = arg;
	memcpy(f->host, host.p, host.n);
	f->count = count < STS_ADDRESSES_MAX ? count : STS_ADDRESSES_MAX;
	memcpy(f->addresses, addresses, f->count * sizeof(addresses[0]));
	f->started = sts_loop_ms(fr->loop);
	f->timer = sts_timer_new(fr->loop, turn, f);
	if (f->timer == NULL || sts_timer_set(f->timer, 0) == -1)
		goto failed;
	f->link = &fr->fetches;
	f->next = fr->fetches;
	if (f->next != NULL)
		f->next->link = &f->next;
	fr->fetches = f;
	return f;
failed:
	if (f != NULL)
		sts_timer_free(f->timer);
	free(f);
	return NULL;
}

void
sts_fetch_cancel(struct sts_fetch *f)
{
	if (f == NULL)
		return;
	release(f);
	fetch_free(f);
}

const char *
sts_fetch_version(void)
{
	return curl_version_info(CURLVERSION_NOW)->version;
}
