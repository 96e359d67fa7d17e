/* SPDX-License-Identifier: MIT */
/*
 * The rest of the world, for lookups that are not cached: a DNS server that validates, and
 * the policy hosts of all domains (domain.h), each with a certificate of its own. On
 * loopback addresses alone; every domain's policy host has another one, in one of some
 * thousand networks.
 *
 *	world [-d MS] [-s] CA_FILE
 *
 * -d delays each DNS answer, each first flight of a TLS server and each HTTP response; -s
 * takes the services' own ports, 53 and 443, for who can be told of no others.
 * Writes the authority's certificate to CA_FILE and the ports to stdout; then, for each line
 * that it reads, what it was asked so far. Ends when its input does.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "domain.h"

#define EVENTS 256
#define DEAD_NETS 128
#define LATE_MS 500
#define DRIP_MS 300
#define TTL 300
#define MESSAGE_MAX 512

/*
 * What happens later: a line for each delay, so that whoever came first is due first.
 */
enum delay { DELAY_TRIP, DELAY_LATE, DELAY_DRIP, DELAYS };
struct errand {
	struct errand *next;
	int64_t due;
	void (*run)(void *arg);
	void *arg;
};
static struct {
	int ms;
	struct errand *first, **end;
} delays[DELAYS] = { [DELAY_LATE] = { .ms = LATE_MS }, [DELAY_DRIP] = { .ms = DRIP_MS } };

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void *
need(void *memory)
{
	if (memory == NULL)
		errx(1, "out of memory");
	return memory;
}

static void
later(enum delay delay, void (*run)(void *), void *arg)
{
	struct errand *e;

	if (delays[delay].ms == 0) {
		run(arg);
		return;
	}
	e = need(malloc(sizeof(*e)));
	*e = (struct errand){ .due = now_us() + delays[delay].ms * INT64_C(1000),
		.run = run,
		.arg = arg };
	*delays[delay].end = e;
	delays[delay].end = &e->next;
}

/* Does what is due; microseconds until the next, -1: nothing waits. */
static int64_t
do_errands(void)
{
	int64_t now = now_us(), next = -1;

	for (int i = 0; i < DELAYS; i++) {
		struct errand *e;

		while ((e = delays[i].first) != NULL && e->due <= now) {
			delays[i].first = e->next;
			if (e->next == NULL)
				delays[i].end = &delays[i].first;
			e->run(e->arg);
			free(e);
		}
		if (e != NULL && (next == -1 || e->due - now < next))
			next = e->due - now;
	}
	return next;
}

/*
 * What was asked.
 */
static struct {
	unsigned long dns, connections, handshakes, requests;
	unsigned open, most;
} seen;

/*
 * DNS: names are [_mta-sts.|mta-sts.]LETTER HEX.example.
 */
static int dns, https_port;

struct question {
	struct sockaddr_in from;
	unsigned char bytes[MESSAGE_MAX];
	size_t n, end; /* end: of the question section */
	unsigned type;
	char name[256]; /* lower case, without the last dot */
};

static bool
read_name(struct question *q)
{
	size_t at = 12, to = 0, n;

	while (at < q->n && (n = q->bytes[at]) != 0) {
		if (n > 63 || at + n + 1 >= q->n || to + n + 1 >= sizeof(q->name))
			return false;
		if (to > 0)
			q->name[to++] = '.';
		memcpy(q->name + to, q->bytes + at + 1, n);
		to += n;
		at += n + 1;
	}
	q->name[to] = '\0';
	if (at + 5 > q->n)
		return false;
	q->type = (unsigned)q->bytes[at + 1] << 8 | q->bytes[at + 2];
	q->end = at + 5;
	return true;
}

struct reply {
	unsigned char bytes[MESSAGE_MAX];
	size_t n;
	unsigned answers, authorities;
};

static void
put16(struct reply *r, unsigned v)
{
	r->bytes[r->n++] = (unsigned char)(v >> 8);
	r->bytes[r->n++] = (unsigned char)v;
}

/* A record of the name at a place in the message. */
static void
put_record(struct reply *r, unsigned where, unsigned type, const void *data, size_t n)
{
	put16(r, where);
	put16(r, type);
	put16(r, 1);
	put16(r, 0);
	put16(r, TTL);
	put16(r, (unsigned)n);
	memcpy(r->bytes + r->n, data, n);
	r->n += n;
}

