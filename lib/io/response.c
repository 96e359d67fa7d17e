/* SPDX-License-Identifier: MIT */
/* Is this a policy file? See response.h. */
#include "response.h"

#include <stdint.h>

#include "bounds.h"
#include "httpdate.h"

#define QUOTE_MAX 200

void
sts_put_quote(struct sts_buf *to, struct sts_str s)
{
	sts_put_escaped(to, sts_str_head(s, s.n < QUOTE_MAX ? s.n : QUOTE_MAX));
	if (s.n > QUOTE_MAX)
		sts_put_text(to, "...");
}

/* Says no: before, what a stranger wrote (escaped), after. */
static void
reject(struct sts_response *r, enum sts_err err, const char *before,
    struct sts_str quoted, const char *after)
{
	if (r->err != STS_OK)
		return;
	r->err = err;
	sts_put_text(&r->why, before);
	sts_put_quote(&r->why, quoted);
	sts_put_text(&r->why, after);
	sts_put_char(&r->why, '\0');
	if (r->why.bad)
		sts_buf_done(&r->why);
}

static void
refuse(struct sts_response *r, enum sts_err err, const char *why)
{
	reject(r, err, why, STS_STR_NONE, "");
}

static void
keep(struct sts_response *r, struct sts_buf *to, struct sts_str value)
{
	sts_buf_clear(to);
	sts_put(to, value);
	if (to->bad)
		refuse(r, STS_ERR_NOMEM, "out of memory");
}

/* What comes is HTTP/1.x, as asked for; and 101 would turn the rest into something else
 * again. */
static void
read_status_line(struct sts_response *r, struct sts_str line)
{
	unsigned long long status = 0;

	sts_buf_clear(&r->type);
	sts_buf_clear(&r->coding);
	sts_buf_clear(&r->location);
	r->framed = r->bad_frame = r->other_type = false;
	r->length = 0;
	if (!sts_str_starts(line, STS_STR("HTTP/1.")) ||
	    line.n < sizeof("HTTP/1.1 200") - 1 || line.p[8] != ' ' ||
	    !sts_str_number((struct sts_str){ line.p + 9, 3 }, 999, &status))
		refuse(r, STS_ERR_FETCH_HTTP, "the server's answer is not HTTP/1.1");
	r->status = (long)status;
	if (status == 101)
		refuse(r, STS_ERR_FETCH_HTTP,
		    "the server switched protocols (101) instead of answering");
}

/* RFC 8461 section 3.2: the media type counts, parameters are ignored. */
static bool
is_plain_text(struct sts_str type)
{
	struct sts_str media;

	(void)sts_str_cut(&type, ';', &media);
	return sts_str_eq_nocase(sts_str_trim(media), STS_STR("text/plain"));
}

static void
read_field(struct sts_response *r, struct sts_str name, struct sts_str value)
{
	if (sts_str_eq_nocase(name, STS_STR("content-type"))) {
		if (!is_plain_text(value))
			r->other_type = true;
		if (r->type.n == 0 || !is_plain_text(value))
			keep(r, &r->type, value);
	} else if (sts_str_eq_nocase(name, STS_STR("content-encoding"))) {
		if (!sts_str_eq_nocase(value, STS_STR("identity")))
			keep(r, &r->coding, value);
	} else if (sts_str_eq_nocase(name, STS_STR("content-length"))) {
		r->framed = true;
		if (!sts_str_number(value, INT64_MAX, &r->length))
			r->bad_frame = true;
	} else if (sts_str_eq_nocase(name, STS_STR("transfer-encoding"))) {
		r->framed = true;
		if (!sts_str_eq_nocase(value, STS_STR("chunked")))
			r->bad_frame = true;
	} else if (sts_str_eq_nocase(name, STS_STR("location")))
		keep(r, &r->location, value);
	else if (sts_str_eq_nocase(name, STS_STR("date")))
		(void)sts_http_date(value, &r->date);
}

