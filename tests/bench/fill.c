/* SPDX-License-Identifier: MIT */
/*
 * Fills a cache by stsd's own code, as if stsd had learnt it all: fill [OPTION...] FILE
 *
 *	-k C	the letter of the domains, see domain.h (e)
 *	-n N	how many of them, from number 0 on
 *	-a A	fresh (looked at now, fetched in the last hours), due (to be refreshed now) or
 *		expired (fresh)
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "known.h"
#include "refresh.h"

#define CACHE_MAX (UINT64_C(16) << 30)

static const struct sts_rules rules = { .dane = true,
	.believe = true,
	.refresh_interval = KNOWN_DAY,
	.refresh_unused = 30 * KNOWN_DAY };

static struct {
	char kind;
	uint32_t count;
	const char *age;
} it = { .kind = DOMAIN_ENFORCE, .count = 1, .age = "fresh" };

/* When its policy was fetched: the refreshes of all are spread over a day. */
static int64_t
fetched_at(uint32_t number, int64_t now)
{
	int64_t spread = (int64_t)(number % 1000) * (KNOWN_DAY * 4 / 5) / 1000;

	if (strcmp(it.age, "due") == 0)
		return now - 2 * KNOWN_DAY;
	if (strcmp(it.age, "expired") == 0)
		return now - DOMAIN_MAX_AGE - 1;
	return now - spread;
}

static void
store(struct sts_cache *cache, uint32_t number, int64_t now)
{
	struct sts_cache_kind kind = { it.kind != DOMAIN_NONE, STS_MODE_ENFORCE, false };
	struct sts_buf bytes = { 0 };
	struct known k;

	known_make(&k, it.kind, number, now, fetched_at(number, now));
	sts_entry_write(&k.entry, &bytes);
	if (bytes.bad ||
	    sts_cache_put(cache, k.domain, sts_buf_str(&bytes), kind,
		sts_refresh_due(&k.entry, k.domain, &rules), NULL, NULL) != STS_OK)
		errx(1, "%s: cannot be stored", k.name);
	sts_buf_done(&bytes);
}

static void
fill(const char *path)
{
	struct sts_loop *loop = sts_loop_new();
	struct sts_cache *cache;
	char why[200] = "";

	if (loop == NULL ||
	    sts_cache_prepare(path, CACHE_MAX, why, sizeof(why)) != STS_OK ||
	    sts_cache_open(path, CACHE_MAX, true, loop, &cache, why, sizeof(why)) !=
		STS_OK)
		errx(1, "%s: %s", path, why);
	for (uint32_t i = 0; i < it.count; i++) {
		store(cache, i, sts_clock_now());
		if (i % STS_COMMIT_MAX == STS_COMMIT_MAX - 1)
			(void)sts_loop_once(loop, false);
	}
	if (sts_cache_flush(cache) != STS_OK)
		errx(1, "%s: cannot be written", path);
	sts_cache_close(cache);
	sts_loop_free(loop);
}

int
main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "k:n:a:")) != -1)
		switch (c) {
		case 'k':
			it.kind = optarg[0];
			break;
		case 'n':
			it.count = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'a':
			it.age = optarg;
			break;
		default:
			exit(64);
		}
	if (optind != argc - 1)
		errx(64, "usage: fill [-k KIND] [-n COUNT] [-a fresh|due|expired] FILE");
	fill(argv[optind]);
	return 0;
}
