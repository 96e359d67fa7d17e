/* SPDX-License-Identifier: MIT */
#ifndef STATE_H
#define STATE_H

#include <stddef.h>
#include <stdint.h>

#include "privileges.h"

/*
 * The state directory: made when missing, held by one stsd at a time, and home of the
 * cache file. Each call: 0, or -1 with a sentence in why.
 */

/* Makes it, with what is missing above it, and hands it to the owner. */
int state_make(const char *directory, const struct account *owner, char *why,
    size_t why_n);

/* The directory of a file that is to be made, where it is missing: everybody may look
 * into it, the owner alone changes it. */
int state_make_above(const char *file, const struct account *owner, char *why,
    size_t why_n);

/* From now on it is ours, until the process ends. */
int state_lock(const char *directory, char *why, size_t why_n);

/*
 * Makes the cache file, or sees whether the one that is there can be used, in a process
 * of its own: looking at a damaged file may be the end of it. A file that cannot be used
 * is moved aside, loudly.
 */
int state_prepare(const char *directory, uint64_t cache_size, char *why, size_t why_n);

/* Moves the cache aside, data and lock, and makes a new one. Only while no process has
 * it open. */
int state_renew(const char *directory, uint64_t cache_size, char *why, size_t why_n);

#endif
