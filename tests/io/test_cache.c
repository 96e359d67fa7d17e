/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache.h"
#include "cachefile.h"
#include "test.h"

/*
 * The cache on real files, in a directory of its own. Other processes are this program
 * again, with a word that says what to be.
 */
int test_failed;

#define MB (UINT64_C(1) << 20)
#define SIZE (64 * MB)
#define RETRY_MS 30
#define NEVER INT64_MAX

static const struct sts_cache_kind pool = { false, STS_MODE_NONE, false };
static const struct sts_cache_kind enforce = { true, STS_MODE_ENFORCE, false };
static const struct sts_cache_kind testing = { true, STS_MODE_TESTING, false };
static const struct sts_cache_kind none = { true, STS_MODE_NONE, false };
static const struct sts_cache_kind failing = { true, STS_MODE_ENFORCE, true };

static const char *self;
static char directory[64];
static char path[96];
static char why[256];
static struct sts_loop *loop;
static struct sts_cache *cache;

/* What on_stored was told. */
static unsigned told;
static enum sts_err told_err;

static struct sts_str
text(const char *s)
{
	return (struct sts_str){ s, strlen(s) };
}

static void
on_stored(void *arg, enum sts_err err)
{
	CHECK("a callback is outside", !sts_cache_is_inside());
	if (arg != NULL)
		++*(unsigned *)arg;
	told++;
	told_err = err;
}

static void
open_cache(uint64_t size)
{
	const struct sts_cache_limits limits = { 100000, STS_COMMIT_MAX, 10000,
		STS_UNSAVED_BYTES, RETRY_MS };

	why[0] = '\0';
	told = 0;
	told_err = STS_OK;
	CHECK("prepare", sts_cache_prepare(path, size, why, sizeof why) == STS_OK);
	CHECK("open",
	    sts_cache_open(path, size, true, loop, &cache, why, sizeof why) == STS_OK);
	CHECK(why, why[0] == '\0');
	sts_cache_set_limits(cache, &limits);
}

static void
limit(size_t in_pool, size_t in_commit, size_t unsaved, int64_t retry_ms)
{
	const struct sts_cache_limits limits = { in_pool, in_commit, unsaved,
		STS_UNSAVED_BYTES, retry_ms };

	sts_cache_set_limits(cache, &limits);
}

static void
reopen_cache(uint64_t size)
{
	sts_cache_close(cache);
	cache = NULL;
	open_cache(size);
}

static void
put(const char *domain, const char *bytes, struct sts_cache_kind kind, int64_t due)
{
	CHECK(domain,
	    sts_cache_put(cache, text(domain), text(bytes), kind, due, on_stored, NULL) ==
		STS_OK);
}

static void
turns(int n)
{
	while (n-- > 0)
		sts_loop_once(loop, false);
}

/* Until so many were told since the cache was opened; a bounded number of turns. */
static void
wait_told(unsigned n)
{
	for (int i = 0; i < 1000 && told < n; i++)
		sts_loop_once(loop, true);
	CHECK("told in time", told >= n);
}

static const char *
get(const char *domain)
{
	static char copy[4096];
	struct sts_str bytes;
	enum sts_err err = sts_cache_get(cache, text(domain), &bytes);

	if (err == STS_ERR_CACHE_NONE)
		return "-";
	if (err != STS_OK || bytes.n >= sizeof copy)
		return "!";
	memcpy(copy, bytes.p, bytes.n);
	copy[bytes.n] = '\0';
	return copy;
}

static bool
has(const char *domain, const char *bytes)
{
	return strcmp(get(domain), bytes) == 0;
}

static struct sts_cache_stats
stats(void)
{
	struct sts_cache_stats s = { 0 };

	CHECK("stats", sts_cache_stats(cache, &s) == STS_OK);
	return s;
}

/* ---- walks ---- */

static char walked[4096];

static void
walk(struct sts_str s)
{
	size_t n = strlen(walked);

	if (n + s.n + 2 < sizeof walked) {
		memcpy(walked + n, s.p, s.n);
		walked[n + s.n] = ' ';
		walked[n + s.n + 1] = '\0';
	}
}

static void
on_due(void *arg, struct sts_str domain)
{
	(void)arg;
	CHECK("a callback is outside", !sts_cache_is_inside());
	walk(domain);
}

static bool
is_due(int64_t now, size_t max, const char *expected, int64_t expected_next)
{
	int64_t next = -1;
	size_t n, words = 0;

	walked[0] = '\0';
	n = sts_cache_due(cache, now, max, on_due, NULL, &next);
	for (const char *p = walked; *p != '\0'; p++)
		words += *p == ' ';
	return strcmp(walked, expected) == 0 && next == expected_next && n == words;
}

static bool
on_entry(void *arg, struct sts_str domain, struct sts_str bytes)
{
	int *left = arg;

	CHECK("a callback is outside", !sts_cache_is_inside());
	walk(domain);
	walk(bytes);
	return --*left > 0;
}

static bool
lists(const char *after, int max, const char *expected)
{
	walked[0] = '\0';
	CHECK("each", sts_cache_each(cache, text(after), on_entry, &max) == STS_OK);
	return strcmp(walked, expected) == 0;
}

struct tally {
	uint64_t entries;
	uint64_t due;
};

static bool
on_entry_count(void *arg, struct sts_str domain, struct sts_str bytes)
{
	struct tally *t = arg;

	(void)domain;
	(void)bytes;
	t->entries++;
	return true;
}

static void
on_due_count(void *arg, struct sts_str domain)
{
	struct tally *t = arg;

	(void)domain;
	t->due++;
}

/* The tables agree with each other. (All entries of these tests are ever due.) */
static void
check_tables(const char *name)
{
	struct tally t = { 0, 0 };
	struct sts_cache_stats s = stats();
	int64_t next;

	CHECK(name, sts_cache_each(cache, STS_STR_NONE, on_entry_count, &t) == STS_OK);
	sts_cache_due(cache, NEVER - 1, SIZE_MAX, on_due_count, &t, &next);
	CHECK(name, t.entries == s.policies[0] + s.policies[1] + s.policies[2] + s.pool);
	CHECK(name, t.entries == t.due);
}

/* ---- cases: one process ---- */

