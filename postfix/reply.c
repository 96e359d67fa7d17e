/* SPDX-License-Identifier: MIT */
/*
 * The text of a reply:
 *
 *	reply    = "NOTFOUND " / "OK may" / secure / "TEMP " [domain ": "] reason
 *	secure   = "OK secure match=" name *(":" name) [" servername=hostname"]
 *	name     = host name / "." host name
 *
 * Of a stranger's bytes only names that pass sts_name_is_host() are written here, and
 * each of them is asked again at the very place where it is written.
 */
#include "reply.h"

#include "bounds.h"
#include "match.h"
#include "name.h"
#include "policy.h"

/* "not found" needs the blank: without it some Postfix versions read another status. */
#define NOTFOUND "NOTFOUND "

/* What stands between "D: " and the rcode, for a failure that has one. */
static const char *
reason_text(enum sts_err why)
{
	switch (why) {
	case STS_ERR_FETCH_RUNNING:
		return "policy fetch in progress";
	case STS_ERR_DNS_TIMEOUT:
	case STS_ERR_DNS_SERVFAIL:
	case STS_ERR_DNS_REFUSED:
	case STS_ERR_DNS_MALFORMED:
	case STS_ERR_DNS_OTHER:
		return "record lookup failed";
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

void
pf_reply_temp(struct sts_buf *to, struct sts_str domain, enum sts_err why, int ede)
{
	if (domain.n > PF_REASON_DOMAIN_MAX)
		domain = sts_str_from(domain, domain.n - PF_REASON_DOMAIN_MAX);
	sts_put_text(to, "TEMP ");
	if (domain.n > 0) {
		put_printable(to, domain);
		sts_put_text(to, ": ");
	}
	sts_put_text(to, reason_text(why));
	if (!sts_err_is_dns_failure(why))
		return;
	sts_put_text(to, " (");
	sts_put_text(to, sts_err_rcode(why));
	if (ede >= 0) {
		sts_put_text(to, ", EDE ");
		sts_put_number(to, (unsigned)ede);
	}
	sts_put_char(to, ')');
}

/* "hostname", "nexthop" and "dot-nexthop" are words of Postfix's: no single label. */
static bool
is_usable(struct sts_str name, bool wildcard)
{
	return sts_name_is_host(name) && (wildcard || !sts_name_is_single_label(name));
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
put_secure(struct sts_buf *to, struct sts_match *m, bool servername)
{
	size_t names;

	sts_buf_clear(to);
	sts_put_text(to, "OK secure");
	names = put_match(to, m);
	if (servername)
		sts_put_text(to, " servername=hostname");
	if (m->bad || (to->bad && !to->full))
		return STS_ERR_NOMEM;
	if (to->bad)
		return STS_ERR_REPLY_TOO_LONG;
	/* Postfix takes an empty list of names for a broken table: never give one. */
	return names > 0 ? STS_OK : STS_ERR_INTERNAL;
}

static enum sts_err
put_enforced(struct sts_buf *to, const struct sts_entry *e, struct sts_str domain,
    bool brackets, int64_t now, const struct pf_reply_style *style)
{
	struct sts_policy policy;
	struct sts_match m = { 0 };
	enum sts_err err;

	if (e == NULL)
		return STS_ERR_INTERNAL;
	if (sts_policy_parse(e->policy, &policy, NULL, NULL) != STS_OK)
		return STS_ERR_CACHE;
	sts_match_start(&m, e, &policy, domain, brackets, now, style->exact);
	err = put_secure(to, &m, style->servername);
	sts_match_done(&m);
	if (err != STS_ERR_REPLY_TOO_LONG || !style->exact)
		return err;

	m = (struct sts_match){ 0 };
	sts_match_start(&m, e, &policy, domain, brackets, now, false);
	err = put_secure(to, &m, style->servername);
	sts_match_done(&m);
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

	/* Both maps give the same text until there are attributes for TLSRPT. */
	(void)map;
	to->limit = reply_limit(style->max_reply);
	switch (answer->verdict) {
	case STS_VERDICT_NOTFOUND:
		sts_put_text(to, NOTFOUND);
		break;
	case STS_VERDICT_PERMIT:
		sts_put_text(to, style->may ? "OK may" : NOTFOUND);
		if (!style->may)
			verdict = STS_VERDICT_NOTFOUND;
		break;
	case STS_VERDICT_SECURE:
		err = put_enforced(to, e, domain, brackets, now, style);
		break;
	case STS_VERDICT_TEMP:
		pf_reply_temp(to, domain, answer->why, answer->ede);
		break;
	}
	if (err != STS_OK || to->bad) {
		sts_buf_clear(to);
		pf_reply_temp(to, domain, err != STS_OK ? err : STS_ERR_NOMEM, -1);
		verdict = STS_VERDICT_TEMP;
	}
	to->limit = limit;
	return verdict;
}
