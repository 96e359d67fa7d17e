/* SPDX-License-Identifier: MIT */
/*
 * The cache on a real file, while the n-th call of a kind fails, or that and all after it:
 * LMDB's, the disk's under LMDB, memory, descriptors. What was committed is there
 * afterwards, what was said to be stored is too, the rest is what it was or what it was to
 * become; and nobody is told that a sound file is damaged, for then it would be moved
 * aside.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "fault.h"
#include "test.h"

int test_failed;

#define SIZE (UINT64_C(16) << 20)
#define RETRY_MS 1
#define TURNS 2000
#define DOMAINS 24

static const struct sts_cache_kind policy = { true, STS_MODE_ENFORCE, false };
static const struct sts_cache_kind pool = { false, STS_MODE_NONE, false };

static char directory[64];
static char path[96];
static struct sts_loop *loop;
static struct sts_cache *cache;
static const char *what; /* the case, for CHECK */

/* What a domain may be found to hold. Even ones have policies. */
static struct domain {
	char name[20];
	char was[4000], is[4000];
	bool stored; /* "is" was said to be */
	bool wanted; /* "is" was asked for */
} domains[DOMAINS];

static struct sts_str
str(const char *text)
{
	return (struct sts_str){ text, strlen(text) };
}

static void
on_stored(void *arg, enum sts_err err)
{
	struct domain *d = arg;

	if (err == STS_OK)
		d->stored = true;
}

static enum sts_err
open_cache(void)
{
	const struct sts_cache_limits limits = { 100000, 5, 10000, STS_UNSAVED_BYTES,
		RETRY_MS };
	char why[256];
	enum sts_err err =
	    sts_cache_open(path, SIZE, true, loop, &cache, why, sizeof(why));

	if (err == STS_OK)
		sts_cache_set_limits(cache, &limits);
	else
		cache = NULL;
	return err;
}

static void
close_cache(void)
{
	sts_cache_close(cache);
	cache = NULL;
}

/* Some entries are larger than a page. */
static void
fill(char *text, size_t i, char c)
{
	size_t n = i % 5 == 0 ? 3900 : 40 + i;

	memset(text, c, n);
	text[n] = '\0';
}

/* Half of the domains are there, committed. */
static void
begin(void)
{
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/cache.mdb-lock", directory);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/cache.mdb", directory);
	CHECK("prepare", sts_cache_prepare(path, SIZE, NULL, 0) == STS_OK);
	CHECK("open", open_cache() == STS_OK);
	for (size_t i = 0; i < DOMAINS; i++) {
		struct domain *d = &domains[i];

		(void)snprintf(d->name, sizeof(d->name), "d%zu.example", i);
		d->stored = d->wanted = false;
		fill(d->is, i, 'b');
		d->was[0] = '\0';
		if (i >= DOMAINS / 2)
			continue;
		fill(d->was, i, 'a');
		CHECK("put",
		    sts_cache_put(cache, str(d->name), str(d->was),
			i % 2 == 0 ? policy : pool, (int64_t)i, NULL, NULL) == STS_OK);
	}
	CHECK("flush", sts_cache_flush(cache) == STS_OK);
	close_cache();
}

static bool
holds(const struct domain *d, struct sts_str bytes)
{
	return (d->wanted && sts_str_eq(bytes, str(d->is))) ||
	    (!d->stored && sts_str_eq(bytes, str(d->was)));
}

/* err: of the get; while calls fail it may be anything but a wrong answer. */
static void
look(bool failing)
{
	for (size_t i = 0; i < DOMAINS; i++) {
		const struct domain *d = &domains[i];
		struct sts_str bytes;
		enum sts_err err = sts_cache_get(cache, str(d->name), &bytes);

		if (err == STS_OK)
			CHECK(what, holds(d, bytes));
		else if (err == STS_ERR_CACHE_NONE)
			CHECK(what, d->was[0] == '\0' && !d->stored);
		else
			CHECK(what, failing);
	}
	sts_cache_pause(cache);
}

static void
on_due(void *arg, struct sts_str domain)
{
	(void)domain;
	++*(size_t *)arg;
}

static bool
on_entry(void *arg, struct sts_str domain, struct sts_str bytes)
{
	(void)domain;
	(void)bytes;
	++*(size_t *)arg;
	return true;
}