static void
put_get_replace_drop(void)
{
	CHECK("nothing yet", has("a.example", "-"));
	put("a.example", "one", pool, NEVER);
	CHECK("seen before the commit", has("a.example", "one"));
	CHECK("nobody told inside put", told == 0);
	wait_told(1);
	CHECK("stored", told_err == STS_OK && has("a.example", "one"));
	put("a.example", "two", enforce, NEVER);
	CHECK("replaced before the commit", has("a.example", "two"));
	wait_told(2);
	reopen_cache(SIZE);
	CHECK("after opening again", has("a.example", "two"));
	CHECK("neighbour", has("a.exampl", "-") && has("a.example.", "-"));
	CHECK("drop", sts_cache_drop(cache, text("a.example")) == STS_OK);
	CHECK("gone before the commit", has("a.example", "-"));
	turns(3);
	CHECK("gone", has("a.example", "-"));
	reopen_cache(SIZE);
	CHECK("gone for good", has("a.example", "-"));
	put("b.example", "three", pool, NEVER);
	CHECK("drop", sts_cache_drop(cache, text("b.example")) == STS_OK);
	wait_told(1);
	CHECK("put and dropped in one batch", has("b.example", "-"));
	put("c.example", "four", pool, NEVER);
	reopen_cache(SIZE);
	CHECK("closing commits", has("c.example", "four"));
	CHECK("dropping nothing", sts_cache_drop(cache, text("x.example")) == STS_OK);
	CHECK("flush", sts_cache_flush(cache) == STS_OK);
}

static void
odd_keys_and_bytes(void)
{
	char domain[300], bytes[STS_POLICY_MAX];
	struct sts_str key = { domain, sizeof domain }, got;
	struct sts_str large = { bytes, sizeof bytes };

	memset(domain, 'd', sizeof domain);
	memset(bytes, 'x', sizeof bytes);
	CHECK("empty",
	    sts_cache_put(cache, STS_STR_NONE, large, pool, 1, NULL, NULL) ==
		STS_ERR_NAME);
	CHECK("empty", sts_cache_get(cache, STS_STR_NONE, &got) == STS_ERR_CACHE_NONE);
	CHECK("longest", sts_cache_put(cache, key, large, pool, 1, NULL, NULL) == STS_OK);
	CHECK("no bytes",
	    sts_cache_put(cache, STS_STR("n"), STS_STR_NONE, pool, 1, NULL, NULL) ==
		STS_OK);
	CHECK("due before time began",
	    sts_cache_put(cache, STS_STR("t"), STS_STR("t"), pool, INT64_MIN, NULL,
		NULL) == STS_OK);
	CHECK("flush", sts_cache_flush(cache) == STS_OK);
	CHECK("longest", sts_cache_get(cache, key, &got) == STS_OK);
	CHECK("longest", got.n == large.n && memcmp(got.p, bytes, got.n) == 0);
	CHECK("no bytes", has("n", ""));
	CHECK("earliest", is_due(0, 1, "t ", 1));
	key.n++;
	CHECK("too long",
	    sts_cache_put(cache, key, large, pool, 1, NULL, NULL) == STS_ERR_NAME);
	CHECK("too long", sts_cache_drop(cache, key) == STS_ERR_NAME);
	CHECK("too long", sts_cache_get(cache, key, &got) == STS_ERR_CACHE_NONE);
}

