/* SPDX-License-Identifier: MIT */
/*
 * Questions put to small DNS servers on the same loop. What a server does stands in the
 * first label of the name asked; servers that always do the same have a letter.
 */
#include "resolve.h"
#include "test.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"

int test_failed;

/* Letters of servers, in the rows. */
enum fake_kind {
	FAKE_GOOD,   /* G: does as the name says */
	FAKE_DEAD,   /* D: takes everything, says nothing */
	FAKE_FAILS,  /* F: SERVFAIL, EDE 6 (bogus) */
	FAKE_PLAIN,  /* P: always answers as for "txt" */
	FAKE_CLOSED, /* C: nothing listens there */
	FAKE_STARTS, /* S: a good one, that begins to listen after half a second */
	FAKES
};
static const char LETTERS[FAKES] = { 'G', 'D', 'F', 'P', 'C', 'S' };

static const struct row {
	const char *name;
	const char *servers; /* a letter in lower case: that one alone is asked */
	const char *ask;
	int64_t timeout_ms;
	enum sts_err err;
	int ede;
	const char *data; /* of the first record; NULL: any */
	unsigned asked;	  /* outcomes seen by the observer */
	int64_t min_ms, max_ms;
} ROWS[] = {
	{ "an answer", "G", "txt.a", 3000, STS_OK, -1, "hello world", 1, 0, 500 },
	{ "over IPv6", "6", "txt.a", 3000, STS_OK, -1, "hello world", 1, 0, 500 },
	{ "no such name", "G", "nx.a", 3000, STS_ERR_DNS_NXDOMAIN, -1, NULL, 1, 0, 500 },
	{ "no such record", "G", "nodata.a", 3000, STS_ERR_DNS_NODATA, -1, NULL, 1, 0,
	    500 },
	{ "SERVFAIL", "G", "servfail.a", 3000, STS_ERR_DNS_SERVFAIL, 6, NULL, 1, 0, 500 },
	{ "REFUSED", "G", "refused.a", 3000, STS_ERR_DNS_REFUSED, -1, NULL, 1, 0, 500 },
	{ "another rcode", "G", "notimp.a", 3000, STS_ERR_DNS_OTHER, -1, NULL, 1, 0,
	    500 },
	{ "silence", "G", "silent.a", 1500, STS_ERR_DNS_TIMEOUT, -1, NULL, 1, 1500,
	    1800 },
	{ "a lost packet", "G", "lost1.a", 5000, STS_OK, -1, "hello world", 1, 900,
	    1500 },
	{ "two lost packets", "G", "lost2.a", 5000, STS_OK, -1, "hello world", 1, 1900,
	    4000 },
	{ "a slow recursion", "G", "slow.a", 5000, STS_OK, -1, "hello world", 1, 1600,
	    2500 },
	{ "truncated", "G", "tc.a", 3000, STS_OK, -1, NULL, 1, 0, 500 },
	{ "1200 bytes", "G", "big.a", 3000, STS_OK, -1, NULL, 1, 0, 500 },
	{ "malformed record", "G", "bad.a", 3000, STS_ERR_DNS_MALFORMED, -1, NULL, 1, 0,
	    500 },
	{ "another id first", "G", "otherid.a", 3000, STS_OK, -1, "hello world", 1, 0,
	    500 },
	{ "another question first", "G", "otherq.a", 3000, STS_OK, -1, "hello world", 1,
	    0, 1500 },
	{ "five bytes first", "G", "short.a", 3000, STS_OK, -1, "hello world", 1, 0,
	    1500 },

	{ "only a CNAME", "G", "to1.a", 3000, STS_OK, -1, "hello world", 2, 0, 500 },
	{ "a CNAME that is not secure", "G", "noad.a", 3000, STS_OK, -1, "hello world", 2,
	    0, 500 },
	{ "eight CNAMEs", "G", "to8.a", 3000, STS_OK, -1, "hello world", 9, 0, 500 },
	{ "nine CNAMEs", "G", "to9.a", 3000, STS_ERR_DNS_MALFORMED, -1, NULL, 9, 0, 500 },
	{ "CNAME to no name", "G", "tonx.a", 3000, STS_ERR_DNS_NXDOMAIN, -1, NULL, 2, 0,
	    500 },
	{ "CNAME to SERVFAIL", "G", "toservfail.a", 3000, STS_ERR_DNS_SERVFAIL, 6, NULL,
	    2, 0, 500 },
	{ "CNAME in a circle", "G", "circle.a", 3000, STS_ERR_DNS_MALFORMED, -1, NULL, 9,
	    0, 500 },
	{ "CNAME from the second server", "DG", "to1.a", 2000, STS_OK, -1, "hello world",
	    3, 1000, 1500 },

	{ "a dead one first", "DG", "txt.a", 2000, STS_OK, -1, "hello world", 2, 1000,
	    1500 },
	{ "two dead ones first", "DDG", "txt.a", 3000, STS_OK, -1, "hello world", 3, 2000,
	    2500 },
	{ "a closed one first", "CG", "txt.a", 3000, STS_OK, -1, "hello world", 2, 0,
	    500 },
	{ "a failing one first", "FG", "txt.a", 3000, STS_OK, -1, "hello world", 2, 0,
	    500 },
	{ "a refusal first", "GP", "refused.a", 3000, STS_OK, -1, "hello world", 2, 0,
	    500 },
	{ "a refusal, then nobody", "GC", "refused.a", 3000, STS_ERR_DNS_REFUSED, -1,
	    NULL, 2, 0, 500 },
	{ "a malformed reply first", "GP", "bad.a", 3000, STS_OK, -1, "hello world", 2, 0,
	    500 },
	{ "\"no\" is an answer", "GP", "nx.a", 3000, STS_ERR_DNS_NXDOMAIN, -1, NULL, 1, 0,
	    500 },
	{ "a slow one beside a dead one", "GD", "slow.a", 3000, STS_OK, -1, "hello world",
	    2, 1600, 2500 },
	{ "failure, then silence", "FD", "txt.a", 1000, STS_ERR_DNS_SERVFAIL, 6, NULL, 2,
	    1000, 1400 },
	{ "silence, then failure", "DF", "txt.a", 1000, STS_ERR_DNS_SERVFAIL, 6, NULL, 2,
	    1000, 1400 },
	{ "a reason counts more than none", "FG", "notimp.a", 3000, STS_ERR_DNS_SERVFAIL,
	    6, NULL, 2, 0, 500 },
	{ "all fail", "FF", "txt.a", 3000, STS_ERR_DNS_SERVFAIL, 6, NULL, 2, 0, 500 },
	{ "nobody there", "C", "txt.a", 1500, STS_ERR_DNS_TIMEOUT, -1, NULL, 2, 1500,
	    1800 },
	{ "being started", "S", "txt.a", 3000, STS_OK, -1, "hello world", 2, 1000, 1500 },

	{ "the first alone", "gF", "txt.a", 3000, STS_OK, -1, "hello world", 1, 0, 500 },
	{ "the second alone", "Fg", "txt.a", 3000, STS_OK, -1, "hello world", 1, 0, 500 },
	{ "a failing one alone", "fG", "txt.a", 3000, STS_ERR_DNS_SERVFAIL, 6, NULL, 1, 0,
	    500 },
	{ "a failing last one alone", "Gf", "txt.a", 3000, STS_ERR_DNS_SERVFAIL, 6, NULL,
	    1, 0, 500 },
	{ "a dead one alone", "dG", "txt.a", 1500, STS_ERR_DNS_TIMEOUT, -1, NULL, 1, 1500,
	    1800 },
	{ "a closed one alone", "cG", "txt.a", 1500, STS_ERR_DNS_TIMEOUT, -1, NULL, 2,
	    1500, 1800 },
	{ "a lost packet of one alone", "gP", "lost.a", 3000, STS_OK, -1, "hello world",
	    1, 900, 1500 },
	{ "a slow one alone", "gP", "slow.a", 2000, STS_OK, -1, "hello world", 1, 1600,
	    2000 },
	{ "eight CNAMEs from one alone", "Pg", "to8.a", 3000, STS_OK, -1, "hello world",
	    9, 0, 500 },
	{ "no name for one alone", "g", "a..b", 3000, STS_ERR_NAME, -1, NULL, 0, 0, 500 },

	{ "no name", "G", "a..b", 3000, STS_ERR_NAME, -1, NULL, 0, 0, 500 },
	{ "no name with a port", "G", "_25._tcp.a b", 3000, STS_ERR_NAME, -1, NULL, 0, 0,
	    500 },
	{ "empty name", "G", "", 3000, STS_ERR_NAME, -1, NULL, 0, 0, 500 },
};
#define ROW_COUNT (sizeof(ROWS) / sizeof(ROWS[0]))

