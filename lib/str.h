/* SPDX-License-Identifier: MIT */
#ifndef STS_STR_H
#define STS_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A view of bytes that somebody else owns: never freed, never written through,
 * alive as long as the bytes it points into. Nothing here allocates. What is asked for
 * each byte or name of each answer stands here, so that it costs no call.
 */
struct sts_str {
	const char *p;
	size_t n;
};

#define STS_STR(literal) ((struct sts_str){ (literal), sizeof(literal) - 1 })
#define STS_STR_NONE ((struct sts_str){ NULL, 0 })

/* NULL gives the empty view. */
static inline struct sts_str
sts_str_of(const char *text)
{
	return text == NULL ? STS_STR_NONE : (struct sts_str){ text, strlen(text) };
}

static inline char
sts_lower(char c) /* ASCII */
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c + ('a' - 'A'));
	return c;
}

static inline void
sts_lower_copy(char *restrict to, struct sts_str s)
{
	for (size_t i = 0; i < s.n; i++)
		to[i] = sts_lower(s.p[i]);
}

/* Everything from byte n on (n <= s.n), and the first n bytes. */
static inline struct sts_str
sts_str_from(struct sts_str s, size_t n)
{
	return n == 0 ? s : (struct sts_str){ s.p + n, s.n - n };
}

static inline struct sts_str
sts_str_head(struct sts_str s, size_t n)
{
	return (struct sts_str){ s.p, n };
}

/* An empty view may have no address, which memcmp must not be given. */
static inline bool
sts_str_eq(struct sts_str a, struct sts_str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool
sts_str_starts(struct sts_str s, struct sts_str prefix)
{
	return s.n >= prefix.n && sts_str_eq(sts_str_head(s, prefix.n), prefix);
}

static inline bool
sts_str_ends(struct sts_str s, struct sts_str suffix)
{
	return s.n >= suffix.n && sts_str_eq(sts_str_from(s, s.n - suffix.n), suffix);
}

bool sts_str_eq_nocase(struct sts_str a, struct sts_str b); /* ASCII only */
int sts_str_cmp(struct sts_str a, struct sts_str b);	    /* bytewise, shorter first */

/* Without blanks (space, TAB) at both ends. */
struct sts_str sts_str_trim(struct sts_str s);

/* Cuts s at the first byte c: *head gets what stood before it, s what follows.
 * Without a c, *head gets everything, s becomes empty and false is returned. */
static inline bool
sts_str_cut(struct sts_str *s, char c, struct sts_str *head)
{
	const char *at = s->n == 0 ? NULL : (const char *)memchr(s->p, c, s->n);
	bool found = at != NULL;

	*head = sts_str_head(*s, found ? (size_t)(at - s->p) : s->n);
	*s = sts_str_from(*s, head->n + (found ? 1 : 0));
	return found;
}

/* Decimal digits only, no sign, no blanks; false when empty or above max. */
bool sts_str_number(struct sts_str s, unsigned long long max, unsigned long long *number);

/* How many bytes the UTF-8 character takes that s begins with (RFC 3629: no overlong
 * forms, no surrogates); 0 when s is empty or begins with none. */
size_t sts_str_utf8(struct sts_str s, uint32_t *code);

/*
 * A cursor eats a text from the left. The first mismatch makes it bad, and a bad
 * cursor eats nothing more: a parser reads like its grammar and asks once, at the
 * end, whether all went well.
 */
struct sts_cursor {
	struct sts_str rest;
	bool bad;
};

void sts_eat(struct sts_cursor *c, struct sts_str literal);
bool sts_eat_if(struct sts_cursor *c, struct sts_str literal);
void sts_eat_blanks(struct sts_cursor *c);

/* Eats min to max bytes of the set (a string), and returns a view of them. */
struct sts_str sts_eat_run(struct sts_cursor *c, const char *set, size_t min, size_t max);

#endif