static void
counts_follow_the_kind(void)
{
	const struct {
		const char *name;
		const char *domain;
		const struct sts_cache_kind *kind; /* NULL: drop */
		uint64_t none, testing, enforce, failing, pool;
	} steps[] = {
		{ "a pool entry", "a", &pool, 0, 0, 0, 0, 1 },
		{ "again", "a", &pool, 0, 0, 0, 0, 1 },
		{ "becomes a policy", "a", &enforce, 0, 0, 1, 0, 0 },
		{ "a second", "b", &testing, 0, 1, 1, 0, 0 },
		{ "a third", "c", &none, 1, 1, 1, 0, 0 },
		{ "refresh fails", "a", &failing, 1, 1, 1, 1, 0 },
		{ "changes its mode", "b", &failing, 1, 0, 2, 2, 0 },
		{ "refresh works", "a", &enforce, 1, 0, 2, 1, 0 },
		{ "expires", "b", &pool, 1, 0, 1, 0, 1 },
		{ "goes", "b", NULL, 1, 0, 1, 0, 0 },
		{ "was never there", "x", NULL, 1, 0, 1, 0, 0 },
		{ "goes", "a", NULL, 1, 0, 0, 0, 0 },
		{ "goes", "c", NULL, 0, 0, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		struct sts_cache_stats s;

		if (steps[i].kind != NULL)
			put(steps[i].domain, steps[i].name, *steps[i].kind, NEVER);
		else
			sts_cache_drop(cache, text(steps[i].domain));
		CHECK(steps[i].name, sts_cache_flush(cache) == STS_OK);
		s = stats();
		CHECK(steps[i].name,
		    s.policies[0] == steps[i].none && s.policies[1] == steps[i].testing &&
			s.policies[2] == steps[i].enforce);
		CHECK(steps[i].name,
		    s.failing == steps[i].failing && s.pool == steps[i].pool);
		CHECK(steps[i].name, s.unsaved == 0 && s.limit == SIZE && s.bytes > 0);
	}
}

static void
due_in_order(void)
{
	CHECK("nothing", is_due(100, 9, "", NEVER));
	put("late", "", pool, 300);
	put("b", "", enforce, 100);
	put("a", "", enforce, 100);
	put("never", "", pool, NEVER);
	put("first", "", pool, 1);
	put("far", "", pool, NEVER - 1);
	CHECK("flush", sts_cache_flush(cache) == STS_OK);
	CHECK("none yet", is_due(0, 9, "", 1));
	CHECK("earliest first", is_due(100, 9, "first a b ", 300));
	CHECK("no more than asked for", is_due(100, 2, "first a ", 100));
	CHECK("none asked for", is_due(100, 0, "", 1));
	put("a", "", enforce, 400);
	put("first", "", enforce, NEVER);
	sts_cache_drop(cache, text("b"));
	CHECK("not committed counts", is_due(100, 9, "", 300));
	put("soon", "", enforce, 50);
	CHECK("not committed is due", is_due(100, 9, "soon ", 300));
	CHECK("none asked for", is_due(100, 0, "", 50));
	CHECK("flush", sts_cache_flush(cache) == STS_OK);
	CHECK("moved", is_due(100, 9, "soon ", 300));
	CHECK("all", is_due(NEVER - 1, 9, "soon late a far ", NEVER));
}

static void
pool_is_bounded(void)
{
	limit(5, STS_COMMIT_MAX, 100, RETRY_MS);
	for (int i = 0; i < 20; i++) {
		char name[] = { (char)('a' + i), '\0' };

		put(name, "", i == 2 ? enforce : pool, i);
		if (i == 17)
			put("m", "again", pool, 12);
		if (i % 4 == 3)
			CHECK("flush", sts_cache_flush(cache) == STS_OK);
	}
	CHECK("the last written, and the policy", is_due(99, 99, "c m q r s t ", NEVER));
	CHECK("bound", stats().pool == 5 && stats().policies[2] == 1);
	limit(3, STS_COMMIT_MAX, 100, RETRY_MS);
	put("u", "", pool, 20);
	CHECK("flush", sts_cache_flush(cache) == STS_OK);
	CHECK("smaller bound", is_due(99, 99, "c s t u ", NEVER));
	put("s", "", pool, 18);
	CHECK("flush", sts_cache_flush(cache) == STS_OK);
	put("v", "", pool, 21);
	CHECK("flush", sts_cache_flush(cache) == STS_OK);
	CHECK("written again is young", is_due(99, 99, "c s u v ", NEVER));
}

static void
each_in_order(void)
{
	CHECK("nothing", lists("", 9, ""));
	put("b", "2", pool, 1);
	put("a.b", "1", enforce, 1);
	put("c", "3", pool, 1);
	CHECK("not committed", lists("", 9, "a.b 1 b 2 c 3 "));
	CHECK("flush", sts_cache_flush(cache) == STS_OK);
	CHECK("all", lists("", 9, "a.b 1 b 2 c 3 "));
	CHECK("after one", lists("a.b", 9, "b 2 c 3 "));
	CHECK("after one that is not there", lists("aa", 9, "b 2 c 3 "));
	CHECK("after the last", lists("c", 9, ""));
	CHECK("until told", lists("", 2, "a.b 1 b 2 "));
	put("b", "two", pool, 1);
	put("bb", "new", pool, 1);
	put("d", "new", pool, 1);
	put("a", "new", pool, 1);
	sts_cache_drop(cache, text("c"));
	CHECK("mixed", lists("", 9, "a new a.b 1 b two bb new d new "));
	CHECK("mixed, after", lists("b", 9, "bb new d new "));
	CHECK("mixed, until", lists("a", 3, "a.b 1 b two bb new "));
	CHECK("flush", sts_cache_flush(cache) == STS_OK);
	CHECK("committed", lists("", 9, "a new a.b 1 b two bb new d new "));
}

static unsigned first_told, second_told;

static void
on_stored_put(void *arg, enum sts_err err)
{
	on_stored(arg, err);
	if (told < 3)
		CHECK("put from a callback",
		    sts_cache_put(cache, STS_STR("again"), STS_STR("x"), pool, 1,
			on_stored_put, arg) == STS_OK);
	sts_cache_forget(cache, &second_told);
}

static void
callbacks(void)
{
	first_told = second_told = 0;
	sts_cache_put(cache, STS_STR("a"), STS_STR("1"), pool, 1, on_stored, &first_told);
	sts_cache_put(cache, STS_STR("a"), STS_STR("2"), pool, 1, on_stored,
	    &second_told);
	CHECK("flush tells nobody", sts_cache_flush(cache) == STS_OK && told == 0);
	wait_told(2);
	CHECK("both are told of the later", first_told == 1 && second_told == 1);
	sts_cache_put(cache, STS_STR("b"), STS_STR("3"), pool, 1, on_stored, &first_told);
	sts_cache_put(cache, STS_STR("b"), STS_STR("3"), pool, 1, on_stored,
	    &second_told);
	sts_cache_forget(cache, &first_told);
	wait_told(3);
	CHECK("forgotten before the commit", first_told == 1 && second_told == 2);
	sts_cache_put(cache, STS_STR("c"), STS_STR("3"), pool, 1, on_stored, &first_told);
	CHECK("flush", sts_cache_flush(cache) == STS_OK);
	sts_cache_forget(cache, &first_told);
	turns(3);
	CHECK("forgotten after the commit", first_told == 1 && has("c", "3"));
	told = 0;
	sts_cache_put(cache, STS_STR("d"), STS_STR("4"), pool, 1, on_stored_put,
	    &first_told);
	sts_cache_put(cache, STS_STR("e"), STS_STR("4"), pool, 1, on_stored,
	    &second_told);
	wait_told(3);
	turns(3);
	CHECK("forgotten by another's callback", second_told == 2 && told == 3);
	CHECK("put from a callback", has("again", "x"));
	told = 0;
	for (int i = 0; i < STS_COMMIT_MAX * 2; i++) {
		char name[] = { (char)('a' + i / 26), (char)('a' + i % 26), '\0' };

		put(name, "many", pool, 1);
	}
	CHECK("nobody told inside put", told == 0);
	CHECK("committed at the limit", stats().pool >= STS_COMMIT_MAX);
	wait_told(STS_COMMIT_MAX * 2);
}

static void
clock_mark(void)
{
	struct sts_clock_start start;
	struct sts_clock_mark mark, now;

	CHECK("none yet", sts_cache_mark(cache, &mark) == STS_ERR_CACHE_NONE);
	sts_clock_read_start(&start);
	start.wall = 2000000000;
	sts_clock_set(&start, NULL);
	put("a", "1", pool, 1);
	CHECK("flush", sts_cache_flush(cache) == STS_OK);
	reopen_cache(SIZE);
	CHECK("there", sts_cache_mark(cache, &mark) == STS_OK);
	sts_clock_mark_now(&now);
	CHECK("boot", strcmp(mark.boot, start.boot) == 0);
	CHECK("time", mark.now >= start.wall && mark.now <= now.now);
	CHECK("offset",
	    sts_clock_offset_ms(&start, &mark) == sts_clock_offset_ms(&start, NULL));
}

/* ---- cases: no room ---- */

static void
limit_file(rlim_t bytes)
{
	struct rlimit r;

	getrlimit(RLIMIT_FSIZE, &r);
	r.rlim_cur = bytes;
	CHECK("limit", setrlimit(RLIMIT_FSIZE, &r) == 0);
}

static void
full_disk(void)
{
	int64_t next;

	put("old", "saved", enforce, 10);
	put("gone", "saved", enforce, 20);
	wait_told(2);
	limit_file(8192);
	put("old", "newer", enforce, 1000);
	put("new", "unsaved", enforce, 30);
	sts_cache_drop(cache, text("gone"));
	wait_told(4);
	CHECK("told", told_err == STS_ERR_CACHE_FULL);
	CHECK("from memory",
	    has("old", "newer") && has("new", "unsaved") && has("gone", "-"));
	CHECK("counted", stats().unsaved == 3);
	CHECK("not damaged", !sts_cache_is_damaged(cache));
	CHECK("due by what is in memory", is_due(500, 9, "new ", 1000));
	CHECK("listed from memory", lists("", 9, "new unsaved old newer "));
	put("more", "unsaved", pool, NEVER);
	CHECK("nobody told inside put", told == 4);
	wait_told(5);
	CHECK("told", told_err == STS_ERR_CACHE_FULL && stats().unsaved == 4);
	CHECK("flush", sts_cache_flush(cache) == STS_ERR_CACHE_FULL);
	limit_file(RLIM_INFINITY);
	for (int i = 0; i < 100 && stats().unsaved > 0; i++)
		sts_loop_once(loop, true);
	CHECK("saved later", stats().unsaved == 0 && told == 5);
	reopen_cache(SIZE);
	CHECK("saved", lists("", 9, "more unsaved new unsaved old newer "));
	CHECK("due",
	    sts_cache_due(cache, 30, 9, on_due, NULL, &next) == 1 && next == 1000);
}

static void
unsaved_is_bounded(void)
{
	limit(100, STS_COMMIT_MAX, 4, 60000);
	put("old", "saved", pool, 10);
	wait_told(1);
	limit_file(8192);
	put("p1", "1", enforce, 1);
	put("n1", "1", pool, 1);
	put("n2", "1", pool, 1);
	put("p2", "1", enforce, 1);
	wait_told(5);
	CHECK("all", stats().unsaved == 4);
	put("p3", "1", enforce, 1);
	wait_told(6);
	CHECK("oldest without a policy goes", has("n1", "-") && has("n2", "1"));
	put("n2", "2", pool, 1);
	put("p4", "1", enforce, 1);
	put("p5", "1", enforce, 1);
	wait_told(9);
	CHECK("then policies", has("n2", "-") && has("p1", "-") && has("p2", "1"));
	CHECK("bound", stats().unsaved == 4 && has("p5", "1") && has("old", "saved"));
	limit_file(RLIM_INFINITY);
	put("p6", "1", enforce, 1);
	wait_told(10);
	CHECK("nothing is tried before its time",
	    told_err == STS_ERR_CACHE_FULL && stats().policies[2] == 0);
	CHECK("saved", sts_cache_flush(cache) == STS_OK && stats().policies[2] == 4);
}

/* However few they are. */
static void
unsaved_bytes_are_bounded(void)
{
	const struct sts_cache_limits limits = { 100, STS_COMMIT_MAX, 100, 10000, 60000 };
	char large[4001];

	memset(large, 'x', sizeof large);
	large[4000] = '\0';
	sts_cache_set_limits(cache, &limits);
	limit_file(8192);
	put("a", large, enforce, 1);
	put("b", large, enforce, 1);
	put("small", "1", pool, 1);
	wait_told(3);
	CHECK("room for two", has("a", large) && has("b", large) && has("small", "1"));
	put("c", large, enforce, 1);
	wait_told(4);
	CHECK("not for three", has("small", "-") && has("a", "-"));
	CHECK("the newest", stats().unsaved == 2 && has("b", large) && has("c", large));
	limit_file(RLIM_INFINITY);
	CHECK("saved", sts_cache_flush(cache) == STS_OK && stats().policies[2] == 2);
}

static off_t
file_size(void)
{
	struct stat st = { 0 };

	CHECK("stat", stat(path, &st) == 0);
	return st.st_size;
}

static void
put_large(const char *kind_name, unsigned i, struct sts_cache_kind kind)
{
	static char bytes[30000];
	char name[32];

	memset(bytes, 'x', sizeof bytes);
	snprintf(name, sizeof name, "%s%u.example", kind_name, i);
	sts_cache_put(cache, text(name), (struct sts_str){ bytes, sizeof bytes }, kind, i,
	    on_stored, NULL);
}

/* By retries alone, until nothing is left to wait for. */
static bool
settles(void)
{
	for (int i = 0; i < 50; i++)
		sts_loop_once(loop, true);
	return stats().unsaved == 0;
}

/* 16 MB hold some 380 of these entries. */
static void
full_map(void)
{
	const uint64_t size = 16 * MB;
	struct sts_cache_stats s;

	reopen_cache(size);
	for (unsigned i = 0; i < 1000; i++) {
		put_large("n", i, pool);
		turns(i % 7 == 0);
	}
	wait_told(1000);
	s = stats();
	CHECK("the pool makes room",
	    told_err == STS_OK && s.unsaved == 0 && s.pool > 300);
	CHECK("the youngest stay", !has("n999.example", "-") && has("n3.example", "-"));
	for (unsigned i = 0; i < 500; i++) {
		put_large("p", i, enforce);
		turns(i % 7 == 0);
	}
	wait_told(1500);
	s = stats();
	CHECK("policies push out the pool", s.pool == 0 && s.policies[2] > 300);
	CHECK("what does not fit is in memory",
	    told_err == STS_ERR_CACHE_FULL && s.unsaved == 500 - s.policies[2]);
	CHECK("nothing is lost", !has("p0.example", "-") && !has("p499.example", "-"));
	CHECK("size", (uint64_t)file_size() <= size && s.limit == size);
	CHECK("not damaged", !sts_cache_is_damaged(cache));
	for (unsigned i = 0; i < 200; i++) {
		char name[32];

		snprintf(name, sizeof name, "p%u.example", i);
		put(name, "expired", pool, i);
	}
	wait_told(1700);
	CHECK("expired ones make room", settles());
	s = stats();
	CHECK("policies stay", s.policies[2] == 300 && (uint64_t)file_size() <= size);
	reopen_cache(size);
	CHECK("all there", !has("p200.example", "-") && !has("p499.example", "-"));
	check_tables("after it was full");
}

static int
open_fds(int fds[], int max)
{
	int n = 0;

	for (int fd = 3; fd < 256 && n < max; fd++) {
		char name[64], target[128];
		ssize_t length;

		snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
		length = readlink(name, target, sizeof target - 1);
		if (length <= 0)
			continue;
		target[length] = '\0';
		if (strcmp(target, path) == 0)
			fds[n++] = fd;
	}
	return n;
}

/* LMDB refuses everything after its header could not be written; the file is whole. */
static void
header_unwritable(void)
{
	int fds[4] = { -1, -1, -1, -1 };
	int null = open("/dev/null", O_RDONLY);

	put("a", "1", enforce, 1);
	wait_told(1);
	CHECK("one for pages, one for the header", open_fds(fds, 4) == 2);
	CHECK("dup2", dup2(null, fds[1]) == fds[1]);
	close(null);
	put("b", "2", enforce, 1);
	wait_told(2);
	CHECK("told", told_err != STS_OK);
	CHECK("still read", has("a", "1") && has("b", "2"));
	CHECK("flush", sts_cache_flush(cache) == STS_OK);
	reopen_cache(SIZE);
	CHECK("saved", has("a", "1") && has("b", "2"));
}

/* ---- cases: files that are no cache ---- */

static bool
overwrite(off_t at, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = pwrite(fd, bytes, n, at) == (ssize_t)n;

	close(fd);
	CHECK("overwrite", done);
	return done;
}

static void
overwrite_all(int c)
{
	char page[4096];
	off_t n = file_size();

	memset(page, c, sizeof page);
	for (off_t at = 0; at < n; at += (off_t)sizeof page)
		overwrite(at, page, sizeof page);
}

static void
overwrite_roots(void)
{
	char page[4096];
	off_t n = file_size();

	memset(page, 0x5a, sizeof page);
	for (off_t at = 2 * (off_t)sizeof page; at < n; at += (off_t)sizeof page)
		overwrite(at, page, sizeof page);
}

static void
spoil(const char *how)
{
	const uint32_t bad = 77;
	const char zero = 0;

	if (strcmp(how, "cut to one page") == 0)
		CHECK(how, truncate(path, 4096) == 0);
	else if (strcmp(how, "cut to the header") == 0)
		CHECK(how, truncate(path, 8192) == 0);
	else if (strcmp(how, "cut by a page") == 0)
		CHECK(how, truncate(path, file_size() - 4096) == 0);
	else if (strcmp(how, "cut by a byte") == 0)
		CHECK(how, truncate(path, file_size() - 1) == 0);
	else if (strcmp(how, "text") == 0)
		CHECK(how, truncate(path, 0) == 0 && overwrite(0, "# no cache\n", 11));
	else if (strcmp(how, "long text") == 0)
		overwrite_all('x');
	else if (strcmp(how, "zeroes") == 0)
		overwrite_all(0);
	else if (strcmp(how, "pages overwritten") == 0)
		overwrite_roots();
	else if (strcmp(how, "second header") == 0)
		overwrite(4096 + 16, &bad, sizeof bad);
	else if (strcmp(how, "data version") == 0)
		overwrite(20, &bad, sizeof bad);
	else if (strcmp(how, "page size") == 0)
		overwrite(40, &bad, sizeof bad);
	else if (strcmp(how, "directory") == 0)
		CHECK(how, unlink(path) == 0 && mkdir(path, 0700) == 0);
	else if (strcmp(how, "link") == 0)
		CHECK(how, unlink(path) == 0 && symlink("/dev/null", path) == 0);
	else if (strcmp(how, "pipe") == 0)
		CHECK(how, unlink(path) == 0 && mkfifo(path, 0600) == 0);
	else if (strcmp(how, "a byte more") == 0)
		overwrite(file_size(), &zero, 1);
	else if (strcmp(how, "nothing") == 0)
		CHECK(how, truncate(path, 0) == 0);
	else if (strcmp(how, "gone") == 0)
		CHECK(how, unlink(path) == 0);
}

static void
remove_files(void)
{
	char lock[128];

	snprintf(lock, sizeof lock, "%s-lock", path);
	unlink(lock);
	if (unlink(path) == -1)
		rmdir(path);
}

static void
refused_files(void)
{
	const struct {
		const char *how;
		const char *writer, *reader; /* NULL: fine; else what the sentence says */
	} files[] = {
		{ "untouched", NULL, NULL },
		{ "a byte more", NULL, NULL },
		{ "nothing", NULL, "is empty" },
		{ "gone", NULL, "No such file" },
		{ "cut to one page", "is cut off", "is cut off" },
		{ "cut to the header", "is cut off", "is cut off" },
		{ "cut by a page", "is cut off", "is cut off" },
		{ "cut by a byte", "is cut off", "is cut off" },
		{ "text", "is cut off", "is cut off" },
		{ "long text", "is not a cache", "is not a cache" },
		{ "zeroes", "is not a cache", "is not a cache" },
		{ "pages overwritten", "is damaged", "is damaged" },
		{ "second header", "is not a cache", "is not a cache" },
		{ "data version", "another LMDB", "another LMDB" },
		{ "page size", "is damaged", "is damaged" },
		{ "directory", "not a plain file", "not a plain file" },
		{ "link", "symbolic link", "symbolic link" },
		{ "pipe", "not a plain file", "not a plain file" },
	};

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct sts_cache *c = NULL;
		enum sts_err err;

		sts_cache_close(cache);
		cache = NULL;
		remove_files();
		open_cache(SIZE);
		for (unsigned j = 0; j < 40; j++)
			put_large("e", j, pool);
		sts_cache_close(cache);
		cache = NULL;
		spoil(files[i].how);
		err = sts_cache_open(path, SIZE, false, NULL, &c, why, sizeof why);
		CHECK(files[i].how,
		    (err == STS_OK) == (files[i].reader == NULL) &&
			(err != STS_OK || c != NULL));
		if (err != STS_OK) {
			CHECK(files[i].how, err == STS_ERR_CACHE);
			CHECK(why, strstr(why, files[i].reader) != NULL);
			CHECK(why, strncmp(why, path, strlen(path)) == 0);
		}
		sts_cache_close(c);
		why[0] = '\0';
		err = sts_cache_prepare(path, SIZE, why, sizeof why);
		CHECK(files[i].how,
		    err == (files[i].writer == NULL ? STS_OK : STS_ERR_CACHE));
		if (files[i].writer != NULL)
			CHECK(why, strstr(why, files[i].writer) != NULL);
		CHECK("why may be missing",
		    sts_cache_prepare(path, SIZE, NULL, 0) == err);
	}
	remove_files();
	open_cache(SIZE);
}

