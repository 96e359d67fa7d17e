/* SPDX-License-Identifier: MIT */
#ifndef SHARED_H
#define SHARED_H

#include <stddef.h>

/*
 * Memory that the supervisor shares with a process of ours: zeroed at first, and of a size
 * that nobody can change; else a child could cut it off, and reading it would kill us.
 */

/* Maps new memory; *fd is the descriptor to hand on. NULL with errno. */
void *shared_new(const char *name, size_t size, int *fd);
/* Maps what was handed on; fd stays the caller's. NULL with errno: EINVAL where it is not
 * of this size. */
void *shared_attach(int fd, size_t size);
void shared_end(void *at, size_t size); /* NULL is nothing */

#endif
