/* SPDX-License-Identifier: MIT */
#ifndef QUERY_REPORT_H
#define QUERY_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "answer.h"
#include "dane.h"
#include "dns.h"
#include "entry.h"
#include "fetch.h"
#include "lookup.h"
#include "match.h"
#include "name.h"
#include "query_advice.h"
#include "query_control.h"
#include "query_finding.h"
#include "query_keep.h"
#include "query_rpt.h"
#include "query_smtp.h"
#include "reply.h"

/*
 * All that stsd-query tells about one domain, as data: the facts in the order of the
 * journey, what is to be said about them, and what Postfix would be told. Pure: whoever
 * found a fact out hands it in; the writers (query_text.h, query_json.h) only read.
 */
enum query_verdict {
	QUERY_DANE,    /* "dane": it comes before the policy */
	QUERY_ENFORCE, /* "sts-enforce" */
	QUERY_TESTING, /* "sts-testing" */
	QUERY_NONE,
	QUERY_DEFERRED,
	QUERY_UNKNOWN,
};

/* A TLSA record. */
struct query_tlsa {
	struct sts_str rdata;
	bool usable;
};

/* An MX host, as DANE sees it (lib/dane.h). */
struct query_host {
	struct sts_str name;
	struct sts_str final; /* where its addresses are; name when it is no alias */
	struct sts_addr *addresses;
	size_t address_count;
	struct query_tlsa *tlsa; /* those that count, or else any that are there */
	size_t tlsa_count;
	struct sts_str base; /* whose they are: final or name */
	bool tlsa_ad;
	struct sts_dane_fact fact[STS_DANE_STEPS];
	enum sts_host_state state;
};

struct query_mx {
	uint16_t preference;
	struct sts_str host;
	bool allowed;
	struct sts_str pattern; /* that allows it, as published; empty: none does */
	const struct query_host *seen; /* NULL: DANE was not looked at, or not here */
	struct query_advice advice;    /* what Postfix will do */
};

/* What is asked of DNS beside the journey, at the same time. */
enum query_aside {
	QUERY_ASIDE_TLSRPT, /* TXT of _smtp._tls.DOMAIN */
	QUERY_ASIDE_DOMAIN, /* TXT of DOMAIN: a record in the wrong place, an alias */
	QUERY_ASIDE_RECORD, /* CNAME of _mta-sts.DOMAIN: who keeps the record */
	QUERY_ASIDES
};

struct query_said {
	bool known;
	enum sts_err err;
	int ede;
	uint32_t ttl;
	int64_t ms;
	const struct sts_str *texts;
	size_t count;
	struct sts_str final; /* where the chain of aliases ends */
	unsigned chain;	      /* of how many */
};

/* What the daemon has of the domain, or its cache while none runs. */
struct query_known {
	bool asked; /* false: nobody tried */
	enum query_control_err err;
	struct sts_str why;	       /* a sentence, unless OK or NONE */
	struct sts_str version;	       /* the daemon's; empty: none was reached */
	const struct sts_entry *entry; /* NULL: nothing is known of the domain */
	int64_t now;	 /* by the clock that its times are measured by; 0: as here */
	int64_t refresh; /* when the policy is refreshed next; INT64_MAX: never */
};

struct query_report {
	struct query_keep keep;
	struct query_findings findings;

	struct sts_str queried;
	struct sts_key key; /* domain: A-labels */
	char unicode[512];  /* "" unless it differs from the A-labels */
	int64_t started;    /* seconds */
	int64_t ms;

	/* _mta-sts TXT */
	const struct sts_str *texts;
	size_t text_count;
	struct sts_str record_id;
	int64_t record_ms;
	enum sts_err record_err; /* of the lookup */
	enum sts_err record;	 /* of the RRset */
	uint32_t record_ttl;
	int record_ede;

	/* MX */
	struct query_mx *mx;
	size_t mx_count;
	int64_t mx_ms;
	enum sts_err mx_err;
	int mx_ede;
	bool mx_ad;

	/* DANE: the resolver's self-test, the hosts, the finding */
	enum sts_err trust_err;
	int trust_ede;
	bool trust_ad;
	const char *servers; /* that were asked */
	struct sts_str
	    culprit; /* of them, for which the self-test failed; may be empty */
	struct query_host *hosts;
	size_t host_count;
	struct sts_dane dane;

	/* The policy host and the fetch */
	struct sts_addr *addresses;
	size_t address_count;
	int64_t host_ms;
	enum sts_err host_err;
	int host_ede;
	struct sts_fetched fetch; /* views and texts are kept; body: see body */
	enum sts_err fetch_err;

