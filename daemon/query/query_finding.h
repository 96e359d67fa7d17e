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
 * lib/policy.h, and stand in a table beside it.
 */
enum query_severity { QUERY_INFO, QUERY_WARNING, QUERY_ERROR };
enum query_audience { QUERY_SENDER, QUERY_RECIPIENT };

enum query_id {
	QUERY_ENV01,  /* the resolver does not answer its self-test */
	QUERY_ENV02,  /* it does not validate */
	QUERY_ENV04,  /* it does, but is not believed */
	QUERY_ENV05,  /* it gives no reason for a failure */
	QUERY_ENV06,  /* no trust anchors */
	QUERY_ENV07,  /* the clock is wrong */
	QUERY_ENV08,  /* no daemon could be asked */
	QUERY_ENV09,  /* it has another version */
	QUERY_DOM01,  /* the domain does not exist */
	QUERY_DOM02,  /* A-labels are used */
	QUERY_DOM03,  /* the domain is an alias */
	QUERY_DOM04,  /* no mail domain: answered without a look */
	QUERY_MX01,   /* MX lookup failed */
	QUERY_MX02,   /* implicit MX */
	QUERY_MX03,   /* null MX */
	QUERY_MX04,   /* null MX beside others */
	QUERY_MX05,   /* a host without any address */
	QUERY_MX06,   /* a host that is an alias */
	QUERY_MX07,   /* a host no policy can name */
	QUERY_MX08,   /* are the MX records signed? */
	QUERY_MX09,   /* more hosts than are examined */
	QUERY_MX10,   /* a host without a public address */
	QUERY_MX11,   /* a host whose address lookup failed */
	QUERY_TXT01,  /* no record */
	QUERY_TXT02,  /* record lookup failed */
	QUERY_TXT03,  /* several */
	QUERY_TXT04,  /* another text */
	QUERY_TXT05,  /* SPF: a wildcard */
	QUERY_TXT06,  /* at the domain itself */
	QUERY_TXT07,  /* malformed */
	QUERY_TXT08,  /* its id is */
	QUERY_TXT09,  /* same id, other policy */
	QUERY_TXT10,  /* somebody else keeps it */
	QUERY_TXT11,  /* new id, and the fetch failed */
	QUERY_TXT12,  /* capitals */
	QUERY_HST01,  /* no address */
	QUERY_HST02,  /* no public one */
	QUERY_HST03,  /* one family is dead */
	QUERY_HST04,  /* address lookup failed */
	QUERY_TLS01,  /* handshake failed */
	QUERY_TLS02,  /* another name */
	QUERY_TLS03,  /* expired */
	QUERY_TLS04,  /* soon */
	QUERY_TLS05,  /* incomplete chain */
	QUERY_TLS06,  /* not trusted */
	QUERY_TLS07,  /* too old a protocol */
	QUERY_TLS08,  /* not valid otherwise */
	QUERY_HTTP01, /* status */
	QUERY_HTTP02, /* redirect */
	QUERY_HTTP03, /* media type */
	QUERY_HTTP04, /* a web page */
	QUERY_HTTP05, /* too big */
	QUERY_HTTP06, /* too slow */
	QUERY_HTTP07, /* how long it took */
	QUERY_HTTP08, /* a file without a record */
	QUERY_HTTP09, /* no connection */
	QUERY_HTTP10, /* no proper HTTP */
	QUERY_POL15,  /* mode testing */
	QUERY_POL16,  /* mode none */
	QUERY_POL17,  /* a wildcard stands for one label */
	QUERY_POL26,  /* a short life for mode enforce */
	QUERY_MXP01,  /* no host is allowed */
	QUERY_MXP02,  /* this one is not */
	QUERY_MXP03,  /* a pattern of no use */
	QUERY_MXP04,  /* which pattern allows which host */
	QUERY_MXP05,  /* the cached policy allows none, the new one does */
	QUERY_DAN01,  /* TLSA records of no use: the MX is insecure */
	QUERY_DAN02,  /* a host whose addresses are insecure */
	QUERY_DAN03,  /* TLSA lookup failed */
	QUERY_DAN04,  /* no TLSA */
	QUERY_DAN05,  /* TLSA unsigned */
	QUERY_DAN06,  /* one unusable TLSA record */
	QUERY_DAN07,  /* all of them are */
	QUERY_DAN08,  /* a host that DANE leaves out */
	QUERY_DAN09,  /* where TLSA records are, and for which names */
	QUERY_DAN10,  /* a single TLSA record */
	QUERY_DAN11,  /* TLSA at the end of a chain */
	QUERY_DAN12,  /* bogus */
	QUERY_DAN13,  /* DANE without an enforced policy */
	QUERY_RPT01,  /* no TLSRPT record */
	QUERY_RPT02,  /* several */
	QUERY_RPT03,  /* malformed */
	QUERY_RPT04,  /* where reports go */
	QUERY_RPT05,  /* where they cannot go */
	QUERY_RPT07,  /* lookup failed */
	QUERY_SMT01,  /* in the order of enum query_smtp_what */
	QUERY_SMT02,
	QUERY_SMT03,
	QUERY_SMT04,
	QUERY_SMT05,
	QUERY_SMT06,
	QUERY_SMT07,
	QUERY_SMT08,
	QUERY_SMT09,
	QUERY_SMT10,
	QUERY_SMT11,
	QUERY_SMT12,
	QUERY_SMT13,
	QUERY_SMT14,
	QUERY_SMT15,
	QUERY_CAC01, /* what is cached */
	QUERY_CAC02, /* back-off */
	QUERY_CAC03, /* refreshes fail */
	QUERY_CAC04, /* expired */
	QUERY_CAC05, /* differs from what is published */
	QUERY_CAC06, /* an override */
	QUERY_CAC08, /* the cached policy decides */
	QUERY_VER01, /* the reply to QUERY */
	QUERY_VER02, /* and to QUERYwithTLSRPT */
	QUERY_VER03, /* what Postfix does at a host */
	QUERY_VER04, /* what it means for mail */
	QUERY_VER05, /* the command that proves it */
	QUERY_VER06, /* what Postfix logs */
	QUERY_VER07, /* no answer now */
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
	size_t at;	       /* byte of that line, or of the record, from 1; 0: none */
	const char *tlsrpt;    /* RFC 8460 result type, or NULL */
};

struct query_findings {
	struct query_finding *list;
	size_t count, size;
	struct sts_str judged; /* the policy that notes are about */
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

/* Takes those of ids first to last out again. */
void query_findings_drop(struct query_findings *f, enum query_id first,
    enum query_id last);
/* Errors first, then warnings; otherwise in the order found. */
void query_findings_sort(struct query_findings *f);

size_t query_count(const struct query_findings *f, enum query_severity severity);
int query_worst(const struct query_findings *f, int base);
void query_findings_done(struct query_findings *f);

const char *query_severity_text(enum query_severity severity);
const char *query_audience_text(enum query_audience audience);

/* The whole catalogue, of ids and of notes about policies: what stands in it whatever the
 * case. For the manual's check and the tests. */
struct query_finding query_row(enum query_id id);
struct query_finding query_note_row(enum sts_policy_note note);
const char *query_id_text(enum query_id id);

#endif
