/* SPDX-License-Identifier: MIT */
/* Where the domains of stsd-query come from: arguments, and lines as they arrive. */
#include "query_words.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

int test_failed;

#define LONG_TEXT "123456789 123456789 123456789 123456789 123456789 123456789 123456789 "
#define LONGER LONG_TEXT LONG_TEXT LONG_TEXT LONG_TEXT LONG_TEXT LONG_TEXT

static const struct {
	const char *what;
	char *words[4];
	const char *input;
	size_t input_n;	    /* 0: of a text */
	const char *wanted; /* each word in brackets */
} cases[] = {
	{ "arguments", { "a.b", "c.d" }, "x.y\n", 0, "[a.b][c.d]" },
	{ "lines", { "-" }, "a.b\nc.d\n", 0, "[a.b][c.d]" },
	{ "the last line without an end", { "-" }, "a.b\nc.d", 0, "[a.b][c.d]" },
	{ "blanks, CR, comments", { "-" },
	    "\n  a.b \t\r\n\r\n# no\n   # neither\n\tc.d\r\n   \n", 0, "[a.b][c.d]" },
	{ "between arguments", { "a.b", "-", "e.f" }, "c.d\n", 0, "[a.b][c.d][e.f]" },
	{ "twice", { "-", "-", "e.f" }, "c.d\n", 0, "[c.d][e.f]" },
	{ "nothing", { "-" }, "", 0, "" },
	{ "only a comment", { "-" }, "#", 0, "" },
	{ "an empty argument", { "" }, "", 0, "[]" },
	{ "NUL", { "-" }, "a.b\0c\nd.e\n", 10, "[a.b?c][d.e]" },
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

struct reading {
	struct sts_loop *loop;
	struct query_words *words;
	char got[8192];
	enum query_word last;
	unsigned later;
};

static void
take(struct reading *r)
{
	const char *word;

	while ((r->last = query_words_next(r->words, &word)) == QUERY_WORD) {
		strcat(r->got, "[");
		strcat(r->got, word);
		strcat(r->got, "]");
	}
	if (r->last != QUERY_WORD_LATER)
		sts_loop_stop(r->loop);
}

static void
on_word(void *arg)
{
	struct reading *r = arg;

	r->later++;
	take(r);
}

static int
file_of(const char *text, size_t n)
{
	char name[] = "/tmp/test_query_words.XXXXXX";
	int fd = mkstemp(name);

	if (fd == -1 || unlink(name) == -1 || write(fd, text, n) != (ssize_t)n ||
	    lseek(fd, 0, SEEK_SET) == -1)
		abort();
	return fd;
}

static int
pipe_of(const char *text, size_t n, int *writer)
{
	int fds[2];

	if (pipe(fds) == -1 || write(fds[1], text, n) != (ssize_t)n)
		abort();
	*writer = fds[1];
	return fds[0];
}

static int
count_of(char *const *words)
{
	int n = 0;

	while (words[n] != NULL)
		n++;
	return n;
}

static void
start(struct reading *r, char *const *words, int fd)
{
	*r = (struct reading){ .loop = sts_loop_new() };
	r->words =
	    query_words_new(r->loop, (char **)words, count_of(words), fd, on_word, r);
	if (r->words == NULL)
		abort();
}

static void
stop(struct reading *r)
{
	query_words_free(r->words);
	sts_loop_free(r->loop);
}

/* From a file, and from a pipe that brings all of it at once. */
static void
test_cases(void)
{
	for (size_t i = 0; i < 2 * CASES; i++) {
		const char *what = cases[i / 2].what;
		const char *input = cases[i / 2].input;
		size_t n =
		    cases[i / 2].input_n > 0 ? cases[i / 2].input_n : strlen(input);
		int writer = -1;
		int fd = i % 2 == 0 ? file_of(input, n) : pipe_of(input, n, &writer);
		struct reading r;

		if (writer != -1)
			close(writer);
		start(&r, cases[i / 2].words, fd);
		take(&r);
		CHECK(what, r.last == QUERY_WORD_END);
		CHECK(what, strcmp(r.got, cases[i / 2].wanted) == 0);
		if (strcmp(r.got, cases[i / 2].wanted) != 0)
			fprintf(stderr, "  got %s\n", r.got);
		stop(&r);
		close(fd);
	}
}

static void
test_long_line(void)
{
	static char *const words[] = { "-", NULL };
	int fd = file_of(LONGER LONGER LONGER "\na.b\n", 3 * strlen(LONGER) + 5);
	struct reading r;

	start(&r, words, fd);
	take(&r);
	CHECK("a long line", strlen(r.got) == 1023 + 2 + 5);
	CHECK("after it", strcmp(r.got + 1025, "[a.b]") == 0);
	stop(&r);
	close(fd);
}

/* A pipe that is silent is not waited for; what arrived whole is told at once. */
static void
test_later(void)
{
	static char *const words[] = { "-", NULL };
	struct reading r;
	int writer, fd = pipe_of("a.b\nc", 5, &writer);

	start(&r, words, fd);
	take(&r);
	CHECK("silent", r.last == QUERY_WORD_LATER && strcmp(r.got, "[a.b]") == 0);
	CHECK("more", write(writer, ".d\n", 3) == 3);
	(void)sts_loop_once(r.loop, true);
	CHECK("more", r.later == 1 && strcmp(r.got, "[a.b][c.d]") == 0);
	CHECK("silent again", r.last == QUERY_WORD_LATER);
	close(writer);
	(void)sts_loop_once(r.loop, true);
	CHECK("its end", r.later == 2 && r.last == QUERY_WORD_END);
	stop(&r);
	close(fd);
}

static void
count_only(void *arg)
{
	(*(unsigned *)arg)++;
}

/* Who has no room for more words is not called again and again. */
static void
test_pause(void)
{
	static char *words[] = { "-", NULL };
	struct sts_loop *loop = sts_loop_new();
	int writer, fd = pipe_of("", 0, &writer);
	unsigned calls = 0;
	struct query_words *w = query_words_new(loop, words, 1, fd, count_only, &calls);
	const char *word;

	if (loop == NULL || w == NULL)
		abort();
	CHECK("silent", query_words_next(w, &word) == QUERY_WORD_LATER);
	CHECK("more", write(writer, "a.b\n", 4) == 4);
	for (int i = 0; i < 3; i++)
		(void)sts_loop_once(loop, false);
	CHECK("called once", calls == 1);
	CHECK("still there", query_words_next(w, &word) == QUERY_WORD);
	query_words_free(w);
	sts_loop_free(loop);
	close(writer);
	close(fd);
}

static void
test_failure(void)
{
	static char *const words[] = { "-", NULL };
	int fd = open("/", O_RDONLY | O_DIRECTORY);
	struct reading r;

	start(&r, words, fd);
	take(&r);
	CHECK("a folder", r.last == QUERY_WORD_FAILED);
	stop(&r);
	close(fd);
}

static void
test_count(void)
{
	static char *const named[] = { "a.b", "c.d", NULL };
	static char *const mixed[] = { "a.b", "-", NULL };
	struct reading r;

	start(&r, named, 0);
	CHECK("all are named", query_words_count(r.words) == 2);
	stop(&r);
	start(&r, mixed, 0);
	CHECK("nobody knows", query_words_count(r.words) == 0);
	stop(&r);
}

int
main(void)
{
	test_cases();
	test_long_line();
	test_later();
	test_pause();
	test_failure();
	test_count();
	return test_failed;
}
