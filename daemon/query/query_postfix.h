/* SPDX-License-Identifier: MIT */
#ifndef QUERY_POSTFIX_H
#define QUERY_POSTFIX_H

#include "config.h"
#include "query_options.h"

/* stsd-query --postfix[=DIR]: what is wrong with the settings of the Postfix on this
 * machine, for use with stsd as config describes it, and the lines that mend it. Changes
 * nothing. Returns the exit status: 0 fine, 2 something to do, 69 no Postfix. */
int query_postfix(const struct query_options *o, const struct config *config);

#endif
