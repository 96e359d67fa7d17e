/* SPDX-License-Identifier: MIT */
#ifndef REPORT_H
#define REPORT_H

#include <stdint.h>

#include "cache.h"
#include "config.h"
#include "engine.h"
#include "trust.h"

/*
 * What the resolver logs and counts of its journeys. Repeated failures are logged when
 * the state changes; what makes a policy weaker is a notice with both ids, and so is
 * what DANE comes to for a domain, when it changes; a refresh that keeps failing is a
 * warning, unless the policy's mode is none (RFC 8461 section 10.2).
 */
struct report {
	const struct config *config;
	enum trust trust;
	int64_t unsaved_logged_ms; /* stsd's clock; 0: never */
};

void report_event(struct report *r, const struct sts_event *event);

/* "error" once a minute while entries cannot be committed. */
void report_unsaved(struct report *r, const struct sts_cache_stats *stats);

#endif