struct fake {
	enum fake_kind kind;
	uint16_t port;
	int udp, tcp;
	unsigned packets, streams;
	unsigned lost, lost1, lost2, shorts;
	struct sts_watch *udp_watch, *tcp_watch;
};

static struct sts_loop *loop;
static struct sts_timer *starter;
static struct fake fakes[FAKES], fake6;
static struct progress {
	struct sts_resolve *resolve;
	unsigned asked, answers;
} progress[ROW_COUNT];
static size_t answered;

/* ---- the servers ---- */

/* One question and what is to be said; written as sts_buf, big-endian by hand. */
struct exchange {
	struct fake *fake;
	struct sts_str query;	  /* header and question, without OPT */
	char label[64], rest[64]; /* of the name: the first label, the others */
	enum sts_dns_type type;
	struct sts_buf reply;
	unsigned answers;
	bool tcp, twice;
};

static void
put16(struct sts_buf *b, unsigned n)
{
	sts_put_char(b, (char)(n >> 8));
	sts_put_char(b, (char)(n & 0xff));
}

static void
put_name(struct sts_buf *b, const char *dotted)
{
	struct sts_str rest = sts_str_of(dotted), label;

	while (rest.n != 0) {
		(void)sts_str_cut(&rest, '.', &label);
		sts_put_char(b, (char)label.n);
		sts_put(b, label);
	}
	sts_put_char(b, 0);
}

