/* SPDX-License-Identifier: MIT */
/*
 * The text of a reply:
 *
 *	reply      = "NOTFOUND " / "OK may" / "OK dane-only" / secure /
 *	             "TEMP " [domain ": "] reason
 *	secure     = "OK secure match=" name *(":" name) [" servername=hostname"]
 *	             [attributes]
 *	name       = host name / "." host name
 *	attributes = " policy_type=sts policy_domain=" host name
 *	             1*(" mx_host_pattern=" ["*."] host name)
 *	             1*(" { policy_string = " line " }")
 *
 * Of a stranger's bytes only names that pass sts_name_is_host() are written here, and
 * lines of printable ASCII without braces: one brace too many would end the attribute,
 * and what follows be read as attributes of its own. Each is asked again at the very
 * place where it is written.
 */
#include "reply.h"

#include "bounds.h"
#include "match.h"
#include "name.h"
#include "policy.h"

/* "not found" needs the blank: without it some Postfix versions read another status. */
#define NOTFOUND "NOTFOUND "

/* What stands after "D: ", for trouble that is not a lookup's. */
static const char *
reason_text(enum sts_err why)
{
	switch (why) {
	case STS_ERR_FETCH_RUNNING:
		return "policy fetch in progress";
	case STS_ERR_OVERLOADED:
		return "overloaded";
	case STS_ERR_CACHE_NONE:
	case STS_ERR_CACHE:
	case STS_ERR_CACHE_ENTRY:
	case STS_ERR_CACHE_FULL:
		return "cache unreadable";
	case STS_ERR_NOMEM:
		return "out of memory";
	case STS_ERR_REPLY_TOO_LONG:
		return "reply too long";
	case STS_OK:
	case STS_ERR_DNS_TIMEOUT:
	case STS_ERR_DNS_SERVFAIL:
	case STS_ERR_DNS_REFUSED:
	case STS_ERR_DNS_MALFORMED:
	case STS_ERR_DNS_OTHER:
	case STS_ERR_DNS_NODATA:
	case STS_ERR_DNS_NXDOMAIN:
	case STS_ERR_RECORD_NONE:
	case STS_ERR_RECORD_MANY:
	case STS_ERR_RECORD_SYNTAX:
	case STS_ERR_FETCH_DNS:
	case STS_ERR_FETCH_BLOCKED:
	case STS_ERR_FETCH_CONNECT:
	case STS_ERR_FETCH_TLS:
	case STS_ERR_FETCH_CERT:
	case STS_ERR_FETCH_STATUS:
	case STS_ERR_FETCH_MEDIA_TYPE:
	case STS_ERR_FETCH_TOO_BIG:
	case STS_ERR_FETCH_TIMEOUT:
	case STS_ERR_FETCH_HTTP:
	case STS_ERR_POLICY_SYNTAX:
	case STS_ERR_NAME:
	case STS_ERR_INTERNAL:
	case STS_ERRS:
		break;
	}
	return "internal error";
}

/* A key that could not be converted yet is UTF-8; Postfix logs what we write. */
static void
put_printable(struct sts_buf *to, struct sts_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool printable = s.p[i] >= 0x20 && s.p[i] <= 0x7e;

		sts_put(to, printable ? (struct sts_str){ &s.p[i], 1 } : STS_STR("?"));
	}
}

static struct sts_str
last_bytes(struct sts_str s, size_t n)
{
	return s.n > n ? sts_str_from(s, s.n - n) : s;
}

/* As if what stands from there on had never been put. */
static void
take_back(struct sts_buf *to, size_t from)
{
	to->n = from;
	to->bad = false;
	to->full = false;
}

static const char *
lookup_text(enum sts_about about)
{
	switch (about) {
	case STS_ABOUT_RECORD:
		return "record lookup failed";
	case STS_ABOUT_MX:
		return "MX lookup failed";
	case STS_ABOUT_ADDRESS:
		return "address lookup failed";
	case STS_ABOUT_TLSA:
		return "TLSA lookup failed";
	case STS_ABOUTS:
		break;
	}
	return "lookup failed";
}

/* " (SERVFAIL, EDE 22)" */
static void
put_why(struct sts_buf *to, const struct sts_answer *answer)
{
	sts_put_text(to, " (");
	sts_put_text(to, sts_err_rcode(answer->why));
	if (answer->ede >= 0) {
		sts_put_text(to, ", EDE ");
		sts_put_number(to, (unsigned long long)answer->ede);
	}
	sts_put_char(to, ')');
}

