/* SPDX-License-Identifier: MIT */
#ifndef STS_ERR_H
#define STS_ERR_H

#include <stdint.h>

/*
 * Everything that can go wrong, one name each. The table in err.c gives each its
 * token (logs, JSON, cache), its sentence (people), its TLSRPT result type
 * (RFC 8460 section 4.3.2.2) and its outcome in stsd_policy_fetches_total, so
 * that no other file spells them. Values are stored in the cache: append only.
 */
enum sts_err {
	STS_OK = 0,

	/* DNS did not say: neither "yes" nor "no". */
	STS_ERR_DNS_TIMEOUT,
	STS_ERR_DNS_SERVFAIL,
	STS_ERR_DNS_REFUSED,
	STS_ERR_DNS_MALFORMED,
	STS_ERR_DNS_OTHER, /* another rcode */

	/* DNS says no. */
	STS_ERR_DNS_NODATA,
	STS_ERR_DNS_NXDOMAIN,

	/* The TXT RRset is there, and is not one valid record (RFC 8461, 3.1). */
	STS_ERR_RECORD_NONE,
	STS_ERR_RECORD_MANY,
	STS_ERR_RECORD_SYNTAX,

	/* The policy could not be had (RFC 8461, 3.3). */
	STS_ERR_FETCH_DNS,
	STS_ERR_FETCH_BLOCKED,
	STS_ERR_FETCH_CONNECT,
	STS_ERR_FETCH_TLS,
	STS_ERR_FETCH_CERT,
	STS_ERR_FETCH_STATUS,
	STS_ERR_FETCH_MEDIA_TYPE,
	STS_ERR_FETCH_TOO_BIG,
	STS_ERR_FETCH_TIMEOUT,
	STS_ERR_FETCH_HTTP, /* not HTTP, truncated, compressed */
	STS_ERR_POLICY_SYNTAX,

	/* Ours. */
	STS_ERR_NAME,
	STS_ERR_NOMEM,
	STS_ERR_OVERLOADED,
	STS_ERR_CACHE_NONE, /* no such entry */
	STS_ERR_CACHE,	    /* unreadable or unwritable */
	STS_ERR_CACHE_FULL,
	STS_ERR_CACHE_ENTRY, /* one entry is damaged */
	STS_ERR_FETCH_RUNNING,
	STS_ERR_REPLY_TOO_LONG,
	STS_ERR_INTERNAL,
	STS_ERRS /* how many there are; must stay last */
};

const char *sts_err_token(enum sts_err err);
const char *sts_err_text(enum sts_err err);
const char *sts_err_tlsrpt(enum sts_err err);	     /* NULL: nothing to report */
const char *sts_err_fetch_outcome(enum sts_err err); /* NULL: not of a fetch */

/* What a number read from the cache means; unknown ones are STS_ERR_INTERNAL. */
enum sts_err sts_err_from(uint8_t stored);

/* DNS failed to say (a lookup error), as opposed to any kind of answer. */
int sts_err_is_dns_failure(enum sts_err err);

/* The WHY of a reason given to Postfix: "timeout", "SERVFAIL" ... */
const char *sts_err_rcode(enum sts_err err);

#endif
