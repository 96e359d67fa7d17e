/* SPDX-License-Identifier: MIT */
#ifndef STS_PENDING_H
#define STS_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache.h"
#include "str.h"

/*
 * Writes to the cache that are not committed: at most one a domain, found by its name,
 * kept in the order of their arrival, those with a policy apart from the others. An
 * all-zero sts_pending is empty and valid.
 */
struct sts_waiter {
	struct sts_waiter *next;
	sts_on_stored *on;
	void *arg;
	enum sts_err err; /* once it is known */
};

struct sts_pending_item {
	struct sts_pending_item *bucket_next;
	struct sts_pending_item *older, *newer; /* in its list */
	struct sts_str domain, bytes;		/* owned, behind this struct */
	struct sts_cache_kind kind;
	int64_t due;
	bool drop;		    /* the entry shall go: no bytes, no policy */
	bool applied;		    /* it is in the transaction at work */
	struct sts_waiter *waiters; /* in the order of their puts */
};

struct sts_pending_list {
	struct sts_pending_item *oldest, *newest;
};

struct sts_pending {
	struct sts_pending_item **buckets; /* NULL until the first item */
	struct sts_pending_list policies, others;
	size_t count;
	size_t bytes;	/* of all items */
	size_t waiting; /* waiters of all items */
};

/* Frees everything; waiters are not told. */
void sts_pending_done(struct sts_pending *p);

/* Adds a copy of a write as the newest; an earlier one of the domain goes, its waiters
 * wait for this one. NULL: no memory, nothing changed. */
struct sts_pending_item *sts_pending_put(struct sts_pending *p, struct sts_str domain,
    struct sts_str bytes, struct sts_cache_kind kind, int64_t due);
struct sts_pending_item *sts_pending_drop(struct sts_pending *p, struct sts_str domain);

struct sts_pending_item *sts_pending_find(const struct sts_pending *p,
    struct sts_str domain);

/* Policies, oldest first, then the others: what must be saved before anything else. */
struct sts_pending_item *sts_pending_first(const struct sts_pending *p);
struct sts_pending_item *sts_pending_next(const struct sts_pending *p,
    const struct sts_pending_item *item);

/* Makes it the newest. */
void sts_pending_postpone(struct sts_pending *p, struct sts_pending_item *item);

/* Which is lost first when there are too many; NULL: none. */
struct sts_pending_item *sts_pending_victim(const struct sts_pending *p);

/* false: no memory. */
bool sts_pending_wait(struct sts_pending *p, struct sts_pending_item *item,
    sts_on_stored *on, void *arg);
/* Frees all waiters with this arg. */
void sts_pending_forget(struct sts_pending *p, const void *arg);
/* Takes the item's waiters off it; the caller owns the list. */
struct sts_waiter *sts_pending_take_waiters(struct sts_pending *p,
    struct sts_pending_item *item);

/* Ends an item, and those who still wait for it. */
void sts_pending_remove(struct sts_pending *p, struct sts_pending_item *item);

#endif
