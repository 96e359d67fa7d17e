/* SPDX-License-Identifier: MIT */
#ifndef STS_SMTPREPLY_H
#define STS_SMTPREPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "str.h"

/*
 * One reply of an SMTP server (RFC 5321 section 4.2), eaten as its bytes come:
 *
 *	Reply-line = *( Reply-code "-" [ textstring ] CRLF )
 *	             Reply-code [ SP textstring ] CRLF
 *
 * As with Postfix a line may end in LF alone, and of several lines the last one's code
 * counts. What goes beyond the bounds below, or is no reply, ends it.
 *
 * Starts all-zero; the owner calls sts_smtpreply_done, or _clear before the next reply.
 */
#define STS_SMTPREPLY_LINE_MAX 1000 /* RFC 5321 section 4.5.3.1.5 says 512 */
#define STS_SMTPREPLY_LINES_MAX 100 /* the longest EHLO replies have thirty */

enum sts_smtpreply_state {
	STS_SMTPREPLY_MORE,    /* the reply is not whole yet */
	STS_SMTPREPLY_WHOLE,   /* code and text are valid */
	STS_SMTPREPLY_GARBAGE, /* a line is no line of a reply */
	STS_SMTPREPLY_FLOOD,   /* a line is too long, or they are too many */
	STS_SMTPREPLY_NOMEM,
};

struct sts_smtpreply {
	enum sts_smtpreply_state state;
	int code;
	unsigned lines;
	struct sts_buf text; /* of each line what follows the code and the blank or hyphen
				behind it, and a LF; raw bytes. Of garbage, that line */
	size_t line_at;	     /* where the text of the line under way begins */
};

/* How many of the bytes belong to this reply; those behind it are left. */
size_t sts_smtpreply_eat(struct sts_smtpreply *r, struct sts_str bytes);

/* Does a line of an EHLO reply, after the first, offer this (RFC 5321 section 4.1.1.1)?
 * keyword in any case. */
bool sts_smtpreply_offers(const struct sts_smtpreply *r, struct sts_str keyword);

/* The text's first line, without its end. */
struct sts_str sts_smtpreply_first(const struct sts_smtpreply *r);

void sts_smtpreply_clear(struct sts_smtpreply *r);
void sts_smtpreply_done(struct sts_smtpreply *r);

#endif