/* A record of the name asked. */
static void
put_record(struct exchange *x, unsigned type, unsigned ttl, struct sts_str rdata)
{
	put16(&x->reply, 0xc00c);
	put16(&x->reply, type);
	put16(&x->reply, 1);
	put16(&x->reply, 0);
	put16(&x->reply, ttl);
	put16(&x->reply, (unsigned)rdata.n);
	sts_put(&x->reply, rdata);
	x->answers++;
}

static void
put_txt(struct exchange *x, size_t repeat)
{
	static const struct sts_str text = STS_STR("\013hello world");

	for (size_t i = 0; i < repeat; i++)
		put_record(x, STS_DNS_TXT, 300, text);
}

static void
put_cname(struct exchange *x, const char *label)
{
	struct sts_buf rdata = { .n = 0 };
	char name[160];

	snprintf(name, sizeof(name), "%s.%s", label, x->rest);
	put_name(&rdata, name);
	put_record(x, STS_DNS_CNAME, 60, sts_buf_str(&rdata));
	sts_buf_done(&rdata);
}

static void
put_soa(struct exchange *x)
{
	put_record(x, STS_DNS_SOA, 600,
	    STS_STR("\000\000\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\074"));
	x->answers--;
	x->reply.p[9] = 1; /* it is in the authority section */
}

static void
put_ede(struct exchange *x, unsigned code)
{
	sts_put(&x->reply, STS_STR("\0\0\051\004\320\0\0\0\0\0\006\0\017\0\002"));
	put16(&x->reply, code);
	x->reply.p[11] = 1;
}

static void
set_rcode(struct exchange *x, int rcode)
{
	x->reply.p[3] = (char)((x->reply.p[3] & 0xf0) | rcode);
}

static void
do_tc(struct exchange *x)
{
	if (x->tcp)
		put_txt(x, 200);
	else
		x->reply.p[2] |= 2;
}

static void
do_bad(struct exchange *x)
{
	put_txt(x, 1);
	x->reply.p[x->reply.n - 12] = 100; /* the string is longer than the record */
}

/* "to8" is a CNAME for "to7", and "to0" is the end. */
static void
do_to(struct exchange *x)
{
	char next[8];

	if (strcmp(x->label, "to0") == 0) {
		put_txt(x, 1);
		return;
	}
	snprintf(next, sizeof(next), "to%d", x->label[2] - '1');
	put_cname(x, next);
}

static void
do_other_id(struct exchange *x)
{
	put_txt(x, 1);
	x->twice = true;
	x->reply.p[0] ^= 1;
}

static void
do_other_question(struct exchange *x)
{
	put_txt(x, 1);
	x->twice = true;
	x->reply.p[13] ^= 2;
}

/* What there is of each type but TXT. */
static void
put_typed(struct exchange *x)
{
	switch (x->type) {
	case STS_DNS_A:
		put_record(x, STS_DNS_A, 300, STS_STR("4444"));
		break;
	case STS_DNS_AAAA:
		put_record(x, STS_DNS_AAAA, 300, STS_STR("6666666666666666"));
		break;
	case STS_DNS_CNAME:
		put_cname(x, "host");
		break;
	case STS_DNS_SOA:
		put_soa(x);
		x->answers++;
		x->reply.p[9] = 0;
		break;
	case STS_DNS_MX:
		put_record(x, STS_DNS_MX, 300, STS_STR("\0\12\4HOST\0"));
		break;
	case STS_DNS_TXT:
		put_txt(x, 1);
		break;
	case STS_DNS_TLSA:
		put_record(x, STS_DNS_TLSA, 300, STS_STR("\3\1\1x"));
		put_record(x, STS_DNS_TLSA, 300, STS_STR("\3\1\1y"));
		break;
	}
}

/* A CNAME and the record it leads to, in one reply. */
static void
do_alias(struct exchange *x)
{
	size_t target = x->reply.n + 12;

	put_cname(x, "host");
	put_typed(x);
	/* The owner of the last record, whose rdata has four bytes. */
	x->reply.p[x->reply.n - 15] = (char)target;
}

