/* SPDX-License-Identifier: MIT */
/*
 * What a policy host answers over HTTP, line by line and then in pieces, as libcurl gives
 * it. The first byte says how long these are. What is wrong stays wrong, for the reason
 * given first, which is one printable line; what is taken is 200, text/plain, uncoded, and
 * its body is the bytes that came, however they were cut. And any line as a date: one
 * that is read is the day that it says.
 */
#include "response.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "date.h"
#include "httpdate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static void
check_why(const struct sts_response *r)
{
	if (r->err == STS_OK) {
		must(r->why.n == 0);
		return;
	}
	must(r->err >= STS_ERR_FETCH_DNS && r->err <= STS_ERR_FETCH_HTTP && r->why.n > 1);
	must(r->why.p[r->why.n - 1] == '\0' && strlen(r->why.p) == r->why.n - 1);
	for (size_t i = 0; i + 1 < r->why.n; i++)
		must(r->why.p[i] >= ' ' && r->why.p[i] <= '~');
}

static void
check_same(const struct sts_response *a, const struct sts_response *b)
{
	must(a->err == b->err && a->status == b->status && a->whole == b->whole);
	must(sts_str_eq(sts_buf_str(&a->why), sts_buf_str(&b->why)));
}

/* What came after the first failure made no difference to it. */
static void
check_stays(struct sts_response *r, enum sts_err before)
{
	must(before == STS_OK || r->err == before);
	check_why(r);
}

static void
feed(struct sts_response *r, struct sts_str all, size_t step, struct sts_str *body)
{
	enum sts_err before = STS_OK;

	while (all.n > 0 && !r->whole) {
		const char *end = memchr(all.p, '\n', all.n);
		size_t n = end == NULL ? all.n : (size_t)(end - all.p) + 1;

		(void)sts_response_header(r, sts_str_head(all, n));
		check_stays(r, before);
		before = r->err;
		all = sts_str_from(all, n);
	}
	*body = all;
	while (all.n > 0) {
		size_t n = all.n < step ? all.n : step;

		(void)sts_response_body(r, sts_str_head(all, n));
		check_stays(r, before);
		before = r->err;
		all = sts_str_from(all, n);
	}
	(void)sts_response_header(r, STS_STR("Content-Type: text/html\r\n"));
	check_stays(r, before);
	before = r->err;
	(void)sts_response_end(r);
	check_stays(r, before);
}

static void
check_taken(const struct sts_response *r, struct sts_str body)
{
	if (r->err != STS_OK || !r->whole)
		return;
	must(r->status == 200 && r->coding.n == 0 && r->headers <= STS_HEADERS_MAX);
	must(r->type.n >= strlen("text/plain"));
	must(sts_str_eq_nocase(sts_str_head(sts_buf_str(&r->type), 10),
	    STS_STR("text/plain")));
	must(r->body.n <= STS_POLICY_MAX && sts_str_eq(sts_buf_str(&r->body), body));
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static void
check_date(struct sts_str text)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t seconds = -1;
	struct date day;

	if (!sts_http_date(text, &seconds)) {
		must(seconds == -1);
		return;
	}
	must(text.n == 29 && seconds >= 0);
	day = date_of(seconds / DATE_SECONDS);
	must(day.year ==
	    (text.p[12] - '0') * 1000 + (text.p[13] - '0') * 100 +
		(text.p[14] - '0') * 10 + (text.p[15] - '0'));
	must(memcmp(months + 3 * (day.month - 1), text.p + 8, 3) == 0);
	must((int)day.day == (text.p[5] - '0') * 10 + (text.p[6] - '0'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sts_response whole = { .err = STS_OK }, pieces = { .err = STS_OK };
	struct sts_str all, body, line;

	if (size == 0)
		return 0;
	all = (struct sts_str){ (const char *)data + 1, size - 1 };
	feed(&whole, all, size, &body);
	feed(&pieces, all, 1 + data[0], &body);
	check_same(&whole, &pieces);
	check_taken(&whole, body);
	check_taken(&pieces, body);
	sts_response_done(&whole);
	sts_response_done(&pieces);
	while (all.n > 0) {
		(void)sts_str_cut(&all, '\n', &line);
		check_date(line);
	}
	return 0;
}
