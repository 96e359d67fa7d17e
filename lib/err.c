/* SPDX-License-Identifier: MIT */
#include "err.h"

#include <stddef.h>

#define FETCH_ERROR "sts-policy-fetch-error"
#define POLICY_INVALID "sts-policy-invalid"
#define WEBPKI_INVALID "sts-webpki-invalid"

/* rcode: how a reason to Postfix names a DNS failure; outcome: the label of
 * stsd_policy_fetches_total. */
static const struct row {
	const char *token;
	const char *text;
	const char *rcode;
	const char *tlsrpt;
	const char *outcome;
} rows[STS_ERRS] = {
	[STS_OK] = { "ok", "no error", "NOERROR", NULL, "ok" },

	[STS_ERR_DNS_TIMEOUT] = { "dns-timeout", "DNS did not answer in time", "timeout",
	    NULL, NULL },
	[STS_ERR_DNS_SERVFAIL] = { "dns-servfail", "DNS answered SERVFAIL", "SERVFAIL",
	    NULL, NULL },
	[STS_ERR_DNS_REFUSED] = { "dns-refused", "the DNS server refused to answer",
	    "REFUSED", NULL, NULL },
	[STS_ERR_DNS_MALFORMED] = { "dns-malformed", "the DNS reply is malformed",
	    "malformed", NULL, NULL },
	[STS_ERR_DNS_OTHER] = { "dns-other", "DNS answered with an unusual error code",
	    "another rcode", NULL, NULL },

	[STS_ERR_DNS_NODATA] = { "dns-nodata", "the name has no such DNS record",
	    "NODATA", NULL, NULL },
	[STS_ERR_DNS_NXDOMAIN] = { "dns-nxdomain", "the name does not exist in DNS",
	    "NXDOMAIN", NULL, NULL },

	[STS_ERR_RECORD_NONE] = { "record-none", "no MTA-STS record", NULL, NULL, NULL },
	[STS_ERR_RECORD_MANY] = { "record-many", "more than one MTA-STS record", NULL,
	    NULL, NULL },
	[STS_ERR_RECORD_SYNTAX] = { "record-syntax", "the MTA-STS record is malformed",
	    NULL, NULL, NULL },

	[STS_ERR_FETCH_DNS] = { "fetch-dns",
	    "the policy host has no address that DNS tells", NULL, FETCH_ERROR, "dns" },
	[STS_ERR_FETCH_BLOCKED] = { "fetch-blocked",
	    "the policy host's address is not a public one", NULL, FETCH_ERROR,
	    "blocked_address" },
	[STS_ERR_FETCH_CONNECT] = { "fetch-connect",
	    "the policy host does not accept connections", NULL, FETCH_ERROR, "connect" },
	[STS_ERR_FETCH_TLS] = { "fetch-tls",
	    "the TLS handshake with the policy host failed", NULL, WEBPKI_INVALID,
	    "tls" },
	[STS_ERR_FETCH_CERT] = { "fetch-cert",
	    "the policy host's certificate is not valid", NULL, WEBPKI_INVALID,
	    "certificate" },
	[STS_ERR_FETCH_STATUS] = { "fetch-status",
	    "the policy host did not answer with HTTP status 200", NULL, FETCH_ERROR,
	    "http_status" },
	[STS_ERR_FETCH_MEDIA_TYPE] = { "fetch-media-type",
	    "the policy is not served as text/plain", NULL, POLICY_INVALID,
	    "media_type" },
	[STS_ERR_FETCH_TOO_BIG] = { "fetch-too-big", "the policy host sent too much",
	    NULL, FETCH_ERROR, "too_big" },
	[STS_ERR_FETCH_TIMEOUT] = { "fetch-timeout",
	    "the policy host did not send the policy in time", NULL, FETCH_ERROR,
	    "timeout" },
	[STS_ERR_FETCH_HTTP] = { "fetch-http",
	    "the policy host did not send a complete and plain HTTP answer", NULL,
	    FETCH_ERROR, "http_status" },
	[STS_ERR_POLICY_SYNTAX] = { "policy-syntax", "the policy is malformed", NULL,
	    POLICY_INVALID, "syntax" },

	[STS_ERR_NAME] = { "name", "not the name of a mail domain", NULL, NULL, NULL },
	[STS_ERR_NOMEM] = { "nomem", "out of memory", NULL, NULL, NULL },
	[STS_ERR_OVERLOADED] = { "overloaded", "overloaded", NULL, NULL, NULL },
	[STS_ERR_CACHE_NONE] = { "cache-none", "not in the cache", NULL, NULL, NULL },
	[STS_ERR_CACHE] = { "cache", "cache unreadable", NULL, NULL, NULL },
	[STS_ERR_CACHE_ENTRY] = { "cache-entry", "cache unreadable", NULL, NULL, NULL },
	[STS_ERR_CACHE_FULL] = { "cache-full", "cache full", NULL, NULL, NULL },
	[STS_ERR_FETCH_RUNNING] = { "fetch-running", "policy fetch in progress", NULL,
	    NULL, NULL },
	[STS_ERR_REPLY_TOO_LONG] = { "reply-too-long", "reply too long", NULL, NULL,
	    NULL },
	[STS_ERR_INTERNAL] = { "internal", "internal error", NULL, NULL, NULL },
};

static const struct row *
row(enum sts_err err)
{
	return &rows[(unsigned)err < STS_ERRS ? err : STS_ERR_INTERNAL];
}

const char *
sts_err_token(enum sts_err err)
{
	return row(err)->token;
}

const char *
sts_err_text(enum sts_err err)
{
	return row(err)->text;
}

const char *
sts_err_tlsrpt(enum sts_err err)
{
	return row(err)->tlsrpt;
}

const char *
sts_err_fetch_outcome(enum sts_err err)
{
	return row(err)->outcome;
}

enum sts_err
sts_err_from(uint8_t stored)
{
	return stored < STS_ERRS ? (enum sts_err)stored : STS_ERR_INTERNAL;
}

int
sts_err_is_dns_failure(enum sts_err err)
{
	return err >= STS_ERR_DNS_TIMEOUT && err <= STS_ERR_DNS_OTHER;
}

const char *
sts_err_rcode(enum sts_err err)
{
	return row(err)->rcode != NULL ? row(err)->rcode : row(err)->token;
}
