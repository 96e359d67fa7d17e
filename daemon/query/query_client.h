/* SPDX-License-Identifier: MIT */
#ifndef QUERY_CLIENT_H
#define QUERY_CLIENT_H

#include "config.h"
#include "query_options.h"

/* Asking the running daemon, over its socketmap as Postfix does. Each returns the exit
 * status. */
int query_reply(const struct query_options *o, const struct config *config);
int query_health(const struct query_options *o, const struct config *config);

#endif
