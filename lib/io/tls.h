/* SPDX-License-Identifier: MIT */
#ifndef STS_TLS_H
#define STS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

/*
 * Trust anchors and certificate checks (OpenSSL, known to the tls*.c files alone). The certificate
 * of a policy host is checked for a DNS-ID of exactly that host: no common name, no
 * partial wildcard (RFC 8461 section 3.3, RFC 9525 section 6.3).
 */
struct sts_tls_store;

/* Reads a PEM bundle. NULL with a sentence in why when it cannot be read or holds no
 * certificate; errno is 0 where what was read is wrong. */
struct sts_tls_store *sts_tls_store_read(int fd, char *why, size_t why_n);
void sts_tls_store_free(struct sts_tls_store *s);
size_t sts_tls_store_count(const struct sts_tls_store *s);
void *sts_tls_store_anchors(struct sts_tls_store *s); /* X509_STORE *, for tls_chain.c */

/* What a handshake showed. */
struct sts_tls_report {
	int verify;    /* X509_V_*; 0: fine */
	char why[192]; /* sentence: "certificate has expired 2026-10-01" ...; escaped */
	char protocol[16]; /* "TLSv1.3" */
	char issuer[128];  /* of the leaf, escaped */
	char names[256];   /* DNS-IDs of the leaf, comma separated, cut off, escaped */
	int64_t not_after; /* of the leaf, seconds since 1970; 0: no certificate seen */
	unsigned chain;	   /* certificates the server sent */
	uint64_t received; /* bytes of TLS records that came, of whatever kind */
};

/* For CURLOPT_SSL_CTX_FUNCTION: prepares ssl_ctx (an SSL_CTX *) to verify host against
 * the store and to report into *report, which must outlive the connection. 0, or -1. */
int sts_tls_prepare(void *ssl_ctx, struct sts_tls_store *s, const char *host,
    struct sts_tls_report *report);

/* Is this exactly one certificate with a public key, or one SubjectPublicKeyInfo, in DER?
 * What a TLSA record of matching type 0 must hold to be of use. */
bool sts_tls_is_certificate(struct sts_str der);
bool sts_tls_is_key(struct sts_str der);

const char *sts_tls_version(void); /* OpenSSL's, with its name */

#endif
