/* SPDX-License-Identifier: MIT */
#ifndef PF_REPLY_H
#define PF_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "buf.h"
#include "entry.h"
#include "socketmap.h"
#include "str.h"

/*
 * The text of a reply (socketmap_table(5) and Postfix's TLS policy grammar). Reply
 * bytes are a security boundary: what Postfix does not read of one reply it reads as
 * the next domain's, so no reply passes max_reply, and nothing of a stranger's gets in
 * but validated host names and whitelisted policy lines.
 */
struct pf_reply_style {
	bool exact;	 /* wildcards = exact */
	bool servername; /* add servername=hostname (Postfix 3.4 and later) */
	size_t max_reply;
};

/*
 * Appends the payload ("OK secure match=...", "NOTFOUND ", "TEMP example.org: ...") to
 * an empty buffer. domain: lower case, as the policy was looked up. What does not fit
 * into max_reply is left out in this order:
 *
 *	1. match=: the exact names, or, where they alone are too many, wildcards.
 *	   So QUERY and QUERYwithTLSRPT always enforce the same names.
 *	2. QUERYwithTLSRPT: in the room that is left, every pattern and at least one line of
 *	   the policy, the rest of its lines as far as they fit; or no attribute at all.
 *	   Postfix 3.10.0 to 3.10.5 crashes when it has policy lines without patterns, or
 *	   patterns without lines.
 *	3. Where not even the wildcards fit: TEMP.
 *
 * Returns what was answered, for the counts: the verdict, or STS_VERDICT_TEMP when
 * there was no room or no memory. The buffer is never bad afterwards, unless even the
 * shortest TEMP found no memory: then close the connection.
 */
enum sts_verdict pf_reply_put(struct sts_buf *to, const struct sts_answer *answer,
    const struct sts_entry *e, struct sts_str domain, bool brackets, enum pf_map map,
    int64_t now, const struct pf_reply_style *style);

/* "TEMP domain: reason" for trouble of ours: at most PF_REASON_MAX printable bytes after
 * "TEMP ". */
void pf_reply_temp(struct sts_buf *to, struct sts_str domain, enum sts_err why);

#endif
