/* SPDX-License-Identifier: MIT */
#include "str.h"

#include <stdint.h>
#include <string.h>

#include "test.h"

int test_failed;

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define S(literal)                                                                       \
 {                                                                                       \
  (literal), sizeof(literal) - 1                                                         \
 }

static const struct {
	const char *what;
	struct sts_str a, b;
	bool eq, nocase, starts, ends;
	int order;
} pairs[] = {
	{ "equal", S("abc"), S("abc"), true, true, true, true, 0 },
	{ "case", S("aBc"), S("AbC"), false, true, false, false, 1 },
	{ "only ASCII case", S("\xc3\xa4"), S("\xc3\x84"), false, false, false, false,
	    1 },
	{ "not letters", S("@["), S("`{"), false, false, false, false, -1 },
	{ "prefix", S("abcd"), S("ab"), false, false, true, false, 1 },
	{ "suffix", S("abcd"), S("cd"), false, false, false, true, -1 },
	{ "longer prefix", S("ab"), S("abc"), false, false, false, false, -1 },
	{ "empty in all", S("a"), S(""), false, false, true, true, 1 },
	{ "no address", S("a"), { NULL, 0 }, false, false, true, true, 1 },
	{ "two without address", { NULL, 0 }, { NULL, 0 }, true, true, true, true, 0 },
	{ "NUL counts", S("a\0b"), S("a\0c"), false, false, false, false, -1 },
	{ "high bytes are large", S("\xff"), S("a"), false, false, false, false, 1 },
};

static int
sign(int n)
{
	return (n > 0) - (n < 0);
}

static void
test_pairs(void)
{
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct sts_str a = pairs[i].a, b = pairs[i].b;

		CHECK(pairs[i].what, sts_str_eq(a, b) == pairs[i].eq);
		CHECK(pairs[i].what, sts_str_eq_nocase(a, b) == pairs[i].nocase);
		CHECK(pairs[i].what, sts_str_starts(a, b) == pairs[i].starts);
		CHECK(pairs[i].what, sts_str_ends(a, b) == pairs[i].ends);
		CHECK(pairs[i].what, sign(sts_str_cmp(a, b)) == pairs[i].order);
		CHECK(pairs[i].what, sign(sts_str_cmp(b, a)) == -pairs[i].order);
	}
}

static const struct {
	const char *what;
	struct sts_str text, trimmed;
} trims[] = {
	{ "nothing to do", S("a b"), S("a b") },
	{ "both ends", S(" \ta\t "), S("a") },
	{ "only blanks", S(" \t "), S("") },
	{ "one blank", S(" "), S("") },
	{ "a line end is no blank", S(" a\n"), S("a\n") },
	{ "nothing at all", { NULL, 0 }, S("") },
};

static const struct {
	const char *what;
	struct sts_str text;
	bool found;
	struct sts_str head, rest;
} cuts[] = {
	{ "in the middle", S("a.b.c"), true, S("a"), S("b.c") },
	{ "at the start", S(".b"), true, S(""), S("b") },
	{ "at the end", S("a."), true, S("a"), S("") },
	{ "not there", S("ab"), false, S("ab"), S("") },
	{ "empty", S(""), false, S(""), S("") },
	{ "no address", { NULL, 0 }, false, S(""), S("") },
};

static const struct {
	const char *what;
	struct sts_str text;
	unsigned long long max;
	bool ok;
	unsigned long long number;
} numbers[] = {
	{ "zero", S("0"), 9, true, 0 },
	{ "the maximum", S("65535"), 65535, true, 65535 },
	{ "one above", S("65536"), 65535, false, 0 },
	{ "above in the last digit", S("19"), 18, false, 0 },
	{ "a digit above the maximum", S("5"), 3, false, 0 },
	{ "leading zeros", S("007"), 9, true, 7 },
	{ "largest of all", S("18446744073709551615"), UINT64_MAX, true, UINT64_MAX },
	{ "one too large for any", S("18446744073709551616"), UINT64_MAX, false, 0 },
	{ "much too large", S("99999999999999999999999"), UINT64_MAX, false, 0 },
	{ "empty", S(""), 9, false, 0 },
	{ "sign", S("+1"), 9, false, 0 },
	{ "minus", S("-1"), 9, false, 0 },
	{ "blank", S(" 1"), 9, false, 0 },
	{ "colon", S("1:"), 999, false, 0 },
	{ "slash", S("1/"), 999, false, 0 },
	{ "the maximum is the last digit", S("9"), 9, true, 9 },
	{ "letter after", S("1e5"), 999999, false, 0 },
	{ "NUL after", S("1\0"), 9, false, 0 },
};

