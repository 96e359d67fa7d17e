/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "pending.h"

/* Few items while the disk works; STS_UNSAVED_MAX of them make chains of three. */
#define BUCKETS 4096

static size_t
bucket_of(struct sts_str domain)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < domain.n; i++)
		hash = (hash ^ (uint8_t)domain.p[i]) * 16777619u;
	return (hash ^ hash >> 16) % BUCKETS;
}

static struct sts_pending_list *
list_of(struct sts_pending *p, const struct sts_pending_item *item)
{
	return item->kind.policy ? &p->policies : &p->others;
}

static void
link_in(struct sts_pending *p, struct sts_pending_item *item)
{
	struct sts_pending_list *list = list_of(p, item);
	struct sts_pending_item **bucket = &p->buckets[bucket_of(item->domain)];

	item->bucket_next = *bucket;
	*bucket = item;
	item->older = list->newest;
	if (list->newest != NULL)
		list->newest->newer = item;
	else
		list->oldest = item;
	list->newest = item;
	p->count++;
	p->bytes += item->domain.n + item->bytes.n;
}

static void
unlink_from(struct sts_pending *p, struct sts_pending_item *item)
{
	struct sts_pending_list *list = list_of(p, item);
	struct sts_pending_item **at = &p->buckets[bucket_of(item->domain)];

	while (*at != item)
		at = &(*at)->bucket_next;
	*at = item->bucket_next;
	if (item->older != NULL)
		item->older->newer = item->newer;
	else
		list->oldest = item->newer;
	if (item->newer != NULL)
		item->newer->older = item->older;
	else
		list->newest = item->older;
	p->count--;
	p->bytes -= item->domain.n + item->bytes.n;
}

static void
free_waiters(struct sts_waiter *w)
{
	struct sts_waiter *next;

	for (; w != NULL; w = next) {
		next = w->next;
		free(w);
	}
}

void
sts_pending_done(struct sts_pending *p)
{
	struct sts_pending_item *item;

	while ((item = sts_pending_first(p)) != NULL)
		sts_pending_remove(p, item);
	free(p->buckets);
	memset(p, 0, sizeof *p);
}

static struct sts_pending_item *
new_item(struct sts_str domain, struct sts_str bytes)
{
	struct sts_pending_item *item = calloc(1, sizeof *item + domain.n + bytes.n);
	char *copy;

	if (item == NULL)
		return NULL;
	copy = (char *)(item + 1);
	memcpy(copy, domain.p, domain.n);
	if (bytes.n > 0)
		memcpy(copy + domain.n, bytes.p, bytes.n);
	item->domain = (struct sts_str){ copy, domain.n };
	item->bytes = (struct sts_str){ copy + domain.n, bytes.n };
	return item;
}

static struct sts_pending_item *
replace(struct sts_pending *p, struct sts_pending_item *item)
{
	struct sts_pending_item *earlier = sts_pending_find(p, item->domain);

	if (earlier != NULL) {
		item->waiters = earlier->waiters;
		earlier->waiters = NULL;
		sts_pending_remove(p, earlier);
	}
	link_in(p, item);
	return item;
}

static bool
has_buckets(struct sts_pending *p)
{
	if (p->buckets == NULL)
		p->buckets = calloc(BUCKETS, sizeof(struct sts_pending_item *));
	return p->buckets != NULL;
}

struct sts_pending_item *
sts_pending_put(struct sts_pending *p, struct sts_str domain, struct sts_str bytes,
    struct sts_cache_kind kind, int64_t due)
{
	struct sts_pending_item *item = has_buckets(p) ? new_item(domain, bytes) : NULL;

	if (item == NULL)
		return NULL;
	item->kind = kind;
	item->due = due;
	return replace(p, item);
}

struct sts_pending_item *
sts_pending_drop(struct sts_pending *p, struct sts_str domain)
{
	struct sts_pending_item *item =
	    has_buckets(p) ? new_item(domain, STS_STR_NONE) : NULL;

	if (item == NULL)
		return NULL;
	item->drop = true;
	item->due = INT64_MAX;
	return replace(p, item);
}

struct sts_pending_item *
sts_pending_find(const struct sts_pending *p, struct sts_str domain)
{
	struct sts_pending_item *item;

	if (p->count == 0)
		return NULL;
	item = p->buckets[bucket_of(domain)];
	while (item != NULL &&
	    (item->domain.n != domain.n ||
		memcmp(item->domain.p, domain.p, domain.n) != 0))
		item = item->bucket_next;
	return item;
}

struct sts_pending_item *
sts_pending_first(const struct sts_pending *p)
{
	return p->policies.oldest != NULL ? p->policies.oldest : p->others.oldest;
}

struct sts_pending_item *
sts_pending_next(const struct sts_pending *p, const struct sts_pending_item *item)
{
	if (item->newer == NULL && item->kind.policy)
		return p->others.oldest;
	return item->newer;
}

void
sts_pending_postpone(struct sts_pending *p, struct sts_pending_item *item)
{
	unlink_from(p, item);
	item->newer = NULL;
	link_in(p, item);
}

struct sts_pending_item *
sts_pending_victim(const struct sts_pending *p)
{
	return p->others.oldest != NULL ? p->others.oldest : p->policies.oldest;
}

bool
sts_pending_wait(struct sts_pending *p, struct sts_pending_item *item, sts_on_stored *on,
    void *arg)
{
	struct sts_waiter *w = malloc(sizeof *w);
	struct sts_waiter **end = &item->waiters;

	if (w == NULL)
		return false;
	*w = (struct sts_waiter){ .on = on, .arg = arg };
	while (*end != NULL)
		end = &(*end)->next;
	*end = w;
	p->waiting++;
	return true;
}

static void
forget_in(struct sts_pending *p, struct sts_pending_item *item, const void *arg)
{
	struct sts_waiter **at = &item->waiters;

	while (*at != NULL) {
		struct sts_waiter *w = *at;

		if (w->arg != arg) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		free(w);
		p->waiting--;
	}
}

void
sts_pending_forget(struct sts_pending *p, const void *arg)
{
	struct sts_pending_item *item;

	if (p->waiting == 0)
		return;
	for (item = sts_pending_first(p); item != NULL; item = sts_pending_next(p, item))
		forget_in(p, item, arg);
}

struct sts_waiter *
sts_pending_take_waiters(struct sts_pending *p, struct sts_pending_item *item)
{
	struct sts_waiter *taken = item->waiters;

	item->waiters = NULL;
	for (struct sts_waiter *w = taken; w != NULL; w = w->next)
		p->waiting--;
	return taken;
}

void
sts_pending_remove(struct sts_pending *p, struct sts_pending_item *item)
{
	free_waiters(sts_pending_take_waiters(p, item));
	unlink_from(p, item);
	free(item);
}
