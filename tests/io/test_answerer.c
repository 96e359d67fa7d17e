/* SPDX-License-Identifier: MIT */
/*
 * A real answerer, executed as by its supervisor but for the exec, with a real cache
 * file. This program is its supervisor, its resolver and its clients.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "answerer.h"
#include "cache.h"
#include "clock.h"
#include "config.h"
#include "entry.h"
#include "ipc.h"
#include "metrics.h"
#include "role.h"
#include "rules.h"
#include "shared.h"
#include "shares.h"
#include "test.h"

int test_failed;

#define PATIENCE_MS 5000

static const char policy_text[] = "version: STSv1\nmode: enforce\nmx: mail.example.com\n"
				  "max_age: 86400\n";
static const char testing_text[] = "version: STSv1\nmode: testing\nmx: mail.example.com\n"
				   "max_age: 86400\n";
static const char wild_text[] = "version: STSv1\nmode: enforce\nmx: *.example.com\n"
				"max_age: 86400\n";
static const char overrides_text[] = "override.example encrypt\n"
				     "xn--bcher-kva.example notfound\n";

/* As many patterns as fit: each answer takes hundreds of times as long as others do. */
static char huge_text[STS_POLICY_MAX];

static struct sts_loop *loop;
static struct sts_clock_start clock_start;
static char directory[64];

/* The answerer under test, and what it said. */
static struct {
	pid_t pid;
	struct ipc *supervisor, *resolver;
	bool ponged, ready, silent; /* silent: the resolver does not answer */
	unsigned asks, beside;
	uint32_t last_flags, last_number;
	int64_t last_wait_ms;
	char last_domain[300];
	int listener;
	struct sockaddr_in address;
	struct sts_rules rules; /* of the resolver */
	struct metrics_page *page;
} it;

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One turn of the loop, and a little sleep: the others must run too. */
static void
turn(void)
{
	struct timespec pause = { .tv_nsec = 500000 };

	(void)sts_loop_once(loop, false);
	nanosleep(&pause, NULL);
}

static int
file_of(const char *text, size_t n)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	if (fd == -1 || write(fd, text, n) != (ssize_t)n)
		abort();
	return fd;
}

/*
 * The cache.
 */
static struct sts_entry
entry_of(const char *text, enum sts_mode mode, int64_t age)
{
	int64_t now = sts_clock_now() - age;

	return (struct sts_entry){ .fetched = now,
		.max_age = 86400,
		.mode = mode,
		.id = STS_STR("1"),
		.policy = sts_str_of(text),
		.record_at = now,
		.record_ttl = 300,
		.record_id = STS_STR("1"),
		.record_ede = -1,
		.tried = now,
		.mx_at = now,
		.mx_ttl = 3600,
		.mx_ede = -1,
		.mx_count = 1,
		.mx = { { .seen = now, .host = STS_STR("mail.example.com") } },
		.asked = now };
}

static void
store(const char *domain, const struct sts_entry *e)
{
	struct sts_cache_kind kind = { .policy = e->fetched != 0, .mode = e->mode };
	char path[100], why[200];
	struct sts_buf bytes = { 0 };
	struct sts_cache *cache;

	(void)snprintf(path, sizeof(path), "%s/cache.mdb", directory);
	sts_entry_write(e, &bytes);
	if (sts_cache_open(path, 1 << 24, true, loop, &cache, why, sizeof(why)) != STS_OK)
		abort();
	CHECK(domain,
	    sts_cache_put(cache, sts_str_of(domain), sts_buf_str(&bytes), kind, INT64_MAX,
		NULL, NULL) == STS_OK);
	CHECK(domain, sts_cache_flush(cache) == STS_OK);
	sts_cache_close(cache);
	sts_buf_done(&bytes);
}

/* Domains with a finding about DANE for one target, of this age and this life. */
static const struct {
	const char *domain, *policy;
	enum sts_mode mode;
	enum sts_dane_state state;
	bool plain;
	int64_t age;
	uint32_t ttl;
	struct sts_target target;
} findings[] = {
	{ "applies.example", policy_text, STS_MODE_ENFORCE, STS_DANE_APPLIES, false, 0,
	    300, { false, 25 } },
	{ "host.example", policy_text, STS_MODE_ENFORCE, STS_DANE_APPLIES, false, 0, 300,
	    { true, 587 } },
	{ "absent.example", wild_text, STS_MODE_ENFORCE, STS_DANE_ABSENT, true, 0, 300,
	    { false, 25 } },
	{ "off.example", policy_text, STS_MODE_ENFORCE, STS_DANE_OFF, false, 0, 300,
	    { false, 25 } },
	{ "unknown.example", policy_text, STS_MODE_ENFORCE, STS_DANE_UNKNOWN, false, 0,
	    30, { false, 25 } },
	{ "expired.example", policy_text, STS_MODE_ENFORCE, STS_DANE_APPLIES, false, 61,
	    60, { false, 25 } },
	{ "aged.example", policy_text, STS_MODE_ENFORCE, STS_DANE_APPLIES, false, 90, 100,
	    { false, 25 } },
	{ "plain.example", testing_text, STS_MODE_TESTING, STS_DANE_ABSENT, true, 0, 300,
	    { false, 25 } },
	{ "mixed.example", testing_text, STS_MODE_TESTING, STS_DANE_ABSENT, false, 0, 300,
	    { false, 25 } },
	{ "unbelieved.example", policy_text, STS_MODE_ENFORCE, STS_DANE_DISTRUSTED, false,
	    0, 300, { false, 25 } },
	{ "distrusted.example", testing_text, STS_MODE_TESTING, STS_DANE_DISTRUSTED,
	    false, 0, 300, { false, 25 } },
};

