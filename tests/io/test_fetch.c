/* SPDX-License-Identifier: MIT */
/*
 * Fetches from a server that misbehaves as fetch.json says, all at once on one loop.
 * Takes about eight seconds: one row waits for STS_CONNECT_MS.
 */
#include "fetch.h"
#include "test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bounds.h"

int test_failed;

/* Kinds of fetcher. */
enum kind {
	USUAL,
	HASTY,	 /* 1 s for everything */
	GUARDED, /* nothing is let through the address guard */
	KINDS
};

/* Addresses: 127.0.0.1 and 127.0.0.4 are the server; .2 never answers; .3 refuses. */
#define SERVER "127.0.0.1"

static const struct row {
	const char *name;
	const char *host; /* without .fetch.test */
	enum kind kind;
	const char *addresses;
	enum sts_err err;
	const char *why; /* a part of it */
	int64_t min_ms, max_ms;
} ROWS[] = {
	{ "a policy", "good", USUAL, SERVER, STS_OK, "", 0, 4000 },
	{ "TLS 1.2", "tls12", USUAL, SERVER, STS_OK, "", 0, 4000 },
	{ "in chunks", "chunked", USUAL, SERVER, STS_OK, "", 0, 4000 },
	{ "no length, whole lines", "unframed", USUAL, SERVER, STS_OK, "", 0, 4000 },
	{ "media type in any case, parameters", "charset", USUAL, SERVER, STS_OK, "", 0,
	    4000 },
	{ "a 103 before the answer", "early", USUAL, SERVER, STS_OK, "", 0, 4000 },
	{ "another type in a trailer", "odd-trailer", USUAL, SERVER, STS_OK, "", 0,
	    4000 },
	{ "coding identity", "identity", USUAL, SERVER, STS_OK, "", 0, 4000 },
	{ "65536 bytes", "full", USUAL, SERVER, STS_OK, "", 0, 4000 },
	{ "65536 bytes in chunks", "full-chunked", USUAL, SERVER, STS_OK, "", 0, 4000 },
	{ "second DNS name, another CN", "named", USUAL, SERVER, STS_OK, "", 0, 4000 },

	{ "301", "r301", USUAL, SERVER, STS_ERR_FETCH_STATUS,
	    "redirects (301) to https://good.fetch.test/.well-known/mta-sts.txt", 0,
	    4000 },
	{ "302, hostile", "r302", USUAL, SERVER, STS_ERR_FETCH_STATUS,
	    "redirects (302) to http://evil.example/\\x01x,", 0, 4000 },
	{ "307", "r307", USUAL, SERVER, STS_ERR_FETCH_STATUS, "(307) to /elsewhere", 0,
	    4000 },
	{ "308 to nowhere", "r308", USUAL, SERVER, STS_ERR_FETCH_STATUS,
	    "answered 308 instead of 200", 0, 4000 },
	{ "201", "s201", USUAL, SERVER, STS_ERR_FETCH_STATUS, "201 instead of 200", 0,
	    4000 },
	{ "203", "s203", USUAL, SERVER, STS_ERR_FETCH_STATUS, "203 instead of 200", 0,
	    4000 },
	{ "204", "s204", USUAL, SERVER, STS_ERR_FETCH_STATUS, "204 instead of 200", 0,
	    4000 },
	{ "206", "s206", USUAL, SERVER, STS_ERR_FETCH_STATUS, "206 instead of 200", 0,
	    4000 },
	{ "304", "s304", USUAL, SERVER, STS_ERR_FETCH_STATUS, "304 instead of 200", 0,
	    4000 },
	{ "404, not read to its end", "s404", USUAL, SERVER, STS_ERR_FETCH_STATUS,
	    "the server answered 404 instead of 200", 0, 4000 },
	{ "500", "s500", USUAL, SERVER, STS_ERR_FETCH_STATUS, "500 instead of 200", 0,
	    4000 },
	{ "999", "s999", USUAL, SERVER, STS_ERR_FETCH_STATUS, "999 instead of 200", 0,
	    4000 },
	{ "101", "s101", USUAL, SERVER, STS_ERR_FETCH_HTTP, "switched protocols", 0,
	    4000 },

	{ "text/html", "html", USUAL, SERVER, STS_ERR_FETCH_MEDIA_TYPE,
	    "Content-Type is text/html instead of text/plain", 0, 4000 },
	{ "text/plainly", "plainly", USUAL, SERVER, STS_ERR_FETCH_MEDIA_TYPE,
	    "text/plainly", 0, 4000 },
	{ "no media type", "no-type", USUAL, SERVER, STS_ERR_FETCH_MEDIA_TYPE,
	    "has no Content-Type", 0, 4000 },
	{ "two media types", "two-types", USUAL, SERVER, STS_ERR_FETCH_MEDIA_TYPE,
	    "text/html", 0, 4000 },
	{ "media type in a trailer", "trailer", USUAL, SERVER, STS_ERR_FETCH_MEDIA_TYPE,
	    "has no Content-Type", 0, 4000 },

	{ "65537 bytes", "over", USUAL, SERVER, STS_ERR_FETCH_TOO_BIG,
	    "larger than 65536", 0, 4000 },
	{ "65537 bytes in chunks", "over-chunked", USUAL, SERVER, STS_ERR_FETCH_TOO_BIG,
	    "larger than 65536", 0, 4000 },
	{ "65537 bytes, no length", "over-unframed", USUAL, SERVER, STS_ERR_FETCH_TOO_BIG,
	    "larger than 65536", 0, 4000 },
	{ "a length too big", "over-length", USUAL, SERVER, STS_ERR_FETCH_TOO_BIG,
	    "larger than 65536", 0, 4000 },
	{ "endless 100", "endless-1xx", USUAL, SERVER, STS_ERR_FETCH_TOO_BIG,
	    "16384 bytes of HTTP headers", 0, 4000 },
	{ "endless headers", "endless-headers", USUAL, SERVER, STS_ERR_FETCH_TOO_BIG,
	    "16384 bytes of HTTP headers", 0, 4000 },
	{ "one endless header", "endless-line", USUAL, SERVER, STS_ERR_FETCH_TOO_BIG, "",
	    0, 4000 },
	{ "endless body", "endless-body", USUAL, SERVER, STS_ERR_FETCH_TOO_BIG,
	    "larger than 65536", 0, 4000 },
	{ "endless chunk extension", "endless-chunk", USUAL, SERVER,
	    STS_ERR_FETCH_TOO_BIG, "more than a policy needs", 0, 4000 },

	{ "slow drip", "drip", HASTY, SERVER, STS_ERR_FETCH_TIMEOUT,
	    "the policy did not arrive within 1 s", 900, 2000 },
	{ "no answer", "mute", HASTY, SERVER, STS_ERR_FETCH_TIMEOUT,
	    "did not answer the request within 1", 900, 2000 },
	{ "no handshake", "silence", HASTY, SERVER, STS_ERR_FETCH_TIMEOUT,
	    "127.0.0.1 did not complete the TLS handshake within 1", 900, 2000 },
	{ "no handshake in 8 seconds", "long-silence", USUAL, SERVER,
	    STS_ERR_FETCH_TIMEOUT, "did not complete the TLS handshake within 8", 7900,
	    9000 },

	{ "gzip", "gzip", USUAL, SERVER, STS_ERR_FETCH_HTTP, "Content-Encoding: gzip", 0,
	    4000 },
	{ "transfer coding gzip", "te-gzip", USUAL, SERVER, STS_ERR_FETCH_HTTP, "", 0,
	    4000 },
	{ "cut off", "cut", USUAL, SERVER, STS_ERR_FETCH_HTTP, "cut off", 0, 4000 },
	{ "cut off abruptly", "cut-abrupt", USUAL, SERVER, STS_ERR_FETCH_HTTP, "", 0,
	    4000 },
	{ "chunks cut off", "cut-chunked", USUAL, SERVER, STS_ERR_FETCH_HTTP, "", 0,
	    4000 },
	{ "no length, cut in a line", "cut-unframed", USUAL, SERVER, STS_ERR_FETCH_HTTP,
	    "", 0, 4000 },
	{ "no length, no body", "empty-unframed", USUAL, SERVER, STS_ERR_FETCH_HTTP,
	    "may have been cut off", 0, 4000 },
	{ "closed without an answer", "nothing", USUAL, SERVER, STS_ERR_FETCH_HTTP,
	    "without an answer", 0, 4000 },
	{ "HTTP/0.9", "http09", USUAL, SERVER, STS_ERR_FETCH_HTTP, "not HTTP/1.1", 0,
	    4000 },
	{ "HTTP/2 in plain", "http2", USUAL, SERVER, STS_ERR_FETCH_HTTP, "not HTTP/1.1",
	    0, 4000 },
	{ "garbage", "garbage", USUAL, SERVER, STS_ERR_FETCH_HTTP, "not HTTP/1.1", 0,
	    4000 },
	{ "length -5", "bad-length", USUAL, SERVER, STS_ERR_FETCH_HTTP, "", 0, 4000 },

	{ "TLS 1.1", "tls11", USUAL, SERVER, STS_ERR_FETCH_TLS, "does not speak TLS 1.2",
	    0, 4000 },
	{ "alert", "alert", USUAL, SERVER, STS_ERR_FETCH_TLS, "handshake failure", 0,
	    4000 },
	{ "reset in the handshake", "reset", USUAL, SERVER, STS_ERR_FETCH_TLS, "", 0,
	    4000 },
	{ "closed in the handshake", "closed", USUAL, SERVER, STS_ERR_FETCH_TLS, "", 0,
	    4000 },
	{ "no TLS at all", "plain", USUAL, SERVER, STS_ERR_FETCH_TLS,
	    "does not speak TLS", 0, 4000 },

	{ "expired", "expired", USUAL, SERVER, STS_ERR_FETCH_CERT,
	    "the certificate expired 20", 0, 4000 },
	{ "not yet valid", "future", USUAL, SERVER, STS_ERR_FETCH_CERT,
	    "the certificate is not valid before 20", 0, 4000 },
	{ "self-signed", "self", USUAL, SERVER, STS_ERR_FETCH_CERT, "is self-signed", 0,
	    4000 },
	{ "unknown CA", "unknown", USUAL, SERVER, STS_ERR_FETCH_CERT,
	    "no trusted CA is known for the certificate's issuer CN=Test other", 0,
	    4000 },
	{ "wrong name", "wrong", USUAL, SERVER, STS_ERR_FETCH_CERT,
	    "the certificate names a.example, b.example, not wrong.fetch.test", 0, 4000 },
	{ "common name only", "cnonly", USUAL, SERVER, STS_ERR_FETCH_CERT,
	    "has no subject alternative name", 0, 4000 },
	{ "partial wildcard", "partial", USUAL, SERVER, STS_ERR_FETCH_CERT,
	    "names part*.fetch.test, not partial.fetch.test", 0, 4000 },
	{ "wildcard for two labels", "deep.sub", USUAL, SERVER, STS_ERR_FETCH_CERT,
	    "names *.fetch.test, not deep.sub.fetch.test", 0, 4000 },
	{ "not for servers", "client", USUAL, SERVER, STS_ERR_FETCH_CERT,
	    "not one for a web server", 0, 4000 },
	{ "hostile name", "hostile", USUAL, SERVER, STS_ERR_FETCH_CERT,
	    "names x\\x1b[31m.ex", 0, 4000 },

	{ "private address", "good", GUARDED, SERVER, STS_ERR_FETCH_BLOCKED,
	    "good.fetch.test has the address 127.0.0.1, which is not a public one", 0,
	    4000 },
	{ "private addresses", "good", GUARDED, "10.0.0.1 ::1 fe80::1 ::ffff:127.0.0.1",
	    STS_ERR_FETCH_BLOCKED, "not a public one", 0, 4000 },
	{ "refused", "good", USUAL, "127.0.0.3", STS_ERR_FETCH_CONNECT,
	    "no connection to 127.0.0.3: Connection refused", 0, 4000 },
	{ "dead", "good", HASTY, "127.0.0.2", STS_ERR_FETCH_CONNECT,
	    "no connection to 127.0.0.2", 900, 2000 },
	{ "a refused one first", "good", USUAL, "127.0.0.3 127.0.0.3 " SERVER, STS_OK, "",
	    0, 1900 },
	{ "a blocked one first", "good", USUAL, "10.0.0.1 " SERVER, STS_OK, "", 0, 1900 },
	{ "a blocked one last", "good", USUAL, "127.0.0.3 10.0.0.1",
	    STS_ERR_FETCH_CONNECT, "no connection to 127.0.0.3", 0, 4000 },
	{ "dead, then refused", "good", USUAL, "127.0.0.2 127.0.0.3 " SERVER, STS_OK, "",
	    1900, 3500 },
	{ "a dead one first", "good", USUAL, "127.0.0.2 " SERVER, STS_OK, "", 1900,
	    3500 },
	{ "dead IPv6 first", "good", USUAL, "::1 " SERVER, STS_OK, "", 0, 3500 },
	{ "a bad certificate decides", "decisive", USUAL, SERVER " 127.0.0.4",
	    STS_ERR_FETCH_CERT, "expired", 0, 4000 },
	{ "the first handshake decides", "race", USUAL, SERVER " 127.0.0.4", STS_OK, "",
	    2900, 4000 },
};
#define ROW_COUNT (sizeof(ROWS) / sizeof(ROWS[0]))