static void
reject_status(struct sts_response *r)
{
	struct sts_buf text = { .n = 0 };
	bool redirects = r->status >= 300 && r->status < 400 && r->location.n != 0;

	sts_put_text(&text,
	    redirects ? "the server redirects (" : "the server answered ");
	sts_put_number(&text, (unsigned long long)r->status);
	sts_put_text(&text, redirects ? ") to " : " instead of 200");
	sts_put_char(&text, '\0');
	/* "HTTP 3xx redirects MUST NOT be followed" (RFC 8461 section 3.3). */
	reject(r, STS_ERR_FETCH_STATUS, text.bad ? "not 200" : text.p,
	    redirects ? sts_buf_str(&r->location) : STS_STR_NONE,
	    redirects ? ", but a redirect must not be followed" : "");
	sts_buf_done(&text);
}

/* All headers are here. What is no policy need not be read to its end. */
static void
judge(struct sts_response *r)
{
	if (r->status >= 100 && r->status < 200)
		return; /* provisional: the response is still to come */
	r->whole = true;
	/* "only valid if the HTTP response code is 200" (RFC 8461 section 3.3). */
	if (r->status != 200)
		reject_status(r);
	else if (r->type.n == 0)
		refuse(r, STS_ERR_FETCH_MEDIA_TYPE,
		    "the answer has no Content-Type, and text/plain is needed");
	else if (r->other_type)
		reject(r, STS_ERR_FETCH_MEDIA_TYPE, "the answer's Content-Type is ",
		    sts_buf_str(&r->type), " instead of text/plain");
	else if (r->coding.n != 0)
		reject(r, STS_ERR_FETCH_HTTP,
		    "the answer is compressed (Content-Encoding: ",
		    sts_buf_str(&r->coding), "), and nobody asked for that");
	else if (r->bad_frame)
		refuse(r, STS_ERR_FETCH_HTTP,
		    "the answer's Content-Length or Transfer-Encoding makes no sense");
	else if (r->length > STS_POLICY_MAX)
		refuse(r, STS_ERR_FETCH_TOO_BIG, "the policy is larger than 65536 bytes");
}

void
sts_response_flood(struct sts_response *r)
{
	refuse(r, STS_ERR_FETCH_TOO_BIG,
	    "the answer has more than 16384 bytes of HTTP headers");
}

enum sts_err
sts_response_header(struct sts_response *r, struct sts_str line)
{
	struct sts_str name;

	r->headers += line.n;
	if (r->headers > STS_HEADERS_MAX)
		sts_response_flood(r);
	while (line.n != 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	if (r->whole)
		; /* a trailer: nothing in it is of use */
	else if (sts_str_starts(line, STS_STR("HTTP/")))
		read_status_line(r, line);
	else if (line.n == 0)
		judge(r);
	else if (sts_str_cut(&line, ':', &name))
		read_field(r, name, sts_str_trim(line));
	return r->err;
}

enum sts_err
sts_response_body(struct sts_response *r, struct sts_str bytes)
{
	r->body.limit = STS_POLICY_MAX;
	sts_put(&r->body, bytes);
	if (r->body.full)
		refuse(r, STS_ERR_FETCH_TOO_BIG, "the policy is larger than 65536 bytes");
	else if (r->body.bad)
		refuse(r, STS_ERR_NOMEM, "out of memory");
	return r->err;
}

enum sts_err
sts_response_end(struct sts_response *r)
{
	/* Closed without a TLS goodbye, an answer without a length may have been cut by
	 * anybody: "max_age: 6" instead of "max_age: 604800". */
	if (!r->framed && (r->body.n == 0 || r->body.p[r->body.n - 1] != '\n'))
		refuse(r, STS_ERR_FETCH_HTTP,
		    "the answer has no length and does not end with its line: it may have "
		    "been cut off");
	return r->err;
}

void
sts_response_done(struct sts_response *r)
{
	sts_buf_done(&r->why);
	sts_buf_done(&r->type);
	sts_buf_done(&r->body);
	sts_buf_done(&r->coding);
	sts_buf_done(&r->location);
}
