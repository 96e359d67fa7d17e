/* SPDX-License-Identifier: MIT */
#include "query_try.h"

static const char *
protected_by_policy(const struct query_report *r)
{
	return r->from_cache
	    ? "PROTECTED by MTA-STS (enforce), as the daemon has it cached"
	    : "PROTECTED by MTA-STS (enforce)";
}

static const char *
testing(const struct query_report *r)
{
	return r->from_cache
	    ? "NOT PROTECTED: MTA-STS is in mode testing, as the daemon has it cached"
	    : "NOT PROTECTED: MTA-STS is in mode testing";
}

static const char *
deferred(const struct query_report *r)
{
	return query_report_is_stuck(r)
	    ? "MAIL WILL BE DEFERRED: whether DANE comes first cannot be found out"
	    : "MAIL WILL BE DEFERRED by MTA-STS (enforce)";
}

static const char *
not_protected(const struct query_report *r)
{
	const struct sts_policy *policy = query_policy_in_force(r);

	if (!r->is_domain)
		return "NOT PROTECTED: not the name of a mail domain";
	if (policy != NULL && policy->mode == STS_MODE_NONE)
		return "NOT PROTECTED: MTA-STS is in mode none";
	if (r->mx_err == STS_ERR_DNS_NXDOMAIN)
		return "NOT PROTECTED: the domain does not exist";
	if (r->has_host_fact)
		return "NOT PROTECTED: its MTA-STS policy cannot be used";
	if (r->record == STS_ERR_RECORD_MANY || r->record == STS_ERR_RECORD_SYNTAX)
		return "NOT PROTECTED: its MTA-STS record cannot be used";
	return "NOT PROTECTED: it publishes no MTA-STS";
}

static const char *
overridden(enum query_verdict verdict)
{
	switch (verdict) {
	case QUERY_DANE:
	case QUERY_ENFORCE:
		return "PROTECTED by an override";
	case QUERY_DEFERRED:
		return "MAIL WILL BE DEFERRED by an override";
	case QUERY_TESTING:
	case QUERY_NONE:
	case QUERY_UNKNOWN:
		break;
	}
	return "NOT PROTECTED, by an override";
}

const char *
query_summary(const struct query_report *r)
{
	if (r->overridden)
		return overridden(r->verdict);
	switch (r->verdict) {
	case QUERY_DANE:
		return "PROTECTED by DANE, which comes before MTA-STS";
	case QUERY_ENFORCE:
		return protected_by_policy(r);
	case QUERY_TESTING:
		return testing(r);
	case QUERY_DEFERRED:
		return deferred(r);
	case QUERY_UNKNOWN:
		return "UNKNOWN: it could not be found out now";
	case QUERY_NONE:
		break;
	}
	return not_protected(r);
}