static struct sts_loop *loop;
static struct sts_fetcher *fetchers[KINDS];
static char directory[] = "/tmp/stsd-fetch-XXXXXX";
static size_t answered;
static int answers[ROW_COUNT];

static void
check_shape(const struct row *row, const struct sts_fetched *f)
{
	CHECK(row->name, f->total_ms >= row->min_ms);
	CHECK(row->name, f->total_ms <= row->max_ms);
	CHECK(row->name, f->has_address);
	if (f->err == STS_OK) {
		CHECK(row->name, f->status == 200);
		CHECK(row->name, sts_str_starts(f->body, STS_STR("version: STSv1\n")));
		CHECK(row->name, f->tls.verify == 0 && f->tls.why[0] == '\0');
		CHECK(row->name, f->connect_ms >= 0 && f->tls_ms >= f->connect_ms);
		CHECK(row->name, f->first_byte_ms >= f->tls_ms);
		CHECK(row->name, f->total_ms >= f->first_byte_ms);
	} else
		CHECK(row->name, f->body.n == 0);
	if (f->err == STS_OK || f->err == STS_ERR_FETCH_CERT) {
		CHECK(row->name, f->tls.chain == 1);
		CHECK(row->name, f->tls.not_after > 1600000000);
		CHECK(row->name, strncmp(f->tls.protocol, "TLSv1.", 6) == 0);
		CHECK(row->name, strncmp(f->tls.issuer, "CN=", 3) == 0);
	}
	if (strncmp(row->host, "full", 4) == 0)
		CHECK(row->name, f->body.n == STS_POLICY_MAX);
}

