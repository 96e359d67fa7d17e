/* SPDX-License-Identifier: MIT */
#ifndef QUERY_DANE_H
#define QUERY_DANE_H

#include "buf.h"
#include "query_dns.h"
#include "query_report.h"

/* What is to be said about DANE: the resolver, each MX host, and what follows. */
void query_judge_dane(struct query_report *r, const struct query_context *context);

/* Whose signatures hold; INDETERMINATE for everything while the resolver does not
 * validate, or is not believed. */
enum query_dnssec query_dnssec_of_mx(const struct query_report *r);
enum query_dnssec query_dnssec_of_host(const struct query_report *r,
    const struct query_host *h);

/* What there is of TLSA records, and what of it counts. */
enum query_tlsa_status {
	QUERY_TLSA_USABLE,
	QUERY_TLSA_UNUSABLE,
	QUERY_TLSA_ABSENT,
	QUERY_TLSA_UNSIGNED,
	QUERY_TLSA_FAILED,
	QUERY_TLSA_NOT_QUERIED,
};
enum query_tlsa_status query_tlsa_status(const struct query_host *h);
const char *query_tlsa_text(enum query_tlsa_status status);

/* The step whose lookup failed, of those that tell the addresses, or the TLSA records;
 * NULL: none did. */
const struct sts_dane_fact *query_failed_address(const struct query_host *h);
const struct sts_dane_fact *query_failed_tlsa(const struct query_host *h);

/* "3 1 1", and data: its bytes in hexadecimal. */
void query_put_tlsa(struct sts_buf *to, struct sts_str rdata);
void query_put_tlsa_data(struct sts_buf *to, struct sts_str rdata);

/* "the MX records are not signed": why DANE does or does not come before the policy. */
void query_put_dane_reason(struct sts_buf *to, const struct query_report *r);
/* "validating", "not-validating", "unknown". */
const char *query_trust_text(const struct query_report *r);

#endif
