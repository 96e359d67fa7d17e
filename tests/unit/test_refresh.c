/* SPDX-License-Identifier: MIT */
#include "refresh.h"

#include <string.h>

#include "test.h"

int test_failed;

#define NOW 1000000000

/* The seconds until a refresh, over many domains: the earliest and the latest. */
static const struct {
	const char *what;
	uint32_t max_age;
	uint32_t interval;
	uint16_t failures;
	long earliest, latest;
} rows[] = {
	{ "a day", 604800, 86400, 0, 77760, 95022 },
	{ "half of max_age", 7200, 86400, 0, 3240, 3959 },
	{ "refresh_interval", 604800, 7200, 0, 6480, 7918 },
	{ "never under a minute, nor after it expires", 60, 86400, 0, 60, 60 },
	{ "an interval below a minute", 604800, 1, 0, 60, 60 + 5 },
	{ "first failure", 604800, 86400, 1, 300, 329 },
	{ "second failure", 604800, 86400, 2, 540, 659 },
	{ "third failure", 604800, 86400, 3, 1080, 1319 },
	{ "ninth failure", 31557600, 604800, 9, 69120, 84464 },
	{ "tenth failure", 31557600, 604800, 10, 69120, 84464 },
	{ "many failures", 31557600, 604800, 65535, 69120, 84464 },
	{ "failures of a short policy", 600, 86400, 5, 300, 329 },
};

static void
test_bounds(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sts_rules rules = { .refresh_interval = rows[i].interval,
			.refresh_unused = 86400000 };
		struct sts_entry e = { .fetched = NOW,
			.max_age = rows[i].max_age,
			.asked = NOW,
			.failures = rows[i].failures,
			.failed_at = rows[i].failures > 0 ? NOW : 0 };
		long earliest = 1L << 40, latest = 0;

		for (int n = 0; n < 20000; n++) {
			char domain[32];
			long due;

			(void)snprintf(domain, sizeof(domain), "d%d.example", n);
			due =
			    (long)(sts_refresh_due(&e, sts_str_of(domain), &rules) - NOW);
			earliest = due < earliest ? due : earliest;
			latest = due > latest ? due : latest;
		}
		if (earliest != rows[i].earliest || latest != rows[i].latest) {
			fprintf(stderr, "%s: %ld..%ld\n", rows[i].what, earliest, latest);
			test_failed = 1;
		}
	}
}

int
main(void)
{
	struct sts_str domain = STS_STR("example.com");
	struct sts_rules rules = { .refresh_interval = 86400, .refresh_unused = 1000000 };
	struct sts_entry e = { .fetched = NOW, .max_age = 604800, .asked = NOW };
	struct sts_entry nothing = { 0 };
	int64_t due = sts_refresh_due(&e, domain, &rules);
	struct sts_entry mended = { .fetched = NOW,
		.max_age = 120,
		.asked = NOW,
		.failed_at = NOW - 60 };

	test_bounds();
	CHECK("one that lives shorter than a failure counts",
	    sts_refresh_due(&mended, domain, &rules) == NOW + 120);
	mended.max_age = 300;
	CHECK("not fetched before a fetch is allowed",
	    sts_refresh_due(&mended, domain, &rules) == NOW + 240);
	CHECK("no policy", sts_refresh_due(&nothing, domain, &rules) == INT64_MAX);
	CHECK("no policy",
	    sts_refresh_what(&nothing, domain, &rules, NOW) == STS_REFRESH_WAIT);
	CHECK("early", sts_refresh_what(&e, domain, &rules, due - 1) == STS_REFRESH_WAIT);
	CHECK("due", sts_refresh_what(&e, domain, &rules, due) == STS_REFRESH_FETCH);
	CHECK("late",
	    sts_refresh_what(&e, domain, &rules, NOW + 604799) == STS_REFRESH_FETCH);
	CHECK("expired",
	    sts_refresh_what(&e, domain, &rules, NOW + 604800) == STS_REFRESH_DROP);
	e.asked = due - rules.refresh_unused;
	CHECK("used just lately enough", sts_refresh_due(&e, domain, &rules) == due);
	e.asked--;
	CHECK("unused", sts_refresh_due(&e, domain, &rules) == NOW + 604800);
	e.asked = NOW;
	e.max_age = 61;
	CHECK("not after it expires", sts_refresh_due(&e, domain, &rules) <= NOW + 61);
	return test_failed;
}