static void
on_fetched(void *arg, const struct sts_fetched *f)
{
	size_t i = (size_t)((const int *)arg - answers);
	const struct row *row = &ROWS[i];

	answers[i]++;
	CHECK(row->name, answers[i] == 1);
	CHECK(row->name, f->err == row->err);
	CHECK(row->name, strstr(f->why, row->why) != NULL);
	CHECK(row->name, (f->why[0] == '\0') == (f->err == STS_OK));
	check_shape(row, f);
	if (f->err != row->err || strstr(f->why, row->why) == NULL)
		fprintf(stderr, "\t%s: err %d, %s\n", row->name, (int)f->err, f->why);
	if (getenv("VERBOSE") != NULL)
		printf("%-36s %4lld ms  %s\n", row->name, (long long)f->total_ms, f->why);
	if (++answered == ROW_COUNT)
		sts_loop_stop(loop);
}

static void
on_never(void *arg, const struct sts_fetched *f)
{
	(void)f;
	CHECK((const char *)arg, f == NULL);
}

static size_t
parse_addresses(const char *text, struct sts_addr *out)
{
	struct sts_str rest = sts_str_of(text), one;
	size_t n = 0;

	while (rest.n != 0) {
		(void)sts_str_cut(&rest, ' ', &one);
		CHECK(text, sts_addr_parse(one, &out[n]));
		n++;
	}
	return n;
}