static void
test_parts(void)
{
	for (size_t i = 0; i < COUNT(trims); i++)
		CHECK(trims[i].what,
		    sts_str_eq(sts_str_trim(trims[i].text), trims[i].trimmed));
	for (size_t i = 0; i < COUNT(cuts); i++) {
		struct sts_str s = cuts[i].text, head;

		CHECK(cuts[i].what, sts_str_cut(&s, '.', &head) == cuts[i].found);
		CHECK(cuts[i].what, sts_str_eq(head, cuts[i].head));
		CHECK(cuts[i].what, sts_str_eq(s, cuts[i].rest));
	}
	for (size_t i = 0; i < COUNT(numbers); i++) {
		unsigned long long n = 77;

		CHECK(numbers[i].what,
		    sts_str_number(numbers[i].text, numbers[i].max, &n) == numbers[i].ok);
		CHECK(numbers[i].what, n == (numbers[i].ok ? numbers[i].number : 77));
	}
	CHECK("of NULL", sts_str_of(NULL).n == 0);
	CHECK("of a text", sts_str_eq(sts_str_of("ab"), STS_STR("ab")));
	CHECK("from", sts_str_eq(sts_str_from(STS_STR("abc"), 1), STS_STR("bc")));
	CHECK("from the end", sts_str_from(STS_STR("abc"), 3).n == 0);
	CHECK("head", sts_str_eq(sts_str_head(STS_STR("abc"), 2), STS_STR("ab")));
}

static const struct {
	const char *what;
	struct sts_str text;
	size_t n;
	uint32_t code;
} characters[] = {
	{ "ASCII", S("a"), 1, 'a' },
	{ "NUL", S("\0"), 1, 0 },
	{ "last of one byte", S("\x7f"), 1, 0x7f },
	{ "first of two", S("\xc2\x80"), 2, 0x80 },
	{ "last of two", S("\xdf\xbf"), 2, 0x7ff },
	{ "first of three", S("\xe0\xa0\x80"), 3, 0x800 },
	{ "last of three", S("\xef\xbf\xbf"), 3, 0xffff },
	{ "first of four", S("\xf0\x90\x80\x80"), 4, 0x10000 },
	{ "last of all", S("\xf4\x8f\xbf\xbf"), 4, 0x10ffff },
	{ "more behind", S("\xc3\xa4x"), 2, 0xe4 },
	{ "above the last", S("\xf4\x90\x80\x80"), 0, 0 },
	{ "overlong of two", S("\xc1\xbf"), 0, 0 },
	{ "overlong of three", S("\xe0\x9f\xbf"), 0, 0 },
	{ "overlong of four", S("\xf0\x8f\xbf\xbf"), 0, 0 },
	{ "before the surrogates", S("\xed\x9f\xbf"), 3, 0xd7ff },
	{ "first surrogate", S("\xed\xa0\x80"), 0, 0 },
	{ "last surrogate", S("\xed\xbf\xbf"), 0, 0 },
	{ "a lone continuation", S("\x80"), 0, 0 },
	{ "after the surrogates", S("\xee\x80\x80"), 3, 0xe000 },
	{ "a first byte of five", S("\xf8\x80\x80\x80"), 0, 0 },
	{ "cut short", S("\xe2\x82"), 0, 0 },
	{ "continued by ASCII", S("\xc3 "), 0, 0 },
	{ "continued by a first byte", S("\xe2\x82\xc3"), 0, 0 },
	{ "five bytes", S("\xf8\x88\x80\x80\x80"), 0, 0 },
	{ "nothing", S(""), 0, 0 },
};

static void
test_utf8(void)
{
	for (size_t i = 0; i < COUNT(characters); i++) {
		uint32_t code = 0;

		CHECK(characters[i].what,
		    sts_str_utf8(characters[i].text, &code) == characters[i].n);
		CHECK(characters[i].what, code == characters[i].code);
	}
}

static void
test_cursor(void)
{
	struct sts_cursor c = { STS_STR("id=abc \t;"), false };

	CHECK("another literal stays", !sts_eat_if(&c, STS_STR("ID=")) && !c.bad);
	CHECK("a literal", sts_eat_if(&c, STS_STR("id=")));
	CHECK("a run up to max", sts_eat_run(&c, "abc", 1, 2).n == 2);
	CHECK("its rest", sts_str_eq(sts_eat_run(&c, "abc", 1, 9), STS_STR("c")));
	sts_eat_blanks(&c);
	sts_eat(&c, STS_STR(";"));
	CHECK("all eaten", !c.bad && c.rest.n == 0);
	CHECK("an empty run is fine", sts_eat_run(&c, "a", 0, 1).n == 0 && !c.bad);
	CHECK("too short a run is none", sts_eat_run(&c, "a", 1, 9).n == 0 && c.bad);

	c = (struct sts_cursor){ STS_STR("aab"), false };
	CHECK("below the minimum", sts_eat_run(&c, "a", 3, 9).n == 0 && c.bad);
	CHECK("nothing was eaten", c.rest.n == 3);
	CHECK("bad eats no literal", !sts_eat_if(&c, STS_STR("a")));
	CHECK("bad eats no run", sts_eat_run(&c, "a", 0, 9).n == 0);

	c = (struct sts_cursor){ STS_STR("\0a"), false };
	CHECK("NUL is in no set", sts_eat_run(&c, "a", 0, 9).n == 0 && !c.bad);
	sts_eat(&c, STS_STR("x"));
	CHECK("a mismatch is bad", c.bad);
}

int
main(void)
{
	test_pairs();
	test_parts();
	test_utf8();
	test_cursor();
	return test_failed;
}
