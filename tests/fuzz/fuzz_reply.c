/* SPDX-License-Identifier: MIT */
/*
 * Whatever a domain publishes, Postfix reads one policy out of the reply, and nothing
 * that the domain wrote but host names. The reader below is a model of Postfix's own
 * (smtp_tls_policy.c): words between blanks and commas, a level first.
 *
 *	- the reply is "NOTFOUND ", "OK may", "OK secure ..." or "TEMP ...";
 *	- after "secure" stand one match= and at most one servername=hostname;
 *	- each name in match= is a host name, or one with a leading dot; comes from the
 *	  policy, or is an MX host that the policy allows; and stands there once;
 *	- TEMP is followed by at most PF_REASON_MAX printable bytes;
 *	- nothing is longer than allowed.
 *
 * Input: six bytes of settings, then lines: the domain, as many MX hosts as the settings
 * say, the policy.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "match.h"
#include "name.h"
#include "reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 100000
#define SETTINGS 6

static struct sts_entry entry;
static struct sts_str domain;
static bool brackets;

static void
check(bool condition)
{
	if (!condition)
		abort();
}

/* Independent of lib/name.c: labels of letters, digits and inner hyphens. */
static bool
is_host(struct sts_str s)
{
	size_t label = 0;

	if (s.n == 0 || s.n > 253)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool end = i + 1 == s.n || s.p[i + 1] == '.';

		if (c == '.') {
			if (label == 0 || i + 1 == s.n)
				return false;
			label = 0;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			(c == '-' && label > 0 && !end)))
			return false;
		if (++label > 63)
			return false;
	}
	return true;
}

static bool
is_domains_host(struct sts_str name)
{
	if (brackets || entry.mx_err == STS_ERR_DNS_NODATA)
		return sts_str_eq_nocase(name, domain);
	for (size_t i = 0; i < entry.mx_count; i++)
		if (sts_str_eq_nocase(name, entry.mx[i].host))
			return true;
	return false;
}

/* Does the policy allow this name in match= (a leading dot: a wildcard)? */
static bool
is_allowed(struct sts_str name)
{
	bool wildcard = name.p[0] == '.';
	struct sts_policy policy;
	struct sts_str rest, pattern;

	check(sts_policy_parse(entry.policy, &policy, NULL, NULL) == STS_OK);
	rest = policy.text;
	while (sts_policy_mx(&rest, &pattern)) {
		if (wildcard && pattern.n > 1 && pattern.p[0] == '*' &&
		    sts_str_eq_nocase(sts_str_from(pattern, 1), name))
			return true;
		if (!wildcard && sts_str_eq_nocase(pattern, name))
			return true;
		if (!wildcard && is_domains_host(name) && sts_name_matches(pattern, name))
			return true;
	}
	return false;
}

static void
check_match(struct sts_str list)
{
	struct sts_str rest = list, name, others, other;
	bool more = true, nothing = sts_str_eq(list, STS_STR(STS_MATCH_NOTHING));

	while (more) {
		more = sts_str_cut(&rest, ':', &name);
		check(name.n > 0);
		check(is_host(name.p[0] == '.' ? sts_str_from(name, 1) : name));
		check(name.p[0] == '.' || memchr(name.p, '.', name.n) != NULL);
		check(nothing || is_allowed(name));
		/* Long lists would cost a square: their beginning is enough. */
		others = sts_str_head(rest, rest.n < 400 ? rest.n : 400);
		while (others.n > 0 && sts_str_cut(&others, ':', &other))
			check(!sts_str_eq(other, name));
	}
}

static void
check_secure(struct sts_str words)
{
	unsigned matches = 0, servernames = 0, count = 0;

	while (words.n > 0) {
		struct sts_str word = words;

		for (size_t i = 0; i < words.n; i++)
			if (strchr(", \t\r\n", words.p[i]) != NULL) {
				word = sts_str_head(words, i);
				break;
			}
		words = sts_str_from(words, word.n < words.n ? word.n + 1 : word.n);
		check(word.n > 0); /* one blank, never two */
		if (count++ == 0) {
			check(sts_str_eq(word, STS_STR("secure")));
		} else if (sts_str_starts(word, STS_STR("match="))) {
			check(matches++ == 0);
			check_match(sts_str_from(word, 6));
		} else {
			check(sts_str_eq(word, STS_STR("servername=hostname")));
			check(servernames++ == 0);
		}
	}
	check(matches == 1);
}

static void
check_reply(struct sts_str reply, enum sts_verdict verdict)
{
	if (sts_str_starts(reply, STS_STR("TEMP "))) {
		check(verdict == STS_VERDICT_TEMP && reply.n <= 5 + PF_REASON_MAX);
		for (size_t i = 0; i < reply.n; i++)
			check(reply.p[i] >= 0x20 && reply.p[i] <= 0x7e);
	} else if (sts_str_starts(reply, STS_STR("OK secure "))) {
		check(verdict == STS_VERDICT_SECURE);
		check_secure(sts_str_from(reply, 3));
	} else if (sts_str_eq(reply, STS_STR("OK may"))) {
		check(verdict == STS_VERDICT_PERMIT);
	} else {
		check(verdict == STS_VERDICT_NOTFOUND);
		check(sts_str_eq(reply, STS_STR("NOTFOUND ")));
	}
}

static void
read_entry(const uint8_t *settings, struct sts_str rest)
{
	static const enum sts_err states[] = { STS_OK, STS_OK, STS_ERR_DNS_NODATA,
		STS_ERR_DNS_NXDOMAIN, STS_ERR_DNS_TIMEOUT };
	struct sts_str host;

	entry = (struct sts_entry){ .mx_at = NOW,
		.mx_err = states[settings[1] % 5],
		.mx_null = (settings[1] & 0x80) != 0 };
	(void)sts_str_cut(&rest, '\n', &domain);
	while (entry.mx_count < settings[2] % (STS_MX_MAX + 1) && rest.n > 0) {
		struct sts_mx_seen *mx = &entry.mx[entry.mx_count++];

		(void)sts_str_cut(&rest, '\n', &host);
		*mx = (struct sts_mx_seen){ NOW - (int64_t)(host.n % 4) * 1300,
			(uint16_t)(host.n * 7 % 5), host };
	}
	entry.policy = rest;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pf_reply_style style;
	struct sts_answer answer;
	struct sts_buf b = { 0 };
	enum sts_verdict verdict;
	uint8_t s[SETTINGS];

	if (size < SETTINGS)
		return 0;
	memcpy(s, data, SETTINGS);
	style = (struct pf_reply_style){ (s[0] & 1) != 0, (s[0] & 2) != 0,
		(s[0] & 4) != 0, (size_t)s[3] << (s[0] >> 5) };
	brackets = (s[0] & 8) != 0;
	answer = (struct sts_answer){ STS_VERDICT_SECURE, (enum sts_err)(s[4] % STS_ERRS),
		(int16_t)(s[5] - 1), false, false };
	if ((s[0] & 16) != 0)
		answer.verdict = (enum sts_verdict)(s[5] % 4);
	read_entry(s, (struct sts_str){ (const char *)data + SETTINGS, size - SETTINGS });

	verdict = pf_reply_put(&b, &answer, &entry, domain, brackets, PF_MAP_QUERY, NOW,
	    &style);
	check(!b.bad && b.n > 0 && b.n <= PF_REPLY_MAX);
	check(b.n <= (style.max_reply > 205 ? style.max_reply : 205));
	check_reply(sts_buf_str(&b), verdict);
	sts_buf_done(&b);
	return 0;
}