/* Of the root: for "no" answers, and for who asks whether we validate. */
static void
put_soa(struct reply *r, bool asked)
{
	static const unsigned char soa[22] = { [20] = TTL >> 8, [21] = TTL & 255 };

	if (asked) {
		put_record(r, 0xc00c, 6, soa, sizeof(soa));
		r->answers++;
		return;
	}
	r->bytes[r->n++] = 0;
	put16(r, 6);
	put16(r, 1);
	put16(r, 0);
	put16(r, TTL);
	put16(r, sizeof(soa));
	memcpy(r->bytes + r->n, soa, sizeof(soa));
	r->n += sizeof(soa);
	r->authorities++;
}

static const char *
domain_in(const char *name)
{
	size_t n = strlen(name);

	return n < DOMAIN_N ? "" : name + n - DOMAIN_N;
}

/* A network for each: dead ones are those where the port is bound, and nobody accepts. */
static void
put_address(struct reply *r, const char *domain)
{
	unsigned long number = strtoul(domain + 1, NULL, 16);
	bool dead = domain[0] == DOMAIN_DEAD;
	unsigned char address[4] = { 127, dead ? 63 : (unsigned char)(64 + number % 64),
		(unsigned char)(dead ? number % DEAD_NETS : number / 64 % 256), 1 };

	put_record(r, 0xc00c, 1, address, sizeof(address));
	r->answers++;
}

static void
put_mx(struct reply *r)
{
	unsigned char mx[] = { 0, 0, 3, 'm', 'x', 0, 0xc0, 0x0c };

	for (unsigned char i = 1; i <= 2; i++) {
		mx[1] = i;
		mx[5] = '0' + i;
		put_record(r, 0xc00c, 15, mx, sizeof(mx));
		r->answers++;
	}
}

static void
put_text(struct reply *r)
{
	static const char text[] = "\x1bv=STSv1; id=20260101000000;";

	put_record(r, 0xc00c, 16, text, 1 + (size_t)text[0]);
	r->answers++;
}

static void
answer_dns(void *arg)
{
	struct question *q = arg;
	const char *domain = domain_in(q->name);
	bool record = strncmp(q->name, "_mta-sts.", 9) == 0;
	bool policy = strncmp(q->name, "mta-sts.", 8) == 0;
	struct reply r = { .n = q->end };

	memcpy(r.bytes, q->bytes, q->end);
	memset(r.bytes + 4, 0, 8);
	r.bytes[2] = 0x81; /* a response, RD */
	r.bytes[3] = 0x80; /* RA */
	if (q->type == 6 && q->name[0] == '\0') {
		put_soa(&r, true);
		r.bytes[3] |= 0x20; /* AD: the root is signed, and nothing below it is */
	} else if (q->type == 16 && record && domain[0] != DOMAIN_NONE) {
		put_text(&r);
	} else if (q->type == 1 && policy) {
		put_address(&r, domain);
	} else if (q->type == 15 && domain == q->name) {
		put_mx(&r);
	} else {
		put_soa(&r, false);
		if (record)
			r.bytes[3] |= 3; /* NXDOMAIN */
	}
	r.bytes[5] = 1;
	r.bytes[7] = (unsigned char)r.answers;
	r.bytes[9] = (unsigned char)r.authorities;
	(void)sendto(dns, r.bytes, r.n, 0, (struct sockaddr *)&q->from, sizeof(q->from));
	free(q);
}

static void
on_dns(void)
{
	for (;;) {
		struct question *q = need(calloc(1, sizeof(*q)));
		socklen_t from = sizeof(q->from);
		ssize_t n = recvfrom(dns, q->bytes, sizeof(q->bytes), MSG_DONTWAIT,
		    (struct sockaddr *)&q->from, &from);

		q->n = n > 0 ? (size_t)n : 0;
		if (n < 0 || !read_name(q)) {
			free(q);
			if (n < 0)
				return;
			continue;
		}
		seen.dns++;
		later(DELAY_TRIP, answer_dns, q);
	}
}

/*
 * Certificates: one key for all leaves, which spares time that is not stsd's.
 */
static EVP_PKEY *authority_key, *leaf_key;
static X509 *authority;
static SSL_CTX *context;

static void
put_extension(X509 *x, int nid, const char *text)
{
	X509_EXTENSION *e = need(X509V3_EXT_conf_nid(NULL, NULL, nid, text));

	if (X509_add_ext(x, e, -1) != 1)
		errx(1, "an extension");
	X509_EXTENSION_free(e);
}

