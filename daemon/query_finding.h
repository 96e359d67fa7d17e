/* SPDX-License-Identifier: MIT */
#ifndef QUERY_FINDING_H
#define QUERY_FINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "policy.h"
#include "str.h"

/*
 * What is worth saying about a domain: one table gives each finding its stable id (never
 * reused; stsd-query(1) lists them), its severity, who can mend it, its sentence, how,
 * and what it does to the exit status. Findings about the policy file are those of
 * lib/policy.h.
 */
enum query_severity { QUERY_INFO, QUERY_WARNING, QUERY_ERROR };
enum query_audience { QUERY_SENDER, QUERY_RECIPIENT };

enum query_id {
	QUERY_ENV01, /* the resolver does not answer its self-test */
	QUERY_ENV02, /* it does not validate */
	QUERY_ENV04, /* it does, but is not believed */
	QUERY_DOM01, /* the domain does not exist */
	QUERY_DOM02, /* A-labels are used */
	QUERY_DOM04, /* no mail domain: answered without a look */
	QUERY_MX01,  /* MX lookup failed */
	QUERY_MX02,  /* implicit MX */
	QUERY_MX03,  /* null MX */
	QUERY_MX04,  /* null MX beside others */
	QUERY_MX05,  /* a host without any address */
	QUERY_MX06,  /* a host that is an alias */
	QUERY_MX07,  /* a host no policy can name */
	QUERY_MX09,  /* more hosts than are examined */
	QUERY_MX11,  /* a host whose address lookup failed */
	QUERY_TXT01,
	QUERY_TXT02,
	QUERY_TXT03,
	QUERY_TXT04,
	QUERY_TXT05,
	QUERY_TXT07,
	QUERY_TXT12,
	QUERY_HST01,
	QUERY_HST02,
	QUERY_HST04,
	QUERY_TLS01,
	QUERY_TLS02,
	QUERY_TLS03,
	QUERY_TLS04,
	QUERY_TLS05,
	QUERY_TLS06,
	QUERY_TLS08,
	QUERY_HTTP01,
	QUERY_HTTP02,
	QUERY_HTTP03,
	QUERY_HTTP04,
	QUERY_HTTP05,
	QUERY_HTTP06,
	QUERY_HTTP09,
	QUERY_HTTP10,
	QUERY_POL15,
	QUERY_POL16,
	QUERY_MXP01,
	QUERY_MXP02,
	QUERY_MXP03,
	QUERY_DAN01, /* TLSA records of no use: the MX is insecure */
	QUERY_DAN02, /* a host whose addresses are insecure */
	QUERY_DAN03, /* TLSA lookup failed */
	QUERY_DAN04, /* no TLSA */
	QUERY_DAN05, /* TLSA unsigned */
	QUERY_DAN06, /* one unusable TLSA record */
	QUERY_DAN07, /* all of them are */
	QUERY_DAN08, /* a host that DANE leaves out */
	QUERY_DAN10, /* a single TLSA record */
	QUERY_DAN11, /* TLSA at the end of a chain */
	QUERY_DAN12, /* bogus */
	QUERY_DAN13, /* DANE without an enforced policy */
	QUERY_CAC06,
	QUERY_VER07,
	QUERY_IDS
};

struct query_finding {
	const char *id;
	enum query_severity severity;
	enum query_audience audience;
	int exit; /* the status this calls for; 0: none */
	const char *text;
	const char *fix;       /* NULL: nothing to mend, or the sentence says it */
	struct sts_str object; /* host, address, line ...: what it is about. Raw bytes */
	struct sts_str detail; /* what follows the sentence. Raw bytes */
	size_t line;	       /* of the policy; 0: none */
	size_t at;	       /* character of the record, from 1; 0: none */
	const char *tlsrpt;    /* RFC 8460 result type, or NULL */
};

struct query_findings {
	struct query_finding *list;
	size_t count, size;
	unsigned
	    notes[STS_NOTES]; /* how often each was noted; the first few are listed */
};

/* The new finding, to be changed where the case is special. Views must outlive it. */
struct query_finding *query_find(struct query_findings *f, enum query_id id,
    struct sts_str object, struct sts_str detail);
/* What a walk over a policy notes (sts_on_note; arg is a struct query_findings *). */
void query_find_note(void *arg, enum sts_policy_note note, size_t line,
    struct sts_str text);
/* For --lint-record and reports alike: the TXT RRset of _mta-sts.DOMAIN. */
enum sts_err query_judge_record(struct query_findings *f, const struct sts_str *texts,
    size_t count, struct sts_str *id);
/* The policy file; *policy is untouched when it is invalid. */
enum sts_err query_judge_policy(struct query_findings *f, struct sts_str text,
    struct sts_policy *policy);

size_t query_count(const struct query_findings *f, enum query_severity severity);
int query_worst(const struct query_findings *f, int base);
void query_findings_done(struct query_findings *f);

const char *query_severity_text(enum query_severity severity);
const char *query_audience_text(enum query_audience audience);
/* Every row, for the manual's check. */
const char *query_id_text(enum query_id id);

#endif
