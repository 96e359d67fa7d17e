/* SPDX-License-Identifier: MIT */
#include "control_line.h"

#include <string.h>

#include "base64.h"

/* What every version of the protocol begins with. */
#define FAMILY "stsd-control/"

static bool
is_word(struct sts_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

void
control_put_word(struct sts_buf *to, struct sts_str word)
{
	if (word.n == 0)
		word = STS_STR("-");
	if (!is_word(word)) {
		to->bad = true;
		return;
	}
	sts_put_char(to, ' ');
	sts_put(to, word);
}

void
control_put_start(struct sts_buf *to, const char *word)
{
	sts_put_text(to, CONTROL_PROTOCOL);
	control_put_word(to, sts_str_of(word));
}

void
control_put_number(struct sts_buf *to, int64_t number)
{
	sts_put_text(to, number < 0 ? " -" : " ");
	sts_put_number(to, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void
control_put_bytes(struct sts_buf *to, struct sts_str bytes)
{
	sts_put_char(to, ' ');
	if (bytes.n == 0)
		sts_put_char(to, '=');
	else
		base64_put(to, bytes);
}

void
control_put_end(struct sts_buf *to)
{
	sts_put_char(to, '\n');
}

enum control_take
control_take_line(struct sts_str received, struct sts_str *line, size_t *used)
{
	struct sts_str within = received;
	const char *end;

	if (within.n > CONTROL_LINE_MAX)
		within.n = CONTROL_LINE_MAX;
	end = within.n == 0 ? NULL : memchr(within.p, '\n', within.n);
	if (end == NULL)
		return within.n == CONTROL_LINE_MAX ? CONTROL_BROKEN : CONTROL_PARTIAL;
	within.n = (size_t)(end - within.p);
	for (size_t i = 0; i < within.n; i++)
		if (within.p[i] < ' ' || within.p[i] > '~')
			return CONTROL_BROKEN;
	*line = within;
	*used = within.n + 1;
	return CONTROL_WHOLE;
}

enum control_greeting
control_read(struct sts_str line, struct control_words *words, struct sts_str *first)
{
	struct sts_str protocol;

	*words = (struct control_words){ line, false };
	(void)sts_str_cut(&words->rest, ' ', &protocol);
	if (!sts_str_eq(protocol, STS_STR(CONTROL_PROTOCOL)))
		return sts_str_starts(protocol, STS_STR(FAMILY)) ? CONTROL_OTHER
								 : CONTROL_FOREIGN;
	*first = control_take_word(words);
	return words->bad || first->n == 0 ? CONTROL_FOREIGN : CONTROL_OURS;
}

static struct sts_str
next(struct control_words *words)
{
	struct sts_str word = STS_STR_NONE;
	bool more;

	if (words->bad)
		return word;
	more = sts_str_cut(&words->rest, ' ', &word);
	/* A blank at the end is followed by a word that is empty. */
	if (!is_word(word) || (more && words->rest.n == 0)) {
		words->bad = true;
		return STS_STR_NONE;
	}
	return word;
}

struct sts_str
control_take_word(struct control_words *words)
{
	struct sts_str word = next(words);

	return sts_str_eq(word, STS_STR("-")) ? STS_STR_NONE : word;
}

int64_t
control_take_number(struct control_words *words)
{
	struct sts_str word = next(words);
	bool minus = sts_str_starts(word, STS_STR("-"));
	unsigned long long number = 0;

	/* INT64_MIN is nobody's number here, so that each has one that is its opposite. */
	if (!sts_str_number(minus ? sts_str_from(word, 1) : word, INT64_MAX, &number))
		words->bad = true;
	return minus ? -(int64_t)number : (int64_t)number;
}

void
control_take_bytes(struct control_words *words, struct sts_buf *to)
{
	struct sts_str word = next(words);

	if (words->bad || sts_str_eq(word, STS_STR("=")))
		return;
	words->bad = !base64_read(word, to);
}

bool
control_has_more(const struct control_words *words)
{
	return !words->bad && words->rest.n > 0;
}

bool
control_is_over(const struct control_words *words)
{
	return !words->bad && words->rest.n == 0;
}
