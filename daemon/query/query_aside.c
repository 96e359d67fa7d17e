/* SPDX-License-Identifier: MIT */
/* What is to be said of DNS beside the journey; see query_judge.h. */
#include "query_dns.h"
#include "query_judge.h"
#include "record.h"

static void
judge_texts(struct query_report *r, const struct query_said *said)
{
	for (size_t i = 0; i < said->count; i++)
		if (sts_record_counts(said->texts[i]))
			query_find(&r->findings, QUERY_TXT06, said->texts[i],
			    STS_STR_NONE);
}

/* RFC 8461 section 3: the policy domain is the one in the address, alias or not. */
static void
judge_domain(struct query_report *r)
{
	const struct query_said *said = &r->aside[QUERY_ASIDE_DOMAIN];

	if (!said->known)
		return;
	if (said->chain > 0)
		query_find(&r->findings, QUERY_DOM03, STS_STR_NONE, said->final);
	/* Beside a record that works, one more does no harm. */
	if (said->chain == 0 && r->record == STS_ERR_RECORD_NONE)
		judge_texts(r, said);
}

static void
judge_alias(struct query_report *r, bool verbose)
{
	const struct query_said *said = &r->aside[QUERY_ASIDE_RECORD];

	if (said->known && verbose && said->err == STS_OK && said->count > 0)
		query_find(&r->findings, QUERY_TXT10, STS_STR_NONE, said->texts[0]);
}

static void
judge_addresses(struct query_report *r, bool verbose)
{
	for (size_t i = 0; i < r->rpt.rua_count; i++)
		if (!query_rua_is_usable(r->rpt.rua[i]))
			query_find(&r->findings, QUERY_RPT05, r->rpt.rua[i],
			    STS_STR_NONE);
		else if (verbose)
			query_find(&r->findings, QUERY_RPT04, STS_STR_NONE,
			    r->rpt.rua[i]);
}

static void
judge_rpt(struct query_report *r, bool verbose)
{
	const struct query_said *said = &r->aside[QUERY_ASIDE_TLSRPT];
	struct query_finding *new;

	if (!said->known)
		return;
	if (sts_err_is_dns_failure(said->err)) {
		r->rpt.err = said->err;
		query_find(&r->findings, QUERY_RPT07, STS_STR_NONE,
		    query_keep_dns(&r->keep, said->err, said->ede));
		return;
	}
	query_rpt_pick(said->texts, said->count, &r->rpt);
	if (r->rpt.err == STS_ERR_RECORD_MANY)
		query_find(&r->findings, QUERY_RPT02, STS_STR_NONE, STS_STR_NONE);
	if (r->rpt.err == STS_ERR_RECORD_SYNTAX) {
		new = query_find(&r->findings, QUERY_RPT03, r->rpt.text,
		    sts_str_of(r->rpt.problem.text));
		new->at = r->rpt.problem.at + 1;
	}
	/* Who publishes no policy need not hear of failures to keep to it. */
	if (r->rpt.err == STS_ERR_RECORD_NONE && query_policy_in_force(r) != NULL)
		query_find(&r->findings, QUERY_RPT01, STS_STR_NONE, STS_STR_NONE);
	if (r->rpt.err == STS_OK)
		judge_addresses(r, verbose);
}

void
query_judge_asides(struct query_report *r, const struct query_context *context)
{
	judge_domain(r);
	judge_alias(r, context->verbose);
	judge_rpt(r, context->verbose);
}
