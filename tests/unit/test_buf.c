/* SPDX-License-Identifier: MIT */
#include "buf.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "test.h"

int test_failed;

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define S(literal)                                                                       \
 {                                                                                       \
  (literal), sizeof(literal) - 1                                                         \
 }

static const struct {
	const char *what;
	void (*put)(struct sts_buf *b, struct sts_str s);
	struct sts_str in, out;
} puts_[] = {
	{ "as it is", sts_put, S("a\0b"), S("a\0b") },
	{ "nothing", sts_put, { NULL, 0 }, S("") },
	{ "lower", sts_put_lower, S("aZ@[\xc3\x84"), S("az@[\xc3\x84") },
	{ "lower nothing", sts_put_lower, { NULL, 0 }, S("") },
	{ "printable", sts_put_escaped, S(" az~"), S(" az~") },
	{ "controls", sts_put_escaped, S("\x1b[1m\n\0\x7f"),
	    S("\\x1b[1m\\x0a\\x00\\x7f") },
	{ "backslash", sts_put_escaped, S("\\x41"), S("\\\\x41") },
	{ "beyond ASCII", sts_put_escaped, S("\xc3\xa4"), S("\\xc3\\xa4") },
	{ "JSON text", sts_put_json, S("a \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"),
	    S("a \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80") },
	{ "JSON quotes", sts_put_json, S("\"\\/"), S("\\\"\\\\/") },
	{ "JSON controls", sts_put_json, S("\0\n\x1f\x7f"),
	    S("\\u0000\\u000a\\u001f\\u007f") },
	{ "JSON C1", sts_put_json, S("\xc2\x80\xc2\x9f\xc2\xa0"),
	    S("\\u0080\\u009f\xc2\xa0") },
	{ "JSON bidi", sts_put_json,
	    S("\xe2\x80\xae\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c"),
	    S("\\u202e\\u2066\\u2069\\u200e\\u200f\\u061c") },
	{ "JSON beside bidi", sts_put_json,
	    S("\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"),
	    S("\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa") },
	{ "JSON line ends", sts_put_json, S("\xe2\x80\xa8\xe2\x80\xa9"),
	    S("\\u2028\\u2029") },
	{ "JSON invalid", sts_put_json, S("\xff\xc3("), S("\\u00ff\\u00c3(") },
	{ "JSON cut short", sts_put_json, S("\xe2\x82"), S("\\u00e2\\u0082") },
};

static void
test_puts(void)
{
	for (size_t i = 0; i < COUNT(puts_); i++) {
		struct sts_buf b = { .p = NULL };

		puts_[i].put(&b, puts_[i].in);
		CHECK(puts_[i].what, !b.bad);
		CHECK(puts_[i].what, sts_str_eq(sts_buf_str(&b), puts_[i].out));
		sts_buf_done(&b);
		CHECK(puts_[i].what, b.p == NULL && b.n == 0 && b.size == 0);
	}
}

static void
test_numbers(void)
{
	struct sts_buf b = { .p = NULL };

	sts_put_number(&b, 0);
	sts_put_char(&b, ' ');
	sts_put_number(&b, 18446744073709551615ull);
	sts_put_text(&b, " x");
	sts_put_text(&b, NULL);
	CHECK("numbers",
	    sts_str_eq(sts_buf_str(&b), STS_STR("0 18446744073709551615 x")));

	sts_buf_clear(&b);
	sts_put_u8(&b, 0x01);
	sts_put_u16(&b, 0x0203);
	sts_put_u32(&b, 0x84050607);
	sts_put_u64(&b, 0x88090a0b0c0d0e0f);
	CHECK("little-endian",
	    sts_str_eq(sts_buf_str(&b),
		STS_STR("\x01\x03\x02\x07\x06\x05\x84\x0f\x0e\x0d\x0c\x0b\x0a\x09\x88")));

	struct sts_reader r = { sts_buf_str(&b), false };

	CHECK("u8", sts_get_u8(&r) == 0x01);
	CHECK("u16", sts_get_u16(&r) == 0x0203);
	CHECK("u32", sts_get_u32(&r) == 0x84050607);
	CHECK("u64", sts_get_u64(&r) == 0x88090a0b0c0d0e0f);
	CHECK("at the end", !r.bad && r.rest.n == 0);
	CHECK("nothing more", sts_get_bytes(&r, 0).n == 0 && !r.bad);
	CHECK("beyond", sts_get_u16(&r) == 0 && r.bad);
	sts_buf_done(&b);

	r = (struct sts_reader){ STS_STR("abc"), false };
	CHECK("half an integer is none", sts_get_u32(&r) == 0 && r.bad);
	CHECK("bad stays bad", sts_get_bytes(&r, 1).n == 0 && sts_get_u8(&r) == 0);
	r = (struct sts_reader){ STS_STR("abc"), false };
	CHECK("a length that lies", sts_get_bytes(&r, SIZE_MAX).n == 0 && r.bad);
}