static void
make_findings(void)
{
	for (size_t i = 0; i < sizeof(findings) / sizeof(findings[0]); i++) {
		struct sts_entry e = entry_of(findings[i].policy, findings[i].mode, 0);

		e.dane_count = 1;
		e.dane[0] = (struct sts_dane){ .target = findings[i].target,
			.at = sts_clock_now() - findings[i].age,
			.ttl = findings[i].ttl,
			.state = findings[i].state,
			.plain = findings[i].plain,
			.whole = true,
			.ede = -1 };
		if (findings[i].state == STS_DANE_UNKNOWN) {
			e.dane[0].about = STS_ABOUT_TLSA;
			e.dane[0].err = STS_ERR_DNS_SERVFAIL;
			e.dane[0].ede = 6;
			e.dane[0].host = STS_STR("mx.example.com");
		}
		store(findings[i].domain, &e);
	}
}

static void
make_huge(void)
{
	struct sts_entry e;
	size_t n = (size_t)snprintf(huge_text, sizeof(huge_text), "%s", policy_text);

	for (unsigned i = 0; n + sizeof("mx:00000.example\n") < sizeof(huge_text); i++)
		n += (size_t)snprintf(huge_text + n, sizeof(huge_text) - n,
		    "mx:%05u.example\n", i);
	e = entry_of(huge_text, STS_MODE_ENFORCE, 0);
	e.mx[0].host = STS_STR("elsewhere.example.com");
	e.tried = sts_clock_now();
	store("huge.example", &e);
}

static void
make_cache(void)
{
	char path[100];
	struct sts_entry enforce = entry_of(policy_text, STS_MODE_ENFORCE, 0);
	struct sts_entry testing = entry_of(testing_text, STS_MODE_TESTING, 0);
	struct sts_entry stale = entry_of(policy_text, STS_MODE_ENFORCE, 400);
	struct sts_entry unused = entry_of(policy_text, STS_MODE_ENFORCE, 0);
	struct sts_entry stale_testing = entry_of(testing_text, STS_MODE_TESTING, 400);

	(void)snprintf(path, sizeof(path), "%s/cache.mdb", directory);
	if (sts_cache_prepare(path, 1 << 24, NULL, 0) != STS_OK)
		abort();
	unused.asked -= 90000;
	store("enforce.example", &enforce);
	store("testing.example", &testing);
	store("stale.example", &stale);
	store("unused.example", &unused);
	store("beside.example", &stale_testing);
	make_findings();
	make_huge();
}

/*
 * The resolver. What it says depends on the first label.
 */
static void
tell(const struct ipc_message *m)
{
	struct sts_entry none = { .record_at = sts_clock_now(),
		.record_ttl = 300,
		.record_err = STS_ERR_DNS_NXDOMAIN,
		.record_ede = -1,
		.mx_ede = -1 };
	struct sts_target target = ipc_ask_target(m->flags);
	struct sts_entry fresh = entry_of(policy_text, STS_MODE_ENFORCE, 0);
	struct sts_entry running = { .record_at = sts_clock_now(),
		.record_ttl = 300,
		.record_id = STS_STR("1"),
		.record_ede = -1,
		.mx_ede = -1 };
	struct ipc_message told = { .type = IPC_TOLD,
		.number = m->number,
		.hope = STS_HOPE_DONE,
		.fd = -1,
		.domain = m->domain };
	struct sts_buf bytes = { 0 };

	if (sts_str_starts(m->domain, STS_STR("silent")) || it.silent)
		return;
	/* DANE is at port 587 alone. */
	fresh.dane_count = 1;
	fresh.dane[0] = (struct sts_dane){ .target = target,
		.at = sts_clock_now(),
		.ttl = 300,
		.state = target.port == 587 ? STS_DANE_APPLIES : STS_DANE_ABSENT,
		.ede = -1 };
	if (sts_str_starts(m->domain, STS_STR("busy"))) {
		told.err = STS_ERR_OVERLOADED;
	} else if (sts_str_starts(m->domain, STS_STR("running"))) {
		told.hope = STS_HOPE_RUNNING;
		sts_entry_write(&running, &bytes);
	} else if ((m->flags & IPC_ASK_UTF8) != 0) {
		if (sts_str_starts(m->domain, STS_STR("bad")))
			told.err = STS_ERR_NAME;
		else
			told.domain = STS_STR("xn--bcher-kva.example");
		sts_entry_write(&fresh, &bytes);
	} else {
		sts_entry_write(
		    sts_str_starts(m->domain, STS_STR("none")) ? &none : &fresh, &bytes);
	}
	told.text = sts_buf_str(&bytes);
	CHECK("tell", ipc_send(it.resolver, &told) == 0);
	sts_buf_done(&bytes);
}

static void
on_ask(void *arg, const struct ipc_message *m)
{
	(void)arg;
	if (m == NULL)
		return;
	CHECK("only questions", m->type == IPC_ASK && m->fd == -1);
	it.last_flags = m->flags;
	it.last_number = m->number;
	it.last_wait_ms = m->wait_ms;
	(void)snprintf(it.last_domain, sizeof(it.last_domain), "%.*s", (int)m->domain.n,
	    m->domain.p);
	if ((m->flags & IPC_ASK_BESIDE) != 0) {
		it.beside++;
		return;
	}
	it.asks++;
	tell(m);
}

