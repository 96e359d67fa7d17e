/* SPDX-License-Identifier: MIT */
/*
 * Fills a cache by stsd's own code, as if stsd had learnt it all: fill [OPTION...] FILE
 *
 *	-k C	the letter of the domains, see domain.h (e)
 *	-n N	how many of them, from number 0 on
 *	-a A	fresh (looked at now, fetched in the last hours), due (to be refreshed now) or
 *		expired (fresh)
 *
 * What is fresh stays so for a day, DNS findings too: a measurement takes longer than a
 * TTL of five minutes.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "domain.h"
#include "entry.h"
#include "refresh.h"

#define DAY 86400
#define CACHE_MAX (UINT64_C(16) << 30)

static const struct sts_rules rules = { .dane = true,
	.believe = true,
	.refresh_interval = DAY,
	.refresh_unused = 30 * DAY };

static struct {
	char kind;
	uint32_t count;
	const char *age;
} it = { .kind = DOMAIN_ENFORCE, .count = 1, .age = "fresh" };

/* When its policy was fetched: the refreshes of all are spread over a day. */
static int64_t
fetched_at(uint32_t number, int64_t now)
{
	int64_t spread = (int64_t)(number % 1000) * (DAY * 4 / 5) / 1000;

	if (strcmp(it.age, "due") == 0)
		return now - 2 * DAY;
	if (strcmp(it.age, "expired") == 0)
		return now - DOMAIN_MAX_AGE - 1;
	return now - spread;
}

static void
know(struct sts_entry *e, struct sts_str mx[2], int64_t now)
{
	e->mx_at = now;
	e->mx_ttl = DAY;
	e->mx_ede = -1;
	e->mx_count = 2;
	for (uint16_t i = 0; i < 2; i++)
		e->mx[i] = (struct sts_mx_seen){ now, i, mx[i] };
	sts_entry_put_dane(e,
	    &(struct sts_dane){ .target = STS_TARGET_PLAIN,
		.at = now,
		.ttl = DAY,
		.state = STS_DANE_ABSENT,
		.plain = true,
		.ede = -1 });
}

static void
store(struct sts_cache *cache, uint32_t number, int64_t now)
{
	char name[DOMAIN_N + 1], policy[256], mx[2][DOMAIN_N + 5];
	struct sts_entry e = { .record_at = now, .record_ttl = DAY, .record_ede = -1 };
	struct sts_cache_kind kind = { .mode = STS_MODE_ENFORCE };
	struct sts_buf bytes = { 0 };
	struct sts_str domain;

	domain_name(name, it.kind, number);
	domain = sts_str_of(name);
	if (it.kind == DOMAIN_NONE) {
		e.record_err = STS_ERR_DNS_NXDOMAIN;
	} else {
		for (int i = 0; i < 2; i++)
			(void)snprintf(mx[i], sizeof(mx[i]), "mx%d.%s", i + 1, name);
		e.fetched = e.tried = fetched_at(number, now);
		e.asked = now;
		e.max_age = DOMAIN_MAX_AGE;
		e.mode = STS_MODE_ENFORCE;
		e.id = e.record_id = STS_STR("20260101000000");
		e.policy = (struct sts_str){ policy,
			domain_policy(policy, sizeof(policy), name) };
		know(&e, (struct sts_str[]){ sts_str_of(mx[0]), sts_str_of(mx[1]) }, now);
		kind.policy = true;
	}
	sts_entry_write(&e, &bytes);
	if (bytes.bad ||
	    sts_cache_put(cache, domain, sts_buf_str(&bytes), kind,
		sts_refresh_due(&e, domain, &rules), NULL, NULL) != STS_OK)
		errx(1, "%s: cannot be stored", name);
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
