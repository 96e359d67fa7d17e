/* SPDX-License-Identifier: MIT */
#include "base64.h"

#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_put(struct sts_buf *to, struct sts_str bytes)
{
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t left = bytes.n - i;
		unsigned group = 0;
		char out[4];

		for (size_t k = 0; k < 3; k++)
			group =
			    group << 8 | (k < left ? (unsigned char)bytes.p[i + k] : 0u);
		memset(out, '=', sizeof(out));
		for (size_t k = 0; k < 4 && k <= left; k++)
			out[k] = alphabet[group >> (18 - 6 * k) & 63];
		sts_put(to, (struct sts_str){ out, 4 });
	}
}

/* The value of a digit; -1: it is none. */
static int
value_of(char c)
{
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);

	return at == NULL ? -1 : (int)(at - alphabet);
}

/* Four characters; only the last four of a text may be padded. */
static bool
read_group(const char *four, bool last, struct sts_buf *to)
{
	size_t digits = 4, bytes;
	unsigned group = 0;
	char out[3];

	while (last && digits > 2 && four[digits - 1] == '=')
		digits--;
	bytes = digits - 1;
	for (size_t i = 0; i < 4; i++) {
		int value = i < digits ? value_of(four[i]) : 0;

		if (value == -1)
			return false;
		group = group << 6 | (unsigned)value;
	}
	/* Bits that are no byte's would make a second spelling of the same. */
	if ((group & ((1u << (8 * (3 - bytes))) - 1)) != 0)
		return false;
	for (size_t i = 0; i < bytes; i++)
		out[i] = (char)(group >> (16 - 8 * i) & 0xff);
	sts_put(to, (struct sts_str){ out, bytes });
	return true;
}

bool
base64_read(struct sts_str text, struct sts_buf *to)
{
	if (text.n % 4 != 0)
		return false;
	for (size_t i = 0; i < text.n; i += 4)
		if (!read_group(text.p + i, i + 4 == text.n, to))
			return false;
	return true;
}
