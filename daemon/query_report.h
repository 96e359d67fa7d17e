/* SPDX-License-Identifier: MIT */
#ifndef QUERY_REPORT_H
#define QUERY_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "answer.h"
#include "dns.h"
#include "entry.h"
#include "fetch.h"
#include "lookup.h"
#include "match.h"
#include "name.h"
#include "query_finding.h"
#include "query_keep.h"
#include "reply.h"

/*
 * All that stsd-query tells about one domain, as data: the facts in the order of the
 * journey, what is to be said about them, and what Postfix would be told. Pure: whoever
 * found a fact out hands it in; the writers (query_text.h, query_json.h) only read.
 */
enum query_verdict {
	QUERY_ENFORCE, /* "sts-enforce" */
	QUERY_TESTING, /* "sts-testing" */
	QUERY_NONE,
	QUERY_DEFERRED,
	QUERY_UNKNOWN,
};

struct query_mx {
	uint16_t preference;
	struct sts_str host;
	bool allowed;
	struct sts_str pattern; /* that allows it, as published; empty: none does */
};

struct query_report {
	struct query_keep keep;
	struct query_findings findings;

	struct sts_str queried;
	struct sts_key key; /* domain: A-labels */
	bool is_domain;	    /* false: answered without any lookup */
	char unicode[512];  /* "" unless it differs from the A-labels */
	int64_t started;    /* seconds */
	int64_t ms;

	/* _mta-sts TXT */
	bool has_record_fact;
	enum sts_err record_err; /* of the lookup */
	enum sts_err record;	 /* of the RRset */
	int16_t record_ede;
	uint32_t record_ttl;
	int64_t record_ms;
	struct sts_str record_id;
	const struct sts_str *texts;
	size_t text_count;

	/* MX */
	bool has_mx_fact;
	enum sts_err mx_err;
	int16_t mx_ede;
	uint32_t mx_ttl;
	int64_t mx_ms;
	bool mx_null, mx_implicit;
	struct query_mx *mx;
	size_t mx_count;

	/* The policy host and the fetch */
	bool has_host_fact;
	enum sts_err host_err;
	int16_t host_ede;
	int64_t host_ms;
	struct sts_addr *addresses;
	size_t address_count;
	bool has_fetch;
	enum sts_err fetch_err;
	struct sts_fetched fetch; /* views and texts are kept; body: see body */

	/* The policy */
	struct sts_str body; /* as served */
	bool has_policy;     /* and valid */
	struct sts_policy policy;

	/* The conclusion */
	struct sts_answer answer;
	enum sts_fit fit;
	enum query_verdict verdict;
	bool overridden;
	struct sts_str reply; /* literal, to QUERY and to QUERYwithTLSRPT alike */
	int exit;
};

/* What conclusions depend on. */
struct query_context {
	const struct sts_rules *rules;
	const struct pf_reply_style *style;
	struct sts_str override; /* empty: none */
	int64_t now;
};

void query_report_start(struct query_report *r, const char *word, int64_t now);
void query_report_done(struct query_report *r);

/* Facts, as the journey meets them. Everything is copied. */
void query_report_fact(struct query_report *r, enum sts_need need,
    const struct sts_fact *fact, int64_t ms);
void query_report_fetched(struct query_report *r, const struct sts_fetched *fetched);

/* The end: findings, verdict, reply, exit status. err: why no journey could be made;
 * entry may be NULL then, and for what is no domain. */
void query_report_conclude(struct query_report *r, enum sts_err err, enum sts_hope hope,
    const struct sts_entry *entry, const struct query_context *context);

const char *query_verdict_text(enum query_verdict verdict);

#endif
