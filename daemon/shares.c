/* SPDX-License-Identifier: MIT */
#include "shares.h"

#include <stdatomic.h>

/* So much more is even enough: of the fewest a sixteenth, and some. */
#define SLACK 2
#define SLACK_PART 16

static uint32_t
get(const struct shares *s, size_t worker)
{
	return atomic_load_explicit(&s->clients[worker], memory_order_relaxed);
}

void
shares_set(struct shares *s, size_t worker, uint32_t clients)
{
	atomic_store_explicit(&s->clients[worker], clients, memory_order_relaxed);
}

bool
shares_is_ahead(const struct shares *s, size_t worker)
{
	uint64_t fewest = SHARES_NOBODY;

	for (size_t i = 0; i < SHARES_MAX; i++)
		if (i != worker && get(s, i) < fewest)
			fewest = get(s, i);
	return fewest != SHARES_NOBODY &&
	    get(s, worker) > fewest + fewest / SLACK_PART + SLACK;
}
