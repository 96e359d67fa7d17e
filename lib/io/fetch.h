/* SPDX-License-Identifier: MIT */
#ifndef STS_FETCH_H
#define STS_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "err.h"
#include "loop.h"
#include "str.h"
#include "tls.h"

/*
 * Policy files over HTTPS (libcurl, known to fetch.c alone; certificates: tls.h).
 *
 * GET https://HOST/.well-known/mta-sts.txt with every restriction of RFC 8461 section
 * 3.3: TLS 1.2 or later, DNS-ID only, no redirect, 200 and text/plain only, no content
 * coding, at most STS_POLICY_MAX bytes of body and STS_HEADERS_MAX of headers; no
 * proxy, cookie, HTTP cache, connection reuse, nor anything from the environment. The
 * guard looks once more at the address each socket really connects to.
 *
 * Addresses are tried in the order given, each started STS_NEXT_ADDRESS_MS after the
 * last or as soon as that has failed to connect; the first that completes a handshake
 * decides, whatever it then says. Connecting and handshaking may take STS_CONNECT_MS
 * in all, everything timeout_ms.
 */
struct sts_fetcher;
struct sts_fetch;

struct sts_fetcher_config {
	int64_t timeout_ms;
	uint16_t port;
	const struct sts_net *allow; /* let through by the guard; must outlive it */
	size_t allow_count;
	struct sts_tls_store *store; /* trust anchors; not owned */
};

/* What came of a fetch; views live for the length of the callback. */
struct sts_fetched {
	enum sts_err err;    /* STS_OK, or STS_ERR_FETCH_* / NOMEM */
	const char *why;     /* a sentence: what the other side must mend; "" when OK */
	struct sts_str body; /* when OK */
	long status;	     /* HTTP status, 0 before one came */
	struct sts_str media_type; /* Content-Type as sent; empty: none */
	int64_t date; /* the server's clock, seconds since 1970; 0: it did not say */
	struct sts_addr address; /* the one that decided, or the last tried */
	bool has_address;
	struct sts_tls_report tls; /* protocol, chain and names seen */
	int64_t connect_ms, tls_ms, first_byte_ms, total_ms; /* -1: not reached */
};
typedef void sts_on_fetched(void *arg, const struct sts_fetched *fetched);

struct sts_fetcher *sts_fetcher_new(struct sts_loop *loop,
    const struct sts_fetcher_config *config);
void sts_fetcher_free(struct sts_fetcher *f); /* cancels what runs */

/* NULL: no memory. host is a valid lower-case host name; count >= 1. */
struct sts_fetch *sts_fetch_start(struct sts_fetcher *f, struct sts_str host,
    const struct sts_addr *addresses, size_t count, sts_on_fetched *on, void *arg);
void sts_fetch_cancel(struct sts_fetch *fetch); /* no callback; NULL is nothing */

const char *sts_fetch_version(void); /* libcurl's */

#endif
