/* SPDX-License-Identifier: MIT */
#include "policy.h"

#include <string.h>

#include "bounds.h"
#include "test.h"

int test_failed;

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define S(literal)                                                                       \
 {                                                                                       \
  (literal), sizeof(literal) - 1                                                         \
 }

#define V "version: STSv1\n"
#define E "mode: enforce\n"
#define A "max_age: 86400\n"
#define M "mx: mail.example.com\n"
#define GOOD V E A M

#define A9 "aaaaaaaaa"
#define A63 A9 A9 A9 A9 A9 A9 A9
#define N253 A63 "." A63 "." A63 "." A9 A9 A9 A9 A9 A9 "aaaa.de"

#define NOTES_MAX 12

struct note_at {
	size_t line_1; /* the line plus one, so that zero ends a list */
	enum sts_policy_note note;
};

#define NOTE(line, name)                                                                 \
 {                                                                                       \
  (line) + 1, STS_NOTE_##name                                                            \
 }

/* Of a bad policy only the notes count. */
static const struct {
	const char *what;
	struct sts_str text;
	enum sts_mode mode;
	uint32_t max_age;
	const char *mx; /* the usable patterns; NULL: the policy is invalid */
	struct note_at notes[NOTES_MAX];
} cases[] = {
	{ "RFC 8461 example",
	    S("version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n"
	      "mx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n"),
	    STS_MODE_ENFORCE, 604800,
	    "mail.example.com *.example.net backupmx.example.com ", { { 0 } } },
	{ "LF", S(GOOD), STS_MODE_ENFORCE, 86400, "mail.example.com ", { { 0 } } },
	{ "LF and CRLF mixed", S("version: STSv1\r\n" E A "mx: a.de\r\n"),
	    STS_MODE_ENFORCE, 86400, "a.de ", { { 0 } } },
	{ "no last line end", S(V E A "mx: a.de"), STS_MODE_ENFORCE, 86400, "a.de ",
	    { { 0 } } },
	{ "any order", S(M A E V), STS_MODE_ENFORCE, 86400, "mail.example.com ",
	    { { 0 } } },
	{ "testing", S(V "mode: testing\n" A M), STS_MODE_TESTING, 86400,
	    "mail.example.com ", { { 0 } } },
	{ "none without mx", S(V "mode: none\n" A), STS_MODE_NONE, 86400, "", { { 0 } } },
	{ "none with mx", S(V "mode: none\n" A M), STS_MODE_NONE, 86400,
	    "mail.example.com ", { { 0 } } },
	{ "blanks where they may be",
	    S("version:STSv1 \t\nmode: \tenforce \t\nmax_age:\t86400\t\nmx:  a.de  \n"),
	    STS_MODE_ENFORCE, 86400, "a.de ", { { 0 } } },
	{ "repeated mx", S(GOOD M), STS_MODE_ENFORCE, 86400,
	    "mail.example.com mail.example.com ", { { 0 } } },

	/* Tolerated. */
	{ "byte order mark", S("\xef\xbb\xbf" GOOD), STS_MODE_ENFORCE, 86400,
	    "mail.example.com ", { NOTE(1, BYTE_ORDER_MARK) } },
	{ "blank lines", S(V "\n" E " \t\r\n" A M "\n"), STS_MODE_ENFORCE, 86400,
	    "mail.example.com ",
	    { NOTE(2, BLANK_LINE), NOTE(4, BLANK_LINE), NOTE(7, BLANK_LINE) } },
	{ "upper case in mx", S(V E A "mx: Mail.Example.COM\n"), STS_MODE_ENFORCE, 86400,
	    "Mail.Example.COM ", { NOTE(4, MX_CASE) } },
	{ "first and last letter in upper case",
	    S(V E A "mx: A.de\nmx: z.dZ\nmx: [.de\n"), 0, 0, NULL,
	    { NOTE(4, MX_CASE), NOTE(5, MX_CASE), NOTE(6, MX_VALUE) } },
	{ "dot at the end of mx", S(V E A "mx: *.example.com.\n"), STS_MODE_ENFORCE,
	    86400, "*.example.com ", { NOTE(4, MX_DOT) } },
	{ "unknown field", S(GOOD "foo: b\xc3\xa4r baz\n"), STS_MODE_ENFORCE, 86400,
	    "mail.example.com ", { NOTE(5, KEY_UNKNOWN) } },
	{ "unknown field with colons and braces", S(GOOD "a.b-c_d: https://x/{y}\n"),
	    STS_MODE_ENFORCE, 86400, "mail.example.com ", { NOTE(5, KEY_UNKNOWN) } },
	{ "misspelt mx beside a good one", S(GOOD "nmx: b.de\n"), STS_MODE_ENFORCE, 86400,
	    "mail.example.com ", { NOTE(5, KEY_UNKNOWN) } },
	{ "names in other case are extensions", S(GOOD "Mode: none\nMX: b.de\n"),
	    STS_MODE_ENFORCE, 86400, "mail.example.com ",
	    { NOTE(5, KEY_CASE), NOTE(6, KEY_CASE) } },
	{ "malformed extensions",
	    S(GOOD
		"# comment\nfoo\nfoo:\nfoo: \t\n-a: b\n: b\nfoo : b\n b: c\nfoo: a\tb\n"
		"foo: \xff\n" A9 A9 A9 "aaaaaa: b\n"),
	    STS_MODE_ENFORCE, 86400, "mail.example.com ",
	    { NOTE(5, LINE_MALFORMED), NOTE(6, LINE_MALFORMED), NOTE(7, LINE_MALFORMED),
		NOTE(8, LINE_MALFORMED), NOTE(9, LINE_MALFORMED),
		NOTE(10, LINE_MALFORMED), NOTE(11, LINE_MALFORMED),
		NOTE(12, LINE_MALFORMED), NOTE(13, LINE_MALFORMED),
		NOTE(14, LINE_MALFORMED), NOTE(15, LINE_MALFORMED) } },
	{ "extension name of 32", S(GOOD A9 A9 A9 "aaaaa: b\n"), STS_MODE_ENFORCE, 86400,
	    "mail.example.com ", { NOTE(5, KEY_UNKNOWN) } },
	{ "first mode wins", S(GOOD "mode: none\n"), STS_MODE_ENFORCE, 86400,
	    "mail.example.com ", { NOTE(5, DUPLICATE) } },
	{ "a later value may be bad", S(GOOD "mode: x\nmax_age: x\nversion: x\n"),
	    STS_MODE_ENFORCE, 86400, "mail.example.com ",
	    { NOTE(5, DUPLICATE), NOTE(6, DUPLICATE), NOTE(7, DUPLICATE) } },
	{ "a later field may be damaged", S(GOOD "mode = none\n max_age: 1\n"),
	    STS_MODE_ENFORCE, 86400, "mail.example.com ",
	    { NOTE(5, DUPLICATE), NOTE(6, DUPLICATE) } },
	{ "single label beside a name", S(GOOD "mx: nexthop\n"), STS_MODE_ENFORCE, 86400,
	    "mail.example.com ", { NOTE(5, MX_SINGLE_LABEL) } },
	{ "numeric top beside a name", S(GOOD "mx: mail.123\nmx: 1.2.3.400\nmx: *.99\n"),
	    STS_MODE_ENFORCE, 86400, "mail.example.com ",
	    { NOTE(5, MX_NUMERIC), NOTE(6, MX_NUMERIC), NOTE(7, MX_NUMERIC) } },
	{ "wildcard of a top-level name", S(V E A "mx: *.com\n"), STS_MODE_ENFORCE, 86400,
	    "*.com ", { { 0 } } },
	{ "none with a single label only", S(V "mode: none\n" A "mx: localhost\n"),
	    STS_MODE_NONE, 86400, "", { NOTE(4, MX_SINGLE_LABEL) } },
	{ "longest names", S(V E A "mx: " N253 "\nmx: *." N253 "\n"), STS_MODE_ENFORCE,
	    86400, N253 " *." N253 " ", { { 0 } } },
	{ "name of 254", S(V E A "mx: a" N253 "\n"), 0, 0, NULL, { NOTE(4, MX_VALUE) } },

	/* max_age. */
	{ "max_age 0", S(V E "max_age: 0\n" M), STS_MODE_ENFORCE, 0, "mail.example.com ",
	    { NOTE(3, MAX_AGE_SHORT) } },
	{ "max_age 1", S(V E "max_age: 1\n" M), STS_MODE_ENFORCE, 1, "mail.example.com ",
	    { NOTE(3, MAX_AGE_SHORT) } },
	{ "a second less than a day", S(V E "max_age: 86399\n" M), STS_MODE_ENFORCE,
	    86399, "mail.example.com ", { NOTE(3, MAX_AGE_SHORT) } },
	{ "the maximum", S(V E "max_age: 31557600\n" M), STS_MODE_ENFORCE, 31557600,
	    "mail.example.com ", { { 0 } } },
	{ "above the maximum", S(V E "max_age: 31557601\n" M), STS_MODE_ENFORCE, 31557600,
	    "mail.example.com ", { NOTE(3, MAX_AGE_CLAMPED) } },
	{ "ten digits", S(V E "max_age: 9999999999\n" M), STS_MODE_ENFORCE, 31557600,
	    "mail.example.com ", { NOTE(3, MAX_AGE_CLAMPED) } },
	{ "ten digits, zeros first", S(V E "max_age: 0000086400\n" M), STS_MODE_ENFORCE,
	    86400, "mail.example.com ", { { 0 } } },
	{ "eleven digits", S(V E "max_age: 99999999999\n" M), 0, 0, NULL,
	    { NOTE(3, MAX_AGE_VALUE) } },
	{ "eleven digits of a small number", S(V E "max_age: 00000086400\n" M), 0, 0,
	    NULL, { NOTE(3, MAX_AGE_VALUE) } },
	{ "exponent", S(V E "max_age: 1e5\n" M), 0, 0, NULL, { NOTE(3, MAX_AGE_VALUE) } },
	{ "negative", S(V E "max_age: -1\n" M), 0, 0, NULL, { NOTE(3, MAX_AGE_VALUE) } },
	{ "two numbers", S(V E "max_age: 1 2\n" M), 0, 0, NULL,
	    { NOTE(3, MAX_AGE_VALUE) } },
	{ "no number", S(V E "max_age:\n" M), 0, 0, NULL, { NOTE(3, MAX_AGE_VALUE) } },
	{ "the first is bad", S(V E "max_age: x\n" A M), 0, 0, NULL,
	    { NOTE(3, MAX_AGE_VALUE), NOTE(4, DUPLICATE) } },

	/* version, mode. */
	{ "version 2", S("version: STSv2\n" E A M), 0, 0, NULL,
	    { NOTE(1, VERSION_VALUE) } },
	{ "version in lower case", S("version: stsv1\n" E A M), 0, 0, NULL,
	    { NOTE(1, VERSION_VALUE) } },
	{ "no version", S(E A M), 0, 0, NULL, { NOTE(0, VERSION_MISSING) } },
	{ "Version", S("Version: STSv1\n" E A M), 0, 0, NULL,
	    { NOTE(1, KEY_CASE), NOTE(0, VERSION_MISSING) } },
	{ "the record's form", S("v=STSv1\n" E A M), 0, 0, NULL,
	    { NOTE(1, LINE_MALFORMED), NOTE(0, VERSION_MISSING) } },
	{ "unknown mode", S(V "mode: report\n" A M), 0, 0, NULL,
	    { NOTE(2, MODE_VALUE) } },
	{ "mode in upper case", S(V "mode: Enforce\n" A M), 0, 0, NULL,
	    { NOTE(2, MODE_VALUE) } },
	{ "no mode", S(V A M), 0, 0, NULL, { NOTE(0, MODE_MISSING) } },
	{ "no max_age", S(V E M), 0, 0, NULL, { NOTE(0, MAX_AGE_MISSING) } },
	{ "max-age", S(V E "max-age: 86400\n" M), 0, 0, NULL,
	    { NOTE(3, KEY_UNKNOWN), NOTE(0, MAX_AGE_MISSING) } },
	{ "blank before the colon", S(V "mode : enforce\n" A M), 0, 0, NULL,
	    { NOTE(2, MODE_VALUE) } },
	{ "blank before the name", S(" version: STSv1\n" E A M), 0, 0, NULL,
	    { NOTE(1, VERSION_VALUE) } },
	{ "equals sign", S(V E "max_age=86400\n" M), 0, 0, NULL,
	    { NOTE(3, MAX_AGE_VALUE) } },
	{ "two fields in one line", S(V "mode: enforce max_age: 86400\n" M), 0, 0, NULL,
	    { NOTE(2, MODE_VALUE), NOTE(0, MAX_AGE_MISSING) } },
	{ "all is missing", S(""), 0, 0, NULL,
	    { NOTE(0, VERSION_MISSING), NOTE(0, MODE_MISSING),
		NOTE(0, MAX_AGE_MISSING) } },
	{ "a web page", S("<html>\n"), 0, 0, NULL,
	    { NOTE(1, LINE_MALFORMED), NOTE(0, VERSION_MISSING), NOTE(0, MODE_MISSING),
		NOTE(0, MAX_AGE_MISSING) } },

	/* mx. */
	{ "enforce without mx", S(V E A), 0, 0, NULL, { NOTE(0, MX_MISSING) } },
	{ "testing without mx", S(V "mode: testing\n" A), 0, 0, NULL,
	    { NOTE(0, MX_MISSING) } },
	{ "only a misspelt mx", S(V E A "nmx: a.de\n"), 0, 0, NULL,
	    { NOTE(4, KEY_UNKNOWN), NOTE(0, MX_MISSING) } },
	{ "only unusable mx", S(V E A "mx: localhost\nmx: a.1\n"), 0, 0, NULL,
	    { NOTE(4, MX_SINGLE_LABEL), NOTE(5, MX_NUMERIC), NOTE(0, MX_NONE_LEFT) } },
	{ "empty mx", S(GOOD "mx:\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "star", S(GOOD "mx: *\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "star and dot", S(GOOD "mx: *.\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "star inside", S(GOOD "mx: a.*.b\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "star before letters", S(GOOD "mx: *foo.b\n"), 0, 0, NULL,
	    { NOTE(5, MX_VALUE) } },
	{ "star at the end", S(GOOD "mx: foo.*\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "two stars", S(GOOD "mx: *.*.b\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "leading dot", S(GOOD "mx: .b.de\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "two dots at the end", S(GOOD "mx: b.de..\n"), 0, 0, NULL,
	    { NOTE(5, MX_VALUE) } },
	{ "underscore", S(GOOD "mx: a_b.de\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "label of 64", S(GOOD "mx: " A63 "a.de\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "preference", S(GOOD "mx: 10 a.de\n"), 0, 0, NULL, { NOTE(5, MX_LIST) } },
	{ "list with commas", S(GOOD "mx: a.de,b.de\n"), 0, 0, NULL,
	    { NOTE(5, MX_LIST) } },
	{ "list with blanks", S(GOOD "mx: a.de b.de\n"), 0, 0, NULL,
	    { NOTE(5, MX_LIST) } },
	{ "attributes for Postfix", S(GOOD "mx: a.de protocols=x\n"), 0, 0, NULL,
	    { NOTE(5, MX_LIST) } },
	{ "colon", S(GOOD "mx: a.de:b.de\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "IPv4", S(GOOD "mx: 192.0.2.1\n"), 0, 0, NULL, { NOTE(5, MX_ADDRESS) } },
	{ "IPv4 and a dot", S(GOOD "mx: 192.0.2.1.\n"), 0, 0, NULL,
	    { NOTE(5, MX_DOT), NOTE(5, MX_ADDRESS) } },
	{ "IPv4 in brackets", S(GOOD "mx: [192.0.2.1]\n"), 0, 0, NULL,
	    { NOTE(5, MX_ADDRESS) } },
	{ "IPv6", S(GOOD "mx: 2001:db8::1\n"), 0, 0, NULL, { NOTE(5, MX_ADDRESS) } },
	{ "IPv6 literal", S(GOOD "mx: [IPv6:2001:db8::1]\n"), 0, 0, NULL,
	    { NOTE(5, MX_ADDRESS) } },
	{ "IPv6 without brackets", S(GOOD "mx: ipv6:::1\n"), 0, 0, NULL,
	    { NOTE(5, MX_ADDRESS) } },
	{ "open bracket", S(GOOD "mx: [192.0.2.1\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "a lone bracket", S(GOOD "mx: [\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "IPv6 and nothing", S(GOOD "mx: IPv6:\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "U-label", S(GOOD "mx: gr\xc3\xbc.de\n"), 0, 0, NULL,
	    { NOTE(5, MX_NON_ASCII) } },
	{ "blank before the colon of mx", S(GOOD "mx : a.de\n"), 0, 0, NULL,
	    { NOTE(5, MX_VALUE) } },
	{ "blank before mx", S(GOOD " mx: a.de\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "mx without a colon", S(GOOD "mx a.de\n"), 0, 0, NULL, { NOTE(5, MX_VALUE) } },
	{ "mx under none is read too", S(V "mode: none\n" A "mx: *\n"), 0, 0, NULL,
	    { NOTE(4, MX_VALUE) } },

	/* Bytes. */
	{ "NUL", S(GOOD "foo: a\0b\n"), 0, 0, NULL, { NOTE(5, CONTROL_BYTE) } },
	{ "NUL in a name", S(V E A "mx: a\0.de\n"), 0, 0, NULL,
	    { NOTE(4, CONTROL_BYTE) } },
	{ "escape", S(GOOD "foo: \x1b[1m\n"), 0, 0, NULL, { NOTE(5, CONTROL_BYTE) } },
	{ "DEL", S(GOOD "foo: 1234567\x7f\n"), 0, 0, NULL, { NOTE(5, CONTROL_BYTE) } },
	{ "form feed alone", S(GOOD "\f\n"), 0, 0, NULL, { NOTE(5, CONTROL_BYTE) } },
	{ "unit separator in the ninth byte", S(GOOD "foo: 123\x1f\n"), 0, 0, NULL,
	    { NOTE(5, CONTROL_BYTE) } },
	{ "CR inside", S(GOOD "foo: a\rb\n"), 0, 0, NULL, { NOTE(5, BARE_CR) } },
	{ "two CR", S(GOOD "foo: a\r\r\n"), 0, 0, NULL, { NOTE(5, BARE_CR) } },
	{ "CR at the end", S(V E A "mx: a.de\r"), 0, 0, NULL, { NOTE(4, BARE_CR) } },
	{ "CR as line end",
	    S("version: STSv1\rmode: enforce\rmax_age: 86400\rmx: a.de\r"), 0, 0, NULL,
	    { NOTE(1, BARE_CR) } },
	{ "CR and NUL", S(GOOD "a\rb\0\n"), 0, 0, NULL,
	    { NOTE(5, BARE_CR), NOTE(5, CONTROL_BYTE) } },
	{ "C1 in UTF-8 is no ASCII control", S(GOOD "foo: \xc2\x85\n"), STS_MODE_ENFORCE,
	    86400, "mail.example.com ", { NOTE(5, KEY_UNKNOWN) } },
	{ "a second byte order mark", S("\xef\xbb\xbf\xef\xbb\xbf" V E A M), 0, 0, NULL,
	    { NOTE(1, BYTE_ORDER_MARK), NOTE(1, LINE_MALFORMED),
		NOTE(0, VERSION_MISSING) } },
	{ "UTF-16", S("\xff\xfev\0e\0r\0"), 0, 0, NULL, { NOTE(1, CONTROL_BYTE) } },

	{ "all errors are found", S("version: 1\nmode: x\nmax_age: y\nmx: *\nmx: a b\n"),
	    0, 0, NULL,
	    { NOTE(1, VERSION_VALUE), NOTE(2, MODE_VALUE), NOTE(3, MAX_AGE_VALUE),
		NOTE(4, MX_VALUE), NOTE(5, MX_LIST) } },
	{ "missing mx is found beside others", S("version: 1\n" E A), 0, 0, NULL,
	    { NOTE(1, VERSION_VALUE), NOTE(0, MX_MISSING) } },
};

struct notes {
	struct note_at seen[NOTES_MAX];
	size_t count;
	bool outside; /* a note's text is not of the policy */
	struct sts_str text;
};

static void
on_note(void *arg, enum sts_policy_note note, size_t line, struct sts_str text)
{
	struct notes *n = arg;

	if (n->count < NOTES_MAX)
		n->seen[n->count] = (struct note_at){ line + 1, note };
	n->count++;
	if (text.p < n->text.p || text.p + text.n > n->text.p + n->text.n)
		n->outside = true;
}

static void
check_notes(const char *what, const struct note_at *want, const struct notes *got)
{
	size_t count = 0;

	while (count < NOTES_MAX && want[count].line_1 != 0)
		count++;
	CHECK(what, got->count == count);
	CHECK(what, !got->outside);
	for (size_t i = 0; i < count; i++)
		CHECK(what,
		    got->seen[i].line_1 == want[i].line_1 &&
			got->seen[i].note == want[i].note);
}

static void
check_mx(const char *what, const struct sts_policy *policy, const char *want)
{
	struct sts_str rest = policy->text, pattern, left = sts_str_of(want), next;
	size_t count = 0;

	while (sts_policy_mx(&rest, &pattern)) {
		CHECK(what, sts_str_cut(&left, ' ', &next) && sts_str_eq(next, pattern));
		count++;
	}
	CHECK(what, left.n == 0);
	CHECK(what, count == policy->mx_count);
}

static void
test_parse(void)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		struct sts_policy policy = { .mx_count = 77 };
		struct notes notes = { .text = cases[i].text };
		enum sts_err err =
		    sts_policy_parse(cases[i].text, &policy, on_note, &notes);

		check_notes(what, cases[i].notes, &notes);
		if (cases[i].mx == NULL) {
			CHECK(what,
			    err == STS_ERR_POLICY_SYNTAX && policy.mx_count == 77);
			CHECK(what,
			    sts_policy_parse(cases[i].text, &policy, NULL, NULL) == err);
			continue;
		}
		CHECK(what, err == STS_OK);
		CHECK(what, policy.mode == cases[i].mode);
		CHECK(what, policy.max_age == cases[i].max_age);
		check_mx(what, &policy, cases[i].mx);

		policy.mx_count = 77;
		CHECK(what,
		    sts_policy_parse(cases[i].text, &policy, NULL, NULL) == STS_OK);
		CHECK(what, policy.max_age == cases[i].max_age && policy.mx_count != 77);
	}
}

static void
test_size(void)
{
	static char text[STS_POLICY_MAX + 1];
	struct sts_str good = STS_STR(GOOD);
	struct sts_policy policy;
	struct notes notes = { .text = { text, sizeof(text) } };

	memset(text, 'x', sizeof(text));
	memcpy(text, good.p, good.n);
	CHECK("65536 bytes",
	    sts_policy_parse((struct sts_str){ text, STS_POLICY_MAX }, &policy, NULL,
		NULL) == STS_OK);
	CHECK("65537 bytes",
	    sts_policy_parse((struct sts_str){ text, STS_POLICY_MAX + 1 }, &policy,
		on_note, &notes) == STS_ERR_POLICY_SYNTAX);
	CHECK("65537 bytes",
	    notes.count == 1 && notes.seen[0].note == STS_NOTE_TOO_BIG &&
		notes.seen[0].line_1 == 1);
	CHECK("no bytes",
	    sts_policy_parse(STS_STR_NONE, &policy, NULL, NULL) == STS_ERR_POLICY_SYNTAX);
}

/* The last line of a good policy, replaced: its first note, or none. */
static enum sts_policy_note
note_of(struct sts_str line)
{
	static char text[256];
	struct sts_str good = STS_STR(GOOD);
	struct notes notes = { .text = { text, good.n + line.n } };
	struct sts_policy policy;

	memcpy(text, good.p, good.n);
	memcpy(text + good.n, line.p, line.n);
	(void)sts_policy_parse(notes.text, &policy, on_note, &notes);
	return notes.count == 0 ? STS_NOTES : notes.seen[0].note;
}

/* Each byte, at each place in a word, beside each kind of byte. */
static void
test_bytes(void)
{
	static const unsigned char beside[] = { ' ', 'a', 0x7e, 0x80, 0xff };
	static const char name_bytes[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789_-.:";

	for (unsigned c = 0; c < 256; c++) {
		bool control = (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f;
		char name[] = { 'a', (char)(unsigned char)c, ':', 'v' };
		char *member = memchr(name_bytes, (int)c, sizeof(name_bytes) - 1);
		bool known = note_of((struct sts_str){ name, 4 }) == STS_NOTE_KEY_UNKNOWN;

		CHECK("name", known == (member != NULL));
		for (size_t at = 0; at < 3 * COUNT(beside) * 9; at++) {
			char line[26];
			size_t n = 9 + at / (COUNT(beside) * 9);

			memset(line, beside[at % COUNT(beside)], sizeof(line));
			line[at / COUNT(beside) % 9] = (char)(unsigned char)c;
			enum sts_policy_note note = note_of((struct sts_str){ line, n });

			CHECK("control",
			    (note == STS_NOTE_CONTROL_BYTE || note == STS_NOTE_BARE_CR) ==
				control);
		}
	}
	CHECK("a name of one digit", note_of(STS_STR("0:v")) == STS_NOTE_KEY_UNKNOWN);
	CHECK("a value of one byte", note_of(STS_STR("a:v")) == STS_NOTE_KEY_UNKNOWN);
	CHECK("_ first", note_of(STS_STR("_a:v")) == STS_NOTE_LINE_MALFORMED);
	CHECK("- first", note_of(STS_STR("-a:v")) == STS_NOTE_LINE_MALFORMED);
	CHECK(". first", note_of(STS_STR(".a:v")) == STS_NOTE_LINE_MALFORMED);
	CHECK("nothing", note_of(STS_STR("")) == STS_NOTES);
}

static void
test_walks(void)
{
	struct sts_str text = STS_STR("a\r\n\nmx: b.\nmx: 1.2\nmx:\tc.de.\r\nmx: d"),
		       rest, s;

	rest = text;
	CHECK("line", sts_policy_line(&rest, &s) && sts_str_eq(s, STS_STR("a")));
	CHECK("blank line", sts_policy_line(&rest, &s) && s.n == 0);
	CHECK("third line",
	    sts_policy_line(&rest, &s) && sts_str_eq(s, STS_STR("mx: b.")));
	rest = STS_STR("a\n\n");
	CHECK("a blank line at the end",
	    sts_policy_line(&rest, &s) && sts_policy_line(&rest, &s) &&
		!sts_policy_line(&rest, &s));
	rest = STS_STR("a\r");
	CHECK("a CR without LF stays", sts_policy_line(&rest, &s) && s.n == 2);
	CHECK("and then nothing", !sts_policy_line(&rest, &s));

	rest = text;
	CHECK("all", sts_policy_mx_all(&rest, &s) && sts_str_eq(s, STS_STR("b")));
	CHECK("all", sts_policy_mx_all(&rest, &s) && sts_str_eq(s, STS_STR("1.2")));
	CHECK("all", sts_policy_mx_all(&rest, &s) && sts_str_eq(s, STS_STR("c.de")));
	CHECK("all", sts_policy_mx_all(&rest, &s) && sts_str_eq(s, STS_STR("d")));
	CHECK("all", !sts_policy_mx_all(&rest, &s));
	rest = text;
	CHECK("usable", sts_policy_mx(&rest, &s) && sts_str_eq(s, STS_STR("c.de")));
	CHECK("usable", !sts_policy_mx(&rest, &s));
}

static void
test_words(void)
{
	for (unsigned i = 0; i < STS_NOTES; i++) {
		const char *id = sts_policy_note_id((enum sts_policy_note)i);

		CHECK("an id",
		    id != NULL && strlen(id) == 5 && strncmp(id, "POL", 3) == 0);
		CHECK("a text", sts_policy_note_text((enum sts_policy_note)i) != NULL);
	}
	CHECK("mode", strcmp(sts_mode_text(STS_MODE_ENFORCE), "enforce") == 0);
	CHECK("mode", strcmp(sts_mode_text(STS_MODE_TESTING), "testing") == 0);
	CHECK("mode", strcmp(sts_mode_text(STS_MODE_NONE), "none") == 0);
}

int
main(void)
{
	test_parse();
	test_size();
	test_bytes();
	test_walks();
	test_words();
	return test_failed;
}