/* Finds bytes in the file and replaces them: another schema is a byte of one value. */
static void
replace_in_file(const char *old, size_t n, const char *new)
{
	static char file[1 << 20];
	int fd = open(path, O_RDWR | O_CLOEXEC);
	ssize_t size = read(fd, file, sizeof file);

	CHECK("read", size > 0);
	for (char *p = file; size > 0 && p + n <= file + size; p++)
		if (memcmp(p, old, n) == 0)
			CHECK("write", pwrite(fd, new, n, p - file) == (ssize_t)n);
	close(fd);
}

static void
foreign_schema(void)
{
	sts_cache_close(cache);
	cache = NULL;
	replace_in_file("schema\0\0\0\0\0\0\0\1", 14, "schema\0\0\0\0\0\0\0\2");
	CHECK("prepare", sts_cache_prepare(path, SIZE, why, sizeof why) == STS_ERR_CACHE);
	CHECK(why, strstr(why, "another version") != NULL);
	replace_in_file("schema\0\0\0\0\0\0\0\2", 14, "schema\0\0\0\0\0\0\0\1");
	replace_in_file("meta", 4, "mate");
	CHECK("prepare", sts_cache_prepare(path, SIZE, why, sizeof why) == STS_ERR_CACHE);
	CHECK(why, strstr(why, "not a cache of stsd") != NULL);
	CHECK("open",
	    sts_cache_open(path, SIZE, false, NULL, &cache, why, sizeof why) ==
		STS_ERR_CACHE);
	replace_in_file("mate", 4, "meta");
	open_cache(SIZE);
}

