/* SPDX-License-Identifier: MIT */
#ifndef STS_BUF_H
#define STS_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

/*
 * Output that grows. The first failure (no memory, or more than the limit) makes
 * the buffer bad, and a bad buffer takes nothing more: write as if all were well
 * and ask once, at the end. The owner calls sts_buf_done; an all-zero buffer is
 * empty, valid and without a limit.
 */
struct sts_buf {
	char *p;
	size_t n;
	size_t size;  /* allocated */
	size_t limit; /* n never passes it; 0: no limit */
	bool bad;
	bool full; /* bad because of the limit, not for want of memory */
};

void sts_buf_done(struct sts_buf *b);  /* frees; the buffer is all-zero again */
void sts_buf_clear(struct sts_buf *b); /* empty and good again; keeps its memory */

struct sts_str sts_buf_str(const struct sts_buf *b); /* until the next write */

void sts_put(struct sts_buf *b, struct sts_str s);
static inline void
sts_put_text(struct sts_buf *b, const char *text)
{
	sts_put(b, sts_str_of(text));
}
void sts_put_char(struct sts_buf *b, char c);
void sts_put_number(struct sts_buf *b, unsigned long long n);
void sts_put_lower(struct sts_buf *b, struct sts_str s); /* ASCII lower case */

/* What a stranger wrote, for people: printable ASCII as it is, a backslash doubled,
 * every other byte as \xNN. */
void sts_put_escaped(struct sts_buf *b, struct sts_str s);

/* The body of a JSON string: valid UTF-8 passes, C0, DEL, C1, bidi controls and
 * invalid bytes become \u00NN or \u2NNN; quotes and backslashes are escaped. */
void sts_put_json(struct sts_buf *b, struct sts_str s);

/* Fixed little-endian integers, for the cache and between our own processes. */
void sts_put_u8(struct sts_buf *b, uint8_t v);
void sts_put_u16(struct sts_buf *b, uint16_t v);
void sts_put_u32(struct sts_buf *b, uint32_t v);
void sts_put_u64(struct sts_buf *b, uint64_t v);

/* A reader of the same: goes bad at the first byte that is not there, and then
 * gives zeroes and empty views. */
struct sts_reader {
	struct sts_str rest;
	bool bad;
};

static inline struct sts_str
sts_get_bytes(struct sts_reader *r, size_t n)
{
	struct sts_str bytes = STS_STR_NONE;

	if (r->bad || n > r->rest.n) {
		r->bad = true;
		return bytes;
	}
	bytes = sts_str_head(r->rest, n);
	r->rest = sts_str_from(r->rest, n);
	return bytes;
}

/* n <= 8. Written so that compilers see one load in it: each cached answer reads some
 * thirty of them. */
static inline uint64_t
sts_get_number(struct sts_reader *r, size_t n)
{
	struct sts_str bytes = sts_get_bytes(r, n);
	unsigned char b[8] = { 0 };

	if (bytes.n == n)
		memcpy(b, bytes.p, n);
	return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 |
	    (uint64_t)b[3] << 24 | (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 |
	    (uint64_t)b[6] << 48 | (uint64_t)b[7] << 56;
}

static inline uint8_t
sts_get_u8(struct sts_reader *r)
{
	return (uint8_t)sts_get_number(r, 1);
}

static inline uint16_t
sts_get_u16(struct sts_reader *r)
{
	return (uint16_t)sts_get_number(r, 2);
}

static inline uint32_t
sts_get_u32(struct sts_reader *r)
{
	return (uint32_t)sts_get_number(r, 4);
}

static inline uint64_t
sts_get_u64(struct sts_reader *r)
{
	return sts_get_number(r, 8);
}

#endif
