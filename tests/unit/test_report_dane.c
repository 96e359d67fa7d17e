/* SPDX-License-Identifier: MIT */
#include "report_dane.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "test.h"

int test_failed;

#define NOW 1700000000

static int saved_stderr, reader;

/* stderr is where the log goes: failures wait until it is back. */
static void
capture(void)
{
	int fds[2];

	(void)fflush(stderr);
	if (pipe(fds) == -1 || fcntl(fds[0], F_SETFL, O_NONBLOCK) == -1 ||
	    dup2(fds[1], STDERR_FILENO) == -1)
		abort();
	(void)close(fds[1]);
	reader = fds[0];
	log_open("test", LOG_LEVEL_DEBUG, false, false);
}

/* What was logged, without its times. */
static const char *
release(void)
{
	static char text[4096];
	size_t n = 0;
	ssize_t got;

	if (dup2(saved_stderr, STDERR_FILENO) == -1)
		abort();
	while ((got = read(reader, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	(void)close(reader);
	return n > 21 ? text + 21 : text;
}

#define NONE                                                                             \
 {                                                                                       \
  .at = 0                                                                                \
 }
#define PLAIN                                                                            \
 {                                                                                       \
  false, 25                                                                              \
 }

static const struct {
	const char *what;
	enum sts_mode mode;
	struct sts_dane before, after;
	const char *line; /* "": nothing is logged */
} cases[] = {
	{ "first seen", STS_MODE_ENFORCE, NONE,
	    { .target = PLAIN, .at = NOW, .state = STS_DANE_APPLIES },
	    "info dane-found domain=example.com reason=\"DANE comes before the policy\" "
	    "role=test dane=applies\n" },
	{ "first absent", STS_MODE_ENFORCE, NONE,
	    { .target = PLAIN, .at = NOW, .state = STS_DANE_ABSENT, .mx_secure = true },
	    "debug dane-found domain=example.com reason=\"DANE does not apply\" "
	    "role=test dane=absent\n" },
	{ "first unknown", STS_MODE_ENFORCE, NONE,
	    { .target = PLAIN,
		.at = NOW,
		.state = STS_DANE_UNKNOWN,
		.about = STS_ABOUT_TLSA,
		.err = STS_ERR_DNS_SERVFAIL,
		.ede = 6,
		.host = { "mx.example.com", 14 } },
	    "notice dane-found domain=example.com reason=\"DANE is unknown: TLSA lookup "
	    "failed (SERVFAIL)\" role=test dane=unknown host=mx.example.com ede=6\n" },
	{ "testing waits for nothing", STS_MODE_TESTING, NONE,
	    { .target = PLAIN,
		.at = NOW,
		.state = STS_DANE_UNKNOWN,
		.about = STS_ABOUT_MX,
		.err = STS_ERR_DNS_TIMEOUT,
		.ede = -1 },
	    "debug dane-found domain=example.com reason=\"DANE is unknown: MX lookup "
	    "failed (timeout)\" role=test dane=unknown\n" },
	{ "gone", STS_MODE_ENFORCE,
	    { .target = PLAIN, .at = 1, .state = STS_DANE_APPLIES, .applied = true },
	    { .target = PLAIN, .at = NOW, .state = STS_DANE_ABSENT, .mx_secure = true },
	    "notice dane-changed domain=example.com reason=\"DANE does not apply any "
	    "more\" role=test old_dane=applies dane=absent\n" },
	{ "gone with its MX's signature", STS_MODE_ENFORCE,
	    { .target = PLAIN, .at = 1, .state = STS_DANE_APPLIES, .applied = true },
	    { .target = PLAIN, .at = NOW, .state = STS_DANE_ABSENT },
	    "notice dane-changed domain=example.com reason=\"DANE does not apply any "
	    "more: the MX records are insecure\" role=test old_dane=applies "
	    "dane=absent\n" },
	{ "gone after some silence", STS_MODE_ENFORCE,
	    { .target = PLAIN, .at = 1, .state = STS_DANE_OFF, .applied = true },
	    { .target = PLAIN, .at = NOW, .state = STS_DANE_ABSENT, .mx_secure = true },
	    "notice dane-changed domain=example.com reason=\"DANE does not apply any "
	    "more\" role=test old_dane=off dane=absent\n" },
	{ "back, at another port", STS_MODE_ENFORCE,
	    { .target = { true, 587 }, .at = 1, .state = STS_DANE_UNKNOWN },
	    { .target = { true, 587 }, .at = NOW, .state = STS_DANE_APPLIES },
	    "notice dane-changed domain=example.com reason=\"DANE comes before the "
	    "policy\" role=test old_dane=unknown dane=applies brackets=yes port=587\n" },
	{ "of no consequence", STS_MODE_ENFORCE,
	    { .target = PLAIN, .at = 1, .state = STS_DANE_ABSENT },
	    { .target = PLAIN, .at = NOW, .state = STS_DANE_OFF },
	    "debug dane-changed domain=example.com reason=\"DANE is off: the resolver "
	    "does not validate\" role=test old_dane=absent dane=off\n" },
	{ "as before", STS_MODE_ENFORCE,
	    { .target = PLAIN, .at = 1, .state = STS_DANE_UNKNOWN },
	    { .target = PLAIN, .at = NOW, .state = STS_DANE_UNKNOWN }, "" },
};

static void
check_line(const char *what, const char *got, const char *expected)
{
	CHECK(what, strcmp(got, expected) == 0);
	if (strcmp(got, expected) != 0)
		(void)fprintf(stderr, "\tgot: %s\n", got);
}

static void
test_findings(void)
{
	static const struct sts_rules rules = { .dane = true };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct sts_lookup l;
		struct sts_entry after = { .fetched = NOW,
			.max_age = 86400,
			.mode = cases[i].mode,
			.dane_count = 1 };
		struct sts_event event = { .domain = STS_STR("example.com"),
			.lookup = &l,
			.after = &after };

		l = (struct sts_lookup){ .rules = &rules };
		l.cached.dane_count = cases[i].before.at != 0;
		l.cached.dane[0] = cases[i].before;
		after.dane[0] = cases[i].after;
		capture();
		report_finding(&event);
		check_line(cases[i].what, release(), cases[i].line);
	}
}

static void
test_host(void)
{
	static struct sts_lookup l;
	static const struct sts_dns_answer answer = { .err = STS_ERR_DNS_SERVFAIL,
		.ede = 6 };
	struct sts_event event = { .domain = STS_STR("example.com"),
		.lookup = &l,
		.host = 1,
		.step = STS_DANE_TLSA_OWN,
		.answer = &answer,
		.ms = 1234 };

	l.dane.hosts[1].name = STS_STR("mx.example.net");
	capture();
	report_host(&event);
	check_line("a host", release(),
	    "debug mx-host domain=example.com role=test "
	    "host=mx.example.net question=\"TLSA of the alias\" result=dns-servfail "
	    "ad=no ede=6 took=1.234\n");
}

int
main(void)
{
	saved_stderr = dup(STDERR_FILENO);
	(void)unsetenv("JOURNAL_STREAM");
	test_findings();
	test_host();
	return test_failed;
}