/* A page that LMDB itself finds wrong while it is in use. */
static void
damaged_while_open(void)
{
	struct sts_str bytes;
	char page[4096] = { 0 };
	off_t n;

	for (unsigned i = 0; i < 40; i++)
		put_large("e", i, pool);
	CHECK("flush", sts_cache_flush(cache) == STS_OK);
	sts_cache_pause(cache);
	n = file_size();
	for (off_t at = 2 * (off_t)sizeof page; at < n; at += (off_t)sizeof page)
		overwrite(at, page, sizeof page);
	CHECK("get",
	    sts_cache_get(cache, STS_STR("e1.example"), &bytes) == STS_ERR_CACHE);
	CHECK("damaged", sts_cache_is_damaged(cache));
	sts_cache_close(cache);
	cache = NULL;
	remove_files();
	open_cache(SIZE);
}

static void
unwritable_directory(void)
{
	pid_t child;
	int status = -1;

	sts_cache_close(cache);
	cache = NULL;
	remove_files();
	CHECK("chmod", chmod(directory, 0755) == 0);
	child = fork();
	if (child == 0) {
		if (getuid() == 0 && setuid(65534) == -1)
			_exit(1);
		if (sts_cache_prepare(path, SIZE, why, sizeof why) != STS_ERR_INTERNAL)
			_exit(2);
		_exit(strstr(why, "Permission denied") != NULL ? 0 : 3);
	}
	CHECK("child", waitpid(child, &status, 0) == child);
	CHECK("refused with a sentence", getuid() != 0 || status == 0);
	CHECK("no directory",
	    sts_cache_prepare("/nonexistent/cache.mdb", SIZE, why, sizeof why) ==
		STS_ERR_CACHE);
	CHECK(why, strstr(why, "No such file") != NULL);
	open_cache(SIZE);
}

