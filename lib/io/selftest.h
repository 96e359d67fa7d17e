/* SPDX-License-Identifier: MIT */
#ifndef STS_SELFTEST_H
#define STS_SELFTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "loop.h"
#include "resolve.h"

/*
 * Does the resolver validate DNSSEC? ". SOA" is asked, with AD: the root is signed, so who
 * validates sets AD in the answer. Each configured server is asked for itself, since one
 * of several that does not would make signed domains look insecure now and then.
 */
struct sts_trust {
	enum sts_err err; /* STS_OK: at least one server answered */
	int16_t ede;
	bool ad; /* every server that answered set it */
	/* The first server that did not set AD, or that did not answer; "": none. */
	char server[STS_ADDR_TEXT + 8];
};

struct sts_selftest;
typedef void sts_on_trust(void *arg, const struct sts_trust *trust);

/* on is called, from the loop, at the end of each test. NULL: no memory. */
struct sts_selftest *sts_selftest_new(struct sts_loop *loop, struct sts_resolve *resolve,
    sts_on_trust *on, void *arg);
void sts_selftest_free(struct sts_selftest *s); /* NULL is nothing */

/* Begins a test, unless one is under way; -1: no memory. */
int sts_selftest_begin(struct sts_selftest *s);
/* The same, and again every STS_SELFTEST_INTERVAL. */
int sts_selftest_repeat(struct sts_selftest *s);

/* What the last test said, as long as that can be relied on: an answer until the next
 * one, silence for STS_FAILED_TTL, trouble of our own not at all. NULL: a test must say
 * it. */
const struct sts_trust *sts_selftest_result(const struct sts_selftest *s);

#endif