static X509 *
certificate(const char *name, EVP_PKEY *key)
{
	static long serial;
	X509 *x = need(X509_new());
	char text[300];

	(void)X509_set_version(x, 2);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	(void)X509_gmtime_adj(X509_getm_notBefore(x), -86400);
	(void)X509_gmtime_adj(X509_getm_notAfter(x), 86400L * 60);
	(void)X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	(void)X509_set_issuer_name(x,
	    X509_get_subject_name(authority != NULL ? authority : x));
	(void)X509_set_pubkey(x, key);
	if (authority == NULL) {
		put_extension(x, NID_basic_constraints, "critical,CA:TRUE");
	} else {
		(void)snprintf(text, sizeof(text), "DNS:%s", name);
		put_extension(x, NID_subject_alt_name, text);
	}
	if (X509_sign(x, authority_key, EVP_sha256()) == 0)
		errx(1, "%s: no certificate", name);
	return x;
}

static void
make_authority(const char *path)
{
	FILE *file = fopen(path, "w");

	authority_key = need(EVP_EC_gen("P-256"));
	leaf_key = need(EVP_EC_gen("P-256"));
	authority = certificate("Bench", authority_key);
	if (file == NULL || PEM_write_X509(file, authority) != 1 || fclose(file) != 0)
		err(1, "%s", path);
}

static int
on_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	X509 *leaf;

	(void)alert;
	(void)arg;
	if (name == NULL)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	leaf = certificate(name, leaf_key);
	(void)SSL_use_certificate(ssl, leaf);
	(void)SSL_use_PrivateKey(ssl, leaf_key);
	X509_free(leaf);
	return SSL_TLSEXT_ERR_OK;
}

/*
 * Policy hosts.
 */
struct visitor {
	int fd;
	SSL *ssl;
	bool shaken, gone, waits; /* waits: an errand has it */
	size_t at, n, read;
	char head[2048], response[1024];
	const char *domain;
};
static int epoll, https;

static void
see_off(struct visitor *v)
{
	if (!v->gone) {
		v->gone = true;
		(void)SSL_shutdown(v->ssl);
		SSL_free(v->ssl);
		close(v->fd);
		seen.open--;
	}
	if (!v->waits)
		free(v);
}

static void
make_response(struct visitor *v)
{
	char policy[256];
	size_t n = domain_policy(policy, sizeof(policy), v->domain);

	v->n = (size_t)snprintf(v->response, sizeof(v->response),
	    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\n\r\n%.*s",
	    n, (int)n, policy);
}

static void
respond(void *arg)
{
	struct visitor *v = arg;
	bool drips = v->domain[0] == DOMAIN_DRIP;

	v->waits = false;
	if (!v->gone &&
	    SSL_write(v->ssl, v->response + v->at, drips ? 1 : (int)v->n) > 0 && drips &&
	    ++v->at < v->n) {
		v->waits = true;
		later(DELAY_DRIP, respond, v);
		return;
	}
	see_off(v);
}

static void
hear(struct visitor *v)
{
	int n = SSL_read(v->ssl, v->head + v->read, (int)(sizeof(v->head) - 1 - v->read));

	if (n <= 0) {
		if (SSL_get_error(v->ssl, n) != SSL_ERROR_WANT_READ)
			see_off(v);
		return;
	}
	v->read += (size_t)n;
	v->head[v->read] = '\0';
	if (v->n > 0 || strstr(v->head, "\r\n\r\n") == NULL)
		return;
	seen.requests++;
	v->domain = domain_in(SSL_get_servername(v->ssl, TLSEXT_NAMETYPE_host_name));
	make_response(v);
	v->waits = true;
	later(v->domain[0] == DOMAIN_LATE ? DELAY_LATE : DELAY_TRIP, respond, v);
}

static void
shake(void *arg)
{
	struct visitor *v = arg;
	int n;

	v->waits = false;
	if (v->gone) {
		free(v);
		return;
	}
	n = SSL_accept(v->ssl);
	if (n == 1) {
		v->shaken = true;
		seen.handshakes++;
		hear(v);
	} else if (SSL_get_error(v->ssl, n) != SSL_ERROR_WANT_READ) {
		see_off(v);
	}
}