/* True when something is to be said. */
static bool
do_as_named(struct exchange *x)
{
	const char *l = x->label;

	if (strcmp(l, "silent") == 0 || (strcmp(l, "lost") == 0 && x->fake->lost++ < 1) ||
	    (strcmp(l, "lost1") == 0 && x->fake->lost1++ < 1) ||
	    (strcmp(l, "lost2") == 0 && x->fake->lost2++ < 2))
		return false;
	if (strcmp(l, "nx") == 0 || strcmp(l, "nodata") == 0) {
		put_soa(x);
		set_rcode(x, l[1] == 'x' ? 3 : 0);
	} else if (strcmp(l, "servfail") == 0) {
		put_ede(x, 6);
		set_rcode(x, 2);
	} else if (strcmp(l, "refused") == 0)
		set_rcode(x, 5);
	else if (strcmp(l, "notimp") == 0)
		set_rcode(x, 4);
	else if (strcmp(l, "tc") == 0)
		do_tc(x);
	else if (strcmp(l, "big") == 0)
		put_txt(x, 48);
	else if (strcmp(l, "bad") == 0)
		do_bad(x);
	else if (strcmp(l, "otherid") == 0)
		do_other_id(x);
	else if (strcmp(l, "otherq") == 0)
		do_other_question(x);
	else if (strcmp(l, "short") == 0 && x->fake->shorts++ == 0)
		x->twice = true;
	else if (strcmp(l, "noad") == 0) {
		put_cname(x, "txt");
		x->reply.p[3] &= ~0x20;
	} else if (strcmp(l, "tonx") == 0)
		put_cname(x, "nx");
	else if (strcmp(l, "toservfail") == 0)
		put_cname(x, "servfail");
	else if (strcmp(l, "circle") == 0)
		put_cname(x, "elcric");
	else if (strcmp(l, "elcric") == 0)
		put_cname(x, "circle");
	else if (strcmp(l, "alias") == 0 && x->type == STS_DNS_A)
		do_alias(x);
	else if (strcmp(l, "part") == 0 && x->type == STS_DNS_A)
		put_cname(x, "alias");
	else if (strncmp(l, "to", 2) == 0)
		do_to(x);
	else
		put_typed(x);
	return true;
}

static bool
answer(struct exchange *x)
{
	sts_put(&x->reply, x->query);
	x->reply.p[2] = (char)0x81; /* a reply; RD */
	x->reply.p[3] = (char)0xa0; /* RA, AD */
	memset(x->reply.p + 6, 0, 6);
	if (x->fake->kind == FAKE_FAILS) {
		put_ede(x, 6);
		set_rcode(x, 2);
	} else if (x->fake->kind == FAKE_PLAIN)
		put_txt(x, 1);
	else if (x->fake->kind == FAKE_DEAD || !do_as_named(x))
		return false;
	x->reply.p[7] = (char)x->answers;
	return !x->reply.bad;
}

/* Every question must be as lib/dns.h says; names the fakes know have labels of at most 63
 * bytes and are not compressed. */
static bool
read_query(struct exchange *x, const unsigned char *p, size_t n)
{
	size_t label_n = p[12], at = label_n == 0 ? 12 : 13 + label_n;
	struct sts_buf rest = { .n = 0 };

	CHECK("RD and AD", p[2] == 0x01 && p[3] == 0x20);
	memcpy(x->label, p + 13, label_n);
	x->label[label_n] = '\0';
	for (; at < n && p[at] != 0; at += 1u + p[at]) {
		if (rest.n != 0)
			sts_put_char(&rest, '.');
		sts_put(&rest, (struct sts_str){ (const char *)p + at + 1, p[at] });
	}
	snprintf(x->rest, sizeof(x->rest), "%.*s", (int)rest.n, rest.p);
	sts_buf_done(&rest);
	at += 5;
	x->type = (enum sts_dns_type)(p[at - 4] << 8 | p[at - 3]);
	x->query = (struct sts_str){ (const char *)p, at };
	/* The newer c-ares puts a cookie into the OPT. */
	return n >= at + 11 && memcmp(p + at, "\0\0\051\004\320", 5) == 0;
}

static void
send_reply(struct exchange *x, int fd, const struct sockaddr *to, socklen_t to_n)
{
	if (x->twice && strcmp(x->label, "short") == 0)
		sendto(fd, "short", 5, 0, to, to_n);
	else if (x->twice)
		sendto(fd, x->reply.p, x->reply.n, 0, to, to_n);
	if (x->twice) {
		sts_buf_clear(&x->reply);
		snprintf(x->label, sizeof(x->label), "txt");
		x->answers = 0;
		(void)answer(x);
	}
	sendto(fd, x->reply.p, x->reply.n, 0, to, to_n);
}

/* A reply that waits for its time. */
static struct late {
	struct late *next;
	struct sts_timer *timer;
	struct sockaddr_in to;
	struct exchange x;
	unsigned char query[512];
} * lates;