static void
connect_resolver(void)
{
	int pair[2];

	ipc_free(it.resolver);
	if (ipc_pair(pair) == -1)
		abort();
	it.resolver = ipc_new(loop, pair[0], on_ask, NULL);
	CHECK("channel",
	    ipc_send(it.supervisor,
		&(struct ipc_message){ .type = IPC_CHANNEL,
		    .flags = rules_pack(&it.rules),
		    .fd = pair[1] }) == 0);
	close(pair[1]);
}

/*
 * The supervisor.
 */
static void
on_said(void *arg, const struct ipc_message *m)
{
	(void)arg;
	if (m != NULL && m->type == IPC_PONG)
		it.ponged = true;
	if (m != NULL && m->type == IPC_READY)
		it.ready = true;
	if (m != NULL && m->type == IPC_FAILED)
		CHECK("the answerer cannot begin", false);
}

static void
command(enum ipc_type type, int fd)
{
	CHECK("command",
	    ipc_send(it.supervisor,
		&(struct ipc_message){ .type = type,
		    .number = type == IPC_LISTENER,
		    .fd = fd }) == 0);
	if (fd != -1)
		close(fd);
}

/* It has taken all that was sent to it before. */
static void
ping(void)
{
	it.ponged = false;
	command(IPC_PING, -1);
	for (int64_t late = now_ms() + PATIENCE_MS; !it.ponged && now_ms() < late;)
		turn();
	CHECK("ping", it.ponged);
}

/* Its resolver has the same settings, to begin with. */
static struct sts_rules
rules_by(struct sts_str settings)
{
	struct config_errors errors = { 0 };
	struct config *c = config_parse_text(settings, "settings", &errors);
	struct sts_rules rules = { 0 };

	CHECK("settings", c != NULL);
	if (c != NULL)
		rules = rules_of(c);
	rules.allow = NULL;
	rules.allow_count = 0;
	config_free(c);
	config_errors_done(&errors);
	return rules;
}

