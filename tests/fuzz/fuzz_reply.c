/* SPDX-License-Identifier: MIT */
/*
 * Whatever a domain publishes, Postfix reads out of the reply what was meant, and nothing
 * else. The reader below is a model of Postfix's own (socketmap client, then
 * smtp_tls_policy.c of 3.10 and later), made from its manual and its behaviour and not
 * from ours; what was meant is worked out from the policy's bytes by a second model.
 *
 *	- every byte is printable ASCII, and no reply is longer than allowed;
 *	- the level is "secure", "dane-only" or "may", and only "secure" has attributes;
 *	- no attribute is malformed, unknown to Postfix or refused by it, and they stand in
 *	  the order of stsd(8): match, servername, and for QUERYwithTLSRPT policy_type,
 *	  policy_domain, mx_host_pattern, policy_string;
 *	- each name in match= is a host name, or one with a leading dot; comes from the
 *	  policy, or is an MX host that the policy allows; and stands there once;
 *	- there are all patterns of the policy and its first lines, one at least, word for
 *	  word; fewer lines, or no attributes, only where one more would be too long;
 *	- QUERYwithTLSRPT says what QUERY says, and attributes;
 *	- TEMP is followed by at most PF_REASON_MAX bytes, of a lookup's failure with its
 *	  end whole.
 *
 * Input: bytes of settings, then lines: the domain, as many MX hosts as the settings say,
 * the policy.
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
#define LEAST_LIMIT 205

/* The settings, in this order. */
enum { FLAGS, MX_STATE, MX_COUNT, LIMIT, WHY, EDE, ABOUT, SETTINGS };
enum {
	FLAG_EXACT = 1,
	FLAG_SERVERNAME = 2,
	FLAG_BRACKETS = 4,
	FLAG_OTHER = 8, /* not "secure", but the verdict that ABOUT says */
	FLAG_LARGE = 16,
	FLAGS_SHIFT = 5
};

static struct sts_entry entry;
static struct sts_str domain;
static bool brackets;
static struct sts_answer answer;
static struct pf_reply_style style;
static size_t limit;

static void
check(bool condition)
{
	if (!condition)
		abort();
}

/* --- bytes --- */

static bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static struct sts_str
strip(struct sts_str s, const char *set)
{
	while (s.n > 0 && is_one_of(s.p[0], set))
		s = sts_str_from(s, 1);
	while (s.n > 0 && is_one_of(s.p[s.n - 1], set))
		s.n--;
	return s;
}

/* The longest beginning of s without a byte of the set. */
static struct sts_str
until(struct sts_str s, const char *set)
{
	size_t n = 0;

	while (n < s.n && !is_one_of(s.p[n], set))
		n++;
	return sts_str_head(s, n);
}

/* Independent of lib/name.c: labels of letters, digits and inner hyphens, in lower case,
 * the last one not a number. */
static bool
is_host(struct sts_str s)
{
	size_t label = 0;
	bool number = true;

	if (s.n == 0 || s.n > 253)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool end = i + 1 == s.n || s.p[i + 1] == '.';

		if (c == '.') {
			if (label == 0 || i + 1 == s.n)
				return false;
			label = 0;
			number = true;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			(c == '-' && label > 0 && !end)))
			return false;
		if (++label > 63)
			return false;
		number = number && c >= '0' && c <= '9';
	}
	return !number;
}

static bool
has_dot(struct sts_str s)
{
	return s.n > 0 && memchr(s.p, '.', s.n) != NULL;
}

/* --- what the policy means --- */

/* The policy's text, in lower case and with blanks for TABs; and views into these. */
static char lower[STS_POLICY_MAX], blank[STS_POLICY_MAX];
static struct sts_str patterns[STS_POLICY_MAX], lines[STS_POLICY_MAX];
static size_t pattern_count, line_count;
/* An entry holds none that is not; of such a one no other names may come, but fewer. */
static bool valid;

static bool
is_new(struct sts_str pattern)
{
	for (size_t i = 0; i < pattern_count; i++)
		if (sts_str_eq(patterns[i], pattern))
			return false;
	return true;
}

