/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "logsink.h"
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

/* A pipe as stderr, which JOURNAL_STREAM names, or does not. */
static void
capture_journal(bool ours)
{
	char stream[64];
	struct stat st;

	capture_pipe();
	if (fstat(STDERR_FILENO, &st) == -1)
		abort();
	(void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino + !ours);
	(void)setenv("JOURNAL_STREAM", stream, 1);
	log_open("test", LOG_LEVEL_DEBUG, false, false);
}

static void
test_priorities(bool ours)
{
	char got[512];
	bool good;

	logsink_journal = "/nonexistent/journal";
	capture_journal(ours);
	log_say(LOG_LEVEL_ERROR, "event", "x");
	(void)snprintf(got, sizeof(got), "%s", captured());
	release();
	good = is_line(got, ours ? "<3>" : "", " error event reason=x role=test\n");
	CHECK(ours ? "a journal out of reach" : "another journal", good);
	if (!good)
		fprintf(stderr, "\tgot: %s", got);
}

static char journal_folder[] = "/tmp/stsd-test-XXXXXX";
static char journal_path[sizeof(journal_folder) + 8];

/* Somebody who plays the journal; the descriptor that it reads. */
static int
open_journal(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (mkdtemp(strcpy(journal_folder, "/tmp/stsd-test-XXXXXX")) == NULL)
		abort();
	(void)snprintf(journal_path, sizeof(journal_path), "%s/socket", journal_folder);
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", journal_path);
	if (fd == -1 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) == -1)
		abort();
	logsink_journal = journal_path;
	return fd;
}

static void
close_journal(int fd)
{
	(void)close(fd);
	(void)unlink(journal_path);
	(void)rmdir(journal_folder);
}

static const char *
datagram(int fd)
{
	static char text[1 << 16];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
test_fields(bool json)
{
	static const char head[] =
	    "SYSLOG_IDENTIFIER=stsd\nPRIORITY=4\nSTSD_EVENT=policy-changed\n"
	    "STSD_DOMAIN=a.example\nSTSD_REASON=a \\x1b[31m\\x0aSTSD_EVENT=forged\n"
	    "STSD_ROLE=test\nSTSD_OLD_ID=\\\\\nSTSD_FAILURES=3\nSTSD_TOOK=0.214\nMESSAGE=";
	static const char text[] =
	    "warning policy-changed domain=a.example "
	    "reason=\"a \\x1b[31m\\x0aSTSD_EVENT=forged\" role=test old_id=\"\\\\\" "
	    "failures=3 took=0.214\n";
	int fd = open_journal();
	const char *got;
	bool good;

	capture_journal(true);
	log_open("test", LOG_LEVEL_DEBUG, json, false);
	log_begin(LOG_LEVEL_WARNING, "policy-changed", STS_STR("a.example"),
	    "a \x1b[31m\nSTSD_EVENT=forged");
	log_text("old_id", STS_STR("\\"));
	log_number("failures", 3);
	log_seconds("took", 214);
	log_end();
	got = datagram(fd);
	good = strncmp(got, head, sizeof(head) - 1) == 0;
	CHECK("nothing on stderr", captured()[0] == '\0');
	release();
	CHECK("fields", good);
	if (good && json)
		CHECK("JSON as the message",
		    strncmp(got + sizeof(head) - 1, "{\"time\":\"", 9) == 0);
	else if (good)
		CHECK("message", strcmp(got + sizeof(head) - 1, text) == 0);
	else
		fprintf(stderr, "\tgot: %s", got);
	close_journal(fd);
}

static void
test_long_fields(void)
{
	static char nasty[5000];
	struct sts_str view = { nasty, sizeof(nasty) - 1 };
	int fd = open_journal();
	const char *got;

	memset(nasty, '\x01', sizeof(nasty) - 1);
	capture_journal(true);
	log_begin(LOG_LEVEL_INFO, "long", view, nasty);
	for (int i = 0; i < 20; i++)
		log_text("more", view);
	log_end();
	got = datagram(fd);
	release();
	CHECK("a bounded datagram", strlen(got) > 4096 && strlen(got) <= 2 * 4096 + 8);
	CHECK("fields are whole", strstr(got, "\\x01\nMESSAGE=info long ") != NULL);
	close_journal(fd);
}

/* One that does not read is not waited for; one that has gone is done without. */
static void
test_stuck_journal(void)
{
	int fd = open_journal();
	const char *got;
	int n = 0;

	capture_journal(true);
	for (int i = 0; i < 10000; i++)
		log_say(LOG_LEVEL_INFO, "flood", "%d", i);
	while (datagram(fd)[0] != '\0')
		n++;
	log_say(LOG_LEVEL_INFO, "after", "the flood");
	CHECK("the next line comes", strstr(datagram(fd), "STSD_EVENT=after\n") != NULL);
	got = datagram(fd);
	CHECK("what was lost is counted",
	    strstr(got, "STSD_EVENT=log-lost\n") != NULL &&
		atoi(strstr(got, "STSD_LINES=") + 11) == 10000 - n);
	close_journal(fd);

	log_say(LOG_LEVEL_INFO, "lost", "nobody is there");
	log_say(LOG_LEVEL_INFO, "kept", "on stderr");
	got = captured();
	n = strstr(got, " info kept reason=\"on stderr\" role=test\n<4>") != NULL &&
	    strncmp(got, "<6>", 3) == 0 &&
	    strstr(got, " log-lost role=test lines=1\n") != NULL;
	release();
	CHECK("a journal that has gone", n);
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
	test_priorities(true);
	test_priorities(false);
	test_fields(false);
	test_fields(true);
	test_long_fields();
	test_stuck_journal();
	return test_failed;
}