	/* The policy */
	enum sts_fit fit;
	struct sts_str body; /* as served */
	struct sts_policy policy;

	/* What was asked beside */
	struct query_said aside[QUERY_ASIDES];
	struct query_rpt rpt; /* _smtp._tls TXT, once aside[QUERY_ASIDE_TLSRPT].known */

	/* What is cached */
	struct query_known known;
	struct sts_policy cached; /* of known.entry; valid with has_cached */

	/* What --smtp saw */
	const struct query_smtp *smtp;
	size_t smtp_count;

	/* The conclusion. The reply is the one to QUERY and to QUERYwithTLSRPT, literal, as
	 * the daemon gives it when all this is news to it: of a cached policy while it
	 * lives, where none was to be had now (from_cache). */
	struct sts_answer answer;
	struct sts_str reply;
	struct sts_str reply_tlsrpt;
	struct sts_str
	    reply_cached;     /* to QUERY, from known.entry, before the daemon looks
				      * again; empty: nothing is cached, or the same */
	struct sts_str proof; /* the command that shows what Postfix makes of it,
				      * ready for a shell; empty: none does */
	struct sts_str proof_by_host; /* the same for Postfix 3.10.5 and later that asks
				       * QUERYwithTLSRPT; empty: proof holds for all */
	const struct sts_str *names;  /* of match=, as in the reply */
	size_t name_count;
	const char *risk; /* what the verdict means for mail, as a sentence */
	enum query_verdict verdict;
	int exit;

	bool is_domain; /* false: answered without any lookup */
	bool has_record_fact, has_mx_fact, has_host_fact, has_fetch, has_trust_fact;
	bool mx_null, mx_implicit;
	bool has_policy; /* and valid */
	bool has_cached; /* a valid policy is cached, and has not expired */
	bool from_cache; /* it decides */
	bool has_stray;	 /* a policy without a record */
	bool overridden;
	bool believes;	/* the servers' AD bit counts */
	bool does_dane; /* DANE comes before the policy */
};

/* What conclusions depend on. */
struct query_context {
	const struct sts_rules *rules;
	const struct pf_reply_style *style;
	struct sts_str override; /* empty: none */
	int64_t now;
	const char *servers; /* the DNS servers asked; stays for as long as the report */
	const char *culprit; /* the one for which the self-test failed; NULL: none */
	bool distrusts;	     /* dnssec = off: not to believe them is meant */
	const char *ca_file; /* of the trust anchors; NULL: where they usually are */
	const char *ca_trouble; /* why no certificate can be judged; NULL: they can */
	bool verbose;		/* what the report shows anyway is worth a finding, too */
};

void query_report_start(struct query_report *r, const char *word, int64_t now);
void query_report_done(struct query_report *r);

/* Facts, as the journey meets them. Everything is copied. */
void query_report_fact(struct query_report *r, enum sts_need need,
    const struct sts_fact *fact, int64_t ms);
/* An answer about the look's n-th host. usable: is this TLSA record? */
typedef bool query_is_usable(struct sts_str rdata);
void query_report_host(struct query_report *r, const struct sts_dane_look *look, size_t n,
    enum sts_dane_step step, const struct sts_dns_answer *answer,
    query_is_usable *usable);
/* What the look knows of the hosts by now. */
void query_report_look(struct query_report *r, const struct sts_dane_look *look);
void query_report_fetched(struct query_report *r, const struct sts_fetched *fetched);
/* A fetch beyond the journey: of a domain without a record (with -v only). */
void query_report_stray(struct query_report *r, const struct sts_fetched *fetched);
void query_report_aside(struct query_report *r, enum query_aside what,
    const struct sts_dns_answer *answer, int64_t ms);
/* Before the conclusion. */
void query_report_known(struct query_report *r, const struct query_known *known);

/* The end: findings, errors first; verdict, reply, exit status. err: why no journey could be made;
 * entry may be NULL then, and for what is no domain. */
void query_report_conclude(struct query_report *r, enum sts_err err, enum sts_hope hope,
    const struct sts_entry *entry, const struct query_context *context);

/* After that, what --smtp saw; list stays. May change verdict and exit status. */
void query_report_smtp(struct query_report *r, const struct query_smtp *list,
    size_t count, const struct query_context *context);

/* Is the answer "come again", because DANE could not be found out about this domain? */
bool query_report_is_stuck(const struct query_report *r);

/* The policy that is held against the MX hosts: the one served now, or a cached one;
 * NULL: none that is valid. */
const struct sts_policy *query_policy_in_force(const struct query_report *r);

const char *query_verdict_text(enum query_verdict verdict);

#endif
