/* SPDX-License-Identifier: MIT */
/*
 * Asks a socketmap server and measures: load [OPTION...] ADDRESS
 *
 *	-c N	connections, each with one question open, as Postfix does it (1)
 *	-k C	the letter of the domains asked for, see domain.h (e)
 *	-n N	how many of them, from number -f N (0) on; by chance, or with -o each once, in turn
 *	-t N	ends after so many answers
 *	-s S	ends after so many seconds (1), -w S seconds (0.1) of them before not counted
 *	-r N	questions per second; each waits for its time, and from then on is measured,
 *		whether a connection was free or not (without: as fast as answers come)
 *	-b	never sleeps: what it takes to wake us is not the server's to pay
 *	-m MAP	the map's name (QUERY)
 *	-e TEXT	a good reply begins like that
 *	-p PID	the server's processes: what CPU they took is part of the result
 *	-1	asks for one domain and prints the reply
 *
 * Writes one line of JSON. Times are microseconds.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "domain.h"
#include "peer.h"

#define EVENTS 256
#define PIDS 16
#define FINE 64 /* steps of the histogram in each power of two */
#define STEPS (FINE * 40)
#define REPLY_MAX 100100
#define SECOND INT64_C(1000000000)

struct connection {
	int fd;
	int64_t asked; /* 0: nothing is open */
	size_t n, size;
	char *bytes;
};

static struct {
	struct peer peer;
	size_t connections;
	char kind;
	uint32_t domains, from;
	bool once, single, busy;
	uint64_t total;
	double seconds, warm, rate;
	const char *map, *good;
	int pids[PIDS];
	size_t pid_count;
} it = { .connections = 1,
	.kind = DOMAIN_ENFORCE,
	.domains = 1,
	.seconds = 1,
	.warm = 0.1,
	.map = "QUERY",
	.good = "" };

static struct connection *connections, **idle;
static size_t idle_count;
static char *frames; /* all questions, one after the other */
static size_t frame_n;
static uint64_t asked, answers, bad, histogram[STEPS];
static int64_t slowest, due, pace; /* the next question's time, and between two of them */
static int epoll;
static char bad_reply[160]; /* the first that was */

static int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

/* What processes had of a CPU, and how long they waited for one, so far. */
struct shares {
	int64_t ran, waited;
};

static void
add_shares(struct shares *to, int pid)
{
	int64_t ran, waited;
	char path[64];
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	file = fopen(path, "r");
	if (file == NULL || fscanf(file, "%" SCNd64 " %" SCNd64, &ran, &waited) != 2)
		err(1, "%s", path);
	(void)fclose(file);
	to->ran += ran;
	to->waited += waited;
}

static struct shares
minus(struct shares a, struct shares b)
{
	return (struct shares){ a.ran - b.ran, a.waited - b.waited };
}

static struct shares
servers(void)
{
	struct shares sum = { 0, 0 };

	for (size_t i = 0; i < it.pid_count; i++)
		add_shares(&sum, it.pids[i]);
	return sum;
}

static struct shares
ourselves(void)
{
	struct shares sum = { 0, 0 };

	add_shares(&sum, getpid());
	return sum;
}

/*
 * Latencies.
 */
static size_t
step_of(int64_t ns)
{
	uint64_t v = ns < FINE ? FINE : (uint64_t)ns;
	unsigned shift =
	    57 - (unsigned)__builtin_clzll(v); /* v >> shift: FINE..2*FINE-1 */
	size_t step = shift * FINE + (size_t)(v >> shift) - FINE;

	return step < STEPS ? step : STEPS - 1;
}

static double
quantile(double part)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < STEPS; i++) {
		seen += histogram[i];
		if ((double)seen >= part * (double)answers && seen > 0)
			return (double)((uint64_t)(i % FINE + FINE) << i / FINE) / 1000;
	}
	return 0;
}

/*
 * Questions.
 */
