/* SPDX-License-Identifier: MIT */
/*
 *	netstring = length ":" payload ","
 *	length    = "0" / %x31-39 *DIGIT
 *
 * A length beyond max is refused at the digit that passes it, so that whoever speaks
 * another protocol to us is found out within a few bytes.
 */
#include "netstring.h"

#include <stdbool.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads the length; *digits counts its bytes. */
static enum pf_netstring
take_length(struct sts_str bytes, size_t max, size_t *length, size_t *digits)
{
	size_t n = 0, i;

	for (i = 0; i < bytes.n && is_digit(bytes.p[i]); i++) {
		size_t digit = (size_t)(bytes.p[i] - '0');

		if (i == 1 && n == 0) /* leading zero */
			return PF_NETSTRING_BAD;
		if (digit > max || n > (max - digit) / 10)
			return PF_NETSTRING_BAD;
		n = n * 10 + digit;
	}
	if (i == bytes.n)
		return PF_NETSTRING_PARTIAL;
	if (i == 0 || bytes.p[i] != ':')
		return PF_NETSTRING_BAD;
	*length = n;
	*digits = i;
	return PF_NETSTRING_WHOLE;
}

enum pf_netstring
pf_netstring_take(struct sts_str bytes, size_t max, struct sts_str *payload, size_t *used)
{
	size_t length, digits;
	enum pf_netstring state = take_length(bytes, max, &length, &digits);
	struct sts_str rest;

	if (state != PF_NETSTRING_WHOLE)
		return state;
	rest = sts_str_from(bytes, digits + 1);
	if (rest.n <= length)
		return PF_NETSTRING_PARTIAL;
	if (rest.p[length] != ',')
		return PF_NETSTRING_BAD;
	*payload = sts_str_head(rest, length);
	*used = digits + 1 + length + 1;
	return PF_NETSTRING_WHOLE;
}

void
pf_netstring_put(struct sts_buf *to, struct sts_str payload)
{
	sts_put_number(to, payload.n);
	sts_put_char(to, ':');
	sts_put(to, payload);
	sts_put_char(to, ',');
}
