/* SPDX-License-Identifier: MIT */
#include "str.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool
sts_str_eq_nocase(struct sts_str a, struct sts_str b)
{
	size_t i = 0;

	if (a.n != b.n)
		return false;
	while (a.n - i >= 8 && memcmp(a.p + i, b.p + i, 8) == 0)
		i += 8; /* nearly always they are of one case */
	while (i < a.n && (a.p[i] == b.p[i] || sts_lower(a.p[i]) == sts_lower(b.p[i])))
		i++;
	return i == a.n;
}

int
sts_str_cmp(struct sts_str a, struct sts_str b)
{
	size_t common = a.n < b.n ? a.n : b.n;
	int order = common == 0 ? 0 : memcmp(a.p, b.p, common);

	if (order != 0)
		return order;
	return (a.n > b.n) - (a.n < b.n);
}

struct sts_str
sts_str_trim(struct sts_str s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = sts_str_from(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool
sts_str_number(struct sts_str s, unsigned long long max, unsigned long long *number)
{
	unsigned long long sum = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

		if (digit > 9 || digit > max || sum > (max - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*number = sum;
	return true;
}

/* The length a first byte announces, and the smallest code that needs it: anything
 * smaller is an overlong form (RFC 3629 section 3). */
static size_t
utf8_length(unsigned char first, uint32_t *least)
{
	if (first < 0x80) {
		*least = 0;
		return 1;
	}
	if (first >= 0xc0 && first < 0xe0) {
		*least = 0x80;
		return 2;
	}
	if (first >= 0xe0 && first < 0xf0) {
		*least = 0x800;
		return 3;
	}
	if (first >= 0xf0 && first < 0xf8) {
		*least = 0x10000;
		return 4;
	}
	return 0;
}

size_t
sts_str_utf8(struct sts_str s, uint32_t *code)
{
	const unsigned char *p = (const unsigned char *)s.p;
	uint32_t least = 0, c;
	size_t n = s.n == 0 ? 0 : utf8_length(p[0], &least);

	if (n == 0 || n > s.n)
		return 0;
	c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return n;
}

bool
sts_eat_if(struct sts_cursor *c, struct sts_str literal)
{
	if (c->bad || !sts_str_starts(c->rest, literal))
		return false;
	c->rest = sts_str_from(c->rest, literal.n);
	return true;
}

void
sts_eat(struct sts_cursor *c, struct sts_str literal)
{
	if (!sts_eat_if(c, literal))
		c->bad = true;
}

struct sts_str
sts_eat_run(struct sts_cursor *c, const char *set, size_t min, size_t max)
{
	struct sts_str run = sts_str_head(c->rest, 0);

	if (c->bad)
		return run;
	/* strchr finds the NUL that ends the set, which is no member of it. */
	while (run.n < c->rest.n && run.n < max && c->rest.p[run.n] != '\0' &&
	    strchr(set, c->rest.p[run.n]) != NULL)
		run.n++;
	if (run.n < min) {
		c->bad = true;
		return sts_str_head(run, 0);
	}
	c->rest = sts_str_from(c->rest, run.n);
	return run;
}

void
sts_eat_blanks(struct sts_cursor *c)
{
	(void)sts_eat_run(c, " \t", 0, SIZE_MAX);
}
