/* SPDX-License-Identifier: MIT */
#include "query_words.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Longer than any key that could mean a domain. */
#define LINE_MAX_BYTES 1023
#define READ_BYTES 4096

struct query_words {
	char **words;
	int count, at;
	int fd;
	struct sts_watch *watch;
	query_on_word *on;
	void *arg;

	char line[LINE_MAX_BYTES + 1];
	size_t line_n;
	char bytes[READ_BYTES]; /* read, and not looked at yet: from first to last */
	size_t first, last;
	bool ended; /* of the input */
};

static void
on_ready(void *arg, int fd, unsigned what)
{
	struct query_words *w = arg;

	(void)fd;
	(void)what;
	(void)sts_watch_set(w->watch, 0);
	w->on(w->arg);
}

struct query_words *
query_words_new(struct sts_loop *loop, char **words, int count, int fd, query_on_word *on,
    void *arg)
{
	struct query_words *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->words = words;
	w->count = count;
	w->fd = fd;
	w->on = on;
	w->arg = arg;
	if ((w->watch = sts_watch_new(loop, fd, on_ready, w)) == NULL) {
		free(w);
		return NULL;
	}
	return w;
}

void
query_words_free(struct query_words *w)
{
	if (w == NULL)
		return;
	sts_watch_free(w->watch);
	free(w);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The line that is whole; NULL: nothing worth a look. */
static const char *
end_line(struct query_words *w)
{
	char *line = w->line;

	while (w->line_n > 0 && is_blank(line[w->line_n - 1]))
		w->line_n--;
	line[w->line_n] = '\0';
	w->line_n = 0;
	while (is_blank(*line))
		line++;
	return *line == '\0' || *line == '#' ? NULL : line;
}

static void
add(struct query_words *w, char c)
{
	if (w->line_n == LINE_MAX_BYTES)
		return;
	w->line[w->line_n] = c;
	if (c == '\0')
		w->line[w->line_n] = '?';
	w->line_n++;
}

/* A line of what was read; NULL: there is none in it. */
static const char *
take_line(struct query_words *w)
{
	const char *line = NULL;

	while (line == NULL && w->first < w->last) {
		char c = w->bytes[w->first++];

		if (c == '\n')
			line = end_line(w);
		else
			add(w, c);
	}
	return line;
}

/* Reading may block where nobody waits, and a file cannot be waited for: asked is
 * whether there is something. */
static enum query_word
read_more(struct query_words *w)
{
	struct pollfd poll_fd = { .fd = w->fd, .events = POLLIN };
	ssize_t n;

	if (poll(&poll_fd, 1, 0) == 0)
		return sts_watch_set(w->watch, STS_READ) == -1 ? QUERY_WORD_FAILED
							       : QUERY_WORD_LATER;
	do
		n = read(w->fd, w->bytes, sizeof(w->bytes));
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN && sts_watch_set(w->watch, STS_READ) != -1
		    ? QUERY_WORD_LATER
		    : QUERY_WORD_FAILED;
	w->first = 0;
	w->last = (size_t)n;
	w->ended = n == 0;
	return QUERY_WORD;
}

/* QUERY_WORD_END: of the input. */
static enum query_word
next_line(struct query_words *w, const char **word)
{
	enum query_word got = QUERY_WORD;

	while (got == QUERY_WORD) {
		const char *line = take_line(w);

		if (line == NULL && w->ended)
			line = end_line(w);
		if (line != NULL) {
			*word = line;
			return QUERY_WORD;
		}
		if (w->ended)
			return QUERY_WORD_END;
		got = read_more(w);
	}
	return got;
}

enum query_word
query_words_next(struct query_words *w, const char **word)
{
	enum query_word got = QUERY_WORD_END;

	for (; w->at < w->count; w->at++) {
		if (strcmp(w->words[w->at], "-") != 0) {
			*word = w->words[w->at++];
			return QUERY_WORD;
		}
		got = next_line(w, word);
		if (got != QUERY_WORD_END)
			return got;
	}
	return QUERY_WORD_END;
}

size_t
query_words_count(const struct query_words *w)
{
	for (int i = 0; i < w->count; i++)
		if (strcmp(w->words[i], "-") == 0)
			return 0;
	return (size_t)w->count;
}