/* A lookup's failure; start: where the text after "TEMP " begins. Nothing but the host
 * can be long, and the end of a host says more than its beginning. */
static void
put_lookup(struct sts_buf *to, size_t start, const struct sts_answer *answer)
{
	bool of_host =
	    answer->about == STS_ABOUT_ADDRESS || answer->about == STS_ABOUT_TLSA;

	sts_put_text(to, lookup_text(answer->about));
	if (of_host && answer->host.n > 0) {
		size_t at, used;

		/* How long is what must follow? Put it, and see. */
		sts_put_text(to, " for ");
		at = to->n;
		put_why(to, answer);
		used = to->n - start;
		to->n = at;
		put_printable(to, last_bytes(answer->host, PF_REASON_MAX - used));
	}
	put_why(to, answer);
}

static void
put_temp(struct sts_buf *to, struct sts_str domain, const struct sts_answer *answer)
{
	size_t start;

	sts_put_text(to, "TEMP ");
	start = to->n;
	if (domain.n > 0) {
		put_printable(to, last_bytes(domain, PF_REASON_DOMAIN_MAX));
		sts_put_text(to, ": ");
	}
	if (sts_err_is_dns_failure(answer->why))
		put_lookup(to, start, answer);
	else
		sts_put_text(to, reason_text(answer->why));
}

void
pf_reply_temp(struct sts_buf *to, struct sts_str domain, enum sts_err why)
{
	struct sts_answer answer = { .verdict = STS_VERDICT_TEMP, .why = why, .ede = -1 };

	put_temp(to, domain, &answer);
}

/* "hostname", "nexthop" and "dot-nexthop" are words of Postfix's: no single label. */
static bool
is_usable(struct sts_str name, bool wildcard)
{
	return sts_name_is_host(name) && (wildcard || !sts_name_is_single_label(name));
}

/* What "secure" is made from. */
struct source {
	const struct sts_entry *e;
	struct sts_str policy, domain;
	bool brackets;
	int64_t now;
};

static void
start_match(struct sts_match *m, const struct source *s, bool exact)
{
	*m = (struct sts_match){ 0 };
	sts_match_start(m, s->e, s->policy, s->domain, s->brackets, s->now, exact);
}

/* "match=" and its names; how many there were. */
static size_t
put_match(struct sts_buf *to, struct sts_match *m)
{
	struct sts_str name;
	size_t count = 0;
	bool wildcard;

	/* A full buffer takes nothing more: there is no use in listing on. */
	while (!to->bad && sts_match_next(m, &name, &wildcard)) {
		if (!is_usable(name, wildcard))
			continue;
		sts_put_text(to, count++ == 0 ? " match=" : ":");
		if (wildcard)
			sts_put_char(to, '.');
		sts_put_lower(to, name);
	}
	return count;
}

/* One form of "secure"; STS_ERR_REPLY_TOO_LONG may be tried again in another. */
static enum sts_err
put_secure(struct sts_buf *to, const struct source *s, bool exact, bool servername)
{
	struct sts_match m;
	size_t names;

	sts_buf_clear(to);
	sts_put_text(to, "OK secure");
	start_match(&m, s, exact);
	names = put_match(to, &m);
	sts_match_done(&m);
	if (servername)
		sts_put_text(to, " servername=hostname");
	if (m.bad || (to->bad && !to->full))
		return STS_ERR_NOMEM;
	if (to->bad)
		return STS_ERR_REPLY_TOO_LONG;
	/* Postfix takes an empty list of names for a broken table: never give one. */
	return names > 0 ? STS_OK : STS_ERR_CACHE;
}

/* The patterns as the policy has them: those that match= is made from, whatever it has
 * put in their place. Counts them. */
static enum sts_err
put_patterns(struct sts_buf *to, const struct source *s, size_t *count)
{
	struct sts_match m;
	struct sts_str name;
	bool wildcard;

	start_match(&m, s, false);
	while (!to->bad && sts_match_next(&m, &name, &wildcard)) {
		if (!is_usable(name, wildcard))
			continue;
		++*count;
		sts_put_text(to, " mx_host_pattern=");
		if (wildcard)
			sts_put_text(to, "*.");
		sts_put_lower(to, name);
	}
	sts_match_done(&m);
	return m.bad ? STS_ERR_NOMEM : STS_OK;
}

/* Can Postfix be given this line, trimmed as it would do itself? */
static bool
is_sayable(struct sts_str line)
{
	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];

		if (c != '\t' && (c < 0x20 || c > 0x7e || c == '{' || c == '}'))
			return false;
	}
	return line.n > 0;
}

