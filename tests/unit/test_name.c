/* SPDX-License-Identifier: MIT */
#include "name.h"

#include <string.h>

#include "test.h"

int test_failed;

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define S(literal)                                                                       \
 {                                                                                       \
  (literal), sizeof(literal) - 1                                                         \
 }

#define A9 "aaaaaaaaa"
#define A63 A9 A9 A9 A9 A9 A9 A9
#define L63 A63 "."
/* 3 * 64 + 61 = 253, and 3 * 64 + 52 = 244 */
#define N253 L63 L63 L63 A9 A9 A9 A9 A9 A9 "aaaa.de"
#define N250 L63 L63 L63 A9 A9 A9 A9 A9 A9 "a.de"
#define N190 L63 L63 A9 A9 A9 A9 A9 A9 "aaaaa.de"
#define N244 L63 L63 L63 A9 A9 A9 A9 A9 "aaaa.de"

static const struct {
	const char *what;
	struct sts_str name;
	bool is_host, single, numeric, is_domain;
} names[] = {
	{ "ordinary", S("mail.example.com"), true, false, false, true },
	{ "any case", S("MAIL.Example.COM"), true, false, false, true },
	{ "hyphens inside", S("a-b.x--y.de"), true, false, false, true },
	{ "digits", S("1.2.de"), true, false, false, true },
	{ "one letter", S("a"), true, true, false, false },
	{ "single label", S("localhost"), true, true, false, false },
	{ "single number", S("123"), true, true, true, false },
	{ "numeric top", S("mail.123"), true, false, true, false },
	{ "IPv4 address", S("192.0.2.1"), true, false, true, false },
	{ "digits end the top", S("mail.x1"), true, false, false, true },
	{ "digits begin the top", S("mail.1x"), true, false, false, true },
	{ "empty", S(""), false, true, false, false },
	{ "no address", { NULL, 0 }, false, true, false, false },
	{ "a dot", S("."), false, false, false, false },
	{ "leading dot", S(".example.com"), false, false, false, false },
	{ "trailing dot", S("example.com."), false, false, false, false },
	{ "two dots", S("example..com"), false, false, false, false },
	{ "hyphen first", S("-a.com"), false, false, false, false },
	{ "hyphen last", S("a-.com"), false, false, false, false },
	{ "hyphen first in the top", S("a.-com"), false, false, false, false },
	{ "hyphen last of all", S("a.com-"), false, false, false, false },
	{ "underscore", S("_dmarc.example.com"), false, false, false, false },
	{ "blank", S("a b.com"), false, false, false, false },
	{ "NUL", S("a\0b.com"), false, false, false, false },
	{ "slash", S("a/b.com"), false, false, false, false },
	{ "beyond ASCII", S("gr\xc3\xbc\xc3\x9f.de"), false, false, false, false },
	{ "wildcard", S("*.example.com"), false, false, false, false },
	{ "label of 63", S(A63 ".de"), true, false, false, true },
	{ "label of 64", S(A63 "a.de"), false, false, false, false },
	{ "last label of 64", S("de." A63 "a"), false, false, false, false },
	{ "name of 253", S(N253), true, false, false, false },
	{ "name of 254", S("a" N253), false, false, false, false },
	{ "domain of 244", S(N244), true, false, false, true },
	{ "domain of 245", S("a" N244), false, false, false, false },
};

static void
test_names(void)
{
	for (size_t i = 0; i < COUNT(names); i++) {
		const char *what = names[i].what;
		struct sts_str name = names[i].name;

		CHECK(what, sts_name_is_host(name) == names[i].is_host);
		CHECK(what, sts_name_is_single_label(name) == names[i].single);
		CHECK(what, sts_name_has_numeric_top(name) == names[i].numeric);
		CHECK(what, sts_name_is_policy_domain(name) == names[i].is_domain);
	}
	for (unsigned c = 0; c < 256; c++) {
		static const char good[] =
		    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "0123456789-.";
		char name[] = { 'a', (char)(unsigned char)c, 'b', '.', 'd', 'e' };
		struct sts_str text = { name, sizeof(name) };
		bool ok = memchr(good, (int)c, sizeof(good) - 1) != NULL;

		CHECK("each byte", sts_name_is_host(text) == ok);
	}
	CHECK("length of the longest", sizeof(N253) - 1 == STS_NAME_MAX);
	CHECK("length of the longest domain", sizeof(N244) - 1 == STS_DOMAIN_MAX);
	CHECK("ASCII", sts_name_is_ascii(STS_STR("\x7f")));
	CHECK("not ASCII", !sts_name_is_ascii(STS_STR("a\x80")));
	CHECK("not ASCII first", !sts_name_is_ascii(STS_STR("\x80z")));
}