static void
mean_pattern(struct sts_str line)
{
	struct sts_str name, host;

	if (!sts_str_starts(line, STS_STR("mx:")))
		return;
	name = strip(sts_str_from(line, 3), " \t");
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	host = sts_str_starts(name, STS_STR("*.")) ? sts_str_from(name, 2) : name;
	if (is_host(host) && has_dot(name) && is_new(name))
		patterns[pattern_count++] = name;
}

static void
mean_line(struct sts_str line)
{
	line = strip(line, " ");
	for (size_t i = 0; i < line.n; i++)
		if ((unsigned char)line.p[i] - 0x20u > 0x5e || is_one_of(line.p[i], "{}"))
			return;
	if (line.n > 0)
		lines[line_count++] = line;
}

static void
mean(struct sts_str text)
{
	size_t at = 0;

	pattern_count = line_count = 0;
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		at = 3;
	for (size_t i = at; i < text.n; i++) {
		bool upper = text.p[i] >= 'A' && text.p[i] <= 'Z';

		lower[i] = upper ? (char)(text.p[i] + 0x20) : text.p[i];
		blank[i] = text.p[i] == '\t' ? ' ' : text.p[i];
	}
	while (at < text.n) {
		struct sts_str line = until(sts_str_from(text, at), "\n");
		size_t n = line.n;

		if (n > 0 && line.p[n - 1] == '\r')
			n--;
		/* The names of fields are in lower case. */
		if (sts_str_starts(line, STS_STR("mx:")))
			mean_pattern((struct sts_str){ lower + at, n });
		mean_line((struct sts_str){ blank + at, n });
		at += line.n + 1;
	}
}

/* --- names in match= --- */

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

/* Does the policy allow this name (a leading dot: a wildcard)? */
static bool
is_allowed(struct sts_str name)
{
	bool wildcard = name.p[0] == '.';
	struct sts_str parent = sts_str_from(name, until(name, ".").n);

	for (size_t i = 0; i < pattern_count; i++) {
		struct sts_str ending = sts_str_from(patterns[i], 1);

		if (patterns[i].p[0] != '*') {
			if (sts_str_eq(patterns[i], name))
				return true;
		} else if (sts_str_eq(ending, wildcard ? name : parent) &&
		    (wildcard || is_domains_host(name))) {
			return true;
		}
	}
	return false;
}

static void
check_match(struct sts_str list)
{
	struct sts_str rest = list, name, others, other;
	bool more = true, nothing = sts_str_eq(list, STS_STR(STS_MATCH_NOTHING));

	check(!nothing || style.exact);
	while (more) {
		more = sts_str_cut(&rest, ':', &name);
		check(name.n > 0);
		check(is_host(name.p[0] == '.' ? sts_str_from(name, 1) : name));
		check(has_dot(name));
		check(nothing || is_allowed(name));
		/* Long lists would cost a square: their beginning is enough. */
		others = sts_str_head(rest, rest.n < 400 ? rest.n : 400);
		while (others.n > 0 && sts_str_cut(&others, ':', &other))
			check(!sts_str_eq(other, name));
	}
}

/* --- Postfix --- */

#define SEPARATORS ", \t\r\n"
#define SPACES " \t\n\v\f\r"

/* A word ends at a separator that stands in no braces; a closing brace too many is an
 * ordinary byte. */
static bool
take_word(struct sts_str *text, struct sts_str *word)
{
	size_t n = 0, depth = 0;

	while (text->n > 0 && is_one_of(text->p[0], SEPARATORS))
		*text = sts_str_from(*text, 1);
	if (text->n == 0)
		return false;
	for (; n < text->n; n++) {
		char c = text->p[n];

		if (c == '{')
			depth++;
		else if (c == '}' && depth > 0)
			depth--;
		else if (depth == 0 && is_one_of(c, SEPARATORS))
			break;
	}
	*word = sts_str_head(*text, n);
	*text = sts_str_from(*text, n);
	return true;
}

/* "{ text }": the brace that closes the first one must be the last byte. */
static struct sts_str
inside_braces(struct sts_str word)
{
	size_t depth = 0, n = 0;

	do {
		check(n < word.n);
		if (word.p[n] == '{')
			depth++;
		else if (word.p[n] == '}')
			depth--;
		n++;
	} while (depth > 0);
	check(n == word.n);
	return strip(sts_str_head(sts_str_from(word, 1), n - 2), SPACES);
}

