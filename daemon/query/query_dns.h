/* SPDX-License-Identifier: MIT */
#ifndef QUERY_DNS_H
#define QUERY_DNS_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"
#include "query_keep.h"

/* Words for what DNS said. */

/* RFC 4033 section 5, as far as a resolver's AD bit and its EDE tell. */
enum query_dnssec {
	QUERY_SECURE,
	QUERY_INSECURE,
	QUERY_BOGUS,
	QUERY_INDETERMINATE, /* nobody can tell: no answer, or no word that counts */
};
const char *query_dnssec_text(enum query_dnssec dnssec);

/* Does this EDE (RFC 8914; -1: none) say that signatures did not hold? */
bool query_ede_is_bogus(int ede);

/* "NXDOMAIN", "SERVFAIL, EDE 6 (DNSSEC Bogus)" */
void query_put_dns(struct sts_buf *to, enum sts_err err, int ede);
struct sts_str query_keep_dns(struct query_keep *k, enum sts_err err, int ede);

#endif
