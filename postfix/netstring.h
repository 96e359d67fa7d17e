/* SPDX-License-Identifier: MIT */
#ifndef PF_NETSTRING_H
#define PF_NETSTRING_H

#include <stddef.h>

#include "buf.h"
#include "str.h"

/*
 * Netstrings as Postfix speaks them: "12:hello world!,". Pure; the caller owns all
 * bytes.
 */
enum pf_netstring {
	PF_NETSTRING_WHOLE,   /* *payload is there; *used bytes were taken */
	PF_NETSTRING_PARTIAL, /* a good beginning: more bytes are needed */
	PF_NETSTRING_BAD,     /* leading zero, no digit, too long, no comma: close */
};

/* max: of the payload. "0:," is an empty, whole netstring. */
enum pf_netstring pf_netstring_take(struct sts_str bytes, size_t max,
    struct sts_str *payload, size_t *used);
void pf_netstring_put(struct sts_buf *to, struct sts_str payload);

#endif
