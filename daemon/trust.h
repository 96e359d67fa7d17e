/* SPDX-License-Identifier: MIT */
#ifndef TRUST_H
#define TRUST_H

#include <stddef.h>

#include "config.h"
#include "log.h"
#include "selftest.h"

/*
 * What the self-test of the DNS servers comes to, and how an administrator is told: DANE
 * is never lost in silence. Pure.
 */
enum trust {
	TRUST_UNKNOWN,	  /* no self-test has ended yet */
	TRUST_GOOD,	  /* they validate, and are believed */
	TRUST_DISTRUSTED, /* they say they do, and are not believed (dnssec) */
	TRUST_INSECURE,	  /* one does not */
	TRUST_SILENT,	  /* none has answered, or DNS has failed */
};

enum trust trust_of(const struct sts_trust *selftest, const struct config *c);

/* What it means and what to do, and how loud to say it; dane and dns_servers of c are
 * settled. */
enum log_level trust_explain(const struct sts_trust *selftest, const struct config *c,
    char *text, size_t text_n);

#endif
