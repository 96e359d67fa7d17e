/* SPDX-License-Identifier: MIT */
#include "httpdate.h"

#include "test.h"

int test_failed;

static const struct {
	const char *text;
	int64_t seconds; /* -1: none */
} cases[] = {
	{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
	{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
	{ "Sun, 22 Nov 2026 00:00:00 GMT", 1795305600 },
	{ "Tue, 29 Feb 2000 23:59:59 GMT", 951868799 },
	{ "Thu, 29 Feb 2024 00:00:00 GMT", 1709164800 },
	{ "Fri, 31 Dec 2100 12:00:00 GMT", 4133937600 },
	{ "Sat, 31 Dec 2016 23:59:60 GMT", 1483228799 },
	{ "Wed, 31 Dec 1969 23:59:59 GMT", -1 },
	{ "Mon, 29 Feb 2100 00:00:00 GMT", -1 },
	{ "Sun, 31 Jun 2026 00:00:00 GMT", -1 },
	{ "Sun, 00 Nov 1994 08:49:37 GMT", -1 },
	{ "Sun, 06 Nov 1994 24:00:00 GMT", -1 },
	{ "Sun, 06 Nov 1994 08:60:37 GMT", -1 },
	{ "Sun, 06 Nov 1994 08:49:61 GMT", -1 },
	{ "Sun, 06 nov 1994 08:49:37 GMT", -1 },
	{ "Sun, 06 Nov 1994 08:49:37 UTC", -1 },
	{ "Sun, 06 Nov 1994 08:49:37 GMT ", -1 },
	{ "Sun, 6 Nov 1994 08:49:37 GMT", -1 },
	{ "Sun, 06 Nov 94 08:49:37 GMT", -1 },
	{ "Sunday, 06-Nov-94 08:49:37 GMT", -1 },
	{ "Sun Nov  6 08:49:37 1994", -1 },
	{ "Sun, 06 Nov 1994 08:49 GMT", -1 },
	{ "", -1 },
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t seconds = -1;

		CHECK(cases[i].text,
		    sts_http_date(sts_str_of(cases[i].text), &seconds) ==
			(cases[i].seconds >= 0));
		CHECK(cases[i].text, seconds == cases[i].seconds);
	}
	return test_failed;
}
