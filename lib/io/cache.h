/* SPDX-License-Identifier: MIT */
#ifndef STS_CACHE_H
#define STS_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "clock.h"
#include "err.h"
#include "loop.h"
#include "policy.h"
#include "str.h"

/*
 * The cache file (LMDB, known to cache.c alone): domain -> entry bytes, plus what is
 * due when, the bounded pool of entries without a policy, counts by kind, the clock's
 * mark and a schema version, all changed in one transaction. Many processes read, one
 * writes (a second writer waits for the first's transaction). The bytes are opaque
 * here: lib/entry.h reads them.
 *
 * Durability: MDB_NOSUBDIR | MDB_NOTLS, full sync on every commit. A file that cannot
 * be LMDB's (cut off, foreign, wrong schema) is refused with STS_ERR_CACHE before any
 * page of it is touched as far as that can be known; one that cannot be opened now, for
 * want of descriptors or rights, with STS_ERR_INTERNAL; damage met later is STS_ERR_CACHE,
 * or SIGBUS/SIGSEGV inside LMDB: sts_cache_is_inside() tells a handler.
 *
 * Unless a call says otherwise: STS_OK, or STS_ERR_CACHE / _CACHE_FULL / _NOMEM.
 */
struct sts_cache;

/* What an entry is, for the counts. */
struct sts_cache_kind {
	bool policy;	    /* it holds one: never evicted; else it lives in the pool */
	enum sts_mode mode; /* of the policy */
	bool failing;	    /* its last refresh failed */
};

/*
 * size: upper bound of the file; less than 16 MB counts as 16 MB. A process has a cache
 * open once, and while it has, neither prepares it nor moves it aside: closing a second
 * handle would take the first one's locks.
 */

/*
 * Makes the file and its lock file (mode 0600, owner: this process) when missing, so
 * that later openers need no right to create. why (may be NULL, size bytes) gets a
 * sentence for people. The same call tells whether an existing file can be used.
 */
enum sts_err sts_cache_prepare(const char *path, uint64_t size, char *why, size_t why_n);

/* Moves the data and the lock file aside, to PATH.damaged-<seconds> (and -lock): only
 * while no process has the cache open. 0, also where one of them is missing, or -1 with
 * errno. */
int sts_cache_move_aside(const char *path, int64_t now, char *to, size_t to_n);

enum sts_err sts_cache_open(const char *path, uint64_t size, bool writer,
    struct sts_loop *loop /* writer only */, struct sts_cache **cache, char *why,
    size_t why_n);
/* Commits what is queued; nobody is told any more. NULL is nothing. */
void sts_cache_close(struct sts_cache *c);

/*
 * The entry's bytes, lent until the next call on this cache. In the writer, entries
 * that are queued or could not be committed are seen first. STS_ERR_CACHE_NONE: none.
 */
enum sts_err sts_cache_get(struct sts_cache *c, struct sts_str domain,
    struct sts_str *bytes);
/* Which state of the file that was read from, or would be next: another number with each
 * commit. 0: nobody can tell. */
uint64_t sts_cache_commit(struct sts_cache *c);
/* Ends the read transaction (renewed by the next get): call it before waiting. */
void sts_cache_pause(struct sts_cache *c);

/*
 * Queues a write (bytes are copied); domain's earlier queued write is replaced, and
 * its callback is told the result of the later one. Commits come when the loop is next
 * idle, or at STS_COMMIT_MAX entries. on_stored (may be NULL) is called from the loop
 * with STS_OK after the commit has been synced; else with the reason, and the entry is
 * kept in memory (STS_UNSAVED_MAX at most, then the oldest of them without a policy
 * goes first) and tried again every 10 s. due: INT64_MAX for never.
 * A full map is answered by dropping pool entries and trying once more. CACHE_FULL (the
 * map, or the disk) and CACHE do not yet mean that the file is damaged: ask
 * sts_cache_is_damaged. on_stored may call anything here but sts_cache_close.
 * STS_ERR_NAME: the domain is no key (empty, or above 300 bytes).
 */
typedef void sts_on_stored(void *arg, enum sts_err err);
enum sts_err sts_cache_put(struct sts_cache *c, struct sts_str domain,
    struct sts_str bytes, struct sts_cache_kind kind, int64_t due, sts_on_stored *on,
    void *arg);
/* The callback of a queued put will not be called; the write goes on. */
void sts_cache_forget(struct sts_cache *c, void *arg);
/* Removes an entry (also from the queue), committed with the next batch. */
enum sts_err sts_cache_drop(struct sts_cache *c, struct sts_str domain);
/* Commits the queue now; callbacks come later, from the loop. */
enum sts_err sts_cache_flush(struct sts_cache *c);

/* Up to max domains whose due time has come, earliest first (before them those that are
 * not committed); each is handed to on, which must not call the cache. Returns how many,
 * and when the next is due in *next (INT64_MAX: none). */
typedef void sts_on_due(void *arg, struct sts_str domain);
size_t sts_cache_due(struct sts_cache *c, int64_t now, size_t max, sts_on_due *on,
    void *arg, int64_t *next);

/* Every entry in the order of the names, from after `after` (empty: from the start),
 * until on returns false; on must not call the cache. */
typedef bool sts_on_entry(void *arg, struct sts_str domain, struct sts_str bytes);
enum sts_err sts_cache_each(struct sts_cache *c, struct sts_str after, sts_on_entry *on,
    void *arg);

struct sts_cache_stats {
	uint64_t policies[3]; /* by enum sts_mode */
	uint64_t failing;
	uint64_t pool;
	uint64_t unsaved; /* waiting in memory after a failed commit */
	uint64_t bytes;	  /* of the file that are in use */
	uint64_t limit;
};
enum sts_err sts_cache_stats(struct sts_cache *c, struct sts_cache_stats *stats);

/* The clock's mark; CACHE_NONE when there is none. The writer stores the present one
 * with each commit. */
enum sts_err sts_cache_mark(struct sts_cache *c, struct sts_clock_mark *mark);

/* Frees reader slots of processes that died (LMDB's are never freed by themselves). */
void sts_cache_check_readers(struct sts_cache *c);

/* LMDB met a page that makes no sense since the cache was opened: everyone must stop
 * using the file, and it be moved aside. */
bool sts_cache_is_damaged(const struct sts_cache *c);

/* For tests, which cannot wait for a hundred thousand entries or ten seconds. */
struct sts_cache_limits {
	size_t pool, commit, unsaved, unsaved_bytes;
	int64_t retry_ms;
};
void sts_cache_set_limits(struct sts_cache *c, const struct sts_cache_limits *limits);

/* Is this process inside LMDB right now? Async-signal-safe. */
bool sts_cache_is_inside(void);

const char *sts_cache_version(void); /* LMDB's */

#endif
