/* SPDX-License-Identifier: MIT */
#ifndef PF_SOCKETMAP_H
#define PF_SOCKETMAP_H

#include <stdbool.h>

#include "str.h"

/* socketmap_table(5): the request "MAP KEY", map names case-sensitive. */
enum pf_map {
	PF_MAP_QUERY,	     /* QUERY, and "postfix" as another name of it */
	PF_MAP_QUERY_TLSRPT, /* QUERYwithTLSRPT: Postfix 3.10 and later */
	PF_MAP_OTHER,	     /* answered PERM */
	PF_MAPS
};

/* Splits at the first blank. Without one the key is empty. */
enum pf_map pf_request_parse(struct sts_str payload, struct sts_str *key);
const char *pf_map_text(enum pf_map map); /* as in metrics: "other" */

#endif
