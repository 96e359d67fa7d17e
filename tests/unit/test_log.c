/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

int test_failed;

/* stderr is what is tested: reports of failures wait until it is back. */
static int saved_stderr;
static int reader;

static void
capture(int writer)
{
	(void)fflush(stderr);
	if (dup2(writer, STDERR_FILENO) == -1)
		abort();
	(void)close(writer);
}

static void
capture_pipe(void)
{
	int fds[2];

	if (pipe(fds) == -1 || fcntl(fds[0], F_SETFL, O_NONBLOCK) == -1)
		abort();
	reader = fds[0];
	capture(fds[1]);
}

/* What was written since; its (first) time is marked. */
static const char *
captured(void)
{
	static char text[1 << 20];
	size_t n = 0;
	ssize_t got;

	while ((got = read(reader, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	for (char *t = text; (t = strstr(t, "20")) != NULL; t++) {
		if (strlen(t) >= 20 && t[4] == '-' && t[10] == 'T' && t[19] == 'Z') {
			memcpy(t, "TTTT", 4);
			break;
		}
	}
	return text;
}

static void
release(void)
{
	if (dup2(saved_stderr, STDERR_FILENO) == -1)
		abort();
	(void)close(reader);
	(void)unsetenv("JOURNAL_STREAM");
	log_open("test", LOG_LEVEL_INFO, false, false);
}

/* Is it this line, whatever the time? */
static bool
is_line(const char *got, const char *prefix, const char *rest)
{
	const char *at = strstr(got, "TTTT-");

	if (at == NULL || strlen(at) < 20)
		return false;
	return (size_t)(at - got) == strlen(prefix) &&
	    strncmp(got, prefix, strlen(prefix)) == 0 && strcmp(at + 20, rest) == 0;
}

static const struct {
	const char *what;
	struct sts_str value;
	const char *text, *json;
} values[] = {
	{ "plain", STS_STR("abc.example-1:2/[]"), "abc.example-1:2/[]",
	    "\"abc.example-1:2/[]\"" },
	{ "empty", STS_STR(""), "\"\"", "\"\"" },
	{ "a blank", STS_STR("a b"), "\"a b\"", "\"a b\"" },
	{ "an equals sign", STS_STR("a=b"), "\"a=b\"", "\"a=b\"" },
	{ "a quote", STS_STR("a\"b"), "\"a\\\"b\"", "\"a\\\"b\"" },
	{ "a backslash", STS_STR("a\\b"), "\"a\\\\b\"", "\"a\\\\b\"" },
	{ "a line end", STS_STR("a\nb"), "\"a\\x0ab\"", "\"a\\u000ab\"" },
	{ "an escape sequence", STS_STR("\x1b[31m"), "\"\\x1b[31m\"", "\"\\u001b[31m\"" },
	{ "UTF-8", STS_STR("\xc3\xa4"), "\"\\xc3\\xa4\"", "\"\xc3\xa4\"" },
	{ "no UTF-8", STS_STR("\xff"), "\"\\xff\"", "\"\\u00ff\"" },
	{ "NUL", STS_STR("a\0b"), "\"a\\x00b\"", "\"a\\u0000b\"" },
};

static void
test_values(bool json)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char want[256];
		char got[256];
		bool good;

		capture_pipe();
		log_open("test", LOG_LEVEL_INFO, json, false);
		log_begin(LOG_LEVEL_NOTICE, "event", STS_STR_NONE, NULL);
		log_text("key", values[i].value);
		log_end();
		if (json)
			(void)snprintf(want, sizeof(want),
			    "\",\"level\":\"notice\",\"event\":\"event\",\"role\":\"test\","
			    "\"key\":%s}\n",
			    values[i].json);
		else
			(void)snprintf(want, sizeof(want),
			    " notice event role=test key=%s\n", values[i].text);
		(void)snprintf(got, sizeof(got), "%s", captured());
		release();
		good = is_line(got, json ? "{\"time\":\"" : "", want);
		CHECK(values[i].what, good);
		if (!good)
			fprintf(stderr, "\tgot: %s", got);
	}
}

static void
test_line(bool json, const char *prefix, const char *want)
{
	char got[512];

	capture_pipe();
	log_open("resolver", LOG_LEVEL_INFO, json, false);
	log_begin(LOG_LEVEL_WARNING, "refresh-failed", STS_STR("example.org"),
	    "no route");
	log_number("failures", -3);
	log_seconds("took", 214);
	log_seconds("late", -61001);
	log_time("fetched", 1795341600);
	log_time("asked", 0);
	log_end();
	(void)snprintf(got, sizeof(got), "%s", captured());
	release();
	CHECK(want, is_line(got, prefix, want));
	if (!is_line(got, prefix, want))
		fprintf(stderr, "\tgot: %s", got);
}

static void
test_say(void)
{
	char got[512];

	capture_pipe();
	log_open("answerer", LOG_LEVEL_NOTICE, false, false);
	log_say(LOG_LEVEL_INFO, "quiet", "%d", 1);
	log_begin(LOG_LEVEL_DEBUG, "quiet", STS_STR("a.example"), "why");
	log_number("n", 1);
	log_end();
	log_say(LOG_LEVEL_NOTICE, "loud", "%d of %s", 2, "two");
	(void)snprintf(got, sizeof(got), "%s", captured());
	release();
	CHECK("only what is wanted",
	    is_line(got, "", " notice loud reason=\"2 of two\" role=answerer\n"));
}

/* As long as can be: nothing passes 4096 bytes, fields are whole, JSON stays closed. */
static void
test_long(bool json)
{
	static char nasty[5000];
	static char got[8192];
	struct sts_str view = { nasty, sizeof(nasty) - 1 };
	size_t n;

	memset(nasty, '\x01', sizeof(nasty) - 1);
	capture_pipe();
	log_open("test", LOG_LEVEL_INFO, json, false);
	log_begin(LOG_LEVEL_INFO, "long", view, nasty);
	for (int i = 0; i < 20; i++)
		log_text("more", view);
	log_end();
	(void)snprintf(got, sizeof(got), "%s", captured());
	release();
	n = strlen(got);
	CHECK("not too long", n > 2000 && n <= 4096);
	CHECK("one line", strchr(got, '\n') == got + n - 1);
	CHECK("cut", strstr(got, "...\"") != NULL);
	CHECK("domain and reason fit", strstr(got, "reason") != NULL);
	CHECK("whole fields", got[n - 2] == (json ? '}' : '"'));
}

/* A full pipe or socket: nobody waits, and what was lost is counted. */
static void
test_full(const char *what, int writer)
{
	char last[200] = "";
	const char *got;
	const char *lost;

	capture(writer);
	log_open("test", LOG_LEVEL_INFO, false, false);
	for (int i = 0; i < 100000; i++)
		log_say(LOG_LEVEL_INFO, "flood", "some more bytes, to fill it sooner, %d",
		    i);
	(void)captured();
	log_say(LOG_LEVEL_INFO, "after", "the flood");
	got = captured();
	lost = strstr(got, "warning log-lost role=test lines=");
	if (lost != NULL)
		(void)snprintf(last, sizeof(last), "%s", lost);
	release();
	CHECK(what, lost != NULL);
	CHECK(what,
	    atoi(strchr(last, '\0') > last ? strstr(last, "lines=") + 6 : "0") > 100);
}

static void
test_full_ones(void)
{
	int fds[2];

	if (pipe(fds) == -1 || fcntl(fds[0], F_SETFL, O_NONBLOCK) == -1)
		abort();
	reader = fds[0];
	test_full("a full pipe", fds[1]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == -1 ||
	    fcntl(fds[0], F_SETFL, O_NONBLOCK) == -1)
		abort();
	reader = fds[0];
	test_full("a full socket", fds[1]);
}

/* The flag that makes writing not wait must not be seen by who shares stderr with us. */
static void
test_flags(void)
{
	int flags;

	capture_pipe();
	log_open("test", LOG_LEVEL_INFO, false, false);
	log_say(LOG_LEVEL_INFO, "event", "x");
	flags = fcntl(STDERR_FILENO, F_GETFL);
	release();
	CHECK("stderr itself still blocks", flags != -1 && (flags & O_NONBLOCK) == 0);
}

static void
test_nobody(void)
{
	char got[512];
	int fds[2];

	if (pipe(fds) == -1)
		abort();
	reader = fds[0];
	capture(fds[1]);
	log_open("test", LOG_LEVEL_INFO, false, false);
	(void)close(reader);
	log_say(LOG_LEVEL_INFO, "event", "nobody reads, and we live");
	capture_pipe();
	log_open("test", LOG_LEVEL_INFO, false, false);
	log_say(LOG_LEVEL_INFO, "event", "somebody does");
	(void)snprintf(got, sizeof(got), "%s", captured());
	release();
	CHECK("one line was lost",
	    strstr(got, " warning log-lost role=test lines=1\n") != NULL);
}

static void
test_journal(bool ours)
{
	char got[512];
	char stream[64];
	struct stat st;
	bool good;

	capture_pipe();
	if (fstat(STDERR_FILENO, &st) == -1)
		abort();
	(void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino + !ours);
	(void)setenv("JOURNAL_STREAM", stream, 1);
	log_open("test", LOG_LEVEL_DEBUG, false, false);
	log_say(LOG_LEVEL_ERROR, "event", "x");
	(void)snprintf(got, sizeof(got), "%s", captured());
	release();
	good = is_line(got, ours ? "<3>" : "", " error event reason=x role=test\n");
	CHECK(ours ? "our journal" : "another journal", good);
	if (!good)
		fprintf(stderr, "\tgot: %s", got);
}

static const struct {
	int64_t seconds;
	const char *text;
} times[] = {
	{ 0, "1970-01-01T00:00:00Z" },
	{ 86399, "1970-01-01T23:59:59Z" },
	{ 951782400, "2000-02-29T00:00:00Z" },
	{ 951868800, "2000-03-01T00:00:00Z" },
	{ 1795341600, "2026-11-22T10:00:00Z" },
	{ 4107542399, "2100-02-28T23:59:59Z" },
	{ 4107542400, "2100-03-01T00:00:00Z" },
	{ 253402300799, "9999-12-31T23:59:59Z" },
	{ -1, "1969-12-31T23:59:59Z" },
};

int
main(void)
{
	char text[LOG_TIME_TEXT];

	saved_stderr = dup(STDERR_FILENO);
	if (saved_stderr == -1)
		abort();
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		log_time_text(times[i].seconds, text);
		CHECK(times[i].text, strcmp(text, times[i].text) == 0);
	}
	test_values(false);
	test_values(true);
	test_line(false, "",
	    " warning refresh-failed domain=example.org reason=\"no route\" role=resolver "
	    "failures=-3 took=0.214 late=-61.001 fetched=2026-11-22T10:00:00Z asked=never\n");
	test_line(true, "{\"time\":\"",
	    "\",\"level\":\"warning\",\"event\":\"refresh-failed\","
	    "\"domain\":\"example.org\",\"reason\":\"no route\",\"role\":\"resolver\","
	    "\"failures\":-3,\"took\":0.214,\"late\":-61.001,"
	    "\"fetched\":\"2026-11-22T10:00:00Z\",\"asked\":\"never\"}\n");
	test_say();
	test_long(false);
	test_long(true);
	test_full_ones();
	test_flags();
	test_nobody();
	test_journal(true);
	test_journal(false);
	return test_failed;
}