/* name = value; blanks around both do not count. */
static void
split(struct sts_str word, struct sts_str *name, struct sts_str *value)
{
	if (word.p[0] == '{')
		word = inside_braces(word);
	word = strip(word, SPACES);
	*name = until(word, SPACES "=");
	check(name->n > 0);
	word = strip(sts_str_from(word, name->n), SPACES);
	check(word.n > 0 && word.p[0] == '=');
	*value = strip(sts_str_from(word, 1), SPACES);
}

/* The attributes that may be there, in this order. */
enum attribute { MATCH, SERVERNAME, TYPE, DOMAIN, PATTERN, STRING, ATTRIBUTES };

static const char *const names[ATTRIBUTES] = { "match", "servername", "policy_type",
	"policy_domain", "mx_host_pattern", "policy_string" };

static enum attribute
attribute_of(struct sts_str name)
{
	size_t i = 0;

	while (i < ATTRIBUTES && !sts_str_eq_nocase(name, sts_str_of(names[i])))
		i++;
	check(i < ATTRIBUTES);
	return (enum attribute)i;
}

static void
check_value(enum attribute what, size_t before, struct sts_str value)
{
	switch (what) {
	case MATCH:
		check(before == 0);
		check_match(value);
		break;
	case SERVERNAME:
		check(before == 0 && sts_str_eq(value, STS_STR("hostname")));
		break;
	case TYPE:
		check(before == 0 && sts_str_eq(value, STS_STR("sts")));
		break;
	case DOMAIN:
		check(before == 0 && is_host(value) && has_dot(value));
		check(sts_str_eq_nocase(value, domain));
		break;
	case PATTERN:
		check(valid
			? before < pattern_count && sts_str_eq(value, patterns[before])
			: !is_new(value));
		break;
	case STRING:
		check(before < line_count && sts_str_eq(value, lines[before]));
		break;
	case ATTRIBUTES:
		abort();
	}
}

static size_t
line_cost(size_t i)
{
	return strlen(" { policy_string =  }") + lines[i].n;
}

static size_t
least_cost(void)
{
	size_t n = strlen(" policy_type=sts policy_domain=") + domain.n + line_cost(0);

	for (size_t i = 0; i < pattern_count; i++)
		n += strlen(" mx_host_pattern=") + patterns[i].n;
	return n;
}

static bool
is_policy_domain(void)
{
	char copy[STS_DOMAIN_MAX];
	struct sts_str s = { copy, domain.n };

	if (domain.n > sizeof(copy))
		return false;
	for (size_t i = 0; i < domain.n; i++)
		copy[i] = sts_lower(domain.p[i]);
	return is_host(s) && has_dot(s);
}

/* Are there as many attributes as fit? n: how long the whole reply is. */
static void
check_counts(const size_t *count, enum pf_map map, size_t n)
{
	check(count[MATCH] == 1);
	check(count[SERVERNAME] == (style.servername ? 1 : 0));
	if (map == PF_MAP_QUERY) {
		check(count[TYPE] + count[DOMAIN] + count[PATTERN] + count[STRING] == 0);
	} else if (count[TYPE] == 0) {
		check(count[DOMAIN] + count[PATTERN] + count[STRING] == 0);
		check(!is_policy_domain() || !valid || pattern_count == 0 ||
		    n + least_cost() > limit);
	} else {
		check(count[DOMAIN] == 1 && (!valid || count[PATTERN] == pattern_count));
		check(count[PATTERN] > 0 && count[STRING] > 0);
		check(!valid || count[STRING] == line_count ||
		    n + line_cost(count[STRING]) > limit);
	}
}

static void
check_secure(struct sts_str text, enum pf_map map)
{
	size_t count[ATTRIBUTES] = { 0 }, n = text.n + strlen("OK ");
	enum attribute last = MATCH;
	struct sts_str word, name, value;

	check(take_word(&text, &word) && sts_str_eq(word, STS_STR("secure")));
	while (take_word(&text, &word)) {
		enum attribute what;

		split(word, &name, &value);
		what = attribute_of(name);
		check(what >= last);
		check_value(what, count[what]++, value);
		last = what;
	}
	check_counts(count, map, n);
}

/* --- TEMP --- */

