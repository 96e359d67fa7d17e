/* SPDX-License-Identifier: MIT */
#include "buf.h"

#include <stdlib.h>
#include <string.h>

/* The first allocation: most log lines and replies fit and never grow. */
#define FIRST_SIZE 256

void
sts_buf_done(struct sts_buf *b)
{
	if (b == NULL)
		return;
	free(b->p);
	*b = (struct sts_buf){ .p = NULL };
}

void
sts_buf_clear(struct sts_buf *b)
{
	b->n = 0;
	b->bad = false;
	b->full = false;
}

struct sts_str
sts_buf_str(const struct sts_buf *b)
{
	return (struct sts_str){ b->p, b->n };
}

static bool
grow(struct sts_buf *b, size_t need)
{
	size_t size = b->size < FIRST_SIZE ? FIRST_SIZE : b->size;
	char *p;

	while (size < need)
		size = size > SIZE_MAX / 2 ? need : size * 2;
	p = realloc(b->p, size);
	if (p == NULL)
		return false;
	b->p = p;
	b->size = size;
	return true;
}

/* Makes room for n more bytes, or the buffer bad. */
static bool
make_room(struct sts_buf *b, size_t n)
{
	if (b->bad)
		return false;
	if (b->limit != 0 && (b->n > b->limit || n > b->limit - b->n)) {
		b->full = true;
		b->bad = true;
		return false;
	}
	if (n > b->size - b->n && (n > SIZE_MAX - b->n || !grow(b, b->n + n))) {
		b->bad = true;
		return false;
	}
	return true;
}

static inline bool
has_room(struct sts_buf *b, size_t n)
{
	bool has = n <= b->size - b->n && (b->limit == 0 || b->n + n <= b->limit);

	return (has && !b->bad) || make_room(b, n);
}

void
sts_put(struct sts_buf *b, struct sts_str s)
{
	if (s.n == 0 || !has_room(b, s.n))
		return;
	memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
}

void
sts_put_char(struct sts_buf *b, char c)
{
	if (!has_room(b, 1))
		return;
	b->p[b->n++] = c;
}

void
sts_put_number(struct sts_buf *b, unsigned long long n)
{
	char digits[3 * sizeof(n)];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	sts_put(b, (struct sts_str){ digits + at, sizeof(digits) - at });
}

void
sts_put_lower(struct sts_buf *b, struct sts_str s)
{
	if (s.n == 0 || !has_room(b, s.n))
		return;
	sts_lower_copy(b->p + b->n, s);
	b->n += s.n;
}

static char
hex(unsigned nibble)
{
	return "0123456789abcdef"[nibble & 15];
}

void
sts_put_escaped(struct sts_buf *b, struct sts_str s)
{
	for (size_t i = 0; i < s.n && !b->bad; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\\') {
			sts_put(b, STS_STR("\\\\"));
		} else if (c >= 0x20 && c < 0x7f) {
			sts_put_char(b, (char)c);
		} else {
			char out[4] = { '\\', 'x', hex(c >> 4), hex(c) };

			sts_put(b, (struct sts_str){ out, sizeof(out) });
		}
	}
}

/*
 * What JSON may carry, and a terminal or a reader should not get: controls, and the
 * characters that turn the direction of text or end a line without being seen.
 */
static bool
is_treacherous(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c ||
	    code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
	    (code >= 0x2066 && code <= 0x2069);
}

static void
put_u_escape(struct sts_buf *b, uint32_t code)
{
	char out[6] = { '\\', 'u', hex(code >> 12), hex(code >> 8), hex(code >> 4),
		hex(code) };

	sts_put(b, (struct sts_str){ out, sizeof(out) });
}

void
sts_put_json(struct sts_buf *b, struct sts_str s)
{
	while (s.n > 0 && !b->bad) {
		uint32_t code = 0;
		size_t n = sts_str_utf8(s, &code);

		if (n == 0) {
			put_u_escape(b, (unsigned char)s.p[0]);
			n = 1;
		} else if (is_treacherous(code)) {
			put_u_escape(b, code);
		} else {
			if (code == '"' || code == '\\')
				sts_put_char(b, '\\');
			sts_put(b, sts_str_head(s, n));
		}
		s = sts_str_from(s, n);
	}
}

static void
put_le(struct sts_buf *b, uint64_t v, size_t n)
{
	char out[8];

	for (size_t i = 0; i < n; i++)
		out[i] = (char)(unsigned char)(v >> (8 * i) & 0xff);
	sts_put(b, (struct sts_str){ out, n });
}

void
sts_put_u8(struct sts_buf *b, uint8_t v)
{
	put_le(b, v, 1);
}

void
sts_put_u16(struct sts_buf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void
sts_put_u32(struct sts_buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void
sts_put_u64(struct sts_buf *b, uint64_t v)
{
	put_le(b, v, 8);
}
