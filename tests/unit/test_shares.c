/* SPDX-License-Identifier: MIT */
#include "shares.h"

#include "test.h"

int test_failed;

#define NONE SHARES_NOBODY

static const struct {
	const char *what;
	uint32_t clients[SHARES_MAX];
	size_t workers, worker;
	bool ahead;
} cases[] = {
	{ "alone", { 1000 }, 1, 0, false },
	{ "both have none", { 0, 0 }, 2, 0, false },
	{ "some more", { 2, 0 }, 2, 0, false },
	{ "clearly more", { 3, 0 }, 2, 0, true },
	{ "clearly less", { 3, 0 }, 2, 1, false },
	{ "the second one, too", { 0, 3 }, 2, 1, true },
	{ "of many, some more", { 1000 + 62 + 2, 1000 }, 2, 0, false },
	{ "of many, clearly more", { 1000 + 62 + 3, 1000 }, 2, 0, true },
	{ "the one with the fewest counts", { 10, 50, 2, 60 }, 4, 0, true },
	{ "not those with more", { 10, 50, 8, 60 }, 4, 0, false },
	{ "nobody is there", { 1000, NONE }, 2, 0, false },
	{ "one is there, another is not", { 1000, NONE, 3 }, 3, 0, true },
	{ "the most that can be counted", { NONE - 1, NONE - 1 }, 2, 0, false },
	{ "all places are taken", { 9 }, SHARES_MAX, 0, true },
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct shares shares;

		for (size_t w = 0; w < SHARES_MAX; w++)
			shares_set(&shares, w,
			    w < cases[i].workers ? cases[i].clients[w] : NONE);
		CHECK(cases[i].what,
		    shares_is_ahead(&shares, cases[i].worker) == cases[i].ahead);
	}
	return test_failed;
}