static void
begin(const char *settings)
{
	struct ipc_message m = { .type = IPC_HELLO,
		.fd = -1,
		.text = STS_STR(STSD_VERSION) };
	socklen_t n = sizeof(it.address);
	char text[1024];
	int pair[2], length, page = -1, small = 16384;

	memset(&it, 0, sizeof(it));
	if (ipc_pair(pair) == -1)
		abort();
	(void)fflush(NULL);
	it.pid = fork();
	if (it.pid == 0) {
		if (pair[1] != ROLE_FD)
			dup2(pair[1], ROLE_FD);
		for (int fd = ROLE_FD + 1; fd < 200; fd++)
			close(fd);
		exit(answerer_main());
	}
	close(pair[1]);
	it.supervisor = ipc_new(loop, pair[0], on_said, NULL);

	it.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Accepted sockets inherit it: a client that does not read is soon noticed. */
	(void)setsockopt(it.listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	(void)setsockopt(it.listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	it.address.sin_family = AF_INET;
	it.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(it.listener, (struct sockaddr *)&it.address, n) == -1 ||
	    listen(it.listener, 100) == -1 ||
	    getsockname(it.listener, (struct sockaddr *)&it.address, &n) == -1)
		abort();

	length = snprintf(text, sizeof(text),
	    "state_directory = %s\ncache_size = 16M\nlog_level = error\n%s%s%s%s",
	    directory, strstr(settings, "answer_timeout") ? "" : "answer_timeout = 1s\n",
	    strstr(settings, "permissive_reply") ? "" : "permissive_reply = may\n",
	    strstr(settings, "dane") ? "" : "dane = off\n", settings);
	it.rules = rules_by((struct sts_str){ text, (size_t)length });
	(void)ipc_send(it.supervisor, &m);
	m.type = IPC_CLOCK;
	m.text = (struct sts_str){ (const char *)&clock_start, sizeof(clock_start) };
	(void)ipc_send(it.supervisor, &m);
	it.page = metrics_page_new(&page);
	command(IPC_METRICS, page);
	command(IPC_CONFIG, file_of(text, (size_t)length));
	command(IPC_OVERRIDES, file_of(overrides_text, strlen(overrides_text)));
	command(IPC_LISTENER, dup(it.listener));
	command(IPC_GO, -1);
	for (int64_t late = now_ms() + PATIENCE_MS; !it.ready && now_ms() < late;)
		turn();
	CHECK("ready", it.ready);
}

/* Its exit status; -1: it does not end. */
static int
ended(int64_t within_ms)
{
	int status = 0;

	for (int64_t late = now_ms() + within_ms; now_ms() < late;) {
		if (waitpid(it.pid, &status, WNOHANG) == it.pid) {
			it.pid = 0;
			return WIFEXITED(status) ? WEXITSTATUS(status)
						 : 1000 + WTERMSIG(status);
		}
		turn();
	}
	return -1;
}

static void
finish(void)
{
	if (it.pid != 0) {
		command(IPC_STOP, -1);
		CHECK("stops", ended(PATIENCE_MS) == 0);
	}
	ipc_free(it.resolver);
	ipc_free(it.supervisor);
	metrics_page_end(it.page);
	close(it.listener);
}

static void
until_asked(unsigned times)
{
	for (int64_t late = now_ms() + PATIENCE_MS; it.asks < times && now_ms() < late;)
		turn();
	CHECK("asked", it.asks >= times);
}

/*
 * Clients.
 */
static int
client(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 16384;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (fd == -1 ||
	    connect(fd, (struct sockaddr *)&it.address, sizeof(it.address)) == -1)
		abort();
	return fd;
}

/* Reads n bytes, or what comes until the end; -1: not in time. */
static ssize_t
take(int fd, char *to, size_t n, int64_t within_ms)
{
	size_t had = 0;

	for (int64_t late = now_ms() + within_ms; had < n && now_ms() < late;) {
		ssize_t got = recv(fd, to + had, n - had, MSG_DONTWAIT);

		if (got == 0 || (got == -1 && errno != EAGAIN))
			return (ssize_t)had;
		if (got > 0)
			had += (size_t)got;
		else
			turn();
	}
	return had == n ? (ssize_t)had : -1;
}

/* Sends bytes as they are; what comes must be the frames, and nothing less. */
static void
check_frames(const char *name, int fd, const char *bytes, size_t n, const char *frames)
{
	char got[70000];
	size_t want = strlen(frames);
	ssize_t came;

	CHECK(name, send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n);
	came = take(fd, got, want, PATIENCE_MS);
	CHECK(name, came == (ssize_t)want);
	CHECK(name, came >= 0 && memcmp(got, frames, (size_t)came) == 0);
	if (came >= 0 && (came != (ssize_t)want || memcmp(got, frames, want) != 0))
		(void)fprintf(stderr, "%s: got %.*s\n", name, (int)came, got);
}

static void
check_query(const char *name, int fd, const char *request, const char *reply)
{
	char frame[512], expected[512];
	int n = snprintf(frame, sizeof(frame), "%zu:%s,", strlen(request), request);

	(void)snprintf(expected, sizeof(expected), "%zu:%s,", strlen(reply), reply);
	check_frames(name, fd, frame, (size_t)n, expected);
}

static void
check_closed(const char *name, int fd)
{
	char byte;

	CHECK(name, take(fd, &byte, 1, PATIENCE_MS) == 0);
}

#define SECURE "OK secure match=mail.example.com servername=hostname"
#define NO_MX "OK secure match=no-mx-matches-the-policy.invalid servername=hostname"

static const struct {
	const char *name, *request, *reply;
	unsigned asks;
} queries[] = {
	{ "enforce, cached", "QUERY enforce.example", SECURE, 0 },
	{ "the other name of QUERY", "postfix Enforce.Example.", SECURE, 0 },
	{ "testing, cached", "QUERY testing.example", "OK may", 0 },
	{ "nothing cached, no record", "QUERY none.example", "NOTFOUND ", 1 },
	{ "nothing cached, fetched", "QUERY new.example", SECURE, 1 },
	{ "a record, and a fetch that goes on", "QUERY running.example",
	    "TEMP running.example: policy fetch in progress", 1 },
	{ "the record is looked at again first", "QUERY stale.example", SECURE, 1 },
	{ "the resolver is overloaded", "QUERY busy.example",
	    "TEMP busy.example: overloaded", 1 },
	{ "another map", "query enforce.example", "PERM unknown map name", 0 },
	{ "no map", "", "PERM unknown map name", 0 },
	{ "an empty key", "QUERY ", "NOTFOUND ", 0 },
	{ "no policy domain", "QUERY .health", "NOTFOUND ", 0 },
	{ "an address", "QUERY [192.0.2.1]:25", "NOTFOUND ", 0 },
	{ "an override", "QUERY [override.example]:587", "OK encrypt", 0 },
	{ "an override of an internationalised name",
	    "QUERY b\xc3\xbc"
	    "cher.example",
	    "NOTFOUND ", 1 },
	{ "a key that is no name after all", "QUERY bad\xc3\xbc.example", "NOTFOUND ",
	    1 },
	{ "no answer in time", "QUERY silent.example",
	    "TEMP silent.example: internal error", 1 },
};

static void
test_queries(void)
{
	int fd;

	begin("");
	connect_resolver();
	fd = client();
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		unsigned before = it.asks;

		check_query(queries[i].name, fd, queries[i].request, queries[i].reply);
		CHECK(queries[i].name, it.asks - before == queries[i].asks);
	}
	CHECK("in time", it.last_wait_ms > 500 && it.last_wait_ms <= 750);
	CHECK("nothing beside", it.beside == 0);
	close(fd);
	finish();
}

/* Given at once, and looked at as well: once in a while, not once a mail. */
static void
test_beside(void)
{
	int fd;

	begin("");
	connect_resolver();
	fd = client();
	check_query("testing, a look is due", fd, "QUERY beside.example", "OK may");
	check_query("testing, a look is due", fd, "QUERY beside.example", "OK may");
	for (int i = 0; i < 50; i++)
		turn();
	CHECK("one look", it.beside == 1 && it.asks == 0);
	CHECK("which", strcmp(it.last_domain, "beside.example") == 0);
	check_query("another target", fd, "QUERY [beside.example]:465", "OK may");
	check_query("another target", fd, "QUERY [beside.example]:465", "OK may");
	for (int i = 0; i < 50; i++)
		turn();
	CHECK("a look of its own", it.beside == 2);
	CHECK("flags", it.last_flags == (IPC_ASK_BESIDE | IPC_ASK_HOST | 465u << 16));
	check_query("not asked for a day", fd, "QUERY unused.example", SECURE);
	check_query("not asked for a day", fd, "QUERY unused.example", SECURE);
	for (int i = 0; i < 50; i++)
		turn();
	CHECK("its use is reported once", it.beside == 3);
	CHECK("flags", it.last_flags == (IPC_ASK_BESIDE | IPC_ASK_USED | 25u << 16));
	close(fd);
	finish();
}