static void
moved_aside(void)
{
	char first[160], second[160], lock[192];
	struct stat st;

	put("a", "1", pool, 1);
	sts_cache_close(cache);
	cache = NULL;
	CHECK("private", stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	CHECK("first", sts_cache_move_aside(path, 1000, first, sizeof first) == 0);
	open_cache(SIZE);
	CHECK("a new one", has("a", "-"));
	sts_cache_close(cache);
	cache = NULL;
	CHECK("second", sts_cache_move_aside(path, 1000, second, sizeof second) == 0);
	CHECK("not over the first", strcmp(first, second) != 0);
	CHECK("name", strstr(first, "/cache.mdb.damaged-1000") != NULL);
	snprintf(lock, sizeof lock, "%s-lock", path);
	CHECK("nothing stays", access(path, F_OK) == -1 && access(lock, F_OK) == -1);
	snprintf(lock, sizeof lock, "%s-lock", first);
	CHECK("both moved", unlink(first) == 0 && unlink(lock) == 0);
	snprintf(lock, sizeof lock, "%s-lock", second);
	CHECK("both moved", unlink(second) == 0 && unlink(lock) == 0);
	CHECK("nothing to move",
	    sts_cache_move_aside(path, 1000, second, sizeof second) == 0);
	snprintf(lock, sizeof lock, "%s-lock", path);
	CHECK("a lock file alone", close(creat(lock, 0600)) == 0);
	CHECK("a lock file alone",
	    sts_cache_move_aside(path, 1000, second, sizeof second) == 0 &&
		access(lock, F_OK) == -1);
	snprintf(lock, sizeof lock, "%s-lock", second);
	CHECK("a lock file alone", unlink(lock) == 0);
	CHECK("no room for the name", sts_cache_move_aside(path, 1000, second, 5) == -1);
	open_cache(SIZE);
}

/* ---- cases: several processes ---- */

struct other {
	pid_t pid;
	FILE *to, *from;
};

static void
start(struct other *o, const char *role, const char *number)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };

	CHECK("pipes", pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	o->pid = fork();
	if (o->pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execl(self, self, role, path, number, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	o->to = fdopen(in[1], "w");
	o->from = fdopen(out[0], "r");
}

static int
stop(struct other *o, int signo)
{
	int status = -1;

	if (signo != 0)
		kill(o->pid, signo);
	fclose(o->to);
	CHECK("wait", waitpid(o->pid, &status, 0) == o->pid);
	fclose(o->from);
	return status;
}

static bool
ask(struct other *o, const char *domain, const char *expected)
{
	char line[256] = "";

	fprintf(o->to, "%s\n", domain);
	fflush(o->to);
	if (fgets(line, sizeof line, o->from) == NULL)
		return false;
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, expected) == 0;
}

static enum sts_err
open_reader(uint64_t size)
{
	return sts_cache_open(path, size, false, NULL, &cache, why, sizeof why);
}

static const char *
which_commit(void)
{
	static uint64_t last;
	uint64_t before = last;

	last = sts_cache_commit(cache);
	return last == before ? "same" : "other";
}

/* Reads domains, says their bytes. "hold" keeps the snapshot; "commit" asks whether that
 * one is the same as last. */
static int
be_reader(uint64_t size)
{
	char line[256];

	if (open_reader(size) != STS_OK)
		return 1;
	while (fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "commit") == 0) {
			printf("%s\n", which_commit());
		} else {
			printf("%s\n", get(line));
			if (strcmp(line, "hold") != 0)
				sts_cache_pause(cache);
		}
		fflush(stdout);
	}
	sts_cache_close(cache);
	return 0;
}