static struct sts_fetch *
start(const char *host, enum kind kind, const char *addresses, sts_on_fetched *on,
    void *arg)
{
	struct sts_addr list[STS_ADDRESSES_MAX];
	size_t count = parse_addresses(addresses, list);
	char name[64];
	int n = snprintf(name, sizeof(name), "%s.fetch.test", host);

	return sts_fetch_start(fetchers[kind], (struct sts_str){ name, (size_t)n }, list,
	    count, on, arg);
}

static void
on_too_long(void *arg)
{
	(void)arg;
	CHECK("all rows in time", answered == ROW_COUNT);
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (answers[i] == 0)
			fprintf(stderr, "\tno answer: %s\n", ROWS[i].name);
	sts_loop_stop(loop);
}

/* Addresses that never answer: the queue of a listener that never accepts is filled. */
static void
make_dead(int family, const void *to, socklen_t n)
{
	int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener == -1 || bind(listener, to, n) == -1 || listen(listener, 0) == -1)
		return;
	for (int i = 0; i < 4; i++) {
		int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		(void)connect(fd, to, n);
	}
}

static void
make_dead_addresses(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	in.sin_addr.s_addr = htonl(0x7f000002);
	in6.sin6_addr = in6addr_loopback;
	make_dead(AF_INET, &in, sizeof(in));
	make_dead(AF_INET6, &in6, sizeof(in6));
}