static void
check_count(const char *line)
{
	struct sts_buf text = { 0 };

	metrics_print(&text, &it.page, 1);
	CHECK(line, memmem(text.p, text.n, line, strlen(line)) != NULL);
	sts_buf_done(&text);
}

/* What DANE makes of it. flags: of the question, where one is asked. */
static const struct {
	const char *name, *request, *reply;
	unsigned asks, beside;
	uint32_t flags;
} dane_queries[] = {
	{ "DANE applies", "QUERY applies.example", "OK dane-only", 0, 0, 0 },
	{ "without any attribute", "QUERYwithTLSRPT applies.example", "OK dane-only", 0,
	    0, 0 },
	{ "the same at port 25", "QUERY applies.example:smtp", "OK dane-only", 0, 0, 0 },
	{ "another port is another finding", "QUERY applies.example:submission",
	    "OK dane-only", 1, 0, IPC_ASK_USED | 587u << 16 },
	{ "so is one without MX", "QUERY [applies.example]",
	    "OK secure match=no-mx-matches-the-policy.invalid servername=hostname", 1, 0,
	    IPC_ASK_USED | IPC_ASK_HOST | 25u << 16 },
	{ "found for this host and port", "QUERY [host.example]:587", "OK dane-only", 0,
	    0, 0 },
	{ "not for the domain", "QUERY host.example", SECURE, 1, 0,
	    IPC_ASK_USED | 25u << 16 },
	{ "absent", "QUERY absent.example", SECURE, 0, 0, 0 },
	{ "the resolver does not validate", "QUERY off.example", SECURE, 0, 0, 0 },
	{ "unknown", "QUERY unknown.example",
	    "TEMP unknown.example: TLSA lookup failed for mx.example.com (SERVFAIL, "
	    "EDE 6)",
	    0, 0, 0 },
	{ "looked at again first", "QUERY expired.example", SECURE, 1, 0,
	    IPC_ASK_USED | 25u << 16 },
	{ "looked at beside, once", "QUERY aged.example", "OK dane-only", 0, 1,
	    IPC_ASK_BESIDE | 25u << 16 },
	{ "and no more", "QUERY aged.example", "OK dane-only", 0, 0, 0 },
	{ "testing, nothing to be weakened", "QUERY plain.example", "OK may", 0, 0, 0 },
	{ "testing, TLSA at a host", "QUERY mixed.example", "NOTFOUND ", 0, 0, 0 },
	{ "an override comes first", "QUERY override.example", "OK encrypt", 0, 0, 0 },
};

static void
test_dane(void)
{
	int fd;

	begin("dane = on\n");
	connect_resolver();
	fd = client();
	for (size_t i = 0; i < sizeof(dane_queries) / sizeof(dane_queries[0]); i++) {
		unsigned asks = it.asks, beside = it.beside;

		check_query(dane_queries[i].name, fd, dane_queries[i].request,
		    dane_queries[i].reply);
		for (int64_t late = now_ms() + 20; now_ms() < late;)
			turn();
		CHECK(dane_queries[i].name, it.asks - asks == dane_queries[i].asks);
		CHECK(dane_queries[i].name, it.beside - beside == dane_queries[i].beside);
		if (dane_queries[i].flags != 0)
			CHECK(dane_queries[i].name,
			    it.last_flags == dane_queries[i].flags);
	}
	check_count(
	    "\nstsd_lookups_total{map=\"QUERYwithTLSRPT\",result=\"dane_only\"} 1\n");

	/* Another resolver, who is not believed: what the first one found does not count, and
	 * what this one finds does. */
	it.rules.believe = false;
	connect_resolver();
	it.asks = 0;
	check_query("testing, who knows", fd, "QUERY distrusted.example", "NOTFOUND ");
	check_query("enforce, who knows", fd, "QUERY unbelieved.example", SECURE);
	CHECK("nobody is asked", it.asks == 0);
	it.rules.believe = true;
	connect_resolver();
	check_query("believed again", fd, "QUERY unbelieved.example", SECURE);
	CHECK("asked", it.asks == 1);
	/* What it said while its servers did not validate ends with their first answer that
	 * does, also for who has just had the reply. */
	check_query("nobody validates", fd, "QUERY off.example", SECURE);
	CHECK("not asked", it.asks == 1);
	CHECK("told",
	    ipc_send(it.resolver,
		&(struct ipc_message){ .type = IPC_VALIDATES,
		    .wait_ms = sts_clock_now() + 1,
		    .fd = -1 }) == 0);
	ping();
	check_query("now they do", fd, "QUERY off.example", SECURE);
	CHECK("asked", it.asks == 2);
	/* Alone: what has expired does not count, and is not taken for "no DANE". */
	ipc_free(it.resolver);
	it.resolver = NULL;
	check_query("alone", fd, "QUERY applies.example", "OK dane-only");
	check_query("alone, expired", fd, "QUERY expired.example",
	    "TEMP expired.example: internal error");
	close(fd);
	finish();
}

/* Where DANE is off by setting, findings of other days mean nothing. */
static void
test_no_dane(void)
{
	int fd;

	begin("dane = off\npermissive_reply = notfound\n");
	connect_resolver();
	fd = client();
	check_query("no DANE", fd, "QUERY applies.example", SECURE);
	check_query("no DANE", fd, "QUERY unknown.example", SECURE);
	check_query("no \"may\"", fd, "QUERY plain.example", "NOTFOUND ");
	CHECK("nobody is asked", it.asks == 0 && it.beside == 0);
	/* A reload that this answerer only sees the end of: the resolver's rules hold. */
	it.rules.dane = true;
	connect_resolver();
	check_query("DANE is on now", fd, "QUERY applies.example", "OK dane-only");
	close(fd);
	finish();
}

