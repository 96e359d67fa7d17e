/* SPDX-License-Identifier: MIT */
#ifndef QUERY_PROBE_H
#define QUERY_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "loop.h"
#include "query_report.h"
#include "query_smtp.h"
#include "tls.h"

/*
 * stsd-query --smtp: looks at the MX hosts of domains, STS_ADDRESSES_MAX addresses of each,
 * at most QUERY_PROBES_MAX connections at once whatever is asked; the others wait in order.
 * Hosts may be named as soon as their addresses are known; what was seen is judged later,
 * when the reply is. Nothing is asked of addresses that are not public unless allow has
 * them. The first address of each host is looked at once more without SNI.
 */
#define QUERY_PROBES_MAX 64

struct query_probes;
struct query_probes_config {
	struct sts_loop *loop;
	struct sts_tls_store *store; /* NULL: there are no trust anchors to judge by */
	const struct sts_net *allow; /* allow_addresses; must stay */
	size_t allow_count;
	int64_t stage_ms, total_ms; /* 0: as in smtp.h */
};
struct query_probes *query_probes_new(const struct query_probes_config *config);
void query_probes_free(struct query_probes *all); /* after every query_probe */

/* What is looked at for one domain. */
struct query_probe;
typedef void query_on_probed(void *arg);
struct query_probe *query_probe_new(struct query_probes *all, uint16_t port);
void query_probe_free(struct query_probe *p); /* whatever runs ends without a word */

/* A host, and what SNI is for it: the base domain of its TLSA records, or itself. Once a
 * host; everything is copied. */
void query_probe_host(struct query_probe *p, struct sts_str host,
    struct sts_str server_name, const struct sts_addr *addresses, size_t count);

/* There are no more hosts. on is called once, later, when all have been looked at. */
void query_probe_end(struct query_probe *p, query_on_probed *on, void *arg);

/* After that: what was seen, judged by the report's reply, policy and TLSA records, in
 * the order the hosts were named; kept in the report's memory. */
const struct query_smtp *query_probe_tell(struct query_probe *p, struct query_report *r,
    size_t *count);

#endif
