/* SPDX-License-Identifier: MIT */
#ifndef STS_RESOLVE_H
#define STS_RESOLVE_H

#include <stdint.h>

#include "addr.h"
#include "dns.h"
#include "loop.h"
#include "str.h"

/*
 * DNS questions (c-ares, known to resolve.c alone; the wire is read by lib/dns.h).
 * Servers are tried in turn: the next one after a time-out, SERVFAIL, REFUSED or a
 * malformed reply; NXDOMAIN and NODATA are answers. UDP first, TCP when truncated. A
 * reply with only a CNAME is followed by asking for its target. Never a search list,
 * never /etc/hosts, never a cache of its own, no file is read.
 *
 * Each ask gets exactly one answer, later, from the loop, at the latest after
 * timeout_ms, unless it is forgotten.
 */
struct sts_resolve;
struct sts_question;

/* answer lives for the length of the call. ms: how long it took. */
typedef void sts_on_answer(void *arg, const struct sts_dns_answer *answer, int64_t ms);

/* servers: "127.0.0.1 [::1]:5353", blanks or commas; at least one. NULL: no memory or
 * a malformed list. */
struct sts_resolve *sts_resolve_new(struct sts_loop *loop, const char *servers,
    int64_t timeout_ms);
void sts_resolve_free(struct sts_resolve *r); /* forgets what is open */

/* NULL: no memory. name is copied. */
struct sts_question *sts_resolve_ask(struct sts_resolve *r, struct sts_str name,
    enum sts_dns_type type, sts_on_answer *on, void *arg);
void sts_resolve_forget(struct sts_question *q); /* NULL is nothing */

/* One server alone, the n-th of sts_resolve_servers(): for what concerns the server. */
size_t sts_resolve_servers(const struct sts_resolve *r);
struct sts_question *sts_resolve_ask_server(struct sts_resolve *r, size_t server,
    struct sts_str name, enum sts_dns_type type, sts_on_answer *on, void *arg);
/* "127.0.0.1" or "[::1]:5353", for people. */
const char *sts_resolve_server_text(const struct sts_resolve *r, size_t server,
    char text[STS_ADDR_TEXT + 8]);

/* Called with the outcome of every question put to a server, for the metrics. */
typedef void sts_on_asked(void *arg, enum sts_dns_type type, enum sts_err err);
void sts_resolve_observe(struct sts_resolve *r, sts_on_asked *on, void *arg);

const char *sts_resolve_version(void); /* c-ares' */

#endif
