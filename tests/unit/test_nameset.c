/* SPDX-License-Identifier: MIT */
#include "nameset.h"

#include <stdio.h>
#include <string.h>

#include "test.h"

int test_failed;

/* Names that are the beginning of one another, or differ in one late bit. */
static const char *const names[] = { "a", "b", "ab", "abc", "abcd", "abce", "abcf", "a.b",
	"a-b", "z", "zz", "zzz", "zzzz", "0", "00", "000", "0000", "00000", "m", "mx",
	"mx1", "mx2", "mx3", "mx10", "*.a.b", "*.a.c", "x.a.b", "x.a.c" };

static void
test_cases(void)
{
	struct sts_nameset s = { 0 };
	char upper[32];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CHECK(names[i], !sts_nameset_has(&s, sts_str_of(names[i])));
		CHECK(names[i], sts_nameset_add(&s, sts_str_of(names[i])));
		for (size_t j = 0; j <= i; j++) {
			size_t n = strlen(names[j]);

			CHECK(names[j], sts_nameset_has(&s, sts_str_of(names[j])));
			CHECK(names[j], !sts_nameset_add(&s, sts_str_of(names[j])));
			for (size_t k = 0; k < n; k++)
				upper[k] = names[j][k] >= 'a' && names[j][k] <= 'z'
				    ? (char)(names[j][k] - 'a' + 'A')
				    : names[j][k];
			CHECK(names[j],
			    sts_nameset_has(&s, (struct sts_str){ upper, n }));
			CHECK(names[j],
			    !sts_nameset_add(&s, (struct sts_str){ upper, n }));
		}
	}
	CHECK("count", s.count == sizeof(names) / sizeof(names[0]));
	CHECK("bad", !s.bad);
	sts_nameset_done(&s);
	CHECK("done", s.count == 0 && s.names == NULL);
	sts_nameset_done(&s);
}

/* Many, in an order that goes up, down and around. */
static void
test_many(void)
{
	enum { COUNT = 5003 };
	static char text[COUNT][8];
	struct sts_nameset s = { 0 };

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < COUNT; i++) {
			int number = i * 4001 % COUNT;

			(void)snprintf(text[number], sizeof(text[number]), "n%d", number);
			CHECK(text[number],
			    sts_nameset_add(&s, sts_str_of(text[number])) ==
				(round == 0));
		}
	sts_nameset_done(&s);
}

int
main(void)
{
	test_cases();
	test_many();
	return test_failed;
}