static bool
is_lookup(void)
{
	return answer.verdict == STS_VERDICT_TEMP && sts_err_is_dns_failure(answer.why);
}

static bool
is_printed(struct sts_str text, struct sts_str bytes)
{
	if (text.n != bytes.n)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		bool printable = (unsigned char)bytes.p[i] - 0x20u <= 0x5e;

		if (text.p[i] != (printable ? bytes.p[i] : '?'))
			return false;
	}
	return true;
}

/* text: from "lookup failed" on. It ends in why and EDE whatever came before, and a host
 * is cut only where that makes the text as long as it may be. */
static void
check_lookup(struct sts_str text, bool full)
{
	bool of_host =
	    answer.about == STS_ABOUT_ADDRESS || answer.about == STS_ABOUT_TLSA;
	struct sts_buf end = { 0 };

	if (of_host && answer.host.n > 0) {
		check(sts_str_starts(text, STS_STR("lookup failed for ")));
		text = sts_str_from(text, strlen("lookup failed for "));
	} else {
		check(sts_str_starts(text, STS_STR("lookup failed")));
		text = sts_str_from(text, strlen("lookup failed"));
	}
	sts_put_text(&end, " (");
	sts_put_text(&end, sts_err_rcode(answer.why));
	if (answer.ede >= 0) {
		sts_put_text(&end, ", EDE ");
		sts_put_number(&end, (unsigned long long)answer.ede);
	}
	sts_put_char(&end, ')');
	check(sts_str_ends(text, sts_buf_str(&end)));
	text.n -= end.n;
	sts_buf_done(&end);
	if (!of_host) {
		check(text.n == 0);
		return;
	}
	check(text.n <= answer.host.n && (full || text.n == answer.host.n));
	check(is_printed(text, sts_str_from(answer.host, answer.host.n - text.n)));
}

/* Trouble of ours: one of stsd(8)'s words for it. */
static void
check_trouble(struct sts_str text)
{
	static const char *const troubles[] = { "policy fetch in progress", "overloaded",
		"cache unreadable", "out of memory", "reply too long", "internal error" };

	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++)
		if (sts_str_eq(text, sts_str_of(troubles[i])))
			return;
	abort();
}

/* A policy that is valid and names somebody is answered by TEMP only when not even its
 * patterns fit; or the domain is none, and its own host. */
static void
check_too_long(void)
{
	size_t n = strlen("OK secure match=");

	for (size_t i = 0; i < pattern_count; i++)
		n += patterns[i].n + (i > 0) - (patterns[i].p[0] == '*');
	check(n + (style.servername ? strlen(" servername=hostname") : 0) > limit);
}

static void
check_temp(struct sts_str text)
{
	static const char *const abouts[] = { "record ", "MX ", "address ", "TLSA " };
	size_t n = domain.n > 100 ? 100 : domain.n;
	bool full = text.n == PF_REASON_MAX;

	check(text.n <= PF_REASON_MAX);
	check(text.n > n &&
	    is_printed(sts_str_head(text, n), sts_str_from(domain, domain.n - n)));
	text = sts_str_from(text, n);
	if (n > 0) {
		check(sts_str_starts(text, STS_STR(": ")));
		text = sts_str_from(text, 2);
	}
	check(text.n > 0);
	if (is_lookup()) {
		struct sts_str about = sts_str_of(abouts[answer.about]);

		check(sts_str_starts(text, about));
		check_lookup(sts_str_from(text, about.n), full);
	} else {
		check_trouble(text);
	}
	if (answer.verdict == STS_VERDICT_SECURE && valid && pattern_count > 0 &&
	    is_policy_domain())
		check_too_long();
}

/* --- the reply --- */

static void
check_reply(struct sts_str reply, enum sts_verdict verdict, enum pf_map map)
{
	check(reply.n <= limit);
	for (size_t i = 0; i < reply.n; i++)
		check((unsigned char)reply.p[i] - 0x20u <= 0x5e);
	switch (verdict) {
	case STS_VERDICT_NOTFOUND:
		check(sts_str_eq(reply, STS_STR("NOTFOUND ")));
		break;
	case STS_VERDICT_PERMIT:
		check(sts_str_eq(reply, STS_STR("OK may")));
		break;
	case STS_VERDICT_DANE:
		check(sts_str_eq(reply, STS_STR("OK dane-only")));
		break;
	case STS_VERDICT_SECURE:
		check(sts_str_starts(reply, STS_STR("OK ")));
		check_secure(sts_str_from(reply, 3), map);
		break;
	case STS_VERDICT_TEMP:
		check(sts_str_starts(reply, STS_STR("TEMP ")));
		check_temp(sts_str_from(reply, 5));
		break;
	}
	check(verdict == answer.verdict ||
	    (verdict == STS_VERDICT_TEMP && answer.verdict == STS_VERDICT_SECURE));
}

