/* SPDX-License-Identifier: MIT */
#ifndef STS_HTTPDATE_H
#define STS_HTTPDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that servers may send (RFC 9110 section
 * 5.6.7), as seconds since 1970. False for anything else, and for days before 1970; the
 * day of the week is not held against the date. */
bool sts_http_date(struct sts_str text, int64_t *seconds);

#endif
