/* SPDX-License-Identifier: MIT */
#ifndef QUERY_SMTP_H
#define QUERY_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "buf.h"
#include "query_finding.h"
#include "smtp.h"
#include "str.h"
#include "tls_chain.h"

/*
 * What stsd-query --smtp saw of one address of one MX host, as data, and what there is to
 * say about it: judged as Postfix would at the level that the reply asks for. Pure;
 * query_probe.h finds the facts out.
 */
struct query_smtp {
	struct sts_str host;
	struct sts_addr address;
	bool used; /* Postfix would deliver there: the policy, or DANE, allows the host */
	bool guarded; /* nothing was asked: the address is not a public one */
	struct sts_str server_name; /* sent as SNI; empty: none */

	/* smtp.h: texts are raw, why is printable */
	enum sts_smtp_stage stage;
	enum sts_smtp_err err;
	int sys, code;
	struct sts_str text, banner, why;
	int64_t ms[STS_SMTP_STAGES];
	bool starttls, requiretls;

	/* When encrypted */
	bool encrypted;
	struct sts_tls_session session;
	const struct sts_tls_cert
	    *certs; /* the server's own first; none: out of memory */
	size_t cert_count;
	const struct sts_str *names; /* DNS names, or else the common name. Raw */
	size_t name_count;
	bool has_dns_names;
	bool has_pkix; /* the trust anchors are known: pkix and its why are valid */
	enum sts_tls_pkix pkix;
	struct sts_str pkix_why;
	bool fits_host;	 /* names the MX host: what Postfix 3.10.5 and later ask for */
	bool fits_match; /* fits a name of match=: what earlier ones ask for */
	bool has_tlsa;	 /* there are usable records: dane and what follows are valid */
	enum sts_tls_dane dane;
	struct sts_tls_dane_match match;
	struct sts_str dane_why;
	struct sts_str bare; /* whose certificate is served without SNI, where that is
			      * another one; empty: the same, or not asked */
};

/* What the reply asks of a server. */
enum query_smtp_level {
	QUERY_SMTP_OPEN,    /* nothing: "may", "notfound" ... without a policy */
	QUERY_SMTP_TESTING, /* nothing, but it is what the policy says */
	QUERY_SMTP_ENCRYPT, /* an override's */
	QUERY_SMTP_SECURE,
	QUERY_SMTP_DANE,
};
enum query_smtp_level query_smtp_level_of(struct sts_str reply, bool testing);

/* Would Postfix deliver to this address? For what is not encrypted at OPEN and TESTING:
 * yes, in the clear. */
bool query_smtp_is_fine(const struct query_smtp *s, enum query_smtp_level level);

/* Which of the things that are to be said; the numbers of diagnostics. */
enum query_smtp_what {
	QUERY_SMTP_CONNECT = 1,
	QUERY_SMTP_GREETING = 2,  /* or EHLO: a refusal, garbage, silence */
	QUERY_SMTP_STARTTLS = 3,  /* not offered, refused, or text behind it */
	QUERY_SMTP_HANDSHAKE = 4, /* failed */
	QUERY_SMTP_SESSION = 5,	  /* protocol, cipher, key exchange, SNI */
	QUERY_SMTP_NAMES = 6,	  /* the certificate is for others */
	QUERY_SMTP_DATES = 7,	  /* expired, or not yet valid */
	QUERY_SMTP_CHAIN = 8,	  /* untrusted, incomplete, self-signed ... */
	QUERY_SMTP_TLSA = 9,	  /* matches (information), or not */
	QUERY_SMTP_EXPIRES = 10,  /* soon */
	QUERY_SMTP_SNI = 11,	  /* another certificate without SNI */
	QUERY_SMTP_DIFFERS =
	    12, /* another certificate than at the host's other address */
	QUERY_SMTP_REQUIRETLS = 13, /* offered */
	QUERY_SMTP_OUTDATED = 14,   /* TLS 1.0 or 1.1 only */
	QUERY_SMTP_GUARDED = 15,    /* not looked at: the address guard */
};

struct query_smtp_note {
	enum query_smtp_what what;
	enum query_severity
	    severity; /* by the level, and by whether another host will do */
	const struct query_smtp *about;
	int days;			/* EXPIRES: left */
	bool nobody;			/* CONNECT: nor is any other within reach */
	const struct query_smtp *other; /* DIFFERS */
};
typedef void query_on_smtp(void *arg, const struct query_smtp_note *note);

/* Everything there is to say about all addresses of a domain, in their order. now:
 * seconds. */
void query_smtp_judge(const struct query_smtp *list, size_t count,
    enum query_smtp_level level, int64_t now, query_on_smtp *on, void *arg);

/* "mx.example.org [192.0.2.1]". Raw bytes. */
void query_smtp_put_object(struct sts_buf *to, const struct query_smtp *s);
/* The data of a note, to follow its sentence: "454 4.7.0 TLS not available". Raw bytes. */
void query_smtp_put_detail(struct sts_buf *to, const struct query_smtp_note *note);
/* "3 1 1 0123..": the TLSA record that the served key calls for; nothing without one. */
void query_smtp_put_tlsa(struct sts_buf *to, const struct query_smtp *s);

/* The words of JSON: stage ("verify" when the handshake went well and the certificate is
 * refused), pkix, dane. */
const char *query_smtp_stage(const struct query_smtp *s, enum query_smtp_level level);
const char *query_smtp_pkix(const struct query_smtp *s);
const char *query_smtp_dane(const struct query_smtp *s);

#endif
