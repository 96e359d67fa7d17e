/* SPDX-License-Identifier: MIT */
#ifndef LANDLOCK_H
#define LANDLOCK_H

#include "sandbox.h"

/*
 * Landlock by its system calls: the headers of a kernel that builds are older than the
 * one that runs. What an ABI has not is left out. -1 with errno: there is none, or it may
 * not be used; else the ABI that is in force.
 */
int landlock_enter(const struct sandbox *s);

/* Its highest ABI that the kernel knows; 0: none. */
int landlock_abi(void);

#define LANDLOCK_ABI_TRUNCATE 3
#define LANDLOCK_ABI_TCP 4
#define LANDLOCK_ABI_SCOPE 6

#endif