#define NOT NULL

/* domain NULL: no policy domain. */
static const struct {
	const char *what;
	struct sts_str key;
	const char *domain;
	uint16_t port;
	bool brackets, utf8;
} keys[] = {
	{ "plain", S("example.com"), "example.com", 25, false, false },
	{ "lower-cased", S("Example.COM"), "example.com", 25, false, false },
	{ "one trailing dot", S("example.com."), "example.com", 25, false, false },
	{ "two trailing dots", S("example.com.."), NOT, 0, false, false },
	{ "brackets", S("[mail.example.com]"), "mail.example.com", 25, true, false },
	{ "dot in brackets", S("[mail.example.com.]"), "mail.example.com", 25, true,
	    false },
	{ "dot after brackets", S("[mail.example.com]."), NOT, 0, false, false },
	{ "port", S("example.com:587"), "example.com", 587, false, false },
	{ "dot before port", S("example.com.:587"), "example.com", 587, false, false },
	{ "dot after port", S("example.com:587."), NOT, 0, false, false },
	{ "brackets and port", S("[Mail.example.com]:465"), "mail.example.com", 465, true,
	    false },
	{ "smtp", S("example.com:smtp"), "example.com", 25, false, false },
	{ "submission", S("[a.example.com]:submission"), "a.example.com", 587, true,
	    false },
	{ "submissions", S("example.com:submissions"), "example.com", 465, false, false },
	{ "smtps", S("example.com:smtps"), "example.com", 465, false, false },
	{ "first port", S("example.com:1"), "example.com", 1, false, false },
	{ "last port", S("example.com:65535"), "example.com", 65535, false, false },
	{ "port 0", S("example.com:0"), NOT, 0, false, false },
	{ "port 65536", S("example.com:65536"), NOT, 0, false, false },
	{ "no port", S("example.com:"), NOT, 0, false, false },
	{ "no port after brackets", S("[a.example.com]:"), NOT, 0, false, false },
	{ "unknown port", S("example.com:lmtp"), NOT, 0, false, false },
	{ "two ports", S("example.com:25:25"), NOT, 0, false, false },
	{ "leading dot", S(".example.com"), NOT, 0, false, false },
	{ "empty", S(""), NOT, 0, false, false },
	{ "no address", { NULL, 0 }, NOT, 0, false, false },
	{ "empty brackets", S("[]"), NOT, 0, false, false },
	{ "only a port", S(":25"), NOT, 0, false, false },
	{ "only a dot", S("."), NOT, 0, false, false },
	{ "open bracket", S("[example.com"), NOT, 0, false, false },
	{ "closing bracket", S("example.com]"), NOT, 0, false, false },
	{ "brackets in brackets", S("[[example.com]]"), NOT, 0, false, false },
	{ "after brackets", S("[example.com]x"), NOT, 0, false, false },
	{ "single label", S("localhost"), NOT, 0, false, false },
	{ "single label in brackets", S("[localhost]:25"), NOT, 0, false, false },
	{ "numeric top", S("mail.123"), NOT, 0, false, false },
	{ "IPv4", S("192.0.2.1"), NOT, 0, false, false },
	{ "IPv4 literal", S("[192.0.2.1]"), NOT, 0, false, false },
	{ "IPv6", S("2001:db8::1"), NOT, 0, false, false },
	{ "IPv6 literal", S("[IPv6:2001:db8::1]"), NOT, 0, false, false },
	{ "bare IPv6 literal", S("[2001:db8::1]:25"), NOT, 0, false, false },
	{ "socket path", S("unix:/run/x"), NOT, 0, false, false },
	{ "path", S("/example.com"), NOT, 0, false, false },
	{ "underscore", S("_x.example.com"), NOT, 0, false, false },
	{ "blank", S("example.com "), NOT, 0, false, false },
	{ "address", S("user@example.com"), NOT, 0, false, false },
	{ "NUL", S("example.com\0"), NOT, 0, false, false },
	{ "longest", S(N244), N244, 25, false, false },
	{ "longest and a dot", S(N244 "."), N244, 25, false, false },
	{ "too long", S("a" N244), NOT, 0, false, false },
	{ "much too long", S(N253 N253), NOT, 0, false, false },
	{ "U-label", S("gr\xc3\xbc\xc3\x9f\x65.de"), "gr\xc3\xbc\xc3\x9f\x65.de", 25,
	    false, true },
	{ "U-label, bracket, port", S("[\xc3\xa4.DE.]:26"), "\xc3\xa4.de", 26, true,
	    true },
	{ "U-label, leading dot", S(".\xc3\xa4.de"), NOT, 0, false, false },
	{ "invalid UTF-8", S("\xc3.de"), NOT, 0, false, false },
	{ "Latin-1", S("gr\xfc\xdf\x65.de"), NOT, 0, false, false },
	{ "wide blank", S("\xc3\xa4\xe3\x80\x80.de"), NOT, 0, false, false },
	{ "no-break space", S("\xc2\xa0x.de"), NOT, 0, false, false },
	{ "C1 control", S("\xc2\x85x.de"), NOT, 0, false, false },
	{ "line separator", S("x\xe2\x80\xa8.de"), NOT, 0, false, false },
	{ "U-label and a slash", S("\xc3\xa4/.de"), NOT, 0, false, false },
	{ "slash at the end", S("\xc3\xa4.de/"), NOT, 0, false, false },
	{ "slash first", S("/\xc3\xa4.de"), NOT, 0, false, false },
	{ "U-label and NUL", S("\xc3\xa4\0.de"), NOT, 0, false, false },
	{ "longest U-label", S("\xc3\xa4." N250), "\xc3\xa4." N250, 25, false, true },
	{ "long U-label", S("\xc3\xa4" N253), NOT, 0, false, false },
};

