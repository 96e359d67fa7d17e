/* SPDX-License-Identifier: MIT */
#ifndef STS_TLS_CHAIN_H
#define STS_TLS_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"
#include "tls.h"

/*
 * The certificates that a mail server sent, to be looked at and judged as Postfix would
 * (tls_client.c, tls_dane.c there), as often as needed and for as long as they are kept.
 * Whose word counts is the caller's business: PKIX, names and DANE are answered apart.
 */
struct sts_tls_chain;
void sts_tls_chain_free(struct sts_tls_chain *c);

#define STS_TLS_NAME_TEXT 160
#define STS_SHA256 32
#define STS_SHA512 64

/* What a TLSA record of matching type 1 or 2 holds. */
struct sts_tls_digest {
	uint8_t sha256[STS_SHA256], sha512[STS_SHA512];
};

struct sts_tls_cert {
	char subject[STS_TLS_NAME_TEXT],
	    issuer[STS_TLS_NAME_TEXT]; /* printable; cut off */
	int64_t not_before, not_after; /* seconds since 1970; 0: not readable */
	bool self_issued;	       /* subject and issuer are the same name */
	struct sts_tls_digest whole, key;
};

/* In the order sent, the server's own first; at least one. */
size_t sts_tls_chain_count(const struct sts_tls_chain *c);
/* False: out of memory. */
bool sts_tls_chain_cert(const struct sts_tls_chain *c, size_t i,
    struct sts_tls_cert *cert);

/* The i-th DNS name of the server's certificate, as it stands there (raw bytes; lives as
 * long as the chain). Without any the common name counts, as it does for Postfix, and is
 * the only one. False: there are no more. */
bool sts_tls_chain_name(const struct sts_tls_chain *c, size_t i, struct sts_str *name);
bool sts_tls_chain_has_dns_names(const struct sts_tls_chain *c);

/* Does the certificate fit one of Postfix's match= names: a host, or ".suffix" for all
 * names below it? A wildcard counts as the whole left-most label only. */
bool sts_tls_chain_fits(const struct sts_tls_chain *c, struct sts_str name);

/* Is there a valid path from the certificate to the trust anchors (RFC 5280)? Names do
 * not matter here. */
enum sts_tls_pkix {
	STS_TLS_PKIX_OK,
	STS_TLS_PKIX_EXPIRED, /* or a CA's */
	STS_TLS_PKIX_EARLY,   /* not yet valid */
	STS_TLS_PKIX_SELF_SIGNED,
	STS_TLS_PKIX_UNTRUSTED,	 /* the chain ends in a CA nobody knows */
	STS_TLS_PKIX_INCOMPLETE, /* the chain ends before one */
	STS_TLS_PKIX_PURPOSE,	 /* not one for servers */
	STS_TLS_PKIX_WEAK,	 /* key or signature */
	STS_TLS_PKIX_OTHER,
};
/* why: a sentence, printable; empty when OK. */
enum sts_tls_pkix sts_tls_chain_pkix(const struct sts_tls_chain *c,
    struct sts_tls_store *store, char *why, size_t why_n);

/* Do TLSA records vouch for the certificate (RFC 7672 section 3)? DANE-EE(3): neither
 * names nor dates matter; DANE-TA(2): one of the names must be there. Records that are
 * of no use are passed over. */
enum sts_tls_dane {
	STS_TLS_DANE_UNUSABLE, /* none of the records is of use */
	STS_TLS_DANE_MATCH,
	STS_TLS_DANE_NO_MATCH, /* of no record */
	STS_TLS_DANE_NO_NAME,  /* DANE-TA matches, the names do not */
	STS_TLS_DANE_INVALID,  /* a record matches, the chain to it is not valid */
};
struct sts_tls_dane_match { /* MATCH: which record, and what it matched */
	int depth;	    /* 0: the server's certificate; -1: not known */
	uint8_t usage, selector, matching;
};
/* rdata of each record. why: a sentence, printable; empty at MATCH. */
enum sts_tls_dane sts_tls_chain_dane(const struct sts_tls_chain *c,
    const struct sts_str *records, size_t count, const struct sts_str *names,
    size_t name_count, struct sts_tls_dane_match *match, char *why, size_t why_n);

/* For tls_client.c: a copy of what an SSL * has received. NULL: nothing, or no memory. */
struct sts_tls_chain *sts_tls_chain_of(const void *ssl);

#endif
