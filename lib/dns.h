/* SPDX-License-Identifier: MIT */
#ifndef STS_DNS_H
#define STS_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "err.h"
#include "str.h"

/*
 * DNS questions and answers on the wire (RFC 1035, 2308, 6891, 8914), so that one
 * parser of ours, not the library's, reads what strangers send. Pure.
 */
enum sts_dns_type {
	STS_DNS_A = 1,
	STS_DNS_CNAME = 5,
	STS_DNS_SOA = 6,
	STS_DNS_MX = 15,
	STS_DNS_TXT = 16,
	STS_DNS_AAAA = 28,
	STS_DNS_TLSA = 52,
};

const char *sts_dns_type_text(enum sts_dns_type type);

#define STS_DNS_QUERY_MAX (12 + 255 + 4 + 11)
#define STS_DNS_UDP_SIZE 1232 /* what fits an unfragmented IPv6 packet */

/*
 * Writes a question with RD and AD set (RFC 6840 section 5.7: AD asks for the AD
 * bit back, DO is not needed) and an OPT record as the last eleven bytes, for EDE.
 * Returns its length, 0 when name is no valid name ("." is the root).
 */
size_t sts_dns_question(struct sts_str name, enum sts_dns_type type, uint16_t id,
    uint8_t query[STS_DNS_QUERY_MAX]);

/* One record of the type asked for. data: TXT the joined strings; MX and CNAME the
 * host, lower case without trailing dot, empty for the root (null MX); A 4 bytes,
 * AAAA 16, TLSA and SOA the rdata as it stood. */
struct sts_dns_rr {
	struct sts_str data;
	uint16_t preference; /* MX */
};

struct sts_dns_answer {
	/* STS_OK: at least one record; DNS_NODATA, DNS_NXDOMAIN, or a failure, of which
	 * only rcode, ede and truncated tell more. */
	enum sts_err err;
	uint8_t rcode;
	int ede;	/* RFC 8914 info code, -1 without one */
	bool ad;	/* the AD bit as it came; whether to believe it is not ours */
	bool truncated; /* TC was set: ask again over TCP; err is DNS_MALFORMED */
	bool has_soa;	/* ttl of a "no" comes from the SOA; else it is 0 */
	/* Smallest of the chain and the records; for a "no": of the chain, SOA TTL and
	 * SOA minimum (RFC 2308 section 5). */
	uint32_t ttl;
	/* End of the CNAME chain, or the name asked; lower case, empty for the root. */
	struct sts_str final_name;
	unsigned chain; /* CNAMEs followed */
	size_t count;
	struct sts_dns_rr rr[STS_DNS_RR_MAX];
};

/* Bytes that sts_dns_parse may need to store names and joined strings. */
#define STS_DNS_STORE(wire_n) ((wire_n) + (STS_DNS_RR_MAX + 2) * (STS_NAME_MAX + 1UL))

/*
 * Reads a reply to (name, type). Only records of class IN at the end of the CNAME
 * chain that starts at name count, wherever they stand in the answer section; a
 * chain of more than 16 or a loop is malformed, as is a reply to another question,
 * a count that the bytes do not hold, rdata that does not fit its type, more than
 * STS_DNS_RR_MAX records. MX hosts that no text can name are passed over; where there is
 * no other, that is malformed, too. A chain that ends without records of the type is
 * NODATA (or NXDOMAIN by rcode); what is only a CNAME, with rcode 0 and no SOA, has
 * err = STS_ERR_DNS_NODATA, chain > 0 and has_soa = false: the caller may ask for
 * final_name. Views in *answer point into store (STS_DNS_STORE bytes) and wire.
 * Never fails otherwise: what cannot be read is err = STS_ERR_DNS_MALFORMED.
 */
void sts_dns_parse(struct sts_str wire, struct sts_str name, enum sts_dns_type type,
    char *store, size_t store_n, struct sts_dns_answer *answer);

/* A failure without any reply. */
void sts_dns_failed(enum sts_err err, struct sts_dns_answer *answer);

#endif