/* Starts the server; its standard input is a pipe that ends with us. */
static pid_t
start_server(int *input, uint16_t *port)
{
	char line[256] = "", *colon;
	int in[2], out[2];
	FILE *from;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) == -1 || pipe2(out, O_CLOEXEC) == -1)
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execlp("python3", "python3", "-B", "tests/io/https_server.py",
		    "--until-eof", "tests/io/fetch.json", directory, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	*input = in[1];
	from = fdopen(out[0], "r");
	while (from != NULL && fgets(line, sizeof(line), from) != NULL &&
	    strcmp(line, "ready\n") != 0)
		if ((colon = strrchr(line, ':')) != NULL)
			*port = (uint16_t)strtoul(colon + 1, NULL, 10);
	return strcmp(line, "ready\n") == 0 ? pid : -1;
}

static struct sts_tls_store *
read_store(void)
{
	char path[sizeof(directory) + 16], why[128] = "";
	struct sts_tls_store *store;
	int fd;

	snprintf(path, sizeof(path), "%s/ca.pem", directory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	store = sts_tls_store_read(fd, why, sizeof(why));
	CHECK(why, store != NULL && sts_tls_store_count(store) == 1);
	/* Its offset is somebody else's, too: a second reader gets the same. */
	sts_tls_store_free(store);
	store = sts_tls_store_read(fd, why, sizeof(why));
	CHECK(why, store != NULL && sts_tls_store_count(store) == 1);
	close(fd);
	return store;
}

static void
check_bad_stores(void)
{
	static const struct {
		const char *name, *text, *why;
	} cases[] = {
		{ "empty", "", "there is no certificate in it" },
		{ "text", "hello\n", "there is no certificate in it" },
		{ "broken",
		    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
		    "certificate 1 cannot be read" },
		{ "cut off", "-----BEGIN CERTIFICATE-----\nMIIB\n",
		    "certificate 1 cannot be read" },
	};
	char why[128];
	int fds[2];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (pipe(fds) == -1)
			return;
		CHECK(cases[i].name,
		    write(fds[1], cases[i].text, strlen(cases[i].text)) >= 0);
		close(fds[1]);
		CHECK(cases[i].name,
		    sts_tls_store_read(fds[0], why, sizeof(why)) == NULL);
		CHECK(why, strcmp(why, cases[i].why) == 0);
		close(fds[0]);
	}
	CHECK("no file", sts_tls_store_read(-1, why, sizeof(why)) == NULL);
	CHECK(why, strcmp(why, "Bad file descriptor") == 0);
}

/* What the server has seen: of one host, how many requests, and whether each has text. */
static size_t
count_requests(const char *host, const char *text)
{
	char path[sizeof(directory) + 16], line[4096], name[64];
	size_t n = 0;
	FILE *log;

	snprintf(path, sizeof(path), "%s/requests", directory);
	snprintf(name, sizeof(name), "\"name\": \"%s.fetch.test\"", host);
	log = fopen(path, "re");
	while (log != NULL && fgets(line, sizeof(line), log) != NULL)
		if (strstr(line, name) != NULL && strstr(line, text) != NULL)
			n++;
	if (log != NULL)
		fclose(log);
	return n;
}