static void
make_frames(void)
{
	char name[DOMAIN_N + 1], frame[128];

	for (uint32_t i = 0; i < it.domains; i++) {
		domain_name(name, it.kind, it.from + i);
		frame_n = (size_t)snprintf(frame, sizeof(frame), "%zu:%s %s,",
		    strlen(it.map) + 1 + strlen(name), it.map, name);
		if (i == 0 && (frames = malloc(it.domains * frame_n)) == NULL)
			err(1, "questions");
		memcpy(frames + i * frame_n, frame, frame_n);
	}
}

static uint32_t
choose(void)
{
	static uint64_t state = 88172645463325252u;

	if (it.once)
		return (uint32_t)(asked % it.domains);
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) * it.domains >> 32);
}

static bool
is_all_asked(void)
{
	return it.total > 0 && asked >= it.total;
}

static void
ask(struct connection *c, int64_t at)
{
	const char *frame = frames + choose() * frame_n;

	asked++;
	c->asked = at;
	if (send(c->fd, frame, frame_n, MSG_NOSIGNAL) != (ssize_t)frame_n)
		err(1, "a question");
}

static void
connect_one(struct connection *c)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

	c->fd = socket(it.peer.to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd == -1 || connect(c->fd, &it.peer.to.any, it.peer.n) == -1)
		err(1, "a connection");
	c->bytes = malloc(c->size = 4096);
	if (c->bytes == NULL || epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) == -1)
		err(1, "a connection");
}

/*
 * Replies.
 */

/* A whole netstring: its payload. */
static const char *
payload(struct connection *c, size_t *n)
{
	const char *colon = memchr(c->bytes, ':', c->n < 8 ? c->n : 8);
	size_t need;

	if (colon == NULL)
		return NULL;
	*n = strtoul(c->bytes, NULL, 10);
	need = (size_t)(colon - c->bytes) + *n + 2;
	if (need > REPLY_MAX)
		errx(1, "a reply of %zu bytes", *n);
	if (need > c->size && (c->bytes = realloc(c->bytes, c->size = need)) == NULL)
		err(1, "a reply");
	return c->n == need ? c->bytes + need - *n - 1 : NULL;
}

static void
count(struct connection *c, int64_t at)
{
	int64_t took = at - c->asked;

	answers++;
	histogram[step_of(took)]++;
	if (took > slowest)
		slowest = took;
}

static void
judge(const char *text, size_t n)
{
	size_t good = strlen(it.good);

	if (n >= good && memcmp(text, it.good, good) == 0)
		return;
	if (bad++ > 0)
		return;
	for (size_t i = 0; i < n && i < sizeof(bad_reply) - 1; i++)
		bad_reply[i] =
		    (char)(text[i] < ' ' || text[i] == '"' || text[i] == '\\' ? '?'
									      : text[i]);
}

static void
hear(struct connection *c)
{
	ssize_t got = recv(c->fd, c->bytes + c->n, c->size - c->n, 0);
	const char *text;
	size_t n;

	if (got <= 0)
		errx(1, "the server hung up");
	c->n += (size_t)got;
	text = payload(c, &n);
	if (text == NULL)
		return;
	if (it.single) {
		(void)printf("%.*s\n", (int)n, text);
		exit(0);
	}
	count(c, now());
	judge(text, n);
	c->n = 0;
	c->asked = 0;
	if (pace > 0 || is_all_asked())
		idle[idle_count++] = c;
	else
		ask(c, now());
}

/*
 * The run.
 */
static void
ask_what_is_due(void)
{
	while (idle_count > 0 && due <= now() && !is_all_asked()) {
		ask(idle[--idle_count], due);
		due += pace;
	}
}

/* Until something is readable, or a question is due. */
static void
wait_for(int64_t end)
{
	int64_t until = pace > 0 && idle_count > 0 && due < end ? due : end;
	int64_t left = until - now();
	struct timespec t = { left / SECOND, left % SECOND };
	struct pollfd fd = { .fd = epoll, .events = POLLIN };

	if (left > 0 && ppoll(&fd, 1, &t, NULL) == -1 && errno != EINTR)
		err(1, "ppoll");
}