static void
read_settings(const uint8_t *s)
{
	style = (struct pf_reply_style){ (s[FLAGS] & FLAG_EXACT) != 0,
		(s[FLAGS] & FLAG_SERVERNAME) != 0,
		(size_t)s[LIMIT] << (s[FLAGS] >> FLAGS_SHIFT) };
	if ((s[FLAGS] & FLAG_LARGE) != 0)
		style.max_reply *= 4;
	limit = style.max_reply < LEAST_LIMIT ? LEAST_LIMIT : style.max_reply;
	if (limit > PF_REPLY_MAX)
		limit = PF_REPLY_MAX;
	brackets = (s[FLAGS] & FLAG_BRACKETS) != 0;
}

static void
read_answer(const uint8_t *s)
{
	answer = (struct sts_answer){ .verdict = STS_VERDICT_SECURE,
		.why = (enum sts_err)(s[WHY] % STS_ERRS),
		.about = (enum sts_about)(s[ABOUT] % STS_ABOUTS),
		.ede = (int16_t)(s[EDE] * (s[EDE] > 200 ? 128 : 1) - 1) };
	if ((s[FLAGS] & FLAG_OTHER) != 0)
		answer.verdict =
		    (enum sts_verdict)(s[ABOUT] / STS_ABOUTS % (STS_VERDICT_TEMP + 1));
	if (entry.mx_count > 0)
		answer.host = entry.mx[0].host;
}

static void
read_entry(const uint8_t *s, struct sts_str rest)
{
	static const enum sts_err states[] = { STS_OK, STS_OK, STS_ERR_DNS_NODATA,
		STS_ERR_DNS_NXDOMAIN, STS_ERR_DNS_TIMEOUT };
	struct sts_str host;

	entry = (struct sts_entry){ .mx_at = NOW,
		.mx_err = states[s[MX_STATE] % 5],
		.mx_null = (s[MX_STATE] & 0x80) != 0 };
	(void)sts_str_cut(&rest, '\n', &domain);
	while (entry.mx_count < s[MX_COUNT] % (STS_MX_MAX + 1) && rest.n > 0) {
		struct sts_mx_seen *mx = &entry.mx[entry.mx_count++];

		(void)sts_str_cut(&rest, '\n', &host);
		*mx = (struct sts_mx_seen){ NOW - (int64_t)(host.n % 4) * 1300,
			(uint16_t)(host.n * 7 % 5), host };
	}
	entry.policy = rest;
}

static enum sts_verdict
ask(struct sts_buf *reply, enum pf_map map)
{
	enum sts_verdict verdict =
	    pf_reply_put(reply, &answer, &entry, domain, brackets, map, NOW, &style);

	check(!reply->bad && reply->n > 0);
	check_reply(sts_buf_str(reply), verdict, map);
	return verdict;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sts_buf query = { 0 }, tlsrpt = { 0 };
	struct sts_policy policy;
	enum sts_verdict verdict;

	if (size < SETTINGS || size > STS_POLICY_MAX)
		return 0;
	read_settings(data);
	read_entry(data,
	    (struct sts_str){ (const char *)data + SETTINGS, size - SETTINGS });
	read_answer(data);
	valid = sts_policy_parse(entry.policy, &policy, NULL, NULL) == STS_OK;
	mean(entry.policy);

	verdict = ask(&query, PF_MAP_QUERY);
	check(ask(&tlsrpt, PF_MAP_QUERY_TLSRPT) == verdict);
	check(sts_str_starts(sts_buf_str(&tlsrpt), sts_buf_str(&query)));
	check(verdict == STS_VERDICT_SECURE || tlsrpt.n == query.n);
	sts_buf_done(&query);
	sts_buf_done(&tlsrpt);
	return 0;
}
