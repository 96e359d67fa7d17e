/* SPDX-License-Identifier: MIT */
#include "name.h"

#include <limits.h>
#include <string.h>

#define PORT_SMTP 25

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Letter, digit or hyphen. */
static bool
is_ldh(char c)
{
	static const bool is[UCHAR_MAX + 1] = {
		['a' ... 'z'] = true,
		['A' ... 'Z'] = true,
		['0' ... '9'] = true,
		['-'] = true,
	};

	return is[(unsigned char)c];
}

static struct sts_str
without_dot(struct sts_str s)
{
	return sts_str_ends(s, STS_STR(".")) ? sts_str_head(s, s.n - 1) : s;
}

/* One pass: a policy may hold thousands of names, and each is asked about again where it
 * is written. */
bool
sts_name_is_host(struct sts_str s)
{
	size_t start, end = 0; /* of a label */

	if (s.n > STS_NAME_MAX)
		return false;
	for (;;) {
		for (start = end; end < s.n && is_ldh(s.p[end]);)
			end++;
		if (end == start || end - start > STS_LABEL_MAX || s.p[start] == '-' ||
		    s.p[end - 1] == '-')
			return false;
		if (end == s.n)
			return true;
		if (s.p[end++] != '.')
			return false;
	}
}

bool
sts_name_is_single_label(struct sts_str s)
{
	return s.n == 0 || memchr(s.p, '.', s.n) == NULL;
}

bool
sts_name_has_numeric_top(struct sts_str s)
{
	size_t at = s.n;

	while (at > 0 && is_digit(s.p[at - 1]))
		at--;
	return at < s.n && (at == 0 || s.p[at - 1] == '.');
}

bool
sts_name_is_ascii(struct sts_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

bool
sts_name_is_policy_domain(struct sts_str s)
{
	return s.n <= STS_DOMAIN_MAX && sts_name_is_host(s) &&
	    !sts_name_is_single_label(s) && !sts_name_has_numeric_top(s);
}

static bool
read_port(struct sts_str text, uint16_t *port)
{
	static const struct {
		struct sts_str name;
		uint16_t port;
	} services[] = {
		{ { "smtp", 4 }, PORT_SMTP },
		{ { "submission", 10 }, 587 },
		{ { "submissions", 11 }, 465 },
		{ { "smtps", 5 }, 465 },
	};
	unsigned long long number = 0;

	if (sts_str_number(text, UINT16_MAX, &number) && number > 0) {
		*port = (uint16_t)number;
		return true;
	}
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (sts_str_eq_nocase(text, services[i].name)) {
			*port = services[i].port;
			return true;
		}
	}
	return false;
}

/* key = host [":" port]  /  "[" host "]" [":" port] */
static bool
take_apart(struct sts_str text, struct sts_str *host, bool *brackets, uint16_t *port)
{
	bool has_port;

	*brackets = sts_str_starts(text, STS_STR("["));
	*port = PORT_SMTP;
	if (*brackets) {
		text = sts_str_from(text, 1);
		if (!sts_str_cut(&text, ']', host))
			return false;
		has_port = sts_str_starts(text, STS_STR(":"));
		if (!has_port)
			return text.n == 0;
		return read_port(sts_str_from(text, 1), port);
	}
	has_port = sts_str_cut(&text, ':', host);
	return !has_port || read_port(text, port);
}

/* Blanks and controls beyond ASCII, line and paragraph ends among them. */
static bool
is_wide_blank(uint32_t code)
{
	return (code >= 0x80 && code <= 0xa0) || code == 0x1680 ||
	    (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 ||
	    code == 0x202f || code == 0x205f || code == 0x3000;
}

/* Could libidn2 make a name of it? Whether it does is asked there. */
static bool
may_be_idn(struct sts_str s)
{
	if (s.n == 0 || s.n > STS_NAME_MAX || s.p[0] == '.')
		return false;
	while (s.n > 0) {
		uint32_t code = 0;
		size_t n = sts_str_utf8(s, &code);

		if (n == 0 || is_wide_blank(code))
			return false;
		if (code < 0x80 && code != '.' && !is_ldh((char)code))
			return false;
		s = sts_str_from(s, n);
	}
	return true;
}

enum sts_err
sts_key_parse(struct sts_str text, struct sts_key *key)
{
	struct sts_str host = STS_STR_NONE;
	bool brackets, ascii;
	uint16_t port;

	if (!take_apart(text, &host, &brackets, &port))
		return STS_ERR_NAME;
	host = without_dot(host);
	ascii = sts_name_is_ascii(host);
	if (ascii ? !sts_name_is_policy_domain(host) : !may_be_idn(host))
		return STS_ERR_NAME;

	for (size_t i = 0; i < host.n; i++)
		key->domain[i] = sts_lower(host.p[i]);
	key->domain[host.n] = '\0';
	key->domain_n = host.n;
	key->port = port;
	key->brackets = brackets;
	key->ascii = ascii;
	return STS_OK;
}

bool
sts_name_is_pattern(struct sts_str pattern)
{
	pattern = without_dot(pattern);
	if (sts_str_starts(pattern, STS_STR("*.")))
		pattern = sts_str_from(pattern, 2);
	return sts_name_is_host(pattern);
}

/*
 * A name that MX records may hold: DNS knows underscores where host names do not
 * (RFC 2181 section 11), and such a label is one label for a wildcard all the same.
 */
static bool
is_dns_name(struct sts_str s)
{
	struct sts_str label;
	bool more;

	if (s.n == 0 || s.n > STS_NAME_MAX)
		return false;
	do {
		more = sts_str_cut(&s, '.', &label);
		if (label.n == 0 || label.n > STS_LABEL_MAX)
			return false;
		for (size_t i = 0; i < label.n; i++)
			if (!is_ldh(label.p[i]) && label.p[i] != '_')
				return false;
	} while (more);
	return true;
}

bool
sts_name_matches(struct sts_str pattern, struct sts_str host)
{
	struct sts_str label;

	host = without_dot(host);
	if (!sts_name_is_pattern(pattern) || !is_dns_name(host))
		return false;
	pattern = without_dot(pattern);
	if (!sts_str_starts(pattern, STS_STR("*.")))
		return sts_str_eq_nocase(pattern, host);

	/* RFC 8461 section 4.1: the wildcard is one whole label, the left-most. */
	if (!sts_str_cut(&host, '.', &label))
		return false;
	return sts_str_eq_nocase(sts_str_from(pattern, 2), host);
}
