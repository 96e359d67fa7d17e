/* SPDX-License-Identifier: MIT */
#ifndef STS_RESPONSE_H
#define STS_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "str.h"

/*
 * A policy host's answer over HTTP/1.x, judged as it comes in: is it a policy file by
 * RFC 8461 section 3.3? Fed with lines and bytes by whoever reads the connection; knows no
 * library, and frees nothing but its own. An all-zero one is ready; the owner calls
 * sts_response_done.
 *
 * The first thing that is wrong decides: err and why stay, and everything later is
 * ignored. So feeding may stop as soon as anything but STS_OK is returned.
 */
struct sts_response {
	enum sts_err err; /* STS_OK, STS_ERR_FETCH_*, NOMEM */
	struct sts_buf
	    why;     /* a sentence with NUL, escaped; empty when there was no memory */
	long status; /* of the latest status line; 0: none yet */
	struct sts_buf type; /* Content-Type */
	int64_t date;	     /* the server's clock (Date), seconds since 1970; 0: none */
	struct sts_buf body;
	bool whole; /* all headers are here: what follows is body, or trailers */

	/* Nobody else's business. */
	size_t headers; /* bytes: of provisional responses and trailers as well */
	bool framed;	/* by a length or in chunks: a cut does not go unnoticed */
	bool bad_frame; /* a length or a transfer coding that nobody can follow */
	bool other_type;
	unsigned long long length;
	struct sts_buf coding; /* Content-Encoding, when it changes the body */
	struct sts_buf location;
};

/* One line of the headers, with its line end; the empty line as well. */
enum sts_err sts_response_header(struct sts_response *r, struct sts_str line);
/* The next bytes of the body, chunks already undone. */
enum sts_err sts_response_body(struct sts_response *r, struct sts_str bytes);
/* The connection was closed, or the announced length is reached. */
enum sts_err sts_response_end(struct sts_response *r);
/* More came than the headers could need, in whatever form. */
void sts_response_flood(struct sts_response *r);
void sts_response_done(struct sts_response *r);

/* Appends what a stranger wrote: escaped, and cut off after 200 bytes. */
void sts_put_quote(struct sts_buf *to, struct sts_str s);

#endif