static void
on_late(void *arg)
{
	struct late *late = arg;

	if (answer(&late->x))
		send_reply(&late->x, late->x.fake->udp, (struct sockaddr *)&late->to,
		    sizeof(late->to));
	sts_buf_done(&late->x.reply);
	sts_timer_free(late->timer);
	late->timer = NULL;
}

static void
free_lates(void)
{
	struct late *next;

	for (; lates != NULL; lates = next) {
		next = lates->next;
		sts_timer_free(lates->timer);
		free(lates);
	}
}

static void
answer_late(const struct exchange *x, const struct sockaddr *to)
{
	struct late *late = calloc(1, sizeof(*late));

	if (late == NULL)
		return;
	memcpy(late->query, x->query.p, x->query.n);
	memcpy(&late->to, to, sizeof(late->to));
	late->x = *x;
	late->x.query.p = (const char *)late->query;
	late->timer = sts_timer_new(loop, on_late, late);
	sts_timer_set(late->timer, 1600);
	late->next = lates;
	lates = late;
}

static void
on_udp(void *arg, int fd, unsigned what)
{
	struct fake *fake = arg;
	struct exchange x = { .fake = fake };
	struct sockaddr_storage from;
	socklen_t from_n = sizeof(from);
	unsigned char p[512];
	ssize_t n =
	    recvfrom(fd, p, sizeof(p), MSG_DONTWAIT, (struct sockaddr *)&from, &from_n);

	(void)what;
	if (n < 12)
		return;
	fake->packets++;
	CHECK("query", read_query(&x, p, (size_t)n));
	if (strcmp(x.label, "slow") == 0 && fake->kind != FAKE_DEAD)
		answer_late(&x, (struct sockaddr *)&from);
	else if (answer(&x))
		send_reply(&x, fd, (struct sockaddr *)&from, from_n);
	sts_buf_done(&x.reply);
}

/* A connection, until its question is here. */
struct stream {
	struct fake *fake;
	struct sts_watch *watch;
};

static void
on_stream(void *arg, int fd, unsigned what)
{
	struct stream *stream = arg;
	struct exchange x = { .fake = stream->fake, .tcp = true };
	struct sts_buf out = { .n = 0 };
	unsigned char p[512];
	ssize_t n = recv(fd, p, sizeof(p), MSG_DONTWAIT);

	(void)what;
	if (n > 14 && read_query(&x, p + 2, (size_t)n - 2) && answer(&x)) {
		put16(&out, (unsigned)x.reply.n);
		sts_put(&out, sts_buf_str(&x.reply));
		CHECK("TCP", send(fd, out.p, out.n, MSG_NOSIGNAL) == (ssize_t)out.n);
	}
	sts_buf_done(&out);
	sts_buf_done(&x.reply);
	sts_watch_free(stream->watch);
	free(stream);
	close(fd);
}

static void
on_tcp(void *arg, int fd, unsigned what)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	int peer = accept(fd, NULL, NULL);

	(void)what;
	if (stream == NULL || peer == -1)
		abort();
	stream->fake = arg;
	stream->fake->streams++;
	stream->watch = sts_watch_new(loop, peer, on_stream, stream);
	sts_watch_set(stream->watch, STS_READ);
}

static void
fake_listen(struct fake *fake, const struct sockaddr *at, socklen_t at_n)
{
	int one = 1;

	fake->udp = socket(at->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fake->tcp = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fake->tcp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	CHECK("udp", bind(fake->udp, at, at_n) == 0);
	CHECK("tcp", bind(fake->tcp, at, at_n) == 0 && listen(fake->tcp, 16) == 0);
	fake->udp_watch = sts_watch_new(loop, fake->udp, on_udp, fake);
	fake->tcp_watch = sts_watch_new(loop, fake->tcp, on_tcp, fake);
	sts_watch_set(fake->udp_watch, STS_READ);
	sts_watch_set(fake->tcp_watch, STS_READ);
}

/* A port of the kernel's choice, for UDP and TCP alike. */
static uint16_t
free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&at, n) == -1 ||
	    getsockname(fd, (struct sockaddr *)&at, &n) == -1)
		abort();
	close(fd);
	return ntohs(at.sin_port);
}

static void
fake_start(void *arg)
{
	struct fake *fake = arg;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(fake->port) };

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fake_listen(fake, (struct sockaddr *)&at, sizeof(at));
}

static bool
has_ipv6(void)
{
	struct sockaddr_in6 at6 = { .sin6_family = AF_INET6,
		.sin6_addr = in6addr_loopback };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool can = fd != -1 && bind(fd, (struct sockaddr *)&at6, sizeof(at6)) == 0;

	if (fd != -1)
		close(fd);
	return can;
}