static void
others_read(void)
{
	struct other o, p;

	put("a", "1", pool, 1);
	wait_told(1);
	start(&o, "reader", "64");
	CHECK("committed", ask(&o, "a", "1"));
	put("a", "2", pool, 1);
	put("b", "3", pool, 1);
	CHECK("not yet committed", ask(&o, "a", "1") && ask(&o, "b", "-"));
	wait_told(3);
	CHECK("committed", ask(&o, "a", "2") && ask(&o, "b", "3"));
	start(&p, "reader", "1");
	CHECK("opened with a smaller size", ask(&p, "b", "3"));
	for (unsigned i = 0; i < 600; i++)
		put_large("l", i, pool);
	put("last", "4", pool, 1);
	wait_told(604);
	CHECK("larger than the smallest", file_size() > (off_t)(17 * MB));
	CHECK("outgrown", ask(&p, "last", "4") && ask(&o, "last", "4"));
	CHECK("ends", stop(&o, 0) == 0 && stop(&p, 0) == 0);
}

static void
others_see_commits(void)
{
	struct other o;

	put("a", "1", pool, 1);
	wait_told(1);
	start(&o, "reader", "64");
	CHECK("there is one", ask(&o, "commit", "other") && ask(&o, "commit", "same"));
	CHECK("that is read", ask(&o, "a", "1") && ask(&o, "commit", "same"));
	put("a", "2", pool, 1);
	wait_told(2);
	CHECK("another", ask(&o, "commit", "other") && ask(&o, "commit", "same"));
	CHECK("held", ask(&o, "hold", "-"));
	put("a", "3", pool, 1);
	wait_told(3);
	CHECK("what is read counts", ask(&o, "commit", "same") && ask(&o, "a", "2"));
	CHECK("then the newest", ask(&o, "commit", "other") && ask(&o, "a", "3"));
	CHECK("ends", stop(&o, 0) == 0);
}

static void
rewrite(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		for (unsigned j = 0; j < 20; j++)
			put_large("r", j, pool);
		CHECK("flush", sts_cache_flush(cache) == STS_OK);
	}
	turns(3);
}

static void
killed_reader_frees_its_pages(void)
{
	struct other o;
	off_t pinned;

	rewrite(10);
	start(&o, "reader", "64");
	CHECK("holds", ask(&o, "hold", "-"));
	stop(&o, SIGKILL);
	rewrite(50);
	pinned = file_size();
	sts_cache_check_readers(cache);
	rewrite(100);
	CHECK("grows no more", file_size() <= pinned + (off_t)(2 * MB));
	CHECK("had grown", pinned > (off_t)(20 * MB));
}

/* Puts numbers under a few names for ever; says each when it is stored. */
#define KILL_NAMES 50

static unsigned said[64];

static void
on_stored_say(void *arg, enum sts_err err)
{
	const unsigned *n = arg;
	char line[32];
	int length = snprintf(line, sizeof line, "%u %d\n", *n, (int)err);

	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		_exit(1);
}

static int
be_writer(unsigned n)
{
	loop = sts_loop_new();
	if (sts_cache_open(path, SIZE, true, loop, &cache, why, sizeof why) != STS_OK) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	for (unsigned i = 0;; n++, i++) {
		char name[32], bytes[1200];

		memset(bytes, 'x', sizeof bytes);
		snprintf(name, sizeof name, "k%u.example", n % KILL_NAMES);
		snprintf(bytes, sizeof bytes, "%u", n);
		said[i % 64] = n;
		sts_cache_put(cache, text(name),
		    (struct sts_str){ bytes, n % 3 ? sizeof bytes : 20 },
		    n % 2 ? enforce : pool, n, on_stored_say, &said[i % 64]);
		if (n % 7 == 0)
			sts_cache_drop(cache, STS_STR("dropped.example"));
		else if (n % 7 == 3)
			sts_cache_put(cache, STS_STR("dropped.example"), STS_STR("x"),
			    pool, n, NULL, NULL);
		if (i % 5 == 4)
			sts_loop_once(loop, false);
	}
}

static void
killed_writer_loses_nothing(void)
{
	unsigned last[KILL_NAMES] = { 0 };
	unsigned n = 1, acknowledged = 0;

	sts_cache_close(cache);
	cache = NULL;
	for (unsigned round = 0; round < 50; round++) {
		struct other o;
		char number[16], line[64];
		unsigned before = n;

		snprintf(number, sizeof number, "%u", n);
		start(&o, "writer", number);
		for (unsigned lines = 0; fgets(line, sizeof line, o.from) != NULL;
		     lines++) {
			n = (unsigned)strtoul(line, NULL, 10);
			if (strstr(line, " 0\n") == NULL)
				break;
			last[n % KILL_NAMES] = n;
			acknowledged++;
			/* At another instruction each time; what it said before that
			 * is still read. */
			if (lines == 20 + round) {
				usleep(round * 137);
				kill(o.pid, SIGKILL);
			}
		}
		CHECK("killed", WIFSIGNALED(stop(&o, SIGKILL)) && n > before);
		n++;
		CHECK("usable", open_reader(SIZE) == STS_OK);
		for (unsigned i = 0; i < KILL_NAMES; i++) {
			char name[32];

			snprintf(name, sizeof name, "k%u.example", i);
			CHECK("acknowledged is there",
			    last[i] == 0 || strtoul(get(name), NULL, 10) >= last[i]);
		}
		check_tables("after a kill");
		sts_cache_close(cache);
		cache = NULL;
		n += KILL_NAMES * 10;
	}
	CHECK("acknowledged", acknowledged > 1000);
	open_cache(SIZE);
}

static void
on_fault(int signo)
{
	(void)signo;
	_exit(sts_cache_is_inside() ? 75 : 1);
}

/* Looks at all bytes that were lent; a fault must come before, inside. */
static int
be_victim(void)
{
	char line[16];
	struct sts_str bytes;
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = on_fault;
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	if (open_reader(SIZE) != STS_OK)
		return 1;
	printf("open\n");
	fflush(stdout);
	if (fgets(line, sizeof line, stdin) == NULL)
		return 2;
	if (sts_cache_get(cache, STS_STR("large.example"), &bytes) != STS_OK)
		return 2;
	return memchr(bytes.p, 'y', bytes.n) == NULL ? 3 : 2;
}

/* Freed pages hold the trees, so that the large entry lies at the end of the file, and
 * each cut takes a part of it alone. */