static const struct {
	const char *name, *bytes, *frames;
	bool closed;
} streams[] = {
	{ "pipelined", "8:QUERY .x,21:QUERY enforce.example,8:QUERY .y,",
	    "9:NOTFOUND ,52:" SECURE ",9:NOTFOUND ,", false },
	{ "pipelined behind a question", "18:QUERY none.example,8:QUERY .y,",
	    "9:NOTFOUND ,9:NOTFOUND ,", false },
	{ "two questions, in order", "17:QUERY new.example,18:QUERY none.example,",
	    "52:" SECURE ",9:NOTFOUND ,", false },
	{ "an empty netstring", "0:,", "21:PERM unknown map name,", false },
	{ "a leading zero", "08:QUERY .x,", "", true },
	{ "no number", "QUERY .x\n", "", true },
	{ "no comma", "8:QUERY .x.", "", true },
	{ "good, then bad", "8:QUERY .x,x", "9:NOTFOUND ,", true },
	{ "longer than any request", "10001:", "", true },
};

static void
test_streams(void)
{
	static char longest[PF_REQUEST_MAX + 8];
	int fd, n;

	begin("");
	connect_resolver();
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		fd = client();
		check_frames(streams[i].name, fd, streams[i].bytes,
		    strlen(streams[i].bytes), streams[i].frames);
		if (streams[i].closed)
			check_closed(streams[i].name, fd);
		else
			check_query(streams[i].name, fd, "QUERY .x", "NOTFOUND ");
		close(fd);
	}
	/* Byte by byte. */
	fd = client();
	for (const char *p = streams[0].bytes; p[1] != '\0'; p++) {
		CHECK("split", send(fd, p, 1, MSG_NOSIGNAL) == 1);
		turn();
	}
	check_frames("split", fd, ",", 1, streams[0].frames);
	close(fd);
	/* The longest that is answered. */
	fd = client();
	n = snprintf(longest, sizeof(longest), "%d:QUERY ", PF_REQUEST_MAX);
	memset(longest + n, 'a', PF_REQUEST_MAX - 6);
	longest[n + PF_REQUEST_MAX - 6] = ',';
	check_frames("10000 bytes", fd, longest, (size_t)n + PF_REQUEST_MAX - 5,
	    "9:NOTFOUND ,");
	close(fd);
	finish();
}

/* A client that pipelines a lot and reads nothing for a while loses nothing. */
static void
test_slow_reader(void)
{
	enum { TIMES = 20000 };
	static const char request[] = "21:QUERY enforce.example,";
	static const char frame[] = "52:" SECURE ",";
	char got[sizeof(frame)];
	size_t sent = 0, all = TIMES * (sizeof(request) - 1);
	unsigned good = 0;
	bool stuck = false;
	int fd;

	begin("");
	fd = client();
	for (int64_t late = now_ms() + PATIENCE_MS; sent < all && now_ms() < late;) {
		size_t at = sent % (sizeof(request) - 1);
		ssize_t n = send(fd, request + at, sizeof(request) - 1 - at,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			sent += (size_t)n;
			continue;
		}
		stuck = true; /* it stops reading while we do not */
		if (take(fd, got, sizeof(frame) - 1, PATIENCE_MS) == sizeof(frame) - 1)
			good += memcmp(got, frame, sizeof(frame) - 1) == 0;
	}
	while (good < TIMES &&
	    take(fd, got, sizeof(frame) - 1, PATIENCE_MS) == sizeof(frame) - 1 &&
	    memcmp(got, frame, sizeof(frame) - 1) == 0)
		good++;
	CHECK("it did not buffer without end", stuck);
	CHECK("all sent", sent == all);
	CHECK("every reply whole, and in order", good == TIMES);
	close(fd);
	finish();
}

#define MANY 200 /* some ten turns; their replies are sent at once if all are one */

/* How many replies a client has had by the time that another one, who asks after it, has
 * its own. */
static unsigned
replies_before_another(void)
{
	static const char request[] = "18:QUERY huge.example,";
	static const char frame[] = "68:" NO_MX ",";
	static char requests[MANY * sizeof(request)], got[MANY * sizeof(frame)];
	int one = client(), other = client();
	size_t n = 0;
	ssize_t came;

	/* Each in other capitals: what was just answered takes no time. */
	for (unsigned i = 0; i < MANY; i++, n += sizeof(request) - 1) {
		char *letter = requests + n + strlen("18:QUERY ");

		memcpy(requests + n, request, sizeof(request) - 1);
		for (unsigned bits = i; bits != 0; letter++)
			if (*letter != '.') {
				*letter ^= bits & 1 ? 'a' ^ 'A' : 0;
				bits >>= 1;
			}
	}
	check_query("connected", one, "QUERY .x", "NOTFOUND ");
	check_query("connected", other, "QUERY .x", "NOTFOUND ");
	kill(it.pid, SIGSTOP); /* both are ready when it looks */
	CHECK("one", send(one, requests, n, MSG_NOSIGNAL) == (ssize_t)n);
	CHECK("other", send(other, "8:QUERY .x,", 11, MSG_NOSIGNAL) == 11);
	kill(it.pid, SIGCONT);
	CHECK("other", take(other, got, 12, PATIENCE_MS) == 12);
	for (n = 0; (came = recv(one, got + n, sizeof(got) - n, MSG_DONTWAIT)) > 0;)
		n += (size_t)came;
	CHECK("whole",
	    take(one, got + n, MANY * (sizeof(frame) - 1) - n, 4 * PATIENCE_MS) ==
		(ssize_t)(MANY * (sizeof(frame) - 1) - n));
	for (unsigned i = 0; i < MANY; i++)
		CHECK("in order",
		    memcmp(got + i * (sizeof(frame) - 1), frame, sizeof(frame) - 1) == 0);
	close(one);
	close(other);
	return (unsigned)(n / (sizeof(frame) - 1));
}