static void
put_line(struct sts_buf *to, struct sts_str line)
{
	struct sts_str part;
	bool more;

	sts_put_text(to, " { policy_string = ");
	do {
		more = sts_str_cut(&line, '\t', &part);
		sts_put(to, part);
		if (more)
			sts_put_char(to, ' ');
	} while (more);
	sts_put_text(to, " }");
}

/* The policy's lines, as many as there is room for; how many there were. */
static size_t
put_lines(struct sts_buf *to, const struct source *s)
{
	struct sts_str rest = s->policy, line;
	size_t count = 0;

	while (!to->bad && sts_policy_line(&rest, &line)) {
		size_t before = to->n;

		line = sts_str_trim(line);
		if (!is_sayable(line))
			continue;
		put_line(to, line);
		if (to->full) {
			take_back(to, before);
			break;
		}
		count++;
	}
	return count;
}

/*
 * What Postfix 3.10 and later needs for TLSRPT (RFC 8460), and from 3.10.5 on to hold
 * each MX host against the patterns (RFC 8461 section 4.1). All or nothing but for the
 * number of lines, see reply.h. For want of memory there is no answer: without the
 * patterns Postfix would enforce less.
 */
static enum sts_err
put_attributes(struct sts_buf *to, const struct source *s)
{
	size_t before = to->n, patterns = 0, lines = 0;
	enum sts_err err;

	/* Postfix refuses the whole reply if this is no host name, or numeric. */
	if (!sts_name_is_policy_domain(s->domain))
		return STS_OK;
	sts_put_text(to, " policy_type=sts policy_domain=");
	sts_put_lower(to, s->domain);
	err = put_patterns(to, s, &patterns);
	if (err != STS_OK)
		return err;
	/* Where even the patterns are too long, there is no room for a line. */
	if (!to->bad)
		lines = put_lines(to, s);
	if (to->bad && !to->full)
		return STS_ERR_NOMEM;
	if (patterns == 0 || lines == 0)
		take_back(to, before);
	return STS_OK;
}

static enum sts_err
put_enforced(struct sts_buf *to, const struct sts_entry *e, struct sts_str domain,
    bool brackets, enum pf_map map, int64_t now, const struct pf_reply_style *style)
{
	struct source s = { .e = e, .domain = domain, .brackets = brackets, .now = now };
	enum sts_err err;

	if (e == NULL)
		return STS_ERR_INTERNAL;
	s.policy = sts_policy_text(e->policy);
	err = put_secure(to, &s, style->exact, style->servername);
	if (err == STS_ERR_REPLY_TOO_LONG && style->exact)
		err = put_secure(to, &s, false, style->servername);
	if (err == STS_OK && map == PF_MAP_QUERY_TLSRPT)
		err = put_attributes(to, &s);
	return err;
}

/* Whatever is configured: a TEMP always fits, and Postfix's limit is never passed. */
static size_t
reply_limit(size_t max_reply)
{
	size_t least = sizeof("TEMP ") - 1 + PF_REASON_MAX;

	if (max_reply < least)
		return least;
	return max_reply > PF_REPLY_MAX ? PF_REPLY_MAX : max_reply;
}

enum sts_verdict
pf_reply_put(struct sts_buf *to, const struct sts_answer *answer,
    const struct sts_entry *e, struct sts_str domain, bool brackets, enum pf_map map,
    int64_t now, const struct pf_reply_style *style)
{
	enum sts_verdict verdict = answer->verdict;
	size_t limit = to->limit;
	enum sts_err err = STS_OK;

	to->limit = reply_limit(style->max_reply);
	switch (answer->verdict) {
	case STS_VERDICT_NOTFOUND:
		sts_put_text(to, NOTFOUND);
		break;
	case STS_VERDICT_PERMIT:
		sts_put_text(to, "OK may");
		break;
	case STS_VERDICT_SECURE:
		err = put_enforced(to, e, domain, brackets, map, now, style);
		break;
	case STS_VERDICT_DANE:
		/* With the policy's patterns beside it Postfix would hold them against
		 * hosts that DANE decides about, RFC 8461 section 2. */
		sts_put_text(to, "OK dane-only");
		break;
	case STS_VERDICT_TEMP:
		put_temp(to, domain, answer);
		break;
	}
	if (err != STS_OK || to->bad) {
		sts_buf_clear(to);
		pf_reply_temp(to, domain, err != STS_OK ? err : STS_ERR_NOMEM);
		verdict = STS_VERDICT_TEMP;
	}
	to->limit = limit;
	return verdict;
}
