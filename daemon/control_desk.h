/* SPDX-License-Identifier: MIT */
#ifndef CONTROL_DESK_H
#define CONTROL_DESK_H

#include <stdint.h>

#include "cache.h"
#include "config.h"
#include "control.h"
#include "engine.h"

/*
 * What can be asked over the control socket, and what is answered ("ok", then):
 *
 *	hello			VERSION NOW UPTIME
 *	stats			UPTIME ENFORCE TESTING NONE FAILING POOL UNSAVED BYTES LIMIT
 *				LOOKUPS FETCHES WAITING, then the health and the metrics, as
 *				text each
 *	list AFTER		NEXT, then of each policy: DOMAIN MODE ID FETCHED EXPIRES ASKED
 *	show DOMAIN		NOW REFRESH RUNNING ENTRY; "none" when nothing is known
 *	refresh DOMAIN		done|running NOW REFRESH RUNNING ENTRY: fetches anew. An
 *				administrator's word, as those below
 *	forget DOMAIN		; "none" when there was nothing
 *	overrides OFFSET	TOTAL TEXT: a piece of the file, as it was checked
 *	export AFTER		NEXT, then of each live policy: DOMAIN ID FETCHED MAX_AGE ASKED
 *				POLICY
 *	import POLICY...	of each as above; STORED KEPT EXPIRED, once it is committed
 *
 * Times are seconds of stsd's clock, names A-labels in lower case. Lists come in pieces:
 * NEXT is what to ask with next, "-" when there is no more. Everything an administrator
 * changes is logged with his uid.
 */
struct control_desk;

struct control_desk_config {
	struct sts_engine *engine;
	struct sts_cache *cache;
	const struct sts_rules *rules;
	int64_t wait_ms;  /* answer_timeout: how long --refresh waits */
	int64_t began_ms; /* on the boot clock: since when stsd runs */
	int overrides;	  /* the file; -1: none. Stays the caller's */
	/* Asks what all processes count; control_desk_metrics brings it. */
	void (*ask_metrics)(void *arg);
	void *arg;
};

struct control_desk *control_desk_new(const struct control_desk_config *config);
/* After the control whose requests it is handed. Before engine and cache. */
void control_desk_free(struct control_desk *desk);

/* A request: a control_on_request, arg is the desk. */
void control_desk_serve(void *arg, struct control_guest *g, struct sts_str verb,
    struct control_words *words);

/* The health in the first line, then the metrics, a line each. */
void control_desk_metrics(struct control_desk *desk, struct sts_str text);

#endif
