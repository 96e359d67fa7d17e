/* SPDX-License-Identifier: MIT */
#ifndef SHARES_H
#define SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How many clients each of several workers has, in memory that all of them share. They
 * accept from the same sockets, where whoever is awake is first: without this, one of
 * them would have nearly all clients, and the others nothing to do.
 */
#define SHARES_MAX 64		 /* of the setting `workers` */
#define SHARES_NOBODY UINT32_MAX /* no worker has this place */

struct shares {
	_Atomic uint32_t clients[SHARES_MAX];
};

void shares_set(struct shares *s, size_t worker, uint32_t clients);

/* Has this worker clearly more than the one with the fewest? Then the next client is to be
 * left to that one. What others count is only believed, never relied on: who waits, waits
 * for a moment. */
bool shares_is_ahead(const struct shares *s, size_t worker);

#endif
