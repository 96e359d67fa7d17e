/* SPDX-License-Identifier: MIT */
#ifndef QUERY_TOOLS_H
#define QUERY_TOOLS_H

#include <stdbool.h>

#include "config.h"
#include "engine.h"
#include "fetch.h"
#include "loop.h"
#include "query_control.h"
#include "query_options.h"
#include "query_probe.h"
#include "query_progress.h"
#include "reply.h"
#include "resolve.h"
#include "selftest.h"
#include "site.h"
#include "tls.h"

/* What all looks at domains share: settings, what waits, and what was learned once for
 * all of them. query_journey.c makes it. */
struct query_tools {
	const struct query_options *options;
	const struct site *site;
	struct sts_rules rules;
	struct pf_reply_style style;
	struct overrides *overrides;

	struct sts_loop *loop;
	struct sts_resolve *resolve;
	struct sts_tls_store *store;
	struct sts_fetcher *fetcher;
	struct sts_engine *engine;
	struct query_probes *probes; /* NULL without --smtp */
	struct query_progress *progress;

	struct sts_trust trust; /* as of the last self-test; all-zero before one */
	/* Why the daemon is not asked any more; OK: it may be. */
	enum query_control_err daemon_err;
	char daemon_why[256];
};

#endif
