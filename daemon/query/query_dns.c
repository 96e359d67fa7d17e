/* SPDX-License-Identifier: MIT */
#include "query_dns.h"

#include <stddef.h>

/* The purposes of the IANA registry "Extended DNS Error Codes". */
static const char *const purposes[] = {
	[0] = "Other Error",
	[1] = "Unsupported DNSKEY Algorithm",
	[2] = "Unsupported DS Digest Type",
	[3] = "Stale Answer",
	[4] = "Forged Answer",
	[5] = "DNSSEC Indeterminate",
	[6] = "DNSSEC Bogus",
	[7] = "Signature Expired",
	[8] = "Signature Not Yet Valid",
	[9] = "DNSKEY Missing",
	[10] = "RRSIGs Missing",
	[11] = "No Zone Key Bit Set",
	[12] = "NSEC Missing",
	[13] = "Cached Error",
	[14] = "Not Ready",
	[15] = "Blocked",
	[16] = "Censored",
	[17] = "Filtered",
	[18] = "Prohibited",
	[19] = "Stale NXDomain Answer",
	[20] = "Not Authoritative",
	[21] = "Not Supported",
	[22] = "No Reachable Authority",
	[23] = "Network Error",
	[24] = "Invalid Data",
};

#define PURPOSES (sizeof(purposes) / sizeof(purposes[0]))
#define FIRST_BOGUS 6
#define LAST_BOGUS 12

const char *
query_dnssec_text(enum query_dnssec dnssec)
{
	switch (dnssec) {
	case QUERY_SECURE:
		return "secure";
	case QUERY_INSECURE:
		return "insecure";
	case QUERY_BOGUS:
		return "bogus";
	case QUERY_INDETERMINATE:
		break;
	}
	return "indeterminate";
}

bool
query_ede_is_bogus(int ede)
{
	return ede >= FIRST_BOGUS && ede <= LAST_BOGUS;
}

void
query_put_dns(struct sts_buf *to, enum sts_err err, int ede)
{
	sts_put_text(to, sts_err_rcode(err));
	if (ede < 0)
		return;
	sts_put_text(to, ", EDE ");
	sts_put_number(to, (unsigned)ede);
	if ((size_t)ede >= PURPOSES)
		return;
	sts_put_text(to, " (");
	sts_put_text(to, purposes[ede]);
	sts_put_char(to, ')');
}

struct sts_str
query_keep_dns(struct query_keep *k, enum sts_err err, int ede)
{
	struct sts_buf b = { 0 };
	struct sts_str kept;

	query_put_dns(&b, err, ede);
	if (b.bad)
		query_no_memory();
	kept = query_keep(k, sts_buf_str(&b));
	sts_buf_done(&b);
	return kept;
}