/* Who pipelines what takes long keeps nobody else waiting for all of it. */
static void
test_turns(void)
{
	enum { TRIES = 10 };
	bool fair = false;

	begin("");
	connect_resolver();
	/* This process may be late to look. */
	for (unsigned i = 0; i < TRIES && !fair; i++)
		fair = replies_before_another() < MANY / 2;
	CHECK("a turn each", fair);
	finish();
}

/* The resolver goes and another comes: what was open is asked again. */
static void
test_resolver_away(void)
{
	int fd, other;
	int64_t since;

	begin("answer_timeout = 4s\n");
	connect_resolver();
	fd = client();
	other = client();
	it.silent = true;
	CHECK("ask", send(fd, "17:QUERY new.example,", 21, 0) == 21);
	until_asked(1);
	/* What comes behind an open question is answered behind it. */
	CHECK("one more", send(fd, "8:QUERY .y,", 11, 0) == 11);
	for (int i = 0; i < 20; i++)
		turn();
	it.silent = false;
	connect_resolver();
	check_frames("asked again", fd, "", 0, "52:" SECURE ",9:NOTFOUND ,");
	CHECK("asked again", it.asks == 2);

	ipc_free(it.resolver);
	it.resolver = NULL;
	for (int i = 0; i < 50; i++)
		turn();
	check_query("cached answers go on", other, "QUERY enforce.example", SECURE);
	since = now_ms();
	check_query("even where a look is due", other, "QUERY stale.example", SECURE);
	CHECK("at once", now_ms() - since < 1000);
	since = now_ms();
	check_query("nothing known", other, "QUERY none.example",
	    "TEMP none.example: internal error");
	CHECK("after a while", now_ms() - since > 1500 && now_ms() - since < 3500);
	CHECK("ask", send(fd, "17:QUERY new.example,", 21, 0) == 21);
	for (int i = 0; i < 50; i++)
		turn();
	connect_resolver();
	check_frames("one that came in the meantime", fd, "", 0, "52:" SECURE ",");

	/* Nobody comes: the answer does not wait for its whole time. */
	it.silent = true;
	CHECK("ask", send(fd, "17:QUERY new.example,", 21, 0) == 21);
	until_asked(4);
	ipc_free(it.resolver);
	it.resolver = NULL;
	since = now_ms();
	check_frames("left alone", fd, "", 0, "32:TEMP new.example: internal error,");
	CHECK("after a while", now_ms() - since > 1500 && now_ms() - since < 3500);
	close(fd);
	close(other);
	finish();
}

/* An answer that comes after its time is nobody's: not even the next one's. */
static void
test_late(void)
{
	struct sts_entry none = { .record_at = sts_clock_now(),
		.record_ttl = 300,
		.record_err = STS_ERR_DNS_NXDOMAIN,
		.record_ede = -1,
		.mx_ede = -1 };
	struct ipc_message told = { .type = IPC_TOLD, .hope = STS_HOPE_DONE, .fd = -1 };
	struct sts_buf bytes = { 0 };
	int fd;

	begin("max_lookups = 1\n");
	connect_resolver();
	fd = client();
	check_query("no answer in time", fd, "QUERY silent.example",
	    "TEMP silent.example: internal error");
	told.number = it.last_number;
	sts_entry_write(&none, &bytes);
	told.text = sts_buf_str(&bytes);
	it.silent = true;
	CHECK("ask", send(fd, "17:QUERY new.example,", 21, 0) == 21);
	until_asked(2);
	CHECK("another number", it.last_number != told.number);
	CHECK("late", ipc_send(it.resolver, &told) == 0);
	for (int i = 0; i < 20; i++)
		turn();
	it.silent = false;
	connect_resolver();
	check_frames("its own answer", fd, "", 0, "52:" SECURE ",");
	sts_buf_done(&bytes);
	close(fd);
	finish();
}

static void
test_limits(void)
{
	int fd[5];

	begin("max_lookups = 1\nmax_connections = 3\nanswer_timeout = 1s\n"
	      "allow_clients = 127.0.0.0/8\n");
	connect_resolver();
	it.silent = true;
	for (int i = 0; i < 3; i++) {
		fd[i] = client();
		check_query("three may come", fd[i], "QUERY .x", "NOTFOUND ");
	}
	CHECK("ask", send(fd[0], "17:QUERY new.example,", 21, 0) == 21);
	until_asked(1);
	check_query("one lookup at once", fd[1], "QUERY new2.example",
	    "TEMP new2.example: overloaded");
	check_query("what is known is no lookup", fd[1], "QUERY stale.example", SECURE);
	/* 0 waits, 2 is idle longest, 1 was served last. */
	fd[3] = client();
	check_query("the fourth", fd[3], "QUERY .x", "NOTFOUND ");
	check_closed("the longest idle made room", fd[2]);
	check_query("not the other", fd[1], "QUERY .x", "NOTFOUND ");
	check_frames("nor the one that waits", fd[0], "", 0,
	    "32:TEMP new.example: internal error,");
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	finish();
}