static void
start_fakes(void)
{
	struct sockaddr_in6 at6 = { .sin6_family = AF_INET6 };

	for (enum fake_kind k = 0; k < FAKES; k++) {
		fakes[k] = (struct fake){ .kind = k, .port = free_port() };
		if (k != FAKE_CLOSED && k != FAKE_STARTS)
			fake_start(&fakes[k]);
	}
	starter = sts_timer_new(loop, fake_start, &fakes[FAKE_STARTS]);
	sts_timer_set(starter, 500);
	fake6 = (struct fake){ .kind = FAKE_GOOD };
	if (!has_ipv6())
		return;
	fake6.port = free_port();
	at6.sin6_port = htons(fake6.port);
	at6.sin6_addr = in6addr_loopback;
	fake_listen(&fake6, (struct sockaddr *)&at6, sizeof(at6));
}

static void
stop_fake(struct fake *fake)
{
	sts_watch_free(fake->udp_watch);
	sts_watch_free(fake->tcp_watch);
}

static void
stop_fakes(void)
{
	for (enum fake_kind k = 0; k < FAKES; k++)
		stop_fake(&fakes[k]);
	stop_fake(&fake6);
	free_lates();
	sts_timer_free(starter);
}

/* ---- the questions ---- */

static void
on_asked(void *arg, enum sts_dns_type type, enum sts_err err)
{
	struct progress *p = arg;

	(void)err;
	CHECK("type", type == STS_DNS_TXT);
	p->asked++;
}

static void
check_records(const struct row *row, const struct sts_dns_answer *a)
{
	bool secure = strcmp(row->ask, "noad.a") != 0;
	unsigned chain = !secure;
	size_t count = 1;

	if (strncmp(row->ask, "to", 2) == 0)
		chain = (unsigned)(row->ask[2] - '0');
	if (strcmp(row->ask, "tc.a") == 0)
		count = 200;
	if (strcmp(row->ask, "big.a") == 0)
		count = 48;
	CHECK(row->name, a->ad == secure);
	CHECK(row->name, a->chain == chain);
	CHECK(row->name, a->ttl == (chain != 0 ? 0 : 300));
	CHECK(row->name, a->count == count);
}

static void
check_answer(const struct row *row, const struct sts_dns_answer *a)
{
	CHECK(row->name, a->err == row->err);
	CHECK(row->name, a->ede == row->ede);
	if (row->err == STS_OK && a->err == STS_OK)
		check_records(row, a);
	if (row->data != NULL && a->count != 0)
		CHECK(row->name, sts_str_eq(a->rr[0].data, sts_str_of(row->data)));
	if (row->err == STS_ERR_DNS_NXDOMAIN || row->err == STS_ERR_DNS_NODATA)
		CHECK(row->name, a->has_soa && a->ttl == 60);
}

static void
on_answer(void *arg, const struct sts_dns_answer *a, int64_t ms)
{
	struct progress *p = arg;
	const struct row *row = &ROWS[p - progress];

	CHECK(row->name, ++p->answers == 1);
	check_answer(row, a);
	CHECK(row->name, ms >= row->min_ms);
	CHECK(row->name, ms <= row->max_ms);
	CHECK(row->name, p->asked == row->asked);
	if (getenv("VERBOSE") != NULL)
		printf("%-32s %4lld ms  err %d ede %d asked %u\n", row->name,
		    (long long)ms, (int)a->err, a->ede, p->asked);
	/* Whoever asked may also be gone before the call is over. */
	sts_resolve_free(p->resolve);
	p->resolve = NULL;
	if (++answered == ROW_COUNT)
		sts_loop_stop(loop);
}

static void
on_never(void *arg, const struct sts_dns_answer *a, int64_t ms)
{
	(void)ms;
	CHECK((const char *)arg, a == NULL);
}

static void
list_servers(const char *letters, char *out, size_t out_n)
{
	size_t n = 0;

	for (; *letters != '\0'; letters++) {
		if (*letters == '6') {
			n +=
			    (size_t)snprintf(out + n, out_n - n, "[::1]:%u ", fake6.port);
			continue;
		}
		for (size_t k = 0; k < FAKES; k++)
			if (LETTERS[k] == toupper(*letters))
				n += (size_t)snprintf(out + n, out_n - n, "127.0.0.1:%u ",
				    fakes[k].port);
	}
}

static struct sts_question *
ask(const struct row *row, struct progress *p)
{
	struct sts_str name = sts_str_of(row->ask);
	size_t one = strcspn(row->servers, "gdfpcs");

	if (row->servers[one] == '\0')
		return sts_resolve_ask(p->resolve, name, STS_DNS_TXT, on_answer, p);
	return sts_resolve_ask_server(p->resolve, one, name, STS_DNS_TXT, on_answer, p);
}

