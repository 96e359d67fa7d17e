/* SPDX-License-Identifier: MIT */
#include "query_try.h"

const char *
query_summary(const struct query_report *r)
{
	switch (r->verdict) {
	case QUERY_DANE:
		return r->overridden ? "PROTECTED by an override"
				     : "PROTECTED by DANE, which comes before MTA-STS";
	case QUERY_ENFORCE:
		return r->overridden ? "PROTECTED by an override"
				     : "PROTECTED by MTA-STS (enforce)";
	case QUERY_TESTING:
		return "NOT PROTECTED: MTA-STS is in mode testing";
	case QUERY_DEFERRED:
		if (r->overridden)
			return "MAIL WILL BE DEFERRED by an override";
		return query_report_is_stuck(r)
		    ? "MAIL WILL BE DEFERRED: whether DANE comes first cannot be found out"
		    : "MAIL WILL BE DEFERRED by MTA-STS (enforce)";
	case QUERY_UNKNOWN:
		return "UNKNOWN: it could not be found out now";
	case QUERY_NONE:
		break;
	}
	if (r->overridden)
		return "NOT PROTECTED, by an override";
	if (!r->is_domain)
		return "NOT PROTECTED: not the name of a mail domain";
	if (r->mx_err == STS_ERR_DNS_NXDOMAIN)
		return "NOT PROTECTED: the domain does not exist";
	if (r->has_policy && r->policy.mode == STS_MODE_NONE)
		return "NOT PROTECTED: MTA-STS is in mode none";
	if (r->has_host_fact)
		return "NOT PROTECTED: its MTA-STS policy cannot be used";
	if (r->record == STS_ERR_RECORD_MANY || r->record == STS_ERR_RECORD_SYNTAX)
		return "NOT PROTECTED: its MTA-STS record cannot be used";
	return "NOT PROTECTED: it publishes no MTA-STS";
}

/* The names of match=, which end at a blank or with the reply. */
static struct sts_str
names_of(struct sts_str reply)
{
	struct sts_str head;

	if (!sts_str_starts(reply, STS_STR("OK secure match=")))
		return STS_STR_NONE;
	(void)sts_str_cut(&reply, '=', &head);
	(void)sts_str_cut(&reply, ' ', &head);
	return head;
}

/* As Postfix writes it, quoted for a shell. */
static void
put_next_hop(struct sts_buf *to, const struct sts_key *key)
{
	sts_put_text(to, key->brackets ? "'[" : "");
	sts_put(to, (struct sts_str){ key->domain, key->domain_n });
	sts_put_text(to, key->brackets ? "]" : "");
	if (key->port != 25) {
		sts_put_char(to, ':');
		sts_put_number(to, key->port);
	}
	sts_put_text(to, key->brackets ? "'" : "");
}

void
query_put_try(struct sts_buf *to, const struct query_report *r)
{
	struct sts_str names = names_of(r->reply), name;
	bool more = names.n > 0 && r->verdict != QUERY_DEFERRED;

	if (sts_str_eq(r->reply, STS_STR("OK dane-only"))) {
		sts_put_text(to, "posttls-finger -c -l dane ");
		put_next_hop(to, &r->key);
	}
	if (!more)
		return;
	sts_put_text(to,
	    "posttls-finger -c -l secure -F "
	    "/etc/ssl/certs/ca-certificates.crt ");
	put_next_hop(to, &r->key);
	while (more) {
		more = sts_str_cut(&names, ':', &name);
		sts_put_char(to, ' ');
		sts_put(to, name);
	}
}
