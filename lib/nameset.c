/* SPDX-License-Identifier: MIT */
/*
 * The tree (a "crit-bit" tree): a fork names the first bit in which the names below its
 * two sides differ, and bits only grow on the way down. To add a name:
 *
 *	1. Walk down by the name's own bits to some leaf. If the name is in the set at
 *	   all, this is it.
 *	2. Find the first bit in which the two differ; there is none: it was there.
 *	3. Walk down again to where that bit belongs, and put a fork there.
 *
 * A name is read as if zero bits followed its end.
 */
#include "nameset.h"

#include <stdlib.h>

struct sts_nameset_fork {
	uint32_t bit;
	uint32_t side[2]; /* a fork's number, or LEAF with a name's number */
};

#define LEAF 0x80000000u

static unsigned
byte_at(struct sts_str s, size_t i)
{
	return i < s.n ? (unsigned char)sts_lower(s.p[i]) : 0;
}

static unsigned
bit_at(struct sts_str s, uint32_t bit)
{
	return (byte_at(s, bit / 8) >> (7 - bit % 8)) & 1;
}

/* The first bit in which two names differ; false: they are the same. */
static bool
differ(struct sts_str a, struct sts_str b, uint32_t *bit)
{
	size_t n = a.n > b.n ? a.n : b.n;

	for (size_t i = 0; i < n; i++) {
		unsigned x = byte_at(a, i) ^ byte_at(b, i);
		uint32_t in_byte = 0;

		if (x == 0)
			continue;
		while ((x & 0x80) == 0) {
			x <<= 1;
			in_byte++;
		}
		*bit = (uint32_t)(i * 8) + in_byte;
		return true;
	}
	return false;
}

static bool
grow(struct sts_nameset *s)
{
	size_t size = s->size == 0 ? 4 * (size_t)STS_NAMESET_FEW : 2 * s->size;
	struct sts_str *names;
	struct sts_nameset_fork *forks;

	if (s->count < s->size)
		return true;
	if (size >= LEAF / sizeof(*names))
		return false;
	if ((names = realloc(s->names, size * sizeof(*names))) == NULL)
		return false;
	s->names = names;
	if ((forks = realloc(s->forks, size * sizeof(*forks))) == NULL)
		return false;
	s->forks = forks;
	s->size = size;
	return true;
}

/* The one name that this can be. */
static struct sts_str
nearest(const struct sts_nameset *s, struct sts_str name)
{
	uint32_t at = s->root;

	while ((at & LEAF) == 0)
		at = s->forks[at].side[bit_at(name, s->forks[at].bit)];
	return s->names[at & ~LEAF];
}

/* There is room, and at least one name. */
static bool
add_to_tree(struct sts_nameset *s, struct sts_str name)
{
	uint32_t bit, new_fork = (uint32_t)s->count - 1, *link = &s->root;
	struct sts_nameset_fork *fork;
	unsigned side;

	if (!differ(nearest(s, name), name, &bit))
		return false;
	while ((*link & LEAF) == 0 && s->forks[*link].bit < bit)
		link = &s->forks[*link].side[bit_at(name, s->forks[*link].bit)];
	side = bit_at(name, bit);
	fork = &s->forks[new_fork];
	fork->bit = bit;
	fork->side[side] = LEAF | (uint32_t)s->count;
	fork->side[1 - side] = *link;
	*link = new_fork;
	s->names[s->count++] = name;
	return true;
}

/* The few become a tree. */
static bool
plant(struct sts_nameset *s)
{
	if (!grow(s))
		return false;
	s->names[0] = s->few[0];
	s->root = LEAF;
	s->count = 1;
	for (size_t i = 1; i < STS_NAMESET_FEW; i++)
		(void)add_to_tree(s, s->few[i]);
	return true;
}

static bool
is_of_few(const struct sts_nameset *s, struct sts_str name)
{
	for (size_t i = 0; i < s->count; i++)
		if (sts_str_eq_nocase(s->few[i], name))
			return true;
	return false;
}

static bool
add_to_few(struct sts_nameset *s, struct sts_str name)
{
	if (is_of_few(s, name))
		return false;
	if (s->count < STS_NAMESET_FEW) {
		s->few[s->count++] = name;
		return true;
	}
	if (!plant(s)) {
		s->bad = true;
		return false;
	}
	return add_to_tree(s, name);
}

bool
sts_nameset_add(struct sts_nameset *s, struct sts_str name)
{
	if (s->bad)
		return false;
	if (s->size == 0)
		return add_to_few(s, name);
	if (!grow(s)) {
		s->bad = true;
		return false;
	}
	return add_to_tree(s, name);
}

bool
sts_nameset_has(const struct sts_nameset *s, struct sts_str name)
{
	uint32_t bit;

	if (s->bad)
		return true;
	return s->size == 0 ? is_of_few(s, name) : !differ(nearest(s, name), name, &bit);
}

void
sts_nameset_done(struct sts_nameset *s)
{
	free(s->names);
	free(s->forks);
	*s = (struct sts_nameset){ 0 };
}