static void
ask_all(void)
{
	char servers[256];

	for (size_t i = 0; i < ROW_COUNT; i++) {
		struct progress *p = &progress[i];

		if (ROWS[i].servers[0] == '6' && fake6.port == 0) {
			printf("skipped %s: there is no IPv6 here\n", ROWS[i].name);
			answered++;
			continue;
		}
		list_servers(ROWS[i].servers, servers, sizeof(servers));
		p->resolve = sts_resolve_new(loop, servers, ROWS[i].timeout_ms);
		CHECK(ROWS[i].name, p->resolve != NULL);
		if (p->resolve == NULL)
			continue;
		sts_resolve_observe(p->resolve, on_asked, p);
		CHECK(ROWS[i].name, ask(&ROWS[i], p) != NULL);
	}
}

/* Each type that is ever asked for, from a server that fails and then from a good one. */
static const struct typed {
	const char *ask;
	enum sts_dns_type type;
	enum sts_err err;
	size_t count;
	struct sts_str data; /* of the first record; empty: any */
	const char *final_name;
	unsigned chain;
	uint32_t ttl;
	bool ad;
} TYPED[] = {
	{ ".", STS_DNS_SOA, STS_OK, 1, { NULL, 0 }, "", 0, 600, true },
	{ "host.a", STS_DNS_A, STS_OK, 1, { "4444", 4 }, "host.a", 0, 300, true },
	{ "host.a", STS_DNS_AAAA, STS_OK, 1, { "6666666666666666", 16 }, "host.a", 0, 300,
	    true },
	{ "host.a", STS_DNS_MX, STS_OK, 1, { "host", 4 }, "host.a", 0, 300, true },
	{ "alias.a", STS_DNS_CNAME, STS_OK, 1, { "host.a", 6 }, "alias.a", 0, 60, true },
	{ "alias.a", STS_DNS_A, STS_OK, 1, { "4444", 4 }, "host.a", 1, 60, true },
	{ "part.a", STS_DNS_A, STS_OK, 1, { "4444", 4 }, "host.a", 2, 0, true },
	{ "_25._tcp.host.a", STS_DNS_TLSA, STS_OK, 2, { "\3\1\1x", 4 }, "_25._tcp.host.a",
	    0, 300, true },
	{ "nx._tcp.host.a", STS_DNS_TLSA, STS_ERR_DNS_NXDOMAIN, 0, { NULL, 0 },
	    "nx._tcp.host.a", 0, 60, true },
	{ "noad._tcp.host.a", STS_DNS_TLSA, STS_OK, 2, { NULL, 0 }, "txt._tcp.host.a", 1,
	    0, false },
};
#define TYPED_COUNT (sizeof(TYPED) / sizeof(TYPED[0]))
static size_t typed_left = TYPED_COUNT;

static void
on_typed(void *arg, const struct sts_dns_answer *a, int64_t ms)
{
	const struct typed *row = arg;

	(void)ms;
	CHECK(row->ask, a->err == row->err && a->ede == -1);
	CHECK(row->ask, a->count == row->count);
	if (row->data.n != 0 && a->count != 0)
		CHECK(row->ask, sts_str_eq(a->rr[0].data, row->data));
	CHECK(row->ask, sts_str_eq(a->final_name, sts_str_of(row->final_name)));
	CHECK(row->ask, a->chain == row->chain);
	CHECK(row->ask, a->ttl == row->ttl);
	CHECK(row->ask, a->ad == row->ad);
	if (--typed_left == 0)
		sts_loop_stop(loop);
}

static void
check_typed(void)
{
	struct sts_resolve *r;
	char servers[64];

	list_servers("FG", servers, sizeof(servers));
	r = sts_resolve_new(loop, servers, 1000);
	for (size_t i = 0; i < TYPED_COUNT; i++)
		CHECK(TYPED[i].ask,
		    sts_resolve_ask(r, sts_str_of(TYPED[i].ask), TYPED[i].type, on_typed,
			(void *)&TYPED[i]) != NULL);
	sts_loop_run(loop);
	sts_resolve_free(r);
}

/* What is forgotten, or whose resolver is freed, is never answered. */
static void
ask_forgotten(void)
{
	char servers[256];
	struct sts_resolve *r;
	struct sts_question *q;

	list_servers("GD", servers, sizeof(servers));
	r = sts_resolve_new(loop, servers, 1000);
	q = sts_resolve_ask(r, STS_STR("silent.b"), STS_DNS_TXT, on_never,
	    "forgotten at once");
	sts_resolve_forget(q);
	sts_resolve_forget(NULL);
	q = sts_resolve_ask(r, STS_STR("slow.b"), STS_DNS_TXT, on_never,
	    "forgotten later");
	for (int i = 0; i < 10; i++)
		sts_loop_once(loop, false);
	sts_resolve_forget(q);
	q = sts_resolve_ask(r, STS_STR("slow.c"), STS_DNS_TXT, on_never, "freed");
	CHECK("ask", q != NULL);
	for (int i = 0; i < 10; i++)
		sts_loop_once(loop, false);
	sts_resolve_free(r);
}

/* A dead server costs the first question its share, and those after it nothing. */
static int64_t took_ms;