static void
cut_under_a_reader(void)
{
	static char large[50000];
	const struct sts_str bytes = { large, sizeof large };
	struct other o;
	char line[16];
	int status;

	memset(large, 'x', sizeof large);
	for (int pages = 1; pages <= 12; pages++) {
		for (int i = 0; i < 10; i++) {
			put("small.example", "", enforce, 1);
			CHECK("flush", sts_cache_flush(cache) == STS_OK);
		}
		sts_cache_put(cache, STS_STR("large.example"), bytes, enforce, 1, NULL,
		    NULL);
		sts_cache_close(cache);
		cache = NULL;
		start(&o, "victim", "0");
		CHECK("open", fgets(line, sizeof line, o.from) != NULL);
		CHECK("cut", truncate(path, file_size() - (off_t)4096 * pages) == 0);
		fprintf(o.to, "go\n");
		fflush(o.to);
		status = stop(&o, 0);
		CHECK("inside", WIFEXITED(status) && WEXITSTATUS(status) == 75);
		remove_files();
		open_cache(SIZE);
	}
}

/* ---- a long life ---- */

#define MODEL 300

static void
commit_and_look(void)
{
	const char *sentence = "";

	CHECK("flush", sts_cache_flush(cache) == STS_OK);
	CHECK(sentence, sts_cachefile_check(path, &sentence) == STS_OK);
}

/* What a commit takes and gives back at the end of the file is never written by LMDB. */
static void
last_pages_given_back(void)
{
	static const char bytes[1400];

	for (unsigned i = 0; i < 40; i++) {
		sts_cache_close(cache);
		cache = NULL;
		remove_files();
		open_cache(SIZE);
		limit(1 + i % 7, STS_COMMIT_MAX, 100, RETRY_MS);
		for (unsigned j = 0; j < 5 * (STS_COMMIT_MAX - 1); j++) {
			char name[32];

			snprintf(name, sizeof name, "%08x.example", j * 2654435761u);
			sts_cache_put(cache, text(name),
			    (struct sts_str){ bytes, i * 35 }, pool, j, NULL, NULL);
			if (j % (STS_COMMIT_MAX - 1) == STS_COMMIT_MAX - 2)
				commit_and_look();
		}
	}
}

/* Against a plain table: anything in any order, and after each commit a file that a
 * newcomer would open. */
static void
like_a_plain_table(void)
{
	static struct {
		unsigned version; /* 0: none */
		unsigned kind;
	} model[MODEL];
	const struct sts_cache_kind kinds[] = { pool, none, testing, enforce, failing };
	static char bytes[9000];
	uint32_t seed = 12345;
	char name[32];

	memset(model, 0, sizeof model);
	memset(bytes, 'x', sizeof bytes);
	for (unsigned step = 1; step <= 20000; step++) {
		unsigned i, r;

		seed = seed * 1664525u + 1013904223u;
		r = seed >> 8;
		/* Times of growth and times of decay. */
		i = r % MODEL;
		snprintf(name, sizeof name, "m%u.example", i);
		if (r / MODEL % 4 < 2 + (step / 4000) % 2) {
			unsigned kind = r / 2000 % 5;
			size_t n = (r / 16 % 10 == 0 ? r % 8000 : r % 300) + 12;

			snprintf(bytes, sizeof bytes, "%-11u", step);
			sts_cache_put(cache, text(name), (struct sts_str){ bytes, n },
			    kinds[kind], step, NULL, NULL);
			model[i].version = step;
			model[i].kind = kind;
		} else {
			sts_cache_drop(cache, text(name));
			model[i].version = 0;
		}
		if (r % 13 == 0)
			commit_and_look();
		if (step % 1000 == 0) {
			commit_and_look();
			check_tables("a long life");
		}
	}
	reopen_cache(SIZE);
	for (unsigned i = 0; i < MODEL; i++) {
		struct sts_str got = { "", 0 };
		unsigned long version;

		snprintf(name, sizeof name, "m%u.example", i);
		version = sts_cache_get(cache, text(name), &got) == STS_OK
		    ? strtoul(got.p, NULL, 10)
		    : 0;
		CHECK(name, version == model[i].version);
	}
	check_tables("a long life");
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "put, get, replace, drop", put_get_replace_drop },
	{ "odd keys and bytes", odd_keys_and_bytes },
	{ "counts follow the kind", counts_follow_the_kind },
	{ "due in order", due_in_order },
	{ "the pool is bounded", pool_is_bounded },
	{ "each in order", each_in_order },
	{ "callbacks", callbacks },
	{ "clock mark", clock_mark },
	{ "full disk", full_disk },
	{ "unsaved is bounded", unsaved_is_bounded },
	{ "unsaved bytes are bounded", unsaved_bytes_are_bounded },
	{ "full map", full_map },
	{ "header unwritable", header_unwritable },
	{ "refused files", refused_files },
	{ "foreign schema", foreign_schema },
	{ "damaged while open", damaged_while_open },
	{ "unwritable directory", unwritable_directory },
	{ "moved aside", moved_aside },
	{ "others read", others_read },
	{ "others see commits", others_see_commits },
	{ "a killed reader frees its pages", killed_reader_frees_its_pages },
	{ "a killed writer loses nothing", killed_writer_loses_nothing },
	{ "cut under a reader", cut_under_a_reader },
	{ "last pages given back", last_pages_given_back },
	{ "like a plain table", like_a_plain_table },
};

static void
run_cases(const char *only)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int failed = test_failed;

		if (only != NULL && strstr(cases[i].name, only) == NULL)
			continue;
		test_failed = 0;
		loop = sts_loop_new();
		open_cache(SIZE);
		cases[i].run();
		CHECK("not inside", !sts_cache_is_inside());
		sts_cache_close(cache);
		cache = NULL;
		sts_loop_free(loop);
		remove_files();
		if (test_failed)
			fprintf(stderr, "failed: %s\n", cases[i].name);
		test_failed |= failed;
	}
}

static int
be(const char *role, const char *file, const char *number)
{
	snprintf(path, sizeof path, "%s", file);
	if (strcmp(role, "reader") == 0)
		return be_reader(strtoul(number, NULL, 10) * MB);
	if (strcmp(role, "writer") == 0)
		return be_writer((unsigned)strtoul(number, NULL, 10));
	return be_victim();
}

int
main(int argc, char **argv)
{
	self = argv[0];
	if (argc == 4)
		return be(argv[1], argv[2], argv[3]);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	snprintf(directory, sizeof directory, "/tmp/test_cache.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s/cache.mdb", directory);
	run_cases(argc == 2 ? argv[1] : NULL);
	CHECK("nothing is left behind", rmdir(directory) == 0);
	return test_failed;
}
