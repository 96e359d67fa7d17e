/* SPDX-License-Identifier: MIT */
#ifndef STS_TLS_CLIENT_H
#define STS_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"
#include "tls_chain.h"

/*
 * The client's side of a TLS connection, as bytes in and bytes out: sockets and time are
 * the caller's. It takes any certificate, and any version that OpenSSL still speaks: this
 * is for looking at servers, never for keeping a secret.
 */
struct sts_tls_client;

/* server_name: sent as SNI (RFC 6066 section 3); empty: none. NULL: no memory. */
struct sts_tls_client *sts_tls_client_new(struct sts_str server_name);
void sts_tls_client_free(struct sts_tls_client *c);

/* Bytes that came from the server. False: no memory. */
bool sts_tls_client_put(struct sts_tls_client *c, struct sts_str bytes);
/* Bytes for the server, up to n; 0: there are none. */
size_t sts_tls_client_take(struct sts_tls_client *c, char *to, size_t n);

enum sts_tls_step {
	STS_TLS_MORE, /* when more has come */
	STS_TLS_DONE,
	STS_TLS_FAILED, /* see sts_tls_client_why */
};
enum sts_tls_step sts_tls_client_shake(struct sts_tls_client *c);

/* After the handshake: DONE when *n > 0 bytes were read. */
enum sts_tls_step sts_tls_client_read(struct sts_tls_client *c, char *to, size_t room,
    size_t *n);
bool sts_tls_client_write(struct sts_tls_client *c, struct sts_str bytes);
void sts_tls_client_goodbye(struct sts_tls_client *c); /* close_notify */

/* What the handshake came to. */
struct sts_tls_session {
	char protocol[16]; /* "TLSv1.3" */
	char cipher[64];   /* "TLS_AES_256_GCM_SHA384" */
	char group[64];	   /* of the key exchange, "x25519"; "" when not known */
	bool outdated;	   /* before TLS 1.2 (RFC 8461 section 7.2, RFC 8996) */
};
void sts_tls_client_session(const struct sts_tls_client *c, struct sts_tls_session *s);
/* The caller's; NULL: the server sent none, or no memory. */
struct sts_tls_chain *sts_tls_client_chain(const struct sts_tls_client *c);

/* Why it failed, in a few words, printable: "the server does not speak TLS". */
const char *sts_tls_client_why(const struct sts_tls_client *c);

#endif
