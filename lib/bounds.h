/* SPDX-License-Identifier: MIT */
#ifndef STS_BOUNDS_H
#define STS_BOUNDS_H

/*
 * Every number that bounds or times something, with its reason. Times are in
 * seconds unless the name says otherwise; sizes are in bytes.
 */

/* Names (RFC 1035 section 2.3.4). */
#define STS_LABEL_MAX 63
#define STS_NAME_MAX 253
/* "_mta-sts." before a policy domain must still make a name. */
#define STS_DOMAIN_MAX (STS_NAME_MAX - 9)

/* The record: id = 1*32(ALPHA / DIGIT), RFC 8461 section 3.1. */
#define STS_ID_MAX 32
/* TXT records looked at in one answer; nobody publishes more at _mta-sts. */
#define STS_DNS_RR_MAX 256

/* The policy: RFC 8461 section 3.3 suggests 64 kilobytes. */
#define STS_POLICY_MAX 65536
#define STS_HEADERS_MAX 16384
/* RFC 8461 section 3.2: at most one year; a shorter life than a minute would
 * only be fetched again and again (STS_FETCH_GAP). */
#define STS_MAX_AGE_MAX 31557600
#define STS_MAX_AGE_MIN 60

/* Fetching: not twice a minute, not twice in five minutes after a failure with
 * the same id (RFC 8461 section 3.3), nor for hosts outside the policy. */
#define STS_FETCH_GAP 60
#define STS_FAILURE_GAP 300
#define STS_MISFIT_GAP 300
/* A failure this young makes a slow first fetch "no policy", not "come again". */
#define STS_FAILURE_MEMORY 86400

/* How long findings count. The record at its TTL inside these bounds: the upper
 * one is Postfix's minimal_backoff_time, so that each attempt at a deferred mail
 * sees a changed policy (RFC 8461 section 5). */
#define STS_RECORD_TTL_MIN 10
#define STS_RECORD_TTL_MAX 300
/* No record: RFC 2308 section 5; without SOA there is nothing to go by. */
#define STS_NEGATIVE_TTL_MAX 3600
#define STS_NEGATIVE_TTL_NO_SOA 300
#define STS_FAILED_TTL 30
#define STS_MX_TTL_MIN 60
#define STS_MX_TTL_MAX 3600
/* MX names stay usable this long after they were last seen: MX sets rotate, and
 * Postfix's answer need not be ours. */
#define STS_MX_MEMORY 3600
#define STS_MX_MAX 64	   /* names kept for one domain */
#define STS_MX_EXAMINED 32 /* hosts of one answer, by preference */
/* DANE findings kept with one domain: Postfix asks for it as "domain", perhaps as
 * "[domain]" or "domain:587" too; the oldest makes room, never the plain domain's. */
#define STS_DANE_TARGETS 4
/* A finding of a domain in use is looked at again, beside the answer, when so much of
 * its life is over. */
#define STS_EARLY(ttl) ((ttl) / 4 * 3)
/* How often the resolver must show that it validates; findings that rest on its not
 * doing so live as long. */
#define STS_SELFTEST_INTERVAL 600

/* While the resolver process is away, how old "no policy" may be. */
#define STS_ALONE_MEMORY 86400

/* A cached enforce policy waits this long for DNS to say whether it is current. */
#define STS_LOOK_WAIT_MS 2000

/* Policy host: each address gets this long before the next is tried beside it;
 * connecting and handshaking may take STS_CONNECT_MS in all, so that a dead host
 * fails inside the default answer_timeout. */
#define STS_NEXT_ADDRESS_MS 2000
#define STS_CONNECT_MS 8000
#define STS_ADDRESSES_MAX 8
/* Fetches at once to one /24 or /48: one provider hosts many policies. */
#define STS_FETCHES_PER_NET 16

/* Entries without a live policy; the least recently written goes first. */
#define STS_POOL_MAX 100000
/* Entries kept in memory while they cannot be committed. */
#define STS_UNSAVED_MAX 10000
/* What they may take together, 64 MiB: a thousand policies of the largest size. */
#define STS_UNSAVED_BYTES 67108864
/* Entries in one commit: LMDB keeps a writer's dirty pages. */
#define STS_COMMIT_MAX 64

/* Refresh: not more often than this, and failed ones back off from five minutes. */
#define STS_REFRESH_MIN 60

/* Postfix (dict_sockmap.c): a request it may send, a reply it will read. */
#define PF_REQUEST_MAX 10000
#define PF_REPLY_MAX 100000
#define PF_REASON_MAX 200
#define PF_REASON_DOMAIN_MAX 100

#endif
