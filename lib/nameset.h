/* SPDX-License-Identifier: MIT */
#ifndef STS_NAMESET_H
#define STS_NAMESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

/*
 * Which names were given already? Names are compared as DNS does (ASCII case does not
 * matter) and hold no NUL; the set keeps views, their bytes belong to somebody else.
 *
 * The first few are simply compared, without any memory of our own. More go into a
 * binary tree on the bits of the names: whatever a stranger lists, adding a name costs
 * no more steps than it has bits. A hash table would need a secret to promise that.
 *
 * Starts all-zero; the owner calls sts_nameset_done.
 */
#define STS_NAMESET_FEW 16

struct sts_nameset_fork;

struct sts_nameset {
	struct sts_str few[STS_NAMESET_FEW];
	size_t count;
	struct sts_str *names;		/* all of them, once they are more than a few */
	struct sts_nameset_fork *forks; /* one less than names */
	size_t size;			/* of names and forks */
	uint32_t root;
	bool bad; /* out of memory: the set is not complete */
};

/* True when the name was not there yet; false when it was, and when s is bad. */
bool sts_nameset_add(struct sts_nameset *s, struct sts_str name);
/* Without adding it; of a bad set nothing can be said, and true is. */
bool sts_nameset_has(const struct sts_nameset *s, struct sts_str name);
void sts_nameset_done(struct sts_nameset *s);

#endif