static void
run(int64_t end)
{
	struct epoll_event events[EVENTS];
	int n;

	while (now() < end && !(is_all_asked() && idle_count == it.connections)) {
		if (pace > 0)
			ask_what_is_due();
		n = epoll_wait(epoll, events, EVENTS, 0);
		if (n == 0 && !it.busy)
			wait_for(end);
		for (int i = 0; i < n; i++)
			hear(events[i].data.ptr);
	}
}

static void
begin(void)
{
	if (it.rate > 0)
		pace = (int64_t)((double)SECOND / it.rate);
	due = now();
	for (size_t i = 0; i < it.connections; i++) {
		if (pace > 0 || is_all_asked())
			idle[idle_count++] = &connections[i];
		else
			ask(&connections[i], now());
	}
}

static void
forget(void)
{
	answers = 0;
	slowest = 0;
	memset(histogram, 0, sizeof(histogram));
}

/* waited: the part of the time that the server or we were kept from a CPU by others. */
static void
tell(double seconds, struct shares server, struct shares own)
{
	double each = answers > 0 ? 1.0 / (double)answers : 0;

	(void)printf("{\"answers\": %" PRIu64 ", \"bad\": %" PRIu64
		     ", \"seconds\": %.6f, \"rate\": %.1f, \"p50\": %.2f, \"p99\": %.2f, "
		     "\"p999\": %.2f, \"max\": %.2f, \"cpu\": %.4f, \"load_cpu\": %.4f, "
		     "\"waited\": %.4f, \"bad_reply\": \"%s\"}\n",
	    answers, bad, seconds, (double)answers / seconds, quantile(0.5),
	    quantile(0.99), quantile(0.999), (double)slowest / 1000,
	    (double)server.ran * each / 1000, (double)own.ran * each / 1000,
	    (double)(server.waited + own.waited) / (double)SECOND / seconds, bad_reply);
}

static void
options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "c:k:n:f:ot:s:w:r:bm:e:p:1")) != -1)
		switch (c) {
		case 'c':
			it.connections = strtoul(optarg, NULL, 10);
			break;
		case 'k':
			it.kind = optarg[0];
			break;
		case 'n':
			it.domains = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'f':
			it.from = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'o':
			it.once = true;
			break;
		case 't':
			it.total = strtoull(optarg, NULL, 10);
			break;
		case 's':
			it.seconds = strtod(optarg, NULL);
			break;
		case 'w':
			it.warm = strtod(optarg, NULL);
			break;
		case 'r':
			it.rate = strtod(optarg, NULL);
			break;
		case 'b':
			it.busy = true;
			break;
		case 'm':
			it.map = optarg;
			break;
		case 'e':
			it.good = optarg;
			break;
		case 'p':
			if (it.pid_count < PIDS)
				it.pids[it.pid_count++] = atoi(optarg);
			break;
		case '1':
			it.single = true;
			break;
		default:
			exit(64);
		}
	if (optind != argc - 1 || !peer_parse(argv[optind], &it.peer) ||
	    it.domains == 0 || it.connections == 0)
		errx(64, "usage: see the head of load.c");
	if (it.once && it.total == 0)
		it.total = it.domains;
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	struct shares server, own, server_now, own_now;
	int64_t from;

	options(argc, argv);
	make_frames();
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	connections = calloc(it.connections, sizeof(*connections));
	idle = calloc(it.connections, sizeof(*idle));
	if (epoll == -1 || connections == NULL || idle == NULL)
		err(1, "connections");
	for (size_t i = 0; i < it.connections; i++)
		connect_one(&connections[i]);
	begin();
	if (it.warm > 0)
		run(now() + (int64_t)(it.warm * SECOND));
	forget();
	server = servers();
	own = ourselves();
	from = now();
	run(from + (int64_t)(it.seconds * SECOND));
	server_now = servers();
	own_now = ourselves();
	tell((double)(now() - from) / SECOND, minus(server_now, server),
	    minus(own_now, own));
	return 0;
}