static void
check_requests(void)
{
	static const char *const texts[] = {
		"[\"GET /.well-known/mta-sts.txt HTTP/1.1\", \"Host: chunked.fetch.test:",
		"\"User-Agent: stsd/" STSD_VERSION "\"",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		CHECK(texts[i], count_requests("chunked", texts[i]) == 1);
	CHECK("no coding is accepted", count_requests("chunked", "Accept-Encoding") == 0);
	CHECK("one request a race", count_requests("race", "") == 1);
	CHECK("one request a redirect", count_requests("r301", "") == 1);
	CHECK("no request without trust", count_requests("expired", "") == 0);
	CHECK("no request over TLS 1.1", count_requests("tls11", "") == 0);
}

/* What is under way when it is cancelled, or its fetcher freed, is never answered. */
static void
check_endings(const struct sts_fetcher_config *config)
{
	struct sts_fetch *fetch = start("mute", USUAL, SERVER, on_never, "cancel");

	for (int i = 0; i < 20; i++)
		sts_loop_once(loop, false);
	sts_fetch_cancel(fetch);
	sts_fetch_cancel(NULL);
	fetch = start("mute", USUAL, SERVER, on_never, "cancel at once");
	sts_fetch_cancel(fetch);
	CHECK("start",
	    start("mute", USUAL, "127.0.0.2 " SERVER, on_never, "free") != NULL);
	for (int i = 0; i < 20; i++)
		sts_loop_once(loop, false);
	sts_fetcher_free(fetchers[USUAL]);
	for (int i = 0; i < 20; i++)
		sts_loop_once(loop, false);
	fetchers[USUAL] = sts_fetcher_new(loop, config);
	CHECK("fetcher", fetchers[USUAL] != NULL);
}

static void
on_exhausted(void *arg, const struct sts_fetched *f)
{
	CHECK((const char *)arg, f->err == STS_ERR_NOMEM);
	CHECK((const char *)arg, strcmp(f->why, sts_err_text(STS_ERR_NOMEM)) == 0);
	sts_loop_stop(loop);
}

/* That we cannot open a socket is not the policy host's fault. */
static void
check_exhausted(void)
{
	struct rlimit usual, none;

	getrlimit(RLIMIT_NOFILE, &usual);
	none = (struct rlimit){ 3, usual.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	CHECK("start",
	    start("good", USUAL, SERVER, on_exhausted, "no descriptors") != NULL);
	sts_loop_run(loop);
	setrlimit(RLIMIT_NOFILE, &usual);
}

static void
run(uint16_t port)
{
	struct sts_fetcher_config config = { .timeout_ms = 20000, .port = port };
	struct sts_net loopback[2];
	struct sts_timer *bound;
	size_t nets = 0;

	nets += sts_net_parse(STS_STR("127.0.0.0/8"), &loopback[0]);
	nets += sts_net_parse(STS_STR("::1"), &loopback[1]);
	CHECK("networks", nets == 2);
	config.store = read_store();
	fetchers[GUARDED] = sts_fetcher_new(loop, &config);
	config.allow = loopback;
	config.allow_count = 2;
	fetchers[USUAL] = sts_fetcher_new(loop, &config);
	check_endings(&config);
	config.timeout_ms = 1000;
	fetchers[HASTY] = sts_fetcher_new(loop, &config);

	bound = sts_timer_new(loop, on_too_long, NULL);
	sts_timer_set(bound, 20000);
	for (size_t i = 0; i < ROW_COUNT; i++)
		CHECK(ROWS[i].name,
		    start(ROWS[i].host, ROWS[i].kind, ROWS[i].addresses, on_fetched,
			&answers[i]) != NULL);
	sts_loop_run(loop);
	check_exhausted();
	sts_timer_free(bound);
	for (int i = 0; i < KINDS; i++)
		sts_fetcher_free(fetchers[i]);
	sts_tls_store_free(config.store);
}

static void
remove_directory(void)
{
	char command[sizeof(directory) + 16];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	CHECK("rm", system(command) == 0);
}

int
main(void)
{
	uint16_t port = 0;
	int input = -1;
	pid_t server;

	if (system("python3 -c 'import ssl' && openssl version >/dev/null") != 0) {
		printf("python3 or openssl is not installed\n");
		return 77;
	}
	if (mkdtemp(directory) == NULL)
		return 1;
	check_bad_stores();
	loop = sts_loop_new();
	server = start_server(&input, &port);
	CHECK("server", server > 0 && port != 0);
	if (server > 0) {
		make_dead_addresses(port);
		run(port);
		check_requests();
		close(input);
		waitpid(server, NULL, 0);
	}
	sts_loop_free(loop);
	remove_directory();
	return test_failed;
}