static void
on_remembered(void *arg, const struct sts_dns_answer *a, int64_t ms)
{
	CHECK((const char *)arg, a->err == STS_OK);
	took_ms = ms;
	sts_loop_stop(loop);
}

static void
check_remembered(void)
{
	static const char *const ROWS_OF_TWO[] = { "DG", "GD" };
	char servers[64];

	for (size_t i = 0; i < 2; i++) {
		const char *name = ROWS_OF_TWO[i];
		struct sts_resolve *r;

		list_servers(name, servers, sizeof(servers));
		r = sts_resolve_new(loop, servers, 1000);
		for (int turn = 0; turn < 3; turn++) {
			bool first = turn == 0 && name[0] == 'D';

			CHECK(name,
			    sts_resolve_ask(r, STS_STR("txt.a"), STS_DNS_TXT,
				on_remembered, (void *)(intptr_t)name) != NULL);
			sts_loop_run(loop);
			CHECK(name, first ? took_ms >= 500 : took_ms < 400);
		}
		sts_resolve_free(r);
	}
}

static void
on_exhausted(void *arg, const struct sts_dns_answer *a, int64_t ms)
{
	(void)ms;
	CHECK((const char *)arg, a->err == STS_ERR_NOMEM);
	sts_loop_stop(loop);
}

/* That we cannot open a socket is not the servers' fault. */
static void
check_exhausted(void)
{
	struct sts_resolve *r;
	struct rlimit usual, none;
	char servers[64];

	list_servers("G", servers, sizeof(servers));
	r = sts_resolve_new(loop, servers, 1000);
	getrlimit(RLIMIT_NOFILE, &usual);
	none = (struct rlimit){ 3, usual.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	CHECK("ask",
	    sts_resolve_ask(r, STS_STR("txt.a"), STS_DNS_TXT, on_exhausted,
		"no descriptors") != NULL);
	sts_loop_run(loop);
	setrlimit(RLIMIT_NOFILE, &usual);
	sts_resolve_free(r);
}

static void
check_lists(void)
{
	static const struct {
		const char *list;
		bool good;
	} cases[] = {
		{ "127.0.0.1", true },
		{ "127.0.0.1:5353", true },
		{ "::1", true },
		{ "[::1]", true },
		{ "[::1]:5353", true },
		{ " 127.0.0.1, [::1]:53\t192.0.2.1 ", true },
		{ "", false },
		{ " ,", false },
		{ "localhost", false },
		{ "127.0.0.1:0", false },
		{ "127.0.0.1:65536", false },
		{ "127.0.0.1:", false },
		{ "127.0.0.1:53x", false },
		{ "[127.0.0.1]:53", false },
		{ "[::1", false },
		{ "[::1]53", false },
		{ "[::1]:", false },
		{ "127.0.0.1 nonsense", false },
	};
	struct sts_resolve *r;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		r = sts_resolve_new(loop, cases[i].list, 1000);
		CHECK(cases[i].list, (r != NULL) == cases[i].good);
		sts_resolve_free(r);
	}
}

static void
check_texts(void)
{
	static const char *const texts[] = { "127.0.0.1", "127.0.0.1:5353", "::1",
		"[::1]:5353", "[2001:db8:1111:2222:3333:4444:5555:6666]:65535" };
	size_t count = sizeof(texts) / sizeof(texts[0]);
	char text[STS_ADDR_TEXT + 8];
	struct sts_resolve *r;

	r = sts_resolve_new(loop,
	    "127.0.0.1:53 127.0.0.1:5353 [::1] [0::1]:5353 "
	    "[2001:DB8:1111:2222:3333:4444:5555:6666]:65535",
	    1000);
	CHECK("servers", r != NULL && sts_resolve_servers(r) == count);
	for (size_t i = 0; i < count; i++) {
		CHECK(texts[i], sts_resolve_server_text(r, i, text) == text);
		CHECK(texts[i], strcmp(text, texts[i]) == 0);
	}
	sts_resolve_free(r);
}

static void
on_too_long(void *arg)
{
	(void)arg;
	CHECK("all rows in time", answered == ROW_COUNT);
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (progress[i].answers == 0)
			fprintf(stderr, "\tno answer: %s\n", ROWS[i].name);
	sts_loop_stop(loop);
}

int
main(void)
{
	struct sts_timer *bound;

	loop = sts_loop_new();
	check_lists();
	check_texts();
	start_fakes();
	ask_forgotten();
	ask_all();
	bound = sts_timer_new(loop, on_too_long, NULL);
	sts_timer_set(bound, 10000);
	sts_loop_run(loop);
	check_typed();
	check_remembered();
	check_exhausted();
	sts_timer_free(bound);
	CHECK("TCP only when truncated", fakes[FAKE_GOOD].streams == 1);
	stop_fakes();
	sts_loop_free(loop);
	return test_failed;
}
