/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "config.h"
#include "str.h"

/*
 * Policies as text, to seed another host's cache (stsd-query --export, --import):
 *
 *	stsd-export 1
 *	DOMAIN <TAB> ID <TAB> FETCHED <TAB> MAX_AGE <TAB> ASKED <TAB> POLICY
 *	...
 *	end N
 *
 * Times are seconds of UTC, ASKED is 0 when Postfix never asked, ID is "-" when the policy
 * was fetched without a record, POLICY is the file in base64, N the number of policies:
 * a text that was cut off is not taken for a whole one. Pure.
 */
struct exchange_entry {
	struct sts_str domain; /* lower case, A-labels */
	struct sts_str id;     /* empty: none */
	int64_t fetched, asked;
	uint32_t max_age;
	struct sts_str policy; /* the file */
};

void exchange_put_start(struct sts_buf *to);
void exchange_put_entry(struct sts_buf *to, const struct exchange_entry *e);
void exchange_put_end(struct sts_buf *to, size_t count);

/*
 * Reads a whole text; on (may be NULL) is called for each policy, in order, with views
 * that live for the length of the call; false from it ends the walk. now: nothing was
 * fetched later. Complains "NAME:LINE: ..." of everything that is wrong, up to
 * EXCHANGE_ERRORS_MAX times; true when nothing is. Call it without on first: what is
 * wrong in the last line makes the first worthless.
 */
#define EXCHANGE_ERRORS_MAX 20
typedef bool exchange_on_entry(void *arg, const struct exchange_entry *e);
bool exchange_read(struct sts_str text, const char *name, int64_t now,
    exchange_on_entry *on, void *arg, struct config_errors *errors);

/* Is this a policy as it may be kept? NULL, or what is wrong with it. For one that comes
 * another way than as text. */
const char *exchange_judge(const struct exchange_entry *e, int64_t now);

#endif
