/* SPDX-License-Identifier: MIT */
#ifndef QUERY_ADVICE_H
#define QUERY_ADVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "str.h"

/*
 * What Postfix makes of a reply: at each MX host, on the wire, in its log. It reads the
 * reply, not the report's verdict, so that it holds for overrides as well. Pure.
 *
 * Postfix 3.10.5 and later, asking QUERYwithTLSRPT, hold each MX host against the
 * policy's patterns, and its certificate against the host's own name. Earlier ones, and
 * those that ask QUERY, try every MX host and take a certificate for any name of match=.
 */
enum query_action {
	QUERY_ACTION_USE,   /* "use": if the server is as the level wants it */
	QUERY_ACTION_SKIP,  /* "skip": nothing is ever sent there */
	QUERY_ACTION_DEFER, /* "defer": mail waits, whatever the host */
};

struct query_advice {
	enum query_action action;
	const char
	    *level;	 /* "secure", "dane-only", "may" ...; "default": Postfix's own */
	const char *why; /* half a sentence; never NULL after query_advise */
	bool by_host;	 /* the certificate must name the MX host itself */
	bool skipped_late; /* SKIP is what 3.10.5 does; an earlier one tries it */
	bool is_known;
};

struct query_report;

/* Once reply and verdict stand: each MX host's advice, names, proof, risk. ca_file: of the
 * trust anchors that the proof goes by; NULL: where they usually are. */
void query_advise(struct query_report *r, const char *ca_file);

const char *query_action_text(enum query_action action);

/* The level a reply asks for; "default" where it leaves that to Postfix, "unknown" where
 * it says nothing. */
const char *query_level_of(struct sts_str reply);

/* What Postfix logs when mail does not leave for this reason; NULL: nothing special. */
const char *query_log_line(const struct query_report *r);

#endif
