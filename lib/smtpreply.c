/* SPDX-License-Identifier: MIT */
/*
 * A line is taken whole before anything of it is believed. Its text goes to where it will
 * stay at once, with the code in front of it, and is moved up when the line is complete.
 */
#include "smtpreply.h"

#include <string.h>

#define CODE_SIZE 3

static struct sts_str
line_of(const struct sts_smtpreply *r)
{
	return sts_str_from(sts_buf_str(&r->text), r->line_at);
}

/* RFC 5321 section 4.2: Reply-code = %x32-35 %x30-35 %x30-39. As others do, the second
 * digit is not held against anybody. */
static bool
read_code(struct sts_str line, int *code)
{
	unsigned long long number = 0;

	if (line.n < CODE_SIZE || line.p[0] < '2' || line.p[0] > '5' ||
	    !sts_str_number(sts_str_head(line, CODE_SIZE), 599, &number))
		return false;
	*code = (int)number;
	return true;
}

/* Drops the first n bytes of the line under way. */
static void
drop(struct sts_smtpreply *r, size_t n)
{
	char *line = r->text.p + r->line_at;

	r->text.n -= n;
	memmove(line, line + n, r->text.n - r->line_at);
}

/* The line is whole, without its end. */
static void
end_line(struct sts_smtpreply *r)
{
	struct sts_str line = line_of(r);
	char mark = ' ';
	int code;

	if (line.n > 0 && line.p[line.n - 1] == '\r') {
		r->text.n--;
		line.n--;
	}
	if (line.n > CODE_SIZE)
		mark = line.p[CODE_SIZE];
	if (!read_code(line, &code) || (mark != ' ' && mark != '-')) {
		r->state = STS_SMTPREPLY_GARBAGE;
		return;
	}
	drop(r, line.n > CODE_SIZE ? CODE_SIZE + 1 : CODE_SIZE);
	sts_put_char(&r->text, '\n');
	r->line_at = r->text.n;
	r->code = code;
	r->lines++;
	if (mark == ' ')
		r->state = STS_SMTPREPLY_WHOLE;
	else if (r->lines == STS_SMTPREPLY_LINES_MAX)
		r->state = STS_SMTPREPLY_FLOOD;
}

static void
eat_byte(struct sts_smtpreply *r, char c)
{
	if (c == '\n')
		end_line(r);
	else if (r->text.n - r->line_at == STS_SMTPREPLY_LINE_MAX)
		r->state = STS_SMTPREPLY_FLOOD;
	else
		sts_put_char(&r->text, c);
	if (r->text.bad)
		r->state = STS_SMTPREPLY_NOMEM;
}

size_t
sts_smtpreply_eat(struct sts_smtpreply *r, struct sts_str bytes)
{
	size_t n = 0;

	while (n < bytes.n && r->state == STS_SMTPREPLY_MORE)
		eat_byte(r, bytes.p[n++]);
	return n;
}

bool
sts_smtpreply_offers(const struct sts_smtpreply *r, struct sts_str keyword)
{
	struct sts_str rest = sts_buf_str(&r->text), line, word;

	(void)sts_str_cut(&rest, '\n', &line);
	while (sts_str_cut(&rest, '\n', &line)) {
		(void)sts_str_cut(&line, ' ', &word);
		if (sts_str_eq_nocase(word, keyword))
			return true;
	}
	return false;
}

struct sts_str
sts_smtpreply_first(const struct sts_smtpreply *r)
{
	struct sts_str rest = sts_buf_str(&r->text), line;

	if (r->state == STS_SMTPREPLY_GARBAGE)
		return line_of(r);
	(void)sts_str_cut(&rest, '\n', &line);
	return line;
}

void
sts_smtpreply_clear(struct sts_smtpreply *r)
{
	sts_buf_clear(&r->text);
	r->state = STS_SMTPREPLY_MORE;
	r->code = 0;
	r->lines = 0;
	r->line_at = 0;
}

void
sts_smtpreply_done(struct sts_smtpreply *r)
{
	sts_buf_done(&r->text);
	*r = (struct sts_smtpreply){ .state = STS_SMTPREPLY_MORE };
}