static void
test_keys(void)
{
	for (size_t i = 0; i < COUNT(keys); i++) {
		const char *what = keys[i].what;
		struct sts_key key = { .port = 77 };
		enum sts_err err = sts_key_parse(keys[i].key, &key);

		if (keys[i].domain == NOT) {
			CHECK(what, err == STS_ERR_NAME && key.port == 77);
			continue;
		}
		CHECK(what, err == STS_OK);
		CHECK(what, key.domain_n == strlen(keys[i].domain));
		CHECK(what, strcmp(key.domain, keys[i].domain) == 0);
		CHECK(what, key.port == keys[i].port);
		CHECK(what, key.brackets == keys[i].brackets);
		CHECK(what, key.ascii == !keys[i].utf8);
	}
}

/* Blanks and controls beyond ASCII: both edges of each range. */
static const struct {
	struct sts_str character;
	bool ok;
} wide[] = {
	{ S("\xc2\x80"), false },
	{ S("\xc2\xa0"), false },
	{ S("\xc2\xa1"), true },
	{ S("\xe1\x99\xbf"), true },
	{ S("\xe1\x9a\x80"), false },
	{ S("\xe1\x9a\x81"), true },
	{ S("\xe1\xbf\xbf"), true },
	{ S("\xe2\x80\x80"), false },
	{ S("\xe2\x80\x8a"), false },
	{ S("\xe2\x80\x8b"), true },
	{ S("\xe2\x80\xa7"), true },
	{ S("\xe2\x80\xa8"), false },
	{ S("\xe2\x80\xa9"), false },
	{ S("\xe2\x80\xaa"), true },
	{ S("\xe2\x80\xae"), true },
	{ S("\xe2\x80\xaf"), false },
	{ S("\xe2\x80\xb0"), true },
	{ S("\xe2\x81\x9e"), true },
	{ S("\xe2\x81\x9f"), false },
	{ S("\xe2\x81\xa0"), true },
	{ S("\xe2\xbf\xbf"), true },
	{ S("\xe3\x80\x80"), false },
	{ S("\xe3\x80\x81"), true },
};

static void
test_wide(void)
{
	for (size_t i = 0; i < COUNT(wide); i++) {
		char text[8] = { 'x' };
		struct sts_key key;

		memcpy(text + 1, wide[i].character.p, wide[i].character.n);
		memcpy(text + 1 + wide[i].character.n, ".de", 3);
		CHECK(wide[i].character.p,
		    (sts_key_parse((struct sts_str){ text, wide[i].character.n + 4 },
			 &key) == STS_OK) == wide[i].ok);
	}
}