static void
on_visitor(struct visitor *v)
{
	char first;

	if (v->shaken) {
		hear(v);
	} else if (recv(v->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
		see_off(v);
	} else if (SSL_in_before(v->ssl)) {
		if (!v->waits) {
			v->waits = true;
			later(DELAY_TRIP, shake, v);
		}
	} else {
		shake(v);
	}
}

static void
on_https(void)
{
	struct visitor *v;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int fd = accept4(https, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd == -1)
		return;
	v = event.data.ptr = need(calloc(1, sizeof(*v)));
	v->fd = fd;
	v->ssl = need(SSL_new(context));
	SSL_set_accept_state(v->ssl);
	(void)SSL_set_fd(v->ssl, fd);
	seen.connections++;
	if (++seen.open > seen.most)
		seen.most = seen.open;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		err(1, "a visitor");
}

/*
 * The beginning.
 */
static int
bind_to(int type, in_addr_t address, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(address),
		.sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	int room = 4 << 20;

	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == -1 ||
	    bind(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		err(1, "a socket");
	return fd;
}

static int
port_of(int fd)
{
	struct sockaddr_in at;
	socklen_t n = sizeof(at);

	if (getsockname(fd, (struct sockaddr *)&at, &n) == -1)
		err(1, "a socket");
	return ntohs(at.sin_port);
}

static void
watch(int fd)
{
	/* Descriptors of ours, and never a visitor's address. */
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		err(1, "epoll");
}

/* The port is bound and its queue full: what comes is not answered. */
static void
bury(void)
{
	for (unsigned i = 0; i < DEAD_NETS; i++) {
		in_addr_t address = 127U << 24 | 63U << 16 | i << 8 | 1;
		struct sockaddr_in to = { .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(address),
			.sin_port = htons((uint16_t)https_port) };
		int fd = bind_to(SOCK_STREAM, address, https_port), mourner;

		if (listen(fd, 0) == -1)
			err(1, "a dead host");
		mourner = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (mourner == -1 ||
		    connect(mourner, (struct sockaddr *)&to, sizeof(to)) == -1)
			err(1, "a dead host");
	}
}

static void
begin(const char *ca_file, bool standard)
{
	for (int i = 0; i < DELAYS; i++)
		delays[i].end = &delays[i].first;
	make_authority(ca_file);
	context = need(SSL_CTX_new(TLS_server_method()));
	(void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_num_tickets(context, 0);
	(void)SSL_CTX_set_tlsext_servername_callback(context, on_name);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	dns = bind_to(SOCK_DGRAM, INADDR_LOOPBACK, standard ? 53 : 0);
	https = bind_to(SOCK_STREAM, INADDR_ANY, standard ? 443 : 0);
	if (listen(https, 4096) == -1)
		err(1, "listen");
	https_port = port_of(https);
	bury();
	watch(dns);
	watch(https);
	watch(STDIN_FILENO);
	(void)printf("{\"dns\": %d, \"https\": %d}\n", port_of(dns), https_port);
	(void)fflush(stdout);
}

static void
on_line(void)
{
	char line[64];

	if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
		exit(0);
	(void)printf("{\"dns\": %lu, \"connections\": %lu, \"handshakes\": %lu, "
		     "\"requests\": %lu, \"open\": %u, \"most\": %u}\n",
	    seen.dns, seen.connections, seen.handshakes, seen.requests, seen.open,
	    seen.most);
	(void)fflush(stdout);
}

static void
on_event(const struct epoll_event *event)
{
	if (event->data.u64 == (uint64_t)dns)
		on_dns();
	else if (event->data.u64 == (uint64_t)https)
		on_https();
	else if (event->data.u64 == STDIN_FILENO)
		on_line();
	else
		on_visitor(event->data.ptr);
}

/* A trip is to take as long as was said, and not a millisecond more. */
static void
wait_for(int64_t us)
{
	struct pollfd fd = { .fd = epoll, .events = POLLIN };
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	if (ppoll(&fd, 1, us == -1 ? NULL : &t, NULL) == -1 && errno != EINTR)
		err(1, "ppoll");
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	struct rlimit files;
	bool standard = false;
	int c, n;

	while ((c = getopt(argc, argv, "d:s")) != -1)
		switch (c) {
		case 'd':
			delays[DELAY_TRIP].ms = atoi(optarg);
			break;
		case 's':
			standard = true;
			break;
		default:
			exit(64);
		}
	if (optind != argc - 1)
		errx(64, "usage: world [-d MS] [-s] CA_FILE");
	(void)signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	begin(argv[optind], standard);
	for (;;) {
		wait_for(do_errands());
		n = epoll_wait(epoll, events, EVENTS, 0);
		for (int i = 0; i < n; i++)
			on_event(&events[i]);
	}
}