/* A day in the life: all of it may fail. */
static void
live(void)
{
	struct sts_cache_stats stats;
	struct sts_clock_mark mark;
	size_t n = 0;
	int64_t next;
	char why[256];
	enum sts_err err = sts_cache_prepare(path, SIZE, why, sizeof(why));

	CHECK("a sound file is called damaged", err != STS_ERR_CACHE);
	if (err != STS_OK)
		return;
	err = open_cache();
	CHECK("a sound file is called damaged", err != STS_ERR_CACHE);
	if (err != STS_OK)
		return;
	look(true);
	for (size_t i = 0; i < DOMAINS; i++) {
		struct domain *d = &domains[i];

		if (i % 3 == 1)
			continue;
		/* Even where the waiter finds no room the write goes on. */
		d->wanted = true;
		(void)sts_cache_put(cache, str(d->name), str(d->is),
		    i % 2 == 0 ? policy : pool, (int64_t)i + 100, on_stored, d);
	}
	for (int i = 0; i < 3; i++)
		(void)sts_loop_once(loop, false);
	look(true);
	(void)sts_cache_due(cache, 1000, 10, on_due, &n, &next);
	(void)sts_cache_each(cache, STS_STR_NONE, on_entry, &n);
	(void)sts_cache_stats(cache, &stats);
	(void)sts_cache_mark(cache, &mark);
	(void)sts_cache_flush(cache);
	look(true);
	CHECK("a sound file is called damaged", !sts_cache_is_damaged(cache));
}

/* Policies may be the old or the new, but all that there are are committed and counted. */
static bool
is_settled(void)
{
	struct sts_cache_stats stats;
	size_t all = 0;

	return sts_cache_each(cache, STS_STR_NONE, on_entry, &all) == STS_OK &&
	    sts_cache_stats(cache, &stats) == STS_OK && stats.unsaved == 0 &&
	    all >= DOMAINS / 2 && all == stats.policies[STS_MODE_ENFORCE] + stats.pool;
}

/* Nothing fails any more: what is queued gets there, by itself. */
static void
recover(void)
{
	for (int i = 0; i < TURNS && !is_settled(); i++) {
		(void)sts_loop_once(loop, false);
		(void)usleep(100);
	}
	CHECK(what, is_settled());
	CHECK(what, !sts_cache_is_damaged(cache));
	look(false);
}

/* False: the n-th call is beyond the end. restart: the process ends while calls fail. */
static bool
suffer(enum fault_kind kind, unsigned long n, unsigned long length, bool restart)
{
	static const char *const kinds[FAULTS] = { [FAULT_MEMORY] = "allocation",
		[FAULT_DESCRIPTOR] = "descriptor",
		[FAULT_STORE] = "LMDB call",
		[FAULT_DISK] = "write" };
	char text[160];
	const char *call;

	(void)snprintf(text, sizeof(text), "%s %lu%s%s", kinds[kind], n,
	    length > 1 ? " and all after it" : "", restart ? ", restart" : "");
	what = text;
	begin();
	fault_arm(kind, n, length);
	live();
	if (restart)
		close_cache();
	call = fault_disarm();
	if (cache != NULL)
		recover();
	close_cache();
	CHECK(what, open_cache() == STS_OK);
	if (cache != NULL) {
		look(false);
		CHECK(what, is_settled());
	}
	close_cache();
	what = "";
	return call != NULL;
}

int
main(void)
{
	static const enum fault_kind kinds[] = { FAULT_STORE, FAULT_DISK, FAULT_MEMORY,
		FAULT_DESCRIPTOR };
	unsigned long n, faults = 0;
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(directory, sizeof(directory), "%.40s/stsd-fault.XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(directory) == NULL || (loop = sts_loop_new()) == NULL) {
		perror(directory);
		return 1;
	}
	(void)snprintf(path, sizeof(path), "%s/cache.mdb", directory);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (int way = 0; way < 4; way++)
			for (n = 1; suffer(kinds[i], n,
				 (way & 1) != 0 ? FAULT_FOREVER : 1, (way & 2) != 0);
			     n++)
				faults++;
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/cache.mdb-lock", directory);
	(void)unlink(path);
	(void)rmdir(directory);
	sts_loop_free(loop);
	printf("%lu faults\n", faults);
	return test_failed;
}