static void
test_limit(void)
{
	struct sts_buf b = { .limit = 3 };

	sts_put(&b, STS_STR("abc"));
	CHECK("up to the limit", !b.bad && b.n == 3);
	sts_put(&b, STS_STR(""));
	CHECK("nothing more is fine", !b.bad);
	sts_put_char(&b, 'd');
	CHECK("above the limit", b.bad && b.full && b.n == 3);
	sts_buf_clear(&b);
	CHECK("cleared", !b.bad && !b.full && b.n == 0 && b.size > 0);
	sts_put(&b, STS_STR("ab"));
	sts_put(&b, STS_STR("cd"));
	CHECK("no half writes", b.bad && b.n == 2);
	sts_put(&b, STS_STR("c"));
	CHECK("bad takes nothing", b.n == 2);
	sts_buf_done(&b);
	sts_buf_done(NULL);

	for (size_t i = 0; i < 5000; i++)
		sts_put_char(&b, (char)('a' + i % 26));
	CHECK("grows",
	    !b.bad && b.n == 5000 && b.p[0] == 'a' && b.p[4999] == 'a' + 4999 % 26);
	sts_put(&b, (struct sts_str){ b.p, SIZE_MAX - 10 });
	CHECK("more than there is memory", b.bad && !b.full && b.n == 5000);
	sts_buf_done(&b);
}

static void
test_errors(void)
{
	for (unsigned i = 0; i < STS_ERRS; i++) {
		enum sts_err err = sts_err_from((uint8_t)i);

		CHECK("stored as its number", (unsigned)err == i);
		CHECK("a token", sts_err_token(err) != NULL);
		if (sts_err_token(err) == NULL)
			continue;
		CHECK(sts_err_token(err), sts_err_text(err)[0] != '\0');
		CHECK(sts_err_token(err), sts_err_rcode(err)[0] != '\0');
		/* Whatever is reported about a fetch is counted as one, and not vice versa:
		 * success is counted too. */
		CHECK(sts_err_token(err),
		    (sts_err_tlsrpt(err) != NULL) ==
			(sts_err_fetch_outcome(err) != NULL && err != STS_OK));
		for (unsigned j = 0; j < i; j++)
			CHECK(sts_err_token(err),
			    strcmp(sts_err_token(err), sts_err_token((enum sts_err)j)) !=
				0);
	}
	CHECK("unknown numbers", sts_err_from(STS_ERRS) == STS_ERR_INTERNAL);
	CHECK("the largest", sts_err_from(255) == STS_ERR_INTERNAL);
	CHECK("cert",
	    strcmp(sts_err_tlsrpt(STS_ERR_FETCH_CERT), "sts-webpki-invalid") == 0);
	CHECK("tls",
	    strcmp(sts_err_tlsrpt(STS_ERR_FETCH_TLS), "sts-webpki-invalid") == 0);
	CHECK("media type",
	    strcmp(sts_err_tlsrpt(STS_ERR_FETCH_MEDIA_TYPE), "sts-policy-invalid") == 0);
	CHECK("syntax",
	    strcmp(sts_err_tlsrpt(STS_ERR_POLICY_SYNTAX), "sts-policy-invalid") == 0);
	CHECK("status",
	    strcmp(sts_err_tlsrpt(STS_ERR_FETCH_STATUS), "sts-policy-fetch-error") == 0);
	CHECK("HTTP",
	    strcmp(sts_err_fetch_outcome(STS_ERR_FETCH_HTTP), "http_status") == 0);
	CHECK("why", strcmp(sts_err_rcode(STS_ERR_DNS_SERVFAIL), "SERVFAIL") == 0);
	CHECK("timeout fails", sts_err_is_dns_failure(STS_ERR_DNS_TIMEOUT));
	CHECK("odd rcode fails", sts_err_is_dns_failure(STS_ERR_DNS_OTHER));
	CHECK("no data is an answer", !sts_err_is_dns_failure(STS_ERR_DNS_NODATA));
	CHECK("no name is an answer", !sts_err_is_dns_failure(STS_ERR_DNS_NXDOMAIN));
	CHECK("success is an answer", !sts_err_is_dns_failure(STS_OK));
}

int
main(void)
{
	test_puts();
	test_numbers();
	test_limit();
	test_errors();
	return test_failed;
}
