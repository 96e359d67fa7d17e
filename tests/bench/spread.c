/* SPDX-License-Identifier: MIT */
/*
 * Is the refreshing of many domains spread over the day? spread [DOMAINS [DAYS]]: all were
 * fetched for the first time within one hour; by the rules (lib/refresh.h), how many are due
 * in the fullest minute of the last day, and how many in a minute on average? Needs no
 * time, and no network.
 */
#include <err.h>
#include <stdlib.h>

#include "domain.h"
#include "refresh.h"

#define DAY 86400
#define HOUR 3600
#define BEGINNING 1800000000

int
main(int argc, char **argv)
{
	static unsigned minutes[DAY / 60 + 1];
	static const struct sts_rules rules = { .refresh_interval = DAY,
		.refresh_unused = 365 * DAY };
	uint32_t domains = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
	int64_t days = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
	int64_t from = BEGINNING + days * DAY - DAY / 2, to = from + DAY;
	unsigned most = 0;
	uint64_t all = 0;
	char name[DOMAIN_N + 1];

	for (uint32_t i = 0; i < domains; i++) {
		struct sts_entry e = { .max_age = DOMAIN_MAX_AGE,
			.mode = STS_MODE_ENFORCE };
		int64_t due = BEGINNING + (int64_t)i * HOUR / domains;

		domain_name(name, DOMAIN_ENFORCE, i);
		while (due < to) {
			if (due >= from) {
				minutes[(due - from) / 60]++;
				all++;
			}
			e.fetched = e.tried = e.asked = due;
			due = sts_refresh_due(&e, sts_str_of(name), &rules);
		}
	}
	for (size_t i = 0; i < DAY / 60; i++)
		if (minutes[i] > most)
			most = minutes[i];
	(void)printf("{\"most\": %u, \"mean\": %.1f}\n", most, (double)all * 60 / DAY);
	return 0;
}
