/* SPDX-License-Identifier: MIT */
#include "maincf.h"

#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct sts_str
trim(struct sts_str s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = sts_str_from(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Blank lines and comments are nothing, even between a line and its continuation. */
static bool
next_line(struct sts_str *text, struct sts_str *line, bool *continues)
{
	while (text->n > 0) {
		struct sts_str raw;

		(void)sts_str_cut(text, '\n', &raw);
		*line = trim(raw);
		if (line->n == 0 || line->p[0] == '#')
			continue;
		*continues = is_blank(raw.p[0]);
		return true;
	}
	return false;
}

/* The value is collected piece by piece; what does not fit makes it unknown. */
struct collected {
	char *value;
	size_t size;
	size_t n;
	enum maincf_value found;
};

static void
collect(struct collected *c, struct sts_str piece)
{
	bool gap = c->n > 0 && piece.n > 0;

	if (memchr(piece.p, '$', piece.n) != NULL || c->n + gap + piece.n >= c->size) {
		c->found = MAINCF_UNKNOWN;
		return;
	}
	if (gap)
		c->value[c->n++] = ' ';
	memcpy(c->value + c->n, piece.p, piece.n);
	c->n += piece.n;
}

enum maincf_value
maincf_get(struct sts_str text, const char *name, char *value, size_t size)
{
	struct collected c = { .value = value, .size = size, .found = MAINCF_NONE };
	bool ours = false; /* the logical line that we are in */
	struct sts_str line;
	bool continues;

	while (next_line(&text, &line, &continues)) {
		struct sts_str rest = line;
		struct sts_str label;

		if (!continues) {
			ours = sts_str_cut(&rest, '=', &label) &&
			    sts_str_eq(trim(label), sts_str_of(name));
			if (!ours)
				continue;
			c.found = MAINCF_FOUND;
			c.n = 0;
		}
		if (ours)
			collect(&c, trim(rest));
	}
	value[c.found == MAINCF_FOUND ? c.n : 0] = '\0';
	return c.found;
}