static const struct {
	struct sts_str pattern;
	bool ok;
} patterns[] = {
	{ S("mail.example.com"), true },
	{ S("MAIL.example.com."), true },
	{ S("*.example.com"), true },
	{ S("*.example.com."), true },
	{ S("*.com"), true },
	{ S("localhost"), true },
	{ S("192.0.2.1"), true },
	{ S("*"), false },
	{ S("*."), false },
	{ S("*.."), false },
	{ S("."), false },
	{ S(""), false },
	{ S("*.*"), false },
	{ S("*.*.example.com"), false },
	{ S("a.*.example.com"), false },
	{ S("*a.example.com"), false },
	{ S("a*.example.com"), false },
	{ S("example.*"), false },
	{ S(".example.com"), false },
	{ S("example.com.."), false },
	{ S("a_b.example.com"), false },
	{ S("[192.0.2.1]"), false },
	{ S("gr\xc3\xbc.de"), false },
	{ S("*.xn--gr-zka.de"), true },
	{ S("*." A63 ".de"), true },
	{ S("*." A63 "a.de"), false },
	{ S(N253), true },
	{ S("a" N253), false },
};

static const struct {
	const char *what;
	struct sts_str pattern, host;
	bool yes;
} matches[] = {
	{ "itself", S("mail.example.com"), S("mail.example.com"), true },
	{ "any case", S("Mail.example.COM"), S("mAIL.Example.com"), true },
	{ "dot in the pattern", S("mail.example.com."), S("mail.example.com"), true },
	{ "dot in the host", S("mail.example.com"), S("mail.example.com."), true },
	{ "another", S("mail.example.com"), S("mx.example.com"), false },
	{ "below", S("example.com"), S("mail.example.com"), false },
	{ "above", S("mail.example.com"), S("example.com"), false },
	{ "one label", S("*.example.com"), S("mail.example.com"), true },
	{ "wildcard, any case", S("*.Example.com"), S("mail.eXAMPLE.com"), true },
	{ "wildcard, dots", S("*.example.com."), S("mail.example.com."), true },
	{ "not itself", S("*.example.com"), S("example.com"), false },
	{ "not two labels", S("*.example.com"), S("a.b.example.com"), false },
	{ "not a longer name", S("*.example.com"), S("mail.badexample.com"), false },
	{ "not the dot's side", S("*.example.com"), S("mailexample.com"), false },
	{ "an empty label", S("*.example.com"), S(".example.com"), false },
	{ "a label that DNS allows", S("*.example.com"), S("mx_1.example.com"), true },
	{ "a label of 63", S("*.de"), S(A63 ".de"), true },
	{ "a label of 64", S("*.de"), S(A63 "a.de"), false },
	{ "A-labels", S("*.xn--gr-zka.de"), S("mx.xn--gr-zka.de"), true },
	{ "a host of 253", S("*." N190), S(A9 A9 A9 A9 A9 A9 "aaaaaaaa." N190), true },
	{ "a host of 254", S("*." N190), S(A63 "." N190), false },
	{ "a wildcard host", S("*.example.com"), S("*.example.com"), false },
	{ "host with a blank", S("*.example.com"), S("a b.example.com"), false },
	{ "a bare star", S("*"), S("com"), false },
	{ "star and dot", S("*."), S("com"), false },
	{ "a star inside", S("a.*.com"), S("a.b.com"), false },
	{ "part of a label", S("m*.example.com"), S("mx.example.com"), false },
	{ "two stars", S("*.*.com"), S("a.b.com"), false },
	{ "empty pattern", S(""), S(""), false },
	{ "empty host", S("example.com"), S(""), false },
	{ "only dots", S("."), S("."), false },
	{ "two dots at the end", S("example.com"), S("example.com.."), false },
	{ "single labels", S("localhost"), S("LOCALHOST"), true },
	{ "wildcard and a single label", S("*.com"), S("com"), false },
};

int
main(void)
{
	test_names();
	test_keys();
	test_wide();
	for (size_t i = 0; i < COUNT(patterns); i++)
		CHECK(patterns[i].pattern.p,
		    sts_name_is_pattern(patterns[i].pattern) == patterns[i].ok);
	for (size_t i = 0; i < COUNT(matches); i++)
		CHECK(matches[i].what,
		    sts_name_matches(matches[i].pattern, matches[i].host) ==
			matches[i].yes);
	return test_failed;
}