static void
test_refused(void)
{
	int fd;

	begin("allow_clients = 192.0.2.0/24\n");
	fd = client();
	check_closed("not in allow_clients", fd);
	close(fd);
	finish();
}

static void
test_stop(void)
{
	int idle, waiting;

	begin("");
	connect_resolver();
	idle = client();
	waiting = client();
	check_query("idle", idle, "QUERY .x", "NOTFOUND ");
	it.silent = true;
	CHECK("ask", send(waiting, "17:QUERY new.example,", 21, 0) == 21);
	until_asked(1);
	command(IPC_STOP, -1);
	check_closed("the idle one goes", idle);
	check_frames("what is in flight is answered", waiting, "", 0,
	    "32:TEMP new.example: internal error,");
	check_closed("then it goes too", waiting);
	CHECK("status 0", ended(PATIENCE_MS) == 0);
	close(idle);
	close(waiting);
	finish();
}

/* Whoever is hung up on asks once more: others of us must have stopped listening by then. */
static void
test_stop_among_others(void)
{
	int fd;

	begin("workers = 2\n");
	fd = client();
	check_query("before", fd, "QUERY .x", "NOTFOUND ");
	command(IPC_STOP, -1);
	ping();
	check_query("not yet", fd, "QUERY enforce.example", SECURE);
	check_closed("then it goes", fd);
	CHECK("status 0", ended(PATIENCE_MS) == 0);
	close(fd);
	finish();
}

static void
test_drain(void)
{
	int fd;

	begin("");
	fd = client();
	check_query("before", fd, "QUERY .x", "NOTFOUND ");
	command(IPC_DRAIN, -1);
	check_query("who is there is served", fd, "QUERY enforce.example", SECURE);
	CHECK("and it stays for them", ended(100) == -1);
	close(fd);
	CHECK("then it ends", ended(PATIENCE_MS) == 0);
	finish();
}

/* Until this is what we have in the shares. */
static bool
counts(const struct shares *shares, uint32_t clients)
{
	for (int64_t late = now_ms() + PATIENCE_MS; now_ms() < late; turn())
		if (shares->clients[0] == clients)
			return true;
	return false;
}

/* Who hangs has few clients for ever: nobody waits for him long. */
static void
test_shares(void)
{
	int fds[20], memory = -1;
	struct shares *shares = shared_new("test", sizeof(*shares), &memory);

	if (shares == NULL)
		abort();
	for (size_t i = 0; i < SHARES_MAX; i++)
		shares_set(shares, i, i == 1 ? 0 : SHARES_NOBODY);
	begin("workers = 2\n");
	command(IPC_SHARES, memory);
	for (size_t i = 0; i < 20; i++)
		fds[i] = client();
	for (size_t i = 0; i < 20; i++)
		check_query("one of many", fds[i], "QUERY enforce.example", SECURE);
	CHECK("all are counted", counts(shares, 20));
	for (size_t i = 0; i < 19; i++)
		close(fds[i]);
	CHECK("who leaves is not", counts(shares, 1));
	command(IPC_DRAIN, -1);
	CHECK("who accepts no more has no place", counts(shares, SHARES_NOBODY));
	close(fds[19]);
	CHECK("the end", ended(PATIENCE_MS) == 0);
	finish();
	shared_end(shares, sizeof(*shares));
}

/* An entry that does not match its checksum is no "no policy". */
static void
test_damaged(void)
{
	struct sts_entry e = entry_of(policy_text, STS_MODE_ENFORCE, 0);
	char path[100], byte = 'X';
	char *file;
	int fd, cache;
	off_t size;

	store("damaged.example", &e);
	(void)snprintf(path, sizeof(path), "%s/cache.mdb", directory);
	cache = open(path, O_RDWR | O_CLOEXEC);
	size = lseek(cache, 0, SEEK_END);
	file = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, cache, 0);
	for (char *at = file; at != NULL;) {
		at = memmem(at, (size_t)(file + size - at), "damaged.example", 15);
		if (at == NULL)
			break;
		CHECK("damage", pwrite(cache, &byte, 1, at - file + 15 + 40) == 1);
		at++;
	}
	munmap(file, (size_t)size);
	close(cache);

	begin("");
	fd = client();
	check_query("the others", fd, "QUERY enforce.example", SECURE);
	CHECK("ask", send(fd, "21:QUERY damaged.example,", 25, 0) == 25);
	check_closed("no answer", fd);
	CHECK("the supervisor is told", ended(PATIENCE_MS) == ROLE_EXIT_CACHE);
	close(fd);
	finish();
}

int
main(void)
{
	char command_line[128];

	(void)snprintf(directory, sizeof(directory), "/tmp/test-answerer-XXXXXX");
	loop = sts_loop_new();
	if (loop == NULL || mkdtemp(directory) == NULL)
		return 1;
	sts_clock_read_start(&clock_start);
	sts_clock_set(&clock_start, NULL);
	make_cache();
	test_queries();
	test_beside();
	test_dane();
	test_no_dane();
	test_streams();
	test_slow_reader();
	test_turns();
	test_resolver_away();
	test_late();
	test_limits();
	test_refused();
	test_stop();
	test_stop_among_others();
	test_drain();
	test_shares();
	test_damaged();
	sts_loop_free(loop);
	(void)snprintf(command_line, sizeof(command_line), "rm -rf '%s'", directory);
	return system(command_line) == 0 ? test_failed : 1; // NOLINT(cert-env33-c)
}
